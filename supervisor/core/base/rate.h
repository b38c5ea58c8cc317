/*
 * A rate with a burst: how many of something may pass in a time, and how many at once after a
 * pause. The usual token bucket, kept as the time until which what has passed takes, each its
 * share.
 */
#ifndef BATON_BASE_RATE_H
#define BATON_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

/* All 32 bits, since the table of keys reaches them. */
struct rate_limit {
    uint32_t count;       /* may pass in `period_s`; 0 = no limit */
    uint32_t period_s;    /* at least 1 */
    uint32_t burst_count; /* at least 1: at once after a pause */
};

/* All zero = has had a long pause. */
struct rate {
    uint64_t paid_until_ns; /* monotonic */
};

/* True if one more passes now; then it has passed. All times are of the monotonic clock. */
bool rate_passes(struct rate *rate, const struct rate_limit *limit, uint64_t now_us);
/* One has passed, whether or not it was due: those behind it wait for longer. */
void rate_charge(struct rate *rate, const struct rate_limit *limit, uint64_t now_us);
/* How long it takes until the next one passes, in microseconds, rounded up; 0 = one does now. */
uint64_t rate_wait_us(const struct rate *rate, const struct rate_limit *limit, uint64_t now_us);
/* True if it has had its pause: it is as good as a new one. */
bool rate_is_rested(const struct rate *rate, uint64_t now_us);

#endif
