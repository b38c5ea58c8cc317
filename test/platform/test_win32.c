/* What only this system has, or what only here can be looked at: handles, inheritance, jobs,
 * command lines, the log's thread; the other files test_win32_*.c have more. Wine is not Windows: a
 * pass there shows what Wine does. */
#include "harness.h"

#include <winsock2.h>

#include <windows.h>

#include <stdio.h>
#include <wchar.h>

static bool is_inheritable(HANDLE handle) {
    DWORD flags = 0;
    assert_true(GetHandleInformation(handle, &flags));
    return (flags & HANDLE_FLAG_INHERIT) != 0;
}

/* An inheritable handle of ours that no handler may see. */
static HANDLE make_bait(void) {
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    HANDLE bait = CreateEventW(&inheritable, TRUE, FALSE, NULL);
    assert_non_null(bait);
    return bait;
}

static void test_child_gets_four_handles_only(void **state) {
    struct bench *bench = *state;
    HANDLE bait = make_bait();
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "handles", "streams");
    bench_finish(bench, &process, token);
    unsigned long seen[4];
    unsigned long input, output, error, in, out;
    int count = sscanf(bench->text, "handles %lu %lu %lu %lu | %lu %lu %lu %lu,%lu\n", &seen[0],
                       &seen[1], &seen[2], &seen[3], &input, &output, &error, &in, &out);
    if (count != 9) {
        fail_msg("the child sees other handles: %s", bench->text);
    }
    assert_int_equal(output, error);
    const unsigned long given[] = {input, output, in, out};
    for (size_t i = 0; i < 4; i++) {
        assert_true(seen[i] == given[0] || seen[i] == given[1] || seen[i] == given[2] ||
                    seen[i] == given[3]);
    }
    /* Standard input is at its end at once. */
    assert_non_null(strstr(bench->text, "input=1,0\n"));
    CloseHandle(bait);
}

