/* What holds a program back: limits of its job, a token that allows less. Wine is not Windows: Wine
 * 8 takes limits and the integrity level, and keeps neither, so the calls are replaced in this
 * program's own import table by ones that write down what was asked for. Groups and privileges of
 * the token it has, and the child tells them. And who may come at a pipe; Wine keeps the list of
 * who may open it, and has one user only, so that somebody else is turned away is not seen there.
 */
#include "harness.h"

#include "core/base/identity.h"
#include "platform/win32/internal.h"

#include <accctrl.h>
#include <aclapi.h>
#include <wchar.h>

enum { ROUNDS = 6 };

typedef BOOL(WINAPI *set_job)(HANDLE job, JOBOBJECTINFOCLASS what, LPVOID value, DWORD bytes);
typedef BOOL(WINAPI *set_token)(HANDLE token, TOKEN_INFORMATION_CLASS what, LPVOID value,
                                DWORD bytes);

/* The entries of the import table, as the linker calls them. */
extern set_job __imp_SetInformationJobObject;
extern set_token __imp_SetTokenInformation;

typedef HANDLE(WINAPI *make_pipe)(LPCWSTR name, DWORD open_mode, DWORD pipe_mode, DWORD count,
                                  DWORD out_bytes, DWORD in_bytes, DWORD timeout_ms,
                                  LPSECURITY_ATTRIBUTES access);

extern make_pipe __imp_CreateNamedPipeW;

static make_pipe real_make_pipe;
static struct {
    wchar_t name[64];
    DWORD open_mode, pipe_mode, count;
} made_pipe;

static HANDLE WINAPI note_pipe(LPCWSTR name, DWORD open_mode, DWORD pipe_mode, DWORD count,
                               DWORD out_bytes, DWORD in_bytes, DWORD timeout_ms,
                               LPSECURITY_ATTRIBUTES access) {
    size_t length = wcslen(name);
    assert_true(length < sizeof made_pipe.name / sizeof made_pipe.name[0]);
    memcpy(made_pipe.name, name, (length + 1) * sizeof *name);
    made_pipe.open_mode = open_mode;
    made_pipe.pipe_mode = pipe_mode;
    made_pipe.count = count;
    return real_make_pipe(name, open_mode, pipe_mode, count, out_bytes, in_bytes, timeout_ms,
                          access);
}

static set_job real_set_job;
static set_token real_set_token;
static bool job_fails, token_fails;
static int job_count;
static JOBOBJECT_EXTENDED_LIMIT_INFORMATION asked;
static DWORD integrity;
static DWORD label_attributes;

static BOOL WINAPI note_job(HANDLE job, JOBOBJECTINFOCLASS what, LPVOID value, DWORD bytes) {
    assert_int_equal(what, JobObjectExtendedLimitInformation);
    assert_int_equal(bytes, sizeof asked);
    job_count++;
    memcpy(&asked, value, sizeof asked);
    if (job_fails) {
        SetLastError(ERROR_ACCESS_DENIED);
        return FALSE;
    }
    return real_set_job(job, what, value, bytes);
}

static BOOL WINAPI note_token(HANDLE token, TOKEN_INFORMATION_CLASS what, LPVOID value,
                              DWORD bytes) {
    if (what == TokenIntegrityLevel) {
        const TOKEN_MANDATORY_LABEL *label = value;
        integrity = *GetSidSubAuthority(label->Label.Sid, 0);
        label_attributes = label->Label.Attributes;
    }
    if (token_fails) {
        SetLastError(ERROR_ACCESS_DENIED);
        return FALSE;
    }
    return real_set_token(token, what, value, bytes);
}

static void make_writable(void *entry) {
    DWORD ignored;
    assert_true(VirtualProtect(entry, sizeof(void *), PAGE_READWRITE, &ignored));
}

