/* The time as RFC 868 writes it. */
#ifndef BATON_TIME_SECONDS_H
#define BATON_TIME_SECONDS_H

#include <stdbool.h>
#include <stdint.h>

#define SECONDS_BYTES 4

/* Writes the seconds since 1900-01-01 00:00 UTC, most significant byte first, for a time in seconds
 * since 1970. False if 32 bits cannot tell it: "this base will serve until the year 2036". */
bool seconds_since_1900(int64_t since_1970, unsigned char out[SECONDS_BYTES]);

#endif
