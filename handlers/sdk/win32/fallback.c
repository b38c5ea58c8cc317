/*
 * Without a channel: a socket on standard input, as other super-servers for Windows give it.
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
    return kind == BATON_KIND_LISTENER ? (kinds & BATON_KIND_CONNECTION) != 0
                                       : ((uint32_t)kind & kinds) != 0;
}

/* Makes the standard streams that are this very handle the null device. */
static int free_standard_streams(HANDLE handle) {
    static const DWORD streams[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
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

int body_fallback_open(struct body_fallback *fallback, uint32_t kinds) {
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    int kind = input != NULL && input != INVALID_HANDLE_VALUE ? kind_of((SOCKET)input) : 0;
    if (!is_wanted(kind, kinds))
        return BATON_E_NO_SOURCE;
    if (!SetHandleInformation(input, HANDLE_FLAG_INHERIT, 0))
        return BATON_E_SYSTEM;
    fallback->sources[0].socket = (baton_socket)input;
    fallback->sources[0].kind = (enum baton_kind)kind;
    fallback->count = 1;
    return free_standard_streams(input);
}

/* Errors of accept that concern one client only. */
static bool is_passing(int error) {
    return error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAEINTR;
}

int body_fallback_next(struct body_fallback *fallback, struct baton_connection *connection) {
    *connection = (struct baton_connection){.socket = BATON_SOCKET_NONE};
    if (fallback->count == 0)
        return 0;
    connection->kind = BATON_KIND_CONNECTION;
    if (fallback->sources[0].kind != BATON_KIND_LISTENER) {
        connection->socket = fallback->sources[0].socket;
        connection->kind = fallback->sources[0].kind;
        fallback->count = 0;
    }
    while (connection->socket == BATON_SOCKET_NONE) {
        SOCKET accepted = accept((SOCKET)fallback->sources[0].socket, NULL, NULL);
        if (accepted == INVALID_SOCKET && !is_passing(WSAGetLastError()))
            return BATON_E_SYSTEM;
        connection->socket = (baton_socket)accepted;
    }
    /* Accepted sockets are inheritable again even when the listener is not. */
    SetHandleInformation((HANDLE)connection->socket, HANDLE_FLAG_INHERIT, 0);
    body_socket_addresses(connection);
    return 1;
}

void body_fallback_close(struct body_fallback *fallback) {
    while (fallback->count > 0)
        body_socket_close(&fallback->sources[--fallback->count].socket);
}
