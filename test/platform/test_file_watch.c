/* Files that change. */
#include "harness.h"

#include <stdio.h>

static const char *path_of(const char *name) {
    static char paths[4][512];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s%c%s", system_scratch(),
             platform_backslash_separates ? '\\' : '/', name);
    return path;
}

static struct platform_file_watch *watch(struct bench *bench, const char *path, uint64_t *token) {
    struct platform_file_watch *file;
    *token = bench_token(bench);
    assert_int_equal(platform_file_watch_open(bench->platform, path, *token, &file, &bench->cause),
                     BATON_OK);
    return file;
}

/* It may be told more than once of one change. */
static void settle(struct bench *bench) {
    struct platform_event events[8];
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
    int count = 1;
    while (count > 0 && platform_now_us(bench->platform) < deadline_us) {
        count = platform_wait(bench->platform, events, 8,
                              platform_now_us(bench->platform) + 300000u, &bench->cause);
    }
    assert_int_equal(count, 0);
    bench_forget_events(bench);
}

/* The new file has what the old one has not: its length, at least. */
static void test_a_file_is_written_anew(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    const char *path = path_of("written");
    system_write_file(path, "1", true);
    struct platform_file_watch *file = watch(bench, path, &token);
    for (int i = 0; i < 2; i++) {
        settle(bench);
        system_write_file(path, i == 0 ? "12" : "123", true);
        bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    }
    platform_file_watch_close(&file);
    assert_null(file);
    platform_file_watch_close(&file);
    system_remove_file(path);
}

static void test_a_file_takes_the_place(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    const char *path = path_of("replaced");
    const char *other = path_of("replacement");
    system_write_file(path, "1", true);
    system_write_file(other, "22", true);
    struct platform_file_watch *file = watch(bench, path, &token);
    if (platform_backslash_separates) {
        system_remove_file(path); /* or Windows renames nothing to it */
    }
    assert_int_equal(rename(other, path), 0);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
    system_remove_file(path);
}

static void test_a_file_goes_and_comes(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    const char *path = path_of("gone");
    system_write_file(path, "1", true);
    struct platform_file_watch *file = watch(bench, path, &token);
    system_remove_file(path);
    settle(bench);
    assert_false(bench_has(bench, PLATFORM_EVENT_CHANGED, token));
    system_write_file(path, "12", true);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
    system_remove_file(path);
}

static void test_one_that_is_missing_comes(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    const char *path = path_of("missing");
    struct platform_file_watch *file = watch(bench, path, &token);
    system_write_file(path, "1", true);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
    system_remove_file(path);
}

static void test_others_are_none_of_ours(void **state) {
    struct bench *bench = *state;
    uint64_t token, second_token;
    const char *path = path_of("mine");
    const char *other = path_of("mine.too");
    system_write_file(path, "1", true);
    struct platform_file_watch *file = watch(bench, path, &token);
    struct platform_file_watch *second = watch(bench, path, &second_token);
    system_write_file(other, "1", true);
    assert_int_equal(platform_wait(bench->platform, bench->queue, 1,
                                   platform_now_us(bench->platform) + 300000u, &bench->cause),
                     0);
    platform_file_watch_close(&file);
    system_write_file(path, "12", true);
    bench_await(bench, PLATFORM_EVENT_CHANGED, second_token); /* its folder is still watched */
    assert_false(bench_has(bench, PLATFORM_EVENT_CHANGED, token));
    platform_file_watch_close(&second);
    system_remove_file(path);
    system_remove_file(other);
}

static void test_no_such_folder(void **state) {
    struct bench *bench = *state;
    struct platform_file_watch *file;
    char path[600];
    snprintf(path, sizeof path, "%s%cfile", path_of("nowhere"),
             platform_backslash_separates ? '\\' : '/');
    assert_int_equal(
        platform_file_watch_open(bench->platform, path, bench_token(bench), &file, &bench->cause),
        BATON_NOT_FOUND);
    assert_null(file);
    assert_non_null(bench->cause.call);
}

static void test_a_change_of_one_that_is_closed(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    const char *path = path_of("open");
    system_write_file(path, "1", true);
    struct platform_file_watch *file = watch(bench, path, &token);
    system_write_file(path, "12", true);
    platform_file_watch_close(&file); /* what is under way is about nothing */
    settle(bench);
    assert_false(bench_has(bench, PLATFORM_EVENT_CHANGED, token));
    system_remove_file(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_file_is_written_anew),         WITH_BENCH(test_a_file_takes_the_place),
        WITH_BENCH(test_a_file_goes_and_comes),          WITH_BENCH(test_one_that_is_missing_comes),
        WITH_BENCH(test_others_are_none_of_ours),        WITH_BENCH(test_no_such_folder),
        WITH_BENCH(test_a_change_of_one_that_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, bench_remove_scratch);
}
