#include "config_file.h"
#include "config_world.h"
#include "core/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_ending_tells_the_format(void **state) {
    enum config_format format = CONFIG_FORMAT_INI;
    (void)state;
    assert_true(config_format_of("a.yaml", &format));
    assert_int_equal(format, CONFIG_FORMAT_YAML);
    assert_true(config_format_of("a.INI", &format));
    assert_int_equal(format, CONFIG_FORMAT_INI);
    assert_true(config_format_of("dir.ini/a.YML", &format));
    assert_int_equal(format, CONFIG_FORMAT_YAML);
    assert_false(config_format_of("a.conf", &format));
    assert_false(config_format_of("ini", &format));
    assert_false(config_format_of("", &format));
    assert_false(config_format_of("a.ini.bak", &format));
}

static void settings_keep_order_text_and_line(void **state) {
    static const char ini[] = "\n[ports]\n7777 =  ok  -v \n; x\n[a]\n[defaults]\nbacklog=5\n";
    struct config config = {0};
    struct config_problems problems = {0};
    (void)state;
    assert_int_equal(
        config_parse(&config, CONFIG_FORMAT_INI, "x.ini", ini, sizeof ini - 1, &problems),
        BATON_OK);
    assert_int_equal(config.setting_count, 2);
    assert_string_equal(config.settings[0].section, "ports");
    assert_string_equal(config.settings[0].key, "7777");
    assert_string_equal(config.settings[0].value, "ok  -v");
    assert_int_equal(config.settings[0].line, 3);
    assert_int_equal(config.settings[1].line, 7);
    assert_int_equal(config.section_count, 3);
    assert_string_equal(config.sections[1].name, "a");
    assert_int_equal(config.sections[1].line, 5);
    config_problems_clear(&problems);
    config_clear(&config);
}

static void emptying_twice_is_fine(void **state) {
    struct config config = {0};
    struct config_problems problems = {0};
    struct service_table table = {0};
    (void)state;
    config_clear(&config);
    config_clear(&config);
    config_problems_clear(&problems);
    service_table_clear(&table);
    assert_null(config.arena);
    assert_null(problems.arena);
    assert_null(table.arena);
}

static void faults_are_printed_by_line_and_in_order(void **state) {
    struct config_problems problems = {.file_name = "f.ini"};
    struct config_output out = {0};
    (void)state;
    config_problems_add(&problems, 7, "a.b", "%s", "second");
    config_problems_add(&problems, 3, NULL, "first");
    config_problems_add(&problems, 7, "a.c", "third");
    config_problems_add(&problems, 0, NULL, "whole");
    config_problems_print(&problems, config_output_add, &out);
    assert_string_equal(out.text, "f.ini: whole\nf.ini:3: first\nf.ini:7: a.b: second\n"
                                  "f.ini:7: a.c: third\n");
    free(out.text);
    config_problems_clear(&problems);
}

static void faults_beyond_the_limit_are_counted(void **state) {
    struct config_problems problems = {.file_name = "f.ini"};
    struct config_output out = {0};
    (void)state;
    for (size_t i = 0; i < CONFIG_PROBLEMS_MAX_COUNT + 5; i++) {
        config_problems_add(&problems, 1, NULL, "x");
    }
    assert_int_equal(problems.problem_count, CONFIG_PROBLEMS_MAX_COUNT);
    config_problems_print(&problems, config_output_add, &out);
    assert_non_null(strstr(out.text, "f.ini: and 5 faults more\n"));
    free(out.text);
    config_problems_clear(&problems);
}

/* What a file of `length` bytes gives: its faults, or "" when it is good. Freed by the caller. */
static char *faults_of(enum config_format format, const char *bytes, size_t length) {
    struct config_output out = {0};
    config_output_add(&out, "");
    if (config_world_check(&config_world_posix, format, "f", bytes, length, true, &out) ==
        BATON_OK) {
        out.text[0] = '\0';
    }
    return out.text;
}

static void expect_fault(enum config_format format, const char *bytes, size_t length,
                         const char *expected) {
    char *faults = faults_of(format, bytes, length);
    if (expected == NULL) {
        assert_string_equal(faults, "");
    } else if (strstr(faults, expected) == NULL) {
        fail_msg("expected `%s`, got `%s`", expected, faults);
    }
    free(faults);
}

/* Reads `head`, `shift` letters, many characters of three bytes, and `tail`; the faults must be
 * UTF-8. */
