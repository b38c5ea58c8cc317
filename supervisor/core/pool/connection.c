#include "core/pool/connection.h"

#include "core/base/text.h"

const char *outcome_text(enum outcome outcome) {
    static const char texts[] =
#define OUTCOME_TEXT(name, text) text "\0"
        OUTCOME_TABLE(OUTCOME_TEXT)
#undef OUTCOME_TEXT
        ;
    return text_nth(texts, outcome);
}

static bool is_with_supervisor(enum connection_state state) {
    return state == CONNECTION_PREFACE || state == CONNECTION_WAITING ||
           state == CONNECTION_OFFERED || state == CONNECTION_RECALLED;
}

static bool move(struct connection *connection, bool allowed, enum connection_state next) {
    if (allowed) {
        connection->state = next;
    }
    return allowed;
}

static bool end(struct connection *connection, bool allowed, enum outcome outcome) {
    if (allowed) {
        connection->outcome = outcome;
    }
    return move(connection, allowed, CONNECTION_ENDED);
}

bool connection_step(struct connection *connection, enum connection_event event,
                     enum outcome outcome) {
    enum connection_state state = connection->state;
    switch (event) {
    case CONNECTION_BEGIN:
        return move(connection, state == CONNECTION_PREFACE, CONNECTION_WAITING);
    case CONNECTION_OFFER:
        connection->offers_count += state == CONNECTION_WAITING;
        return move(connection, state == CONNECTION_WAITING, CONNECTION_OFFERED);
    case CONNECTION_RECALL:
        return move(connection, state == CONNECTION_OFFERED, CONNECTION_RECALLED);
    case CONNECTION_ACK:
        return move(connection, state == CONNECTION_OFFERED || state == CONNECTION_RECALLED,
                    CONNECTION_HELD);
    case CONNECTION_DECLINE:
        return move(connection, state == CONNECTION_OFFERED || state == CONNECTION_RECALLED,
                    CONNECTION_WAITING);
    case CONNECTION_ATTEMPT_FAILED:
        if (state == CONNECTION_PREFACE || !is_with_supervisor(state)) {
            return false;
        }
        connection->attempts_used++;
        if (connection->attempts_used >= connection->attempts_max) {
            return end(connection, true, outcome);
        }
        return move(connection, true, CONNECTION_WAITING);
    case CONNECTION_END:
        return end(connection, is_with_supervisor(state) || state == CONNECTION_HELD, outcome);
    }
    return false;
}
