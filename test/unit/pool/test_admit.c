/* Who is let in: limits of a service, of all services, and by source; and that all counts are zero
 * when everybody has left, whatever happened in between. */
#include "pool_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static struct pool_scene scene;
static struct pool *const pool = &scene.pool;

static const struct service plain = {.name = "s",
                                     .handoff = HANDOFF_STDIO,
                                     .max_connections_count = 4,
                                     .limits = {.source_prefix_bits = 64},
                                     .attempts_count = 1,
                                     .reuse_count = 1,
                                     .handshake_timeout_ms = 5000,
                                     .stop_timeout_ms = 2000};

static void begin(const struct service_limits *limits) {
    struct service services[2] = {plain, plain};
    services[0].limits = services[1].limits = *limits;
    pool_scene_begin(&scene, services, 2);
}

static void end(void) {
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    pool_scene_take_all(&scene, counts, 0);
    pool_scene_end(&scene);
}

static struct address from(uint8_t last) {
    return (struct address){.family = ADDRESS_IPV4, .bytes = {10, 0, 0, last}, .port = 9};
}

/* Comes to a service, and is launched for if it is let in. */
static uint32_t come(uint32_t service, const struct address *peer, uint64_t now_us) {
    struct pool_arrival arrival = {.service = service, .peer = *peer, .wall_us = (int64_t)now_us};
    assert_true(pool_has_room(pool, service));
    return pool_accept(pool_at(pool, now_us), &arrival);
}

/* What becomes of one that comes: NONE, it is let in and stays. */
static enum outcome outcome_of(uint32_t service, const struct address *peer, uint64_t now_us) {
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    uint32_t connection = come(service, peer, now_us);
    enum outcome outcome = pool->connections[connection].outcome;
    pool_scene_take_all(&scene, counts, now_us);
    assert_int_equal(counts[POOL_RECORD], outcome != OUTCOME_NONE);
    assert_int_equal(counts[POOL_LAUNCH], outcome == OUTCOME_NONE);
    return outcome;
}

/* Ends the process of the oldest connection that lives. */
static void one_leaves(uint64_t now_us) {
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    uint32_t process = slots_next(&pool->process_slots, 0);
    assert_int_not_equal(process, SLOT_NONE);
    pool_exiting(pool, process);
    pool_exited(pool_at(pool, now_us), process, (struct pool_exit){0}, NULL);
    pool_scene_take_all(&scene, counts, now_us);
    assert_int_equal(counts[POOL_RECORD], 1);
}

static void all_is_zero(uint64_t now_us) {
    assert_true(pool_is_empty(pool));
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(pool->services[i].live_count, 0);
        assert_int_equal(pool->services[i].process_count, 0);
    }
    assert_int_equal(pool->sources.slots.in_use_count, pool->sources.resting_count);
    (void)now_us;
}

static void test_by_source(void **state) {
    (void)state;
    struct address a = from(1), b = from(2);
    begin(&(struct service_limits){.max_per_source_count = 2, .source_prefix_bits = 64});
    assert_int_equal(outcome_of(0, &a, 1), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &a, 1), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &a, 1), OUTCOME_REFUSED_SOURCE);
    assert_int_equal(outcome_of(0, &b, 1), OUTCOME_NONE);
    assert_int_equal(outcome_of(1, &a, 1), OUTCOME_NONE); /* another service counts for itself */
    one_leaves(2);
    assert_int_equal(outcome_of(0, &a, 2), OUTCOME_NONE);
    for (int i = 0; i < 4; i++) {
        one_leaves(3);
    }
    all_is_zero(3);
    end();
}

static void test_ipv6_counts_by_prefix_and_local_clients_by_user(void **state) {
    (void)state;
    struct address one = {.family = ADDRESS_IPV6, .bytes = {0x20, 1, 0xd, 0xb8, [15] = 1}};
    struct address same = one, other = one;
    struct address local = {.family = ADDRESS_UNIX, .has_uid = true, .uid = 7, .pid = 1};
    same.bytes[8] = 9;
    other.bytes[7] = 9;
    begin(&(struct service_limits){.max_per_source_count = 1, .source_prefix_bits = 64});
    assert_int_equal(outcome_of(0, &one, 1), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &same, 1), OUTCOME_REFUSED_SOURCE);
    assert_int_equal(outcome_of(0, &other, 1), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &local, 1), OUTCOME_NONE);
    local.pid = 2;
    assert_int_equal(outcome_of(0, &local, 1), OUTCOME_REFUSED_SOURCE);
    end();
}