static void expect_utf8(enum config_format format, const char *head, size_t shift,
                        const char *tail) {
    static char file[4000];
    size_t where = 0;
    size_t length = (size_t)snprintf(file, sizeof file, "%s%.*s", head, (int)shift, "xxx");
    for (size_t i = 0; i < 1000; i++, length += 3) {
        memcpy(file + length, "\xe4\xb8\x96", 3);
    }
    length += (size_t)snprintf(file + length, sizeof file - length, "%s", tail);
    char *faults = faults_of(format, file, length);
    assert_non_null(strstr(faults, "\xe4\xb8\x96"));
    for (char *at = strchr(faults, '\n'); at != NULL; at = strchr(at, '\n')) {
        *at = ' ';
    }
    assert_int_equal(text_check(faults, strlen(faults), &where), TEXT_FINE);
    free(faults);
}

/* Messages, and the names and values in them, are cut between characters. */
static void what_is_cut_stays_utf8(void **state) {
    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        expect_utf8(CONFIG_FORMAT_INI, "[ports]\n1 = ", shift, "\n");
        expect_utf8(CONFIG_FORMAT_INI, "[a]\nlisten = ", shift, "\n");
        expect_utf8(CONFIG_FORMAT_INI, "[", shift, "]\n");
        expect_utf8(CONFIG_FORMAT_YAML, "ports:\n  1: ", shift, "\n");
        expect_utf8(CONFIG_FORMAT_YAML, "? ", shift, "\n: {}\n");
    }
}

/* Lines and values at their limits, far beyond where inih alone would cut them. */
static void limits_are_exact_and_nothing_is_cut(void **state) {
    char *file = calloc(1, 3 * CONFIG_LINE_MAX_BYTES);
    (void)state;
    assert_non_null(file);
    for (int over = 0; over < 2; over++) {
        int width = CONFIG_LINE_MAX_BYTES - (int)strlen("7777=ok ") + over;
        int length = snprintf(file, 3 * CONFIG_LINE_MAX_BYTES, "[ports]\n7777=ok %0*d\n", width, 7);
        expect_fault(CONFIG_FORMAT_INI, file, (size_t)length,
                     over != 0 ? "f:2: the line is too long, 4097 bytes; give at most 4096" : NULL);
        width = CONFIG_VALUE_MAX_BYTES - (int)strlen("ok ") + over;
        length = snprintf(file, 3 * CONFIG_LINE_MAX_BYTES, "ports:\n  7777: ok %0*d\n", width, 7);
        expect_fault(CONFIG_FORMAT_YAML, file, (size_t)length,
                     over != 0 ? "f:2: ports.7777: the value is too long" : NULL);
    }
    free(file);
}

static void a_long_value_arrives_whole(void **state) {
    char file[2000];
    struct service_table table = {0};
    (void)state;
    int length = snprintf(file, sizeof file, "[%048d]\nlisten=1\nhandler=ok %01500d x\n", 7, 8);
    assert_int_equal(config_world_load(&config_world_posix, CONFIG_FORMAT_INI, "f", file,
                                       (size_t)length, &table, NULL),
                     BATON_OK);
    assert_int_equal(strlen(table.services[0].name), 48);
    assert_int_equal(strlen(table.services[0].argv[1]), 1500);
    assert_string_equal(table.services[0].argv[2], "x");
    service_table_clear(&table);
}

/* A file of `count` lines made by `format`, which gets the number of the line. */
static char *many_lines(const char *head, const char *format, unsigned count, size_t *length) {
    size_t size_bytes = strlen(head) + count * 40 + 1;
    char *file = malloc(size_bytes);
    assert_non_null(file);
    *length = (size_t)snprintf(file, size_bytes, "%s", head);
    for (unsigned i = 1; i <= count; i++) {
        *length += (size_t)snprintf(file + *length, size_bytes - *length,
                                    strcmp(format, "port") == 0 ? "%u = ok\n" : "[s%u]\n", i);
    }
    return file;
}

static void there_may_be_1024_services(void **state) {
    static const char head[] = "[defaults]\nmax_connections = 32\n[ports]\n";
    size_t length = 0;
    (void)state;
    char *file = many_lines(head, "port", CONFIG_SERVICES_MAX_COUNT, &length);
    expect_fault(CONFIG_FORMAT_INI, file, length, NULL);
    free(file);
    file = many_lines(head, "port", CONFIG_SERVICES_MAX_COUNT + 1, &length);
    expect_fault(CONFIG_FORMAT_INI, file, length, "f:1028: there are more than 1024 services");
    free(file);
    file = many_lines("", "section", CONFIG_SECTIONS_MAX_COUNT + 1, &length);
    expect_fault(CONFIG_FORMAT_INI, file, length, "f:3076: s3076: there are more than 3075 sect");
    free(file);
}

