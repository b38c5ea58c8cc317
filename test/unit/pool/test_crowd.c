/* Crowds that come to processes that serve many: how many are launched, and when what is there does
 * not suffice for one more. */
#include "living.h"

static struct pool *const pool = &living_scene.pool;
static const struct pool_words silence = {0};

/* ---- Cold herds ---- */

/* Before the first HELLO a few are launched, however many wait; then as many as it takes, but only
 * as many at a time as come in time on a machine that is as busy. */
static void test_a_cold_herd(void **state) {
    (void)state;
    enum { CROWD = 60 };
    static const struct {
        uint32_t capacity_count, greeting_us, launches_count, more_count;
    } ways[] = {
        {64, 50000, 4, 0}, {7, 900000, 4 + 5, 0}, {1, 50000, CROWD, 0}, {1, 900000, 4 + 8, 1}};
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        living_begin(living_usual(), living_usual());
        for (int i = 0; i < CROWD; i++) {
            living_arrive();
        }
        assert_int_equal(living_counts[POOL_LAUNCH], 4);
        living_pass(ways[way].greeting_us);
        assert_int_equal(living_counts[POOL_LAUNCH], 4);
        living_hello(0, ways[way].capacity_count);
        assert_int_equal(living_counts[POOL_LAUNCH], ways[way].launches_count);
        living_hello(1, ways[way].capacity_count); /* makes room */
        assert_int_equal(living_counts[POOL_LAUNCH],
                         ways[way].launches_count + ways[way].more_count);
        living_end();
    }
}

/* As many as there are processors to launch on, within bounds; no HELLO has come. */
static void test_a_cold_herd_on_many_processors(void **state) {
    (void)state;
    enum { CROWD = 60 };
    static const uint32_t ways[][2] = {{1, 4}, {2, 4}, {4, 4}, {6, 6}, {16, 16}, {64, 16}};
    struct service service = living_usual();
    service.handshake_timeout_ms = 1000;
    for (size_t way = 0; way < sizeof ways / sizeof ways[0]; way++) {
        living_begin(service, living_usual());
        pool_know_processors(pool, ways[way][0]);
        for (int i = 0; i < CROWD; i++) {
            living_arrive();
        }
        assert_int_equal(living_counts[POOL_LAUNCH], ways[way][1]);
        living_pass(SECOND_US - 1);
        living_hello(0, 1); /* just in time: not as many again */
        assert_int_equal(living_served->launches_most_count, ways[way][1] > 8 ? 8 : 4);
        living_end();
    }
}

/* No HELLO comes: more and more are launched, ever less often, until each has one. */
static void test_a_cold_herd_that_is_let_down(void **state) {
    (void)state;
    enum { CROWD = 30 };
    struct service service = living_usual();
    service.handshake_timeout_ms = 60000;
    living_begin(service, living_usual());
    for (int i = 0; i < CROWD; i++) {
        living_arrive();
    }
    living_pass(SECOND_US - 1);
    assert_int_equal(living_counts[POOL_LAUNCH], 4);
    living_pass(1);
    assert_int_equal(living_counts[POOL_LAUNCH], 8);
    living_pass(2 * SECOND_US);
    assert_int_equal(living_counts[POOL_LAUNCH], 16);
    living_pass(4 * SECOND_US);
    assert_int_equal(living_counts[POOL_LAUNCH], CROWD);
    assert_false(timer_is_set(&living_served->patience));
    living_end();
}

/* They take one each, for long: whoever comes has one launched at once. */
static void test_those_that_hold_one_for_long(void **state) {
    (void)state;
    living_begin(living_usual(), living_usual());
    for (uint32_t i = 0; i < 100; i++) {
        living_arrive();
        assert_int_equal(living_counts[POOL_LAUNCH], i + 1);
        living_pass(SECOND_US / 10);
        living_hello(i, 1);
        living_ack(i);
    }
    living_end();
}

/* A process for each takes as many launches as clients, all at once. */
static void test_a_herd_of_single_ones(void **state) {
    (void)state;
    struct service service = living_usual();
    service.reuse_count = 1;
    living_spare(&service, 1, 1, 1);
    living_begin(service, living_usual());
    for (uint32_t i = 0; i < 60; i++) {
        living_arrive();
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 60);
    living_end();
}

/* ---- Busy at once ---- */

static void busy(uint32_t process) {
    uint32_t connection = pool->processes[process].offer;
    assert_true(pool_nack(living_at_now(), process, connection, POOL_DECLINE_BUSY, &silence));
    living_take_all();
    living_leave(process);
}

/* What a new process lacks the others of the service have: its clients wait for one of these, lose
 * no attempt, and launches are tried ever less often. */
static void test_busy_at_once_behind_others(void **state) {
    (void)state;
    living_begin(living_usual(), living_usual());
    uint32_t held = living_arrive();
    living_hello(0, 16);
    living_ack(0);
    uint32_t waiting[4];
    for (int i = 0; i < 4; i++) {
        waiting[i] = living_arrive();
    }
    assert_true(pool_nack(living_at_now(), 0, waiting[0], POOL_DECLINE_BUSY, &silence));
    living_take_all();
    uint64_t pause_us = SECOND_US / 10;
    for (uint32_t i = 1; i <= 8; i++) {
        assert_int_equal(living_counts[POOL_LAUNCH], 1 + i);
        living_hello(1, 16);
        assert_int_equal(pool->processes[1].offer, waiting[0]);
        busy(1);
        living_pass(pause_us - 1);
        assert_int_equal(living_counts[POOL_LAUNCH], 1 + i);
        living_pass(1);
        pause_us = 2 * pause_us < 5 * SECOND_US ? 2 * pause_us : 5 * SECOND_US;
    }
    living_hello(1, 16);
    busy(1);
    assert_int_equal(living_counts[POOL_LAUNCH], 10);
    living_done(0, held); /* the first of them has its place */
    assert_int_equal(pool->processes[0].offer, waiting[0]);
    living_ack(0);
    assert_true(pool_nack(living_at_now(), 0, waiting[1], POOL_DECLINE_BUSY, &silence));
    living_take_all();
    living_leave(0); /* and when it ends, all of its own */
    assert_int_equal(living_counts[POOL_LAUNCH], 11);
    assert_int_equal(living_counts[POOL_ATTEMPT_FAILED], 0);
    assert_int_equal(living_counts[POOL_BREAKER], 0);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(pool->connections[waiting[i]].attempts_used, 0);
    }
    living_end();
}

/* Nobody else is there whom it could want for: as a rule the next would do as it did. */
static void test_busy_at_once_alone(void **state) {
    (void)state;
    living_begin(living_usual(), living_usual());
    living_arrive();
    for (uint32_t i = 1; i <= 2; i++) {
        living_hello(i - 1, 16);
        busy(i - 1);
        assert_int_equal(living_counts[POOL_ATTEMPT_FAILED], i);
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 2);
    assert_int_equal(living_counts[POOL_RECORD], 1);
    living_end();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cold_herd),
        cmocka_unit_test(test_a_cold_herd_on_many_processors),
        cmocka_unit_test(test_a_cold_herd_that_is_let_down),
        cmocka_unit_test(test_those_that_hold_one_for_long),
        cmocka_unit_test(test_a_herd_of_single_ones),
        cmocka_unit_test(test_busy_at_once_behind_others),
        cmocka_unit_test(test_busy_at_once_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