static int replace_imports(void **state) {
    (void)state;
    make_writable(&__imp_SetInformationJobObject);
    make_writable(&__imp_SetTokenInformation);
    make_writable(&__imp_CreateNamedPipeW);
    real_make_pipe = __imp_CreateNamedPipeW;
    __imp_CreateNamedPipeW = note_pipe;
    real_set_job = __imp_SetInformationJobObject;
    real_set_token = __imp_SetTokenInformation;
    __imp_SetInformationJobObject = note_job;
    __imp_SetTokenInformation = note_token;
    return 0;
}

static void launch_and_end(struct bench *bench, struct platform_program *program) {
    struct platform_process *process;
    uint64_t token = bench_token(bench);
    assert_int_equal(bench_try_launch(bench, program, token, &process), BATON_OK);
    assert_int_equal(bench_finish(bench, &process, token).code, 0);
}

/* ---- Limits ---- */

static struct identity no_limits(void) {
    struct identity identity = {.uid = IDENTITY_SAME, .gid = IDENTITY_SAME};
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        identity.limits[i] = IDENTITY_SAME;
    }
    return identity;
}

static void test_limits_are_those_of_the_job(void **state) {
    struct bench *bench = *state;
    static const struct {
        enum identity_limit limit;
        uint32_t value;
        DWORD flag;
    } rows[] = {{LIMIT_MEMORY_KIB, 8u << 20, JOB_OBJECT_LIMIT_JOB_MEMORY},
                {LIMIT_CPU_S, 90, JOB_OBJECT_LIMIT_JOB_TIME},
                {LIMIT_PROCESSES_COUNT, 5, JOB_OBJECT_LIMIT_ACTIVE_PROCESS}};
    for (unsigned mask = 1; mask < 8; mask++) {
        struct identity identity = no_limits();
        DWORD flags = 0;
        for (size_t i = 0; i < 3; i++) {
            bool is_set = (mask & 1u << i) != 0;
            identity.limits[rows[i].limit] = is_set ? rows[i].value : IDENTITY_UNLIMITED;
            flags |= is_set ? rows[i].flag : 0;
        }
        struct platform_program_spec spec = {.has_channel = true, .identity = &identity};
        struct platform_program *program = BENCH_RECIPE(bench, spec, "exit:0");
        job_count = 0;
        launch_and_end(bench, program);
        assert_int_equal(job_count, 1);
        /* Neither breakaway nor kill-on-close. */
        assert_int_equal(asked.BasicLimitInformation.LimitFlags, flags);
        assert_true(asked.JobMemoryLimit == ((mask & 1) != 0 ? (SIZE_T)8 << 30 : 0));
        assert_int_equal(asked.BasicLimitInformation.PerJobUserTimeLimit.QuadPart,
                         (mask & 2) != 0 ? 900000000 : 0);
        assert_int_equal(asked.BasicLimitInformation.ActiveProcessLimit, (mask & 4) != 0 ? 5 : 0);
        platform_program_destroy(&program);
    }
}

static void test_without_limits_nothing_is_set(void **state) {
    struct bench *bench = *state;
    struct identity identity = no_limits();
    identity.limits[LIMIT_FILES_COUNT] = 64; /* POSIX alone has these */
    identity.limits[LIMIT_CORE_KIB] = 0;
    const struct identity *const none[] = {NULL, &identity};
    job_count = 0;
    for (size_t i = 0; i < 2; i++) {
        struct platform_program_spec spec = {.has_channel = true, .identity = none[i]};
        struct platform_program *program = BENCH_RECIPE(bench, spec, "exit:0");
        launch_and_end(bench, program);
        platform_program_destroy(&program);
    }
    assert_int_equal(job_count, 0);
}

/* Of ROUNDS failures a leak would be at least one handle each. Others come and go: the pool's
 * threads have some. */
static void expect_no_leak(size_t before_count) {
    assert_true(system_descriptor_count() < before_count + ROUNDS / 2);
}

