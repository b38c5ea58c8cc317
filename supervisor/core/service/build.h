/*
 * What the parts of service_table_build() share. Private to core/service/.
 */
#ifndef BATON_SERVICE_BUILD_H
#define BATON_SERVICE_BUILD_H

#include "core/service/key.h"
#include "core/service/lack.h"
#include "core/service/service.h"

/* What batond is told by who compiles it for one system, so that it goes without the rest; the
 * library, which tests try with both, asks the machine. */
#ifdef BATON_POSIX_ALONE
#define BY_SYSTEM(on_posix, asked) (on_posix)
#else
#define BY_SYSTEM(on_posix, asked) (asked)
#endif

static inline bool service_on_windows(const struct service_machine *machine) {
    (void)machine;
    return BY_SYSTEM(false, machine->backslash_separates);
}

static inline bool service_has_accounts(const struct service_machine *machine) {
    (void)machine;
    return BY_SYSTEM(true, machine->find_user != NULL);
}

/* What sun_path holds with its NUL: 108 bytes on Linux and Windows, unix(7). */
#define LOCAL_PATH_MAX_BYTES 107u

/* The keys of one service: its own, then those of [defaults], then the table's. Here and below the
 * large fields come last, as those in the first 128 bytes are reached by shorter instructions. */
struct service_values {
    unsigned mode;       /* enum key_mode; 0 = not known, because it could not be read */
    bool protocol_known; /* false = could not be read */
    struct address bind;
    char **environment; /* environment_count texts NAME=VALUE, and a NULL; templates included */
    size_t environment_count;
    const char **listen_names; /* listen_name_count names; NULL = not given, or not readable */
    size_t listen_name_count;
    uint32_t numbers[KEY_COUNT];                 /* numbers, booleans, choices */
    const struct config_setting *own[KEY_COUNT]; /* what its section itself says; NULL = nothing */
    /* Where the value comes from: `own`, or [defaults]; NULL = the table. */
    const struct config_setting *given[KEY_COUNT];
    struct service service; /* what has been read into its own fields so far */
};

struct service_interpreter {
    const char *extension; /* with its dot */
    const char *program;   /* absolute */
    char **words;          /* words[0] is the program as written, the rest are its arguments */
    size_t word_count;
};

/* A service that is being made, enabled or not. */
struct service_draft {
    const struct config_setting *listen;     /* where it says so; NULL = nowhere, or not readable */
    const struct config_setting *from_ports; /* its line in [ports], named by its handler; NULL =
                                                it has a section */
    const struct config_setting *max_connections; /* where that comes from; NULL = the table */
    bool enabled;
    bool is_guest; /* guests.c */
    struct service service;
};

/* The lists that a tree was made of; either may be NULL. */
struct service_access_lists {
    const struct config_setting *allow, *deny;
};

struct service_rules_room;

struct service_builder {
    struct service_table *table; /* what is made */
    const struct config *config;
    const struct service_machine *machine;
    struct config_problems *problems;
    struct arena *arena;   /* the table's */
    struct arena *scratch; /* thrown away at the end */
    struct service_draft *drafts;
    size_t draft_count;
    size_t draft_capacity;
    size_t place_count; /* of all drafts */
    /* Faults of [defaults] that show with many services, told once. */
    bool reported_peer, reported_trusted, reported_places, reported_sandbox;
    bool strict_modes;     /* who else may change what runs is looked at */
    bool needs_privileges; /* that there are none of */
    bool lacks_handlers;   /* the handlers folder is not there, which was told */
    const char *refused;   /* what others may change, as was told last by service_is_strict() */
    struct service_rules_room *rules_room;     /* owned; NULL = not needed yet */
    struct service_access_lists *access_lists; /* of table->accesses */
    size_t access_capacity;
    size_t rule_count;                         /* of them all */
    const struct config_setting *default_user; /* NULL = not given */
    struct service_interpreter *interpreters;
    size_t interpreter_count;
    size_t interpreter_capacity;
    struct supervisor_options options;
    bool reported_given[KEY_COUNT];
    struct service_values defaults;
    struct service_lack lack; /* the last that was found: too large for each stack */
};

/* Reads [supervisor]: options and interpreters (options.c). */
void service_read_options(struct service_builder *builder);

