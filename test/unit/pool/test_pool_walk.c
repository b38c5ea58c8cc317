/*
 * Random walks of the pool with processes that live on: services, clients, handlers, failing calls
 * and the clock, all drawn from a seed. Behind every step all that the pool has derived is derived
 * once more, from the states of connections and processes alone. Some walks have restarts in them,
 * and go on with what was loaded.
 *
 * With BATON_SEED=SEED it plays that one.
 */
#include "pool_scene.h"

#include "core/pool/internal.h"
#include "core/pool/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEED_COUNT 300
#define SEED_COUNT_ALL 5000 /* with BATON_ALL=1 */
#define STEP_COUNT 400
#define SERVICE_COUNT 3
#define RECORDS_MAX_COUNT 4096

static struct pool_scene scene;
static struct pool *const pool = &scene.pool;
static const struct pool_words silence = {0};
static uint64_t state, now_us;
static uint32_t failing;    /* one launch in this many fails; 0 = none */
static uint32_t breaking;   /* one act in this many is the end of its process; 0 = none */
static uint32_t restarting; /* between one step and the next, once in this many; 0 = never */
static uint32_t restarted_count;
static uint32_t spares_launched_count; /* by one call of pool_refill() */
static uint64_t accepted_count;
static uint8_t records[RECORDS_MAX_COUNT]; /* by id */

static uint32_t draw(uint32_t count) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)((state >> 11) % count);
}

static struct pool *at_now(void) {
    return pool_at(pool, now_us);
}

/* ---- What the pool has decided ---- */

static void carry_out_launch(const struct pool_action *action) {
    static const enum pool_launch_fault faults[] = {POOL_LAUNCH_REFUSED, POOL_LAUNCH_REFUSED,
                                                    POOL_LAUNCH_OWN_LIMIT, POOL_LAUNCH_SHORTAGE};
    const struct process *p = &pool->processes[action->process];
    if (p->wanted_by == SLOT_NONE) {
        assert_true(service_serves_many(p->rules));
        spares_launched_count++;
    }
    assert_int_equal(p->state, PROCESS_LAUNCHED);
    if (failing > 0 && draw(failing) == 0) {
        pool_launch_failed(at_now(), action->process, faults[draw(4)]);
    } else {
        if (p->is_offered_early && draw(8) == 0) {
            pool_not_offered_early(at_now(), action->process);
        }
        pool_launched(at_now(), action->process, 1000 + action->process);
    }
}

static void carry_out_offer(const struct pool_action *action) {
    const struct process *p = &pool->processes[action->process];
    if (p->offer == SLOT_NONE || pool->connections[p->offer].state != CONNECTION_OFFERED) {
        return;
    }
    if (draw(30) == 0) {
        pool_abandoned(at_now(), p->offer);
    } else if (breaking > 0 && draw(breaking) == 0) {
        pool_offer_failed(at_now(), action->process);
    }
}

static void carry_out_all(void) {
    struct pool_action action;
    while (pool_next_action(pool, &action)) {
        switch (action.kind) {
        case POOL_LAUNCH:
            carry_out_launch(&action);
            break;
        case POOL_OFFER:
            carry_out_offer(&action);
            break;
        case POOL_RECORD: {
            uint64_t id = pool->connections[action.connection].id;
            assert_true(id < RECORDS_MAX_COUNT);
            assert_int_equal(records[id]++, 0);
            pool_forget(pool, action.connection);
            break;
        }
        case POOL_CLOSE_PROCESS:
            pool_reaped(at_now(), action.process);
            break;
        case POOL_SERVICE_OVER:
            pool_remove_service(pool, action.service);
            break;
        case POOL_SPARES_HELD_BACK:
            assert_true(action.pause_us >= 100000 && action.pause_us <= 60000000);
            break;
        default:
            break;
        }
    }
}

/* ---- What has to hold between two steps ---- */

