/*
 * What `misbehave` does with a connection when it behaves.
 *
 * --serve line     reads one line, answers `served pid=PID launch=N LINE`, ends.
 *         hold     answers `holding pid=PID launch=N` at once, then waits for the client's end.
 *         drain    the same; when the supervisor drains first, says `drained` and ends.
 *         several  `holding ...` for each; once there are as many as --capacity (at most 8), each
 *                  is served as by `line`, the last one first. In main.c.
 *         handles  answers with system_list_handles().
 *         parent   answers with system_parent_facts().
 * --write lines    two lines on standard output, one on standard error.
 *         long     one line of 20,000 characters.
 *         partial  text without an end of line.
 *         pieces   one line in three writes.
 *         binary   all 256 byte values, then an end of line.
 *         flood    5,000 lines.
 */
#ifndef MISBEHAVE_SERVE_H
#define MISBEHAVE_SERVE_H

#include <stdint.h>

/* Serves one connection; the socket stays open. Blocks. `greet` says `holding ...` and no more. */
void serve_connection(const char *what, uintptr_t socket, uint32_t launch);

/* Writes to the standard streams. */
void serve_output(const char *what);

#endif
