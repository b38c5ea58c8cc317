#include "core/door/sources.h"

#include "core/base/error.h"
#include "core/base/must.h"
#include "core/base/table.h"

#include <stdlib.h>
#include <string.h>

/* Chains are short all the same, and this many are soon resident. */
#define BUCKETS_MAX_COUNT 16384u

int sources_init(struct sources *sources, uint32_t capacity_count, uint64_t seed) {
    uint32_t entry_count = capacity_count + SOURCES_RESTING_COUNT;
    uint32_t bucket_count = 1;
    memset(sources, 0, sizeof *sources);
    while (bucket_count < capacity_count && bucket_count < BUCKETS_MAX_COUNT) {
        bucket_count *= 2;
    }
    sources->entries = table_create(entry_count, sizeof *sources->entries);
    sources->buckets = table_create(bucket_count, sizeof *sources->buckets);
    if (sources->entries == NULL || sources->buckets == NULL ||
        slots_init(&sources->slots, entry_count) != BATON_OK) {
        sources_clear(sources);
        return BATON_NO_MEMORY;
    }
    sources->bucket_mask = bucket_count - 1;
    sources->oldest = sources->newest = SOURCE_NONE;
    sources->seed = seed;
    return BATON_OK;
}

void sources_clear(struct sources *sources) {
    slots_clear(&sources->slots);
    free(sources->entries);
    free(sources->buckets);
    memset(sources, 0, sizeof *sources);
}

void sources_warm(struct sources *sources) {
    /* An entry that was never used has no connection, and as many follow it as may rest. */
    uint32_t first = sources->slots.used_mark;
    uint32_t left_count = sources->slots.count - first;
    uint32_t count = left_count < SOURCES_RESTING_COUNT ? left_count : SOURCES_RESTING_COUNT;
    for (uint32_t i = 0; i < count; i++) {
        *(volatile uint32_t *)&sources->entries[first + i].scope = 0;
        *(volatile uint32_t *)&sources->slots.slots[first + i].generation = 0;
    }
    for (uint32_t i = 0; i <= sources->bucket_mask; i++) {
        volatile uint32_t *bucket = &sources->buckets[i];
        *bucket = *bucket;
    }
}

/* Mixes as splitmix64 does (Steele, Lea, Flood, 2014). */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint32_t *bucket_of(const struct sources *sources, uint32_t scope,
                           const struct address *address) {
    uint64_t halves[2];
    memcpy(halves, address->bytes, sizeof halves);
    uint64_t hash = mix(sources->seed ^ (uint64_t)address->family ^ (uint64_t)scope << 32);
    hash = mix(hash ^ halves[0]);
    hash = mix(hash ^ halves[1] ^ address->scope_id);
    if (address->family == ADDRESS_UNIX) {
        hash = mix(hash ^ (uint64_t)address->uid << 32 ^ address->pid);
    }
    return &sources->buckets[hash & sources->bucket_mask];
}

static bool is_same_host(const struct address *a, const struct address *b) {
    return a->family == b->family && a->scope_id == b->scope_id && a->has_uid == b->has_uid &&
           a->uid == b->uid && a->pid == b->pid && memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

/* ---- Those without a connection, by age ---- */

static void rest(struct sources *sources, uint32_t index) {
    struct source_entry *entry = &sources->entries[index];
    entry->older = sources->newest;
    entry->newer = SOURCE_NONE;
    *(entry->older == SOURCE_NONE ? &sources->oldest : &sources->entries[entry->older].newer) =
        index;
    sources->newest = index;
    sources->resting_count++;
}

static void rouse(struct sources *sources, uint32_t index) {
    const struct source_entry *entry = &sources->entries[index];
    *(entry->older == SOURCE_NONE ? &sources->oldest : &sources->entries[entry->older].newer) =
        entry->newer;
    *(entry->newer == SOURCE_NONE ? &sources->newest : &sources->entries[entry->newer].older) =
        entry->older;
    sources->resting_count--;
}

/* Chains hold entry + 1, so that a table of zeros is one of empty chains. */
static void forget(struct sources *sources, uint32_t index) {
    const struct source_entry *entry = &sources->entries[index];
    uint32_t *link = bucket_of(sources, entry->scope, &entry->address);
    while (*link != index + 1) {
        link = &sources->entries[*link - 1].next;
    }
    *link = entry->next;
    slots_give(&sources->slots, index);
}

/* Makes room for one more, and lets those go that nothing is remembered of any more: a few each
 * time, so that they are gone as fast as others come. */
static void tidy(struct sources *sources, uint64_t now_us) {
    for (int i = 0; i < 2 && sources->oldest != SOURCE_NONE; i++) {
        uint32_t oldest = sources->oldest;
        if (sources->resting_count < SOURCES_RESTING_COUNT &&
            !rate_is_rested(&sources->entries[oldest].rate, now_us)) {
            return;
        }
        rouse(sources, oldest);
        forget(sources, oldest);
    }
}

/* ---- Taking and giving ---- */

uint32_t sources_take(struct sources *sources, uint32_t scope, const struct address *address) {
    if (address->family == ADDRESS_NONE) {
        return SOURCE_NONE;
    }
    uint32_t *bucket = bucket_of(sources, scope, address);
    for (uint32_t at = *bucket; at != 0; at = sources->entries[at - 1].next) {
        struct source_entry *entry = &sources->entries[at - 1];
        if (entry->scope == scope && is_same_host(&entry->address, address)) {
            if (entry->connections_count++ == 0) {
                rouse(sources, at - 1);
            }
            return at - 1;
        }
    }
    uint32_t index = slots_take(&sources->slots);
    must(index != SLOT_NONE);
    struct source_entry *entry = &sources->entries[index];
    *entry = (struct source_entry){0};
    entry->address = *address;
    entry->scope = scope;
    entry->connections_count = 1;
    entry->next = *bucket;
    *bucket = index + 1;
    return index;
}

void sources_give(struct sources *sources, uint32_t entry, uint64_t now_us) {
    if (entry == SOURCE_NONE || --sources->entries[entry].connections_count > 0) {
        return;
    }
    tidy(sources, now_us);
    if (rate_is_rested(&sources->entries[entry].rate, now_us)) {
        forget(sources, entry);
    } else {
        rest(sources, entry);
    }
}

uint32_t sources_count(const struct sources *sources, uint32_t entry) {
    return entry == SOURCE_NONE ? 0 : sources->entries[entry].connections_count;
}

struct address source_of(const struct address *peer, uint32_t ipv6_prefix_bits) {
    struct address source = *peer;
    source.port = 0;
    source.pid = 0;
    for (uint32_t bit = ipv6_prefix_bits; source.family == ADDRESS_IPV6 && bit < 128; bit++) {
        source.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    }
    return source;
}
