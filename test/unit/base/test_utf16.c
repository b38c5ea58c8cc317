/* Files in UTF-16 (core/base/utf16.h). */
#include "core/base/text.h"
#include "core/base/utf16.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Both orders of the bytes must give the same text; `units` begins with the mark. */
static void expect_text(const uint16_t *units, size_t count, const char *expected, size_t length) {
    struct arena *arena = arena_create();
    char bytes[64];
    for (int is_big = 0; is_big < 2; is_big++) {
        size_t got = 2 * count;
        for (size_t i = 0; i < count; i++) {
            bytes[2 * i + (is_big == 0)] = (char)(units[i] >> 8);
            bytes[2 * i + (is_big != 0)] = (char)(units[i] & 0xff);
        }
        const char *text = utf16_file_text(arena, bytes, &got);
        assert_non_null(text);
        assert_int_equal(got, length);
        assert_memory_equal(text, expected, length);
    }
    arena_destroy(&arena);
}

static void characters_of_every_length_arrive(void **state) {
    static const uint16_t units[] = {0xfeff, 'a',    0x7f,   0x80,   0x7ff,  0x800,  0xd7ff, 0xe000,
                                     0xffff, 0xd800, 0xdc00, 0xdbff, 0xdfff, 0xfeff, '\n'};
    static const char text[] = "a\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80"
                               "\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xef\xbb\xbf\n";
    (void)state;
    expect_text(units, sizeof units / sizeof *units, text, sizeof text - 1);
    expect_text(units, 1, "", 0);
}

static void each_half_of_a_pair_alone_is_no_text(void **state) {
    static const uint16_t first[] = {0xfeff, 'a', 0xd83d, 'b'};
    static const uint16_t second[] = {0xfeff, 0xde00, 'b'};
    static const uint16_t wrong_order[] = {0xfeff, 0xde00, 0xd83d};
    static const uint16_t twice[] = {0xfeff, 0xd83d, 0xd83d, 0xde00, 0xde00};
    size_t where = 0;
    (void)state;
    expect_text(first, 4,
                "a\xed\xa0\xbd"
                "b",
                5);
    expect_text(second, 3,
                "\xed\xb8\x80"
                "b",
                4);
    expect_text(wrong_order, 3, "\xed\xb8\x80\xed\xa0\xbd", 6);
    expect_text(twice, 5, "\xed\xa0\xbd\xf0\x9f\x98\x80\xed\xb8\x80", 10);
    assert_int_equal(text_check("a\xed\xa0\xbd"
                                "b",
                                5, &where),
                     TEXT_NOT_UTF8);
    assert_int_equal(where, 1);
}

/* Copied to where nothing lies behind, so that a sanitizer sees what is read beyond the end. */
static void other_files_and_odd_ends(void **state) {
    static const struct {
        const char *bytes;
        size_t length;
        const char *text; /* NULL = not UTF-16 */
    } cases[] = {{"", 0, NULL},
                 {"\xff", 1, NULL},
                 {"\xfe", 1, NULL},
                 {"ab", 2, NULL},
                 {"\xff\xff", 2, NULL},
                 {"\xef\xbb\xbf", 3, NULL},
                 {"\xff\xfe", 2, ""},
                 {"\xfe\xff", 2, ""},
                 {"\xff\xfe"
                  "a",
                  3, "\xff"},
                 {"\xfe\xff\0ab", 5, "a\xff"}};
    struct arena *arena = arena_create();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = cases[i].length;
        char *exact = test_malloc(length + 1);
        memcpy(exact + 1, cases[i].bytes, length);
        const char *text = utf16_file_text(arena, exact + 1, &length);
        if (cases[i].text == NULL) {
            assert_null(text);
            assert_int_equal(length, cases[i].length);
        } else {
            assert_string_equal(text, cases[i].text);
            assert_int_equal(length, strlen(text));
        }
        test_free(exact);
    }
    assert_false(arena_failed(arena));
    arena_destroy(&arena);
}

static void units_are_counted(void **state) {
    (void)state;
    assert_int_equal(utf16_count_units(""), 0);
    assert_int_equal(utf16_count_units("a\xc3\xbc\xe4\xb8\x96"), 3);
    assert_int_equal(utf16_count_units("\xf0\x9f\x98\x80"
                                       "b"),
                     3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_of_every_length_arrive),
        cmocka_unit_test(each_half_of_a_pair_alone_is_no_text),
        cmocka_unit_test(other_files_and_odd_ends),
        cmocka_unit_test(units_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
