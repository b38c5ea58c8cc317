/* What the C library leaves open. posix/ and win32/ are two bodies of it. */
#ifndef BATON_TEST_CONSOLE_SYSTEM_H
#define BATON_TEST_CONSOLE_SYSTEM_H

#include <stddef.h>

/* From now on standard input and output carry bytes as they are. */
void system_binary_streams(void);

/* Reads what is there from standard input, waiting for at least a byte; 0 at its end. */
size_t system_read(char *out, size_t size_bytes);

#endif
