/* The life and the end of processes. */
#include "harness.h"

#include <stdio.h>

static void test_exit_codes(void **state) {
    struct bench *bench = *state;
    const struct {
        const char *action;
        uint32_t code;
    } cases[] = {{"exit:0", 0}, {"exit:7", 7}, {"exit:127", 127}, {"exit:255", 255}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t token;
        struct platform_process *process = LAUNCH(bench, &token, cases[i].action);
        assert_int_not_equal(platform_process_pid(process), 0);
        struct platform_exit how = bench_finish(bench, &process, token);
        assert_false(how.by_signal);
        assert_int_equal(how.code, cases[i].code);
    }
}

static void test_crash_is_told_from_an_exit_code(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "crash");
    struct platform_exit how = bench_finish(bench, &process, token);
    assert_true(how.by_signal);
    /* SIGSEGV, or STATUS_ACCESS_VIOLATION. */
    assert_int_equal(how.code, platform_backslash_separates ? 0xC0000005u : 11u);
}

static void test_exit_tells_what_it_has_cost(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    if (platform_backslash_separates) {
        skip(); /* Wine tells nothing of a job, or of others: test_win32_job.c */
    }
    struct platform_process *process = LAUNCH(bench, &token, "spend");
    struct platform_exit how = bench_finish(bench, &process, token);
    assert_true(how.cpu_us >= 50000);
    /* What is ours before its program begins is not told as its own. */
    size_t length = (size_t)16 << 20;
    volatile char *memory = malloc(length);
    assert_non_null((void *)memory);
    for (size_t i = 0; i < length; i += 1024) {
        memory[i] = 1;
    }
    process = LAUNCH(bench, &token, "exit:0");
    assert_int_equal(bench_finish(bench, &process, token).memory_peak_kib, 0);
    free((void *)memory);
    char action[32];
    uint32_t wanted_kib = system_memory_peak_kib() + (8 << 10);
    snprintf(action, sizeof action, "touch:%u", (unsigned)wanted_kib);
    process = LAUNCH(bench, &token, action);
    how = bench_finish(bench, &process, token);
    assert_true(how.memory_peak_kib >= wanted_kib - (4 << 10));
    assert_true(how.memory_peak_kib < 4 * wanted_kib);
    process = LAUNCH(bench, &token, "exit:0");
    assert_int_equal(bench_finish(bench, &process, token).memory_peak_kib, 0);
}

static void test_exit_is_told_once_to_each(void **state) {
    struct bench *bench = *state;
    struct platform_process *processes[BENCH_PROCESS_COUNT];
    uint64_t tokens[BENCH_PROCESS_COUNT];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
            char action[16];
            snprintf(action, sizeof action, "exit:%d", i + 1);
            processes[i] = LAUNCH(bench, &tokens[i], action);
        }
        for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
            /* harness.c fails the test if one is told twice before it was asked for. */
            bench_await(bench, PLATFORM_EVENT_EXIT, tokens[i]);
            assert_int_equal(platform_process_exit(processes[i]).code, i + 1);
        }
        for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
            assert_false(bench_has(bench, PLATFORM_EVENT_EXIT, tokens[i]));
            platform_process_close(&processes[i]);
        }
        bench_await_text(bench, ""); /* their output is read, so its places are free */
        bench_forget_text(bench);
    }
}

static void test_many_launches_leave_nothing(void **state) {
    struct bench *bench = *state;
    size_t before_count = system_descriptor_count();
    for (int round = 0; round < 15; round++) {
        struct platform_process *processes[BENCH_PROCESS_COUNT];
        uint64_t tokens[BENCH_PROCESS_COUNT];
        for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
            processes[i] = LAUNCH(bench, &tokens[i], "done:text", "exit:9");
        }
        /* In another order than they were launched, so that slots and pids part company. */
        for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
            int which = (i * 3 + round) % BENCH_PROCESS_COUNT;
            bench_await(bench, PLATFORM_EVENT_EXIT, tokens[which]);
            assert_int_equal(platform_process_exit(processes[which]).code, 9);
            platform_process_close(&processes[which]);
        }
        bench_forget_events(bench);
        bench_await_text(bench, "");
        bench_forget_text(bench);
    }
    /* Windows' own threads keep handles of their own. */
    if (!platform_backslash_separates) {
        bench_expect_descriptors(bench, before_count);
    }
}

