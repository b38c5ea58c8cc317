/* Launchers that somebody of our user stops or traces, at any place and behind the execve(2) of
 * what they launch; and a system that has no pidfd for them, or for what they launch. */
#include "launchers_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_SKIPPED 77
#define DEADLINE_S 20

/* ---- A program whose execve(2) waits for us ---- */

/* Who has a lease of the file is told of each open of it by SIGIO, and that waits until he has let
 * it go (fcntl(2)). It was opened for the lease. */
struct gate {
    char path[128];
    int file;
};

static struct platform_program *gate_program(struct bench *bench, struct gate *gate,
                                             const char *script) {
    snprintf(gate->path, sizeof gate->path, "%s/program", system_scratch());
    system_write_file(gate->path, script, true);
    const char *const argv[] = {"program", NULL};
    const char *const none[] = {NULL};
    const struct platform_program_spec spec = {
        .path = gate->path, .argv = argv, .environment = none, .inherited = platform_environment()};
    struct platform_program *program;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0); /* launchers that know it */
    gate->file = open(gate->path, O_RDONLY | O_CLOEXEC);
    assert_true(gate->file >= 0);
    if (fcntl(gate->file, F_SETLEASE, F_WRLCK) != 0) { /* not every file system has them */
        close(gate->file);
        system_remove_file(gate->path);
        platform_program_destroy(&program);
        skip();
    }
    return program;
}

static void gate_await(void) {
    const struct timespec deadline = {.tv_sec = DEADLINE_S};
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, SIGIO);
    assert_int_equal(sigtimedwait(&told, NULL, &deadline), SIGIO);
}

static void gate_open(struct gate *gate) {
    assert_int_equal(fcntl(gate->file, F_SETLEASE, F_UNLCK), 0);
    close(gate->file);
}

static void gate_remove(struct gate *gate, struct platform_program **program) {
    platform_program_destroy(program);
    system_remove_file(gate->path);
}

static void await_state(pid_t pid, int state) {
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)pid, &info, state | WNOWAIT), 0);
}

/* A launch that is lost with its launcher is made once more, with the client that comes back. */
static struct platform_process *start_at_last(struct bench *bench, struct platform_launch *launch) {
    struct platform_launched made;
    int result;
    while ((result = bench_launch_as(bench, launch, &made)) == BATON_AGAIN) {
        assert_int_equal(platform_socket_is_open(made.socket),
                         platform_socket_is_open(launch->socket));
        launch->socket = made.socket;
        launch->token = bench_token(bench);
    }
    assert_int_equal(result, BATON_OK);
    return made.process;
}

/* ---- Who traces one ---- */

struct tracer {
    pid_t pid;
};

/* A process of its own with nothing of ours, which never looks at what it traces, and ends by
 * itself when a test has failed. */
static struct tracer trace(pid_t pid) {
    int ends[2];
    char can = 0;
    assert_int_equal(pipe(ends), 0);
    struct tracer tracer = {.pid = fork()};
    assert_true(tracer.pid >= 0);
    if (tracer.pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGALRM, SIG_DFL);
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        alarm(DEADLINE_S);
        dup2(ends[1], 0);
        syscall(SYS_close_range, 1u, ~0u, 0u);
        can = ptrace(PTRACE_SEIZE, pid, NULL, NULL) == 0 &&
              ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) == 0;
        while (write(0, &can, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &can, 1), 1);
    close(ends[0]);
    if (!can) {
        kill(tracer.pid, SIGKILL);
        skip();
    }
    return tracer;
}

/* The platform, or who closes it, reaps it. */
static void end_tracer(const struct tracer *tracer) {
    assert_true(system_process_lives((uint32_t)tracer->pid));
    kill(tracer->pid, SIGKILL);
    assert_true(system_process_ends((uint32_t)tracer->pid));
}

/* ---- Behind the execve(2) ---- */

enum way { STOPPED, TRACED };

/* A launch whose child has executed its program, and whose launcher was kept just then. */
struct kept {
    struct gate gate;
    struct platform_program *program;
    struct bench_connection connection;
    struct platform_launch launch;
    struct platform_process *process;
    pid_t launcher, child;
    struct tracer tracer;
    enum way way;
};