static void test_accepted_socket_is_not_inheritable(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t client;
    struct platform_socket socket = bench_accept(bench, listener, token, &client);
    assert_false(is_inheritable((HANDLE)socket.value));
    /* A socket that was bound to a port before, or a plain one, gives error 87. */
    HANDLE port = CreateIoCompletionPort((HANDLE)socket.value, NULL, 1, 1);
    assert_non_null(port);
    CloseHandle(port);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

static void test_grandchild_may_speak_and_a_stranger_not(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint64_t other_token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct wire_message message;
    struct platform_process *shim = LAUNCH(bench, &token, "hello-by-grandchild");
    struct platform_process *other = LAUNCH(bench, &other_token, "wait-for-end");
    size_t length = bench_receive(bench, shim, token, frame);
    assert_int_equal(wire_decode(frame, length, WIRE_FROM_HANDLER, &message), WIRE_OK);
    assert_int_not_equal(message.pid, platform_process_pid(shim));
    assert_int_equal(platform_process_speaker(shim, message.pid), message.pid);
    assert_int_equal(platform_process_speaker(other, message.pid), 0);
    assert_int_equal(platform_process_speaker(shim, platform_process_pid(other)), 0);
    assert_int_equal(platform_process_speaker(shim, platform_own_pid()), 0);
    platform_channel_close(shim);
    bench_finish(bench, &shim, token);
    platform_channel_close(other);
    bench_finish(bench, &other, other_token);
}

static int export_to(struct bench *bench, struct platform_process *process, uint32_t pid,
                     struct platform_socket socket) {
    uint8_t info[PLATFORM_SOCKET_INFO_BYTES];
    size_t length;
    int result = platform_socket_export(process, pid, socket, info, &length, &bench->cause);
    assert_int_equal(length, result == BATON_OK ? PLATFORM_SOCKET_INFO_BYTES : 0);
    return result;
}

/* A pid that spoke once may be somebody else's by the time of the offer. */
static void test_export_to_who_may_speak_only(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint64_t other_token;
    uint64_t listener_token;
    struct address address;
    uintptr_t client;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct wire_message message;
    struct platform_listener *listener = bench_listen(bench, &listener_token, &address);
    struct platform_socket socket = bench_accept(bench, listener, listener_token, &client);
    struct platform_process *shim = LAUNCH(bench, &token, "hello-by-grandchild");
    struct platform_process *other = LAUNCH(bench, &other_token, "wait-for-end");
    size_t length = bench_receive(bench, shim, token, frame);
    assert_int_equal(wire_decode(frame, length, WIRE_FROM_HANDLER, &message), WIRE_OK);
    assert_int_equal(export_to(bench, shim, message.pid, socket), BATON_OK);
    assert_int_equal(export_to(bench, shim, platform_process_pid(shim), socket), BATON_OK);
    assert_int_equal(export_to(bench, shim, platform_process_pid(other), socket), BATON_GONE);
    assert_int_equal(export_to(bench, shim, platform_own_pid(), socket), BATON_GONE);
    assert_int_equal(export_to(bench, shim, 0, socket), BATON_GONE);
    assert_int_equal(export_to(bench, other, message.pid, socket), BATON_GONE);
    platform_channel_close(shim);
    bench_finish(bench, &shim, token);
    platform_channel_close(other);
    bench_finish(bench, &other, other_token);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

/* The shim lives on and has a handle to it, so its pid still names it. */
static void test_export_to_a_dead_grandchild(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint64_t listener_token;
    struct address address;
    uintptr_t client;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct wire_message message;
    struct platform_listener *listener = bench_listen(bench, &listener_token, &address);
    struct platform_socket socket = bench_accept(bench, listener, listener_token, &client);
    struct platform_process *shim =
        LAUNCH(bench, &token, "hello-by-short-grandchild", "print:gone", "wait-for-end");
    size_t length = bench_receive(bench, shim, token, frame);
    assert_int_equal(wire_decode(frame, length, WIRE_FROM_HANDLER, &message), WIRE_OK);
    assert_int_not_equal(message.pid, platform_process_pid(shim));
    bench_await_text(bench, "gone\n");
    assert_int_equal(export_to(bench, shim, message.pid, socket), BATON_GONE);
    assert_int_equal(export_to(bench, shim, platform_process_pid(shim), socket), BATON_OK);
    platform_channel_close(shim);
    bench_finish(bench, &shim, token);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

/* A stream that has lost step cannot find it again, although its writer lives. */
static void test_the_end_is_told_after_a_fault(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    size_t length;
    struct platform_process *process =
        LAUNCH(bench, &token, "garbage", "hello", "print:sent", "hold");
    bench_await_text(bench, "sent\n");
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_INVALID);
    bench_forget_events(bench);
    bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
    assert_int_equal(platform_channel_receive(process, frame, sizeof frame, &length, &bench->cause),
                     BATON_END);
    bench_forget_events(bench);
    bench_expect_silence(bench);
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_END);
    platform_process_signal(process, PLATFORM_KILL);
    bench_finish(bench, &process, token);
}

static void one_life(struct bench *bench) {
    uint64_t token;
    uint64_t listener_token;
    struct address address;
    uintptr_t client;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct platform_listener *listener = bench_listen(bench, &listener_token, &address);
    struct platform_socket socket = bench_accept(bench, listener, listener_token, &client);
    struct platform_process *process = LAUNCH(bench, &token, "hello", "wait-for-end");
    bench_receive(bench, process, token, frame);
    platform_channel_close(process);
    bench_finish(bench, &process, token);
    bench_forget_text(bench);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

static void test_no_handle_is_left(void **state) {
    enum { ROUNDS = 20 };
    struct bench *bench = *state;
    for (int i = 0; i < 5; i++) { /* the thread pool makes its own handles when it is first used */
        one_life(bench);
    }
    size_t before_count = system_descriptor_count();
    for (int i = 0; i < ROUNDS; i++) {
        one_life(bench);
    }
    /* The pool's threads come and go; a leak would be at least one handle for each round. */
    size_t after_count = system_descriptor_count();
    if (after_count >= before_count + ROUNDS / 2) {
        fail_msg("%u handles before, %u after", (unsigned)before_count, (unsigned)after_count);
    }
}

static void test_close_with_a_write_under_way(void **state) {
    static uint8_t frame[PLATFORM_SEND_MAX_BYTES];
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "hold");
    int result;
    do {
        result = platform_channel_send(process, frame, sizeof frame, PLATFORM_SOCKET_NONE,
                                       &bench->cause);
    } while (result == BATON_OK);
    assert_int_equal(result, BATON_AGAIN);
    platform_channel_close(process);
    platform_process_signal(process, PLATFORM_KILL);
    bench_finish(bench, &process, token);
}

/* Arguments made of what the parsers treat in a special way, the same on every run. */
static void make_argument(char *out, size_t size, uint32_t *seed) {
    static const char alphabet[] = "\"\\ \ta*?'^%&\"\\\\\"";
    *seed = *seed * 1664525u + 1013904223u;
    size_t length = (*seed >> 16) % (size - 1);
    for (size_t i = 0; i < length; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        out[i] = alphabet[(*seed >> 16) % (sizeof alphabet - 1)];
    }
    out[length] = '\0';
}

static void test_command_line_survives_all_parsers(void **state) {
    enum { COUNT = 400, SIZE = 12 };
    struct bench *bench = *state;
    static char texts[COUNT][SIZE];
    static char wanted[COUNT * (SIZE + 8)];
    const char *argv[COUNT + 3] = {"a name with blanks", "arguments"};
    char self[4300];
    uint32_t seed = 1;
    size_t used = 0;
    for (size_t i = 0; i < COUNT; i++) {
        make_argument(texts[i], SIZE, &seed);
        argv[i + 2] = texts[i];
        used += (size_t)snprintf(wanted + used, sizeof wanted - used, "%u:%s\n",
                                 (unsigned)strlen(texts[i]), texts[i]);
    }
    snprintf(self, sizeof self, "TEST_SELF=%s", bench_child_path());
    const char *const environment[] = {self, NULL};
    const char *const replaced[] = {"replaced", NULL};
    struct platform_program_spec spec = {.path = bench_child_path(),
                                         .argv = replaced,
                                         .environment = environment,
                                         .launch_bytes = sizeof wanted};
    struct platform_program *program;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    uint64_t token = bench_token(bench);
    struct platform_launch launch = {.program = program,
                                     .argv = argv,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = token};
    struct platform_process *process = bench_start(bench, &launch).process;
    platform_program_destroy(&program);
    /* The child compares CommandLineToArgvW, msvcrt and ucrt, and fails if they disagree. */
    if (bench_finish(bench, &process, token).code != 0) {
        fail_msg("%s", bench->text);
    }
    assert_string_equal(bench->text, wanted);
}

static void test_programs_that_cannot_be_expressed(void **state) {
    struct bench *bench = *state;
    const struct {
        const char *path;
        const char *argv0;
    } cases[] = {{"C:\\program.exe", "with \"quotes\""},
                 {"C:\\program.exe", "blank and backslash\\"},
                 {"C:\\script.bat", "script"},
                 {"C:\\script.CMD", "script"},
                 {"C:\\script.bat. ", "script"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *const argv[] = {cases[i].argv0, NULL};
        struct platform_program_spec spec = {.path = cases[i].path, .argv = argv};
        struct platform_program *program = NULL;
        assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                         BATON_INVALID);
        assert_null(program);
    }
    char path[4200];
    snprintf(path, sizeof path, "%s\\script.bat", system_scratch());
    system_write_file(path, "rem nothing\n", true);
    assert_int_equal(platform_probe_program(NULL, path), BATON_NOT_EXECUTABLE);
    system_remove_file(path);
}

/* The entries of the import table, as the linker calls them. Wine has no app execution aliases, so
 * the calls answer as Windows does for one. */
typedef HANDLE(WINAPI *open_file)(LPCWSTR path, DWORD access, DWORD share,
                                  LPSECURITY_ATTRIBUTES security, DWORD disposition, DWORD flags,
                                  HANDLE template);
typedef DWORD(WINAPI *get_attributes)(LPCWSTR path);
extern open_file __imp_CreateFileW;
extern get_attributes __imp_GetFileAttributesW;

static DWORD alias_attributes;

static HANDLE WINAPI open_no_file(LPCWSTR path, DWORD access, DWORD share,
                                  LPSECURITY_ATTRIBUTES security, DWORD disposition, DWORD flags,
                                  HANDLE template) {
    (void)path, (void)access, (void)share, (void)security;
    (void)disposition, (void)flags, (void)template;
    SetLastError(ERROR_CANT_ACCESS_FILE);
    return INVALID_HANDLE_VALUE;
}

static DWORD WINAPI get_alias_attributes(LPCWSTR path) {
    (void)path;
    return alias_attributes;
}

static int probe_alias(const char *path, DWORD attributes) {
    open_file real_open = __imp_CreateFileW;
    get_attributes real_get = __imp_GetFileAttributesW;
    DWORD ignored;
    assert_true(VirtualProtect(&__imp_CreateFileW, sizeof(void *), PAGE_READWRITE, &ignored));
    assert_true(
        VirtualProtect(&__imp_GetFileAttributesW, sizeof(void *), PAGE_READWRITE, &ignored));
    alias_attributes = attributes;
    __imp_CreateFileW = open_no_file;
    __imp_GetFileAttributesW = get_alias_attributes;
    int result = platform_probe_program(NULL, path);
    __imp_CreateFileW = real_open;
    __imp_GetFileAttributesW = real_get;
    return result;
}

static void test_execution_aliases_are_programs(void **state) {
    const DWORD alias = FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_REPARSE_POINT;
    (void)state;
    assert_int_equal(probe_alias("C:\\WindowsApps\\python.exe", alias), BATON_OK);
    assert_int_equal(probe_alias("C:\\WindowsApps\\python.EXE", alias), BATON_OK);
    assert_int_equal(probe_alias("C:\\WindowsApps\\python", alias), BATON_DENIED);
    assert_int_equal(probe_alias("C:\\WindowsApps\\script.bat", alias), BATON_DENIED);
    assert_int_equal(probe_alias("C:\\python.exe", FILE_ATTRIBUTE_ARCHIVE), BATON_DENIED);
}

/* A pipe where standard error was. */
struct replaced {
    HANDLE before, reader, writer;
};

/* The log goes into it. */
static struct replaced replace_standard_error(struct bench *bench) {
    struct replaced replaced = {.before = GetStdHandle(STD_ERROR_HANDLE)};
    assert_true(CreatePipe(&replaced.reader, &replaced.writer, NULL, 4096));
    assert_true(SetStdHandle(STD_ERROR_HANDLE, replaced.writer));
    assert_int_equal(bench_log_open(bench, NULL), BATON_OK);
    return replaced;
}

/* The reader is the caller's to close. */
static void restore_standard_error(struct bench *bench, const struct replaced *replaced) {
    SetStdHandle(STD_ERROR_HANDLE, replaced->before);
    assert_int_equal(bench_log_open(bench, NULL), BATON_OK);
    CloseHandle(replaced->writer);
}

static void test_log_to_a_full_pipe_does_not_block(void **state) {
    enum { PIECE_BYTES = 4096, TOTAL_MAX = 1 << 20 };
    struct bench *bench = *state;
    static char piece[PIECE_BYTES];
    memset(piece, 'x', sizeof piece);
    struct replaced error = replace_standard_error(bench);
    size_t taken_bytes = 0;
    size_t taken;
    do {
        taken = platform_log_write(bench->log, piece, sizeof piece, &bench->cause);
        taken_bytes += taken;
        assert_true(taken_bytes < TOTAL_MAX);
    } while (taken == sizeof piece);

    /* Nobody has read; now somebody does, and all that was taken arrives. */
    size_t read_bytes = 0;
    while (read_bytes < taken_bytes) {
        DWORD got = 0;
        assert_true(ReadFile(error.reader, piece, sizeof piece, &got, NULL));
        read_bytes += got;
    }
    assert_int_equal(read_bytes, taken_bytes);
    bench_await(bench, PLATFORM_EVENT_LOG_WRITABLE, 0);
    assert_int_equal(platform_log_write(bench->log, "end", 3, &bench->cause), 3);
    platform_log_flush(bench->log, PLATFORM_WAIT_FOREVER);
    DWORD got = 0;
    assert_true(ReadFile(error.reader, piece, sizeof piece, &got, NULL));
    assert_int_equal(got, 3);
    restore_standard_error(bench, &error);
    CloseHandle(error.reader);
}

static void test_log_that_broke_takes_everything(void **state) {
    struct bench *bench = *state;
    struct replaced error = replace_standard_error(bench);
    CloseHandle(error.reader);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(platform_log_write(bench->log, "lost\n", 5, &bench->cause), 5);
        platform_log_flush(bench->log, PLATFORM_WAIT_FOREVER);
    }
    /* The call before failed in the background; this one tells. */
    assert_int_equal(platform_log_write(bench->log, "lost\n", 5, &bench->cause), 5);
    assert_non_null(bench->cause.call);
    assert_int_not_equal(bench->cause.system_code, 0);
    platform_log_flush(bench->log, PLATFORM_WAIT_FOREVER);
    restore_standard_error(bench, &error);
}

