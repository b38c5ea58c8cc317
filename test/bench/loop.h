/* What the loops that keep promises have in common: a log of records, and a launch with a pidfd. */
#ifndef BATON_BENCH_LOOP_H
#define BATON_BENCH_LOOP_H

#include "listening.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

enum {
    LOOP_BACKLOG = 1000,
    LOOP_EVENTS_MAX = 64,
    LOOP_STACK_BYTES = 64 * 1024,
    LOOP_LOG_BYTES = 64 * 1024,
    LOOP_LINE_MAX_BYTES = 4096
};

/* What the log has not yet. */
static char loop_log[LOOP_LOG_BYTES];
static size_t loop_log_bytes;

/* What a child needs to know before it executes its program: the descriptors that become 0, 1, 2,
 * and one that is to stay, or -1. */
struct loop_launch {
    int in, out, log, kept;
    char *const *arguments;
    char *const *environment;
};

_Noreturn static inline void loop_fail(const char *what) {
    perror(what);
    exit(1);
}

static inline int64_t loop_now_us(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int loop_child(void *given) {
    const struct loop_launch *launch = given;
    setpgid(0, 0);
    dup2(launch->in, 0);
    dup2(launch->out, 1);
    dup2(launch->log, 2);
    if (launch->kept >= 0)
        fcntl(launch->kept, F_SETFD, 0);
    execve(launch->arguments[0], launch->arguments, launch->environment);
    _exit(127);
}

/* Like vfork, but with a pidfd; the process id, or -1. */
static inline pid_t loop_start(struct loop_launch *launch, int *pidfd) {
    static char stack[LOOP_STACK_BYTES] __attribute__((aligned(16)));
    return clone(loop_child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                 launch, pidfd);
}

static inline void loop_watch(int epoll, int descriptor, void *whose, uint32_t how) {
    struct epoll_event interest = {.events = EPOLLIN | how, .data.ptr = whose};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &interest) != 0)
        loop_fail("epoll_ctl");
}

/* At the end of each round of a loop: what was told in it goes to the log with one call. */
static inline void loop_flush(void) {
    if (loop_log_bytes > 0 && write(2, loop_log, loop_log_bytes) != (ssize_t)loop_log_bytes)
        loop_fail("the log");
    loop_log_bytes = 0;
}

static inline char *loop_room(void) {
    if (loop_log_bytes + LOOP_LINE_MAX_BYTES > sizeof loop_log)
        loop_flush();
    return loop_log + loop_log_bytes;
}

/* Whatever a process has said goes to the log as it is. */
static inline void loop_read_output(int output) {
    ssize_t length;
    while ((length = read(output, loop_room(), LOOP_LINE_MAX_BYTES)) > 0)
        loop_log_bytes += (size_t)length;
}

/* The line that every connection has in the end. */
static inline void loop_record(const struct sockaddr_in *peer, int64_t began_us, pid_t pid,
                               int status) {
    char address[INET_ADDRSTRLEN];
    int64_t now_us = loop_now_us(CLOCK_REALTIME);
    int length = snprintf(
        loop_room(), LOOP_LINE_MAX_BYTES,
        "%lld.%06lld event=connection peer=%s:%u pid=%d status=%d duration_us=%lld\n",
        (long long)(now_us / 1000000), (long long)(now_us % 1000000),
        inet_ntop(AF_INET, &peer->sin_addr, address, sizeof address), ntohs(peer->sin_port), pid,
        status, (long long)(loop_now_us(CLOCK_MONOTONIC) - began_us));
    loop_log_bytes += (size_t)length;
}

#endif
