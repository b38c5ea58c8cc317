/*
 * How a command line falls into words, and a word goes into a command line.
 */
#ifndef BATON_BASE_WORDS_H
#define BATON_BASE_WORDS_H

#include "core/base/arena.h"
#include "core/base/text.h"

#include <stddef.h>

/* Splits `value` into words: blanks separate; '...' is literal; in "..." a backslash stands for
 * itself unless " or \ follows; quoted and bare parts that touch are one word. `*words` gets
 * `*count` texts and a NULL, in the arena. Returns NULL, or what is wrong and the cure (static
 * text); out of memory shows in arena_failed() alone, with *words NULL. */
const char *words_split(struct arena *arena, const char *value, char ***words, size_t *count);

/* Writes `word` so that words_split() reads it back as one word, in quotes when it needs any. */
void words_emit(text_emit *emit, void *context, const char *word);

/* The next part of a list that is separated by commas, without blanks around it, in the arena; NULL
 * when out of memory. *rest is what follows, NULL after the last one. */
char *words_next_part(struct arena *arena, const char **rest);

#endif
