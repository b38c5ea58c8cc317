/* Blocks of a snapshot (core/base/snapshot.h). */
#include "core/base/error.h"
#include "core/base/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_blocks_come_back(void **state) {
    (void)state;
    struct snapshot snapshot = {0};
    struct snapshot_block block;
    size_t at = 0;
    char out[16] = {0};
    snapshot_put(&snapshot, SNAPSHOT_HEAD, 0, "abc", 3);
    snapshot_begin(&snapshot, SNAPSHOT_SINK, 7);
    snapshot_add_text(&snapshot, "a path");
    snapshot_add_text(&snapshot, NULL);
    snapshot_add(&snapshot, "xy", 2);
    snapshot_begin(&snapshot, SNAPSHOT_POOL, UINT32_MAX);
    assert_false(snapshot.has_failed);

    assert_true(snapshot_next(snapshot.bytes, snapshot.used_bytes, &at, &block));
    assert_int_equal(block.kind, SNAPSHOT_HEAD);
    assert_int_equal(block.length, 3);
    assert_false(snapshot_take(&block, out, 4));
    assert_true(snapshot_take(&block, out, 3));
    assert_string_equal(out, "abc");
    assert_int_equal(block.length, 0);

    assert_true(snapshot_next(snapshot.bytes, snapshot.used_bytes, &at, &block));
    assert_int_equal(block.index, 7);
    assert_int_equal((uintptr_t)block.bytes % 8, 0);
    assert_string_equal(snapshot_take_text(&block), "a path");
    assert_string_equal(snapshot_take_text(&block), "");
    assert_null(snapshot_take_text(&block)); /* what is left has no end */
    assert_int_equal(block.length, 2);

    assert_true(snapshot_next(snapshot.bytes, snapshot.used_bytes, &at, &block));
    assert_int_equal(block.index, UINT32_MAX);
    assert_int_equal(block.length, 0);
    assert_null(snapshot_take_text(&block));
    assert_false(snapshot_next(snapshot.bytes, snapshot.used_bytes, &at, &block));
    assert_int_equal(at, snapshot.used_bytes);
    snapshot_clear(&snapshot);
    assert_null(snapshot.bytes);
}

/* Wherever it is cut, what is there is read, and the end is not taken for one. */
static void test_a_torn_one(void **state) {
    (void)state;
    struct snapshot snapshot = {0};
    for (uint32_t i = 0; i < 3; i++) {
        snapshot_put(&snapshot, SNAPSHOT_PROCESS, i, "0123456789", 10);
    }
    for (size_t length = 0; length < snapshot.used_bytes; length++) {
        struct snapshot_block block;
        size_t at = 0, count = 0;
        char *copy = malloc(length + 1); /* so that a byte too many is seen */
        assert_non_null(copy);
        memcpy(copy, snapshot.bytes, length);
        while (snapshot_next(copy, length, &at, &block)) {
            assert_int_equal(block.index, count++);
            assert_int_equal(block.length, 10);
        }
        assert_true(count < 3);
        assert_true(at < length || length == 0 || length % 32 >= 26 || length % 32 == 0);
        free(copy);
    }
    snapshot_clear(&snapshot);
}

static void test_slots(void **state) {
    (void)state;
    struct slots slots, other, less;
    struct snapshot snapshot = {0};
    struct snapshot_block block;
    size_t at = 0;
    assert_int_equal(slots_init(&slots, 5), BATON_OK);
    assert_int_equal(slots_init(&other, 5), BATON_OK);
    assert_int_equal(slots_init(&less, 4), BATON_OK);
    for (uint32_t i = 0; i < 4; i++) {
        (void)slots_take(&slots);
    }
    slots_give(&slots, 1);
    slots_give(&slots, 3);
    snapshot_put_slots(&snapshot, SNAPSHOT_PROCESS_SLOTS, &slots);
    assert_true(snapshot_next(snapshot.bytes, snapshot.used_bytes, &at, &block));
    struct snapshot_block again = block;
    assert_false(snapshot_take_slots(&again, &less));
    again = block;
    again.length--;
    assert_false(snapshot_take_slots(&again, &other));
    assert_true(snapshot_take_slots(&block, &other));
    assert_int_equal(other.in_use_count, 2);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(slots_is_used(&other, i), slots_is_used(&slots, i));
    }
    assert_int_equal(slots_find(&other, slots_token(&slots, 3, 2)), 2);
    assert_int_equal(slots_take(&other), slots_take(&slots));
    assert_int_equal(slots_take(&other), slots_take(&slots));
    assert_int_equal(slots_take(&other), slots_take(&slots));
    assert_int_equal(slots_take(&other), SLOT_NONE);
    slots_clear(&slots);
    slots_clear(&other);
    slots_clear(&less);
    snapshot_clear(&snapshot);
}

static void test_timers(void **state) {
    (void)state;
    struct timers timers;
    struct timer set = {.deadline_us = 70, .token = 5, .position = 9}; /* as it was elsewhere */
    struct timer unset = {.deadline_us = 60, .token = 6};
    assert_int_equal(timers_init(&timers, 2), BATON_OK);
    snapshot_rearm(&timers, &set);
    snapshot_rearm(&timers, &unset);
    assert_int_equal(timers.count, 1);
    assert_int_equal(timers_next_us(&timers), 70);
    assert_ptr_equal(timers_expired(&timers, 70), &set);
    assert_false(timer_is_set(&unset));
    timers_clear(&timers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_come_back),
        cmocka_unit_test(test_a_torn_one),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_timers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