/* A limit that cannot be set is no launch without it. */
static void test_a_limit_that_is_refused(void **state) {
    struct bench *bench = *state;
    struct identity identity = no_limits();
    identity.limits[LIMIT_CPU_S] = 1;
    struct platform_program_spec spec = {.has_channel = true, .identity = &identity};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "exit:0");
    struct platform_process *process;
    launch_and_end(bench, program);
    size_t before = system_descriptor_count();
    job_fails = true;
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(bench_try_launch(bench, program, bench_token(bench), &process),
                         BATON_DENIED);
        assert_null(process);
        assert_string_equal(bench->cause.call, "SetInformationJobObject");
    }
    job_fails = false;
    expect_no_leak(before);
    launch_and_end(bench, program);
    platform_program_destroy(&program);
}

/* ---- The token ---- */

static struct platform_program *sandboxed(struct bench *bench, const char *const *actions) {
    struct platform_program_spec spec = {.has_channel = true, .is_sandboxed = true};
    return bench_recipe(bench, actions, spec);
}

static void test_a_token_that_allows_less(void **state) {
    struct bench *bench = *state;
    static const char *const actions[] = {"token", NULL};
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "token");
    bench_finish(bench, &process, token);
    assert_null(strstr(bench->text, "privileges=1 "));
    assert_non_null(strstr(bench->text, "administrators=enabled"));

    bench_forget_text(bench);
    integrity = 0;
    struct platform_program *program = sandboxed(bench, actions);
    assert_int_equal(integrity, SECURITY_MANDATORY_LOW_RID);
    assert_int_equal(label_attributes, SE_GROUP_INTEGRITY);
    launch_and_end(bench, program);
    assert_non_null(strstr(bench->text, "privileges=1 SeChangeNotifyPrivilege=1 "));
    assert_non_null(strstr(bench->text, "administrators=denied"));
    platform_program_destroy(&program);
}

/* Channel, output and socket are its own to use, and we may speak for it. */
static void test_it_serves(void **state) {
    struct bench *bench = *state;
    static const char *const actions[] = {"hello", "serve", NULL};
    struct platform_program *program = sandboxed(bench, actions);
    for (int i = 0; i < 2; i++) {
        struct bench_connection connection = bench_connect(bench);
        struct platform_process *process;
        uint64_t token = bench_token(bench);
        uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
        char answer[64];
        assert_int_equal(bench_try_launch(bench, program, token, &process), BATON_OK);
        bench_receive(bench, process, token, frame);
        assert_int_equal(platform_process_speaker(process, platform_process_pid(process)),
                         platform_process_pid(process));
        assert_int_equal(bench_offer(bench, process, connection.socket), BATON_OK);
        bench_close_socket(bench, &connection.socket);
        client_send(connection.client, "words");
        client_end_sending(connection.client);
        client_receive_all(connection.client, answer, sizeof answer);
        assert_string_equal(answer, "words");
        assert_int_equal(bench_finish(bench, &process, token).code, 0);
        assert_non_null(strstr(bench->text, "blocking=1 inheritable=0 peer=1 shutdown=1"));
        bench_forget_text(bench);
        bench_disconnect(bench, &connection);
    }
    platform_program_destroy(&program);
}

/* A token that cannot be had is no program with ours. */
static void test_a_token_that_is_refused(void **state) {
    struct bench *bench = *state;
    const char *const argv[] = {"child", "exit:0", NULL};
    struct platform_program_spec spec = {
        .path = bench_child_path(), .argv = argv, .launch_bytes = 1000, .is_sandboxed = true};
    struct platform_program *program;
    size_t before = system_descriptor_count();
    token_fails = true;
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                         BATON_DENIED);
        assert_null(program);
        assert_string_equal(bench->cause.call, "SetTokenInformation");
    }
    token_fails = false;
    expect_no_leak(before);
}

/* ---- Pipes ---- */

