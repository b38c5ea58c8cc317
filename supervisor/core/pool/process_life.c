/* The life of a handler process in the pool: launch, handshake, faults, exit. */
#include "core/pool/internal.h"

/* A process that crashes closes its channel a moment before its exit can be seen. For this long
 * the end of a channel waits for an exit that tells more; then the process is killed. */
#define EXIT_GRACE_US 100000u

void pool_set_deadline(struct pool *pool, struct process *p, uint64_t deadline_us) {
    timers_set(&pool->timers, &p->timer, deadline_us);
}

uint64_t pool_stop_timeout_us(const struct pool *pool, const struct process *p) {
    return pool_ms(pool_service_of(pool, p->service)->stop_timeout_ms);
}

static void close_channel(struct pool *pool, uint32_t process) {
    if (pool->processes[process].channel_open) {
        pool->processes[process].channel_open = false;
        pool_push(pool, POOL_CLOSE_CHANNEL, process, SLOT_NONE, OUTCOME_NONE);
    }
}

void pool_kill_process(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (process_advance(p, PROCESS_KILLED)) {
        timers_unset(&pool->timers, &p->timer);
        pool_update_idle(pool, process);
        if (p->exiting) {
            return;
        }
        pool_push(pool, POOL_KILL, process, SLOT_NONE, p->fault);
        pool_set_deadline(pool, p, now_us + POOL_KILL_GRACE_US);
    }
}

void pool_bound_drain(struct pool *pool, struct process *p, uint64_t now_us) {
    if (p->state == PROCESS_DRAINING && p->timer.position == 0) {
        pool_set_deadline(pool, p, now_us + pool_stop_timeout_us(pool, p));
    }
}

/* It was given the listener at its launch, and has no channel: SIGTERM tells it to drain. */
static bool has_bare_listener(const struct pool *pool, const struct process *p) {
    const struct service *service = pool_service_of(pool, p->service);
    return service->handoff == HANDOFF_LISTENER && !service->has_channel;
}

/* With connections to finish it is told by a frame, so that it can still say DONE; without, by the
 * end of the channel. */
void pool_drain_process(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (process_advance(p, PROCESS_DRAINING)) {
        pool_update_idle(pool, process);
        if (p->held_count == 0 && p->offer == SLOT_NONE) {
            close_channel(pool, process);
        } else if (p->channel_open || has_bare_listener(pool, p)) {
            pool_push(pool, POOL_SEND_DRAIN, process, SLOT_NONE, OUTCOME_NONE);
        }
        pool_set_deadline(pool, p, now_us + pool_stop_timeout_us(pool, p));
    }
}

void pool_fault_process(struct pool *pool, uint32_t process, enum outcome fault, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (p->fault != OUTCOME_NONE || p->state >= PROCESS_KILLED) {
        return;
    }
    p->fault = fault;
    if (p->offer != SLOT_NONE) {
        connection_step(&pool->connections[p->offer], CONNECTION_RECALL, OUTCOME_NONE);
    }
    if (p->held_count == 0) {
        pool_kill_process(pool, process, now_us);
    } else {
        pool_drain_process(pool, process, now_us);
    }
}

/* The channel is closed while connections are held: they go on without it, for as long as they
 * like unless the supervisor stops. */
static void go_on_without_channel(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    close_channel(pool, process);
    process_advance(p, PROCESS_DRAINING);
    if (pool->stopping || p->held_count == 0) {
        pool_bound_drain(pool, p, now_us);
    }
    pool_update_idle(pool, process);
}

/* ---- Launch ---- */

/* HELLO, OFFER and ACK in one: the process has had its connection from its first instruction. */
static void take_at_once(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    uint32_t connection = p->wanted_by;
    struct connection *c = &pool->connections[connection];
    process_advance(p, PROCESS_READY);
    timers_unset(&pool->timers, &p->timer);
    p->capacity_count = 1;
    p->greeted_us = now_us;
    p->wanted_by = SLOT_NONE;
    p->life_left_count--;
    p->taken_count++;
    connection_step(c, CONNECTION_OFFER, OUTCOME_NONE);
    connection_step(c, CONNECTION_ACK, OUTCOME_NONE);
    c->pid = p->pid;
    c->launched_us = p->launched_us;
    c->greeted_us = c->offered_us = c->acked_us = now_us;
    pool_hold(pool, process, connection);
    pool_push(pool, POOL_RELEASE, process, connection, OUTCOME_NONE);
    if (pool->stopping) {
        pool_drain_process(pool, process, now_us);
    }
}

