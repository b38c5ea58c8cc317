/* Launching: what the child gets, and what a failure leaves behind. */
#include "harness.h"

#include <stdio.h>

static const char *scratch_path(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s%c%s", system_scratch(),
             platform_backslash_separates ? '\\' : '/', name);
    return path;
}

static void test_arguments_round_trip(void **state) {
    struct bench *bench = *state;
    /* "2:a " and so on: the length in bytes, then the text as it arrived. */
    const char *const arguments[] = {"arguments",
                                     "",
                                     "a b",
                                     "\"",
                                     "\\",
                                     "a\\\"b \\\\",
                                     "\\\\server\\",
                                     "tab\there",
                                     "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
                                     "%PATH% $HOME *",
                                     "\"\"",
                                     "^&|<>()!",
                                     NULL};
    uint64_t token;
    struct platform_process *process = bench_launch(bench, arguments, &token);
    struct platform_exit how = bench_finish(bench, &process, token);
    assert_false(how.by_signal);
    assert_int_equal(how.code, 0);
    char wanted[1024] = "";
    for (size_t i = 1; arguments[i] != NULL; i++) {
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof wanted - used, "%zu:%s\n", strlen(arguments[i]),
                 arguments[i]);
    }
    assert_string_equal(bench->text, wanted);
}

/* Launches the child with additions to the environment, or in a directory. */
static void run_in(struct bench *bench, const char *const *actions, const char *const *environment,
                   const char *directory) {
    struct platform_program *program = bench_program(bench, actions, environment, directory);
    struct platform_process *process;
    uint64_t token = bench_token(bench);
    assert_int_equal(bench_try_launch(bench, program, token, &process), BATON_OK);
    platform_program_destroy(&program);
    assert_null(program);
    platform_program_destroy(&program);
    bench_finish(bench, &process, token);
}

static void test_environment(void **state) {
    const char *const actions[] = {"variable:ADDED",
                                   "variable:TEST_INHERITED",
                                   "variable:TEST_REPLACED",
                                   "variable:TWICE",
                                   "variable:BATON_PROTOCOL",
                                   "variable:BATON_NONCE",
                                   NULL};
    const char *const environment[] = {"ADDED=gr\xc3\xbc\xc3\x9f=1", "TEST_REPLACED=new",
                                       "TWICE=first", "TWICE=last", NULL};
    run_in(*state, actions, environment, NULL);
    const struct bench *bench = *state;
    assert_string_equal(bench->text, "ADDED=gr\xc3\xbc\xc3\x9f=1\n"
                                     "TEST_INHERITED=kept\n"
                                     "TEST_REPLACED=new\n"
                                     "TWICE=last\n"
                                     "BATON_PROTOCOL=1\n"
                                     "BATON_NONCE=" BENCH_NONCE "\n");
}

/* Nothing but what is handed on. */
static void test_what_is_not_inherited(void **state) {
    struct bench *bench = *state;
    const char *const handed_on[] = {"OTHER=here", NULL};
    struct platform_program_spec spec = {.inherited = handed_on};
    struct platform_program *program =
        BENCH_RECIPE(bench, spec, "variable:TEST_INHERITED", "variable:OTHER");
    uint64_t token = bench_token(bench);
    struct platform_launch launch = {.program = program,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = token};
    struct platform_process *process = bench_start(bench, &launch).process;
    bench_await_text(bench, "OTHER=here\n");
    assert_string_equal(bench->text, "TEST_INHERITED=(unset)\nOTHER=here\n");
    bench_finish(bench, &process, token);
    platform_program_destroy(&program);
}

static void test_each_launch_has_its_own_nonce(void **state) {
    struct bench *bench = *state;
    const char *const actions[] = {"variable:BATON_NONCE", NULL};
    struct platform_program *program = bench_program(bench, actions, NULL, NULL);
    const char *const nonces[] = {"00112233445566778899aabbccddeeff",
                                  "ffeeddccbbaa99887766554433221100"};
    for (int i = 0; i < 2; i++) {
        struct platform_launch launch = {.program = program,
                                         .nonce_hex = nonces[i],
                                         .output = bench->output,
                                         .socket = PLATFORM_SOCKET_NONE,
                                         .token = bench_token(bench)};
        bench_forget_text(bench);
        struct platform_launched made = bench_start(bench, &launch);
        bench_finish(bench, &made.process, launch.token);
        assert_non_null(strstr(bench->text, nonces[i]));
    }
    platform_program_destroy(&program);
}

