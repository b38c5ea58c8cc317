#include "run/loop.h"

#include "run/internal.h"

#define EVENTS_AT_A_TIME 64
/* Steps that one event may take in a row before others get their turn. */
#define STEPS_AT_A_TIME 16
/* What one process can have to tell at once: frames, room for some, its end, its output. */
#define EVENTS_OF_A_PROCESS 4u
/* A process that has ended is reported by then. */
#define EXIT_WAIT_US 1000000u

/* ---- What the pool has decided ---- */

static void carry_out(struct supervisor *s, const struct pool_action *action) {
    switch (action->kind) {
    case POOL_RELEASE:
        platform_socket_close(s->platform, &s->sockets[action->connection]);
        if (s->pool.connections[action->connection].rules->workers_count > 0) {
            run_workers_on_taken(s, action->connection);
        }
        run_pause_relieve(s);
        break;
    case POOL_CANCEL:
        run_handoff_send_cancel(s, action->connection);
        break;
    case POOL_ATTEMPT_FAILED:
        run_tell_attempt_failed(s, action);
        break;
    case POOL_RECORD:
        run_reap_record(s, action->connection);
        break;
    case POOL_GIVE_BACK:
        run_reap_activation(s, action->connection);
        break;
    case POOL_LAUNCH:
        run_launch_process(s, action->process);
        break;
    case POOL_SEND_LIMITS:
        run_handoff_send_limits(s, action->process);
        break;
    case POOL_OFFER:
        run_handoff_offer(s, action->process);
        break;
    case POOL_SEND_DRAIN:
        if (!run_launch_cancel(s, action->process)) {
            run_handoff_send_drain(s, action->process);
        }
        break;
    case POOL_CLOSE_CHANNEL:
        if (!run_launch_cancel(s, action->process)) {
            platform_channel_close(s->launching.processes[action->process].handle);
        }
        break;
    case POOL_TERMINATE:
        run_drain_end_process(s, action->process, PLATFORM_TERMINATE);
        break;
    case POOL_KILL:
        run_drain_end_process(s, action->process, PLATFORM_KILL);
        break;
    case POOL_STUCK:
        run_drain_tell_stuck(s, action->process);
        break;
    case POOL_CLOSE_PROCESS:
        run_reap_close_process(s, action->process);
        break;
    case POOL_CROWDED:
        run_launch_tell_crowded(s, action->service);
        break;
    case POOL_HELD_BACK:
        run_tell_held_back(s, action);
        break;
    case POOL_BREAKER:
        run_tell_breaker(s, action);
        break;
    case POOL_SPARES_HELD_BACK:
        run_tell_spares_held_back(s, action);
        break;
    case POOL_ROOM:
        run_pause_on_room(s, action->service, pool_has_room(&s->pool, action->service));
        break;
    case POOL_SERVICE_OVER:
        run_output_forget(s, action->service);
        run_start_leave_log(s, action->service);
        run_launch_forget(s, action->service);
        pool_remove_service(&s->pool, action->service);
        run_listen_relieve(s); /* its handlers may have had a place that another waits for */
        break;
    }
}

/* Between two of these nothing is half done. */
static void act(struct supervisor *s) {
    struct pool_action action;
    while (pool_next_action(&s->pool, &action)) {
        carry_out(s, &action);
    }
    if (s->listening.short_in_step == s->steps_count) {
        run_refuse_give_up(s); /* who is served lacks what they have */
        run_control_give_up(s);
    }
    run_pause_update(s);
    run_output_update(s); /* before another client of that service is taken */
}

/* ---- Events: each handler takes one step, and says whether there may be more ---- */

