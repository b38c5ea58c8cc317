/* What a shortage makes of the launches that follow: one tries for all. */
#include "pool_scene.h"

#include "core/pool/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct pool_scene scene;
static struct pool *const pool = &scene.pool;

static void begin(uint32_t max_connections_count, uint32_t reuse_count) {
    pool_scene_begin_two(&scene, max_connections_count, reuse_count);
}

static uint32_t accept_one(uint32_t service, uint64_t now_us) {
    return pool_scene_accept(&scene, service, now_us);
}

/* A client that comes back takes the place that its age gives it. */
static void test_queue_is_in_order_of_acceptance(void **state) {
    (void)state;
    struct pool_action action;
    uint32_t processes[5], connections[5];
    begin(5, 1);
    for (int i = 0; i < 5; i++) {
        connections[i] = accept_one(0, 1);
        assert_true(pool_next_action(pool, &action));
        assert_int_equal(action.kind, POOL_LAUNCH);
        processes[i] = action.process;
    }
    static const int shortages[] = {3, 0, 4, 1, 2};
    for (int i = 0; i < 5; i++) {
        pool_launch_failed(pool_at(pool, 2), processes[shortages[i]], POOL_LAUNCH_SHORTAGE);
    }
    assert_false(pool_next_action(pool, &action));
    assert_int_equal(pool->process_slots.in_use_count, 0);
    uint32_t at = pool->services[0].queue.first;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(at, connections[i]);
        at = pool->connections[at].next;
    }
    assert_int_equal(at, SLOT_NONE);
    /* One tries for all, until one is made. */
    for (int tries = 0; tries < 2; tries++) {
        pool_scene_tick(&scene, timers_next_us(&scene.timers));
        assert_true(pool_next_action(pool, &action));
        assert_int_equal(action.kind, POOL_LAUNCH);
        assert_int_equal(action.connection, connections[0]);
        assert_false(pool_next_action(pool, &action));
        assert_true(pool_is_starved(pool));
        if (tries == 0) {
            pool_launch_failed(pool, action.process, POOL_LAUNCH_SHORTAGE);
            assert_false(pool_next_action(pool, &action));
        }
    }
    pool_launched(pool, action.process, 1000);
    assert_false(pool_is_starved(pool));
    for (int i = 1; i < 5; i++) {
        assert_true(pool_next_action(pool, &action));
        assert_int_equal(action.kind, POOL_LAUNCH);
        assert_int_equal(action.connection, connections[i]);
    }
    pool_scene_end(&scene);
}

/* What one service alone meets is tried by one of its own; others are launched meanwhile. */
static void test_a_limit_of_its_own_is_tried_by_one(void **state) {
    (void)state;
    struct pool_action action;
    uint32_t processes[3];
    begin(3, 2);
    for (int i = 0; i < 3; i++) {
        accept_one(0, 1);
        assert_true(pool_next_action(pool, &action));
        processes[i] = action.process;
    }
    for (int i = 0; i < 3; i++) {
        pool_launch_failed(pool_at(pool, 2), processes[i], POOL_LAUNCH_OWN_LIMIT);
    }
    assert_false(pool_next_action(pool, &action));
    pool_scene_tick(&scene, timers_next_us(&scene.timers));
    assert_true(pool_next_action(pool, &action));
    uint32_t trial = action.process;
    while (pool_next_action(pool, &action)) {
        assert_int_not_equal(action.kind, POOL_LAUNCH);
    }
    assert_false(pool_is_starved(pool));
    pool_launch_failed(pool, trial, POOL_LAUNCH_REFUSED); /* it is not short any more */
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    while (pool_next_action(pool, &action)) {
        counts[action.kind]++;
    }
    assert_int_equal(counts[POOL_LAUNCH], 3);
    pool_scene_end(&scene);
}

/* The program of one is on a file system that hangs: another one tries, of another service. */
static void test_a_trial_that_hangs_is_passed_on(void **state) {
    (void)state;
    struct pool_action action;
    uint32_t connections[3], processes[3];
    begin(3, 1);
    for (uint32_t i = 0; i < 3; i++) {
        connections[i] = accept_one(i < 2, 1); /* two of the service that has the first turn */
        assert_true(pool_next_action(pool, &action));
        processes[i] = action.process;
    }
    for (uint32_t i = 0; i < 3; i++) {
        pool_launch_failed(pool_at(pool, 2), processes[i], POOL_LAUNCH_SHORTAGE);
    }
    pool_scene_tick(&scene, timers_next_us(&scene.timers));
    assert_true(pool_next_action(pool, &action));
    uint32_t hangs = action.process;
    assert_int_equal(action.connection, connections[0]);
    assert_false(pool_next_action(pool, &action));
    pool_scene_tick(&scene, timers_next_us(&scene.timers));
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    assert_int_equal(action.connection, connections[2]);
    assert_false(pool_next_action(pool, &action));
    assert_true(pool_is_starved(pool));
    pool_launched(pool, action.process, 1000);
    assert_false(pool_is_starved(pool));
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    assert_int_equal(action.connection, connections[1]);
    pool_launch_failed(pool, hangs, POOL_LAUNCH_SHORTAGE); /* at last: it tells what is so now */
    assert_true(pool_is_starved(pool));
    assert_int_equal(pool->connections[connections[0]].attempts_used, 0);
    pool_scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue_is_in_order_of_acceptance),
        cmocka_unit_test(test_a_limit_of_its_own_is_tried_by_one),
        cmocka_unit_test(test_a_trial_that_hangs_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
