/* The Windows service without the SCM: what its host tells that, the command line, the account, and
 * what passes between the host and the supervisor. Wine is not Windows. */
#include "harness.h"

#include "platform/win32/service_link.h"
#include "platform/win32/windows_service_parts.h"
#include "platform/win32/windows_service_state.h"

#include <stdio.h>

#include <shellapi.h>

/* ---- What the SCM is told ---- */

static SERVICE_STATUS status_at(const struct service_state *s, uint64_t now_ms) {
    SERVICE_STATUS status;
    service_state_status(s, now_ms, &status);
    assert_int_equal(status.dwServiceType, SERVICE_WIN32_OWN_PROCESS);
    return status;
}

#define STATE_IS(s, now_ms, expected)                                                              \
    assert_int_equal(status_at(&(s), now_ms).dwCurrentState, expected)

static struct service_state serving_at(uint64_t now_ms) {
    struct service_state s;
    assert_int_equal(service_state_begin(&s, now_ms), ORDER_REPORT);
    assert_int_equal(service_state_on_told(&s, TOLD_SERVING, 0, now_ms), ORDER_REPORT);
    STATE_IS(s, now_ms, SERVICE_RUNNING);
    return s;
}

static void test_a_start_gets_on_until_it_serves(void **state) {
    (void)state;
    struct service_state s;
    assert_int_equal(service_state_begin(&s, 1000), ORDER_REPORT);
    SERVICE_STATUS first = status_at(&s, 1000);
    assert_int_equal(first.dwCurrentState, SERVICE_START_PENDING);
    assert_int_equal(first.dwControlsAccepted, 0);
    assert_int_equal(first.dwWaitHint, SERVICE_START_BOUND_MS);
    assert_int_equal(service_state_due(&s), 1000 + SERVICE_CHECKPOINT_MS);
    assert_int_equal(service_state_on_time(&s, 1000 + SERVICE_CHECKPOINT_MS - 1), 0);
    assert_int_equal(service_state_on_time(&s, 1000 + SERVICE_CHECKPOINT_MS), ORDER_REPORT);
    SERVICE_STATUS second = status_at(&s, 1000 + SERVICE_CHECKPOINT_MS);
    assert_true(second.dwCheckPoint > first.dwCheckPoint);
    assert_int_equal(service_state_on_told(&s, TOLD_SERVING, 0, 4000), ORDER_REPORT);
    SERVICE_STATUS serving = status_at(&s, 4000);
    assert_int_equal(serving.dwCurrentState, SERVICE_RUNNING);
    assert_int_equal(serving.dwCheckPoint, 0);
    assert_int_equal(serving.dwWaitHint, 0);
    assert_int_equal(serving.dwControlsAccepted, SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN |
                                                     SERVICE_ACCEPT_PRESHUTDOWN |
                                                     SERVICE_ACCEPT_PARAMCHANGE);
    assert_true(service_state_due(&s) == UINT64_MAX);
    assert_int_equal(service_state_on_told(&s, TOLD_SERVING, 0, 5000), 0); /* after a reload */
}

static void test_a_start_that_takes_too_long_is_ended(void **state) {
    (void)state;
    struct service_state s;
    service_state_begin(&s, 0);
    assert_int_equal(service_state_on_time(&s, SERVICE_START_BOUND_MS), ORDER_END);
    assert_true(service_state_due(&s) == UINT64_MAX);
    assert_int_equal(service_state_on_end(&s, 1), ORDER_REPORT);
    SERVICE_STATUS status = status_at(&s, SERVICE_START_BOUND_MS);
    assert_int_equal(status.dwCurrentState, SERVICE_STOPPED);
    assert_int_equal(status.dwWin32ExitCode, ERROR_SERVICE_REQUEST_TIMEOUT);
}