static void keep(struct bench *bench, struct kept *kept, enum way way, const char *script) {
    *kept = (struct kept){.way = way};
    kept->program = gate_program(bench, &kept->gate, script);
    kept->connection = bench_connect(bench);
    kept->launch = launch_of(bench, kept->program);
    kept->launch.streams = PLATFORM_STREAMS_SOCKET;
    kept->launch.socket = kept->connection.socket;
    kept->connection.socket = PLATFORM_SOCKET_NONE;
    kept->process = begin(bench, &kept->launch, true);
    kept->launcher = kept->process->launch->launcher->pid;
    gate_await();
    /* It waits in clone(2), which neither ends. */
    if (way == STOPPED) {
        assert_int_equal(kill(kept->launcher, SIGSTOP), 0);
    } else {
        kept->tracer = trace(kept->launcher);
    }
    gate_open(&kept->gate);
    kept->child = kept->process->launch->request->pid;
}

static void forget(struct bench *bench, struct kept *kept) {
    bench_disconnect(bench, &kept->connection);
    gate_remove(&kept->gate, &kept->program);
    if (kept->way == TRACED) {
        end_tracer(&kept->tracer);
    }
}

static void expect_answer(const struct kept *kept, const char *text) {
    char got[16] = "";
    assert_int_equal(recv((int)kept->connection.client, got, strlen(text), MSG_WAITALL),
                     strlen(text));
    assert_string_equal(got, text);
}

/* One that was stopped is not just replaced, however long the machine took until here. */
static void expect_to_go_on(struct bench *bench, struct launcher *launcher) {
    await_state(launcher->pid, WSTOPPED);
    launcher->begun_us = launcher->look_us = platform_now_us(bench->platform);
    (void)posix_launchers_feed(bench->platform, launcher->look_us);
    assert_int_equal(posix_child_look(P_PID, launcher->pid, WCONTINUED), launcher->pid);
}

/* It serves the client by then, and goes on. */
static void check_one_that_runs(struct bench *bench, enum way way) {
    struct kept kept;
    struct platform_launched made;
    keep(bench, &kept, way, "#!/bin/sh\nexec cat\n");
    client_send(kept.connection.client, "hello");
    expect_answer(&kept, "hello");
    if (way == STOPPED) {
        expect_to_go_on(bench, kept.process->launch->launcher);
    }
    assert_int_equal(end(bench, &kept.process, kept.launch.token, &made), BATON_OK);
    assert_ptr_equal(made.process, kept.process);
    assert_int_equal(platform_process_pid(kept.process), kept.child);
    client_send(kept.connection.client, "again");
    expect_answer(&kept, "again");
    client_end_sending(kept.connection.client);
    struct platform_exit how = bench_await_exit(bench, &kept.process, kept.launch.token);
    assert_false(how.by_signal);
    assert_int_equal(how.code, 0);
    run(bench, kept.program);
    forget(bench, &kept);
}

static void check_one_that_has_ended(struct bench *bench, enum way way) {
    struct kept kept;
    struct platform_launched made;
    keep(bench, &kept, way, "#!/bin/sh\necho bye\nexit 5\n");
    expect_answer(&kept, "bye\n");
    await_state(kept.child, WEXITED);
    assert_int_equal(end(bench, &kept.process, kept.launch.token, &made), BATON_OK);
    assert_int_equal(platform_process_pid(kept.process), kept.child);
    struct platform_exit how = bench_await_exit(bench, &kept.process, kept.launch.token);
    assert_false(how.by_signal);
    assert_int_equal(how.code, 5);
    assert_true(how.cpu_us > 0);
    run(bench, kept.program);
    forget(bench, &kept);
}

/* Why, its launcher would have found out. The client is there still. */
static void check_one_that_has_failed(struct bench *bench, enum way way) {
    struct kept kept;
    struct platform_launched made;
    keep(bench, &kept, way, "#!/nonexistent/interpreter\n");
    await_state(kept.child, WEXITED);
    assert_int_equal(end(bench, &kept.process, kept.launch.token, &made), BATON_NOT_FOUND);
    assert_null(kept.process);
    assert_string_equal(bench->cause.call, "execve");
    assert_false(made.has_taken_socket);
    assert_true(platform_socket_is_open(made.socket));
    kept.connection.socket = made.socket;
    forget(bench, &kept);
}

static void test_one_stopped_behind_a_child_that_runs(void **state) {
    check_one_that_runs(*state, STOPPED);
}

static void test_one_stopped_behind_a_child_that_has_ended(void **state) {
    check_one_that_has_ended(*state, STOPPED);
}

