#include "run/internal.h"

#include <string.h>

/* How often it is told that a service is full. */
#define FULL_TELL_US 60000000u

static void set_paused(struct run_listener *l, bool paused) {
    if (l->handle == NULL || l->paused == paused) {
        return;
    }
    l->paused = paused;
    if (paused) {
        platform_listener_pause(l->handle);
    } else {
        platform_listener_resume(l->handle);
    }
}

void run_pause_update_listener(struct supervisor *s, struct run_listener *listener) {
    bool paused = s->listening.blocked || listener->lent || shortage_lasts(&listener->accepting) ||
                  !run_listen_is_complete(s, listener->service);
    if (!paused && !pool_has_room(&s->pool, listener->service)) {
        pool_await_room(&s->pool, listener->service);
        paused = true;
    }
    set_paused(listener, paused);
}

/* Who is resumed first comes first: those behind the place that has had its turn. */
void run_pause_update_service(struct supervisor *s, uint32_t service) {
    size_t count = services_get(&s->services, service)->listen_count;
    size_t turn = s->launching.services[service].last_place + 1;
    for (size_t i = 0; i < count; i++) {
        run_pause_update_listener(s, run_listen_at(s, service, (uint32_t)((turn + i) % count)));
    }
}

void run_pause_update(struct supervisor *s) {
    struct run_listening *listening = &s->listening;
    bool blocked = shortage_lasts(&listening->shortage) || shortage_lasts(&s->pool.starved) ||
                   run_log_is_congested(&s->log);
    if (blocked || listening->shortage.logged_us == 0 || s->stopping) {
        timers_unset(&s->timers, &listening->quiet);
    } else if (!timer_is_set(&listening->quiet)) {
        /* Nobody may come for long, whose being accepted would tell that it is over. */
        timers_set(&s->timers, &listening->quiet, s->now_us + SHORTAGE_LOG_US);
    }
    if (blocked == listening->blocked) {
        return;
    }
    listening->blocked = blocked;
    SLOTS_EACH(i, &listening->slots) {
        run_pause_update_listener(s, &listening->listeners[i]);
    }
}

/* A warning at first and once a minute, with how often it has come to that since the last one. */
static enum log_level level_of_full(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    r->full_count++;
    if (r->full_told_us != 0 && s->now_us - r->full_told_us < FULL_TELL_US) {
        return LOG_LEVEL_DEBUG;
    }
    r->full_told_us = s->now_us;
    return LOG_LEVEL_WARNING;
}

void run_pause_on_room(struct supervisor *s, uint32_t service, bool has_room) {
    struct run_service *r = &s->launching.services[service];
    const char *lacks = has_room ? r->lacked : pool_lacks_room_for(&s->pool, service);
    /* What its handlers' ends have to do with was told when they ended. */
    bool is_limit = !has_room && strcmp(lacks, POOL_HELD_BACK_TEXT) != 0;
    enum log_level level = is_limit ? level_of_full(s, service) : LOG_LEVEL_DEBUG;
    r->lacked = lacks;
    run_pause_update_service(s, service);
    struct record *line =
        run_tell_line(s, level, has_room ? "accept_resumed" : "accept_paused", service, SLOT_NONE);
    if (line == NULL) {
        return;
    }
    if (lacks != NULL) {
        record_text(line, "reason", lacks);
    }
    if (level == LOG_LEVEL_WARNING) {
        record_number(line, "max_connections",
                      services_get(&s->services, service)->max_connections_count);
        record_number(line, "times", r->full_count);
        r->full_count = 0;
    }
    run_log_end(&s->log);
}

/* ---- Shortages ---- */

void run_pause_log_shortage(struct supervisor *s, uint32_t service, int code,
                            const struct baton_cause *cause) {
    if (!shortage_may_log(&s->listening.shortage, s->now_us)) {
        return;
    }
    struct record *line = run_tell_line(s, LOG_LEVEL_WARNING, "accept_paused", service, SLOT_NONE);
    if (line != NULL) {
        run_tell_reason(line, code, cause);
        run_log_end(&s->log);
    }
}

void run_pause_on_shortage(struct supervisor *s, uint32_t service, int code,
                           const struct baton_cause *cause) {
    shortage_hit(&s->listening.shortage, &s->timers, s->now_us);
    s->listening.short_in_step = s->steps_count;
    run_pause_log_shortage(s, service, code, cause);
    /* At once, and not at the end of the round: a relief that comes before it would leave a
     * listener that nothing was armed for, neither paused nor resumed. */
    run_pause_update(s);
}

void run_pause_relieve(struct supervisor *s) {
    if (s->listening.short_in_step == s->steps_count) {
        return; /* what the failed try itself had taken: that was not enough */
    }
    shortage_relieve(&s->listening.shortage, &s->timers);
}

void run_pause_after_shortage(struct supervisor *s) {
    timers_unset(&s->timers, &s->listening.quiet);
    if (!shortage_over(&s->listening.shortage, &s->timers, s->now_us)) {
        return;
    }
    struct record *line = run_log_begin(&s->log, LOG_LEVEL_INFO, "accept_resumed");
    if (line != NULL) {
        record_text(line, "reason", "descriptors and memory are there again");
        run_log_end(&s->log);
    }
}

void run_pause_on_fault(struct supervisor *s, struct run_listener *listener, int code,
                        const struct baton_cause *cause) {
    uint32_t retry_ms = shortage_hit(&listener->accepting, &s->timers, s->now_us);
    if (shortage_may_log(&listener->accepting, s->now_us)) {
        listener->fault_told = true;
        struct record *line =
            run_tell_line(s, LOG_LEVEL_ERROR, "accept_failed", listener->service, SLOT_NONE);
        if (line != NULL) {
            const struct service *service = services_get(&s->services, listener->service);
            record_place(line, "address", &service->listen[listener->place], &listener->address);
            run_tell_reason(line, code, cause);
            record_number(line, "retry_ms", retry_ms);
            run_log_end(&s->log);
        }
    }
    run_pause_update_listener(s, listener);
}

void run_pause_after_fault(struct supervisor *s, struct run_listener *listener) {
    shortage_over(&listener->accepting, &s->timers, s->now_us);
    if (!listener->fault_told) {
        return;
    }
    listener->fault_told = false;
    struct record *line =
        run_tell_line(s, LOG_LEVEL_INFO, "accept_resumed", listener->service, SLOT_NONE);
    if (line != NULL) {
        const struct service *service = services_get(&s->services, listener->service);
        record_place(line, "address", &service->listen[listener->place], &listener->address);
        run_log_end(&s->log);
    }
}
