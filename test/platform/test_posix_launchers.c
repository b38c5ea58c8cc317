/* Launchers: what is left when one is killed, stopped or late, and what its launch becomes then.
 * The contract itself is checked by the tests of launches, which run with launchers as well. */
#include "harness.h"
#include "platform/posix/launcher.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define HELD_US 150000u

static int setup(void **state) {
    setenv(BENCH_LAUNCHERS, "2", 1);
    return bench_setup(state);
}

#define WITH_LAUNCHERS(test) cmocka_unit_test_setup_teardown(test, setup, bench_teardown)

static struct launcher *first_launcher(struct bench *bench) {
    struct launcher *launcher = bench->platform->launchers.first;
    assert_non_null(launcher);
    return launcher;
}

/* Renews them first, so that all of them know the programs that there are. */
static void stop_all(struct bench *bench) {
    (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0);
    for (struct launcher *at = first_launcher(bench); at != NULL; at = at->next) {
        assert_int_equal(kill(at->pid, SIGSTOP), 0);
        siginfo_t info;
        assert_int_equal(waitid(P_PID, (id_t)at->pid, &info, WSTOPPED), 0);
    }
}

static void let_go_on(struct bench *bench) {
    for (struct launcher *at = first_launcher(bench); at != NULL; at = at->next) {
        kill(at->pid, SIGCONT);
    }
}

/* A launch that is under way at a launcher that does nothing. */
static struct platform_process *begin(struct bench *bench, const struct platform_launch *launch,
                                      bool takes_socket) {
    struct platform_launched made;
    assert_int_equal(platform_launch(bench->platform, launch, &made, &bench->cause), BATON_AGAIN);
    assert_non_null(made.process);
    assert_non_null(made.process->launcher);
    assert_int_equal(made.has_taken_socket, takes_socket);
    return made.process;
}

/* And its end. */
static int end(struct bench *bench, struct platform_process **process, uint64_t token,
               struct platform_launched *out) {
    bench_await(bench, PLATFORM_EVENT_LAUNCHED, token);
    return platform_launch_end(process, out, &bench->cause);
}

static struct platform_program *program_of(struct bench *bench, const char *action) {
    const struct platform_program_spec spec = {.has_channel = false};
    return BENCH_RECIPE(bench, spec, action);
}

static struct platform_launch launch_of(struct bench *bench, struct platform_program *program) {
    return (struct platform_launch){
        .program = program, .socket = PLATFORM_SOCKET_NONE, .token = bench_token(bench)};
}

static void run(struct bench *bench, struct platform_program *program) {
    struct platform_launch launch = launch_of(bench, program);
    struct platform_process *process = bench_start(bench, &launch).process;
    bench_await_exit(bench, &process, launch.token);
}

static void test_a_killed_one_is_replaced(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "exit:0");
    run(bench, program);
    for (int i = 0; i < 3; i++) {
        pid_t pid = first_launcher(bench)->pid;
        siginfo_t info;
        system_kill((uint32_t)pid);
        assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
        (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0);
        run(bench, program);
        run(bench, program);
    }
    platform_program_destroy(&program);
}

/* Nobody has taken the client, so it comes back, and is served by the next launch. */
static void test_a_client_comes_back(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "copy-input");
    struct bench_connection connection = bench_connect(bench);
    struct platform_launch launch = launch_of(bench, program);
    launch.streams = PLATFORM_STREAMS_SOCKET;
    launch.socket = connection.socket;
    stop_all(bench);
    struct platform_process *process = begin(bench, &launch, true);
    system_kill((uint32_t)process->launcher->pid);
    struct platform_launched made;
    assert_int_equal(end(bench, &process, launch.token, &made), BATON_SHORTAGE);
    assert_null(process);
    assert_false(made.has_taken_socket);
    assert_true(platform_socket_is_open(made.socket));
    let_go_on(bench);
    launch.socket = made.socket;
    launch.token = bench_token(bench);
    made = bench_start(bench, &launch);
    assert_true(made.has_taken_socket);
    client_send(connection.client, "hello");
    client_end_sending(connection.client);
    char text[16];
    client_receive_all(connection.client, text, sizeof text);
    assert_string_equal(text, "hello");
    bench_await_exit(bench, &made.process, launch.token);
    connection.socket = PLATFORM_SOCKET_NONE;
    bench_disconnect(bench, &connection);
    platform_program_destroy(&program);
}

