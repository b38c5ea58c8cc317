/*
 * Files for tests of the config.
 */
#ifndef BATON_TEST_CONFIG_FILE_H
#define BATON_TEST_CONFIG_FILE_H

#include <stddef.h>

/* Reads a whole file of at most 64 KiB into static memory, NUL-terminated, until the next call.
 * Fails the test if it cannot. */
const char *config_file_read(const char *path, size_t *length);

#endif
