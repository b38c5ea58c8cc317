/* Fixed tables (core/base/table.h). */
#include "core/base/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool is_zero(const unsigned char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Also where the memory was somebody else's before. */
static void test_all_is_zero(void **state) {
    static const size_t counts[] = {1, 255, 256, 257, 1000, 3276, 3277, 3278, 100000};
    enum { ENTRY_BYTES = 40 };
    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t bytes = counts[i] * ENTRY_BYTES;
        void *before = malloc(bytes);
        assert_non_null(before);
        memset(before, 0xff, bytes);
        free(before);
        unsigned char *table = table_create(counts[i], ENTRY_BYTES);
        assert_non_null(table);
        assert_true(is_zero(table, bytes));
        memset(table, 0xff, bytes);
        free(table);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