static void check_queue(const struct pool_queue *queue, uint32_t service, bool is_expecting) {
    uint32_t count = 0, previous = SLOT_NONE;
    uint64_t id = 0;
    for (uint32_t i = queue->first; i != SLOT_NONE; i = pool->connections[i].next) {
        const struct connection *c = &pool->connections[i];
        assert_int_equal(c->state, CONNECTION_WAITING);
        assert_int_equal(c->service, service);
        assert_int_equal(c->previous, previous);
        assert_true(c->id > id);
        if (is_expecting) {
            assert_int_equal(pool->processes[c->process].wanted_by, i);
            assert_int_equal(pool->processes[c->process].service, service);
        } else {
            assert_int_equal(c->process, SLOT_NONE);
        }
        id = c->id;
        previous = i;
        count++;
    }
    assert_int_equal(queue->last, previous);
    assert_int_equal(queue->count, count);
}

/* Returns how many are in the list. */
static uint32_t check_idle(const struct pool_service *s) {
    uint32_t count = 0, before = SLOT_NONE, last_at_rest = SLOT_NONE;
    for (uint32_t head = s->idle_first; head != SLOT_NONE;
         head = pool->processes[head].next_level) {
        const struct process *h = &pool->processes[head];
        uint32_t previous = SLOT_NONE;
        assert_int_equal(h->previous_level, before);
        assert_true(before == SLOT_NONE || pool->processes[before].level < h->level);
        for (uint32_t i = head; i != SLOT_NONE; i = pool->processes[i].next) {
            const struct process *p = &pool->processes[i];
            assert_int_equal(p->previous, previous);
            assert_int_equal(p->level, h->level);
            assert_int_equal(p->held_count, h->level);
            assert_true(process_takes_offers(p));
            assert_true(h->level > 0 || previous == SLOT_NONE ||
                        pool->processes[previous].idle_since_us >= p->idle_since_us);
            last_at_rest = h->level == 0 ? i : last_at_rest;
            previous = i;
            count++;
        }
        before = head;
    }
    assert_int_equal(s->resting_last, last_at_rest);
    return count;
}

static void check_launches(const struct pool_service *s, uint32_t service) {
    const struct service *rules = pool_service_of(pool, service);
    uint32_t waiting_count = s->queue.count + s->expecting.count;
    assert_true(s->process_count <= POOL_PROCESSES_PER_CONNECTION * rules->max_connections_count);
    assert_true(s->sums.handlers_count <= service_max_handlers(rules));
    assert_true(s->target.count >= s->target.min_count && s->target.count <= s->target.max_count);
    assert_true(waiting_count == 0 || s->idle_first == SLOT_NONE);
    if (s->queue.count == 0) {
        assert_false(timer_is_set(&s->patience));
    } else if (!pool->stopping && !shortage_lasts(&pool->starved) &&
               !shortage_lasts(&s->shortage) && !shortage_lasts(&s->busy) &&
               pool_may_launch(pool, service, NULL)) {
        /* They do without a launch only as long as there is hope, or many are under way. */
        assert_true(timer_is_set(&s->patience));
        assert_true(
            waiting_count <= pool_launching_credits(s) + s->sums.pending_count ||
            (rules->reuse_count != 1 && s->sums.launching_count >= POOL_LAUNCHES_LEAST_COUNT));
    }
    if (s->resting_last != SLOT_NONE && rules->idle_exit_s > 0 && !pool->stopping && !s->retired &&
        pool_can_spare(s, &pool->processes[s->resting_last])) {
        assert_true(timer_is_set(&s->idle_exit));
    }
}

static void check_process(const struct process *p) {
    struct process_credits credits = process_credits_of(p);
    assert_int_equal(credits.is_launching, p->gives.is_launching);
    assert_int_equal(credits.is_handler, p->gives.is_handler);
    assert_int_equal(credits.idle_count, p->gives.idle_count);
    assert_int_equal(credits.pending_count, p->gives.pending_count);
    assert_int_equal(credits.idle_count > 0, process_takes_offers(p));
    if (p->wanted_by != SLOT_NONE) {
        assert_int_equal(pool->connections[p->wanted_by].process, p->slot);
        assert_int_equal(pool->connections[p->wanted_by].state, CONNECTION_WAITING);
    }
    if (p->state == PROCESS_LAUNCHED && p->offer != SLOT_NONE) {
        assert_true(p->is_offered_early && p->wanted_by == SLOT_NONE);
        assert_true(pool->connections[p->offer].state == CONNECTION_OFFERED ||
                    p->fault != OUTCOME_NONE);
    }
    /* Nobody stays who has nothing to do and gets nothing. */
    assert_false(process_is_finished(p));
    assert_true(p->state != PROCESS_READY || p->held_count <= process_offers_at_a_time(p));
    assert_true(p->rules->reuse_count == 0 || p->taken_count <= p->rules->reuse_count);
    assert_true(p->state < PROCESS_DRAINING || p->retire != RETIRE_NONE || p->exiting);
}

