#include "core/base/text.h"

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
    char digits[64]; /* the last one first: a division for each, and records are made of numbers */
    size_t count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number > 0);
    while (count > 0) {
        *at++ = digits[--count];
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
