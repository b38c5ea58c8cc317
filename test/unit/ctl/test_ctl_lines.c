/* Bytes into lines, however they come. */
#include "ctl/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ctl_lines lines;

static void add(const char *bytes, size_t length) {
    size_t room_bytes = 0;
    char *room = ctl_lines_room(&lines, &room_bytes);
    assert_true(room_bytes >= length);
    memcpy(room, bytes, length);
    ctl_lines_add(&lines, length);
}

static void expect(const char *text) {
    size_t length = 0;
    const char *line = ctl_lines_next(&lines, &length);
    assert_non_null(line);
    assert_string_equal(line, text);
    assert_int_equal(length, strlen(text));
}

static void expect_none(void) {
    size_t length = 0;
    assert_null(ctl_lines_next(&lines, &length));
}

static void lines_come_whole_however_they_are_cut(void **state) {
    static const char text[] = "one\n\ntwo\nthree";
    (void)state;
    memset(&lines, 0, sizeof lines);
    expect_none();
    add(text, sizeof text - 1);
    expect("one");
    expect("");
    expect("two");
    expect_none();
    assert_int_equal(ctl_lines_rest(&lines), 5);
    add("\n", 1);
    expect("three");
    expect_none();
    for (size_t i = 0; i < sizeof text - 1; i++) {
        add(text + i, 1);
        if (text[i] == '\n') {
            expect(i == 3 ? "one" : i == 4 ? "" : "two");
        }
        expect_none();
    }
}

static void a_line_has_a_longest(void **state) {
    static char text[CTL_LINE_MAX_BYTES];
    size_t room_bytes = 0;
    size_t length = 0;
    (void)state;
    memset(&lines, 0, sizeof lines);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\n';
    add("a\n", 2);
    expect("a");
    add(text, sizeof text);
    assert_non_null(ctl_lines_next(&lines, &length));
    assert_int_equal(length, CTL_LINE_MAX_BYTES - 1);
    text[sizeof text - 1] = 'x';
    add(text, sizeof text);
    expect_none();
    ctl_lines_room(&lines, &room_bytes);
    assert_int_equal(room_bytes, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_whole_however_they_are_cut),
        cmocka_unit_test(a_line_has_a_longest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
