/* What `include` means, without a folder. */
#include "core/config/include.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct include_pattern pattern_of(struct arena *arena, const char *text, bool windows,
                                         const char **wrong) {
    struct include_pattern pattern;
    const char *rest = text;
    const char *said = include_next(arena, &rest, windows, &pattern);
    assert_null(rest);
    if (wrong != NULL) {
        *wrong = said;
    } else if (said != NULL) {
        fail_msg("`%s` %s", text, said);
    }
    return pattern;
}

static void a_list_is_taken_apart(void **state) {
    struct arena *arena = arena_create();
    struct include_pattern pattern;
    const char *rest = " ports.d/*.ini ,/srv/a.yaml,x.yml";
    (void)state;
    assert_null(include_next(arena, &rest, false, &pattern));
    assert_string_equal(pattern.folder, "ports.d/");
    assert_string_equal(pattern.name, "*.ini");
    assert_true(pattern.has_wildcard && !pattern.is_absolute);
    assert_null(include_next(arena, &rest, false, &pattern));
    assert_string_equal(pattern.folder, "/srv/");
    assert_string_equal(pattern.name, "a.yaml");
    assert_true(!pattern.has_wildcard && pattern.is_absolute);
    assert_null(include_next(arena, &rest, false, &pattern));
    assert_string_equal(pattern.folder, "");
    assert_string_equal(pattern.name, "x.yml");
    assert_null(rest);
    arena_destroy(&arena);
}

static void paths_are_those_of_the_system(void **state) {
    struct arena *arena = arena_create();
    (void)state;
    struct include_pattern pattern = pattern_of(arena, "C:\\a b\\*.ini", true, NULL);
    assert_string_equal(pattern.folder, "C:\\a b\\");
    assert_true(pattern.is_absolute);
    assert_true(pattern_of(arena, "\\a\\*.ini", true, NULL).is_absolute);
    assert_false(pattern_of(arena, "a\\*.ini", true, NULL).is_absolute);
    assert_string_equal(pattern_of(arena, "a\\*.ini", false, NULL).folder, "");
    assert_true(include_matches(&pattern, "WEB.INI", true));
    assert_false(include_matches(&pattern, "web.yaml", true));
    arena_destroy(&arena);
}

static void what_is_no_pattern_is_told(void **state) {
    static const struct {
        const char *text, *words;
    } cases[] = {{"a*/b.ini", "only the last part"}, {"a?/*.ini", "only the last part"},
                 {"ports.d/", "names no file"},      {"", "names no file"},
                 {"ports.d/*.conf", "is no config"}, {"ports.conf", "is no config"},
                 {"ports.d", "is no config"},        {"*.ini~", "is no config"}};
    struct arena *arena = arena_create();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *wrong = NULL;
        (void)pattern_of(arena, cases[i].text, false, &wrong);
        if (wrong == NULL || strstr(wrong, cases[i].words) == NULL) {
            fail_msg("`%s`: %s", cases[i].text, wrong == NULL ? "nothing" : wrong);
        }
    }
    arena_destroy(&arena);
}

static void names_are_compared(void **state) {
    static const struct {
        const char *pattern, *name;
        bool matches;
    } cases[] = {{"*.ini", "a.ini", true},
                 {"*.ini", ".ini", false},
                 {".*.ini", ".a.ini", true},
                 {"*.ini", "a.ini~", false},
                 {"*.ini", "a.INI", false},
                 {"*.ini", "a.ini.ini", true},
                 {"*", "a.ini", true},
                 {"*", "a.yml", true},
                 {"*", "README", false},
                 {"*", "a.ini.dpkg-old", false},
                 {"a*b*.ini", "aXbYb.ini", true},
                 {"a*b*.ini", "aXY.ini", false},
                 {"a*b?.ini", "ab.ini", false},
                 {"?.ini", "a.ini", true},
                 {"?.ini", "\xc3\xa4.ini", true},
                 {"?.ini", "ab.ini", false},
                 {"?.ini", ".ini", false},
                 {"a[b].ini", "a[b].ini", true},
                 {"a[b].ini", "ab.ini", false},
                 {"a.ini", "a.ini", true},
                 {"a.ini", "a.in", false},
                 {"a.ini", "", false},
                 {"**.ini", "a.ini", true}};
    struct arena *arena = arena_create();
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct include_pattern pattern = pattern_of(arena, cases[i].pattern, false, NULL);
        if (include_matches(&pattern, cases[i].name, false) != cases[i].matches) {
            fail_msg("`%s` and `%s`", cases[i].pattern, cases[i].name);
        }
    }
    arena_destroy(&arena);
}

/* A pattern of many stars costs no more than the name's length for each of its bytes. */
static void many_stars_end_soon(void **state) {
    char pattern_text[201];
    char name[256];
    struct arena *arena = arena_create();
    (void)state;
    for (size_t i = 0; i < 200; i += 2) {
        memcpy(pattern_text + i, "*a", 2);
    }
    memcpy(pattern_text + 196, ".ini", 5);
    memset(name, 'a', sizeof name);
    memcpy(name + 250, "b.ini", 6);
    struct include_pattern pattern = pattern_of(arena, pattern_text, false, NULL);
    assert_false(include_matches(&pattern, name, false));
    arena_destroy(&arena);
}

static void the_later_folder_holds_and_names_are_in_order(void **state) {
    static const struct include_file found[] = {
        {"b.ini", "/usr/"},        {"c.ini", "/usr/"}, {"a.ini", "/usr/"},
        {"B.ini", "/usr/"},        {"b.yml", "/usr/"}, {"b.ini", "/run/"},
        {"\xc3\xa4.ini", "/run/"}, {"c.ini", "/run/"}, {"b.ini", "/etc/"}};
    static const char *const expected[] = {"/usr/B.ini", "/usr/a.ini", "/etc/b.ini",
                                           "/usr/b.yml", "/run/c.ini", "/run/\xc3\xa4.ini"};
    struct include_file files[sizeof found / sizeof *found];
    size_t count = 0;
    (void)state;
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        count = include_insert(files, count, found[i]);
    }
    assert_int_equal(count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < count; i++) {
        size_t folder_length = strlen(files[i].folder);
        assert_memory_equal(files[i].folder, expected[i], folder_length);
        assert_string_equal(files[i].name, expected[i] + folder_length);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_taken_apart),
        cmocka_unit_test(paths_are_those_of_the_system),
        cmocka_unit_test(what_is_no_pattern_is_told),
        cmocka_unit_test(names_are_compared),
        cmocka_unit_test(many_stars_end_soon),
        cmocka_unit_test(the_later_folder_holds_and_names_are_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
