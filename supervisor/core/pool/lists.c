/* The lists of the pool: the queue of a service, what a process holds, and who is idle. All are
 * linked through the tables, by slot. */
#include "core/pool/internal.h"

/* ---- Who waits, by age ---- */

void pool_enqueue(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct pool_service *service = c->served;
    c->process = SLOT_NONE;
    c->previous = service->queue_last;
    c->next = SLOT_NONE;
    /* From the end, where a new one belongs; one that comes back is older than most. */
    while (c->previous != SLOT_NONE && pool->connections[c->previous].id > c->id) {
        c->next = c->previous;
        c->previous = pool->connections[c->previous].previous;
    }
    *(c->previous == SLOT_NONE ? &service->queue_first : &pool->connections[c->previous].next) =
        connection;
    *(c->next == SLOT_NONE ? &service->queue_last : &pool->connections[c->next].previous) =
        connection;
}

void pool_dequeue(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct pool_service *service = c->served;
    *(c->previous == SLOT_NONE ? &service->queue_first : &pool->connections[c->previous].next) =
        c->next;
    *(c->next == SLOT_NONE ? &service->queue_last : &pool->connections[c->next].previous) =
        c->previous;
    c->next = c->previous = SLOT_NONE;
}

void pool_hold(struct pool *pool, uint32_t process, uint32_t connection) {
    uint32_t most_ms = pool->connections[connection].rules->max_runtime_ms;
    struct connection *c = &pool->connections[connection];
    struct process *p = &pool->processes[process];
    c->previous = SLOT_NONE;
    c->next = p->first_held;
    if (c->next != SLOT_NONE) {
        pool->connections[c->next].previous = connection;
    }
    p->first_held = connection;
    p->held_count++;
    if (most_ms > 0) {
        timers_after(pool->timers, &c->timer, pool_ms(most_ms));
    }
}

void pool_unhold(struct pool *pool, uint32_t process, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct process *p = &pool->processes[process];
    *(c->previous == SLOT_NONE ? &p->first_held : &pool->connections[c->previous].next) = c->next;
    if (c->next != SLOT_NONE) {
        pool->connections[c->next].previous = c->previous;
    }
    c->next = c->previous = SLOT_NONE;
    p->held_count--;
    p->overdue_count -= c->is_overdue ? 1 : 0;
}

/* ---- Who is idle ---- */

void pool_update_idle(struct pool *pool, struct process *p) {
    uint32_t *first = &p->served->idle_first;
    bool idle = process_takes_offers(p);
    if (idle == p->is_idle) {
        return;
    }
    p->is_idle = idle;
    if (idle) {
        p->previous = SLOT_NONE;
        p->next = *first;
        if (p->next != SLOT_NONE) {
            pool->processes[p->next].previous = p->slot;
        }
        *first = p->slot;
        return;
    }
    *(p->previous == SLOT_NONE ? first : &pool->processes[p->previous].next) = p->next;
    if (p->next != SLOT_NONE) {
        pool->processes[p->next].previous = p->previous;
    }
}
