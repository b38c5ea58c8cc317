/*
 * The validated, immutable table of services: what the rest of the supervisor reads.
 *
 * Built from a `struct config` (core/config/config.h) by service_table_build(), which owns every
 * rule about values that belong together: port clashes, handlers that are missing, keys that a mode
 * cannot honour. All texts are UTF-8 and owned by the table.
 */
#ifndef BATON_SERVICE_SERVICE_H
#define BATON_SERVICE_SERVICE_H

#include "core/base/address.h"
#include "core/base/error.h"
#include "core/base/identity.h"
#include "core/base/path_facts.h"
#include "core/base/rate.h"
#include "core/base/rule_tree.h"
#include "core/base/socket_options.h"
#include "core/config/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Places where one service, and all of a table together, may listen. */
#define SERVICE_LISTEN_MAX_COUNT 1024u
#define SERVICE_TABLE_LISTEN_MAX_COUNT 4096u
/* The sum of max_connections of all services of a table. */
#define SERVICE_TABLE_CONNECTIONS_MAX_COUNT 32768u
/* Processes that share the listeners of a service. */
#define SERVICE_WORKERS_MAX_COUNT 1024u

/* TEXT is for people; AUTO is that on a terminal, and elsewhere LOGFMT. */
/* How many; NONE and those above it in steps of one. */
enum launchers { LAUNCHERS_AUTO, LAUNCHERS_NONE };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMAT_TEXT, LOG_FORMAT_AUTO };
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* How a handler gets its connections. DESIGN.md, "What each mode can do". */
enum service_handoff {
    HANDOFF_CHANNEL,  /* an OFFER on a channel carries the socket */
    HANDOFF_STDIO,    /* the connection is standard input and output */
    HANDOFF_LISTENER, /* the listening (or UDP) socket itself is handed over */
    HANDOFF_PUMP      /* the supervisor relays between the connection and pipes */
};

enum service_protocol { PROTOCOL_TCP, PROTOCOL_UDP, PROTOCOL_UNIX };

enum service_stderr { STDERR_LOG, STDERR_SOCKET };
enum service_output { OUTPUT_LOG, OUTPUT_NULL };

enum service_sandbox { SANDBOX_NONE, SANDBOX_LOW };

/* AUTO depends on the mode. */
enum service_choice { CHOICE_AUTO, CHOICE_NO, CHOICE_YES };

enum service_when_full { WHEN_FULL_QUEUE, WHEN_FULL_REFUSE };

/* How many may come and how fast: to a service, or to all of them together. */
struct service_limits {
    uint32_t max_per_source_count; /* live connections of one source at once; 0 = no limit */
    uint32_t source_prefix_bits;   /* 1..128: what of an IPv6 address makes it one source */
    uint32_t when_full; /* enum service_when_full: limits of the whole; those by source refuse */
    struct rate_limit rate, rate_per_source;
};

/* One place where a service listens. */
struct service_listen {
    struct address address; /* TCP, UDP: family set; a local socket: ADDRESS_UNIX alone */
    const char *path;       /* of a local socket, absolute; else NULL */
    const char *name;       /* in LISTEN_FDNAMES; NULL = the service's */
};

/* Minutes of the local day, 0..1439, both let in; last < first = over midnight. */
struct service_hours {
    uint32_t first_minute, last_minute;
};

/* The keys that say who is let in: KEY_ALLOW and those after it. */
#define SERVICE_ACCESS_KEY_COUNT 5u

/* The longest file of rules. */
#define SERVICE_RULES_FILE_MAX_BYTES (16u * 1024u * 1024u)

