/*
 * The Windows service as the SCM has it: made, started, stopped, looked at, removed.
 * https://learn.microsoft.com/windows/win32/services/service-configuration-programs
 * https://learn.microsoft.com/windows/win32/services/service-control-programs
 */
#include "core/base/text.h"
#include "windows_service_parts.h"
#include "windows_service_state.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define NAME_CHARACTERS (WINDOWS_SERVICE_NAME_MAX_BYTES + 1)
#define SHOWN_CHARACTERS (NAME_CHARACTERS + 16) /* with what is put beside a name */
#define LOOK_INTERVAL_MS 50u
/* Beyond what a service has said itself, until it is said to stand still. */
#define STILL_GRACE_MS 10000u

/* ---- Handles of the SCM ---- */

/* Accepts empty ones. */
static void close_handle(SC_HANDLE handle) {
    if (handle != NULL) {
        CloseServiceHandle(handle);
    }
}

static int open_service(const char *name, DWORD rights, SC_HANDLE *out, struct baton_cause *cause) {
    wchar_t wide[NAME_CHARACTERS];
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    int code = win32_text_to_room(name, wide, NAME_CHARACTERS);
    if (code != BATON_OK) {
        return code;
    }
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
    if (manager == NULL) {
        return win32_cause_last(cause, "OpenSCManagerW");
    }
    *out = OpenServiceW(manager, wide, rights);
    if (*out == NULL) {
        code = win32_cause_last(cause, "OpenServiceW");
        code = cause->system_code == ERROR_SERVICE_DOES_NOT_EXIST ? BATON_NOT_FOUND : code;
    }
    close_handle(manager);
    return code;
}

/* ---- Made ---- */

/* What is set beside what CreateServiceW takes. */
struct setting {
    DWORD level;
    void *value;
    const char *name;
};

/* Windows 7 has all of these settings; Wine 8 does not know some. */
static int set_one(SC_HANDLE service, const struct setting *setting,
                   void (*skipped)(void *context, const char *setting), void *context,
                   struct baton_cause *cause) {
    if (ChangeServiceConfig2W(service, setting->level, setting->value)) {
        return BATON_OK;
    }
    if (GetLastError() == ERROR_INVALID_LEVEL) {
        skipped(context, setting->name);
        return BATON_OK;
    }
    return win32_cause_last(cause, setting->name);
}

/* Privileges: SeChangeNotify, which everybody has, to pass folders on the way to a file;
 * SeIncreaseQuota, which CreateProcessAsUserW wants for a handler with a token of its own
 * (`sandbox`). To hand a socket over takes none. */
static int set_all(SC_HANDLE service, void (*skipped)(void *context, const char *setting),
                   void *context, struct baton_cause *cause) {
    wchar_t text[] = L"Listens on the ports that its config names, and launches a handler for each "
                     L"connection.";
    wchar_t privileges[] = L"SeChangeNotifyPrivilege\0SeIncreaseQuotaPrivilege\0";
    SC_ACTION again[] = {
        {SC_ACTION_RESTART, 1000}, {SC_ACTION_RESTART, 10000}, {SC_ACTION_RESTART, 60000}};
    SERVICE_DESCRIPTIONW description = {text};
    SERVICE_FAILURE_ACTIONSW actions = {
        .dwResetPeriod = 86400, .cActions = sizeof again / sizeof *again, .lpsaActions = again};
    SERVICE_FAILURE_ACTIONS_FLAG also_exits = {TRUE};
    SERVICE_DELAYED_AUTO_START_INFO delayed = {TRUE};
    SERVICE_SID_INFO sid = {SERVICE_SID_TYPE_UNRESTRICTED};
    SERVICE_REQUIRED_PRIVILEGES_INFOW required = {privileges};
    SERVICE_PRESHUTDOWN_INFO preshutdown = {SERVICE_PRESHUTDOWN_MS};
    const struct setting settings[] = {
        {SERVICE_CONFIG_DESCRIPTION, &description, "ChangeServiceConfig2W(DESCRIPTION)"},
        {SERVICE_CONFIG_FAILURE_ACTIONS, &actions, "ChangeServiceConfig2W(FAILURE_ACTIONS)"},
        {SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &also_exits,
         "ChangeServiceConfig2W(FAILURE_ACTIONS_FLAG)"},
        {SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed,
         "ChangeServiceConfig2W(DELAYED_AUTO_START_INFO)"},
        {SERVICE_CONFIG_SERVICE_SID_INFO, &sid, "ChangeServiceConfig2W(SERVICE_SID_INFO)"},
        {SERVICE_CONFIG_REQUIRED_PRIVILEGES_INFO, &required,
         "ChangeServiceConfig2W(REQUIRED_PRIVILEGES_INFO)"},
        {SERVICE_CONFIG_PRESHUTDOWN_INFO, &preshutdown, "ChangeServiceConfig2W(PRESHUTDOWN_INFO)"}};
    int code = BATON_OK;
    for (size_t i = 0; i < sizeof settings / sizeof *settings && code == BATON_OK; i++) {
        code = set_one(service, &settings[i], skipped, context, cause);
    }
    return code;
}

