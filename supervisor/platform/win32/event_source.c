/*
 * The source of entries in the Event Log, as which a service is registered: where it looks for the
 * messages of their numbers.
 * https://learn.microsoft.com/windows/win32/eventlog/event-sources
 */
#include "core/base/text.h"
#include "windows_service_parts.h"

#include <string.h>
#include <wchar.h>

#define SOURCES "SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\"
#define KEY_CHARACTERS (sizeof SOURCES + WINDOWS_SERVICE_NAME_MAX_BYTES)
#define MESSAGE_FILE L"EventMessageFile"

static int write_key(const char *name, wchar_t out[KEY_CHARACTERS]) {
    char text[KEY_CHARACTERS];
    text_format(text, sizeof text, "%s%s", SOURCES, name);
    return win32_text_to_room(text, out, KEY_CHARACTERS);
}

static int fail(struct baton_cause *cause, const char *call, LSTATUS status) {
    return win32_cause_of(cause, call, (DWORD)status);
}

/* The last name of a path. */
static const wchar_t *name_of(const wchar_t *path) {
    const wchar_t *last = wcsrchr(path, L'\\');
    return last == NULL ? path : last + 1;
}

/* True if the key has no messages, or those of a program that is called as we are: of a batond that
 * was elsewhere before. */
static bool is_ours(HKEY key, const wchar_t *own_path) {
    wchar_t file[SERVICE_PATH_BYTES];
    DWORD bytes = sizeof file;
    LSTATUS status =
        RegGetValueW(key, NULL, MESSAGE_FILE, RRF_RT_REG_SZ | RRF_RT_REG_EXPAND_SZ | RRF_NOEXPAND,
                     NULL, file, &bytes);
    return status == ERROR_FILE_NOT_FOUND ||
           (status == ERROR_SUCCESS && _wcsicmp(name_of(file), name_of(own_path)) == 0);
}

static int fill(HKEY key, const wchar_t *own_path, struct baton_cause *cause) {
    DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
    DWORD bytes = (DWORD)((wcslen(own_path) + 1) * sizeof *own_path);
    LSTATUS status =
        RegSetValueExW(key, MESSAGE_FILE, 0, REG_EXPAND_SZ, (const BYTE *)own_path, bytes);
    if (status == ERROR_SUCCESS) {
        status = RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types,
                                sizeof types);
    }
    return status == ERROR_SUCCESS ? BATON_OK : fail(cause, "RegSetValueExW(EventLog)", status);
}

int win32_event_source_add(const char *name, const char *program, struct baton_cause *cause) {
    wchar_t path[KEY_CHARACTERS], own_path[SERVICE_PATH_BYTES];
    HKEY key = NULL;
    int code = write_key(name, path);
    if (code == BATON_OK) {
        code = win32_text_to_room(program, own_path, SERVICE_PATH_BYTES);
    }
    if (code != BATON_OK) {
        return code;
    }
    LSTATUS status = RegCreateKeyExW(HKEY_LOCAL_MACHINE, path, 0, NULL, 0,
                                     KEY_QUERY_VALUE | KEY_SET_VALUE, NULL, &key, NULL);
    if (status != ERROR_SUCCESS) {
        return fail(cause, "RegCreateKeyExW(EventLog)", status);
    }
    code = is_ours(key, own_path) ? fill(key, own_path, cause) : BATON_IN_USE;
    RegCloseKey(key);
    return code;
}

int win32_event_source_remove(const char *name, const char *program, struct baton_cause *cause) {
    wchar_t path[KEY_CHARACTERS], own_path[SERVICE_PATH_BYTES];
    HKEY key = NULL;
    int code = write_key(name, path);
    if (code == BATON_OK) {
        code = win32_text_to_room(program, own_path, SERVICE_PATH_BYTES);
    }
    if (code != BATON_OK) {
        return code;
    }
    LSTATUS status = RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_QUERY_VALUE, &key);
    if (status == ERROR_FILE_NOT_FOUND) {
        return BATON_OK;
    }
    if (status != ERROR_SUCCESS) {
        return fail(cause, "RegOpenKeyExW(EventLog)", status);
    }
    bool goes = is_ours(key, own_path);
    RegCloseKey(key);
    status = goes ? RegDeleteKeyW(HKEY_LOCAL_MACHINE, path) : ERROR_SUCCESS;
    return status == ERROR_SUCCESS ? BATON_OK : fail(cause, "RegDeleteKeyW(EventLog)", status);
}
