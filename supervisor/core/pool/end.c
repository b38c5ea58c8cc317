/* Ends: of a connection, of an attempt, of a channel, and of a process. */
#include "core/pool/internal.h"

/* A process that crashes closes its channel a moment before its exit can be seen. For this long
 * the end of a channel waits for an exit that tells more; then the process is killed. */
#define EXIT_GRACE_US 100000u

/* ---- Connections ---- */

/* An activation is over: whatever waits at the listener would start the next one at once. */
static void brake(struct pool *pool, const struct connection *c) {
    struct pool_service *s = c->served;
    if (!c->is_activation || s->stopped || s->retired || c->is_dismissed) {
        return;
    }
    uint64_t lived_us = c->acked_us == 0 ? 0 : pool->timers->now_us - c->acked_us;
    /* A broken pipe was its client's doing, and an end by max_runtime_ms, or of
     * one that was killed, ours. */
    bool failed = (c->outcome != OUTCOME_SERVED && c->outcome != OUTCOME_BROKEN_PIPE &&
                   c->outcome != OUTCOME_TIMED_OUT && c->outcome != OUTCOME_KILLED) ||
                  (c->is_trial && lived_us < POOL_TRIAL_US);
    if (failed && c->rules->workers_count > 0 && timer_is_set(&s->pause)) {
        return; /* those that were launched together fail together, and count as one */
    }
    uint64_t pause_us =
        breaker_pause_us(&s->breaker, c->progress, failed, lived_us, pool->timers->now_us);
    s->took_nobody = !failed && c->progress != PROGRESS_UNKNOWN;
    if (pause_us > 0) {
        pool_pause_service(pool, c->service, POOL_HELD_BACK_TEXT, pause_us);
        s->pause_us = pause_us;
        pool_await_room(pool, c->service); /* when the pause is over */
        pool_push_service(pool, POOL_HELD_BACK, c->service);
    }
}

/* ---- The breaker of a service whose clients are accepted here ---- */

static void tell_breaker(struct pool *pool, uint32_t service, uint64_t pause_us) {
    pool->services[service].pause_us = pause_us;
    pool_push_service(pool, POOL_BREAKER, service);
}

void pool_note_taken(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct process *p = &pool->processes[c->process];
    c->is_probe = false;
    p->served->proven_count += p->taken_count == 0 ? 1 : 0;
    p->taken_count++;
    p->served->busy.hits_count = 0;
    pool_spares_are_fine(pool, c->service);
    if (circuit_taken(&c->served->circuit)) {
        tell_breaker(pool, c->service, 0);
        pool_update_wants(pool, c->service);
        pool_tell_room(pool, c->service);
    }
}

/* It has ended before a handler had taken it; `failed`: for the handler's sake. */
static void note_not_taken(struct pool *pool, struct connection *c, bool failed) {
    struct circuit *circuit = &c->served->circuit;
    uint64_t pause_us = failed && !c->is_activation && !c->served->stopped
                            ? circuit_failed(circuit, c->is_probe, pool->timers->now_us)
                            : 0;
    if (c->is_probe) {
        c->is_probe = false;
        circuit_left(circuit);
        pool_tell_room(pool, c->service);
    }
    if (pause_us > 0) {
        tell_breaker(pool, c->service, pause_us);
    }
    pool_update_wants(pool, c->service);
}

static void finish_connection(struct pool *pool, uint32_t process, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    c->ended_us = pool->timers->now_us;
    timers_unset(pool->timers, &c->timer);
    brake(pool, c);
    pool_push_connection(pool, POOL_RECORD, connection, process, c->outcome);
    if (c->is_activation) {
        pool_push_connection(pool, POOL_GIVE_BACK, connection, process, c->outcome);
    }
}

void pool_end_connection(struct pool *pool, uint32_t connection, enum outcome outcome) {
    struct connection *c = &pool->connections[connection];
    struct process *p = c->process == SLOT_NONE ? NULL : &pool->processes[c->process];
    if (c->state == CONNECTION_WAITING && p == NULL) {
        pool_dequeue(pool, connection);
    } else if (c->state == CONNECTION_HELD) {
        pool_unhold(pool, c->process, connection);
    } else if (p != NULL && p->wanted_by == connection) {
        pool_expect_no_more(pool, connection);
    } else if (p != NULL && p->offer == connection) {
        p->offer = SLOT_NONE;
    }
    if (c->is_killed) {
        outcome = OUTCOME_KILLED;
    } else if (c->timed_out) {
        outcome = OUTCOME_TIMED_OUT;
    }
    if (connection_step(c, CONNECTION_END, outcome)) {
        note_not_taken(pool, c, false);
        finish_connection(pool, c->process, connection);
    }
}

