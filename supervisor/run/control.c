#include "run/control.h"

#include "core/base/table.h"
#include "run/internal.h"

#include <stdlib.h>
#include <string.h>

/* How long a client has for its request, and between two pieces of the reply. */
#define REQUEST_US 5000000u
#define REPLY_US 30000000u
/* After a shortage. */
#define RETRY_US 1000000u
/* In one round. */
#define ACCEPTS_COUNT 4u
#define STEPS_COUNT 4u

/* Who leaves is closed by another thread, a while later: not more are taken than that one closes,
 * or those who come and go would use up descriptors. */
static const struct rate_limit accept_limit = {1000, 1, 100};

static const uint32_t most_counts[RUN_CONTROL_KINDS] = {CONTROL_COMMANDS_MAX_COUNT,
                                                        CONTROL_STATUS_MAX_COUNT};
/* It tells who opened sockets to the platform, as the index of a listener's does. */
#define TOKEN_FIRST LISTENERS_MAX_COUNT

/* ---- Endpoints ---- */

bool run_control_make_tables(struct run_control *control) {
    if (control->clients == NULL) {
        control->clients = table_create(CONTROL_SLOTS_COUNT, sizeof *control->clients);
        control->line = table_create(1, sizeof *control->line);
        if (control->clients == NULL || control->line == NULL ||
            slots_init(&control->slots, CONTROL_SLOTS_COUNT) != BATON_OK) {
            free(control->clients);
            free(control->line);
            control->clients = NULL;
            control->line = NULL;
        }
    }
    return control->clients != NULL;
}

static char *copy_path(const char *path) {
    size_t bytes = strlen(path) + 1;
    char *copy = malloc(bytes);
    return copy == NULL ? NULL : memcpy(copy, path, bytes);
}

static void open_endpoint(struct supervisor *s, enum run_control_kind kind,
                          const struct platform_control_spec *spec) {
    struct run_control_endpoint *endpoint = &s->control.endpoints[kind];
    struct baton_cause cause = {0};
    int result = BATON_NO_MEMORY;
    if (spec->path == NULL || spec->path[0] == '\0') {
        return;
    }
    endpoint->retry.token = token_make(RUN_TOKEN_CONTROL, 0, TOKEN_FIRST + kind);
    endpoint->path = run_control_make_tables(&s->control) ? copy_path(spec->path) : NULL;
    if (endpoint->path != NULL) {
        result = platform_control_open(s->platform, spec, endpoint->retry.token, &endpoint->handle,
                                       &cause);
    }
    if (result == BATON_OK) {
        run_tell(s, LOG_LEVEL_DEBUG, "control_open", SLOT_NONE, "path=%s", spec->path);
        return;
    }
    run_tell(s, LOG_LEVEL_WARNING, "control_failed", SLOT_NONE, "path=%s reason=%s hint=%s",
             spec->path, run_tell_words(s, result, &cause),
             kind == RUN_CONTROL_STATUS ? "services are served all the same; give another path by "
                                          "`[supervisor] status`"
                                        : "services are served, but batonctl cannot ask this "
                                          "batond; give it a path of its own, or `none`, by "
                                          "`[supervisor] control`");
}

static void open_each(struct supervisor *s, const struct supervisor_options *options,
                      void (*open)(struct supervisor *s, enum run_control_kind kind,
                                   const struct platform_control_spec *spec)) {
    uint32_t *owner = options->user != NULL ? s->control.owner : NULL;
    struct platform_control_spec spec = {.path = options->control, .mode = 0600, .owner = owner};
    s->control.owner[0] = options->identity.uid;
    s->control.owner[1] = IDENTITY_SAME;
    open(s, RUN_CONTROL_COMMANDS, &spec);
    spec.path = options->status;
    spec.mode = options->status_mode;
    spec.is_for_all = true;
    open(s, RUN_CONTROL_STATUS, &spec);
}