void pool_launched(struct pool *pool, uint32_t process, uint32_t pid, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    p->pid = pid;
    if (!p->channel_open) {
        take_at_once(pool, process, now_us);
    }
}

void pool_launch_failed(struct pool *pool, uint32_t process, bool shortage, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    uint32_t connection = p->wanted_by;
    uint32_t service = p->service;
    timers_unset(&pool->timers, &p->timer);
    if (connection != SLOT_NONE && shortage && !pool->stopping) {
        p->wanted_by = SLOT_NONE;
        pool_enqueue(pool, connection);
        pool_starve(pool, now_us);
    } else if (connection != SLOT_NONE) {
        pool_fail_attempt(pool, process, connection, OUTCOME_LAUNCH_FAILED, now_us);
    }
    pool_free_process(pool, process);
    pool_dispatch(pool, service, now_us);
}

/* ---- Frames ---- */

bool pool_hello(struct pool *pool, uint32_t process, uint32_t pid, uint32_t capacity_count,
                uint64_t now_us) {
    struct process *p = &pool->processes[process];
    uint32_t connection = p->wanted_by;
    if (p->state == PROCESS_KILLED) {
        return true; /* written before we ended it; changes nothing */
    }
    if (p->state == PROCESS_LAUNCHED && p->exiting) {
        p->greeted_us = now_us; /* its client waits for pool_exited() */
        return true;
    }
    if (p->state != PROCESS_LAUNCHED || !process_advance(p, PROCESS_READY)) {
        return false;
    }
    p->pid = pid; /* a shim may have started the one that speaks; it gets the socket */
    p->capacity_count = capacity_count;
    p->greeted_us = now_us;
    p->wanted_by = SLOT_NONE;
    timers_unset(&pool->timers, &p->timer);
    pool_update_idle(pool, process);
    if (connection != SLOT_NONE && pool_service_of(pool, p->service)->reuse_count == 1) {
        pool_offer(pool, process, connection, now_us); /* its environment tells of this client */
    } else if (connection != SLOT_NONE) {
        pool_enqueue(pool, connection); /* by its age: a faster process helps who waits longer */
    }
    pool_dispatch(pool, p->service, now_us);
    return true;
}

/* The offer was answered: its deadline is void. That of an ordered stop holds. */
static void settle_offer(struct pool *pool, struct process *p) {
    p->fault = OUTCOME_NONE;
    if (p->state == PROCESS_READY || (p->state == PROCESS_DRAINING && !pool->stopping)) {
        timers_unset(&pool->timers, &p->timer);
    }
}

bool pool_ack(struct pool *pool, uint32_t process, uint32_t connection, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (connection == SLOT_NONE || connection != p->offer ||
        !connection_step(&pool->connections[connection], CONNECTION_ACK, OUTCOME_NONE)) {
        return false;
    }
    pool->connections[connection].acked_us = now_us;
    p->offer = SLOT_NONE;
    p->taken_count++;
    pool_hold(pool, process, connection);
    pool_push(pool, POOL_RELEASE, process, connection, OUTCOME_NONE);
    if (p->state == PROCESS_KILLED) {
        return true;
    }
    settle_offer(pool, p); /* late or not, it is taken: nothing to end the process for */
    if (p->breach) {
        go_on_without_channel(pool, process, now_us);
    } else if (pool->stopping) {
        pool_drain_process(pool, process, now_us);
    }
    pool_update_idle(pool, process);
    pool_dispatch(pool, p->service, now_us);
    return true;
}

/* What becomes of a process that has just lost an offer or finished a connection. */
static void after_connection(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    bool has_offer = p->offer != SLOT_NONE;
    if (p->state == PROCESS_READY && !has_offer && (process_is_finished(p) || pool->stopping)) {
        pool_drain_process(pool, process, now_us);
    } else if (p->state > PROCESS_READY && p->held_count == 0 && !has_offer) {
        close_channel(pool, process);
        pool_bound_drain(pool, p, now_us);
    } else if (p->state == PROCESS_DRAINING && p->held_count == 0 && p->fault != OUTCOME_NONE) {
        pool_kill_process(pool, process,
                          now_us); /* only its last offer still waited for the others */
    }
    pool_update_idle(pool, process);
    pool_dispatch(pool, p->service, now_us);
}

