#include "run/internal.h"

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

void run_pause_update_service(struct supervisor *s, uint32_t service) {
    size_t count = services_get(&s->services, service)->listen_count;
    for (uint32_t place = 0; place < count; place++) {
        run_pause_update_listener(s, run_listen_at(s, service, place));
    }
}

void run_pause_update(struct supervisor *s) {
    struct run_listening *listening = &s->listening;
    bool blocked = shortage_lasts(&listening->shortage) || shortage_lasts(&s->pool.starved) ||
                   run_log_is_congested(&s->log);
    if (blocked == listening->blocked) {
        return;
    }
    listening->blocked = blocked;
    SLOTS_EACH(i, &listening->slots) {
        run_pause_update_listener(s, &listening->listeners[i]);
    }
}

void run_pause_on_room(struct supervisor *s, uint32_t service, bool has_room) {
    run_pause_update_service(s, service);
    struct record *line = run_tell_line(
        s, LOG_LEVEL_DEBUG, has_room ? "accept_resumed" : "accept_paused", service, SLOT_NONE);
    if (line != NULL) {
        record_text(line, "reason", "max_connections");
        run_log_end(&s->log);
    }
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

void run_pause_after_shortage(struct supervisor *s, uint32_t service) {
    if (!shortage_over(&s->listening.shortage, &s->timers, s->now_us)) {
        return;
    }
    struct record *line = run_tell_line(s, LOG_LEVEL_INFO, "accept_resumed", service, SLOT_NONE);
    if (line != NULL) {
        record_text(line, "reason", "descriptors and memory are there again");
        run_log_end(&s->log);
    }
}

void run_pause_on_fault(struct supervisor *s, struct run_listener *listener, int code,
                        const struct baton_cause *cause) {
    uint32_t retry_ms = shortage_hit(&listener->accepting, &s->timers, s->now_us);
    if (shortage_may_log(&listener->accepting, s->now_us)) {
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
