/* Launchers: what is left when one is killed, stopped or late, and what its launch becomes then.
 * The contract itself is checked by the tests of launches, which run with launchers as well. */
#include "launchers_posix.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define LONG_US UINT64_C(3600000000)

static void wait_us(struct bench *bench, uint64_t us) {
    struct platform_event event;
    assert_int_equal(platform_wait(bench->platform, &event, 1,
                                   platform_now_us(bench->platform) + us, &bench->cause),
                     0);
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

/* However long the machine takes until its launcher gets to work, that is not held, and nothing
 * that it has is revoked; nor is it one of those that are soon through. */
static void be_patient(struct bench *bench, const struct platform_process *process) {
    struct launcher *launcher = process->launch->launcher;
    launcher->begun_us = launcher->look_us = platform_now_us(bench->platform) + LONG_US;
}

static struct platform_program *program_of(struct bench *bench, const char *action) {
    const struct platform_program_spec spec = {.has_channel = false};
    return BENCH_RECIPE(bench, spec, action);
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
    system_kill((uint32_t)process->launch->launcher->pid);
    struct platform_launched made;
    assert_int_equal(end(bench, &process, launch.token, &made), BATON_AGAIN);
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
    be_patient(bench, process);
    struct platform_launched made;
    struct platform_launch second = launch_of(bench, slow);
    assert_int_equal(platform_launch(bench->platform, &second, &made, &bench->cause), BATON_AGAIN);
    assert_null(made.process);
    for (struct launcher *at = first_launcher(bench); at != NULL; at = at->next) {
        if (at != process->launch->launcher) {
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

/* It was stopped before it got to work: others may launch that. */
static void test_one_that_is_held_is_replaced(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "exit:3");
    struct platform_launch launch = launch_of(bench, program);
    stop_all(bench);
    struct platform_process *process = begin(bench, &launch, false);
    pid_t pid = process->launch->launcher->pid;
    assert_int_equal(count_launchers(bench), 2);
    struct platform_launched made;
    assert_int_equal(end(bench, &process, launch.token, &made), BATON_AGAIN);
    assert_null(process);
    (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0);
    assert_int_equal(count_launchers(bench), 2);
    assert_true(system_process_ends((uint32_t)pid));
    let_go_on(bench);
    run(bench, program);
    platform_program_destroy(&program);
}

/* Whose pid is not known yet is killed when it is. */
static void test_a_launch_is_killed(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "hold");
    struct platform_launch launch = launch_of(bench, program);
    struct platform_launched made;
    stop_all(bench);
    struct platform_process *process = begin(bench, &launch, false);
    be_patient(bench, process);
    platform_process_signal(process, PLATFORM_KILL);
    let_go_on(bench);
    assert_int_equal(end(bench, &process, launch.token, &made), BATON_OK);
    struct platform_exit how = bench_await_exit(bench, &process, launch.token);
    assert_true(how.by_signal);
    assert_int_equal(how.code, SIGKILL);
    platform_program_destroy(&program);
}

/* ---- Two at one launcher ---- */

struct pair {
    struct bench_connection connections[2];
    struct platform_launch launches[2];
    struct platform_process *processes[2];
};

/* Stopped, one launcher has both; each is a client's. */
static struct pair begin_two(struct bench *bench, struct platform_program *const programs[2]) {
    struct pair pair;
    stop_all(bench);
    for (int i = 0; i < 2; i++) {
        pair.connections[i] = bench_connect(bench);
        pair.launches[i] = launch_of(bench, programs[i]);
        pair.launches[i].streams = PLATFORM_STREAMS_SOCKET;
        pair.launches[i].socket = pair.connections[i].socket;
        pair.connections[i].socket = PLATFORM_SOCKET_NONE;
    }
    for (int i = 0; i < 2; i++) {
        if (i == 1) { /* on a busy machine, too, it is as if the first had just begun */
            pair.processes[0]->launch->launcher->begun_us = platform_now_us(bench->platform);
        }
        pair.processes[i] = begin(bench, &pair.launches[i], true);
    }
    assert_ptr_equal(pair.processes[0]->launch->launcher, pair.processes[1]->launch->launcher);
    return pair;
}

static void be_served(struct bench *bench, struct pair *pair, int i,
                      struct platform_launched *made) {
    const char *question = i == 0 ? "first" : "second";
    char text[16];
    client_send(pair->connections[i].client, question);
    client_end_sending(pair->connections[i].client);
    client_receive_all(pair->connections[i].client, text, sizeof text);
    assert_string_equal(text, question);
    bench_await_exit(bench, &made->process, pair->launches[i].token);
    bench_disconnect(bench, &pair->connections[i]);
}

/* Each client is the next launch's of its own, whatever became of the launcher: it was killed, or
 * it does not get to work. */
static void test_both_come_back(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "copy-input");
    struct platform_program *const programs[2] = {program, program};
    for (int is_killed = 0; is_killed < 2; is_killed++) {
        struct pair pair = begin_two(bench, programs);
        struct platform_launched made[2];
        if (is_killed) {
            system_kill((uint32_t)pair.processes[0]->launch->launcher->pid);
        }
        for (int i = 0; i < 2; i++) {
            int result = end(bench, &pair.processes[i], pair.launches[i].token, &made[i]);
            assert_int_equal(result, BATON_AGAIN);
            pair.launches[i].socket = made[i].socket;
        }
        let_go_on(bench);
        for (int i = 0; i < 2; i++) {
            pair.launches[i].token = bench_token(bench);
            made[i] = bench_start(bench, &pair.launches[i]);
            be_served(bench, &pair, i, &made[i]);
        }
    }
    platform_program_destroy(&program);
}

/* The packet of one that failed is not in the way of the next, nor taken for it. */
static void test_one_behind_a_failed_one(void **state) {
    struct bench *bench = *state;
    uint32_t one = 1;
    assert_int_equal(platform_launchers_set(bench->platform, &one), BATON_OK);
    assert_int_equal(one, 1);
    struct platform_program *good = program_of(bench, "copy-input");
    const struct platform_program_spec spec = {.directory = "/nonexistent"};
    struct platform_program *bad = BENCH_RECIPE(bench, spec, "exit:0");
    struct platform_program *const programs[2] = {bad, good};
    struct pair pair = begin_two(bench, programs);
    be_patient(bench, pair.processes[0]);
    struct platform_launched made;
    const struct launch *its = pair.processes[0]->launch;
    let_go_on(bench);
    int result = end(bench, &pair.processes[0], pair.launches[0].token, &made);
    if (result != BATON_NOT_FOUND) { /* seen once, and not understood */
        fail_msg("result %d: launcher dead %d held %d, child %d, step %d, code %d, claim %u",
                 result, its->launcher->is_dead, its->launcher->is_held, (int)its->request->pid,
                 its->request->failure.step != NULL, its->request->code,
                 atomic_load(&its->request->claim));
    }
    assert_true(platform_socket_is_open(made.socket));
    pair.connections[0].socket = made.socket;
    bench_disconnect(bench, &pair.connections[0]);
    result = end(bench, &pair.processes[1], pair.launches[1].token, &made);
    if (result == BATON_AGAIN) { /* it was revoked, for the first one took long */
        pair.launches[1].socket = made.socket;
        pair.launches[1].token = bench_token(bench);
        made = bench_start(bench, &pair.launches[1]);
        result = BATON_OK;
    }
    assert_int_equal(result, BATON_OK);
    be_served(bench, &pair, 1, &made);
    platform_program_destroy(&good);
    platform_program_destroy(&bad);
}

static void test_a_launch_is_closed(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "hold");
    struct platform_launch launch = launch_of(bench, program);
    stop_all(bench);
    struct platform_process *process = begin(bench, &launch, false);
    be_patient(bench, process);
    const struct launch *its = process->launch;
    platform_process_close(&process);
    assert_null(process);
    let_go_on(bench);
    while (its->is_used) {
        wait_us(bench, 1000);
    }
    assert_true(system_process_ends((uint32_t)its->request->pid));
    platform_program_destroy(&program);
}

