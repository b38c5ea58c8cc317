/* The brake on activations (core/pool/breaker.h). */
#include "core/pool/breaker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_failures_pause_longer_and_longer(void **state) {
    (void)state;
    struct breaker breaker = {0};
    uint64_t expected_us = 100000;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(breaker_pause_us(&breaker, true, 0, 1),
                         expected_us < 60000000 ? expected_us : 60000000);
        expected_us *= 2;
    }
    /* One that serves, and one that lived long, start from the beginning. */
    assert_int_equal(breaker_pause_us(&breaker, false, 0, 1), 0);
    assert_int_equal(breaker_pause_us(&breaker, true, 0, 1), 100000);
    assert_int_equal(breaker_pause_us(&breaker, true, BREAKER_LIVED_US - 1, 1), 200000);
    assert_int_equal(breaker_pause_us(&breaker, true, BREAKER_LIVED_US, 1), 100000);
}

static void test_quick_ends_are_free_for_a_while(void **state) {
    (void)state;
    struct breaker breaker = {0};
    const uint64_t start_us = 5000000;
    for (uint32_t i = 0; i < BREAKER_BURST_COUNT; i++) {
        assert_int_equal(breaker_pause_us(&breaker, false, 1, start_us), 0);
    }
    assert_int_equal(breaker_pause_us(&breaker, false, 1, start_us), BREAKER_INTERVAL_US);
    /* After the pause: one at a time, at the steady rate. */
    assert_int_equal(breaker_pause_us(&breaker, false, 1, start_us + BREAKER_INTERVAL_US),
                     BREAKER_INTERVAL_US);
    /* After a rest the burst is free again. */
    uint64_t later_us = start_us + 100u * BREAKER_INTERVAL_US;
    for (uint32_t i = 0; i < BREAKER_BURST_COUNT; i++) {
        assert_int_equal(breaker_pause_us(&breaker, false, 1, later_us), 0);
    }
    assert_int_not_equal(breaker_pause_us(&breaker, false, 1, later_us), 0);
}

/* However long it runs at full speed, the rate of launches is bounded. */
static void test_the_rate_is_bounded(void **state) {
    (void)state;
    struct breaker breaker = {0};
    uint64_t now_us = 1;
    uint32_t launches_count = 0;
    while (now_us < 60000000) {
        launches_count++;
        now_us += 1000; /* it lives for a millisecond */
        now_us += breaker_pause_us(&breaker, false, 1000, now_us);
    }
    assert_in_range(launches_count, 590, 600 + BREAKER_BURST_COUNT + 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_pause_longer_and_longer),
        cmocka_unit_test(test_quick_ends_are_free_for_a_while),
        cmocka_unit_test(test_the_rate_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