static void check_wanting(void) {
    uint32_t previous = SLOT_NONE;
    for (uint32_t i = pool->wanting_first; i != SLOT_NONE; i = pool->services[i].next_wanting) {
        const struct pool_service *s = &pool->services[i];
        assert_true(s->is_wanting && !s->retired && !shortage_lasts(&s->spares_pause));
        assert_true(s->target.count > s->sums.idle_count);
        assert_int_equal(s->circuit.state, CIRCUIT_CLOSED);
        assert_int_equal(s->previous_wanting, previous);
        previous = i;
    }
    assert_int_equal(pool->wanting_last, previous);
}

static void check(void) {
    struct process_sums sums[SERVICE_COUNT] = {0};
    uint32_t idle_counts[SERVICE_COUNT] = {0}, process_counts[SERVICE_COUNT] = {0};
    SLOTS_EACH(i, &pool->process_slots) {
        const struct process *p = &pool->processes[i];
        check_process(p);
        sums[p->service].launching_count += p->gives.is_launching;
        sums[p->service].handlers_count += p->gives.is_handler;
        sums[p->service].idle_count += p->gives.idle_count;
        sums[p->service].pending_count += p->gives.pending_count;
        idle_counts[p->service] += p->gives.idle_count > 0;
        process_counts[p->service]++;
    }
    SLOTS_EACH(service, &scene.services.slots) {
        const struct pool_service *s = &pool->services[service];
        assert_memory_equal(&sums[service], &s->sums, sizeof s->sums);
        assert_int_equal(process_counts[service], s->process_count);
        assert_int_equal(check_idle(s), idle_counts[service]);
        check_queue(&s->queue, service, false);
        check_queue(&s->expecting, service, true);
        check_launches(s, service);
    }
    check_wanting();
}

/* ---- What happens ---- */

static void arrive(void) {
    uint32_t service = draw(SERVICE_COUNT);
    struct pool_arrival arrival = {
        .service = service, .peer = {.family = ADDRESS_IPV4}, .local = {.family = ADDRESS_IPV4}};
    if (slots_is_used(&scene.services.slots, service) && pool_has_room(pool, service)) {
        accepted_count++;
        pool_accept(at_now(), &arrival);
    }
}

/* Everything it wrote before is told by then. */
static void end(uint32_t process) {
    struct pool_exit how = {.by_signal = draw(2) == 0, .code = draw(2)};
    pool_exiting(at_now(), process);
    pool_exited(at_now(), process, how, NULL);
}

static uint32_t draw_held(const struct process *p) {
    uint32_t connection = p->first_held;
    for (uint32_t i = draw(p->held_count); i > 0; i--) {
        connection = pool->connections[connection].next;
    }
    return connection;
}

static void answer(const struct process *p) {
    static const enum pool_decline reasons[] = {POOL_DECLINE_BUSY, POOL_DECLINE_RETIRE,
                                                POOL_DECLINE_REFUSE};
    if (draw(6) == 0) {
        assert_true(pool_nack(at_now(), p->slot, p->offer, reasons[draw(3)], &silence));
    } else {
        assert_true(pool_ack(at_now(), p->slot, p->offer, &silence));
    }
}

static void break_down(struct process *p) {
    switch (draw(4)) {
    case 0:
        pool_channel_ended(at_now(), p->slot);
        break;
    case 1:
        if (p->channel_open) {
            pool_breach(at_now(), p->slot);
        }
        break;
    case 2:
        if (p->channel_open && p->greeted_us != 0) {
            pool_retire(at_now(), p->slot);
        }
        break;
    default:
        end(p->slot);
    }
}

