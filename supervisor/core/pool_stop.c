/* Time and the ordered stop: what happens to a process whose deadline passes, and how all of them
 * come to an end. */
#include "core/pool_internal.h"

static void terminate_process(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (process_advance(p, PROCESS_TERMINATED)) {
        pool_push(pool, POOL_TERMINATE, process, SLOT_NONE, p->fault);
        pool_set_deadline(pool, p, now_us + pool_stop_timeout_us(pool, p));
    }
}

/* It was killed and does not end. A client that it may have taken is not offered to another; one
 * that it was never offered is. While the supervisor goes on, the process keeps its slot until it
 * ends; a stop does not wait for it. */
static void give_up_on(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    enum outcome outcome = p->fault;
    if (outcome == OUTCOME_NONE) {
        outcome = pool->stopping ? OUTCOME_DRAINED : OUTCOME_CRASHED;
    }
    pool_push(pool, POOL_STUCK, process, SLOT_NONE, outcome);
    while (p->first_held != SLOT_NONE) {
        pool_end_connection(pool, p->first_held, pool->stopping ? OUTCOME_DRAINED : OUTCOME_CRASHED,
                            now_us);
    }
    if (p->offer != SLOT_NONE) {
        pool->connections[p->offer].attempts_used++;
        pool_end_connection(pool, p->offer, outcome, now_us);
    }
    if (p->wanted_by != SLOT_NONE) {
        pool_fail_attempt(pool, process, p->wanted_by, outcome, now_us);
    }
    if (pool->stopping) {
        pool_push(pool, POOL_CLOSE_PROCESS, process, SLOT_NONE, OUTCOME_NONE);
    }
    pool_dispatch(pool, p->service, now_us);
}

void pool_process_expired(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    switch (p->state) {
    case PROCESS_LAUNCHED:
    case PROCESS_READY:
        if (p->fault == OUTCOME_NONE) {
            pool_fault_process(pool, process, OUTCOME_HANDSHAKE_TIMEOUT, now_us);
        } else {
            pool_kill_process(pool, process, now_us);
        }
        break;
    case PROCESS_DRAINING:
        if (p->fault != OUTCOME_NONE) {
            pool_kill_process(pool, process, now_us);
        } else {
            terminate_process(pool, process, now_us);
        }
        break;
    case PROCESS_TERMINATED:
        pool_kill_process(pool, process, now_us);
        break;
    case PROCESS_KILLED:
        give_up_on(pool, process, now_us);
        break;
    case PROCESS_FREE:
        break;
    }
}

static void stop_process(struct pool *pool, uint32_t process, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    if (p->state == PROCESS_LAUNCHED && p->wanted_by == SLOT_NONE) {
        pool_kill_process(pool, process, now_us);
    } else if (p->state == PROCESS_KILLED && p->timer.position == 0 && !p->exiting) {
        pool_set_deadline(
            pool, p, now_us + POOL_KILL_GRACE_US); /* given up on before; try for the last time */
    } else if (p->state == PROCESS_READY && p->offer == SLOT_NONE) {
        pool_drain_process(pool, process, now_us);
    } else {
        pool_bound_drain(pool, p, now_us);
    }
}

void pool_stop(struct pool *pool, uint64_t now_us) {
    pool->stopping = true;
    timers_unset(&pool->timers, &pool->starved);
    for (uint32_t i = 0; i < pool->table->service_count; i++) {
        while (pool->services[i].queue_first != SLOT_NONE) {
            pool_end_connection(pool, pool->services[i].queue_first, OUTCOME_DRAINED, now_us);
        }
    }
    for (uint32_t slot = 0; slot < pool->process_slots.used_mark; slot++) {
        if (slots_is_used(&pool->process_slots, slot)) {
            stop_process(pool, slot, now_us);
        }
    }
}

void pool_hurry(struct pool *pool, uint64_t now_us) {
    for (uint32_t slot = 0; slot < pool->process_slots.used_mark; slot++) {
        struct process *p = &pool->processes[slot];
        if (slots_is_used(&pool->process_slots, slot) && p->state != PROCESS_KILLED) {
            if (p->offer != SLOT_NONE) {
                connection_step(&pool->connections[p->offer], CONNECTION_RECALL, OUTCOME_NONE);
            }
            pool_kill_process(pool, slot, now_us);
        }
    }
}
