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

static int fault_of(int error) {
    SetLastError((DWORD)error);
    return error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAESHUTDOWN
               ? BATON_E_CLOSED
               : BATON_E_SYSTEM;
}

long baton_receive(struct baton_connection *connection, void *buffer, size_t size) {
    int room = size > INT_MAX ? INT_MAX : (int)size;
    int length = recv((SOCKET)connection->socket, buffer, room, 0);
    if (length == SOCKET_ERROR)
        return fault_of(WSAGetLastError());
    connection->bytes_in += (uint64_t)length;
    return length;
}

/* The socket is blocking, and there is no flag for one call. */
static bool is_readable(SOCKET socket) {
    struct timeval at_once = {0};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(socket, &readable);
    return select(0, &readable, NULL, NULL, &at_once) == 1;
}

long baton_receive_datagram(struct baton_connection *connection, void *buffer, size_t size) {
    int room = size > INT_MAX ? INT_MAX : (int)size, sender_bytes = sizeof connection->sender;
    if (!is_readable((SOCKET)connection->socket))
        return BATON_E_AGAIN;
    int length = recvfrom((SOCKET)connection->socket, buffer, room, 0,
                          (struct sockaddr *)(void *)connection->sender, &sender_bytes);
    if (length == SOCKET_ERROR) {
        int error = WSAGetLastError();
        /* An answer of ours did not arrive: that is said here, and concerns nobody. */
        if (error == WSAECONNRESET || error == WSAENETRESET)
            return BATON_E_AGAIN;
        if (error != WSAEMSGSIZE)
            return fault_of(error);
        length = room;
    }
    connection->sender_bytes = (uint32_t)sender_bytes;
    connection->bytes_in += (uint64_t)length;
    body_sender_address(connection);
    return length;
}

static int send_datagram(struct baton_connection *connection, const void *bytes, size_t length) {
    int sent = sendto((SOCKET)connection->socket, bytes, length > INT_MAX ? INT_MAX : (int)length,
                      0, (const struct sockaddr *)(const void *)connection->sender,
                      (int)connection->sender_bytes);
    if (sent == SOCKET_ERROR)
        return fault_of(WSAGetLastError());
    connection->bytes_out += (uint64_t)sent;
    return 0;
}

int baton_send(struct baton_connection *connection, const void *bytes, size_t length) {
    const char *at = bytes;
    if (connection->kind == BATON_KIND_DATAGRAM)
        return send_datagram(connection, bytes, length);
    while (length > 0) {
        int piece = length > INT_MAX ? INT_MAX : (int)length;
        int sent = send((SOCKET)connection->socket, at, piece, 0);
        if (sent == SOCKET_ERROR)
            return fault_of(WSAGetLastError());
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
