/* Files that change, by ways that only POSIX has. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define SILENCE_US 300000u

static char root[512];

static const char *at(const char *name) {
    static char paths[4][600];
    static size_t next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", root, name);
    return path;
}

/* Two releases, and links by which the handler is reached: now -> one, handler -> now/program. */
static int begin(void **state) {
    snprintf(root, sizeof root, "%s/links", system_scratch());
    system_make_directory(root);
    system_make_directory(at("one"));
    system_make_directory(at("two"));
    system_write_file(at("one/program"), "1", true);
    system_write_file(at("two/program"), "2", true);
    return symlink("one", at("now")) == 0 && symlink(at("now/program"), at("handler")) == 0
               ? bench_setup(state)
               : -1;
}

static int end(void **state) {
    static const char *const files[] = {"handler",     "now",         "next",
                                        "one/program", "two/program", "one/.new"};
    int result = bench_teardown(state);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        unlink(at(files[i]));
    }
    rmdir(at("one"));
    rmdir(at("old"));
    rmdir(at("two"));
    rmdir(root);
    return result;
}

static struct platform_file_watch *watch(struct bench *bench, const char *path, uint64_t *token) {
    struct platform_file_watch *file;
    *token = bench_token(bench);
    assert_int_equal(platform_file_watch_open(bench->platform, path, *token, &file, &bench->cause),
                     BATON_OK);
    return file;
}

static void expect_silence(struct bench *bench) {
    struct platform_event event;
    assert_int_equal(platform_wait(bench->platform, &event, 1,
                                   platform_now_us(bench->platform) + SILENCE_US, &bench->cause),
                     0);
}

static void switch_link(const char *target) {
    assert_int_equal(symlink(target, at("next")), 0);
    assert_int_equal(rename(at("next"), at("now")), 0);
}

static void test_a_link_on_the_way_leads_elsewhere(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_file_watch *file = watch(bench, at("handler"), &token);
    system_write_file(at("two/program"), "22", true);
    expect_silence(bench); /* it is none of the handler's */
    switch_link("two");
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    system_write_file(at("one/program"), "11", true);
    expect_silence(bench);
    system_write_file(at("two/program"), "222", true);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
}

static void test_its_folder_is_another(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_file_watch *file = watch(bench, at("one/program"), &token);
    assert_int_equal(rename(at("one"), at("old")), 0);
    assert_int_equal(rename(at("two"), at("one")), 0);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    system_write_file(at("one/program"), "22", true);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
    unlink(at("old/program"));
}

/* Nor do those below it see that it was moved. What others do in it is nobody's business. */
static void test_a_folder_above_its_own_is_another(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    for (int is_missing = 0; is_missing < 2; is_missing++) {
        for (int i = 0; i < 2; i++) {
            static const char *const names[2][3] = {{"app", "app/bin", "app/bin/program"},
                                                    {"new", "new/bin", "new/bin/program"}};
            assert_int_equal(mkdir(at(names[i][0]), 0700), 0);
            assert_int_equal(mkdir(at(names[i][1]), 0700), 0);
            system_write_file(at(names[i][2]), "1", true);
        }
        struct platform_file_watch *file = watch(bench, at("app/bin/program"), &token);
        assert_int_equal(mkdir(at("app/other"), 0700), 0);
        system_write_file(at("app/file"), "1", true);
        expect_silence(bench);
        assert_int_equal(rename(at("app"), at("old")), 0);
        if (is_missing) {
            expect_silence(bench);
        }
        assert_int_equal(rename(at("new"), at("app")), 0);
        bench_await(bench, PLATFORM_EVENT_CHANGED, token);
        system_write_file(at("app/bin/program"), "22", true);
        bench_await(bench, PLATFORM_EVENT_CHANGED, token);
        platform_file_watch_close(&file);
        assert_int_equal(unlink(at("old/file")), 0);
        assert_int_equal(rmdir(at("old/other")), 0);
        assert_int_equal(unlink(at("old/bin/program")), 0);
        assert_int_equal(rmdir(at("old/bin")), 0);
        assert_int_equal(rmdir(at("old")), 0);
        assert_int_equal(unlink(at("app/bin/program")), 0);
        assert_int_equal(rmdir(at("app/bin")), 0);
        assert_int_equal(rmdir(at("app")), 0);
    }
}

