/* Who gets whom: idle processes, waiting connections, and launches for those that find none. */
#include "core/pool/internal.h"

#include <assert.h>

void pool_update_idle(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    uint32_t *first = &pool->services[p->service].idle_first;
    bool idle = process_takes_offers(p);
    if (idle == p->is_idle) {
        return;
    }
    p->is_idle = idle;
    if (idle) {
        p->previous = SLOT_NONE;
        p->next = *first;
        if (p->next != SLOT_NONE) {
            pool->processes[p->next].previous = process;
        }
        *first = process;
        return;
    }
    *(p->previous == SLOT_NONE ? first : &pool->processes[p->previous].next) = p->next;
    if (p->next != SLOT_NONE) {
        pool->processes[p->next].previous = p->previous;
    }
}

/* The record tells of the last attempt alone. */
static void forget_attempt(struct connection *c) {
    c->pid = 0;
    c->has_exit = false;
    c->launched_us = c->greeted_us = c->offered_us = 0;
}

void pool_offer(struct pool *pool, uint32_t process, uint32_t connection, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    struct connection *c = &pool->connections[connection];
    const struct service *service = pool_service_of(pool, p->service);
    connection_step(c, CONNECTION_OFFER, OUTCOME_NONE);
    forget_attempt(c);
    c->process = process;
    c->pid = p->pid;
    c->launched_us = p->launched_us;
    c->greeted_us = p->greeted_us;
    c->offered_us = now_us;
    p->offer = connection;
    p->life_left_count--;
    timers_set(&pool->timers, &p->timer, now_us + pool_ms(service->handshake_timeout_ms));
    pool_update_idle(pool, process);
    pool_push(pool, POOL_OFFER, process, connection, OUTCOME_NONE);
}

void pool_free_process(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    pool->services[p->service].process_count--;
    p->state = PROCESS_FREE;
    slots_give(&pool->process_slots, process);
}

static bool may_launch(struct pool *pool, uint32_t connection) {
    uint32_t service = pool->connections[connection].service;
    struct pool_service *s = &pool->services[service];
    uint32_t most_count =
        pool_service_of(pool, service)->max_connections_count * POOL_PROCESSES_PER_CONNECTION;
    if (s->process_count < most_count) {
        return true;
    }
    if (!s->crowded) {
        s->crowded = true;
        pool_push(pool, POOL_CROWDED, SLOT_NONE, connection, OUTCOME_NONE);
    }
    return false;
}

static void launch_for(struct pool *pool, uint32_t connection, uint64_t now_us) {
    struct connection *c = &pool->connections[connection];
    const struct service *service = pool_service_of(pool, c->service);
    uint32_t slot = slots_take(&pool->process_slots);
    assert(slot != SLOT_NONE); /* the table has room for what all services may have */
    pool->services[c->service].process_count++;
    pool->processes[slot] =
        (struct process){.state = PROCESS_LAUNCHED,
                         .service = c->service,
                         .wanted_by = connection,
                         .offer = SLOT_NONE,
                         .first_held = SLOT_NONE,
                         .life_left_count = service->reuse_count,
                         .channel_open = service->has_channel,
                         .timer = {.owner = pool_timer_owner(POOL_TIMER_PROCESS, slot)},
                         .launched_us = now_us};
    timers_set(&pool->timers, &pool->processes[slot].timer,
               now_us + pool_ms(service->handshake_timeout_ms));
    c->process = slot;
    forget_attempt(c);
    pool_push(pool, POOL_LAUNCH, slot, connection, OUTCOME_NONE);
}

void pool_dispatch(struct pool *pool, uint32_t service, uint64_t now_us) {
    struct pool_service *s = &pool->services[service];
    while (s->queue_first != SLOT_NONE) {
        uint32_t connection = s->queue_first;
        if (s->idle_first != SLOT_NONE) {
            pool_dequeue(pool, connection);
            pool_offer(pool, s->idle_first, connection, now_us);
            continue;
        }
        if (pool->stopping || pool->starved.position != 0 || !may_launch(pool, connection)) {
            return;
        }
        pool_dequeue(pool, connection);
        launch_for(pool, connection, now_us);
    }
    s->crowded = false;
}

void pool_starve(struct pool *pool, uint64_t now_us) {
    timers_set(&pool->timers, &pool->starved, now_us + POOL_STARVED_RETRY_US);
}

void pool_dispatch_all(struct pool *pool, uint64_t now_us) {
    for (uint32_t i = 0; i < pool->table->service_count; i++) {
        pool_dispatch(pool, i, now_us);
    }
}

void pool_reaped(struct pool *pool, uint32_t process, uint64_t now_us) {
    bool was_starved = pool->starved.position != 0;
    uint32_t service = pool->processes[process].service;
    pool_free_process(pool, process);
    if (was_starved) {
        timers_unset(&pool->timers, &pool->starved);
        pool_dispatch_all(pool, now_us);
    } else {
        pool_dispatch(pool, service, now_us);
    }
}
