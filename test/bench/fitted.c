/*
 * What a connection costs with the least of what batond promises: a loop that
 *
 *   - never waits for one client or process while another wants something (epoll, nothing blocks);
 *   - accepts with the client's address, all descriptors close-on-exec;
 *   - launches the program with the socket as standard input and output, in a process group of its
 *     own, and with a pipe of its own as standard error, whose lines go to the log;
 *   - knows of each end by a pidfd, and with what status;
 *   - writes one record for each connection, when its process has ended; those of a round together.
 *
 * It has no limits, accounts, deadlines, users, configuration or second attempts.
 *
 *     fitted PROGRAM [ARGUMENT...]    prints its port on standard output, serves until terminated
 */
#include "loop.h"

enum { PROCESSES_MAX = 4096 };

struct process {
    int pidfd, output;
    pid_t pid;
    struct sockaddr_in peer;
    int64_t began_us;
    struct process *next_free;
};

struct fitted {
    int listener, epoll;
    char *const *arguments;
    struct process *free;
    struct process all[PROCESSES_MAX];
};

/* What an event is about: a process, or its output, told apart by the lowest bit. */
static void *output_of(struct process *process) {
    return (char *)process + 1;
}

static void finish(struct fitted *fitted, struct process *process) {
    siginfo_t how = {0};
    if (waitid((idtype_t)P_PIDFD, (id_t)process->pidfd, &how, WEXITED | WNOHANG) != 0 ||
        how.si_pid == 0)
        return;
    loop_read_output(process->output);
    close(process->output);
    close(process->pidfd);
    loop_record(&process->peer, process->began_us, process->pid, how.si_status);
    process->next_free = fitted->free;
    fitted->free = process;
}

static void start(struct fitted *fitted, int connection, struct process *process) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0)
        loop_fail("pipe2");
    struct loop_launch launch = {.in = connection,
                                 .out = connection,
                                 .log = ends[1],
                                 .kept = -1,
                                 .arguments = fitted->arguments,
                                 .environment = environ};
    process->began_us = loop_now_us(CLOCK_MONOTONIC);
    process->pid = loop_start(&launch, &process->pidfd);
    if (process->pid < 0)
        loop_fail("clone");
    close(ends[1]);
    close(connection);
    process->output = ends[0];
    loop_watch(fitted->epoll, process->pidfd, process, 0);
    /* That it says no more is told once. */
    loop_watch(fitted->epoll, process->output, output_of(process), EPOLLET);
}

static void accept_one(struct fitted *fitted) {
    struct process *process = fitted->free;
    socklen_t length = sizeof process->peer;
    if (process == NULL)
        return;
    int connection =
        accept4(fitted->listener, (struct sockaddr *)&process->peer, &length, SOCK_CLOEXEC);
    if (connection < 0)
        return;
    fitted->free = process->next_free;
    start(fitted, connection, process);
}

static void look_after(struct fitted *fitted, const struct epoll_event *event) {
    char *whose = event->data.ptr;
    bool is_output = ((uintptr_t)whose & 1) != 0;
    struct process *process = (struct process *)(void *)(whose - is_output);
    if (!is_output)
        finish(fitted, process);
    else if ((event->events & EPOLLIN) != 0)
        loop_read_output(process->output);
}

int main(int argc, char **argv) {
    static struct fitted fitted;
    if (argc < 2) {
        fputs("usage: fitted PROGRAM [ARGUMENT...]\n", stderr);
        return 64;
    }
    fitted.arguments = argv + 1;
    for (int i = 0; i < PROCESSES_MAX; i++) {
        fitted.all[i].next_free = fitted.free;
        fitted.free = &fitted.all[i];
    }
    fitted.listener = listen_anywhere("fitted", LOOP_BACKLOG);
    fcntl(fitted.listener, F_SETFL, O_NONBLOCK);
    fitted.epoll = epoll_create1(EPOLL_CLOEXEC);
    loop_watch(fitted.epoll, fitted.listener, NULL, 0);
    for (;;) {
        struct epoll_event events[LOOP_EVENTS_MAX];
        int ready = epoll_wait(fitted.epoll, events, LOOP_EVENTS_MAX, -1);
        /* Clients last: what an older event is about has not got another process by then. */
        bool has_client = false;
        for (int i = 0; i < ready; i++)
            if (events[i].data.ptr == NULL)
                has_client = true;
            else
                look_after(&fitted, &events[i]);
        if (has_client)
            accept_one(&fitted);
        loop_flush();
    }
}
