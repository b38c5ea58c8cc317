#include "core/base/address.h"
#include "core/base/words.h"
#include "core/service/key.h"
#include "core/service/key_reference.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void every_row_is_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        struct key_message message;
        uint32_t number = 0;
        assert_true(strlen(key_name(key)) > 0);
        assert_true(strlen(key_help((enum key_id)i)) > 20);
        assert_true(key->sections != 0 && key->modes != 0);
        assert_true((key->type == KEY_TYPE_NUMBER || key->type == KEY_TYPE_LIMIT ||
                     key->type == KEY_TYPE_SIZE || key->type == KEY_TYPE_CHOICE) ==
                    (key_words(key)[0] != '\0'));
        /* A key for some modes needs something that these modes go over. */
        assert_true((key->modes & KEY_MODES_ALL) == key->modes);
        assert_true((key->modes & KEY_OVER_ANY) != 0);
        assert_true(key->minimum <= key->maximum || key->type == KEY_TYPE_NUMBER);
        assert_true((int32_t)key->minimum <= (int32_t)key->maximum || key->maximum > INT32_MAX);
        for (size_t j = 0; j < i; j++) {
            assert_true((key->sections & key_table[j].sections) == 0 ||
                        strcmp(key_name(key), key_name(&key_table[j])) != 0);
        }
        assert_true(key_is_number(key) || key->field_offset == KEY_NO_FIELD);
        if (key_is_number(key)) {
            char printed[32];
            (void)key_print_value(key, key->default_number, printed, sizeof printed);
            assert_true(key_parse(key, printed, &number, &message));
            assert_int_equal(number, key->default_number);
        }
    }
}

static void what_can_have_a_default_is_as_promised(void **state) {
    (void)state;
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        bool own = strcmp(key_name(key), "listen") == 0 ||
                   strcmp(key_name(key), "listen_names") == 0 ||
                   strcmp(key_name(key), "handler") == 0 || strcmp(key_name(key), "argv0") == 0 ||
                   strcmp(key_name(key), "protocol") == 0;
        if ((key->sections & KEY_IN_SERVICE) != 0) {
            assert_int_equal((key->sections & KEY_IN_DEFAULTS) != 0, !own);
        }
    }
}

static void names_are_found_where_they_may_stand(void **state) {
    (void)state;
    assert_ptr_equal(key_find("backlog", KEY_IN_SERVICE), &key_table[KEY_BACKLOG]);
    assert_ptr_equal(key_find("backlog", KEY_IN_DEFAULTS), &key_table[KEY_BACKLOG]);
    assert_null(key_find("backlog", KEY_IN_SUPERVISOR));
    assert_null(key_find("handler", KEY_IN_DEFAULTS));
    assert_null(key_find("Backlog", KEY_IN_SERVICE));
    assert_null(key_find("", KEY_IN_SERVICE | KEY_IN_DEFAULTS | KEY_IN_SUPERVISOR));
    assert_ptr_equal(key_find("interpreter.py", KEY_IN_SUPERVISOR), &key_table[KEY_INTERPRETER]);
    assert_null(key_find("interpreter.", KEY_IN_SUPERVISOR));
    assert_null(key_find("interpreter", KEY_IN_SUPERVISOR));
    assert_null(key_find("interpreter.tar.gz", KEY_IN_SUPERVISOR));
    assert_null(key_find("interpreter.a b", KEY_IN_SUPERVISOR));
}

static void the_nearest_name_is_suggested(void **state) {
    (void)state;
    assert_string_equal(key_nearest("hadnler", KEY_IN_SERVICE), "handler");
    assert_string_equal(key_nearest("LISTEN", KEY_IN_SERVICE), "listen");
    assert_string_equal(key_nearest("max-connections", KEY_IN_SERVICE), "max_connections");
    assert_string_equal(key_nearest("handshake_timeout", KEY_IN_SERVICE), "handshake_timeout_ms");
    assert_string_equal(key_nearest("handler", KEY_IN_SUPERVISOR), "handlers");
    assert_null(key_nearest("x", KEY_IN_SERVICE));
    assert_null(key_nearest("colour", KEY_IN_SERVICE));
    assert_null(key_nearest("", KEY_IN_SERVICE));
}

static void distance_is_damerau_levenshtein(void **state) {
    (void)state;
    assert_int_equal(text_distance("abc", "abc", 9), 0);
    assert_int_equal(text_distance("abc", "ABC", 9), 0);
    assert_int_equal(text_distance("abc", "acb", 9), 1);
    assert_int_equal(text_distance("abc", "ab", 9), 1);
    assert_int_equal(text_distance("", "abc", 9), 3);
    assert_int_equal(text_distance("kitten", "sitting", 9), 3);
    assert_int_equal(text_distance("ca", "abc", 9), 3);
    assert_int_equal(text_distance("abcdef", "uvwxyz", 2), 3);
    char longer[65] = {0};
    memset(longer, 'a', 64);
    assert_int_equal(text_distance(longer, longer, 2), 3);
    longer[63] = '\0';
    assert_int_equal(text_distance(longer, longer, 2), 0);
}