static void expect_ace(PACL list, DWORD index, PSID who) {
    ACCESS_ALLOWED_ACE *ace;
    assert_true(GetAce(list, index, (void **)&ace));
    assert_int_equal(ace->Header.AceType, ACCESS_ALLOWED_ACE_TYPE);
    /* As it was asked for, or as the system maps it for a pipe. */
    assert_true(ace->Mask == GENERIC_ALL || ace->Mask == FILE_ALL_ACCESS);
    assert_true(EqualSid(&ace->SidStart, who));
}

/* What the system itself says of the pipe: its owner is in it, the system is, and nobody else. */
static void expect_owner_and_system(HANDLE pipe) {
    union {
        TOKEN_USER user;
        BYTE room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
    } own;
    BYTE system[SECURITY_MAX_SID_SIZE];
    DWORD own_bytes = sizeof own, system_bytes = sizeof system;
    PSECURITY_DESCRIPTOR descriptor;
    PACL list = NULL;
    HANDLE token;
    assert_true(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
    assert_true(GetTokenInformation(token, TokenUser, &own, own_bytes, &own_bytes));
    CloseHandle(token);
    assert_true(CreateWellKnownSid(WinLocalSystemSid, NULL, system, &system_bytes));
    assert_int_equal(GetSecurityInfo(pipe, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL,
                                     &list, NULL, &descriptor),
                     ERROR_SUCCESS);
    assert_non_null(list);
    assert_int_equal(list->AceCount, 2);
    expect_ace(list, 0, own.user.User.Sid);
    expect_ace(list, 1, system);
    LocalFree(descriptor);
}

static void expect_nobody_else(const wchar_t *name) {
    HANDLE other = real_make_pipe(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 2, 16, 16, 0, NULL);
    assert_ptr_equal(other, INVALID_HANDLE_VALUE);
    other = CreateFileW(name, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_ptr_equal(other, INVALID_HANDLE_VALUE);
    other = CreateFileW(name, GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_ptr_equal(other, INVALID_HANDLE_VALUE);
}

/* The channel, a pump's streams and a process's output are all made by this call. */
static void test_pipes_are_the_owners_and_the_systems(void **state) {
    static const wchar_t prefix[] = L"\\\\.\\pipe\\baton-";
    struct bench *bench = *state;
    wchar_t before[64] = L"";
    for (int to_us = 0; to_us < 2; to_us++) {
        struct pipe_end end = {0};
        HANDLE theirs;
        size_t length = sizeof prefix / sizeof prefix[0] - 1;
        assert_int_equal(
            win32_pipe_open(&end, to_us ? PIPE_TO_US : PIPE_FROM_US, 4096, &theirs, &bench->cause),
            BATON_OK);
        assert_int_not_equal(made_pipe.open_mode & FILE_FLAG_FIRST_PIPE_INSTANCE, 0);
        assert_int_not_equal(made_pipe.pipe_mode & PIPE_REJECT_REMOTE_CLIENTS, 0);
        assert_int_equal(made_pipe.count, 1);
        assert_int_equal(wcsncmp(made_pipe.name, prefix, length), 0);
        assert_int_equal(wcslen(made_pipe.name + length), 32); /* digits of 128 random bits */
        assert_int_equal(wcsspn(made_pipe.name + length, L"0123456789abcdef"), 32);
        assert_int_not_equal(wcscmp(made_pipe.name, before), 0);
        memcpy(before, made_pipe.name, sizeof before);
        expect_owner_and_system(end.handle);
        expect_owner_and_system(theirs);
        expect_nobody_else(made_pipe.name);
        CloseHandle(theirs);
        win32_pipe_close(&end);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_limits_are_those_of_the_job),
        WITH_BENCH(test_without_limits_nothing_is_set),
        WITH_BENCH(test_a_limit_that_is_refused),
        WITH_BENCH(test_a_token_that_allows_less),
        WITH_BENCH(test_it_serves),
        WITH_BENCH(test_a_token_that_is_refused),
        WITH_BENCH(test_pipes_are_the_owners_and_the_systems),
    };
    return cmocka_run_group_tests_name("win32_confine", tests, replace_imports, NULL);
}
