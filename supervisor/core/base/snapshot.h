/*
 * A snapshot: what one batond leaves to the next (a restart), as blocks of bytes one behind the
 * other. Who keeps something writes it as it has it, and reads it again: so both are of one layout,
 * which the first block tells (run/snapshot.h). Slots keep their numbers, times are of the same
 * clock; what is an address in one process means nothing in the next, and is made anew.
 */
#ifndef BATON_BASE_SNAPSHOT_H
#define BATON_BASE_SNAPSHOT_H

#include "core/base/slots.h"
#include "core/base/timers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a block is of. A new one stands at the end; SNAPSHOT_VERSION goes up with each change of
 * this list, or of what is written by one of them (test/lint/snapshot.py sees to that). */
#ifndef SNAPSHOT_VERSION /* a test makes another one */
#define SNAPSHOT_VERSION 1u
#endif
enum snapshot_kind {
    SNAPSHOT_HEAD = 1,
    SNAPSHOT_PLATFORM,
    SNAPSHOT_SERVICES, /* their rules: core/service/image.h */
    SNAPSHOT_SERVICE_SLOTS,
    SNAPSHOT_SERVICE_USERS,
    SNAPSHOT_ROSTER,
    SNAPSHOT_POOL,
    SNAPSHOT_POOL_SERVICE,
    SNAPSHOT_POOL_REASONS,
    SNAPSHOT_CONNECTION_SLOTS,
    SNAPSHOT_CONNECTION,
    SNAPSHOT_CONNECTION_TEXT,
    SNAPSHOT_PROCESS_SLOTS,
    SNAPSHOT_PROCESS,
    SNAPSHOT_SOURCES,
    SNAPSHOT_SOURCE_SLOTS,
    SNAPSHOT_SOURCE_BUCKETS,
    SNAPSHOT_SOURCE,
    SNAPSHOT_SOCKET,
    SNAPSHOT_LISTENING,
    SNAPSHOT_LISTENER_SLOTS,
    SNAPSHOT_LISTENER,
    SNAPSHOT_LAUNCHING,
    SNAPSHOT_RUN_SERVICE,
    SNAPSHOT_PLACES,
    SNAPSHOT_WAITING,
    SNAPSHOT_RUN_PROCESS,
    SNAPSHOT_PREFACE,
    SNAPSHOT_PUMP_SLOTS,
    SNAPSHOT_PUMP,
    SNAPSHOT_PUMP_INPUT,
    SNAPSHOT_PUMP_OUTPUT,
    SNAPSHOT_RELAY,
    SNAPSHOT_OUTPUT_PIPE,
    SNAPSHOT_OUTPUT_LINE,
    SNAPSHOT_SINK,
    SNAPSHOT_CONTROL,
    SNAPSHOT_CONTROL_SLOTS,
    SNAPSHOT_CONTROL_CLIENT,
    SNAPSHOT_OPTIONS
};

/* Owns `bytes`, of malloc(3). All zero = nothing yet. */
struct snapshot {
    char *bytes;
    size_t used_bytes, room_bytes;
    size_t begun_at; /* where the last block begins */
    bool has_failed; /* out of memory: what it has is not whole */
};

/* Begins a block. `index`: which of them, a slot as a rule. */
void snapshot_begin(struct snapshot *snapshot, enum snapshot_kind kind, uint32_t index);
/* Adds to the block that was begun last. */
void snapshot_add(struct snapshot *snapshot, const void *bytes, size_t length);
/* Both. */
void snapshot_put(struct snapshot *snapshot, enum snapshot_kind kind, uint32_t index,
                  const void *bytes, size_t length);
/* A text with its NUL, to the block that was begun last; NULL = an empty one. */
void snapshot_add_text(struct snapshot *snapshot, const char *text);
void snapshot_clear(struct snapshot *snapshot);

/* The entries of `slots`, those that were never used left out. */
void snapshot_put_slots(struct snapshot *snapshot, enum snapshot_kind kind,
                        const struct slots *slots);

/* Part of a snapshot, while it is read. The bytes are the snapshot's, aligned to 8. */
struct snapshot_block {
    enum snapshot_kind kind;
    uint32_t index;
    const char *bytes;
    size_t length; /* what is left of it */
};

/* The block at `*at`, which is moved behind it. False at the end; and where what is there is no
 * block: then *at is not the end. */
bool snapshot_next(const char *bytes, size_t length, size_t *at, struct snapshot_block *out);

/* Takes the next `length` bytes of the block. False, and nothing is taken, if it has fewer. */
bool snapshot_take(struct snapshot_block *block, void *out, size_t length);
/* The next text; NULL if there is none. */
const char *snapshot_take_text(struct snapshot_block *block);
/* Into slots that were just made. False if they are not as many. */
bool snapshot_take_slots(struct snapshot_block *block, struct slots *slots);

/* A timer that was read: it is set where it was, at the same time. */
void snapshot_rearm(struct timers *timers, struct timer *timer);

#endif
