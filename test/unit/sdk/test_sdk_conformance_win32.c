/* The conformance handler finds what is wrong, on Windows: this test is a supervisor that breaks
 * one promise at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_sdk_supervisor_win32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POINT_COUNT = 14, REPORT_BYTES = 4096, DEADLINE_MS = 20000 };

enum fault {
    ALL_IS_WELL,
    INPUT_IS_A_PIPE,
    STRAY_HANDLE,
    NO_JOB,
    WRONG_PEER,
    NON_BLOCKING,
    EVENT_REGISTERED,
    BOUND_TO_A_PORT
};

/* Starts the handler with all inheritable handles of this process, suspended until it is in a job.
 */
static PROCESS_INFORMATION start_handler(HANDLE input, bool in_job) {
    wchar_t path[MAX_PATH];
    STARTUPINFOW startup = {.cb = sizeof startup, .dwFlags = STARTF_USESTDHANDLES};
    PROCESS_INFORMATION process = {0};
    const wchar_t *folder = _wgetenv(L"BATON_HANDLERS_DIR");
    assert_non_null(folder);
    _snwprintf(path, MAX_PATH, L"%ls\\conformance.exe", folder);
    startup.hStdInput = input;
    assert_true(CreateProcessW(path, NULL, NULL, NULL, TRUE, CREATE_SUSPENDED, NULL, NULL, &startup,
                               &process));
    if (in_job) {
        HANDLE job = CreateJobObjectW(NULL, NULL);
        assert_non_null(job);
        assert_true(AssignProcessToJobObject(job, process.hProcess));
        CloseHandle(job);
    }
    ResumeThread(process.hThread);
    CloseHandle(process.hThread);
    return process;
}

static HANDLE inheritable(HANDLE handle) {
    assert_true(SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT));
    return handle;
}

/* Spoils the socket as a careless supervisor would. */
static void spoil_socket(SOCKET socket, enum fault fault, HANDLE *event, HANDLE *port) {
    u_long on = 1;
    if (fault == NON_BLOCKING)
        assert_int_equal(ioctlsocket(socket, FIONBIO, &on), 0);
    if (fault == EVENT_REGISTERED) {
        *event = CreateEventW(NULL, TRUE, FALSE, NULL);
        assert_int_equal(WSAEventSelect(socket, *event, FD_READ), 0);
    }
    if (fault == BOUND_TO_A_PORT) {
        *port = CreateIoCompletionPort((HANDLE)socket, NULL, 1, 1);
        assert_non_null(*port);
    }
}

static void read_report(SOCKET client, char *report) {
    DWORD limit_ms = DEADLINE_MS;
    size_t used = 0;
    int got;
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, (const char *)&limit_ms, sizeof limit_ms);
    while ((got = recv(client, report + used, (int)(REPORT_BYTES - 1 - used), 0)) > 0)
        used += (size_t)got;
    assert_int_equal(got, 0);
    report[used] = '\0';
}

static struct wire_address name_of(SOCKET socket, bool peer) {
    struct sockaddr_in name = {0};
    int length = sizeof name;
    struct wire_address address = {.family = 4};
    assert_int_equal(peer ? getpeername(socket, (struct sockaddr *)&name, &length)
                          : getsockname(socket, (struct sockaddr *)&name, &length),
                     0);
    address.port = ntohs(name.sin_port);
    memcpy(address.bytes, &name.sin_addr, 4);
    return address;
}

static void make_offer(struct supervisor *supervisor, SOCKET socket, DWORD pid, enum fault fault) {
    WSAPROTOCOL_INFOW info;
    assert_int_equal(WSADuplicateSocketW(socket, pid, &info), 0);
    struct wire_message offer = an_offer(&info);
    offer.peer = name_of(socket, true);
    offer.local = name_of(socket, false);
    offer.peer.port = (uint16_t)(offer.peer.port ^ (fault == WRONG_PEER));
    supervisor_say(supervisor, &offer);
    assert_int_equal(supervisor_hear(supervisor).type, WIRE_ACK);
}

/* Runs the handler with one fault and writes its report. */
static void examine(enum fault fault, char *report) {
    struct supervisor supervisor;
    HANDLE event = NULL, port = NULL, other_read = NULL, other_write = NULL;
    SOCKET pair[2];
    supervisor_start(&supervisor);
    HANDLE null_device =
        CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE input = null_device;
    assert_true(CreatePipe(&other_read, &other_write, NULL, 0));
    if (fault == STRAY_HANDLE)
        inheritable(other_read);
    if (fault == INPUT_IS_A_PIPE)
        input = other_read;
    PROCESS_INFORMATION process = start_handler(inheritable(input), fault != NO_JOB);
    CloseHandle(other_write);
    CloseHandle(supervisor.handler_read);
    CloseHandle(supervisor.handler_write);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_HELLO);
    socket_pair(pair);
    SetHandleInformation((HANDLE)pair[0], HANDLE_FLAG_INHERIT, 0);
    spoil_socket(pair[1], fault, &event, &port);
    make_offer(&supervisor, pair[1], process.dwProcessId, fault);
    closesocket(pair[1]);
    read_report(pair[0], report);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_DONE);
    supervisor_end(&supervisor);
    assert_int_equal(WaitForSingleObject(process.hProcess, DEADLINE_MS), WAIT_OBJECT_0);
    closesocket(pair[0]);
    HANDLE handles[] = {process.hProcess, null_device, other_read, event, port};
    for (size_t i = 0; i < sizeof handles / sizeof *handles; i++)
        if (handles[i] != NULL)
            CloseHandle(handles[i]);
}

/* `point` and `other` are the only ones that fail; 0 = none. */
static void assert_found(enum fault fault, int point, int other) {
    static char report[REPORT_BYTES];
    char line[32], plan[32];
    examine(fault, report);
    for (int i = 1; i <= POINT_COUNT; i++) {
        snprintf(line, sizeof line, "%s %d - ", i == point || i == other ? "not ok" : "ok", i);
        const char *at = strstr(report, line);
        if (at == NULL || (at != report && at[-1] != '\n'))
            fail_msg("no `%s` in:\n%s", line, report);
    }
    snprintf(plan, sizeof plan, "\n1..%d\n", POINT_COUNT);
    assert_non_null(strstr(report, plan));
}

static void all_is_well(void **state) {
    (void)state;
    assert_found(ALL_IS_WELL, 0, 0);
}

static void what_the_process_was_given(void **state) {
    BOOL in_job = FALSE;
    (void)state;
    assert_found(INPUT_IS_A_PIPE, 1, 0);
    assert_found(STRAY_HANDLE, 2, 0);
    /* A child of a process in a job is in that job too. */
    assert_true(IsProcessInJob(GetCurrentProcess(), NULL, &in_job));
    if (!in_job)
        assert_found(NO_JOB, 5, 0);
}

static void what_the_socket_is_like(void **state) {
    (void)state;
    assert_found(WRONG_PEER, 9, 0);
    assert_found(NON_BLOCKING, 11, 0);
    /* A registration makes the socket non-blocking too. */
    assert_found(EVENT_REGISTERED, 11, 12);
    assert_found(BOUND_TO_A_PORT, 14, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(what_the_process_was_given),
        cmocka_unit_test(what_the_socket_is_like),
    };
    /* This process inherited its own streams, and would pass them on. */
    static const DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        SetHandleInformation(GetStdHandle(streams[i]), HANDLE_FLAG_INHERIT, 0);
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 1;
    return cmocka_run_group_tests_name("sdk_conformance_win32", tests, NULL, NULL);
}