static void test_exits_wait_for_room(void **state) {
    struct bench *bench = *state;
    struct platform_process *processes[BENCH_PROCESS_COUNT];
    uint64_t tokens[BENCH_PROCESS_COUNT];
    for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
        processes[i] = LAUNCH(bench, &tokens[i], "exit:0");
        assert_true(system_process_ends(platform_process_pid(processes[i])));
        platform_channel_close(processes[i]);
    }
    /* All have ended, and one signal may stand for several; each wait has room for one event. */
    int told_count = 0;
    while (told_count < BENCH_PROCESS_COUNT) {
        struct platform_event event;
        uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
        assert_int_equal(platform_wait(bench->platform, &event, 1, deadline_us, &bench->cause), 1);
        told_count += event.kind == PLATFORM_EVENT_EXIT;
    }
    for (int i = 0; i < BENCH_PROCESS_COUNT; i++) {
        platform_process_close(&processes[i]);
    }
}

/* What it says when it is known. */
static int measure(struct bench *bench, struct platform_process *process, uint64_t token,
                   uint32_t *resident_kib) {
    int result;
    while ((result = platform_process_resident(process, resident_kib)) == BATON_AGAIN) {
        bench_await(bench, PLATFORM_EVENT_MEASURED, token);
    }
    return result;
}

static void test_memory(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint32_t resident_kib = 0;
    struct platform_process *process = LAUNCH(bench, &token, "print:ready", "hold");
    bench_await_text(bench, "ready\n");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(measure(bench, process, token, &resident_kib), BATON_OK);
        assert_in_range(resident_kib, 16, 16u << 20);
    }
    system_kill(platform_process_pid(process));
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_int_equal(measure(bench, process, token, &resident_kib), BATON_GONE);
    platform_process_close(&process);
    /* One that is closed while it is measured leaves nothing. */
    process = LAUNCH(bench, &token, "hold");
    (void)platform_process_resident(process, &resident_kib);
    platform_process_close(&process);
}

static void test_kill_and_terminate(void **state) {
    struct bench *bench = *state;
    for (int i = 0; i < 2; i++) {
        uint64_t token;
        struct platform_process *process = LAUNCH(bench, &token, "print:ready", "hold");
        bench_await_text(bench, "ready\n");
        bench_forget_text(bench);
        platform_process_signal(process, i == 0 ? PLATFORM_KILL : PLATFORM_TERMINATE);
        bench_await(bench, PLATFORM_EVENT_EXIT, token);
        struct platform_exit how = platform_process_exit(process);
        /* Windows has no signals; the platform ends a job with STATUS_CONTROL_C_EXIT, which counts
         * as one, so that the record reads alike. */
        assert_true(how.by_signal);
        assert_int_equal(how.code, platform_backslash_separates ? 0xC000013Au : i == 0 ? 9u : 15u);
        /* Nothing happens any more, to nobody. */
        platform_process_signal(process, PLATFORM_KILL);
        platform_process_close(&process);
    }
}

static uint32_t number_after(const struct bench *bench, const char *word) {
    const char *at = strstr(bench->text, word);
    assert_non_null(at);
    return (uint32_t)strtoul(at + strlen(word), NULL, 10);
}

static void test_group_ends_with_its_leader(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "grandchild", "grandchild", "print:two", "read");
    bench_await_text(bench, "two\n");
    uint32_t first = number_after(bench, "grandchild ");
    assert_true(system_process_lives(first));
    platform_channel_close(process);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_false(platform_process_exit(process).by_signal);
    assert_true(system_process_ends(first));
    platform_process_close(&process);
}

/* Through the end of strays as well, unless they are asked for. */
static bool asked(void *context, const char *service) {
    assert_true(service == NULL || strcmp(service, "leaver") == 0);
    return *(bool *)context;
}

