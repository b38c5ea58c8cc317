/* The other half of snapshot.c: block by block, in the order in which they were written. */
#include "core/base/error.h"
#include "core/pool/snapshot.h"
#include "core/service/image.h"
#include "run/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* The load of one snapshot. */
struct loading {
    struct supervisor *s;
    const struct platform_restarted *left;
    struct service_table table; /* rules of services, in the order of their slots */
    const char *fault;          /* static; NULL = none so far */
    int result;
};

static bool fail(struct loading *loading, int result, const char *what) {
    if (loading->fault == NULL) {
        loading->fault = what;
        loading->result = result;
    }
    return false;
}

/* ---- Services ---- */

static bool load_rules(struct loading *loading, struct snapshot_block *block) {
    struct image_config ignored;
    int result = image_read(block->bytes, block->length, SNAPSHOT_IMAGE, &loading->table, &ignored);
    return result == BATON_OK || fail(loading, result, "the rules of services");
}

static bool load_service_users(struct loading *loading, struct snapshot_block *block) {
    struct services *services = &loading->s->services;
    size_t at = 0;
    if (!snapshot_take(block, services->users_count,
                       services->slots.used_mark * sizeof *services->users_count) ||
        loading->table.service_count != services->slots.in_use_count) {
        return fail(loading, BATON_INVALID, "the services");
    }
    SLOTS_EACH(slot, &services->slots) {
        if (!services_restore(services, slot, &loading->table.services[at++])) {
            return fail(loading, BATON_NO_MEMORY, "the services");
        }
    }
    return true;
}

static bool load_run_service(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct snapshot_service held;
    uint32_t slot = block->index;
    if (!slots_is_used(&s->services.slots, slot) || !snapshot_take(block, &held, sizeof held)) {
        return fail(loading, BATON_INVALID, "a service");
    }
    struct run_service *r = &s->launching.services[slot];
    const uint32_t *places = (const uint32_t *)(const void *)block->bytes;
    if (block->length !=
            held.place_count * sizeof *places + held.waiting_count * sizeof(struct waiting_set) ||
        (held.place_count > 0 &&
         held.place_count != services_get(&s->services, slot)->listen_count)) {
        return fail(loading, BATON_INVALID, "the places of a service");
    }
    int result = run_start_restore(s, slot, held.place_count > 0 ? places : NULL);
    if (result != BATON_OK) {
        return fail(loading, result, "a service that cannot be prepared");
    }
    block->bytes += held.place_count * sizeof *places;
    block->length -= held.place_count * sizeof *places;
    if (r->waiting != NULL &&
        !snapshot_take(block, r->waiting, held.waiting_count * sizeof *r->waiting)) {
        return fail(loading, BATON_INVALID, "who waits at a service");
    }
    r->starting = held.starting;
    r->renewing = held.renewing;
    r->limit = held.limit;
    r->workers = held.workers;
    r->full_told_us = held.full_told_us;
    r->calm_us = held.calm_us;
    r->output_suppressed_count = held.output_suppressed_count;
    r->output_rate = held.output_rate;
    r->refused = held.refused;
    r->counts = held.counts;
    r->full_count = held.full_count;
    r->last_place = held.last_place;
    r->first_queued = held.first_queued;
    r->last_queued = held.last_queued;
    r->next_waiting = held.next_waiting;
    r->result = held.result;
    r->identifies = held.identifies;
    r->has_changed = held.has_changed;
    snapshot_rearm(&s->timers, &r->starting.until);
    snapshot_rearm(&s->timers, &r->renewing.until);
    snapshot_rearm(&s->timers, &r->workers);
    if (held.is_lacking) {
        r->lacked = pool_lacks_room_for(&s->pool, slot);
    }
    if (s->roster.states[slot] != ROSTER_ON) {
        platform_file_watch_close(&r->file);
    }
    return true;
}

/* ---- Listeners ---- */

