/*
 * Memory that is freed all at once. The config path allocates from arenas only, so no error path
 * has to give back anything piece by piece.
 *
 * A failed allocation is remembered: code may go on with the NULLs that it gets where that is safe
 * and ask arena_failed() once at the end. Not for several threads.
 */
#ifndef BATON_BASE_ARENA_H
#define BATON_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

/* Creates an empty arena; the caller owns it. Returns NULL when out of memory. */
struct arena *arena_create(void);

/* Frees the arena and everything from it, and sets *arena to NULL; a NULL *arena is accepted. */
void arena_destroy(struct arena **arena);

/* Returns `size_bytes` zeroed bytes, aligned for any object, owned by the arena; NULL when out of
 * memory (remembered by the arena). */
void *arena_alloc(struct arena *arena, size_t size_bytes);

/* Copies `length_bytes` bytes and appends a NUL. NULL when out of memory. */
char *arena_copy(struct arena *arena, const char *bytes, size_t length_bytes);

/* Copies a NUL-terminated text; NULL for NULL, or when out of memory. */
char *arena_text(struct arena *arena, const char *text);

/* Joins up to three texts (none may be NULL) into a new one. NULL when out of memory. */
char *arena_join(struct arena *arena, const char *first, const char *second, const char *third);

/* Makes room for one more item in an array that lives in the arena: returns `items`, or a larger
 * copy when `count` has reached *capacity (the old one stays until the arena goes). NULL when out
 * of memory; then `items` and *capacity are unchanged. */
void *arena_grow(struct arena *arena, void *items, size_t count, size_t *capacity,
                 size_t item_bytes);

/* True if any allocation from this arena has failed. A NULL arena has failed. */
bool arena_failed(const struct arena *arena);

#endif
