/* What the console tells: Ctrl-C, Ctrl-Break, close; and what must not hold up the end. Wine is not
 * Windows: a pass there shows what Wine does. */
#include "harness.h"

#include "platform/win32/internal.h"

#include <stdio.h>
#include <wchar.h>

#define STOPPED_EXIT_CODE 33
#define DEADLINE_MS 30000

typedef BOOL(WINAPI *set_handler)(PHANDLER_ROUTINE handler, BOOL add);
typedef BOOL(WINAPI *cancel_io)(HANDLE thread);
typedef ULONGLONG(WINAPI *count_ticks)(void);
typedef BOOL(WINAPI *queue_work)(LPTHREAD_START_ROUTINE work, PVOID argument, ULONG flags);

/* The entries of the import table, as the linker calls them. */
extern set_handler __imp_SetConsoleCtrlHandler;
extern cancel_io __imp_CancelSynchronousIo;
extern count_ticks __imp_GetTickCount64;
extern queue_work __imp_QueueUserWorkItem;

static set_handler real_set_handler;
static int removed_count;

static BOOL WINAPI set_handler_counted(PHANDLER_ROUTINE handler, BOOL add) {
    removed_count += !add;
    return real_set_handler(handler, add);
}

static BOOL WINAPI cancel_nothing(HANDLE thread) {
    (void)thread;
    SetLastError(ERROR_NOT_FOUND);
    return FALSE;
}

/* A clock on which 10 minutes pass from one look to the next. */
static ULONGLONG WINAPI count_in_leaps(void) {
    static ULONGLONG now_ms;
    return now_ms += 600000;
}

static LPTHREAD_START_ROUTINE kept_work;
static PVOID kept_argument;

/* A thread of the pool that takes its time. */
static BOOL WINAPI keep_work(LPTHREAD_START_ROUTINE work, PVOID argument, ULONG flags) {
    (void)flags;
    kept_work = work;
    kept_argument = argument;
    return TRUE;
}

static void make_writable(void *entry) {
    DWORD ignored;
    assert_true(VirtualProtect(entry, sizeof(void *), PAGE_READWRITE, &ignored));
}

static int replace_imports(void **state) {
    (void)state;
    make_writable(&__imp_SetConsoleCtrlHandler);
    make_writable(&__imp_CancelSynchronousIo);
    make_writable(&__imp_GetTickCount64);
    make_writable(&__imp_QueueUserWorkItem);
    real_set_handler = __imp_SetConsoleCtrlHandler;
    __imp_SetConsoleCtrlHandler = set_handler_counted;
    return 0;
}

/* To take it back would wait for one that runs, and that one waits for our end. */
static void test_the_handler_stays_when_all_is_closed(void **state) {
    removed_count = 0;
    assert_int_equal(bench_setup(state), 0);
    assert_int_equal(bench_teardown(state), 0);
    assert_int_equal(removed_count, 0);
}

/* The last user of Winsock closes what is open, and somebody else is opened under that number. */
static void test_a_close_on_its_way_closes_nobody_else(void **state) {
    queue_work real_queue = __imp_QueueUserWorkItem;
    DWORD flags;
    assert_int_equal(bench_setup(state), 0);
    HANDLE socket = (HANDLE)WSASocketW(AF_INET, SOCK_STREAM, 0, NULL, 0, 0);
    assert_true(socket != INVALID_HANDLE_VALUE);
    struct platform_socket closing = {.value = (uintptr_t)socket};
    __imp_QueueUserWorkItem = keep_work;
    platform_socket_close(((struct bench *)*state)->platform, &closing);
    __imp_QueueUserWorkItem = real_queue;
    assert_non_null(kept_work);
    assert_int_equal(bench_teardown(state), 0);
    assert_true(GetHandleInformation(socket, &flags));
    kept_work(kept_argument);
    assert_false(GetHandleInformation(socket, &flags));
}

static void test_a_log_that_cannot_be_broken_off(void **state) {
    static char text[1 << 19]; /* more than all buffers hold */
    struct bench *bench = *state;
    HANDLE before = GetStdHandle(STD_ERROR_HANDLE);
    HANDLE reader;
    HANDLE writer;
    cancel_io real_cancel = __imp_CancelSynchronousIo;
    memset(text, 'x', sizeof text);
    assert_true(CreatePipe(&reader, &writer, NULL, 4096));
    assert_true(SetStdHandle(STD_ERROR_HANDLE, writer));
    assert_int_equal(bench_log_open(bench, NULL), BATON_OK);
    assert_false(bench_log_write_all(bench, text, sizeof text, platform_now_us(bench->platform)));
    __imp_CancelSynchronousIo = cancel_nothing;
    assert_int_equal(bench_teardown(state), 0);
    __imp_CancelSynchronousIo = real_cancel;
    SetStdHandle(STD_ERROR_HANDLE, before);
    CloseHandle(reader); /* lets the writer go */
    CloseHandle(writer);
    assert_int_equal(bench_setup(state), 0);
}

