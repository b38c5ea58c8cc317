#include "limit.h"

#include <stddef.h>

#define ODD_CONSTANT UINT64_C(0x9e3779b97f4a7c15) /* 2^64 by the golden ratio */

/* Every bit of the text and of the secret changes about half of what comes out. */
static uint64_t hash(uint64_t secret, const char *text) {
    uint64_t value = secret;
    for (size_t i = 0; text[i] != '\0'; i++) {
        value = (value ^ (unsigned char)text[i]) * ODD_CONSTANT;
        value ^= value >> 29;
    }
    return value ^ value >> 32;
}

bool limit_take(struct limit *limit, const char *sender, uint64_t now_ms) {
    uint64_t *full_at_ms = &limit->full_at_ms[hash(limit->secret, sender) % LIMIT_BUCKETS_COUNT];
    uint64_t from_ms = *full_at_ms > now_ms ? *full_at_ms : now_ms;
    if (from_ms - now_ms > (LIMIT_BURST_COUNT - 1) * LIMIT_INTERVAL_MS)
        return false;
    *full_at_ms = from_ms + LIMIT_INTERVAL_MS;
    return true;
}
