/* Time and the ordered stop: what happens when a deadline passes, and how all come to an end. */
#include "core/pool/internal.h"

/* It was killed and does not end. A client that it may have taken is not offered to another; one
 * that it was never offered is. While the supervisor goes on, the process keeps its slot until it
 * ends; a stop does not wait for it. */
static void give_up_on(struct pool *pool, struct process *p) {
    enum outcome outcome = p->fault;
    if (outcome == OUTCOME_NONE) {
        outcome = p->served->stopped ? OUTCOME_DRAINED : OUTCOME_CRASHED;
    }
    pool_push_process(pool, POOL_STUCK, p, SLOT_NONE, outcome);
    while (p->first_held != SLOT_NONE) {
        pool_end_connection(pool, p->first_held,
                            p->served->stopped ? OUTCOME_DRAINED : OUTCOME_CRASHED);
    }
    uint32_t offered = p->is_offered_early && p->offer == SLOT_NONE ? p->wanted_by : p->offer;
    if (offered != SLOT_NONE) {
        pool->connections[offered].attempts_used++;
        pool_end_connection(pool, offered, outcome);
    }
    if (p->wanted_by != SLOT_NONE) {
        pool_fail_attempt(pool, p->slot, p->wanted_by, outcome);
    }
    if (pool->stopping) {
        pool_push_process(pool, POOL_CLOSE_PROCESS, p, SLOT_NONE, OUTCOME_NONE);
    }
    pool_dispatch(pool, p->service);
}

static void process_expired(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    switch (p->state) {
    case PROCESS_LAUNCHED:
    case PROCESS_READY:
        if (p->state == PROCESS_READY && p->offer == SLOT_NONE && p->fault == OUTCOME_NONE) {
            pool_retire_process(pool, p, RETIRE_AGE); /* the one deadline that it has then */
        } else if (p->fault == OUTCOME_NONE && !pool_has_outstayed_stop(pool, p)) {
            pool_fault_process(pool, p, OUTCOME_HANDSHAKE_TIMEOUT);
        } else {
            pool_recall_offer(pool, p);
            pool_kill_process(pool, p, RETIRE_STOP);
        }
        break;
    case PROCESS_DRAINING:
        if (p->fault != OUTCOME_NONE) {
            pool_kill_process(pool, p, RETIRE_FAULT);
        } else {
            pool_terminate_process(pool, p, RETIRE_STOP);
        }
        break;
    case PROCESS_TERMINATED:
        pool_kill_process(pool, p, RETIRE_STOP);
        break;
    case PROCESS_KILLED:
        give_up_on(pool, p);
        break;
    case PROCESS_FREE:
        break;
    }
    pool_dispatch(pool, p->service);
}

static void connection_expired(struct pool *pool, uint32_t connection) {
    const struct connection *c = &pool->connections[connection];
    if (c->state == CONNECTION_HELD) {
        pool_overran(pool, connection);
    } else if (c->awaits_turn) {
        pool_begin(pool, connection, NULL, NULL);
    } else {
        pool_begin_failed(pool, connection,
                          c->awaits_byte ? OUTCOME_NO_FIRST_BYTE : OUTCOME_PROXY_TIMEOUT, NULL);
    }
}

