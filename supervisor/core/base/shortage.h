/*
 * A shortage: something that is needed is not to be had for now. When to try again, after delays
 * that double while it lasts, and whether it may be logged once more.
 */
#ifndef BATON_BASE_SHORTAGE_H
#define BATON_BASE_SHORTAGE_H

#include "core/base/timers.h"

#include <stdbool.h>
#include <stdint.h>

/* One that comes and goes is logged at most this often. */
#define SHORTAGE_LOG_US 1000000u

/* Fixed when it is made; the time is that of the heap of timers. */
struct shortage {
    uint32_t first_ms, last_ms; /* the first delay, and the longest */
    struct timer until;         /* set while nothing is tried */
    uint32_t hits_count;        /* in a row */
    uint64_t logged_us;         /* when it was logged last; 0 = not since it was over */
};

/* `token` comes back from the heap when it is time to try again. */
struct shortage shortage_make(uint32_t first_ms, uint32_t last_ms, uint64_t token);

/* It was met (again): nothing is tried for a while, whose length in milliseconds it returns. */
uint32_t shortage_hit(struct shortage *shortage, struct timers *timers);

/* Something was freed: it is worth a try at once. The delays go on where they were. */
void shortage_relieve(struct shortage *shortage, struct timers *timers);

/* A try has succeeded. True if the end of the shortage is worth a line in the log: its beginning
 * was one, and that is long enough ago for another. */
bool shortage_over(struct shortage *shortage, struct timers *timers);

/* True while nothing is to be tried. */
bool shortage_lasts(const struct shortage *shortage);

/* True if it may be logged now; then it counts as logged. */
bool shortage_may_log(struct shortage *shortage, const struct timers *timers);

#endif
