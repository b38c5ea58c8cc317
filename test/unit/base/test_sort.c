/* Sorting in place (core/base/sort.h). */
#include "core/base/sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ITEMS_MAX_COUNT 64

static int compare(const void *items, size_t a, size_t b) {
    const uint8_t *bytes = items;
    return bytes[a] - bytes[b];
}

static void swap(void *items, size_t a, size_t b) {
    uint8_t *bytes = items;
    uint8_t byte = bytes[a];
    bytes[a] = bytes[b];
    bytes[b] = byte;
}

static const struct sort_of of = {compare, swap};

/* Nothing before something smaller, and of each value as many as before. */
static void check(uint8_t *items, size_t count) {
    size_t counts[256] = {0};
    for (size_t i = 0; i < count; i++) {
        counts[items[i]]++;
    }
    sort_items(items, count, &of);
    for (size_t i = 0; i < count; i++) {
        assert_true(i == 0 || items[i - 1] <= items[i]);
        counts[items[i]]--;
    }
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        assert_int_equal(counts[i], 0);
    }
}

static void test_each_count(void **state) {
    uint32_t random = 1;
    (void)state;
    for (size_t count = 0; count <= ITEMS_MAX_COUNT; count++) {
        uint8_t up[ITEMS_MAX_COUNT], down[ITEMS_MAX_COUNT], mixed[ITEMS_MAX_COUNT];
        for (size_t i = 0; i < count; i++) {
            random = random * 1664525u + 1013904223u;
            up[i] = (uint8_t)i;
            down[i] = (uint8_t)(count - i);
            mixed[i] = (uint8_t)(random >> 24) % 40;
        }
        check(up, count);
        check(down, count);
        check(mixed, count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_count)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
