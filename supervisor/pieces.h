/* The files that a config includes: looked for, read one after the other, and added to it. */
#ifndef BATON_PIECES_H
#define BATON_PIECES_H

#include "core/base/error.h"
#include "core/config/config.h"
#include "load.h"

/* Bytes of all pieces together. */
#define PIECES_MAX_BYTES (4u * 1024u * 1024u)

/* Reads what `include` in the main config names, which config_parse() has read. `buffer`, of
 * CONFIG_FILE_MAX_BYTES, takes one file after the other. Faults go to `problems`. Blocks on the
 * disk. False when out of memory. */
bool pieces_read(const struct load_paths *paths, struct config *config, char *buffer,
                 struct config_problems *problems);

/* Why a file could not be read, the main one as well; `result` and `cause` as of
 * platform_file_read(). Static, or in `room`. */
const char *pieces_unread_words(int result, const struct baton_cause *cause, char room[256]);

#endif
