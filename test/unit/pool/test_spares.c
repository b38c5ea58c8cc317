/* Spares: how many there are, when they are launched, and what becomes of those that fail. */
#include "living.h"

static struct pool *const pool = &living_scene.pool;

static void test_spares_come_behind_clients(void **state) {
    (void)state;
    struct service service = living_usual();
    service.reuse_count = 1;
    living_spare(&service, 2, 2, 2);
    living_begin(service, living_usual());
    assert_false(living_refill()); /* one by one, until it is known what they take */
    assert_int_equal(living_counts[POOL_LAUNCH], 1);
    uint32_t connection = living_arrive();
    assert_int_equal(living_counts[POOL_LAUNCH], 1); /* it waits for that one */
    assert_false(living_refill());
    living_hello(0, 1);
    assert_int_equal(pool->processes[0].offer, connection);
    assert_true(living_refill());
    assert_false(living_refill());
    assert_int_equal(living_counts[POOL_LAUNCH], 3);
    living_hello(1, 1);
    living_hello(2, 1);
    living_ack(0);
    living_done(0, connection);
    living_leave(0);
    /* Nothing is to change, so nothing wakes up. */
    assert_int_equal(timers_next_us(&living_scene.timers), TIMERS_NEVER);
    assert_false(living_refill());
    /* Its client has left before the offer: it serves the next one. */
    connection = living_arrive();
    uint32_t process = pool->connections[connection].process;
    pool_abandoned(living_at_now(), connection);
    living_take_all();
    assert_int_equal(living_served->idle_first, process);
    living_end();
}

static void test_services_take_turns(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 2, 2, 2);
    living_begin(service, service);
    for (uint32_t i = 0; i < 4; i++) {
        pool_refill(living_at_now());
        living_take_all();
        assert_int_equal(pool->processes[i].service, i % 2);
        living_hello(i, 1);
    }
    assert_false(pool_refill(living_at_now()));
    living_end();
}

/* Who finds none raises the target, quiet times lower it. */
static void test_the_target_goes_with_the_load(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 1, 1, 8);
    service.idle_exit_s = 5;
    living_begin(service, living_usual());
    uint32_t connections[6];
    for (int i = 0; i < 3; i++) {
        connections[i] = living_arrive(); /* a burst */
    }
    assert_int_equal(living_served->target.count, 2);
    living_pass(2 * SECOND_US);
    connections[3] = living_arrive();
    assert_int_equal(living_served->target.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        living_hello(i, 1);
        living_ack(i);
    }
    while (living_refill()) {
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 8);
    for (uint32_t i = 4; i < 8; i++) {
        living_hello(i, 1);
    }
    for (uint32_t i = 0; i < 4; i++) {
        living_done(i, connections[i]);
    }
    assert_int_equal(living_served->sums.idle_count, 8);
    living_pass(6 * SECOND_US); /* four too many */
    assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], 4);
    living_pass(60 * SECOND_US);
    assert_int_equal(living_served->target.count, 1);
    assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], 7);
    assert_int_equal(living_served->sums.idle_count, 1);
    SLOTS_EACH(process, &pool->process_slots) {
        if (pool->processes[process].state != PROCESS_READY) {
            living_leave(process);
        }
    }
    assert_int_equal(timers_next_us(&living_scene.timers), TIMERS_NEVER);
    living_end();
}

/* Ever less often, told each time, until one is of use. */
static void test_spares_that_fail(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 3, 3, 3);
    living_begin(service, living_usual());
    uint64_t pause_us = 100000;
    for (uint32_t i = 1; i <= 12; i++) {
        living_refill();
        assert_int_equal(living_counts[POOL_LAUNCH], i);
        living_leave(0);
        assert_int_equal(living_counts[POOL_SPARES_HELD_BACK], i);
        assert_false(living_refill());
        assert_int_equal(timers_next_us(&living_scene.timers), living_now_us + pause_us);
        assert_int_equal(living_served->spares_pause_us, pause_us);
        living_pass(pause_us);
        pause_us = 2 * pause_us < 60 * SECOND_US ? 2 * pause_us : 60 * SECOND_US;
    }
    assert_int_equal(living_counts[POOL_ATTEMPT_FAILED], 0);
    living_refill();
    living_hello(0, 1);
    living_leave(0); /* HELLO alone proves nothing */
    assert_int_equal(living_served->spares_pause_us, pause_us);
    /* A client does not wait for the pause to end, and heals it. */
    living_arrive();
    living_hello(0, 1);
    living_ack(0);
    assert_true(living_refill() || living_counts[POOL_LAUNCH] > 14);
    uint32_t first = pool->process_slots.used_mark - 1;
    living_leave(first);
    assert_int_equal(living_served->spares_pause_us, 100000);
    living_end();
}

/* It says that it takes nobody, or closes its channel, before HELLO or behind it, and stays: the
 * next one is not launched at once for that, and its exit does not count again. */
static void test_spares_that_take_nobody(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 1, 1, 1);
    for (int closes = 0; closes < 3; closes++) {
        living_begin(service, living_usual());
        living_refill();
        if (closes < 2) {
            living_hello(0, 1);
        }
        if (closes > 0) {
            pool_channel_ended(living_at_now(), 0);
        } else {
            assert_true(pool_retire(living_at_now(), 0));
        }
        living_take_all();
        assert_int_equal(living_counts[POOL_SPARES_HELD_BACK], 1);
        assert_false(living_refill());
        assert_int_equal(living_counts[POOL_LAUNCH], 1);
        living_leave(0);
        assert_int_equal(living_counts[POOL_SPARES_HELD_BACK], 1);
        living_end();
    }
}

