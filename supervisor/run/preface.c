/* Preface: what comes on a connection before it is served: a PROXY header, and the client's first
 * byte. Not a byte of the client's own is taken; how long it may take is the pool's to say. */
#include "core/base/table.h"
#include "core/door/trust.h"
#include "run/internal.h"

#include <stdlib.h>

#define PIECE_BYTES 256u

int run_preface_prepare(struct supervisor *s) {
    if (s->prefaces.entries == NULL) {
        s->prefaces.entries =
            table_create(s->pool.connection_slots.count, sizeof *s->prefaces.entries);
    }
    return s->prefaces.entries == NULL ? BATON_NO_MEMORY : BATON_OK;
}

void run_preface_clear(struct supervisor *s) {
    free(s->prefaces.entries);
}

void run_preface_stop(struct supervisor *s, uint32_t connection) {
    if (s->prefaces.entries != NULL) {
        platform_stream_close(&s->prefaces.entries[connection].stream);
    }
}

/* `reason`: static. */
static void fail(struct supervisor *s, uint32_t connection, enum outcome outcome,
                 const char *reason) {
    run_preface_stop(s, connection);
    pool_begin_failed(&s->pool, connection, outcome, reason);
}

static int watch(struct supervisor *s, uint32_t connection, struct baton_cause *cause) {
    return platform_stream_open(
        s->platform, s->sockets[connection],
        slots_token(&s->pool.connection_slots, RUN_TOKEN_PREFACE, connection),
        &s->prefaces.entries[connection].stream, cause);
}

int run_preface_restore(struct supervisor *s, uint32_t connection,
                        const struct proxy_reader *reader) {
    struct baton_cause cause = {0};
    int result = run_preface_prepare(s);
    if (result != BATON_OK) {
        return result;
    }
    s->prefaces.entries[connection].reader = *reader;
    return watch(s, connection, &cause);
}

void run_preface_start(struct supervisor *s, uint32_t connection) {
    struct run_preface *preface = &s->prefaces.entries[connection];
    const struct connection *c = &s->pool.connections[connection];
    struct baton_cause cause = {0};
    if (!c->awaits_byte && !trust_covers(c->rules, &c->peer)) {
        fail(s, connection, OUTCOME_REFUSED_ACCESS, "the peer is not in proxy_trusted");
        return;
    }
    proxy_reader_init(&preface->reader);
    int result = watch(s, connection, &cause);
    if (result != BATON_OK) {
        /* No fault of the client's; those behind it wait. */
        fail(s, connection, OUTCOME_LAUNCH_FAILED, "the connection could not be watched");
        run_pause_on_shortage(s, c->service, result, &cause);
        return;
    }
    run_preface_on_stream(s, connection);
}

/* What the pool waited for is there. True if it waits for more. */
static bool begin(struct supervisor *s, uint32_t connection, const struct address *peer,
                  const struct address *local) {
    pool_begin(&s->pool, connection, peer, local);
    if (s->pool.connections[connection].state == CONNECTION_PREFACE) {
        return true;
    }
    run_preface_stop(s, connection);
    return false;
}

static bool take_header(struct supervisor *s, uint32_t connection) {
    struct address peer, local;
    bool named = proxy_reader_result(&s->prefaces.entries[connection].reader, &peer, &local);
    return begin(s, connection, named ? &peer : NULL, named ? &local : NULL);
}

/* True if the client has said something, and more is awaited (never). An end counts: who says
 * nothing has said so. */
static bool await_byte(struct supervisor *s, uint32_t connection) {
    int result = platform_stream_await(s->prefaces.entries[connection].stream);
    if (result == BATON_GONE) {
        fail(s, connection, OUTCOME_ABANDONED, "the connection was reset before its first byte");
    }
    return result == BATON_OK && begin(s, connection, NULL, NULL);
}

/* True if there may be more to read at once. */
static bool read_piece(struct supervisor *s, uint32_t connection) {
    struct run_preface *preface = &s->prefaces.entries[connection];
    uint8_t piece[PIECE_BYTES];
    size_t length = 0;
    size_t wanted = proxy_reader_wanted(&preface->reader);
    struct baton_cause cause = {0};
    int result = platform_stream_read(
        preface->stream, piece, wanted < sizeof piece ? wanted : sizeof piece, &length, &cause);
    if (result == BATON_AGAIN) {
        return false;
    }
    if (result != BATON_OK) {
        /* Whoever leaves without a word was not a torn header: health checks do that. */
        bool silent = proxy_reader_is_empty(&preface->reader);
        fail(s, connection, silent ? OUTCOME_ABANDONED : OUTCOME_PROXY_INVALID,
             silent ? "the connection ended before its PROXY header"
                    : "the connection ended inside its PROXY header");
        return false;
    }
    switch (proxy_reader_take(&preface->reader, piece, length)) {
    case PROXY_MORE:
        return true;
    case PROXY_DONE:
        return take_header(s, connection);
    case PROXY_INVALID:
        fail(s, connection, OUTCOME_PROXY_INVALID, proxy_reader_fault(&preface->reader));
        return false;
    }
    return false;
}

/* Nothing is launched for who has gone meanwhile. */
static bool take_turn(struct supervisor *s, uint32_t connection) {
    if (platform_stream_await(s->prefaces.entries[connection].stream) == BATON_GONE) {
        fail(s, connection, OUTCOME_ABANDONED, "the connection was reset before its turn");
        return false;
    }
    return begin(s, connection, NULL, NULL);
}

static bool go_on(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    if (c->awaits_turn) {
        return !timer_is_set(&c->timer) && take_turn(s, connection);
    }
    return c->awaits_byte ? await_byte(s, connection) : read_piece(s, connection);
}

void run_preface_on_stream(struct supervisor *s, uint32_t connection) {
    /* A header is at most a few kilobytes, so this ends. */
    while (s->prefaces.entries[connection].stream != NULL && go_on(s, connection)) {
    }
}