static void test_ctrl_c_asks_once(void **state) {
    struct bench *bench = *state;
    assert_true(win32_console_stop(CTRL_C_EVENT));
    bench_await(bench, PLATFORM_EVENT_STOP, 0);
    assert_true(win32_console_stop(CTRL_BREAK_EVENT));
    bench_await(bench, PLATFORM_EVENT_STOP, 0);
    bench_expect_silence(bench);
}

static void test_nobody_to_ask(void **state) {
    (void)state;
    assert_false(win32_console_stop(CTRL_C_EVENT));
    assert_false(win32_console_stop(CTRL_CLOSE_EVENT));
}

/* It is told to services, of whichever user logs off; left to Windows it would end the process. */
static void test_a_log_off_of_somebody_stops_nothing(void **state) {
    struct bench *bench = *state;
    struct platform_event event;
    assert_true(win32_console_stop(CTRL_LOGOFF_EVENT));
    assert_int_equal(platform_wait(bench->platform, &event, 1, 0, &bench->cause), 0);
}

static DWORD WINAPI close_console(void *what) {
    return (DWORD)win32_console_stop((DWORD)(uintptr_t)what);
}

/* Windows does not wait for as long as a handler may take to finish. */
static void test_a_close_asks_again_in_time(void **state) {
    struct bench *bench = *state;
    const DWORD events[] = {CTRL_CLOSE_EVENT, CTRL_SHUTDOWN_EVENT};
    enum { COUNT = sizeof events / sizeof events[0] };
    HANDLE threads[COUNT];
    for (int i = 0; i < COUNT; i++) {
        void *what = (void *)(uintptr_t)events[i];
        threads[i] = CreateThread(NULL, 0, close_console, what, 0, NULL);
        assert_non_null(threads[i]);
        bench_await(bench, PLATFORM_EVENT_STOP, 0);
    }
    /* The second requests come one after the other, and may be taken together. */
    bench_await(bench, PLATFORM_EVENT_STOP, 0);
    assert_int_equal(WaitForMultipleObjects(COUNT, threads, TRUE, DEADLINE_MS), WAIT_OBJECT_0);
    for (int i = 0; i < COUNT; i++) {
        DWORD handled = FALSE;
        assert_true(GetExitCodeThread(threads[i], &handled));
        assert_true(handled);
        CloseHandle(threads[i]);
    }
}

/* A supervisor that waits for its end. */
static int run_until_stopped(const wchar_t *ready_name) {
    struct platform *platform;
    struct platform_event event = {0};
    struct baton_cause cause;
    if (platform_open(&platform, &cause) != BATON_OK) {
        return 1;
    }
    HANDLE ready = OpenEventW(EVENT_MODIFY_STATE, FALSE, ready_name);
    SetEvent(ready);
    uint64_t deadline_us = platform_now_us(platform) + 20000000u;
    int count = platform_wait(platform, &event, 1, deadline_us, &cause);
    platform_close(&platform);
    bool stopped = count == 1 && event.kind == PLATFORM_EVENT_STOP && event.token == 0;
    return stopped ? STOPPED_EXIT_CODE : 2;
}

static DWORD console_mode(HANDLE console) {
    DWORD mode = 0;
    return GetConsoleMode(console, &mode) ? mode : 0;
}

/* Runs in a console of its own. Returns STOPPED_EXIT_CODE if a click does not hold it up while a
 * platform is open, and afterwards all is as it was. */
static int look_at_quick_edit(void) {
    struct platform *platform;
    struct baton_cause cause;
    HANDLE console = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    SetConsoleMode(console, console_mode(console) | ENABLE_EXTENDED_FLAGS | ENABLE_QUICK_EDIT_MODE);
    DWORD before = console_mode(console);
    if ((before & ENABLE_QUICK_EDIT_MODE) == 0) {
        return 6;
    }
    if (platform_open(&platform, &cause) != BATON_OK) {
        return 1;
    }
    DWORD during = console_mode(console);
    platform_close(&platform);
    bool as_wanted =
        during == (before & ~(DWORD)ENABLE_QUICK_EDIT_MODE) && console_mode(console) == before;
    CloseHandle(console);
    return as_wanted ? STOPPED_EXIT_CODE : 7;
}

