/* baton-import: the config of another super-server in, ours out. A program of its own: batond stays
 * small without the code that is needed once. */
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "import/import.h"
#include "load.h"
#include "platform/platform.h"
#include "program.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

const char program_name[] = "baton-import";

static const char help[] =
    "usage: baton-import [--defaults FILE | --no-defaults] FILE\n"
    "\n"
    "Prints the config that serves what FILE, an inetd.conf or xinetd.conf, serves,\n"
    "with a comment on what it cannot say. FILE may be a folder, which is read as\n"
    "xinetd reads one, and `-` is standard input.\n"
    "\n"
    "  --defaults FILE  the xinetd.conf whose `defaults` hold for FILE (default: the\n"
    "                   one beside FILE or above its folder that includes it)\n"
    "  --no-defaults    there is none\n"
    "  --version        print the version and end\n"
    "  --help           print this and end\n"
    "\n"
    "exit: 0 printed, 64 usage, 71 the system refused, 74 standard output could not\n"
    "      be written, 78 FILE, or what it includes, has faults or cannot be read\n";

static char file_bytes[CONFIG_FILE_MAX_BYTES];

static int read_standard_input(size_t *length) {
    size_t count = fread(file_bytes, 1, sizeof file_bytes, stdin);
    *length = count;
    if (ferror(stdin)) {
        return BATON_SYSTEM;
    }
    return count == sizeof file_bytes && getc(stdin) != EOF ? BATON_TOO_LONG : BATON_OK;
}

static int read_file(void *context, const char *path, const char **bytes, size_t *length) {
    struct baton_cause cause = {0};
    char absolute[PATH_BYTES];
    (void)context;
    if (strcmp(path, IMPORT_STANDARD_INPUT) == 0) {
        *bytes = file_bytes;
        return read_standard_input(length);
    }
    int result = platform_path_absolute(path, absolute, sizeof absolute);
    *bytes = file_bytes;
    return result != BATON_OK
               ? BATON_NOT_FOUND
               : platform_file_read(absolute, file_bytes, sizeof file_bytes, length, &cause);
}

static int list_folder(void *context, const char *path, import_visit *visit, void *visitor) {
    struct baton_cause cause = {0};
    char absolute[PATH_BYTES];
    (void)context;
    int result = platform_path_absolute(path, absolute, sizeof absolute);
    return result != BATON_OK ? BATON_NOT_FOUND
                              : platform_directory_list(absolute, visit, visitor, &cause);
}

static enum exit_code import(const char *path, const struct import_options *options) {
    static const char *const wrapper_files[] = {"/etc/hosts.deny", "/etc/hosts.allow", NULL};
    static struct load_paths paths; /* programs of the old server have absolute ones */
    struct service_machine programs;
    load_describe_machine(&paths, &programs);
    const struct import_machine machine = {
        .read_file = read_file,
        .list_folder = list_folder,
        .find_port = platform_service_port,
        .programs = &programs,
        .wrapper_files = wrapper_files,
        .users_file = "/etc/passwd",
        .groups_file = "/etc/group",
        .options = options,
        .backslash_separates = platform_backslash_separates,
    };
    int result = import_config(path, &machine, print_out, print_error, NULL);
    if (result == BATON_NO_MEMORY) {
        complain(path, baton_error_text(result));
    }
    return result == BATON_OK        ? EXIT_DONE
           : result == BATON_INVALID ? EXIT_CONFIG_INVALID
                                     : EXIT_SYSTEM;
}

/* What the command line asks for. */
struct request {
    const char *path;
    struct import_options options;
    bool help, version;
};

enum { DEFAULTS = 256, NO_DEFAULTS, VERSION };

static const struct option table[] = {{"defaults", required_argument, NULL, DEFAULTS},
                                      {"no-defaults", no_argument, NULL, NO_DEFAULTS},
                                      {"version", no_argument, NULL, VERSION},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

/* Takes the options. Returns what is wrong, NULL for nothing; with the argument at the end of
 * that, if it is one. */
static const char *take_options(int count, char **arguments, struct request *out,
                                const char **word) {
    static char letter[3] = "-";
    opterr = 0;
    for (;;) {
        int option = getopt_long(count, arguments, ":h", table, NULL);
        if (option == -1) {
            return NULL;
        }
        /* Of letters that stand together the one at hand. */
        bool is_letter = option == '?' && optopt != 0 && optopt < DEFAULTS && optopt != 'h';
        letter[1] = (char)optopt;
        *word = is_letter ? letter : arguments[optind - 1];
        switch (option) {
        case DEFAULTS:
            if (optarg[0] == '\0') {
                return "a file must follow --defaults, and not";
            }
            if (out->options.defaults != NULL) {
                return "there is one file of defaults already, before";
            }
            out->options.defaults = optarg;
            break;
        case NO_DEFAULTS:
            out->options.no_defaults = true;
            break;
        case VERSION:
            out->version = true;
            break;
        case 'h':
            out->help = true;
            break;
        default: /* mingw-w64 tells a value too many as it does one that is missing */
            return optopt > DEFAULTS || optopt == 'h' ? "no value may follow"
                   : option == ':'                    ? "a file must follow"
                                                      : "unknown argument";
        }
    }
}

/* The same for the whole line. */
static const char *parse(int count, char **arguments, struct request *out, const char **word) {
    const char *wrong = take_options(count, arguments, out, word);
    if (wrong != NULL || out->help || out->version) {
        return wrong;
    }
    *word = NULL;
    if (optind + 1 != count || arguments[optind][0] == '\0') {
        return "name one FILE, an inetd.conf or xinetd.conf, and nothing else";
    }
    out->path = arguments[optind];
    const char *defaults = out->options.defaults;
    if (defaults != NULL && out->options.no_defaults) {
        return "--defaults and --no-defaults exclude each other";
    }
    /* It can be read once. */
    return defaults != NULL && strcmp(defaults, IMPORT_STANDARD_INPUT) == 0
               ? "--defaults cannot be standard input"
               : NULL;
}

int main(int argc, char **argv) {
    int count = 0;
    struct request request = {0};
    const char *word = NULL;
    char **arguments = platform_arguments(argc, argv, &count);
    if (arguments == NULL) {
        complain("reading the arguments", baton_error_text(BATON_NO_MEMORY));
        return EXIT_SYSTEM;
    }
    const char *wrong = parse(count, arguments, &request, &word);
    if (wrong != NULL) {
        char text[512];
        text_format(text, sizeof text, "%s%s%s%s; `baton-import --help` says more", wrong,
                    word != NULL ? " `" : "", word != NULL ? word : "", word != NULL ? "`" : "");
        complain("usage", text);
        return EXIT_USAGE;
    }
    if (request.help || request.version) {
        print_out(NULL, request.help ? help : "baton-import " BATON_VERSION "\n");
        return (int)program_end(EXIT_DONE);
    }
    return (int)program_end(import(request.path, &request.options));
}
