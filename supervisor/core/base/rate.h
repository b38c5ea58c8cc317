/*
 * A rate with a burst: how many of something may pass in a second, and ten times as many at once
 * after a pause. What does not pass is counted until somebody takes the count.
 */
#ifndef BATON_BASE_RATE_H
#define BATON_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_BURST_S 10u

/* All zero = has had a long pause. */
struct rate {
    uint64_t
        used_until_us; /* monotonic: what has passed takes until then, each its share of time */
    uint64_t refused_count; /* since it was taken last */
};

/* True if one more passes now; `per_s` 1..1,000,000, 0 = all do. Else it is counted. */
bool rate_passes(struct rate *rate, uint32_t per_s, uint64_t now_us);

/* How many were refused since this was asked last. */
uint64_t rate_take_refused(struct rate *rate);

#endif
