/* The door: whether a client who has come is let in. Who is not is never offered to a process. What
 * the whole service has no room for is not accepted in the first place, unless it is to be refused
 * (room.c). */
#include "core/door/access.h"
#include "core/pool/internal.h"

static bool refuses(const struct service_limits *limits) {
    return limits->when_full == WHEN_FULL_REFUSE;
}

/* ---- What limits by source say ---- */

static uint32_t join_source(struct pool *pool, uint32_t scope, const struct service_limits *limits,
                            const struct address *peer) {
    struct address source = source_of(peer, limits->source_prefix_bits);
    bool limits_sources = limits->max_per_source_count > 0 || limits->rate_per_source.count > 0;
    return limits_sources ? sources_take(&pool->sources, scope, &source) : SOURCE_NONE;
}

/* The source has this connection, too. */
static enum outcome judge_source(const struct pool *pool, const struct service_limits *limits,
                                 uint32_t source) {
    if (source == SOURCE_NONE) {
        return OUTCOME_NONE;
    }
    const struct source_entry *entry = &pool->sources.entries[source];
    if (limits->max_per_source_count > 0 &&
        entry->connections_count > limits->max_per_source_count) {
        return OUTCOME_REFUSED_SOURCE;
    }
    return rate_wait_us(&entry->rate, &limits->rate_per_source, pool->timers->now_us) > 0
               ? OUTCOME_REFUSED_RATE
               : OUTCOME_NONE;
}

/* ---- What limits of a service, and of all, say ---- */

static enum outcome judge_total(const struct service_limits *limits, uint32_t count,
                                uint32_t most_count, const struct rate *rate, uint64_t now_us) {
    if (!refuses(limits)) {
        return OUTCOME_NONE;
    }
    if (count > most_count) {
        return OUTCOME_REFUSED_FULL;
    }
    return rate_wait_us(rate, &limits->rate, now_us) > 0 ? OUTCOME_REFUSED_RATE : OUTCOME_NONE;
}

static enum outcome judge_access(const struct service *rules, const struct connection *c) {
    switch (access_verdict(rules, &c->peer, c->in_group, c->local_minute)) {
    case ACCESS_REFUSED:
        return OUTCOME_REFUSED_ACCESS;
    case ACCESS_OUT_OF_HOURS:
        return OUTCOME_REFUSED_HOURS;
    case ACCESS_ALLOWED:
        break;
    }
    return OUTCOME_NONE;
}

/* From what is about the client to what is about everybody. The breaker is asked again when the
 * client is given to a handler: a probe begins no earlier, or who never speaks would be one. */
static enum outcome judge(struct pool *pool, struct connection *c) {
    const struct service *rules = c->rules;
    const struct pool_service *s = c->served;
    enum outcome outcome = judge_access(rules, c);
    if (outcome != OUTCOME_NONE) {
        return outcome;
    }
    c->own_source = join_source(pool, c->service + 1, &rules->limits, &c->peer);
    c->common_source = join_source(pool, POOL_SCOPE_COMMON, &pool->limits, &c->peer);
    outcome = judge_source(pool, &rules->limits, c->own_source);
    if (outcome == OUTCOME_NONE) {
        outcome = judge_source(pool, &pool->limits, c->common_source);
    }
    if (outcome == OUTCOME_NONE) {
        outcome = judge_total(&rules->limits, s->live_count, rules->max_connections_count, &s->rate,
                              pool->timers->now_us);
    }
    if (outcome == OUTCOME_NONE) {
        outcome = judge_total(&pool->limits, pool_live_count(pool), pool->most_count, &pool->rate,
                              pool->timers->now_us);
    }
    return outcome == OUTCOME_NONE && circuit_refuses(&s->circuit, pool->timers->now_us)
               ? OUTCOME_REFUSED_BREAKER
               : outcome;
}

/* ---- Letting in ---- */