/* A name between two texts. */
static int widen(const char *before, const char *name, const char *behind,
                 wchar_t out[SHOWN_CHARACTERS]) {
    char text[SHOWN_CHARACTERS];
    text_format(text, sizeof text, "%s%s%s", before, name, behind);
    return win32_text_to_room(text, out, SHOWN_CHARACTERS);
}

static int create(SC_HANDLE manager, const char *name, const wchar_t *command_line, SC_HANDLE *out,
                  struct baton_cause *cause) {
    wchar_t wide[SHOWN_CHARACTERS], account[SHOWN_CHARACTERS], shown[SHOWN_CHARACTERS];
    int code = widen("", name, "", wide);
    if (code == BATON_OK) {
        code = widen("NT SERVICE\\", name, "", account);
    }
    if (code == BATON_OK) {
        code = widen("Baton (", name, ")", shown);
    }
    if (code != BATON_OK) {
        return code;
    }
    *out = CreateServiceW(manager, wide, shown, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                          SERVICE_AUTO_START, SERVICE_ERROR_NORMAL, command_line, NULL, NULL, NULL,
                          account, NULL);
    return *out == NULL ? win32_cause_last(cause, "CreateServiceW") : BATON_OK;
}

int platform_windows_service_install(const struct windows_service *service,
                                     void (*skipped)(void *context, const char *setting),
                                     void *context, struct baton_cause *cause) {
    static struct command_line line;
    static char own[SERVICE_PATH_BYTES];
    SC_HANDLE made = NULL;
    *cause = (struct baton_cause){NULL, 0};
    int code = win32_service_own_path(own, cause);
    if (code == BATON_OK) {
        code = win32_service_command_line(service, own, &line);
    }
    if (code != BATON_OK) {
        return code;
    }
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_CREATE_SERVICE);
    if (manager == NULL) {
        return win32_cause_last(cause, "OpenSCManagerW");
    }
    code = create(manager, service->name, line.text, &made, cause);
    if (code == BATON_OK) {
        code = set_all(made, skipped, context, cause);
    }
    if (code == BATON_OK) {
        code = win32_service_make_log(service->log, service->name, cause);
    }
    if (code == BATON_OK) {
        code = win32_event_source_add(service->name, own, cause);
    }
    if (code != BATON_OK && made != NULL) {
        DeleteService(made);
    }
    close_handle(made);
    close_handle(manager);
    return code;
}

/* ---- Looked at ---- */

static int look(SC_HANDLE service, SERVICE_STATUS_PROCESS *raw, struct windows_service_status *out,
                struct baton_cause *cause) {
    static const enum windows_service_state states[] = {
        [SERVICE_STOPPED] = WINDOWS_SERVICE_STOPPED,
        [SERVICE_START_PENDING] = WINDOWS_SERVICE_STARTING,
        [SERVICE_STOP_PENDING] = WINDOWS_SERVICE_STOPPING,
        [SERVICE_RUNNING] = WINDOWS_SERVICE_RUNNING};
    DWORD bytes = 0;
    memset(out, 0, sizeof *out);
    if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)raw, sizeof *raw, &bytes)) {
        return win32_cause_last(cause, "QueryServiceStatusEx");
    }
    out->state = raw->dwCurrentState <= SERVICE_RUNNING ? states[raw->dwCurrentState]
                                                        : WINDOWS_SERVICE_OTHER;
    out->host_pid = raw->dwProcessId;
    if (raw->dwCurrentState == SERVICE_STOPPED &&
        raw->dwWin32ExitCode == ERROR_SERVICE_SPECIFIC_ERROR) {
        out->exit_code = raw->dwServiceSpecificExitCode;
    } else if (raw->dwCurrentState == SERVICE_STOPPED) {
        out->system_code = raw->dwWin32ExitCode;
    }
    return BATON_OK;
}

static int look_at_config(SC_HANDLE service, struct windows_service_status *out,
                          struct baton_cause *cause) {
    union {
        QUERY_SERVICE_CONFIGW config;
        BYTE room[8192]; /* the most that the call gives */
    } *raw = malloc(sizeof *raw);
    DWORD bytes = 0;
    int code = raw == NULL ? BATON_NO_MEMORY : BATON_OK;
    if (code == BATON_OK && !QueryServiceConfigW(service, &raw->config, sizeof *raw, &bytes)) {
        code = win32_cause_last(cause, "QueryServiceConfigW");
    }
    if (code == BATON_OK) { /* for people: what does not fit is not shown */
        (void)win32_text_to_utf8(raw->config.lpBinaryPathName, out->command_line,
                                 sizeof out->command_line);
        (void)win32_text_to_utf8(
            raw->config.lpServiceStartName != NULL ? raw->config.lpServiceStartName : L"",
            out->account, sizeof out->account);
    }
    free(raw);
    return code;
}