static bool load_listening(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct run_listening *listening = &s->listening;
    struct snapshot_listening held;
    if (!snapshot_take(block, &held, sizeof held)) {
        return fail(loading, BATON_INVALID, "listeners");
    }
    listening->shortage = held.shortage;
    listening->quiet = held.quiet;
    listening->turn = held.turn;
    listening->has_opened = held.has_opened;
    listening->ready_logged = held.ready_logged;
    s->manager = held.manager;
    s->reload.asked_count = held.reloads_asked_count;
    s->reload.begun_count = held.reloads_begun_count;
    s->reload.done_count = held.reloads_done_count;
    s->offering.retry = held.retry_offers;
    s->outputs.suppressed = held.suppressed_output;
    s->refusals.suppressed = held.suppressed_refusals;
    s->launching.refill = held.refill;
    struct timer *const timers[] = {
        &listening->shortage.until, &listening->quiet,    &s->manager.watchdog,
        &s->manager.retry,          &s->offering.retry,   &s->outputs.suppressed,
        &s->refusals.suppressed,    &s->launching.refill, NULL};
    for (struct timer *const *at = timers; *at != NULL; at++) {
        snapshot_rearm(&s->timers, *at);
    }
    return true;
}

static bool load_listener(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct snapshot_listener one;
    uint32_t slot = block->index;
    if (!slots_is_used(&s->listening.slots, slot) || !snapshot_take(block, &one, sizeof one) ||
        !slots_is_used(&s->services.slots, one.listener.service)) {
        return fail(loading, BATON_INVALID, "a listener");
    }
    struct run_listener *l = &s->listening.listeners[slot];
    *l = one.listener;
    l->rules = services_get(&s->services, l->service);
    l->told_in_round = 0;
    snapshot_rearm(&s->timers, &l->opening.until);
    snapshot_rearm(&s->timers, &l->accepting.until);
    int result = one.held.is_there ? run_listen_adopt(s, slot, &one.held.held) : BATON_OK;
    return result == BATON_OK || fail(loading, result, "a listener");
}

/* ---- Connections and processes ---- */

/* Those that are held here come behind. */
static void close_sockets(struct supervisor *s) {
    SLOTS_EACH(slot, &s->pool.connection_slots) {
        s->sockets[slot] = PLATFORM_SOCKET_NONE;
    }
}

static bool load_socket(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct platform_held held;
    bool is_read = slots_is_used(&s->pool.connection_slots, block->index) &&
                   snapshot_take(block, &held, sizeof held) &&
                   platform_socket_adopt(s->platform, &held, &s->sockets[block->index]) == BATON_OK;
    return is_read || fail(loading, BATON_INVALID, "a connection");
}

static bool load_preface(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct proxy_reader reader;
    if (!slots_is_used(&s->pool.connection_slots, block->index) ||
        !snapshot_take(block, &reader, sizeof reader)) {
        return fail(loading, BATON_INVALID, "what comes before a connection");
    }
    int result = run_preface_restore(s, block->index, &reader);
    return result == BATON_OK || fail(loading, result, "what comes before a connection");
}

static bool load_launching(struct loading *loading, struct snapshot_block *block) {
    struct run_launching *launching = &loading->s->launching;
    struct snapshot_launching held;
    if (!snapshot_take(block, &held, sizeof held)) {
        return fail(loading, BATON_INVALID, "launches");
    }
    launching->first_waiting = held.first_waiting;
    launching->last_waiting = held.last_waiting;
    memcpy(launching->waits, held.waits, sizeof held.waits);
    for (size_t i = 0; i < RUN_WAITS_COUNT; i++) {
        snapshot_rearm(&loading->s->timers, &launching->waits[i].timer);
    }
    return true;
}

