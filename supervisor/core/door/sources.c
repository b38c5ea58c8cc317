#include "core/door/sources.h"

#include "core/base/error.h"
#include "core/base/must.h"
#include "core/base/table.h"

#include <stdlib.h>
#include <string.h>

int sources_init(struct sources *sources, uint32_t capacity_count, uint64_t seed) {
    uint32_t bucket_count = 1;
    memset(sources, 0, sizeof *sources);
    while (bucket_count < capacity_count) {
        bucket_count *= 2;
    }
    sources->entries = table_create(capacity_count, sizeof *sources->entries);
    sources->buckets = table_create(bucket_count, sizeof *sources->buckets);
    if (sources->entries == NULL || sources->buckets == NULL ||
        slots_init(&sources->slots, capacity_count) != BATON_OK) {
        sources_clear(sources);
        return BATON_NO_MEMORY;
    }
    sources->bucket_mask = bucket_count - 1;
    sources->seed = seed;
    return BATON_OK;
}

void sources_clear(struct sources *sources) {
    slots_clear(&sources->slots);
    free(sources->entries);
    free(sources->buckets);
    memset(sources, 0, sizeof *sources);
}

/* Mixes as splitmix64 does (Steele, Lea, Flood, 2014). */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint32_t *bucket_of(const struct sources *sources, const struct address *address) {
    uint64_t halves[2];
    memcpy(halves, address->bytes, sizeof halves);
    uint64_t hash = mix(sources->seed ^ (uint64_t)address->family);
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

/* Chains hold entry + 1, so that a table of zeros is one of empty chains. */
uint32_t sources_take(struct sources *sources, const struct address *address) {
    if (address->family == ADDRESS_NONE) {
        return SOURCE_NONE;
    }
    uint32_t *bucket = bucket_of(sources, address);
    for (uint32_t at = *bucket; at != 0; at = sources->entries[at - 1].next) {
        if (is_same_host(&sources->entries[at - 1].address, address)) {
            sources->entries[at - 1].connections_count++;
            return at - 1;
        }
    }
    uint32_t index = slots_take(&sources->slots);
    must(index != SLOT_NONE);
    sources->entries[index] = (struct source_entry){*address, 1, *bucket};
    *bucket = index + 1;
    return index;
}

void sources_give(struct sources *sources, uint32_t entry) {
    if (entry == SOURCE_NONE || --sources->entries[entry].connections_count > 0) {
        return;
    }
    uint32_t *link = bucket_of(sources, &sources->entries[entry].address);
    while (*link != entry + 1) {
        link = &sources->entries[*link - 1].next;
    }
    *link = sources->entries[entry].next;
    slots_give(&sources->slots, entry);
}

uint32_t sources_count(const struct sources *sources, uint32_t entry) {
    return entry == SOURCE_NONE ? 0 : sources->entries[entry].connections_count;
}
