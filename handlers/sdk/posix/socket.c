#include "body.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void body_socket_close(baton_socket *socket) {
    if (*socket != BATON_SOCKET_NONE)
        close(*socket);
    *socket = BATON_SOCKET_NONE;
}

long baton_receive(struct baton_connection *connection, void *buffer, size_t size) {
    ssize_t length;
    do
        length = recv(connection->socket, buffer, size, 0);
    while (length < 0 && errno == EINTR);
    if (length < 0)
        return errno == ECONNRESET || errno == EPIPE ? BATON_E_CLOSED : BATON_E_SYSTEM;
    connection->bytes_in += (uint64_t)length;
    return (long)length;
}

int baton_send(struct baton_connection *connection, const void *bytes, size_t length) {
    const char *at = bytes;
    while (length > 0) {
        ssize_t sent = send(connection->socket, at, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return errno == ECONNRESET || errno == EPIPE ? BATON_E_CLOSED : BATON_E_SYSTEM;
        connection->bytes_out += (uint64_t)sent;
        at += sent;
        length -= (size_t)sent;
    }
    return 0;
}

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void baton_hang_up(struct baton_connection *connection, uint32_t timeout_ms, size_t max_bytes) {
    char dropped[4096];
    int64_t deadline_ms = now_ms() + timeout_ms;
    shutdown(connection->socket, SHUT_WR);
    while (max_bytes > 0) {
        struct pollfd wait = {.fd = connection->socket, .events = POLLIN};
        int64_t left_ms = deadline_ms - now_ms();
        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) <= 0)
            return;
        size_t room = max_bytes < sizeof dropped ? max_bytes : sizeof dropped;
        ssize_t length = recv(connection->socket, dropped, room, MSG_DONTWAIT);
        if (length <= 0)
            return;
        max_bytes -= (size_t)length;
    }
}
