/* How a process comes into its job, how a job ends, and how its end reads. Wine is not Windows: a
 * pass there shows what Wine does. It ends a job at once, where Windows only begins to, and takes
 * every job that a launch names, where Windows refuses that for packaged programs; so these calls
 * are replaced in this program's own import table. */
#include "harness.h"

#include "platform/win32/internal.h"

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

/* ---- A job that is refused where a launch names it ---- */

typedef BOOL(WINAPI *begin_attributes)(LPPROC_THREAD_ATTRIBUTE_LIST list, DWORD count, DWORD flags,
                                       PSIZE_T bytes);
typedef BOOL(WINAPI *set_attribute)(LPPROC_THREAD_ATTRIBUTE_LIST list, DWORD flags, DWORD_PTR what,
                                    PVOID value, SIZE_T bytes, PVOID before, PSIZE_T returned);
typedef BOOL(WINAPI *make_process)(LPCWSTR path, LPWSTR command_line, LPSECURITY_ATTRIBUTES process,
                                   LPSECURITY_ATTRIBUTES thread, BOOL inherits, DWORD flags,
                                   LPVOID environment, LPCWSTR directory, LPSTARTUPINFOW startup,
                                   LPPROCESS_INFORMATION made);
typedef BOOL(WINAPI *assign_process)(HANDLE job, HANDLE process);
typedef DWORD(WINAPI *resume_thread)(HANDLE thread);

extern begin_attributes __imp_InitializeProcThreadAttributeList;
extern set_attribute __imp_UpdateProcThreadAttribute;
extern make_process __imp_CreateProcessW;
extern assign_process __imp_AssignProcessToJobObject;
extern resume_thread __imp_ResumeThread;

static begin_attributes real_begin;
static set_attribute real_set;
static make_process real_make;
static assign_process real_assign;
static resume_thread real_resume;

static DWORD refusal; /* of a launch that names a job; 0 = none */
static bool list_is_refused, assign_fails, resume_fails;
static bool names_a_job; /* the launch at hand */
static int made_count;
static HANDLE made_process, made_thread; /* the last one; the process is a copy of ours */
static DWORD suspended_count;            /* of its thread, when the job took it */

static BOOL WINAPI begin_seen(LPPROC_THREAD_ATTRIBUTE_LIST list, DWORD count, DWORD flags,
                              PSIZE_T bytes) {
    names_a_job = false;
    return real_begin(list, count, flags, bytes);
}

static BOOL WINAPI set_or_not(LPPROC_THREAD_ATTRIBUTE_LIST list, DWORD flags, DWORD_PTR what,
                              PVOID value, SIZE_T bytes, PVOID before, PSIZE_T returned) {
    if (what == PROC_THREAD_ATTRIBUTE_JOB_LIST) {
        names_a_job = true;
        if (list_is_refused) {
            SetLastError(ERROR_NOT_SUPPORTED);
            return FALSE;
        }
    }
    return real_set(list, flags, what, value, bytes, before, returned);
}

static BOOL WINAPI make_or_not(LPCWSTR path, LPWSTR command_line, LPSECURITY_ATTRIBUTES process,
                               LPSECURITY_ATTRIBUTES thread, BOOL inherits, DWORD flags,
                               LPVOID environment, LPCWSTR directory, LPSTARTUPINFOW startup,
                               LPPROCESS_INFORMATION made) {
    if (refusal != 0 && names_a_job) {
        SetLastError(refusal);
        return FALSE;
    }
    if (!real_make(path, command_line, process, thread, inherits, flags, environment, directory,
                   startup, made)) {
        return FALSE;
    }
    made_count++;
    made_thread = made->hThread;
    assert_true(DuplicateHandle(GetCurrentProcess(), made->hProcess, GetCurrentProcess(),
                                &made_process, 0, FALSE, DUPLICATE_SAME_ACCESS));
    return TRUE;
}

static BOOL WINAPI assign_or_not(HANDLE job, HANDLE process) {
    suspended_count = SuspendThread(made_thread);
    real_resume(made_thread);
    if (assign_fails) {
        SetLastError(ERROR_ACCESS_DENIED);
        return FALSE;
    }
    return real_assign(job, process);
}

static DWORD WINAPI resume_or_not(HANDLE thread) {
    if (resume_fails) {
        SetLastError(ERROR_INVALID_HANDLE);
        return (DWORD)-1;
    }
    return real_resume(thread);
}

/* ---- What a job says that it has cost, which Wine does not ---- */