/* Sets `values` to the table's defaults (values.c). */
void service_default_values(struct service_values *values);

/* Puts the keys of a section over those in `values`; with [defaults] and services, `values` then
 * has only what the mode can honour. */
void service_read_values(struct service_builder *builder, const struct config_section *section,
                         struct service_values *values);

/* The bits of enum key_mode (modes.c). */
unsigned service_mode(uint32_t handoff, uint32_t protocol);

/* Sets `mode` and `protocol_known` by the keys `handoff` and `protocol`, which have been read
 * unless `handoff_read`, `protocol_read` say otherwise. Reports a hand-off that
 * UDP cannot have. */
void service_choose_mode(struct service_builder *builder, struct service_values *values,
                         bool handoff_read, bool protocol_read);

/* Takes back what [defaults] gave and the mode cannot honour. */
void service_fit_values(struct service_values *values);

/* Reports keys of the service's own that have no effect without another one. */
void service_check_values(struct service_builder *builder, const struct service_values *values);

/* Reports keys of handlers that live on which contradict each other, or have no effect, and fills
 * in what follows from the others (living.c). */
void service_check_living(struct service_builder *builder, struct service_values *values);

/* Reads `owner` and `proxy_trusted` into `values` (access.c). */
void service_read_owner(struct service_builder *builder, const struct config_setting *setting,
                        struct service_values *values);
void service_read_trusted(struct service_builder *builder, struct service_values *values);

/* Makes the tree of these lists (rules.c), or finds it; either may be NULL. Faults are told if
 * `tells_...`. Without `probe` no file is read, and there is no tree. */
struct rule_tree *service_read_rules(struct service_builder *builder,
                                     const struct config_setting *allow, bool tells_allow,
                                     const struct config_setting *deny, bool tells_deny,
                                     bool probe);

/* Reads who is let in into `service`, whose protocol and hand-off are set (clients.c). `probe`: it
 * is enabled. */
void service_fill_access(struct service_builder *builder, const struct service_values *values,
                         bool probe, struct service *service);

/* Reads `success_exit` into `values` (exits.c). */
void service_read_exits(struct service_builder *builder, struct service_values *values);

/* Reads a rate, and `refuse_message` into `values` (limits.c). */
#define RATE_NONE "none"
#define REFUSE_MESSAGE_MAX_BYTES 512u
void service_read_rate(struct service_builder *builder, const struct config_setting *setting,
                       struct rate_limit *out);
void service_read_refuse_message(struct service_builder *builder,
                                 const struct config_setting *setting,
                                 struct service_values *values);

/* "s", "min" or "h": the unit of a limit that is one. */
const char *service_rate_unit(const struct rate_limit *limit);

/* Reads `listen_names` into `values` (listen_names.c). */
void service_read_listen_names(struct service_builder *builder, struct service_values *values);

/* The name of the place that is number `entry` of the list in `listen`; NULL = none of its own. */
const char *service_listen_name(const struct service_values *values, size_t entry);

/* Reports it if there are not as many names as places (a range being one). */
void service_check_listen_names(struct service_builder *builder,
                                const struct service_values *values, size_t entry_count);

/* Copies the numbers and choices of the rows whose places meet `places` into their fields of
 * `object`. */
void service_fill_fields(const struct service_values *values, unsigned sections, void *object);

/* Takes the quotes off a text or path: the whole value if it begins with no quote, else the one
 * word that it must be. NULL after a fault was reported. In the table's arena. */
const char *service_unquote(struct service_builder *builder, const struct config_setting *setting);

/* Parses `text`, the value of `listen` or the key of a line in [ports], into the service's places;
 * one without a host gets that of `bind` (listen.c). False after a fault was reported,
 * here or before. */
bool service_read_listen(struct service_builder *builder, const struct config_setting *setting,
                         const char *text, const struct service_values *values,
                         struct service_draft *draft);

/* The same for the path of a local socket (access.c). */
bool service_read_path(struct service_builder *builder, const struct config_setting *setting,
                       const struct service_values *values, struct service_draft *draft);

/* The next part of a list that is separated by commas, without blanks around it, in the scratch
 * arena; NULL when out of memory. *rest is what follows, NULL after the last one. */