static void test_its_folder_is_missing_for_a_while(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_file_watch *file = watch(bench, at("one/program"), &token);
    assert_int_equal(rename(at("one"), at("old")), 0);
    expect_silence(bench);
    assert_int_equal(rename(at("two"), at("one")), 0);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
    unlink(at("old/program"));
}

/* A program that runs keeps its folder's inode, so nothing tells that this was removed. */
static void test_its_folder_is_removed_while_it_is_in_use(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_file_watch *file = watch(bench, at("one/program"), &token);
    int used = open(at("one/program"), O_RDONLY | O_CLOEXEC);
    assert_true(used >= 0);
    assert_int_equal(unlink(at("one/program")), 0);
    expect_silence(bench); /* it is looked for, and its folder is there still */
    assert_int_equal(rmdir(at("one")), 0);
    assert_int_equal(rename(at("two"), at("one")), 0);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
    close(used);
}

static void test_it_is_told_when_it_is_whole(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_file_watch *file = watch(bench, at("one/program"), &token);
    int written = open(at("one/program"), O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_true(written >= 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(write(written, "x", 1), 1);
        expect_silence(bench);
    }
    close(written);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
}

static void test_a_link_takes_its_place(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_file_watch *file = watch(bench, at("one/program"), &token);
    assert_int_equal(unlink(at("one/program")), 0);
    expect_silence(bench);
    assert_int_equal(link(at("two/program"), at("one/program")), 0);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    bench_forget_events(bench);
    assert_int_equal(symlink("../two/program", at("one/.new")), 0);
    assert_int_equal(rename(at("one/.new"), at("one/program")), 0);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
}

static void test_links_that_go_round(void **state) {
    struct bench *bench = *state;
    struct platform_file_watch *file;
    assert_int_equal(unlink(at("now")), 0);
    assert_int_equal(symlink("now", at("now")), 0);
    assert_int_equal(platform_file_watch_open(bench->platform, at("handler"), bench_token(bench),
                                              &file, &bench->cause),
                     BATON_SYSTEM);
    assert_int_equal(bench->cause.system_code, ELOOP);
    assert_null(file);
}

/* More than the queue of inotify takes, while nobody reads it. */
static void test_more_changes_than_are_told(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_file_watch *file = watch(bench, at("one/program"), &token);
    long most = 16384;
    FILE *limit = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    if (limit != NULL) {
        assert_int_equal(fscanf(limit, "%ld", &most), 1);
        fclose(limit);
    }
    for (long i = 0; i <= most / 2 + 1; i++) { /* each is created and closed */
        close(open(at("one/.new"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
        unlink(at("one/.new"));
    }
    system_write_file(at("one/program"), "11", true);
    bench_await(bench, PLATFORM_EVENT_CHANGED, token);
    platform_file_watch_close(&file);
}

#define WITH_LINKS(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_LINKS(test_a_link_on_the_way_leads_elsewhere),
        WITH_LINKS(test_its_folder_is_another),
        WITH_LINKS(test_a_folder_above_its_own_is_another),
        WITH_LINKS(test_its_folder_is_missing_for_a_while),
        WITH_LINKS(test_its_folder_is_removed_while_it_is_in_use),
        WITH_LINKS(test_it_is_told_when_it_is_whole),
        WITH_LINKS(test_a_link_takes_its_place),
        WITH_LINKS(test_links_that_go_round),
        WITH_LINKS(test_more_changes_than_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, bench_remove_scratch);
}