/* One program never has the last launcher, whatever holds its first. */
static void test_the_last_is_for_others(void **state) {
    struct bench *bench = *state;
    struct platform_program *slow = program_of(bench, "exit:1");
    struct platform_program *other = program_of(bench, "exit:2");
    struct platform_launch launch = launch_of(bench, slow);
    stop_all(bench);
    struct platform_process *process = begin(bench, &launch, false);
    struct platform_launched made;
    struct platform_launch second = launch_of(bench, slow);
    assert_int_equal(platform_launch(bench->platform, &second, &made, &bench->cause), BATON_AGAIN);
    assert_null(made.process);
    for (struct launcher *at = first_launcher(bench); at != NULL; at = at->next) {
        if (at != process->launcher) {
            kill(at->pid, SIGCONT);
        }
    }
    run(bench, other);
    let_go_on(bench);
    assert_int_equal(end(bench, &process, launch.token, &made), BATON_OK);
    assert_int_equal(bench_await_exit(bench, &process, launch.token).code, 1);
    run(bench, slow);
    platform_program_destroy(&slow);
    platform_program_destroy(&other);
}

static uint32_t count_launchers(struct bench *bench) {
    uint32_t count = 0;
    for (struct launcher *at = bench->platform->launchers.first; at != NULL; at = at->next) {
        count++;
    }
    return count;
}

static void wait_us(struct bench *bench, uint64_t us) {
    struct platform_event event;
    assert_int_equal(platform_wait(bench->platform, &event, 1,
                                   platform_now_us(bench->platform) + us, &bench->cause),
                     0);
}

static void test_one_that_is_held_is_replaced(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "exit:3");
    struct platform_launch launch = launch_of(bench, program);
    stop_all(bench);
    struct platform_process *process = begin(bench, &launch, false);
    assert_int_equal(count_launchers(bench), 2);
    wait_us(bench, HELD_US);
    assert_int_equal(count_launchers(bench), 3);
    let_go_on(bench);
    struct platform_launched made;
    assert_int_equal(end(bench, &process, launch.token, &made), BATON_OK);
    assert_int_equal(bench_await_exit(bench, &process, launch.token).code, 3);
    (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0);
    assert_int_equal(count_launchers(bench), 2);
    platform_program_destroy(&program);
}

/* Whose pid is not known yet is killed when it is; or with its launcher, if that is held. */
static void test_a_launch_is_killed(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "hold");
    for (int is_held = 0; is_held < 2; is_held++) {
        struct platform_launch launch = launch_of(bench, program);
        struct platform_launched made;
        stop_all(bench);
        struct platform_process *process = begin(bench, &launch, false);
        if (is_held) {
            wait_us(bench, HELD_US);
        }
        platform_process_signal(process, PLATFORM_KILL);
        if (!is_held) {
            let_go_on(bench);
            assert_int_equal(end(bench, &process, launch.token, &made), BATON_OK);
            struct platform_exit how = bench_await_exit(bench, &process, launch.token);
            assert_true(how.by_signal);
            assert_int_equal(how.code, SIGKILL);
        } else {
            assert_int_equal(end(bench, &process, launch.token, &made), BATON_SHORTAGE);
            let_go_on(bench);
        }
    }
    platform_program_destroy(&program);
}

static void test_a_launch_is_closed(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "hold");
    struct platform_launch launch = launch_of(bench, program);
    stop_all(bench);
    struct platform_process *process = begin(bench, &launch, false);
    const struct launcher *launcher = process->launcher;
    platform_process_close(&process);
    assert_null(process);
    let_go_on(bench);
    while (launcher->is_busy) {
        wait_us(bench, 1000);
    }
    assert_true(system_process_ends((uint32_t)launcher->page->pid));
    platform_program_destroy(&program);
}

/* Its end comes before the answer: it is told behind it, as it was. */
static void test_an_end_before_the_answer(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "exit:5");
    struct platform_launch launch = launch_of(bench, program);
    (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0);
    struct platform_process *process = begin(bench, &launch, false);
    while (process->launcher->page->pid == 0) {
        sched_yield();
    }
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)process->launcher->page->pid, &info, WEXITED | WNOWAIT),
                     0);
    bench->platform->children_due_us = 0; /* as SIGCHLD has it, sooner or later */
    struct platform_launched made;
    bench_await(bench, PLATFORM_EVENT_LAUNCHED, launch.token);
    assert_true(process->ended);
    assert_int_equal(platform_launch_end(&process, &made, &bench->cause), BATON_OK);
    assert_int_equal(platform_process_pid(process), info.si_pid);
    assert_int_equal(bench_await_exit(bench, &process, launch.token).code, 5);
    platform_program_destroy(&program);
}

int main(void) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        return EXIT_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        WITH_LAUNCHERS(test_a_killed_one_is_replaced),
        WITH_LAUNCHERS(test_a_client_comes_back),
        WITH_LAUNCHERS(test_the_last_is_for_others),
        WITH_LAUNCHERS(test_one_that_is_held_is_replaced),
        WITH_LAUNCHERS(test_a_launch_is_killed),
        WITH_LAUNCHERS(test_a_launch_is_closed),
        WITH_LAUNCHERS(test_an_end_before_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