static bool has_ended(const struct process *p) {
    return p->state == PROCESS_FREE || (p->exiting && p->state == PROCESS_KILLED);
}

static void act(void) {
    uint32_t process = draw(pool->process_slots.used_mark);
    struct process *p = &pool->processes[process];
    if (!slots_is_used(&pool->process_slots, process) || has_ended(p)) {
        return;
    }
    if (breaking > 0 && draw(breaking) == 0) {
        break_down(p);
    } else if (!p->channel_open || p->state >= PROCESS_TERMINATED) {
        if (draw(3) == 0) {
            end(process);
        }
    } else if (p->greeted_us == 0) {
        uint32_t capacity_count = draw(2) == 0 ? 1 : 1 + draw(6);
        assert_true(pool_hello(at_now(), process, 1000 + process, capacity_count));
    } else if (p->offer != SLOT_NONE && draw(2) == 0) {
        answer(p);
    } else if (p->held_count > 0 && draw(2) == 0) {
        assert_true(pool_done(at_now(), process, draw_held(p), &silence));
    }
}

/* At most one at a time, and only where nobody waits. */
static void refill(void) {
    uint32_t before = pool->process_slots.in_use_count;
    bool more = pool_refill(at_now());
    uint32_t launched_count = pool->process_slots.in_use_count - before;
    assert_true(launched_count <= 1);
    assert_true(launched_count == 1 || !more);
    if (launched_count == 1) {
        struct pool_action action;
        assert_true(pool_next_action(pool, &action));
        assert_int_equal(action.kind, POOL_LAUNCH);
        assert_int_equal(action.connection, SLOT_NONE);
        assert_int_equal(pool->services[action.service].queue.count, 0);
        assert_int_equal(pool->services[action.service].expecting.count, 0);
        carry_out_launch(&action);
    }
}

static void pass_time(void) {
    static const uint32_t most_us[] = {1000, 100000, 3000000, 70000000};
    now_us += 1 + draw(most_us[draw(4)]);
    pool->timers->now_us = now_us;
    struct timer *timer;
    while ((timer = timers_expired(&scene.timers, now_us)) != NULL) {
        pool_expired(at_now(), timer->token);
        carry_out_all();
        check();
    }
}

static void change(void) {
    uint32_t service = draw(SERVICE_COUNT);
    if (!slots_is_used(&scene.services.slots, service)) {
        return;
    }
    if (draw(40) == 0) {
        pool_retire_service(at_now(), service);
    } else if (draw(4) == 0) {
        pool_renew_processes(at_now(), service);
    } else if (pool->process_slots.used_mark > 0) {
        uint32_t process = draw(pool->process_slots.used_mark);
        if (slots_is_used(&pool->process_slots, process)) {
            pool_note_memory(at_now(), process, draw(3000));
        }
    }
}

static void kill_one(void) {
    uint32_t connection = draw(pool->connection_slots.used_mark + 1);
    if (slots_is_used(&pool->connection_slots, connection)) {
        pool_kill(at_now(), connection);
    }
}

static void step(void) {
    switch (draw(12)) {
    case 0:
    case 1:
    case 2:
        arrive();
        break;
    case 3:
        pass_time();
        break;
    case 4:
    case 5:
        refill();
        break;
    case 6:
        if (draw(2) == 0) {
            kill_one();
        } else {
            change();
        }
        break;
    default:
        if (pool->process_slots.used_mark > 0) {
            act();
        }
    }
    carry_out_all();
    check();
}

/* ---- Restarts: what was saved is loaded, by a pool that was just made ---- */