struct service {
    const char *name;              /* unique; the section's name, or the handler's in [ports] */
    const char *file;              /* the piece of the config that it stands in; NULL = the main */
    struct service_listen *listen; /* listen_count entries */
    size_t listen_count;           /* at least 1 */
    uint32_t handoff;              /* enum service_handoff */
    uint32_t protocol;             /* enum service_protocol */
    bool has_channel;              /* HANDOFF_CHANNEL; HANDOFF_LISTENER where listeners are not
                                      inherited (Windows) */
    bool argv_varies;              /* argv has templates */
    bool strict_modes;             /* who else may change what it runs is looked at */
    bool has_shell_words;          /* `handler` has what only a shell would obey */
    bool is_open_unsaid;           /* it is at every address, because none is written */
    bool has_own_user;             /* `user` is written, here or in [defaults] */
    bool lacks; /* something that it needs was not there when the table was built (lack.h) */
    uint32_t max_connections_count; /* live connections at once; accepting pauses at that number.
                                       For HANDOFF_LISTENER, whose one "connection" is an
                                       activation, the life of the process that has the listener: 1
                                       or workers_count, with a channel for each listen entry */
    const char *program;            /* absolute path of what is executed (handler or interpreter) */
    const char *handler;            /* absolute path of the handler itself */
    char **argv;           /* argc texts and a NULL; argv[0] = argv0, or the handler's name */
    size_t argc;           /* at least 1 */
    const char *directory; /* working directory, absolute, in its own root; NULL = the supervisor's
                              own, or that root */
    char **environment; /* environment_count texts NAME=VALUE and a NULL: additions only, what the
                           config says and then BATON_HANDOFF and its like */
    size_t environment_count;
    /* The names of the variables that depend on the connection (core/service/facts.h), and of those
     * of `environment` that have templates, which are not in `environment` then; ends with NULL. */
    const char **variables;
    size_t variable_count;
    const char **variable_templates; /* their values: variable_count templates */
    size_t launch_bytes; /* room for what one launch adds: the values, and argv if it varies */
    char **inherited;    /* what it gets of the supervisor's environment, and HOME and USER:
                            inherited_count texts NAME=VALUE and a NULL */
    size_t inherited_count;
    /* The keys as they stand; NULL = not given. Without argv0 argv[0] is as `handler` has it. */
    const char *environment_from, *capabilities, *listen_names, *argv0;
    uint32_t stderr_to;          /* enum service_stderr; LOG but for stdio and pump */
    uint32_t output_to;          /* enum service_output; where output is not the client's */
    uint32_t output_lines_per_s; /* 0 = no limit */
    uint32_t log_served;         /* 0: a connection that was served has no record */
    const char *log;  /* absolute path of the file of its own lines; NULL = where others' are */
    const char *user; /* the name of the account in `identity`; NULL = as the supervisor */
    struct identity identity;   /* as whom it runs, and within which limits */
    uint32_t no_new_privileges; /* enum service_choice */
    uint32_t backlog_count;     /* waiting connections the system may queue, a hint to listen() */
    uint32_t v6only;            /* 0: an IPv6 listener takes IPv4 clients too */
    struct socket_options options;          /* of accepted sockets */
    uint32_t socket_mode;                   /* local sockets: permission bits of the file */
    const char *socket_user, *socket_group; /* local sockets: the file's owner; NULL = left alone */
    uint32_t socket_ids[2]; /* the same two as numbers; IDENTITY_SAME = left alone */
    uint32_t
        proxy_protocol; /* 1: every connection begins with a PROXY header (core/door/proxy.h) */
    uint32_t proxy_timeout_ms;           /* from accept to the end of that header */
    struct address_block *proxy_trusted; /* who may send one: proxy_trusted_count blocks */
    size_t proxy_trusted_count;          /* at least 1 with proxy_protocol */
    /* Who is let in (core/door/access.h). The tree may be that of other services as well, which it
     * counts; NULL = every address. Local sockets: no users and no groups = everybody. */
    struct rule_tree *access;
    uint32_t *allow_uids, *allow_gids;
    size_t allow_uid_count, allow_gid_count;
    struct service_hours *hours; /* hours_count ranges; 0 = always */
    size_t hours_count;
    const char *access_texts[SERVICE_ACCESS_KEY_COUNT]; /* these keys as they stand; NULL = not
                                                           given */
    struct service_limits limits;
    uint32_t attempts_count; /* handler processes a connection is offered to before giving up; 1 for
                                HANDOFF_LISTENER */
    const char *refuse_message; /* a template, what a client who is refused reads; NULL = nothing */
    /* HANDOFF_CHANNEL alone, until `workers_count`; elsewhere as the table has them. */
    uint32_t reuse_count;        /* offers one handler process gets in its life; 0 = without end */
    uint32_t capacity_count;     /* the most of them at a time; 0 = as it says itself in HELLO */
    uint32_t max_handlers_count; /* processes that take clients or will, at most
                                    max_connections_count; 0 = as that: service_max_handlers() */
    /* Connections that could be had at once without a launch: where that number starts, and its
     * bounds. min <= spares <= max <= service_max_handlers(); all 0 = nothing is launched ahead. */
    uint32_t spares_count, spares_min_count, spares_max_count;
    bool is_spares_written[3]; /* each of them: the config says it, and not another that implies it
                                */
    uint32_t idle_exit_s;      /* of a process that holds nothing; 0 = it stays */
    uint32_t retire_after_s;   /* from its launch; 0 = whatever its age */
    uint32_t
        retire_memory_mib;  /* resident, when it has finished a connection; 0 = whatever it is */
    uint32_t workers_count; /* HANDOFF_LISTENER: processes that share the listeners from the
                               start; 0 = one, which the first client launches */
    uint32_t handshake_timeout_ms;  /* launch to HELLO, and offer to ACK */
    uint32_t first_byte_timeout_ms; /* until the client has sent something; 0 = not awaited */
    uint32_t *success_exits;        /* success_exit_count exit codes; 0 = just 0 */
    size_t success_exit_count;
    uint32_t end_with_supervisor; /* enum service_choice */
    uint32_t leave_children;      /* enum service_choice */
    uint32_t stop_timeout_ms;     /* from DRAIN to terminate, and from terminate to kill */
    uint32_t max_runtime_ms;      /* of a connection that is held; 0 = no limit */
    uint32_t idle_timeout_ms;     /* of a pump, without a byte either way; 0 = no limit */
    uint32_t sandbox;             /* enum service_sandbox */
    /* Lines of the config, with their files, for messages; 0 = none: where the service is defined,
     * and these keys. service_file() names the file. */
    size_t line, handler_line, directory_line, listen_line;
    uint64_t needed_capabilities; /* the supervisor's, as another user than root (kept.c) */
};