/* The system refuses one: nobody else is held up by that. */
static void test_a_shortage_that_a_spare_meets(void **state) {
    (void)state;
    struct service service = living_usual();
    struct pool_action action;
    living_spare(&service, 1, 1, 1);
    living_begin(service, living_usual());
    pool_refill(living_at_now());
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    pool_launch_failed(living_at_now(), action.process, POOL_LAUNCH_SHORTAGE);
    living_take_all();
    assert_false(shortage_lasts(&pool->starved));
    assert_int_equal(living_counts[POOL_SPARES_HELD_BACK], 1);
    living_arrive();
    assert_int_equal(living_counts[POOL_LAUNCH], 1);
    living_end();
}

/* Dead, and nobody knows it yet: who was to have it loses no attempt by that. */
static void test_a_spare_that_is_dead_already(void **state) {
    (void)state;
    struct service service = living_usual();
    struct pool_action action;
    service.attempts_count = 1;
    living_spare(&service, 1, 1, 1);
    living_begin(service, living_usual());
    living_spare_of(1);
    struct pool_arrival arrival = {.peer = {.family = ADDRESS_IPV4}};
    uint32_t connection = pool_accept(living_at_now(), &arrival);
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_OFFER);
    pool_offer_failed(living_at_now(), action.process);
    living_take_all();
    living_leave(0);
    assert_int_equal(pool->connections[connection].attempts_used, 0);
    assert_int_equal(living_counts[POOL_LAUNCH], 2);
    assert_int_equal(living_counts[POOL_SPARES_HELD_BACK], 1);
    living_end();
}

static void test_spares_and_the_breaker(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 1, 1, 1);
    service.attempts_count = 1;
    living_begin(service, living_usual());
    for (int i = 0; i < 5; i++) {
        living_arrive();
        living_leave(0);
    }
    assert_int_equal(living_served->circuit.state, CIRCUIT_OPEN);
    assert_false(living_refill());
    living_pass(2 * SECOND_US);
    assert_false(living_refill()); /* a client probes, not a spare */
    living_arrive();
    assert_int_equal(living_served->circuit.state, CIRCUIT_PROBED);
    assert_false(living_refill());
    living_hello(0, 1);
    assert_false(living_refill());
    living_ack(0);
    assert_int_equal(living_counts[POOL_LAUNCH], 6);
    living_refill();
    assert_int_equal(living_counts[POOL_LAUNCH], 7);
    living_end();
}

/* Each client has as many launches as it has attempts, and no more. */
static void test_a_handler_that_always_fails(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 4, 2, 8);
    living_begin(service, living_usual());
    for (int i = 0; i < 20; i++) {
        if (pool_has_room(pool, 0)) {
            living_arrive();
        }
        for (int round = 0; round < 20; round++) {
            living_refill();
            living_leave_all();
        }
        living_pass(SECOND_US / 100);
    }
    uint32_t failed_count = living_counts[POOL_RECORD];
    assert_int_equal(living_counts[POOL_BREAKER], 1);
    /* Spares: at 0, 100, 300 ms; while the breaker is open there are none. */
    assert_in_range(living_counts[POOL_SPARES_HELD_BACK], 1, 3);
    assert_int_equal(living_counts[POOL_ATTEMPT_FAILED], 2 * 5);
    assert_int_equal(living_counts[POOL_LAUNCH], 2 * 5 + living_counts[POOL_SPARES_HELD_BACK]);
    assert_int_equal(failed_count, 20);
    living_end();
}

static void test_stop_with_spares(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 3, 3, 3);
    living_begin(service, living_usual());
    living_spare_of(1);
    living_refill();
    living_refill();
    assert_int_equal(living_counts[POOL_LAUNCH], 3);
    pool_stop(living_at_now());
    living_take_all();
    assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], 3); /* said HELLO or not */
    assert_false(living_refill());
    living_pass(STOP_US);
    assert_int_equal(living_counts[POOL_TERMINATE], 3);
    assert_int_equal(living_counts[POOL_KILL], 0);
    living_pass(STOP_US);
    assert_int_equal(living_counts[POOL_KILL], 3);
    assert_int_equal(pool->processes[0].retire, RETIRE_STOP);
    living_leave_all();
    assert_true(pool_is_empty(pool));
    assert_int_equal(living_counts[POOL_SPARES_HELD_BACK], 0);
    assert_int_equal(living_counts[POOL_LAUNCH], 3);
    living_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spares_come_behind_clients),
        cmocka_unit_test(test_services_take_turns),
        cmocka_unit_test(test_the_target_goes_with_the_load),
        cmocka_unit_test(test_spares_that_fail),
        cmocka_unit_test(test_spares_that_take_nobody),
        cmocka_unit_test(test_a_shortage_that_a_spare_meets),
        cmocka_unit_test(test_a_spare_that_is_dead_already),
        cmocka_unit_test(test_spares_and_the_breaker),
        cmocka_unit_test(test_a_handler_that_always_fails),
        cmocka_unit_test(test_stop_with_spares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
