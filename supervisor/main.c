/* batond: argv -> options -> config -> table -> run. The only place that picks an exit code. */
#include "core/config.h"
#include "core/service.h"
#include "options.h"
#include "platform/platform.h"
#include "program.h"
#include "run/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_BYTES ((size_t)1 << 20)
#define DEFAULT_CONFIG "conf/ports.ini"

const char program_name[] = "batond";

/* The folders that relative names start from; absolute. */
struct places {
    char config_file[PATH_BYTES];
    char config_folder[PATH_BYTES];
    char own_folder[PATH_BYTES];
    char handlers[PATH_BYTES];
    char handlers_override[PATH_BYTES];
};

/* Cuts the last part of a path off; "/" stays. */
static void cut_last_part(char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] != '/' &&
           !(platform_backslash_separates && path[length - 1] == '\\')) {
        length--;
    }
    path[length > 1 ? length - 1 : length] = '\0';
}

static bool find_places(const struct options *options, struct places *places) {
    struct baton_cause cause = {0};
    const char *file = options->config != NULL ? options->config : DEFAULT_CONFIG;
    const char *override = options->handlers != NULL ? options->handlers : ".";
    int result = platform_path_absolute(file, places->config_file, sizeof places->config_file);
    if (result == BATON_OK) {
        result = platform_path_absolute(override, places->handlers_override,
                                        sizeof places->handlers_override);
    }
    if (result == BATON_OK) {
        result = platform_own_directory(places->own_folder, sizeof places->own_folder, &cause);
    }
    if (result != BATON_OK) {
        complain("finding the folders", baton_error_text(result));
        return false;
    }
    memcpy(places->config_folder, places->config_file, sizeof places->config_folder);
    cut_last_part(places->config_folder);
    cut_last_part(places->own_folder);
    int length = snprintf(places->handlers, sizeof places->handlers, "%s%shandlers",
                          places->own_folder, platform_backslash_separates ? "\\" : "/");
    if (length < 0 || (size_t)length >= sizeof places->handlers) {
        complain(places->own_folder, baton_error_text(BATON_TOO_LONG));
        return false;
    }
    return true;
}

/* Not from malloc: a large block that is freed again teaches glibc to keep all later tables in its
 * heap, where they are resident; here only the pages that the file fills are ever touched. */
static char file_bytes[CONFIG_BYTES];

/* Reads and parses; faults go to `problems`. */
static int read_config(const char *shown_name, const char *path, struct config *config,
                       struct config_problems *problems) {
    struct baton_cause cause = {0};
    enum config_format format;
    size_t length = 0;
    char words[256];
    problems->file_name = shown_name;
    if (!config_format_of(path, &format)) {
        config_problems_add(problems, 0, NULL,
                            "the format is told by the ending, and this is neither; name the file "
                            ".ini, .yaml or .yml");
        return BATON_INVALID;
    }
    int result = platform_file_read(path, file_bytes, sizeof file_bytes, &length, &cause);
    if (result == BATON_OK) {
        result = config_parse(config, format, shown_name, file_bytes, length, problems);
    } else if (result == BATON_INVALID) {
        config_problems_add(problems, 0, NULL,
                            "this is a folder or no regular file; name the config file itself");
    } else if (result == BATON_TOO_LONG) {
        config_problems_add(problems, 0, NULL, "longer than 1 MiB, which no config needs");
        result = BATON_INVALID;
    } else {
        config_problems_add(problems, 0, NULL, "cannot be read: %s",
                            cause.call != NULL
                                ? platform_error_text(cause.system_code, words, sizeof words)
                                : baton_error_text(result));
        result = BATON_INVALID;
    }
    return result;
}

