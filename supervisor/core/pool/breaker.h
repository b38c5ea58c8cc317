/*
 * The brake on activations: how soon a handler that has ended may be launched again for a socket
 * that is still ready. It heals by itself: after each pause one launch is tried.
 *
 * - A handler that fails (exit code, crash, no launch) is paused for longer each time, up to a
 *   minute, until one serves or lives for a while.
 * - One that ends well may simply not have read what waits: then the socket is ready at once again.
 *   Twenty launches in a row are free, then ten a second.
 */
#ifndef BATON_POOL_BREAKER_H
#define BATON_POOL_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_FIRST_MS 100u
#define BREAKER_LAST_MS 60000u
/* A handler that lived this long has done some work: its failure is the first one. */
#define BREAKER_LIVED_US 10000000u
#define BREAKER_BURST_COUNT 20u
#define BREAKER_INTERVAL_US 100000u

/* All zero = nothing has happened yet. */
struct breaker {
    uint32_t failures_count; /* in a row */
    uint64_t paid_until_us;  /* when the launches so far will be paid for, one each interval */
};

/* A handler has ended at `now_us` (microseconds, monotonic) after `lived_us`. Returns for how many
 * microseconds no other may be launched; 0 = none. */
uint64_t breaker_pause_us(struct breaker *breaker, bool failed, uint64_t lived_us, uint64_t now_us);

#endif
