#include "core/base/utf16.h"

#include <stdint.h>

/* One character; a surrogate becomes the three bytes that RFC 3629 forbids for it. */
static char *put(char *at, uint32_t code) {
    int tail_count = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    *at++ = (char)(leads[tail_count] | code >> (6 * tail_count));
    while (tail_count-- > 0) {
        *at++ = (char)(0x80 | (code >> (6 * tail_count) & 0x3f));
    }
    return at;
}

char *utf16_file_text(struct arena *arena, const char *bytes, size_t *length) {
    const uint8_t *at = (const uint8_t *)bytes;
    bool is_big = *length >= 2 && at[0] == 0xfe && at[1] == 0xff;
    bool is_little = *length >= 2 && at[0] == 0xff && at[1] == 0xfe;
    if (!is_big && !is_little) {
        return NULL;
    }
    /* A unit has three bytes at most, and two that are a pair have four. */
    size_t count = *length / 2;
    char *text = arena_alloc(arena, 3 * count + 1);
    char *out = text;
    uint32_t high = 0; /* the first half of a pair, put there already */
    for (size_t i = 1; text != NULL && i < count; i++) {
        uint32_t code = (uint32_t)at[2 * i + is_little] << 8 | at[2 * i + is_big];
        bool is_pair = high != 0 && code >> 10 == 0xdc00 >> 10;
        if (is_pair) {
            out -= 3;
            code = 0x10000 + ((high & 0x3ff) << 10 | (code & 0x3ff));
        }
        high = code >> 10 == 0xd800 >> 10 ? code : 0;
        out = put(out, code);
    }
    if (text != NULL && *length % 2 != 0) {
        *out++ = (char)0xff;
    }
    *length = text != NULL ? (size_t)(out - text) : *length;
    return text;
}

size_t utf16_count_units(const char *text) {
    size_t count = 0;
    for (const uint8_t *at = (const uint8_t *)text; *at != 0; at++) {
        count += ((*at & 0xc0) != 0x80) + (*at >= 0xf0);
    }
    return count;
}