static void test_directory(void **state) {
    const char *const actions[] = {"directory", NULL};
    struct bench *bench = *state;
    run_in(bench, actions, NULL, system_scratch());
    assert_int_equal(bench->text_length, strlen(system_scratch()) + 1);
    assert_memory_equal(bench->text, system_scratch(), strlen(system_scratch()));
}

static void test_without_output(void **state) {
    struct bench *bench = *state;
    const char *const actions[] = {"print:into the void", "exit:4", NULL};
    uint64_t token;
    struct platform_process *process = bench_launch_to(bench, NULL, actions, &token);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_int_equal(platform_process_exit(process).code, 4);
    platform_process_close(&process);
    assert_false(bench_has(bench, PLATFORM_EVENT_OUTPUT, bench->output_token));
}

/* Tries to launch `path` in `directory`; fails the test unless the result is `wanted` and nothing
 * is left behind: no descriptor, no slot of the table, no event. */
static void expect_no_launch(struct bench *bench, const char *path, const char *directory,
                             int wanted) {
    const char *const argv[] = {"program", NULL};
    struct platform_program_spec spec = {
        .path = path, .argv = argv, .directory = directory, .has_channel = true};
    struct platform_program *program;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    size_t before_count = system_descriptor_count();
    for (int i = 0; i < BENCH_PROCESS_COUNT + 1; i++) {
        struct platform_process *process = NULL;
        int result = bench_try_launch(bench, program, bench_token(bench), &process);
        if (result != wanted) {
            fail_msg("%s: %s: %s %ld", path, baton_error_text(result), bench->cause.call,
                     bench->cause.system_code);
        }
        assert_null(process);
        assert_non_null(bench->cause.call);
        assert_int_not_equal(bench->cause.system_code, 0);
    }
    if (!platform_backslash_separates) {
        assert_int_equal(system_descriptor_count(), before_count);
    }
    platform_program_destroy(&program);
    bench_expect_silence(bench);
}

static void test_launch_errors_leave_nothing(void **state) {
    struct bench *bench = *state;
    if (getenv(UNDER_VALGRIND) != NULL) {
        skip();
    }
    char name[64];
    snprintf(name, sizeof name, "absent%s", platform_executable_suffix);
    expect_no_launch(bench, scratch_path(name), NULL, BATON_NOT_FOUND);
    snprintf(name, sizeof name, "absent/program%s", platform_executable_suffix);
    expect_no_launch(bench, scratch_path(name), NULL, BATON_NOT_FOUND);

    snprintf(name, sizeof name, "text%s", platform_executable_suffix);
    system_write_file(scratch_path(name), "this is no program\n", true);
    expect_no_launch(bench, scratch_path(name), NULL, BATON_NOT_EXECUTABLE);
    system_write_file(scratch_path("plain"), "this is no program\n", false);
    expect_no_launch(bench, scratch_path("plain"), NULL, BATON_NOT_EXECUTABLE);
    system_remove_file(scratch_path("plain"));
    system_remove_file(scratch_path(name));
}

/* It is whole when its writer has closed it, so its clients wait for that. */
static void test_a_file_that_is_being_written(void **state) {
    struct bench *bench = *state;
    char path[512];
    snprintf(path, sizeof path, "%s/written", system_scratch());
    system_write_file(path, "#!/bin/sh\nexit 0\n", true);
    const struct platform_program_spec spec = {.path = path,
                                               .argv = (const char *const[]){"written", NULL}};
    struct platform_program *program;
    struct platform_launched launched;
    uint64_t token = bench_token(bench);
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    const struct platform_launch busy = {
        .socket = PLATFORM_SOCKET_NONE, .token = token, .program = program};
    FILE *writer = fopen(path, "a");
    assert_non_null(writer);
    int result = bench_launch_as(bench, &busy, &launched);
    fclose(writer);
    if (result == BATON_OK) { /* Linux 6.11 and 6.12 let it be */
        bench_await_exit(bench, &launched.process, token);
    } else if (!platform_backslash_separates) { /* where that is a script, and no program */
        assert_int_equal(result, BATON_LIMIT);
        assert_string_equal(bench->cause.call, "execve");
        /* A launcher that was made meanwhile has our writer, too, until it has closed all. */
        uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
        while ((result = bench_launch_as(bench, &busy, &launched)) == BATON_LIMIT &&
               platform_now_us(bench->platform) < deadline_us) {
        }
        assert_int_equal(result, BATON_OK);
        assert_int_equal(bench_await_exit(bench, &launched.process, token).code, 0);
    }
    platform_program_destroy(&program);
    system_remove_file(path);
}

