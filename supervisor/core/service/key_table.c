/* The rows. What each key is for stands in key_help.c. */
#include "core/service/key.h"

#include "core/service/service.h"

#define SERVICE_KEY (KEY_IN_SERVICE | KEY_IN_DEFAULTS)
#define FIELD(name) offsetof(struct service, name)
#define OPTION(name) offsetof(struct supervisor_options, name)

#define MODES_STREAM (KEY_MODES_ALL & ~(unsigned)KEY_MODE_UDP)
#define MODES_INTERNET (KEY_MODES_ALL & ~(unsigned)KEY_OVER_UNIX)
#define MODES_TCP (MODES_STREAM & MODES_INTERNET)
#define MODES_UNIX (MODES_STREAM & ~(unsigned)KEY_OVER_TCP)

static const char *const log_formats[] = {"logfmt", "json", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};
/* In the order of the enums of core/service/service.h. */
static const char *const handoffs[] = {"channel", "stdio", "listener", "pump", NULL};
static const char *const protocols[] = {"tcp", "udp", "unix", NULL};
static const char *const three_ways[] = {"auto", "no", "yes", NULL};
static const char *const error_streams[] = {"log", "socket", NULL};
static const char *const sandboxes[] = {"none", "low", NULL};
static const char *const outputs[] = {"log", "null", NULL};
static const char *const when_full[] = {"queue", "refuse", NULL};

