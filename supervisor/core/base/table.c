#include "core/base/table.h"

#include <stdlib.h>

#define PAGE_BYTES 4096

void *table_create(size_t count, size_t entry_bytes) {
    /* calloc gives pages that are not resident until they are written. */
    char *table = calloc(count, entry_bytes);
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