typedef BOOL(WINAPI *ask_job)(HANDLE job, JOBOBJECTINFOCLASS what, LPVOID out, DWORD bytes,
                              LPDWORD returned);
typedef BOOL(WINAPI *ask_times)(HANDLE process, LPFILETIME created, LPFILETIME ended,
                                LPFILETIME in_kernel, LPFILETIME in_user);

extern ask_job __imp_QueryInformationJobObject;
extern ask_times __imp_GetProcessTimes;

static ask_job real_ask;
static ask_times real_ask_times;
static enum { JOB_IS_REAL, JOB_TELLS, JOB_TELLS_NOTHING_USED, JOB_SAYS_NOTHING } job_answer;

/* Times in 100 ns. */
static BOOL WINAPI ask_or_not(HANDLE job, JOBOBJECTINFOCLASS what, LPVOID out, DWORD bytes,
                              LPDWORD returned) {
    if (job_answer == JOB_IS_REAL || (what != JobObjectBasicAccountingInformation &&
                                      what != JobObjectExtendedLimitInformation)) {
        return real_ask(job, what, out, bytes, returned);
    }
    memset(out, 0, bytes);
    if (job_answer == JOB_TELLS && what == JobObjectBasicAccountingInformation) {
        JOBOBJECT_BASIC_ACCOUNTING_INFORMATION *times = out;
        times->TotalUserTime.QuadPart = 1200000;
        times->TotalKernelTime.QuadPart = 34560;
    } else if (job_answer == JOB_TELLS) {
        ((JOBOBJECT_EXTENDED_LIMIT_INFORMATION *)out)->PeakProcessMemoryUsed = 9u << 20;
    }
    SetLastError(ERROR_ACCESS_DENIED);
    return job_answer != JOB_SAYS_NOTHING;
}

static BOOL WINAPI ask_times_or_not(HANDLE process, LPFILETIME created, LPFILETIME ended,
                                    LPFILETIME in_kernel, LPFILETIME in_user) {
    if (job_answer == JOB_IS_REAL) {
        return real_ask_times(process, created, ended, in_kernel, in_user);
    }
    *created = *ended = (FILETIME){0};
    *in_kernel = (FILETIME){.dwLowDateTime = 70};
    *in_user = (FILETIME){.dwHighDateTime = 1, .dwLowDateTime = 30};
    return TRUE;
}

static int replace_imports(void **state) {
    (void)state;
    DWORD ignored;
    void *const entries[] = {
        &__imp_TerminateJobObject,        &__imp_InitializeProcThreadAttributeList,
        &__imp_UpdateProcThreadAttribute, &__imp_CreateProcessW,
        &__imp_AssignProcessToJobObject,  &__imp_ResumeThread,
        &__imp_QueryInformationJobObject, &__imp_GetProcessTimes};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        assert_true(VirtualProtect(entries[i], sizeof(void *), PAGE_READWRITE, &ignored));
    }
    real_terminate = __imp_TerminateJobObject;
    real_begin = __imp_InitializeProcThreadAttributeList;
    real_set = __imp_UpdateProcThreadAttribute;
    real_make = __imp_CreateProcessW;
    real_assign = __imp_AssignProcessToJobObject;
    real_resume = __imp_ResumeThread;
    real_ask = __imp_QueryInformationJobObject;
    real_ask_times = __imp_GetProcessTimes;
    __imp_QueryInformationJobObject = ask_or_not;
    __imp_GetProcessTimes = ask_times_or_not;
    __imp_TerminateJobObject = terminate_late;
    __imp_InitializeProcThreadAttributeList = begin_seen;
    __imp_UpdateProcThreadAttribute = set_or_not;
    __imp_CreateProcessW = make_or_not;
    __imp_AssignProcessToJobObject = assign_or_not;
    __imp_ResumeThread = resume_or_not;
    return 0;
}

static uint32_t grandchild_of(const struct bench *bench) {
    const char *at = strstr(bench->text, "grandchild ");
    assert_non_null(at);
    return (uint32_t)strtoul(at + strlen("grandchild "), NULL, 10);
}

static void accept_all(void) {
    refusal = 0;
    list_is_refused = assign_fails = resume_fails = false;
    suspended_count = 0;
    made_count = 0;
    if (made_process != NULL) {
        CloseHandle(made_process);
        made_process = NULL;
    }
}

