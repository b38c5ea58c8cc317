/* Texts of a format (core/base/text.h): as snprintf(3) makes them, and no longer than there is
 * room. */
#include "core/base/text.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char theirs[96];                                                                           \
        char ours[96];                                                                             \
        for (size_t room = 1; room <= sizeof ours; room++) {                                       \
            int length = snprintf(theirs, room, __VA_ARGS__);                                      \
            assert_int_equal(text_format(ours, room, __VA_ARGS__), length);                        \
            assert_string_equal(ours, theirs);                                                     \
        }                                                                                          \
        assert_int_equal(text_format(NULL, 0, __VA_ARGS__), snprintf(NULL, 0, __VA_ARGS__));       \
    } while (0)

static void texts_are_put_whole_or_cut(void **state) {
    static const char unended[3] = {'a', 'b', 'c'};
    (void)state;
    SAME("no directive, and a word");
    SAME("%s%s", "", "");
    SAME("%s: %s\n", "before", "behind");
    SAME("%.2s|%.20s|%.0s|", "abc", "abc", "abc");
    SAME("%.*s|%.*s|%.*s", 2, "abc", -1, "abc", 3, unended);
    SAME("-l%cnp", 't');
}

static void numbers_are_those_of_their_types(void **state) {
    (void)state;
    SAME("%d %d %d %d", 0, -1, INT_MAX, INT_MIN);
    SAME("%ld %ld %ld", 0L, LONG_MAX, LONG_MIN);
    SAME("%u %u %x %o", 0U, UINT_MAX, UINT_MAX, UINT_MAX);
    SAME("%lu %lx", ULONG_MAX, ULONG_MAX);
    SAME("/%u/%lu (%s)", 5U, 70000UL, "x");
}

static void zeros_fill_numbers_up(void **state) {
    (void)state;
    SAME("%04d-%02d-%02dT%03d", 2026, 1, 31, 7);
    SAME("%02x %04x %03lo %03lo", 1U, 0x263aU, 7UL, 07777UL);
    SAME("%02u:%02u %016lx", 0U, 100U, 255UL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_put_whole_or_cut),
        cmocka_unit_test(numbers_are_those_of_their_types),
        cmocka_unit_test(zeros_fill_numbers_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