void pool_expired(struct pool *pool, uint64_t token) {
    uint32_t index = token_index(token);
    switch ((enum pool_token)token_type(token)) {
    case POOL_TOKEN_PROCESS:
        process_expired(pool, index);
        break;
    case POOL_TOKEN_CONNECTION:
        connection_expired(pool, index);
        break;
    case POOL_TOKEN_PAUSE:
        pool_tell_room(pool, index);
        break;
    case POOL_TOKEN_COMMON_PAUSE:
        pool_tell_room_in_table(pool);
        break;
    case POOL_TOKEN_SHORTAGE:
        pool_tell_room(pool, index);
        pool_dispatch(pool, index);
        break;
    case POOL_TOKEN_BUSY:
        pool_dispatch(pool, index);
        break;
    case POOL_TOKEN_PATIENCE:
        pool_doubt(pool, index);
        break;
    case POOL_TOKEN_IDLE:
        pool_drain_surplus(pool, index);
        break;
    case POOL_TOKEN_TARGET:
        pool_look_at_target(pool, index);
        break;
    case POOL_TOKEN_SPARES:
        pool_update_wants(pool, index);
        break;
    case POOL_TOKEN_STARVED:
        /* Launches are carried out after this call; those that fail starve the pool again. */
        pool_dispatch_all(pool);
        break;
    case POOL_TOKEN_TRIAL:
        pool_pass_trial(pool, &pool->services[index].trial);
        pool_dispatch(pool, index);
        break;
    case POOL_TOKEN_COMMON_TRIAL:
        pool_pass_trial(pool, &pool->trial);
        pool_dispatch_all(pool);
        break;
    case POOL_TOKEN_END:
        break;
    }
}

bool pool_is_empty(const struct pool *pool) {
    return pool->connection_slots.in_use_count == 0 && pool->process_slots.in_use_count == 0;
}

/* ---- The stop ---- */

static void stop_process(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    pool_drop_activation(pool, p);
    if (p->state == PROCESS_LAUNCHED && p->wanted_by == SLOT_NONE && p->offer == SLOT_NONE) {
        pool_drain_process(pool, p, RETIRE_STOP);
    } else if (p->state == PROCESS_KILLED && !timer_is_set(&p->timer) && !p->exiting) {
        pool_set_deadline(pool, p,
                          POOL_KILL_GRACE_US); /* given up on before; try for the last time */
    } else if (p->state == PROCESS_READY && (p->offer == SLOT_NONE || p->held_count > 0)) {
        pool_drain_process(pool, p, RETIRE_STOP); /* an ACK counts behind DRAIN as well */
    } else if (p->state == PROCESS_LAUNCHED) {
        pool_bound_launch(pool, p);
    } else if (p->state <= PROCESS_READY) {
        pool_bound_handshake(pool, p);
    } else {
        pool_bound_drain(pool, p);
    }
}

static void stop_service(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    s->stopped = true;
    s->stopped_us = pool->timers->now_us;
    while (s->queue.first != SLOT_NONE) {
        pool_end_connection(pool, s->queue.first, OUTCOME_DRAINED);
    }
    timers_unset(pool->timers, &s->pause);
    timers_unset(pool->timers, &s->patience);
    pool_want_no_spares(pool, service);
    shortage_relieve(&s->shortage, pool->timers);
    shortage_relieve(&s->busy, pool->timers);
}

/* Connections and processes of the services that are stopped. */
static void stop_what_they_have(struct pool *pool) {
    SLOTS_EACH(slot, &pool->connection_slots) {
        if (pool->connections[slot].served->stopped) {
            pool_begin_failed(pool, slot, OUTCOME_DRAINED, NULL);
        }
    }
    SLOTS_EACH(slot, &pool->process_slots) {
        if (pool->processes[slot].served->stopped) {
            stop_process(pool, slot);
        }
    }
}

void pool_stop(struct pool *pool) {
    pool->stopping = true;
    shortage_relieve(&pool->starved, pool->timers);
    timers_unset(pool->timers, &pool->pause);
    SLOTS_EACH(service, &pool->registry->slots) {
        stop_service(pool, service);
    }
    stop_what_they_have(pool);
}

void pool_stop_service(struct pool *pool, uint32_t service) {
    stop_service(pool, service);
    stop_what_they_have(pool);
}

void pool_hurry(struct pool *pool) {
    SLOTS_EACH(slot, &pool->process_slots) {
        struct process *p = &pool->processes[slot];
        if (p->state != PROCESS_KILLED) {
            pool_recall_offer(pool, p);
            pool_kill_process(pool, p, RETIRE_STOP);
        }
    }
}
