/* The Event Log: its thread, by calls that are replaced in this program's own import table (Wine's
 * take everything and keep nothing); its messages, as they stand in batond.exe; the registration of
 * a source. Wine is not Windows. */
#include "harness.h"

#include "platform/win32/event_log.h"
#include "platform/win32/windows_service_parts.h"

#include <stdio.h>

typedef HANDLE(WINAPI *register_source)(LPCWSTR server, LPCWSTR source);
typedef BOOL(WINAPI *report_event)(HANDLE log, WORD type, WORD category, DWORD id, PSID user,
                                   WORD text_count, DWORD bytes, LPCWSTR *texts, LPVOID data);
typedef BOOL(WINAPI *deregister_source)(HANDLE log);

/* The entries of the import table, as the linker calls them. */
extern register_source __imp_RegisterEventSourceW;
extern report_event __imp_ReportEventW;
extern deregister_source __imp_DeregisterEventSource;

#define SOURCE ((HANDLE)(uintptr_t)0x50)
#define REPORTS_MAX_COUNT 200

/* What the service that is not there was told. By one thread, and read when that has ended, or is
 * held. */
static struct {
    HANDLE entered, goes_on; /* events; NULL = nobody is held */
    DWORD register_code, report_code;
    LONG register_count, deregister_count;
    wchar_t source[80];
    volatile LONG report_count;
    WORD types[REPORTS_MAX_COUNT];
    DWORD ids[REPORTS_MAX_COUNT];
    wchar_t texts[REPORTS_MAX_COUNT][80];
} service;

static HANDLE WINAPI register_here(LPCWSTR server, LPCWSTR source) {
    service.register_count++;
    if (server != NULL || service.register_code != 0) {
        SetLastError(service.register_code);
        return NULL;
    }
    swprintf(service.source, 80, L"%ls", source);
    return SOURCE;
}

static BOOL WINAPI deregister_here(HANDLE log) {
    service.deregister_count += log == SOURCE;
    return TRUE;
}

static BOOL WINAPI report_here(HANDLE log, WORD type, WORD category, DWORD id, PSID user,
                               WORD text_count, DWORD bytes, LPCWSTR *texts, LPVOID data) {
    if (service.entered != NULL) {
        SetEvent(service.entered);
        WaitForSingleObject(service.goes_on, INFINITE);
    }
    if (log != SOURCE || category != 0 || user != NULL || text_count != 1 || bytes != 0 ||
        data != NULL || service.report_code != 0) {
        SetLastError(service.report_code);
        return FALSE;
    }
    LONG at = service.report_count;
    service.types[at] = type;
    service.ids[at] = id;
    swprintf(service.texts[at], 80, L"%ls", texts[0]);
    service.report_count = at + 1;
    return TRUE;
}

static int replace_imports(void **state) {
    (void)state;
    DWORD ignored;
    void *const entries[] = {&__imp_RegisterEventSourceW, &__imp_ReportEventW,
                             &__imp_DeregisterEventSource};
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
        assert_true(VirtualProtect(entries[i], sizeof(void *), PAGE_READWRITE, &ignored));
    }
    __imp_RegisterEventSourceW = register_here;
    __imp_ReportEventW = report_here;
    __imp_DeregisterEventSource = deregister_here;
    return 0;
}

static struct event_log *open_log(HANDLE port) {
    struct event_log *log = NULL;
    struct baton_cause cause;
    memset(&service, 0, sizeof service);
    assert_int_equal(win32_event_log_open("baton-test", port, &log, &cause), BATON_OK);
    return log;
}

static void hold(void) {
    service.entered = CreateEventW(NULL, FALSE, FALSE, NULL);
    service.goes_on = CreateEventW(NULL, TRUE, FALSE, NULL);
}

static void await_packet(HANDLE port) {
    OVERLAPPED_ENTRY packet;
    ULONG count = 0;
    assert_true(GetQueuedCompletionStatusEx(port, &packet, 1, &count, 30000, FALSE));
    assert_int_equal(count, 1);
}

/* ---- The thread ---- */

static void test_entries_come_in_their_order(void **state) {
    (void)state;
    struct event_log *log = open_log(NULL);
    win32_event_log_tell(log, 100, PLATFORM_INFO, "first");
    win32_event_log_tell(log, 300, PLATFORM_ERROR, "sec\xc3\xb6nd");
    win32_event_log_tell(log, 400, PLATFORM_WARNING, "");
    win32_event_log_close(&log, 30000);
    assert_null(log);
    assert_int_equal(service.register_count, 1);
    assert_int_equal(service.deregister_count, 1);
    assert_int_equal(wcscmp(service.source, L"baton-test"), 0);
    assert_int_equal(service.report_count, 3);
    assert_int_equal(service.types[0], EVENTLOG_INFORMATION_TYPE);
    assert_int_equal(service.types[1], EVENTLOG_ERROR_TYPE);
    assert_int_equal(service.types[2], EVENTLOG_WARNING_TYPE);
    assert_int_equal(service.ids[0], 0x40000064u);
    assert_int_equal(service.ids[1], 0xC000012Cu);
    assert_int_equal(service.ids[2], 0x80000190u);
    assert_int_equal(wcscmp(service.texts[1], L"sec\u00f6nd"), 0);
    win32_event_log_close(&log, 30000); /* an empty one */
}

