/*
 * A closed loop of clients: each connects anew as soon as it has been served.
 *
 *     load PORT AT_ONCE COUNT QUIET_MS    prints the microseconds that COUNT connections took
 *
 * A client says hello and ends its sending; its answer is OK and the end of the connection, no more
 * and no less. The first that fares otherwise ends the program, and so do QUIET_MS in which nothing
 * came for any of them: exit status 1 and the reason on standard error.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { AT_ONCE_MAX = 250, COUNT_MAX = 1000000, QUIET_MAX_MS = 600000 };

static const char QUESTION[] = {'h', 'e', 'l', 'l', 'o'};
static const char ANSWER[] = {'O', 'K'};

struct client {
    int socket;
    long number;
    size_t received_bytes;
    struct sockaddr_in own;
};

struct load {
    struct sockaddr_in server;
    int epoll;
    int quiet_ms;
    long at_once, count, begun, served;
    struct client clients[AT_ONCE_MAX];
};

static int64_t now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

_Noreturn static void fail(const struct load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

_Noreturn static void fail(const struct load *load, const char *format, ...) {
    va_list values;
    va_start(values, format);
    fputs("load: ", stderr);
    vfprintf(stderr, format, values);
    va_end(values);
    fprintf(stderr, " (%ld of %ld served)\n", load->served, load->count);
    exit(1);
}

static int open_socket(const struct load *load, const struct client *client) {
    struct timeval limit = {.tv_sec = load->quiet_ms / 1000,
                            .tv_usec = (suseconds_t)(load->quiet_ms % 1000) * 1000};
    int on = 1;
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* connect(2) keeps to SO_SNDTIMEO as well (socket(7)). */
    if (descriptor < 0 ||
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0 ||
        bind(descriptor, (const struct sockaddr *)&client->own, sizeof client->own) != 0)
        fail(load, "no socket for a client: %s", strerror(errno));
    return descriptor;
}

static void begin(struct load *load, struct client *client) {
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = client};
    client->number = ++load->begun;
    client->received_bytes = 0;
    client->socket = open_socket(load, client);
    if (connect(client->socket, (const struct sockaddr *)&load->server, sizeof load->server) != 0)
        fail(load, "connection %ld could not be made: %s", client->number, strerror(errno));
    if (send(client->socket, QUESTION, sizeof QUESTION, MSG_NOSIGNAL) != (ssize_t)sizeof QUESTION ||
        shutdown(client->socket, SHUT_WR) != 0)
        fail(load, "connection %ld could not ask: %s", client->number, strerror(errno));
    if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, client->socket, &interest) != 0)
        fail(load, "epoll_ctl: %s", strerror(errno));
}

/* True when the client has been served. */
static bool receive(const struct load *load, struct client *client) {
    /* One byte more than what may come, so that more is noticed. */
    char bytes[sizeof ANSWER + 1];
    size_t missing_bytes = sizeof ANSWER - client->received_bytes;
    ssize_t length = recv(client->socket, bytes, missing_bytes + 1, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN)
        return false;
    if (length < 0)
        fail(load, "connection %ld broke after %zu of %zu bytes of its answer: %s", client->number,
             client->received_bytes, sizeof ANSWER, strerror(errno));
    if (length == 0 && missing_bytes > 0)
        fail(load, "the answer on connection %ld ended after %zu of %zu bytes", client->number,
             client->received_bytes, sizeof ANSWER);
    if ((size_t)length > missing_bytes ||
        memcmp(bytes, ANSWER + client->received_bytes, (size_t)length) != 0)
        fail(load, "connection %ld got another answer than OK", client->number);
    client->received_bytes += (size_t)length;
    return length == 0;
}

static void run(struct load *load) {
    struct epoll_event events[AT_ONCE_MAX];
    for (long i = 0; i < load->at_once && load->begun < load->count; i++)
        begin(load, &load->clients[i]);
    while (load->served < load->count) {
        int ready = epoll_wait(load->epoll, events, AT_ONCE_MAX, load->quiet_ms);
        if (ready < 0 && errno != EINTR)
            fail(load, "epoll_wait: %s", strerror(errno));
        if (ready == 0)
            fail(load, "%ld connections got no answer or no end, and nothing came for %d ms",
                 load->begun - load->served, load->quiet_ms);
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            if (!receive(load, client))
                continue;
            close(client->socket);
            load->served++;
            if (load->begun < load->count)
                begin(load, client);
        }
    }
}

static long number(const char *text, long most) {
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    return errno == 0 && *end == '\0' && value >= 1 && value <= most ? value : 0;
}

static struct sockaddr_in loopback(uint32_t host, long port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK + host)};
}

int main(int argc, char **argv) {
    static struct load load;
    long port = argc == 5 ? number(argv[1], 65535) : 0;
    load.at_once = argc == 5 ? number(argv[2], AT_ONCE_MAX) : 0;
    load.count = argc == 5 ? number(argv[3], COUNT_MAX) : 0;
    load.quiet_ms = argc == 5 ? (int)number(argv[4], QUIET_MAX_MS) : 0;
    if (port == 0 || load.at_once == 0 || load.count == 0 || load.quiet_ms == 0) {
        fprintf(stderr,
                "usage: load PORT AT_ONCE COUNT QUIET_MS (AT_ONCE 1 to %d, COUNT 1 to %d, "
                "QUIET_MS 1 to %d)\n",
                AT_ONCE_MAX, COUNT_MAX, QUIET_MAX_MS);
        return 64;
    }
    load.server = loopback(0, port);
    /* An address for each, so that ports in TIME_WAIT never become scarce or slow to find. */
    for (long i = 0; i < load.at_once; i++)
        load.clients[i].own = loopback((uint32_t)i + 1, 0);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (load.epoll < 0)
        fail(&load, "epoll_create1: %s", strerror(errno));
    int64_t start_us = now_us();
    run(&load);
    printf("%lld\n", (long long)(now_us() - start_us));
    return 0;
}
