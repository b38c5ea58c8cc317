/*
 * Log lines: one event, one line, as logfmt or as JSON, built in a buffer of the caller's.
 *
 *   time=2026-01-01T00:00:00.000Z level=info event=connection service=ok id=17
 *   {"time":"2026-01-01T00:00:00.000Z","level":"info","event":"connection","service":"ok","id":17}
 *
 * or for people who look at a terminal: local time, service, peer, what happened:
 *
 *   12:00:00  ok 127.0.0.1:50122 served in 41 ms
 *   12:00:00 error web listen failed 0.0.0.0:80: bind: Permission denied
 *
 * A line that tells of a connection has two blanks behind the time. What only a program would look
 * for is left out, and quotes and backslashes stand for themselves, but in a text that could be
 * taken for further fields: that is quoted as in logfmt.
 * Texts may hold any bytes. Control characters include those that turn a line round or break it. In
 * logfmt a text with a blank, a quote, '=', a control character or bytes that are not ASCII is
 * quoted, with \" \\ \n \r \t and \xHH; in JSON bytes that are not UTF-8 become U+FFFD. In all
 * three a line is valid UTF-8 and has one line feed, at its end. A line that outgrows the buffer
 * loses the end of its last texts, never its closing.
 */
#ifndef BATON_TELL_RECORD_H
#define BATON_TELL_RECORD_H

#include "core/pool/connection.h"
#include "core/service/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest line, with its line feed; also the least that a log buffer must take at once. */
#define RECORD_LINE_BYTES 8192

/* The longest line of a connection that ended: all its texts at their longest, each byte escaped.
 */
#define RECORD_CONNECTION_MAX_BYTES 3136

/* What stands before a line for who takes it: nothing; its priority, `<6>`, as sd-daemon(3) has it;
 * or all that a syslog wants (RFC 3164), `<30>Jan  1 12:00:00 batond[4711]: `. */
enum record_head { RECORD_HEAD_NONE, RECORD_HEAD_PRIORITY, RECORD_HEAD_SYSLOG };

/* A line under construction. Owner of the bytes: the record. */
struct record {
    enum log_format format; /* not AUTO */
    enum record_head head;  /* this and what follows is set by the caller */
    uint32_t facility;      /* SYSLOG: 1 = user, 3 = daemon, 16 = local0 */
    uint32_t pid;           /* SYSLOG */
    int64_t local_us;       /* SYSLOG: the time of the line as if local time were UTC */
    unsigned local_minute;  /* TEXT: of the day, at the time of the line */
    bool is_coloured;       /* TEXT */
    const char *event;      /* TEXT: to be said when service and peer have been; NULL = it was */
    const char *colour;     /* TEXT: of this line; "" = none */
    /* Is given all that this one is, as an `event` of the control channel (supervisor/CONTROL.md);
     * NULL = nothing is. Not owned. */
    struct record *copy;
    size_t length;
    size_t start; /* behind the head */
    bool full;    /* something did not fit any more */
    char bytes[RECORD_LINE_BYTES];
};

/* Starts a line: time (`wall_us`, microseconds since 1970 UTC), level, event. */
void record_begin(struct record *record, enum log_format format, int64_t wall_us,
                  enum log_level level, const char *event);
/* Starts an object of JSON that is no line of the log. Its `copy` must be NULL. */
void record_open(struct record *record);
/* A key ends with its NUL, or before a '='. */
void record_text(struct record *record, const char *key, const char *value);
void record_bytes(struct record *record, const char *key, const char *value, size_t length);
void record_number(struct record *record, const char *key, uint64_t value);
/* JSON alone. */
void record_flag(struct record *record, const char *key, bool value);
/* The peer of a local socket as "uid:1000,pid:4711", or "uid:1000" where the system cannot name the
 * process; "-" where it does not tell. */
void record_address(struct record *record, const char *key, const struct address *address);
/* Ends the line with a line feed. */
void record_end(struct record *record);

/* Where a service listens: the path of a local socket, else `bound`. */
void record_place(struct record *record, const char *key, const struct service_listen *place,
                  const struct address *bound);

/* What a process has used: its time on processors, and the most memory that it had resident; each
 * left out where it is not known (0). */
void record_cost(struct record *record, uint64_t cpu_us, uint32_t memory_peak_kib);

/* The whole line `event=connection` (or `event=activation`) for a connection of `service` that has
 * ended; a warning where that is for somebody to look at. `text` (`text_bytes`, 0 = none) is what
 * its handler said of it. */
void record_connection(struct record *record, enum log_format format,
                       const struct connection *connection, const struct service *service,
                       const char *text, size_t text_bytes);

/* Where in a line of the log, of which `length` bytes are there, its head ends. */
size_t record_head_bytes(const char *bytes, size_t length);

/* "error", "warning", "info", "debug". */
const char *record_level_text(enum log_level level);

#endif
