/*
 * The key table: every key of the config is one row. The parser, --check and conf/KEYS.md read
 * this table and nothing else, so they cannot drift apart.
 *
 * To add a key, add an id with a name, a row (key_table.c) and a text (key_help.c). A number,
 * yes/no or choice that has a field in struct service or struct supervisor_options needs no further
 * code.
 */
#ifndef BATON_SERVICE_KEY_H
#define BATON_SERVICE_KEY_H

#include "core/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a key may stand; a bit mask. */
enum key_section { KEY_IN_SERVICE = 1, KEY_IN_DEFAULTS = 2, KEY_IN_SUPERVISOR = 4 };

/* How a handler gets its connection, and over what; a bit mask. DESIGN.md, "What each mode can do".
 * A service has one mode, and unless that is UDP also one of the two OVER bits. */
enum key_mode {
    KEY_MODE_CHANNEL = 1,
    KEY_MODE_STDIO = 2,
    KEY_MODE_PUMP = 4,
    KEY_MODE_LISTENER = 8,
    KEY_MODE_UDP = 16,
    KEY_OVER_TCP = 32,
    KEY_OVER_UNIX = 64
};
#define KEY_OVER_ANY (KEY_OVER_TCP | KEY_OVER_UNIX)
#define KEY_MODES_ALL 127u
/* The modes that know each connection, and so its peer. */
#define KEY_MODES_CONNECTION (KEY_MODE_CHANNEL | KEY_MODE_STDIO | KEY_MODE_PUMP | KEY_OVER_ANY)

enum key_type {
    KEY_TYPE_LISTEN,      /* ports, ranges and names, with or without hosts; or a path */
    KEY_TYPE_HOST,        /* an address without port */
    KEY_TYPE_COMMAND,     /* a program and its arguments, as words */
    KEY_TYPE_TEXT,        /* a text, which may stand in quotes */
    KEY_TYPE_FILE,        /* a path, which may stand in quotes */
    KEY_TYPE_DIRECTORY,   /* the same, of a folder that exists */
    KEY_TYPE_PATTERNS,    /* paths whose last part may have `*` and `?`, separated by commas */
    KEY_TYPE_ENVIRONMENT, /* NAME=VALUE, as words */
    KEY_TYPE_NUMBER,      /* a whole number with unit, minimum and maximum */
    KEY_TYPE_LIMIT,       /* the same, or `unlimited`, or `inherited` (core/base/identity.h) */
    KEY_TYPE_SIZE,        /* the same of bytes, also with K, M or G; its value is in KiB */
    KEY_TYPE_PERMISSIONS, /* an octal number */
    KEY_TYPE_OWNER,       /* USER, USER:GROUP or :GROUP */
    KEY_TYPE_BLOCKS,      /* addresses and blocks of them, separated by commas */
    KEY_TYPE_RULES,       /* the same, and @FILE */
    KEY_TYPE_IDS,         /* users or groups, names or numbers, separated by commas */
    KEY_TYPE_HOURS,       /* HH:MM-HH:MM, separated by commas */
    KEY_TYPE_NAMES,       /* names, separated by commas */
    KEY_TYPE_CODES,       /* exit codes, separated by commas */
    KEY_TYPE_RATE,        /* so many in a time, and so many at once */
    KEY_TYPE_BOOLEAN,     /* yes or no */
    KEY_TYPE_CHOICE       /* one word of a list */
};

