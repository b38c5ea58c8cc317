/*
 * What the INI and the YAML front end share: both put sections and settings into the same setter.
 * Private to core/config/.
 */
#ifndef BATON_CONFIG_READER_H
#define BATON_CONFIG_READER_H

#include "core/config/config.h"

#include <stdint.h>

#define CONFIG_BUCKET_COUNT 1024 /* of the index that finds repeated keys */

/* A setting's place in that index. */
struct config_link {
    uint32_t hash;
    uint32_t next; /* number of the setting before it in its bucket, from 1; 0 = none */
};

struct config_reader {
    struct config *config;
    struct config_problems *problems;
    size_t setting_capacity;
    size_t link_capacity;
    struct config_link *links; /* one for each setting, in the config's arena */
    bool full;                 /* too many settings, which is reported */
    size_t section_capacity;
    size_t current;     /* index of the open section; SIZE_MAX = none (skip what comes) */
    bool out_of_memory; /* a library below us had no memory */
    uint32_t buckets[CONFIG_BUCKET_COUNT]; /* number of the newest setting, from 1; 0 = none */
};

/* Opens the section `name` (any bytes that passed text_check), or opens it again with a fault when
 * it was there before. A name that cannot be kept is a fault, and what follows is skipped. */
void config_open_section(struct config_reader *reader, const char *name, size_t line);

/* From here on what comes belongs to a section that could not be read. */
void config_skip_section(struct config_reader *reader);

/* "section.key" of the open section, for messages. */
const char *config_label(const struct config_reader *reader, const char *key);

/* Says that something of the open section could not be read. */
void config_mark_incomplete(struct config_reader *reader);

/* Adds one setting to the open section. Both texts are copied. Faults: repeated key, empty value,
 * too long a value or key. */
void config_add_setting(struct config_reader *reader, const char *key, const char *value,
                        size_t line);

/* The front ends. They report through `reader` and return nothing: faults stand in its problems,
 * lack of memory in its arenas. `bytes` has no byte-order mark. */
void config_read_ini(struct config_reader *reader, const char *bytes, size_t length);
void config_read_yaml(struct config_reader *reader, const char *bytes, size_t length);

#endif
