/*
 * Entries: the few lines that a system's own log of events is told as well (the Windows Event Log),
 * where administrators look who know nothing of ours: start, stop, places where nobody can listen,
 * handlers that crash. Each has a number by which it can be found and filtered, which never gets
 * another meaning, and which names its message in platform/win32/events.mc. (From 500 on they are
 * of the host of the Windows service: platform/win32/event_log.h.)
 */
#ifndef BATON_TELL_ENTRY_H
#define BATON_TELL_ENTRY_H

#include "core/base/rate.h"
#include "core/tell/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Name, number, severity, event of the log's line; "" = it is no line of the log. */
#define ENTRY_LIST(X)                                                                              \
    X(STARTING, 100, LOG_LEVEL_INFO, "starting")                                                   \
    X(READY, 101, LOG_LEVEL_INFO, "ready")                                                         \
    X(STOPPING, 102, LOG_LEVEL_INFO, "stopping")                                                   \
    X(STOPPED, 103, LOG_LEVEL_INFO, "stopped")                                                     \
    X(START_FAILED, 200, LOG_LEVEL_ERROR, "start_failed")                                          \
    X(BROKEN, 201, LOG_LEVEL_ERROR, "broken")                                                      \
    X(LISTEN_FAILED, 300, LOG_LEVEL_ERROR, "listen_failed")                                        \
    X(LISTENER_LOST, 301, LOG_LEVEL_WARNING, "listener_lost")                                      \
    X(CRASHED, 400, LOG_LEVEL_WARNING, "")

enum entry {
#define ENTRY_ID(name, number, level, event) ENTRY_##name,
    ENTRY_LIST(ENTRY_ID)
#undef ENTRY_ID
        ENTRY_COUNT,
    ENTRY_NONE = ENTRY_COUNT
};

/* 1..65535. */
unsigned entry_number(enum entry entry);
/* Error, warning or info. */
enum log_level entry_level(enum entry entry);

/* Which one the line with this event is as well; ENTRY_NONE for most. */
enum entry entry_of_line(const char *event);

/* A client that makes handlers crash, and a port that is taken for days and tried once a minute,
 * must not fill a log that others need: of each entry so many pass in a time, and as many at once
 * after a pause. */
#define ENTRY_PERIOD_COUNT 10u
#define ENTRY_PERIOD_S 3600u

/* All zero = nothing was told yet. */
struct entry_counts {
    struct rate rates[ENTRY_COUNT];
    uint64_t left_out_counts[ENTRY_COUNT]; /* since the last one that passed */
};

/* True if the entry may be told at `now_us` (monotonic), and *left_out_count is how many were not
 * since the last one; else it is counted. */
bool entry_passes(struct entry_counts *counts, enum entry entry, uint64_t now_us,
                  uint64_t *left_out_count);

/* Room for the longest text with its NUL. */
#define ENTRY_TEXT_BYTES (RECORD_LINE_BYTES + 128u)

/* Writes what an entry says of a line that is whole (without its head, colours and line feed) and
 * how many of its kind were left out before. A '%' is written as "\x25": who reads an Event Log
 * replaces "%1" and the like, wherever they come from, and again in what that gives ([MS-EVEN]
 * 3.2.4.1.5), so that a client's "%1%1" would grow. What does not fit loses its end. Returns its
 * length. */
size_t entry_write(const struct record *line, uint64_t left_out_count, char out[ENTRY_TEXT_BYTES]);

#endif