const char *service_next_part(struct service_builder *builder, const char **rest);

/* What the reader of a list's parts has to know. */
struct service_list {
    struct service_builder *builder;
    const struct service_values *values;
    enum key_id id;
    const struct config_setting *setting; /* values->given[id] */
    const char *rest;                     /* the parts that follow; NULL = none */
    size_t count;                         /* items so far */
    bool is_void;                         /* set by the reader: there shall be no items at all */
};

/* Reads a part into `item`; false = it is left out, for a fault that was reported or not. */
typedef bool service_part_reader(struct service_list *list, const char *part, void *item);

/* The items of the list that is the value of the key, in the table's arena, *count of them; none
 * where the key is not given, or the service cannot honour it, which was told. */
void *service_read_list(struct service_builder *builder, const struct service_values *values,
                        enum key_id id, size_t item_bytes, service_part_reader *read,
                        size_t *count);

/* Reports services that would listen at the same place, and too many connections in all
 * (clash.c). */
void service_check_clashes(struct service_builder *builder);

/* True if `variable`, NAME=VALUE, has this name, whose case does not matter on Windows. */
bool service_is_variable(const struct service_machine *machine, const char *variable,
                         const char *name);

/* Reads NAME=VALUE words (variables.c). */
void service_read_environment(struct service_builder *builder, const struct config_setting *setting,
                              struct service_values *values);

/* As whom the service runs, by the keys of `values` and the options (identity.c). */
void service_fill_identity(struct service_builder *builder, const struct service_values *values,
                           struct service_draft *draft);

/* Whom the supervisor becomes (identity.c), and, when all services are known, what it keeps then
 * (kept.c). */
void service_read_own_user(struct service_builder *builder, const struct service_values *values);
void service_choose_kept(const struct service_machine *machine, struct service_table *table);
/* Says so, if it does become another. */
void service_print_kept(const struct service_table *table, text_emit *emit, void *context);

/* The name of capability number `index`, as the key `capabilities` has it; NULL = it has none. */
const char *service_capability_name(unsigned index);

/* Reads `capabilities` (capabilities.c). */
void service_read_capabilities(struct service_builder *builder, const struct service_values *values,
                               struct identity *out);

/* What it inherits (inherited.c). `account`: whose HOME and USER; NULL = nobody's. */
void service_fill_inherited(struct service_builder *builder, const struct service_values *values,
                            const struct account *account, struct service *service);

/* Parts `environment` into what is the same for every launch and what is not, and reports templates
 * that the service cannot fill. */
void service_fill_variables(struct service_builder *builder, const struct service_values *values,
                            struct service *service);

/* Reports templates of `environment` that are not known when a process is launched which serves
 * many. `service` has its places. */
void service_check_facts(struct service_builder *builder, const struct service_values *values,
                         const struct service *service);

/* Sets argv_varies, and reports wrong templates among the arguments `words`. */
void service_check_arguments(struct service_builder *builder, const struct config_setting *setting,
                             char **words, size_t word_count, struct service *service);

/* `text` as a template that stands for itself, in the table's arena; NULL when out of memory. */
char *service_escape(struct service_builder *builder, const char *text);

/* Splits the command, finds the program, and fills program, handler, argv0, argv, argc
 * (handler.c). `argv0` may be NULL. False after a fault was reported. */
bool service_read_handler(struct service_builder *builder, const struct config_setting *setting,
                          const struct config_setting *argv0, bool probe, struct service *service);

/* True if `path` runs without an interpreter; else false after a fault was reported. */
bool service_runs_alone(struct service_builder *builder, const struct config_setting *setting,
                        const char *path);

/* Finds the program that the first word of a command names (program.c): the path, in the
 * table's arena, or NULL after a fault was reported. If `probe`, it is also reported if it is not
 * there, or cannot be run; `service` as for service_lacks_program(). `script`: an interpreter will
 * read it, so it need not be executable. */
const char *service_find_program(struct service_builder *builder,
                                 const struct config_setting *setting, const char *word,
                                 bool script, const struct service *service, bool probe);

/* Reports builder->lack, as one of the faults that may heal. */
void service_report_lack(struct service_builder *builder, const struct config_setting *setting);
/* The same for no setting: by its line, 0 for the file, and its name, which may be NULL. */
void service_report_lack_of(struct service_builder *builder, size_t line, const char *key);

