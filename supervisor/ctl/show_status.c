/* batond itself, its services, and the connections that live. */
#include "ctl/show_internal.h"

#include <string.h>

static enum ctl_colour colour_of(const struct ctl_value *state) {
    static const struct {
        char word[10];
        enum ctl_colour colour;
    } words[] = {{"serving", CTL_GOOD},
                 {"paused", CTL_DOUBTFUL},
                 {"draining", CTL_DOUBTFUL},
                 {"stopping", CTL_DOUBTFUL},
                 {"failed", CTL_BAD}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (state->kind == CTL_TEXT && strcmp(state->text, words[i].word) == 0) {
            return words[i].colour;
        }
    }
    return CTL_PLAIN;
}

/* The state as it is coloured, and safe. */
static void put_state(struct ctl_show *show, const struct ctl_value *state) {
    ctl_buffer_reset(&show->aside);
    ctl_put(&show->aside, "");
    ctl_put_value(&show->aside, state);
    if (show->aside.text != NULL) {
        ctl_put_coloured(&show->line, show->aside.text, colour_of(state), show->coloured);
    }
}

void ctl_show_supervisor(struct ctl_show *show, const struct ctl_reply *reply) {
    struct ctl_value state = ctl_reply_value(reply, "state");
    uint64_t failed = ctl_reply_number(reply, "listeners_failed");
    uint64_t lost = ctl_reply_number(reply, "log_dropped") + ctl_reply_number(reply, "log_lost");
    ctl_put(&show->line, "batond ");
    ctl_show_text(show, reply, "version");
    ctl_put(&show->line, ", pid ");
    ctl_show_text(show, reply, "pid");
    ctl_put(&show->line, ", ");
    put_state(show, &state);
    ctl_put(&show->line, ", up ");
    ctl_put_duration(&show->line, ctl_reply_number(reply, "uptime_ms"));
    ctl_show_flush(show);
    ctl_put(&show->line, "config ");
    if (ctl_reply_value(reply, "config").length > 0) {
        ctl_show_text(show, reply, "config");
    } else {
        ctl_put(&show->line, "from standard input");
    }
    ctl_put(&show->line, ", log level ");
    ctl_show_text(show, reply, "log_level");
    ctl_show_flush(show);
    ctl_show_count(&show->line, ctl_reply_number(reply, "services"), "service");
    ctl_put(&show->line, ", ");
    ctl_show_count(&show->line, ctl_reply_number(reply, "listeners_open"), "open place");
    if (failed > 0) {
        ctl_put(&show->line, ", ");
        ctl_put_number(&show->line, failed);
        ctl_put_coloured(&show->line, " not open", CTL_BAD, show->coloured);
    }
    ctl_put(&show->line, ", ");
    ctl_show_count(&show->line, ctl_reply_number(reply, "processes"), "handler process");
    ctl_put(&show->line, ", ");
    ctl_show_count(&show->line, ctl_reply_number(reply, "launchers"), "launcher");
    ctl_show_flush(show);
    ctl_show_count(&show->line, ctl_reply_number(reply, "connections"), "live connection");
    ctl_put(&show->line, ", ");
    ctl_put_number(&show->line, ctl_reply_number(reply, "accepted"));
    ctl_put(&show->line, " accepted since the start");
    ctl_show_flush(show);
    if (lost > 0) {
        ctl_put_coloured(&show->line, "the log lacks ", CTL_BAD, show->coloured);
        ctl_show_count(&show->line, lost, "line");
        ctl_show_flush(show);
    }
}

struct listing {
    struct ctl_show *show;
    size_t count;
};

static void put_outcome(void *context, const char *name, const struct ctl_value *value) {
    struct listing *listing = context;
    struct ctl_buffer *line = &listing->show->line;
    ctl_put(line, listing->count++ == 0 ? "ended: " : ", ");
    ctl_put_safe(line, name, strlen(name));
    ctl_put(line, " ");
    ctl_put_value(line, value);
}

void ctl_show_outcomes(struct ctl_show *show, const struct ctl_reply *reply) {
    struct listing listing = {show, 0};
    ctl_reply_each(reply, put_outcome, &listing);
    if (listing.count > 0) {
        ctl_show_flush(show);
    }
}

/* ---- Services ---- */

enum {
    OF_NAME,
    OF_STATE,
    OF_CONNECTIONS,
    OF_WAITING,
    OF_PROCESSES,
    OF_IDLE,
    OF_ACCEPTED,
    OF_SERVED,
    OF_FAILED,
    OF_REFUSED
};

static const struct ctl_column work_columns[] = {
    {"SERVICE", false}, {"STATE", false},   {"LIVE", true},   {"WAIT", true},   {"PROCS", true},
    {"IDLE", true},     {"ACCEPTED", true}, {"SERVED", true}, {"FAILED", true}, {"REFUSED", true}};

enum { IS_NAME, IS_STATE, IS_HANDOFF, IS_HANDLER, IS_PLACES };

static const struct ctl_column place_columns[] = {{"SERVICE", false},
                                                  {"STATE", false},
                                                  {"HANDOFF", false},
                                                  {"HANDLER", false},
                                                  {"PLACES", false}};

static void set_columns(struct ctl_show *show, const struct ctl_column *columns, size_t count) {
    show->table.columns = columns;
    show->table.column_count = count;
}

/* "3/64": of how many. */
static void set_live(struct ctl_show *show, const struct ctl_reply *reply) {
    struct ctl_value most = ctl_reply_value(reply, "max_connections");
    ctl_buffer_reset(&show->aside);
    ctl_put_number(&show->aside, ctl_reply_number(reply, "connections"));
    ctl_put(&show->aside, most.kind == CTL_NOTHING ? "" : "/");
    ctl_put_value(&show->aside, &most);
    if (show->aside.text != NULL) {
        ctl_table_set(&show->table, OF_CONNECTIONS, show->aside.text, CTL_PLAIN);
    }
}

