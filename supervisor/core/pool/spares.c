/* Spares: processes launched ahead of need, one after the other, when no client of the service
 * waits; and how many there are to be. */
#include "core/pool/internal.h"

/* One that lived for so long is not one of a row that fails. */
#define SPARE_LIVED_US 10000000u

void pool_note_demand(struct pool *pool, uint32_t service, bool is_missed) {
    struct pool_service *s = &pool->services[service];
    if (s->target.max_count == 0) {
        return;
    }
    target_used(&s->target);
    if (is_missed && target_missed(&s->target, pool->timers->now_us)) {
        pool_update_wants(pool, service);
    }
    if (target_is_high(&s->target) && !timer_is_set(&s->quiet)) {
        timers_after(pool->timers, &s->quiet, TARGET_QUIET_US);
    }
}

void pool_look_at_target(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    (void)target_look(&s->target, s->sums.idle_count + s->sums.pending_count);
    if (target_is_high(&s->target)) {
        timers_after(pool->timers, &s->quiet, TARGET_QUIET_US);
    }
    pool_update_wants(pool, service);
}

/* Several that were under way at the same time fail once. */
void pool_spare_failed(struct pool *pool, const struct process *p, const char *reason) {
    struct pool_service *s = p->served;
    s->expected_count = 0;
    if (s->target.max_count == 0 || pool->stopping || shortage_lasts(&s->spares_pause)) {
        return;
    }
    if (pool->timers->now_us - p->launched_us >= SPARE_LIVED_US) {
        s->spares_pause.hits_count = 0;
    }
    s->spares_pause_us = pool_ms(shortage_hit(&s->spares_pause, pool->timers));
    s->spares_reason = reason;
    pool_push_service(pool, POOL_SPARES_HELD_BACK, p->service);
    pool_update_wants(pool, p->service);
}

void pool_spares_are_fine(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    if (s->spares_pause.hits_count > 0) {
        (void)shortage_over(&s->spares_pause, pool->timers);
        pool_update_wants(pool, service);
    }
}

bool pool_is_low(const struct pool *pool) {
    if (pool->wanting_first == SLOT_NONE) {
        return false;
    }
    const struct pool_service *s = &pool->services[pool->wanting_first];
    return 2 * (uint64_t)s->sums.idle_count < s->target.count;
}

bool pool_refill(struct pool *pool) {
    if (pool->stopping || pool_is_starved(pool) ||
        pool->process_slots.in_use_count == pool->process_slots.count) {
        return false;
    }
    for (uint32_t service = pool->wanting_first; service != SLOT_NONE;
         service = pool->services[service].next_wanting) {
        if (!pool_is_short(&pool->services[service]) &&
            !shortage_lasts(&pool->services[service].busy)) {
            pool_begin_launch(pool, service, SLOT_NONE);
            pool_end_turn(pool, service);
            return pool->wanting_first != SLOT_NONE;
        }
    }
    return false;
}