static bool on_process(struct supervisor *s, const struct platform_event *event) {
    uint32_t process = slots_find(&s->pool.process_slots, event->token);
    if (process == SLOT_NONE) {
        return false; /* was under way when the process was closed */
    }
    const struct process *p = &s->pool.processes[process];
    switch (event->kind) {
    case PLATFORM_EVENT_CHANNEL:
        /* Who has one client at a time answers, and then waits for us: to ask at once for the next
         * frame would mostly be in vain. But who has found its client in the channel has most
         * likely answered when its HELLO is read. */
        return run_handoff_on_channel(s, process) &&
               (process_offers_at_a_time(p) > 1 || (p->is_offered_early && p->offer != SLOT_NONE));
    case PLATFORM_EVENT_WRITABLE:
        run_handoff_on_writable(s, process);
        return false;
    case PLATFORM_EVENT_MEASURED:
        run_living_on_measured(s, process);
        return false;
    case PLATFORM_EVENT_EXIT:
        return run_reap_on_exit(s, process);
    case PLATFORM_EVENT_LAUNCHED:
        run_launch_on_launched(s, process);
        return false;
    default:
        return false;
    }
}

static void on_stream(struct supervisor *s, uint64_t token) {
    uint32_t slot = SLOT_NONE; /* the stream was closed when the event was under way */
    switch ((enum run_token)token_type(token)) {
    case RUN_TOKEN_PREFACE:
        slot = slots_find(&s->pool.connection_slots, token);
        if (slot != SLOT_NONE) {
            run_preface_on_stream(s, slot);
        }
        break;
    case RUN_TOKEN_REFUSAL:
        slot = slots_find(&s->refusals.slots, token);
        if (slot != SLOT_NONE) {
            run_refuse_on_stream(s, slot);
        }
        break;
    case RUN_TOKEN_PUMP:
        slot = slots_find(&s->pumps.slots, token);
        if (slot != SLOT_NONE) {
            run_reap_pumped(s, run_pump_on_stream(s, slot));
        }
        break;
    case RUN_TOKEN_CONTROL_CLIENT:
        slot = slots_find(&s->control.slots, token);
        if (slot != SLOT_NONE) {
            run_control_wake(&s->control, slot);
        }
        break;
    default:
        break;
    }
}

static bool on_accept(struct supervisor *s, uint64_t token) {
    if (token_type(token) == RUN_TOKEN_CONTROL) {
        run_control_on_accept(s, token_index(token));
        return false;
    }
    uint32_t listener = slots_find(&s->listening.slots, token);
    return listener != SLOT_NONE && run_accept_next(s, listener);
}

static void on_lost(struct supervisor *s, uint64_t token) {
    if (token_type(token) == RUN_TOKEN_CONTROL) {
        return; /* its file is gone: nobody finds it any more, and nothing is served less */
    }
    uint32_t listener = slots_find(&s->listening.slots, token);
    struct run_listener *l = listener == SLOT_NONE ? NULL : &s->listening.listeners[listener];
    bool is_shared = l != NULL && l->rules->workers_count > 0;
    if (is_shared) {
        run_workers_on_lost(s, l);
    }
    if (l != NULL && (is_shared || !l->paused)) {
        run_listen_renew(s, l);
    }
    if (is_shared) {
        run_pause_update_service(s, l->service); /* it is not for us to watch */
    }
}

/* An event may be of a moment before what it is about was closed: its service can be off by now,
 * and keeps its name. */
static uint32_t find_open_service(const struct supervisor *s, uint64_t token) {
    uint32_t service = slots_find(&s->services.slots, token);
    return service != SLOT_NONE && s->launching.services[service].is_ready ? service : SLOT_NONE;
}

static void on_output(struct supervisor *s, uint64_t token) {
    uint32_t service = find_open_service(s, token);
    if (service != SLOT_NONE) {
        run_output_on_readable(s, service);
    }
}

static void on_changed(struct supervisor *s, uint64_t token) {
    uint32_t service = find_open_service(s, token);
    if (service != SLOT_NONE) {
        run_living_on_changed(s, service);
    }
}

