/*
 * The host of the Windows service. Only a process that the SCM has started can be the service, so
 * one that is to be replaced by another (a restart) cannot be the supervisor itself: that is a
 * child, of which the host tells the SCM, and which it tells what the SCM wants. If the child ends
 * by itself, the service has failed, with its exit code: the SCM's recovery actions apply.
 *
 * One thread decides (serve()); the SCM's calls on_control(), which only sets events.
 * https://learn.microsoft.com/windows/win32/services/service-servicemain-function
 */
#include "core/base/text.h"
#include "event_log.h"
#include "service_link.h"
#include "windows_service_parts.h"
#include "windows_service_state.h"

#include <string.h>

enum { FROM_CHILD, FROM_LINK, FROM_SCM, SOURCE_COUNT };

#define STANDARD_COUNT 2 /* the null device and the log */

/* There is one in the process, and the SCM's calls have no better way to it. */
static struct host {
    const struct windows_service *service;
    SERVICE_STATUS_HANDLE status;
    struct service_state state;
    HANDLE link[LINK_HANDLE_COUNT];
    struct service_link_page *page;
    HANDLE null_device, log;
    HANDLE asked_event;
    volatile LONG asked; /* enum service_asked */
    HANDLE child;
    struct event_log *events; /* NULL = there is no thread for it */
    char own_path[SERVICE_PATH_BYTES], folder[SERVICE_PATH_BYTES];
    struct command_line command_line;
} host;

/* ---- What the SCM asks ---- */

static DWORD WINAPI on_control(DWORD control, DWORD type, void *data, void *context) {
    (void)type;
    (void)data;
    (void)context;
    LONG asked = 0;
    switch (control) {
    case SERVICE_CONTROL_STOP:
        asked = ASKED_STOP;
        break;
    case SERVICE_CONTROL_SHUTDOWN:
        asked = ASKED_SHUTDOWN;
        break;
    case SERVICE_CONTROL_PRESHUTDOWN:
        asked = ASKED_PRESHUTDOWN;
        break;
    case SERVICE_CONTROL_PARAMCHANGE:
        SetEvent(host.link[LINK_RELOAD]);
        return NO_ERROR;
    case SERVICE_CONTROL_INTERROGATE:
        return NO_ERROR;
    default:
        return ERROR_CALL_NOT_IMPLEMENTED;
    }
    InterlockedOr(&host.asked, asked);
    SetEvent(host.asked_event);
    return NO_ERROR;
}

/* Whoever logs off is nobody to a service; at the shutdown the SCM tells us. */
static BOOL WINAPI on_console(DWORD what) {
    return what == CTRL_LOGOFF_EVENT || what == CTRL_SHUTDOWN_EVENT;
}

/* ---- The child ---- */

/* The folder of the config, where its relative names start, is where handlers start as well: not in
 * System32, as the SCM would have it. */
static void find_folder(void) {
    text_format(host.folder, sizeof host.folder, "%s", host.service->config);
    char *last = strrchr(host.folder, '\\');
    if (last != NULL) {
        last[last > host.folder && last[-1] == ':' ? 1 : 0] = '\0';
    }
}

static int open_log(struct baton_cause *cause) {
    wchar_t wide[SERVICE_PATH_BYTES];
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    host.null_device = CreateFileW(L"NUL", GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                   &inheritable, OPEN_EXISTING, 0, NULL);
    if (host.null_device == INVALID_HANDLE_VALUE) {
        return win32_cause_last(cause, "CreateFileW(NUL)");
    }
    int code = win32_text_to_room(host.service->log, wide, SERVICE_PATH_BYTES);
    if (code != BATON_OK) {
        return code;
    }
    host.log = CreateFileW(wide, FILE_APPEND_DATA | SYNCHRONIZE,
                           FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, &inheritable,
                           OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL, NULL);
    return host.log == INVALID_HANDLE_VALUE ? win32_cause_last(cause, "CreateFileW") : BATON_OK;
}

