/* The rows. What each key is for stands in key_help.c. */
#include "core/service/key.h"

#include "core/service/service.h"

#include <string.h>

#define SERVICE_KEY (KEY_IN_SERVICE | KEY_IN_DEFAULTS)
#define FIELD(name) offsetof(struct service, name)
#define OPTION(name) offsetof(struct supervisor_options, name)

#define MODES_STREAM (KEY_MODES_ALL & ~(unsigned)KEY_MODE_UDP)
#define MODES_INTERNET (KEY_MODES_ALL & ~(unsigned)KEY_OVER_UNIX)
#define MODES_TCP (MODES_STREAM & MODES_INTERNET)
#define MODES_UNIX (MODES_STREAM & ~(unsigned)KEY_OVER_TCP)

/* The plural nouns of numbers; choices, in the order of the enums of core/service/service.h. */
#define WORDS_TABLE(X)                                                                             \
    X(NONE, "")                                                                                    \
    X(CONNECTIONS, "connections")                                                                  \
    X(LINES, "lines a second")                                                                     \
    X(BITS, "bits")                                                                                \
    X(MILLISECONDS, "milliseconds")                                                                \
    X(PROCESSES, "processes")                                                                      \
    X(STEPS, "steps")                                                                              \
    X(POINTS, "points")                                                                            \
    X(BYTES, "bytes")                                                                              \
    X(SECONDS, "seconds")                                                                          \
    X(FILES, "files")                                                                              \
    X(PROBES, "probes")                                                                            \
    X(LAUNCHERS, "auto, 0, 1, 2, 3, 4, 5, 6, 7, 8")                                                \
    X(LOG_FORMATS, "logfmt, json, text, auto")                                                     \
    X(FACILITIES, "daemon, user, local0, local1, local2, local3, local4, local5, local6, local7")  \
    X(LOG_LEVELS, "error, warning, info, debug")                                                   \
    X(HANDOFFS, "channel, stdio, listener, pump")                                                  \
    X(PROTOCOLS, "tcp, udp, unix")                                                                 \
    X(THREE_WAYS, "auto, no, yes")                                                                 \
    X(ERROR_STREAMS, "log, socket")                                                                \
    X(SANDBOXES, "none, low")                                                                      \
    X(OUTPUTS, "log, null")                                                                        \
    X(WHEN_FULL, "queue, refuse")                                                                  \
    X(MEBIBYTES, "MiB")

enum words {
#define WORDS_ENUM(id, text) WORDS_##id,
    WORDS_TABLE(WORDS_ENUM)
#undef WORDS_ENUM
};

const char *key_words(const struct key *key) {
#define WORDS_TEXT(id, text) text "\0"
    const char *at = WORDS_TABLE(WORDS_TEXT);
#undef WORDS_TEXT
    for (unsigned i = key->words; i > 0; i--) {
        at += strlen(at) + 1;
    }
    return at;
}

const struct key_names key_names = {
#define KEY_NAME_TEXT(id, name) name,
    KEY_TABLE_OF_NAMES(KEY_NAME_TEXT)
#undef KEY_NAME_TEXT
};

#define ROW(id, ...) [KEY_##id] = {.name_offset = offsetof(struct key_names, id), __VA_ARGS__}

