/* Shortages (core/base/shortage.h). */
#include "core/base/shortage.h"

#include "core/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct timers timers;

static struct timers *at(uint64_t now_us) {
    timers.now_us = now_us;
    return &timers;
}

static int set_up(void **state) {
    (void)state;
    return timers_init(&timers, 1);
}

static int tear_down(void **state) {
    (void)state;
    timers_clear(&timers);
    return 0;
}

static void delays_double_until_it_is_over(void **state) {
    static const uint32_t delays_ms[] = {50, 100, 200, 400, 500, 500};
    struct shortage shortage = shortage_make(50, 500, 7);
    uint64_t now_us = 1000;
    (void)state;
    assert_false(shortage_lasts(&shortage));
    for (size_t i = 0; i < sizeof delays_ms / sizeof *delays_ms; i++) {
        assert_int_equal(shortage_hit(&shortage, at(now_us)), delays_ms[i]);
        assert_true(shortage_lasts(&shortage));
        now_us += delays_ms[i] * UINT64_C(1000);
        assert_int_equal(timers_next_us(&timers), now_us);
        assert_int_equal(timers_expired(&timers, now_us)->token, 7);
        assert_false(shortage_lasts(&shortage));
    }
    shortage_over(&shortage, at(now_us));
    assert_int_equal(shortage_hit(&shortage, at(now_us)), 50);
}

static void relief_ends_the_wait_and_not_the_row(void **state) {
    struct shortage shortage = shortage_make(50, 500, 7);
    (void)state;
    shortage_hit(&shortage, at(0));
    shortage_relieve(&shortage, &timers);
    assert_false(shortage_lasts(&shortage));
    assert_int_equal(shortage_hit(&shortage, at(1)), 100);
}

static void it_is_logged_now_and_then(void **state) {
    struct shortage shortage = shortage_make(50, 500, 7);
    uint64_t now_us = 5;
    (void)state;
    assert_false(shortage_over(&shortage, at(now_us))); /* there was none */
    assert_true(shortage_may_log(&shortage, at(now_us)));
    assert_false(shortage_may_log(&shortage, at(now_us + SHORTAGE_LOG_US - 1)));
    assert_false(shortage_over(&shortage, at(now_us + SHORTAGE_LOG_US - 1)));
    assert_true(shortage_may_log(&shortage, at(now_us + SHORTAGE_LOG_US)));
    now_us += SHORTAGE_LOG_US;
    assert_true(shortage_over(&shortage, at(now_us + SHORTAGE_LOG_US)));
    assert_false(shortage_over(&shortage, at(now_us + 2 * SHORTAGE_LOG_US)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(delays_double_until_it_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(relief_ends_the_wait_and_not_the_row, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_is_logged_now_and_then, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