/* "web: REASON" behind the table. */
static void note(struct ctl_show *show, const struct ctl_reply *reply, const char *before) {
    struct ctl_value service = ctl_reply_value(reply, "service");
    struct ctl_value reason = ctl_reply_value(reply, "reason");
    struct ctl_value address = ctl_reply_value(reply, "address");
    ctl_put_value(&show->notes, &service);
    ctl_put(&show->notes, ": ");
    ctl_put_value(&show->notes, &address);
    ctl_put(&show->notes, before);
    ctl_put(&show->notes, before[0] != '\0' && reason.length > 0 ? ": " : "");
    ctl_put_value(&show->notes, &reason);
    ctl_put(&show->notes, "\n");
}

static void set_state(struct ctl_show *show, size_t column, const struct ctl_reply *reply) {
    struct ctl_value state = ctl_reply_value(reply, "state");
    ctl_buffer_reset(&show->aside);
    ctl_put(&show->aside, "");
    ctl_put_value(&show->aside, &state);
    if (show->aside.text != NULL) {
        ctl_table_set(&show->table, column, show->aside.text, colour_of(&state));
    }
}

void ctl_show_service(struct ctl_show *show, const struct ctl_reply *reply) {
    if (show->has_places) {
        set_columns(show, place_columns, sizeof place_columns / sizeof *place_columns);
    } else {
        set_columns(show, work_columns, sizeof work_columns / sizeof *work_columns);
    }
    ctl_table_add_row(&show->table);
    ctl_show_cell(show, OF_NAME, reply, "service");
    set_state(show, OF_STATE, reply);
    if (show->has_places) {
        ctl_show_cell(show, IS_HANDOFF, reply, "handoff");
        ctl_show_cell(show, IS_HANDLER, reply, "handler");
    } else {
        set_live(show, reply);
        ctl_show_cell(show, OF_WAITING, reply, "waiting");
        ctl_show_cell(show, OF_PROCESSES, reply, "processes");
        ctl_show_cell(show, OF_IDLE, reply, "idle");
        ctl_show_cell(show, OF_ACCEPTED, reply, "accepted");
        ctl_show_cell(show, OF_SERVED, reply, "served");
        ctl_show_cell(show, OF_FAILED, reply, "failed");
        ctl_show_cell(show, OF_REFUSED, reply, "refused");
    }
    if (ctl_reply_value(reply, "reason").kind == CTL_TEXT) {
        note(show, reply, "");
    }
}

/* Further places stand behind the first, with what they speak where that is not TCP. */
static void add_place(struct ctl_show *show, const struct ctl_reply *reply) {
    struct ctl_value address = ctl_reply_value(reply, "address");
    struct ctl_value protocol = ctl_reply_value(reply, "protocol");
    const char *before = ctl_table_get(&show->table, IS_PLACES);
    ctl_buffer_reset(&show->aside);
    ctl_put(&show->aside, before);
    ctl_put(&show->aside, before[0] != '\0' ? ", " : "");
    ctl_put_value(&show->aside, &address);
    if (protocol.kind == CTL_TEXT && strcmp(protocol.text, "udp") == 0) {
        ctl_put(&show->aside, "/udp");
    }
    if (show->aside.text != NULL) {
        ctl_table_set(&show->table, IS_PLACES, show->aside.text, CTL_PLAIN);
    }
}

void ctl_show_place(struct ctl_show *show, const struct ctl_reply *reply) {
    struct ctl_value open = ctl_reply_value(reply, "open");
    if (show->has_places && show->table.columns == place_columns) {
        add_place(show, reply);
    }
    if (open.kind == CTL_FLAG && !open.flag) {
        note(show, reply, " is not open");
    }
}

/* ---- Connections ---- */

enum { IN_ID, IN_SERVICE, IN_PEER, IN_STATE, IN_PID, IN_AGE };

static const struct ctl_column connection_columns[] = {{"ID", true},    {"SERVICE", false},
                                                       {"PEER", false}, {"STATE", false},
                                                       {"PID", true},   {"AGE", true}};

void ctl_show_connection(struct ctl_show *show, const struct ctl_reply *reply) {
    struct ctl_value state = ctl_reply_value(reply, "state");
    struct ctl_value ending = ctl_reply_value(reply, "ending");
    set_columns(show, connection_columns, sizeof connection_columns / sizeof *connection_columns);
    ctl_table_add_row(&show->table);
    ctl_show_cell(show, IN_ID, reply, "id");
    ctl_show_cell(show, IN_SERVICE, reply, "service");
    ctl_show_cell(show, IN_PEER, reply, "peer");
    ctl_show_cell(show, IN_PID, reply, "pid");
    ctl_buffer_reset(&show->aside);
    ctl_put(&show->aside, "");
    ctl_put_value(&show->aside, &state);
    ctl_put(&show->aside, ending.flag ? ", ending" : "");
    if (show->aside.text != NULL) {
        ctl_table_set(&show->table, IN_STATE, show->aside.text,
                      ending.flag ? CTL_DOUBTFUL : CTL_PLAIN);
    }
    ctl_buffer_reset(&show->aside);
    ctl_put_duration(&show->aside, ctl_reply_number(reply, "age_ms"));
    if (show->aside.text != NULL) {
        ctl_table_set(&show->table, IN_AGE, show->aside.text, CTL_PLAIN);
    }
}
