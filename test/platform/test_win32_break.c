/* Ctrl-Break for programs without a channel, by a helper. Wine is not Windows: it knows Ctrl-C and
 * no Ctrl-Break (error 6), so the helper is mostly this program, which sends that in its place, to
 * programs that were launched without CREATE_NEW_PROCESS_GROUP, which keeps Ctrl-C from them; all
 * else is as it is. */
#include "harness.h"

#include "platform/win32/breaker.h"
#include "platform/windows_service.h"

#include <stdio.h>
#include <wchar.h>

/* What the helper is to do, from the environment that it inherits. */
#define PLAY L"BATON_TEST_BREAK"

static wchar_t own_path[4096], batond_path[4200];

/* ---- As the helper ---- */

typedef BOOL(WINAPI *generate_event)(DWORD event, DWORD group);
extern generate_event __imp_GenerateConsoleCtrlEvent;
static generate_event real_generate;

static BOOL WINAPI generate_ctrl_c(DWORD event, DWORD group) {
    return event == CTRL_BREAK_EVENT && group != 0 && real_generate(CTRL_C_EVENT, 0);
}

static void hang(void) {
    Sleep(INFINITE);
}

static void help(const char *section) {
    wchar_t play[32] = L"";
    DWORD ignored;
    GetEnvironmentVariableW(PLAY, play, 32);
    if (wcscmp(play, L"hang") == 0) {
        hang();
    } else if (wcscmp(play, L"end") == 0) {
        ExitProcess(0);
    } else if (wcscmp(play, L"fail") == 0) {
        ExitProcess(ERROR_NOT_ENOUGH_MEMORY);
    }
    VirtualProtect(&__imp_GenerateConsoleCtrlEvent, sizeof(void *), PAGE_READWRITE, &ignored);
    real_generate = __imp_GenerateConsoleCtrlEvent;
    __imp_GenerateConsoleCtrlEvent = generate_ctrl_c;
    SetConsoleCtrlHandler(NULL, TRUE); /* it comes to all who share the console */
    platform_windows_service_break(section);
}

/* ---- As who has it run ---- */

static void use_helper(const wchar_t *path, const wchar_t *play) {
    win32_breaker_program = path;
    SetEnvironmentVariableW(PLAY, play);
    win32_break_bound_ms = 60000;
}

static const char *beside(const char *name) {
    static char path[4200];
    struct baton_cause cause;
    char directory[4096];
    assert_int_equal(platform_own_directory(directory, sizeof directory, &cause), BATON_OK);
    snprintf(path, sizeof path, "%s\\%s", directory, name);
    return path;
}

/* The first helper is not launched until all have been asked for, and hangs. The next ones have
 * told the first, and the second takes for ever; who comes alone is told. The page says so before
 * they begin: however long that takes, it is as if they had got there. */
typedef BOOL(WINAPI *make_process)(LPCWSTR path, LPWSTR command_line, LPSECURITY_ATTRIBUTES process,
                                   LPSECURITY_ATTRIBUTES thread, BOOL inherits, DWORD flags,
                                   LPVOID environment, LPCWSTR directory, LPSTARTUPINFOW startup,
                                   LPPROCESS_INFORMATION made);
extern make_process __imp_CreateProcessW;
static make_process real_make;
static HANDLE all_asked; /* NULL = nobody waits */
static volatile LONG helper_count;

static const wchar_t *play_of_next(LPCWSTR command_line) {
    const wchar_t *section = wcsrchr(command_line, L' ');
    if (helper_count++ == 0) {
        return L"hang";
    }
    HANDLE handle = (HANDLE)(uintptr_t)wcstoul(section + 1, NULL, 10);
    struct break_page *page = MapViewOfFile(handle, FILE_MAP_WRITE, 0, 0, sizeof *page);
    InterlockedExchange(&page->results[0], 0);
    const wchar_t *play = page->count > 1 ? L"hang" : L"end";
    UnmapViewOfFile(page);
    return play;
}

static BOOL WINAPI make_when_asked(LPCWSTR path, LPWSTR command_line, LPSECURITY_ATTRIBUTES process,
                                   LPSECURITY_ATTRIBUTES thread, BOOL inherits, DWORD flags,
                                   LPVOID environment, LPCWSTR directory, LPSTARTUPINFOW startup,
                                   LPPROCESS_INFORMATION made) {
    if (all_asked != NULL && (flags & DETACHED_PROCESS) != 0) {
        WaitForSingleObject(all_asked, INFINITE);
        SetEnvironmentVariableW(PLAY, play_of_next(command_line));
    }
    return real_make(path, command_line, process, thread, inherits,
                     flags & ~(DWORD)CREATE_NEW_PROCESS_GROUP, environment, directory, startup,
                     made);
}

