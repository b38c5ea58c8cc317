/*
 * What the parts of service_table_build() share. Private to core/service*.c.
 */
#ifndef BATON_CORE_SERVICE_BUILD_H
#define BATON_CORE_SERVICE_BUILD_H

#include "core/key.h"
#include "core/service.h"

/* The keys of one service: its own, then those of [defaults], then the table's. */
struct service_values {
    uint32_t numbers[KEY_COUNT];                 /* numbers, booleans, choices */
    const struct config_setting *own[KEY_COUNT]; /* what its section itself says; NULL = nothing */
    struct address bind;
    char **environment;
    size_t environment_count;
    const char *directory;
};

struct service_interpreter {
    const char *extension; /* with its dot */
    const char *program;   /* absolute */
    char **words;          /* words[0] is the program as written, the rest are its arguments */
    size_t word_count;
};

/* A service that is being made, enabled or not. */
struct service_draft {
    struct service service;
    const struct config_setting *listen; /* where it says so; NULL = nowhere, or not readable */
    bool from_ports;                     /* named by its handler */
    bool enabled;
    bool incomplete; /* could not be finished; the reason is reported */
};

struct service_builder {
    const struct config *config;
    const struct service_world *world;
    struct config_problems *problems;
    struct config_arena *arena;   /* the table's */
    struct config_arena *scratch; /* thrown away at the end */
    struct supervisor_options options;
    struct service_values defaults;
    struct service_interpreter *interpreters;
    size_t interpreter_count;
    size_t interpreter_capacity;
    struct service_draft *drafts;
    size_t draft_count;
    size_t draft_capacity;
};

/* Reads [supervisor]: options and interpreters (service_options.c). */
void service_read_options(struct service_builder *builder);

/* Sets `values` to the table's defaults (service_values.c). */
void service_default_values(struct service_values *values);

/* Puts the keys of a section over those in `values`. */
void service_read_values(struct service_builder *builder, const struct config_section *section,
                         struct service_values *values);

/* Copies the numbers and choices of the rows whose places meet `places` into their fields of
 * `object`. */
void service_fill_fields(const struct service_values *values, unsigned places, void *object);

/* Takes the quotes off a text or path: the whole value if it begins with no quote, else the one
 * word that it must be. NULL after a fault was reported. In the table's arena. */
const char *service_unquote(struct service_builder *builder, const struct config_setting *setting);

/* Parses `text`, the value of `listen` or the key of a line in [ports]; a port alone gets the host
 * of `bind` (service_listen.c). False after a fault was reported. */
bool service_read_listen(struct service_builder *builder, const struct config_setting *setting,
                         const char *text, const struct service_values *values,
                         struct address *out);

/* Reports services that would listen at the same place, and too many connections in all. */
void service_check_clashes(struct service_builder *builder);

/* Splits the command, finds the program, and fills program, handler, argv0, argv, argc
 * (service_handler.c). `argv0` may be NULL. False after a fault was reported. */
bool service_read_handler(struct service_builder *builder, const struct config_setting *setting,
                          const struct config_setting *argv0, bool probe, struct service *service);

/* True if `path` runs without an interpreter; else false after a fault was reported. */
bool service_runs_alone(struct service_builder *builder, const struct config_setting *setting,
                        const char *path);

/* Finds the program that the first word of a command names (service_program.c): the path, in the
 * table's arena, or NULL after a fault was reported. `script`: an interpreter will read it, so it
 * need not be executable. */
const char *service_find_program(struct service_builder *builder,
                                 const struct config_setting *setting, const char *word,
                                 bool script, bool probe);

/* True for .bat and .cmd on Windows, in whatever way they are written. */
bool service_is_batch_file(const struct service_world *world, const char *path);

/* Where the file name in `path` starts. */
const char *service_base_name(const struct service_world *world, const char *path);

/* Makes a path absolute against base_directory, in the table's arena. NULL after a fault. */
const char *service_absolute_path(struct service_builder *builder,
                                  const struct config_setting *setting, const char *path);

/* The same for a folder, which must exist unless `probe` is false. */
const char *service_find_directory(struct service_builder *builder,
                                   const struct config_setting *setting, bool probe);

/* Adds a fault of a setting; `format` as in printf(3). */
void service_report(struct service_builder *builder, const struct config_setting *setting,
                    const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* Names the services of [ports] by their handlers, and reports names that are taken
 * (service_names.c). */
void service_name_drafts(struct service_builder *builder);

#endif
