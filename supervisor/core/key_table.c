/* The rows. The help texts are the reference (conf/KEYS.md). */
#include "core/key.h"

#include "core/service.h"

#define SERVICE_KEY (KEY_IN_SERVICE | KEY_IN_DEFAULTS)
#define FIELD(name) offsetof(struct service, name)
#define OPTION(name) offsetof(struct supervisor_options, name)

static const char *const log_formats[] = {"logfmt", "json", NULL};
static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

const struct key key_table[KEY_COUNT] = {
    [KEY_LISTEN] = {"listen", KEY_IN_SERVICE, KEY_TYPE_LISTEN, NULL, 0, 0, NULL, KEY_MODES_ALL,
                    NULL, KEY_NO_FIELD,
                    "Where to listen: `PORT`, `HOST:PORT` or `[IPV6]:PORT`. Without a host the "
                    "address of `bind` is taken. Port 0 lets the system choose a free port; the "
                    "log tells which. Required in every section of a service."},
    [KEY_HANDLER] = {"handler", KEY_IN_SERVICE, KEY_TYPE_COMMAND, NULL, 0, 0, NULL, KEY_MODES_ALL,
                     NULL, KEY_NO_FIELD,
                     "The program to launch and its arguments, see \"Commands\". Required in every "
                     "section of a service; in `[ports]` it is the value of the line."},
    [KEY_ARGV0] = {"argv0", KEY_IN_SERVICE, KEY_TYPE_TEXT, NULL, 0, 0, NULL, KEY_MODES_ALL, NULL,
                   KEY_NO_FIELD,
                   "What the handler is told to be called (its argument number 0); otherwise "
                   "that is the program as `handler` names it. Not together with an interpreter."},
    [KEY_BIND] = {"bind", SERVICE_KEY, KEY_TYPE_HOST, NULL, 0, 0, "0.0.0.0", KEY_MODES_ALL, NULL,
                  KEY_NO_FIELD,
                  "The address for every `listen` that names a port only. `0.0.0.0` is every IPv4 "
                  "address of this machine and `::` every IPv6 address; `127.0.0.1` and `::1` can "
                  "be reached from this machine only."},
    [KEY_BACKLOG] = {"backlog", SERVICE_KEY, KEY_TYPE_NUMBER, "connections", 1, 65535, "511",
                     KEY_MODES_ALL, NULL, FIELD(backlog_count),
                     "How many clients the system may keep waiting until they are accepted; a hint "
                     "to the system, which may take less."},
    [KEY_MAX_CONNECTIONS] = {"max_connections", SERVICE_KEY, KEY_TYPE_NUMBER, "connections", 1,
                             65536, "256", KEY_MODES_CONNECTION, NULL, FIELD(max_connections_count),
                             "How many connections of this service may live at once. At that "
                             "number accepting pauses, and further clients wait. All services "
                             "together: at most 32768."},
    [KEY_HANDSHAKE_TIMEOUT] = {"handshake_timeout_ms", SERVICE_KEY, KEY_TYPE_NUMBER, "milliseconds",
                               10, 600000, "5000", KEY_MODE_CHANNEL, NULL,
                               FIELD(handshake_timeout_ms),
                               "How long a handler has from its launch until it says HELLO, and "
                               "from an offer until it acknowledges it."},
    [KEY_ATTEMPTS] = {"attempts", SERVICE_KEY, KEY_TYPE_NUMBER, "processes", 1, 10, "2",
                      KEY_MODES_CONNECTION, NULL, FIELD(attempts_count),
                      "To how many handler processes, one after the other, a connection is offered "
                      "before it is given up."},
    [KEY_STOP_TIMEOUT] = {"stop_timeout_ms", SERVICE_KEY, KEY_TYPE_NUMBER, "milliseconds", 0,
                          3600000, "5000", KEY_MODES_ALL, NULL, FIELD(stop_timeout_ms),
                          "How long a handler that was asked to drain may go on before it is "
                          "terminated, and after that before it is killed."},
    [KEY_ENVIRONMENT] =
        {"environment", SERVICE_KEY, KEY_TYPE_ENVIRONMENT, NULL, 0, 0, NULL, KEY_MODES_ALL, NULL,
         KEY_NO_FIELD,
         "Variables `NAME=VALUE` that the handler gets besides those of the "
         "supervisor, separated by blanks; quote as in \"Commands\": "
         "`LANGUAGE=en MOTTO=\"mind the gap\"`. Names that begin with `BATON_` are "
         "reserved. A service that has the key does not get those of `[defaults]`."},
    [KEY_DIRECTORY] = {"directory", SERVICE_KEY, KEY_TYPE_DIRECTORY, NULL, 0, 0, NULL,
                       KEY_MODES_ALL, NULL, KEY_NO_FIELD,
                       "The folder in which the handler starts; otherwise it is the supervisor's."},
    [KEY_ENABLED] =
        {"enabled", SERVICE_KEY, KEY_TYPE_BOOLEAN, NULL, 0, 1, "yes", KEY_MODES_ALL, NULL,
         KEY_NO_FIELD,
         "`no` switches the service off and leaves its lines where they are. Its values "
         "are still checked, but its handler and folder need not exist."},
    [KEY_HANDLERS] = {"handlers", KEY_IN_SUPERVISOR, KEY_TYPE_DIRECTORY, NULL, 0, 0, NULL,
                      KEY_MODES_ALL, NULL, KEY_NO_FIELD,
                      "The handlers folder. `--handlers` on the command line goes before it; "
                      "without either it is the folder `handlers` of the installation."},
    [KEY_INTERPRETER] =
        {"interpreter.EXT", KEY_IN_SUPERVISOR, KEY_TYPE_COMMAND, NULL, 0, 0, NULL, KEY_MODES_ALL,
         NULL, KEY_NO_FIELD,
         "The program, with arguments, that runs handlers whose file name ends in "
         "`.EXT`: with `interpreter.py = /usr/bin/python3 -u`, the handler `a.py x` "
         "runs as `/usr/bin/python3 -u /path/of/a.py x`. On Windows every handler "
         "that is no .exe needs one; elsewhere a script names its own interpreter "
         "in its first line, `#!`. On Windows .bat and .cmd are always refused: "
         "what a client sends could reach their command line and be run."},
    [KEY_LOG] = {"log", KEY_IN_SUPERVISOR, KEY_TYPE_FILE, NULL, 0, 0, NULL, KEY_MODES_ALL, NULL,
                 KEY_NO_FIELD,
                 "The log file; it is created, or appended to. Otherwise the log goes to standard "
                 "error."},
    [KEY_LOG_FORMAT] = {"log_format", KEY_IN_SUPERVISOR, KEY_TYPE_CHOICE, NULL, 0, 0, "logfmt",
                        KEY_MODES_ALL, log_formats, OPTION(log_format),
                        "One line per event, as `key=value` pairs or as a JSON object."},
    [KEY_LOG_LEVEL] = {"log_level", KEY_IN_SUPERVISOR, KEY_TYPE_CHOICE, NULL, 0, 0, "info",
                       KEY_MODES_ALL, log_levels, OPTION(log_level),
                       "The least important events that are still logged."},
};