static void there_may_be_16384_settings(void **state) {
    size_t length = 0;
    (void)state;
    char *file = many_lines("[ports]\n", "port", CONFIG_SETTINGS_MAX_COUNT + 2, &length);
    struct config_output out = {0};
    assert_int_equal(
        config_world_check(&config_world_posix, CONFIG_FORMAT_INI, "f", file, length, true, &out),
        BATON_INVALID);
    char *fault = strstr(out.text, "f:16386: there are more than 16384 settings");
    assert_non_null(fault);
    assert_null(strstr(strchr(fault, '\n'), "there are more than 16384")); /* said once */
    free(out.text);
    free(file);
}

static void a_file_has_at_most_one_mebibyte(void **state) {
    char *file = malloc(CONFIG_FILE_MAX_BYTES + 1);
    (void)state;
    assert_non_null(file);
    memset(file, '\n', CONFIG_FILE_MAX_BYTES + 1);
    memcpy(file, "[ports]\n1=ok\n", 13);
    expect_fault(CONFIG_FORMAT_INI, file, CONFIG_FILE_MAX_BYTES, NULL);
    expect_fault(CONFIG_FORMAT_INI, file, CONFIG_FILE_MAX_BYTES + 1, "f: the file is longer than");
    expect_fault(CONFIG_FORMAT_YAML, file, CONFIG_FILE_MAX_BYTES + 1, "f: the file is longer than");
    free(file);
}

static void yaml_is_bounded_in_depth_and_events(void **state) {
    char *file = malloc(CONFIG_FILE_MAX_BYTES);
    (void)state;
    assert_non_null(file);
    memset(file, '[', 100000);
    expect_fault(CONFIG_FORMAT_YAML, file, 100000, "f:1: ");
    memset(file, '{', 100000);
    expect_fault(CONFIG_FORMAT_YAML, file, 100000, "f:1: ");
    for (size_t i = 0; i < 100000; i += 2) {
        memcpy(file + i, "- ", 2);
    }
    expect_fault(CONFIG_FORMAT_YAML, file, 100000, "f:1: ");
    memcpy(file, "a: [", 4);
    for (size_t i = 4; i < CONFIG_FILE_MAX_BYTES - 1; i += 2) {
        memcpy(file + i, "x,", 2);
    }
    expect_fault(CONFIG_FORMAT_YAML, file, CONFIG_FILE_MAX_BYTES - 2, "too many parts");
    free(file);
}

/* Both files that a user starts from, read as on machines where their handlers are. */
static void expect_shipped_files_equal(const struct service_machine *world) {
    struct service_table ini = {0};
    struct service_table yaml = {0};
    size_t length = 0;
    const char *bytes = config_file_read(BATON_TEST_CONF "/ports.ini", &length);
    assert_int_equal(
        config_world_load(world, CONFIG_FORMAT_INI, "ports.ini", bytes, length, &ini, NULL),
        BATON_OK);
    bytes = config_file_read(BATON_TEST_CONF "/ports.yaml", &length);
    assert_int_equal(
        config_world_load(world, CONFIG_FORMAT_YAML, "ports.yaml", bytes, length, &yaml, NULL),
        BATON_OK);
    assert_true(config_tables_equal(&ini, &yaml));
    assert_int_equal(ini.service_count, 9);
    service_table_clear(&ini);
    service_table_clear(&yaml);
}

static void the_shipped_files_are_equal_tables(void **state) {
    (void)state;
    expect_shipped_files_equal(&config_world_posix);
    expect_shipped_files_equal(&config_world_root);
    expect_shipped_files_equal(&config_world_windows);
}

static bool is_key(const char *text, const char *separator) {
    size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
    return length > 0 && strncmp(text + length, separator, strlen(separator)) == 0;
}

/* True if what follows the comment's sign and a blank is a line of an example. */
static bool is_example(enum config_format format, const char *text) {
    bool other_system =
        strncmp(text, "[supervisor]", 12) == 0 || strncmp(text, "supervisor", 10) == 0;
    return !other_system && (format == CONFIG_FORMAT_INI ? text[0] == '[' || is_key(text, " = ")
                                                         : is_key(text, ":"));
}

