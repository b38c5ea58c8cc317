/* Connections that go on for too long, or are killed: CANCEL, and what becomes of a process that
 * ignores it. */
#include "core/pool/internal.h"

#include <string.h>

void pool_end_overdue(struct pool *pool, struct process *p) {
    if (p->overdue_count > 0 && p->overdue_count == p->held_count && p->offer == SLOT_NONE) {
        pool_terminate_process(pool, p, RETIRE_OVERDUE);
    }
}

/* It is held, and was not asked to end before. */
static void end_held(struct pool *pool, uint32_t connection, const char *text) {
    struct connection *c = &pool->connections[connection];
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

void pool_time_out(struct pool *pool, uint32_t connection, const char *text) {
    const struct connection *c = &pool->connections[connection];
    if (c->state == CONNECTION_HELD && !c->timed_out) {
        end_held(pool, connection, text);
    }
}

void pool_end_if_killed(struct pool *pool, uint32_t connection) {
    const struct connection *c = &pool->connections[connection];
    if (c->is_killed && !c->timed_out) {
        end_held(pool, connection, "");
    }
}

/* Whoever is launched for it alone, or has been offered it, may have it by now: that is known when
 * an answer comes, or none does in time. */
void pool_kill(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    if (c->state == CONNECTION_FREE || c->state == CONNECTION_ENDED || c->timed_out) {
        return;
    }
    c->is_killed = true;
    if (c->state == CONNECTION_HELD) {
        end_held(pool, connection, "");
    } else if (c->state == CONNECTION_PREFACE ||
               (c->state == CONNECTION_WAITING &&
                (c->process == SLOT_NONE || service_serves_many(c->rules)))) {
        pool_end_connection(pool, connection, OUTCOME_KILLED);
        pool_dispatch(pool, c->service); /* nobody may wait there any more */
    }
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
