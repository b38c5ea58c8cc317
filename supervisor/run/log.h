/*
 * The log: lines in a bounded buffer between the supervisor and a sink that must not block it.
 *
 * When the sink is slow the buffer fills; run_log_is_congested() says so, and the caller stops
 * making lines that can wait (accepting, reading handlers' output). Records have room of their own,
 * for as many connections as can be live then, so they are never dropped; other lines are, and
 * counted, when theirs is full.
 */
#ifndef BATON_RUN_LOG_H
#define BATON_RUN_LOG_H

#include "core/tell/record.h"
#include "platform/platform.h"

/* Room for lines that are no records; congested from half of it on. */
#define RUN_LOG_LINES_BYTES 65536
/* Room for each connection that may have to be recorded while nothing can be written. */
#define RUN_LOG_RECORD_BYTES 1024

/* Owner: the supervisor. */
struct run_log {
    struct platform *platform;
    enum log_format format;
    enum log_level level;
    size_t dropped_count; /* lines since the last that was kept */
    size_t used_bytes;
    size_t size_bytes;
    char *buffer; /* owned */
    char *path;   /* owned; NULL = standard error */
    struct record line;
};

/* Opens the sink that `options` name, with room for `connection_count` records beside other lines.
 * BATON_OK or why not. */
int run_log_open(struct run_log *log, struct platform *platform,
                 const struct supervisor_options *options, size_t connection_count,
                 struct baton_cause *cause);

/* Opens the file anew, which may have been renamed. If that fails the old one is kept. BATON_OK,
 * BATON_UNSUPPORTED for standard error, or why not. */
int run_log_reopen(struct run_log *log, struct baton_cause *cause);

/* Starts a line; NULL when `level` is not logged. One line at a time. */
struct record *run_log_begin(struct run_log *log, enum log_level level, const char *event);
/* Ends the line that run_log_begin() started, and keeps it for the next flush, or counts it. */
void run_log_end(struct run_log *log);
/* Keeps the record that is in log->line, whole and ended. */
void run_log_keep(struct run_log *log);

/* Gives the sink what it takes without blocking. */
void run_log_flush(struct run_log *log);
bool run_log_is_congested(const struct run_log *log);

/* Writes what is kept, blocking, until `deadline_us` at most; what is left then is lost. For the
 * end. */
void run_log_settle(struct run_log *log, uint64_t deadline_us);

/* Settles, and frees the buffer. */
void run_log_close(struct run_log *log, uint64_t deadline_us);

#endif