/* All inheritable: the list of the launch says who gets them. */
static int make_link(struct baton_cause *cause) {
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    for (int i = LINK_STOP; i <= LINK_TOLD; i++) {
        host.link[i] = CreateEventW(&inheritable, FALSE, FALSE, NULL);
        if (host.link[i] == NULL) {
            return win32_cause_last(cause, "CreateEventW");
        }
    }
    host.link[LINK_PAGE] = CreateFileMappingW(INVALID_HANDLE_VALUE, &inheritable, PAGE_READWRITE, 0,
                                              sizeof *host.page, NULL);
    if (host.link[LINK_PAGE] == NULL) {
        return win32_cause_last(cause, "CreateFileMappingW");
    }
    host.page = MapViewOfFile(host.link[LINK_PAGE], FILE_MAP_WRITE, 0, 0, sizeof *host.page);
    if (host.page == NULL) {
        return win32_cause_last(cause, "MapViewOfFile");
    }
    if (!DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), GetCurrentProcess(),
                         &host.link[LINK_HOST], SYNCHRONIZE | PROCESS_DUP_HANDLE, TRUE, 0)) {
        return win32_cause_last(cause, "DuplicateHandle");
    }
    return BATON_OK;
}

static void tell_link(void) {
    char text[SERVICE_LINK_TEXT_CHARACTERS];
    wchar_t wide[SERVICE_LINK_TEXT_CHARACTERS];
    service_link_write(host.link, host.service->name, text);
    if (win32_text_to_room(text, wide, SERVICE_LINK_TEXT_CHARACTERS) == BATON_OK) {
        SetEnvironmentVariableW(SERVICE_LINK_VARIABLE, wide);
    }
}

static int write_command_line(void) {
    const char *argv[6] = {host.own_path, "-c", host.service->config};
    if (host.service->handlers != NULL) {
        argv[3] = "--handlers";
        argv[4] = host.service->handlers;
    }
    return win32_command_line_write(argv, &host.command_line);
}

/* With a console that nobody sees, and nothing of ours but what is listed. */
static int create_child(const wchar_t *folder, struct baton_cause *cause) {
    union {
        BYTE room[256];
        void *aligned;
    } space;
    LPPROC_THREAD_ATTRIBUTE_LIST attributes = (LPPROC_THREAD_ATTRIBUTE_LIST)(void *)&space;
    SIZE_T space_bytes = sizeof space;
    HANDLE handles[STANDARD_COUNT + LINK_HANDLE_COUNT] = {host.null_device, host.log};
    STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof startup,
                                              .dwFlags = STARTF_USESTDHANDLES,
                                              .hStdInput = host.null_device,
                                              .hStdOutput = host.log,
                                              .hStdError = host.log},
                              .lpAttributeList = attributes};
    PROCESS_INFORMATION made;
    memcpy(handles + STANDARD_COUNT, host.link, sizeof host.link);
    if (!InitializeProcThreadAttributeList(attributes, 1, 0, &space_bytes)) {
        return win32_cause_last(cause, "InitializeProcThreadAttributeList");
    }
    int code = BATON_OK;
    if (!UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles,
                                   sizeof handles, NULL, NULL)) {
        code = win32_cause_last(cause, "UpdateProcThreadAttribute");
    } else if (!CreateProcessW(NULL, host.command_line.text, NULL, NULL, TRUE,
                               CREATE_NO_WINDOW | EXTENDED_STARTUPINFO_PRESENT, NULL, folder,
                               &startup.StartupInfo, &made)) {
        code = win32_cause_last(cause, "CreateProcessW");
    } else {
        CloseHandle(made.hThread);
        host.child = made.hProcess;
    }
    DeleteProcThreadAttributeList(attributes);
    return code;
}