/* Reads and validates, and says everything that is wrong. BATON_OK, or why not. */
static int load_table(const struct options *options, const struct places *places,
                      struct service_table *table) {
    struct config config = {0};
    struct config_problems problems = {0};
    struct service_world world = {
        .executable_suffix = platform_executable_suffix,
        .scripts_need_interpreter = platform_scripts_need_interpreter,
        .backslash_separates = platform_backslash_separates,
        .inherits_listeners = platform_inherits_listeners,
        .base_directory = places->config_folder,
        .handlers_directory = places->handlers,
        .handlers_override = options->handlers != NULL ? places->handlers_override : NULL,
        .probe_program = platform_probe_program,
        .probe_directory = platform_probe_directory,
        .find_port = platform_service_port,
    };
    const char *shown_name = options->config != NULL ? options->config : DEFAULT_CONFIG;
    int read = read_config(shown_name, places->config_file, &config, &problems);
    int result = read;
    /* What could be read is validated too, so that one run tells every fault of the file. */
    if (read == BATON_OK || (read == BATON_INVALID && config.setting_count > 0)) {
        int built = service_table_build(&config, &world, &problems, table);
        result = read == BATON_OK ? built : read;
    }
    config_problems_print(&problems, print_error, NULL);
    if (result == BATON_NO_MEMORY || problems.out_of_memory) {
        complain(shown_name, baton_error_text(BATON_NO_MEMORY));
        result = BATON_NO_MEMORY;
    }
    if (result != BATON_OK) {
        service_table_clear(table);
    }
    config_problems_clear(&problems);
    config_clear(&config);
    return result;
}

static enum exit_code serve(const struct options *options) {
    struct service_table table = {0};
    struct places *places = calloc(1, sizeof *places);
    enum exit_code code = EXIT_SYSTEM;
    int result = BATON_NO_MEMORY;
    if (places == NULL) {
        complain("starting", baton_error_text(result));
        return code;
    }
    if (!find_places(options, places)) {
        goto out;
    }
    result = load_table(options, places, &table);
    if (result != BATON_OK) {
        code = result == BATON_INVALID ? EXIT_CONFIG_INVALID : EXIT_SYSTEM;
    } else if (options->check) {
        service_table_print(&table, print_out, NULL);
        code = EXIT_DONE;
    } else {
        code = supervisor_run(&table) == SUPERVISOR_STOPPED ? EXIT_DONE : EXIT_SYSTEM;
    }
out:
    service_table_clear(&table);
    free(places);
    return code;
}

/* Becomes the program that imports. Returns only when that could not be. */
static enum exit_code import(const char *file) {
    struct baton_cause cause = {0};
    char folder[PATH_BYTES];
    char path[PATH_BYTES];
    char why[512];
    char words[256];
    int result = platform_own_directory(folder, sizeof folder, &cause);
    if (result != BATON_OK) {
        complain("finding baton-import", baton_error_text(result));
        return EXIT_SYSTEM;
    }
    int length = snprintf(path, sizeof path, "%s%sbaton-import%s", folder,
                          platform_backslash_separates ? "\\" : "/", platform_executable_suffix);
    if (length < 0 || (size_t)length >= sizeof path) {
        complain(folder, baton_error_text(BATON_TOO_LONG));
        return EXIT_SYSTEM;
    }
    const char *const arguments[] = {path, "--", file, NULL};
    result = platform_become(path, arguments, &cause);
    snprintf(why, sizeof why,
             "%s; --import runs this program, so install it beside batond, or run it from "
             "where it is: baton-import FILE",
             cause.call != NULL ? platform_error_text(cause.system_code, words, sizeof words)
                                : baton_error_text(result));
    complain(path, why);
    return EXIT_SYSTEM;
}

int main(int argc, char **argv) {
    struct options options;
    char message[512];
    int count = 0;
    char **arguments = platform_arguments(argc, argv, &count);
    if (arguments == NULL) {
        complain("reading the arguments", baton_error_text(BATON_NO_MEMORY));
        return EXIT_SYSTEM;
    }
    if (!options_parse(count, arguments, &options, message, sizeof message)) {
        complain("usage", message);
        return EXIT_USAGE;
    }
    if (options.help) {
        platform_print(false, options_help);
        return EXIT_DONE;
    }
    if (options.version) {
        platform_print(false, "batond " BATON_VERSION "\n");
        return EXIT_DONE;
    }
    return (int)(options.import != NULL ? import(options.import) : serve(&options));
}
