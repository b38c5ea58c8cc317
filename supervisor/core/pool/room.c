/* Whether a service may accept one more, and who is told when it may again. */
#include "core/pool/internal.h"

/* Where nobody is accepted, nobody can be refused. */
static bool waits(const struct service *rules, const struct service_limits *limits) {
    return rules->handoff == HANDOFF_LISTENER || limits->when_full == WHEN_FULL_QUEUE;
}

const char *pool_lacks_room_for(const struct pool *pool, uint32_t service) {
    const struct pool_service *s = &pool->services[service];
    const struct service *rules = pool_service_of(pool, service);
    if (pool->stopping || s->retired || shortage_lasts(&s->shortage)) {
        return POOL_HELD_BACK_TEXT;
    }
    bool is_lent = rules->handoff == HANDOFF_LISTENER;
    if (is_lent && s->live_count >= service_max_handlers(rules)) {
        return POOL_HELD_BACK_TEXT; /* its handlers have all that they are lent */
    }
    if (!is_lent && waits(rules, &rules->limits) && s->live_count >= rules->max_connections_count) {
        return "max_connections";
    }
    if ((pool_live_count(pool) >= pool->most_count && waits(rules, &pool->limits)) ||
        pool->connection_slots.in_use_count == pool->connection_slots.count) {
        return "max_connections of all services";
    }
    if (timer_is_set(&s->pause)) {
        return s->pause_reason;
    }
    if (timer_is_set(&pool->pause) && rules->workers_count == 0) { /* workers are no clients */
        return "rate of all services";
    }
    return s->circuit.state == CIRCUIT_PROBED ? "its breaker waits for a probe" : NULL;
}

bool pool_has_room(const struct pool *pool, uint32_t service) {
    return pool_lacks_room_for(pool, service) == NULL;
}

void pool_pause_service(struct pool *pool, uint32_t service, const char *reason,
                        uint64_t delay_us) {
    struct pool_service *s = &pool->services[service];
    uint64_t until_us = pool->timers->now_us + delay_us;
    if (!timer_is_set(&s->pause) || s->pause.deadline_us < until_us) {
        timers_set(pool->timers, &s->pause, until_us);
        s->pause_reason = reason;
    }
}

void pool_await_room(struct pool *pool, uint32_t service) {
    pool->services[service].wants_room = true;
}

void pool_tell_room(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    if (s->wants_room && pool_has_room(pool, service)) {
        s->wants_room = false;
        pool_push_service(pool, POOL_ROOM, service);
    }
}

/* Who is told first comes first: those behind the service that has had its turn. */
void pool_tell_room_in_table(struct pool *pool) {
    pool_visit_in_turn(pool, pool->last_let_in, pool_tell_room);
}

void pool_limit(struct pool *pool, const struct service_limits *limits, uint32_t most_count) {
    uint32_t room_count = pool->connection_slots.count;
    pool->limits = *limits;
    pool->most_count = most_count > 0 && most_count < room_count ? most_count : room_count;
    if (limits->rate_per_source.count > 0) {
        sources_warm(&pool->sources);
    }
    pool_tell_room_in_table(pool);
}