static void test_rate_by_source_heals(void **state) {
    (void)state;
    struct address a = from(1), b = from(2);
    begin(&(struct service_limits){.source_prefix_bits = 64, .rate_per_source = {2, 1, 3}});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_NONE);
        one_leaves(1000000);
    }
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_REFUSED_RATE);
    assert_int_equal(outcome_of(0, &b, 1000000), OUTCOME_NONE);
    one_leaves(1000000);
    assert_int_equal(outcome_of(0, &a, 1499999), OUTCOME_REFUSED_RATE);
    assert_int_equal(outcome_of(0, &a, 1500000), OUTCOME_NONE);
    one_leaves(1500000);
    all_is_zero(1500000);
    end();
}

static void test_full_waits_or_refuses(void **state) {
    (void)state;
    struct address a = from(1);
    begin(&(struct service_limits){.source_prefix_bits = 64});
    for (int i = 0; i < 4; i++) {
        assert_int_equal(outcome_of(0, &a, 1), OUTCOME_NONE);
    }
    assert_string_equal(pool_lacks_room_for(pool, 0), "max_connections");
    pool_await_room(pool, 0);
    one_leaves(2);
    assert_true(pool_has_room(pool, 0));
    end();
    begin(&(struct service_limits){.source_prefix_bits = 64, .when_full = WHEN_FULL_REFUSE});
    for (int i = 0; i < 4; i++) {
        assert_int_equal(outcome_of(0, &a, 1), OUTCOME_NONE);
    }
    assert_int_equal(outcome_of(0, &a, 1), OUTCOME_REFUSED_FULL);
    one_leaves(2);
    assert_int_equal(outcome_of(0, &a, 2), OUTCOME_NONE);
    end();
}

static void test_rate_waits_or_refuses(void **state) {
    (void)state;
    struct address a = from(1);
    begin(&(struct service_limits){.source_prefix_bits = 64, .rate = {10, 1, 2}});
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_NONE);
    assert_string_equal(pool_lacks_room_for(pool, 0), "rate");
    assert_true(pool_has_room(pool, 1));
    pool_await_room(pool, 0);
    pool_scene_tick(&scene, 1099999);
    assert_false(pool_has_room(pool, 0));
    pool_scene_tick(&scene, 1100000);
    assert_int_equal(outcome_of(0, &a, 1100000), OUTCOME_NONE);
    end();
    begin(&(struct service_limits){
        .source_prefix_bits = 64, .rate = {10, 1, 2}, .when_full = WHEN_FULL_REFUSE});
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_REFUSED_RATE);
    assert_int_equal(outcome_of(0, &a, 1099999), OUTCOME_REFUSED_RATE);
    assert_int_equal(outcome_of(0, &a, 1100000), OUTCOME_NONE);
    end();
}

/* While they wait nobody else has a turn, so that not all of them may. */
static void test_a_pile_behind_a_proxy(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    uint32_t connections[4];
    begin(&(struct service_limits){.source_prefix_bits = 64});
    pool_limit(pool, &(struct service_limits){.source_prefix_bits = 64, .rate = {1, 1, 1}}, 9);
    pool_scene_rules(&scene, 0)->proxy_protocol = 1;
    pool_scene_rules(&scene, 0)->proxy_timeout_ms = 2000;
    for (uint32_t i = 0; i < 4; i++) {
        const struct address proxy = from(1);
        connections[i] = come(0, &proxy, 1);
    }
    for (uint32_t i = 0; i < 4; i++) {
        pool_begin(pool_at(pool, 2), connections[i], NULL, NULL);
    }
    assert_int_equal(pool->connections[connections[3]].outcome, OUTCOME_REFUSED_RATE);
    for (uint64_t second = 1; second <= 3; second++) {
        pool_scene_take_all(&scene, counts, 2);
        assert_int_equal(counts[POOL_LAUNCH], second);
        assert_int_equal(counts[POOL_RECORD], 1);
        assert_false(pool_has_room(pool, 1));
        pool_scene_tick(&scene, second * 1000000 + 2);
    }
    assert_true(pool_has_room(pool, 1));
    for (uint32_t i = 0; i < 3; i++) {
        one_leaves(3000003);
    }
    all_is_zero(3000003);
    end();
}

