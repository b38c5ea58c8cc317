/* Which steps the plan of a new process has, and in which order. */
#include "harness.h"
#include "tester_posix.h"
#include <signal.h>

#include "platform/posix/internal.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static void expect_steps(const struct plan *plan, const enum step_kind *wanted, size_t count) {
    for (size_t i = 0; i < plan->count && i < count; i++) {
        assert_string_equal(posix_plan_step_name(&plan->steps[i]),
                            posix_plan_step_name(&(struct step){.kind = wanted[i]}));
        assert_int_equal(plan->steps[i].kind, wanted[i]);
        assert_true(i == 0 || wanted[i - 1] < wanted[i]);
    }
    assert_int_equal(plan->count, count);
}

#define EXPECT_STEPS(plan, ...)                                                                    \
    expect_steps(plan, (const enum step_kind[]){__VA_ARGS__},                                      \
                 sizeof((const enum step_kind[]){__VA_ARGS__}) / sizeof(enum step_kind))

static struct platform_program *recipe(struct bench *bench, struct platform_program_spec spec) {
    bench->platform->has_terminal = false; /* whatever the test runs at */
    bench->platform->ignored[0] = SIGPIPE; /* as whoever has started us may have asked */
    bench->platform->ignored_count = 1;
    return BENCH_RECIPE(bench, spec, "exit:0");
}

static void test_the_shortest_list(void **state) {
    struct bench *bench = *state;
    struct platform_program *program = recipe(bench, (struct platform_program_spec){0});
    EXPECT_STEPS(&program->plan, STEP_OWN_TABLE, STEP_TAKE, STEP_GROUP, STEP_STREAMS,
                 STEP_LIMIT_FILES, STEP_DISPOSITIONS, STEP_MASK, STEP_EXECUTE);
    platform_program_destroy(&program);
    /* Where nothing is ignored there is nothing to reset. */
    struct platform platform = {.ignored_count = 0};
    struct platform_program bare = {.path = NULL};
    struct plan plan;
    posix_plan_make(&plan, &platform, &bare);
    EXPECT_STEPS(&plan, STEP_OWN_TABLE, STEP_TAKE, STEP_GROUP, STEP_STREAMS, STEP_LIMIT_FILES,
                 STEP_MASK, STEP_EXECUTE);
}

/* As the supervisor is, until something is changed. */
#define AS_WE_ARE                                                                                  \
    {                                                                                              \
        .uid = IDENTITY_SAME, .gid = IDENTITY_SAME, .limits = {                                    \
            IDENTITY_SAME,                                                                         \
            IDENTITY_SAME,                                                                         \
            IDENTITY_SAME,                                                                         \
            IDENTITY_SAME,                                                                         \
            IDENTITY_SAME                                                                          \
        }                                                                                          \
    }

static mode_t own_umask(void) {
    mode_t own = umask(0);
    umask(own);
    return own;
}

static const struct step *find_step(const struct platform_program *program, enum step_kind kind) {
    for (size_t i = 0; i < program->plan.count; i++) {
        if (program->plan.steps[i].kind == kind) {
            return &program->plan.steps[i];
        }
    }
    return NULL;
}

static void test_the_longest_list(void **state) {
    struct bench *bench = *state;
    static const uint32_t groups[] = {61230, 61231};
    const struct identity identity = {.uid = 61234,
                                      .gid = 61235,
                                      .groups = groups,
                                      .group_count = 2,
                                      .chroot = "/",
                                      .capabilities = 1u << CAP_NET_BIND_SERVICE,
                                      .has_capabilities = true,
                                      .must_adjust_oom = true,
                                      .umask_bits = own_umask() ^ 1u,
                                      .nice_count = 1,
                                      .oom_score_adj = 999,
                                      .limits = {1024, 2048, 3, 40, IDENTITY_UNLIMITED}};
    struct platform_program *program =
        recipe(bench, (struct platform_program_spec){.directory = "/",
                                                     .has_channel = true,
                                                     .listener_count = 2,
                                                     .identity = &identity,
                                                     .forbids_new_privileges = true,
                                                     .ends_with_supervisor = true});
    bench->platform->has_terminal = true;
    posix_plan_make(&program->plan, bench->platform, program);
    EXPECT_STEPS(&program->plan, STEP_OWN_TABLE, STEP_TAKE, STEP_GROUP, STEP_TERMINAL, STEP_STREAMS,
                 STEP_MAKE_WAY, STEP_PASS, STEP_LISTEN_PID, STEP_OOM, STEP_LIMIT_MEMORY,
                 STEP_LIMIT_CORE, STEP_LIMIT_CPU, STEP_LIMIT_FILES, STEP_LIMIT_PROCESSES, STEP_NICE,
                 STEP_GROUPS, STEP_CHROOT, STEP_DIRECTORY, STEP_UMASK, STEP_GID, STEP_UID,
                 STEP_CAPABILITIES, STEP_NO_NEW_PRIVILEGES, STEP_DEATH_SIGNAL, STEP_DISPOSITIONS,
                 STEP_MASK, STEP_EXECUTE);
    assert_int_equal(program->plan.count, STEP_KIND_COUNT);
    assert_true(program->plan.is_limited);
    assert_false(program->plan.gives_back);
    const struct step *memory = find_step(program, STEP_LIMIT_MEMORY);
    assert_int_equal(memory->limit.resource, RLIMIT_AS);
    assert_true(memory->limit.values.rlim_cur == 1024 * 1024 &&
                memory->limit.values.rlim_max == 1024 * 1024);
    assert_int_equal(find_step(program, STEP_LIMIT_FILES)->limit.values.rlim_max, 40);
    assert_true(find_step(program, STEP_LIMIT_PROCESSES)->limit.values.rlim_cur == RLIM_INFINITY);
    assert_string_equal(find_step(program, STEP_OOM)->oom.text, "999");
    assert_true(find_step(program, STEP_GROUPS)->groups.ids[1] == 61231);
    assert_true(find_step(program, STEP_GROUPS)->groups.ids != groups);
    assert_int_equal(find_step(program, STEP_GID)->id.id, 61235);
    assert_int_equal(find_step(program, STEP_UID)->id.id, 61234);
    assert_true(find_step(program, STEP_UID)->id.keeps_capabilities);
    assert_int_equal(find_step(program, STEP_CAPABILITIES)->capabilities.kept,
                     1u << CAP_NET_BIND_SERVICE);
    platform_program_destroy(&program);
}