static void restart(void) {
    struct snapshot snapshot = {0};
    uint32_t timers_count = scene.timers.count;
    struct snapshot_block block;
    size_t at = 0;
    bool is_whole = true, offers_early = pool->offers_early;
    pool_save(pool, &snapshot);
    pool_clear(pool);
    timers_clear(&scene.timers);
    pool_scene_begin_pool(&scene);
    pool->offers_early = offers_early;
    pool->timers->now_us = now_us;
    while (snapshot_next(snapshot.bytes, snapshot.used_bytes, &at, &block)) {
        assert_true(pool_load(pool, &block, &is_whole));
    }
    assert_int_equal(at, snapshot.used_bytes);
    assert_true(is_whole);
    pool_loaded(pool);
    assert_int_equal(scene.timers.count, timers_count);
    snapshot_clear(&snapshot);
    restarted_count++;
    check();
}

/* ---- Walks ---- */

static struct service draw_service(void) {
    struct service service = {.name = "s",
                              .has_channel = true,
                              .max_connections_count = 1 + draw(draw(2) == 0 ? 3 : 12),
                              .attempts_count = 1 + draw(3),
                              .reuse_count = draw(6),
                              .capacity_count = draw(2) * draw(8),
                              .handshake_timeout_ms = 5000,
                              .stop_timeout_ms = draw(3000),
                              .max_runtime_ms = draw(3) == 0 ? 1 + draw(4000) : 0,
                              .idle_exit_s = draw(3) * draw(40),
                              .retire_after_s = draw(3) == 0 ? 1 + draw(60) : 0,
                              .retire_memory_mib = draw(2) * 2};
    service.max_handlers_count = draw(2) == 0 ? 0 : 1 + draw(service.max_connections_count);
    service.spares_max_count = draw(1 + service_max_handlers(&service));
    service.spares_count = draw(1 + service.spares_max_count);
    service.spares_min_count = draw(1 + service.spares_count);
    return service;
}

static void end_all(void) {
    pool_stop(at_now());
    carry_out_all();
    check();
    for (int i = 0; i < 2000 && !pool_is_empty(pool); i++) {
        assert_false(pool_refill(at_now()));
        step();
    }
    pool_hurry(at_now());
    carry_out_all();
    SLOTS_EACH(i, &pool->process_slots) {
        if (!has_ended(&pool->processes[i])) {
            end(i);
        }
    }
    carry_out_all();
    assert_true(pool_is_empty(pool));
    for (uint64_t id = 1; id <= accepted_count; id++) {
        assert_int_equal(records[id], 1);
    }
    SLOTS_EACH(service, &scene.services.slots) {
        const struct process_sums none = {0};
        assert_memory_equal(&pool->services[service].sums, &none, sizeof none);
        assert_int_equal(pool->services[service].live_count, 0);
    }
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER);
}

static void walk(uint64_t seed) {
    struct service services[SERVICE_COUNT];
    state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    failing = draw(3) == 0 ? 1 + draw(4) : draw(2) * 20;
    breaking = draw(2) == 0 ? 0 : 2u << draw(6);
    now_us = 1000000;
    accepted_count = 0;
    memset(records, 0, sizeof records);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        services[i] = draw_service();
    }
    pool_scene_begin(&scene, services, SERVICE_COUNT);
    pool->offers_early = draw(2) == 0;
    restarting = draw(2) == 0 ? 0 : 2u << draw(7);
    for (int i = 0; i < STEP_COUNT; i++) {
        step();
        if (restarting > 0 && draw(restarting) == 0) {
            restart();
        }
    }
    end_all();
    pool_scene_end(&scene);
}

static uint64_t first_seed = 1, seed_count, seed_now;

static int tell_seed(void **unused) {
    (void)unused;
    print_message("seed: %llu\n", (unsigned long long)seed_now);
    return 0;
}

static void test_walks(void **unused) {
    (void)unused;
    for (seed_now = first_seed; seed_now < first_seed + seed_count; seed_now++) {
        walk(seed_now);
    }
    assert_true(restarted_count > 0 || seed_count == 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_walks, tell_seed)};
    const char *all = getenv("BATON_ALL"), *seed = getenv("BATON_SEED");
    seed_count = all != NULL && strcmp(all, "1") == 0 ? SEED_COUNT_ALL : SEED_COUNT;
    if (seed != NULL) {
        first_seed = strtoull(seed, NULL, 10);
        seed_count = 1;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