void run_control_open(struct supervisor *s, const struct supervisor_options *options) {
    s->control.started_us = s->timers.now_us;
    open_each(s, options, open_endpoint);
}

/* ---- A restart ---- */

/* Who may come, and who owns its file, the old one has seen to. */
int run_control_adopt(struct supervisor *s, enum run_control_kind kind, const char *path,
                      const struct platform_held *held) {
    struct run_control_endpoint *endpoint = &s->control.endpoints[kind];
    struct baton_cause cause = {0};
    endpoint->retry.token = token_make(RUN_TOKEN_CONTROL, 0, TOKEN_FIRST + kind);
    endpoint->path = run_control_make_tables(&s->control) ? copy_path(path) : NULL;
    const struct platform_control_spec spec = {.path = endpoint->path};
    return endpoint->path == NULL
               ? BATON_NO_MEMORY
               : platform_control_adopt(s->platform, held, &spec, endpoint->retry.token,
                                        &endpoint->handle, &cause);
}

int run_control_adopt_client(struct supervisor *s, uint32_t client,
                             const struct platform_held *held) {
    struct run_control_client *c = &s->control.clients[client];
    struct baton_cause cause = {0};
    int result = platform_client_adopt(
        s->platform, held, slots_token(&s->control.slots, RUN_TOKEN_CONTROL_CLIENT, client),
        &c->peer, &cause);
    c->text = NULL;
    c->is_blocked = false;
    c->served_in_round = 0;
    c->restart_count = 0; /* it is through */
    if (c->verb == CONTROL_VERB_RELOAD && !c->waits) {
        c->verb =
            CONTROL_VERB_ENABLE; /* the rest of the report is gone: nothing but the end comes */
    }
    s->control.endpoints[c->kind].clients_count++;
    if (c->follows) {
        c->follows = false;
        run_control_follow(s, client);
    }
    run_control_wake(&s->control, client);
    return result;
}

static bool is_same_path(const char *a, const char *b) {
    a = a == NULL ? "" : a;
    return strcmp(a, b == NULL ? "" : b) == 0;
}

static void change_endpoint(struct supervisor *s, enum run_control_kind kind,
                            const struct platform_control_spec *spec) {
    struct run_control_endpoint *endpoint = &s->control.endpoints[kind];
    if (endpoint->handle == NULL || !is_same_path(endpoint->path, spec->path)) {
        timers_unset(&s->timers, &endpoint->retry);
        platform_control_close(&endpoint->handle);
        free(endpoint->path);
        endpoint->path = NULL;
        open_endpoint(s, kind, spec);
    }
}

void run_control_change(struct supervisor *s, const struct supervisor_options *options) {
    open_each(s, options, change_endpoint);
}

/* ---- Clients who leave ---- */

static void leave(struct supervisor *s, struct run_control_client *c) {
    uint32_t slot = (uint32_t)(c - s->control.clients);
    timers_unset(&s->timers, &c->timer);
    run_control_follow_no_more(s, c);
    platform_control_leave(s->platform, &c->peer);
    s->control.endpoints[c->kind].clients_count--;
    slots_give(&s->control.slots, slot);
    run_pause_relieve(s);
}

void run_control_on_timer(struct supervisor *s, uint32_t client) {
    leave(s, &s->control.clients[client]);
}

/* Who has not asked anything for the longest, but for `newest`; NULL = all others have. */
static struct run_control_client *find_idle(struct supervisor *s,
                                            const struct run_control_client *newest) {
    struct run_control_client *oldest = NULL;
    SLOTS_EACH(slot, &s->control.slots) {
        struct run_control_client *c = &s->control.clients[slot];
        if (c != newest && !c->has_request && (oldest == NULL || c->came_us < oldest->came_us)) {
            oldest = c;
        }
    }
    return oldest;
}

void run_control_give_up(struct supervisor *s) {
    struct run_control_client *idle;
    while ((idle = find_idle(s, NULL)) != NULL) {
        leave(s, idle);
    }
}

