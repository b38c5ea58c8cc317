/* The breaker of a service (core/pool/circuit.h). */
#include "core/pool/circuit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MS 1000u

static void fail_until_open(struct circuit *circuit, uint64_t now_us) {
    for (uint32_t i = 1; i < CIRCUIT_FAILURES_COUNT; i++) {
        assert_int_equal(circuit_judge(circuit, now_us), CIRCUIT_LETS_IN);
        assert_int_equal(circuit_failed(circuit, false, now_us), 0);
    }
    assert_int_equal(circuit_failed(circuit, false, now_us), CIRCUIT_FIRST_MS * MS);
}

static void test_opens_and_heals(void **state) {
    (void)state;
    struct circuit circuit = {0};
    fail_until_open(&circuit, 0);
    assert_int_equal(circuit_judge(&circuit, CIRCUIT_FIRST_MS * MS - 1), CIRCUIT_REFUSES);
    assert_int_equal(circuit_judge(&circuit, CIRCUIT_FIRST_MS * MS), CIRCUIT_LETS_IN_A_PROBE);
    assert_int_equal(circuit_judge(&circuit, CIRCUIT_FIRST_MS * MS), CIRCUIT_REFUSES);
    assert_true(circuit_taken(&circuit));
    assert_false(circuit_taken(&circuit));
    assert_int_equal(circuit_judge(&circuit, 0), CIRCUIT_LETS_IN);
    fail_until_open(&circuit, 0); /* as if nothing had been */
}

static void test_one_success_among_failures(void **state) {
    (void)state;
    struct circuit circuit = {0};
    for (int round = 0; round < 10; round++) {
        for (uint32_t i = 1; i < CIRCUIT_FAILURES_COUNT; i++) {
            assert_int_equal(circuit_failed(&circuit, false, 0), 0);
        }
        assert_false(circuit_taken(&circuit));
    }
}

static void test_the_pause_grows_to_a_minute(void **state) {
    (void)state;
    struct circuit circuit = {0};
    uint64_t now_us = 0, last_us = CIRCUIT_FIRST_MS * MS;
    fail_until_open(&circuit, now_us);
    for (int i = 0; i < 50; i++) {
        now_us = circuit.open_until_us;
        assert_int_equal(circuit_judge(&circuit, now_us), CIRCUIT_LETS_IN_A_PROBE);
        uint64_t pause_us = circuit_failed(&circuit, true, now_us);
        assert_true(pause_us == 2 * last_us || pause_us == CIRCUIT_LAST_MS * MS);
        last_us = pause_us;
    }
    assert_int_equal(last_us, CIRCUIT_LAST_MS * MS);
}

/* Those that had come before do not prolong it, and a probe that left leaves its place. */
static void test_who_tells_nothing(void **state) {
    (void)state;
    struct circuit circuit = {0};
    fail_until_open(&circuit, 0);
    assert_int_equal(circuit_failed(&circuit, false, 500 * MS), 0);
    assert_int_equal(circuit.open_until_us, CIRCUIT_FIRST_MS * MS);
    assert_int_equal(circuit_judge(&circuit, CIRCUIT_FIRST_MS * MS), CIRCUIT_LETS_IN_A_PROBE);
    circuit_left(&circuit);
    assert_int_equal(circuit_judge(&circuit, CIRCUIT_FIRST_MS * MS), CIRCUIT_LETS_IN_A_PROBE);
    assert_int_equal(circuit_failed(&circuit, false, CIRCUIT_FIRST_MS * MS), 0);
    assert_true(circuit_taken(&circuit));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opens_and_heals),
        cmocka_unit_test(test_one_success_among_failures),
        cmocka_unit_test(test_the_pause_grows_to_a_minute),
        cmocka_unit_test(test_who_tells_nothing),
    };
    return cmocka_run_group_tests_name("circuit", tests, NULL, NULL);
}