static int launch(struct baton_cause *cause) {
    static wchar_t folder[SERVICE_PATH_BYTES];
    int code = open_log(cause);
    if (code == BATON_OK) {
        code = make_link(cause);
    }
    if (code == BATON_OK) {
        code = win32_service_own_path(host.own_path, cause);
    }
    if (code == BATON_OK) {
        code = write_command_line();
    }
    if (code == BATON_OK) {
        find_folder();
        code = win32_text_to_room(host.folder, folder, SERVICE_PATH_BYTES);
    }
    if (code != BATON_OK) {
        return code;
    }
    tell_link();
    return create_child(folder, cause);
}

/* ---- The service ---- */

/* Stands still while the machine sleeps, as the supervisor does. */
static uint64_t clock_ms(void) {
    ULONGLONG units = 0; /* of 100 ns */
    QueryUnbiasedInterruptTime(&units);
    return units / 10000u;
}

static void report(void) {
    SERVICE_STATUS status;
    service_state_status(&host.state, clock_ms(), &status);
    SetServiceStatus(host.status, &status);
}

/* Said where everything is said before the log is open, if that is there, and in the Event Log. */
static void write_log(unsigned number, const char *what) {
    char text[1024];
    if (host.events != NULL) {
        win32_event_log_tell(host.events, number, PLATFORM_ERROR, what);
    }
    if (host.log != NULL && host.log != INVALID_HANDLE_VALUE) {
        text_format(text, sizeof text, "batond: error: the service: %s\n", what);
        (void)win32_console_write(host.log, text, strlen(text));
    }
}

static void complain(int code, const struct baton_cause *cause) {
    char text[640], words[512];
    text_format(text, sizeof text, "%s: %s", cause->call != NULL ? cause->call : "",
                platform_error_text(cause->system_code, words, sizeof words));
    write_log(EVENT_HOST_NO_START, cause->call != NULL ? text : baton_error_text(code));
}

static void obey(unsigned orders) {
    if ((orders & ORDER_STOP) != 0) {
        SetEvent(host.link[LINK_STOP]);
    }
    if ((orders & ORDER_END) != 0) {
        write_log(EVENT_CHILD_GIVEN_UP,
                  host.state.state == SERVICE_START_PENDING
                      ? "it does not serve within 90 s, and is ended"
                      : "it does not stop in the time that it has named, and is ended");
        TerminateProcess(host.child, ERROR_SERVICE_REQUEST_TIMEOUT);
    }
    if ((orders & ORDER_REPORT) != 0) {
        report();
    }
}

static DWORD wait_ms(void) {
    uint64_t due_ms = service_state_due(&host.state);
    uint64_t now_ms = clock_ms();
    uint64_t left_ms = due_ms > now_ms ? due_ms - now_ms : 0;
    return due_ms == UINT64_MAX ? INFINITE : left_ms > 0x7fffffffu ? 0x7fffffffu : (DWORD)left_ms;
}

static void take_told(uint64_t now_ms) {
    LONG told = host.page->told; /* first, since it is written last */
    obey(service_state_on_told(&host.state, (enum service_told)told, (uint32_t)host.page->most_ms,
                               now_ms));
}

/* The Event Log alone: what there is to say the child has said in its own, unless it was killed.
 * The service has stopped only when this is there, or nobody may be left to tell it. */
static void tell_end(DWORD exit_code) {
    char text[160];
    bool was_starting = host.state.state == SERVICE_START_PENDING;
    if (host.events != NULL && host.state.state != SERVICE_STOP_PENDING &&
        !host.state.is_given_up) {
        text_format(text, sizeof text, "%s, with exit code %lu (0x%lx)",
                    was_starting ? "before it served" : "while it served", (unsigned long)exit_code,
                    (unsigned long)exit_code);
        win32_event_log_tell(host.events, EVENT_CHILD_ENDED, PLATFORM_ERROR, text);
    }
    win32_event_log_close(&host.events, EVENT_LOG_CLOSE_BOUND_MS);
}