/* What the child has anyway costs nothing. */
static void test_an_identity_that_changes_nothing(void **state) {
    struct bench *bench = *state;
    struct identity identity = AS_WE_ARE;
    identity.umask_bits = own_umask();
    struct platform_program_spec spec = {.identity = &identity};
    struct platform_program *program = recipe(bench, spec);
    assert_true(program->plan.gives_back);
    assert_null(find_step(program, STEP_GROUPS));
    assert_null(find_step(program, STEP_UID));
    assert_null(find_step(program, STEP_UMASK));
    assert_false(program->plan.is_limited);
    platform_program_destroy(&program);

    gid_t groups[64];
    int count = getgroups(64, groups);
    identity.uid = geteuid();
    identity.gid = getegid();
    identity.groups = groups;
    identity.group_count = count > 0 ? (size_t)count : 0;
    program = recipe(bench, spec);
    assert_null(find_step(program, STEP_GROUPS));
    assert_null(find_step(program, STEP_GID));
    assert_null(find_step(program, STEP_UID));
    platform_program_destroy(&program);
}

static void test_what_a_program_adds_to_the_list(void **state) {
    struct bench *bench = *state;
    struct platform_program *program =
        recipe(bench, (struct platform_program_spec){.directory = "/"});
    EXPECT_STEPS(&program->plan, STEP_OWN_TABLE, STEP_TAKE, STEP_GROUP, STEP_STREAMS,
                 STEP_LIMIT_FILES, STEP_DIRECTORY, STEP_DISPOSITIONS, STEP_MASK, STEP_EXECUTE);
    platform_program_destroy(&program);
    program = recipe(bench, (struct platform_program_spec){.has_channel = true});
    EXPECT_STEPS(&program->plan, STEP_OWN_TABLE, STEP_TAKE, STEP_GROUP, STEP_STREAMS, STEP_PASS,
                 STEP_LIMIT_FILES, STEP_DISPOSITIONS, STEP_MASK, STEP_EXECUTE);
    platform_program_destroy(&program);
    program = recipe(bench, (struct platform_program_spec){.listener_count = 1});
    EXPECT_STEPS(&program->plan, STEP_OWN_TABLE, STEP_TAKE, STEP_GROUP, STEP_STREAMS, STEP_MAKE_WAY,
                 STEP_PASS, STEP_LISTEN_PID, STEP_LIMIT_FILES, STEP_DISPOSITIONS, STEP_MASK,
                 STEP_EXECUTE);
    platform_program_destroy(&program);
}

static bool write_score(const char *text) {
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    bool is_written = file >= 0 && write(file, text, strlen(text)) > 0;
    close(file);
    return is_written;
}

/* Who cannot write to it has no right to make it smaller, either. */
static void test_a_default_that_the_system_refuses(void **state) {
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    pid_t tester = fork();
    assert_true(tester >= 0);
    if (tester == 0) {
        struct identity identity = AS_WE_ARE;
        struct platform platform = {.ignored_count = 0};
        struct platform_program program = {.has_identity = true, .identity = identity};
        if (!write_score("321") || setuid(61234) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0) {
            _exit(EXIT_SKIPPED);
        }
        posix_plan_make(&program.plan, &platform, &program);
        bool is_skipped =
            find_step(&program, STEP_OOM) == NULL && platform_skipped_default(&platform) != NULL;
        program.identity.must_adjust_oom = true;
        posix_plan_make(&program.plan, &platform, &program);
        _exit(!is_skipped || find_step(&program, STEP_OOM) == NULL);
    }
    expect_success(tester);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_the_shortest_list),
        WITH_BENCH(test_the_longest_list),
        WITH_BENCH(test_an_identity_that_changes_nothing),
        cmocka_unit_test(test_a_default_that_the_system_refuses),
        WITH_BENCH(test_what_a_program_adds_to_the_list),
    };
    return cmocka_run_group_tests_name("posix_order", tests, NULL, bench_remove_scratch);
}
