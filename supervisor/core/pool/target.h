/*
 * How many connections the spares of a service are to be there for: between two bounds, by what its
 * clients find. A client that finds no idle process doubles the target, at most once in a while,
 * since those who come in the same burst say the same; when nobody has missed one for a time, and
 * one at least was not needed in it, it goes down by one.
 */
#ifndef BATON_POOL_TARGET_H
#define BATON_POOL_TARGET_H

#include <stdbool.h>
#include <stdint.h>

/* A burst raises the target once. */
#define TARGET_GROWS_US 1000000u
/* For so long nobody misses one before the target goes down by one. */
#define TARGET_QUIET_US 10000000u

/* All times are microseconds of the monotonic clock. */
struct target {
    uint32_t count, min_count, max_count; /* connections */
    uint32_t least_idle_count;            /* since it was looked at last */
    bool is_used, is_missed;              /* since then: some have come, and found none */
    bool has_grown;
    uint64_t grown_us;
};

struct target target_make(uint32_t count, uint32_t min_count, uint32_t max_count);

/* A client has come and found an idle process. */
void target_used(struct target *target);
/* It has found none. True if the target is higher now. */
bool target_missed(struct target *target, uint64_t now_us);

/* So many connections could be offered now. */
void target_note_idle(struct target *target, uint32_t idle_count);

/* True if it may go down: target_look() is to be asked TARGET_QUIET_US later. */
bool target_is_high(const struct target *target);
/* That time has passed. True if the target is lower now. */
bool target_look(struct target *target, uint32_t idle_count);

#endif