void pool_come_back(struct pool *pool, uint32_t connection) {
    const struct connection *c = &pool->connections[connection];
    pool_enqueue(pool, connection);
    if (c->served->stopped || c->is_killed) {
        pool_end_connection(pool, connection, OUTCOME_DRAINED);
    }
}

void pool_fail_attempt(struct pool *pool, uint32_t process, uint32_t connection,
                       enum outcome outcome) {
    struct connection *c = &pool->connections[connection];
    struct process *p = &pool->processes[process];
    if (p->wanted_by == connection) {
        pool_expect_no_more(pool, connection);
    }
    if (p->offer == connection) {
        p->offer = SLOT_NONE;
    }
    c->pid = p->pid;
    connection_step(c, CONNECTION_ATTEMPT_FAILED, outcome);
    pool_push_connection(pool, POOL_ATTEMPT_FAILED, connection, process, outcome);
    if (c->state == CONNECTION_ENDED) {
        note_not_taken(pool, c, outcome != OUTCOME_DRAINED);
        finish_connection(pool, process, connection);
        return;
    }
    pool_come_back(pool, connection);
}

/* A process that nobody has had, and that has not ended for our sake: as a rule the next would do
 * as it did. The client who waits for its launch, or was offered to it, loses an attempt; else it
 * was a spare. Told as soon as it gets no more: one that goes on would have others launched. */
void pool_note_useless(struct pool *pool, struct process *p) {
    bool is_its_own = p->retire == RETIRE_NONE || p->retire == RETIRE_FAULT ||
                      p->retire == RETIRE_CLOSED || p->retire == RETIRE_ASKED;
    if (p->taken_count > 0 || !is_its_own || p->is_useless || !service_serves_many(p->rules)) {
        return;
    }
    p->is_useless = true;
    p->served->expected_count = 0;
    if (p->wanted_by == SLOT_NONE && p->offer == SLOT_NONE) {
        pool_spare_failed(pool, p, "its spares end before they serve anybody");
    }
}

/* ---- Handshakes that go wrong, and channels ---- */

void pool_recall_offer(struct pool *pool, struct process *p) {
    uint32_t connection = p->offer;
    if (connection != SLOT_NONE) {
        connection_step(&pool->connections[connection], CONNECTION_RECALL, OUTCOME_NONE);
    }
}

void pool_fault_process(struct pool *pool, struct process *p, enum outcome fault) {
    if (p->fault != OUTCOME_NONE || p->state >= PROCESS_KILLED) {
        return;
    }
    p->fault = fault;
    pool_recall_offer(pool, p);
    if (p->held_count == 0) {
        pool_kill_process(pool, p, RETIRE_FAULT);
    } else {
        pool_drain_process(pool, p, RETIRE_FAULT);
    }
}

void pool_await_exit(struct pool *pool, struct process *p, enum outcome fault) {
    p->fault = fault;
    process_retire(p, RETIRE_FAULT);
    pool_recall_offer(pool, p);
    pool_set_deadline(pool, p, EXIT_GRACE_US);
}

void pool_go_on_without_channel(struct pool *pool, struct process *p, enum retire_reason reason) {
    pool_close_channel(pool, p);
    process_retire(p, reason);
    process_advance(p, PROCESS_DRAINING);
    if (p->served->stopped || p->held_count == 0) {
        pool_bound_drain(pool, p);
    }
    pool_update_process(pool, p);
}

void pool_breach(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    p->breach = true;
    pool_close_channel(pool, p); /* with all that lies in it, an ACK as well */
    if (p->offer != SLOT_NONE || p->held_count == 0) {
        /* It may serve what it was offered, and believe that we know: another gets that client
         * when this process is gone. */
        pool_fault_process(pool, p, OUTCOME_HANDSHAKE_INVALID);
        pool_bound_drain(pool, p);
    } else if (p->state != PROCESS_KILLED) {
        pool_go_on_without_channel(pool, p, RETIRE_FAULT);
    }
    pool_dispatch(pool, p->service); /* some may have hoped for it */
}

void pool_channel_ended(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    bool before_hello = p->greeted_us == 0;
    if (!p->channel_open) {
        return;
    }
    if (p->state >= PROCESS_TERMINATED) {
        pool_close_channel(pool, p); /* it ends for our sake, and that is no fault of its own */
    } else if (p->held_count == 0 && (before_hello || p->offer != SLOT_NONE)) {
        pool_close_channel(pool, p);
        pool_await_exit(pool, p, before_hello ? OUTCOME_LAUNCH_FAILED : OUTCOME_HANDSHAKE_INVALID);
        if (p->offer == SLOT_NONE && p->wanted_by == SLOT_NONE) {
            pool_note_useless(pool, p);
        }
    } else {
        if (p->offer != SLOT_NONE) {
            pool_fault_process(pool, p, OUTCOME_HANDSHAKE_INVALID);
        }
        pool_go_on_without_channel(pool, p, RETIRE_CLOSED);
        pool_note_useless(pool, p);
    }
    pool_update_process(pool, p);
    pool_dispatch(pool, p->service);
}

