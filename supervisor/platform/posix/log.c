/*
 * The log: writes that do not block, on a descriptor that may be shared with strangers.
 *
 * O_NONBLOCK belongs to the open file, which standard error shares with whoever started us, so it
 * is never set there. Pipes and terminals are opened anew through /proc/self/fd, which gives an
 * open file of our own, which has it; where that is not allowed, poll(2) tells whether a pipe takes
 * PIPE_BUF bytes (pipe(7)), and only another writer in between could make the write wait. Sockets
 * have MSG_DONTWAIT. A regular file always takes what it has room for.
 */
#include "platform/posix/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODE 0640

static void close_sink(struct platform_log *log) {
    posix_watch_forget(log->platform, &log->watch);
    if (log->watch.descriptor > STDERR_FILENO) {
        posix_close_descriptor(&log->watch.descriptor);
    }
    log->watch.descriptor = STDERR_FILENO;
    log->is_due = false;
}

static void free_log(struct platform_log *log) {
    close_sink(log);
    posix_syslog_close(log);
    free(log);
}

void platform_log_close(struct platform_log **address) {
    struct platform_log *log = *address;
    *address = NULL;
    if (log != NULL) {
        struct platform_log **link = &log->platform->first_log;
        while (*link != log) {
            link = &(*link)->next;
        }
        *link = log->next;
        free_log(log);
    }
}

void posix_logs_close(struct platform *platform) {
    struct platform_log *next;
    for (struct platform_log *log = platform->first_log; log != NULL; log = next) {
        next = log->next;
        free_log(log);
    }
    platform->first_log = NULL;
}

