#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void body_socket_local(struct baton_connection *connection) {
    struct sockaddr_un name = {0};
    socklen_t length = sizeof name;
    if (getsockname(connection->socket, (struct sockaddr *)&name, &length) != 0 ||
        name.sun_family != AF_UNIX)
        return;
    /* A path that fills all of sun_path has no NUL (unix(7)). */
    _Static_assert(sizeof name.sun_path < BATON_PATH_BYTES, "the longest path fits");
    memcpy(connection->path, name.sun_path, sizeof name.sun_path);
#ifdef SO_PEERCRED
    /* A peer of another pid namespace has the pid 0; a socket without a peer the uid -1 (unix(7)).
     */
    struct ucred peer = {0};
    length = sizeof peer;
    if (getsockopt(connection->socket, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
        peer.uid != (uid_t)-1) {
        connection->peer_uid_known = 1;
        connection->peer_uid = peer.uid;
        connection->peer_pid = (uint32_t)peer.pid;
    }
#endif
}

void body_make_blocking(baton_socket socket) {
    int flags = fcntl(socket, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) != 0)
        fcntl(socket, F_SETFL, flags & ~O_NONBLOCK);
}

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
    if (connection->kind == BATON_KIND_DATAGRAM)
        return body_datagram_send(connection, bytes, length);
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

void baton_hang_up(struct baton_connection *connection, uint32_t timeout_ms, size_t max_bytes) {
    char dropped[4096];
    int64_t deadline_ms = (int64_t)body_now_ms() + timeout_ms;
    shutdown(connection->socket, SHUT_WR);
    while (max_bytes > 0) {
        struct pollfd wait = {.fd = connection->socket, .events = POLLIN};
        int64_t left_ms = deadline_ms - (int64_t)body_now_ms();
        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) <= 0)
            return;
        size_t room = max_bytes < sizeof dropped ? max_bytes : sizeof dropped;
        ssize_t length = recv(connection->socket, dropped, room, MSG_DONTWAIT);
        if (length <= 0)
            return;
        max_bytes -= (size_t)length;
    }
}
