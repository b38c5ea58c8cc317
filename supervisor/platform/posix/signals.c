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

/* Not blocked: what tells of a fault in ourselves, what a debugger or abort(3) sends, and Ctrl-Z,
 * which stops and ends nothing. */
#define LET_THROUGH                                                                                \
    (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGILL) |          \
     SIGNAL_BIT(SIGSYS) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) | SIGNAL_BIT(SIGTSTP))

/* A set as the kernel has it. */
struct kernel_set {
    unsigned long words[8 / sizeof(unsigned long)];
};

static struct kernel_set make_set(uint64_t signals) {
    struct kernel_set set;
    for (size_t i = 0; i < sizeof set / sizeof set.words[0]; i++) {
        set.words[i] = (unsigned long)(signals >> (8 * sizeof set.words[0] * i));
    }
    return set;
}

/* By the system call, since libc's own would leave out two of the kernel's signals, which it keeps
 * for itself (nptl(7)), and whose default is to end the process as well. */
int posix_signals_change(int how, uint64_t signals) {
    struct kernel_set set = make_set(signals);
    return (int)syscall(SYS_rt_sigprocmask, how, &set, NULL, sizeof set);
}

/* A signal that is blocked ends nobody, costs a child nothing (its mask is emptied anyway), and
 * lets a background job write to its terminal (SIGTTOU). */
int posix_signals_block(void) {
    return posix_signals_change(SIG_BLOCK, ~LET_THROUGH);
}

int posix_signals_watch(struct platform *platform, struct posix_watch *watch, uint64_t signals,
                        uint32_t wanted, struct baton_cause *cause) {
    struct kernel_set set = make_set(signals);
    watch->descriptor =
        (int)syscall(SYS_signalfd4, -1, &set, sizeof set, SFD_CLOEXEC | SFD_NONBLOCK);
    return watch->descriptor < 0 ? posix_failed(cause, "signalfd")
                                 : posix_watch_begin(platform, watch, wanted, cause);
}

/* Of those of real time each one sent waits, and takes memory of the user's, until it is read. */
static uint64_t choose_read(void) {
    uint64_t set = SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGUSR2) | (0 - SIGNAL_BIT(SIGRTMIN));
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        set |= SIGNAL_BIT(stops[i].number);
    }
    return set & ~SIGNAL_BIT(CLOSER_SIGNAL);
}

/* Opening it does not make it ours (O_NOCTTY), nor wait for a line to be there. Where there is no
 * such name, as in a bare root, nobody can open it. */
static bool terminal_is_gone(void) {
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (terminal >= 0) {
        close(terminal);
        return false;
    }
    return errno == ENXIO || errno == EIO || errno == ENOENT;
}

int posix_signals_open(struct platform *platform, struct baton_cause *cause) {
    /* An ignored SIGCHLD, inherited from whoever started us, would make the kernel reap our
     * children itself (waitid(2)) and their exit codes would be lost. Others that are ignored would
     * never be told. */
    signal(SIGCHLD, SIG_DFL);
    /* nohup(1) has asked that we outlive the terminal. */
    if (platform_restarted() == NULL) { /* else restart.c knows */
        platform->has_terminal = !terminal_is_gone();
        platform->hangup_stops = platform->has_terminal && !is_ignored(SIGHUP);
    }
    signal(SIGHUP, SIG_DFL);
    /* SIGPIPE is not ignored but blocked, like the others: so a child has nothing to put right. */
    remember_ignored(platform);

    return posix_signals_block() == 0
               ? posix_signals_watch(platform, &platform->signals, choose_read(), EPOLLIN, cause)
               : posix_failed(cause, "sigprocmask");
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
    } else if (number == SIGUSR2) {
        platform->is_due[DUE_RESTART] = true;
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