/* Each key: its id, its name. A last part ".EXT" stands for any file-name ending. */
#define KEY_TABLE_OF_NAMES(X)                                                                      \
    X(LISTEN, "listen")                                                                            \
    X(LISTEN_NAMES, "listen_names")                                                                \
    X(HANDLER, "handler")                                                                          \
    X(ARGV0, "argv0")                                                                              \
    X(HANDOFF, "handoff")                                                                          \
    X(PROTOCOL, "protocol")                                                                        \
    X(STDERR, "stderr")                                                                            \
    X(OUTPUT, "output")                                                                            \
    X(OUTPUT_RATE, "output_lines_per_s")                                                           \
    X(OWN_LOG, "log") /* of a service */                                                           \
    X(LOG_SERVED, "log_served")                                                                    \
    X(BIND, "bind")                                                                                \
    X(V6ONLY, "v6only")                                                                            \
    X(BACKLOG, "backlog")                                                                          \
    X(MAX_CONNECTIONS, "max_connections")                                                          \
    X(MAX_PER_SOURCE, "max_per_source")                                                            \
    X(SOURCE_PREFIX, "source_prefix_bits")                                                         \
    X(RATE, "rate")                                                                                \
    X(RATE_PER_SOURCE, "rate_per_source")                                                          \
    X(WHEN_FULL, "when_full")                                                                      \
    X(REFUSE_MESSAGE, "refuse_message")                                                            \
    X(HANDSHAKE_TIMEOUT, "handshake_timeout_ms")                                                   \
    X(ATTEMPTS, "attempts")                                                                        \
    X(REUSE, "reuse")                                                                              \
    X(CAPACITY, "capacity")                                                                        \
    X(MAX_HANDLERS, "max_handlers")                                                                \
    X(SPARES, "spares")                                                                            \
    X(SPARES_MIN, "spares_min")                                                                    \
    X(SPARES_MAX, "spares_max")                                                                    \
    X(IDLE_EXIT, "idle_exit_s")                                                                    \
    X(RETIRE_AFTER, "retire_after_s")                                                              \
    X(RETIRE_MEMORY, "retire_memory_mib")                                                          \
    X(WORKERS, "workers")                                                                          \
    X(STOP_TIMEOUT, "stop_timeout_ms")                                                             \
    X(MAX_RUNTIME, "max_runtime_ms")                                                               \
    X(IDLE_TIMEOUT, "idle_timeout_ms")                                                             \
    X(FIRST_BYTE_TIMEOUT, "first_byte_timeout_ms")                                                 \
    X(SANDBOX, "sandbox")                                                                          \
    X(SUCCESS_EXIT, "success_exit")                                                                \
    X(END_WITH_SUPERVISOR, "end_with_supervisor")                                                  \
    X(LEAVE_CHILDREN, "leave_children")                                                            \
    X(ENVIRONMENT, "environment")                                                                  \
    X(ENVIRONMENT_FROM, "environment_from")                                                        \
    X(DIRECTORY, "directory")                                                                      \
    X(USER, "user")                                                                                \
    X(GROUP, "group")                                                                              \
    X(GROUPS, "groups")                                                                            \
    X(CHROOT, "chroot")                                                                            \
    X(UMASK, "umask")                                                                              \
    X(NICE, "nice")                                                                                \
    X(OOM_SCORE_ADJ, "oom_score_adj")                                                              \
    X(LIMIT_MEMORY, "limit_memory")                                                                \
    X(LIMIT_CORE, "limit_core")                                                                    \
    X(LIMIT_CPU, "limit_cpu_s")                                                                    \
    X(LIMIT_FILES, "limit_files")                                                                  \
    X(LIMIT_PROCESSES, "limit_processes")                                                          \
    X(CAPABILITIES, "capabilities")                                                                \
    X(NO_NEW_PRIVILEGES, "no_new_privileges")                                                      \
    X(ENABLED, "enabled")                                                                          \
    X(ALLOW, "allow") /* these five in this order: SERVICE_ACCESS_KEY_COUNT */                     \
    X(DENY, "deny")                                                                                \
    X(ALLOW_UID, "allow_uid")                                                                      \
    X(ALLOW_GID, "allow_gid")                                                                      \
    X(HOURS, "hours")                                                                              \
    X(SOCKET_MODE, "mode")                                                                         \
    X(SOCKET_OWNER, "owner")                                                                       \
    X(NODELAY, "nodelay")                                                                          \
    X(KEEPALIVE, "keepalive")                                                                      \
    X(KEEPALIVE_IDLE, "keepalive_idle_s")                                                          \
    X(KEEPALIVE_INTERVAL, "keepalive_interval_s")                                                  \
    X(KEEPALIVE_COUNT, "keepalive_count")                                                          \
    X(DEFER_ACCEPT, "defer_accept_s")                                                              \
    X(RECEIVE_BUFFER, "receive_buffer_bytes")                                                      \
    X(SEND_BUFFER, "send_buffer_bytes")                                                            \
    X(PROXY_PROTOCOL, "proxy_protocol")                                                            \
    X(PROXY_TRUSTED, "proxy_trusted")                                                              \
    X(PROXY_TIMEOUT, "proxy_timeout_ms")                                                           \
    X(DEFAULT_USER, "default_user")                                                                \
    X(OWN_USER, "user") /* of [supervisor] */                                                      \
    X(HANDLERS, "handlers")                                                                        \
    X(INCLUDE, "include")                                                                          \
    X(INETD_CONF, "inetd_conf")                                                                    \
    X(INTERPRETER, "interpreter.EXT")                                                              \
    X(LOG, "log")                                                                                  \
    X(LOG_MODE, "log_mode")                                                                        \
    X(SYSLOG_FACILITY, "syslog_facility")                                                          \
    X(LOG_FORMAT, "log_format")                                                                    \
    X(LOG_LEVEL, "log_level")                                                                      \
    X(CONTROL, "control")                                                                          \
    X(STATUS, "status")                                                                            \
    X(STATUS_MODE, "status_mode")                                                                  \
    X(STRICT, "strict")                                                                            \
    X(LAUNCHERS, "launchers")                                                                      \
    X(ALL_MAX_CONNECTIONS, "max_connections") /* for all services together */                      \
    X(ALL_MAX_PER_SOURCE, "max_per_source")                                                        \
    X(ALL_SOURCE_PREFIX, "source_prefix_bits")                                                     \
    X(ALL_RATE, "rate")                                                                            \
    X(ALL_RATE_PER_SOURCE, "rate_per_source")                                                      \
    X(ALL_WHEN_FULL, "when_full")                                                                  \
    X(STRICT_MODES, "strict_modes")                                                                \
    X(KEEPER, "keeper")