static void test_one_stopped_behind_a_child_that_has_failed(void **state) {
    check_one_that_has_failed(*state, STOPPED);
}

static void test_one_traced_behind_a_child_that_runs(void **state) {
    check_one_that_runs(*state, TRACED);
}

static void test_one_traced_behind_a_child_that_has_ended(void **state) {
    check_one_that_has_ended(*state, TRACED);
}

static void test_one_traced_behind_a_child_that_has_failed(void **state) {
    check_one_that_has_failed(*state, TRACED);
}

/* ---- The stop ---- */

/* As a stop does: what is under way is closed, and then all. */
static void check_stop(struct bench *bench, enum way way) {
    struct kept kept;
    keep(bench, &kept, way, "#!/bin/sh\nexec cat\n");
    client_send(kept.connection.client, "hello");
    expect_answer(&kept, "hello");
    platform_process_close(&kept.process);
    posix_launchers_close(bench->platform);
    assert_true(system_process_ends((uint32_t)kept.child));
    assert_true(system_process_ends((uint32_t)kept.launcher));
    forget(bench, &kept);
}

static void test_the_stop_behind_one_that_is_kept(void **state) {
    check_stop(*state, STOPPED);
    assert_int_equal(bench_teardown(state), 0);
    assert_int_equal(setup_with_launchers(state), 0);
    check_stop(*state, TRACED);
}

/* They are dead, and nobody is told so before the one who traces them. */
static void test_who_traces_them_does_not_keep_the_stop(void **state) {
    struct bench *bench = *state;
    struct tracer tracers[2];
    pid_t pids[2];
    size_t count = 0;
    for (struct launcher *at = first_launcher(bench); at != NULL; at = at->next) {
        assert_true(count < 2);
        pids[count] = at->pid;
        tracers[count++] = trace(at->pid);
    }
    posix_launchers_close(bench->platform);
    for (size_t i = 0; i < count; i++) {
        assert_false(system_process_lives((uint32_t)pids[i]));
        end_tracer(&tracers[i]);
    }
}

/* Idle ones are passed, each when it was seen not to get to work, and others take their place. */
static void test_clients_of_traced_ones(void **state) {
    struct bench *bench = *state;
    const struct platform_program_spec spec = {.has_channel = false};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "copy-input");
    struct tracer tracers[2];
    size_t count = 0;
    (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0);
    for (struct launcher *at = first_launcher(bench); at != NULL; at = at->next) {
        assert_true(count < 2);
        tracers[count++] = trace(at->pid);
    }
    for (size_t i = 0; i <= count; i++) {
        struct bench_connection connection = bench_connect(bench);
        struct platform_launch launch = launch_of(bench, program);
        char text[16];
        launch.streams = PLATFORM_STREAMS_SOCKET;
        launch.socket = connection.socket;
        connection.socket = PLATFORM_SOCKET_NONE;
        struct platform_process *process = start_at_last(bench, &launch);
        client_send(connection.client, "hello");
        client_end_sending(connection.client);
        client_receive_all(connection.client, text, sizeof text);
        assert_string_equal(text, "hello");
        bench_await_exit(bench, &process, launch.token);
        bench_disconnect(bench, &connection);
    }
    platform_program_destroy(&program);
    for (size_t i = 0; i < count; i++) {
        end_tracer(&tracers[i]);
    }
}

/* ---- Without pidfds ---- */

static int refusal; /* the errno of pidfd_open(2); 0 = what the system says */

/* In place of libc's: the linker's --wrap. */
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
long __real_syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f) {
    if (number == SYS_pidfd_open && refusal != 0) {
        errno = refusal;
        return -1;
    }
    return __real_syscall(number, a, b, c, d, e, f);
}

/* Its facts are there, whoever has launched it and whatever has told of its end. */
static void expect_facts(struct bench *bench, struct platform_program *program) {
    struct platform_launch launch = launch_of(bench, program);
    struct platform_process *process = start_at_last(bench, &launch);
    struct platform_exit how = bench_await_exit(bench, &process, launch.token);
    assert_false(how.by_signal);
    assert_int_equal(how.code, 5);
    assert_true(how.cpu_us > 0);
    assert_true(how.memory_peak_kib >= 32768);
}

static struct platform_program *program_with_facts(struct bench *bench) {
    const struct platform_program_spec spec = {.has_channel = false};
    return BENCH_RECIPE(bench, spec, "touch:32768", "exit:5");
}