static bool load_process(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct snapshot_process one;
    struct baton_cause cause = {0};
    uint32_t slot = block->index;
    if (!slots_is_used(&s->pool.process_slots, slot) || !snapshot_take(block, &one, sizeof one)) {
        return fail(loading, BATON_INVALID, "a process");
    }
    struct run_process *r = &s->launching.processes[slot];
    *r = one.process;
    if (!one.held.is_there) {
        return true;
    }
    const struct run_service *of = &s->launching.services[s->pool.processes[slot].service];
    int result = platform_process_adopt(
        s->platform, &one.held.held, of->program,
        slots_token(&s->pool.process_slots, POOL_TOKEN_PROCESS, slot), &r->handle, &cause);
    return result == BATON_OK || fail(loading, result, "a process");
}

static bool load_pump(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct snapshot_pump one;
    struct baton_cause cause = {0};
    uint32_t slot = block->index;
    struct run_pump *pump = NULL;
    if (!slots_is_used(&s->pumps.slots, slot) || !snapshot_take(block, &one, sizeof one) ||
        (pump = run_pump_restore(s, slot)) == NULL) {
        return fail(loading, BATON_INVALID, "a pump");
    }
    memcpy(pump, one.state, sizeof one.state);
    pump->socket = PLATFORM_SOCKET_NONE;
    pump->client = pump->input = pump->output = NULL;
    pump->is_ready = false;
    relay_init(&pump->relay);
    snapshot_rearm(&s->timers, &pump->timer);
    int result = one.socket.is_there
                     ? platform_socket_adopt(s->platform, &one.socket.held, &pump->socket)
                     : BATON_OK;
    if (result == BATON_OK && one.has_client) {
        result = platform_stream_open(s->platform, pump->socket,
                                      slots_token(&s->pumps.slots, RUN_TOKEN_PUMP, slot),
                                      &pump->client, &cause);
    }
    return result == BATON_OK || fail(loading, result, "a pump");
}

static bool load_relay(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    return (slots_is_used(&s->pumps.slots, block->index) &&
            relay_load(&run_pump_at(s, block->index)->relay, block)) ||
           fail(loading, BATON_INVALID, "what a pump holds");
}

static bool load_stream(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct platform_held held;
    struct baton_cause cause = {0};
    if (!slots_is_used(&s->pumps.slots, block->index) ||
        !snapshot_take(block, &held, sizeof held)) {
        return fail(loading, BATON_INVALID, "a pipe of a pump");
    }
    struct run_pump *pump = run_pump_at(s, block->index);
    const struct process *p = &s->pool.processes[pump->process];
    int result = platform_stream_adopt(
        s->platform, &held, s->launching.services[p->service].program,
        slots_token(&s->pumps.slots, RUN_TOKEN_PUMP, block->index), block->bytes, block->length,
        block->kind == SNAPSHOT_PUMP_INPUT ? &pump->input : &pump->output, &cause);
    return result == BATON_OK || fail(loading, result, "a pipe of a pump");
}

/* ---- Output and logs ---- */

static bool load_pipe(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct platform_held held;
    struct baton_cause cause = {0};
    if (!slots_is_used(&s->services.slots, block->index) ||
        s->launching.services[block->index].output == NULL ||
        !snapshot_take(block, &held, sizeof held)) {
        return fail(loading, BATON_INVALID, "a process's output");
    }
    int result = platform_output_adopt(s->launching.services[block->index].output, &held,
                                       block->bytes, block->length, &cause);
    return result == BATON_OK || fail(loading, result, "a process's output");
}

/* The one of that path; the supervisor's own is the first. One that no service has any more is
 * there until it has written what it has. */
static struct run_sink *find_sink(struct supervisor *s, uint32_t index, const char *path) {
    struct baton_cause cause = {0};
    int result = BATON_OK;
    if (index == 0) {
        return &s->log.own;
    }
    struct run_sink *sink = run_log_join(&s->log, path, 0, &result, &cause);
    run_log_leave(sink, 0);
    return sink != NULL ? sink : &s->log.own;
}

