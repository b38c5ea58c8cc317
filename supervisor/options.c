#include "options.h"

#include "core/base/text.h"

#include <getopt.h>
#include <stddef.h>
#include <string.h>

const char options_help[] =
    "usage: batond [-c FILE] [--handlers DIR] [--check [--defaults] |\n"
    "              --explain SERVICE ADDRESS]\n"
    "       batond service --help (Windows)\n"
    "\n"
    "Listens on the ports that the config names, launches a handler for each\n"
    "connection, and hands it the accepted socket.\n"
    "\n"
    "  -c, --config FILE  the config, FILE.ini or FILE.yaml; else the first of conf/ports.ini,\n"
    "                     ports.ini, ../conf/ports.ini beside batond, and\n"
    "                     /etc/baton/ports.ini (Windows: %ProgramData%\\baton\\ports.ini);\n"
    "                     `-` is standard input\n"
    "  --format FORMAT    of standard input: ini (the default) or yaml\n"
    "  --handlers DIR     where handler names are looked up (default: what the config\n"
    "                     says, else the folder `handlers` beside batond's own folder)\n"
    "  --check            validate the config, print what it means, and end\n"
    "  --defaults         with --check: print the defaults and options, too\n"
    "  --explain SERVICE ADDRESS\n"
    "                     tell whether a client at ADDRESS (at a local socket uid:NUMBER)\n"
    "                     would be let in now, by which rule, and what would run as whom\n"
    "  --version          print the version and end\n"
    "  --help             print this and end\n"
    "\n"
    "An inetd.conf or xinetd.conf becomes a config by `baton-import FILE`.\n"
    "\n"
    "exit: 0 ordered stop or valid config, 64 usage, 71 the system refused,\n"
    "      74 standard output could not be written, 78 config\n";

static bool fault(char *message, size_t size_bytes, const char *what, const char *word) {
    text_format(message, size_bytes, "%s `%s`; `batond --help` lists what there is", what, word);
    return false;
}

/* Long options, of which the first take a value. A table would have an address to be made good for
 * each, in memory that no other process shares. */
static const char names[] = "config\0handlers\0format\0explain\0check\0defaults\0version\0help\0";
enum { CONFIG = 256, HANDLERS, FORMAT, EXPLAIN, CHECK, DEFAULTS, VERSION, HELP, NAMES_END };
#define NAMES_COUNT (NAMES_END - CONFIG)

/* Their places in struct options are in the same order. */
_Static_assert(offsetof(struct options, service) ==
                   offsetof(struct options, config) + (EXPLAIN - CONFIG) * sizeof(char *),
               "options with a value are side by side");
_Static_assert(offsetof(struct options, help) == offsetof(struct options, check) + HELP - CHECK,
               "and so are those without");

/* Takes one option, with its value in `optarg`. Returns what is wrong with it, NULL for nothing. */
static const char *take(int option, int argc, char *const *argv, struct options *out) {
    option = option == 'c' ? CONFIG : option == 'h' ? HELP : option;
    if (option < CONFIG) { /* mingw-w64 tells a value too many as it does one that is missing */
        return optopt >= CHECK ? "no value may follow"
               : option == ':' ? "a value is missing after"
                               : "unknown argument";
    }
    if (option >= CHECK) {
        *(bool *)((char *)out + offsetof(struct options, check) + option - CHECK) = true;
        return NULL;
    }
    if (optarg[0] == '\0') {
        return "a value is missing after";
    }
    memcpy((char *)out + offsetof(struct options, config) +
               (size_t)(option - CONFIG) * sizeof optarg,
           &optarg, sizeof optarg);
    if (option == EXPLAIN) {
        if (optind == argc) {
            return "SERVICE and ADDRESS must follow";
        }
        out->client = argv[optind++];
    }
    return NULL;
}

bool options_parse(int argc, char *const *argv, struct options *out, char *message,
                   size_t size_bytes) {
    memset(out, 0, sizeof *out);
    struct option table[NAMES_COUNT + 1] = {0};
    for (unsigned i = 0; i < NAMES_COUNT; i++) {
        table[i].name = text_nth(names, i);
        table[i].has_arg = i < CHECK - CONFIG ? required_argument : no_argument;
        table[i].val = CONFIG + (int)i;
    }
    optind = 0; /* from the start, also when this is called again */
    opterr = 0;
    for (;;) {
        int at = optind > 0 ? optind : 1;
        int option = getopt_long(argc, argv, "+:c:h", table, NULL);
        if (option == -1) {
            break;
        }
        const char *wrong = take(option, argc, argv, out);
        if (wrong != NULL && strncmp(argv[at], "--import", sizeof "--import" - 1) == 0) {
            text_format(message, size_bytes,
                        "the import is a program of its own; run `baton-import FILE`");
            return false;
        }
        if (wrong != NULL) {
            return fault(message, size_bytes, wrong, argv[at]);
        }
    }
    if (optind < argc) {
        return fault(message, size_bytes, "unknown argument", argv[optind]);
    }
    out->is_yaml = out->format != NULL && strcmp(out->format, "yaml") == 0;
    if (out->format != NULL && !out->is_yaml && strcmp(out->format, "ini") != 0) {
        return fault(message, size_bytes, "ini or yaml must follow", "--format");
    }
    if (out->format != NULL && (out->config == NULL || strcmp(out->config, "-") != 0)) {
        return fault(message, size_bytes, "`-c -` must stand beside", "--format");
    }
    return !out->defaults || out->check ||
           fault(message, size_bytes, "--check must stand beside", "--defaults");
}