static int find_helpers(void **state) {
    DWORD ignored;
    (void)state;
    assert_true(VirtualProtect(&__imp_CreateProcessW, sizeof(void *), PAGE_READWRITE, &ignored));
    real_make = __imp_CreateProcessW;
    __imp_CreateProcessW = make_when_asked;
    assert_true(GetModuleFileNameW(NULL, own_path, 4096) > 0);
    assert_int_equal(win32_text_to_room(beside("..\\bin\\batond.exe"), batond_path, 4200),
                     BATON_OK);
    return 0;
}

static struct platform_process *start(struct bench *bench, const char *name,
                                      const char *const *argv, uint64_t *token) {
    const struct platform_program_spec spec = {.path = beside(name), .argv = argv};
    struct platform_launch launch = {.output = bench->output, .token = bench_token(bench)};
    struct platform_program *program;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    launch.program = program;
    *token = launch.token;
    bench_forget_text(bench);
    struct platform_launched made = bench_start(bench, &launch);
    platform_program_destroy(&program);
    return made.process;
}

/* One that waits for a Ctrl-Break, and then ends with 7. */
static struct platform_process *start_console(struct bench *bench, uint64_t *token) {
    const char *const argv[] = {"console", "break", "7", NULL};
    struct platform_process *process = start(bench, "platform_console.exe", argv, token);
    bench_await_text(bench, "here");
    return process;
}

/* Its job was ended. */
static void assert_deaf(struct bench *bench, struct platform_process *process, uint64_t token,
                        const char *call, DWORD code) {
    struct baton_cause cause = {0};
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_int_equal(platform_process_exit(process).code, 0xC000013Au);
    assert_true(platform_process_was_deaf(process, &cause));
    assert_string_equal(cause.call, call);
    assert_int_equal(cause.system_code, code);
}

/* Its output still comes, so its standard handles are what they were. */
static void test_a_program_is_told(void **state) {
    struct bench *bench = *state;
    struct baton_cause cause;
    uint64_t token;
    use_helper(own_path, NULL);
    struct platform_process *process = start_console(bench, &token);
    assert_false(platform_process_was_deaf(process, &cause));
    platform_process_signal(process, PLATFORM_TERMINATE);
    bench_await_text(bench, "told");
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_int_equal(platform_process_exit(process).code, 7);
    assert_false(platform_process_was_deaf(process, &cause));
    platform_process_close(&process);
}

static void test_each_has_a_console_of_its_own(void **state) {
    struct bench *bench = *state;
    struct baton_cause cause;
    uint64_t first_token, second_token;
    use_helper(own_path, NULL);
    struct platform_process *first = start_console(bench, &first_token);
    struct platform_process *second = start_console(bench, &second_token);
    platform_process_signal(second, PLATFORM_TERMINATE);
    bench_await(bench, PLATFORM_EVENT_EXIT, second_token);
    assert_int_equal(platform_process_exit(second).code, 7);
    assert_false(platform_process_has_ended(first));
    platform_process_signal(first, PLATFORM_TERMINATE);
    bench_await(bench, PLATFORM_EVENT_EXIT, first_token);
    assert_int_equal(platform_process_exit(first).code, 7);
    assert_false(platform_process_was_deaf(first, &cause));
    platform_process_close(&first);
    platform_process_close(&second);
}

/* Windows tells the program; Wine 8 does not, and so it is ended. */
static void test_by_batond_itself(void **state) {
    struct bench *bench = *state;
    struct baton_cause cause;
    uint64_t token;
    use_helper(batond_path, NULL);
    struct platform_process *process = start_console(bench, &token);
    platform_process_signal(process, PLATFORM_TERMINATE);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    bool is_deaf = platform_process_was_deaf(process, &cause);
    assert_int_equal(platform_process_exit(process).code, is_deaf ? 0xC000013Au : 7);
    if (is_deaf) {
        assert_string_equal(cause.call, "GenerateConsoleCtrlEvent");
        assert_int_equal(cause.system_code, ERROR_INVALID_HANDLE);
    }
    platform_process_close(&process);
}

/* As programs are that have windows. */
static void test_a_program_without_a_console_is_ended(void **state) {
    struct bench *bench = *state;
    const char *const argv[] = {"child", "hold", NULL};
    uint64_t token;
    use_helper(batond_path, NULL);
    struct platform_process *process = start(bench, "platform_child.exe", argv, &token);
    platform_process_signal(process, PLATFORM_TERMINATE);
    assert_deaf(bench, process, token, "AttachConsole", ERROR_INVALID_HANDLE);
    platform_process_close(&process);
}

static void test_a_helper_that_is_not_there(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    use_helper(L"C:\\no such folder\\batond.exe", NULL);
    struct platform_process *process = start_console(bench, &token);
    platform_process_signal(process, PLATFORM_TERMINATE);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    struct baton_cause cause = {0};
    assert_true(platform_process_was_deaf(process, &cause));
    assert_string_equal(cause.call, "batond service break");
    platform_process_close(&process);
}

