/*
 * The brake on activations: how soon a handler that has ended may be launched again for a socket
 * that is still ready. It heals by itself: after each pause one launch is tried.
 *
 * - One that has taken somebody is never braked, however it ended and however soon.
 * - One that has taken nobody is paused for longer each time, up to a minute, until one takes
 *   somebody or lives for a while. So is a launch that fails.
 * - Where the system does not tell (Windows), one that fails counts as one that has taken nobody.
 *   One that ends well may simply not have read what waits: then the socket is ready at once again.
 *   Twenty launches in a row are free, then ten a second.
 */
#ifndef BATON_POOL_BREAKER_H
#define BATON_POOL_BREAKER_H

#include "core/pool/progress.h"

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
    uint32_t failures_count; /* in a row, and those that may have taken nobody; unless it is 0, who
                                waits is to be identified, so that this is known of the next */
    uint64_t paid_until_us;  /* when the launches so far will be paid for, one each interval */
};

/* A handler has ended at `now_us` (microseconds, monotonic) after `lived_us`. Returns for how many
 * microseconds no other may be launched; 0 = none. */
uint64_t breaker_pause_us(struct breaker *breaker, enum progress progress, bool failed,
                          uint64_t lived_us, uint64_t now_us);

#endif
