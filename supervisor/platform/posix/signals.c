/*
 * Signals as events: signalfd(2) for those that mean something. No other ends the process, whoever
 * sends it: all are blocked. SIGCHLD is children.c's.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

/* Which signals this process ignores, so that children can be given the default again. A handler
 * function needs no such care: execve(2) resets it. */
static void remember_ignored(struct platform *platform) {
    platform->ignored_count = 0;
    for (int number = 1; number < NSIG && platform->ignored_count < IGNORED_MAX; number++) {
        if (is_ignored(number)) {
            platform->ignored[platform->ignored_count++] = number;
        }
    }
}

static const struct {
    uint8_t number;
    char name[8];
} stops[] = {{SIGTERM, "SIGTERM"},
             {SIGINT, "SIGINT"},
             {SIGQUIT, "SIGQUIT"},
             {SIGPWR, "SIGPWR"},
             {SIGXCPU, "SIGXCPU"}}; /* the hard limit, which kills, is next (setrlimit(2)) */

/* A set of signals as the kernel has it. */
#define SET_WORD_COUNT (8 / sizeof(unsigned long))

static void make_set(unsigned long *words, uint64_t set) {
    for (size_t i = 0; i < SET_WORD_COUNT; i++) {
        words[i] = (unsigned long)(set >> (8 * sizeof *words * i));
    }
}

#define BIT(number) (UINT64_C(1) << ((number)-1))

/* Not blocked: what tells of a fault in ourselves, what a debugger or abort(3) sends, and Ctrl-Z,
 * which stops and ends nothing. */
#define LET_THROUGH                                                                                \
    (BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGFPE) | BIT(SIGILL) | BIT(SIGSYS) | BIT(SIGTRAP) |         \
     BIT(SIGABRT) | BIT(SIGTSTP))

/* A signal that is blocked ends nobody, costs a child nothing (its mask is emptied anyway), and
 * lets a background job write to its terminal (SIGTTOU). By the system call, since libc's own would
 * leave out two of the kernel's signals, which it keeps for itself (nptl(7)), and whose default is
 * to end the process as well. */
int posix_signals_block(void) {
    unsigned long set[SET_WORD_COUNT];
    make_set(set, ~LET_THROUGH);
    return (int)syscall(SYS_rt_sigprocmask, SIG_BLOCK, set, NULL, sizeof set);
}

/* Those between the standard ones and the first that libc has left for programs. */
void posix_signals_forget_hidden(void) {
    const struct timespec now = {0, 0};
    unsigned long set[SET_WORD_COUNT];
    make_set(set, BIT(SIGRTMIN) - BIT(32));
    while (syscall(SYS_rt_sigtimedwait, set, NULL, &now, sizeof set) > 0) {
    }
}

/* Of those of real time each one sent waits, and takes memory of the user's, until it is read. */
static void choose_read(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGHUP);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        sigaddset(set, stops[i].number);
    }
    for (int number = SIGRTMIN; number < NSIG; number++) {
        if (number != CLOSER_SIGNAL) {
            sigaddset(set, number);
        }
    }
}

/* Opening it does not make it ours (O_NOCTTY), nor wait for a line to be there. */
static bool terminal_is_gone(void) {
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (terminal >= 0) {
        close(terminal);
        return false;
    }
    return errno == ENXIO || errno == EIO;
}

int posix_signals_open(struct platform *platform, struct baton_cause *cause) {
    /* An ignored SIGCHLD, inherited from whoever started us, would make the kernel reap our
     * children itself (waitid(2)) and their exit codes would be lost. Others that are ignored would
     * never be told. */
    signal(SIGCHLD, SIG_DFL);
    /* nohup(1) has asked that we outlive the terminal. */
    platform->has_terminal = !terminal_is_gone();
    platform->hangup_stops = platform->has_terminal && !is_ignored(SIGHUP);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    remember_ignored(platform);

    sigset_t set;
    choose_read(&set);
    if (posix_signals_block() != 0) {
        return posix_failed(cause, "sigprocmask");
    }
    platform->signals.descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (platform->signals.descriptor < 0) {
        return posix_failed(cause, "signalfd");
    }
    return posix_watch_begin(platform, &platform->signals, EPOLLIN, cause);
}

static void stop(struct platform *platform, const char *reason) {
    platform->is_due[DUE_STOP] = true;
    platform->stop_reason = reason;
}

static void take(struct platform *platform, int number) {
    if (number == SIGHUP && platform->hangup_stops && terminal_is_gone()) {
        stop(platform, "SIGHUP, the terminal is gone");
    } else if (number == SIGHUP) {
        platform->is_due[DUE_HANGUP] = true;
    }
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        if (number == stops[i].number) {
            stop(platform, stops[i].name);
        }
    }
}

/* Once: they can be sent faster than they are read, and what is left is told again. */
void posix_signals_read(struct platform *platform) {
    struct signalfd_siginfo batch[16];
    ssize_t got = read(platform->signals.descriptor, batch, sizeof batch);
    for (size_t i = 0; got > 0 && i < (size_t)got / sizeof batch[0]; i++) {
        take(platform, (int)batch[i].ssi_signo);
    }
}