/* Nobody waits for the service, and what finds no room is counted. */
static void test_a_service_that_takes_nothing(void **state) {
    (void)state;
    struct event_log *log = open_log(NULL);
    struct baton_cause cause;
    hold();
    win32_event_log_tell(log, 100, PLATFORM_INFO, "held");
    assert_int_equal(WaitForSingleObject(service.entered, 30000), WAIT_OBJECT_0);
    for (int i = 0; i < PLATFORM_EVENTS_MAX_COUNT + 7; i++) {
        win32_event_log_tell(log, 101, PLATFORM_INFO, "x");
    }
    assert_int_equal(win32_event_log_take_lost(log, &cause), 7);
    assert_null(cause.call);
    assert_int_equal(win32_event_log_take_lost(log, &cause), 0);
    SetEvent(service.goes_on);
    win32_event_log_close(&log, 30000);
    assert_int_equal(service.report_count, 1 + PLATFORM_EVENTS_MAX_COUNT);
}

/* What it has is left to it. */
static void test_a_close_does_not_wait_for_ever(void **state) {
    (void)state;
    struct event_log *log = open_log(NULL);
    hold();
    win32_event_log_tell(log, 100, PLATFORM_INFO, "held");
    assert_int_equal(WaitForSingleObject(service.entered, 30000), WAIT_OBJECT_0);
    win32_event_log_close(&log, 10);
    assert_null(log);
    assert_int_equal(service.report_count, 0);
    SetEvent(service.goes_on);
}

/* As when the service is stopped and started anew. */
static void test_what_fails_is_counted_and_told(void **state) {
    (void)state;
    HANDLE port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    struct event_log *log = open_log(port);
    struct baton_cause cause;
    service.register_code = RPC_S_SERVER_UNAVAILABLE;
    win32_event_log_tell(log, 100, PLATFORM_INFO, "lost");
    await_packet(port);
    assert_int_equal(win32_event_log_take_lost(log, &cause), 1);
    assert_string_equal(cause.call, "RegisterEventSourceW");
    assert_int_equal(cause.system_code, RPC_S_SERVER_UNAVAILABLE);
    service.register_code = 0;
    service.report_code = ERROR_ACCESS_DENIED;
    win32_event_log_tell(log, 100, PLATFORM_INFO, "lost, too");
    await_packet(port);
    assert_int_equal(win32_event_log_take_lost(log, &cause), 1);
    assert_string_equal(cause.call, "ReportEventW");
    assert_int_equal(cause.system_code, ERROR_ACCESS_DENIED);
    assert_int_equal(service.deregister_count, 1);
    service.report_code = 0;
    win32_event_log_tell(log, 100, PLATFORM_INFO, "comes");
    win32_event_log_close(&log, 30000);
    assert_int_equal(service.report_count, 1);
    assert_int_equal(wcscmp(service.texts[0], L"comes"), 0);
    CloseHandle(port);
}

/* ---- Messages ---- */

static HMODULE load_batond(void) {
    wchar_t path[MAX_PATH];
    assert_true(GetModuleFileNameW(NULL, path, MAX_PATH - 32) > 0);
    for (int i = 0; i < 2; i++) { /* from tests/ beside it */
        *wcsrchr(path, L'\\') = L'\0';
    }
    swprintf(path + wcslen(path), 32, L"\\bin\\batond.exe");
    HMODULE batond = LoadLibraryExW(path, NULL, LOAD_LIBRARY_AS_DATAFILE);
    assert_non_null(batond);
    return batond;
}

/* As the Event Viewer asks for it. */
static void assert_message(HMODULE batond, unsigned number, enum platform_severity severity,
                           const wchar_t *begin) {
    wchar_t text[1024];
    DWORD_PTR insert[] = {(DWORD_PTR)L"its line"};
    DWORD length =
        FormatMessageW(FORMAT_MESSAGE_FROM_HMODULE | FORMAT_MESSAGE_ARGUMENT_ARRAY, batond,
                       win32_event_id(number, severity), 0, text, 1024, (va_list *)(void *)insert);
    assert_int_not_equal(length, 0);
    assert_int_equal(wcsncmp(text, begin, wcslen(begin)), 0);
    assert_non_null(wcsstr(text, L"\r\n\r\nits line\r\n"));
}

