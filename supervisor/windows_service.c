#include "windows_service.h"

#include "consult.h"
#include "core/base/text.h"
#include "load.h"
#include "platform/platform.h"
#include "platform/windows_service.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

/* Windows' numbers, of which people are told what to do. */
enum {
    ACCESS_DENIED = 5,
    SERVICE_ALREADY_RUNNING = 1056,
    SERVICE_DISABLED = 1058,
    SERVICE_DOES_NOT_EXIST = 1060,
    SERVICE_CANNOT_ACCEPT_CONTROL = 1061,
    SERVICE_NOT_ACTIVE = 1062,
    NOT_STARTED_BY_THE_SCM = 1063,
    SERVICE_LOGON_FAILED = 1069,
    SERVICE_MARKED_FOR_DELETE = 1072,
    SERVICE_EXISTS = 1073
};

static const char help[] =
    "usage: batond service install [--name NAME] [-c FILE] [--handlers DIR]\n"
    "       batond service uninstall|start|stop|reload|status [--name NAME]\n"
    "\n"
    "Makes batond a service of Windows, which starts with the system, and removes it;\n"
    "starts and stops it; has it read its config anew; tells whether it runs. All but\n"
    "status take an administrator.\n"
    "\n"
    "  --name NAME        of the service, default batond; it runs as NT SERVICE\\NAME, which has\n"
    "                     to be allowed to read the config and the handlers\n"
    "  -c, --config FILE  the config; else the first that batond finds here and now\n"
    "  --handlers DIR     where handler names are looked up\n"
    "  --help             print this and end\n"
    "\n"
    "What the service says before its log is open, and its log where the config names no other,\n"
    "is in %ProgramData%\\baton\\NAME.log, and so is what comes of reload. Start, stop, places\n"
    "where it cannot listen and handlers that crash are in the Event Log, too, source NAME.\n"
    "\n"
    "exit: 0 done, status: it runs; 64 usage; 69 status: it does not run, or there is no such\n"
    "      service; 71 Windows refused; 75 it stands still; 77 only an administrator may;\n"
    "      78 config\n";

struct request {
    const char *verb;
    const char *name;
    const char *config;   /* NULL = not given */
    const char *handlers; /* the same */
    const char *log;      /* of run alone */
    bool help;
};

/* ---- What is said ---- */

static const char *advice(const struct baton_cause *cause) {
    static const struct {
        long number;
        const char *text;
    } rows[] = {
        {ACCESS_DENIED, "; run this as an administrator"},
        {SERVICE_ALREADY_RUNNING, "; `batond service status` tells more"},
        {SERVICE_DISABLED, "; `sc config NAME start= delayed-auto` enables it"},
        {SERVICE_DOES_NOT_EXIST, "; `batond service install` makes it, `--name` says which"},
        {SERVICE_CANNOT_ACCEPT_CONTROL, "; it is starting or stopping"},
        {SERVICE_NOT_ACTIVE, "; `batond service start` starts it"},
        {NOT_STARTED_BY_THE_SCM, "; this is for Windows alone, run `batond service start`"},
        {SERVICE_LOGON_FAILED,
         "; the policy `Log on as a service` must let NT SERVICE\\ALL SERVICES"},
        {SERVICE_MARKED_FOR_DELETE, "; close what shows services (services.msc), and try again"},
        {SERVICE_EXISTS, "; `batond service uninstall` removes it, `--name` makes a second one"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].number == cause->system_code) {
            return rows[i].text;
        }
    }
    return "";
}

static enum exit_code fail(const struct request *request, int result,
                           const struct baton_cause *cause) {
    char text[1024], words[512];
    if (cause->call == NULL) {
        complain(request->name, baton_error_text(result));
        return EXIT_SYSTEM;
    }
    text_format(text, sizeof text, "%s: error %ld: %s%s", cause->call, cause->system_code,
                platform_error_text(cause->system_code, words, sizeof words), advice(cause));
    complain(request->name, text);
    return cause->system_code == ACCESS_DENIED ? EXIT_DENIED : EXIT_SYSTEM;
}

static const char *log_of(const struct request *request) {
    static char path[PATH_BYTES];
    return platform_windows_service_log(request->name, path, sizeof path) == BATON_OK
               ? path
               : "%ProgramData%\\baton";
}

static void say(const struct request *request, const char *what) {
    char text[PATH_BYTES + 256];
    text_format(text, sizeof text, "%s: %s\n", request->name, what);
    print_out(NULL, text);
}

static void say_skipped(void *context, const char *setting) {
    char text[256];
    text_format(text, sizeof text, "this system (Wine) does not have %s", setting);
    say(context, text);
}

