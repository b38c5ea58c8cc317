/* The plan of a new process: that each step which fails says its own name, and that nothing is left
 * of a process whose plan has failed. */
#include "filter_posix.h"
#include "harness.h"
#include "tester_posix.h"

#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ABOVE_ANY_LIMIT (1 << 30)

static struct platform_program *recipe(struct bench *bench, struct platform_program_spec spec) {
    bench->platform->has_terminal = false; /* whatever the test runs at */
    return BENCH_RECIPE(bench, spec, "exit:0");
}

/* ---- Steps that fail, each in a plan of its own ---- */

static char program_name[] = "program";
static char *const arguments[] = {program_name, NULL};
static char *const no_environment[] = {NULL};

/* A step of a failed plan, and what the launch then says. */
struct fault {
    struct step step;
    const char *name;
    int code;
    int result;
};

/* Written to by the step behind the one that fails, if the walk gets there. */
static char trace[16];

static int spawn_with(struct step step, const struct spawn *spawn, pid_t *pid,
                      struct baton_cause *cause) {
    struct plan plan = {.count = 3};
    plan.steps[0] = step;
    plan.steps[1] = (struct step){.kind = STEP_LISTEN_PID, .listen_pid = trace};
    plan.steps[2] =
        (struct step){.kind = STEP_EXECUTE, .execute = {bench_child_path(), no_environment}};
    *pid = -1;
    trace[0] = '\0';
    int pidfd;
    return posix_spawn_process(&plan, spawn, pid, &pidfd, cause);
}

static void expect_faults(const struct fault *faults, size_t count, const struct spawn *spawn) {
    for (size_t i = 0; i < count; i++) {
        size_t before_count = system_descriptor_count();
        struct baton_cause cause = {0};
        pid_t pid;
        int result = spawn_with(faults[i].step, spawn, &pid, &cause);
        if (result != faults[i].result || cause.call == NULL ||
            strcmp(cause.call, faults[i].name) != 0 || cause.system_code != faults[i].code) {
            fail_msg("%zu, %s: %s: %s %ld", i, faults[i].name, baton_error_text(result),
                     cause.call != NULL ? cause.call : "none", cause.system_code);
        }
        assert_int_equal(pid, -1);
        assert_string_equal(trace, "");
        expect_no_child();
        assert_int_equal(system_descriptor_count(), before_count);
    }
}

#define EXPECT_FAULTS(faults, spawn)                                                               \
    expect_faults(faults, sizeof(faults) / sizeof((faults)[0]), spawn)

static void test_descriptors_that_cannot_be_passed(void **state) {
    (void)state;
    int passed[] = {-1};
    const struct spawn closed = {.argv = arguments, .streams = {-1}, .passed = passed};
    const struct fault with_closed[] = {
        {{.kind = STEP_STREAMS}, "dup2", EBADF, BATON_SYSTEM},
        {{.kind = STEP_MAKE_WAY, .pass = {1, 4}}, "fcntl", EBADF, BATON_SYSTEM},
        {{.kind = STEP_PASS, .pass = {1, 4}}, "dup2", EBADF, BATON_SYSTEM},
    };
    EXPECT_FAULTS(with_closed, &closed);

    passed[0] = STDIN_FILENO;
    const struct fault too_many[] = {
        {{.kind = STEP_MAKE_WAY, .pass = {1, ABOVE_ANY_LIMIT}}, "fcntl", EMFILE, BATON_SHORTAGE},
    };
    EXPECT_FAULTS(too_many, &closed);

    int lowest_free = dup(STDIN_FILENO);
    assert_true(lowest_free >= 3);
    close(lowest_free);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    /* One is free, for the test's own look into /proc, and the step needs a second one. */
    struct rlimit short_of_one = {(rlim_t)lowest_free + 1, before.rlim_max};
    int both[] = {STDIN_FILENO, STDIN_FILENO};
    const struct spawn full = {.argv = arguments, .passed = both};
    const struct fault one_too_many[] = {
        {{.kind = STEP_MAKE_WAY, .pass = {2, lowest_free}}, "fcntl", EMFILE, BATON_SHORTAGE},
    };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &short_of_one), 0);
    EXPECT_FAULTS(one_too_many, &full);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* The child's memory is ours, so what it has moved can be seen. */