static void end_of_following(struct supervisor *s, struct run_control_client *c) {
    struct record *line = s->control.line;
    control_end(line, CONTROL_OK, NULL, NULL);
    if (sizeof c->bytes - c->used_bytes >= line->length) {
        memcpy(c->bytes + c->used_bytes, line->bytes, line->length);
        c->used_bytes += line->length;
    }
}

void run_control_finish(struct supervisor *s) {
    SLOTS_EACH(slot, &s->control.slots) {
        struct run_control_client *c = &s->control.clients[slot];
        struct baton_cause cause;
        size_t written = 0;
        if (c->follows) {
            run_control_follow_no_more(s, c);
            end_of_following(s, c);
        }
        if (c->has_request && c->used_bytes > c->sent_bytes) {
            (void)platform_stream_write(c->peer.writing, c->bytes + c->sent_bytes,
                                        c->used_bytes - c->sent_bytes, &written, &cause);
        }
        leave(s, c);
    }
    for (size_t i = 0; i < RUN_CONTROL_KINDS; i++) {
        timers_unset(&s->timers, &s->control.endpoints[i].retry);
        platform_control_close(&s->control.endpoints[i].handle);
        free(s->control.endpoints[i].path);
        s->control.endpoints[i].path = NULL;
    }
}

void run_control_clear(struct supervisor *s) {
    if (s->control.clients != NULL) {
        run_control_finish(s);
        slots_clear(&s->control.slots);
        free(s->control.clients);
        free(s->control.line);
        s->control.clients = NULL;
    }
}

/* ---- Clients who come ---- */

void run_control_on_accept(struct supervisor *s, uint32_t index) {
    s->control.endpoints[index - TOKEN_FIRST].is_due = true;
    s->control.is_due = true;
}

static void welcome(struct supervisor *s, enum run_control_kind kind, uint32_t slot,
                    const struct platform_control_client *peer) {
    struct run_control_client *c = &s->control.clients[slot];
    memset(c, 0, offsetof(struct run_control_client, bytes));
    c->peer = *peer;
    c->kind = kind;
    c->has_request = kind == RUN_CONTROL_STATUS; /* and the verb is the first one: `status` */
    c->came_us = s->timers.now_us;
    c->timer.token = token_make(RUN_TOKEN_CONTROL_CLIENT, 0, slot);
    timers_after(&s->timers, &c->timer, REQUEST_US);
    run_control_wake(&s->control, slot);
}

static void pause(struct supervisor *s, struct run_control_endpoint *endpoint, uint64_t delay_us) {
    platform_control_pause(endpoint->handle);
    timers_after(&s->timers, &endpoint->retry, delay_us);
}

void run_control_on_retry(struct supervisor *s, uint32_t index) {
    platform_control_resume(s->control.endpoints[index - TOKEN_FIRST].handle);
}

static void tell_refused(struct supervisor *s, const struct address *peer) {
    static const struct rate_limit limit = {1, 10, 5};
    struct record *line = rate_passes(&s->control.refused, &limit, s->timers.now_us)
                              ? run_tell_line(s, LOG_LEVEL_WARNING, "control_refused", SLOT_NONE)
                              : NULL;
    if (line != NULL) {
        record_address(line, "peer", peer);
        run_log_end(&s->log);
    }
}

/* There is one more than may be: who has asked nothing for the longest goes, or the new one. */
static void make_room(struct supervisor *s, struct run_control_client *newest) {
    struct run_control_client *idle = find_idle(s, newest);
    leave(s, newest->has_request || idle == NULL ? newest : idle);
}

