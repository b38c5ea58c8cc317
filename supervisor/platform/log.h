/*
 * The log: a part of platform.h, whose rules hold here too.
 */
#ifndef BATON_PLATFORM_LOG_H
#define BATON_PLATFORM_LOG_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;

/* One that is open. Owner: who opened it; platform_close() closes those that are left. */
struct platform_log;

/* Where a log goes. */
struct platform_log_sink {
    const char *path; /* of a file, or of a syslog's socket; NULL = standard error */
    bool is_syslog;   /* each line is a datagram, as the caller has put it (not on Windows) */
    uint32_t mode;    /* permission bits of a file that is made here, exactly; 0 = 0640 less the
                         umask. Not on Windows, where its folder says who may */
};

/* Opens *log (NULL: a new one), a file to append to. May be called again: if that fails, the log
 * goes where it went. Never sets O_NONBLOCK on an inherited descriptor. A syslog need not be there
 * yet. BATON_OK, or why not. */
int platform_log_open(struct platform *platform, struct platform_log **log,
                      const struct platform_log_sink *sink, struct baton_cause *cause);

/* Frees it, and sets *log to NULL; NULL is accepted. What it has taken and the system has not is
 * lost, after a second at most (Windows): platform_log_flush() comes first. */
void platform_log_close(struct platform_log **log);

/* True if standard error is the systemd journal's stream (systemd.exec(5), JOURNAL_STREAM), which
 * takes `<N>` at the start of a line as its priority (sd-daemon(3)). */
bool platform_error_is_journal(void);

/* What standard error is; whether colours are wanted there is said by the variables NO_COLOR
 * (no-color.org), if it is not empty, and TERM, if that is "dumb" or not there (POSIX). On Windows
 * a console is told to obey escape sequences, and if it cannot it has no colours. Does not wait. */
enum platform_terminal {
    PLATFORM_TERMINAL_NONE,
    PLATFORM_TERMINAL_PLAIN,
    PLATFORM_TERMINAL_COLOURED
};
enum platform_terminal platform_terminal(void);

/* Writes as much of `length` bytes as can be written without blocking, and returns that number;
 * when it is less than `length`, PLATFORM_EVENT_LOG_WRITABLE follows. A log that cannot be written
 * at all (closed pipe, full disk) takes everything and drops it; `cause` then tells why, once for
 * each failing call, and platform_log_take_loss() how much. The first write that succeeds again
 * begins with a line feed if a line was torn (Windows: in any case). A syslog takes whole lines
 * only; one that is not there takes nothing for PLATFORM_SYSLOG_PATIENCE_US, since it may just be
 * started again, and is looked for at each call and each event. */
#define PLATFORM_SYSLOG_PATIENCE_US 2000000u
size_t platform_log_write(struct platform_log *log, const char *bytes, size_t length,
                          struct baton_cause *cause);

/* What a log that cannot be written has dropped. */
struct platform_log_loss {
    size_t bytes;       /* at the end of what platform_log_write() took last; 0 on Windows, where
                           what was taken before is written later */
    size_t lines_count; /* since this was asked last */
};
void platform_log_take_loss(struct platform_log *log, struct platform_log_loss *loss);

/* Blocks until platform_log_write() may take more, at most until `deadline_us`. */
void platform_log_wait(struct platform_log *log, uint64_t deadline_us);

/* Blocks until all that platform_log_write() has taken is with the system, at most until
 * `deadline_us` (0 = not at all). Returns how many lines are not, then. */
size_t platform_log_flush(struct platform_log *log, uint64_t deadline_us);

/* Says something on standard error, beside a log that is elsewhere, if that need not wait; else it
 * is not said. */
void platform_log_warn(const char *text);

#endif