static void test_only_what_is_in_the_way_is_moved(void **state) {
    (void)state;
    int settled = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 50);
    int in_the_way = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 50);
    int far = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 200);
    assert_true(settled >= 50 && in_the_way > settled && in_the_way < 100 && far >= 200);
    int passed[100];
    int count = settled - FIRST_PASSED_DESCRIPTOR + 1;
    for (int i = 0; i < count; i++) {
        passed[i] = far;
    }
    passed[0] = in_the_way;
    passed[count - 1] = settled;
    const struct plan plan = {
        .count = 2,
        .steps = {{.kind = STEP_MAKE_WAY, .pass = {count, 100}},
                  {.kind = STEP_EXECUTE, .execute = {"/no/such", no_environment}}}};
    const struct spawn spawn = {.argv = arguments, .passed = passed};
    struct baton_cause cause;
    pid_t pid;
    int pidfd;
    assert_int_equal(posix_spawn_process(&plan, &spawn, &pid, &pidfd, &cause), BATON_NOT_FOUND);
    assert_in_range(passed[0], 100, far);
    for (int i = 1; i < count - 1; i++) {
        assert_int_equal(passed[i], far);
    }
    assert_int_equal(passed[count - 1], settled);
    close(settled);
    close(in_the_way);
    close(far);
}

static void test_steps_that_the_system_refuses(void **state) {
    (void)state;
    static const int no_signal[] = {SIGPIPE, 0};
    const struct spawn spawn = {.argv = arguments};
    const struct fault faults[] = {
        {{.kind = STEP_LIMIT_FILES, .limit = {RLIMIT_NOFILE, {2, 1}}},
         "setrlimit RLIMIT_NOFILE",
         EINVAL,
         BATON_SYSTEM},
        {{.kind = STEP_DIRECTORY, .directory = "/no/such"}, "chdir", ENOENT, BATON_NOT_FOUND},
        {{.kind = STEP_DIRECTORY, .directory = "/dev/null"}, "chdir", ENOTDIR, BATON_NOT_FOUND},
        {{.kind = STEP_CHROOT, .chroot = "/no/such"}, "chroot", ENOENT, BATON_NOT_FOUND},
        {{.kind = STEP_CHROOT, .chroot = "/dev/null"}, "chroot", ENOTDIR, BATON_NOT_FOUND},
        {{.kind = STEP_OOM, .oom = {.text = "1001"}}, "oom_score_adj", EINVAL, BATON_SYSTEM},
        {{.kind = STEP_DISPOSITIONS, .signals = {no_signal, 2}}, "sigaction", EINVAL, BATON_SYSTEM},
        {{.kind = STEP_EXECUTE, .execute = {"/no/such", no_environment}},
         "execve",
         ENOENT,
         BATON_NOT_FOUND},
        {{.kind = STEP_EXECUTE, .execute = {"/", no_environment}},
         "execve",
         EACCES,
         BATON_NOT_EXECUTABLE},
    };
    EXPECT_FAULTS(faults, &spawn);
}

/* The supervisor opens it for what it puts back itself, before there is a child. */
static void test_a_score_that_cannot_be_put_back(void **state) {
    (void)state;
    const struct spawn sharing = {.argv = arguments, .table_end = 3};
    const struct step oom = {.kind = STEP_OOM, .oom = {.text = "0", .own = "0"}};
    struct baton_cause cause = {0};
    struct rlimit before;
    pid_t pid;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none_left = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    int result = spawn_with(oom, &sharing, &pid, &cause);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(result, BATON_SHORTAGE);
    assert_string_equal(cause.call, "oom_score_adj");
    assert_int_equal(cause.system_code, EMFILE);
    expect_no_child();
}