/* True if there may be more. */
static bool accept_one(struct supervisor *s, enum run_control_kind kind) {
    struct run_control_endpoint *endpoint = &s->control.endpoints[kind];
    struct platform_control_client peer;
    struct address from = {0};
    struct baton_cause cause = {0};
    uint64_t wait_us = rate_wait_us(&endpoint->rate, &accept_limit, s->timers.now_us);
    if (wait_us > 0) {
        pause(s, endpoint, wait_us);
        return false;
    }
    uint32_t slot = slots_take(&s->control.slots); /* there is one more than clients may be */
    int result = platform_control_accept(
        endpoint->handle, slots_token(&s->control.slots, RUN_TOKEN_CONTROL_CLIENT, slot), &peer,
        &from, &cause);
    if (result != BATON_AGAIN) {
        rate_charge(&endpoint->rate, &accept_limit, s->timers.now_us);
    }
    if (result == BATON_OK) {
        endpoint->clients_count++;
        welcome(s, kind, slot, &peer);
        if (endpoint->clients_count > most_counts[kind]) {
            make_room(s, &s->control.clients[slot]);
        }
        return true;
    }
    slots_give(&s->control.slots, slot);
    if (result == BATON_DENIED) {
        tell_refused(s, &from);
    } else if (result != BATON_AGAIN && result != BATON_GONE) {
        pause(s, endpoint, RETRY_US);
        run_control_give_up(s);
    }
    return result == BATON_GONE || result == BATON_DENIED;
}

void run_control_accept(struct supervisor *s) {
    for (unsigned kind = 0; kind < RUN_CONTROL_KINDS; kind++) {
        struct run_control_endpoint *endpoint = &s->control.endpoints[kind];
        for (unsigned i = 0; endpoint->is_due && i < ACCEPTS_COUNT; i++) {
            endpoint->is_due = accept_one(s, kind);
        }
    }
}

/* ---- Clients who ask ---- */

static void put_line(struct run_control_client *c, const struct record *line) {
    memcpy(c->bytes + c->used_bytes, line->bytes, line->length);
    c->used_bytes += line->length;
}

static void put_end(struct supervisor *s, struct run_control_client *c, enum control_code code,
                    const char *text, const char *hint) {
    control_end(s->control.line, code, text, hint);
    put_line(c, s->control.line);
    c->has_ended = true;
}

/* The buffer has a request, or what is too long for one. */
static void take_request(struct supervisor *s, struct run_control_client *c, const char *feed) {
    struct control_request request;
    const char *text = NULL, *hint = NULL;
    enum control_code code = CONTROL_TOO_LONG;
    uint32_t slot = (uint32_t)(c - s->control.clients);
    c->has_request = true;
    timers_unset(&s->timers, &c->timer);
    if (feed != NULL) {
        code = control_parse(c->bytes, (size_t)(feed - c->bytes), &request);
    }
    if (code == CONTROL_OK) {
        c->verb = request.verb;
        code = run_control_begin(s, slot, &request, &text, &hint);
    }
    c->used_bytes = 0;
    if (code != CONTROL_OK) {
        put_end(s, c, code, text, hint);
    }
}

/* True if there is a request now. The client may have left. */
static bool read_request(struct supervisor *s, struct run_control_client *c) {
    struct baton_cause cause;
    size_t length = 0;
    int result = platform_stream_read(c->peer.reading, c->bytes + c->used_bytes,
                                      CONTROL_REQUEST_BYTES - c->used_bytes, &length, &cause);
    if (result == BATON_AGAIN) {
        return false;
    }
    if (result != BATON_OK) {
        leave(s, c);
        return false;
    }
    const char *feed = memchr(c->bytes + c->used_bytes, '\n', length);
    c->used_bytes += length;
    if (feed == NULL && c->used_bytes < CONTROL_REQUEST_BYTES) {
        c->is_ready = true; /* there may be more, and no event need tell of it */
        return false;
    }
    take_request(s, c, feed);
    return true;
}

/* ---- Replies ---- */

