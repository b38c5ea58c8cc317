/*
 * The reference of the config's keys, on a terminal.
 */
#ifndef BATON_CTL_KEYS_H
#define BATON_CTL_KEYS_H

#include "core/base/text.h"

/* Prints each key with the first sentence about it, by section. BATON_OK or BATON_NO_MEMORY. */
int ctl_keys_list(text_emit *emit, void *context);

/* Prints what there is to know of a key, in each of the sections that have one of that name.
 * BATON_OK, BATON_NO_MEMORY, or BATON_NOT_FOUND: then *nearest is the one that was perhaps meant,
 * or NULL, and *ours what a name of another server's config is here, or NULL. */
int ctl_keys_print(const char *name, text_emit *emit, void *context, const char **nearest,
                   const char **ours);

#endif
