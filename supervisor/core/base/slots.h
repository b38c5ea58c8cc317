/*
 * Slot numbers with generations: names for things in a fixed table that are never mistaken for
 * their successors.
 *
 * A slot is free or in use; each use has a generation, so a name {slot, generation} that was kept
 * past the end of its use (in an event that was under way) is recognised as stale.
 */
#ifndef BATON_BASE_SLOTS_H
#define BATON_BASE_SLOTS_H

#include "core/base/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SLOT_NONE UINT32_MAX
#define SLOT_COUNT_MAX TOKEN_INDEX_COUNT

struct slot {
    uint32_t generation; /* odd while in use, even while free */
    uint32_t next_free;
};

/* Owns an array of `count` slots. One that was never used is not touched in memory. */
struct slots {
    struct slot *slots;
    uint32_t first_free;
    uint32_t used_mark; /* slots from here on were never used */
    uint32_t count;
    uint32_t in_use_count;
};

/* `count` 1..SLOT_COUNT_MAX. BATON_OK or BATON_NO_MEMORY. */
int slots_init(struct slots *slots, uint32_t count);
void slots_clear(struct slots *slots);

/* A free slot, now in use; SLOT_NONE when there is none. */
uint32_t slots_take(struct slots *slots);
void slots_give(struct slots *slots, uint32_t slot);

/* The name of a slot in use, as a token (core/base/token.h) of this type. */
uint64_t slots_token(const struct slots *slots, unsigned type, uint32_t slot);

/* The slot that `token` names, or SLOT_NONE if that use of it has ended. */
uint32_t slots_find(const struct slots *slots, uint64_t token);

bool slots_is_used(const struct slots *slots, uint32_t slot);

/* The next slot in use at or behind `slot`; SLOT_NONE behind the last. */
uint32_t slots_next(const struct slots *slots, uint32_t slot);

/* Runs the statement behind it for each slot in use, in their order; `slot` is the name of it.
 * Slots may be taken and given meanwhile. */
#define SLOTS_EACH(slot, slots)                                                                    \
    for (uint32_t slot = slots_next((slots), 0); (slot) != SLOT_NONE;                              \
         (slot) = slots_next((slots), (slot) + 1))

#endif
