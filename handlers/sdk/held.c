#include "held.h"

#include "baton.h"

#include <stdlib.h>

int held_open(struct held *held, uint32_t capacity) {
    held->places = calloc(capacity, sizeof *held->places);
    if (held->places == NULL)
        return BATON_E_MEMORY;
    held->place_count = capacity;
    held->used_mark = 0;
    return 0;
}

bool held_add(struct held *held, uint32_t number) {
    uint32_t place = held->used_mark;
    for (uint32_t i = 0; i < held->used_mark; i++) {
        uint32_t other = atomic_load(&held->places[i]);
        if (other == number)
            return false;
        if (other == 0)
            place = i;
    }
    if (place == held->place_count)
        return false;
    if (place == held->used_mark)
        held->used_mark++;
    atomic_store(&held->places[place], number);
    return true;
}

bool held_has(const struct held *held, uint32_t number) {
    for (uint32_t i = 0; i < held->used_mark; i++)
        if (atomic_load(&held->places[i]) == number)
            return true;
    return false;
}

void held_remove(struct held *held, uint32_t number) {
    for (uint32_t i = 0; i < held->place_count; i++)
        if (atomic_load(&held->places[i]) == number) {
            atomic_store(&held->places[i], 0);
            return;
        }
}

bool held_is_empty(const struct held *held) {
    for (uint32_t i = 0; i < held->used_mark; i++)
        if (atomic_load(&held->places[i]) != 0)
            return false;
    return true;
}

void held_close(struct held *held) {
    free((void *)held->places);
    *held = (struct held){0};
}