/* It waited, it is in the job before it does anything, and so are those whom it starts. */
static void expect_in_its_job(struct bench *bench) {
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "grandchild", "print:ready", "hello", "read");
    assert_int_equal(made_count, 1);
    assert_int_equal(suspended_count, 1);
    bench_await_text(bench, "ready\n");
    bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
    HANDLE leader;
    assert_int_equal(
        win32_process_open_member(process, platform_process_pid(process), &leader, &bench->cause),
        BATON_OK);
    CloseHandle(leader);
    uint32_t grandchild = grandchild_of(bench);
    assert_int_equal(platform_process_speaker(process, grandchild), grandchild);
    platform_channel_close(process);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_false(system_process_lives(grandchild_of(bench)));
    platform_process_close(&process);
    bench_forget_events(bench);
    bench_forget_text(bench);
    accept_all();
}

static void test_a_job_that_is_refused_at_the_launch(void **state) {
    static const DWORD refusals[] = {ERROR_ACCESS_DENIED, ERROR_NOT_SUPPORTED};
    struct bench *bench = *state;
    accept_all();
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        refusal = refusals[i];
        expect_in_its_job(bench);
    }
    list_is_refused = true;
    expect_in_its_job(bench);
}

static void expect_not_launched(struct bench *bench, const struct platform_program *program,
                                int result, const char *call) {
    struct platform_process *process;
    assert_int_equal(bench_try_launch(bench, program, bench_token(bench), &process), result);
    assert_null(process);
    assert_string_equal(bench->cause.call, call);
    if (made_count > 0) {
        assert_int_equal(made_count, 1);
        assert_int_equal(suspended_count, 1);
        assert_int_equal(WaitForSingleObject(made_process, 20000), WAIT_OBJECT_0);
    }
    accept_all();
    assert_string_equal(bench->text, "");
}

/* Without a job nobody runs: it ends before its first instruction, and nothing of it is left. */
static void test_who_does_not_come_into_the_job_never_runs(void **state) {
    enum { ROUNDS = 6 };
    struct bench *bench = *state;
    struct platform_program *program =
        BENCH_RECIPE(bench, (struct platform_program_spec){.has_channel = true}, "print:ran");
    size_t before_count = system_descriptor_count();
    accept_all();
    for (int round = 0; round < ROUNDS; round++) {
        refusal = ERROR_ACCESS_DENIED;
        assign_fails = round % 2 == 0;
        resume_fails = !assign_fails;
        expect_not_launched(bench, program, assign_fails ? BATON_DENIED : BATON_SYSTEM,
                            assign_fails ? "AssignProcessToJobObject" : "ResumeThread");
    }
    /* The pool's threads come and go; a leak would be at least one handle for each round. */
    assert_true(system_descriptor_count() < before_count + ROUNDS / 2);
    /* What is no refusal of the job is not tried twice. */
    refusal = ERROR_NO_SYSTEM_RESOURCES;
    expect_not_launched(bench, program, BATON_SHORTAGE, "CreateProcessW");
    bench_expect_silence(bench);
    platform_program_destroy(&program);
}

/* ---- The end ---- */

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

static struct platform_exit cost_of(struct bench *bench, int answer) {
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "exit:0");
    job_answer = answer;
    struct platform_exit how = bench_finish(bench, &process, token);
    job_answer = JOB_IS_REAL;
    return how;
}

static void test_exit_tells_what_the_job_says_it_has_cost(void **state) {
    struct bench *bench = *state;
    struct platform_exit how = cost_of(bench, JOB_TELLS);
    assert_int_equal(how.cpu_us, 123456);
    assert_int_equal(how.memory_peak_kib, 9 << 10);
    /* That of the leader is no better: in Wine it is ours. */
    assert_int_equal(cost_of(bench, JOB_TELLS_NOTHING_USED).cpu_us, 0);
    assert_int_equal(cost_of(bench, JOB_SAYS_NOTHING).cpu_us, ((1ull << 32) + 100) / 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_job_that_is_refused_at_the_launch),
        WITH_BENCH(test_who_does_not_come_into_the_job_never_runs),
        WITH_BENCH(test_exit_waits_for_who_is_still_ending),
        WITH_BENCH(test_exit_does_not_wait_for_ever),
        WITH_BENCH(test_close_while_somebody_is_ending),
        WITH_BENCH(test_a_leader_alone_needs_no_end),
        WITH_BENCH(test_exit_waits_for_the_whole_job),
        WITH_BENCH(test_exceptions_are_told_from_exit_codes),
        WITH_BENCH(test_exit_tells_what_the_job_says_it_has_cost),
    };
    return cmocka_run_group_tests_name("win32_job", tests, replace_imports, NULL);
}