static void test_a_helper_that_fails(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    use_helper(own_path, L"fail");
    struct platform_process *process = start_console(bench, &token);
    platform_process_signal(process, PLATFORM_TERMINATE);
    assert_deaf(bench, process, token, "batond service break", ERROR_NOT_ENOUGH_MEMORY);
    platform_process_close(&process);
}

static void test_a_helper_that_hangs(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    use_helper(own_path, L"hang");
    win32_break_bound_ms = 50;
    struct platform_process *process = start_console(bench, &token);
    platform_process_signal(process, PLATFORM_TERMINATE);
    assert_deaf(bench, process, token, "batond service break", WAIT_TIMEOUT);
    platform_process_close(&process);
}

/* The deadline behind it does not wait for that. */
static void test_a_kill_while_a_helper_hangs(void **state) {
    struct bench *bench = *state;
    struct baton_cause cause;
    uint64_t token;
    use_helper(own_path, L"hang");
    struct platform_process *process = start_console(bench, &token);
    platform_process_signal(process, PLATFORM_TERMINATE);
    platform_process_signal(process, PLATFORM_KILL);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_int_equal(platform_process_exit(process).code, 0xC000013Au);
    assert_false(platform_process_was_deaf(process, &cause));
    platform_process_close(&process);
}

#define HELD_COUNT 3

/* The helper is at nobody but the second, who is ended for that. The first request has a helper of
 * its own, which holds the thread until the others are all there. */
static void test_one_that_holds_a_helper_does_not_hold_others(void **state) {
    struct bench *bench = *state;
    struct platform_process *processes[HELD_COUNT + 1];
    uint64_t tokens[HELD_COUNT + 1];
    struct baton_cause cause;
    for (size_t i = 0; i <= HELD_COUNT; i++) {
        processes[i] = start_console(bench, &tokens[i]);
    }
    use_helper(own_path, NULL);
    win32_break_bound_ms = 300;
    all_asked = CreateEventW(NULL, TRUE, FALSE, NULL);
    helper_count = 0;
    platform_process_signal(processes[HELD_COUNT], PLATFORM_TERMINATE);
    for (size_t i = 0; i < HELD_COUNT; i++) {
        platform_process_signal(processes[i], PLATFORM_TERMINATE);
    }
    SetEvent(all_asked);
    bench_await(bench, PLATFORM_EVENT_EXIT, tokens[HELD_COUNT]);
    bench_await(bench, PLATFORM_EVENT_EXIT, tokens[1]);
    assert_true(platform_process_was_deaf(processes[1], &cause));
    assert_int_equal(cause.system_code, WAIT_TIMEOUT);
    assert_false(platform_process_has_ended(processes[0]));
    assert_false(platform_process_was_deaf(processes[0], &cause));
    CloseHandle(all_asked);
    all_asked = NULL;
    for (size_t i = 0; i <= HELD_COUNT; i++) {
        bool has_ended = i == 1 || i == HELD_COUNT;
        if (!has_ended) {
            platform_process_signal(processes[i], PLATFORM_KILL);
            bench_await(bench, PLATFORM_EVENT_EXIT, tokens[i]);
        }
        assert_int_equal(platform_process_was_deaf(processes[i], &cause), has_ended);
        platform_process_close(&processes[i]);
    }
}

/* What has a channel was told by that. */
static void test_a_program_with_a_channel_is_ended(void **state) {
    struct bench *bench = *state;
    struct baton_cause cause;
    uint64_t token;
    use_helper(L"C:\\no such folder\\batond.exe", NULL);
    struct platform_process *process = LAUNCH(bench, &token, "hold");
    platform_process_signal(process, PLATFORM_TERMINATE);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_false(platform_process_was_deaf(process, &cause));
    platform_process_close(&process);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_program_is_told),
        WITH_BENCH(test_each_has_a_console_of_its_own),
        WITH_BENCH(test_by_batond_itself),
        WITH_BENCH(test_a_program_without_a_console_is_ended),
        WITH_BENCH(test_a_helper_that_is_not_there),
        WITH_BENCH(test_a_helper_that_fails),
        WITH_BENCH(test_a_helper_that_hangs),
        WITH_BENCH(test_a_kill_while_a_helper_hangs),
        WITH_BENCH(test_one_that_holds_a_helper_does_not_hold_others),
        WITH_BENCH(test_a_program_with_a_channel_is_ended),
    };
    if (argc == 4 && strcmp(argv[2], "break") == 0) {
        help(argv[3]);
    }
    return cmocka_run_group_tests_name("win32_break", tests, find_helpers, NULL);
}