/* Of another process than the one that has launched it: that one must have ended. */
static void test_a_supervisor_that_has_gone(void **state) {
    (void)state;
    const struct spawn spawn = {.argv = arguments};
    const struct fault faults[] = {
        {{.kind = STEP_DEATH_SIGNAL, .supervisor = 1}, "prctl", ESRCH, BATON_SYSTEM},
    };
    EXPECT_FAULTS(faults, &spawn);
}

#ifdef SYS_setresuid32
#define CALL_OF(name) SYS_##name##32
#else
#define CALL_OF(name) SYS_##name
#endif

/* What nothing but a filter can make fail, and what takes another user. In a process of its own,
 * since a filter stays. */
static void test_steps_that_a_filter_refuses(void **state) {
    (void)state;
    const struct spawn spawn = {.argv = arguments};
    const struct {
        long number;
        struct fault fault;
    } cases[] = {
        {SYS_setpgid, {{.kind = STEP_GROUP}, "setpgid", EPERM, BATON_DENIED}},
        {SYS_prctl, {{.kind = STEP_DEATH_SIGNAL}, "prctl", EPERM, BATON_DENIED}},
        {SYS_setpriority, {{.kind = STEP_NICE}, "setpriority", EPERM, BATON_DENIED}},
        {CALL_OF(setgroups), {{.kind = STEP_GROUPS}, "setgroups", EPERM, BATON_DENIED}},
        {SYS_chroot, {{.kind = STEP_CHROOT, .chroot = "/"}, "chroot", EPERM, BATON_DENIED}},
        {CALL_OF(setresgid), {{.kind = STEP_GID}, "setresgid", EPERM, BATON_DENIED}},
        {CALL_OF(setresuid), {{.kind = STEP_UID}, "setresuid", EAGAIN, BATON_LIMIT}},
        {CALL_OF(setresuid), {{.kind = STEP_UID}, "setresuid", EPERM, BATON_DENIED}},
        {SYS_prctl,
         {{.kind = STEP_UID, .id.keeps_capabilities = true}, "setresuid", EPERM, BATON_DENIED}},
        {SYS_capset, {{.kind = STEP_CAPABILITIES}, "capset", EPERM, BATON_DENIED}},
        {SYS_prctl,
         {{.kind = STEP_NO_NEW_PRIVILEGES}, "prctl PR_SET_NO_NEW_PRIVS", EPERM, BATON_DENIED}},
        {SYS_rt_sigprocmask, {{.kind = STEP_MASK}, "sigprocmask", EPERM, BATON_DENIED}},
        {SYS_execve,
         {{.kind = STEP_EXECUTE, .execute = {"/no/such", no_environment}},
          "execve",
          EAGAIN,
          BATON_LIMIT}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct fault *fault = &cases[i].fault;
        pid_t tester = fork();
        assert_true(tester >= 0);
        if (tester == 0) {
            struct baton_cause cause = {0};
            pid_t pid;
            siginfo_t info;
            if (!filter_make_fail(cases[i].number, fault->code)) {
                _exit(EXIT_SKIPPED);
            }
            _exit(spawn_with(fault->step, &spawn, &pid, &cause) != fault->result || pid != -1 ||
                  strcmp(cause.call, fault->name) != 0 || cause.system_code != fault->code ||
                  waitid(P_ALL, 0, &info, WEXITED | WNOHANG) != -1);
        }
        expect_success(tester);
    }
}

/* Nobody has it. */
#define CROWDED_USER 61234

/* Raises what a change of user has lowered (capabilities(7)). */
static bool raise_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) != 0) {
        return false;
    }
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        data[i].effective = data[i].permitted;
    }
    return syscall(SYS_capset, &header, data) == 0;
}

/* Becomes a user who has one process more than his limit allows. With CAP_SYS_RESOURCE a process
 * may be made all the same, and then execve(2) refuses, as it does to one that changes its user
 * after vfork(2). */
