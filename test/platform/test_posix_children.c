/* Children that are no handlers: strays in numbers, and those who were there before the platform.
 * There are none of them on Windows, where nobody leaves a job. */
#include "harness.h"
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LONG_US 20000000u
#define STRAY_COUNT 150 /* more than two looks reap */

/* A child of ours that the platform has not launched, as strays are once their parents are gone. */
static pid_t start_child(bool lives) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        alarm(60);
        if (lives) {
            pause(); /* no signal comes that it would survive */
        }
        _exit(0);
    }
    return pid;
}

/* Until then its number is taken. */
static bool is_reaped(pid_t pid) {
    return kill(pid, 0) != 0 && errno == ESRCH;
}

static void await_zombie(pid_t pid) {
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

static void test_strays_leave_other_events_their_turn(void **state) {
    struct bench *bench = *state;
    pid_t strays[STRAY_COUNT];
    for (size_t i = 0; i < STRAY_COUNT; i++) {
        strays[i] = start_child(false);
    }
    for (size_t i = 0; i < STRAY_COUNT; i++) {
        await_zombie(strays[i]);
    }
    /* The kernel tells of the oldest first, so the handler stands behind them all. */
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "exit:3");
    assert_true(system_process_ends(platform_process_pid(process)));
    platform_channel_close(process); /* its end would be told over and over */
    uint64_t listener_token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &listener_token, &address);
    uintptr_t client = client_connect(&address);

    bench_await(bench, PLATFORM_EVENT_ACCEPT, listener_token);
    assert_false(is_reaped(strays[STRAY_COUNT - 1]));
    /* Nor does it sleep on the rest of them: their one signal was taken with the first look. */
    platform_listener_pause(listener);
    bench_forget_events(bench);
    assert_int_equal(bench_finish(bench, &process, token).code, 3);
    uint64_t deadline_us = platform_now_us(bench->platform) + LONG_US;
    while (!is_reaped(strays[STRAY_COUNT - 1]) && platform_now_us(bench->platform) < deadline_us) {
        bench_expect_silence(bench);
    }
    for (size_t i = 0; i < STRAY_COUNT; i++) {
        assert_true(is_reaped(strays[i]));
    }
    platform_listener_close(&listener);
    client_close(client);
}

/* What is drawn ahead is not drawn again by who has our memory from fork(2). */
static void test_random_is_not_shared_by_children(void **state) {
    struct bench *bench = *state;
    uint8_t before[16];
    uint8_t ours[16];
    uint8_t theirs[16];
    int ends[2];
    assert_int_equal(platform_random(before, sizeof before, &bench->cause), BATON_OK);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        bool is_drawn = platform_random(theirs, sizeof theirs, &bench->cause) == BATON_OK;
        _exit(is_drawn && write(ends[1], theirs, sizeof theirs) == sizeof theirs ? 0 : 1);
    }
    assert_int_equal(read(ends[0], theirs, sizeof theirs), sizeof theirs);
    assert_int_equal(platform_random(ours, sizeof ours, &bench->cause), BATON_OK);
    assert_memory_not_equal(ours, theirs, sizeof ours);
    close(ends[0]);
    close(ends[1]);
    await_zombie(child); /* the platform reaps it */
}

static bool refuses_changes;

/* In place of libc's: the linker's --wrap. */
int __wrap_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event);

int __wrap_epoll_ctl(int epoll, int operation, int descriptor, struct epoll_event *event) {
    if (refuses_changes && operation == EPOLL_CTL_MOD) {
        errno = ENOMEM;
        return -1;
    }
    return (int)syscall(SYS_epoll_ctl, epoll, operation, descriptor, event);
}

static void expect_reaped(struct bench *bench, pid_t child) {
    uint64_t deadline_us = platform_now_us(bench->platform) + LONG_US;
    while (!is_reaped(child) && platform_now_us(bench->platform) < deadline_us) {
        bench_expect_silence(bench);
    }
    assert_true(is_reaped(child));
}

/* What tells of children is reported once, and then asked for again. */
static void test_a_watch_that_is_refused_is_asked_for_again(void **state) {
    struct bench *bench = *state;
    refuses_changes = true;
    expect_reaped(bench, start_child(false));
    expect_reaped(bench, start_child(false)); /* nothing tells of it */
    refuses_changes = false;
    expect_reaped(bench, start_child(false));
}

static void test_late_look_sees_what_a_signal_tells(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "prepare-go", "print:ready", "wait-for-go", "exit:4");
    bench_await_text(bench, "ready\n");
    platform_channel_close(process); /* its end would be told first */
    bench_forget_events(bench);
    bench_expect_silence(bench);
    system_go(platform_process_pid(process));
    await_zombie((pid_t)platform_process_pid(process));
    assert_true(bench_has(bench, PLATFORM_EVENT_EXIT, token));
    platform_process_close(&process);
}