enum key_id {
#define KEY_ENUM(id, name) KEY_##id,
    KEY_TABLE_OF_NAMES(KEY_ENUM)
#undef KEY_ENUM
        KEY_COUNT
};

/* The names one behind the other, so that a row has two bytes for its own and no pointer. */
struct key_names {
#define KEY_NAME_FIELD(id, name) char id[sizeof(name)];
    KEY_TABLE_OF_NAMES(KEY_NAME_FIELD)
#undef KEY_NAME_FIELD
};
extern const struct key_names key_names;

#define KEY_NO_FIELD UINT16_MAX

/* The defaults of `bind` and `success_exit`, which are no numbers. */
#define KEY_BIND_DEFAULT "0.0.0.0"
#define KEY_SUCCESS_EXIT_DEFAULT "0"

/* Small and without pointers, since there is one for each key, and batond carries them all. */
struct key {
    uint32_t minimum, maximum; /* numbers, limits (of sizes in KiB) and permissions; a minimum that
                                  is above the maximum is negative, in two's complement */
    uint32_t default_number;   /* of those that are numbers: key_is_number() */
    uint16_t field_offset;     /* numbers and choices: where their 32 bits go in struct service or
                                  supervisor_options; KEY_NO_FIELD = other code takes the value */
    uint16_t name_offset;      /* in key_names */
    uint8_t sections;          /* enum key_section */
    uint8_t modes;             /* enum key_mode: which modes can honour it */
    uint8_t type;              /* enum key_type */
    uint8_t words;             /* for key_words() */
};

/* The table, indexed by enum key_id, KEY_COUNT rows. */
extern const struct key key_table[KEY_COUNT];

static inline const char *key_name(const struct key *key) {
    return (const char *)&key_names + key->name_offset;
}

/* Of numbers and limits the plural noun of messages; of a choice its words, separated by ", ", the
 * first of which is 0; else "". */
const char *key_words(const struct key *key);

/* Finds the row for a name as it stands in a file ("interpreter.py" finds "interpreter.EXT") among
 * the rows whose sections meet `sections`; NULL if there is none. */
const struct key *key_find(const char *name, unsigned sections);

/* The sections in which a name may stand, or-ed. */
unsigned key_sections_of(const char *name);

/* The known name nearest to `name` among rows whose sections meet `sections`, for "did you mean";
 * NULL if none is near. */
const char *key_nearest(const char *name, unsigned sections);

/* What a key of another server is called here, in backquotes, maybe with more words; static. NULL =
 * it is none (near.c). */
const char *service_foreign_key(const char *name);

/* A message's room. */
struct key_message {
    char text[320];
};

/* True for the types whose values are 32 bits: numbers, limits, permissions, booleans, choices. */
bool key_is_number(const struct key *key);

/* Parses such a value. Returns true and *number (booleans 0 and 1, choices their index), or false
 * and a message: what is wrong and what would be right. */
bool key_parse(const struct key *key, const char *value, uint32_t *number,
               struct key_message *message);

/* True if a service can honour the key: `mode` has the bit of its mode, and that of what it goes
 * over; 0 = not known, which everything fits. */
static inline bool key_fits_mode(const struct key *key, unsigned mode) {
    return (mode & ~(unsigned)key->modes) == 0;
}

/* Says so of one that does not fit, and names the modes or protocols that do. */
void key_print_misfit(const struct key *key, unsigned mode, struct key_message *message);

/* Prints such a value as it would stand in a file into `out`. Returns `out`. */
char *key_print_value(const struct key *key, uint32_t number, char *out, size_t size_bytes);

#endif
