/* Who gets whom: idle processes, waiting connections, and launches for those that find none. */
#include "core/base/must.h"
#include "core/pool/internal.h"

/* The record tells of the last attempt alone. */
static void forget_attempt(struct connection *c) {
    c->pid = 0;
    c->has_exit = false;
    c->launched_us = c->greeted_us = c->offered_us = 0;
}

void pool_note_offer(struct pool *pool, struct process *p, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    connection_step(c, CONNECTION_OFFER, OUTCOME_NONE);
    forget_attempt(c);
    c->process = p->slot;
    c->pid = p->pid;
    c->launched_us = p->launched_us;
    c->greeted_us = p->greeted_us;
    c->offered_us = pool->timers->now_us;
    p->offer = connection;
    process_count_offer(p, 1);
    pool_update_process(pool, p);
}

void pool_await_answer(struct pool *pool, struct process *p) {
    timers_after(pool->timers, &p->timer, pool_ms(p->rules->handshake_timeout_ms));
    pool_bound_handshake(pool, p);
}

void pool_offer(struct pool *pool, uint32_t process, uint32_t connection) {
    struct process *p = &pool->processes[process];
    pool_number(pool, connection);
    pool_note_offer(pool, p, connection);
    pool_await_answer(pool, p);
    pool_push_process(pool, POOL_OFFER, p, connection, OUTCOME_NONE);
}

/* Inheritance proves who reads it, so nothing is to be waited for. But it is for that process from
 * then on: where others may be sooner there, or it serves others first, it is offered behind HELLO.
 * And so is a socket that somebody has had, which is put back first. */
static bool may_offer_early(const struct pool *pool, const struct process *p,
                            const struct connection *c) {
    return pool->offers_early && p->rules->handoff == HANDOFF_CHANNEL &&
           !service_serves_many(p->rules) && c->offers_count == 0;
}

void pool_begin_launch(struct pool *pool, uint32_t service, uint32_t connection) {
    const struct service *rules = pool_service_of(pool, service);
    uint32_t slot = slots_take(&pool->process_slots);
    must(slot != SLOT_NONE);
    pool_join_service(pool, service);
    struct process *p = &pool->processes[slot];
    *p = (struct process){0};
    p->state = PROCESS_LAUNCHED;
    p->slot = slot;
    p->service = service;
    p->rules = rules;
    p->served = &pool->services[service];
    p->served->process_count++;
    p->wanted_by = SLOT_NONE;
    p->offer = SLOT_NONE;
    p->first_held = SLOT_NONE;
    p->life_left_count = rules->reuse_count > 0 ? rules->reuse_count : UINT32_MAX;
    p->channel_open = rules->has_channel;
    p->timer.token = token_make(POOL_TOKEN_PROCESS, 0, slot);
    p->launched_us = pool->timers->now_us;
    p->age_max_us = pool_next_age_us(p->served, rules);
    p->launched_among_count = p->served->sums.launching_count + 1;
    timers_after(pool->timers, &p->timer, pool_ms(rules->handshake_timeout_ms));
    if (connection != SLOT_NONE) {
        pool_begin_trials(pool, p);
        pool_expect(pool, slot, connection);
        forget_attempt(&pool->connections[connection]);
        p->is_offered_early = may_offer_early(pool, p, &pool->connections[connection]);
    }
    if (p->is_offered_early) {
        pool_number(pool, connection);
    }
    pool_update_process(pool, p);
    pool_push_process(pool, POOL_LAUNCH, p, connection, OUTCOME_NONE);
}

/* What is short for all, or for this service alone; and a table that is full of processes of
 * services that were, as long as they are. */
static bool is_held_up(struct pool *pool, uint32_t service) {
    const struct pool_service *s = &pool->services[service];
    if (s->stopped || pool_is_starved(pool) || pool_is_short(s) || shortage_lasts(&s->busy)) {
        return true;
    }
    if (pool->process_slots.in_use_count == pool->process_slots.count) {
        shortage_hit(&pool->starved, pool->timers);
        return true;
    }
    return false;
}

/* ---- Who waits for what is under way ---- */

/* How long clients wait for what is under way before they doubt that it will do. What it hopes for
 * may never come, so it is about what a launch takes, twice; but a machine that is busy, perhaps
 * with launching, takes longer for each than it ever did, and more launches would make that worse:
 * each time that it runs out it is doubled, and half as much is believed. So the launches that
 * follow come little by little, and all who wait have one in the end. Who was let down waits a few
 * times as long as if he had had a launch of his own; who was not gains by it that the others are
 * not launched. Where no process has said HELLO yet, nobody knows how long that takes. */
#define PATIENCE_UNKNOWN_US 1000000u
#define PATIENCE_UNKNOWN_SINGLE_US 100000u /* where each has a process of its own */
#define PATIENCE_LEAST_US 10000u
#define DOUBTS_MAX_COUNT 16u

static uint64_t patience_us(const struct pool_service *s, const struct service *rules) {
    uint64_t launch_us = 2 * s->greeting_us;
    if (s->greeting_us == 0) {
        launch_us = rules->reuse_count == 1 ? PATIENCE_UNKNOWN_SINGLE_US : PATIENCE_UNKNOWN_US;
    }
    return (launch_us > PATIENCE_LEAST_US ? launch_us : PATIENCE_LEAST_US) << s->doubts_count;
}

