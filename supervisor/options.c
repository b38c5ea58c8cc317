#include "options.h"

#include "core/base/text.h"

#include <getopt.h>
#include <string.h>

const char options_help[] =
    "usage: batond [-c FILE] [--handlers DIR] [--check [--defaults] |\n"
    "              --explain SERVICE ADDRESS]\n"
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

/* Takes one option, with its value in `optarg`. Returns what is wrong with it, NULL for nothing. */
static const char *take(int option, int argc, char *const *argv, struct options *out) {
    const char *value = optarg != NULL ? optarg : "-";
    if (value[0] == '\0') {
        return "a value is missing after";
    }
    switch (option) {
    case CONFIG:
    case 'c':
        out->config = optarg;
        break;
    case HELP:
    case 'h':
        out->help = true;
        break;
    case HANDLERS:
        out->handlers = optarg;
        break;
    case FORMAT:
        out->has_format = true;
        out->format = strcmp(value, "yaml") == 0 ? CONFIG_FORMAT_YAML : CONFIG_FORMAT_INI;
        return out->format == CONFIG_FORMAT_YAML || strcmp(value, "ini") == 0
                   ? NULL
                   : "ini or yaml must follow";
    case CHECK:
        out->check = true;
        break;
    case DEFAULTS:
        out->defaults = true;
        break;
    case EXPLAIN:
        out->service = optarg;
        if (optind == argc) {
            return "SERVICE and ADDRESS must follow";
        }
        out->client = argv[optind++];
        break;
    case VERSION:
        out->version = true;
        break;
    default: /* mingw-w64 tells a value too many as it does one that is missing */
        return optopt >= CHECK ? "no value may follow"
               : option == ':' ? "a value is missing after"
                               : "unknown argument";
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
    if (out->has_format && (out->config == NULL || strcmp(out->config, "-") != 0)) {
        return fault(message, size_bytes, "`-c -` must stand beside", "--format");
    }
    return !out->defaults || out->check ||
           fault(message, size_bytes, "--check must stand beside", "--defaults");
}
