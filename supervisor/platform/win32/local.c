/*
 * The files of local sockets. Windows has AF_UNIX since version 10 1803; Wine 8 has not, so of this
 * file only the refusal has been seen to run; the rest is written by the documentation alone. Who
 * may connect is up to the access list that the file inherits from its folder: the mode and the
 * owner of the description are POSIX's, and left aside.
 * https://devblogs.microsoft.com/commandline/af_unix-comes-to-windows/
 */
#include "listener.h"

#include <afunix.h>
#include <stdlib.h>
#include <string.h>

#ifndef IO_REPARSE_TAG_AF_UNIX /* not in the headers of mingw-w64 10 */
#define IO_REPARSE_TAG_AF_UNIX 0x80000023u
#endif

/* A local socket's file is a reparse point, and is opened as itself. */
static bool identify(const wchar_t *path, struct local_file *out) {
    BY_HANDLE_FILE_INFORMATION known;
    HANDLE file = CreateFileW(
        path, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
        OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        return false;
    }
    bool is_known = GetFileInformationByHandle(file, &known) != FALSE;
    CloseHandle(file);
    out->volume = known.dwVolumeSerialNumber;
    out->number = (ULONGLONG)known.nFileIndexHigh << 32 | known.nFileIndexLow;
    return is_known;
}

static bool is_socket_file(const wchar_t *path) {
    WIN32_FIND_DATAW found;
    HANDLE search = FindFirstFileW(path, &found);
    if (search == INVALID_HANDLE_VALUE) {
        return false;
    }
    FindClose(search);
    return (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
           found.dwReserved0 == IO_REPARSE_TAG_AF_UNIX;
}

/* True if the file is a socket's and nobody listens on it any more. */
static bool is_stale(const wchar_t *path, const SOCKADDR_UN *name) {
    if (!is_socket_file(path)) {
        return false;
    }
    SOCKET probe = win32_listener_new_socket(AF_UNIX, SOCK_STREAM, false);
    if (probe == INVALID_SOCKET) {
        return false;
    }
    bool refused = connect(probe, (const struct sockaddr *)name, (int)sizeof *name) != 0 &&
                   WSAGetLastError() == WSAECONNREFUSED;
    closesocket(probe);
    return refused;
}

static bool folder_exists(const wchar_t *path) {
    wchar_t folder[UNIX_PATH_MAX];
    size_t length = wcslen(path);
    while (length > 0 && path[length] != L'\\' && path[length] != L'/') {
        length--;
    }
    if (length == 0 || length >= UNIX_PATH_MAX) {
        return true;
    }
    memcpy(folder, path, length * sizeof *folder);
    folder[length] = L'\0';
    return GetFileAttributesW(folder) != INVALID_FILE_ATTRIBUTES;
}

static int bind_failed(const wchar_t *path, struct baton_cause *cause) {
    int code = win32_listener_failed(cause, "bind");
    if (GetFileAttributesW(path) != INVALID_FILE_ATTRIBUTES) {
        return BATON_IN_USE;
    }
    return folder_exists(path) ? code : BATON_NOT_FOUND;
}

int win32_local_bind(SOCKET socket, const char *path, struct local_file *file,
                     struct baton_cause *cause) {
    SOCKADDR_UN name = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof name.sun_path) {
        return BATON_TOO_LONG;
    }
    memcpy(name.sun_path, path, length + 1);
    wchar_t *wide;
    int code = win32_text_to_wide(path, &wide);
    if (code != BATON_OK) {
        return code;
    }
    int result = bind(socket, (const struct sockaddr *)&name, (int)sizeof name);
    if (result != 0 && is_stale(wide, &name) && DeleteFileW(wide)) {
        result = bind(socket, (const struct sockaddr *)&name, (int)sizeof name);
    }
    if (result != 0) {
        code = bind_failed(wide, cause);
    } else if (identify(wide, file)) {
        file->path = wide;
        return BATON_OK;
    }
    free(wide);
    return code;
}

void win32_local_remove(struct local_file *file) {
    struct local_file now = {NULL, 0, 0};
    if (file->path != NULL && identify(file->path, &now) && now.volume == file->volume &&
        now.number == file->number) {
        DeleteFileW(file->path);
    }
    free(file->path);
    *file = (struct local_file){NULL, 0, 0};
}
