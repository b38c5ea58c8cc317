#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIGNAL_STATUS = 128, STATUS_MAX = 255 };

/* ---- Signals ---- */

static void on_sigchld(int number) {
    int error = errno;
    (void)number;
    body_wake();
    errno = error;
}

/* SIGCHLD alone tells of the end, so it must come, and who has ended must wait for us (SIG_IGN
 * would throw it away). */
int children_watch(struct children *children) {
    struct sigaction action = {.sa_handler = on_sigchld, .sa_flags = SA_RESTART | SA_NOCLDSTOP};
    sigset_t ours;
    sigemptyset(&action.sa_mask);
    sigemptyset(&ours);
    sigaddset(&ours, SIGCHLD);
    sigaddset(&ours, SIGTERM);
    if (sigaction(SIGCHLD, &action, &children->sigchld_before) != 0 ||
        sigprocmask(SIG_UNBLOCK, &ours, &children->mask_before) != 0)
        return BATON_E_SYSTEM;
    children->is_watching = true;
    return 0;
}

static void stop_watching(struct children *children) {
    if (children->is_watching)
        sigaction(SIGCHLD, &children->sigchld_before, NULL);
}

/* ---- Places ---- */

int children_open(struct children *children, uint32_t capacity) {
    size_t bytes = capacity * sizeof *children->reports;
    children->places = calloc(capacity, sizeof *children->places);
    if (children->places == NULL)
        return BATON_E_MEMORY;
    children->place_count = children->first_free = capacity;
    /* A page that nobody writes to costs nothing. */
    void *reports = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (reports == MAP_FAILED)
        return BATON_E_SYSTEM;
    children->reports = reports;
    return 0;
}

void children_close(struct children *children) {
    stop_watching(children);
    if (children->reports != NULL)
        munmap(children->reports, children->place_count * sizeof *children->reports);
    free(children->places);
    *children = (struct children){0};
}

/* There is one, as no more connections are let in than there are places. */
static uint32_t take_place(struct children *children) {
    uint32_t at = children->first_free;
    if (at == children->place_count)
        return children->used_mark++;
    children->first_free = children->places[at].next_free;
    return at;
}

static void give_place(struct children *children, uint32_t at) {
    children->places[at] = (struct child){.next_free = children->first_free};
    children->first_free = at;
}

/* ---- The child ---- */

static void leave_report(struct report *report, const struct baton_connection *connection) {
    report->bytes_in = connection->bytes_in;
    report->bytes_out = connection->bytes_out;
    memcpy(report->text, connection->text, sizeof report->text);
}

/* Everything of the server's is closed before a byte of the client is read. Signals are blocked
 * until those that are for the server mean again what they did before. `gate` (-1 = none) says a
 * byte when ACK is out, and ends without one if it could not be said. */
static _Noreturn void live(struct children *children, const struct baton_connection *given,
                           struct report *report, int gate) {
    struct baton_connection connection = *given;
    struct baton *baton = children->baton;
    pid_t self = getpid();
    ssize_t got = 1;
    char byte;
    connection.sources = NULL;
    stop_watching(children);
    baton_close(&baton);
    sigprocmask(SIG_SETMASK, &children->mask_before, NULL);
    if (gate >= 0) {
        do
            got = read(gate, &byte, 1);
        while (got < 0 && errno == EINTR);
        close(gate);
    }
    if (got != 1)
        _exit(0);
    int status = children->function(&connection);
    if (connection.number == 0 && connection.text[0] != '\0')
        fprintf(stderr, "%s: %s\n", connection.peer, connection.text);
    /* A process that the function has left behind (daemon(3)) returns here as well, when the place
     * may be another client's. */
    if (getpid() == self)
        leave_report(report, &connection);
    fflush(NULL);
    /* Not exit(): what the program has told it to do at its end is the server's. */
    _exit(status >= 0 && status <= STATUS_MAX ? status : 1);
}

/* ---- The server ---- */

static pid_t fork_one(struct children *children, const struct baton_connection *connection,
                      struct report *report, const int gate[2]) {
    sigset_t all, before;
    sigfillset(&all);
    /* A signal for the server that came to the child before it has its own actions would be lost.
     */
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        if (gate[1] >= 0)
            close(gate[1]);
        live(children, connection, report, gate[0]);
    }
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

static void close_gate(const int gate[2]) {
    int error = errno;
    for (int i = 0; i < 2; i++)
        if (gate[i] >= 0)
            close(gate[i]);
    errno = error;
}

int children_fork(struct children *children, struct baton_connection *connection) {
    int gate[2] = {-1, -1}, fault = 0;
    if (connection->number != 0 && pipe2(gate, O_CLOEXEC) != 0)
        return 0;
    uint32_t at = take_place(children);
    struct child *child = &children->places[at];
    *child = (struct child){.is_accepted = connection->number == 0};
    children->reports[at] = (struct report){0};
    child->pid = fork_one(children, connection, &children->reports[at], gate);
    if (child->pid < 0) {
        close_gate(gate);
        give_place(children, at);
        return 0;
    }
    children->live_count++;
    body_socket_close(&connection->socket);
    if (connection->number != 0) {
        struct wire_message ack = {.type = WIRE_ACK, .connection = connection->number};
        ack.has_pid = true;
        ack.pid = (uint32_t)child->pid;
        fault = serving_say(children->baton, &ack);
        if (fault == 0) {
            child->number = connection->number;
            (void)!write(gate[1], "", 1); /* a pipe of ours has room; the child may be gone */
        }
    }
    close_gate(gate);
    return fault == 0 ? 1 : fault;
}