/* "stopped; batond ended with 78" */
static void describe(const struct windows_service_status *status, char *out, size_t size_bytes) {
    static const char *const words[] = {[WINDOWS_SERVICE_STOPPED] = "stopped",
                                        [WINDOWS_SERVICE_STARTING] = "starting",
                                        [WINDOWS_SERVICE_RUNNING] = "running",
                                        [WINDOWS_SERVICE_STOPPING] = "stopping",
                                        [WINDOWS_SERVICE_OTHER] = "in a state that is not ours"};
    char system_words[512];
    size_t length = (size_t)text_format(out, size_bytes, "%s", words[status->state]);
    if (status->host_pid != 0) {
        text_format(out + length, size_bytes - length, ", pid %u", (unsigned)status->host_pid);
    } else if (status->exit_code != 0) {
        text_format(out + length, size_bytes - length, "; batond ended with %u%s",
                    (unsigned)status->exit_code,
                    status->exit_code == EXIT_CONFIG_INVALID ? " (config)" : "");
    } else if (status->system_code != 0) {
        text_format(
            out + length, size_bytes - length, "; error %u: %s", (unsigned)status->system_code,
            platform_error_text((long)status->system_code, system_words, sizeof system_words));
    }
}

/* ---- What is done ---- */

/* What is absolute here and now is so for a process that starts in System32. */
static enum exit_code install(const struct request *request) {
    static struct load_paths paths;
    static char log[PATH_BYTES];
    char found[PATH_BYTES], text[2 * PATH_BYTES];
    const char *what = NULL;
    struct baton_cause cause = {0};
    if (request->config == NULL && !consult_find_config(false, found)) {
        return EXIT_CONFIG_INVALID;
    }
    if (request->config != NULL && strcmp(request->config, LOAD_STANDARD_INPUT) == 0) {
        complain("-c -", "a service has no standard input; give a file");
        return EXIT_USAGE;
    }
    int result = load_find_paths(request->config != NULL ? request->config : found,
                                 request->handlers, &paths, &what);
    if (result != BATON_OK) {
        complain(what, baton_error_text(result));
        return EXIT_SYSTEM;
    }
    const struct windows_service service = {
        .name = request->name,
        .config = paths.config_file,
        .handlers = request->handlers != NULL ? paths.handlers_override : NULL,
        .log = log};
    struct request copy = *request;
    result = platform_windows_service_log(request->name, log, sizeof log);
    if (result == BATON_OK) {
        result = platform_windows_service_install(&service, say_skipped, &copy, &cause);
    }
    if (result == BATON_DENIED && cause.call == NULL) {
        complain(log, "the file is somebody else's, or has a second name; remove it");
        return EXIT_DENIED;
    }
    if (result == BATON_IN_USE && cause.call == NULL) {
        complain(request->name,
                 "another program writes to the Event Log by this name; `--name` gives another");
        return EXIT_SYSTEM;
    }
    if (result != BATON_OK) {
        return fail(request, result, &cause);
    }
    text_format(
        text, sizeof text,
        "installed, with the config %s; `batond service start` starts it, and so does the system",
        paths.config_file);
    say(request, text);
    text_format(text, sizeof text, "log: %s", log);
    say(request, text);
    return EXIT_DONE;
}

/* Who may start it and yet is denied that, is not the account whose rights lack. */
static enum exit_code fail_to_start(const struct request *request, int result,
                                    const struct baton_cause *cause) {
    char text[PATH_BYTES];
    if (cause->system_code != ACCESS_DENIED || cause->call == NULL ||
        strcmp(cause->call, "StartServiceW") != 0) {
        return fail(request, result, cause);
    }
    text_format(text, sizeof text,
                "StartServiceW: error 5: its account, NT SERVICE\\%s, must be allowed to run the "
                "file of batond",
                request->name);
    complain(request->name, text);
    return EXIT_DENIED;
}

static enum exit_code start(const struct request *request) {
    struct windows_service_status status = {0};
    struct baton_cause cause = {0};
    char text[PATH_BYTES + 1024];
    int result = platform_windows_service_start(request->name, &status, &cause);
    if (result != BATON_OK) {
        return fail_to_start(request, result, &cause);
    }
    describe(&status, text, sizeof text);
    if (status.state == WINDOWS_SERVICE_RUNNING) {
        say(request, text);
        return EXIT_DONE;
    }
    size_t length = strlen(text);
    text_format(text + length, sizeof text - length, "; see %s", log_of(request));
    complain(request->name, text);
    return status.state != WINDOWS_SERVICE_STOPPED   ? EXIT_LATE
           : status.exit_code == EXIT_CONFIG_INVALID ? EXIT_CONFIG_INVALID
                                                     : EXIT_SYSTEM;
}

static enum exit_code stop(const struct request *request, bool is_said) {
    struct windows_service_status status = {0};
    struct baton_cause cause = {0};
    char text[1024];
    int result = platform_windows_service_stop(request->name, &status, &cause);
    if (result != BATON_OK) {
        return fail(request, result, &cause);
    }
    describe(&status, text, sizeof text);
    if (status.state != WINDOWS_SERVICE_STOPPED) {
        complain(request->name, text);
        return EXIT_LATE;
    }
    if (is_said) {
        say(request, text);
    }
    return EXIT_DONE;
}

static enum exit_code reload(const struct request *request) {
    struct baton_cause cause = {0};
    int result = platform_windows_service_reload(request->name, &cause);
    return result == BATON_OK ? EXIT_DONE : fail(request, result, &cause);
}

