/* Spares: how many there are, when they are launched, and what becomes of those that fail. */
#include "living.h"

static void test_spares_come_behind_clients(void **state) {
    (void)state;
    struct service service = usual();
    service.reuse_count = 1;
    spare(&service, 2, 2, 2);
    begin(service, usual());
    assert_false(refill()); /* one by one, until it is known what they take */
    assert_int_equal(counts[POOL_LAUNCH], 1);
    uint32_t connection = arrive();
    assert_int_equal(counts[POOL_LAUNCH], 1); /* it waits for that one */
    assert_false(refill());
    hello(0, 1);
    assert_int_equal(pool->processes[0].offer, connection);
    assert_true(refill());
    assert_false(refill());
    assert_int_equal(counts[POOL_LAUNCH], 3);
    hello(1, 1);
    hello(2, 1);
    ack(0);
    done(0, connection);
    leave(0);
    /* Nothing is to change, so nothing wakes up. */
    assert_int_equal(timers_next_us(&scene.timers), TIMERS_NEVER);
    assert_false(refill());
    /* Its client has left before the offer: it serves the next one. */
    connection = arrive();
    uint32_t process = pool->connections[connection].process;
    pool_abandoned(at_now(), connection);
    take_all();
    assert_int_equal(served->idle_first, process);
    end();
}

static void test_services_take_turns(void **state) {
    (void)state;
    struct service service = usual();
    spare(&service, 2, 2, 2);
    begin(service, service);
    for (uint32_t i = 0; i < 4; i++) {
        pool_refill(at_now());
        take_all();
        assert_int_equal(pool->processes[i].service, i % 2);
        hello(i, 1);
    }
    assert_false(pool_refill(at_now()));
    end();
}

/* Who finds none raises the target, quiet times lower it. */
static void test_the_target_goes_with_the_load(void **state) {
    (void)state;
    struct service service = usual();
    spare(&service, 1, 1, 8);
    service.idle_exit_s = 5;
    begin(service, usual());
    uint32_t connections[6];
    for (int i = 0; i < 3; i++) {
        connections[i] = arrive(); /* a burst */
    }
    assert_int_equal(served->target.count, 2);
    pass(2 * SECOND_US);
    connections[3] = arrive();
    assert_int_equal(served->target.count, 4);
    for (uint32_t i = 0; i < 4; i++) {
        hello(i, 1);
        ack(i);
    }
    while (refill()) {
    }
    assert_int_equal(counts[POOL_LAUNCH], 8);
    for (uint32_t i = 4; i < 8; i++) {
        hello(i, 1);
    }
    for (uint32_t i = 0; i < 4; i++) {
        done(i, connections[i]);
    }
    assert_int_equal(served->sums.idle_count, 8);
    pass(6 * SECOND_US); /* four too many */
    assert_int_equal(counts[POOL_CLOSE_CHANNEL], 4);
    pass(60 * SECOND_US);
    assert_int_equal(served->target.count, 1);
    assert_int_equal(counts[POOL_CLOSE_CHANNEL], 7);
    assert_int_equal(served->sums.idle_count, 1);
    SLOTS_EACH(process, &pool->process_slots) {
        if (pool->processes[process].state != PROCESS_READY) {
            leave(process);
        }
    }
    assert_int_equal(timers_next_us(&scene.timers), TIMERS_NEVER);
    end();
}

/* Ever less often, told each time, until one is of use. */
static void test_spares_that_fail(void **state) {
    (void)state;
    struct service service = usual();
    spare(&service, 3, 3, 3);
    begin(service, usual());
    uint64_t pause_us = 100000;
    for (uint32_t i = 1; i <= 12; i++) {
        refill();
        assert_int_equal(counts[POOL_LAUNCH], i);
        leave(0);
        assert_int_equal(counts[POOL_SPARES_HELD_BACK], i);
        assert_false(refill());
        assert_int_equal(timers_next_us(&scene.timers), now_us + pause_us);
        assert_int_equal(served->spares_pause_us, pause_us);
        pass(pause_us);
        pause_us = 2 * pause_us < 60 * SECOND_US ? 2 * pause_us : 60 * SECOND_US;
    }
    assert_int_equal(counts[POOL_ATTEMPT_FAILED], 0);
    refill();
    hello(0, 1);
    leave(0); /* HELLO alone proves nothing */
    assert_int_equal(served->spares_pause_us, pause_us);
    /* A client does not wait for the pause to end, and heals it. */
    arrive();
    hello(0, 1);
    ack(0);
    assert_true(refill() || counts[POOL_LAUNCH] > 14);
    uint32_t first = pool->process_slots.used_mark - 1;
    leave(first);
    assert_int_equal(served->spares_pause_us, 100000);
    end();
}

