/*
 * Descriptors that accepting may not have. Clients who are accepted and wait for a handler have one
 * each; if they had all of them none could be launched, for them or for anybody else, for ever. So
 * some places are held by copies, accepting needs them to be held, and a launch that finds nothing
 * else may have them. So may whoever else was short (posix_short()): a control client, say.
 */
#ifndef BATON_PLATFORM_POSIX_RESERVE_H
#define BATON_PLATFORM_POSIX_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

/* What a launch takes at most beside its client: a pump's (run/descriptors.c, need_of). */
#define RESERVE_MAX_COUNT 7u

/* Zeroed = none are wanted. */
struct reserve {
    uint32_t wanted_count, count; /* the first `count` of `held` are open */
    int held[RESERVE_MAX_COUNT];
};

/* Copies `any`, an open descriptor, until all places are held: dup(2). False if they cannot be. */
bool reserve_fill(struct reserve *reserve, int any);

/* False if none was held. */
bool reserve_let_go(struct reserve *reserve);

#endif
