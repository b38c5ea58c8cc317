/*
 * How many live connections each source address has: a hash table of counters. The port does not
 * count. Of a local socket the source is the process that has connected: its user id and pid, as
 * far as they are known. Sized once; allocates nothing afterwards.
 */
#ifndef BATON_DOOR_SOURCES_H
#define BATON_DOOR_SOURCES_H

#include "core/base/address.h"
#include "core/base/slots.h"

#include <stdint.h>

#define SOURCE_NONE SLOT_NONE

struct source_entry {
    struct address address;
    uint32_t connections_count;
    uint32_t next; /* in its bucket's chain */
};

struct sources {
    struct slots slots;
    struct source_entry *entries; /* by slot */
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint64_t seed;
};

/* Room for `capacity_count` (1..SLOT_COUNT_MAX) sources at once. `seed` is mixed into the hash, so
 * that nobody who does not know it can choose addresses that meet in one chain. BATON_OK or
 * BATON_NO_MEMORY. */
int sources_init(struct sources *sources, uint32_t capacity_count, uint64_t seed);
void sources_clear(struct sources *sources);

/* One more connection from `address`: returns the entry, to be given back. SOURCE_NONE for an
 * address without family, which is not counted. There must be room (core/base/must.h). */
uint32_t sources_take(struct sources *sources, const struct address *address);
/* One less. SOURCE_NONE is accepted. */
void sources_give(struct sources *sources, uint32_t entry);

/* Live connections of an entry; 0 for SOURCE_NONE. */
uint32_t sources_count(const struct sources *sources, uint32_t entry);

#endif