/* The limits of [supervisor] hold for all services together. */
/* Nobody knows whom to charge before the header has come, and then it is too late to leave him in
 * the backlog. Who is refused takes nobody's turn. */
static void test_rate_behind_a_proxy(void **state) {
    (void)state;
    const struct service_limits limits = {.rate = {1, 1, 1}, .max_per_source_count = 1};
    const struct address twice = from(2);
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    uint32_t connections[4];
    begin(&limits);
    pool_scene_rules(&scene, 0)->proxy_protocol = 1;
    for (uint32_t i = 0; i < 4; i++) {
        const struct address proxy = from(1);
        connections[i] = come(0, &proxy, 1);
    }
    for (uint32_t i = 0; i < 4; i++) {
        const struct address client = i < 2 ? twice : from((uint8_t)(10 + i));
        pool_begin(pool_at(pool, 2), connections[i], &client, &client);
    }
    pool_scene_take_all(&scene, counts, 2);
    assert_int_equal(counts[POOL_LAUNCH], 1);
    assert_int_equal(counts[POOL_RECORD], 1); /* of whom the source has too many */
    assert_false(pool_has_room(pool, 0));
    pool_scene_tick(&scene, 1000001);
    pool_scene_take_all(&scene, counts, 1000001);
    assert_int_equal(counts[POOL_LAUNCH], 1);
    pool_scene_tick(&scene, 1000002);
    pool_scene_take_all(&scene, counts, 1000002);
    assert_int_equal(counts[POOL_LAUNCH], 2);
    pool_scene_tick(&scene, 2000002);
    pool_scene_take_all(&scene, counts, 2000002);
    assert_int_equal(counts[POOL_LAUNCH], 3);
    assert_int_equal(counts[POOL_RECORD], 1);
    assert_false(pool_has_room(pool, 0));
    pool_scene_tick(&scene, 3000002);
    assert_true(pool_has_room(pool, 0));
    for (uint32_t i = 0; i < 3; i++) {
        one_leaves(3000003);
    }
    all_is_zero(3000003);
    end();
}

static void test_all_services_together(void **state) {
    (void)state;
    struct address a = from(1), b = from(2);
    begin(&(struct service_limits){.source_prefix_bits = 64});
    pool_limit(pool,
               &(struct service_limits){.max_per_source_count = 2,
                                        .source_prefix_bits = 64,
                                        .rate = {10, 1, 4},
                                        .when_full = WHEN_FULL_REFUSE},
               3);
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_NONE);
    assert_int_equal(outcome_of(1, &a, 1000000), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_REFUSED_SOURCE);
    assert_int_equal(outcome_of(1, &b, 1000000), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &b, 1000000), OUTCOME_REFUSED_FULL);
    one_leaves(1000000);
    assert_int_equal(outcome_of(0, &b, 1000000), OUTCOME_NONE);
    one_leaves(1000000);
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_REFUSED_RATE);
    assert_int_equal(outcome_of(0, &a, 1100000), OUTCOME_NONE);
    end();
    begin(&(struct service_limits){.source_prefix_bits = 64});
    pool_limit(pool, &(struct service_limits){.source_prefix_bits = 64, .rate = {10, 1, 1}}, 2);
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_NONE);
    assert_string_equal(pool_lacks_room_for(pool, 1), "rate of all services");
    pool_await_room(pool, 1);
    pool_scene_tick(&scene, 1100000);
    assert_int_equal(outcome_of(1, &a, 1100000), OUTCOME_NONE);
    assert_string_equal(pool_lacks_room_for(pool, 0), "max_connections of all services");
    pool_await_room(pool, 0);
    pool_scene_tick(&scene, 1200000);
    assert_false(pool_has_room(pool, 0));
    one_leaves(1200000);
    assert_true(pool_has_room(pool, 0));
    end();
}

