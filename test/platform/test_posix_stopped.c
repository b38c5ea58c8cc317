/* A child that is stopped, or slow, before it runs its program: who waits for it comes back, and
 * nothing is left of it. */
#include "harness.h"
#include "tester_posix.h"

#include "platform/posix/internal.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char program_name[] = "program";
static char *const arguments[] = {program_name, NULL};

#define SLOW_ROOT "/fails/slowly"
#define STOPPED_ROOT "/is/stopped"
#define SLOW_NS 20000000 /* ten times as long as the supervisor waits before it looks */

/* In place of libc's. As if the processor were taken away behind the call. */
int chroot(const char *path) {
    if (strcmp(path, STOPPED_ROOT) == 0) {
        kill(getpid(), SIGSTOP);
        errno = EAGAIN;
        return -1;
    }
    if (strcmp(path, SLOW_ROOT) != 0) {
        return (int)syscall(SYS_chroot, path);
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t until_ns = now.tv_sec * INT64_C(1000000000) + now.tv_nsec + SLOW_NS;
    errno = EAGAIN;
    while (now.tv_sec * INT64_C(1000000000) + now.tv_nsec < until_ns) {
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return -1;
}

/* The child has the supervisor's errno, who waits for it with a time. */
static void test_a_failure_that_is_slow_to_be_told(void **state) {
    (void)state;
    const struct step chroot_step = {.kind = STEP_CHROOT, .chroot = SLOW_ROOT};
    const struct plan plan = {.steps = {{.kind = STEP_UID, .id.id = geteuid()}, chroot_step},
                              .count = 2};
    const struct spawn spawn = {.argv = arguments, .table_end = 1 << 20};
    struct baton_cause cause = {0};
    pid_t pid = -1;
    int pidfd;
    assert_int_equal(posix_spawn_process(&plan, &spawn, &pid, &pidfd, &cause), BATON_LIMIT);
    assert_string_equal(cause.call, "chroot");
    assert_int_equal(cause.system_code, EAGAIN);
    expect_no_child();
}

/* A Ctrl-Z for us that the child takes when it has left our group: what makes us go on does not
 * reach it. */
static void test_a_child_that_the_terminal_stops(void **state) {
    (void)state;
    const struct step stopped = {.kind = STEP_CHROOT, .chroot = STOPPED_ROOT};
    const struct plan plan = {.steps = {{.kind = STEP_GROUP}, {.kind = STEP_TERMINAL}, stopped},
                              .count = 3};
    const struct spawn spawn = {.argv = arguments, .table_end = 1 << 20};
    struct baton_cause cause = {0};
    pid_t pid = -1;
    int pidfd;
    alarm(60); /* else we may wait for ever */
    assert_int_equal(posix_spawn_process(&plan, &spawn, &pid, &pidfd, &cause), BATON_LIMIT);
    alarm(0);
    assert_string_equal(cause.call, "chroot");
    expect_no_child();
}

/* One whom nobody else has, whatever runs beside this test: who stops all of his processes would
 * stop those of another run, too, and who has stopped them does not make them go on. */
static uid_t own_user(void) {
    return (uid_t)(1 << 30) + (uid_t)getpid();
}

/* Stops all others of that user for as long as the test lives. */
static pid_t start_stopping(uid_t user) {
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t tester = getpid();
    pid_t stopping = fork();
    assert_true(stopping >= 0);
    if (stopping == 0) {
        if (setuid(user) != 0) {
            _exit(1);
        }
        end_with(tester);
        (void)!write(ready[1], "y", 1);
        for (;;) {
            kill(-1, SIGSTOP);
        }
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return stopping;
}

static bool is_of(const char *pid, uid_t user) {
    char path[300];
    char line[256];
    unsigned real = 0;
    bool is_told = false;
    snprintf(path, sizeof path, "/proc/%s/status", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false; /* no process, or one that has just gone */
    }
    while (!is_told && fgets(line, sizeof line, file) != NULL) {
        is_told = sscanf(line, "Uid: %u", &real) == 1;
    }
    fclose(file);
    return is_told && real == user;
}

/* What is left is counted, and then ended: it would keep our output open. */
static void expect_nothing_of(uid_t user) {
    size_t left_count = 0;
    const struct dirent *entry;
    DIR *folder = opendir("/proc");
    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        left_count += is_of(entry->d_name, user);
    }
    closedir(folder);
    pid_t ending = fork();
    assert_true(ending >= 0);
    if (ending == 0) {
        if (setuid(user) == 0) {
            kill(-1, SIGKILL);
        }
        _exit(0);
    }
    expect_success(ending);
    assert_int_equal(left_count, 0);
}

#define STOPPED_COUNT 30

/* Between its change of user and its program a child has the rights of that user and our memory.
 *
 * The program must make no other process, which could be stopped, and left so when the program is
 * killed. At its end it would: LeakSanitizer looks at it from one. */
static void test_a_user_who_stops_all_of_his_processes(void **state) {
    static char no_leaks[] = "ASAN_OPTIONS=detect_leaks=0";
    static char *const environment[] = {no_leaks, NULL};
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    const uid_t user = own_user();
    pid_t stopping = start_stopping(user);
    static int numbers[10000]; /* takes long enough to be stopped in */
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        numbers[i] = SIGUSR1;
    }
    const struct plan plan = {
        .steps = {{.kind = STEP_UID, .id.id = user},
                  {.kind = STEP_DISPOSITIONS, .signals = {numbers, 10000}},
                  {.kind = STEP_EXECUTE, .execute = {bench_child_path(), environment}}},
        .count = 3};
    for (int i = 0; i < STOPPED_COUNT; i++) {
        const struct spawn spawn = {/* in both ways by turns */
                                    .argv = arguments,
                                    .table_end = i % 2 == 0 ? 0 : 1 << 20,
                                    .copies_by_clone = true};
        struct baton_cause cause = {0};
        pid_t pid;
        int pidfd;
        assert_int_equal(posix_spawn_process(&plan, &spawn, &pid, &pidfd, &cause), BATON_OK);
        close(pidfd);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
    kill(stopping, SIGKILL);
    assert_int_equal(waitpid(stopping, NULL, 0), stopping);
    expect_nothing_of(user);
}

int main(void) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        return EXIT_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failure_that_is_slow_to_be_told),
        cmocka_unit_test(test_a_child_that_the_terminal_stops),
        cmocka_unit_test(test_a_user_who_stops_all_of_his_processes),
    };
    return cmocka_run_group_tests_name("posix_stopped", tests, NULL, NULL);
}
