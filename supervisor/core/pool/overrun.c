/* Connections that go on for too long: CANCEL, and what becomes of a process that ignores it. */
#include "core/pool/internal.h"

#include <string.h>

void pool_end_overdue(struct pool *pool, struct process *p) {
    if (p->overdue_count > 0 && p->overdue_count == p->held_count && p->offer == SLOT_NONE) {
        pool_terminate_process(pool, p, RETIRE_OVERDUE);
    }
}

void pool_time_out(struct pool *pool, uint32_t connection, const char *text) {
    struct connection *c = &pool->connections[connection];
    if (c->state != CONNECTION_HELD || c->timed_out) {
        return;
    }
    const struct process *p = &pool->processes[c->process];
    c->timed_out = true;
    pool_keep_text(pool, connection, text, strlen(text));
    if (!p->channel_open) {
        pool_overran(pool, connection);
        return;
    }
    pool_push_connection(pool, POOL_CANCEL, connection, c->process, OUTCOME_NONE);
    timers_after(pool->timers, &c->timer, pool_stop_timeout_us(p));
}

void pool_overran(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    if (!c->timed_out) {
        pool_time_out(pool, connection, "max_runtime_ms has passed");
        return;
    }
    timers_unset(pool->timers, &c->timer);
    struct process *p = &pool->processes[c->process];
    c->is_overdue = true;
    p->overdue_count++;
    pool_update_process(pool, p);
    pool_end_overdue(pool, p);
    pool_dispatch(pool, p->service); /* another may be launched in its place */
}