/* Starts this program again. The caller closes *process. */
static bool start_self(const wchar_t *arguments, DWORD flags, HANDLE *process) {
    wchar_t self[4096];
    wchar_t line[128];
    STARTUPINFOW startup = {.cb = sizeof startup};
    PROCESS_INFORMATION made;
    (void)swprintf(line, sizeof line / sizeof line[0], L"test %ls", arguments);
    if (GetModuleFileNameW(NULL, self, 4096) == 0 ||
        !CreateProcessW(self, line, NULL, NULL, FALSE, flags, NULL, NULL, &startup, &made)) {
        return false;
    }
    CloseHandle(made.hThread);
    *process = made.hProcess;
    return true;
}

static int exit_code_of(HANDLE process) {
    DWORD code = 0;
    if (WaitForSingleObject(process, DEADLINE_MS) != WAIT_OBJECT_0) {
        TerminateProcess(process, 3);
    }
    return GetExitCodeProcess(process, &code) ? (int)code : -1;
}

static DWORD WINAPI keep_window(void *unused) {
    (void)unused;
    platform_keep_window();
    return 0;
}

/* In the console of whoever started it, who keeps that. */
static int look_at_a_window_of_others(void) {
    SetStdHandle(STD_ERROR_HANDLE,
                 CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE,
                             FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL));
    platform_keep_window();
    return STOPPED_EXIT_CODE;
}

/* Runs in a console of its own. Returns STOPPED_EXIT_CODE if the window is kept until Enter where
 * faults are told in it, and not at all where they go elsewhere, or another has it as well. */
