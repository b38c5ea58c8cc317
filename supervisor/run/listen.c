/* Listen and accept: opening listeners, taking connections, pausing when there is no room. */
#include "run/internal.h"

#include "core/base/backoff.h"

#include <stdlib.h>

#define ACCEPTS_AT_A_TIME 16
#define BIND_RETRY_FIRST_MS 1000u
#define BIND_RETRY_LAST_MS 60000u
#define SHORTAGE_FIRST_MS 50u
#define SHORTAGE_LAST_MS 1000u
/* A shortage that comes and goes is logged at most this often. */
#define SHORTAGE_LOG_US 1000000u

int listen_create(struct supervisor *s) {
    uint32_t count = 0;
    for (size_t i = 0; i < s->table->service_count; i++) {
        count += (uint32_t)s->table->services[i].listen_count;
    }
    if (count == 0) {
        return BATON_INVALID;
    }
    s->listeners = calloc(count, sizeof *s->listeners);
    if (s->listeners == NULL ||
        timers_init(&s->timers, count + s->relay_slots.count + 2) != BATON_OK) {
        return BATON_NO_MEMORY;
    }
    for (uint32_t i = 0; i < s->table->service_count; i++) {
        s->services[i].first_listener = s->listener_count;
        for (uint32_t k = 0; k < s->table->services[i].listen_count; k++) {
            struct run_listener *l = &s->listeners[s->listener_count];
            l->service = i;
            l->place = k;
            l->address = s->table->services[i].listen[k].address;
            l->retry.owner = (RUN_TIMER_LISTENER << RUN_TIMER_SHIFT) | s->listener_count++;
        }
    }
    s->relief.owner = (uint32_t)RUN_TIMER_RELIEF << RUN_TIMER_SHIFT;
    s->offers.owner = (uint32_t)RUN_TIMER_OFFERS << RUN_TIMER_SHIFT;
    return BATON_OK;
}

/* ---- Opening ---- */

static const struct service_listen *place_of(const struct supervisor *s,
                                             const struct run_listener *l) {
    return &s->table->services[l->service].listen[l->place];
}

static void log_listening(struct supervisor *s, const struct run_listener *l) {
    struct record *line = tell_line(s, LOG_LEVEL_INFO, "listening", l->service, SLOT_NONE);
    if (line != NULL) {
        record_place(line, "address", place_of(s, l), &l->address);
        record_text(line, "handler", s->table->services[l->service].handler);
        run_log_end(&s->log);
    }
}

/* Why a local socket could not be opened, where the system's own words do not tell. */
static const char *local_reason(const struct run_listener *l) {
    if (l->result == BATON_UNSUPPORTED) {
        return "this system has no local sockets; give the service an address like 127.0.0.1:PORT "
               "and `protocol = tcp`";
    }
    bool without_call = l->cause.call == NULL;
    return l->result == BATON_NOT_FOUND && without_call
               ? "the user or group that `owner` names does not exist on this system"
               : NULL;
}

/* `retry_ms` 0: there will be no other try. */
static void log_listen_failed(struct supervisor *s, const struct run_listener *l,
                              uint32_t retry_ms) {
    struct record *line = tell_line(s, LOG_LEVEL_ERROR, "listen_failed", l->service, SLOT_NONE);
    if (line != NULL) {
        record_place(line, "address", place_of(s, l), &l->address);
        const char *reason = place_of(s, l)->path != NULL ? local_reason(l) : NULL;
        if (reason != NULL) {
            record_text(line, "reason", reason);
        } else {
            tell_reason(line, l->result, &l->cause);
        }
        if (l->result == BATON_IN_USE && place_of(s, l)->path != NULL) {
            record_text(line, "hint",
                        "another server listens there, or the file is no socket; move it away, or "
                        "choose another path");
        }
        if (retry_ms != 0) {
            record_number(line, "retry_ms", retry_ms);
        }
        run_log_end(&s->log);
    }
}

static struct platform_listener_spec describe(const struct supervisor *s,
                                              const struct run_listener *l) {
    static const enum platform_protocol protocols[] = {[PROTOCOL_TCP] = PLATFORM_TCP,
                                                       [PROTOCOL_UDP] = PLATFORM_UDP,
                                                       [PROTOCOL_UNIX] = PLATFORM_UNIX};
    const struct service *service = &s->table->services[l->service];
    return (struct platform_listener_spec){
        .protocol = protocols[service->protocol],
        .address = l->address,
        .path = place_of(s, l)->path,
        .mode = service->socket_mode,
        .user = service->socket_user,
        .group = service->socket_group,
        .backlog_count = service->backlog_count,
        .v6only = service->v6only != 0,
        .is_handed_over = service->handoff == HANDOFF_LISTENER,
        .is_plain = service->handoff == HANDOFF_STDIO,
        .options =
            {
                .nodelay = service->nodelay != 0,
                .keepalive = service->keepalive != 0,
                .keepalive_idle_s = service->keepalive_idle_s,
                .keepalive_interval_s = service->keepalive_interval_s,
                .keepalive_count = service->keepalive_count,
                .defer_accept_s = service->defer_accept_s,
                .receive_buffer_bytes = service->receive_buffer_bytes,
                .send_buffer_bytes = service->send_buffer_bytes,
            },
    };
}

