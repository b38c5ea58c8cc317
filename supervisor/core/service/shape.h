/*
 * Where struct service has its pointers, for those who copy or compare one.
 */
#ifndef BATON_SERVICE_SHAPE_H
#define BATON_SERVICE_SHAPE_H

#include <stdbool.h>
#include <stdint.h>

/* Every pointer of struct service stands in one of these, but `access`, which is shared, and what
 * the entries of `listen` point to. */

/* A text. */
struct service_text {
    uint16_t field; /* its offset */
    uint8_t key;    /* enum key_id: by which the config says it; KEY_COUNT: it is about the files */
};
#define SERVICE_TEXTS_COUNT 20u
extern const struct service_text service_texts[SERVICE_TEXTS_COUNT];

/* An array; one that `ends` is of texts, with a NULL behind the last. */
struct service_array {
    uint16_t items, count; /* offsets; the latter is that of a size_t */
    uint8_t item_bytes, key;
    bool ends;
};
#define SERVICE_ARRAYS_COUNT 12u
extern const struct service_array service_arrays[SERVICE_ARRAYS_COUNT];

#endif