static void test_a_stop_takes_as_long_as_the_supervisor_says(void **state) {
    (void)state;
    struct service_state s = serving_at(0);
    assert_int_equal(service_state_on_asked(&s, ASKED_STOP, 100), ORDER_STOP | ORDER_REPORT);
    SERVICE_STATUS status = status_at(&s, 100);
    assert_int_equal(status.dwCurrentState, SERVICE_STOP_PENDING);
    assert_int_equal(status.dwControlsAccepted,
                     SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN);
    assert_int_equal(status.dwWaitHint, SERVICE_STOP_BOUND_MS);
    assert_int_equal(service_state_on_told(&s, TOLD_STOPPING, 400000, 200), ORDER_REPORT);
    assert_int_equal(status_at(&s, 200).dwWaitHint, 400000);
    assert_true(status_at(&s, 200).dwCheckPoint > status.dwCheckPoint);
    assert_int_equal(service_state_on_time(&s, 400199), ORDER_REPORT);
    assert_int_equal(service_state_on_told(&s, TOLD_SERVING, 0, 400199), 0);
    assert_int_equal(service_state_on_end(&s, 0), ORDER_REPORT);
    status = status_at(&s, 400199);
    assert_int_equal(status.dwCurrentState, SERVICE_STOPPED);
    assert_int_equal(status.dwWin32ExitCode, NO_ERROR);
    assert_int_equal(status.dwControlsAccepted, 0);
}

static void test_a_stop_that_takes_longer_is_ended(void **state) {
    (void)state;
    struct service_state s = serving_at(0);
    service_state_on_asked(&s, ASKED_STOP, 0);
    service_state_on_told(&s, TOLD_STOPPING, 5000, 0);
    assert_int_equal(service_state_on_time(&s, 5000), ORDER_END);
    assert_int_equal(service_state_on_told(&s, TOLD_STOPPING, 5000, 5001), 0);
    service_state_on_end(&s, 0);
    assert_int_equal(status_at(&s, 5002).dwWin32ExitCode, ERROR_SERVICE_REQUEST_TIMEOUT);
}

/* The system waits for 180 s before its shutdown, and for 5 s in it. */
static void test_a_shutdown_hurries(void **state) {
    (void)state;
    struct service_state s = serving_at(0);
    assert_int_equal(service_state_on_asked(&s, ASKED_PRESHUTDOWN, 0), ORDER_STOP | ORDER_REPORT);
    service_state_on_told(&s, TOLD_STOPPING, 900000, 0);
    assert_int_equal(service_state_on_time(&s, SERVICE_PRESHUTDOWN_HURRY_MS - 1), ORDER_REPORT);
    assert_true(service_state_on_time(&s, SERVICE_PRESHUTDOWN_HURRY_MS) & ORDER_STOP);
    assert_false(service_state_on_time(&s, SERVICE_PRESHUTDOWN_HURRY_MS + 1) & ORDER_STOP);
    s = serving_at(0);
    service_state_on_asked(&s, ASKED_STOP, 0);
    assert_int_equal(service_state_on_asked(&s, ASKED_SHUTDOWN, 50), 0);
    assert_true(service_state_on_time(&s, 50 + SERVICE_SHUTDOWN_HURRY_MS) & ORDER_STOP);
}

/* So that the SCM's recovery actions apply. */
static void test_an_end_by_itself_is_a_failure(void **state) {
    (void)state;
    struct service_state s;
    service_state_begin(&s, 0);
    service_state_on_end(&s, 78);
    assert_int_equal(status_at(&s, 0).dwWin32ExitCode, ERROR_SERVICE_SPECIFIC_ERROR);
    assert_int_equal(status_at(&s, 0).dwServiceSpecificExitCode, 78);
    s = serving_at(0);
    service_state_on_end(&s, 0);
    assert_int_equal(status_at(&s, 0).dwWin32ExitCode, ERROR_PROCESS_ABORTED);
    s = serving_at(0); /* a control client has asked for the stop */
    assert_int_equal(service_state_on_told(&s, TOLD_STOPPING, 1000, 0), ORDER_REPORT);
    STATE_IS(s, 0, SERVICE_STOP_PENDING);
    service_state_on_end(&s, 0);
    assert_int_equal(status_at(&s, 0).dwWin32ExitCode, NO_ERROR);
    assert_int_equal(service_state_on_asked(&s, ASKED_STOP, 0), 0);
}

/* ---- What the SCM has of it ---- */

static void test_the_command_line_comes_back(void **state) {
    (void)state;
    static struct command_line line;
    const struct windows_service service = {"batond", "C:\\Prog \xc3\x84\\p \xc3\xbc.ini",
                                            "C:\\h \xc3\xa4\\", "C:\\d\\batond.log"};
    static const wchar_t *const expected[] = {L"C:\\Program Files\\b\u00e4ton\\batond.exe",
                                              L"service",
                                              L"run",
                                              L"--name",
                                              L"batond",
                                              L"-c",
                                              L"C:\\Prog \u00c4\\p \u00fc.ini",
                                              L"--log",
                                              L"C:\\d\\batond.log",
                                              L"--handlers",
                                              L"C:\\h \u00e4\\"};
    assert_int_equal(
        win32_service_command_line(&service, "C:\\Program Files\\b\xc3\xa4ton\\batond.exe", &line),
        BATON_OK);
    assert_int_equal(line.text[0], L'"'); /* else C:\Program.exe would be tried before */
    int count = 0;
    wchar_t **arguments = CommandLineToArgvW(line.text, &count);
    assert_int_equal(count, sizeof expected / sizeof *expected);
    for (int i = 0; i < count; i++) {
        assert_int_equal(wcscmp(arguments[i], expected[i]), 0);
    }
    LocalFree(arguments);
}