/* clang-format 14 indents a table of this size twice. */
/* clang-format off */
const struct key key_table[KEY_COUNT] = {
    [KEY_LISTEN] =
        {
            .name = "listen",
            .sections = KEY_IN_SERVICE,
            .type = KEY_TYPE_LISTEN,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_LISTEN_NAMES] =
        {
            .name = "listen_names",
            .sections = KEY_IN_SERVICE,
            .type = KEY_TYPE_NAMES,
            .modes = KEY_MODE_LISTENER | KEY_MODE_UDP | KEY_OVER_ANY,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_HANDLER] =
        {
            .name = "handler",
            .sections = KEY_IN_SERVICE,
            .type = KEY_TYPE_COMMAND,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_ARGV0] =
        {
            .name = "argv0",
            .sections = KEY_IN_SERVICE,
            .type = KEY_TYPE_TEXT,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_HANDOFF] =
        {
            .name = "handoff",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CHOICE,
            .default_text = "channel",
            .choices = handoffs,
            .field_offset = FIELD(handoff),
            .modes = KEY_MODES_ALL,
        },
    [KEY_PROTOCOL] =
        {
            .name = "protocol",
            .sections = KEY_IN_SERVICE,
            .type = KEY_TYPE_CHOICE,
            .default_text = "tcp",
            .choices = protocols,
            .field_offset = FIELD(protocol),
            .modes = KEY_MODES_ALL,
        },
    [KEY_STDERR] =
        {
            .name = "stderr",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CHOICE,
            .default_text = "log",
            .modes = KEY_MODE_STDIO | KEY_MODE_PUMP | KEY_OVER_ANY,
            .choices = error_streams,
            .field_offset = FIELD(stderr_to),
        },
    [KEY_OUTPUT] =
        {
            .name = "output",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CHOICE,
            .default_text = "log",
            .modes = KEY_MODES_ALL,
            .choices = outputs,
            .field_offset = FIELD(output_to),
        },
    [KEY_OUTPUT_RATE] =
        {
            .name = "output_lines_per_s",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "lines a second",
            .maximum = 1000000,
            .default_text = "1000",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(output_lines_per_s),
        },
    [KEY_BIND] =
        {
            .name = "bind",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_HOST,
            .default_text = "0.0.0.0",
            .modes = MODES_INTERNET,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_V6ONLY] =
        {
            .name = "v6only",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_BOOLEAN,
            .default_text = "yes",
            .modes = MODES_INTERNET,
            .field_offset = FIELD(v6only),
        },
    [KEY_BACKLOG] =
        {
            .name = "backlog",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "connections",
            .minimum = 1,
            .maximum = 65535,
            .default_text = "511",
            .modes = MODES_STREAM,
            .field_offset = FIELD(backlog_count),
        },
    [KEY_MAX_CONNECTIONS] =
        {
            .name = "max_connections",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "connections",
            .minimum = 1,
            .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
            .default_text = "256",
            .modes = KEY_MODES_CONNECTION,
            .field_offset = FIELD(max_connections_count),
        },
    [KEY_MAX_PER_SOURCE] =
        {
            .name = "max_per_source",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "connections",
            .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
            .default_text = "0",
            .modes = KEY_MODES_CONNECTION,
            .field_offset = FIELD(limits.max_per_source_count),
        },
    [KEY_SOURCE_PREFIX] =
        {
            .name = "source_prefix_bits",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "bits",
            .minimum = 1,
            .maximum = 128,
            .default_text = "64",
            .modes = KEY_MODES_CONNECTION,
            .field_offset = FIELD(limits.source_prefix_bits),
        },
    [KEY_RATE] =
        {
            .name = "rate",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_RATE,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_RATE_PER_SOURCE] =
        {
            .name = "rate_per_source",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_RATE,
            .modes = KEY_MODES_CONNECTION,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_WHEN_FULL] =
        {
            .name = "when_full",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CHOICE,
            .default_text = "queue",
            .choices = when_full,
            .modes = KEY_MODES_CONNECTION,
            .field_offset = FIELD(limits.when_full),
        },
    [KEY_REFUSE_MESSAGE] =
        {
            .name = "refuse_message",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_TEXT,
            .modes = KEY_MODES_CONNECTION,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_HANDSHAKE_TIMEOUT] =
        {
            .name = "handshake_timeout_ms",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "milliseconds",
            .minimum = 10,
            .maximum = 600000,
            .default_text = "5000",
            .modes = KEY_MODE_CHANNEL | KEY_OVER_ANY,
            .field_offset = FIELD(handshake_timeout_ms),
        },
    [KEY_ATTEMPTS] =
        {
            .name = "attempts",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "processes",
            .minimum = 1,
            .maximum = 10,
            .default_text = "2",
            .modes = KEY_MODES_CONNECTION,
            .field_offset = FIELD(attempts_count),
        },
    [KEY_STOP_TIMEOUT] =
        {
            .name = "stop_timeout_ms",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "milliseconds",
            .maximum = 3600000,
            .default_text = "5000",
            .field_offset = FIELD(stop_timeout_ms),
            .modes = KEY_MODES_ALL,
        },
    [KEY_MAX_RUNTIME] =
        {
            .name = "max_runtime_ms",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "milliseconds",
            .maximum = 2592000000,
            .default_text = "0",
            .field_offset = FIELD(max_runtime_ms),
            .modes = KEY_MODES_ALL,
        },
    [KEY_IDLE_TIMEOUT] =
        {
            .name = "idle_timeout_ms",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "milliseconds",
            .maximum = 2592000000,
            .default_text = "0",
            .field_offset = FIELD(idle_timeout_ms),
            .modes = KEY_MODE_PUMP | KEY_OVER_ANY,
        },
    [KEY_FIRST_BYTE_TIMEOUT] =
        {
            .name = "first_byte_timeout_ms",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "milliseconds",
            .maximum = 3600000,
            .default_text = "0",
            .field_offset = FIELD(first_byte_timeout_ms),
            .modes = KEY_MODES_CONNECTION,
        },
    [KEY_SANDBOX] =
        {
            .name = "sandbox",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CHOICE,
            .default_text = "none",
            .choices = sandboxes,
            .field_offset = FIELD(sandbox),
            .modes = KEY_MODES_ALL,
        },
    [KEY_SUCCESS_EXIT] =
        {
            .name = "success_exit",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CODES,
            .default_text = "0",
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_END_WITH_SUPERVISOR] =
        {
            .name = "end_with_supervisor",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CHOICE,
            .default_text = "auto",
            .choices = three_ways,
            .field_offset = FIELD(end_with_supervisor),
            .modes = KEY_MODES_ALL,
        },
    [KEY_LEAVE_CHILDREN] =
        {
            .name = "leave_children",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CHOICE,
            .default_text = "auto",
            .choices = three_ways,
            .field_offset = FIELD(leave_children),
            .modes = KEY_MODES_ALL,
        },
    [KEY_ENVIRONMENT] =
        {
            .name = "environment",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_ENVIRONMENT,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_ENVIRONMENT_FROM] =
        {
            .name = "environment_from",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NAMES,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_DIRECTORY] =
        {
            .name = "directory",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_DIRECTORY,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_USER] =
        {
            .name = "user",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_TEXT,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_GROUP] =
        {
            .name = "group",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_TEXT,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_GROUPS] =
        {
            .name = "groups",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NAMES,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_CHROOT] =
        {
            .name = "chroot",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_DIRECTORY,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_UMASK] =
        {
            .name = "umask",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_PERMISSIONS,
            .maximum = 0777,
            .default_text = "0022",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(identity.umask_bits),
        },
    [KEY_NICE] =
        {
            .name = "nice",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "steps",
            .minimum = (uint32_t)-20,
            .maximum = 19,
            .default_text = "0",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(identity.nice_count),
        },
    [KEY_OOM_SCORE_ADJ] =
        {
            .name = "oom_score_adj",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "points",
            .minimum = (uint32_t)-1000,
            .maximum = 1000,
            .default_text = "0",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(identity.oom_score_adj),
        },
    [KEY_LIMIT_MEMORY] =
        {
            .name = "limit_memory",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_SIZE,
            .unit = "bytes",
            .minimum = 64,
            .maximum = 4095u * 1024u * 1024u,
            .default_text = "inherited",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(identity.limits[LIMIT_MEMORY_KIB]),
        },
    [KEY_LIMIT_CORE] =
        {
            .name = "limit_core",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_SIZE,
            .unit = "bytes",
            .minimum = 0,
            .maximum = 4095u * 1024u * 1024u,
            .default_text = "inherited",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(identity.limits[LIMIT_CORE_KIB]),
        },
    [KEY_LIMIT_CPU] =
        {
            .name = "limit_cpu_s",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_LIMIT,
            .unit = "seconds",
            .minimum = 1,
            .maximum = IDENTITY_UNLIMITED - 1,
            .default_text = "inherited",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(identity.limits[LIMIT_CPU_S]),
        },
    [KEY_LIMIT_FILES] =
        {
            .name = "limit_files",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_LIMIT,
            .unit = "files",
            .minimum = 4,
            .maximum = IDENTITY_UNLIMITED - 1,
            .default_text = "inherited",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(identity.limits[LIMIT_FILES_COUNT]),
        },
    [KEY_LIMIT_PROCESSES] =
        {
            .name = "limit_processes",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_LIMIT,
            .unit = "processes",
            .minimum = 1,
            .maximum = IDENTITY_UNLIMITED - 1,
            .default_text = "inherited",
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(identity.limits[LIMIT_PROCESSES_COUNT]),
        },
    [KEY_CAPABILITIES] =
        {
            .name = "capabilities",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NAMES,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_NO_NEW_PRIVILEGES] =
        {
            .name = "no_new_privileges",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_CHOICE,
            .default_text = "auto",
            .choices = three_ways,
            .modes = KEY_MODES_ALL,
            .field_offset = FIELD(no_new_privileges),
        },
    [KEY_ENABLED] =
        {
            .name = "enabled",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_BOOLEAN,
            .default_text = "yes",
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_ALLOW] =
        {
            .name = "allow",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_RULES,
            .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_UNIX,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_DENY] =
        {
            .name = "deny",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_RULES,
            .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_UNIX,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_ALLOW_UID] =
        {
            .name = "allow_uid",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_IDS,
            .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_TCP,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_ALLOW_GID] =
        {
            .name = "allow_gid",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_IDS,
            .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_TCP,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_HOURS] =
        {
            .name = "hours",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_HOURS,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_SOCKET_MODE] =
        {
            .name = "mode",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_PERMISSIONS,
            .maximum = 0777,
            .default_text = "0600",
            .modes = MODES_UNIX,
            .field_offset = FIELD(socket_mode),
        },
    [KEY_SOCKET_OWNER] =
        {
            .name = "owner",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_OWNER,
            .modes = MODES_UNIX,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_NODELAY] =
        {
            .name = "nodelay",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_BOOLEAN,
            .default_text = "no",
            .modes = MODES_TCP,
            .field_offset = FIELD(options.nodelay),
        },
    [KEY_KEEPALIVE] =
        {
            .name = "keepalive",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_BOOLEAN,
            .default_text = "no",
            .modes = MODES_TCP,
            .field_offset = FIELD(options.keepalive),
        },
    [KEY_KEEPALIVE_IDLE] =
        {
            .name = "keepalive_idle_s",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "seconds",
            .maximum = 32767,
            .default_text = "0",
            .modes = MODES_TCP,
            .field_offset = FIELD(options.keepalive_idle_s),
        },
    [KEY_KEEPALIVE_INTERVAL] =
        {
            .name = "keepalive_interval_s",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "seconds",
            .maximum = 32767,
            .default_text = "0",
            .modes = MODES_TCP,
            .field_offset = FIELD(options.keepalive_interval_s),
        },
    [KEY_KEEPALIVE_COUNT] =
        {
            .name = "keepalive_count",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "probes",
            .maximum = 127,
            .default_text = "0",
            .modes = MODES_TCP,
            .field_offset = FIELD(options.keepalive_count),
        },
    [KEY_DEFER_ACCEPT] =
        {
            .name = "defer_accept_s",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "seconds",
            .maximum = 3600,
            .default_text = "0",
            .modes = MODES_TCP,
            .field_offset = FIELD(options.defer_accept_s),
        },
    [KEY_RECEIVE_BUFFER] =
        {
            .name = "receive_buffer_bytes",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "bytes",
            .maximum = 268435456,
            .default_text = "0",
            .field_offset = FIELD(options.receive_buffer_bytes),
            .modes = KEY_MODES_ALL,
        },
    [KEY_SEND_BUFFER] =
        {
            .name = "send_buffer_bytes",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "bytes",
            .maximum = 268435456,
            .default_text = "0",
            .field_offset = FIELD(options.send_buffer_bytes),
            .modes = KEY_MODES_ALL,
        },
    [KEY_PROXY_PROTOCOL] =
        {
            .name = "proxy_protocol",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_BOOLEAN,
            .default_text = "no",
            .modes = KEY_MODES_CONNECTION,
            .field_offset = FIELD(proxy_protocol),
        },
    [KEY_PROXY_TRUSTED] =
        {
            .name = "proxy_trusted",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_BLOCKS,
            .modes = KEY_MODES_CONNECTION & ~(unsigned)KEY_OVER_UNIX,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_PROXY_TIMEOUT] =
        {
            .name = "proxy_timeout_ms",
            .sections = SERVICE_KEY,
            .type = KEY_TYPE_NUMBER,
            .unit = "milliseconds",
            .minimum = 10,
            .maximum = 600000,
            .default_text = "5000",
            .modes = KEY_MODES_CONNECTION,
            .field_offset = FIELD(proxy_timeout_ms),
        },
    [KEY_DEFAULT_USER] =
        {
            .name = "default_user",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_TEXT,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_HANDLERS] =
        {
            .name = "handlers",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_DIRECTORY,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_INTERPRETER] =
        {
            .name = "interpreter.EXT",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_COMMAND,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_LOG] =
        {
            .name = "log",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_FILE,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_LOG_FORMAT] =
        {
            .name = "log_format",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_CHOICE,
            .default_text = "logfmt",
            .choices = log_formats,
            .field_offset = OPTION(log_format),
            .modes = KEY_MODES_ALL,
        },
    [KEY_LOG_LEVEL] =
        {
            .name = "log_level",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_CHOICE,
            .default_text = "info",
            .choices = log_levels,
            .field_offset = OPTION(log_level),
            .modes = KEY_MODES_ALL,
        },
    [KEY_STRICT] =
        {
            .name = "strict",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_BOOLEAN,
            .default_text = "no",
            .field_offset = OPTION(strict),
            .modes = KEY_MODES_ALL,
        },
    [KEY_ALL_MAX_CONNECTIONS] =
        {
            .name = "max_connections",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_NUMBER,
            .unit = "connections",
            .minimum = 1,
            .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
            .default_text = "32768",
            .modes = KEY_MODES_ALL,
            .field_offset = OPTION(max_connections_count),
        },
    [KEY_ALL_MAX_PER_SOURCE] =
        {
            .name = "max_per_source",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_NUMBER,
            .unit = "connections",
            .maximum = SERVICE_TABLE_CONNECTIONS_MAX_COUNT,
            .default_text = "0",
            .modes = KEY_MODES_ALL,
            .field_offset = OPTION(limits.max_per_source_count),
        },
    [KEY_ALL_SOURCE_PREFIX] =
        {
            .name = "source_prefix_bits",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_NUMBER,
            .unit = "bits",
            .minimum = 1,
            .maximum = 128,
            .default_text = "64",
            .modes = KEY_MODES_ALL,
            .field_offset = OPTION(limits.source_prefix_bits),
        },
    [KEY_ALL_RATE] =
        {
            .name = "rate",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_RATE,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_ALL_RATE_PER_SOURCE] =
        {
            .name = "rate_per_source",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_RATE,
            .modes = KEY_MODES_ALL,
            .field_offset = KEY_NO_FIELD,
        },
    [KEY_ALL_WHEN_FULL] =
        {
            .name = "when_full",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_CHOICE,
            .default_text = "queue",
            .choices = when_full,
            .modes = KEY_MODES_ALL,
            .field_offset = OPTION(limits.when_full),
        },
    [KEY_STRICT_MODES] =
        {
            .name = "strict_modes",
            .sections = KEY_IN_SUPERVISOR,
            .type = KEY_TYPE_BOOLEAN,
            .default_text = "yes",
            .field_offset = OPTION(strict_modes),
            .modes = KEY_MODES_ALL,
        },
};
/* clang-format on */
