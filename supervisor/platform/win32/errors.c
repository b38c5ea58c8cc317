#include "core/base/text.h"
#include "internal.h"

#ifndef ERROR_ELEVATION_REQUIRED /* not in the headers of mingw-w64 10 */
#define ERROR_ELEVATION_REQUIRED 740L
#endif

static int code_of_file(DWORD system_code) {
    switch (system_code) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_INVALID_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_INVALID_DRIVE:
    case ERROR_NOT_READY:
    case ERROR_DIRECTORY:
        return BATON_NOT_FOUND;
    case ERROR_BAD_EXE_FORMAT:
    case ERROR_INVALID_EXE_SIGNATURE:
    case ERROR_EXE_MARKED_INVALID:
    case ERROR_EXE_MACHINE_TYPE_MISMATCH:
    case ERROR_BAD_FORMAT:
        return BATON_NOT_EXECUTABLE;
    case ERROR_ACCESS_DENIED:
    case ERROR_SHARING_VIOLATION:
    case ERROR_PRIVILEGE_NOT_HELD:
    case ERROR_ELEVATION_REQUIRED:
    case ERROR_ACCESS_DISABLED_BY_POLICY:
        return BATON_DENIED;
    case ERROR_FILENAME_EXCED_RANGE:
        return BATON_TOO_LONG;
    default:
        return BATON_SYSTEM;
    }
}

static int code_of_socket(DWORD system_code) {
    switch (system_code) {
    case WSAEADDRINUSE:
        return BATON_IN_USE;
    case WSAEADDRNOTAVAIL:
        return BATON_UNAVAILABLE;
    case WSAEACCES:
        return BATON_DENIED;
    case WSAEAFNOSUPPORT:
    case WSAEPROTONOSUPPORT:
    case WSAESOCKTNOSUPPORT:
    case WSAEPFNOSUPPORT:
        return BATON_UNSUPPORTED;
    default:
        return code_of_file(system_code);
    }
}

int win32_cause_of(struct baton_cause *cause, const char *call, DWORD system_code) {
    cause->call = call;
    cause->system_code = (long)system_code;
    switch (system_code) {
    case ERROR_NOT_ENOUGH_MEMORY: /* WSA_NOT_ENOUGH_MEMORY is the same number */
    case ERROR_OUTOFMEMORY:
        return BATON_NO_MEMORY;
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NOT_ENOUGH_QUOTA:
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_WORKING_SET_QUOTA:
    case ERROR_PAGEFILE_QUOTA:
    case ERROR_NONPAGED_SYSTEM_RESOURCES:
    case ERROR_PAGED_SYSTEM_RESOURCES:
    case WSAEMFILE:
    case WSAENOBUFS:
    case WSAEPROCLIM:
        return BATON_SHORTAGE;
    default:
        return code_of_socket(system_code);
    }
}

int win32_cause_last(struct baton_cause *cause, const char *call) {
    return win32_cause_of(cause, call, GetLastError());
}

/* For a number that the system has no words for, as Wine has none for Winsock's. */
static void name_error(long system_code, char *out, size_t size_bytes) {
    struct baton_cause cause;
    int code = win32_cause_of(&cause, NULL, (DWORD)system_code);
    if (code == BATON_SYSTEM) {
        text_format(out, size_bytes, "error %ld", system_code);
    } else {
        text_format(out, size_bytes, "%s (error %ld)", baton_error_text(code), system_code);
    }
}

char *platform_error_text(long system_code, char *out, size_t size_bytes) {
    wchar_t wide[512];
    DWORD length = FormatMessageW(
        FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS | FORMAT_MESSAGE_MAX_WIDTH_MASK,
        NULL, (DWORD)system_code, 0, wide, (DWORD)(sizeof wide / sizeof wide[0]), NULL);
    while (length > 0 && (wide[length - 1] <= L' ' || wide[length - 1] == L'.')) {
        length--;
    }
    wide[length] = L'\0';
    if (size_bytes > 0 && (length == 0 || win32_text_to_utf8(wide, out, size_bytes) != BATON_OK)) {
        name_error(system_code, out, size_bytes);
    }
    return out;
}
