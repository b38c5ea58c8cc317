/* baton-import: the config of another super-server in, ours out. A program of its own: batond stays
 * small without the code that is needed once. */
#include "core/base/error.h"
#include "core/config/config.h"
#include "import/import.h"
#include "platform/platform.h"
#include "program.h"

#include <stdio.h>
#include <string.h>

const char program_name[] = "baton-import";

static const char help[] =
    "usage: baton-import FILE\n"
    "\n"
    "Prints the config that serves what FILE, an inetd.conf or xinetd.conf, serves,\n"
    "with a comment on what it cannot say.\n"
    "\n"
    "  --version  print the version and end\n"
    "  --help     print this and end\n"
    "\n"
    "exit: 0 printed, 64 usage, 71 the system refused, 74 standard output could not\n"
    "      be written, 78 FILE has faults\n";

static char file_bytes[CONFIG_FILE_MAX_BYTES];

static int read_file(void *context, const char *path, const char **bytes, size_t *length) {
    struct baton_cause cause = {0};
    char absolute[PATH_BYTES];
    (void)context;
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

static enum exit_code import(const char *path) {
    const struct import_machine machine = {
        .read_file = read_file,
        .list_folder = list_folder,
        .find_port = platform_service_port,
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

int main(int argc, char **argv) {
    int count = 0;
    char **arguments = platform_arguments(argc, argv, &count);
    if (arguments == NULL) {
        complain("reading the arguments", baton_error_text(BATON_NO_MEMORY));
        return EXIT_SYSTEM;
    }
    /* After "--" comes a file, whatever its name is like. */
    if (count == 3 && strcmp(arguments[1], "--") == 0) {
        return (int)program_end(import(arguments[2]));
    }
    if (count == 2 && (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "-h") == 0)) {
        print_out(NULL, help);
        return (int)program_end(EXIT_DONE);
    }
    if (count == 2 && strcmp(arguments[1], "--version") == 0) {
        print_out(NULL, "baton-import " BATON_VERSION "\n");
        return (int)program_end(EXIT_DONE);
    }
    if (count == 2 && arguments[1][0] != '-') {
        return (int)program_end(import(arguments[1]));
    }
    complain("usage", "name one FILE, an inetd.conf or xinetd.conf, and nothing else; "
                      "`baton-import --help` says more");
    return EXIT_USAGE;
}
