#include "core/base/slots.h"

#include "core/base/error.h"
#include "core/base/table.h"

#include <stdlib.h>

int slots_init(struct slots *slots, uint32_t count) {
    *slots = (struct slots){.first_free = SLOT_NONE};
    if (count == 0 || count > SLOT_COUNT_MAX) {
        return BATON_INVALID;
    }
    slots->generation = table_create(count, sizeof *slots->generation);
    slots->next_free = table_create(count, sizeof *slots->next_free);
    if (slots->generation == NULL || slots->next_free == NULL) {
        slots_clear(slots);
        return BATON_NO_MEMORY;
    }
    slots->count = count;
    return BATON_OK;
}

void slots_clear(struct slots *slots) {
    free(slots->generation);
    free(slots->next_free);
    *slots = (struct slots){.first_free = SLOT_NONE};
}

uint32_t slots_take(struct slots *slots) {
    uint32_t slot = slots->first_free;
    if (slot != SLOT_NONE) {
        slots->first_free = slots->next_free[slot];
    } else if (slots->used_mark < slots->count) {
        slot = slots->used_mark++;
    } else {
        return SLOT_NONE;
    }
    slots->generation[slot]++;
    slots->in_use_count++;
    return slot;
}

void slots_give(struct slots *slots, uint32_t slot) {
    if (!slots_is_used(slots, slot)) {
        return;
    }
    slots->generation[slot]++;
    slots->next_free[slot] = slots->first_free;
    slots->first_free = slot;
    slots->in_use_count--;
}

uint64_t slots_token(const struct slots *slots, unsigned type, uint32_t slot) {
    return token_make(type, slots->generation[slot], slot);
}

uint32_t slots_find(const struct slots *slots, uint64_t token) {
    uint32_t slot = token_index(token);
    bool is_same_use = slots_is_used(slots, slot) &&
                       token_generation(slots_token(slots, 0, slot)) == token_generation(token);
    return is_same_use ? slot : SLOT_NONE;
}

bool slots_is_used(const struct slots *slots, uint32_t slot) {
    return slot < slots->used_mark && (slots->generation[slot] & 1u) != 0;
}
