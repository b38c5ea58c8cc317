#include "core/base/text.h"
#include "core/base/must.h"

#include <string.h>

size_t text_utf8_length(const char *text, size_t length) {
    const unsigned char *bytes = (const unsigned char *)text;
    unsigned char lead = bytes[0];
    size_t need = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (need == 0 || lead > 0xf4 || need > length) {
        return 0;
    }
    for (size_t i = 1; i < need; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (lead == 0xe0 && bytes[1] < 0xa0) || (lead == 0xf0 && bytes[1] < 0x90);
    bool surrogate = lead == 0xed && bytes[1] > 0x9f;
    bool too_large = lead == 0xf4 && bytes[1] > 0x8f;
    return overlong || surrogate || too_large ? 0 : need;
}

enum text_fault text_check(const char *bytes, size_t length, size_t *where) {
    const unsigned char *at = (const unsigned char *)bytes;
    size_t i = 0;
    enum text_fault fault = TEXT_FINE;
    while (i < length) {
        size_t step = text_utf8_length(bytes + i, length - i);
        if (step == 0) {
            fault = TEXT_NOT_UTF8;
        } else if (at[i] == 0) {
            fault = TEXT_NUL;
        } else if (at[i] == '\r') {
            fault = TEXT_RETURN;
        } else if (at[i] == 0x1a) {
            fault = TEXT_DOS_END;
        } else if ((at[i] < 0x20 && at[i] != '\t') || at[i] == 0x7f ||
                   (at[i] == 0xc2 && at[i + 1] < 0xa0)) {
            fault = TEXT_CONTROL;
        }
        if (fault != TEXT_FINE) {
            break;
        }
        i += step;
    }
    *where = i;
    return fault;
}

const char *text_fault_words(enum text_fault fault) {
    switch (fault) {
    case TEXT_NUL:
        return "holds a NUL byte; a config is plain text, so delete it (is this the right file?)";
    case TEXT_RETURN:
        return "holds a carriage return that no line feed follows, which ends no line; save the "
               "file "
               "with the line ends of Windows (CR LF) or Unix (LF)";
    case TEXT_DOS_END:
        return "holds a Ctrl-Z, as programs of DOS end a file with; delete it";
    case TEXT_CONTROL:
        return "holds a control character; delete it, only tabs and printable text may stand here";
    case TEXT_NOT_UTF8:
        return "holds bytes that are not UTF-8 (or, in UTF-16, half a character); save the file in "
               "the encoding UTF-8";
    default:
        return "";
    }
}

struct text_excerpt text_excerpt(const char *value) {
    const size_t shown_bytes = 60;
    struct text_excerpt out = {{0}};
    size_t length = strlen(value);
    if (length <= shown_bytes) {
        memcpy(out.text, value, length);
        return out;
    }
    length = shown_bytes;
    while (length > 0 && ((unsigned char)value[length] & 0xc0) == 0x80) {
        length--;
    }
    memcpy(out.text, value, length);
    memcpy(out.text + length, "...", 3);
    return out;
}

const char *text_nth(const char *list, unsigned index) {
    const char *at = list;
    for (; index > 0 && *at != '\0'; index--) {
        at += strlen(at) + 1;
    }
    return *at != '\0' ? at : list;
}

bool text_is_blank(char c) {
    return c == ' ' || c == '\t';
}

bool text_is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool text_equal_nocase(const char *a, const char *b) {
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) == lower(*b);
}

bool text_equal_start(const char *a, const char *b, size_t length, bool nocase) {
    for (size_t i = 0; i < length; i++) {
        bool same = nocase ? lower(a[i]) == lower(b[i]) : a[i] == b[i];
        if (!same || a[i] == '\0') {
            return false;
        }
    }
    return true;
}

bool text_ends_with(const char *text, const char *ending, bool nocase) {
    size_t length = strlen(text);
    size_t ending_length = strlen(ending);
    if (ending_length > length) {
        return false;
    }
    const char *tail = text + length - ending_length;
    return nocase ? text_equal_nocase(tail, ending) : strcmp(tail, ending) == 0;
}

bool text_parse_number(const char *text, uint32_t *out) {
    uint64_t number = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 11; digits++) {
        number = number * 10 + (uint64_t)(text[digits] - '0');
    }
    if (digits == 0 || text[digits] != '\0' || number > UINT32_MAX ||
        (text[0] == '0' && digits > 1)) {
        return false;
    }
    *out = (uint32_t)number;
    return true;
}

char *text_put_number(char *at, uint64_t number, unsigned base) {
    uint64_t unit = 1;
    while (number / unit >= base) {
        unit *= base;
    }
    for (; unit > 0; unit /= base) {
        *at++ = "0123456789abcdef"[number / unit % base];
    }
    return at;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

#define DISTANCE_WORD_MAX_BYTES 63

size_t text_distance(const char *a, const char *b, size_t limit) {
    size_t rows[3][DISTANCE_WORD_MAX_BYTES + 1];
    size_t a_length = strlen(a);
    size_t b_length = strlen(b);
    if (a_length > DISTANCE_WORD_MAX_BYTES || b_length > DISTANCE_WORD_MAX_BYTES) {
        return limit + 1;
    }
    if (a_length > b_length + limit || b_length > a_length + limit) {
        return limit + 1;
    }
    for (size_t j = 0; j <= b_length; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i - 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            size_t replace = above[j - 1] + (lower(a[i - 1]) != lower(b[j - 1]));
            row[j] = smaller(replace, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1])) {
                row[j] = smaller(row[j], rows[(i - 2) % 3][j - 2] + 1);
            }
        }
    }
    return smaller(rows[a_length % 3][b_length], limit + 1);
}

size_t text_distance_limit(const char *word) {
    size_t length = strlen(word);
    return length < 5 ? 1 : length < 9 ? 2 : 3;
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
