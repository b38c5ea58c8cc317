/* Listen: opening listeners, trying again, closing. */
#include "core/base/table.h"
#include "run/internal.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_RETRY_FIRST_MS 1000u
#define OPEN_RETRY_LAST_MS 60000u
/* While others are served it may be one of ours that is still at the place, for a moment. */
#define CHANGE_RETRY_FIRST_MS 20u
#define SHORTAGE_FIRST_MS 50u
#define SHORTAGE_LAST_MS 1000u
#define FAULT_FIRST_MS 50u
#define FAULT_LAST_MS 10000u
#define LOOK_INTERVAL_US 100000u

int run_listen_create(struct supervisor *s) {
    struct run_listening *listening = &s->listening;
    listening->listeners = table_create(LISTENERS_MAX_COUNT, sizeof *listening->listeners);
    listening->quiet.token = token_make(RUN_TOKEN_QUIET, 0, 0);
    listening->shortage =
        shortage_make(SHORTAGE_FIRST_MS, SHORTAGE_LAST_MS, token_make(RUN_TOKEN_RELIEF, 0, 0));
    return listening->listeners == NULL ? BATON_NO_MEMORY
                                        : slots_init(&listening->slots, LISTENERS_MAX_COUNT);
}

void run_listen_clear(struct supervisor *s) {
    free(s->listening.listeners);
    slots_clear(&s->listening.slots);
}

static void close_listener(struct supervisor *s, struct run_listener *l) {
    shortage_relieve(&l->opening, &s->timers);
    shortage_relieve(&l->accepting, &s->timers);
    platform_listener_close(&l->handle);
}

void run_listen_remove(struct supervisor *s, const uint32_t *slots, size_t count) {
    for (size_t i = 0; i < count; i++) {
        close_listener(s, &s->listening.listeners[slots[i]]);
        slots_give(&s->listening.slots, slots[i]);
    }
}

int run_listen_add(struct supervisor *s, uint32_t service, uint32_t *slots) {
    const struct service *rules = services_get(&s->services, service);
    uint32_t first_ms = s->manager.is_serving ? CHANGE_RETRY_FIRST_MS : OPEN_RETRY_FIRST_MS;
    for (uint32_t place = 0; place < rules->listen_count; place++) {
        uint32_t slot = slots_take(&s->listening.slots);
        if (slot == SLOT_NONE) {
            run_listen_remove(s, slots, place);
            return BATON_SHORTAGE;
        }
        slots[place] = slot;
        s->listening.listeners[slot] = (struct run_listener){
            .address = rules->listen[place].address,
            .service = service,
            .rules = rules,
            .place = place,
            .opening =
                shortage_make(first_ms, OPEN_RETRY_LAST_MS, token_make(RUN_TOKEN_REOPEN, 0, slot)),
            .accepting =
                shortage_make(FAULT_FIRST_MS, FAULT_LAST_MS, token_make(RUN_TOKEN_ACCEPT, 0, slot)),
        };
    }
    return BATON_OK;
}

struct run_listener *run_listen_at(struct supervisor *s, uint32_t service, uint32_t place) {
    return &s->listening.listeners[s->launching.services[service].listeners[place]];
}

uint32_t run_listen_open_count(const struct supervisor *s) {
    uint32_t count = 0;
    SLOTS_EACH(i, &s->listening.slots) {
        count += s->listening.listeners[i].handle != NULL ? 1 : 0;
    }
    return count;
}

bool run_listen_is_complete(struct supervisor *s, uint32_t service) {
    const struct service *rules = services_get(&s->services, service);
    bool complete = true;
    if (rules->handoff != HANDOFF_LISTENER || rules->has_channel) {
        return true;
    }
    for (uint32_t place = 0; place < rules->listen_count; place++) {
        complete = complete && run_listen_at(s, service, place)->handle != NULL;
    }
    return complete;
}

/* ---- What is said of it ---- */

static const struct service_listen *place_of(const struct run_listener *l) {
    return &l->rules->listen[l->place];
}

static void log_listening(struct supervisor *s, const struct run_listener *l) {
    run_tell(s, LOG_LEVEL_INFO, "listening", l->service, "address=%p handler=%s passed=%s",
             (const void *)l, l->rules->handler,
             platform_listener_is_passed(l->handle) ? "yes" : NULL);
}

/* Why a local socket could not be opened, where the system's own words do not tell. */
static const char *local_reason(const struct run_listener *l) {
    return l->result == BATON_UNSUPPORTED
               ? "this system has no local sockets; give the service an address like "
                 "127.0.0.1:PORT and `protocol = tcp`"
               : NULL;
}

/* What is to be done about it; NULL = the reason says it. */
static const char *local_hint(int result) {
    return result == BATON_IN_USE
               ? "another server listens there, or the file is no socket; move it "
                 "away, or choose another path"
           : result == BATON_DENIED ? "batond's user must be allowed to write to the folder; let "
                                      "it, or choose another path"
                                    : NULL;
}