/* ---- Processes ---- */

void pool_free_process(struct pool *pool, struct process *p) {
    p->served->process_count--;
    p->served->proven_count -= p->taken_count > 0 ? 1 : 0;
    p->state = PROCESS_FREE;
    pool_update_process(pool, p);
    slots_give(&pool->process_slots, p->slot);
    pool_leave_service(pool, p->service);
}

enum outcome pool_lost_outcome(const struct process *p, struct pool_exit how) {
    if (p->fault == OUTCOME_NONE && p->state >= PROCESS_TERMINATED) {
        return OUTCOME_DRAINED; /* ended by a stop, not for what it did */
    }
    if (p->state != PROCESS_KILLED && how.by_signal && !p->breach) {
        return OUTCOME_CRASHED;
    }
    if (p->fault != OUTCOME_NONE) {
        return p->fault;
    }
    return p->greeted_us == 0 ? OUTCOME_LAUNCH_FAILED : OUTCOME_HANDSHAKE_INVALID;
}

static enum outcome held_outcome(const struct process *p, struct pool_exit how) {
    if (p->breach && !(p->served->stopped && p->state >= PROCESS_TERMINATED)) {
        bool crashed = how.by_signal && p->state < PROCESS_TERMINATED; /* not by our signal */
        return crashed ? OUTCOME_CRASHED : OUTCOME_FAILED;
    }
    if ((p->fault == OUTCOME_NONE || p->breach) && p->state >= PROCESS_TERMINATED) {
        return p->served->stopped ? OUTCOME_DRAINED : OUTCOME_CRASHED;
    }
    bool succeeded = !how.by_signal && service_exit_is_success(p->rules, how.code);
    if (p->state == PROCESS_DRAINING && pool_has_bare_listener(p) && !succeeded) {
        return OUTCOME_DRAINED; /* most programs know no better answer to SIGTERM than to end by it
                                 */
    }
    if (p->state == PROCESS_KILLED) {
        return OUTCOME_CRASHED;
    }
    if (how.by_signal) {
        return how.by_broken_pipe ? OUTCOME_BROKEN_PIPE : OUTCOME_CRASHED;
    }
    return succeeded ? OUTCOME_SERVED : OUTCOME_FAILED;
}

static void note_exit(struct connection *c, struct pool_exit how) {
    c->has_exit = true;
    c->exit_by_signal = how.by_signal;
    c->exit_code = how.code;
    if (c->rules->reuse_count == 1) { /* it was its own */
        c->cpu_us = how.cpu_us;
        c->memory_peak_kib = how.memory_peak_kib;
    }
}

void pool_note_progress(struct pool *pool, uint32_t process, enum progress progress) {
    uint32_t connection = pool->processes[process].first_held;
    if (connection != SLOT_NONE) {
        pool->connections[connection].progress = progress;
    }
}

void pool_exiting(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    p->exiting = true;
    pool_update_process(pool, p);
}

void pool_exited(struct pool *pool, uint32_t process, struct pool_exit how,
                 const struct pool_words *words) {
    struct process *p = &pool->processes[process];
    timers_unset(pool->timers, &p->timer);
    p->exit = how;
    if (words != NULL && p->first_held != SLOT_NONE) {
        pool_take_words(pool, p->first_held, words);
    }
    while (p->first_held != SLOT_NONE) {
        enum outcome outcome = held_outcome(p, how);
        note_exit(&pool->connections[p->first_held], how);
        pool->connections[p->first_held].by_breach = p->breach && outcome != OUTCOME_DRAINED;
        pool_end_connection(pool, p->first_held, outcome);
    }
    pool_note_useless(pool, p);
    uint32_t lost = p->wanted_by != SLOT_NONE ? p->wanted_by : p->offer;
    if (lost != SLOT_NONE) {
        note_exit(&pool->connections[lost], how);
        pool_fail_attempt(pool, process, lost, pool_lost_outcome(p, how));
    }
    process_advance(p, PROCESS_KILLED);
    pool_update_process(pool, p);
    pool_push_process(pool, POOL_CLOSE_PROCESS, p, SLOT_NONE, OUTCOME_NONE);
}