/* The file that a line of the service, or a rule that it wrote itself, is in: its own one, or the
 * main one, which is called `config_file` (may be NULL). */
static inline const char *service_file(const struct service *service, size_t line,
                                       const char *config_file) {
    return config_line_file(line) > 0 ? service->file : config_file;
}

/* True if a handler is told (SIGTERM) when the supervisor has ended without stopping it. AUTO: one
 * that has a listening socket, whose port would stay taken. */
bool service_ends_with_supervisor(const struct service *service);

/* True if what a handler leaves running when it exits lives on, through a stop as well. AUTO: but
 * for HANDOFF_CHANNEL, as under inetd. */
bool service_leaves_children(const struct service *service);

/* True if something is awaited on a connection before it is served. */
static inline bool service_has_preface(const struct service *service) {
    return service->proxy_protocol != 0 || service->first_byte_timeout_ms > 0;
}

/* True if its handler processes are not launched for one connection each: they may be there before
 * it, and serve others after it. */
static inline bool service_serves_many(const struct service *service) {
    return service->handoff == HANDOFF_CHANNEL &&
           (service->reuse_count != 1 || service->spares_max_count > 0);
}

/* How many of its processes may take clients, or will: 1 or more. Workers may all be replaced
 * before those before them have ended. */
static inline uint32_t service_max_handlers(const struct service *service) {
    uint32_t generations = service->workers_count > 0 ? 2 : 1;
    return service->max_handlers_count != 0 ? service->max_handlers_count
                                            : generations * service->max_connections_count;
}

/* How many connections a handler process is told that it is offered in its life; 0 = there is no
 * bound. Who has a listener takes as many as it likes. */
static inline uint32_t service_reuse(const struct service *service) {
    return service->handoff == HANDOFF_LISTENER ? 0 : service->reuse_count;
}

/* True if what a handler executes cannot give it more rights (set-user-ID programs). AUTO: for
 * HANDOFF_CHANNEL; inetd's programs may need such ones. */
bool service_forbids_new_privileges(const struct service *service);