static bool load_sink(struct loading *loading, struct snapshot_block *block) {
    struct snapshot_sink held;
    const char *path = NULL;
    if (!snapshot_take(block, &held, sizeof held) || (path = snapshot_take_text(block)) == NULL ||
        block->length < held.used_bytes) {
        return fail(loading, BATON_INVALID, "the log");
    }
    struct run_sink *sink = find_sink(loading->s, block->index, path);
    if (!run_sink_restore(sink, block->bytes, held.used_bytes)) {
        return fail(loading, BATON_NO_MEMORY, "the log");
    }
    block->bytes += held.used_bytes;
    block->length -= held.used_bytes;
    platform_log_adopt(sink->log, &held.log,
                       strcmp(path, sink->path == NULL ? "" : sink->path) == 0);
    if (held.lost_count > 0) {
        memcpy(sink->reason, held.reason, sizeof held.reason);
    }
    sink->dropped_count += held.dropped_count;
    sink->lost_count += held.lost_count;
    sink->lost_records_count += held.lost_records_count;
    sink->at_line_start = held.at_line_start;
    sink->head_is_record = held.head_is_record;
    sink->is_failing = held.is_failing;
    sink->output.is_behind = held.is_behind;
    return !held.has_piece ||
           snapshot_take(block, &sink->output.piece, sizeof sink->output.piece) ||
           fail(loading, BATON_INVALID, "output that waits for the log");
}

static bool load_line(struct loading *loading, struct snapshot_block *block) {
    return (block->index < RUN_OUTPUT_LINE_COUNT &&
            snapshot_take(block, &loading->s->outputs.lines[block->index],
                          sizeof *loading->s->outputs.lines)) ||
           fail(loading, BATON_INVALID, "a line of output");
}

/* ---- Control ---- */

static bool load_control(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct snapshot_control held;
    if (!snapshot_take(block, &held, sizeof held)) {
        return fail(loading, BATON_INVALID, "control");
    }
    s->control.started_us = held.started_us;
    memcpy(s->control.outcomes_count, held.outcomes_count, sizeof held.outcomes_count);
    for (unsigned i = 0; i < RUN_CONTROL_KINDS; i++) {
        const char *path = snapshot_take_text(block);
        int result = path == NULL                 ? BATON_INVALID
                     : held.endpoints[i].is_there ? run_control_adopt(s, (enum run_control_kind)i,
                                                                      path, &held.endpoints[i].held)
                                                  : BATON_OK;
        if (result != BATON_OK) {
            return fail(loading, result, "the control channel");
        }
    }
    return true;
}

static bool load_client(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    struct snapshot_client one;
    if (s->control.clients == NULL || !slots_is_used(&s->control.slots, block->index) ||
        !snapshot_take(block, &one, sizeof one) || block->length > CONTROL_BUFFER_BYTES) {
        return fail(loading, BATON_INVALID, "a control client");
    }
    struct run_control_client *c = &s->control.clients[block->index];
    memcpy(c, one.state, sizeof one.state);
    c->used_bytes = block->length;
    c->sent_bytes = 0;
    memcpy(c->bytes, block->bytes, block->length);
    snapshot_rearm(&s->timers, &c->timer);
    int result = run_control_adopt_client(s, block->index, &one.socket);
    return result == BATON_OK || fail(loading, result, "a control client");
}

/* ---- All of it ---- */

static bool load_slots(struct loading *loading, struct snapshot_block *block, struct slots *slots) {
    return snapshot_take_slots(block, slots) ||
           fail(loading, BATON_INVALID, "a table of another size");
}

