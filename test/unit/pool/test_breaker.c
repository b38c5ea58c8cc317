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
        assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, true, 0, 1),
                         expected_us < 60000000 ? expected_us : 60000000);
        expected_us *= 2;
    }
    /* One that serves, and one that lived long, start from the beginning. */
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, false, 0, 1), 0);
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, true, 0, 1), 100000);
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, true, BREAKER_LIVED_US - 1, 1),
                     200000);
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, true, BREAKER_LIVED_US, 1),
                     100000);
}

static void test_quick_ends_are_free_for_a_while(void **state) {
    (void)state;
    struct breaker breaker = {0};
    const uint64_t start_us = 5000000;
    for (uint32_t i = 0; i < BREAKER_BURST_COUNT; i++) {
        assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, false, 1, start_us), 0);
    }
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, false, 1, start_us),
                     BREAKER_INTERVAL_US);
    /* After the pause: one at a time, at the steady rate. */
    assert_int_equal(
        breaker_pause_us(&breaker, PROGRESS_UNKNOWN, false, 1, start_us + BREAKER_INTERVAL_US),
        BREAKER_INTERVAL_US);
    /* After a rest the burst is free again. */
    uint64_t later_us = start_us + 100u * BREAKER_INTERVAL_US;
    for (uint32_t i = 0; i < BREAKER_BURST_COUNT; i++) {
        assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, false, 1, later_us), 0);
    }
    assert_int_not_equal(breaker_pause_us(&breaker, PROGRESS_UNKNOWN, false, 1, later_us), 0);
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
        now_us += breaker_pause_us(&breaker, PROGRESS_UNKNOWN, false, 1000, now_us);
    }
    assert_in_range(launches_count, 590, 600 + BREAKER_BURST_COUNT + 1);
}

/* Whatever it says of itself: what counts is whether it took anybody. */
static void test_progress_is_never_braked(void **state) {
    (void)state;
    struct breaker breaker = {0};
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(breaker_pause_us(&breaker, PROGRESS_MADE, i % 2 == 0, 0, 1), 0);
    }
}

static void test_none_pauses_longer_and_longer(void **state) {
    (void)state;
    struct breaker breaker = {0};
    uint64_t expected_us = 100000;
    for (int i = 0; i < 12; i++) {
        assert_int_equal(breaker_pause_us(&breaker, PROGRESS_NONE, i % 2 == 0, 0, 1),
                         expected_us < 60000000 ? expected_us : 60000000);
        expected_us *= 2;
    }
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_MADE, false, 0, 1), 0);
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_NONE, false, 0, 1), 100000);
}

/* The first time it may be that others have come; then they are known. */
static void test_what_is_not_proven_is_looked_at(void **state) {
    (void)state;
    struct breaker breaker = {0};
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNPROVEN, false, 0, 1), 0);
    assert_int_not_equal(breaker.failures_count, 0);
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_MADE, false, 0, 1), 0);
    assert_int_equal(breaker.failures_count, 0);
    assert_int_equal(breaker_pause_us(&breaker, PROGRESS_UNPROVEN, false, 0, 1), 0);
    assert_int_not_equal(breaker_pause_us(&breaker, PROGRESS_UNPROVEN, false, 0, 1), 0);
}

/* ---- The judgement ---- */

static struct waiting_set who(uint64_t amount, uint32_t id_count, const uint64_t *ids) {
    struct waiting_set waiting = {
        .is_known = true, .is_identified = ids != NULL, .amount = amount, .id_count = id_count};
    for (uint32_t i = 0; i < id_count; i++) {
        waiting.ids[i] = ids[i];
    }
    return waiting;
}

static enum progress judge(struct waiting_set before, struct waiting_set after) {
    struct progress_sum sum = {0};
    progress_add(&sum, &before, &after);
    return progress_of(&sum);
}

static void test_progress_is_judged(void **state) {
    static const uint64_t ids[] = {7, 8, 9, 10};
    static struct waiting_set unknown;
    (void)state;
    assert_int_equal(judge(who(3, 0, NULL), who(2, 0, NULL)), PROGRESS_MADE);
    assert_int_equal(judge(who(1, 0, NULL), who(0, 0, NULL)), PROGRESS_MADE);
    assert_int_equal(judge(who(0, 0, NULL), who(0, 0, NULL)), PROGRESS_MADE);
    assert_int_equal(judge(who(3, 0, NULL), who(3, 0, NULL)), PROGRESS_UNPROVEN);
    assert_int_equal(judge(who(1, 0, NULL), who(5, 0, NULL)), PROGRESS_UNPROVEN);
    assert_int_equal(judge(unknown, who(5, 0, NULL)), PROGRESS_UNKNOWN);
    assert_int_equal(judge(who(5, 0, NULL), unknown), PROGRESS_UNKNOWN);
    /* The same ones, and more: nobody was taken. One gone and two more: somebody was. */
    assert_int_equal(judge(who(2, 2, ids), who(4, 4, ids)), PROGRESS_NONE);
    assert_int_equal(judge(who(2, 2, ids), who(3, 3, ids + 1)), PROGRESS_MADE);
}

/* Clients that have reset stay in a queue of TCP without a number: they may have been taken, and
 * others have come and reset. */
static void test_who_has_no_number_may_have_been_taken(void **state) {
    static const uint64_t ids[] = {7, 8, 9};
    struct waiting_set before = who(2, 1, ids);
    struct waiting_set after = who(2, 2, ids);
    (void)state;
    before.has_nameless = true;
    assert_int_equal(judge(before, after), PROGRESS_UNKNOWN);
    assert_int_equal(judge(before, who(1, 1, ids)), PROGRESS_MADE);
    assert_int_equal(judge(before, who(2, 2, ids + 1)), PROGRESS_MADE);
    after = who(3, 2, ids);
    after.has_nameless = true; /* all that waited still wait, whoever has come */
    assert_int_equal(judge(who(2, 2, ids), after), PROGRESS_NONE);
    /* A queue longer than can be told: who is not in the list may wait all the same. */
    static const uint64_t many[WAITING_IDS_MAX_COUNT];
    after = who(600, WAITING_IDS_MAX_COUNT, many);
    after.has_nameless = true;
    assert_int_equal(judge(who(2, 2, ids), after), PROGRESS_UNKNOWN);
}

/* Several places: one that was served is progress, one where nobody waited says nothing. */
static void test_several_places_are_judged_together(void **state) {
    static const uint64_t ids[] = {7, 8};
    struct waiting_set nobody = who(0, 0, ids);
    struct waiting_set one = who(1, 1, ids);
    struct waiting_set other = who(1, 1, ids + 1);
    struct progress_sum sum = {0};
    (void)state;
    progress_add(&sum, &nobody, &nobody);
    progress_add(&sum, &one, &one);
    progress_add(&sum, &nobody, &other);
    assert_int_equal(progress_of(&sum), PROGRESS_NONE);
    progress_add(&sum, &one, &other);
    assert_int_equal(progress_of(&sum), PROGRESS_MADE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_failures_pause_longer_and_longer),
        cmocka_unit_test(test_quick_ends_are_free_for_a_while),
        cmocka_unit_test(test_the_rate_is_bounded),
        cmocka_unit_test(test_progress_is_never_braked),
        cmocka_unit_test(test_none_pauses_longer_and_longer),
        cmocka_unit_test(test_what_is_not_proven_is_looked_at),
        cmocka_unit_test(test_progress_is_judged),
        cmocka_unit_test(test_who_has_no_number_may_have_been_taken),
        cmocka_unit_test(test_several_places_are_judged_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