/* Back to the queue, with no attempt lost. */
static void decline(struct pool *pool, struct process *p, uint32_t connection, uint64_t now_us) {
    connection_step(&pool->connections[connection], CONNECTION_DECLINE, OUTCOME_NONE);
    p->offer = SLOT_NONE;
    p->life_left_count++;
    pool_enqueue(pool, connection);
    if (pool->stopping) {
        pool_end_connection(pool, connection, OUTCOME_DRAINED, now_us);
    }
}

bool pool_nack(struct pool *pool, uint32_t process, uint32_t connection, enum pool_decline reason,
               uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (p->state == PROCESS_KILLED) {
        return true;
    }
    if (connection == SLOT_NONE || connection != p->offer) {
        return false;
    }
    settle_offer(pool, p);
    if (reason == POOL_DECLINE_REFUSE) {
        pool->connections[connection].attempts_used++;
        pool_end_connection(pool, connection, OUTCOME_REJECTED, now_us);
    } else if (p->taken_count == 0) {
        /* Declined the first offer of its life: it wasted a launch, and counts as an attempt, or
         * a handler that always declines would be launched for ever. */
        pool_fail_attempt(pool, process, connection, OUTCOME_REJECTED, now_us);
    } else {
        decline(pool, p, connection, now_us);
    }
    if (reason == POOL_DECLINE_RETIRE || (reason == POOL_DECLINE_BUSY && p->held_count == 0)) {
        p->life_left_count = 0; /* busy with nothing of ours: it would decline for ever */
    }
    p->busy = reason == POOL_DECLINE_BUSY;
    if (p->breach && p->state != PROCESS_KILLED) {
        go_on_without_channel(pool, process, now_us);
    }
    after_connection(pool, process, now_us);
    return true;
}

void pool_abandoned(struct pool *pool, uint32_t connection, uint64_t now_us) {
    uint32_t process = pool->connections[connection].process;
    struct process *p = &pool->processes[process];
    struct connection *c = &pool->connections[connection];
    c->attempts_used++;
    pool_end_connection(pool, connection, c->is_activation ? OUTCOME_DRAINED : OUTCOME_ABANDONED,
                        now_us);
    settle_offer(pool, p);
    /* A process for one connection was launched for this client; nobody would expect it to stay. */
    if (pool_service_of(pool, p->service)->reuse_count > 1) {
        p->life_left_count++;
    }
    after_connection(pool, process, now_us);
}

bool pool_done(struct pool *pool, uint32_t process, uint32_t connection, uint8_t status,
               uint64_t now_us) {
    if (connection == SLOT_NONE || pool->connections[connection].state != CONNECTION_HELD) {
        return false;
    }
    pool->processes[process].busy = false;
    pool->connections[connection].has_status = true;
    pool->connections[connection].status = status;
    pool_end_connection(pool, connection, status == 0 ? OUTCOME_SERVED : OUTCOME_FAILED, now_us);
    after_connection(pool, process, now_us);
    return true;
}

bool pool_retire(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (p->state == PROCESS_KILLED) {
        return true;
    }
    if (p->state == PROCESS_LAUNCHED) {
        return false;
    }
    p->life_left_count = 0;
    after_connection(pool, process, now_us);
    return true;
}

/* ---- The end of the channel ---- */

void pool_breach(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    p->breach = true;
    if (p->state == PROCESS_KILLED) {
        return; /* its last words are read for an ACK; the rest does not matter */
    }
    if (p->offer != SLOT_NONE || p->held_count == 0) {
        pool_fault_process(pool, process, OUTCOME_HANDSHAKE_INVALID, now_us);
    }
    /* Behind what was wrong there may be the ACK. */
    if (p->state != PROCESS_KILLED && p->offer == SLOT_NONE) {
        go_on_without_channel(pool, process, now_us);
    }
}

/* The handshake has gone wrong because the process is ending, or so it seems. */
static void await_exit(struct pool *pool, struct process *p, enum outcome fault, uint64_t now_us) {
    p->fault = fault;
    if (p->offer != SLOT_NONE) {
        connection_step(&pool->connections[p->offer], CONNECTION_RECALL, OUTCOME_NONE);
    }
    pool_set_deadline(pool, p, now_us + EXIT_GRACE_US);
}

