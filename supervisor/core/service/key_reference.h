/*
 * The reference of all keys, conf/KEYS.md: made from the table of keys and the texts that stand
 * beside it. Nothing of this is linked into batond; batonctl has it.
 */
#ifndef BATON_SERVICE_KEY_REFERENCE_H
#define BATON_SERVICE_KEY_REFERENCE_H

#include "core/base/text.h"
#include "core/service/key.h"

/* What the key is for: one paragraph of Markdown; static. NULL would be a key without a text. */
const char *key_help(enum key_id id);

/* Prints what the reference has on one key: its name as a heading, the text, and a list of what its
 * values are and where it may stand. */
void key_print_entry(enum key_id id, text_emit *emit, void *context);

/* Prints the reference of all keys in Markdown: the text of conf/KEYS.md. */
void key_print_reference(text_emit *emit, void *context);

#endif
