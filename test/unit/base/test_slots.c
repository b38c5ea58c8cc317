/* Slots and their generations (core/base/slots.h). */
#include "core/base/error.h"
#include "core/base/slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_sizes(void **state) {
    (void)state;
    struct slots slots;
    assert_int_equal(slots_init(&slots, 0), BATON_INVALID);
    assert_int_equal(slots_init(&slots, SLOT_COUNT_MAX + 1), BATON_INVALID);
    assert_int_equal(slots_init(&slots, 3), BATON_OK);
    assert_int_equal(slots.count, 3);
    slots_clear(&slots);
    slots_clear(&slots);
    assert_int_equal(slots_take(&slots), SLOT_NONE);
}

static void test_take_and_give(void **state) {
    (void)state;
    struct slots slots;
    assert_int_equal(slots_init(&slots, 3), BATON_OK);
    for (uint32_t i = 0; i < 3; i++) {
        assert_false(slots_is_used(&slots, i));
        assert_int_equal(slots_take(&slots), i);
        assert_true(slots_is_used(&slots, i));
    }
    assert_int_equal(slots_take(&slots), SLOT_NONE);
    assert_int_equal(slots.in_use_count, 3);
    slots_give(&slots, 1);
    slots_give(&slots, 1);
    slots_give(&slots, SLOT_NONE);
    slots_give(&slots, 7);
    assert_int_equal(slots.in_use_count, 2);
    assert_false(slots_is_used(&slots, 1));
    assert_int_equal(slots_take(&slots), 1);
    assert_int_equal(slots_take(&slots), SLOT_NONE);
    slots_clear(&slots);
}

/* Each in use once, in their order; one that is given in the walk does not end it. */
static void test_each(void **state) {
    (void)state;
    struct slots slots = {0};
    uint32_t seen[4];
    size_t count = 0;
    SLOTS_EACH(slot, &slots) {
        fail();
    }
    assert_int_equal(slots_init(&slots, 5), BATON_OK);
    for (int i = 0; i < 4; i++) {
        slots_take(&slots);
    }
    slots_give(&slots, 0);
    SLOTS_EACH(slot, &slots) {
        assert_true(count < 3);
        seen[count++] = slot;
        slots_give(&slots, slot);
    }
    assert_int_equal(count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(seen[i], i + 1);
    }
    assert_int_equal(slots_next(&slots, 0), SLOT_NONE);
    assert_int_equal(slots_next(&slots, 7), SLOT_NONE);
    slots_clear(&slots);
}

static void test_stale_tokens(void **state) {
    (void)state;
    struct slots slots;
    assert_int_equal(slots_init(&slots, 2), BATON_OK);
    uint32_t slot = slots_take(&slots);
    uint64_t first = slots_token(&slots, 3, slot);
    assert_int_equal(first >> 56, 0);
    assert_int_equal(token_type(first), 3);
    assert_int_equal(slots_find(&slots, first), slot);
    slots_give(&slots, slot);
    assert_int_equal(slots_find(&slots, first), SLOT_NONE);
    assert_int_equal(slots_take(&slots), slot);
    uint64_t second = slots_token(&slots, 3, slot);
    assert_true(second != first);
    assert_int_equal(slots_find(&slots, first), SLOT_NONE);
    assert_int_equal(slots_find(&slots, second), slot);
    /* Slots that do not exist or were never used. */
    assert_int_equal(slots_find(&slots, second + 1), SLOT_NONE);
    assert_int_equal(slots_find(&slots, second + 100), SLOT_NONE);
    assert_int_equal(slots_find(&slots, 0), SLOT_NONE);
    assert_int_equal(slots_find(&slots, UINT64_MAX), SLOT_NONE);
    slots_clear(&slots);
}

/* The generation outgrows its bits in the token, and then its 32 bits: still odd while in use. */
static void test_generations_wrap(void **state) {
    (void)state;
    static const uint32_t starts[] = {0x07fffffe, 0xfffffffe};
    for (size_t i = 0; i < 2; i++) {
        struct slots slots;
        assert_int_equal(slots_init(&slots, 1), BATON_OK);
        assert_int_equal(slots_take(&slots), 0);
        slots_give(&slots, 0);
        slots.slots[0].generation = starts[i];
        uint64_t last = 0;
        for (int use = 0; use < 4; use++) {
            assert_int_equal(slots_take(&slots), 0);
            uint64_t token = slots_token(&slots, 31, 0);
            assert_true(token != last);
            assert_int_equal(token >> 56, 0);
            assert_int_equal(token_type(token), 31);
            assert_int_equal(slots_find(&slots, token), 0);
            assert_int_equal(slots_find(&slots, last), SLOT_NONE);
            slots_give(&slots, 0);
            assert_int_equal(slots_find(&slots, token), SLOT_NONE);
            last = token;
        }
        slots_clear(&slots);
    }
}

/* Against a model that remembers who uses what. */
static void test_random_use(void **state) {
    (void)state;
    enum { COUNT = 50 };
    struct slots slots;
    uint64_t tokens[COUNT] = {0};
    uint32_t used_count = 0;
    srand(4711);
    assert_int_equal(slots_init(&slots, COUNT), BATON_OK);
    for (int step = 0; step < 20000; step++) {
        uint32_t slot = (uint32_t)rand() % COUNT;
        if (rand() % 2 == 0) {
            slot = slots_take(&slots);
            assert_true((slot == SLOT_NONE) == (used_count == COUNT));
            if (slot != SLOT_NONE) {
                assert_true(slot < COUNT && tokens[slot] == 0);
                tokens[slot] = slots_token(&slots, 1, slot);
                used_count++;
            }
        } else if (tokens[slot] != 0) {
            slots_give(&slots, slot);
            assert_int_equal(slots_find(&slots, tokens[slot]), SLOT_NONE);
            tokens[slot] = 0;
            used_count--;
        }
        assert_int_equal(slots.in_use_count, used_count);
        slot = (uint32_t)rand() % COUNT;
        assert_int_equal(slots_is_used(&slots, slot), tokens[slot] != 0);
        if (tokens[slot] != 0) {
            assert_int_equal(slots_find(&slots, tokens[slot]), slot);
        }
    }
    slots_clear(&slots);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_take_and_give),
        cmocka_unit_test(test_each),
        cmocka_unit_test(test_stale_tokens),
        cmocka_unit_test(test_generations_wrap),
        cmocka_unit_test(test_random_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