static void test_log_that_hangs_has_a_deadline(void **state) {
    enum { MORE_THAN_ALL_BUFFERS_BYTES = 1 << 19 };
    static char text[MORE_THAN_ALL_BUFFERS_BYTES];
    struct bench *bench = *state;
    memset(text, 'x', sizeof text);
    struct replaced error = replace_standard_error(bench);
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000u;
    assert_false(bench_log_write_all(bench, text, sizeof text, deadline_us));
    platform_log_flush(bench->log, deadline_us);
    CloseHandle(error.reader); /* what hung fails, and the rest is dropped */
    assert_true(bench_log_write_all(bench, "lost\n", 5, PLATFORM_WAIT_FOREVER));
    restore_standard_error(bench, &error);
}

static void test_close_breaks_off_a_log_that_hangs(void **state) {
    enum { MORE_THAN_ALL_BUFFERS_BYTES = 1 << 19 };
    static char text[MORE_THAN_ALL_BUFFERS_BYTES];
    struct bench *bench = *state;
    memset(text, 'x', sizeof text);
    struct replaced error = replace_standard_error(bench);
    assert_false(bench_log_write_all(bench, text, sizeof text, platform_now_us(bench->platform)));
    assert_int_equal(bench_teardown(state), 0); /* nobody has read, and nobody will */
    SetStdHandle(STD_ERROR_HANDLE, error.before);
    CloseHandle(error.writer);
    CloseHandle(error.reader);
    assert_int_equal(bench_setup(state), 0);
}

