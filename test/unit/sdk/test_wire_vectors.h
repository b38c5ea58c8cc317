/* Reads test/golden/wire/vectors.txt, and says what a decoded message means in its words. */
#ifndef BATON_TEST_WIRE_VECTORS_H
#define BATON_TEST_WIRE_VECTORS_H

#include "wire.h"

#define VECTOR_BYTES (WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES + 1) /* one is too long */
#define MEANING_BYTES 4096

struct vector {
    char name[64];
    enum wire_sender sender;
    char system[16];
    char result[32];
    unsigned char frame[VECTOR_BYTES];
    size_t length;
    char meaning[MEANING_BYTES];
};

/* Calls `check` for every vector of the file; fails the test if there are fewer than 80. */
void for_each_vector(void (*check)(const struct vector *vector));

/* "HELLO connection=0 nonce=...": as the column `meaning`. */
void print_meaning(const struct wire_message *message, char out[MEANING_BYTES]);

/* "OK", "BAD_MAGIC", ...: as the column `result`. */
const char *result_name(enum wire_result result);

#endif
