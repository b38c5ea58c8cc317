#include "internal.h"

#define PIECE_BYTES 65536u

int reserve_create(struct reserve *reserve, size_t count, size_t entry_bytes) {
    size_t bytes = (count * entry_bytes + PIECE_BYTES - 1) / PIECE_BYTES * PIECE_BYTES;
    *reserve = (struct reserve){.entry_bytes = entry_bytes, .reserved_bytes = bytes};
    reserve->entries = VirtualAlloc(NULL, bytes, MEM_RESERVE, PAGE_READWRITE);
    return reserve->entries == NULL ? BATON_NO_MEMORY : BATON_OK;
}

bool reserve_reach(struct reserve *reserve, uint32_t index, struct baton_cause *cause) {
    size_t end = ((size_t)index + 1) * reserve->entry_bytes;
    if (end <= reserve->committed_bytes) {
        return true;
    }
    size_t wanted = (end + PIECE_BYTES - 1) / PIECE_BYTES * PIECE_BYTES;
    char *next = (char *)reserve->entries + reserve->committed_bytes;
    if (VirtualAlloc(next, wanted - reserve->committed_bytes, MEM_COMMIT, PAGE_READWRITE) == NULL) {
        cause_last(cause, "VirtualAlloc");
        return false;
    }
    reserve->committed_bytes = wanted;
    return true;
}

void reserve_clear(struct reserve *reserve) {
    if (reserve->entries != NULL) {
        VirtualFree(reserve->entries, 0, MEM_RELEASE);
    }
    *reserve = (struct reserve){0};
}
