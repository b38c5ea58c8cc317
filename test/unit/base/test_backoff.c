/* Delays between tries (core/base/backoff.h). */
#include "core/base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_doubles_up_to_the_ceiling(void **state) {
    (void)state;
    static const uint32_t expected_ms[] = {50, 100, 200, 400, 800, 1000, 1000};
    for (uint32_t i = 0; i < 7; i++) {
        assert_int_equal(backoff_delay_ms(i + 1, 50, 1000), expected_ms[i]);
    }
}

static void test_edges(void **state) {
    (void)state;
    assert_int_equal(backoff_delay_ms(1, 1000, 1000), 1000);
    assert_int_equal(backoff_delay_ms(9, 1000, 500), 500);
    assert_int_equal(backoff_delay_ms(UINT32_MAX, 1, UINT32_MAX), UINT32_MAX);
    assert_int_equal(backoff_delay_ms(32, 1, UINT32_MAX), 0x80000000u);
    assert_int_equal(backoff_delay_ms(33, 1, UINT32_MAX), UINT32_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_ceiling),
        cmocka_unit_test(test_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
