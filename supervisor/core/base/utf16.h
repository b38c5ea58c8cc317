/* UTF-16: files as PowerShell's `>` and some editors of Windows write them, and what Windows
 * counts.
 */
#ifndef BATON_BASE_UTF16_H
#define BATON_BASE_UTF16_H

#include "core/base/arena.h"

/* What the `*length` bytes of a file are in UTF-8, in the arena, if the file begins with a
 * byte-order mark of UTF-16 of either order (RFC 2781, 4); the mark is left out, and *length is
 * changed. NULL if it does not, or when out of memory (which the arena remembers).
 *
 * Half a surrogate pair, and half a unit at the end, become bytes that are not UTF-8: text_check()
 * finds them in their line. */
char *utf16_file_text(struct arena *arena, const char *bytes, size_t *length);

/* How many units a text in UTF-8 has in UTF-16. */
size_t utf16_count_units(const char *text);

#endif