static void test_launch_into_a_missing_directory(void **state) {
    struct bench *bench = *state;
    if (getenv(UNDER_VALGRIND) != NULL) {
        skip();
    }
    expect_no_launch(bench, bench_child_path(), scratch_path("no-such-directory"), BATON_NOT_FOUND);
}

static void test_full_table_is_a_shortage(void **state) {
    struct bench *bench = *state;
    struct platform_process *processes[BENCH_PROCESS_COUNT];
    uint64_t tokens[BENCH_PROCESS_COUNT];
    for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
        processes[i] = LAUNCH(bench, &tokens[i], "wait-for-end");
    }
    const char *const actions[] = {"exit:0", NULL};
    struct platform_program *program = bench_program(bench, actions, NULL, NULL);
    struct platform_process *extra = NULL;
    assert_int_equal(bench_try_launch(bench, program, bench_token(bench), &extra), BATON_SHORTAGE);
    assert_null(extra);
    platform_channel_close(processes[0]);
    bench_finish(bench, &processes[0], tokens[0]);
    processes[0] = LAUNCH(bench, &tokens[0], "wait-for-end");
    for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
        platform_channel_close(processes[i]);
        bench_finish(bench, &processes[i], tokens[i]);
    }
    platform_program_destroy(&program);
}

static void test_bad_recipes(void **state) {
    struct bench *bench = *state;
    const char *const nothing[] = {NULL};
    const char *const crooked[] = {"program", "\xff\xfe", NULL};
    const char *const plain[] = {"program", NULL};
    const char *const surrogate[] = {"NAME=\xed\xa0\x80", NULL};
    const size_t huge_bytes = 8u * 1024 * 1024;
    char *huge = malloc(huge_bytes);
    assert_non_null(huge);
    memset(huge, 'a', huge_bytes - 1);
    huge[huge_bytes - 1] = '\0';
    const char *const longest[] = {"program", huge, NULL};
    /* Too long for one argument (128 KiB on Linux), not for all of them. */
    const char *const longish[] = {"program", huge + huge_bytes - 200u * 1024, NULL};
    const struct {
        struct platform_program_spec spec;
        int wanted;
    } cases[] = {
        {{.path = "/program", .argv = nothing}, BATON_INVALID},
        {{.path = "/program", .argv = crooked}, BATON_INVALID},
        {{.path = "/program", .argv = plain, .environment = surrogate}, BATON_INVALID},
        {{.path = "/program", .argv = longest}, BATON_TOO_LONG},
        {{.path = "/program", .argv = longish}, BATON_TOO_LONG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct platform_program *program = NULL;
        assert_int_equal(
            platform_program_create(bench->platform, &cases[i].spec, &program, &bench->cause),
            cases[i].wanted);
        assert_null(program);
    }
    free(huge);
}

static int set_environment(void **state) {
    (void)state;
    system_set_variable("TEST_INHERITED", "kept");
    system_set_variable("TEST_REPLACED", "old");
    system_set_variable("BATON_NONCE", "stale");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_arguments_round_trip),
        WITH_BENCH(test_environment),
        WITH_BENCH(test_what_is_not_inherited),
        WITH_BENCH(test_each_launch_has_its_own_nonce),
        WITH_BENCH(test_directory),
        WITH_BENCH(test_without_output),
        WITH_BENCH(test_launch_errors_leave_nothing),
        WITH_BENCH(test_a_file_that_is_being_written),
        WITH_BENCH(test_launch_into_a_missing_directory),
        WITH_BENCH(test_full_table_is_a_shortage),
        WITH_BENCH(test_bad_recipes),
    };
    return cmocka_run_group_tests_name("launch", tests, set_environment, bench_remove_scratch);
}