static int look_at_the_window(void) {
    HANDLE other = NULL;
    if (!start_self(L"others-window", 0, &other) || exit_code_of(other) != STOPPED_EXIT_CODE) {
        return 13;
    }
    CloseHandle(other);
    static const INPUT_RECORD enter[] = {
        {.EventType = KEY_EVENT, .Event.KeyEvent = {TRUE, 1, VK_RETURN, 28, {L'\r'}, 0}},
        {.EventType = KEY_EVENT, .Event.KeyEvent = {FALSE, 1, VK_RETURN, 28, {L'\r'}, 0}}};
    HANDLE nowhere = CreateFileW(L"NUL", GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE input = CreateFileW(L"CONIN$", GENERIC_READ | GENERIC_WRITE,
                               FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE output = CreateFileW(L"CONOUT$", GENERIC_READ | GENERIC_WRITE,
                                FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_EXISTING, 0, NULL);
    /* Where any of the three goes elsewhere, nobody may sit at the window. */
    static const DWORD which[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (int i = 0; i < 3; i++) {
        SetStdHandle(STD_INPUT_HANDLE, input);
        SetStdHandle(STD_OUTPUT_HANDLE, output);
        SetStdHandle(STD_ERROR_HANDLE, output);
        SetStdHandle(which[i], nowhere);
        platform_keep_window();
    }
    if (platform_terminal() != PLATFORM_TERMINAL_NONE) {
        return 10;
    }
    SetStdHandle(STD_ERROR_HANDLE, output);
    /* Wine 8 and Windows obey escape sequences. */
    if (platform_terminal() != PLATFORM_TERMINAL_COLOURED ||
        (console_mode(output) & ENABLE_VIRTUAL_TERMINAL_PROCESSING) == 0) {
        return 11;
    }
    SetEnvironmentVariableW(L"NO_COLOR", L"1");
    if (platform_terminal() != PLATFORM_TERMINAL_PLAIN) {
        return 12;
    }
    HANDLE thread = CreateThread(NULL, 0, keep_window, NULL, 0, NULL);
    if (thread == NULL || WaitForSingleObject(thread, 200) != WAIT_TIMEOUT) {
        return 8;
    }
    /* More than once: what comes before it asks is thrown away. */
    for (DWORD tried_ms = 0; tried_ms < DEADLINE_MS; tried_ms += 100) {
        DWORD written;
        WriteConsoleInputW(input, enter, 2, &written);
        if (WaitForSingleObject(thread, 100) == WAIT_OBJECT_0) {
            /* Nobody may be there to press it. */
            __imp_GetTickCount64 = count_in_leaps;
            platform_keep_window();
            return STOPPED_EXIT_CODE;
        }
    }
    return 9;
}

/* Wine 8 generates Ctrl-C but not Ctrl-Break (error 6). So the thread that a console event starts
 * in a program is started from here; libraries are at one address in all processes. */
static bool start_event_thread(HANDLE process, DWORD what) {
    FARPROC found = GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine");
    LPTHREAD_START_ROUTINE routine = (LPTHREAD_START_ROUTINE)(void (*)(void))found;
    HANDLE thread = routine == NULL ? NULL
                                    : CreateRemoteThread(process, NULL, 0, routine,
                                                         (void *)(uintptr_t)what, 0, NULL);
    if (thread == NULL) {
        return false;
    }
    CloseHandle(thread);
    return true;
}

static BOOL WINAPI not_for_us(DWORD what) {
    (void)what;
    return TRUE;
}

static bool send_event(HANDLE process, DWORD what) {
    return (what == CTRL_BREAK_EVENT && GenerateConsoleCtrlEvent(what, 0)) ||
           start_event_thread(process, what);
}

/* Runs in a console of its own. Sends `what` to a supervisor that shares it, and returns that
 * one's exit code. No group of its own for the supervisor: in Wine 8 that would make it deaf. */
static int stop_a_supervisor(DWORD what) {
    wchar_t name[64];
    wchar_t arguments[96];
    HANDLE supervisor;
    (void)swprintf(name, sizeof name / sizeof name[0], L"baton-test-stop-%lu",
                   GetCurrentProcessId());
    (void)swprintf(arguments, sizeof arguments / sizeof arguments[0], L"until-stopped %ls", name);
    HANDLE ready = CreateEventW(NULL, TRUE, FALSE, name);
    SetConsoleCtrlHandler(not_for_us, TRUE);
    if (ready == NULL || !start_self(arguments, 0, &supervisor)) {
        return 4;
    }
    HANDLE either[] = {ready, supervisor};
    bool is_ready = WaitForMultipleObjects(2, either, FALSE, DEADLINE_MS) == WAIT_OBJECT_0;
    if (!is_ready || !send_event(supervisor, what)) {
        TerminateProcess(supervisor, 5);
    }
    int code = exit_code_of(supervisor);
    CloseHandle(supervisor);
    CloseHandle(ready);
    return code;
}

static void expect_stopped(const wchar_t *by) {
    HANDLE helper = NULL;
    /* The runner of the tests may have no console, or shares ours; this one is nobody else's. */
    assert_true(start_self(by, CREATE_NO_WINDOW, &helper));
    int code = exit_code_of(helper);
    CloseHandle(helper);
    assert_int_equal(code, STOPPED_EXIT_CODE);
}

static void test_ctrl_break_is_an_event(void **state) {
    (void)state;
    expect_stopped(L"ctrl-break");
}

/* While the handler holds Windows off, the supervisor ends by itself, with its own exit code. */
static void test_a_close_ends_as_the_supervisor_says(void **state) {
    (void)state;
    expect_stopped(L"close");
}

static void test_a_click_does_not_hold_up_the_log(void **state) {
    (void)state;
    expect_stopped(L"quick-edit");
}

static void test_a_window_of_its_own_is_kept(void **state) {
    (void)state;
    expect_stopped(L"window");
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "until-stopped") == 0) {
        wchar_t name[64];
        MultiByteToWideChar(CP_UTF8, 0, argv[2], -1, name, 64);
        return run_until_stopped(name);
    }
    if (argc == 2 && strcmp(argv[1], "ctrl-break") == 0) {
        return stop_a_supervisor(CTRL_BREAK_EVENT);
    }
    if (argc == 2 && strcmp(argv[1], "close") == 0) {
        return stop_a_supervisor(CTRL_CLOSE_EVENT);
    }
    if (argc == 2 && strcmp(argv[1], "others-window") == 0) {
        return look_at_a_window_of_others();
    }
    if (argc == 2 && strcmp(argv[1], "window") == 0) {
        return look_at_the_window();
    }
    if (argc == 2 && strcmp(argv[1], "quick-edit") == 0) {
        return look_at_quick_edit();
    }
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_ctrl_c_asks_once),
        cmocka_unit_test(test_nobody_to_ask),
        WITH_BENCH(test_a_log_off_of_somebody_stops_nothing),
        WITH_BENCH(test_a_close_asks_again_in_time),
        cmocka_unit_test(test_ctrl_break_is_an_event),
        cmocka_unit_test(test_a_close_ends_as_the_supervisor_says),
        cmocka_unit_test(test_the_handler_stays_when_all_is_closed),
        cmocka_unit_test(test_a_close_on_its_way_closes_nobody_else),
        cmocka_unit_test(test_a_click_does_not_hold_up_the_log),
        cmocka_unit_test(test_a_window_of_its_own_is_kept),
        WITH_BENCH(test_a_log_that_cannot_be_broken_off),
    };
    return cmocka_run_group_tests_name("win32_stop", tests, replace_imports, NULL);
}
