/* Who is idle: the processes of a service that may be offered a connection, by how many they hold.
 *
 * Those that hold as many are a list, the one that came last first; the first of each such list,
 * its head, is linked with the heads of the next levels. So who holds the fewest is found at once,
 * and among several the one used last, which leaves those alone that are too many. A step costs the
 * same whatever the number of processes: who comes back goes past the levels below its own, and
 * there are few: processes on the levels 0 to n hold n * (n + 1) / 2 connections at least, so
 * max_connections of 32768 make 256 levels. With one connection at a time there is one. */
#include "core/pool/internal.h"

static struct process *at(struct pool *pool, uint32_t process) {
    return &pool->processes[process];
}

/* `process` (or nothing) follows the head `before`, or is the first of all. */
static void link_level(struct pool *pool, struct pool_service *s, uint32_t before,
                       uint32_t process) {
    *(before == SLOT_NONE ? &s->idle_first : &at(pool, before)->next_level) = process;
    if (process != SLOT_NONE) {
        at(pool, process)->previous_level = before;
    }
}

void pool_join_idle(struct pool *pool, struct process *p) {
    struct pool_service *s = p->served;
    uint32_t before = SLOT_NONE;
    uint32_t behind = s->idle_first;
    while (behind != SLOT_NONE && at(pool, behind)->level < p->held_count) {
        before = behind;
        behind = at(pool, behind)->next_level;
    }
    p->level = p->held_count;
    p->previous = SLOT_NONE;
    p->next = SLOT_NONE;
    if (behind != SLOT_NONE && at(pool, behind)->level == p->level) {
        p->next = behind;
        at(pool, behind)->previous = p->slot;
        behind = at(pool, behind)->next_level;
    }
    link_level(pool, s, before, p->slot);
    p->next_level = behind;
    link_level(pool, s, p->slot, behind);
    if (p->level == 0) {
        p->idle_since_us = pool->timers->now_us;
        s->resting_last = p->next == SLOT_NONE ? p->slot : s->resting_last;
    }
}

void pool_leave_idle(struct pool *pool, struct process *p) {
    struct pool_service *s = p->served;
    if (s->resting_last == p->slot) {
        s->resting_last = p->previous;
    }
    if (p->next != SLOT_NONE) {
        at(pool, p->next)->previous = p->previous;
    }
    if (p->previous != SLOT_NONE) {
        at(pool, p->previous)->next = p->next;
    } else if (p->next != SLOT_NONE) { /* the next one is the head of the level now */
        link_level(pool, s, p->previous_level, p->next);
        at(pool, p->next)->next_level = p->next_level;
        link_level(pool, s, p->next, p->next_level);
    } else {
        link_level(pool, s, p->previous_level, p->next_level);
    }
}