/* The system refuses one: nobody else is held up by that. */
static void test_a_shortage_that_a_spare_meets(void **state) {
    (void)state;
    struct service service = usual();
    struct pool_action action;
    spare(&service, 1, 1, 1);
    begin(service, usual());
    pool_refill(at_now());
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    pool_launch_failed(at_now(), action.process, POOL_LAUNCH_SHORTAGE);
    take_all();
    assert_false(shortage_lasts(&pool->starved));
    assert_int_equal(counts[POOL_SPARES_HELD_BACK], 1);
    arrive();
    assert_int_equal(counts[POOL_LAUNCH], 1);
    end();
}

/* Dead, and nobody knows it yet: who was to have it loses no attempt by that. */
static void test_a_spare_that_is_dead_already(void **state) {
    (void)state;
    struct service service = usual();
    struct pool_action action;
    service.attempts_count = 1;
    spare(&service, 1, 1, 1);
    begin(service, usual());
    spare_of(1);
    struct pool_arrival arrival = {.peer = {.family = ADDRESS_IPV4}};
    uint32_t connection = pool_accept(at_now(), &arrival);
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_OFFER);
    pool_offer_failed(at_now(), action.process);
    take_all();
    leave(0);
    assert_int_equal(pool->connections[connection].attempts_used, 0);
    assert_int_equal(counts[POOL_LAUNCH], 2);
    assert_int_equal(counts[POOL_SPARES_HELD_BACK], 1);
    end();
}

static void test_spares_and_the_breaker(void **state) {
    (void)state;
    struct service service = usual();
    spare(&service, 1, 1, 1);
    service.attempts_count = 1;
    begin(service, usual());
    for (int i = 0; i < 5; i++) {
        arrive();
        leave(0);
    }
    assert_int_equal(served->circuit.state, CIRCUIT_OPEN);
    assert_false(refill());
    pass(2 * SECOND_US);
    assert_false(refill()); /* a client probes, not a spare */
    arrive();
    assert_int_equal(served->circuit.state, CIRCUIT_PROBED);
    assert_false(refill());
    hello(0, 1);
    assert_false(refill());
    ack(0);
    assert_int_equal(counts[POOL_LAUNCH], 6);
    refill();
    assert_int_equal(counts[POOL_LAUNCH], 7);
    end();
}

/* Each client has as many launches as it has attempts, and no more. */
static void test_a_handler_that_always_fails(void **state) {
    (void)state;
    struct service service = usual();
    spare(&service, 4, 2, 8);
    begin(service, usual());
    for (int i = 0; i < 20; i++) {
        if (pool_has_room(pool, 0)) {
            arrive();
        }
        for (int round = 0; round < 20; round++) {
            refill();
            leave_all();
        }
        pass(SECOND_US / 100);
    }
    uint32_t failed_count = counts[POOL_RECORD];
    assert_int_equal(counts[POOL_BREAKER], 1);
    /* Spares: at 0, 100, 300 ms; while the breaker is open there are none. */
    assert_in_range(counts[POOL_SPARES_HELD_BACK], 1, 3);
    assert_int_equal(counts[POOL_ATTEMPT_FAILED], 2 * 5);
    assert_int_equal(counts[POOL_LAUNCH], 2 * 5 + counts[POOL_SPARES_HELD_BACK]);
    assert_int_equal(failed_count, 20);
    end();
}

static void test_stop_with_spares(void **state) {
    (void)state;
    struct service service = usual();
    spare(&service, 3, 3, 3);
    begin(service, usual());
    spare_of(1);
    refill();
    refill();
    assert_int_equal(counts[POOL_LAUNCH], 3);
    pool_stop(at_now());
    take_all();
    assert_int_equal(counts[POOL_CLOSE_CHANNEL], 3); /* said HELLO or not */
    assert_false(refill());
    pass(STOP_US);
    assert_int_equal(counts[POOL_TERMINATE], 3);
    assert_int_equal(counts[POOL_KILL], 0);
    pass(STOP_US);
    assert_int_equal(counts[POOL_KILL], 3);
    assert_int_equal(pool->processes[0].retire, RETIRE_STOP);
    leave_all();
    assert_true(pool_is_empty(pool));
    assert_int_equal(counts[POOL_SPARES_HELD_BACK], 0);
    assert_int_equal(counts[POOL_LAUNCH], 3);
    end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spares_come_behind_clients),
        cmocka_unit_test(test_services_take_turns),
        cmocka_unit_test(test_the_target_goes_with_the_load),
        cmocka_unit_test(test_spares_that_fail),
        cmocka_unit_test(test_a_shortage_that_a_spare_meets),
        cmocka_unit_test(test_a_spare_that_is_dead_already),
        cmocka_unit_test(test_spares_and_the_breaker),
        cmocka_unit_test(test_a_handler_that_always_fails),
        cmocka_unit_test(test_stop_with_spares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
