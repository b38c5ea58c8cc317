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

bool run_pause_is_blocked(const struct supervisor *s, uint32_t service) {
    const struct run_sink *sink = s->launching.services[service].sink;
    return s->listening.blocked || (sink != NULL && sink->output.is_paused);
}

void run_pause_update_listener(struct supervisor *s, struct run_listener *listener) {
    if (listener->rules->workers_count > 0) {
        set_paused(listener, true);
        run_workers_update(s, listener);
        return;
    }
    bool paused = run_pause_is_blocked(s, listener->service) || listener->lent ||
                  shortage_lasts(&listener->accepting) ||
                  !run_listen_is_complete(s, listener->service);
    if (!paused && !pool_has_room(&s->pool, listener->service)) {
        pool_await_room(&s->pool, listener->service);
        paused = true;
    }
    set_paused(listener, paused);
}

/* Who is resumed first comes first: those behind the place that has had its turn. */
void run_pause_update_service(struct supervisor *s, uint32_t service) {
    const struct run_service *r = &s->launching.services[service];
    size_t count = r->rules->listen_count;
    size_t turn = r->last_place + 1;
    for (size_t i = 0; i < count; i++) {
        run_pause_update_listener(s, run_listen_at(s, service, (uint32_t)((turn + i) % count)));
    }
}

/* As with the places of a service: where each time there is room for one alone, the first listener
 * would take it for ever. */
static void update_all(struct supervisor *s) {
    const struct run_listening *listening = &s->listening;
    uint32_t count = listening->slots.used_mark;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = (listening->turn + i) % count;
        if (slots_is_used(&listening->slots, slot)) {
            run_pause_update_listener(s, &listening->listeners[slot]);
        }
    }
}

void run_pause_update(struct supervisor *s) {
    struct run_listening *listening = &s->listening;
    bool blocked = shortage_lasts(&listening->shortage) || pool_is_starved(&s->pool) ||
                   run_log_is_congested(&s->log) || s->restart.is_holding;
    if (blocked || listening->shortage.logged_us == 0 || s->stopping) {
        timers_unset(&s->timers, &listening->quiet);
    } else if (!timer_is_set(&listening->quiet)) {
        /* Nobody may come for long, whose being accepted would tell that it is over. */
        timers_after(&s->timers, &listening->quiet, SHORTAGE_LOG_US);
    }
    if (blocked == listening->blocked) {
        return;
    }
    listening->blocked = blocked;
    update_all(s);
}

/* A warning at first and once a minute, with how often it has come to that since the last one. */
static enum log_level level_of_full(struct supervisor *s, uint32_t service) {
    struct run_service *r = &s->launching.services[service];
    r->full_count++;
    if (r->full_told_us != 0 && s->timers.now_us - r->full_told_us < FULL_TELL_US) {
        return LOG_LEVEL_DEBUG;
    }
    r->full_told_us = s->timers.now_us;
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
    bool is_warning = level == LOG_LEVEL_WARNING;
    run_tell(s, level, has_room ? "accept_resumed" : "accept_paused", service,
             "reason=%s max_connections=%i times=%i", lacks,
             is_warning ? r->rules->max_connections_count : 0, is_warning ? r->full_count : 0);
    if (is_warning) {
        r->full_count = 0;
    }
}

/* ---- Shortages ---- */

void run_pause_log_shortage(struct supervisor *s, uint32_t service, int code,
                            const struct baton_cause *cause) {
    if (shortage_may_log(&s->listening.shortage, &s->timers)) {
        run_tell(s, LOG_LEVEL_WARNING, "accept_paused", service, "reason=%s",
                 run_tell_words(s, code, cause));
    }
}

void run_pause_on_shortage(struct supervisor *s, uint32_t service, int code,
                           const struct baton_cause *cause) {
    shortage_hit(&s->listening.shortage, &s->timers);
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
    if (shortage_over(&s->listening.shortage, &s->timers)) {
        run_tell(s, LOG_LEVEL_INFO, "accept_resumed", SLOT_NONE, "reason=%s",
                 "descriptors and memory are there again");
    }
}

void run_pause_on_fault(struct supervisor *s, struct run_listener *listener, int code,
                        const struct baton_cause *cause) {
    uint32_t retry_ms = shortage_hit(&listener->accepting, &s->timers);
    if (shortage_may_log(&listener->accepting, &s->timers)) {
        listener->fault_told = true;
        run_tell(s, LOG_LEVEL_ERROR, "accept_failed", listener->service,
                 "address=%p reason=%s retry_ms=%u", (const void *)listener,
                 run_tell_words(s, code, cause), retry_ms);
    }
    run_pause_update_listener(s, listener);
}

void run_pause_after_fault(struct supervisor *s, struct run_listener *listener) {
    shortage_over(&listener->accepting, &s->timers);
    if (listener->fault_told) {
        listener->fault_told = false;
        run_tell(s, LOG_LEVEL_INFO, "accept_resumed", listener->service, "address=%p",
                 (const void *)listener);
    }
}