static bool on_event(struct supervisor *s, const struct platform_event *event) {
    switch (event->kind) {
    case PLATFORM_EVENT_ACCEPT:
        return on_accept(s, event->token);
    case PLATFORM_EVENT_LOST:
        on_lost(s, event->token);
        return false;
    case PLATFORM_EVENT_OUTPUT:
        on_output(s, event->token);
        return false;
    case PLATFORM_EVENT_STREAM:
        on_stream(s, event->token);
        return false;
    case PLATFORM_EVENT_RELIEF:
        run_pause_relieve(s);
        run_handoff_retry(s);
        return false;
    case PLATFORM_EVENT_STOP:
        run_drain_on_stop(s, platform_stop_reason(s->platform));
        return false;
    case PLATFORM_EVENT_HANGUP:
        (void)run_drain_reopen_log(s);
        (void)run_reload_ask(s, platform_hangup_name);
        return false;
    case PLATFORM_EVENT_LOG_WRITABLE:
        run_log_flush(&s->log);
        return false;
    case PLATFORM_EVENT_RESTART:
        (void)run_restart_ask(s, "SIGUSR2");
        return false;
    case PLATFORM_EVENT_WORKED:
        if (token_type(event->token) == RUN_TOKEN_RESTART) {
            run_restart_on_rehearsed(s);
        } else {
            run_reload_on_loaded(s);
        }
        return false;
    case PLATFORM_EVENT_CHANGED:
        on_changed(s, event->token);
        return false;
    case PLATFORM_EVENT_LAUNCHERS:
        run_launch_go_on(s);
        return false;
    case PLATFORM_EVENT_LAUNCHED:
    case PLATFORM_EVENT_CHANNEL:
    case PLATFORM_EVENT_WRITABLE:
    case PLATFORM_EVENT_MEASURED:
    case PLATFORM_EVENT_EXIT:
        return on_process(s, event);
    }
    return false;
}

/* An event that is left with more to do is told again, but for an exit: see go_on_with_ends(). */
static void take_event(struct supervisor *s, const struct platform_event *event) {
    bool more = true;
    for (int steps = 0; more && steps < STEPS_AT_A_TIME; steps++) {
        /* A launch takes long enough to spoil the times of what follows it. */
        s->timers.now_us = platform_now_us(s->platform);
        s->steps_count++;
        more = on_event(s, event);
        act(s);
    }
}

/* ---- What no event tells of ---- */

static void go_on_with_pumps(struct supervisor *s) {
    uint32_t next = run_pump_take_ready(s);
    while (next != SLOT_NONE) {
        uint32_t pump = next;
        next = run_pump_next_ready(s, pump);
        s->steps_count++;
        run_reap_pumped(s, run_pump_go_on(s, pump));
        act(s);
    }
}

/* Behind what is served, and a little in each round. */
static void go_on_with_control(struct supervisor *s) {
    if (s->control.slots.in_use_count > 0) {
        run_control_look(s);
    }
    if (!s->control.is_due) {
        return;
    }
    s->steps_count++;
    run_control_accept(s);
    act(s);
    while (run_control_step(s)) {
        s->steps_count++;
        act(s);
    }
}

/* Whose end was told, and who has left more frames than one turn takes: a channel can hold as many
 * as its buffer may be large, and their neighbours would wait. */
static void go_on_with_ends(struct supervisor *s) {
    if (s->launching.ending_count == 0) {
        return;
    }
    SLOTS_EACH(process, &s->pool.process_slots) {
        bool more = s->launching.processes[process].is_ending;
        for (int steps = 0; more && steps < STEPS_AT_A_TIME; steps++) {
            s->steps_count++;
            more = run_reap_on_exit(s, process);
            act(s);
        }
    }
}

/* A process is judged by what it has done, not by what has been read of it: while this process
 * stood still its frames, or its end, may have come in time. Reads the frames; true if they have
 * changed what the deadline was about, or an EXIT is on its way, which will. The deadline is that
 * of a connection that the process holds, or (SLOT_NONE) its own. */
static bool has_moved(struct supervisor *s, uint32_t process, uint32_t connection) {
    struct process *p = &s->pool.processes[process];
    struct connection *c = connection == SLOT_NONE ? NULL : &s->pool.connections[connection];
    struct timer *timer = c == NULL ? &p->timer : &c->timer;
    const enum process_state state = p->state;
    const uint32_t offer = p->offer;
    const uint64_t id = c == NULL ? 0 : c->id;
    struct platform_process *handle = s->launching.processes[process].handle;
    if (s->launching.processes[process].is_launching) {
        return false; /* nothing is known of it */
    }
    bool more = p->channel_open && handle != NULL;
    for (int steps = 0; more && steps < STEPS_AT_A_TIME; steps++) {
        more = run_handoff_on_channel(s, process);
        act(s);
        bool moved = c != NULL ? c->id != id || c->state != CONNECTION_HELD
                               : p->state != state || p->offer != offer;
        if (moved || !slots_is_used(&s->pool.process_slots, process) || timer_is_set(timer)) {
            return true;
        }
    }
    bool exit_is_due = handle != NULL && !s->launching.processes[process].exit_was_told;
    if (exit_is_due && platform_process_has_ended(handle)) {
        timers_after(&s->timers, timer, EXIT_WAIT_US);
        return true;
    }
    return false;
}

