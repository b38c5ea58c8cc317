#include "core/base/snapshot.h"

#include <stdlib.h>
#include <string.h>

struct head {
    uint32_t kind, index;
    uint64_t length;
};
#define ALIGNED_BYTES 8u
#define ROOM_FIRST_BYTES 4096u

static size_t padded(size_t length) {
    return (length + ALIGNED_BYTES - 1) / ALIGNED_BYTES * ALIGNED_BYTES;
}

static bool reserve(struct snapshot *snapshot, size_t more_bytes) {
    size_t needed_bytes = snapshot->used_bytes + more_bytes;
    size_t room_bytes = snapshot->room_bytes == 0 ? ROOM_FIRST_BYTES : snapshot->room_bytes;
    while (room_bytes < needed_bytes) {
        room_bytes *= 2;
    }
    if (room_bytes != snapshot->room_bytes && !snapshot->has_failed) {
        char *grown = realloc(snapshot->bytes, room_bytes);
        snapshot->has_failed = grown == NULL;
        snapshot->bytes = grown != NULL ? grown : snapshot->bytes;
        snapshot->room_bytes = grown != NULL ? room_bytes : snapshot->room_bytes;
    }
    return !snapshot->has_failed;
}

void snapshot_begin(struct snapshot *snapshot, enum snapshot_kind kind, uint32_t index) {
    const struct head head = {kind, index, 0};
    size_t at = padded(snapshot->used_bytes);
    if (!reserve(snapshot, at - snapshot->used_bytes + sizeof head)) {
        return;
    }
    memset(snapshot->bytes + snapshot->used_bytes, 0, at - snapshot->used_bytes);
    memcpy(snapshot->bytes + at, &head, sizeof head);
    snapshot->begun_at = at;
    snapshot->used_bytes = at + sizeof head;
}

void snapshot_add(struct snapshot *snapshot, const void *bytes, size_t length) {
    if (length == 0 || !reserve(snapshot, length)) {
        return;
    }
    struct head head;
    memcpy(snapshot->bytes + snapshot->used_bytes, bytes, length);
    snapshot->used_bytes += length;
    memcpy(&head, snapshot->bytes + snapshot->begun_at, sizeof head);
    head.length += length;
    memcpy(snapshot->bytes + snapshot->begun_at, &head, sizeof head);
}

void snapshot_put(struct snapshot *snapshot, enum snapshot_kind kind, uint32_t index,
                  const void *bytes, size_t length) {
    snapshot_begin(snapshot, kind, index);
    snapshot_add(snapshot, bytes, length);
}

void snapshot_add_text(struct snapshot *snapshot, const char *text) {
    text = text == NULL ? "" : text;
    snapshot_add(snapshot, text, strlen(text) + 1);
}

void snapshot_clear(struct snapshot *snapshot) {
    free(snapshot->bytes);
    *snapshot = (struct snapshot){0};
}

void snapshot_put_slots(struct snapshot *snapshot, enum snapshot_kind kind,
                        const struct slots *slots) {
    const uint32_t counts[] = {slots->first_free, slots->used_mark, slots->count,
                               slots->in_use_count};
    snapshot_put(snapshot, kind, 0, counts, sizeof counts);
    snapshot_add(snapshot, slots->slots, slots->used_mark * sizeof *slots->slots);
}

bool snapshot_next(const char *bytes, size_t length, size_t *at, struct snapshot_block *out) {
    struct head head;
    if (*at == length || length - *at < sizeof head) {
        return false;
    }
    memcpy(&head, bytes + *at, sizeof head);
    size_t left_bytes = length - *at - sizeof head;
    if (head.length > left_bytes) {
        return false;
    }
    *out = (struct snapshot_block){.kind = (enum snapshot_kind)head.kind,
                                   .index = head.index,
                                   .bytes = bytes + *at + sizeof head,
                                   .length = (size_t)head.length};
    size_t next = *at + sizeof head + padded((size_t)head.length);
    *at = next < length ? next : length;
    return true;
}

bool snapshot_take(struct snapshot_block *block, void *out, size_t length) {
    if (block->length < length) {
        return false;
    }
    memcpy(out, block->bytes, length);
    block->bytes += length;
    block->length -= length;
    return true;
}

const char *snapshot_take_text(struct snapshot_block *block) {
    const char *text = block->bytes;
    const char *end = memchr(text, '\0', block->length);
    if (end == NULL) {
        return NULL;
    }
    block->length -= (size_t)(end - text) + 1;
    block->bytes = end + 1;
    return text;
}

bool snapshot_take_slots(struct snapshot_block *block, struct slots *slots) {
    uint32_t counts[4];
    if (!snapshot_take(block, counts, sizeof counts) || counts[2] != slots->count ||
        counts[1] > slots->count ||
        !snapshot_take(block, slots->slots, counts[1] * sizeof *slots->slots)) {
        return false;
    }
    slots->first_free = counts[0];
    slots->used_mark = counts[1];
    slots->in_use_count = counts[3];
    return true;
}

void snapshot_rearm(struct timers *timers, struct timer *timer) {
    bool was_set = timer_is_set(timer);
    timer->position = 0;
    if (was_set) {
        timers_set(timers, timer, timer->deadline_us);
    }
}
