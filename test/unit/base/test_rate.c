/* A rate with a burst (core/base/rate.h). */
#include "core/base/rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint32_t pass_all(struct rate *rate, const struct rate_limit *limit, uint64_t now_us) {
    uint32_t count = 0;
    while (rate_passes(rate, limit, now_us)) {
        count++;
    }
    return count;
}

static void test_burst_then_the_rate(void **state) {
    const struct rate_limit limit = {100, 1, 1000};
    (void)state;
    struct rate rate = {0};
    uint64_t now_us = 5000000;
    assert_true(rate_is_rested(&rate, now_us));
    assert_int_equal(pass_all(&rate, &limit, now_us), 1000);
    assert_false(rate_is_rested(&rate, now_us));
    for (int second = 0; second < 5; second++) {
        now_us += 1000000;
        assert_int_equal(pass_all(&rate, &limit, now_us), 100);
    }
    /* A pause of any length gives the burst again, and no more. */
    now_us += UINT64_C(3600000000);
    assert_true(rate_is_rested(&rate, now_us));
    assert_int_equal(pass_all(&rate, &limit, now_us), 1000);
}

static void test_waits_as_long_as_it_says(void **state) {
    const struct rate_limit limits[] = {{1, 60, 1}, {7, 1, 3}, {700000, 1, 1}, {3, 86400, 2}};
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        struct rate rate = {0};
        uint64_t now_us = 123456789;
        assert_int_equal(rate_wait_us(&rate, &limits[i], now_us), 0);
        assert_int_equal(pass_all(&rate, &limits[i], now_us), limits[i].burst_count);
        uint64_t wait_us = rate_wait_us(&rate, &limits[i], now_us);
        assert_true(wait_us > 0);
        assert_false(rate_passes(&rate, &limits[i], now_us + wait_us - 1));
        assert_true(rate_passes(&rate, &limits[i], now_us + wait_us));
    }
}

/* What passed all the same has to be waited for. */
static void test_a_charge_is_a_debt(void **state) {
    const struct rate_limit limit = {10, 1, 1};
    (void)state;
    struct rate rate = {0};
    for (int i = 0; i < 5; i++) {
        rate_charge(&rate, &limit, 1000000);
    }
    assert_int_equal(rate_wait_us(&rate, &limit, 1000000), 500000);
    assert_false(rate_is_rested(&rate, 1499999));
    assert_true(rate_is_rested(&rate, 1500000));
}

static void test_edges(void **state) {
    const struct rate_limit none = {0}, one = {1, 1, 10}, fast = {1000000, 1, 10000000};
    (void)state;
    struct rate rate = {0};
    for (int i = 0; i < 100000; i++) {
        assert_true(rate_passes(&rate, &none, 1));
    }
    assert_int_equal(pass_all(&rate, &one, 1), 10);
    rate = (struct rate){0};
    assert_int_equal(pass_all(&rate, &fast, 1), 10000000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_the_rate),
        cmocka_unit_test(test_waits_as_long_as_it_says),
        cmocka_unit_test(test_a_charge_is_a_debt),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