int platform_windows_service_look(const char *name, struct windows_service_status *out,
                                  struct baton_cause *cause) {
    SC_HANDLE service;
    SERVICE_STATUS_PROCESS raw;
    int code = open_service(name, SERVICE_QUERY_STATUS | SERVICE_QUERY_CONFIG, &service, cause);
    if (code == BATON_OK) {
        code = look(service, &raw, out, cause);
    }
    if (code == BATON_OK) {
        code = look_at_config(service, out, cause);
    }
    close_handle(service);
    return code;
}

/* ---- Started and stopped ---- */

/* Until it is in another state than `passing`, or has not got on for as long as it said that it may
 * take, and a while. The SCM has no event that tells all of that. */
static int await(SC_HANDLE service, enum windows_service_state passing,
                 struct windows_service_status *out, struct baton_cause *cause) {
    SERVICE_STATUS_PROCESS raw;
    DWORD checkpoint = 0;
    ULONGLONG seen_ms = GetTickCount64();
    int code = look(service, &raw, out, cause);
    while (code == BATON_OK && out->state == passing) {
        if (raw.dwCheckPoint != checkpoint) {
            checkpoint = raw.dwCheckPoint;
            seen_ms = GetTickCount64();
        } else if (GetTickCount64() - seen_ms > (ULONGLONG)raw.dwWaitHint + STILL_GRACE_MS) {
            break;
        }
        Sleep(LOOK_INTERVAL_MS);
        code = look(service, &raw, out, cause);
    }
    return code;
}

int platform_windows_service_start(const char *name, struct windows_service_status *out,
                                   struct baton_cause *cause) {
    SC_HANDLE service;
    int code = open_service(name, SERVICE_START | SERVICE_QUERY_STATUS, &service, cause);
    if (code == BATON_OK && !StartServiceW(service, 0, NULL)) {
        code = win32_cause_last(cause, "StartServiceW");
    }
    if (code == BATON_OK) {
        code = await(service, WINDOWS_SERVICE_STARTING, out, cause);
    }
    close_handle(service);
    return code;
}

int platform_windows_service_stop(const char *name, struct windows_service_status *out,
                                  struct baton_cause *cause) {
    SC_HANDLE service;
    SERVICE_STATUS ignored;
    SERVICE_STATUS_PROCESS raw;
    int code = open_service(name, SERVICE_STOP | SERVICE_QUERY_STATUS, &service, cause);
    if (code == BATON_OK) {
        code = await(service, WINDOWS_SERVICE_STARTING, out, cause); /* takes no order before */
    }
    if (code == BATON_OK && out->state == WINDOWS_SERVICE_RUNNING &&
        !ControlService(service, SERVICE_CONTROL_STOP, &ignored)) {
        struct baton_cause refused = {0};
        int result = win32_cause_last(&refused, "ControlService");
        code = look(service, &raw, out, cause); /* it may have ended at this moment */
        if (code == BATON_OK && out->state == WINDOWS_SERVICE_RUNNING) {
            *cause = refused;
            code = result;
        }
    }
    if (code == BATON_OK) { /* until the order has come to it, it runs */
        code = await(service, WINDOWS_SERVICE_RUNNING, out, cause);
    }
    if (code == BATON_OK) {
        code = await(service, WINDOWS_SERVICE_STOPPING, out, cause);
    }
    if (code == BATON_OK) {
        code = look(service, &raw, out, cause);
    }
    close_handle(service);
    return code;
}

int platform_windows_service_reload(const char *name, struct baton_cause *cause) {
    SC_HANDLE service;
    SERVICE_STATUS ignored;
    int code = open_service(name, SERVICE_PAUSE_CONTINUE, &service, cause);
    if (code == BATON_OK && !ControlService(service, SERVICE_CONTROL_PARAMCHANGE, &ignored)) {
        code = win32_cause_last(cause, "ControlService");
    }
    close_handle(service);
    return code;
}

int platform_windows_service_remove(const char *name, struct baton_cause *cause) {
    static char own[SERVICE_PATH_BYTES];
    SC_HANDLE service;
    int code = open_service(name, DELETE, &service, cause);
    if (code == BATON_OK && !DeleteService(service)) {
        code = win32_cause_last(cause, "DeleteService");
    }
    close_handle(service);
    if (code == BATON_OK) {
        code = win32_service_own_path(own, cause);
    }
    return code == BATON_OK ? win32_event_source_remove(name, own, cause) : code;
}