/* The file with its examples for this system no comments any more. Freed by the caller. */
static char *with_examples(enum config_format format, const char *path) {
    size_t length = 0;
    const char *at = config_file_read(path, &length);
    char *out = calloc(1, length + 1);
    char *end = out;
    assert_non_null(out);
    while (*at != '\0') {
        size_t line = strcspn(at, "\n") + 1;
        size_t indent = strspn(at, " ");
        size_t blanks = at[indent] == '\0' ? 0 : strspn(at + indent + 1, " ");
        if ((at[indent] == ';' || at[indent] == '#') && blanks > 0 &&
            is_example(format, at + indent + 1 + blanks)) {
            memcpy(end, at, indent);
            end += indent;
            at += indent + 2;
            line -= indent + 2;
        }
        memcpy(end, at, line);
        end += line;
        at += line;
    }
    return out;
}

static void the_shipped_examples_are_good_and_equal(void **state) {
    static const char *const paths[] = {BATON_TEST_CONF "/ports.ini",
                                        BATON_TEST_CONF "/ports.yaml"};
    struct service_table tables[2];
    (void)state;
    for (int i = 0; i < 2; i++) {
        enum config_format format = i == 0 ? CONFIG_FORMAT_INI : CONFIG_FORMAT_YAML;
        char *text = with_examples(format, paths[i]);
        assert_int_equal(config_world_load(&config_world_root, format, paths[i], text, strlen(text),
                                           &tables[i], NULL),
                         BATON_OK);
        assert_int_equal(tables[i].service_count, 17);
        free(text);
    }
    assert_true(config_tables_equal(&tables[0], &tables[1]));
    service_table_clear(&tables[0]);
    service_table_clear(&tables[1]);
}

static void expect_no_warning(enum config_format format, const char *text, size_t length) {
    struct config_output out = {0};
    int result = config_world_check(&config_world_root, format, "f", text, length, false, &out);
    if (result != BATON_OK || strstr(out.text, "warning") != NULL) {
        fail_msg("%s", out.text);
    }
    free(out.text);
}

/* All examples of a page together are one config. */
static void expect_good_examples(const char *path) {
    static char ini[8192];
    size_t length = 0;
    size_t used = 0;
    const char *at = config_file_read(path, &length);
    while ((at = strstr(at, "```ini\n")) != NULL) {
        const char *end = strstr(at + 7, "```");
        assert_non_null(end);
        used +=
            (size_t)snprintf(ini + used, sizeof ini - used, "%.*s", (int)(end - at - 7), at + 7);
        at = end + 3;
    }
    assert_true(used > 0 && used < sizeof ini);
    expect_no_warning(CONFIG_FORMAT_INI, ini, used);
}

static void the_examples_of_the_pages_are_good(void **state) {
    (void)state;
    expect_good_examples(BATON_TEST_CONF "/KEYS.md");
    expect_good_examples(BATON_TEST_CONF "/../README.md");
}

static void nothing_is_warned_of_as_shipped(void **state) {
    static const char *const paths[] = {BATON_TEST_CONF "/ports.ini",
                                        BATON_TEST_CONF "/ports.yaml"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        enum config_format format = i == 0 ? CONFIG_FORMAT_INI : CONFIG_FORMAT_YAML;
        size_t length = 0;
        const char *text = config_file_read(paths[i], &length);
        struct config_output out = {0};
        expect_no_warning(format, text, length);
        assert_int_equal(
            config_world_check(&config_world_root, format, "f", text, length, false, &out),
            BATON_OK);
        assert_non_null(strstr(out.text, "\nvalid, 9 services\n"));
        free(out.text);
        char *examples = with_examples(format, paths[i]);
        expect_no_warning(format, examples, strlen(examples));
        free(examples);
    }
}

/* A text of ASCII as PowerShell's `>` writes it, or in the other order; what follows a `~` is a
 * unit in four hexadecimal digits. */
static size_t put_utf16(const char *text, bool is_big, char *out) {
    size_t length = 0;
    for (unsigned unit = 0xfeff; unit != 0 || *text != '\0';) {
        out[length + is_big] = (char)(unit & 0xff);
        out[length + !is_big] = (char)(unit >> 8);
        length += 2;
        unit = 0;
        if (*text == '~') {
            char digits[5] = {text[1], text[2], text[3], text[4], '\0'};
            unit = (unsigned)strtoul(digits, NULL, 16);
            text += 5;
        } else if (*text != '\0') {
            unit = (unsigned char)*text++;
        }
    }
    return length;
}

