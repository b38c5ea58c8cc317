/* How a job ends, and how its end reads. Wine is not Windows: a pass there shows what Wine does. It
 * ends a job at once, where Windows only begins to, so the call is replaced in this program's own
 * import table by one that leaves the job alone. */
#include "harness.h"

#include <windows.h>

typedef BOOL(WINAPI *terminate_job)(HANDLE job, UINT code);

/* The entry of the import table, as the linker calls it. */
extern terminate_job __imp_TerminateJobObject;

static terminate_job real_terminate;
static bool terminates_late;
static HANDLE told_job;
static UINT told_code;
static int told_count;

static BOOL WINAPI terminate_late(HANDLE job, UINT code) {
    told_job = job;
    told_code = code;
    told_count++;
    return terminates_late ? TRUE : real_terminate(job, code);
}

static int replace_import(void **state) {
    (void)state;
    DWORD before;
    DWORD ignored;
    void *const entry = &__imp_TerminateJobObject;
    assert_true(VirtualProtect(entry, sizeof(void *), PAGE_READWRITE, &before));
    real_terminate = __imp_TerminateJobObject;
    __imp_TerminateJobObject = terminate_late;
    assert_true(VirtualProtect(entry, sizeof(void *), before, &ignored));
    return 0;
}

static uint32_t grandchild_of(const struct bench *bench) {
    const char *at = strstr(bench->text, "grandchild ");
    assert_non_null(at);
    return (uint32_t)strtoul(at + strlen("grandchild "), NULL, 10);
}

/* A leader whose grandchild lives on after it, although the end of the job was ordered. */
static struct platform_process *launch_unending(struct bench *bench, uint64_t *token) {
    struct platform_process *process =
        LAUNCH(bench, token, "grandchild", "print:ready", "wait-for-end", "exit:4");
    bench_await_text(bench, "ready\n");
    terminates_late = true;
    told_count = 0;
    platform_channel_close(process);
    return process;
}

static void test_exit_waits_for_who_is_still_ending(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = launch_unending(bench, &token);
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
    while (told_count == 0 && platform_now_us(bench->platform) < deadline_us) {
        struct platform_event event = {0};
        platform_wait(bench->platform, &event, 1, platform_now_us(bench->platform) + 10000u,
                      &bench->cause);
        /* Told again, it has waited for as long as it may; then this machine was too slow. */
        assert_true(event.kind != PLATFORM_EVENT_EXIT || told_count > 1);
    }
    assert_int_not_equal(told_count, 0);
    terminates_late = false;
    assert_true(real_terminate(told_job, told_code));
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_false(system_process_lives(grandchild_of(bench)));
    assert_int_equal(platform_process_exit(process).code, 4);
    platform_process_close(&process);
}

static void test_exit_does_not_wait_for_ever(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = launch_unending(bench, &token);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_true(system_process_lives(grandchild_of(bench)));
    assert_int_equal(platform_process_exit(process).code, 4);
    terminates_late = false;
    assert_true(real_terminate(told_job, told_code));
    platform_process_close(&process);
}

/* Closing is allowed at any time. */
static void test_close_while_somebody_is_ending(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = launch_unending(bench, &token);
    assert_true(system_process_ends(platform_process_pid(process)));
    assert_false(bench_has(bench, PLATFORM_EVENT_EXIT, token));
    terminates_late = false;
    platform_process_close(&process);
    assert_true(system_process_ends(grandchild_of(bench)));
    assert_false(bench_has(bench, PLATFORM_EVENT_EXIT, token));
}

static void test_a_leader_alone_needs_no_end(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    told_count = 0;
    struct platform_process *process = LAUNCH(bench, &token, "exit:0");
    bench_finish(bench, &process, token);
    assert_int_equal(told_count, 0);
}

static void test_exit_waits_for_the_whole_job(void **state) {
    struct bench *bench = *state;
    for (int round = 0; round < 5; round++) {
        uint64_t token;
        int lived_count = 0;
        struct platform_process *process =
            LAUNCH(bench, &token, "grandchild", "grandchild", "grandchild", "print:ready", "read");
        bench_await_text(bench, "ready\n");
        platform_channel_close(process);
        bench_await(bench, PLATFORM_EVENT_EXIT, token);
        const char *at = bench->text;
        while ((at = strstr(at, "grandchild ")) != NULL) {
            at += strlen("grandchild ");
            assert_false(system_process_lives((uint32_t)strtoul(at, NULL, 10)));
            lived_count++;
        }
        assert_int_equal(lived_count, 3);
        assert_int_equal(platform_process_exit(process).code, 0);
        platform_process_close(&process);
        bench_forget_events(bench);
        bench_forget_text(bench);
    }
}

static void test_exceptions_are_told_from_exit_codes(void **state) {
    struct bench *bench = *state;
    const struct {
        const char *action;
        uint32_t code;
        bool by_signal;
    } cases[] = {{"exit:2147483651", 0x80000003u, true},  {"exit:3762504530", 0xE0434352u, true},
                 {"exit:3765269347", 0xE06D7363u, true},  {"exit:3221225477", 0xC0000005u, true},
                 {"exit:2147483649", 0x80000001u, false}, {"exit:4294967295", UINT32_MAX, false},
                 {"exit:3758096385", 0xE0000001u, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t token;
        struct platform_process *process = LAUNCH(bench, &token, cases[i].action);
        struct platform_exit how = bench_finish(bench, &process, token);
        assert_int_equal(how.code, cases[i].code);
        assert_int_equal(how.by_signal, cases[i].by_signal);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_exit_waits_for_who_is_still_ending),
        WITH_BENCH(test_exit_does_not_wait_for_ever),
        WITH_BENCH(test_close_while_somebody_is_ending),
        WITH_BENCH(test_a_leader_alone_needs_no_end),
        WITH_BENCH(test_exit_waits_for_the_whole_job),
        WITH_BENCH(test_exceptions_are_told_from_exit_codes),
    };
    return cmocka_run_group_tests_name("win32_job", tests, replace_import, NULL);
}
