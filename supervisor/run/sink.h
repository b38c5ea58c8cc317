/*
 * Sink: a bounded buffer between lines and where they go, which must not block the supervisor.
 *
 * When that is slow the buffer fills; run_sink_is_congested() says so, and the caller stops making
 * lines that can wait (accepting, reading handlers' output). Records have room of their own, for as
 * many connections as can be live then, so they are never dropped; other lines are, and counted,
 * when theirs is full.
 */
#ifndef BATON_RUN_SINK_H
#define BATON_RUN_SINK_H

#include "core/tell/record.h"
#include "platform/platform.h"
#include "run/output.h"

struct run_log;

/* Room for lines that are no records; congested from half of it on. */
#define RUN_SINK_LINES_BYTES 65536

/* Where one goes, and in which form. */
struct run_sink_spec {
    const char *path;       /* NULL = standard error */
    uint32_t facility;      /* of a syslog: as in struct record; 0 = it is none */
    uint32_t mode;          /* as in struct platform_log_sink */
    enum log_format format; /* may be AUTO */
};

/* Owner: the log. */
struct run_sink {
    struct platform *platform;
    struct platform_log *log; /* NULL = not open */
    struct run_sink *next;
    uint32_t users_count;      /* services that have it; 0 = it is let go when it is empty */
    size_t connections_count;  /* for whose records there is room */
    char *path;                /* owned; NULL = standard error */
    uint32_t facility, mode;   /* as in struct run_sink_spec */
    enum log_format format;    /* not AUTO */
    enum record_head head;     /* of each line */
    bool is_coloured;          /* TEXT */
    bool is_failing;           /* at the last write */
    bool has_news;             /* it has begun to fail, and that is to be told elsewhere */
    bool at_line_start;        /* so begins the buffer; else in a line, of which */
    bool head_is_record;       /* this tells */
    size_t dropped_count;      /* lines for which there was no room; not told yet */
    size_t lost_count;         /* lines that it did not take; not told yet */
    size_t lost_records_count; /* of these */
    size_t untold_count;       /* at the end: clients of whom a lost line would have told */
    uint64_t warned_us;        /* when that it fails was said beside it last; 0 = never */
    size_t used_bytes, size_bytes;
    char *buffer;                  /* owned */
    char reason[320];              /* why it failed last */
    struct run_output_held output; /* handlers' output that waits for it */
};

/* Opens it, with room for `connection_count` records beside other lines. BATON_OK or why not: then
 * run_sink_clear() frees what there is. */
int run_sink_open(struct run_sink *sink, struct platform *platform,
                  const struct run_sink_spec *spec, size_t connection_count,
                  struct baton_cause *cause);
/* What is kept is lost. */
void run_sink_clear(struct run_sink *sink);

/* Makes room for the records of `connection_count` connections in all. False when out of memory. */
bool run_sink_reserve(struct run_sink *sink, size_t connection_count);

/* Its form becomes as `spec` says, and so does where it goes, where that is elsewhere. BATON_OK, or
 * why it goes on where it went. */
int run_sink_change(struct run_sink *sink, const struct run_sink_spec *spec, struct run_log *log,
                    struct baton_cause *cause);

/* Opens the file anew, which may have been renamed. If that fails the old one is kept. BATON_OK,
 * BATON_UNSUPPORTED for standard error, or why not. */
int run_sink_reopen(struct run_sink *sink, struct run_log *log, struct baton_cause *cause);

/* Before a line is put together in `line`: in its form, at this time. */
void run_sink_prepare(const struct run_sink *sink, struct record *line);
/* Keeps a line that is whole for the next flush, or counts it. */
void run_sink_add(struct run_sink *sink, const struct record *line);
/* The same of a record, for which there is always room: nobody is accepted while it is congested.
 */
void run_sink_keep(struct run_sink *sink, const struct record *line);

/* Bytes of lines that another process has kept come before all others; as if they had been added
 * here. False when out of memory. */
bool run_sink_restore(struct run_sink *sink, const char *bytes, size_t length);

/* Gives what it takes without blocking, and says what is missing, in a line of the log's. */
void run_sink_flush(struct run_sink *sink, struct run_log *log);
bool run_sink_is_congested(const struct run_sink *sink);

/* Writes what is kept, blocking, until `deadline_us` at most. False if something is left. For the
 * end. */
bool run_sink_settle(struct run_sink *sink, struct run_log *log, uint64_t deadline_us);

/* Tells beside the log what was lost, and clears it. Returns how many lines were lost without the
 * log saying so. */
size_t run_sink_close(struct run_sink *sink, uint64_t deadline_us);

#endif