static void test_names_are_such_as_files_can_have(void **state) {
    (void)state;
    static const char *const good[] = {"batond", "Baton-2", "a.b_c", "x"};
    static const char *const bad[] = {"", ".x", "a b", "a/b", "a\\b", "\xc3\xa4", "a\"b", "a:b"};
    char longest[WINDOWS_SERVICE_NAME_MAX_BYTES + 2] = {0};
    memset(longest, 'x', WINDOWS_SERVICE_NAME_MAX_BYTES);
    assert_true(platform_windows_service_name_is_valid(longest));
    longest[WINDOWS_SERVICE_NAME_MAX_BYTES] = 'x';
    assert_false(platform_windows_service_name_is_valid(longest));
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(platform_windows_service_name_is_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(platform_windows_service_name_is_valid(bad[i]));
    }
}

/* One that every Windows has. */
static void test_the_account_is_known_by_its_name(void **state) {
    (void)state;
    struct baton_cause cause = {0};
    char account[SERVICE_SID_BYTES];
    assert_int_equal(win32_service_account("TrustedInstaller", account, &cause), BATON_OK);
    assert_string_equal(account, "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464");
}

static void test_a_log_file_with_two_names_is_refused(void **state) {
    (void)state;
    wchar_t folder[MAX_PATH], file[MAX_PATH], second[MAX_PATH];
    char path[MAX_PATH];
    struct baton_cause cause = {0};
    assert_true(GetTempPathW(MAX_PATH - 64, folder) > 0);
    swprintf(folder + wcslen(folder), 32, L"service-%lu", (unsigned long)GetCurrentProcessId());
    swprintf(file, MAX_PATH, L"%ls\\x.log", folder);
    swprintf(second, MAX_PATH, L"%ls\\y.log", folder);
    assert_int_equal(win32_text_to_utf8(file, path, sizeof path), BATON_OK);
    assert_int_equal(win32_service_make_log(path, "x", &cause), BATON_OK);
    assert_int_equal(win32_service_make_log(path, "x", &cause), BATON_OK); /* again */
    assert_true(CreateHardLinkW(second, file, NULL));
    assert_int_equal(win32_service_make_log(path, "x", &cause), BATON_DENIED);
    assert_true(DeleteFileW(second));
    assert_true(DeleteFileW(file));
    assert_true(RemoveDirectoryW(folder));
}

/* ---- Between the host and the supervisor ---- */

struct link {
    struct bench bench;
    HANDLE stop, reload, told;
    HANDLE host_ends; /* stands for the host's process: both are set once and for all */
    struct service_link_page *page;
};

/* An own copy for the platform, which closes it. */
static HANDLE copy_of(HANDLE handle) {
    HANDLE copy = NULL;
    assert_true(DuplicateHandle(GetCurrentProcess(), handle, GetCurrentProcess(), &copy, 0, TRUE,
                                DUPLICATE_SAME_ACCESS));
    return copy;
}

