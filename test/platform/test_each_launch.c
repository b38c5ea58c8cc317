/* What differs between the launches of one program: variables and arguments. */
#include "harness.h"

#include <stdio.h>

static const char *const two_names[] = {"ONE", "TEST_INHERITED", NULL};

/* Launches, waits for the end, and leaves what was written in bench->text. */
static void run(struct bench *bench, const struct platform_program *program,
                const char *const *argv, const char *const *values) {
    struct platform_launch launch = {.program = program,
                                     .argv = argv,
                                     .values = values,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = bench_token(bench)};
    bench_forget_text(bench);
    struct platform_launched made = bench_start(bench, &launch);
    assert_int_equal(bench_finish(bench, &made.process, launch.token).code, 0);
}

static int try_values(struct bench *bench, const struct platform_program *program,
                      const char *const *argv, const char *const *values) {
    struct platform_launch launch = {.program = program,
                                     .argv = argv,
                                     .values = values,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = bench_token(bench)};
    struct platform_launched made;
    int result = bench_launch_as(bench, &launch, &made);
    assert_null(made.process);
    return result;
}

static void test_values(void **state) {
    struct bench *bench = *state;
    const char *const additions[] = {"ONE=of the recipe", "OTHER=stays", NULL};
    struct platform_program_spec spec = {
        .environment = additions, .variables = two_names, .launch_bytes = 64};
    struct platform_program *program =
        BENCH_RECIPE(bench, spec, "variable:ONE", "variable:TEST_INHERITED", "variable:OTHER");
    const struct {
        const char *values[2];
        const char *written;
    } cases[] = {
        {{"first", "second=2"}, "ONE=first\nTEST_INHERITED=second=2\nOTHER=stays\n"},
        {{"gr\xc3\xbc\xc3\x9f", NULL},
         "ONE=gr\xc3\xbc\xc3\x9f\nTEST_INHERITED=(unset)\nOTHER=stays\n"},
        {{NULL, "x"}, "ONE=(unset)\nTEST_INHERITED=x\nOTHER=stays\n"},
        {{NULL, NULL}, "ONE=(unset)\nTEST_INHERITED=(unset)\nOTHER=stays\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        run(bench, program, NULL, cases[i].values);
        assert_string_equal(bench->text, cases[i].written);
    }
    run(bench, program, NULL, NULL);
    assert_string_equal(bench->text, "ONE=(unset)\nTEST_INHERITED=(unset)\nOTHER=stays\n");
    platform_program_destroy(&program);
}

/* An empty value is one all the same. */
static void test_an_empty_value(void **state) {
    struct bench *bench = *state;
    struct platform_program_spec spec = {.variables = two_names, .launch_bytes = 2};
    struct platform_program *program =
        BENCH_RECIPE(bench, spec, "variable:ONE", "variable:TEST_INHERITED");
    run(bench, program, NULL, (const char *const[]){"", ""});
    assert_string_equal(bench->text, "ONE=\nTEST_INHERITED=\n");
    platform_program_destroy(&program);
}

static void test_beside_the_channel(void **state) {
    struct bench *bench = *state;
    struct platform_program_spec spec = {
        .variables = two_names, .launch_bytes = 64, .has_channel = true};
    struct platform_program *program =
        BENCH_RECIPE(bench, spec, "variable:ONE", "hello", "wait-for-end");
    struct platform_launch launch = {.program = program,
                                     .values = (const char *const[]){"first", "second"},
                                     .nonce_hex = BENCH_NONCE,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = bench_token(bench)};
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct platform_launched made = bench_start(bench, &launch);
    assert_true(bench_receive(bench, made.process, launch.token, frame) > WIRE_HEADER_BYTES);
    platform_channel_close(made.process);
    bench_finish(bench, &made.process, launch.token);
    assert_non_null(strstr(bench->text, "ONE=first\n"));
    platform_program_destroy(&program);
}

static void test_arguments(void **state) {
    struct bench *bench = *state;
    struct platform_program_spec spec = {.launch_bytes = 128};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "print:of the recipe");
    const char *const first[] = {"name", "arguments", "", "a \"b\" \\", NULL};
    const char *const more[] = {"name", "arguments", "1", "2", "3", "4",
                                "5",    "6",         "7", "8", "9", NULL};
    run(bench, program, first, NULL);
    assert_string_equal(bench->text, "0:\n7:a \"b\" \\\n");
    run(bench, program, more, NULL);
    assert_string_equal(bench->text, "1:1\n1:2\n1:3\n1:4\n1:5\n1:6\n1:7\n1:8\n1:9\n");
    run(bench, program, NULL, NULL);
    assert_string_equal(bench->text, "of the recipe\n");
    platform_program_destroy(&program);
}

/* As much as was said, and not a byte more. */
static void test_the_room_is_kept_to(void **state) {
    struct bench *bench = *state;
    struct platform_program_spec spec = {.variables = two_names,
                                         .launch_bytes = sizeof "abc" + sizeof "def"};
    struct platform_program *program =
        BENCH_RECIPE(bench, spec, "variable:ONE", "variable:TEST_INHERITED");
    run(bench, program, NULL, (const char *const[]){"abc", "def"});
    assert_string_equal(bench->text, "ONE=abc\nTEST_INHERITED=def\n");
    assert_int_equal(try_values(bench, program, NULL, (const char *const[]){"abc", "defg"}),
                     BATON_TOO_LONG);
    assert_int_equal(try_values(bench, program, (const char *const[]){"a program", NULL}, NULL),
                     BATON_TOO_LONG);
    assert_int_equal(try_values(bench, program, (const char *const[]){"prog", NULL},
                                (const char *const[]){"abc", NULL}),
                     BATON_TOO_LONG);
    bench_expect_silence(bench);
    run(bench, program, NULL, (const char *const[]){"abcdef", NULL});
    assert_string_equal(bench->text, "ONE=abcdef\nTEST_INHERITED=(unset)\n");
    platform_program_destroy(&program);
}

static void test_bad_names(void **state) {
    struct bench *bench = *state;
    const char *const argv[] = {"program", NULL};
    const char *const names[] = {"", "A=B", "\xff"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct platform_program_spec spec = {
            .path = "/program", .argv = argv, .variables = (const char *const[]){names[i], NULL}};
        struct platform_program *program = NULL;
        assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                         BATON_INVALID);
        assert_null(program);
    }
}

static int set_environment(void **state) {
    (void)state;
    system_set_variable("TEST_INHERITED", "of the supervisor");
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_values),
        WITH_BENCH(test_an_empty_value),
        WITH_BENCH(test_beside_the_channel),
        WITH_BENCH(test_arguments),
        WITH_BENCH(test_the_room_is_kept_to),
        WITH_BENCH(test_bad_names),
    };
    return cmocka_run_group_tests_name("each_launch", tests, set_environment, NULL);
}