void posix_logs_give(const struct platform *platform, uid_t user, gid_t group) {
    for (const struct platform_log *log = platform->first_log; log != NULL; log = log->next) {
        if (log->is_new) {
            (void)!fchownat(log->watch.descriptor, "", user, group, AT_EMPTY_PATH);
        }
    }
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

bool platform_error_is_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    char *end = NULL;
    struct stat status;
    if (stream == NULL || fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    unsigned long long device = strtoull(stream, &end, 10);
    if (end == stream || *end != ':') {
        return false;
    }
    const char *number = end + 1;
    unsigned long long inode = strtoull(number, &end, 10);
    return end != number && *end == '\0' && device == status.st_dev && inode == status.st_ino;
}

static int open_file(const struct platform_log_sink *sink, bool *is_new) {
    const int flags = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    int descriptor = open(sink->path, flags | O_EXCL, LOG_MODE);
    *is_new = descriptor >= 0;
    if (*is_new && sink->mode != 0) {
        (void)!fchmod(descriptor, sink->mode); /* it is ours: nothing keeps us from that */
    }
    return descriptor < 0 ? open(sink->path, flags, LOG_MODE) : descriptor;
}

static struct platform_log *create(struct platform *platform) {
    struct platform_log *log = calloc(1, sizeof *log);
    if (log != NULL) {
        log->platform = platform;
        posix_watch_init(&log->watch, POSIX_WATCH_LOG, 0);
        log->watch.descriptor = STDERR_FILENO;
        log->next = platform->first_log;
        platform->first_log = log;
    }
    return log;
}

int platform_log_open(struct platform *platform, struct platform_log **address,
                      const struct platform_log_sink *sink, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    bool is_new = false;
    char *syslog = NULL;
    int descriptor = STDERR_FILENO;
    if (sink->is_syslog) {
        syslog = posix_syslog_prepare(sink->path);
    } else {
        descriptor = sink->path == NULL ? open_standard_error() : open_file(sink, &is_new);
    }
    if (descriptor < 0) {
        return posix_failed(cause, "open");
    }
    struct platform_log *log = *address != NULL ? *address : create(platform);
    if (log == NULL || (sink->is_syslog && syslog == NULL)) {
        if (descriptor > STDERR_FILENO) {
            posix_close_descriptor(&descriptor);
        }
        free(syslog);
        return BATON_NO_MEMORY;
    }
    close_sink(log);
    posix_syslog_close(log);
    log->syslog = syslog;
    log->watch.descriptor = descriptor;
    log->is_new = is_new;
    log->is_torn = log->is_torn && !is_new;
    struct stat status;
    bool is_known = syslog == NULL && fstat(descriptor, &status) == 0;
    log->is_socket = is_known && S_ISSOCK(status.st_mode);
    log->is_regular = is_known && S_ISREG(status.st_mode);
    *address = log;
    return BATON_OK;
}

/* Where O_NONBLOCK is not set, it has to be asked whether a write would wait. */
static bool may_wait(const struct platform_log *log) {
    return log->watch.descriptor == STDERR_FILENO && !log->is_regular;
}

/* Writes at most PIPE_BUF bytes without waiting, or all to a regular file. Returns their number, 0
 * if there is no room, or -1 and errno. */
static ssize_t write_some(struct platform_log *log, const char *bytes, size_t length) {
    int descriptor = log->watch.descriptor;
    if (log->syslog != NULL) {
        return posix_syslog_send(log, bytes, length);
    }
    if (length > PIPE_BUF && !log->is_regular) {
        length = PIPE_BUF;
    }
    ssize_t written;
    if (log->is_socket) {
        written = send(descriptor, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        if (may_wait(log) && posix_look(descriptor, POLLOUT) == 0) {
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

static size_t drop(struct platform_log *log, const char *bytes, size_t length,
                   struct baton_cause *cause) {
    posix_failed(cause, log->is_socket || log->syslog != NULL ? "send" : "write");
    log->loss.bytes = length;
    log->loss.lines_count += count_lines(bytes, length);
    return length;
}

/* Writes the same as write_some(), but first ends the line that a failed write has torn. */
static ssize_t write_next(struct platform_log *log, const char *bytes, size_t length) {
    if (log->is_failing && log->is_torn) {
        ssize_t mended = write_some(log, "\n", 1);
        if (mended <= 0) {
            return mended;
        }
        log->is_torn = false;
    }
    ssize_t written = write_some(log, bytes, length);
    if (written > 0) {
        log->is_torn = bytes[written - 1] != '\n';
    }
    log->is_failing = written < 0;
    return written;
}

/* epoll refuses what is always ready (EPERM); then the caller may try at once. A syslog that is not
 * there is nothing to watch: it is looked for again in a while. */
static void await_room(struct platform_log *log) {
    struct platform *platform = log->platform;
    if (log->syslog != NULL && log->watch.descriptor <= STDERR_FILENO) {
        log->is_due = true;
    } else {
        platform->is_due[DUE_LOG] =
            platform->is_due[DUE_LOG] || posix_watch_set(platform, &log->watch, EPOLLOUT) != 0;
    }
}

size_t platform_log_write(struct platform_log *log, const char *bytes, size_t length,
                          struct baton_cause *cause) {
    size_t done = 0;
    *cause = (struct baton_cause){0};
    log->loss.bytes = 0;
    while (done < length) {
        ssize_t written = write_next(log, bytes + done, length - done);
        if (written < 0) {
            return done + drop(log, bytes + done, length - done, cause);
        }
        if (written == 0) {
            await_room(log);
            break;
        }
        done += (size_t)written;
    }
    return done;
}

void platform_log_take_loss(struct platform_log *log, struct platform_log_loss *loss) {
    *loss = log->loss;
    log->loss = (struct platform_log_loss){0};
}

void platform_log_wait(struct platform_log *log, uint64_t deadline_us) {
    if (log->syslog != NULL) {
        posix_syslog_wait(log, deadline_us);
    } else {
        posix_await(log->platform, log->watch.descriptor, POLLOUT, deadline_us);
    }
}

/* Every write goes straight to the system, so nothing is ever held back here. */
size_t platform_log_flush(struct platform_log *log, uint64_t deadline_us) {
    (void)log;
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
