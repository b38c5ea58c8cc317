/*
 * The log: writes that do not block, on a descriptor that may be shared with strangers.
 *
 * O_NONBLOCK belongs to the open file, which standard error shares with whoever started us, so it
 * is never set there. Pipes and terminals are opened anew through /proc/self/fd, which gives an
 * open file of our own; where that is not allowed, poll(2) tells whether a pipe takes PIPE_BUF
 * bytes (pipe(7)), and only another writer in between could make the write wait. Sockets have
 * MSG_DONTWAIT.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
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
    platform->log_ready = false;
}

static int open_standard_error(void) {
    struct stat status;
    if (fstat(STDERR_FILENO, &status) == 0 &&
        (S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode))) {
        int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
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
        descriptor =
            open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, LOG_MODE);
        if (descriptor < 0) {
            return posix_failed(cause, "open", errno);
        }
    }
    posix_log_close(platform);
    platform->log.descriptor = descriptor;
    struct stat status;
    platform->log_is_socket = fstat(descriptor, &status) == 0 && S_ISSOCK(status.st_mode);
    return BATON_OK;
}

/* Writes at most PIPE_BUF bytes without waiting. Returns their number, 0 if there is no room, or -1
 * and errno. */
static ssize_t write_some(struct platform *platform, const char *bytes, size_t length) {
    int descriptor = platform->log.descriptor;
    if (length > PIPE_BUF) {
        length = PIPE_BUF;
    }
    ssize_t written;
    if (platform->log_is_socket) {
        written = send(descriptor, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        struct pollfd look = {.fd = descriptor, .events = POLLOUT};
        if (poll(&look, 1, 0) == 0) {
            return 0;
        }
        written = write(descriptor, bytes, length);
    }
    return written < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : written;
}

size_t platform_log_write(struct platform *platform, const char *bytes, size_t length,
                          struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    size_t done = 0;
    while (done < length) {
        ssize_t written = write_some(platform, bytes + done, length - done);
        if (written < 0) {
            posix_failed(cause, platform->log_is_socket ? "send" : "write", errno);
            return length;
        }
        if (written == 0) {
            /* epoll refuses what is always ready (EPERM); then the caller may try at once. */
            platform->log_ready = posix_watch_set(platform, &platform->log, EPOLLOUT) != 0;
            break;
        }
        done += (size_t)written;
    }
    return done;
}

/* Every write goes straight to the system, so nothing is ever held back here. */
void platform_log_flush(struct platform *platform, uint64_t deadline_us) {
    (void)platform;
    (void)deadline_us;
}

bool platform_log_write_all(struct platform *platform, const char *bytes, size_t length,
                            uint64_t deadline_us) {
    while (length > 0) {
        struct pollfd room = {.fd = platform->log.descriptor, .events = POLLOUT};
        poll(&room, 1, posix_timeout_ms(platform, deadline_us));
        ssize_t written = write_some(platform, bytes, length);
        if (written < 0) {
            return true; /* nobody will ever read it: dropped, as platform_log_write() does */
        }
        if (written == 0 && platform_now_us(platform) >= deadline_us) {
            return false;
        }
        bytes += written;
        length -= (size_t)written;
    }
    return true;
}
