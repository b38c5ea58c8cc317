/*
 * The way to batond: what batonctl asks of the system. posix/ and win32/ are two bodies of it.
 */
#ifndef BATON_CTL_DIAL_H
#define BATON_CTL_DIAL_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A deadline that never comes; all are by ctl_now_ms(). */
#define CTL_NO_DEADLINE INT64_MAX

/* A connection to batond's control endpoint. */
struct ctl_wire;

/* Milliseconds from an arbitrary start; never goes back. */
int64_t ctl_now_ms(void);

/* Connects to the local socket (unix(7)) or named pipe (CreateFileW, WaitNamedPipeW) at `path`,
 * UTF-8. BATON_OK, and *out is the caller's, who closes it by ctl_wire_close(); BATON_NOT_FOUND:
 * nothing is there; BATON_GONE: nobody listens there any more; BATON_DENIED; BATON_INVALID: what is
 * there is none (Windows: the path is no pipe's); BATON_TOO_LONG: no socket has such a long path;
 * BATON_AGAIN: the deadline has passed; BATON_NO_MEMORY; BATON_SYSTEM. Blocks until the deadline.
 */
int ctl_dial(const char *path, int64_t deadline_ms, struct ctl_wire **out,
             struct baton_cause *cause);

/* Sends all of it. BATON_OK, BATON_GONE (there may be something to read all the same), BATON_AGAIN
 * (the deadline has passed), BATON_SYSTEM. Blocks until the deadline. */
int ctl_wire_send(struct ctl_wire *wire, const char *bytes, size_t length, int64_t deadline_ms,
                  struct baton_cause *cause);

/* Reads what is there, at most `size_bytes`, as soon as anything is. BATON_OK and *length of 1 or
 * more, BATON_END, BATON_AGAIN (the deadline has passed), BATON_SYSTEM. Blocks until the deadline.
 */
int ctl_wire_read(struct ctl_wire *wire, char *out, size_t size_bytes, int64_t deadline_ms,
                  size_t *length, struct baton_cause *cause);

/* Closes it and sets *wire to NULL; a NULL *wire is accepted. */
void ctl_wire_close(struct ctl_wire **wire);

/* Is standard output a terminal that shows colours, whose user does not want it without (NO_COLOR)?
 */
bool ctl_output_is_coloured(void);

#endif
