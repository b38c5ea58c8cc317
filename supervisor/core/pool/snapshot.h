/*
 * The pool in a snapshot: all that it knows, when no action waits.
 */
#ifndef BATON_POOL_SNAPSHOT_H
#define BATON_POOL_SNAPSHOT_H

#include "core/base/snapshot.h"
#include "core/pool/pool.h"

/* The sizes of what is written, for the layout; pool_snapshot_sizes_count of them. */
extern const size_t pool_snapshot_sizes[];
extern const size_t pool_snapshot_sizes_count;

/* All actions were taken. */
void pool_save(const struct pool *pool, struct snapshot *out);

/* Takes one block into a pool that was just made, with the registry of before: true if it is one of
 * the pool's; *is_whole becomes false if it is not what this build would have written. */
bool pool_load(struct pool *pool, struct snapshot_block *block, bool *is_whole);
/* All blocks were taken: timers are set, and everything knows its service. */
void pool_loaded(struct pool *pool);

#endif
