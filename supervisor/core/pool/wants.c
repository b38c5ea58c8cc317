/* What a service has too few or too many of: the list of those that lack spares, by which
 * pool_refill() finds them without looking at all, and the time at which one may be too many. */
#include "core/pool/internal.h"

static void join(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    s->is_wanting = true;
    s->previous_wanting = pool->wanting_last;
    s->next_wanting = SLOT_NONE;
    *(s->previous_wanting == SLOT_NONE ? &pool->wanting_first
                                       : &pool->services[s->previous_wanting].next_wanting) =
        service;
    pool->wanting_last = service;
}

static void leave(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    s->is_wanting = false;
    *(s->previous_wanting == SLOT_NONE ? &pool->wanting_first
                                       : &pool->services[s->previous_wanting].next_wanting) =
        s->next_wanting;
    *(s->next_wanting == SLOT_NONE ? &pool->wanting_last
                                   : &pool->services[s->next_wanting].previous_wanting) =
        s->previous_wanting;
}

uint64_t pool_launching_credits(const struct pool_service *s) {
    return (uint64_t)s->sums.launching_count * (s->expected_count == 0 ? 1 : s->expected_count);
}

bool pool_may_launch(const struct pool *pool, uint32_t service, bool *is_crowded) {
    const struct pool_service *s = &pool->services[service];
    const struct service *rules = pool_service_of(pool, service);
    bool fits = s->process_count < rules->max_connections_count * POOL_PROCESSES_PER_CONNECTION;
    if (is_crowded != NULL) {
        *is_crowded = !fits;
    }
    return fits && s->sums.handlers_count < service_max_handlers(rules);
}

/* Clients come first, and what is under way counts. While nobody knows what a process takes, or
 * whether it comes at all, they are launched one by one. */
static bool lacks_spares(const struct pool *pool, uint32_t service) {
    const struct pool_service *s = &pool->services[service];
    if (s->target.count <= s->sums.idle_count || s->retired ||
        s->queue.count + s->expecting.count > 0 || shortage_lasts(&s->spares_pause) ||
        s->circuit.state != CIRCUIT_CLOSED ||
        (s->expected_count == 0 && s->sums.launching_count > 0) ||
        !pool_may_launch(pool, service, NULL)) {
        return false;
    }
    return s->target.count > s->sums.idle_count + s->sums.pending_count + pool_launching_credits(s);
}

bool pool_can_spare(const struct pool_service *s, const struct process *p) {
    return s->sums.idle_count - p->gives.idle_count >= s->target.count;
}

void pool_update_wants(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    bool is_wanting = lacks_spares(pool, service);
    if (is_wanting && !s->is_wanting) {
        join(pool, service);
    } else if (!is_wanting && s->is_wanting) {
        leave(pool, service);
    }
    /* Where it was set for somebody who is in use again, it comes too early, and once. */
    if (s->resting_last == SLOT_NONE || s->retired || pool->stopping ||
        timer_is_set(&s->idle_exit)) {
        return;
    }
    const struct process *p = &pool->processes[s->resting_last];
    if (p->rules->idle_exit_s > 0 && pool_can_spare(s, p)) {
        timers_set(pool->timers, &s->idle_exit, pool_idle_until_us(p));
    }
}

void pool_end_turn(struct pool *pool, uint32_t service) {
    if (pool->services[service].is_wanting) {
        leave(pool, service);
        join(pool, service);
    }
}
