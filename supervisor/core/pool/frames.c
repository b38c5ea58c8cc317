/* What handlers say on their channels, and what becomes of an offer that was not answered. */
#include "core/pool/internal.h"

/* Its client's environment, or the stop, lets it serve no other; else who waits for the longest is
 * the first, and its own client may find it taken. */
static void begin_offers(struct pool *pool, struct process *p, uint32_t connection) {
    bool is_for_it =
        connection != SLOT_NONE && (!service_serves_many(p->rules) || p->served->stopped);
    if (is_for_it) {
        pool_expect_no_more(pool, connection);
        pool_offer(pool, p->slot, connection);
    } else if (connection != SLOT_NONE) {
        pool_requeue(pool, connection);
    }
    pool_update_process(pool, p);
    pool_dispatch(pool, p->service);
}

/* What it was offered before it is offered from now on, as far as times go. */
static void greet(struct pool *pool, struct process *p, uint32_t pid) {
    p->greeted_us = pool->timers->now_us;
    if (p->offer != SLOT_NONE) {
        struct connection *c = &pool->connections[p->offer];
        c->pid = pid;
        c->greeted_us = c->offered_us = p->greeted_us;
    }
}

bool pool_hello(struct pool *pool, uint32_t process, uint32_t pid, uint32_t capacity_count) {
    struct process *p = &pool->processes[process];
    uint32_t connection = p->wanted_by;
    if (p->greeted_us != 0) {
        return false;
    }
    if (p->state == PROCESS_KILLED || p->exiting) {
        greet(pool, p, pid); /* its client waits for pool_exited(), or for an ACK behind this */
        return true;
    }
    if (p->state != PROCESS_LAUNCHED || !process_advance(p, PROCESS_READY)) {
        return false;
    }
    p->pid = pid; /* a shim may have started the one that speaks; it gets the socket */
    p->capacity_count = capacity_count;
    greet(pool, p, pid);
    if (p->offer != SLOT_NONE) {
        pool_await_answer(pool, p);
    } else {
        pool_rest(pool, p);
    }
    if (capacity_count > 1) {
        pool_push_process(pool, POOL_SEND_LIMITS, p, SLOT_NONE, OUTCOME_NONE);
    }
    p->served->expected_count = process_offers_at_a_time(p);
    pool_note_greeting(p);
    timers_unset(pool->timers, &p->served->patience); /* who still waits begins anew */
    begin_offers(pool, p, connection);
    p->has_waited = p->offer == SLOT_NONE;
    return true;
}

/* The offer was answered: its deadline is void. That of an ordered stop holds. */
static void settle_offer(struct pool *pool, struct process *p) {
    p->fault = OUTCOME_NONE;
    if (p->state == PROCESS_READY) {
        pool_rest(pool, p);
    } else if (p->state == PROCESS_DRAINING && !p->served->stopped) {
        timers_unset(pool->timers, &p->timer);
    }
}

bool pool_ack(struct pool *pool, uint32_t process, uint32_t connection,
              const struct pool_words *words) {
    struct process *p = &pool->processes[process];
    if (connection == SLOT_NONE || connection != p->offer ||
        !connection_step(&pool->connections[connection], CONNECTION_ACK, OUTCOME_NONE)) {
        return false;
    }
    pool->connections[connection].acked_us = pool->timers->now_us;
    if (words->pid != 0) {
        pool->connections[connection].pid = words->pid;
    }
    p->offer = SLOT_NONE;
    pool_note_taken(pool, connection);
    pool_hold(pool, process, connection);
    pool_push_connection(pool, POOL_RELEASE, connection, process, OUTCOME_NONE);
    if (p->state == PROCESS_KILLED) {
        return true;
    }
    settle_offer(pool, p); /* late or not, it is taken: nothing to end the process for */
    pool_settle_taken(pool, p, connection);
    pool_update_process(pool, p);
    pool_end_if_killed(pool, connection);
    pool_dispatch(pool, p->service);
    return true;
}

/* What becomes of a process that has just lost an offer or finished a connection. */
static void after_connection(struct pool *pool, struct process *p) {
    bool has_offer = p->offer != SLOT_NONE;
    if (p->state == PROCESS_READY && !has_offer && (process_is_finished(p) || p->served->stopped)) {
        pool_drain_process(pool, p,
                           p->served->stopped ? RETIRE_STOP
                           : p->is_outdated   ? RETIRE_CHANGED
                                              : RETIRE_REUSE);
    } else if (p->state > PROCESS_READY && p->held_count == 0 && !has_offer) {
        pool_close_channel(pool, p);
        pool_bound_drain(pool, p);
    } else if (p->state == PROCESS_DRAINING && p->held_count == 0 && p->fault != OUTCOME_NONE) {
        pool_kill_process(pool, p,
                          RETIRE_FAULT); /* only its last offer still waited for the others */
    }
    pool_end_overdue(pool, p);
    pool_update_process(pool, p);
    pool_dispatch(pool, p->service);
}

/* It has finished what had gone on for too long, or has its last offer back: unless another has its
 * place, it is good again. */
static void come_back(struct pool *pool, struct process *p, enum retire_reason reason) {
    pool_update_process(pool, p);
    if (p->served->sums.handlers_count > service_max_handlers(p->rules)) {
        process_retire(p, reason);
    }
}