static void utf16_is_read(void **state) {
    static const char *const texts[] = {"[ports]\r\n7777 = ok \"gr~00fc~00df ~d83d~de00\"",
                                        "ports:\r\n  7777: ok \"gr~00fc~00df ~d83d~de00\""};
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"[ports]\r\n; ~d83d\r\n7777 = ok\r\n", "f:2: column 3 holds bytes that are not UTF-8"},
        {"[ports]\n7777 = ok ~de00", "f:2: column 11 holds bytes that are not UTF-8"},
        {"[ports]\r7777 = ok\r", "f:1: column 8 holds a carriage return"},
        {"[ports]\n7777 = ok\n~001a", "f:3: column 1 holds a Ctrl-Z"},
        {"[ports]\n7777 = ok\n~4141~0a0a~0d0d\nx", "f:4: this line has no `=`"}};
    char bytes[256];
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct service_table table = {0};
        enum config_format format = i / 2 == 0 ? CONFIG_FORMAT_INI : CONFIG_FORMAT_YAML;
        size_t length = put_utf16(texts[i / 2], i % 2 != 0, bytes);
        assert_int_equal(
            config_world_load(&config_world_posix, format, "f", bytes, length, &table, NULL),
            BATON_OK);
        assert_string_equal(table.services[0].argv[1], "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
        service_table_clear(&table);
        expect_fault(format, bytes, length - 1, "holds bytes that are not UTF-8");
        bytes[length - 1] = bytes[length - 2] = '\0';
        expect_fault(format, bytes, length, "holds a NUL byte");
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t length = put_utf16(cases[i].text, i % 2 != 0, bytes);
        expect_fault(CONFIG_FORMAT_INI, bytes, length, cases[i].fault);
    }
}

/* Told once, with what would be right, and nothing else is made of it. */
static void line_ends_and_the_end_of_dos(void **state) {
    static const struct {
        const char *ini, *yaml, *fault; /* NULL = good */
    } cases[] = {
        {"[ports]\r\n7777 = ok\n7778 = ok\r\n", "ports:\r\n  7777: ok\n  7778: ok\r\n", NULL},
        {"[ports]\r7777 = ok\r7778 = ok\r", "ports:\r  7777: ok\r  7778: ok\r",
         "f:1: *holds a carriage return that no line feed follows, which ends no line; save the "
         "file "
         "with the line ends of Windows (CR LF) or Unix (LF)\n"},
        {"[ports]\n7777 = ok\r\r\n", "ports:\n  7777: ok\r\r\n", "f:2: *holds a carriage return"},
        {"[ports]\n7777 = ok\n\x1a", "ports:\n  7777: ok\n\x1a",
         "f:3: *holds a Ctrl-Z, as programs of DOS end a file with; delete it\n"},
        {"[ports]\n7777 = ok\n\x1a\r\n", "ports:\n  7777: ok\n\x1a\r\n", "f:3: *holds a Ctrl-Z"},
        {"[ports]\n7777 = ok\x1a", "ports:\n  7777: ok\x1a", "f:2: *holds a Ctrl-Z"}};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof cases / sizeof *cases; i++) {
        const char *text = i % 2 == 0 ? cases[i / 2].ini : cases[i / 2].yaml;
        const char *fault = cases[i / 2].fault;
        enum config_format format = i % 2 == 0 ? CONFIG_FORMAT_INI : CONFIG_FORMAT_YAML;
        char *faults = faults_of(format, text, strlen(text));
        if (fault == NULL) {
            assert_string_equal(faults, "");
        } else if (strncmp(faults, fault, 5) != 0 || strstr(faults, fault + 6) == NULL ||
                   strchr(faults, '\n') != faults + strlen(faults) - 1) {
            fail_msg("case %lu: `%s`", (unsigned long)i, faults);
        }
        free(faults);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ending_tells_the_format),
        cmocka_unit_test(settings_keep_order_text_and_line),
        cmocka_unit_test(emptying_twice_is_fine),
        cmocka_unit_test(faults_are_printed_by_line_and_in_order),
        cmocka_unit_test(faults_beyond_the_limit_are_counted),
        cmocka_unit_test(what_is_cut_stays_utf8),
        cmocka_unit_test(limits_are_exact_and_nothing_is_cut),
        cmocka_unit_test(a_long_value_arrives_whole),
        cmocka_unit_test(there_may_be_1024_services),
        cmocka_unit_test(there_may_be_16384_settings),
        cmocka_unit_test(a_file_has_at_most_one_mebibyte),
        cmocka_unit_test(yaml_is_bounded_in_depth_and_events),
        cmocka_unit_test(the_shipped_files_are_equal_tables),
        cmocka_unit_test(the_shipped_examples_are_good_and_equal),
        cmocka_unit_test(the_examples_of_the_pages_are_good),
        cmocka_unit_test(nothing_is_warned_of_as_shipped),
        cmocka_unit_test(utf16_is_read),
        cmocka_unit_test(line_ends_and_the_end_of_dos),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
