/*
 * Small questions about texts: is it UTF-8, how far apart are two words, how does a command line
 * fall into words. Pure; bytes are UTF-8, and only ASCII has upper and lower case here.
 */
#ifndef BATON_BASE_TEXT_H
#define BATON_BASE_TEXT_H

#include "core/base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Receives a piece of output, NUL-terminated; pieces follow each other without separators. */
typedef void text_emit(void *context, const char *text);

enum text_fault {
    TEXT_FINE = 0,
    TEXT_NUL,     /* a NUL byte */
    TEXT_RETURN,  /* a carriage return */
    TEXT_DOS_END, /* Ctrl-Z */
    TEXT_CONTROL, /* another control character (C0 without tab, delete, C1) */
    TEXT_NOT_UTF8 /* not UTF-8 as RFC 3629 has it: no overlong form, no surrogate, at most U+10FFFF
                   */
};

/* Length (1..4) of the UTF-8 sequence that starts at `text`, of which there are `length` (at least
 * 1) bytes; 0 if it is none. RFC 3629, section 4. */
size_t text_utf8_length(const char *text, size_t length);

/* Looks for the first byte that does not belong into a line of text. *where gets its offset, or
 * `length` when the text is fine. */
enum text_fault text_check(const char *bytes, size_t length, size_t *where);

/* "a NUL byte; delete it", ...: what is wrong and the cure, for a message; static. */
const char *text_fault_words(enum text_fault fault);

/* A value as messages show it: at most about 60 bytes, cut between characters, "..." if cut. */
struct text_excerpt {
    char text[72];
};
struct text_excerpt text_excerpt(const char *value);

/* The text at `index` (from 0) of those that stand in `list` one behind the other, each with its
 * NUL, an empty one behind the last; the first where there are not so many. A table of pointers
 * would be larger, and a switch larger still. */
const char *text_nth(const char *list, unsigned index);

bool text_is_blank(char c);     /* space or tab */
bool text_is_name_char(char c); /* A-Z a-z 0-9 _ */
bool text_equal_nocase(const char *a, const char *b);

/* True if the first `length` bytes are equal; false where either text is shorter. */
bool text_equal_start(const char *a, const char *b, size_t length, bool nocase);

bool text_ends_with(const char *text, const char *ending, bool nocase);

/* Parses a whole decimal number 0..4294967295 without sign, blanks or leading zero. */
bool text_parse_number(const char *text, uint32_t *out);

/* Puts a number there, without a NUL; returns where it ends. `base` 2 to 16. */
char *text_put_number(char *at, uint64_t number, unsigned base);

/* As snprintf(3), of which this is the part that messages need: puts a text at `out`, of which it
 * fills at most `size_bytes`, NUL included, and returns the length that all of it has. It knows %s,
 * also as %.60s and %.*s, %c, %d, %ld, and %u, %o, %x, %lu, %lo and %lx, also filled up with zeros
 * to up to 19 places (%04x); another one is a bug (lint_banned looks for them). Never a locale,
 * memory or errno. A libc that is linked in brings floating point with its own: 7 KB. */
int text_format(char *out, size_t size_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int text_format_list(char *out, size_t size_bytes, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Damerau-Levenshtein distance (insert, delete, replace, swap of neighbours; each letter moved
 * once), without regard to case; anything above `limit` counts as limit + 1. Words of more than 63
 * bytes are at limit + 1. */
size_t text_distance(const char *a, const char *b, size_t limit);

/* How far from a known word of this length a mistyped one may be to be suggested: 1 to 3. */
size_t text_distance_limit(const char *word);

#endif
