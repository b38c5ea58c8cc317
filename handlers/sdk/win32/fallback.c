/*
 * Without a channel: a socket on standard input, as batond's stdio mode and other super-servers for
 * Windows give it.
 * LISTEN_FDS is a POSIX custom and is not looked for.
 *
 * Winsock need not know a socket that was inherited: for layered providers Microsoft promises it of
 * none (WSADuplicateSocketW is the way), and Wine 8 says WSAENOTSOCK to getpeername, send and
 * others. Mostly it can be made known by a duplicate for ourselves; where not, it is a handle for
 * ReadFile and WriteFile.
 */
#include "body.h"

#include <winsock2.h>

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <string.h>
#include <windows.h>

static int kind_of(SOCKET socket) {
    int type = 0, accepts = 0, length = sizeof type;
    if (getsockopt(socket, SOL_SOCKET, SO_TYPE, (char *)&type, &length) != 0)
        return 0;
    if (type == SOCK_DGRAM)
        return BATON_KIND_DATAGRAM;
    length = sizeof accepts;
    if (getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, (char *)&accepts, &length) == 0 &&
        accepts != 0)
        return BATON_KIND_LISTENER;
    return type == SOCK_STREAM ? BATON_KIND_CONNECTION : 0;
}

static bool is_wanted(int kind, uint32_t kinds) {
    return ((uint32_t)kind & kinds) != 0 ||
           (kind == BATON_KIND_LISTENER && (kinds & BATON_KIND_CONNECTION) != 0);
}

/* Makes the runtime's descriptors of the standard streams that are `handle` the null device. The
 * handle must be protected: for each of them the runtime closes it. */
static bool free_descriptors(HANDLE handle) {
    FILE *const streams[3] = {stdin, stdout, stderr};
    bool is_done = true;
    int null_device = _open("NUL", _O_RDWR | _O_NOINHERIT);
    for (int i = 0; i < 3; i++) {
        int descriptor = _fileno(streams[i]); /* negative where a program has no console */
        if (descriptor >= 0 && (HANDLE)_get_osfhandle(descriptor) == handle)
            is_done = null_device >= 0 && _dup2(null_device, descriptor) == 0 && is_done;
    }
    if (null_device > 2)
        _close(null_device);
    return is_done;
}

/* Makes the standard streams that are this very handle the null device, for Windows and for the C
 * runtime, which has taken down the handle's number: printf() would write to the client, or into
 * whatever is opened under that number once it is closed. */
static int free_standard_streams(HANDLE handle) {
    static const DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    bool is_handle[sizeof streams / sizeof *streams], is_done;
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        is_handle[i] = GetStdHandle(streams[i]) == handle;
    if (!SetHandleInformation(handle, HANDLE_FLAG_PROTECT_FROM_CLOSE,
                              HANDLE_FLAG_PROTECT_FROM_CLOSE))
        return BATON_E_SYSTEM;
    is_done = free_descriptors(handle);
    SetHandleInformation(handle, HANDLE_FLAG_PROTECT_FROM_CLOSE, 0);
    for (size_t i = 0; is_done && i < sizeof streams / sizeof *streams; i++) {
        HANDLE now = GetStdHandle(streams[i]);
        /* The runtime tells Windows of its descriptors, unless the program is one of windows. */
        if (!is_handle[i] || (now != handle && now != NULL && now != INVALID_HANDLE_VALUE))
            continue;
        HANDLE null_device =
            CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                        NULL, OPEN_EXISTING, 0, NULL);
        is_done = null_device != INVALID_HANDLE_VALUE && SetStdHandle(streams[i], null_device);
    }
    return is_done ? 0 : BATON_E_SYSTEM;
}

/* The same socket under a number that Winsock knows; INVALID_SOCKET if that cannot be had. */
static SOCKET make_known(SOCKET unknown) {
    WSAPROTOCOL_INFOW info;
    if (WSADuplicateSocketW(unknown, GetCurrentProcessId(), &info) != 0)
        return INVALID_SOCKET;
    return WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                      WSA_FLAG_NO_HANDLE_INHERIT);
}

/* To Windows a socket is a pipe of which it knows nothing else; who started us must have said that
 * there is a connection. */
static bool is_unknown_connection(HANDLE handle) {
    char id[24], protocol[8];
    DWORD flags = 0;
    return GetFileType(handle) == FILE_TYPE_PIPE &&
           !GetNamedPipeInfo(handle, &flags, NULL, NULL, NULL) &&
           body_read_environment("BATON_ID", id, sizeof id) == 1 &&
           body_read_environment("PROTO", protocol, sizeof protocol) == 1 &&
           strcmp(protocol, "TCP") == 0;
}

int body_fallback_open(struct body_sources *sources, uint32_t kinds) {
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    SOCKET socket = (SOCKET)input;
    bool is_plain = false;
    if (input == NULL || input == INVALID_HANDLE_VALUE)
        return BATON_E_NO_SOURCE;
    int kind = kind_of(socket);
    if (kind == 0 && WSAGetLastError() == WSAENOTSOCK) {
        SOCKET known = make_known(socket);
        is_plain = known == INVALID_SOCKET && is_unknown_connection(input);
        kind = is_plain ? BATON_KIND_CONNECTION : known != INVALID_SOCKET ? kind_of(known) : 0;
        socket = known != INVALID_SOCKET ? known : socket;
    }
    bool is_ours = is_wanted(kind, kinds);
    if (socket != (SOCKET)input && !is_ours)
        closesocket(socket);
    if (!is_ours)
        return BATON_E_NO_SOURCE;
    if (!SetHandleInformation((HANDLE)socket, HANDLE_FLAG_INHERIT, 0))
        return BATON_E_SYSTEM;
    sources_add(sources, (baton_socket)socket, (enum baton_kind)kind, "")->is_plain = is_plain;
    int fault = free_standard_streams(input);
    /* Or the client would see no end before that of the process. */
    if (socket != (SOCKET)input)
        CloseHandle(input);
    return fault;
}
