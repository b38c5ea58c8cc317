#include "core/base/table.h"

#include <stdint.h>
#include <stdlib.h>

#define PAGE_BYTES ((size_t)4096)
/* From here on, less what they put around an allocation, the C libraries ask the system for fresh
 * pages, which are not resident until they are written (M_MMAP_THRESHOLD of mallopt(3)); smaller
 * ones may be old memory, cleared by writing. */
#define FRESH_BYTES ((size_t)128 * 1024)
/* Tables up to here are not worth a detour. */
#define SMALL_BYTES (2 * PAGE_BYTES)
/* glibc keeps 16 bytes before an allocation; musl keeps 20, and writes to the last page of one that
 * does not end with it. */
#define AROUND_BYTES ((size_t)20)

/* TABLE_IS_EXACT: nothing is added. The sanitizer is to see whoever goes past the end; and the
 * build defines it where the C library would write zeros over what is added (CMakeLists.txt). */
#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define TABLE_IS_EXACT
#endif
#endif

/* How much to ask for so that no page of a table is written by who allocates it but the first. */
static size_t room_for(size_t bytes) {
#ifndef TABLE_IS_EXACT
    if (bytes > SMALL_BYTES && bytes < SIZE_MAX - FRESH_BYTES) {
        bytes = bytes + AROUND_BYTES < FRESH_BYTES ? FRESH_BYTES : bytes + AROUND_BYTES;
        bytes = (bytes + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES - AROUND_BYTES;
    }
#endif
    return bytes;
}

void *table_create(size_t count, size_t entry_bytes) {
    return count > SIZE_MAX / entry_bytes ? NULL : calloc(1, room_for(count * entry_bytes));
}
