#include "core/base/arena.h"
#include "core/base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A test builds with 1, so that every single allocation reaches malloc and can be made to fail. */
#ifndef ARENA_BLOCK_BYTES
#define ARENA_BLOCK_BYTES 4096
#endif

struct arena_block {
    struct arena_block *next;
    size_t size_bytes;
    size_t used_bytes;
    max_align_t bytes[];
};

struct arena {
    struct arena_block *newest;
    bool failed;
};

struct arena *arena_create(void) {
    return calloc(1, sizeof(struct arena));
}

void arena_destroy(struct arena **arena) {
    if (*arena == NULL) {
        return;
    }
    struct arena_block *block = (*arena)->newest;
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    free(*arena);
    *arena = NULL;
}

static struct arena_block *add_block(struct arena *arena, size_t size_bytes) {
    size_t room_bytes = size_bytes > ARENA_BLOCK_BYTES ? size_bytes : ARENA_BLOCK_BYTES;
    if (room_bytes > SIZE_MAX - sizeof(struct arena_block)) {
        return NULL;
    }
    struct arena_block *block = malloc(sizeof *block + room_bytes);
    if (block == NULL) {
        return NULL;
    }
    block->next = arena->newest;
    block->size_bytes = room_bytes;
    block->used_bytes = 0;
    arena->newest = block;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size_bytes) {
    const size_t unit = sizeof(max_align_t);
    struct arena_block *block = arena->newest;
    void *result = NULL;
    if (size_bytes > SIZE_MAX - unit) {
        arena->failed = true;
        return NULL;
    }
    size_t rounded_bytes = (size_bytes == 0 ? 1 : size_bytes) + unit - 1;
    rounded_bytes -= rounded_bytes % unit;
    if (block == NULL || block->size_bytes - block->used_bytes < rounded_bytes) {
        block = add_block(arena, rounded_bytes);
    }
    if (block == NULL) {
        arena->failed = true;
        return NULL;
    }
    result = (char *)block->bytes + block->used_bytes;
    block->used_bytes += rounded_bytes;
    memset(result, 0, size_bytes);
    return result;
}

char *arena_copy(struct arena *arena, const char *bytes, size_t length_bytes) {
    char *copy = length_bytes == SIZE_MAX ? NULL : arena_alloc(arena, length_bytes + 1);
    if (copy != NULL && length_bytes > 0) {
        memcpy(copy, bytes, length_bytes);
    }
    return copy;
}

char *arena_text(struct arena *arena, const char *text) {
    return text == NULL ? NULL : arena_copy(arena, text, strlen(text));
}

char *arena_join(struct arena *arena, const char *first, const char *second, const char *third) {
    size_t size_bytes = strlen(first) + strlen(second) + strlen(third) + 1;
    char *joined = arena_alloc(arena, size_bytes);
    if (joined != NULL) {
        text_format(joined, size_bytes, "%s%s%s", first, second, third);
    }
    return joined;
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity,
                 size_t item_bytes) {
    if (count < *capacity) {
        return items;
    }
    size_t wanted = *capacity == 0 ? 8 : *capacity * 2;
    void *grown = wanted > SIZE_MAX / item_bytes ? NULL : arena_alloc(arena, wanted * item_bytes);
    if (grown == NULL) {
        arena->failed = true;
        return NULL;
    }
    if (count > 0) {
        memcpy(grown, items, count * item_bytes);
    }
    *capacity = wanted;
    return grown;
}

bool arena_failed(const struct arena *arena) {
    return arena == NULL || arena->failed;
}