static struct platform_listener_spec describe(const struct run_listener *l) {
    static const enum platform_protocol protocols[] = {[PROTOCOL_TCP] = PLATFORM_TCP,
                                                       [PROTOCOL_UDP] = PLATFORM_UDP,
                                                       [PROTOCOL_UNIX] = PLATFORM_UNIX};
    const struct service *service = l->rules;
    return (struct platform_listener_spec){
        .protocol = protocols[service->protocol],
        .address = l->address,
        .path = place_of(l)->path,
        .name = service_place_name(service, l->place),
        .mode = service->socket_mode,
        .owner = service->socket_user != NULL || service->socket_group != NULL ? service->socket_ids
                                                                               : NULL,
        .backlog_count = service->backlog_count,
        .v6only = service->v6only != 0,
        .is_handed_over = service->handoff == HANDOFF_LISTENER,
        .is_shared = service->workers_count > 0,
        .is_plain = service->handoff == HANDOFF_STDIO,
        .options = service->options,
    };
}

/* It takes its time, and hundreds of places may be in use at once. */
static bool may_look(struct supervisor *s) {
    uint64_t now_us = platform_now_us(s->platform);
    bool may = s->listening.looked_us == 0 || now_us >= s->listening.looked_us + LOOK_INTERVAL_US;
    s->listening.looked_us = may ? now_us : s->listening.looked_us;
    return may;
}

static void tell_holder(struct supervisor *s, const struct run_listener *l, struct record *line) {
    struct platform_holder holder;
    struct platform_listener_spec spec = describe(l);
    if (!may_look(s) || !platform_listener_holder(&spec, &holder)) {
        return;
    }
    record_text(line, "holder", holder.name);
    record_number(line, "holder_pid", holder.pid);
    const char *name = strrchr(l->rules->handler, '/');
    size_t length = strlen(holder.name);
    if (name != NULL && length > 0 && strncmp(name + 1, holder.name, length) == 0) {
        record_text(line, "holder_is", "perhaps a handler of this service of an earlier batond");
    }
}

/* `retry_ms` 0: there will be no other try. */
static void log_listen_failed(struct supervisor *s, const struct run_listener *l,
                              uint32_t retry_ms) {
    struct record *line = run_tell_line(s, LOG_LEVEL_ERROR, "listen_failed", l->service);
    if (line != NULL) {
        run_tell_at(s, line, l->rules, l->rules->listen_line);
        record_place(line, "address", place_of(l), &l->address);
        const char *reason = place_of(l)->path != NULL ? local_reason(l) : NULL;
        record_text(line, "reason",
                    reason != NULL ? reason : run_tell_words(s, l->result, &l->cause));
        if (l->result == BATON_IN_USE) {
            tell_holder(s, l, line);
        }
        char hint[PLATFORM_HINT_MAX_BYTES];
        struct platform_listener_spec spec = describe(l);
        const char *local = place_of(l)->path != NULL ? local_hint(l->result) : NULL;
        if (local != NULL) {
            record_text(line, "hint", local);
        } else if (platform_listener_hint(&spec, l->result, hint)) {
            record_text(line, "hint", hint);
        }
        if (retry_ms != 0) {
            record_number(line, "retry_ms", retry_ms);
        }
        run_log_end(&s->log);
    }
}

void run_listen_tell_ready(struct supervisor *s) {
    struct run_listening *listening = &s->listening;
    if (listening->ready_logged) {
        return;
    }
    SLOTS_EACH(i, &listening->slots) {
        if (listening->listeners[i].handle == NULL) {
            return;
        }
    }
    SLOTS_EACH(service, &s->services.slots) {
        if (!s->launching.services[service].is_ready) {
            return;
        }
    }
    listening->ready_logged = true;
    run_tell(s, LOG_LEVEL_INFO, "ready", SLOT_NONE, "services=%u listeners=%u launchers=%u pid=%u",
             s->services.slots.in_use_count, listening->slots.in_use_count,
             s->launching.launchers_count, platform_own_pid());
}

/* ---- Opening ---- */

static bool open_listener(struct supervisor *s, uint32_t listener) {
    struct run_listener *l = &s->listening.listeners[listener];
    struct platform_listener_spec spec = describe(l);
    uint64_t token = slots_token(&s->listening.slots, RUN_TOKEN_LISTENER, listener);
    l->result = platform_listener_open(s->platform, &spec, token, &l->handle, &l->cause);
    if (l->result == BATON_OK) {
        platform_listener_address(l->handle, &l->address);
        l->paused = false;
        log_listening(s, l);
        s->listening.has_opened = true;
    }
    return l->result == BATON_OK;
}

int run_listen_adopt(struct supervisor *s, uint32_t listener, const struct platform_held *held) {
    struct run_listener *l = &s->listening.listeners[listener];
    struct platform_listener_spec spec = describe(l);
    uint64_t token = slots_token(&s->listening.slots, RUN_TOKEN_LISTENER, listener);
    l->result = platform_listener_adopt(s->platform, held, &spec, token, &l->handle, &l->cause);
    if (l->result == BATON_OK && l->paused) {
        platform_listener_pause(l->handle);
    }
    return l->result;
}