static void a_wrong_number_is_told_with_range_and_unit(void **state) {
    const struct key *key = &key_table[KEY_HANDSHAKE_TIMEOUT];
    struct key_message message;
    uint32_t number = 0;
    (void)state;
    assert_true(key_parse(key, "10", &number, &message));
    assert_int_equal(number, 10);
    assert_true(key_parse(key, "600000", &number, &message));
    assert_false(key_parse(key, "5s", &number, &message));
    assert_string_equal(message.text,
                        "`5s` is not a whole number; give milliseconds from 10 to 600000");
    static const char *const wrong[] = {"9",   "600001", "",    "-10", "+10",        "010",
                                        "1 0", "0x10",   "1.5", "1e3", "4294967306", " 10"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(key_parse(key, wrong[i], &number, &message));
        assert_non_null(strstr(message.text, "milliseconds from 10 to 600000"));
    }
    assert_int_equal(number, 600000);
}

static void a_number_may_be_negative(void **state) {
    const struct key *key = &key_table[KEY_NICE];
    struct key_message message;
    uint32_t number = 0;
    char text[32];
    (void)state;
    static const char *const right[] = {"-20", "-1", "0", "19"};
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        assert_true(key_parse(key, right[i], &number, &message));
        assert_string_equal(key_print_value(key, number, text, sizeof text), right[i]);
    }
    static const char *const wrong[] = {"-21", "20", "--1", "+1",          "-",
                                        "-01", "",   "1 ",  "-99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(key_parse(key, wrong[i], &number, &message));
        assert_non_null(strstr(message.text, "give steps from -20 to 19"));
    }
    assert_false(key_parse(key, "inherited", &number, &message));
}

static void limits_and_sizes(void **state) {
    static const struct {
        enum key_id id;
        const char *text;
        const char *printed; /* NULL = it is wrong */
    } cases[] = {{KEY_LIMIT_FILES, "inherited", "inherited"},
                 {KEY_LIMIT_FILES, "unlimited", "unlimited"},
                 {KEY_LIMIT_FILES, "4", "4"},
                 {KEY_LIMIT_FILES, "3", NULL},
                 {KEY_LIMIT_FILES, "4K", NULL},
                 {KEY_LIMIT_FILES, "4294967293", "4294967293"},
                 {KEY_LIMIT_FILES, "4294967294", NULL},
                 {KEY_LIMIT_FILES, "-4", NULL},
                 {KEY_LIMIT_MEMORY, "65536", "64K"},
                 {KEY_LIMIT_MEMORY, "65535", NULL},
                 {KEY_LIMIT_MEMORY, "100000", "97K"},
                 {KEY_LIMIT_MEMORY, "1536K", "1536K"},
                 {KEY_LIMIT_MEMORY, "64M", "64M"},
                 {KEY_LIMIT_MEMORY, "1G", "1G"},
                 {KEY_LIMIT_MEMORY, "1073741824", "1G"},
                 {KEY_LIMIT_MEMORY, "4095G", "4095G"},
                 {KEY_LIMIT_MEMORY, "4096G", NULL},
                 {KEY_LIMIT_MEMORY, "99999999999999999999", NULL},
                 {KEY_LIMIT_MEMORY, "9999999999999999G", NULL},
                 {KEY_LIMIT_MEMORY, "1T", NULL},
                 {KEY_LIMIT_MEMORY, "1GB", NULL},
                 {KEY_LIMIT_MEMORY, "1 G", NULL},
                 {KEY_LIMIT_MEMORY, "1g", NULL},
                 {KEY_LIMIT_MEMORY, "K", NULL},
                 {KEY_LIMIT_MEMORY, "", NULL},
                 {KEY_LIMIT_CORE, "0", "0"},
                 {KEY_LIMIT_CORE, "1", "0"}};
    struct key_message message;
    uint32_t number = 0;
    char text[32];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct key *key = &key_table[cases[i].id];
        bool is_right = key_parse(key, cases[i].text, &number, &message);
        if (is_right != (cases[i].printed != NULL)) {
            fail_msg("%s", cases[i].text);
        }
        if (is_right) {
            assert_string_equal(key_print_value(key, number, text, sizeof text), cases[i].printed);
        } else {
            assert_non_null(strstr(message.text, "`unlimited` or `inherited`"));
        }
    }
}

