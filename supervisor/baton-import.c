/* baton-import: the config of another super-server in, ours out. A program of its own: batond stays
 * small without the code that is needed once. */
#include "core/base/error.h"
#include "core/config/config.h"
#include "import/import.h"
#include "load.h"
#include "platform/platform.h"
#include "program.h"

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

/* Takes the options; returns the file, or NULL for a wrong command line. */
static const char *parse(int count, char *const *arguments, struct import_options *options) {
    const char *path = NULL;
    for (int i = 1; i < count; i++) {
        const char *word = arguments[i];
        bool is_last = i + 1 == count;
        if (strcmp(word, "--") == 0 && i + 2 == count && path == NULL) {
            return arguments[i + 1]; /* a file, whatever its name is like */
        }
        if (strcmp(word, "--defaults") == 0 && !is_last && options->defaults == NULL) {
            options->defaults = arguments[++i];
        } else if (strncmp(word, "--defaults=", 11) == 0 && word[11] != '\0' &&
                   options->defaults == NULL) {
            options->defaults = word + 11;
        } else if (strcmp(word, "--no-defaults") == 0) {
            options->no_defaults = true;
        } else if (path == NULL && (word[0] != '-' || strcmp(word, IMPORT_STANDARD_INPUT) == 0)) {
            path = word;
        } else {
            return NULL;
        }
    }
    /* Standard input can be read once. */
    bool is_clear =
        options->defaults == NULL ||
        (!options->no_defaults && strcmp(options->defaults, IMPORT_STANDARD_INPUT) != 0);
    return is_clear ? path : NULL;
}

int main(int argc, char **argv) {
    int count = 0;
    char **arguments = platform_arguments(argc, argv, &count);
    if (arguments == NULL) {
        complain("reading the arguments", baton_error_text(BATON_NO_MEMORY));
        return EXIT_SYSTEM;
    }
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        print_out(NULL, help);
        return (int)program_end(EXIT_DONE);
    }
    if (count == 2 && strcmp(arguments[1], "--version") == 0) {
        print_out(NULL, "baton-import " BATON_VERSION "\n");
        return (int)program_end(EXIT_DONE);
    }
    struct import_options options = {0};
    const char *path = parse(count, arguments, &options);
    if (path != NULL) {
        return (int)program_end(import(path, &options));
    }
    complain("usage", "name one FILE, an inetd.conf or xinetd.conf, and nothing else; "
                      "`baton-import --help` says more");
    return EXIT_USAGE;
}
