/* The command line. */
#include "ctl/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MOST 12

static struct ctl_options options;
static char message[256];
static char *arguments[MOST + 1]; /* what the options' texts point into */

static bool parse(const char *first, ...) {
    static char program[] = "batonctl";
    va_list list;
    int count = 1;
    arguments[0] = program;
    va_start(list, first);
    for (const char *word = first; word != NULL; word = va_arg(list, const char *)) {
        assert_true(count < MOST);
        arguments[count++] = (char *)word;
    }
    va_end(list);
    arguments[count] = NULL;
    return ctl_options_parse(count, arguments, &options, message, sizeof message);
}

static void options_stand_anywhere(void **state) {
    (void)state;
    assert_true(parse("status", NULL));
    assert_string_equal(options.command->name, "status");
    assert_false(options.json || options.wait);
    assert_null(options.control);
    assert_int_equal(options.timeout_s, 0);
    assert_true(parse("drain", "--wait", "web", "--control", "/x", "--timeout=30", "--json", NULL));
    assert_string_equal(options.command->name, "drain");
    assert_int_equal(options.word_count, 1);
    assert_string_equal(options.words[0], "web");
    assert_string_equal(options.control, "/x");
    assert_int_equal(options.timeout_s, 30);
    assert_true(options.wait && options.json);
    assert_true(parse("--control=/y", "--", "keys", "--json", NULL));
    assert_string_equal(options.words[0], "--json");
    assert_false(options.json);
}

static void help_and_version_need_no_command(void **state) {
    (void)state;
    assert_true(parse("--help", NULL) && options.help);
    assert_true(parse("-h", NULL) && options.help);
    assert_true(parse("--version", "nonsense", NULL) && options.version);
}

static void what_is_wrong_is_named(void **state) {
    static const struct {
        const char *words[4];
        const char *told;
    } cases[] = {{{NULL}, "COMMAND is missing"},
                 {{"stauts"}, "did you mean `status`?"},
                 {{"hurry"}, "unknown command `hurry`;"},
                 {{"status", "x"}, "too many words behind `status`; it is `batonctl status`"},
                 {{"explain", "x"}, "it is `batonctl explain SERVICE ADDRESS`"},
                 {{"--nonsense", "status"}, "`--nonsense`"},
                 {{"status", "-q"}, "`-q`"},
                 {{"--json=1", "status"}, "`--json=1`"},
                 {{"status", "--control"}, "value is missing after `--control`"},
                 {{"status", "--control="}, "path is missing"},
                 {{"--timeout", "1s", "status"}, "`1s` is no number of seconds"},
                 {{"--timeout", "0", "status"}, "give 1 to 86400"},
                 {{"--timeout", "86401", "status"}, "give 1 to 86400"},
                 {{"--json", "keys"}, "has no --json"},
                 {{"--handlers=", "check"}, "folder is missing"},
                 {{"--handlers", "/x", "status"}, "`status` reads no config"},
                 {{"--wait", "status"}, "nothing to --wait for in `status`"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const *words = cases[i].words;
        message[0] = '\0';
        assert_false(parse(words[0], words[1], words[2], words[3], NULL));
        if (strstr(message, cases[i].told) == NULL) {
            fail_msg("%s", message);
        }
    }
}

static void the_help_has_each_command_and_fits(void **state) {
    (void)state;
    for (const struct ctl_command *command = ctl_commands; command->name[0] != '\0'; command++) {
        assert_non_null(strstr(ctl_options_help, command->name));
    }
    for (const char *line = ctl_options_help; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        assert_true(length <= 80);
        line += length + (line[length] == '\n');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(help_and_version_need_no_command),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(the_help_has_each_command_and_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