static void a_long_wrong_value_is_cut_between_characters(void **state) {
    struct key_message message;
    uint32_t number = 0;
    char value[4097] = {0};
    (void)state;
    for (size_t i = 0; i + 2 < sizeof value; i += 2) {
        value[i] = '\xc3';
        value[i + 1] = '\xa9';
    }
    assert_false(key_parse(&key_table[KEY_BACKLOG], value + 1, &number, &message));
    assert_false(key_parse(&key_table[KEY_BACKLOG], value, &number, &message));
    size_t where = 0;
    assert_int_equal(text_check(message.text, strlen(message.text), &where), TEXT_FINE);
    assert_non_null(strstr(message.text, "...` is not a whole number"));
}

static void booleans_have_three_spellings(void **state) {
    static const char *const yes[] = {"yes", "true", "on", "YES", "On"};
    static const char *const no[] = {"no", "false", "off"};
    struct key_message message;
    uint32_t number = 9;
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        assert_true(key_parse(&key_table[KEY_ENABLED], yes[i], &number, &message));
        assert_int_equal(number, 1);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_true(key_parse(&key_table[KEY_ENABLED], no[i], &number, &message));
        assert_int_equal(number, 0);
    }
    assert_false(key_parse(&key_table[KEY_ENABLED], "1", &number, &message));
    assert_false(key_parse(&key_table[KEY_ENABLED], "y", &number, &message));
}

static bool misfits(const struct key *key, unsigned mode, struct key_message *message) {
    if (key_fits_mode(key, mode)) {
        return false;
    }
    key_print_misfit(key, mode, message);
    return true;
}

static void a_key_that_a_mode_cannot_honour_names_those_that_can(void **state) {
    struct key key = key_table[KEY_ATTEMPTS];
    struct key_message message;
    (void)state;
    key.modes = KEY_MODE_CHANNEL | KEY_MODE_PUMP;
    assert_true(key_fits_mode(&key, KEY_MODE_CHANNEL));
    assert_true(key_fits_mode(&key, KEY_MODE_PUMP));
    assert_true(misfits(&key, KEY_MODE_UDP, &message));
    assert_string_equal(message.text, "cannot be honoured in mode udp; leave it out, or take one "
                                      "of the modes that can: channel, pump");
    assert_true(key_fits_mode(&key, 0));
    for (size_t i = 0; i < KEY_COUNT; i++) {
        assert_int_equal(key_fits_mode(&key_table[i], KEY_MODE_CHANNEL | KEY_OVER_TCP),
                         i != KEY_LISTEN_NAMES && i != KEY_STDERR && i != KEY_SOCKET_MODE &&
                             i != KEY_SOCKET_OWNER && i != KEY_ALLOW_UID && i != KEY_ALLOW_GID &&
                             i != KEY_IDLE_TIMEOUT && i != KEY_WORKERS);
    }
    /* Where that does not explain itself, it says why. */
    assert_true(misfits(&key_table[KEY_IDLE_TIMEOUT], KEY_MODE_STDIO, &message));
    assert_string_equal(message.text, "cannot be honoured in mode stdio; leave it out, or take one "
                                      "of the modes that can: pump (elsewhere nobody but the "
                                      "handler sees the bytes)");
}

static void a_key_that_a_protocol_cannot_honour_names_those_that_can(void **state) {
    static const unsigned local = KEY_MODE_STDIO | KEY_OVER_UNIX;
    struct key_message message;
    (void)state;
    assert_true(misfits(&key_table[KEY_NODELAY], local, &message));
    assert_string_equal(message.text,
                        "cannot be honoured with protocol unix; leave it out, or take "
                        "one of the protocols that can: tcp");
    assert_true(misfits(&key_table[KEY_V6ONLY], local, &message));
    assert_non_null(strstr(message.text, "that can: tcp, udp"));
    assert_true(misfits(&key_table[KEY_SOCKET_MODE], KEY_MODE_PUMP | KEY_OVER_TCP, &message));
    assert_non_null(strstr(message.text, "protocol tcp; leave"));
    /* Of UDP that is blamed which leaves a choice. */
    assert_true(misfits(&key_table[KEY_BACKLOG], KEY_MODE_UDP, &message));
    assert_non_null(strstr(message.text, "protocol udp; leave"));
    assert_true(misfits(&key_table[KEY_ATTEMPTS], KEY_MODE_UDP, &message));
    assert_non_null(strstr(message.text, "mode udp; leave"));
    assert_true(key_fits_mode(&key_table[KEY_RECEIVE_BUFFER], KEY_MODE_UDP));
}