static bool become_crowded_user(pid_t *other) {
    const struct rlimit none = {0, 0};
    int ready[2];
    char byte;
    if (pipe(ready) != 0) {
        return false;
    }
    pid_t tester = getpid();
    *other = fork();
    if (*other == 0) {
        close(ready[0]);
        if (setuid(CROWDED_USER) != 0) {
            _exit(1);
        }
        end_with(tester);
        while (write(ready[1], "y", 1) == 1) {
            pause();
        }
        _exit(1);
    }
    close(ready[1]);
    bool is_there = *other > 0 && read(ready[0], &byte, 1) == 1;
    close(ready[0]);
    return is_there && setrlimit(RLIMIT_NPROC, &none) == 0 &&
           prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 && setuid(CROWDED_USER) == 0 &&
           raise_capabilities();
}

/* Not a shortage for everybody: others run as somebody else. */
static void test_a_user_with_too_many_processes(void **state) {
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    pid_t tester = fork();
    assert_true(tester >= 0);
    if (tester == 0) {
        const struct spawn spawn = {.argv = arguments};
        const struct step step = {.kind = STEP_MASK};
        struct baton_cause cause = {0};
        pid_t pid = -1;
        pid_t other = -1;
        bool is_crowded = become_crowded_user(&other);
        int result = is_crowded ? spawn_with(step, &spawn, &pid, &cause) : BATON_OK;
        if (other > 0) {
            kill(other, SIGKILL);
            waitpid(other, NULL, 0);
        }
        if (!is_crowded) {
            _exit(EXIT_SKIPPED);
        }
        _exit(result != BATON_LIMIT || strcmp(cause.call, "execve") != 0 ||
              cause.system_code != EAGAIN);
    }
    expect_success(tester);
}

/* ---- Whole launches that fail ---- */

/* As often as would fill the table if a slot were lost. */
static void expect_launch_fails(struct bench *bench, const struct platform_program *program,
                                const char *name, int code, int wanted) {
    size_t before_count = system_descriptor_count();
    for (int i = 0; i < BENCH_PROCESS_COUNT + 1; i++) {
        struct platform_process *process;
        assert_int_equal(bench_try_launch(bench, program, bench_token(bench), &process), wanted);
        assert_null(process);
        assert_string_equal(bench->cause.call, name);
        assert_int_equal(bench->cause.system_code, code);
        expect_no_child();
        assert_int_equal(system_descriptor_count(), before_count);
    }
    bench_expect_silence(bench);
}

static void expect_launch_works(struct bench *bench, const struct platform_program *program) {
    struct platform_process *process;
    uint64_t token = bench_token(bench);
    assert_int_equal(bench_try_launch(bench, program, token, &process), BATON_OK);
    assert_int_equal(bench_finish(bench, &process, token).code, 0);
    expect_no_child();
}

static void test_directory_that_goes_and_comes_back(void **state) {
    struct bench *bench = *state;
    char directory[256];
    snprintf(directory, sizeof directory, "%s/home", system_scratch());
    system_make_directory(directory);
    struct platform_program *program =
        recipe(bench, (struct platform_program_spec){.directory = directory, .has_channel = true});
    expect_launch_works(bench, program);
    system_remove_directory(directory);
    expect_launch_fails(bench, program, "chdir", ENOENT, BATON_NOT_FOUND);
    system_make_directory(directory);
    expect_launch_works(bench, program);
    system_remove_directory(directory);
    platform_program_destroy(&program);
}

static void test_program_that_goes_and_comes_back(void **state) {
    struct bench *bench = *state;
    char path[256];
    snprintf(path, sizeof path, "%s/program", system_scratch());
    const char *const argv[] = {"program", "exit:0", NULL};
    struct platform_program_spec spec = {.path = path, .argv = argv, .has_channel = true};
    struct platform_program *program;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    expect_launch_fails(bench, program, "execve", ENOENT, BATON_NOT_FOUND);
    assert_int_equal(symlink(bench_child_path(), path), 0);
    expect_launch_works(bench, program);
    system_remove_file(path);
    platform_program_destroy(&program);
}

