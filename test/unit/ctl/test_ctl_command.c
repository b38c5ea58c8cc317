/* Commands, and the requests that they become. */
#include "core/base/error.h"
#include "ctl/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static char out[CTL_REQUEST_MAX_BYTES + 1];

static int make(const char *name, size_t count, const char *first, const char *second, bool wait,
                size_t *wrong) {
    char *words[] = {(char *)first, (char *)second};
    return ctl_command_request(ctl_command_find(name), words, count, wait, out, wrong);
}

static void a_request_is_one_line(void **state) {
    size_t wrong = 9;
    (void)state;
    assert_int_equal(make("status", 0, NULL, NULL, false, &wrong), BATON_OK);
    assert_string_equal(out, "1 status\n");
    assert_int_equal(make("drain", 1, "web", NULL, true, &wrong), BATON_OK);
    assert_string_equal(out, "1 drain web wait\n");
    assert_int_equal(make("reload", 0, NULL, NULL, true, &wrong), BATON_OK);
    assert_string_equal(out, "1 reload wait\n");
    assert_int_equal(make("log-level", 1, "\xc3\xa9", NULL, false, &wrong), BATON_OK);
    assert_string_equal(out, "1 log-level \xc3\xa9\n");
}

static void words_that_no_line_has_are_refused(void **state) {
    static const char *const bad[] = {"", "a b", "a\tb", "a\nb", "\033", "\xff", "\x7f"};
    size_t wrong = 9;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(make("explain", 2, "web", bad[i], false, &wrong), BATON_INVALID);
        assert_int_equal(wrong, 1);
    }
}

static void a_request_has_a_longest(void **state) {
    char word[CTL_REQUEST_MAX_BYTES] = "";
    size_t wrong = 0;
    (void)state;
    memset(word, 'x', CTL_REQUEST_MAX_BYTES - strlen("1 drain \n"));
    assert_int_equal(make("drain", 1, word, NULL, false, &wrong), BATON_OK);
    assert_int_equal(strlen(out), CTL_REQUEST_MAX_BYTES);
    assert_int_equal(out[CTL_REQUEST_MAX_BYTES - 1], '\n');
    assert_int_equal(make("drain", 1, word, NULL, true, &wrong), BATON_TOO_LONG);
    word[strlen(word)] = 'x';
    assert_int_equal(make("drain", 1, word, NULL, false, &wrong), BATON_TOO_LONG);
}

static void a_slip_finds_the_nearest(void **state) {
    (void)state;
    assert_null(ctl_command_find("stauts"));
    assert_string_equal(ctl_command_nearest("stauts"), "status");
    assert_string_equal(ctl_command_nearest("conections"), "connections");
    assert_null(ctl_command_nearest("unrelated"));
    assert_null(ctl_command_find(""));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_one_line),
        cmocka_unit_test(words_that_no_line_has_are_refused),
        cmocka_unit_test(a_request_has_a_longest),
        cmocka_unit_test(a_slip_finds_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