/* The deadline of a wait, and of the end of strays, while a handler makes new ones faster than they
 * can be reaped. The chain ends with the channel, or says so when it has ended by itself. */
static void test_deadlines_hold_while_strays_come(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "fork-chains", "hold");
    bench_await_text(bench, "chain begins\n");
    for (int i = 0; i < 5; i++) {
        struct platform_event event;
        uint64_t deadline_us = platform_now_us(bench->platform) + 10000;
        assert_int_equal(platform_wait(bench->platform, &event, 1, deadline_us, &bench->cause), 0);
        assert_true(platform_now_us(bench->platform) >= deadline_us);
    }
    platform_end_strays(bench->platform, NULL, platform_now_us(bench->platform) + 10000);
    assert_false(bench_has(bench, PLATFORM_EVENT_OUTPUT, bench->output_token));
    platform_channel_close(process);
    platform_process_signal(process, PLATFORM_KILL);
    bench_finish(bench, &process, token);
    platform_end_strays(bench->platform, NULL, platform_now_us(bench->platform) + LONG_US);
    assert_null(strstr(bench->text, "chain too long\n"));
}

/* A child with a number that was used before, unless somebody else is faster; false where we are
 * not allowed to choose (clone(2), set_tid). */
static bool start_child_with_number(pid_t wanted, pid_t *child) {
    char text[16];
    int length = snprintf(text, sizeof text, "%d", (int)wanted - 1);
    int last_pid = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    if (last_pid < 0) {
        return false;
    }
    bool written = write(last_pid, text, (size_t)length) == length;
    close(last_pid);
    if (!written) {
        return false;
    }
    *child = start_child(true);
    return true;
}

static void test_children_from_before_are_spared(void **state) {
    pid_t before = start_child(true);
    assert_int_equal(bench_setup(state), 0);
    struct bench *bench = *state;
    pid_t stray = start_child(true);
    uint64_t deadline_us = platform_now_us(bench->platform) + LONG_US;
    assert_int_equal(platform_end_strays(bench->platform, NULL, deadline_us), 1);
    assert_true(is_reaped(stray));
    assert_true(system_process_lives((uint32_t)before));

    /* They are reaped like all others, and then no longer spared: numbers come again. */
    kill(before, SIGKILL);
    await_zombie(before);
    bench_expect_silence(bench);
    assert_true(is_reaped(before));
    pid_t again;
    if (start_child_with_number(before, &again)) {
        assert_int_equal(platform_end_strays(bench->platform, NULL, deadline_us), 1);
        assert_true(is_reaped(again));
    }
    assert_int_equal(bench_teardown(state), 0);
}

/* The same when it is the end of strays that reaps them. */
static void test_child_from_before_ends_with_the_strays(void **state) {
    pid_t before = start_child(true);
    pid_t dead_before = start_child(false);
    await_zombie(dead_before);
    assert_int_equal(bench_setup(state), 0);
    struct bench *bench = *state;
    uint64_t deadline_us = platform_now_us(bench->platform) + LONG_US;
    assert_int_equal(platform_end_strays(bench->platform, NULL, deadline_us), 0);
    assert_true(is_reaped(dead_before));
    assert_true(system_process_lives((uint32_t)before));
    pid_t again;
    if (start_child_with_number(dead_before, &again)) {
        assert_int_equal(platform_end_strays(bench->platform, NULL, deadline_us), 1);
        assert_true(is_reaped(again));
    }
    kill(before, SIGKILL);
    await_zombie(before);
    bench_expect_silence(bench);
    assert_int_equal(bench_teardown(state), 0);
}

#define MANY_COUNT 20
#define LARGE_BYTES (128u << 20)

static bool ends_if_new(void *context, const char *service) {
    size_t *asked_count = context;
    assert_null(service);
    return (*asked_count)++ < MANY_COUNT;
}

/* While it ends there is nothing more to be told by of what it was: who was condemned stays so. A
 * large one takes its time, while the others' ends have it looked at again. */
static void test_a_stray_is_judged_once(void **state) {
    struct bench *bench = *state;
    int large[2];
    assert_int_equal(pipe(large), 0);
    for (size_t i = 0; i < MANY_COUNT - 1; i++) {
        start_child(true);
    }
    if (fork() == 0) {
        volatile char *memory = malloc(LARGE_BYTES);
        for (size_t i = 0; memory != NULL && i < LARGE_BYTES; i += 4096) {
            memory[i] = 1;
        }
        alarm(60);
        _exit(memory != NULL && write(large[1], "", 1) == 1 ? pause() : 1);
    }
    char byte;
    assert_int_equal(read(large[0], &byte, 1), 1);
    size_t asked_count = 0;
    struct platform_strays strays = {.ends = ends_if_new, .context = &asked_count};
    uint64_t deadline_us = platform_now_us(bench->platform) + LONG_US;
    assert_int_equal(platform_end_strays(bench->platform, &strays, deadline_us), MANY_COUNT);
    assert_int_equal(strays.left_count, 0);
    assert_int_equal(asked_count, MANY_COUNT);
    close(large[0]);
    close(large[1]);
}