struct supervisor_options {
    const char *handlers;        /* the handlers folder, absolute */
    const char *log;             /* absolute path of the log file; NULL = standard error */
    const char *default_user;    /* of services without `user` when started with privileges, as it
                                    stands in the config; NULL = none */
    const char *user;            /* whom the supervisor becomes; NULL = it stays who it is */
    struct identity identity;    /* of `user`: ids, groups, and the capabilities that are kept */
    bool forbids_new_privileges; /* with `user`: every service does */
    const char *control;         /* where control clients come: a path; "" = nowhere; NULL = nothing
                                    is said */
    const char *status;       /* the same of those who ask for the status alone; NULL = nowhere */
    uint32_t status_mode;     /* permission bits of that one */
    bool log_is_syslog;       /* `log` is where a syslog listens */
    bool has_log_mode;        /* the config says it */
    uint32_t log_mode;        /* permission bits of a log file that is made */
    uint32_t syslog_facility; /* 0 = daemon, 1 = user, 2 = local0, and so on */
    enum log_format log_format;
    enum launchers launchers;
    enum log_level log_level;
    uint32_t max_connections_count; /* of all services together */
    struct service_limits limits;   /* for all services together */
    uint32_t strict;                /* 1: a service that lacks something keeps all from starting */
    uint32_t keeper;                /* 1: baton-keeper starts it again when it has crashed */
    uint32_t strict_modes;          /* 1: with privileges, what others may change is refused */
};

/* The facility's number, RFC 3164. */
static inline uint32_t service_syslog_code(const struct supervisor_options *options) {
    return options->syslog_facility > 1 ? 14 + options->syslog_facility
                                        : 3 - 2 * options->syslog_facility;
}

/* Read-only once built. Owner: whoever called service_table_build(). */
struct service_table {
    struct service *services; /* enabled services only, in the order of the file */
    size_t service_count;
    size_t disabled_count; /* services with enabled = no */
    size_t piece_count;    /* files that it was made of, beside the main config */
    bool needs_privileges; /* checks_only: it does not have them */
    /* Why guests are not served (config/problems.h): lines of text; NULL = there are none. */
    const char *warnings;
    struct supervisor_options options;
    struct rule_tree **accesses; /* access_count trees, of which the table is a user */
    size_t access_count;
    struct arena *arena; /* owns all of the above */
};

/* What validation has to know of the machine; core/ itself never asks the system. */
struct service_machine {
    const char *executable_suffix; /* "" or ".exe": appended to a handler name that lacks it */
    bool scripts_need_interpreter; /* true on Windows: a file without the suffix needs one */
    bool backslash_separates;      /* true on Windows: '\\' and drive letters form paths */
    bool inherits_listeners;       /* true on POSIX: a listener is handed over at launch */
    const char *config_file;       /* as messages name it; NULL = they do not */
    const char *config_path; /* the same, absolute; NULL = who may change it is not looked at */
    bool config_is_found;    /* nobody named it: that others are trusted is not for it to say */
    bool config_is_input;    /* it was read from standard input, and cannot be read again */
    /* Absolute; relative paths in the config start here: the folder that holds the config file. */
    const char *base_directory;
    /* Absolute; used when neither --handlers nor the config names one. */
    const char *handlers_directory;
    const char *handlers_override; /* --handlers DIR, made absolute; NULL = not given */
    /* Tells whether `path` names a file that can be executed (for a script with interpreter: read).
     * BATON_OK, BATON_NOT_FOUND, BATON_NOT_EXECUTABLE, BATON_DENIED, or BATON_INVALID for a folder.
     */
    int (*probe_program)(void *context, const char *path);
    /* The same for a folder: BATON_OK, BATON_NOT_FOUND, BATON_INVALID when it is not a folder. */
    int (*probe_directory)(void *context, const char *path);
    uint32_t *looks_left; /* how often list_folder is called yet, counted down, as a folder takes
                             long to read; NULL = as often as it helps */
    /* Tells the names in a folder (platform_directory_list()); NULL = nothing is suggested. */
    int (*list_folder)(const char *path, void (*visit)(void *context, const char *name),
                       void *context, struct baton_cause *cause);
    /* Reads the first bytes of a file (platform_file_read()); NULL = who runs a program is not
     * looked at. */
    int (*read_file)(const char *path, void *buffer, size_t capacity, size_t *length,
                     struct baton_cause *cause);
    /* Reads a file of rules (platform_file_read()). */
    int (*read_rules)(const char *path, void *buffer, size_t capacity, size_t *length,
                      struct baton_cause *cause);
    const char *const *environment; /* the supervisor's own: texts NAME=VALUE and a NULL; NULL =
                                       handlers inherit nothing */
    const char *basic_variables;    /* names of those that all programs get: one behind the other,
                                       each with its NUL, and an empty one */
    /* Windows: whether a variable NAME=VALUE has the name whose `length` bytes these are, which
     * there have no case. Not called elsewhere. */
    bool (*is_variable)(const char *variable, const char *name, size_t length);
    /* The accounts of the machine, by name or number; `name` NULL: whose the supervisor is, which
     * has no name but its number if there is none. BATON_OK, BATON_NOT_FOUND, BATON_NO_MEMORY.
     * NULL = programs cannot run as others (Windows). */
    int (*find_user)(void *context, const char *name, struct account *out);
    int (*find_group)(void *context, const char *name, uint32_t *gid);
    /* Whether one of its limits is above what the supervisor may set without privileges. */
    bool (*raises_limits)(void *context, const struct identity *identity);
    bool checks_only; /* nothing will be started: what another supervisor could do is no fault */
    bool runs_other_formats; /* programs may be of any format and processor (binfmt_misc) */
    uint32_t own_machine;    /* struct program_head.machine of the supervisor itself */
    /* The port of a service name ("rsync") in the system's database, for TCP or UDP. BATON_OK or
     * BATON_NOT_FOUND. */
    int (*find_port)(void *context, const char *name, bool udp, uint16_t *port);
    /* Looks at one name itself, a link included: BATON_OK, BATON_NOT_FOUND, BATON_DENIED,
     * BATON_UNSUPPORTED, BATON_SYSTEM. NULL = who owns a file is not looked at. */
    int (*inspect)(void *context, const char *path, struct path_facts *out);
    bool is_privileged; /* the supervisor can do what other accounts cannot */
    void *context;
};

