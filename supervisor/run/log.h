/*
 * The log: lines in a bounded buffer between the supervisor and a sink that must not block it.
 *
 * Lines are never dropped. When the sink is slow the buffer fills; from half full on
 * run_log_is_congested() says so, and the caller stops making lines that can wait (accepting,
 * reading handlers' output). What cannot wait and does not fit is written blocking.
 */
#ifndef BATON_RUN_LOG_H
#define BATON_RUN_LOG_H

#include "core/record.h"
#include "platform/platform.h"

#define RUN_LOG_BUFFER_BYTES 65536

/* Owner: the supervisor. */
struct run_log {
    struct platform *platform;
    enum log_format format;
    enum log_level level;
    size_t used_bytes;
    struct record line;
    char buffer[RUN_LOG_BUFFER_BYTES];
};

/* Opens the sink that `options` name. BATON_OK or why not. */
int run_log_open(struct run_log *log, struct platform *platform,
                 const struct supervisor_options *options, struct baton_cause *cause);

/* Starts a line; NULL when `level` is not logged. One line at a time. */
struct record *run_log_begin(struct run_log *log, enum log_level level, const char *event);
/* Ends the line that run_log_begin() started, and keeps it for the next flush. */
void run_log_end(struct run_log *log);
/* Keeps the line that is in log->line whole and ended. */
void run_log_keep(struct run_log *log);

/* Gives the sink what it takes without blocking. */
void run_log_flush(struct run_log *log);
bool run_log_is_congested(const struct run_log *log);

/* Writes what is left, blocking. */
void run_log_close(struct run_log *log);

#endif
