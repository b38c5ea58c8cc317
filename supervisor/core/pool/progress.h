/*
 * Whether an activation has taken anybody: judged by who waited at its sockets when it was launched
 * and who waits when it has ended. How it ended and how soon says nothing of that.
 */
#ifndef BATON_POOL_PROGRESS_H
#define BATON_POOL_PROGRESS_H

#include "core/base/waiting.h"

enum progress {
    PROGRESS_UNKNOWN,  /* the system does not tell, of all or of one who has gone */
    PROGRESS_NONE,     /* whoever waited still waits */
    PROGRESS_UNPROVEN, /* not fewer wait; who they are was not asked for, so others may have come */
    PROGRESS_MADE      /* somebody was taken, or nobody is left */
};

/* Of all sockets of an activation; all zero = of none yet. */
struct progress_sum {
    bool has_unknown, has_unproven, has_made;
    uint64_t left; /* who waits now */
};

void progress_add(struct progress_sum *sum, const struct waiting_set *before,
                  const struct waiting_set *after);
enum progress progress_of(const struct progress_sum *sum);

#endif