/* How many may be under way where a process serves many. Before the first HELLO nobody knows
 * whether one would do for all, so a few are made, which do not wait for each other's processor
 * where there are enough; what HELLO says decides about the others, who thus wait for two launches
 * in turn at most. See pool_note_greeting() for what comes then. */
static uint64_t launches_most(const struct pool *pool, const struct pool_service *s) {
    uint64_t most = s->expected_count == 0 ? pool->launches_first_count : s->launches_most_count;
    return most << s->doubts_count;
}

/* As many as would all come within half the time that a launch has, were the processors all that
 * they wait for, so that so many more take so much longer: else all would be late together, and
 * lost. Where they wait for something else, that is soon seen: the bound is a multiple of what was
 * under way, and grows with each round, which is known from those that were launched since. */
void pool_note_greeting(struct process *p) {
    struct pool_service *s = p->served;
    uint64_t among_count = p->launched_among_count > s->sums.launching_count
                               ? p->launched_among_count
                               : s->sums.launching_count;
    s->greeting_us = p->greeted_us - p->launched_us;
    s->doubts_count = 0;
    uint64_t most = among_count * pool_ms(p->rules->handshake_timeout_ms) /
                    (2 * (s->greeting_us > 0 ? s->greeting_us : 1));
    most = most < POOL_LAUNCHES_LEAST_COUNT ? POOL_LAUNCHES_LEAST_COUNT : most;
    most = most < POOL_CONNECTIONS_MAX_COUNT ? most : POOL_CONNECTIONS_MAX_COUNT;
    if (most > s->launches_most_count && p->launched_us >= s->launches_raised_us) {
        s->launches_raised_us = p->greeted_us;
        s->launches_most_count = (uint32_t)most;
    } else if (most < s->launches_most_count) {
        s->launches_most_count = (uint32_t)most;
    }
}

/* The first of those without a launch need not have one: those that are under way, and processes
 * that have yet to answer an offer, will have room for all who wait; and a new launch would come
 * behind these. Or it must not, as too many are under way. An offer that was not answered in all
 * that time promises nothing. */
static bool may_wait(struct pool *pool, struct pool_service *s) {
    const struct service *rules = pool->connections[s->queue.first].rules;
    if (!service_serves_many(rules)) {
        return false;
    }
    uint64_t hope = pool_launching_credits(s) + (s->doubts_count == 0 ? s->sums.pending_count : 0);
    bool is_hopeful = s->queue.count + s->expecting.count <= hope >> s->doubts_count;
    bool is_full = rules->reuse_count != 1 && s->sums.launching_count >= launches_most(pool, s);
    if (!is_hopeful && !is_full) {
        return false;
    }
    if (!timer_is_set(&s->patience)) {
        timers_after(pool->timers, &s->patience, patience_us(s, rules));
    }
    return true;
}

void pool_doubt(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    s->doubts_count += s->doubts_count < DOUBTS_MAX_COUNT ? 1 : 0;
    pool_dispatch(pool, service);
}

/* ---- Dispatch ---- */

/* Who waits for the longest, whether or not a launch is made for it. */
static uint32_t oldest(const struct pool *pool, const struct pool_service *s) {
    if (s->queue.first == SLOT_NONE || s->expecting.first == SLOT_NONE) {
        return s->queue.first != SLOT_NONE ? s->queue.first : s->expecting.first;
    }
    return pool->connections[s->queue.first].id < pool->connections[s->expecting.first].id
               ? s->queue.first
               : s->expecting.first;
}

/* A process that was launched for one of them, and has not said HELLO yet, becomes a spare. */
static void give_idle(struct pool *pool, struct pool_service *s) {
    uint32_t connection;
    while (s->idle_first != SLOT_NONE && (connection = oldest(pool, s)) != SLOT_NONE) {
        if (pool->connections[connection].process == SLOT_NONE) {
            pool_dequeue(pool, connection);
        } else {
            pool_expect_no_more(pool, connection);
        }
        pool_offer(pool, s->idle_first, connection);
    }
}

static bool may_launch_for_clients(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    bool is_crowded = false;
    if (pool_may_launch(pool, service, &is_crowded)) {
        return true;
    }
    if (is_crowded && !s->crowded) {
        s->crowded = true;
        pool_push_service(pool, POOL_CROWDED, service);
    }
    return false;
}

void pool_dispatch(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    give_idle(pool, s);
    while (s->queue.first != SLOT_NONE) {
        if (may_wait(pool, s) || is_held_up(pool, service) ||
            !may_launch_for_clients(pool, service)) {
            pool_update_wants(pool, service);
            return;
        }
        pool_begin_launch(pool, service, s->queue.first);
    }
    timers_unset(pool->timers, &s->patience);
    s->doubts_count = 0;
    s->crowded = false;
    if (s->retired) {
        pool_drain_idle(pool, service); /* nobody comes any more whom it could wait for */
    }
    pool_update_wants(pool, service);
}

void pool_dispatch_all(struct pool *pool) {
    pool_visit_in_turn(pool, pool->last_launched, pool_dispatch);
}
