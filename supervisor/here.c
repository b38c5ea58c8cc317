/* argv -> options -> load -> check, explain, or a table to serve: all in this process. */
#include "here.h"
#include "consult.h"
#include "core/base/error.h"
#include "load.h"
#include "options.h"
#include "platform/platform.h"
#include "rehearse.h"
#include "source.h"
#include "windows_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Once more ---- */

/* What is read anew is what was read at the start. */
static struct {
    struct load_paths paths;
    struct service_machine machine;
    uint32_t looks_left;
} renewal;

/* Lines of text, in memory that grows. */
struct lines {
    char *text;
    size_t length, capacity;
    bool failed;
};

static void add_to_lines(void *context, const char *text) {
    struct lines *lines = context;
    size_t length = strlen(text);
    if (lines->length + length + 1 > lines->capacity) {
        size_t capacity = 2 * lines->capacity + length + 1024;
        char *grown = realloc(lines->text, capacity);
        lines->failed = lines->failed || grown == NULL;
        lines->text = grown != NULL ? grown : lines->text;
        lines->capacity = grown != NULL ? capacity : lines->capacity;
    }
    if (!lines->failed) {
        memcpy(lines->text + lines->length, text, length + 1);
        lines->length += length;
    }
}

static int load_anew(void *context, struct service_table *table, char **problems_text) {
    struct config_problems problems = {0};
    struct lines lines = {0};
    (void)context;
    renewal.looks_left = LOOKS_MAX_COUNT;
    int result = load_table(&renewal.paths, &renewal.machine, table, &problems);
    config_problems_print(&problems, add_to_lines, &lines);
    config_problems_clear(&problems);
    *problems_text = lines.text;
    return result;
}

/* ---- At the start ---- */

/* The command line, and where the config is. *is_done: that was all, as with --help or a fault. */
static enum exit_code prepare(int count, char **arguments, struct options *options,
                              struct source *source, bool *is_done) {
    char found[PATH_BYTES];
    char message[512];
    const char *what = NULL;
    *is_done = true;
    if (arguments == NULL) {
        complain("reading the arguments", baton_error_text(BATON_NO_MEMORY));
        return EXIT_SYSTEM;
    }
    if (count > 1 && strcmp(arguments[1], "service") == 0) {
        return windows_service_act(count - 1, arguments + 1);
    }
    if (!options_parse(count, arguments, options, message, sizeof message)) {
        complain("usage", message);
        return EXIT_USAGE;
    }
    if (options->help || options->version) {
        print_out(NULL, options->help ? options_help : "batond " BATON_VERSION "\n");
        return EXIT_DONE;
    }
    bool is_told = options->check || options->service != NULL;
    if (options->config == NULL && !consult_find_config(is_told, found)) {
        return EXIT_CONFIG_INVALID;
    }
    int result = load_find_paths(options->config != NULL ? options->config : found,
                                 options->handlers, &renewal.paths, &what);
    if (result != BATON_OK) {
        complain(what, baton_error_text(result));
        return EXIT_SYSTEM;
    }
    renewal.paths.input_format = options->is_yaml ? CONFIG_FORMAT_YAML : CONFIG_FORMAT_INI;
    load_describe_machine(&renewal.paths, &source->machine);
    source->machine.config_is_found = options->config == NULL;
    renewal.machine = source->machine;
    renewal.machine.looks_left = &renewal.looks_left;
    source->renewal.load = load_anew;
    *is_done = false;
    return EXIT_DONE;
}

enum exit_code here_prepare(int argc, char **argv, struct source *source) {
    struct options options;
    bool is_done;
    argv = platform_arguments(argc, argv, &argc);
    return prepare(argc, argv, &options, source, &is_done);
}

int here_try(int count, char **arguments, struct service_table *table, char **problems) {
    static struct source source;
    struct options options;
    bool is_done;
    (void)prepare(count, arguments, &options, &source, &is_done);
    return is_done ? BATON_UNSUPPORTED : load_anew(NULL, table, problems);
}

struct service_machine *here_machine(void) {
    return &renewal.machine;
}

enum exit_code source_read(int argc, char **argv, struct source *source) {
    static uint32_t looks_left; /* by the start of the supervisor, too */
    struct service_machine *machine = &source->machine;
    struct options options;
    bool is_done;
    argv = platform_arguments(argc, argv, &argc);
    enum exit_code code = prepare(argc, argv, &options, source, &is_done);
    if (is_done) {
        return code;
    }
    looks_left = LOOKS_MAX_COUNT;
    machine->checks_only = options.check || options.service != NULL;
    machine->looks_left = &looks_left;
    /* Before a start, what may heal is the log's to tell. */
    int result = consult_load(&renewal.paths, machine, options.check, &source->table);
    if (result != BATON_OK) {
        code = result == BATON_INVALID ? EXIT_CONFIG_INVALID : EXIT_SYSTEM;
    } else if (options.service != NULL) {
        result = consult_client(&source->table, renewal.paths.shown_name, options.service,
                                options.client);
        code = result == BATON_OK          ? EXIT_DONE
               : result == BATON_NOT_FOUND ? EXIT_USAGE
                                           : EXIT_SYSTEM;
    } else if (options.check) {
        consult_print(&source->table, machine, options.defaults);
    } else {
        looks_left = LOOKS_MAX_COUNT;
        load_place_control(machine->is_privileged, &source->table.options);
        source->serves = true;
        rehearse_offer(source, argv);
        return EXIT_DONE;
    }
    service_table_clear(&source->table);
    return code;
}
