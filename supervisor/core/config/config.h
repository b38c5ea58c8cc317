/*
 * A config file as data: (section, key, value, line) settings, read by an INI or a YAML front end
 * into the same setter, so both formats give equal settings and equal messages.
 *
 * Nothing here prints or exits: faults are collected in `struct config_problems`, all of a file.
 */
#ifndef BATON_CONFIG_CONFIG_H
#define BATON_CONFIG_CONFIG_H

#include "core/base/arena.h"
#include "core/config/problems.h"

#include <stdbool.h>
#include <stddef.h>

/* Limits of both formats, so that equal files have equal faults. */
#define CONFIG_FILE_MAX_BYTES (1024u * 1024u)
#define CONFIG_LINE_MAX_BYTES 4096  /* a line of INI */
#define CONFIG_VALUE_MAX_BYTES 4096 /* a value of either */
#define CONFIG_NAME_MAX_BYTES 48    /* a section or key; inih cuts longer ones without a word */
#define CONFIG_SETTINGS_MAX_COUNT 16384
#define CONFIG_SERVICES_MAX_COUNT 1024
/* `supervisor`, and in each file `ports` and `defaults`. */
#define CONFIG_SECTIONS_MAX_COUNT                                                                  \
    (CONFIG_SERVICES_MAX_COUNT + 1 + 2 * (1 + CONFIG_PIECES_MAX_COUNT))

enum config_format { CONFIG_FORMAT_INI, CONFIG_FORMAT_YAML };

enum config_section_kind {
    CONFIG_SECTION_PORTS,
    CONFIG_SECTION_DEFAULTS,
    CONFIG_SECTION_SUPERVISOR,
    CONFIG_SECTION_SERVICE
};

/* The names of those that are no service. */
extern const char config_section_names[CONFIG_SECTION_SERVICE][11];

/* A section as it stands in the file, even if nothing stands in it. */
struct config_section {
    const char *name;
    enum config_section_kind kind;
    size_t line;     /* from 1, with its file (problems.h) */
    bool incomplete; /* something in it could not be read: nothing can be said to be missing */
};

struct config_setting {
    const char *section; /* the very pointer of its config_section's name */
    const char *key;
    const char *value;
    size_t line; /* from 1, with its file */
};

/* What a config was read from beside its main file: whoever can change it chooses what runs. */
struct config_source {
    const char *path; /* absolute: of a piece, or of a folder in which pieces were looked for */
    size_t line;      /* where a fault of it is told: the piece, or `include` */
    const char *key;  /* for that message; NULL = none */
};

struct config_reader;

struct config {
    const char *file_name;           /* as given by the user, for messages */
    struct config_setting *settings; /* in the order of the files, and in that of each */
    size_t setting_count;
    struct config_section *sections; /* in the same order */
    size_t section_count;
    struct config_source *sources; /* what config_add_source() was told */
    size_t source_count, source_capacity;
    struct config_reader *reader; /* of the setter, from one file to the next */
    bool incomplete;              /* the end of a file was not read: no section is complete */
    struct arena *arena;          /* owns all of the above */
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

/* The same for a further file, between config_problems_begin_piece() and the end of that: its
 * sections are added to those of `config`, which config_parse() has begun, whatever it found. */
int config_parse_piece(struct config *config, enum config_format format, const void *bytes,
                       size_t length, struct config_problems *problems);

/* The same for what no reader of ours has read, but somebody else: a service's section, and
 * settings of the one that was put last. `line` of the file at hand. Faults, and lack of memory, as
 * above. False if there is a section of that name already, which holds; what is put then goes
 * nowhere. */
bool config_put_section(struct config *config, const char *name, size_t line,
                        struct config_problems *problems);
void config_put_setting(struct config *config, const char *key, const char *value, size_t line);

/* The section of that name; NULL = there is none. Of `defaults` and `ports` the first. */
const struct config_section *config_find_section(const struct config *config, const char *name);

/* Keeps a source, whose texts live as long as `config`. False when out of memory. */
bool config_add_source(struct config *config, struct config_source source);

/* Frees and leaves empty; an empty (zeroed) object is accepted. */
void config_clear(struct config *config);

#endif
