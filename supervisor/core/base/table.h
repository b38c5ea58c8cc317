/*
 * Fixed tables: sized once, zeroed, never grown.
 *
 * A table is sized for the worst case, of which most is never used, so its pages must not be
 * resident before they are. The first entries are the exception: they are touched at once, so that
 * the common load neither faults pages in nor changes how much memory is resident.
 */
#ifndef BATON_BASE_TABLE_H
#define BATON_BASE_TABLE_H

#include <stddef.h>

/* Entries that are made resident at once. */
#define TABLE_WARM_COUNT 256

/* `count` zeroed entries of `entry_bytes` each (at least 1), to be freed by free(3); NULL when out
 * of memory. */
void *table_create(size_t count, size_t entry_bytes);

#endif
