/*
 * Fixed tables: sized once, zeroed, never grown.
 *
 * A table is sized for the worst case, of which most is never used, so its pages must not be
 * resident before they are.
 */
#ifndef BATON_BASE_TABLE_H
#define BATON_BASE_TABLE_H

#include <stddef.h>

/* `count` zeroed entries of `entry_bytes` each (at least 1), to be freed by free(3); NULL when out
 * of memory. */
void *table_create(size_t count, size_t entry_bytes);

#endif