/* Where the listener is handed over, the rate is that of launches, and nobody can be refused. */
static void test_launches_for_a_listener(void **state) {
    (void)state;
    struct service service = plain;
    struct pool_arrival arrival = {0};
    service.handoff = HANDOFF_LISTENER;
    service.max_connections_count = 1;
    for (int own = 0; own < 2; own++) {
        uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
        const struct service_limits limits = {
            .rate = {10, 1, 1}, .when_full = own ? WHEN_FULL_QUEUE : WHEN_FULL_REFUSE};
        service.limits = own ? limits : (struct service_limits){0};
        pool_scene_begin(&scene, &service, 1);
        if (!own) {
            pool_limit(pool, &limits, 10);
        }
        (void)pool_accept(pool_at(pool, 1000000), &arrival);
        pool_scene_take_all(&scene, counts, 1000000);
        assert_int_equal(counts[POOL_LAUNCH], 1);
        one_leaves(1000000);
        pool_scene_take_all(&scene, counts, 1000000);
        assert_string_equal(pool_lacks_room_for(pool, 0), "rate");
        pool_scene_tick(&scene, 1100000);
        assert_true(pool_has_room(pool, 0));
        end();
    }
}

/* Refused clients are charged to nobody. */
static void test_a_refusal_costs_no_share(void **state) {
    (void)state;
    struct address a = from(1), b = from(2);
    begin(&(struct service_limits){.max_per_source_count = 1,
                                   .source_prefix_bits = 64,
                                   .rate = {10, 1, 2},
                                   .when_full = WHEN_FULL_REFUSE});
    assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_NONE);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(outcome_of(0, &a, 1000000), OUTCOME_REFUSED_SOURCE);
    }
    assert_int_equal(outcome_of(0, &b, 1000000), OUTCOME_NONE);
    end();
}

/* ---- The breaker ---- */

static enum outcome fail_one(const struct address *peer, uint64_t now_us) {
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    struct pool_action action;
    uint32_t connection = come(0, peer, now_us);
    while (pool_next_action(pool, &action)) {
        if (action.kind == POOL_LAUNCH) {
            pool_launch_failed(pool_at(pool, now_us), action.process, POOL_LAUNCH_REFUSED);
        } else if (action.kind == POOL_RECORD) {
            enum outcome outcome = action.outcome;
            pool_forget(pool, action.connection);
            pool_scene_take_all(&scene, counts, now_us);
            return outcome;
        }
    }
    return pool->connections[connection].outcome;
}

static void test_the_breaker(void **state) {
    (void)state;
    struct address a = from(1);
    begin(&(struct service_limits){.source_prefix_bits = 64});
    for (uint32_t i = 0; i < CIRCUIT_FAILURES_COUNT; i++) {
        assert_int_equal(fail_one(&a, 1), OUTCOME_LAUNCH_FAILED);
    }
    for (int i = 0; i < 20; i++) {
        assert_int_equal(outcome_of(0, &a, 2), OUTCOME_REFUSED_BREAKER);
    }
    assert_int_equal(outcome_of(1, &a, 2), OUTCOME_NONE); /* another service goes on */
    uint64_t then_us = 1 + CIRCUIT_FIRST_MS * 1000u;
    assert_int_equal(fail_one(&a, then_us), OUTCOME_LAUNCH_FAILED); /* the probe */
    assert_int_equal(outcome_of(0, &a, then_us), OUTCOME_REFUSED_BREAKER);
    then_us += 2 * CIRCUIT_FIRST_MS * 1000u;
    assert_int_equal(outcome_of(0, &a, then_us), OUTCOME_NONE);
    assert_int_equal(outcome_of(0, &a, then_us), OUTCOME_NONE);
    assert_int_equal(pool->services[0].circuit.state, CIRCUIT_CLOSED);
    end();
}

