/*
 * A config file as data: (section, key, value, line) settings, read by an INI or a YAML front end
 * into the same setter, so both formats give equal settings and equal messages.
 *
 * Nothing here prints or exits: faults are collected in `struct config_problems`, all of a file.
 */
#ifndef BATON_CORE_CONFIG_H
#define BATON_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

enum config_format { CONFIG_FORMAT_INI, CONFIG_FORMAT_YAML };

/* Memory that is freed all at once; every allocation of the config path comes from one. */
struct config_arena;

struct config_setting {
    const char *section;
    const char *key;
    const char *value;
    size_t line; /* from 1 */
};

struct config {
    const char *file_name;           /* as given by the user, for messages */
    struct config_setting *settings; /* in the order of the file */
    size_t setting_count;
    struct config_arena *arena;      /* owns all of the above */
};

/* One fault: "FILE:LINE: KEY: what is wrong, and what would be right". */
struct config_problem {
    size_t line;      /* from 1; 0 = the file as a whole */
    const char *key;  /* "section.key", or NULL */
    const char *text; /* one sentence: what is wrong; what would be right */
};

struct config_problems {
    const char *file_name;
    struct config_problem *problems;
    size_t problem_count;
    bool out_of_memory;         /* some fault could not be kept; the config is unusable anyway */
    struct config_arena *arena; /* owns all of the above */
};

/* Chooses the format by the file's ending, without regard to case: ".ini"; ".yaml", ".yml".
 * Returns false for any other ending. */
bool config_format_of(const char *file_name, enum config_format *out);

/* Reads `length` bytes of a config file. Faults of form (over-long line, NUL, bad UTF-8, unknown or
 * repeated key, alias, depth, ...) are added to `problems`. Returns BATON_OK, BATON_INVALID when
 * there were problems (the settings that could be read are kept, so that validation can go on and
 * report the rest), or BATON_NO_MEMORY. `bytes` is only read and may be freed afterwards. */
int config_parse(struct config *config, enum config_format format, const char *file_name,
                 const void *bytes, size_t length, struct config_problems *problems);

/* Free and leave empty; an empty (zeroed) object is accepted. */
void config_clear(struct config *config);
void config_problems_clear(struct config_problems *problems);

#endif
