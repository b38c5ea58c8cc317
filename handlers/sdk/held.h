/*
 * The connections that a handler holds: an offer must name none of them, and must find room among
 * them (PROTOCOL.md, "Breaches"). Private to the SDK.
 */
#ifndef BATON_SDK_HELD_H
#define BATON_SDK_HELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* One thread adds; any thread may remove. Owns the places. All zero is an empty object. */
struct held {
    _Atomic uint32_t *places; /* connection numbers; 0 = free */
    uint32_t place_count;
    uint32_t used_mark; /* places from here on were never used; for the thread that adds */
};

/* Makes room for `capacity` connections, 1..65535. Returns 0 or BATON_E_MEMORY. */
int held_open(struct held *held, uint32_t capacity);

/* Notes connection `number`, which is not 0. False, and nothing is noted, if it is noted already or
 * there is no room for it. */
bool held_add(struct held *held, uint32_t number);

/* Whether it is noted; for the thread that adds. */
bool held_has(const struct held *held, uint32_t number);

/* Whether none is noted; for the thread that adds. */
bool held_is_empty(const struct held *held);

/* Forgets connection `number`; nothing happens if it is not there. */
void held_remove(struct held *held, uint32_t number);

void held_close(struct held *held);

#endif
