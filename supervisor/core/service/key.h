/*
 * The key table: every key of the config is one row. The parser, --check and conf/KEYS.md read
 * this table and nothing else, so they cannot drift apart.
 *
 * To add a key, add an id, a row (key_table.c) and a text (key_help.c). A number, yes/no or choice
 * that has a field in struct service or struct supervisor_options needs no further code.
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

enum key_id {
    KEY_LISTEN,
    KEY_LISTEN_NAMES,
    KEY_HANDLER,
    KEY_ARGV0,
    KEY_HANDOFF,
    KEY_PROTOCOL,
    KEY_STDERR,
    KEY_OUTPUT,
    KEY_OUTPUT_RATE,
    KEY_BIND,
    KEY_V6ONLY,
    KEY_BACKLOG,
    KEY_MAX_CONNECTIONS,
    KEY_MAX_PER_SOURCE,
    KEY_SOURCE_PREFIX,
    KEY_RATE,
    KEY_RATE_PER_SOURCE,
    KEY_WHEN_FULL,
    KEY_REFUSE_MESSAGE,
    KEY_HANDSHAKE_TIMEOUT,
    KEY_ATTEMPTS,
    KEY_STOP_TIMEOUT,
    KEY_MAX_RUNTIME,
    KEY_IDLE_TIMEOUT,
    KEY_FIRST_BYTE_TIMEOUT,
    KEY_SANDBOX,
    KEY_SUCCESS_EXIT,
    KEY_END_WITH_SUPERVISOR,
    KEY_LEAVE_CHILDREN,
    KEY_ENVIRONMENT,
    KEY_ENVIRONMENT_FROM,
    KEY_DIRECTORY,
    KEY_USER,
    KEY_GROUP,
    KEY_GROUPS,
    KEY_CHROOT,
    KEY_UMASK,
    KEY_NICE,
    KEY_OOM_SCORE_ADJ,
    KEY_LIMIT_MEMORY,
    KEY_LIMIT_CORE,
    KEY_LIMIT_CPU,
    KEY_LIMIT_FILES,
    KEY_LIMIT_PROCESSES,
    KEY_CAPABILITIES,
    KEY_NO_NEW_PRIVILEGES,
    KEY_ENABLED,
    KEY_ALLOW, /* these five in this order: SERVICE_ACCESS_KEY_COUNT */
    KEY_DENY,
    KEY_ALLOW_UID,
    KEY_ALLOW_GID,
    KEY_HOURS,
    KEY_SOCKET_MODE,
    KEY_SOCKET_OWNER,
    KEY_NODELAY,
    KEY_KEEPALIVE,
    KEY_KEEPALIVE_IDLE,
    KEY_KEEPALIVE_INTERVAL,
    KEY_KEEPALIVE_COUNT,
    KEY_DEFER_ACCEPT,
    KEY_RECEIVE_BUFFER,
    KEY_SEND_BUFFER,
    KEY_PROXY_PROTOCOL,
    KEY_PROXY_TRUSTED,
    KEY_PROXY_TIMEOUT,
    KEY_DEFAULT_USER,
    KEY_OWN_USER, /* of [supervisor] */
    KEY_HANDLERS,
    KEY_INTERPRETER,
    KEY_LOG,
    KEY_LOG_FORMAT,
    KEY_LOG_LEVEL,
    KEY_STRICT,
    KEY_ALL_MAX_CONNECTIONS, /* for all services together */
    KEY_ALL_MAX_PER_SOURCE,
    KEY_ALL_SOURCE_PREFIX,
    KEY_ALL_RATE,
    KEY_ALL_RATE_PER_SOURCE,
    KEY_ALL_WHEN_FULL,
    KEY_STRICT_MODES,
    KEY_COUNT
};

#define KEY_NO_FIELD UINT16_MAX

/* Small, since there is one for each key, and batond carries them all. */
struct key {
    const char *name;           /* a last part ".EXT" stands for any file-name ending */
    const char *unit;           /* numbers, limits: the plural noun of messages; else NULL */
    const char *default_text;   /* as it would stand in the file; NULL = required or no value */
    const char *const *choices; /* KEY_TYPE_CHOICE: the words, ends with NULL; index = value */
    uint32_t minimum, maximum;  /* numbers, limits (of sizes in KiB) and permissions; a minimum that
                                   is above the maximum is negative, in two's complement */
    uint16_t field_offset;      /* numbers and choices: where their 32 bits go in struct service or
                                   supervisor_options; KEY_NO_FIELD = other code takes the value */
    uint8_t sections;           /* enum key_section */
    uint8_t modes;              /* enum key_mode: which modes can honour it */
    enum key_type type;
};

/* The table, indexed by enum key_id, KEY_COUNT rows. */
extern const struct key key_table[KEY_COUNT];

/* Finds the row for a name as it stands in a file ("interpreter.py" finds "interpreter.EXT") among
 * the rows whose sections meet `sections`; NULL if there is none. */
const struct key *key_find(const char *name, unsigned sections);

/* The known name nearest to `name` among rows whose sections meet `sections`, for "did you mean";
 * NULL if none is near. */
const char *key_nearest(const char *name, unsigned sections);

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

/* Checks that a service can honour the key: `mode` has the bit of its mode, and that of what it
 * goes over; 0 = not known, which everything fits. Returns true, or false and a message that names
 * those which can. */
bool key_fits_mode(const struct key *key, unsigned mode, struct key_message *message);

/* Prints such a value as it would stand in a file into `out`. Returns `out`. */
char *key_print_value(const struct key *key, uint32_t number, char *out, size_t size_bytes);

#endif
