/*
 * The child of the platform tests: a program that does, one after the other, what its arguments say
 * (child.c), with the few things that differ between systems behind this header (child_posix.c,
 * child_win32.c). It uses the wire codec, no SDK.
 *
 * It reports by lines on standard output, so a test reads them through platform_output_read().
 */
#ifndef BATON_TEST_PLATFORM_CHILD_H
#define BATON_TEST_PLATFORM_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The arguments as UTF-8. */
char **child_arguments(int argc, char **argv, int *out_argc);

/* Writes all of `length` bytes to standard output, as they are. */
void child_write(const char *bytes, size_t length);

/* The value of an environment variable in UTF-8, or NULL; static, overwritten by the next call. */
const char *child_variable(const char *name);

uint32_t child_pid(void);

/* The working directory in UTF-8; static. */
const char *child_directory(void);

/* The channel named by BATON_CHANNEL. Writing returns false when nobody reads; reading returns the
 * frame's length, 0 at the end, -1 for an error. A descriptor that came with it is kept for
 * child_take_socket(). */
bool channel_write(const void *bytes, size_t length);
long channel_read(void *frame, size_t size);
void channel_shut(void);

/* The socket of the OFFER read last; `info` is its protocol information (Windows). Prints a line
 * with what a handler is promised: "blocking=1 inheritable=0 peer=1 shutdown=1". Reads what the
 * client sends until its end and sends it back. */
bool child_serve_socket(const uint8_t *info);

/* Starts this program again with `action` as its only one. `escape`: out of the process group
 * (POSIX; there is no such thing as leaving a job). Prints "grandchild PID". */
void child_spawn(const char *self, const char *action, bool escape);

/* The test lets us go on by system_go(), at any time after the preparation. */
void child_prepare_go(void);
void child_wait_for_go(void);

/* Actions that only one system has; false if `action` is none of them. */
bool child_special(const char *action);

/* Ends by a signal or an exception. */
_Noreturn void child_crash(void);

/* Waits until somebody ends this process. */
_Noreturn void child_hold(void);

#endif
