/*
 * The log: lines on their way to a sink, the supervisor's own or that of a service which has one.
 */
#ifndef BATON_RUN_LOG_H
#define BATON_RUN_LOG_H

#include "core/tell/record.h"
#include "platform/platform.h"
#include "run/entries.h"
#include "run/sink.h"

/* Owner: the supervisor. */
struct run_log {
    enum log_level level;
    struct run_sink own;       /* of the supervisor, and of services that have none */
    struct run_sink *services; /* those of services; one for each path; owned */
    struct run_sink *current;  /* where the line goes that is put together */
    struct run_sink_spec spec; /* of services' sinks that will be opened; its path means nothing */
    struct record line;
    /* Told of each line that is whole, while line.copy is set. */
    void (*follow)(void *context);
    void *follow_context;
    struct run_entries entries; /* of the system's log of events, if there is one */
};

/* Opens the sink that `options` name, with room for `connection_count` records beside other lines.
 * BATON_OK or why not. */
int run_log_open(struct run_log *log, struct platform *platform,
                 const struct supervisor_options *options, size_t connection_count,
                 struct baton_cause *cause);

/* Makes room for the records of `connection_count` connections in all. False when out of memory. */
bool run_log_reserve(struct run_log *log, size_t connection_count);

/* Services' sinks that are opened from now on are as `options` say. */
void run_log_expect(struct run_log *log, const struct supervisor_options *options);
/* Its level and format become as `options` say, and so does where it goes, where that is elsewhere.
 * BATON_OK, or why it goes on where it went. */
int run_log_change(struct run_log *log, const struct supervisor_options *options,
                   struct baton_cause *cause);

/* Opens the supervisor's own file anew, as run_sink_reopen(). */
int run_log_reopen(struct run_log *log, struct baton_cause *cause);

/* One more service has its own file at `path`, with room for `connection_count` records more;
 * several may name the same. Returns its sink; NULL and why not. */
struct run_sink *run_log_join(struct run_log *log, const char *path, size_t connection_count,
                              int *result, struct baton_cause *cause);
/* A service has it no more; NULL is accepted. What it has is written still. */
void run_log_leave(struct run_sink *sink, size_t connection_count);

/* Before a line for `sink` (NULL = the supervisor's own) is put together in log->line by other
 * means, which run_log_keep() is to keep. Returns its sink. */
const struct run_sink *run_log_prepare(struct run_log *log, struct run_sink *sink);
/* Starts a line; NULL when `level` is not logged. One line at a time. */
struct record *run_log_begin(struct run_log *log, enum log_level level, const char *event);
/* The same for a sink; NULL = the supervisor's own. */
struct record *run_log_begin_in(struct run_log *log, struct run_sink *sink, enum log_level level,
                                const char *event);
/* Ends the line that was started, and keeps it for the next flush, or counts it. */
void run_log_end(struct run_log *log);
/* Keeps the record that is in log->line, whole and ended. */
void run_log_keep(struct run_log *log);

/* All sinks: gives them what they take without blocking. */
void run_log_flush(struct run_log *log);
/* The supervisor's own. */
bool run_log_is_congested(const struct run_log *log);

/* How many lines are missing that nothing has told of yet. */
void run_log_count(const struct run_log *log, size_t *dropped_count, size_t *lost_count);

/* Writes what all sinks keep, blocking, until `deadline_us` at most. False if the supervisor's own
 * has something left. For the end. */
bool run_log_settle(struct run_log *log, uint64_t deadline_us);

/* Settles, tells beside the log what was lost, and frees all buffers. Returns how many lines were
 * lost without the log saying so. */
size_t run_log_close(struct run_log *log, uint64_t deadline_us);

#endif
