/*
 * What handlers write to standard output and error, cut into lines for the log.
 *
 * Several processes share one collector, so a line under construction is kept for each writer, in a
 * fixed number of places. A line longer than its place, and the oldest unfinished line when all
 * places are taken, goes to the log in pieces.
 */
#ifndef BATON_RUN_OUTPUT_H
#define BATON_RUN_OUTPUT_H

#include "core/base/timers.h"
#include "platform/platform.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUN_OUTPUT_LINE_BYTES 2048
#define RUN_OUTPUT_LINE_COUNT 16
#define RUN_OUTPUT_PIECE_BYTES 4096

struct supervisor;

/* A line of one writer that has not ended yet. */
struct run_output_line {
    uint32_t service;
    struct platform_writer writer; /* pid 0 = the place is free */
    uint64_t used_us;              /* when it grew last */
    bool ended;                    /* its writer is gone; ends when nothing is left to read */
    bool continued;                /* its beginning went to the log already */
    size_t length;
    char bytes[RUN_OUTPUT_LINE_BYTES];
};

/* What was read last. Its rest waits here while the log is congested: a few bytes can make many
 * lines. Nothing else is read before it. */
struct run_output_piece {
    uint32_t service;
    struct platform_writer writer;
    size_t length;
    size_t done; /* cut into lines already; equal to `length` when nothing waits */
    char bytes[RUN_OUTPUT_PIECE_BYTES];
};

/* What waits for one sink. */
struct run_output_held {
    bool is_behind; /* run_output_catch_up() has something to do */
    bool is_paused; /* handlers, and clients, wait while it is congested */
    struct run_output_piece piece;
};

/* Owner: the supervisor. */
struct run_outputs {
    struct timer suppressed; /* set while there is something left out to be told */
    struct run_output_line lines[RUN_OUTPUT_LINE_COUNT];
};

/* Reads what there is of a service's output, a bounded amount at a time. */
void run_output_on_readable(struct supervisor *s, uint32_t service);

/* A process of the service has exited: reads what it has left, and ends its line. When that is too
 * much for now, or the log is congested, the rest follows with run_output_on_readable(). */
void run_output_finish(struct supervisor *s, uint32_t service,
                       const struct platform_writer *writer);

/* Pauses and resumes collectors, so that handlers' output waits while the log is congested: all of
 * them, or those of the services whose own is; then their listeners, too. */
void run_output_update(struct supervisor *s);

/* Says how many lines of each service were left out. */
void run_output_tell_suppressed(struct supervisor *s);

/* Goes on with what had to wait for the log; no event tells of it. */
void run_output_catch_up(struct supervisor *s);
/* True if there is something of that, and a sink that takes it. */
bool run_output_may_go_on(const struct supervisor *s);

/* Nobody of the service is left who could write: reads what there is, and ends its lines. What a
 * log that is congested cannot take then is given up. */
void run_output_forget(struct supervisor *s, uint32_t service);

/* Reads all there is of all services and ends all lines; for the end, when nobody
 * writes. Blocks for the log, until `deadline_us` at most. */
void run_output_finish_all(struct supervisor *s, uint64_t deadline_us);

#endif
