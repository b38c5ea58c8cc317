#include "../body.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until the socket is connected. Returns 0 or an errno. */
static int finish_connecting(int connecting, int64_t deadline_ms) {
    struct pollfd wait = {.fd = connecting, .events = POLLOUT};
    int error = 0, count = 0;
    socklen_t length = sizeof error;
    do {
        int64_t left_ms = deadline_ms - now_ms();
        count = poll(&wait, 1, left_ms > 0 ? (int)left_ms : 0);
    } while (count < 0 && errno == EINTR);
    if (count <= 0)
        return count == 0 ? ETIMEDOUT : errno;
    return getsockopt(connecting, SOL_SOCKET, SO_ERROR, &error, &length) == 0 ? error : errno;
}

/* Returns the socket, or -1 and the reason in errno. */
static int connect_one(const struct addrinfo *address, int64_t deadline_ms) {
    int on = 1;
    int candidate = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (candidate < 0)
        return -1;
    setsockopt(candidate, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    int error = connect(candidate, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS || error == EINTR)
        error = finish_connecting(candidate, deadline_ms);
    if (error == 0)
        return candidate;
    close(candidate);
    errno = error;
    return -1;
}

static int count_of(const struct addrinfo *at) {
    int count = 0;
    for (; at != NULL; at = at->ai_next)
        count++;
    return count;
}

baton_socket forward_connect(const char *host, const char *port, uint32_t timeout_ms, char *why,
                             size_t why_bytes) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int result = -1, error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        snprintf(why, why_bytes, "%s", error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error));
        return BATON_SOCKET_NONE;
    }
    int64_t deadline_ms = now_ms() + timeout_ms;
    for (struct addrinfo *at = found; at != NULL && result < 0; at = at->ai_next) {
        /* One that does not answer leaves the others their share of the time. */
        int64_t now = now_ms(), left_ms = deadline_ms > now ? deadline_ms - now : 0;
        result = connect_one(at, now + left_ms / count_of(at));
        error = errno;
    }
    freeaddrinfo(found);
    if (result < 0)
        snprintf(why, why_bytes, "%s", strerror(error));
    return result;
}

int forward_prepare(baton_socket socket) {
    int flags = fcntl(socket, F_GETFL), on = 1;
    setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
    return flags >= 0 && fcntl(socket, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : -1;
}

int forward_wait(struct forward_wish wishes[2]) {
    struct pollfd waits[2];
    int count;
    for (int i = 0; i < 2; i++) {
        bool is_wished = wishes[i].receive || wishes[i].send;
        /* An error or hang-up is told even for no events: what we do not wish is not watched. */
        waits[i] = (struct pollfd){.fd = is_wished ? wishes[i].socket : -1};
        waits[i].events =
            (short)((wishes[i].receive ? POLLIN : 0) | (wishes[i].send ? POLLOUT : 0));
    }
    do
        count = poll(waits, 2, -1);
    while (count < 0 && errno == EINTR);
    for (int i = 0; i < 2; i++) {
        wishes[i].receive = wishes[i].receive && (waits[i].revents & ~POLLOUT) != 0;
        wishes[i].send = wishes[i].send && (waits[i].revents & ~POLLIN) != 0;
    }
    return count < 0 ? -1 : 0;
}

static long result_of(ssize_t length) {
    if (length >= 0)
        return (long)length;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? FORWARD_AGAIN
                                                                     : FORWARD_BROKEN;
}

long forward_receive(baton_socket socket, void *bytes, size_t size) {
    return result_of(recv(socket, bytes, size, 0));
}

long forward_send(baton_socket socket, const void *bytes, size_t size) {
    return result_of(send(socket, bytes, size, MSG_NOSIGNAL));
}

void forward_end_sending(baton_socket socket) {
    shutdown(socket, SHUT_WR);
}

void forward_reset_at_close(baton_socket socket) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void forward_close(baton_socket socket) {
    close(socket);
}
