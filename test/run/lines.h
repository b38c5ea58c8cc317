/* Reading the log that the fake world has captured. Lines are in logfmt. */
#ifndef BATON_TEST_LINES_H
#define BATON_TEST_LINES_H

#include <stdbool.h>
#include <stdint.h>

/* The `number`th line (from 0) of that event; NULL if there is none. It ends with a line feed. */
const char *lines_find(const char *event, uint32_t number);
uint32_t lines_count(const char *event);
/* The only record of the connection or activation `id`. NULL if there is none, or more than one. */
const char *lines_record(uint64_t id);

/* The value of a key of a line, without quotes, escapes as they are; "" if there is no such key.
 * Static, until the call after the next three. */
const char *lines_value(const char *line, const char *key);
bool lines_has(const char *line, const char *key);

#endif
