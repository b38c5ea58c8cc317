/* Command lines as words: words_split() and its inverse words_emit(). */
#include "core/base/words.h"

#include <string.h>

/* Reads the quoted part that starts at `at` (a quote character) and appends it to *out. Returns the
 * first byte after the closing quote, or NULL when there is none. */
static const char *read_quoted(const char *at, char **out) {
    char quote = *at++;
    while (*at != quote) {
        if (quote == '"' && *at == '\\' && (at[1] == '"' || at[1] == '\\')) {
            at++;
        }
        if (*at == '\0') {
            return NULL;
        }
        *(*out)++ = *at++;
    }
    return at + 1;
}

/* Reads one word at `at` (not a blank) into `out`, which has room for all of it. */
static const char *read_word(const char *at, char *out) {
    while (at != NULL && *at != '\0' && !text_is_blank(*at)) {
        if (*at == '\'' || *at == '"') {
            at = read_quoted(at, &out);
        } else {
            *out++ = *at++;
        }
    }
    *out = '\0';
    return at;
}

const char *words_split(struct arena *arena, const char *value, char ***words, size_t *count) {
    size_t capacity = 0;
    char **list = NULL;
    *words = NULL;
    *count = 0;
    for (const char *at = value;;) {
        char **grown = arena_grow(arena, list, *count, &capacity, sizeof *list);
        if (grown == NULL) {
            return NULL;
        }
        list = grown;
        while (text_is_blank(*at)) {
            at++;
        }
        if (*at == '\0') {
            list[*count] = NULL;
            *words = list;
            return NULL;
        }
        char *word = arena_alloc(arena, strlen(at) + 1);
        if (word == NULL) {
            return NULL;
        }
        at = read_word(at, word);
        if (at == NULL) {
            return "a quote is opened but not closed; close it (inside \"...\" write \\\" for a "
                   "quote and \\\\ for a backslash before one)";
        }
        list[(*count)++] = word;
    }
}

void words_emit(text_emit *emit, void *context, const char *word) {
    if (word[0] != '\0' && strpbrk(word, " \t'\"") == NULL) {
        emit(context, word);
        return;
    }
    if (strchr(word, '\'') == NULL) {
        emit(context, "'");
        emit(context, word);
        emit(context, "'");
        return;
    }
    emit(context, "\"");
    for (const char *at = word; *at != '\0'; at++) {
        char piece[3] = {'\\', *at, '\0'};
        bool escape = *at == '"' || *at == '\\';
        emit(context, escape ? piece : piece + 1);
    }
    emit(context, "\"");
}

char *words_next_part(struct arena *arena, const char **rest) {
    const char *start = *rest;
    size_t length = strcspn(start, ",");
    *rest = start[length] == '\0' ? NULL : start + length + 1;
    while (length > 0 && text_is_blank(*start)) {
        start++;
        length--;
    }
    while (length > 0 && text_is_blank(start[length - 1])) {
        length--;
    }
    return arena_copy(arena, start, length);
}