void pool_channel_ended(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    bool before_hello = p->greeted_us == 0;
    if (!p->channel_open) {
        return;
    }
    if (p->state == PROCESS_KILLED) {
        close_channel(pool, process);
    } else if (p->held_count == 0 && (before_hello || p->offer != SLOT_NONE)) {
        close_channel(pool, process);
        await_exit(pool, p, before_hello ? OUTCOME_LAUNCH_FAILED : OUTCOME_HANDSHAKE_INVALID,
                   now_us);
    } else {
        if (p->offer != SLOT_NONE) {
            pool_fault_process(pool, process, OUTCOME_HANDSHAKE_INVALID, now_us);
        }
        go_on_without_channel(pool, process, now_us);
    }
    pool_update_idle(pool, process);
}

void pool_offer_failed(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (p->offer == SLOT_NONE || p->state != PROCESS_READY) {
        return;
    }
    if (p->taken_count > 0) {
        /* Nothing has reached it. A process that fails at its first offer counts as an attempt, or
         * there would be no end to launching. */
        decline(pool, p, p->offer, now_us);
    }
    if (p->held_count > 0) {
        pool_fault_process(pool, process, OUTCOME_HANDSHAKE_INVALID, now_us);
    } else {
        /* Most likely it is ending, and its exit tells more. */
        await_exit(pool, p, OUTCOME_HANDSHAKE_INVALID, now_us);
        pool_update_idle(pool, process);
    }
    pool_dispatch(pool, p->service, now_us);
}

/* ---- Exit ---- */

static enum outcome lost_outcome(const struct process *p, struct pool_exit how) {
    if (p->fault == OUTCOME_NONE && p->state >= PROCESS_TERMINATED) {
        return OUTCOME_DRAINED; /* ended by a stop, not for what it did */
    }
    if (p->state != PROCESS_KILLED && how.by_signal) {
        return OUTCOME_CRASHED;
    }
    if (p->fault != OUTCOME_NONE) {
        return p->fault;
    }
    return p->greeted_us == 0 ? OUTCOME_LAUNCH_FAILED : OUTCOME_HANDSHAKE_INVALID;
}

static enum outcome held_outcome(const struct pool *pool, const struct process *p,
                                 struct pool_exit how) {
    if (p->fault == OUTCOME_NONE && !p->breach && p->state >= PROCESS_TERMINATED) {
        return pool->stopping ? OUTCOME_DRAINED : OUTCOME_CRASHED;
    }
    if (p->state == PROCESS_DRAINING && has_bare_listener(pool, p) &&
        (how.by_signal || how.code != 0)) {
        return OUTCOME_DRAINED; /* most programs know no better answer to SIGTERM than to end by it
                                 */
    }
    if (p->breach || how.by_signal || p->state == PROCESS_KILLED) {
        return OUTCOME_CRASHED;
    }
    return how.code == 0 ? OUTCOME_SERVED : OUTCOME_FAILED;
}

static void note_exit(struct connection *c, struct pool_exit how) {
    c->has_exit = true;
    c->exit_by_signal = how.by_signal;
    c->exit_code = how.code;
}

void pool_exiting(struct pool *pool, uint32_t process) {
    pool->processes[process].exiting = true;
    pool_update_idle(pool, process);
}

void pool_exited(struct pool *pool, uint32_t process, struct pool_exit how, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    timers_unset(&pool->timers, &p->timer);
    while (p->first_held != SLOT_NONE) {
        note_exit(&pool->connections[p->first_held], how);
        pool_end_connection(pool, p->first_held, held_outcome(pool, p, how), now_us);
    }
    uint32_t lost = p->wanted_by != SLOT_NONE ? p->wanted_by : p->offer;
    if (lost != SLOT_NONE) {
        note_exit(&pool->connections[lost], how);
        pool_fail_attempt(pool, process, lost, lost_outcome(p, how), now_us);
    }
    process_advance(p, PROCESS_KILLED);
    pool_update_idle(pool, process);
    pool_push(pool, POOL_CLOSE_PROCESS, process, SLOT_NONE, OUTCOME_NONE);
}
