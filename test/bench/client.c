/*
 * One connection after the other: connect, send, wait for the answer, close.
 *
 *     client PORT COUNT          prints the median and the 99th percentile in microseconds
 *     client PORT COUNT bare     the same for a server that answers nothing: its end is the answer
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define COUNT_MAX 100000

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

_Noreturn static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void hear_answer(int connection) {
    char answer[16];
    if (recv(connection, answer, sizeof answer, 0) != 2 || memcmp(answer, "OK", 2) != 0)
        fail("client: no OK");
}

/* A server that closes with our bytes unread resets the connection. */
static void hear_end(int connection) {
    char answer[16];
    ssize_t length = recv(connection, answer, sizeof answer, 0);
    if (length > 0 || (length < 0 && errno != ECONNRESET))
        fail("client: no end");
}

static void converse(const struct sockaddr_in *address, bool is_bare) {
    struct timeval limit = {.tv_sec = 10};
    int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 ||
        setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        connect(connection, (const struct sockaddr *)address, sizeof *address) != 0)
        fail("client: no connection");
    bool sent = send(connection, "hello", 5, MSG_NOSIGNAL) == 5;
    if (!sent && !is_bare)
        fail("client: not sent");
    if (is_bare)
        hear_end(connection);
    else
        hear_answer(connection);
    close(connection);
}

static int by_value(const void *a, const void *b) {
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

int main(int argc, char **argv) {
    static double spans_us[COUNT_MAX];
    bool is_bare = argc == 4 && strcmp(argv[3], "bare") == 0;
    bool is_right = argc == 3 || is_bare;
    long port = is_right ? strtol(argv[1], NULL, 10) : 0;
    long count = is_right ? strtol(argv[2], NULL, 10) : 0;
    if (port < 1 || port > 65535 || count < 1 || count > COUNT_MAX) {
        fprintf(stderr, "usage: client PORT COUNT [bare] (COUNT 1 to %d)\n", COUNT_MAX);
        return 64;
    }
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (long i = 0; i < count; i++) {
        double start_us = now_us();
        converse(&address, is_bare);
        spans_us[i] = now_us() - start_us;
    }
    qsort(spans_us, (size_t)count, sizeof *spans_us, by_value);
    printf("%.0f %.0f\n", spans_us[count / 2], spans_us[count * 99 / 100]);
    return 0;
}
