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

/* Owner: the supervisor. */
struct run_log {
    struct platform *platform;
    enum log_format format;
    enum log_level level;
    size_t dropped_count;      /* lines for which there was no room; not told yet */
    size_t lost_count;         /* lines that the sink did not take; not told yet */
    size_t lost_records_count; /* of these */
    size_t untold_count; /* at the end: clients of whom a lost line would have told the number */
    bool is_failing;     /* the sink, at the last write */
    bool at_line_start;  /* so begins the buffer; else in a line, of which */
    bool head_is_record; /* this tells */
    uint64_t warned_us;  /* when that was said beside it last; 0 = never */
    size_t used_bytes;
    size_t size_bytes;
    char *buffer; /* owned */
    char *path;   /* owned; NULL = standard error */
    struct record line;
    /* Told of each line that is whole, while line.copy is set. */
    void (*follow)(void *context);
    void *follow_context;
    char reason[320]; /* why the sink failed last */
};

/* Opens the sink that `options` name, with room for `connection_count` records beside other lines.
 * BATON_OK or why not. */
int run_log_open(struct run_log *log, struct platform *platform,
                 const struct supervisor_options *options, size_t connection_count,
                 struct baton_cause *cause);

/* Makes room for the records of `connection_count` connections in all. False when out of memory. */
bool run_log_reserve(struct run_log *log, size_t connection_count);

/* Its level and format become as `options` say, and so does where it goes, where that is elsewhere.
 * BATON_OK, or why it goes on where it went. */
int run_log_change(struct run_log *log, const struct supervisor_options *options,
                   struct baton_cause *cause);

/* Opens the file anew, which may have been renamed. If that fails the old one is kept. BATON_OK,
 * BATON_UNSUPPORTED for standard error, or why not. */
int run_log_reopen(struct run_log *log, struct baton_cause *cause);

/* Before a line is put together that run_log_keep() is to keep: it is told in local time. */
void run_log_note_time(struct run_log *log);
/* Starts a line; NULL when `level` is not logged. One line at a time. */
struct record *run_log_begin(struct run_log *log, enum log_level level, const char *event);
/* Ends the line that run_log_begin() started, and keeps it for the next flush, or counts it. */
void run_log_end(struct run_log *log);
/* Keeps the record that is in log->line, whole and ended. There is always room: nobody is accepted
 * while the log is congested. */
void run_log_keep(struct run_log *log);

/* Gives the sink what it takes without blocking. */
void run_log_flush(struct run_log *log);
bool run_log_is_congested(const struct run_log *log);

/* Writes what is kept, blocking, until `deadline_us` at most. False if something is left. For the
 * end. */
bool run_log_settle(struct run_log *log, uint64_t deadline_us);

/* Settles, tells beside the log what was lost, and frees the buffer. Returns how many lines were
 * lost without the log saying so. */
size_t run_log_close(struct run_log *log, uint64_t deadline_us);

#endif