static void retry_later(struct supervisor *s, struct run_listener *l) {
    log_listen_failed(s, l, shortage_hit(&l->opening, &s->timers));
}

uint32_t run_listen_open_all(struct supervisor *s) {
    const struct slots *slots = &s->listening.slots;
    uint32_t open_count = 0;
    SLOTS_EACH(i, slots) {
        open_count += open_listener(s, i) ? 1 : 0;
    }
    SLOTS_EACH(i, slots) {
        struct run_listener *l = &s->listening.listeners[i];
        if (l->handle == NULL && open_count > 0) {
            retry_later(s, l);
        } else if (l->handle == NULL) {
            log_listen_failed(s, l, 0);
        }
    }
    return open_count;
}

void run_listen_open_service(struct supervisor *s, uint32_t service) {
    size_t count = services_get(&s->services, service)->listen_count;
    for (uint32_t place = 0; place < count; place++) {
        struct run_listener *l = run_listen_at(s, service, place);
        if (l->handle == NULL &&
            !open_listener(s, s->launching.services[service].listeners[place])) {
            retry_later(s, l);
        }
    }
    run_listen_tell_ready(s);
}

void run_listen_open_first(struct supervisor *s, uint32_t service) {
    const struct run_service *r = &s->launching.services[service];
    for (uint32_t place = 0; r->listeners != NULL && place < r->rules->listen_count; place++) {
        if (run_listen_at(s, service, place)->handle == NULL) {
            (void)open_listener(s, r->listeners[place]);
        }
    }
}

void run_listen_try_again(struct supervisor *s, uint32_t listener) {
    if (!open_listener(s, listener)) {
        retry_later(s, &s->listening.listeners[listener]);
        return;
    }
    (void)shortage_over(&s->listening.listeners[listener].opening, &s->timers);
    run_listen_tell_ready(s);
}

void run_listen_relieve(struct supervisor *s) {
    SLOTS_EACH(i, &s->listening.slots) {
        struct run_listener *l = &s->listening.listeners[i];
        if (l->handle == NULL && shortage_lasts(&l->opening)) {
            timers_after(&s->timers, &l->opening.until, 0);
        }
    }
}

void run_listen_renew(struct supervisor *s, struct run_listener *l) {
    run_tell(s, LOG_LEVEL_WARNING, "listener_lost", l->service, "address=%p reason=%s",
             (const void *)l, "a handler that had it has shut it down or changed it");
    platform_manager_forget(l->handle); /* which is of no use to the next of us either */
    platform_listener_close(&l->handle);
    if (!open_listener(s, (uint32_t)(l - s->listening.listeners))) {
        retry_later(s, l);
    }
}

void run_listen_close_service(struct supervisor *s, uint32_t service) {
    const struct run_service *r = &s->launching.services[service];
    for (uint32_t place = 0; place < r->rules->listen_count; place++) {
        struct run_listener *l = run_listen_at(s, service, place);
        if (l->handle != NULL) {
            platform_manager_forget(l->handle);
        }
        close_listener(s, l);
    }
}

/* ---- Moving ---- */

/* Workers stay with those who have launched them. */
static void leave_workers(struct run_listener *from, struct run_listener *to) {
    to->workers_count = from->workers_count;
    to->outdated_count = from->outdated_count;
    to->outdated_id = from->outdated_id;
    to->is_doubted = from->is_doubted;
    to->crowded_told = from->crowded_told;
    from->workers_count = from->outdated_count = 0;
    from->is_doubted = from->crowded_told = false;
}

static void assign(struct supervisor *s, uint32_t slot, uint32_t service, uint32_t place) {
    struct run_service *r = &s->launching.services[service];
    struct run_listener *l = &s->listening.listeners[slot];
    r->listeners[place] = slot;
    l->service = service;
    l->rules = r->rules;
    l->place = place;
}

void run_listen_move(struct supervisor *s, uint32_t from, uint32_t from_place, uint32_t to,
                     uint32_t to_place) {
    uint32_t moving = s->launching.services[from].listeners[from_place];
    uint32_t left = s->launching.services[to].listeners[to_place];
    struct run_listener *l = &s->listening.listeners[moving];
    struct baton_cause cause;
    assign(s, moving, to, to_place);
    assign(s, left, from, from_place);
    s->listening.listeners[left].address = l->address;
    leave_workers(l, &s->listening.listeners[left]);
    (void)shortage_over(&l->accepting, &s->timers);
    struct platform_listener_spec spec = describe(l);
    if (platform_listener_change(l->handle, &spec, &cause) != BATON_OK) {
        platform_manager_forget(l->handle);
        l->address = l->rules->listen[to_place].address;
        l->lent = false;
        close_listener(s, l);
        l->opening.first_ms = CHANGE_RETRY_FIRST_MS;
    } else if (strcmp(services_get(&s->services, from)->name, l->rules->name) != 0) {
        log_listening(s, l);
    }
}

void run_listen_close_all(struct supervisor *s) {
    timers_unset(&s->timers, &s->listening.quiet);
    SLOTS_EACH(i, &s->listening.slots) {
        close_listener(s, &s->listening.listeners[i]);
    }
}