/* The child that has ended has left its place to another: that is the child now. */
static bool follow_successor(void) {
    HANDLE successor = (HANDLE)(intptr_t)InterlockedExchange(&host.page->successor, 0);
    if (successor == NULL) {
        return false;
    }
    CloseHandle(host.child);
    host.child = successor;
    return true;
}

static void serve(void) {
    HANDLE sources[SOURCE_COUNT] = {[FROM_CHILD] = host.child,
                                    [FROM_LINK] = host.link[LINK_TOLD],
                                    [FROM_SCM] = host.asked_event};
    DWORD what = WAIT_TIMEOUT;
    while (what != WAIT_OBJECT_0 + FROM_CHILD && what != WAIT_FAILED) {
        what = WaitForMultipleObjects(SOURCE_COUNT, sources, FALSE, wait_ms());
        uint64_t now_ms = clock_ms();
        if (what == WAIT_OBJECT_0 + FROM_LINK) {
            if (follow_successor()) {
                sources[FROM_CHILD] = host.child;
            }
            take_told(now_ms);
        } else if (what == WAIT_OBJECT_0 + FROM_SCM) {
            unsigned asked = (unsigned)InterlockedExchange(&host.asked, 0);
            obey(service_state_on_asked(&host.state, asked, now_ms));
        }
        if (what == WAIT_OBJECT_0 + FROM_CHILD && follow_successor()) {
            sources[FROM_CHILD] = host.child;
            what = WAIT_TIMEOUT;
        }
        if (what != WAIT_OBJECT_0 + FROM_CHILD) {
            obey(service_state_on_time(&host.state, now_ms));
        }
    }
    take_told(clock_ms()); /* what it has told last, too */
    DWORD exit_code = 0;
    GetExitCodeProcess(host.child, &exit_code);
    tell_end(exit_code);
    obey(service_state_on_end(&host.state, exit_code));
}

static void WINAPI service_main(DWORD argc, wchar_t **argv) {
    struct baton_cause cause = {0};
    (void)argc;
    host.status = RegisterServiceCtrlHandlerExW(argv[0], on_control, NULL);
    if (host.status == 0) {
        ExitProcess(GetLastError()); /* there is no other way to tell that */
    }
    obey(service_state_begin(&host.state, clock_ms()));
    (void)win32_event_log_open(host.service->name, NULL, &host.events, &cause);
    host.asked_event = CreateEventW(NULL, FALSE, FALSE, NULL);
    int code = host.asked_event == NULL ? win32_cause_last(&cause, "CreateEventW") : launch(&cause);
    if (code == BATON_OK) {
        serve();
        return;
    }
    complain(code, &cause);
    win32_event_log_close(&host.events, EVENT_LOG_CLOSE_BOUND_MS);
    SERVICE_STATUS status;
    (void)service_state_on_end(&host.state, 0);
    service_state_status(&host.state, 0, &status);
    status.dwWin32ExitCode =
        cause.system_code != 0 ? (DWORD)cause.system_code : ERROR_INVALID_PARAMETER;
    SetServiceStatus(host.status, &status);
}

int platform_windows_service_host(const struct windows_service *service,
                                  struct baton_cause *cause) {
    wchar_t name[WINDOWS_SERVICE_NAME_MAX_BYTES + 1];
    int code = win32_text_to_room(service->name, name, sizeof name / sizeof *name);
    const SERVICE_TABLE_ENTRYW table[] = {{name, service_main}, {NULL, NULL}};
    *cause = (struct baton_cause){NULL, 0};
    if (code != BATON_OK) {
        return code;
    }
    host.service = service;
    SetConsoleCtrlHandler(on_console, TRUE);
    return StartServiceCtrlDispatcherW(table)
               ? BATON_OK
               : win32_cause_last(cause, "StartServiceCtrlDispatcherW");
}