static bool open_listener(struct supervisor *s, uint32_t index) {
    struct run_listener *l = &s->listeners[index];
    struct platform_listener_spec spec = describe(s, l);
    uint64_t token = ((uint64_t)TOKEN_LISTENER << 52) | index;
    l->result = platform_listener_open(s->platform, &spec, token, &l->handle, &l->cause);
    if (l->result == BATON_OK) {
        platform_listener_address(l->handle, &l->address);
        l->paused = false;
        log_listening(s, l);
    }
    return l->result == BATON_OK;
}

static void retry_later(struct supervisor *s, struct run_listener *l) {
    l->tries_count++;
    uint32_t retry_ms = backoff_delay_ms(l->tries_count, BIND_RETRY_FIRST_MS, BIND_RETRY_LAST_MS);
    log_listen_failed(s, l, retry_ms);
    timers_set(&s->timers, &l->retry, s->now_us + (uint64_t)retry_ms * 1000);
}

static void log_ready(struct supervisor *s) {
    if (s->ready_logged) {
        return;
    }
    for (uint32_t i = 0; i < s->listener_count; i++) {
        if (s->listeners[i].handle == NULL) {
            return;
        }
    }
    s->ready_logged = true;
    struct record *line = run_log_begin(&s->log, LOG_LEVEL_INFO, "ready");
    if (line != NULL) {
        record_number(line, "services", s->table->service_count);
        record_number(line, "listeners", s->listener_count);
        record_number(line, "pid", platform_own_pid());
        run_log_end(&s->log);
    }
}

uint32_t listen_open_all(struct supervisor *s) {
    uint32_t open_count = 0;
    for (uint32_t i = 0; i < s->listener_count; i++) {
        open_count += open_listener(s, i) ? 1 : 0;
    }
    for (uint32_t i = 0; i < s->listener_count; i++) {
        struct run_listener *l = &s->listeners[i];
        if (l->handle == NULL && open_count > 0) {
            retry_later(s, l);
        } else if (l->handle == NULL) {
            log_listen_failed(s, l, 0);
        }
    }
    log_ready(s);
    return open_count;
}

/* ---- Pausing ---- */

static void pause_listener(struct run_listener *l, bool pause) {
    if (l->handle == NULL || l->paused == pause) {
        return;
    }
    l->paused = pause;
    if (pause) {
        platform_listener_pause(l->handle);
    } else {
        platform_listener_resume(l->handle);
    }
}

static void update_listener(struct supervisor *s, struct run_listener *l) {
    pause_listener(l, s->accepting_blocked || l->held || !pool_has_room(&s->pool, l->service));
}

void listen_update(struct supervisor *s) {
    bool blocked =
        s->relief.position != 0 || s->pool.starved.position != 0 || run_log_is_congested(&s->log);
    if (blocked == s->accepting_blocked) {
        return;
    }
    s->accepting_blocked = blocked;
    for (uint32_t i = 0; i < s->listener_count; i++) {
        update_listener(s, &s->listeners[i]);
    }
}

static void update_places(struct supervisor *s, uint32_t service) {
    for (uint32_t i = 0; i < s->table->services[service].listen_count; i++) {
        update_listener(s, supervisor_listener(s, service, i));
    }
}

/* A service has come to its max_connections, or has room again. */
static void update_service(struct supervisor *s, uint32_t service, bool has_room) {
    update_places(s, service);
    struct record *line = tell_line(
        s, LOG_LEVEL_DEBUG, has_room ? "accept_resumed" : "accept_paused", service, SLOT_NONE);
    if (line != NULL) {
        record_text(line, "reason", "max_connections");
        run_log_end(&s->log);
    }
}

void listen_on_room(struct supervisor *s, uint32_t service) {
    update_service(s, service, pool_has_room(&s->pool, service));
}

void listen_log_shortage(struct supervisor *s, uint32_t service, int code,
                         const struct baton_cause *cause) {
    if (s->shortage_logged_us != 0 && s->now_us - s->shortage_logged_us < SHORTAGE_LOG_US) {
        return;
    }
    s->shortage_logged_us = s->now_us;
    struct record *line = tell_line(s, LOG_LEVEL_WARNING, "accept_paused", service, SLOT_NONE);
    if (line != NULL) {
        tell_reason(line, code, cause);
        run_log_end(&s->log);
    }
}

