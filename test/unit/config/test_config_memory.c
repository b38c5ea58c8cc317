/*
 * The n-th allocation fails, for every n, on the whole way from bytes to a printed table. This test
 * is linked so that malloc and its kin of our code and of libyaml come here, and the arena is
 * compiled to ask malloc each time.
 */
#include "config_file.h"
#include "config_world.h"
#include "core/base/error.h"
#include "core/config/include.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void *__real_malloc(size_t size_bytes);
void *__real_calloc(size_t count, size_t size_bytes);
void *__real_realloc(void *old, size_t size_bytes);
void __real_free(void *old);
void *__wrap_malloc(size_t size_bytes);
void *__wrap_calloc(size_t count, size_t size_bytes);
void *__wrap_realloc(void *old, size_t size_bytes);
char *__wrap_strdup(const char *text);
void __wrap_free(void *old);

static size_t calls_until_failure; /* 0 = never */
static size_t call_count;
static long live_count;

static bool fails(void) {
    call_count++;
    return calls_until_failure != 0 && call_count == calls_until_failure;
}

static void *counted(void *memory) {
    live_count += memory != NULL;
    return memory;
}

void *__wrap_malloc(size_t size_bytes) {
    return fails() ? NULL : counted(__real_malloc(size_bytes));
}

void *__wrap_calloc(size_t count, size_t size_bytes) {
    return fails() ? NULL : counted(__real_calloc(count, size_bytes));
}

void *__wrap_realloc(void *old, size_t size_bytes) {
    if (fails()) {
        return NULL;
    }
    void *grown = __real_realloc(old, size_bytes);
    return old == NULL ? counted(grown) : grown;
}

char *__wrap_strdup(const char *text) {
    size_t size_bytes = strlen(text) + 1;
    char *copy = __wrap_malloc(size_bytes);
    return copy == NULL ? NULL : memcpy(copy, text, size_bytes);
}

void __wrap_free(void *old) {
    live_count -= old != NULL;
    __real_free(old);
}

/* Loads once with the n-th allocation failing; returns the result. Nothing may be left over. */
static int load_with_failure(enum config_format format, const char *bytes, size_t length,
                             size_t failing, struct service_table *table, size_t *problem_count) {
    struct config_problems problems = {0};
    long live_before = live_count;
    call_count = 0;
    calls_until_failure = failing;
    int result =
        config_world_load(&config_world_posix, format, "f", bytes, length, table, &problems);
    calls_until_failure = 0;
    *problem_count = problems.problem_count;
    config_problems_clear(&problems);
    if (result != BATON_OK) {
        assert_null(table->arena);
        assert_int_equal(live_count, live_before);
    }
    return result;
}

static void fail_each(enum config_format format, const char *path, int final_result) {
    struct service_table expected = {0};
    size_t length = 0;
    size_t expected_problems = 0;
    size_t failing = 0;
    int result = BATON_NO_MEMORY;
    long live_before = live_count;
    const char *bytes = config_file_read(path, &length);
    assert_int_equal(load_with_failure(format, bytes, length, 0, &expected, &expected_problems),
                     final_result);
    size_t total_count = call_count;
    for (failing = 1; failing <= total_count + 1; failing++) {
        struct service_table table = {0};
        size_t problem_count = 0;
        result = load_with_failure(format, bytes, length, failing, &table, &problem_count);
        if (result != BATON_NO_MEMORY) {
            /* Only a library that can do without may go on, and then nothing may differ. */
            assert_int_equal(result, final_result);
            assert_int_equal(problem_count, expected_problems);
            assert_true(config_tables_equal(&table, &expected));
        }
        service_table_clear(&table);
    }
    assert_int_equal(result, final_result);
    assert_true(total_count > 20);
    service_table_clear(&expected);
    assert_int_equal(live_count, live_before);
}

static void ini_survives_each_failure(void **state) {
    (void)state;
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/good-full.ini", BATON_OK);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/good-modes.ini", BATON_OK);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/good-access.ini", BATON_OK);
}

static void yaml_survives_each_failure(void **state) {
    (void)state;
    fail_each(CONFIG_FORMAT_YAML, BATON_TEST_GOLDEN "/good-full.yaml", BATON_OK);
}

static void faulty_ini_survives_each_failure(void **state) {
    (void)state;
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/unknown-key.ini", BATON_INVALID);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/environment.ini", BATON_INVALID);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/options.ini", BATON_INVALID);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/lists.ini", BATON_INVALID);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/clashes.ini", BATON_INVALID);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/templates.ini", BATON_INVALID);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/proxy.ini", BATON_INVALID);
    fail_each(CONFIG_FORMAT_INI, BATON_TEST_GOLDEN "/access.ini", BATON_INVALID);
}

static void faulty_yaml_survives_each_failure(void **state) {
    (void)state;
    fail_each(CONFIG_FORMAT_YAML, BATON_TEST_GOLDEN "/yaml-alias.yaml", BATON_INVALID);
    fail_each(CONFIG_FORMAT_YAML, BATON_TEST_GOLDEN "/yaml-syntax.yaml", BATON_INVALID);
}

/* A main config, what it includes, and a piece, which has a fault if `other` is the main's port. */
static int load_pieces(const char *other, struct service_table *table,
                       struct config_problems *problems) {
    static const char main_text[] = "[defaults]\nbacklog = 5\n[ports]\n7001 = ok\n";
    struct config config = {0};
    struct include_pattern pattern;
    const char *rest = "ports.d/*.ini";
    int result =
        config_parse(&config, CONFIG_FORMAT_INI, "f", main_text, sizeof main_text - 1, problems);
    memset(table, 0, sizeof *table);
    if (result != BATON_NO_MEMORY) {
        (void)include_next(config.arena, &rest, false, &pattern);
        result =
            pattern.name == NULL ||
                    !config_add_source(&config, (struct config_source){"/x", 1, "a.b"}) ||
                    !config_problems_begin_piece(problems, "p")
                ? BATON_NO_MEMORY
                : config_parse_piece(&config, CONFIG_FORMAT_INI, other, strlen(other), problems);
        config_problems_end_piece(problems);
    }
    if (result != BATON_NO_MEMORY) {
        result = service_table_build(&config, &config_world_posix, problems, table);
    }
    config_clear(&config);
    return result;
}

static void pieces_survive_each_failure(void **state) {
    static const char *const texts[] = {
        "[a]\nlisten = 7002\nhandler = ok\n[defaults]\nbacklog = 6\n",
        "[a]\nlisten = 7001\nhandler = ok\n"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int result = BATON_NO_MEMORY;
        size_t failing = 1;
        for (; result == BATON_NO_MEMORY; failing++) {
            struct service_table table;
            struct config_problems problems = {0};
            long live_before = live_count;
            call_count = 0;
            calls_until_failure = failing;
            result = load_pieces(texts[i], &table, &problems);
            calls_until_failure = 0;
            config_problems_clear(&problems);
            service_table_clear(&table);
            assert_int_equal(live_count, live_before);
        }
        assert_int_equal(result, i == 0 ? BATON_OK : BATON_INVALID);
        assert_true(failing > 20);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ini_survives_each_failure),
        cmocka_unit_test(yaml_survives_each_failure),
        cmocka_unit_test(faulty_ini_survives_each_failure),
        cmocka_unit_test(faulty_yaml_survives_each_failure),
        cmocka_unit_test(pieces_survive_each_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