/* Reports it if the folder `path` is not there. `service` as for service_lacks_folder(). */
void service_check_folder(struct service_builder *builder, const struct config_setting *setting,
                          const char *path, const struct service *service);

/* True if nobody but root may change what is at `path`, absolute, or if that is not asked for; else
 * false after a fault of the line (0: of the file) and key (may be NULL) was reported. */
bool service_is_strict(struct service_builder *builder, size_t line, const char *key,
                       const char *path);

/* Where the log goes, from the values of [supervisor] (log.c). */
void service_read_log(struct service_builder *builder, const struct service_values *values);
/* The file of a service's own log; NULL = it has none, or a fault was reported. If `probe`, it is
 * looked at whether it can be made, and by whom else. */
const char *service_read_own_log(struct service_builder *builder,
                                 const struct config_setting *setting, bool probe);

/* True for .bat and .cmd on Windows, in whatever way they are written. */
bool service_is_batch_file(const struct service_machine *machine, const char *path);

/* True for what parts a path: '/', on Windows '\\' too (path.c). */
bool service_is_separator(const struct service_machine *machine, char c);

/* Where the file name in `path` starts. */
const char *service_base_name(const struct service_machine *machine, const char *path);

/* How much of `path` is the folder that it is in: without its last separators, unless they are all
 * of it ("/", "C:\\"). */
size_t service_folder_length(const struct service_machine *machine, const char *path);

/* That folder, in the scratch arena. NULL when out of memory. */
const char *service_folder_of(struct service_builder *builder, const char *path);

/* Makes a path absolute against base_directory, in the table's arena. NULL after a fault. */
const char *service_absolute_path(struct service_builder *builder,
                                  const struct config_setting *setting, const char *path);

/* The same for a folder; if `probe`, it is also reported if it is not there. `service` as for
 * service_lacks_folder(). */
const char *service_find_directory(struct service_builder *builder,
                                   const struct config_setting *setting,
                                   const struct service *service, bool probe);

/* "section.key" for messages; may be NULL when out of memory. */
const char *service_key_label(struct service_builder *builder,
                              const struct config_setting *setting);

/* Adds a fault of a setting; `format` as in printf(3). The text begins with `value`, unless that is
 * NULL: in backquotes, and only its start if it is long. */
void service_report_value(struct service_builder *builder, const struct config_setting *setting,
                          const char *value, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;
#define service_report(builder, setting, ...)                                                      \
    service_report_value(builder, setting, NULL, __VA_ARGS__)

/* The start of a value, for a place further on in a message. */
const char *service_excerpt(struct service_builder *builder, const char *value);

/* Where the value of a key comes from; NULL = nowhere, or the service cannot honour it, which was
 * told. */
const struct config_setting *service_given(const struct service_values *values, enum key_id id);

/* True if a fault of `values->given[id]`, a key that is read anew for each service, is to be told:
 * one of [defaults] is told once. */
bool service_is_news(struct service_builder *builder, const struct service_values *values,
                     enum key_id id);

/* The names of services, the first few of which are printed, behind each other (warn.c); `count`,
 * from 0, is of all that were given. Then the rest as a number. */
void service_print_name(const struct service *service, size_t *count, text_emit *emit,
                        void *context);
void service_print_more(size_t count, text_emit *emit, void *context);

/* Which keys may stand in a section (enum key_section). */
unsigned service_sections_of(enum config_section_kind kind);

/* Drops and reports sections and keys that are not known, each with the nearest known one
 * (known.c). */
void service_check_names(struct config *config, struct config_problems *problems);

/* Services of another super-server's file (guests.c; config_problems_welcome()). Begins one: for it
 * no [defaults] hold, and each of its faults is told. Then switches those off that have faults,
 * which is all that these do; and puts what was told of them into the table, out of the faults. */
void service_begin_guest(struct service_builder *builder, struct service_values *values);
void service_close_guests(struct service_builder *builder);
void service_tell_guests(struct service_builder *builder, struct service_table *out);

/* Names the services of [ports] by their handlers, and reports names that are taken
 * (names.c). */
void service_name_drafts(struct service_builder *builder);

#endif
