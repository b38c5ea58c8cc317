/*
 * Tokens: names for things that others keep and give back, in an event or a timer. A token says
 * what kind of thing it is (whose table), which entry, and which use of that entry, so that one
 * which outlived its thing is recognised (core/base/slots.h has the uses).
 *
 *   bits 50..55 type | 23..49 generation | 0..22 index       the top 8 bits are 0
 */
#ifndef BATON_BASE_TOKEN_H
#define BATON_BASE_TOKEN_H

#include <stdint.h>

#define TOKEN_INDEX_BITS 23
#define TOKEN_GENERATION_BITS 27
#define TOKEN_INDEX_COUNT (1u << TOKEN_INDEX_BITS)
#define TOKEN_GENERATION_COUNT (1u << TOKEN_GENERATION_BITS)
#define TOKEN_TYPE_COUNT 64u

/* `type` below TOKEN_TYPE_COUNT, `index` below TOKEN_INDEX_COUNT; of `generation` the low bits. */
static inline uint64_t token_make(unsigned type, uint32_t generation, uint32_t index) {
    return ((uint64_t)type << (TOKEN_INDEX_BITS + TOKEN_GENERATION_BITS)) |
           ((uint64_t)(generation & (TOKEN_GENERATION_COUNT - 1)) << TOKEN_INDEX_BITS) | index;
}

static inline unsigned token_type(uint64_t token) {
    return (unsigned)(token >> (TOKEN_INDEX_BITS + TOKEN_GENERATION_BITS));
}

static inline uint32_t token_generation(uint64_t token) {
    return (uint32_t)(token >> TOKEN_INDEX_BITS) & (TOKEN_GENERATION_COUNT - 1);
}

static inline uint32_t token_index(uint64_t token) {
    return (uint32_t)(token & (TOKEN_INDEX_COUNT - 1));
}

#endif
