/* Activations that are to go while their service, or their listener, goes on: workers, each of
 * which is replaced when it ends, and all of a service that has left the config. */
#include "core/pool/internal.h"

void pool_dismiss(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    if (c->state != CONNECTION_HELD || c->is_dismissed) {
        return;
    }
    struct process *p = &pool->processes[c->process];
    bool is_ready = p->state == PROCESS_READY;
    c->is_dismissed = true;
    pool_drain_process(pool, p, c->served->stopped ? RETIRE_STOP : RETIRE_CHANGED);
    if (is_ready && !c->served->stopped) {
        timers_unset(pool->timers, &p->timer); /* whom it serves it may go on with */
    }
}

void pool_drop_activation(struct pool *pool, struct process *p) {
    if (p->wanted_by != SLOT_NONE && pool->connections[p->wanted_by].is_activation) {
        pool_end_connection(pool, p->wanted_by, OUTCOME_DRAINED);
    }
}

/* The activations of a service whose listeners are another's now, or closed. */
static void dismiss_all(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    while (s->queue.first != SLOT_NONE && pool->connections[s->queue.first].is_activation) {
        pool_end_connection(pool, s->queue.first, OUTCOME_DRAINED);
    }
    SLOTS_EACH(slot, &pool->process_slots) {
        struct process *p = &pool->processes[slot];
        if (p->service != service) {
            continue;
        }
        pool_drop_activation(pool, p);
        if (p->state == PROCESS_LAUNCHED && p->wanted_by == SLOT_NONE && p->offer == SLOT_NONE) {
            pool_drain_process(pool, p, RETIRE_SERVICE);
        }
    }
    SLOTS_EACH(slot, &pool->connection_slots) {
        if (pool->connections[slot].service == service && pool->connections[slot].is_activation) {
            pool_dismiss(pool, slot);
        }
    }
}

void pool_retire_service(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    s->retired = true;
    s->wants_room = false;
    timers_unset(pool->timers, &s->pause);
    pool_want_no_spares(pool, service);
    pool_drain_idle(pool, service);
    if (pool_service_of(pool, service)->handoff == HANDOFF_LISTENER) {
        dismiss_all(pool, service);
    }
    pool_tell_over(pool, service);
}

void pool_settle_taken(struct pool *pool, struct process *p, uint32_t connection) {
    if (p->served->stopped) {
        pool_drain_process(pool, p, RETIRE_STOP);
    } else if (p->served->retired && pool->connections[connection].is_activation) {
        pool_dismiss(pool, connection);
    }
}
