/* The command line of batond, without batond. */
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX_COUNT 8

static char message[512];

/* The words, of which the first is left out as the program's name. */
static bool parse(const char *const *words, struct options *out) {
    static char texts[WORDS_MAX_COUNT][64];
    char *argv[WORDS_MAX_COUNT + 1] = {texts[0]};
    int argc = 1;
    message[0] = '\0';
    for (; words[argc - 1] != NULL; argc++) {
        assert_true(argc < WORDS_MAX_COUNT && strlen(words[argc - 1]) < sizeof texts[0]);
        memcpy(texts[argc], words[argc - 1], strlen(words[argc - 1]) + 1);
        argv[argc] = texts[argc];
    }
    return options_parse(argc, argv, out, message, sizeof message);
}
#define PARSE(out, ...) parse((const char *const[]){__VA_ARGS__, NULL}, out)

static void a_value_stands_in_three_places(void **state) {
    struct options options;
    (void)state;
    assert_true(PARSE(&options, "-c", "a b.ini"));
    assert_string_equal(options.config, "a b.ini");
    assert_true(PARSE(&options, "-ca.ini"));
    assert_string_equal(options.config, "a.ini");
    assert_true(PARSE(&options, "--config", "-x.ini"));
    assert_string_equal(options.config, "-x.ini");
    assert_true(PARSE(&options, "--config=a=b.ini", "--handlers=h"));
    assert_string_equal(options.config, "a=b.ini");
    assert_string_equal(options.handlers, "h");
    assert_true(PARSE(&options, "--conf", "a.ini", "--che", "--def"));
    assert_string_equal(options.config, "a.ini");
    assert_true(options.check && options.defaults && !options.help && !options.version);
    assert_true(parse((const char *const[]){NULL}, &options));
    assert_null(options.config);
    assert_null(options.service);
}

static void explain_takes_two_words(void **state) {
    struct options options;
    (void)state;
    assert_true(PARSE(&options, "--explain", "web", "::1", "-c", "a.ini"));
    assert_string_equal(options.service, "web");
    assert_string_equal(options.client, "::1");
    assert_string_equal(options.config, "a.ini");
    assert_true(PARSE(&options, "--explain", "web", "-h"));
    assert_string_equal(options.client, "-h");
    assert_false(options.help);
}

static void standard_input_has_a_format(void **state) {
    struct options options;
    (void)state;
    assert_true(PARSE(&options, "-c", "-"));
    assert_string_equal(options.config, "-");
    assert_false(options.is_yaml);
    assert_true(PARSE(&options, "--format", "yaml", "--config=-"));
    assert_true(options.is_yaml);
    assert_true(PARSE(&options, "-c-", "--format=ini"));
    assert_false(options.is_yaml);
}

static void what_is_wrong_names_itself(void **state) {
    static const struct {
        const char *words[4];
        const char *message;
    } cases[] = {
        {{"--nonsense"}, "unknown argument `--nonsense`; `batond --help` lists what there is"},
        {{"--h"}, "unknown argument `--h`;"},
        {{"-x"}, "unknown argument `-x`;"},
        {{"-hx"}, "unknown argument `-hx`;"},
        {{"extra"}, "unknown argument `extra`;"},
        {{"--check", "extra"}, "unknown argument `extra`;"},
        {{"--", "-h"}, "unknown argument `-h`;"},
        {{"-"}, "unknown argument `-`;"},
        {{"-c"}, "a value is missing after `-c`;"},
        {{"-c", ""}, "a value is missing after `-c`;"},
        {{"--config"}, "a value is missing after `--config`;"},
        {{"--config="}, "a value is missing after `--config=`;"},
        {{"--check=yes"}, "no value may follow `--check=yes`;"},
        {{"--help="}, "no value may follow `--help=`;"},
        {{"--explain"}, "a value is missing after `--explain`;"},
        {{"--explain", "web"}, "SERVICE and ADDRESS must follow `--explain`;"},
        {{"--defaults"}, "--check must stand beside `--defaults`;"},
        {{"--format", "xml"}, "ini or yaml must follow `--format`;"},
        {{"--format=yaml", "-c", "a.ini"}, "`-c -` must stand beside `--format`;"},
        {{"--import=inetd.conf"}, "the import is a program of its own; run `baton-import FILE`"},
        {{"--check", "--import", "x"}, "the import is a program of its own;"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct options options;
        if (parse(cases[i].words, &options) ||
            strncmp(message, cases[i].message, strlen(cases[i].message)) != 0) {
            fail_msg("case %lu: `%s`", (unsigned long)i, message);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_stands_in_three_places),
        cmocka_unit_test(explain_takes_two_words),
        cmocka_unit_test(standard_input_has_a_format),
        cmocka_unit_test(what_is_wrong_names_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