void listen_on_shortage(struct supervisor *s, uint32_t service, int code,
                        const struct baton_cause *cause) {
    s->shortage_count++;
    uint32_t delay_ms = backoff_delay_ms(s->shortage_count, SHORTAGE_FIRST_MS, SHORTAGE_LAST_MS);
    timers_set(&s->timers, &s->relief, s->now_us + (uint64_t)delay_ms * 1000);
    listen_log_shortage(s, service, code, cause);
    /* At once, and not at the end of the round: a relief that comes before it would leave a
     * listener that nothing was armed for, neither paused nor resumed. */
    listen_update(s);
}

/* A connection was accepted: whatever was short is there again. */
static void after_shortage(struct supervisor *s, uint32_t service) {
    s->shortage_count = 0;
    if (s->shortage_logged_us == 0 || s->now_us - s->shortage_logged_us < SHORTAGE_LOG_US) {
        return;
    }
    s->shortage_logged_us = 0;
    struct record *line = tell_line(s, LOG_LEVEL_INFO, "accept_resumed", service, SLOT_NONE);
    if (line != NULL) {
        record_text(line, "reason", "descriptors and memory are there again");
        run_log_end(&s->log);
    }
}

void listen_relieve(struct supervisor *s) {
    timers_unset(&s->timers, &s->relief);
}

/* ---- Accepting ---- */

/* True if there may be another one. */
static bool accept_one(struct supervisor *s, struct run_listener *l) {
    struct platform_socket socket = PLATFORM_SOCKET_NONE;
    struct pool_arrival arrival = {.service = l->service, .place = l->place};
    struct baton_cause cause = {0};
    int result =
        platform_listener_accept(l->handle, &socket, &arrival.peer, &arrival.local, &cause);
    switch (result) {
    case BATON_OK: {
        arrival.now_us = s->now_us;
        arrival.wall_us = platform_wall_us(s->platform);
        uint32_t connection = pool_accept(&s->pool, &arrival);
        s->sockets[connection] = socket;
        after_shortage(s, l->service);
        if (s->pool.connections[connection].state == CONNECTION_PREFACE) {
            preface_start(s, connection);
        }
        supervisor_act(s);
        return true;
    }
    case BATON_GONE:
        return true;
    case BATON_AGAIN:
        return false;
    default:
        listen_on_shortage(s, l->service, result, &cause);
        return false;
    }
}

/* An OFFER has one listener. At a launch all of the service's are handed over together, so none is
 * before all are open. */
static bool is_complete(struct supervisor *s, uint32_t service) {
    bool complete = true;
    for (uint32_t i = 0; i < s->table->services[service].listen_count; i++) {
        complete = complete && supervisor_listener(s, service, i)->handle != NULL;
    }
    return complete || s->table->services[service].has_channel;
}

/* What an activation at `place` takes along, or gives back. */
static void set_held(struct supervisor *s, uint32_t service, uint32_t place, bool held) {
    for (uint32_t i = 0; i < s->table->services[service].listen_count; i++) {
        if (i == place || !s->table->services[service].has_channel) {
            supervisor_listener(s, service, i)->held = held;
        }
    }
    update_places(s, service);
}

/* Somebody waits at a listener that is handed over: from here on it is not watched until the
 * process that gets it has ended. */
static void activate(struct supervisor *s, struct run_listener *l) {
    struct pool_arrival arrival = {.service = l->service,
                                   .place = l->place,
                                   .local = l->address,
                                   .now_us = s->now_us,
                                   .wall_us = platform_wall_us(s->platform)};
    if (!is_complete(s, l->service)) {
        pause_listener(l, true);
        return;
    }
    uint32_t connection = pool_accept(&s->pool, &arrival);
    s->sockets[connection] = PLATFORM_SOCKET_NONE;
    set_held(s, l->service, l->place, true);
}

void listen_on_activation_ended(struct supervisor *s, uint32_t service, uint32_t place) {
    set_held(s, service, place, false);
}

void listen_on_accept(struct supervisor *s, uint32_t listener) {
    struct run_listener *l = &s->listeners[listener];
    for (int i = 0; i < ACCEPTS_AT_A_TIME && l->handle != NULL && !s->accepting_blocked && !l->held;
         i++) {
        if (!pool_has_room(&s->pool, l->service)) {
            update_service(s, l->service, false);
            return;
        }
        if (s->table->services[l->service].handoff == HANDOFF_LISTENER) {
            activate(s, l);
            return;
        }
        if (!accept_one(s, l)) {
            return;
        }
        s->now_us = platform_now_us(s->platform);
        listen_update(s);
    }
}

/* ---- Time and the end ---- */

void listen_try_again(struct supervisor *s, uint32_t listener) {
    struct run_listener *l = &s->listeners[listener];
    if (!open_listener(s, listener)) {
        retry_later(s, l);
        return;
    }
    update_places(s, l->service);
    log_ready(s);
}

void listen_close_all(struct supervisor *s) {
    for (uint32_t i = 0; i < s->listener_count; i++) {
        timers_unset(&s->timers, &s->listeners[i].retry);
        platform_listener_close(&s->listeners[i].handle);
    }
}
