/* How many answers a sender of datagrams gets (limit.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "limit.h"

#include <stdio.h>

static struct limit limit;

static unsigned take_many(const char *sender, uint64_t now_ms, unsigned count) {
    unsigned taken = 0;
    for (unsigned i = 0; i < count; i++)
        taken += limit_take(&limit, sender, now_ms);
    return taken;
}

static void test_a_burst_and_then_a_rate(void **state) {
    (void)state;
    limit = (struct limit){.secret = 1};
    assert_int_equal(take_many("192.0.2.1:5000", 1000, 5000), 1000);
    assert_int_equal(take_many("192.0.2.1:5000", 1009, 10), 0);
    assert_int_equal(take_many("192.0.2.1:5000", 1010, 10), 1);
    assert_int_equal(take_many("192.0.2.1:5000", 2010, 5000), 100);
    assert_int_equal(take_many("192.0.2.1:5000", 11000, 5000), 899);
    /* However long it was away, it has no more than a burst. */
    assert_int_equal(take_many("192.0.2.1:5000", UINT64_C(1) << 40, 5000), 1000);
}

/* From a clock's very beginning to its end. */
static void test_times(void **state) {
    (void)state;
    limit = (struct limit){.secret = 2};
    assert_int_equal(take_many("a:1", 0, 5000), 1000);
    assert_int_equal(take_many("a:1", UINT64_MAX / 2, 5000), 1000);
}

/* A few hundred requests, or a hundred a second for an hour, are never refused. */
static void test_who_behaves_is_not_hurt(void **state) {
    (void)state;
    limit = (struct limit){.secret = 3};
    assert_int_equal(take_many("[2001:db8::1]:9", 50, 999), 999);
    limit = (struct limit){.secret = 3};
    for (uint64_t now_ms = 0; now_ms < 3600000; now_ms += 10)
        assert_true(limit_take(&limit, "[2001:db8::1]:9", now_ms));
}

/* One that loops takes nothing from the others, except from who shares its counter: one in 1,024,
 * and others with another secret. */
static void test_senders_are_told_apart(void **state) {
    (void)state;
    unsigned refused_count = 0, refused_again_count = 0;
    char sender[32];
    for (uint64_t secret = 4; secret < 6; secret++) {
        limit = (struct limit){.secret = secret * 0x123456789abcdefu};
        assert_int_equal(take_many("127.0.0.1:7007", 7, 5000), 1000);
        for (unsigned port = 10000; port < 60000; port++) {
            snprintf(sender, sizeof sender, "127.0.0.1:%u", port);
            struct limit before = limit;
            bool taken = limit_take(&limit, sender, 7);
            limit = before;
            refused_count += !taken;
            refused_again_count += !taken && secret == 5;
        }
    }
    assert_in_range(refused_count, 40, 200); /* 98 is what chance gives */
    assert_in_range(refused_again_count, 10, 120);
}

/* Whatever is forged: no more than all counters together. */
static void test_a_bound_for_all(void **state) {
    (void)state;
    unsigned taken = 0;
    char sender[9];
    limit = (struct limit){.secret = 6};
    for (unsigned i = 0; i < 1500000; i++) {
        for (unsigned digit = 0; digit < 8; digit++) /* faster than snprintf() by much */
            sender[digit] = "0123456789abcdef"[i >> 4 * digit & 15];
        sender[8] = '\0';
        taken += limit_take(&limit, sender, 99);
    }
    assert_in_range(taken, LIMIT_BUCKETS_COUNT * LIMIT_BURST_COUNT * 9 / 10,
                    LIMIT_BUCKETS_COUNT * LIMIT_BURST_COUNT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_burst_and_then_a_rate),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_who_behaves_is_not_hurt),
        cmocka_unit_test(test_senders_are_told_apart),
        cmocka_unit_test(test_a_bound_for_all),
    };
    return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
