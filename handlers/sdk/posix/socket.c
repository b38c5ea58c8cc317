#include "body.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void body_socket_close(baton_socket *socket) {
    if (*socket != BATON_SOCKET_NONE)
        close(*socket);
    *socket = BATON_SOCKET_NONE;
}

void body_address_print(const struct wire_address *address, char out[BATON_ADDRESS_BYTES]) {
    char host[INET6_ADDRSTRLEN];
    out[0] = '\0';
    if (address->family == 0 || inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes,
                                          host, sizeof host) == NULL)
        return;
    snprintf(out, BATON_ADDRESS_BYTES, address->family == 4 ? "%s:%u" : "[%s]:%u", host,
             (unsigned)address->port);
}

static struct wire_address from_system(const struct sockaddr_storage *name) {
    struct wire_address address = {0};
    if (name->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)name;
        address.family = 4;
        address.port = ntohs(in->sin_port);
        memcpy(address.bytes, &in->sin_addr, 4);
    } else if (name->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)name;
        address.family = 6;
        address.port = ntohs(in6->sin6_port);
        memcpy(address.bytes, &in6->sin6_addr, 16);
    }
    return address;
}

void body_socket_addresses(struct baton_connection *connection) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    struct wire_address address = {0};
    if (getpeername(connection->socket, (struct sockaddr *)&name, &length) == 0)
        address = from_system(&name);
    body_address_print(&address, connection->peer);
    length = sizeof name;
    address = (struct wire_address){0};
    if (getsockname(connection->socket, (struct sockaddr *)&name, &length) == 0)
        address = from_system(&name);
    body_address_print(&address, connection->local);
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
