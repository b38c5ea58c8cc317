/*
 * Deadlines in a binary heap: the earliest is found at once, setting and clearing cost O(log n).
 * Times are microseconds of a monotonic clock that the caller reads; this module has no clock.
 */
#ifndef BATON_BASE_TIMERS_H
#define BATON_BASE_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIMERS_NEVER UINT64_MAX

/* One deadline; lives in its owner. All zero = not set. */
struct timer {
    uint64_t deadline_us;
    uint64_t token; /* what it belongs to (core/base/token.h); the caller's, never changed here */
    uint32_t position; /* in the heap, from 1; 0 = not set */
};

static inline bool timer_is_set(const struct timer *timer) {
    return timer->position != 0;
}

/* Owns the array, not the timers in it. */
struct timers {
    struct timer **heap; /* heap[0] is unused */
    uint32_t count;
    uint32_t capacity;
    uint64_t now_us; /* set by the owner: the time of what is being done, for all who have timers */
};

/* Room for `capacity` timers set at once. BATON_OK or BATON_NO_MEMORY. */
int timers_init(struct timers *timers, uint32_t capacity);
void timers_clear(struct timers *timers);

/* Sets (or moves) the timer. There must be room (core/base/must.h): at most `capacity` timers are
 * ever set. */
void timers_set(struct timers *timers, struct timer *timer, uint64_t deadline_us);
/* The same, `delay_us` from now. */
void timers_after(struct timers *timers, struct timer *timer, uint64_t delay_us);
/* Clears it; harmless when it is not set. */
void timers_unset(struct timers *timers, struct timer *timer);

/* The earliest deadline; TIMERS_NEVER when none is set. */
uint64_t timers_next_us(const struct timers *timers);

/* Takes the earliest timer whose deadline is at or before `now_us` out of the heap; NULL if none.
 */
struct timer *timers_expired(struct timers *timers, uint64_t now_us);

#endif
