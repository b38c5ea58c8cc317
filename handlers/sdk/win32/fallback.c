/*
 * Without a channel: a socket on standard input, as batond's stdio mode and other super-servers for
 * Windows give it.
 * LISTEN_FDS is a POSIX custom and is not looked for.
 */
#include "body.h"

#include <winsock2.h>

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

/* Makes the standard streams that are this very handle the null device. */
static int free_standard_streams(HANDLE handle) {
    static const DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) {
        if (GetStdHandle(streams[i]) != handle)
            continue;
        HANDLE null_device =
            CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                        NULL, OPEN_EXISTING, 0, NULL);
        if (null_device == INVALID_HANDLE_VALUE || !SetStdHandle(streams[i], null_device))
            return BATON_E_SYSTEM;
    }
    return 0;
}

int body_fallback_open(struct body_sources *sources, uint32_t kinds) {
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    int kind = input != NULL && input != INVALID_HANDLE_VALUE ? kind_of((SOCKET)input) : 0;
    if (!is_wanted(kind, kinds))
        return BATON_E_NO_SOURCE;
    if (!SetHandleInformation(input, HANDLE_FLAG_INHERIT, 0))
        return BATON_E_SYSTEM;
    sources_add(sources, (baton_socket)input, (enum baton_kind)kind, "");
    return free_standard_streams(input);
}
