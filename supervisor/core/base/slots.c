#include "core/base/slots.h"

#include "core/base/error.h"
#include "core/base/table.h"

#include <stdlib.h>

int slots_init(struct slots *slots, uint32_t count) {
    *slots = (struct slots){.first_free = SLOT_NONE};
    if (count == 0 || count > SLOT_COUNT_MAX) {
        return BATON_INVALID;
    }
    slots->slots = table_create(count, sizeof *slots->slots);
    if (slots->slots == NULL) {
        return BATON_NO_MEMORY;
    }
    slots->count = count;
    return BATON_OK;
}

void slots_clear(struct slots *slots) {
    free(slots->slots);
    *slots = (struct slots){.first_free = SLOT_NONE};
}

uint32_t slots_take(struct slots *slots) {
    uint32_t slot = slots->first_free;
    if (slot != SLOT_NONE) {
        slots->first_free = slots->slots[slot].next_free;
    } else if (slots->used_mark < slots->count) {
        slot = slots->used_mark++;
    } else {
        return SLOT_NONE;
    }
    slots->slots[slot].generation++;
    slots->in_use_count++;
    return slot;
}

void slots_give(struct slots *slots, uint32_t slot) {
    if (!slots_is_used(slots, slot)) {
        return;
    }
    slots->slots[slot].generation++;
    slots->slots[slot].next_free = slots->first_free;
    slots->first_free = slot;
    slots->in_use_count--;
}

uint64_t slots_token(const struct slots *slots, unsigned type, uint32_t slot) {
    return token_make(type, slots->slots[slot].generation, slot);
}

uint32_t slots_find(const struct slots *slots, uint64_t token) {
    uint32_t slot = token_index(token);
    bool is_same_use = slots_is_used(slots, slot) &&
                       token_generation(slots_token(slots, 0, slot)) == token_generation(token);
    return is_same_use ? slot : SLOT_NONE;
}

bool slots_is_used(const struct slots *slots, uint32_t slot) {
    return slot < slots->used_mark && (slots->slots[slot].generation & 1u) != 0;
}

uint32_t slots_next(const struct slots *slots, uint32_t slot) {
    while (slot < slots->used_mark && !slots_is_used(slots, slot)) {
        slot++;
    }
    return slot < slots->used_mark ? slot : SLOT_NONE;
}
