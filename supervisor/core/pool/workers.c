/* Workers: activations that share a listener, each of which is replaced when it ends. */
#include "core/pool/internal.h"

void pool_dismiss_worker(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    if (c->state != CONNECTION_HELD || c->is_dismissed) {
        return;
    }
    struct process *p = &pool->processes[c->process];
    bool is_ready = p->state == PROCESS_READY;
    c->is_dismissed = true;
    pool_drain_process(pool, p, pool->stopping ? RETIRE_STOP : RETIRE_CHANGED);
    if (is_ready && !pool->stopping) {
        timers_unset(pool->timers, &p->timer); /* whom it serves it may go on with */
    }
}

void pool_dismiss_workers(struct pool *pool, uint32_t service) {
    SLOTS_EACH(slot, &pool->connection_slots) {
        const struct connection *c = &pool->connections[slot];
        if (c->service == service && c->is_activation && c->rules->workers_count > 0) {
            pool_dismiss_worker(pool, slot);
        }
    }
}