static uint32_t count_launchers(const struct bench *bench) {
    uint32_t count = 0;
    for (struct launcher *at = bench->platform->launchers.first; at != NULL; at = at->next) {
        count += at->is_dead ? 0 : 1;
    }
    return count;
}

static const struct {
    int code;
    bool may_pass;
} refusals[] = {{ENOSYS, false}, {EPERM, false}, {EMFILE, true}, {ENFILE, true}, {ENOMEM, true}};
#define REFUSALS_COUNT (sizeof refusals / sizeof refusals[0])

/* The system has some again: so there are launchers soon, if that was a shortage. */
static void expect_launchers_if(struct bench *bench, struct platform_program *program,
                                bool may_pass) {
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_S * UINT64_C(1000000);
    do {
        expect_facts(bench, program);
    } while (may_pass && count_launchers(bench) < 2 &&
             platform_now_us(bench->platform) < deadline_us);
    assert_int_equal(count_launchers(bench), may_pass ? 2 : 0);
}

/* There are no launchers then, which is said of a system that has no pidfds at all. */
static void test_no_pidfd_from_the_start(void **state) {
    for (size_t i = 0; i < REFUSALS_COUNT; i++) {
        assert_int_equal(unsetenv(BENCH_LAUNCHERS), 0);
        assert_int_equal(bench_setup(state), 0);
        struct bench *bench = *state;
        struct platform_program *program = program_with_facts(bench);
        uint32_t count = 2;
        refusal = refusals[i].code;
        int result = platform_launchers_set(bench->platform, &count);
        expect_facts(bench, program);
        expect_facts(bench, program);
        assert_int_equal(count_launchers(bench), 0);
        refusal = 0;
        assert_int_equal(result, refusals[i].may_pass ? BATON_OK : BATON_UNSUPPORTED);
        assert_int_equal(count, refusals[i].may_pass ? 2 : 0);
        expect_launchers_if(bench, program, refusals[i].may_pass);
        platform_program_destroy(&program);
        assert_int_equal(bench_teardown(state), 0);
    }
}

/* For what a launcher launches; and for new launchers, when those that there were are lost. */
static void test_no_pidfd_since(void **state) {
    for (size_t i = 0; i < REFUSALS_COUNT; i++) {
        assert_int_equal(setup_with_launchers(state), 0);
        struct bench *bench = *state;
        struct platform_program *program = program_with_facts(bench);
        (void)bench_has(bench, PLATFORM_EVENT_LAUNCHERS, 0); /* launchers that know it */
        refusal = refusals[i].code;
        expect_facts(bench, program);
        for (struct launcher *at = first_launcher(bench); at != NULL; at = at->next) {
            system_kill((uint32_t)at->pid);
            await_state(at->pid, WEXITED);
        }
        expect_facts(bench, program);
        expect_facts(bench, program);
        assert_int_equal(count_launchers(bench), 0);
        refusal = 0;
        expect_launchers_if(bench, program, refusals[i].may_pass);
        platform_program_destroy(&program);
        assert_int_equal(bench_teardown(state), 0);
    }
}

int main(void) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        return EXIT_SKIPPED;
    }
    sigset_t told;
    sigemptyset(&told);
    sigaddset(&told, SIGIO);
    sigprocmask(SIG_BLOCK, &told, NULL);
    const struct CMUnitTest tests[] = {
        WITH_LAUNCHERS(test_one_stopped_behind_a_child_that_runs),
        WITH_LAUNCHERS(test_one_stopped_behind_a_child_that_has_ended),
        WITH_LAUNCHERS(test_one_stopped_behind_a_child_that_has_failed),
        WITH_LAUNCHERS(test_one_traced_behind_a_child_that_runs),
        WITH_LAUNCHERS(test_one_traced_behind_a_child_that_has_ended),
        WITH_LAUNCHERS(test_one_traced_behind_a_child_that_has_failed),
        WITH_LAUNCHERS(test_the_stop_behind_one_that_is_kept),
        WITH_LAUNCHERS(test_who_traces_them_does_not_keep_the_stop),
        WITH_LAUNCHERS(test_clients_of_traced_ones),
        cmocka_unit_test(test_no_pidfd_from_the_start),
        cmocka_unit_test(test_no_pidfd_since),
    };
    return cmocka_run_group_tests_name("posix_launchers_attacked", tests, NULL,
                                       bench_remove_scratch);
}
