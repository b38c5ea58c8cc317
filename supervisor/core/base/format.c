/* Texts made by a format: text_format(), of text.h. */
#include "core/base/must.h"
#include "core/base/text.h"

#include <stdarg.h>
#include <string.h>

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* The way through a format: what its next piece puts there. */
struct pieces {
    const char *format;
    va_list arguments;
    const char *bytes;
    size_t count;
    char own[24]; /* the digits of a number, zeros before them included */
};

/* The digits of "02" in "%02u" or of "60" in "%.60s". */
static size_t read_count(struct pieces *pieces) {
    size_t count = 0;
    for (; *pieces->format >= '0' && *pieces->format <= '9'; pieces->format++) {
        count = count * 10 + (size_t)(*pieces->format - '0');
    }
    return count;
}

/* As unsigned as well: what is passed is the same. */
static int take_int(struct pieces *pieces) {
    return va_arg(pieces->arguments, int);
}

static void take_text(struct pieces *pieces, size_t max_bytes) {
    pieces->bytes = va_arg(pieces->arguments, const char *);
    while (pieces->count < max_bytes && pieces->bytes[pieces->count] != '\0') {
        pieces->count++;
    }
}

static void take_number(struct pieces *pieces, char kind, bool is_long, size_t width) {
    unsigned base = kind == 'x' ? 16 : kind == 'o' ? 8 : 10;
    char *at = pieces->own;
    int64_t given = is_long ? va_arg(pieces->arguments, long) : take_int(pieces);
    uint64_t number = is_long ? (unsigned long)given : (unsigned)given;
    if (kind == 'd' && given < 0) {
        *at++ = '-';
        number = 0 - (uint64_t)given;
    }
    must(kind == 'd' || kind == 'u' || base != 10);
    char *end = text_put_number(at, number, base);
    size_t length = (size_t)(end - at);
    for (; length < width; length++) {
        memmove(at + 1, at, length);
        *at = '0';
    }
    pieces->count = (size_t)(at - pieces->own) + length;
}

static void take_argument(struct pieces *pieces) {
    size_t width = read_count(pieces);
    size_t max_bytes = SIZE_MAX;
    if (*pieces->format == '.') {
        pieces->format++;
        max_bytes = read_count(pieces);
    }
    char kind = *pieces->format++;
    bool is_long = kind == 'l';
    if (kind == '*') {
        max_bytes = (size_t)take_int(pieces);
    }
    if (is_long || kind == '*') {
        kind = *pieces->format++;
    }
    pieces->bytes = pieces->own;
    if (kind == 's') {
        take_text(pieces, max_bytes);
    } else if (kind == 'c') {
        pieces->own[pieces->count++] = (char)take_int(pieces);
    } else {
        take_number(pieces, kind, is_long, width);
    }
}

int text_format_list(char *out, size_t size_bytes, const char *format, va_list arguments) {
    struct pieces pieces = {.format = format};
    size_t length = 0;
    va_copy(pieces.arguments, arguments);
    while (*pieces.format != '\0') {
        pieces.bytes = pieces.format;
        pieces.count = strcspn(pieces.format, "%");
        pieces.format += pieces.count;
        if (pieces.count == 0) {
            pieces.format++;
            take_argument(&pieces);
        }
        if (length < size_bytes) {
            memcpy(out + length, pieces.bytes, smaller(pieces.count, size_bytes - length));
        }
        length += pieces.count;
    }
    va_end(pieces.arguments);
    if (size_bytes > 0) {
        out[smaller(length, size_bytes - 1)] = '\0';
    }
    return (int)length;
}

int text_format(char *out, size_t size_bytes, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = text_format_list(out, size_bytes, format, arguments);
    va_end(arguments);
    return length;
}
