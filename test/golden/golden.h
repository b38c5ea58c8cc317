/*
 * Files of what is expected, for the tests that compare with them.
 */
#ifndef BATON_TEST_GOLDEN_H
#define BATON_TEST_GOLDEN_H

#include <stddef.h>

/* Reads a file of at most 2 MiB: *length bytes and a NUL, which the caller frees; NULL if it
 * cannot. */
char *golden_read(const char *path, size_t *length);

/* Compares `actual` with the file `path`.expected, or writes it there when BATON_REGENERATE is set.
 * Returns 0 when fine, else 1 after saying on standard error what differs. */
int golden_compare(const char *path, const char *actual);

#endif