static bool connection_has_moved(struct supervisor *s, uint32_t connection) {
    const struct connection *c = &s->pool.connections[connection];
    if (c->state == CONNECTION_HELD) {
        return has_moved(s, c->process, connection);
    }
    run_preface_on_stream(s, connection);
    return c->state != CONNECTION_PREFACE || timer_is_set(&c->timer);
}

static void on_pool_timer(struct supervisor *s, uint64_t token) {
    uint32_t index = token_index(token);
    enum pool_token type = (enum pool_token)token_type(token);
    bool moved = (type == POOL_TOKEN_PROCESS && has_moved(s, index, SLOT_NONE)) ||
                 (type == POOL_TOKEN_CONNECTION && connection_has_moved(s, index));
    if (!moved) {
        pool_expired(&s->pool, token);
    }
}

static void on_timer(struct supervisor *s, uint64_t token) {
    uint32_t index = token_index(token);
    if (token_type(token) < POOL_TOKEN_END) {
        on_pool_timer(s, token);
        return;
    }
    switch ((enum run_token)token_type(token)) {
    case RUN_TOKEN_REOPEN:
        run_listen_try_again(s, index);
        run_pause_update_service(s, s->listening.listeners[index].service);
        break;
    case RUN_TOKEN_ACCEPT:
        run_pause_update_listener(s, &s->listening.listeners[index]);
        break;
    case RUN_TOKEN_PUMP:
        run_reap_pumped(s, run_pump_on_timer(s, index));
        break;
    case RUN_TOKEN_QUIET:
        run_pause_after_shortage(s);
        break;
    case RUN_TOKEN_START:
        run_start_again(s, index);
        break;
    case RUN_TOKEN_WORKERS:
        run_workers_on_timer(s, index);
        break;
    case RUN_TOKEN_SUPPRESSED:
        run_output_tell_suppressed(s);
        break;
    case RUN_TOKEN_REFUSAL:
        run_refuse_on_timer(s, index);
        break;
    case RUN_TOKEN_REFUSED:
        run_refuse_on_suppressed(s);
        break;
    case RUN_TOKEN_WAITS:
        if (index == RUN_WAIT_RECORD) {
            run_reap_on_timer(s);
        } else {
            run_living_on_timer(s);
        }
        break;
    case RUN_TOKEN_RENEWING:
        run_living_on_renewing(s, index);
        break;
    case RUN_TOKEN_OFFERS:
        run_handoff_retry(s);
        break;
    case RUN_TOKEN_MANAGER:
        run_manager_on_retry(s);
        break;
    case RUN_TOKEN_WATCHDOG:
        run_manager_on_watchdog(s);
        break;
    case RUN_TOKEN_REFILL:
        s->launching.refill_is_due = true;
        break;
    case RUN_TOKEN_RESTART:
        run_restart_on_timer(s);
        break;
    case RUN_TOKEN_CONTROL:
        run_control_on_retry(s, index);
        break;
    case RUN_TOKEN_CONTROL_CLIENT:
        run_control_on_timer(s, index);
        break;
    default: /* RELIEF: run_pause_update() finds it over */
        break;
    }
}

static void tick(struct supervisor *s) {
    struct timer *timer;
    while ((timer = timers_expired(&s->timers, s->timers.now_us)) != NULL) {
        s->steps_count++;
        on_timer(s, timer->token);
        act(s);
    }
}