static void permissions_are_octal(void **state) {
    static const char *const wrong[] = {
        "",    "660u", "8",    "0800", "1777", "01777",        "rw-",
        "-60", "0o66", "0x1b", " 660", "60",   "7777777777777"};
    const struct key *key = &key_table[KEY_SOCKET_MODE];
    struct key_message message;
    char printed[32];
    uint32_t number = 0;
    (void)state;
    assert_true(key_parse(key, "0660", &number, &message));
    assert_int_equal(number, 0660);
    assert_true(key_parse(key, "777", &number, &message));
    assert_int_equal(number, 0777);
    assert_true(key_parse(key, "000", &number, &message));
    assert_string_equal(key_print_value(key, number, printed, sizeof printed), "0000");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_false(key_parse(key, wrong[i], &number, &message));
        assert_non_null(strstr(message.text, "as in 0600"));
    }
}

static void expect_words(const char *value, size_t count, const char *const *expected) {
    struct arena *arena = arena_create();
    char **words = NULL;
    size_t got = 0;
    assert_null(words_split(arena, value, &words, &got));
    assert_int_equal(got, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(words[i], expected[i]);
    }
    assert_null(words[count]);
    arena_destroy(&arena);
}

static void commands_fall_into_words(void **state) {
    (void)state;
    expect_words("", 0, NULL);
    expect_words(" \t ", 0, NULL);
    expect_words("ok  -v\tx ", 3, (const char *const[]){"ok", "-v", "x"});
    expect_words("C:\\dir\\x.exe \\", 2, (const char *const[]){"C:\\dir\\x.exe", "\\"});
    expect_words("\"C:\\Program Files\\x.exe\" \"\" ''", 3,
                 (const char *const[]){"C:\\Program Files\\x.exe", "", ""});
    expect_words("\"a\\\"b\" \"a\\\\b\" 'a\\b\\' \"a'b\" 'a\"b'", 5,
                 (const char *const[]){"a\"b", "a\\b", "a\\b\\", "a'b", "a\"b"});
    expect_words("A=\"b c\"'d e'f", 1, (const char *const[]){"A=b cd ef"});
}

static void an_open_quote_is_a_fault(void **state) {
    static const char *const open[] = {"\"a", "'a", "a \"", "\"C:\\x\\\"", "a'b\"'\""};
    (void)state;
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        struct arena *arena = arena_create();
        char **words = NULL;
        size_t count = 0;
        assert_non_null(words_split(arena, open[i], &words, &count));
        arena_destroy(&arena);
    }
}

struct growing {
    char text[65536];
    size_t length;
};

static void grow(void *context, const char *text) {
    struct growing *growing = context;
    size_t length = strlen(text);
    assert_true(growing->length + length < sizeof growing->text);
    memcpy(growing->text + growing->length, text, length + 1);
    growing->length += length;
}

static void words_survive_print_and_split(void **state) {
    static const char *const words[] = {"plain", "",          "two words", "it's", "say \"x\"",
                                        "'\"\\", "C:\\a b\\", "\\",        "a\tb"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct growing printed = {.length = 0};
        words_emit(grow, &printed, words[i]);
        expect_words(printed.text, 1, &words[i]);
    }
}

/* The committed reference is what the table prints. */
static void the_reference_is_up_to_date(void **state) {
    static struct growing expected;
    static struct growing actual;
    const char *path = BATON_TEST_KEYS_MD;
    (void)state;
    key_print_reference(grow, &actual);
    if (getenv("BATON_REGENERATE") != NULL) {
        FILE *out = fopen(path, "wb");
        assert_non_null(out);
        fputs(actual.text, out);
        assert_int_equal(fclose(out), 0);
    }
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    expected.length = fread(expected.text, 1, sizeof expected.text - 1, file);
    expected.text[expected.length] = '\0';
    fclose(file);
    assert_string_equal(actual.text, expected.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(what_can_have_a_default_is_as_promised),
        cmocka_unit_test(names_are_found_where_they_may_stand),
        cmocka_unit_test(the_nearest_name_is_suggested),
        cmocka_unit_test(distance_is_damerau_levenshtein),
        cmocka_unit_test(a_wrong_number_is_told_with_range_and_unit),
        cmocka_unit_test(a_number_may_be_negative),
        cmocka_unit_test(limits_and_sizes),
        cmocka_unit_test(a_long_wrong_value_is_cut_between_characters),
        cmocka_unit_test(booleans_have_three_spellings),
        cmocka_unit_test(a_key_that_a_mode_cannot_honour_names_those_that_can),
        cmocka_unit_test(a_key_that_a_protocol_cannot_honour_names_those_that_can),
        cmocka_unit_test(permissions_are_octal),
        cmocka_unit_test(commands_fall_into_words),
        cmocka_unit_test(an_open_quote_is_a_fault),
        cmocka_unit_test(words_survive_print_and_split),
        cmocka_unit_test(the_reference_is_up_to_date),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
