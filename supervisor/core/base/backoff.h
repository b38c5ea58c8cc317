/*
 * Delays between tries: doubling from a start to a ceiling, so that what heals quickly is found
 * quickly and what does not heal costs nothing.
 */
#ifndef BATON_BASE_BACKOFF_H
#define BATON_BASE_BACKOFF_H

#include <stdint.h>

/* The delay before try number `tries_count` + 1, after that many have failed (1 or more):
 * first_ms, then twice that, and so on, at most last_ms. */
uint32_t backoff_delay_ms(uint32_t tries_count, uint32_t first_ms, uint32_t last_ms);

#endif