static void test_children_that_are_left(void **state) {
    struct bench *bench = *state;
    uint64_t token = bench_token(bench);
    struct platform_program_spec spec = {
        .has_channel = true, .leaves_children = true, .service = "leaver"};
    struct platform_program *program =
        BENCH_RECIPE(bench, spec, "grandchild", "print:ready", "read");
    struct platform_process *process;
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
    bool ends = false;
    struct platform_strays strays = {.context = &ends, .ends = asked};
    assert_int_equal(bench_try_launch(bench, program, token, &process), BATON_OK);
    bench_await_text(bench, "ready\n");
    uint32_t grandchild = number_after(bench, "grandchild ");
    platform_channel_close(process);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    platform_process_close(&process);
    assert_int_equal(platform_end_strays(bench->platform, &strays, deadline_us), 0);
    assert_true(system_process_lives(grandchild));
    if (platform_backslash_separates) {
        system_kill(grandchild);
    } else {
        assert_int_equal(strays.left_count, 1);
        ends = true;
        assert_int_equal(platform_end_strays(bench->platform, &strays, deadline_us), 1);
        assert_int_equal(strays.left_count, 0);
    }
    assert_true(system_process_ends(grandchild));
    platform_program_destroy(&program);
}

static void test_signal_reaches_the_whole_group(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "grandchild", "print:ready", "hold");
    bench_await_text(bench, "ready\n");
    uint32_t grandchild = number_after(bench, "grandchild ");
    platform_process_signal(process, PLATFORM_TERMINATE);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_true(system_process_ends(grandchild));
    platform_process_close(&process);
}

static void test_close_before_exit_kills_silently(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "grandchild", "print:ready", "hold");
    bench_await_text(bench, "ready\n");
    uint32_t leader = platform_process_pid(process);
    uint32_t grandchild = number_after(bench, "grandchild ");
    platform_process_close(&process);
    assert_null(process);
    platform_process_close(&process);
    assert_true(system_process_ends(leader));
    assert_true(system_process_ends(grandchild));
    bench_forget_events(bench);
    assert_false(bench_has(bench, PLATFORM_EVENT_EXIT, token));
    bench_forget_events(bench);
    /* Its slot is free again, and the next tenant hears only of itself. */
    struct platform_process *next = LAUNCH(bench, &token, "exit:3");
    assert_int_equal(bench_finish(bench, &next, token).code, 3);
}

static void test_strays_end_on_order(void **state) {
    struct bench *bench = *state;
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
    assert_int_equal(platform_end_strays(bench->platform, NULL, deadline_us), 0);

    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "escaped-grandchild", "print:ready", "read");
    uint64_t other_token;
    struct platform_process *other = LAUNCH(bench, &other_token, "wait-for-end", "exit:5");
    bench_await_text(bench, "ready\n");
    uint32_t stray = number_after(bench, "grandchild ");
    platform_channel_close(process);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    platform_process_close(&process);

    size_t ended_count = platform_end_strays(bench->platform, NULL, deadline_us);
    /* Nobody leaves a job, so on Windows there is nothing left to end. */
    assert_int_equal(ended_count, platform_backslash_separates ? 0 : 1);
    assert_true(system_process_ends(stray));
    /* A handler in the table is no stray. */
    assert_true(system_process_lives(platform_process_pid(other)));
    platform_channel_close(other);
    assert_int_equal(bench_finish(bench, &other, other_token).code, 5);
}

static void test_closing_the_platform_leaves_handlers_alone(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "print:ready", "hold");
    bench_await_text(bench, "ready\n");
    uint32_t pid = platform_process_pid(process);
    bench_teardown(state);
    assert_true(system_process_lives(pid));
    system_kill(pid);
    assert_true(system_process_ends(pid));
    bench_setup(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_exit_codes),
        WITH_BENCH(test_crash_is_told_from_an_exit_code),
        WITH_BENCH(test_exit_tells_what_it_has_cost),
        WITH_BENCH(test_exit_is_told_once_to_each),
        WITH_BENCH(test_many_launches_leave_nothing),
        WITH_BENCH(test_exits_wait_for_room),
        WITH_BENCH(test_memory),
        WITH_BENCH(test_kill_and_terminate),
        WITH_BENCH(test_group_ends_with_its_leader),
        WITH_BENCH(test_children_that_are_left),
        WITH_BENCH(test_signal_reaches_the_whole_group),
        WITH_BENCH(test_close_before_exit_kills_silently),
        WITH_BENCH(test_strays_end_on_order),
        WITH_BENCH(test_closing_the_platform_leaves_handlers_alone),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