static enum exit_code uninstall(const struct request *request) {
    struct baton_cause cause = {0};
    char text[PATH_BYTES + 64];
    enum exit_code code = stop(request, false);
    if (code != EXIT_DONE) {
        return code;
    }
    int result = platform_windows_service_remove(request->name, &cause);
    if (result != BATON_OK) {
        return fail(request, result, &cause);
    }
    text_format(text, sizeof text, "removed; its log stays: %s", log_of(request));
    say(request, text);
    return EXIT_DONE;
}

static enum exit_code tell_status(const struct request *request) {
    static struct windows_service_status status;
    static char text[sizeof status.command_line + 64];
    struct baton_cause cause = {0};
    int result = platform_windows_service_look(request->name, &status, &cause);
    if (result == BATON_NOT_FOUND) {
        (void)fail(request, result, &cause);
        return EXIT_NOBODY;
    }
    if (result != BATON_OK) {
        return fail(request, result, &cause);
    }
    describe(&status, text, sizeof text);
    say(request, text);
    text_format(text, sizeof text, "as %s: %s", status.account, status.command_line);
    say(request, text);
    text_format(text, sizeof text, "log: %s", log_of(request));
    say(request, text);
    return status.state == WINDOWS_SERVICE_RUNNING ? EXIT_DONE : EXIT_NOBODY;
}

static enum exit_code run(const struct request *request) {
    static struct windows_service service; /* of a thread that the SCM has */
    struct baton_cause cause = {0};
    service =
        (struct windows_service){request->name, request->config, request->handlers, request->log};
    if (service.config == NULL || service.log == NULL) {
        complain("service run", "it is the service manager that gives -c and --log");
        return EXIT_USAGE;
    }
    int result = platform_windows_service_host(&service, &cause);
    return result == BATON_OK ? EXIT_DONE : fail(request, result, &cause);
}

/* ---- What is asked ---- */

static bool fault(const char *what, const char *word) {
    char text[512];
    text_format(text, sizeof text, "%s `%s`; `batond service --help` lists what there is", what,
                word);
    complain("usage", text);
    return false;
}

static bool parse(int argc, char *const *argv, struct request *out) {
    enum { NAME = 256, HANDLERS, LOG };
    static const struct option table[] = {{"name", required_argument, NULL, NAME},
                                          {"config", required_argument, NULL, 'c'},
                                          {"handlers", required_argument, NULL, HANDLERS},
                                          {"log", required_argument, NULL, LOG},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    *out = (struct request){.name = "batond"};
    optind = 0;
    opterr = 0;
    for (;;) {
        int at = optind > 0 ? optind : 1;
        int option = getopt_long(argc, argv, "+:c:h", table, NULL);
        if (option == -1 && optind < argc && out->verb == NULL) {
            out->verb = argv[optind++];
            continue;
        }
        if (option == -1) {
            break;
        }
        switch (option) {
        case NAME:
            out->name = optarg;
            break;
        case 'c':
            out->config = optarg;
            break;
        case HANDLERS:
            out->handlers = optarg;
            break;
        case LOG:
            out->log = optarg;
            break;
        case 'h':
            out->help = true;
            break;
        default:
            return fault(option == ':' ? "a value is missing after" : "unknown argument", argv[at]);
        }
    }
    if (optind < argc) {
        return fault("unknown argument", argv[optind]);
    }
    return platform_windows_service_name_is_valid(out->name) ||
           fault("letters, digits and -_. make a name, at most 64 of them, not", out->name);
}

enum exit_code windows_service_act(int argc, char *const *argv) {
    struct request request;
    if (argc == 3 && strcmp(argv[1], "break") == 0) {
        platform_windows_service_break(argv[2]);
    }
    if (!parse(argc, argv, &request)) {
        return EXIT_USAGE;
    }
    if (request.help) {
        print_out(NULL, help);
        return EXIT_DONE;
    }
    static const char verbs[] = "install\0uninstall\0start\0stop\0reload\0status\0run\0";
    enum { INSTALL, UNINSTALL, START, STOP, RELOAD, STATUS, RUN, VERB_COUNT };
    unsigned verb = 0;
    while (verb < VERB_COUNT &&
           (request.verb == NULL || strcmp(request.verb, text_nth(verbs, verb)) != 0)) {
        verb++;
    }
    if (verb != INSTALL && verb != RUN && (request.config != NULL || request.handlers != NULL)) {
        fault("-c and --handlers are for install, not", request.verb);
        return EXIT_USAGE;
    }
    switch (verb) {
    case INSTALL:
        return install(&request);
    case UNINSTALL:
        return uninstall(&request);
    case START:
        return start(&request);
    case STOP:
        return stop(&request, true);
    case RELOAD:
        return reload(&request);
    case STATUS:
        return tell_status(&request);
    case RUN:
        return run(&request);
    default:
        fault("install, uninstall, start, stop, reload or status must follow, not",
              request.verb != NULL ? request.verb : "");
        return EXIT_USAGE;
    }
}
