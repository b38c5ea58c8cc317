/* Who gets whom: idle processes, waiting connections, and launches for those that find none. */
#include "core/base/must.h"
#include "core/pool/internal.h"

/* The record tells of the last attempt alone. */
static void forget_attempt(struct connection *c) {
    c->pid = 0;
    c->has_exit = false;
    c->launched_us = c->greeted_us = c->offered_us = 0;
}

void pool_offer(struct pool *pool, uint32_t process, uint32_t connection) {
    struct process *p = &pool->processes[process];
    struct connection *c = &pool->connections[connection];
    const struct service *service = p->rules;
    connection_step(c, CONNECTION_OFFER, OUTCOME_NONE);
    forget_attempt(c);
    c->process = process;
    c->pid = p->pid;
    c->launched_us = p->launched_us;
    c->greeted_us = p->greeted_us;
    c->offered_us = pool->timers->now_us;
    p->offer = connection;
    p->life_left_count--;
    timers_after(pool->timers, &p->timer, pool_ms(service->handshake_timeout_ms));
    pool_bound_handshake(pool, p);
    pool_update_idle(pool, p);
    pool_push_process(pool, POOL_OFFER, p, connection, OUTCOME_NONE);
}

/* The service may have another process, by its own bound. */
static bool may_launch(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    uint32_t most_count =
        pool_service_of(pool, service)->max_connections_count * POOL_PROCESSES_PER_CONNECTION;
    if (s->process_count < most_count) {
        return true;
    }
    if (!s->crowded) {
        s->crowded = true;
        pool_push_service(pool, POOL_CROWDED, service);
    }
    return false;
}

static void launch_for(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    const struct service *service = c->rules;
    uint32_t slot = slots_take(&pool->process_slots);
    must(slot != SLOT_NONE);
    pool_join_service(pool, c->service);
    c->served->process_count++;
    struct process *p = &pool->processes[slot];
    *p = (struct process){0};
    p->state = PROCESS_LAUNCHED;
    p->slot = slot;
    p->service = c->service;
    p->rules = service;
    p->served = c->served;
    p->wanted_by = connection;
    p->offer = SLOT_NONE;
    p->first_held = SLOT_NONE;
    p->life_left_count = service->reuse_count == 0 ? UINT32_MAX : service->reuse_count;
    p->channel_open = service->has_channel;
    p->timer.token = token_make(POOL_TOKEN_PROCESS, 0, slot);
    p->launched_us = pool->timers->now_us;
    timers_after(pool->timers, &p->timer, pool_ms(service->handshake_timeout_ms));
    c->process = slot;
    forget_attempt(c);
    pool_push_process(pool, POOL_LAUNCH, p, connection, OUTCOME_NONE);
}

/* What is short for all, or for this service alone; and a table that is full of processes of
 * services that were, as long as they are. */
static bool is_held_up(struct pool *pool, uint32_t service) {
    if (pool->stopping || shortage_lasts(&pool->starved) ||
        shortage_lasts(&pool->services[service].shortage)) {
        return true;
    }
    if (pool->process_slots.in_use_count == pool->process_slots.count) {
        shortage_hit(&pool->starved, pool->timers);
        return true;
    }
    return false;
}

void pool_dispatch(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    while (s->queue_first != SLOT_NONE) {
        uint32_t connection = s->queue_first;
        if (s->idle_first != SLOT_NONE) {
            pool_dequeue(pool, connection);
            pool_offer(pool, s->idle_first, connection);
            continue;
        }
        if (is_held_up(pool, service) || !may_launch(pool, service)) {
            return;
        }
        pool_dequeue(pool, connection);
        launch_for(pool, connection);
    }
    s->crowded = false;
    if (s->retired) {
        pool_drain_idle(pool, service); /* nobody comes any more whom it could wait for */
    }
}

void pool_dispatch_all(struct pool *pool) {
    pool_visit_in_turn(pool, pool->last_launched, pool_dispatch);
}