static uint64_t next_deadline_us(const struct supervisor *s) {
    if (run_output_may_go_on(s)) {
        return 0; /* no event tells that there is room again: the log never said it had none */
    }
    if (s->pumps.ready != SLOT_NONE) {
        return 0; /* it has not said AGAIN, so no event follows */
    }
    if (s->launching.ending_count > 0) {
        return 0; /* an exit is told once */
    }
    if (s->launching.has_cancelled || s->control.is_due) {
        return 0;
    }
    if (s->launching.refills) {
        return 0; /* after a look at who has come meanwhile */
    }
    return timers_next_us(&s->timers);
}

/* ---- Round by round ---- */

/* Rounds after which all that can happen at once has been seen, since who was told of comes behind
 * those who were not. */
static uint32_t rounds_for_all(const struct supervisor *s) {
    uint32_t events_count = EVENTS_OF_A_PROCESS * s->pool.process_slots.in_use_count +
                            s->pool.connection_slots.in_use_count +
                            2 * s->pumps.slots.in_use_count + s->refusals.slots.in_use_count +
                            s->listening.slots.in_use_count + s->control.slots.in_use_count;
    return events_count / EVENTS_AT_A_TIME + 2;
}

/* No deadline is judged while what has come in time may lie unseen behind what was seen. Handlers
 * that never stop writing put it off no longer than that. */
static bool has_seen_all(struct supervisor *s, size_t count) {
    s->full_rounds_count = count < EVENTS_AT_A_TIME ? 0 : s->full_rounds_count + 1;
    if (s->full_rounds_count >= rounds_for_all(s)) {
        s->full_rounds_count = 0;
    }
    return s->full_rounds_count == 0;
}

/* Some are wanted, or were a moment ago. */
static bool spares_matter(const struct supervisor *s) {
    const struct run_launching *launching = &s->launching;
    return s->pool.wanting_first != SLOT_NONE || launching->refills || launching->refill_is_due ||
           timer_is_set(&launching->refill);
}

/* Spares come behind clients, and behind what there is to be done for those. */
static void refill(struct supervisor *s, bool is_busy) {
    s->timers.now_us = platform_now_us(s->platform);
    s->steps_count++;
    s->launching.refills = run_living_refill(s, is_busy);
    act(s);
}

/* What was taken over from a batond of before: no event tells of what came before it was watched,
 * nor of launchers that are free. Of others there is nothing yet. */
static void resume(struct supervisor *s) {
    s->steps_count++; /* else it is the step in which something was short last: none */
    act(s);
    SLOTS_EACH(connection, &s->pool.connection_slots) {
        if (s->prefaces.entries != NULL) {
            s->steps_count++;
            run_preface_on_stream(s, connection);
            act(s);
        }
    }
    s->steps_count++;
    run_launch_go_on(s);
    act(s);
}

int run_loop_run(struct supervisor *s) {
    struct platform_event events[EVENTS_AT_A_TIME];
    resume(s);
    refill(s, false);
    while (!s->stopping || !pool_is_empty(&s->pool)) {
        struct baton_cause cause = {0};
        uint64_t last_id = s->pool.last_id;
        int count =
            platform_wait(s->platform, events, EVENTS_AT_A_TIME, next_deadline_us(s), &cause);
        if (count < 0) {
            run_tell(s, LOG_LEVEL_ERROR, "broken", SLOT_NONE, "reason=%s",
                     run_tell_words(s, count, &cause));
            return count;
        }
        s->rounds_count++;
        for (int i = 0; i < count; i++) {
            take_event(s, &events[i]);
        }
        s->timers.now_us = platform_now_us(s->platform);
        go_on_with_pumps(s);
        go_on_with_ends(s);
        if (s->launching.has_cancelled) {
            s->steps_count++;
            run_launch_go_on(s);
            act(s);
        }
        if (has_seen_all(s, (size_t)count)) {
            tick(s);
        }
        go_on_with_control(s);
        if (spares_matter(s)) {
            refill(s, s->pool.last_id != last_id);
        }
        run_restart_update(s);
        act(s); /* what that has held back */
        run_log_flush(&s->log);
        run_output_catch_up(s);
        run_log_flush(&s->log);
        run_pause_update(s);
        run_output_update(s);
        run_manager_update(s);
    }
    return BATON_OK;
}
