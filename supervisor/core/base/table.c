#include "core/base/table.h"

#include <stdbool.h>
#include <stdlib.h>

#define PAGE_BYTES 4096
/* From here on the C libraries ask the system for fresh pages, which are not resident until they
 * are written (M_MMAP_THRESHOLD of mallopt(3)); smaller ones may be old memory, cleared by writing.
 */
#define FRESH_BYTES ((size_t)128 * 1024)
/* Tables up to here are not worth a detour. */
#define SMALL_BYTES ((size_t)4 * PAGE_BYTES)

static char *allocate(size_t count, size_t entry_bytes) {
    bool is_between = count > SMALL_BYTES / entry_bytes && count <= FRESH_BYTES / entry_bytes;
    return is_between ? calloc(1, FRESH_BYTES) : calloc(count, entry_bytes);
}

void *table_create(size_t count, size_t entry_bytes) {
    char *table = allocate(count, entry_bytes);
    if (table == NULL) {
        return NULL;
    }
    size_t warm_bytes = (count < TABLE_WARM_COUNT ? count : TABLE_WARM_COUNT) * entry_bytes;
    for (size_t at = 0; at < warm_bytes; at += PAGE_BYTES) {
        /* volatile, or the compiler knows that the zero is there already */
        *(volatile char *)(table + at) = 0;
    }
    return table;
}