/* True if the client is there still. */
static bool write_on(struct supervisor *s, struct run_control_client *c) {
    struct baton_cause cause;
    int result = BATON_OK;
    while (result == BATON_OK && c->sent_bytes < c->used_bytes) {
        size_t written = 0;
        result = platform_stream_write(c->peer.writing, c->bytes + c->sent_bytes,
                                       c->used_bytes - c->sent_bytes, &written, &cause);
        c->sent_bytes += written;
        if (written > 0) {
            timers_after(&s->timers, &c->timer, REPLY_US);
        }
    }
    c->is_blocked = result == BATON_AGAIN;
    if (result != BATON_OK && result != BATON_AGAIN) {
        leave(s, c);
        return false;
    }
    if (!c->is_blocked) {
        c->used_bytes = c->sent_bytes = 0;
    }
    return true;
}

/* Makes lines while one more has room for sure. */
static void fill(struct supervisor *s, struct run_control_client *c) {
    uint32_t slot = (uint32_t)(c - s->control.clients);
    enum run_control_more more = RUN_CONTROL_LINE;
    while (more == RUN_CONTROL_LINE && c->used_bytes <= sizeof c->bytes - RECORD_LINE_BYTES) {
        more = run_control_next(s, slot);
        if (more == RUN_CONTROL_LINE) {
            put_line(c, s->control.line);
        }
    }
    if (more == RUN_CONTROL_END && sizeof c->bytes - c->used_bytes >= RECORD_LINE_BYTES) {
        put_end(s, c, c->code, c->text, NULL);
    }
    c->is_ready = !c->has_ended && more != RUN_CONTROL_WAITS;
}

/* Who follows, or waits, sends nothing any more, but its end. True if it is there still. */
static bool stays(struct supervisor *s, struct run_control_client *c) {
    char ignored[256];
    struct baton_cause cause;
    size_t length;
    int result = platform_stream_read(c->peer.reading, ignored, sizeof ignored, &length, &cause);
    if (result == BATON_OK) {
        c->is_ready = true;
    } else if (result != BATON_AGAIN) {
        leave(s, c);
        return false;
    }
    return true;
}

static void go_on(struct supervisor *s, struct run_control_client *c) {
    c->is_ready = false;
    if (!c->has_request && !read_request(s, c)) {
        return;
    }
    if (((c->follows || c->waits) && !stays(s, c)) || !write_on(s, c)) {
        return;
    }
    if (!c->is_blocked && !c->has_ended) {
        bool was_ready = c->is_ready;
        fill(s, c);
        c->is_ready = c->is_ready || was_ready;
        if (!write_on(s, c)) {
            return;
        }
    }
    bool is_sent = !c->is_blocked && platform_control_has_sent(&c->peer);
    if (is_sent && c->has_ended) {
        leave(s, c);
    } else if (is_sent) {
        timers_unset(&s->timers, &c->timer);
    } else if (!timer_is_set(&c->timer)) {
        timers_after(&s->timers, &c->timer, REPLY_US);
    }
    if (c->is_blocked) {
        c->is_ready = false; /* an event tells when it can go on */
    }
}

void run_control_look(struct supervisor *s) {
    SLOTS_EACH(slot, &s->control.slots) {
        const struct run_control_client *c = &s->control.clients[slot];
        if (c->waits && run_control_has_news(s, c)) {
            run_control_wake(&s->control, slot);
        }
    }
}

bool run_control_step(struct supervisor *s) {
    struct run_control *control = &s->control;
    uint32_t count = control->slots.used_mark;
    bool is_due = false;
    uint32_t served_count = 0;
    struct run_control_client *next = NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (control->turn + i) % count;
        struct run_control_client *c = &control->clients[slot];
        if (!slots_is_used(&control->slots, slot)) {
            continue;
        }
        bool was_served = c->served_in_round == s->rounds_count;
        served_count += was_served;
        is_due = is_due || c->is_ready;
        if (c->is_ready && !was_served && next == NULL) {
            next = c;
        }
    }
    control->is_due = is_due || control->endpoints[0].is_due || control->endpoints[1].is_due;
    if (next == NULL || served_count >= STEPS_COUNT) {
        return false;
    }
    next->served_in_round = s->rounds_count;
    control->turn = (uint32_t)(next - control->clients) + 1;
    go_on(s, next);
    return true;
}
