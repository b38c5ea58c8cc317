#include "body.h"

#include <winsock2.h>

#include <limits.h>
#include <windows.h>

/* Winsock tells neither the path of a listener nor who connected in a way that is worth it. */
void body_socket_local(struct baton_connection *connection) {
    (void)connection;
}

void body_socket_close(baton_socket *socket) {
    if (*socket != BATON_SOCKET_NONE)
        closesocket((SOCKET)*socket);
    *socket = BATON_SOCKET_NONE;
}

int body_socket_fault(int error) {
    SetLastError((DWORD)error);
    return error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAESHUTDOWN
               ? BATON_E_CLOSED
               : BATON_E_SYSTEM;
}

long baton_receive(struct baton_connection *connection, void *buffer, size_t size) {
    int room = size > INT_MAX ? INT_MAX : (int)size;
    int length = recv((SOCKET)connection->socket, buffer, room, 0);
    if (length == SOCKET_ERROR)
        return body_socket_fault(WSAGetLastError());
    connection->bytes_in += (uint64_t)length;
    return length;
}

int baton_send(struct baton_connection *connection, const void *bytes, size_t length) {
    const char *at = bytes;
    if (connection->kind == BATON_KIND_DATAGRAM)
        return body_datagram_send(connection, bytes, length);
    while (length > 0) {
        int piece = length > INT_MAX ? INT_MAX : (int)length;
        int sent = send((SOCKET)connection->socket, at, piece, 0);
        if (sent == SOCKET_ERROR)
            return body_socket_fault(WSAGetLastError());
        connection->bytes_out += (uint64_t)sent;
        at += sent;
        length -= (size_t)sent;
    }
    return 0;
}

void baton_hang_up(struct baton_connection *connection, uint32_t timeout_ms, size_t max_bytes) {
    char dropped[4096];
    ULONGLONG deadline_ms = GetTickCount64() + timeout_ms;
    shutdown((SOCKET)connection->socket, SD_SEND);
    while (max_bytes > 0) {
        ULONGLONG now_ms = GetTickCount64();
        struct pollfd wait = {.fd = (SOCKET)connection->socket, .events = POLLRDNORM};
        if (now_ms >= deadline_ms || WSAPoll(&wait, 1, (int)(deadline_ms - now_ms)) <= 0)
            return;
        size_t room = max_bytes < sizeof dropped ? max_bytes : sizeof dropped;
        int length = recv((SOCKET)connection->socket, dropped, (int)room, 0);
        if (length <= 0)
            return;
        max_bytes -= (size_t)length;
    }
}