static void test_missing_standard_handles_are_filled(void **state) {
    (void)state;
    HANDLE before = GetStdHandle(STD_ERROR_HANDLE);
    assert_true(SetStdHandle(STD_ERROR_HANDLE, NULL)); /* as in a service */
    assert_int_equal(bench_setup(state), 0);
    HANDLE filled = GetStdHandle(STD_ERROR_HANDLE);
    DWORD written = 0;
    assert_true(WriteFile(filled, "x", 1, &written, NULL));
    assert_false(is_inheritable(filled));
    assert_int_equal(bench_teardown(state), 0);
    SetStdHandle(STD_ERROR_HANDLE, before);
    CloseHandle(filled);
}

/* RtlGetVersion tells the truth; GetVersionEx tells a program without a manifest about Windows 8.
 * https://learn.microsoft.com/windows-hardware/drivers/ddi/wdm/nf-wdm-rtlgetversion */
static void test_this_is_windows_10(void **state) {
    typedef LONG(WINAPI * get_version)(OSVERSIONINFOW * version);
    (void)state;
    OSVERSIONINFOW version = {.dwOSVersionInfoSize = sizeof version};
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    assert_non_null(ntdll);
    get_version ask = (get_version)(void (*)(void))GetProcAddress(ntdll, "RtlGetVersion");
    assert_non_null(ask);
    assert_int_equal(ask(&version), 0);
    assert_in_range(version.dwMajorVersion, 10, UINT32_MAX);
    assert_in_range(version.dwBuildNumber, 10240, UINT32_MAX); /* the first Windows 10 */
}