static int open_link(void **state) {
    struct link *link = calloc(1, sizeof *link);
    HANDLE page =
        CreateFileMappingW(INVALID_HANDLE_VALUE, NULL, PAGE_READWRITE, 0, sizeof *link->page, NULL);
    wchar_t text[SERVICE_LINK_TEXT_CHARACTERS];
    link->page = MapViewOfFile(page, FILE_MAP_WRITE, 0, 0, sizeof *link->page);
    link->stop = CreateEventW(NULL, FALSE, FALSE, NULL);
    link->reload = CreateEventW(NULL, FALSE, FALSE, NULL);
    link->told = CreateEventW(NULL, FALSE, FALSE, NULL);
    link->host_ends = CreateEventW(NULL, TRUE, FALSE, NULL);
    HANDLE copies[LINK_HANDLE_COUNT] = {copy_of(link->stop), copy_of(link->reload),
                                        copy_of(link->told), page, copy_of(link->host_ends)};
    swprintf(text, SERVICE_LINK_TEXT_CHARACTERS, L"%lu,%lu,%lu,%lu,%lu,baton-test",
             (unsigned long)(uintptr_t)copies[0], (unsigned long)(uintptr_t)copies[1],
             (unsigned long)(uintptr_t)copies[2], (unsigned long)(uintptr_t)copies[3],
             (unsigned long)(uintptr_t)copies[4]);
    SetEnvironmentVariableW(SERVICE_LINK_VARIABLE, text);
    struct baton_cause cause;
    const struct platform_sizes sizes = {BENCH_PROCESS_COUNT, BENCH_STREAM_COUNT, false, 0};
    assert_int_equal(platform_open_sized(&sizes, &link->bench.platform, &cause), BATON_OK);
    DWORD flags = 0;
    assert_true(GetHandleInformation(copies[0], &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
    *state = link;
    return 0;
}

static int close_link(void **state) {
    struct link *link = *state;
    platform_close(&link->bench.platform);
    UnmapViewOfFile(link->page);
    CloseHandle(link->stop);
    CloseHandle(link->reload);
    CloseHandle(link->told);
    CloseHandle(link->host_ends);
    free(link);
    return 0;
}

static void expect(struct link *link, enum platform_event_kind kind) {
    struct platform_event event = {0};
    struct baton_cause cause;
    struct platform *platform = link->bench.platform;
    assert_int_equal(
        platform_wait(platform, &event, 1, platform_now_us(platform) + 30000000u, &cause), 1);
    assert_int_equal(event.kind, kind);
}

static void test_the_host_asks(void **state) {
    struct link *link = *state;
    wchar_t text[8];
    assert_int_equal(GetEnvironmentVariableW(SERVICE_LINK_VARIABLE, text, 8), 0);
    SetEvent(link->reload);
    expect(link, PLATFORM_EVENT_HANGUP);
    SetEvent(link->stop);
    expect(link, PLATFORM_EVENT_STOP);
    assert_string_equal(platform_stop_reason(link->bench.platform), "the service manager");
    SetEvent(link->stop);
    expect(link, PLATFORM_EVENT_STOP);
    SetEvent(link->host_ends);
    expect(link, PLATFORM_EVENT_STOP);
    assert_non_null(strstr(platform_stop_reason(link->bench.platform), "host"));
}

static void test_the_supervisor_tells(void **state) {
    struct link *link = *state;
    struct platform *platform = link->bench.platform;
    assert_int_equal(link->page->told, TOLD_NOTHING);
    assert_true(platform_manager_tell(platform, "READY=1\nSTATUS=1 services, 1 listeners"));
    assert_int_equal(WaitForSingleObject(link->told, 0), WAIT_OBJECT_0);
    assert_int_equal(link->page->told, TOLD_SERVING);
    assert_true(platform_manager_tell(platform, "RELOADING=1\nMONOTONIC_USEC=1"));
    assert_int_equal(WaitForSingleObject(link->told, 0), WAIT_TIMEOUT);
    assert_true(platform_manager_tell(platform, "STOPPING=1\nEXTEND_TIMEOUT_USEC=7200000001"));
    assert_int_equal(WaitForSingleObject(link->told, 0), WAIT_OBJECT_0);
    assert_int_equal(link->page->told, TOLD_STOPPING);
    assert_int_equal(link->page->most_ms, 7200001);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_start_gets_on_until_it_serves),
        cmocka_unit_test(test_a_start_that_takes_too_long_is_ended),
        cmocka_unit_test(test_a_stop_takes_as_long_as_the_supervisor_says),
        cmocka_unit_test(test_a_stop_that_takes_longer_is_ended),
        cmocka_unit_test(test_a_shutdown_hurries),
        cmocka_unit_test(test_an_end_by_itself_is_a_failure),
        cmocka_unit_test(test_the_command_line_comes_back),
        cmocka_unit_test(test_names_are_such_as_files_can_have),
        cmocka_unit_test(test_the_account_is_known_by_its_name),
        cmocka_unit_test(test_a_log_file_with_two_names_is_refused),
        cmocka_unit_test_setup_teardown(test_the_host_asks, open_link, close_link),
        cmocka_unit_test_setup_teardown(test_the_supervisor_tells, open_link, close_link),
    };
    return cmocka_run_group_tests_name("win32_service", tests, NULL, NULL);
}
