/*
 * The log: writes that do not block, on a descriptor that may be shared with strangers.
 *
 * O_NONBLOCK belongs to the open file, which standard error shares with whoever started us, so it
 * is never set there. Pipes and terminals are opened anew through /proc/self/fd, which gives an
 * open file of our own, which has it; where that is not allowed, poll(2) tells whether a pipe takes
 * PIPE_BUF bytes (pipe(7)), and only another writer in between could make the write wait. Sockets
 * have MSG_DONTWAIT. A regular file always takes what it has room for.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODE 0640

void posix_log_init(struct platform *platform) {
    posix_watch_init(&platform->log, POSIX_WATCH_LOG, 0);
    platform->log.descriptor = STDERR_FILENO;
}

void posix_log_close(struct platform *platform) {
    posix_watch_forget(platform, &platform->log);
    if (platform->log.descriptor > STDERR_FILENO) {
        posix_close_descriptor(&platform->log.descriptor);
    }
    platform->log.descriptor = STDERR_FILENO;
    platform->is_due[DUE_LOG] = false;
}

/* Who became another user by su(1) or sudo(8) may not open the terminal by its name, but whose
 * controlling terminal it is may do so as /dev/tty. poll(2) does not tell of a terminal how much it
 * takes, so a write that may wait does wait. */
static int open_own_terminal(void) {
    unsigned theirs = 0;
    unsigned ours = 0;
    int own = open("/dev/tty", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (own >= 0 && (ioctl(STDERR_FILENO, TIOCGDEV, &theirs) != 0 ||
                     ioctl(own, TIOCGDEV, &ours) != 0 || theirs != ours)) {
        posix_close_descriptor(&own);
    }
    return own;
}

static int open_standard_error(void) {
    struct stat status;
    if (fstat(STDERR_FILENO, &status) == 0 &&
        (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
        int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (own < 0 && isatty(STDERR_FILENO) != 0) {
            own = open_own_terminal();
        }
        if (own >= 0) {
            return own;
        }
    }
    return STDERR_FILENO;
}

int platform_log_open(struct platform *platform, const char *path, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    int descriptor;
    if (path == NULL) {
        descriptor = open_standard_error();
    } else {
        const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        descriptor = open(path, flags | O_EXCL, LOG_MODE);
        platform->log_is_new = descriptor >= 0;
        descriptor = descriptor < 0 ? open(path, flags, LOG_MODE) : descriptor;
        if (descriptor < 0) {
            return posix_failed(cause, "open");
        }
    }
    posix_log_close(platform);
    platform->log.descriptor = descriptor;
    struct stat status;
    bool is_known = fstat(descriptor, &status) == 0;
    platform->log_is_socket = is_known && S_ISSOCK(status.st_mode);
    platform->log_is_regular = is_known && S_ISREG(status.st_mode);
    return BATON_OK;
}

/* Where O_NONBLOCK is not set, it has to be asked whether a write would wait. */
static bool may_wait(const struct platform *platform) {
    return platform->log.descriptor == STDERR_FILENO && !platform->log_is_regular;
}

/* Writes at most PIPE_BUF bytes without waiting, or all to a regular file. Returns their number, 0
 * if there is no room, or -1 and errno. */
static ssize_t write_some(struct platform *platform, const char *bytes, size_t length) {
    int descriptor = platform->log.descriptor;
    if (length > PIPE_BUF && !platform->log_is_regular) {
        length = PIPE_BUF;
    }
    ssize_t written;
    if (platform->log_is_socket) {
        written = send(descriptor, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        if (may_wait(platform) && posix_look(descriptor, POLLOUT) == 0) {
            return 0;
        }
        written = write(descriptor, bytes, length);
    }
    return written < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : written;
}

static size_t count_lines(const char *bytes, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += bytes[i] == '\n' ? 1 : 0;
    }
    return count;
}

static size_t drop(struct platform *platform, const char *bytes, size_t length,
                   struct baton_cause *cause) {
    posix_failed(cause, platform->log_is_socket ? "send" : "write");
    platform->log_loss.bytes = length;
    platform->log_loss.lines_count += count_lines(bytes, length);
    return length;
}

/* Writes the same as write_some(), but first ends the line that a failed write has torn. */
static ssize_t write_next(struct platform *platform, const char *bytes, size_t length) {
    if (platform->log_is_failing && platform->log_is_torn) {
        ssize_t mended = write_some(platform, "\n", 1);
        if (mended <= 0) {
            return mended;
        }
        platform->log_is_torn = false;
    }
    ssize_t written = write_some(platform, bytes, length);
    if (written > 0) {
        platform->log_is_torn = bytes[written - 1] != '\n';
    }
    platform->log_is_failing = written < 0;
    return written;
}

size_t platform_log_write(struct platform *platform, const char *bytes, size_t length,
                          struct baton_cause *cause) {
    size_t done = 0;
    *cause = (struct baton_cause){0};
    platform->log_loss.bytes = 0;
    while (done < length) {
        ssize_t written = write_next(platform, bytes + done, length - done);
        if (written < 0) {
            return done + drop(platform, bytes + done, length - done, cause);
        }
        if (written == 0) {
            /* epoll refuses what is always ready (EPERM); then the caller may try at once. */
            platform->is_due[DUE_LOG] = posix_watch_set(platform, &platform->log, EPOLLOUT) != 0;
            break;
        }
        done += (size_t)written;
    }
    return done;
}

void platform_log_take_loss(struct platform *platform, struct platform_log_loss *loss) {
    *loss = platform->log_loss;
    platform->log_loss = (struct platform_log_loss){0};
}

void platform_log_wait(struct platform *platform, uint64_t deadline_us) {
    posix_await(platform, platform->log.descriptor, POLLOUT, deadline_us);
}

/* Every write goes straight to the system, so nothing is ever held back here. */
size_t platform_log_flush(struct platform *platform, uint64_t deadline_us) {
    (void)platform;
    (void)deadline_us;
    return 0;
}

void platform_log_warn(const char *text) {
    size_t length = strlen(text);
    if ((posix_look(STDERR_FILENO, POLLOUT) & POLLOUT) != 0) {
        ssize_t ignored = write(STDERR_FILENO, text, length < PIPE_BUF ? length : PIPE_BUF);
        (void)ignored;
    }
}
