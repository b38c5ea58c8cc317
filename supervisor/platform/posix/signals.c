/*
 * Signals as events: signalfd(2) for the stop signals; SIGCHLD is children.c's.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Which signals this process ignores, so that children can be given the default again. A handler
 * function needs no such care: execve(2) resets it. */
static void remember_ignored(struct platform *platform) {
    platform->ignored_count = 0;
    for (int number = 1; number < NSIG && platform->ignored_count < IGNORED_MAX; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
            platform->ignored[platform->ignored_count++] = number;
        }
    }
}

static bool is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int posix_signals_open(struct platform *platform, struct baton_cause *cause) {
    /* An ignored SIGCHLD, inherited from whoever started us, would make the kernel reap our
     * children itself (waitid(2)) and their exit codes would be lost. */
    signal(SIGCHLD, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    remember_ignored(platform);

    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    /* nohup(1) has asked that we outlive the terminal. */
    if (!is_ignored(SIGHUP)) {
        sigaddset(&set, SIGHUP);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return posix_failed(cause, "sigprocmask", errno);
    }
    platform->signals.descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (platform->signals.descriptor < 0) {
        return posix_failed(cause, "signalfd", errno);
    }
    int code = posix_watch_set(platform, &platform->signals, EPOLLIN);
    return code == 0 ? BATON_OK : posix_failed(cause, "epoll_ctl", code);
}

void posix_signals_read(struct platform *platform) {
    struct signalfd_siginfo batch[8];
    ssize_t got;
    while ((got = read(platform->signals.descriptor, batch, sizeof batch)) > 0) {
        platform->stop_pending = true;
    }
}