/* Validates `config`, from which it drops what it does not know, and builds the table. Every fault
 * is added to `problems` (all of them, not the first only); returns BATON_OK, BATON_INVALID when
 * there were problems (then *out is empty), or BATON_NO_MEMORY. Where services lack what may come
 * yet (lack.h), and some lack nothing, that is BATON_OK unless they are not to start without them
 * (`strict`): problems->lacks_count tells, and each has `lacks`. What is wrong with guests
 * (config_problems_welcome()) is no fault then, but stands in the table's `warnings`. Neither
 * blocks nor does I/O except through `machine`. */
int service_table_build(struct config *config, const struct service_machine *machine,
                        struct config_problems *problems, struct service_table *out);

/* Says of a guest that a service of the config, at `by_line`, goes before it. */
void service_report_masked(struct config_problems *problems, size_t line, const char *name,
                           size_t by_line);

/* True if a handler of the service that has ended with this exit code has done well. */
bool service_exit_is_success(const struct service *service, uint32_t code);

/* What the listener at one of the service's places is called where it is handed over. */
const char *service_place_name(const struct service *service, size_t place);

/* Writes the effective table as a person would read it: a line for each service (name, where it
 * listens, command), the keys that differ from their default below it, marked with `*`; with
 * `has_defaults` then the other defaults and the supervisor's options. */
void service_table_print(const struct service_table *table, bool has_defaults, text_emit *emit,
                         void *context);
/* The last line: "valid, 2 services, 1 switched off, 3 pieces, 1 warning". */
void service_table_print_verdict(const struct service_table *table, size_t warning_count,
                                 text_emit *emit, void *context);
/* Writes what is valid and perhaps not meant, each kind in one line, "FILE:LINE: warning: SERVICE,
 * SERVICE: text"; FILE is machine->config_file. Returns how many lines. Reads from the disk through
 * `machine`, for which the table was built. */
size_t service_table_warn(const struct service_table *table, const struct service_machine *machine,
                          text_emit *emit, void *context);
/* One service alone, and the supervisor's options alone, in the same form. */
void service_print(const struct service *service, text_emit *emit, void *context);
void service_print_options(const struct supervisor_options *options, text_emit *emit,
                           void *context);
/* The services alone: what does not change with each key that is added. */
void service_table_print_services(const struct service_table *table, text_emit *emit,
                                  void *context);

/* Frees everything and leaves the table empty; an empty (zeroed) table is accepted. */
void service_table_clear(struct service_table *table);

#endif
