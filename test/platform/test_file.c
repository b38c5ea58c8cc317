/* Files, paths, probes, and the log when it is a file. */
#include "core/base/path_facts.h"
#include "harness.h"

#include <stdio.h>

static const char *in_scratch(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s%c%s", system_scratch(),
             platform_backslash_separates ? '\\' : '/', name);
    return path;
}

static void test_file_is_read_whole_or_not(void **state) {
    (void)state;
    struct baton_cause cause;
    char text[16];
    size_t length = 99;
    system_write_file(in_scratch("ten"), "0123456789", false);
    assert_int_equal(platform_file_read(in_scratch("ten"), text, sizeof text, &length, &cause),
                     BATON_OK);
    assert_int_equal(length, 10);
    assert_memory_equal(text, "0123456789", 10);
    assert_int_equal(platform_file_read(in_scratch("ten"), text, 10, &length, &cause), BATON_OK);
    assert_int_equal(length, 10);
    assert_int_equal(platform_file_read(in_scratch("ten"), text, 9, &length, &cause),
                     BATON_TOO_LONG);
    system_write_file(in_scratch("ten"), "", false);
    assert_int_equal(platform_file_read(in_scratch("ten"), text, sizeof text, &length, &cause),
                     BATON_OK);
    assert_int_equal(length, 0);
    system_remove_file(in_scratch("ten"));
    assert_int_equal(platform_file_read(in_scratch("ten"), text, sizeof text, &length, &cause),
                     BATON_NOT_FOUND);
    assert_int_equal(platform_file_read(system_scratch(), text, sizeof text, &length, &cause),
                     BATON_INVALID);
}

static void test_file_names_are_utf8(void **state) {
    (void)state;
    struct baton_cause cause;
    char text[16];
    size_t length;
    const char *name = "gr\xc3\xbc\xc3\x9f\xe2\x82\xac";
    system_write_file(in_scratch(name), "x", false);
    assert_int_equal(platform_file_read(in_scratch(name), text, sizeof text, &length, &cause),
                     BATON_OK);
    assert_int_equal(length, 1);
    system_remove_file(in_scratch(name));
}