/* What installers look at. */
static void test_the_registry_says_windows_10(void **state) {
    static const wchar_t key[] = L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion";
    wchar_t build[16];
    DWORD major = 0;
    DWORD major_bytes = sizeof major;
    DWORD build_bytes = sizeof build;
    (void)state;
    assert_int_equal(RegGetValueW(HKEY_LOCAL_MACHINE, key, L"CurrentMajorVersionNumber",
                                  RRF_RT_REG_DWORD, NULL, &major, &major_bytes),
                     ERROR_SUCCESS);
    assert_in_range(major, 10, UINT32_MAX);
    assert_int_equal(RegGetValueW(HKEY_LOCAL_MACHINE, key, L"CurrentBuildNumber", RRF_RT_REG_SZ,
                                  NULL, build, &build_bytes),
                     ERROR_SUCCESS);
    assert_in_range(wcstoul(build, NULL, 10), 10240, UINT32_MAX);
}

/* What scripts of administrators look at: "Microsoft Windows [Version 10.0.19045.1]" there,
 * "Microsoft Windows 10.0.18362" from Wine 8. */
static void test_cmd_says_windows_10(void **state) {
    struct bench *bench = *state;
    wchar_t directory[MAX_PATH];
    char path[MAX_PATH + 16];
    assert_true(GetSystemDirectoryW(directory, MAX_PATH) > 0);
    snprintf(path, sizeof path, "%ls\\cmd.exe", directory);
    const char *const argv[] = {"cmd", "/d", "/c", "ver", NULL};
    struct platform_program_spec spec = {.path = path, .argv = argv};
    struct platform_program *program;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    struct platform_launch launch = {.program = program,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = bench_token(bench)};
    struct platform_launched made = bench_start(bench, &launch);
    platform_program_destroy(&program);
    assert_int_equal(bench_finish(bench, &made.process, launch.token).code, 0);
    assert_non_null(strstr(bench->text, "Windows"));
    if (strstr(bench->text, " 10.") == NULL) {
        fail_msg("ver says: %s", bench->text);
    }
}