/* clang-format 14 indents a table of this size twice. */
/* clang-format off */
const struct key key_table[KEY_COUNT] = {
    ROW(LISTEN, .sections = KEY_IN_SERVICE, .type = KEY_TYPE_LISTEN, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(LISTEN_NAMES, .sections = KEY_IN_SERVICE, .type = KEY_TYPE_NAMES,
        .modes = KEY_MODE_LISTENER | KEY_MODE_UDP | KEY_OVER_ANY, .field_offset = KEY_NO_FIELD),
    ROW(HANDLER, .sections = KEY_IN_SERVICE, .type = KEY_TYPE_COMMAND, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(ARGV0, .sections = KEY_IN_SERVICE, .type = KEY_TYPE_TEXT, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(HANDOFF, .sections = SERVICE_KEY, .type = KEY_TYPE_CHOICE, .words = WORDS_HANDOFFS,
        .field_offset = FIELD(handoff), .modes = KEY_MODES_ALL),
    ROW(PROTOCOL, .sections = KEY_IN_SERVICE, .type = KEY_TYPE_CHOICE, .words = WORDS_PROTOCOLS,
        .field_offset = FIELD(protocol), .modes = KEY_MODES_ALL),
    ROW(STDERR, .sections = SERVICE_KEY, .type = KEY_TYPE_CHOICE,
        .modes = KEY_MODE_STDIO | KEY_MODE_PUMP | KEY_OVER_ANY, .words = WORDS_ERROR_STREAMS,
        .field_offset = FIELD(stderr_to)),
    ROW(OUTPUT, .sections = SERVICE_KEY, .type = KEY_TYPE_CHOICE, .modes = KEY_MODES_ALL,
        .words = WORDS_OUTPUTS, .field_offset = FIELD(output_to)),
    ROW(OUTPUT_RATE, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_LINES,
        .maximum = 1000000, .default_number = 1000, .modes = KEY_MODES_ALL,
        .field_offset = FIELD(output_lines_per_s)),
    ROW(OWN_LOG, .sections = SERVICE_KEY, .type = KEY_TYPE_FILE, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(LOG_SERVED, .sections = SERVICE_KEY, .type = KEY_TYPE_BOOLEAN, .default_number = 1,
        .modes = KEY_MODES_ALL, .field_offset = FIELD(log_served)),
    ROW(BIND, .sections = SERVICE_KEY, .type = KEY_TYPE_HOST, .modes = MODES_INTERNET,
        .field_offset = KEY_NO_FIELD),
    ROW(V6ONLY, .sections = SERVICE_KEY, .type = KEY_TYPE_BOOLEAN, .default_number = 1,
        .modes = MODES_INTERNET, .field_offset = FIELD(v6only)),
    ROW(BACKLOG, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_CONNECTIONS,
        .minimum = 1, .maximum = 65535, .default_number = 511, .modes = MODES_STREAM,
        .field_offset = FIELD(backlog_count)),
    ROW(MAX_CONNECTIONS, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER,
        .words = WORDS_CONNECTIONS, .minimum = 1, .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
        .default_number = 256, .modes = KEY_MODES_CONNECTION,
        .field_offset = FIELD(max_connections_count)),
    ROW(MAX_PER_SOURCE, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER,
        .words = WORDS_CONNECTIONS, .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
        .modes = KEY_MODES_CONNECTION, .field_offset = FIELD(limits.max_per_source_count)),
    ROW(SOURCE_PREFIX, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_BITS,
        .minimum = 1, .maximum = 128, .default_number = 64, .modes = KEY_MODES_CONNECTION,
        .field_offset = FIELD(limits.source_prefix_bits)),
    ROW(RATE, .sections = SERVICE_KEY, .type = KEY_TYPE_RATE, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(RATE_PER_SOURCE, .sections = SERVICE_KEY, .type = KEY_TYPE_RATE,
        .modes = KEY_MODES_CONNECTION, .field_offset = KEY_NO_FIELD),
    ROW(WHEN_FULL, .sections = SERVICE_KEY, .type = KEY_TYPE_CHOICE, .words = WORDS_WHEN_FULL,
        .modes = KEY_MODES_CONNECTION, .field_offset = FIELD(limits.when_full)),
    ROW(REFUSE_MESSAGE, .sections = SERVICE_KEY, .type = KEY_TYPE_TEXT,
        .modes = KEY_MODES_CONNECTION, .field_offset = KEY_NO_FIELD),
    ROW(HANDSHAKE_TIMEOUT, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER,
        .words = WORDS_MILLISECONDS, .minimum = 10, .maximum = 600000, .default_number = 5000,
        .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY, .field_offset = FIELD(handshake_timeout_ms)),
    ROW(ATTEMPTS, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_PROCESSES,
        .minimum = 1, .maximum = 10, .default_number = 2, .modes = KEY_MODES_CONNECTION,
        .field_offset = FIELD(attempts_count)),
    ROW(REUSE, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_CONNECTIONS,
        .maximum = 1000000, .default_number = 1, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(reuse_count)),
    ROW(CAPACITY, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_CONNECTIONS,
        .maximum = 65535, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(capacity_count)),
    ROW(MAX_HANDLERS, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_PROCESSES,
        .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(max_handlers_count)),
    ROW(SPARES, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_CONNECTIONS,
        .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(spares_count)),
    ROW(SPARES_MIN, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_CONNECTIONS,
        .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(spares_min_count)),
    ROW(SPARES_MAX, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_CONNECTIONS,
        .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(spares_max_count)),
    ROW(IDLE_EXIT, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_SECONDS,
        .maximum = 31536000, .default_number = 60, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(idle_exit_s)),
    ROW(RETIRE_AFTER, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_SECONDS,
        .maximum = 31536000, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(retire_after_s)),
    ROW(RETIRE_MEMORY, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_MEBIBYTES,
        .maximum = 1048576, .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
        .field_offset = FIELD(retire_memory_mib)),
    ROW(WORKERS, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_PROCESSES,
        .maximum = SERVICE_WORKERS_MAX_COUNT,
        .modes = KEY_MODE_LISTENER | KEY_MODE_UDP | KEY_OVER_ANY,
        .field_offset = FIELD(workers_count)),
    ROW(STOP_TIMEOUT, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_MILLISECONDS,
        .maximum = 3600000, .default_number = 5000, .field_offset = FIELD(stop_timeout_ms),
        .modes = KEY_MODES_ALL),
    ROW(MAX_RUNTIME, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_MILLISECONDS,
        .maximum = 2592000000, .field_offset = FIELD(max_runtime_ms), .modes = KEY_MODES_ALL),
    ROW(IDLE_TIMEOUT, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_MILLISECONDS,
        .maximum = 2592000000, .field_offset = FIELD(idle_timeout_ms),
        .modes = KEY_MODE_PUMP | KEY_OVER_ANY),
    ROW(FIRST_BYTE_TIMEOUT, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER,
        .words = WORDS_MILLISECONDS, .maximum = 3600000,
        .field_offset = FIELD(first_byte_timeout_ms), .modes = KEY_MODES_CONNECTION),
    ROW(SANDBOX, .sections = SERVICE_KEY, .type = KEY_TYPE_CHOICE, .words = WORDS_SANDBOXES,
        .field_offset = FIELD(sandbox), .modes = KEY_MODES_ALL),
    ROW(SUCCESS_EXIT, .sections = SERVICE_KEY, .type = KEY_TYPE_CODES, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(END_WITH_SUPERVISOR, .sections = SERVICE_KEY, .type = KEY_TYPE_CHOICE,
        .words = WORDS_THREE_WAYS, .field_offset = FIELD(end_with_supervisor),
        .modes = KEY_MODES_ALL),
    ROW(LEAVE_CHILDREN, .sections = SERVICE_KEY, .type = KEY_TYPE_CHOICE, .words = WORDS_THREE_WAYS,
        .field_offset = FIELD(leave_children), .modes = KEY_MODES_ALL),
    ROW(ENVIRONMENT, .sections = SERVICE_KEY, .type = KEY_TYPE_ENVIRONMENT, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(ENVIRONMENT_FROM, .sections = SERVICE_KEY, .type = KEY_TYPE_NAMES, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(DIRECTORY, .sections = SERVICE_KEY, .type = KEY_TYPE_DIRECTORY, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(USER, .sections = SERVICE_KEY, .type = KEY_TYPE_TEXT, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(GROUP, .sections = SERVICE_KEY, .type = KEY_TYPE_TEXT, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(GROUPS, .sections = SERVICE_KEY, .type = KEY_TYPE_NAMES, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(CHROOT, .sections = SERVICE_KEY, .type = KEY_TYPE_DIRECTORY, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(UMASK, .sections = SERVICE_KEY, .type = KEY_TYPE_PERMISSIONS, .maximum = 0777,
        .default_number = 0022, .modes = KEY_MODES_ALL, .field_offset = FIELD(identity.umask_bits)),
    ROW(NICE, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_STEPS,
        .minimum = (uint32_t)-20, .maximum = 19, .modes = KEY_MODES_ALL,
        .field_offset = FIELD(identity.nice_count)),
    ROW(OOM_SCORE_ADJ, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_POINTS,
        .minimum = (uint32_t)-1000, .maximum = 1000, .modes = KEY_MODES_ALL,
        .field_offset = FIELD(identity.oom_score_adj)),
    ROW(LIMIT_MEMORY, .sections = SERVICE_KEY, .type = KEY_TYPE_SIZE, .words = WORDS_BYTES,
        .minimum = 64, .maximum = 4095u * 1024u * 1024u, .default_number = IDENTITY_SAME,
        .modes = KEY_MODES_ALL, .field_offset = FIELD(identity.limits[LIMIT_MEMORY_KIB])),
    ROW(LIMIT_CORE, .sections = SERVICE_KEY, .type = KEY_TYPE_SIZE, .words = WORDS_BYTES,
        .minimum = 0, .maximum = 4095u * 1024u * 1024u, .default_number = IDENTITY_SAME,
        .modes = KEY_MODES_ALL, .field_offset = FIELD(identity.limits[LIMIT_CORE_KIB])),
    ROW(LIMIT_CPU, .sections = SERVICE_KEY, .type = KEY_TYPE_LIMIT, .words = WORDS_SECONDS,
        .minimum = 1, .maximum = IDENTITY_UNLIMITED - 1, .default_number = IDENTITY_SAME,
        .modes = KEY_MODES_ALL, .field_offset = FIELD(identity.limits[LIMIT_CPU_S])),
    ROW(LIMIT_FILES, .sections = SERVICE_KEY, .type = KEY_TYPE_LIMIT, .words = WORDS_FILES,
        .minimum = 4, .maximum = IDENTITY_UNLIMITED - 1, .default_number = IDENTITY_SAME,
        .modes = KEY_MODES_ALL, .field_offset = FIELD(identity.limits[LIMIT_FILES_COUNT])),
    ROW(LIMIT_PROCESSES, .sections = SERVICE_KEY, .type = KEY_TYPE_LIMIT, .words = WORDS_PROCESSES,
        .minimum = 1, .maximum = IDENTITY_UNLIMITED - 1, .default_number = IDENTITY_SAME,
        .modes = KEY_MODES_ALL, .field_offset = FIELD(identity.limits[LIMIT_PROCESSES_COUNT])),
    ROW(CAPABILITIES, .sections = SERVICE_KEY, .type = KEY_TYPE_NAMES, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(NO_NEW_PRIVILEGES, .sections = SERVICE_KEY, .type = KEY_TYPE_CHOICE,
        .words = WORDS_THREE_WAYS, .modes = KEY_MODES_ALL,
        .field_offset = FIELD(no_new_privileges)),
    ROW(ENABLED, .sections = SERVICE_KEY, .type = KEY_TYPE_BOOLEAN, .default_number = 1,
        .modes = KEY_MODES_ALL, .field_offset = KEY_NO_FIELD),
    ROW(ALLOW, .sections = SERVICE_KEY, .type = KEY_TYPE_RULES,
        .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_UNIX, .field_offset = KEY_NO_FIELD),
    ROW(DENY, .sections = SERVICE_KEY, .type = KEY_TYPE_RULES,
        .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_UNIX, .field_offset = KEY_NO_FIELD),
    ROW(ALLOW_UID, .sections = SERVICE_KEY, .type = KEY_TYPE_IDS,
        .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_TCP, .field_offset = KEY_NO_FIELD),
    ROW(ALLOW_GID, .sections = SERVICE_KEY, .type = KEY_TYPE_IDS,
        .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_TCP, .field_offset = KEY_NO_FIELD),
    ROW(HOURS, .sections = SERVICE_KEY, .type = KEY_TYPE_HOURS, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(SOCKET_MODE, .sections = SERVICE_KEY, .type = KEY_TYPE_PERMISSIONS, .maximum = 0777,
        .default_number = 0600, .modes = MODES_UNIX, .field_offset = FIELD(socket_mode)),
    ROW(SOCKET_OWNER, .sections = SERVICE_KEY, .type = KEY_TYPE_OWNER, .modes = MODES_UNIX,
        .field_offset = KEY_NO_FIELD),
    ROW(NODELAY, .sections = SERVICE_KEY, .type = KEY_TYPE_BOOLEAN, .modes = MODES_TCP,
        .field_offset = FIELD(options.nodelay)),
    ROW(KEEPALIVE, .sections = SERVICE_KEY, .type = KEY_TYPE_BOOLEAN, .modes = MODES_TCP,
        .field_offset = FIELD(options.keepalive)),
    ROW(KEEPALIVE_IDLE, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_SECONDS,
        .maximum = 32767, .modes = MODES_TCP, .field_offset = FIELD(options.keepalive_idle_s)),
    ROW(KEEPALIVE_INTERVAL, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER,
        .words = WORDS_SECONDS, .maximum = 32767, .modes = MODES_TCP,
        .field_offset = FIELD(options.keepalive_interval_s)),
    ROW(KEEPALIVE_COUNT, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_PROBES,
        .maximum = 127, .modes = MODES_TCP, .field_offset = FIELD(options.keepalive_count)),
    ROW(DEFER_ACCEPT, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_SECONDS,
        .maximum = 3600, .modes = MODES_TCP, .field_offset = FIELD(options.defer_accept_s)),
    ROW(RECEIVE_BUFFER, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_BYTES,
        .maximum = 268435456, .field_offset = FIELD(options.receive_buffer_bytes),
        .modes = KEY_MODES_ALL),
    ROW(SEND_BUFFER, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER, .words = WORDS_BYTES,
        .maximum = 268435456, .field_offset = FIELD(options.send_buffer_bytes),
        .modes = KEY_MODES_ALL),
    ROW(PROXY_PROTOCOL, .sections = SERVICE_KEY, .type = KEY_TYPE_BOOLEAN,
        .modes = KEY_MODES_CONNECTION, .field_offset = FIELD(proxy_protocol)),
    ROW(PROXY_TRUSTED, .sections = SERVICE_KEY, .type = KEY_TYPE_BLOCKS,
        .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_UNIX, .field_offset = KEY_NO_FIELD),
    ROW(PROXY_TIMEOUT, .sections = SERVICE_KEY, .type = KEY_TYPE_NUMBER,
        .words = WORDS_MILLISECONDS, .minimum = 10, .maximum = 600000, .default_number = 5000,
        .modes = KEY_MODES_CONNECTION, .field_offset = FIELD(proxy_timeout_ms)),
    ROW(DEFAULT_USER, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_TEXT, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(OWN_USER, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_TEXT, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(HANDLERS, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_DIRECTORY, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(INCLUDE, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_PATTERNS, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(INETD_CONF, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_FILE, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(INTERPRETER, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_COMMAND,
        .modes = KEY_MODES_ALL, .field_offset = KEY_NO_FIELD),
    ROW(LOG, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_FILE, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(LOG_MODE, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_PERMISSIONS, .minimum = 0200,
        .maximum = 0777, .default_number = 0640, .field_offset = OPTION(log_mode),
        .modes = KEY_MODES_ALL),
    ROW(SYSLOG_FACILITY, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_CHOICE,
        .words = WORDS_FACILITIES, .field_offset = OPTION(syslog_facility),
        .modes = KEY_MODES_ALL),
    ROW(LOG_FORMAT, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_CHOICE,
        .default_number = LOG_FORMAT_AUTO, .words = WORDS_LOG_FORMATS,
        .field_offset = OPTION(log_format), .modes = KEY_MODES_ALL),
    ROW(LOG_LEVEL, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_CHOICE,
        .default_number = LOG_LEVEL_INFO, .words = WORDS_LOG_LEVELS,
        .field_offset = OPTION(log_level), .modes = KEY_MODES_ALL),
    ROW(CONTROL, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_FILE, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(STATUS, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_FILE, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(STATUS_MODE, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_PERMISSIONS, .maximum = 0777,
        .default_number = 0600, .field_offset = OPTION(status_mode), .modes = KEY_MODES_ALL),
    ROW(STRICT, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_BOOLEAN,
        .field_offset = OPTION(strict), .modes = KEY_MODES_ALL),
    ROW(LAUNCHERS, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_CHOICE,
        .default_number = LAUNCHERS_AUTO, .words = WORDS_LAUNCHERS,
        .field_offset = OPTION(launchers), .modes = KEY_MODES_ALL),
    ROW(ALL_MAX_CONNECTIONS, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_NUMBER,
        .words = WORDS_CONNECTIONS, .minimum = 1, .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
        .default_number = 32768, .modes = KEY_MODES_ALL,
        .field_offset = OPTION(max_connections_count)),
    ROW(ALL_MAX_PER_SOURCE, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_NUMBER,
        .words = WORDS_CONNECTIONS, .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
        .modes = KEY_MODES_ALL, .field_offset = OPTION(limits.max_per_source_count)),
    ROW(ALL_SOURCE_PREFIX, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_NUMBER,
        .words = WORDS_BITS, .minimum = 1, .maximum = 128, .default_number = 64,
        .modes = KEY_MODES_ALL, .field_offset = OPTION(limits.source_prefix_bits)),
    ROW(ALL_RATE, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_RATE, .modes = KEY_MODES_ALL,
        .field_offset = KEY_NO_FIELD),
    ROW(ALL_RATE_PER_SOURCE, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_RATE,
        .modes = KEY_MODES_ALL, .field_offset = KEY_NO_FIELD),
    ROW(ALL_WHEN_FULL, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_CHOICE,
        .words = WORDS_WHEN_FULL, .modes = KEY_MODES_ALL, .field_offset = OPTION(limits.when_full)),
    ROW(STRICT_MODES, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_BOOLEAN, .default_number = 1,
        .field_offset = OPTION(strict_modes), .modes = KEY_MODES_ALL),
    ROW(KEEPER, .sections = KEY_IN_SUPERVISOR, .type = KEY_TYPE_BOOLEAN,
        .field_offset = OPTION(keeper), .modes = KEY_MODES_ALL),
};
/* clang-format on */