static void charge_source(struct pool *pool, const struct service_limits *limits, uint32_t source) {
    if (source != SOURCE_NONE) {
        rate_charge(&pool->sources.entries[source].rate, &limits->rate_per_source,
                    pool->timers->now_us);
    }
}

/* Who comes next may have to wait until it is his turn. */
static uint64_t charge_total(const struct service_limits *limits, struct rate *rate,
                             uint64_t now_us) {
    rate_charge(rate, &limits->rate, now_us);
    return rate_wait_us(rate, &limits->rate, now_us);
}

void pool_charge(struct pool *pool, uint32_t connection) {
    const struct connection *c = &pool->connections[connection];
    const struct service_limits *limits = &c->rules->limits;
    charge_source(pool, limits, c->own_source);
    charge_source(pool, &pool->limits, c->common_source);
    pool->last_let_in = c->service;
    uint64_t own_us = charge_total(limits, &c->served->rate, pool->timers->now_us);
    uint64_t common_us = charge_total(&pool->limits, &pool->rate, pool->timers->now_us);
    if (own_us > 0 && !refuses(limits)) {
        pool_pause_service(pool, c->service, POOL_RATE_TEXT, own_us);
    }
    if (common_us > 0 && !refuses(&pool->limits)) {
        timers_after(pool->timers, &pool->pause, common_us);
    } else if (common_us > 0 && c->is_activation) {
        pool_pause_service(pool, c->service, POOL_RATE_TEXT,
                           common_us); /* nobody is there to refuse */
    }
}

bool pool_admit_proxy(struct pool *pool, uint32_t connection) {
    const struct connection *c = &pool->connections[connection];
    if (c->peer.family == ADDRESS_UNIX && judge_access(c->rules, c) == OUTCOME_REFUSED_ACCESS) {
        pool_end_connection(pool, connection, OUTCOME_REFUSED_ACCESS);
        return false;
    }
    return true;
}

bool pool_passes_breaker(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    enum circuit_verdict verdict = circuit_judge(&c->served->circuit, pool->timers->now_us);
    c->is_probe = verdict == CIRCUIT_LETS_IN_A_PROBE;
    if (verdict == CIRCUIT_REFUSES) {
        pool_end_connection(pool, connection, OUTCOME_REFUSED_BREAKER);
    }
    return verdict != CIRCUIT_REFUSES;
}

static uint64_t queue_us(const struct service_limits *limits, const struct rate *rate,
                         uint64_t now_us) {
    return refuses(limits) ? 0 : rate_wait_us(rate, &limits->rate, now_us);
}

/* Who has come by way of a proxy was accepted before anybody knew whom to charge, and it is too
 * late for the backlog: it has its turn all the same. But while many wait for the turns of all
 * services, nobody else has any, so that those who came too late for these are refused. */
static enum outcome await_turn(struct pool *pool, struct connection *c) {
    uint64_t now_us = pool->timers->now_us;
    uint64_t own_us = queue_us(&c->rules->limits, &c->served->rate, now_us);
    uint64_t common_us = queue_us(&pool->limits, &pool->rate, now_us);
    uint64_t wait_us = own_us > common_us ? own_us : common_us;
    if (common_us > pool_ms(c->rules->proxy_timeout_ms)) {
        return OUTCOME_REFUSED_RATE;
    }
    timers_unset(pool->timers, &c->timer);
    c->awaits_turn = wait_us > 0;
    if (c->awaits_turn) {
        timers_after(pool->timers, &c->timer, wait_us);
    }
    return OUTCOME_NONE;
}

bool pool_admit(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    enum outcome outcome = judge(pool, c);
    if (outcome == OUTCOME_NONE && c->rules->proxy_protocol != 0) {
        outcome = await_turn(pool, c);
    }
    if (outcome != OUTCOME_NONE) {
        pool_end_connection(pool, connection, outcome);
        return false;
    }
    pool_charge(pool, connection);
    return true;
}