static void test_exit_during_the_end_of_strays_is_told(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "prepare-go", "print:ready", "wait-for-go", "exit:4");
    bench_await_text(bench, "ready\n");
    bench_forget_events(bench);
    bench_expect_silence(bench);
    pid_t stray = start_child(true);
    system_go(platform_process_pid(process));
    assert_true(system_process_ends(platform_process_pid(process)));
    uint64_t deadline_us = platform_now_us(bench->platform) + LONG_US;
    assert_int_equal(platform_end_strays(bench->platform, NULL, deadline_us), 1);
    assert_true(is_reaped(stray));
    /* The stray's own signal may have come too late to be taken there, and must not help. */
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const struct timespec none = {0, 0};
    sigtimedwait(&child, NULL, &none);
    assert_int_equal(bench_finish(bench, &process, token).code, 4);
}

struct question {
    int result, code;
    struct baton_cause cause;
};

static void ask(void *context) {
    struct question *question = context;
    static char name[] = "sh", option[] = "-c", script[] = "exec 3>&-; sleep 0.02; kill -SEGV $$";
    char *const argv[] = {name, option, script, NULL};
    char *bytes = NULL;
    size_t length;
    question->result = platform_ask_program("/bin/sh", argv, true, LONG_US / 1000, &bytes, &length,
                                            &question->code, &question->cause);
    free(bytes);
}

/* It is nobody's to the loop, which looks all the time here, and mostly is the first to see that it
 * has ended. */
static void test_how_a_program_that_is_asked_has_ended(void **state) {
    struct bench *bench = *state;
    for (int i = 0; i < 10; i++) {
        struct question question = {0};
        uint64_t token = bench_token(bench);
        assert_int_equal(platform_work_start(bench->platform, ask, &question, token, &bench->cause),
                         BATON_OK);
        while (!bench_has(bench, PLATFORM_EVENT_WORKED, token)) {
            bench->platform->children_due_us = 0;
        }
        assert_int_equal(question.result, BATON_OK);
        assert_int_equal(question.code, 128 + SIGSEGV);
    }
}

/* Traces who writes his number into `numbers`. */
static pid_t start_tracer(int numbers) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char number[20] = "";
        if (read(numbers, number, sizeof number - 1) > 0 &&
            ptrace(PTRACE_SEIZE, (pid_t)strtol(number, NULL, 10), NULL, NULL) == 0) {
            sleep(LONG_US / 1000000); /* signals are blocked */
        }
        _exit(0);
    }
    return pid;
}

/* As one that the system holds in a call: of a process that somebody traces that one is told first,
 * and nobody else before he has looked. */
static void test_a_program_that_is_asked_and_does_not_end(void **state) {
    int numbers[2], code;
    char script[80], *bytes = NULL;
    size_t length;
    struct baton_cause cause;
    (void)state;
    assert_int_equal(pipe(numbers), 0);
    pid_t tracer = start_tracer(numbers[0]);
    snprintf(script, sizeof script, "echo $$ >/proc/%d/fd/%d; sleep 60", (int)getpid(), numbers[1]);
    static char name[] = "sh", option[] = "-c";
    char *const argv[] = {name, option, script, NULL};
    assert_int_equal(
        platform_ask_program("/bin/sh", argv, true, 300, &bytes, &length, &code, &cause),
        BATON_SYSTEM);
    assert_int_equal(cause.system_code, ETIMEDOUT);
    free(bytes);
    kill(tracer, SIGKILL);
    int status = 0;
    assert_int_equal(waitpid(tracer, &status, 0), tracer);
    assert_true(WIFSIGNALED(status)); /* it has not waited for him to end by himself */
    (void)waitpid(-1, NULL, WNOHANG);
    close(numbers[0]);
    close(numbers[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_strays_leave_other_events_their_turn),
        WITH_BENCH(test_random_is_not_shared_by_children),
        WITH_BENCH(test_a_watch_that_is_refused_is_asked_for_again),
        WITH_BENCH(test_late_look_sees_what_a_signal_tells),
        WITH_BENCH(test_deadlines_hold_while_strays_come),
        cmocka_unit_test(test_children_from_before_are_spared),
        cmocka_unit_test(test_child_from_before_ends_with_the_strays),
        WITH_BENCH(test_a_stray_is_judged_once),
        WITH_BENCH(test_exit_during_the_end_of_strays_is_told),
        WITH_BENCH(test_how_a_program_that_is_asked_has_ended),
        cmocka_unit_test(test_a_program_that_is_asked_and_does_not_end),
    };
    return cmocka_run_group_tests_name("posix_children", tests, NULL, NULL);
}
