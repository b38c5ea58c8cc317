#include "body.h"

#include <winsock2.h>

#include <limits.h>
#include <windows.h>

/* Winsock tells neither the path of a listener nor who connected in a way that is worth it. */
void body_socket_local(struct baton_connection *connection) {
    (void)connection;
}

void body_socket_close(baton_socket *socket) {
    /* Winsock may not know it: see fallback.c. */
    if (*socket != BATON_SOCKET_NONE && closesocket((SOCKET)*socket) == SOCKET_ERROR &&
        WSAGetLastError() == WSAENOTSOCK)
        CloseHandle((HANDLE)*socket);
    *socket = BATON_SOCKET_NONE;
}

int body_socket_fault(int error) {
    SetLastError((DWORD)error);
    return error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAESHUTDOWN
               ? BATON_E_CLOSED
               : BATON_E_SYSTEM;
}

/* The fault for what ReadFile or WriteFile said. */
static int handle_fault(DWORD error) {
    bool is_gone = error == ERROR_NETNAME_DELETED || error == ERROR_CONNECTION_ABORTED ||
                   error == ERROR_BROKEN_PIPE || error == ERROR_NO_DATA ||
                   error == ERROR_PIPE_NOT_CONNECTED;
    int fault = body_socket_fault((int)error);
    return is_gone ? BATON_E_CLOSED : fault;
}

/* ReadFile; a pipe tells its end as an error, a socket by no bytes. Returns as recv, or a fault. */
static long read_handle(HANDLE handle, void *buffer, int room) {
    DWORD length = 0;
    if (ReadFile(handle, buffer, (DWORD)room, &length, NULL))
        return (long)length;
    DWORD error = GetLastError();
    return error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF ? 0 : handle_fault(error);
}

long baton_receive(struct baton_connection *connection, void *buffer, size_t size) {
    int room = size > INT_MAX ? INT_MAX : (int)size;
    long length = connection->is_plain ? read_handle((HANDLE)connection->socket, buffer, room)
                                       : recv((SOCKET)connection->socket, buffer, room, 0);
    if (!connection->is_plain && length == SOCKET_ERROR)
        length = body_socket_fault(WSAGetLastError());
    connection->bytes_in += length > 0 ? (uint64_t)length : 0;
    return length;
}

/* Sends a piece; returns how much of it went, or a fault. */
static long send_piece(const struct baton_connection *connection, const char *bytes, int length) {
    DWORD written = 0;
    if (connection->is_plain)
        return WriteFile((HANDLE)connection->socket, bytes, (DWORD)length, &written, NULL)
                   ? (long)written
                   : handle_fault(GetLastError());
    int sent = send((SOCKET)connection->socket, bytes, length, 0);
    return sent != SOCKET_ERROR ? sent : body_socket_fault(WSAGetLastError());
}

int baton_send(struct baton_connection *connection, const void *bytes, size_t length) {
    const char *at = bytes;
    if (connection->kind == BATON_KIND_DATAGRAM)
        return body_datagram_send(connection, bytes, length);
    while (length > 0) {
        int piece = length > INT_MAX ? INT_MAX : (int)length;
        long sent = send_piece(connection, at, piece);
        if (sent < 0)
            return (int)sent;
        connection->bytes_out += (uint64_t)sent;
        at += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* What comes within `left_ms`, or a fault. Without WSAPoll, which knows less than select does of a
 * socket that came by inheritance. */
static long receive_within(const struct baton_connection *connection, ULONGLONG left_ms, char *out,
                           int room) {
    SOCKET socket = (SOCKET)connection->socket;
    fd_set readable = {.fd_count = 1, .fd_array = {socket}};
    struct timeval wait = {(long)(left_ms / 1000), (long)(left_ms % 1000) * 1000};
    if (select(0, &readable, NULL, NULL, &wait) <= 0)
        return BATON_E_SYSTEM;
    return connection->is_plain ? read_handle((HANDLE)socket, out, room)
                                : recv(socket, out, room, 0);
}

void baton_hang_up(struct baton_connection *connection, uint32_t timeout_ms, size_t max_bytes) {
    char dropped[4096];
    ULONGLONG deadline_ms = GetTickCount64() + timeout_ms, now_ms;
    /* A client that waits for our end would be waited for, where we cannot tell it. */
    if (shutdown((SOCKET)connection->socket, SD_SEND) != 0)
        return;
    while (max_bytes > 0 && (now_ms = GetTickCount64()) < deadline_ms) {
        size_t room = max_bytes < sizeof dropped ? max_bytes : sizeof dropped;
        long length = receive_within(connection, deadline_ms - now_ms, dropped, (int)room);
        if (length <= 0)
            return;
        max_bytes -= (size_t)length;
    }
}