static int remove_scratch(void **state) {
    (void)state;
    system_remove_directory(system_scratch());
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_child_gets_four_handles_only),
        WITH_BENCH(test_accepted_socket_is_not_inheritable),
        WITH_BENCH(test_grandchild_may_speak_and_a_stranger_not),
        WITH_BENCH(test_export_to_who_may_speak_only),
        WITH_BENCH(test_export_to_a_dead_grandchild),
        WITH_BENCH(test_the_end_is_told_after_a_fault),
        WITH_BENCH(test_no_handle_is_left),
        WITH_BENCH(test_close_with_a_write_under_way),
        WITH_BENCH(test_command_line_survives_all_parsers),
        WITH_BENCH(test_programs_that_cannot_be_expressed),
        cmocka_unit_test(test_execution_aliases_are_programs),
        WITH_BENCH(test_log_to_a_full_pipe_does_not_block),
        WITH_BENCH(test_log_that_broke_takes_everything),
        WITH_BENCH(test_log_that_hangs_has_a_deadline),
        WITH_BENCH(test_close_breaks_off_a_log_that_hangs),
        cmocka_unit_test(test_missing_standard_handles_are_filled),
        cmocka_unit_test(test_this_is_windows_10),
        cmocka_unit_test(test_the_registry_says_windows_10),
        WITH_BENCH(test_cmd_says_windows_10),
    };
    return cmocka_run_group_tests_name("win32", tests, NULL, remove_scratch);
}
