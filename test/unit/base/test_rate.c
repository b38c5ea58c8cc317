/* A rate with a burst (core/base/rate.h). */
#include "core/base/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint32_t pass_all(struct rate *rate, uint32_t per_s, uint64_t now_us) {
    uint32_t count = 0;
    while (rate_passes(rate, per_s, now_us)) {
        count++;
    }
    return count;
}

static void test_burst_then_the_rate(void **state) {
    (void)state;
    struct rate rate = {0};
    uint64_t now_us = 5000000;
    assert_int_equal(pass_all(&rate, 100, now_us), 1000);
    assert_int_equal(rate_take_refused(&rate), 1);
    assert_int_equal(rate_take_refused(&rate), 0);
    for (int second = 0; second < 5; second++) {
        now_us += 1000000;
        assert_int_equal(pass_all(&rate, 100, now_us), 100);
    }
    assert_int_equal(rate_take_refused(&rate), 5);
    /* A pause of any length gives the burst again, and no more. */
    assert_int_equal(pass_all(&rate, 100, now_us + UINT64_C(3600000000)), 1000);
}

static void test_edges(void **state) {
    (void)state;
    struct rate rate = {0};
    for (int i = 0; i < 100000; i++) {
        assert_true(rate_passes(&rate, 0, 1));
    }
    assert_int_equal(pass_all(&rate, 1, 1), RATE_BURST_S);
    rate = (struct rate){0};
    assert_int_equal(pass_all(&rate, 1000000, 1), 1000000 * RATE_BURST_S);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_the_rate),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