static bool load_block(struct loading *loading, struct snapshot_block *block) {
    struct supervisor *s = loading->s;
    bool is_whole = true;
    switch (block->kind) {
    case SNAPSHOT_SERVICES:
        return load_rules(loading, block);
    case SNAPSHOT_SERVICE_SLOTS:
        return load_slots(loading, block, &s->services.slots);
    case SNAPSHOT_SERVICE_USERS:
        return load_service_users(loading, block);
    case SNAPSHOT_ROSTER:
        return snapshot_take(block, s->roster.states,
                             s->services.slots.used_mark * sizeof *s->roster.states) ||
               fail(loading, BATON_INVALID, "which services there are");
    case SNAPSHOT_LISTENING: /* behind the whole pool */
        pool_loaded(&s->pool);
        close_sockets(s);
        return load_listening(loading, block);
    case SNAPSHOT_LISTENER_SLOTS:
        return load_slots(loading, block, &s->listening.slots);
    case SNAPSHOT_LISTENER:
        return load_listener(loading, block);
    case SNAPSHOT_RUN_SERVICE:
        return load_run_service(loading, block);
    case SNAPSHOT_SOCKET:
        return load_socket(loading, block);
    case SNAPSHOT_PREFACE:
        return load_preface(loading, block);
    case SNAPSHOT_LAUNCHING:
        return load_launching(loading, block);
    case SNAPSHOT_RUN_PROCESS:
        return load_process(loading, block);
    case SNAPSHOT_PUMP_SLOTS:
        return load_slots(loading, block, &s->pumps.slots);
    case SNAPSHOT_PUMP:
        return load_pump(loading, block);
    case SNAPSHOT_RELAY:
        return load_relay(loading, block);
    case SNAPSHOT_PUMP_INPUT:
    case SNAPSHOT_PUMP_OUTPUT:
        return load_stream(loading, block);
    case SNAPSHOT_OUTPUT_PIPE:
        return load_pipe(loading, block);
    case SNAPSHOT_OUTPUT_LINE:
        return load_line(loading, block);
    case SNAPSHOT_SINK:
        return load_sink(loading, block);
    case SNAPSHOT_CONTROL:
        return load_control(loading, block);
    case SNAPSHOT_CONTROL_SLOTS: /* a client may be there still where no endpoint is */
        return (run_control_make_tables(&s->control) ||
                fail(loading, BATON_NO_MEMORY, "control clients")) &&
               load_slots(loading, block, &s->control.slots);
    case SNAPSHOT_CONTROL_CLIENT:
        return load_client(loading, block);
    case SNAPSHOT_PLATFORM: /* the platform has taken it */
    case SNAPSHOT_OPTIONS:
        return true;
    default:
        return (pool_load(&s->pool, block, &is_whole) && is_whole) ||
               fail(loading, BATON_INVALID, "the pool");
    }
}

static bool check_head(struct loading *loading, struct snapshot_block *block) {
    struct snapshot_head head;
    if (block->kind != SNAPSHOT_HEAD || !snapshot_take(block, &head, sizeof head) ||
        head.magic != SNAPSHOT_MAGIC || head.layout != run_snapshot_layout()) {
        return fail(loading, BATON_INVALID, "a snapshot of another version");
    }
    return (head.pid == loading->left->pid &&
            head.connection_count == loading->s->pool.connection_slots.count) ||
           fail(loading, BATON_INVALID, "a snapshot of another process");
}

int run_snapshot_load(struct supervisor *s, const struct platform_restarted *left,
                      const char **fault) {
    struct loading loading = {.s = s, .left = left, .result = BATON_OK};
    struct snapshot_block block;
    size_t at = 0;
    bool goes_on = snapshot_next(left->snapshot, left->snapshot_bytes, &at, &block) &&
                   check_head(&loading, &block);
    while (goes_on && snapshot_next(left->snapshot, left->snapshot_bytes, &at, &block)) {
        goes_on = load_block(&loading, &block);
    }
    if (!goes_on || at != left->snapshot_bytes) { /* unless it is known better */
        (void)fail(&loading, BATON_INVALID, "a snapshot of which a part is missing");
    }
    service_table_clear(&loading.table);
    *fault = loading.fault;
    return loading.result;
}