static void test_descriptor_limit_that_cannot_be_given_back(void **state) {
    struct bench *bench = *state;
    struct platform_program *program =
        recipe(bench, (struct platform_program_spec){.has_channel = true});
    struct step *limit = &program->plan.steps[5];
    assert_int_equal(limit->kind, STEP_LIMIT_FILES);
    struct rlimit original = limit->limit.values;
    limit->limit.values = (struct rlimit){2, 1};
    expect_launch_fails(bench, program, "setrlimit RLIMIT_NOFILE", EINVAL, BATON_SYSTEM);
    limit->limit.values = original;
    expect_launch_works(bench, program);
    platform_program_destroy(&program);
}

/* What was for a child that did not come so far is not for the next one. */
static void test_nothing_is_left_for_the_next(void **state) {
    struct bench *bench = *state;
    struct platform_program *program =
        recipe(bench, (struct platform_program_spec){.has_channel = true});
    const struct plan whole = program->plan;
    for (size_t i = 0; i < whole.count; i++) {
        program->plan.steps[i] = (struct step){.kind = STEP_DIRECTORY, .directory = "/no/such"};
        expect_launch_fails(bench, program, "chdir", ENOENT, BATON_NOT_FOUND);
        program->plan = whole;
        expect_launch_works(bench, program);
    }
    platform_program_destroy(&program);
}

/* A connection that becomes standard input is not ours any more when its program runs, and ours as
 * before when it does not, whether the child had it by then or not. */
static void test_connection_comes_back(void **state) {
    struct bench *bench = *state;
    const struct platform_program_spec spec = {.has_channel = false};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "copy-input");
    const struct plan whole = program->plan;
    const struct step away = {.kind = STEP_DIRECTORY, .directory = "/there/is/no/such"};
    struct bench_connection connection = bench_connect(bench);
    struct platform_launch launch = {.program = program,
                                     .streams = PLATFORM_STREAMS_SOCKET,
                                     .output = bench->output,
                                     .error_follows_output = false,
                                     .socket = connection.socket,
                                     .token = bench_token(bench)};
    struct platform_launched made;
    size_t before_count = system_descriptor_count();
    for (size_t i = 0; i < whole.count; i++) { /* TAKE is the second */
        program->plan.steps[i] = away;
        assert_int_equal(bench_launch_as(bench, &launch, &made), BATON_NOT_FOUND);
        assert_false(made.has_taken_socket);
        assert_int_equal(system_descriptor_count(), before_count);
        program->plan = whole;
        expect_no_child();
    }
    made = bench_start(bench, &launch);
    assert_true(made.has_taken_socket);
    client_send(connection.client, "hello");
    client_end_sending(connection.client);
    char text[16];
    client_receive_all(connection.client, text, sizeof text);
    assert_string_equal(text, "hello");
    bench_finish(bench, &made.process, launch.token);
    launch.socket = connection.socket = PLATFORM_SOCKET_NONE;
    assert_int_equal(bench_launch_as(bench, &launch, &made), BATON_GONE);
    bench_disconnect(bench, &connection);
    platform_program_destroy(&program);
}

int main(void) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        return EXIT_SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_descriptors_that_cannot_be_passed),
        cmocka_unit_test(test_only_what_is_in_the_way_is_moved),
        cmocka_unit_test(test_steps_that_the_system_refuses),
        cmocka_unit_test(test_a_score_that_cannot_be_put_back),
        cmocka_unit_test(test_a_supervisor_that_has_gone),
        cmocka_unit_test(test_steps_that_a_filter_refuses),
        cmocka_unit_test(test_a_user_with_too_many_processes),
        WITH_BENCH(test_directory_that_goes_and_comes_back),
        WITH_BENCH(test_program_that_goes_and_comes_back),
        WITH_BENCH(test_nothing_is_left_for_the_next),
        WITH_BENCH(test_connection_comes_back),
        WITH_BENCH(test_descriptor_limit_that_cannot_be_given_back),
    };
    return cmocka_run_group_tests_name("posix_plan", tests, NULL, bench_remove_scratch);
}
