/*
 * A log that is a syslog's: datagrams to a local socket, one for each line.
 *
 * syslog(3) of the C library waits while the socket is full, so we have a socket of our own. One
 * that has no reader any more (a syslog that was started again has made a new one of that name) is
 * connected anew, once; where nobody listens, that may be so for a moment only, and for a while
 * nothing is taken, and somebody is looked for ever again. Neither connect(2) nor send(2) waits.
 */
#include "platform/posix/log.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_US 100000u

char *posix_syslog_prepare(const char *path) {
    return strdup(path);
}

void posix_syslog_close(struct platform_log *log) {
    free(log->syslog);
    log->syslog = NULL;
    log->absent_us = 0;
}

static void disconnect(struct platform_log *log) {
    if (log->watch.descriptor > STDERR_FILENO) {
        posix_watch_forget(log->platform, &log->watch);
        posix_close_descriptor(&log->watch.descriptor);
        log->watch.descriptor = STDERR_FILENO;
    }
}

/* False and errno. */
static bool connect_to(struct platform_log *log) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (log->watch.descriptor > STDERR_FILENO) {
        return true;
    }
    size_t bytes = strlen(log->syslog) + 1;
    if (bytes > sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(address.sun_path, log->syslog, bytes);
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
        return false;
    }
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        int code = errno;
        posix_close_descriptor(&descriptor);
        errno = code;
        return false;
    }
    log->watch.descriptor = descriptor;
    return true;
}

static bool is_gone(int code) {
    return code == ECONNREFUSED || code == ENOTCONN || code == ECONNRESET || code == EPIPE;
}

/* A line without its line feed. As send(2). */
static ssize_t send_line(struct platform_log *log, const char *bytes, size_t length) {
    ssize_t sent = -1;
    for (int attempt = 0; attempt < 2 && sent < 0; attempt++) {
        if (!connect_to(log)) {
            return -1;
        }
        sent = send(log->watch.descriptor, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent >= 0 || !is_gone(errno)) {
            break;
        }
        int code = errno;
        disconnect(log);
        errno = code;
    }
    return sent;
}

/* True while that may be so for a moment only. */
static bool may_come_back(struct platform_log *log, int code) {
    uint64_t now_us = platform_now_us(log->platform);
    if (code != ENOENT && !is_gone(code)) {
        return false;
    }
    log->absent_us = log->absent_us == 0 ? now_us : log->absent_us;
    log->due_us = now_us + RETRY_US;
    return now_us - log->absent_us < PLATFORM_SYSLOG_PATIENCE_US;
}

ssize_t posix_syslog_send(struct platform_log *log, const char *bytes, size_t length) {
    const char *feed = memchr(bytes, '\n', length);
    size_t line_bytes = feed != NULL ? (size_t)(feed - bytes) : length;
    if (line_bytes == 0) {
        return 1;
    }
    if (send_line(log, bytes, line_bytes) >= 0) {
        log->absent_us = 0;
        return (ssize_t)line_bytes + (feed != NULL ? 1 : 0);
    }
    int code = errno;
    if (code == EAGAIN || code == EINTR || may_come_back(log, code)) {
        return 0;
    }
    errno = code;
    return -1;
}

uint64_t posix_logs_feed(struct platform *platform, uint64_t now_us) {
    uint64_t again_us = PLATFORM_WAIT_FOREVER;
    for (struct platform_log *log = platform->first_log; log != NULL; log = log->next) {
        if (log->is_due && log->due_us <= now_us) {
            log->is_due = false;
            platform->is_due[DUE_LOG] = true;
            again_us = now_us;
        } else if (log->is_due && log->due_us < again_us) {
            again_us = log->due_us;
        }
    }
    return again_us;
}

void posix_syslog_wait(struct platform_log *log, uint64_t deadline_us) {
    if (log->watch.descriptor > STDERR_FILENO) {
        posix_await(log->platform, log->watch.descriptor, POLLOUT, deadline_us);
    } else {
        uint64_t until_us = log->due_us < deadline_us ? log->due_us : deadline_us;
        poll(NULL, 0, posix_timeout_ms(log->platform, until_us));
    }
}
