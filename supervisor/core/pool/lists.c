/* The queues of a service, and what a process holds. Both are linked through the table, by slot. */
#include "core/pool/internal.h"

/* ---- Who waits, by age ---- */

static struct pool_queue *queue_of(struct pool *pool, const struct connection *c) {
    return c->process == SLOT_NONE ? &pool->services[c->service].queue
                                   : &pool->services[c->service].expecting;
}

static void link_in(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct pool_queue *queue = queue_of(pool, c);
    c->previous = queue->last;
    c->next = SLOT_NONE;
    /* From the end, where a new one belongs; one that comes back is older than most. */
    while (c->previous != SLOT_NONE && pool->connections[c->previous].id > c->id) {
        c->next = c->previous;
        c->previous = pool->connections[c->previous].previous;
    }
    *(c->previous == SLOT_NONE ? &queue->first : &pool->connections[c->previous].next) = connection;
    *(c->next == SLOT_NONE ? &queue->last : &pool->connections[c->next].previous) = connection;
    queue->count++;
}

void pool_enqueue(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    c->process = SLOT_NONE;
    link_in(pool, connection);
}

void pool_dequeue(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct pool_queue *queue = queue_of(pool, c);
    *(c->previous == SLOT_NONE ? &queue->first : &pool->connections[c->previous].next) = c->next;
    *(c->next == SLOT_NONE ? &queue->last : &pool->connections[c->next].previous) = c->previous;
    c->next = c->previous = SLOT_NONE;
    queue->count--;
}

/* A client of a service whose processes serve many waits for anyone's launch, and not for the one
 * that is made for it. */
void pool_expect(struct pool *pool, uint32_t process, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    pool_dequeue(pool, connection);
    pool->processes[process].wanted_by = connection;
    c->process = process;
    if (service_serves_many(c->rules)) {
        link_in(pool, connection);
    }
}

void pool_expect_no_more(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    if (service_serves_many(c->rules)) {
        pool_dequeue(pool, connection);
    }
    pool->processes[c->process].wanted_by = SLOT_NONE;
    c->process = SLOT_NONE;
}

void pool_requeue(struct pool *pool, uint32_t connection) {
    pool_expect_no_more(pool, connection);
    link_in(pool, connection);
}

/* ---- What a process holds ---- */

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