/* What it was offered is no part of its life. */
static void take_back(struct pool *pool, struct process *p) {
    process_count_offer(p, -1);
    come_back(pool, p, RETIRE_REUSE);
}

/* It had not taken anybody, and says that it is busy: so what it lacks others have, those of its
 * service that have, and have not ended yet. What becomes free of that when they have done with a
 * client serves the next one; a launch could do no more than this one, and is tried again when one
 * of them has ended, or after a while. Where there are none it is the handler's fault. */
static bool is_crowded_out(struct pool *pool, struct process *p, enum pool_decline reason) {
    struct pool_service *s = p->served;
    if (reason != POOL_DECLINE_BUSY || s->proven_count == 0) {
        return false;
    }
    if (!shortage_lasts(&s->busy)) {
        (void)shortage_hit(&s->busy, pool->timers);
    }
    return true;
}

/* Back to the queue, with no attempt lost. */
static void decline(struct pool *pool, struct process *p, uint32_t connection) {
    connection_step(&pool->connections[connection], CONNECTION_DECLINE, OUTCOME_NONE);
    p->offer = SLOT_NONE;
    take_back(pool, p);
    pool_come_back(pool, connection);
}

bool pool_nack(struct pool *pool, uint32_t process, uint32_t connection, enum pool_decline reason,
               const struct pool_words *words) {
    struct process *p = &pool->processes[process];
    if (p->state == PROCESS_KILLED) {
        return true;
    }
    if (connection == SLOT_NONE || connection != p->offer) {
        return false;
    }
    settle_offer(pool, p);
    pool_keep_text(pool, connection, words->text, words->text_bytes);
    if (reason == POOL_DECLINE_REFUSE) {
        pool->connections[connection].attempts_used++;
        pool_end_connection(pool, connection, OUTCOME_REJECTED);
    } else if (p->taken_count == 0 && !is_crowded_out(pool, p, reason)) {
        /* Declined the first offer of its life: it wasted a launch, and counts as an attempt, or
         * a handler that always declines would be launched for ever. */
        pool_fail_attempt(pool, process, connection, OUTCOME_REJECTED);
    } else {
        decline(pool, p, connection);
    }
    if (reason == POOL_DECLINE_RETIRE) {
        process_retire(p, RETIRE_ASKED);
    } else if (reason == POOL_DECLINE_BUSY && p->held_count == 0) {
        process_retire(p, RETIRE_BUSY); /* with nothing of ours: it would decline for ever */
    }
    if (pool->connections[connection].state != CONNECTION_ENDED) {
        pool_keep_text(pool, connection, NULL, 0); /* it was about this attempt alone */
    }
    p->busy = reason == POOL_DECLINE_BUSY;
    after_connection(pool, p);
    return true;
}

void pool_abandoned(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct process *p = &pool->processes[c->process];
    c->attempts_used++;
    pool_end_connection(pool, connection, c->is_activation ? OUTCOME_DRAINED : OUTCOME_ABANDONED);
    settle_offer(pool, p);
    /* A process for one connection was launched for this client; nobody would expect it to stay. */
    if (service_serves_many(p->rules)) {
        take_back(pool, p);
    }
    after_connection(pool, p);
}

bool pool_done(struct pool *pool, uint32_t process, uint32_t connection,
               const struct pool_words *words) {
    if (connection == SLOT_NONE || pool->connections[connection].state != CONNECTION_HELD) {
        return false;
    }
    struct process *p = &pool->processes[process];
    struct connection *c = &pool->connections[connection];
    bool was_overdue = p->overdue_count > 0;
    p->busy = false;
    pool_take_words(pool, connection, words);
    c->has_status = true;
    c->status = words->status;
    pool_end_connection(pool, connection, words->status == 0 ? OUTCOME_SERVED : OUTCOME_FAILED);
    if (was_overdue && p->overdue_count == 0) {
        come_back(pool, p, RETIRE_OVERDUE);
    }
    after_connection(pool, p);
    return true;
}

bool pool_retire(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    if (p->state == PROCESS_KILLED) {
        return true;
    }
    if (p->state == PROCESS_LAUNCHED) {
        return false;
    }
    process_retire(p, RETIRE_ASKED);
    if (p->offer == SLOT_NONE) {
        pool_note_useless(pool, p);
    }
    after_connection(pool, p);
    return true;
}

/* ---- Offers that could not be sent ---- */

void pool_offer_waits(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    timers_after(pool->timers, &p->timer, pool_ms(p->rules->handshake_timeout_ms));
    pool_bound_handshake(pool, p);
}

void pool_offer_failed(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    if (p->offer == SLOT_NONE || p->state != PROCESS_READY) {
        return;
    }
    if (p->taken_count > 0 || p->has_waited) {
        /* Nothing has reached it. A process that fails at the offer for which it was launched
         * counts as an attempt, or there would be no end to launching. */
        decline(pool, p, p->offer);
    }
    if (p->held_count > 0) {
        pool_fault_process(pool, p, OUTCOME_HANDSHAKE_INVALID);
    } else {
        /* Most likely it is ending, and its exit tells more. */
        pool_await_exit(pool, p, OUTCOME_HANDSHAKE_INVALID);
        pool_update_process(pool, p);
    }
    pool_dispatch(pool, p->service);
}
