/*
 * What is known of each source of clients: how many live connections it has, and how fast they
 * came. A hash table of entries, each for one address within one scope: a service, all services
 * that limit by source, or the plain count for handlers. Sized once; allocates nothing afterwards.
 *
 * An entry is there for as long as it has a connection, so no flood ever loses a count. It outlives
 * the last one while its rate has not rested; of such there are SOURCES_RESTING_COUNT at most, and
 * whoever came longest ago goes first. So a million addresses take no more room than these, and who
 * has an address for each connection is bound by the rate of the service, not by his own.
 */
#ifndef BATON_DOOR_SOURCES_H
#define BATON_DOOR_SOURCES_H

#include "core/base/address.h"
#include "core/base/rate.h"
#include "core/base/slots.h"

#include <stdint.h>

#define SOURCE_NONE SLOT_NONE
#define SOURCES_RESTING_COUNT 2048u

struct source_entry {
    struct address address; /* without its port */
    uint32_t scope;
    uint32_t connections_count;
    uint32_t next;         /* in its bucket's chain */
    uint32_t older, newer; /* among those without a connection */
    struct rate rate;
};

struct sources {
    struct slots slots;
    struct source_entry *entries; /* by slot */
    uint32_t *buckets;
    uint32_t bucket_mask;
    uint32_t oldest, newest, resting_count; /* entries without a connection */
    uint64_t seed;
};

/* Room for `capacity_count` (1..SLOT_COUNT_MAX - SOURCES_RESTING_COUNT) sources that have
 * connections. `seed` is mixed into the hash, so that nobody who does not know it can choose
 * addresses that meet in one chain. BATON_OK or BATON_NO_MEMORY. */
int sources_init(struct sources *sources, uint32_t capacity_count, uint64_t seed);
void sources_clear(struct sources *sources);

/* Touches what a flood would make resident, so that none is seen to grow the process. */
void sources_warm(struct sources *sources);

/* One more connection of `scope` (the caller's number) from `address`, whose port does not count;
 * of a local socket the source is the user id and pid, as far as they are set. Returns the entry,
 * to be given back. SOURCE_NONE for an address without family, which is not counted. There must be
 * room (core/base/must.h). */
uint32_t sources_take(struct sources *sources, uint32_t scope, const struct address *address);
/* One less. SOURCE_NONE is accepted. */
void sources_give(struct sources *sources, uint32_t entry, uint64_t now_us);

/* Live connections of an entry; 0 for SOURCE_NONE. */
uint32_t sources_count(const struct sources *sources, uint32_t entry);

/* The address that stands for all of its block, as limits by source count: IPv6 cut to
 * `ipv6_prefix_bits` (1..128), a local client without its pid; IPv4 as it is. */
struct address source_of(const struct address *peer, uint32_t ipv6_prefix_bits);

#endif