/* What DONE says besides its text, which is put into `text`. */
static struct wire_message tell_end(const struct child *child, const struct report *report,
                                    int status, const struct rusage *used,
                                    char text[BATON_TEXT_BYTES]) {
    struct wire_message done = {.type = WIRE_DONE, .connection = child->number};
    done.has_pid = true;
    done.pid = (uint32_t)child->pid;
    done.bytes_in = report->bytes_in;
    done.bytes_out = report->bytes_out;
    done.has_bytes_in = done.has_bytes_out = done.bytes_in != 0 || done.bytes_out != 0;
    done.has_cpu_us = done.has_memory_peak_kib = true;
    done.cpu_us = (uint64_t)(used->ru_utime.tv_sec + used->ru_stime.tv_sec) * 1000000 +
                  (uint64_t)(used->ru_utime.tv_usec + used->ru_stime.tv_usec);
    done.memory_peak_kib = (uint32_t)used->ru_maxrss;
    if (WIFSIGNALED(status)) {
        done.status = (uint8_t)(SIGNAL_STATUS + WTERMSIG(status));
        snprintf(text, BATON_TEXT_BYTES, "%sended by signal %d",
                 child->is_cancelled ? "cancelled: " : "", WTERMSIG(status));
    } else {
        done.status = (uint8_t)WEXITSTATUS(status);
        memcpy(text, report->text, BATON_TEXT_BYTES);
        text[BATON_TEXT_BYTES - 1] = '\0';
    }
    done.text = (struct wire_text){text, strlen(text)};
    return done;
}

/* SIGTERM or SIGKILL, and not by us, while the server itself is to end: it was the whole group. */
static bool is_lost(const struct children *children, const struct child *child, int status) {
    return children->baton->was_stopped && WIFSIGNALED(status) && !child->is_cancelled &&
           (WTERMSIG(status) == SIGTERM || WTERMSIG(status) == SIGKILL);
}

static void note_end(struct children *children, uint32_t at, int status,
                     const struct rusage *used) {
    struct child child = children->places[at];
    struct report report = children->reports[at];
    struct baton *baton = children->baton;
    char text[BATON_TEXT_BYTES];
    bool is_signal = WIFSIGNALED(status);
    children->live_count--;
    children->waiting_count -= child.is_cancelled && !child.is_killed;
    give_place(children, at);
    if (child.is_accepted) {
        baton->live_count--;
        if (is_signal)
            fprintf(stderr, "process %d: ended by signal %d\n", (int)child.pid, WTERMSIG(status));
    } else if (child.number != 0 && is_lost(children, &child, status)) {
        children->lost_count++;
    } else if (child.number != 0) {
        struct wire_message done = tell_end(&child, &report, status, used, text);
        held_remove(&baton->held, child.number);
        (void)serving_say_done(baton, &done); /* if it cannot be said, the end is read next */
    }
}

/* True if that one has ended, and was taken in. */
static bool reap_one(struct children *children, uint32_t at) {
    struct rusage used = {0};
    int status = 0;
    if (children->places[at].pid == 0)
        return false;
    pid_t found = wait4(children->places[at].pid, &status, WNOHANG, &used);
    if (found < 0 && errno == ECHILD)
        status = 1 << 8; /* somebody has taken its end from us */
    else if (found != children->places[at].pid)
        return false;
    note_end(children, at, status, &used);
    return true;
}

/* The program may have children of its own, whose ends are not ours to take: so look first. Behind
 * one of those the others are asked for by name. */
void children_reap(struct children *children) {
    uint32_t at = 0;
    while (children->live_count > 0) {
        siginfo_t ended = {0};
        if (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == 0)
            return;
        for (at = 0; at < children->used_mark && children->places[at].pid != ended.si_pid;)
            at++;
        if (at == children->used_mark || !reap_one(children, at))
            break;
    }
    for (at = 0; at < children->used_mark && children->live_count > 0; at++)
        (void)reap_one(children, at);
}

/* ---- CANCEL ---- */

void children_cancel(struct children *children, uint32_t number) {
    for (uint32_t at = 0; at < children->used_mark; at++) {
        struct child *child = &children->places[at];
        if (child->pid == 0 || child->number != number || child->is_cancelled)
            continue;
        child->is_cancelled = true;
        child->kill_at_ms = body_now_ms() + children->stop_ms;
        children->waiting_count++;
        kill(child->pid, SIGTERM); /* nobody else has the number until we have reaped it */
    }
}

uint32_t children_wait_ms(const struct children *children) {
    uint64_t now_ms = body_now_ms(), wait_ms = UINT32_MAX;
    for (uint32_t at = 0; children->waiting_count > 0 && at < children->used_mark; at++) {
        const struct child *child = &children->places[at];
        if (!child->is_cancelled || child->is_killed)
            continue;
        uint64_t left_ms = child->kill_at_ms > now_ms ? child->kill_at_ms - now_ms : 0;
        wait_ms = left_ms < wait_ms ? left_ms : wait_ms;
    }
    return (uint32_t)wait_ms;
}

void children_kill_late(struct children *children) {
    uint64_t now_ms = body_now_ms();
    for (uint32_t at = 0; children->waiting_count > 0 && at < children->used_mark; at++) {
        struct child *child = &children->places[at];
        if (!child->is_cancelled || child->is_killed || child->kill_at_ms > now_ms)
            continue;
        child->is_killed = true;
        children->waiting_count--;
        kill(child->pid, SIGKILL);
    }
}