/* While the probe is under way nobody is accepted, and nobody is refused for it. */
static void test_others_wait_for_the_probe(void **state) {
    (void)state;
    struct address a = from(1);
    struct pool_action action;
    begin(&(struct service_limits){.source_prefix_bits = 64});
    for (uint32_t i = 0; i < CIRCUIT_FAILURES_COUNT; i++) {
        (void)fail_one(&a, 1);
    }
    uint64_t then_us = 1 + CIRCUIT_FIRST_MS * 1000u;
    come(0, &a, then_us);
    assert_false(pool_has_room(pool, 0));
    pool_await_room(pool, 0);
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    pool_launched(pool_at(pool, then_us), action.process, 100);
    assert_true(pool_has_room(pool, 0));
    bool has_told_room = false, has_told_breaker = false;
    while (pool_next_action(pool, &action)) {
        has_told_room = has_told_room || action.kind == POOL_ROOM;
        has_told_breaker =
            has_told_breaker || (action.kind == POOL_BREAKER && action.pause_us == 0);
    }
    assert_true(has_told_room && has_told_breaker);
    end();
}

/* Processes are short for all, and one is to be had now and then: services take turns. */
static void test_turns_where_processes_are_short(void **state) {
    (void)state;
    struct address a = from(1);
    struct pool_action action;
    uint32_t launched_count[2] = {0};
    begin(&(struct service_limits){.source_prefix_bits = 64});
    for (uint32_t i = 0; i < 8; i++) {
        come(i % 2, &a, 1);
    }
    uint64_t now_us = 1;
    for (int round = 0; round < 4; round++) {
        bool has_one = true;
        while (pool_next_action(pool, &action)) {
            if (action.kind == POOL_LAUNCH && has_one) {
                launched_count[action.service]++;
                pool_launched(pool_at(pool, now_us), action.process, 100);
                has_one = false;
            } else if (action.kind == POOL_LAUNCH) {
                pool_launch_failed(pool_at(pool, now_us), action.process, POOL_LAUNCH_SHORTAGE);
            }
        }
        now_us += 10000000;
        pool_scene_tick(&scene, now_us);
    }
    assert_int_equal(launched_count[0], 2);
    assert_int_equal(launched_count[1], 2);
    end();
}

/* ---- Anything in any order ---- */

static void test_random_visitors(void **state) {
    (void)state;
    uint32_t random = 4711;
    uint64_t now_us = 1000000;
    begin(&(struct service_limits){.max_per_source_count = 2,
                                   .source_prefix_bits = 64,
                                   .rate = {1000, 1, 50},
                                   .rate_per_source = {10, 1, 5},
                                   .when_full = WHEN_FULL_REFUSE});
    pool_limit(pool, &(struct service_limits){.max_per_source_count = 3, .source_prefix_bits = 64},
               6);
    for (int step = 0; step < 50000; step++) {
        random = random * 1664525u + 1013904223u;
        uint32_t service = random >> 31;
        struct address peer = from((uint8_t)(random >> 20 & 15));
        now_us += random >> 24;
        pool_scene_tick(&scene, now_us);
        if ((random >> 16 & 7) == 0 && pool_has_room(pool, 0)) {
            (void)fail_one(&peer, now_us);
        } else if ((random >> 16 & 1) != 0 && pool_has_room(pool, service)) {
            (void)outcome_of(service, &peer, now_us);
        } else if (pool->process_slots.in_use_count > 0) {
            one_leaves(now_us);
        }
    }
    while (pool->process_slots.in_use_count > 0) {
        one_leaves(now_us);
    }
    all_is_zero(now_us);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_source),
        cmocka_unit_test(test_ipv6_counts_by_prefix_and_local_clients_by_user),
        cmocka_unit_test(test_rate_by_source_heals),
        cmocka_unit_test(test_full_waits_or_refuses),
        cmocka_unit_test(test_rate_waits_or_refuses),
        cmocka_unit_test(test_rate_behind_a_proxy),
        cmocka_unit_test(test_a_pile_behind_a_proxy),
        cmocka_unit_test(test_all_services_together),
        cmocka_unit_test(test_launches_for_a_listener),
        cmocka_unit_test(test_a_refusal_costs_no_share),
        cmocka_unit_test(test_the_breaker),
        cmocka_unit_test(test_others_wait_for_the_probe),
        cmocka_unit_test(test_turns_where_processes_are_short),
        cmocka_unit_test(test_random_visitors),
    };
    return cmocka_run_group_tests_name("admit", tests, NULL, NULL);
}
