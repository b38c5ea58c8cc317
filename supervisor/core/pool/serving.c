/* The services that the pool serves, from the day they are added until nobody goes by them. */
#include "core/pool/internal.h"

/* Launches that found a limit of the service's own are tried again after this long. */
#define LIMIT_RETRY_MS 100u
/* A process that was busy before it had taken anybody is followed by the next after this long, then
 * twice that and so on, to the last. */
#define BUSY_FIRST_MS 100u
#define BUSY_LAST_MS 5000u
/* Spares that fail are tried again after this long, then twice that and so on, to the last. */
#define SPARES_FIRST_MS 100u
#define SPARES_LAST_MS 60000u

static void begin_spares(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    const struct service *rules = pool_service_of(pool, service);
    s->patience.token = token_make(POOL_TOKEN_PATIENCE, 0, service);
    s->idle_exit.token = token_make(POOL_TOKEN_IDLE, 0, service);
    s->quiet.token = token_make(POOL_TOKEN_TARGET, 0, service);
    s->spares_pause =
        shortage_make(SPARES_FIRST_MS, SPARES_LAST_MS, token_make(POOL_TOKEN_SPARES, 0, service));
    if (service_serves_many(rules)) {
        s->target =
            target_make(rules->spares_count, rules->spares_min_count, rules->spares_max_count);
    }
    if (target_is_high(&s->target)) {
        timers_after(pool->timers, &s->quiet, TARGET_QUIET_US);
    }
    pool_update_wants(pool, service);
}

void pool_add_service(struct pool *pool, uint32_t service) {
    services_share(pool->registry, service);
    struct pool_service *s = &pool->services[service];
    *s = (struct pool_service){0};
    s->queue = (struct pool_queue){SLOT_NONE, SLOT_NONE, 0};
    s->expecting = s->queue;
    s->idle_first = SLOT_NONE;
    s->resting_last = SLOT_NONE;
    begin_spares(pool, service);
    s->pause.token = token_make(POOL_TOKEN_PAUSE, 0, service);
    s->shortage =
        shortage_make(LIMIT_RETRY_MS, LIMIT_RETRY_MS, token_make(POOL_TOKEN_SHORTAGE, 0, service));
    s->trial = pool_trial_make(token_make(POOL_TOKEN_TRIAL, 0, service));
    s->busy = shortage_make(BUSY_FIRST_MS, BUSY_LAST_MS, token_make(POOL_TOKEN_BUSY, 0, service));
    if (pool_service_of(pool, service)->limits.rate_per_source.count > 0) {
        sources_warm(&pool->sources);
    }
}

void pool_visit_in_turn(struct pool *pool, uint32_t last, pool_visit *visit) {
    SLOTS_EACH(service, &pool->registry->slots) {
        if (service > last) {
            visit(pool, service);
        }
    }
    SLOTS_EACH(service, &pool->registry->slots) {
        if (service <= last) {
            visit(pool, service);
        }
    }
}

void pool_tell_over(struct pool *pool, uint32_t service) {
    const struct pool_service *s = &pool->services[service];
    if (s->retired && s->live_count == 0 && s->process_count == 0) {
        pool_push_service(pool, POOL_SERVICE_OVER, service);
    }
}

void pool_drain_idle(struct pool *pool, uint32_t service) {
    while (pool->services[service].idle_first != SLOT_NONE) {
        uint32_t process = pool->services[service].idle_first;
        struct process *p = &pool->processes[process];
        pool_drain_process(pool, p, RETIRE_SERVICE);
        if (p->held_count > 0) {
            timers_unset(pool->timers, &p->timer); /* what it holds is bound by no time */
        }
    }
}

void pool_want_no_spares(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    s->target = target_make(0, 0, 0);
    timers_unset(pool->timers, &s->quiet);
    timers_unset(pool->timers, &s->idle_exit);
    shortage_relieve(&s->spares_pause, pool->timers);
    pool_update_wants(pool, service);
}

void pool_remove_service(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    timers_unset(pool->timers, &s->pause);
    timers_unset(pool->timers, &s->patience);
    timers_unset(pool->timers, &s->idle_exit);
    shortage_relieve(&s->shortage, pool->timers);
    shortage_relieve(&s->busy, pool->timers);
    timers_unset(pool->timers, &s->trial.late);
    services_release(pool->registry, service);
}

void pool_join_service(struct pool *pool, uint32_t service) {
    services_share(pool->registry, service);
}

void pool_leave_service(struct pool *pool, uint32_t service) {
    services_release(pool->registry, service);
    pool_tell_over(pool, service);
}
