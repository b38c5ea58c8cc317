#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int demo_prepare(void) {
    return signal(SIGPIPE, SIG_IGN) == SIG_ERR ? -1 : 0;
}

int64_t demo_now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns 0 or an errno. SO_SNDTIMEO limits connect(2) too. */
static int connect_one(int socket_to_connect, const struct addrinfo *address, uint32_t timeout_ms) {
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    if (setsockopt(socket_to_connect, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(socket_to_connect, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0)
        return errno;
    if (connect(socket_to_connect, address->ai_addr, address->ai_addrlen) != 0)
        return errno == EINPROGRESS ? ETIMEDOUT : errno;
    return 0;
}

baton_socket demo_connect(const char *host, const char *port, uint32_t timeout_ms, char *why,
                          size_t why_bytes) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    baton_socket result = BATON_SOCKET_NONE;
    int error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        snprintf(why, why_bytes, "%s", gai_strerror(error));
        return BATON_SOCKET_NONE;
    }
    for (struct addrinfo *at = found; at != NULL && result == BATON_SOCKET_NONE; at = at->ai_next) {
        int candidate = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        error = candidate >= 0 ? connect_one(candidate, at, timeout_ms) : errno;
        if (error == 0)
            result = candidate;
        else if (candidate >= 0)
            close(candidate);
    }
    freeaddrinfo(found);
    if (result == BATON_SOCKET_NONE)
        snprintf(why, why_bytes, "%s", strerror(error));
    return result;
}

void demo_close(baton_socket socket) {
    close(socket);
}

struct start {
    void (*function)(void *item);
    void *item;
    pthread_t thread;
};

static void *enter(void *argument) {
    struct start *start = argument;
    start->function(start->item);
    return NULL;
}

int demo_run_threads(void (*function)(void *item), void *items, size_t item_bytes, size_t count) {
    struct start *starts = calloc(count, sizeof *starts);
    size_t started_count = 0;
    bool failed = starts == NULL;
    while (!failed && started_count < count) {
        struct start *start = &starts[started_count];
        *start = (struct start){.function = function,
                                .item = (char *)items + started_count * item_bytes};
        failed = pthread_create(&start->thread, NULL, enter, start) != 0;
        started_count += !failed;
    }
    for (size_t i = 0; i < started_count; i++)
        pthread_join(starts[i].thread, NULL);
    free(starts);
    return failed ? -1 : 0;
}