/* Its end comes before the answer: it is told behind it, as it was. */
static void test_an_end_before_the_answer(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = program_of(bench, "exit:5");
    struct platform_launch launch = launch_of(bench, program);
    (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0);
    struct platform_process *process = begin(bench, &launch, false);
    while (process->launch->request->pid == 0) {
        sched_yield();
    }
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)process->launch->request->pid, &info, WEXITED | WNOWAIT),
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

/* Nor does the loop, where no launcher can be had, launch what has been seen to take long. */
static void test_who_holds_waits_for_a_launcher(void **state) {
    struct bench *bench = *state;
    struct posix_launchers *launchers = &bench->platform->launchers;
    struct platform_program *program = program_of(bench, "exit:3");
    run(bench, program);
    struct launcher *first = launchers->first;
    for (int has_held = 0; has_held < 2; has_held++) {
        struct platform_launch launch = launch_of(bench, program);
        struct platform_launched made;
        program->has_held = has_held;
        launchers->first = NULL;
        launchers->short_until_us = UINT64_MAX;
        int result = platform_launch(bench->platform, &launch, &made, &bench->cause);
        launchers->first = first;
        launchers->short_until_us = 0;
        assert_int_equal(result, has_held ? BATON_AGAIN : BATON_OK);
        assert_int_equal(made.process == NULL, has_held);
        if (!has_held) {
            bench_await_exit(bench, &made.process, launch.token);
        }
    }
    run(bench, program);
    platform_program_destroy(&program);
}

/* Launchers are small, so that of what a program needs more is told than of one that we launch. */
static void test_the_least_peak_is_the_launchers(void **state) {
    struct bench *bench = *state;
    const size_t ours_bytes = (size_t)64 << 20;
    /* Not by malloc(), which may keep it, so that launchers would have it as well. */
    volatile char *memory =
        mmap(NULL, ours_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    for (size_t i = 0; i < ours_bytes; i += 1024) {
        memory[i] = 1;
    }
    munmap((void *)memory, ours_bytes);
    struct platform_program *big = program_of(bench, "touch:32768");
    struct platform_program *small = program_of(bench, "exit:0");
    struct platform_launch launch = launch_of(bench, big);
    struct platform_process *process = bench_start(bench, &launch).process;
    uint32_t peak_kib = bench_await_exit(bench, &process, launch.token).memory_peak_kib;
    assert_true(peak_kib >= 32768 && peak_kib < system_memory_peak_kib());
    launch = launch_of(bench, small);
    process = bench_start(bench, &launch).process;
    assert_true(bench_await_exit(bench, &process, launch.token).memory_peak_kib < 32768);
    platform_program_destroy(&big);
    platform_program_destroy(&small);
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
        WITH_LAUNCHERS(test_both_come_back),
        WITH_LAUNCHERS(test_one_behind_a_failed_one),
        WITH_LAUNCHERS(test_an_end_before_the_answer),
        WITH_LAUNCHERS(test_the_least_peak_is_the_launchers),
        WITH_LAUNCHERS(test_who_holds_waits_for_a_launcher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