static void count_name(void *context, const char *name) {
    int *counts = context;
    counts[0] += strcmp(name, "listed") == 0;
    counts[1] += strcmp(name, "gr\xc3\xbc\xc3\x9f") == 0;
    counts[2] += strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void test_a_folder_is_listed(void **state) {
    (void)state;
    struct baton_cause cause;
    int counts[3] = {0};
    system_write_file(in_scratch("listed"), "x", false);
    system_write_file(in_scratch("gr\xc3\xbc\xc3\x9f"), "x", false);
    assert_int_equal(platform_directory_list(system_scratch(), count_name, counts, &cause),
                     BATON_OK);
    assert_int_equal(counts[0], 1);
    assert_int_equal(counts[1], 1);
    assert_int_equal(counts[2], 0);
    assert_int_equal(platform_directory_list(in_scratch("listed"), count_name, counts, &cause),
                     BATON_INVALID);
    assert_int_equal(platform_directory_list(in_scratch("absent"), count_name, counts, &cause),
                     BATON_NOT_FOUND);
    system_remove_file(in_scratch("gr\xc3\xbc\xc3\x9f"));
    system_remove_file(in_scratch("listed"));
}

static void test_probes(void **state) {
    (void)state;
    char name[64];
    assert_int_equal(platform_probe_program(NULL, bench_child_path()), BATON_OK);
    assert_int_equal(platform_probe_program(NULL, system_scratch()), BATON_INVALID);
    snprintf(name, sizeof name, "absent%s", platform_executable_suffix);
    assert_int_equal(platform_probe_program(NULL, in_scratch(name)), BATON_NOT_FOUND);
    if (!platform_backslash_separates) {
        /* Windows has no such bit on files. */
        system_write_file(in_scratch("plain"), "text", false);
        assert_int_equal(platform_probe_program(NULL, in_scratch("plain")), BATON_NOT_EXECUTABLE);
        system_remove_file(in_scratch("plain"));
    }
    assert_int_equal(platform_probe_directory(NULL, system_scratch()), BATON_OK);
    assert_int_equal(platform_probe_directory(NULL, bench_child_path()), BATON_INVALID);
    assert_int_equal(platform_probe_directory(NULL, in_scratch("absent")), BATON_NOT_FOUND);
}

static void test_a_name_is_inspected_or_not(void **state) {
    struct path_facts facts;
    (void)state;
    bool can = !platform_backslash_separates;
    assert_int_equal(platform_inspect(NULL, system_scratch(), &facts),
                     can ? BATON_OK : BATON_UNSUPPORTED);
    assert_true(!can || facts.kind == PATH_KIND_FOLDER);
    assert_int_equal(platform_inspect(NULL, in_scratch("absent"), &facts),
                     can ? BATON_NOT_FOUND : BATON_UNSUPPORTED);
    assert_true(can || !platform_is_privileged());
}

static void test_own_directory_holds_the_child(void **state) {
    (void)state;
    struct baton_cause cause;
    char directory[4096];
    assert_int_equal(platform_own_directory(directory, sizeof directory, &cause), BATON_OK);
    assert_int_equal(platform_probe_directory(NULL, directory), BATON_OK);
    size_t length = strlen(directory);
    assert_true(directory[length - 1] != '/' && directory[length - 1] != '\\');
    assert_memory_equal(bench_child_path(), directory, length);
    assert_int_equal(platform_own_directory(directory, 2, &cause), BATON_TOO_LONG);
}

static void test_absolute_paths(void **state) {
    (void)state;
    char path[4096];
    char again[4096];
    assert_int_equal(platform_path_absolute("no/such/file", path, sizeof path), BATON_OK);
    assert_true(strlen(path) > strlen("no/such/file"));
    assert_true(path[0] == '/' || path[1] == ':' || path[0] == '\\');
    assert_int_equal(platform_path_absolute(path, again, sizeof again), BATON_OK);
    assert_string_equal(path, again);
    assert_int_equal(platform_path_absolute("no/such/file", path, 8), BATON_TOO_LONG);
    assert_int_equal(platform_path_absolute(in_scratch("x"), path, sizeof path), BATON_OK);
    assert_string_equal(path, in_scratch("x"));
}

static void test_arguments_stay_what_they_are(void **state) {
    (void)state;
    char first[] = "first";
    char *given[] = {first, NULL};
    int count = 0;
    char **arguments = platform_arguments(1, given, &count);
    assert_non_null(arguments);
    assert_true(count >= 1);
    assert_null(arguments[count]);
    if (!platform_backslash_separates) {
        assert_ptr_equal(arguments, given);
    }
}

static void expect_content(const char *name, const char *wanted) {
    struct baton_cause cause;
    char text[256] = "";
    size_t length;
    assert_int_equal(platform_file_read(in_scratch(name), text, sizeof text - 1, &length, &cause),
                     BATON_OK);
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(text, wanted, length);
}

static void test_log_appends_to_a_file(void **state) {
    struct bench *bench = *state;
    system_write_file(in_scratch("log"), "before\n", false);
    assert_int_equal(bench_log_open(bench, in_scratch("log")), BATON_OK);
    assert_int_equal(platform_log_write(bench->log, "one\n", 4, &bench->cause), 4);
    assert_int_equal(platform_log_write(bench->log, "", 0, &bench->cause), 0);
    assert_int_equal(platform_log_write(bench->log, "two\n", 4, &bench->cause), 4);
    platform_log_flush(bench->log, PLATFORM_WAIT_FOREVER);
    expect_content("log", "before\none\ntwo\n");
    assert_true(bench_log_write_all(bench, "three\n", 6, PLATFORM_WAIT_FOREVER));
    platform_log_flush(bench->log, PLATFORM_WAIT_FOREVER);
    expect_content("log", "before\none\ntwo\nthree\n");
    assert_int_equal(bench_log_open(bench, in_scratch("other")), BATON_OK);
    assert_int_equal(platform_log_write(bench->log, "four\n", 5, &bench->cause), 5);
    platform_log_flush(bench->log, PLATFORM_WAIT_FOREVER);
    expect_content("other", "four\n");
    expect_content("log", "before\none\ntwo\nthree\n");
    assert_int_equal(bench_log_open(bench, in_scratch("absent/log")), BATON_NOT_FOUND);
    assert_non_null(bench->cause.call);
    /* A failed opening leaves the log where it was. */
    assert_int_equal(platform_log_write(bench->log, "five\n", 5, &bench->cause), 5);
    platform_log_flush(bench->log, PLATFORM_WAIT_FOREVER);
    expect_content("other", "four\nfive\n");
    assert_int_equal(bench_log_open(bench, NULL), BATON_OK);
    system_remove_file(in_scratch("log"));
    system_remove_file(in_scratch("other"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_is_read_whole_or_not),
        cmocka_unit_test(test_file_names_are_utf8),
        cmocka_unit_test(test_a_folder_is_listed),
        cmocka_unit_test(test_probes),
        cmocka_unit_test(test_a_name_is_inspected_or_not),
        cmocka_unit_test(test_own_directory_holds_the_child),
        cmocka_unit_test(test_absolute_paths),
        cmocka_unit_test(test_arguments_stay_what_they_are),
        WITH_BENCH(test_log_appends_to_a_file),
    };
    return cmocka_run_group_tests_name("file", tests, NULL, bench_remove_scratch);
}
