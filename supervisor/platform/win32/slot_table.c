#include "internal.h"

#define PIECE_BYTES 65536u

static size_t whole_pieces(size_t bytes) {
    return (bytes + PIECE_BYTES - 1) / PIECE_BYTES * PIECE_BYTES;
}

int win32_slot_table_create(struct slot_table *table, size_t count, size_t entry_bytes) {
    *table = (struct slot_table){.entry_bytes = entry_bytes};
    int code = slots_init(&table->slots, (uint32_t)count);
    if (code == BATON_OK) {
        table->entries =
            VirtualAlloc(NULL, whole_pieces(count * entry_bytes), MEM_RESERVE, PAGE_READWRITE);
        code = table->entries == NULL ? BATON_NO_MEMORY : BATON_OK;
    }
    return code;
}

void win32_slot_table_clear(struct slot_table *table) {
    if (table->entries != NULL) {
        VirtualFree(table->entries, 0, MEM_RELEASE);
    }
    slots_clear(&table->slots);
    *table = (struct slot_table){.entries = NULL};
}

/* Memory up to the end of this entry. */
static bool commit(struct slot_table *table, uint32_t index, struct baton_cause *cause) {
    size_t wanted = whole_pieces(((size_t)index + 1) * table->entry_bytes);
    if (wanted <= table->committed_bytes) {
        return true;
    }
    if (VirtualAlloc(table->entries + table->committed_bytes, wanted - table->committed_bytes,
                     MEM_COMMIT, PAGE_READWRITE) == NULL) {
        win32_cause_last(cause, "VirtualAlloc");
        return false;
    }
    table->committed_bytes = wanted;
    return true;
}

uint32_t win32_slot_table_take(struct slot_table *table, struct baton_cause *cause) {
    uint32_t index = slots_take(&table->slots);
    if (index != SLOT_NONE && !commit(table, index, cause)) {
        slots_give(&table->slots, index);
        return SLOT_NONE;
    }
    return index;
}

void *win32_slot_table_at(const struct slot_table *table, uint32_t index) {
    return table->entries + (size_t)index * table->entry_bytes;
}

uint32_t win32_slot_table_generation(const struct slot_table *table, uint32_t index) {
    return token_generation(slots_token(&table->slots, 0, index));
}

void *win32_slot_table_find(const struct slot_table *table, uint32_t index, uint32_t generation) {
    uint32_t slot = slots_find(&table->slots, token_make(0, generation, index));
    return slot == SLOT_NONE ? NULL : win32_slot_table_at(table, slot);
}

void *win32_slot_table_next(const struct slot_table *table, uint32_t *at) {
    uint32_t index = slots_next(&table->slots, *at);
    if (index == SLOT_NONE) {
        return NULL;
    }
    *at = index + 1;
    return win32_slot_table_at(table, index);
}
