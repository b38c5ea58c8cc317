/* Services that leave while the others go on: those who have their listeners are dismissed, and one
 * that is stopped has stop_timeout_ms. */
#include "pool_scene.h"

#include "core/pool/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define STOP_US POOL_SCENE_STOP_US

static struct pool_scene scene;
static struct pool *const pool = &scene.pool;
static const struct pool_words silence = {0};

static uint32_t take_until(enum pool_action_kind kind) {
    struct pool_action action;
    do {
        assert_true(pool_next_action(pool, &action));
    } while (action.kind != kind);
    return action.process;
}

static uint32_t hold(uint32_t service, uint64_t now_us, uint32_t *process) {
    uint32_t connection = pool_scene_accept(&scene, service, now_us);
    *process = take_until(POOL_LAUNCH);
    assert_true(pool_hello(pool_at(pool, now_us), *process, 1, 1));
    take_until(POOL_OFFER);
    assert_true(pool_ack(pool, *process, connection, &silence));
    take_until(POOL_RELEASE);
    return connection;
}

static void end(uint32_t process, uint64_t now_us) {
    pool_exiting(pool_at(pool, now_us), process);
    pool_exited(pool, process, (struct pool_exit){.by_signal = true, .code = 9}, NULL);
}

/* One service is stopped: what it has ends as under an ordered stop, and its neighbour notices
 * nothing. */
static void one_service_is_stopped(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    uint32_t stopped, other;
    pool_scene_begin_two(&scene, 4, 1);
    uint32_t first = hold(0, 1, &stopped);
    uint32_t second = hold(1, 1, &other);
    pool_retire_service(pool_at(pool, 2), 0);
    pool_stop_service(pool, 0);
    assert_false(pool_has_room(pool, 0));
    assert_true(pool_has_room(pool, 1));
    pool_scene_take_all(&scene, counts, 2);
    assert_int_equal(counts[POOL_SEND_DRAIN], 1);
    assert_int_equal(timers_next_us(&scene.timers), 2 + STOP_US);
    pool_scene_tick(&scene, 2 + STOP_US);
    pool_scene_take_all(&scene, counts, 2 + STOP_US);
    assert_int_equal(counts[POOL_TERMINATE], 1);
    pool_scene_tick(&scene, 2 + 2 * STOP_US);
    pool_scene_take_all(&scene, counts, 2 + 2 * STOP_US);
    assert_int_equal(counts[POOL_KILL], 1);
    end(stopped, 2 + 2 * STOP_US);
    assert_int_equal(pool->connections[first].outcome, OUTCOME_DRAINED);
    pool_scene_take_all(&scene, counts, 2 + 2 * STOP_US);
    assert_int_equal(counts[POOL_RECORD], 1);
    assert_int_equal(counts[POOL_SERVICE_OVER], 1);
    assert_int_equal(pool->connections[second].state, CONNECTION_HELD);
    assert_int_equal(pool->processes[other].state, PROCESS_READY);
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER);
    pool_scene_end(&scene);
}

/* Those of it that wait for a handler do so no more. */
static void who_waits_at_a_service_that_is_stopped_goes(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    pool_scene_begin_two(&scene, 4, 1);
    pool_scene_accept(&scene, 0, 1);
    uint32_t launching = take_until(POOL_LAUNCH);
    pool_retire_service(pool_at(pool, 2), 0);
    pool_stop_service(pool, 0);
    assert_int_equal(timers_next_us(&scene.timers), 2 + STOP_US);
    pool_scene_tick(&scene, 2 + STOP_US);
    end(launching, 2 + STOP_US);
    pool_scene_take_all(&scene, counts, 2 + STOP_US);
    assert_int_equal(counts[POOL_RECORD], 1);
    assert_int_equal(counts[POOL_LAUNCH], 0); /* no second attempt */
    assert_int_equal(counts[POOL_SERVICE_OVER], 1);
    pool_scene_end(&scene);
}

/* ---- Listeners ---- */

static struct service *begin_with_listener(bool has_channel) {
    pool_scene_begin_two(&scene, 1, 1);
    struct service *rules = pool_scene_rules(&scene, 0);
    rules->handoff = HANDOFF_LISTENER;
    rules->has_channel = has_channel;
    rules->attempts_count = 1;
    return rules;
}

static uint32_t activate(uint64_t now_us) {
    struct pool_arrival arrival = {.service = 0};
    return pool_accept(pool_at(pool, now_us), &arrival);
}

/* It goes on with whom it serves, for as long as it likes; and is told that it has no listener any
 * more. */
static void who_has_the_listener_is_dismissed(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin_with_listener(false);
    uint32_t connection = activate(1);
    uint32_t process = take_until(POOL_LAUNCH);
    pool_launched(pool, process, 7);
    pool_retire_service(pool_at(pool, 2), 0);
    pool_scene_take_all(&scene, counts, 2);
    assert_int_equal(counts[POOL_SEND_DRAIN], 1);
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER);
    assert_int_equal(counts[POOL_SERVICE_OVER], 0);
    end(process, 3);
    assert_int_equal(pool->connections[connection].outcome, OUTCOME_DRAINED);
    pool_scene_take_all(&scene, counts, 3);
    assert_int_equal(counts[POOL_SERVICE_OVER], 1);
    pool_scene_end(&scene);
}

/* One that has it offered to it is told so as soon as it has taken it. */
static void who_takes_it_later_is_dismissed_then(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin_with_listener(true);
    uint32_t connection = activate(1);
    uint32_t process = take_until(POOL_LAUNCH);
    assert_true(pool_hello(pool, process, 7, 1));
    take_until(POOL_OFFER);
    pool_retire_service(pool_at(pool, 2), 0);
    pool_scene_take_all(&scene, counts, 2);
    assert_int_equal(counts[POOL_SEND_DRAIN], 0);
    assert_true(pool_ack(pool_at(pool, 3), process, connection, &silence));
    pool_scene_take_all(&scene, counts, 3);
    assert_int_equal(counts[POOL_SEND_DRAIN], 1);
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER);
    end(process, 4);
    pool_scene_take_all(&scene, counts, 4);
    assert_int_equal(counts[POOL_SERVICE_OVER], 1);
    pool_scene_end(&scene);
}

/* There is nothing that one which is being launched could be given; where it had begun it has the
 * listener all the same, and is told. */
static void who_would_have_got_it_is_not_given_it(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin_with_listener(false);
    activate(1);
    uint32_t process = take_until(POOL_LAUNCH);
    pool_retire_service(pool_at(pool, 2), 0);
    pool_scene_take_all(&scene, counts, 2);
    assert_int_equal(counts[POOL_GIVE_BACK], 1);
    assert_int_equal(counts[POOL_SERVICE_OVER], 0);
    pool_launched(pool_at(pool, 3), process, 7); /* by a launcher that had begun */
    pool_scene_take_all(&scene, counts, 3);
    assert_int_equal(counts[POOL_TERMINATE], 0);
    assert_int_equal(counts[POOL_SEND_DRAIN], 1);
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER); /* it may have clients */
    end(process, 4);
    pool_scene_take_all(&scene, counts, 4);
    assert_int_equal(counts[POOL_SERVICE_OVER], 1);
    pool_scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_service_is_stopped),
        cmocka_unit_test(who_waits_at_a_service_that_is_stopped_goes),
        cmocka_unit_test(who_has_the_listener_is_dismissed),
        cmocka_unit_test(who_takes_it_later_is_dismissed_then),
        cmocka_unit_test(who_would_have_got_it_is_not_given_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