static void test_each_number_has_its_message(void **state) {
    (void)state;
    static const struct {
        unsigned number;
        enum platform_severity severity;
        const wchar_t *begin;
    } rows[] = {{100, PLATFORM_INFO, L"Baton is starting"},
                {101, PLATFORM_INFO, L"Baton listens wherever"},
                {102, PLATFORM_INFO, L"Baton is stopping"},
                {103, PLATFORM_INFO, L"Baton has stopped"},
                {200, PLATFORM_ERROR, L"Baton could not start"},
                {201, PLATFORM_ERROR, L"Baton cannot go on"},
                {300, PLATFORM_ERROR, L"A service of Baton cannot listen"},
                {301, PLATFORM_WARNING, L"A handler has made a listening socket"},
                {400, PLATFORM_WARNING, L"A handler of Baton has crashed"},
                {EVENT_HOST_NO_START, PLATFORM_ERROR, L"The service could not start batond"},
                {EVENT_CHILD_ENDED, PLATFORM_ERROR, L"batond has ended, and nobody"},
                {EVENT_CHILD_GIVEN_UP, PLATFORM_ERROR, L"batond has not got on in time"}};
    HMODULE batond = load_batond();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_message(batond, rows[i].number, rows[i].severity, rows[i].begin);
    }
    FreeLibrary(batond);
}

/* ---- Sources ---- */

#define SOURCES L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\"
#define NAME "baton-test-source"
static const wchar_t key_path[] = SOURCES L"baton-test-source";

static int forget_source(void **state) {
    (void)state;
    RegDeleteKeyW(HKEY_LOCAL_MACHINE, key_path);
    return 0;
}

static bool source_has(const wchar_t *file) {
    wchar_t text[260];
    DWORD bytes = sizeof text, types = 0, types_bytes = sizeof types;
    return RegGetValueW(HKEY_LOCAL_MACHINE, key_path, L"EventMessageFile",
                        RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND, NULL, text, &bytes) == ERROR_SUCCESS &&
           RegGetValueW(HKEY_LOCAL_MACHINE, key_path, L"TypesSupported", RRF_RT_REG_DWORD, NULL,
                        &types, &types_bytes) == ERROR_SUCCESS &&
           types == 7 && wcscmp(text, file) == 0;
}

static void test_a_source_comes_and_goes(void **state) {
    (void)state;
    struct baton_cause cause = {0};
    assert_int_equal(win32_event_source_add(NAME, "C:\\\xc3\xa4 b\\batond.exe", &cause), BATON_OK);
    assert_true(source_has(L"C:\\\u00e4 b\\batond.exe"));
    assert_int_equal(win32_event_source_add(NAME, "C:\\new\\Batond.exe", &cause), BATON_OK);
    assert_true(source_has(L"C:\\new\\Batond.exe"));
    assert_int_equal(win32_event_source_remove(NAME, "D:\\batond.exe", &cause), BATON_OK);
    HKEY key;
    assert_int_equal(RegOpenKeyExW(HKEY_LOCAL_MACHINE, key_path, 0, KEY_QUERY_VALUE, &key),
                     ERROR_FILE_NOT_FOUND);
    assert_int_equal(win32_event_source_remove(NAME, "D:\\batond.exe", &cause), BATON_OK);
}

static void test_the_source_of_another_stays(void **state) {
    (void)state;
    static const wchar_t file[] = L"%SystemRoot%\\other.dll";
    struct baton_cause cause = {0};
    HKEY key;
    assert_int_equal(
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, key_path, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL),
        ERROR_SUCCESS);
    RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)file, sizeof file);
    DWORD types = 7;
    RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof types);
    RegCloseKey(key);
    assert_int_equal(win32_event_source_add(NAME, "C:\\batond.exe", &cause), BATON_IN_USE);
    assert_null(cause.call);
    assert_int_equal(win32_event_source_remove(NAME, "C:\\batond.exe", &cause), BATON_OK);
    assert_true(source_has(file));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_come_in_their_order),
        cmocka_unit_test(test_a_service_that_takes_nothing),
        cmocka_unit_test(test_what_fails_is_counted_and_told),
        cmocka_unit_test(test_each_number_has_its_message),
        cmocka_unit_test_setup_teardown(test_a_source_comes_and_goes, forget_source, forget_source),
        cmocka_unit_test_setup_teardown(test_the_source_of_another_stays, forget_source,
                                        forget_source),
        cmocka_unit_test(test_a_close_does_not_wait_for_ever), /* the last: its thread goes on */
    };
    return cmocka_run_group_tests_name("win32_event_log", tests, replace_imports, NULL);
}
