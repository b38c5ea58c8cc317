/* What is said of a connection, for its record. */
#include "core/pool/internal.h"

#include <string.h>

void pool_keep_text(struct pool *pool, uint32_t connection, const char *text, size_t text_bytes) {
    struct pool_text *kept = &pool->texts[connection];
    size_t length_bytes = text_bytes < sizeof kept->bytes ? text_bytes : sizeof kept->bytes;
    if (length_bytes == 0 && kept->length_bytes == 0) {
        return; /* its page need not be touched */
    }
    kept->length_bytes = (uint16_t)length_bytes;
    if (length_bytes > 0) {
        memcpy(kept->bytes, text, length_bytes);
    }
}

const char *pool_text_of(const struct pool *pool, uint32_t connection, size_t *length_bytes) {
    *length_bytes = pool->texts[connection].length_bytes;
    return pool->texts[connection].bytes;
}

void pool_take_words(struct pool *pool, uint32_t connection, const struct pool_words *words) {
    struct connection *c = &pool->connections[connection];
    if (words->pid != 0) {
        c->pid = words->pid;
    }
    c->has_bytes_in = words->has_bytes_in;
    c->has_bytes_out = words->has_bytes_out;
    c->bytes_in = words->bytes_in;
    c->bytes_out = words->bytes_out;
    c->cpu_us = words->cpu_us;
    c->memory_peak_kib = words->memory_peak_kib;
    if (words->text_bytes > 0 || !c->timed_out) {
        pool_keep_text(pool, connection, words->text, words->text_bytes);
    }
}
