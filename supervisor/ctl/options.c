#include "ctl/options.h"

#include "core/base/text.h"

#include <getopt.h>
#include <string.h>

#define TIMEOUT_MAX_S 86400u

const char ctl_options_help[] =
    "usage: batonctl [OPTION...] COMMAND [WORD...]\n"
    "\n"
    "Asks a batond that runs what it does, and tells it what to do.\n"
    "\n"
    "  status                   how it is, and how its services are\n"
    "  services                 what they are: where they listen, what they launch\n"
    "  connections [SERVICE]    the connections that live\n"
    "  events                   what it logs from now on, until Ctrl-C\n"
    "  explain SERVICE ADDRESS  would a client from there be let in, by which rule\n"
    "                           (at a local socket: uid:NUMBER)\n"
    "  reload                   read the config again, and tell what has changed\n"
    "  restart                  has the installed batond take over, clients and all\n"
    "  drain SERVICE            its processes get no more clients, and end\n"
    "  enable SERVICE, disable SERVICE\n"
    "                           switch it on, switch it off\n"
    "  kill ID                  end one connection\n"
    "  stop                     as on SIGTERM; said twice, at once\n"
    "  log-level LEVEL          error, warning, info or debug\n"
    "  log-reopen               open the log's file anew, as after its rotation\n"
    "  keys [NAME]              what the config's keys are; needs no batond\n"
    "  check [FILE]             as `batond --check -c FILE`; needs no batond\n"
    "\n"
    "  --control PATH     where batond is asked (default: BATON_CONTROL, else what is\n"
    "                     usual for this user; `man batonctl` has the list)\n"
    "  --handlers FOLDER  for explain and check: as batond's\n"
    "  --json             print what batond answers as it comes, lines of JSON\n"
    "  --wait             until a reload, restart, drain or disable is over\n"
    "  --timeout SECONDS  how long to wait for the answer (default: 10; for reload\n"
    "                     and restart 90; with --wait and for events no limit)\n"
    "  --version          print the version and end\n"
    "  --help             print this and end\n"
    "\n"
    "exit: 0 done, 1 batond refused it, 64 usage, 69 no batond there, 71 the system\n"
    "      refused, 74 standard output could not be written, 75 no answer in time,\n"
    "      76 the answer cannot be read, 77 permission denied, 78 check: the config\n";

static bool fault(char *message, size_t size_bytes, const char *what, const char *word) {
    text_format(message, size_bytes, "%s `%s`; `batonctl --help` lists what there is", what, word);
    return false;
}

enum {
    OPTION_CONTROL = 256,
    OPTION_HANDLERS,
    OPTION_JSON,
    OPTION_WAIT,
    OPTION_TIMEOUT,
    OPTION_VERSION
};

static bool take_option(int option, const char *value, struct ctl_options *out, char *message,
                        size_t size_bytes) {
    switch (option) {
    case OPTION_CONTROL:
        out->control = value;
        return value[0] != '\0' ||
               fault(message, size_bytes, "a path is missing after", "--control");
    case OPTION_HANDLERS:
        out->handlers = value;
        return value[0] != '\0' ||
               fault(message, size_bytes, "a folder is missing after", "--handlers");
    case OPTION_TIMEOUT:
        if (!text_parse_number(value, &out->timeout_s) || out->timeout_s == 0 ||
            out->timeout_s > TIMEOUT_MAX_S) {
            text_format(message, size_bytes,
                        "--timeout `%s` is no number of seconds; give 1 to 86400",
                        text_excerpt(value).text);
            return false;
        }
        return true;
    case OPTION_JSON:
        out->json = true;
        return true;
    case OPTION_WAIT:
        out->wait = true;
        return true;
    case OPTION_VERSION:
        out->version = true;
        return true;
    default:
        out->help = true;
        return true;
    }
}

/* What is left behind the options. */
static bool take_command(int count, char *const *words, struct ctl_options *out, char *message,
                         size_t size_bytes) {
    if (count <= 0) {
        text_format(message, size_bytes,
                    "a COMMAND is missing, as in `batonctl status`; `batonctl --help` lists them");
        return false;
    }
    out->command = ctl_command_find(words[0]);
    if (out->command == NULL) {
        const char *nearest = ctl_command_nearest(words[0]);
        text_format(message, size_bytes, "unknown command `%s`%s%s%s `batonctl --help` lists them",
                    text_excerpt(words[0]).text, nearest != NULL ? "; did you mean `" : "",
                    nearest != NULL ? nearest : "", nearest != NULL ? "`?" : ";");
        return false;
    }
    out->words = words + 1;
    out->word_count = (size_t)count - 1;
    if (out->word_count < out->command->least_count || out->word_count > out->command->most_count) {
        text_format(message, size_bytes, "%s words behind `%s`; it is `batonctl %s%s%s`",
                    out->word_count < out->command->least_count ? "too few" : "too many",
                    out->command->name, out->command->name,
                    out->command->words[0] != '\0' ? " " : "", out->command->words);
        return false;
    }
    if (out->json && out->command->is_text) {
        text_format(message, size_bytes, "`%s` is a text for people; it has no --json",
                    out->command->name);
        return false;
    }
    if (out->handlers != NULL && !out->command->consults) {
        text_format(message, size_bytes,
                    "`%s` reads no config; --handlers is for explain and check",
                    out->command->name);
        return false;
    }
    if (out->wait && !out->command->can_wait) {
        text_format(message, size_bytes,
                    "there is nothing to --wait for in `%s`; it is for reload, restart, drain and "
                    "disable",
                    out->command->name);
        return false;
    }
    return true;
}

bool ctl_options_parse(int argc, char **argv, struct ctl_options *out, char *message,
                       size_t size_bytes) {
    static const struct option known[] = {{"control", required_argument, NULL, OPTION_CONTROL},
                                          {"handlers", required_argument, NULL, OPTION_HANDLERS},
                                          {"json", no_argument, NULL, OPTION_JSON},
                                          {"wait", no_argument, NULL, OPTION_WAIT},
                                          {"timeout", required_argument, NULL, OPTION_TIMEOUT},
                                          {"version", no_argument, NULL, OPTION_VERSION},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    int option;
    memset(out, 0, sizeof *out);
    opterr = 0;
    optind = 0; /* from the start, whoever was here before: glibc, musl and mingw-w64 alike */
    while ((option = getopt_long(argc, argv, ":h", known, NULL)) != -1) {
        /* What was not understood is the argument before the next one, or a letter within it. */
        const char *word = argv[optind > 0 ? optind - 1 : 0];
        char letter[3] = {'-', (char)optopt, '\0'};
        bool is_letter = optopt > ' ' && optopt < 256;
        if (option == ':') {
            return fault(message, size_bytes, "a value is missing after", word);
        }
        if (option == '?') {
            return fault(message, size_bytes, "unknown option, or one that takes no value,",
                         is_letter ? letter : text_excerpt(word).text);
        }
        if (!take_option(option, optarg, out, message, size_bytes)) {
            return false;
        }
    }
    return out->help || out->version ||
           take_command(argc - optind, argv + optind, out, message, size_bytes);
}
