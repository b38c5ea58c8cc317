/* argv -> options -> load -> check, explain, or a table to serve: all in this process. */
#include "here.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/tell/explain.h"
#include "load.h"
#include "options.h"
#include "platform/platform.h"
#include "source.h"
#include "windows_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKS_MAX_COUNT 10u /* in folders, for what was meant: by the load, and by the start */

/* Loads, and says everything that is wrong; before a start, what may heal is the log's to tell. */
static int load(const struct load_paths *paths, const struct service_machine *machine, bool check,
                struct service_table *table) {
    struct config_problems problems = {0};
    int result = load_table(paths, machine, table, &problems);
    if (check && result == BATON_OK && problems.problem_count > 0) {
        result = BATON_INVALID;
    }
    if (result != BATON_OK) {
        config_problems_print(&problems, print_error, NULL);
    }
    if (result == BATON_NO_MEMORY) {
        complain(paths->shown_name, baton_error_text(result));
    }
    config_problems_clear(&problems);
    return result;
}

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

/* Tells what would become of a client, without a port open. */
static enum exit_code explain(const struct service_table *table, const struct options *options,
                              const char *config_name) {
    const struct service *service = NULL;
    struct address client;
    for (size_t i = 0; i < table->service_count && service == NULL; i++) {
        service =
            strcmp(table->services[i].name, options->service) == 0 ? &table->services[i] : NULL;
    }
    if (service == NULL) {
        complain(options->service, "no such service is on; --check lists those that are");
        return EXIT_USAGE;
    }
    if (!explain_parse_client(service, options->client, &client)) {
        complain(options->client, "this is no client of the service; give an IPv4 or IPv6 address, "
                                  "of a local socket's client uid:NUMBER");
        return EXIT_USAGE;
    }
    unsigned minute = platform_local_minute((int64_t)time(NULL) * 1000000);
    int result = explain_print(table, service, &client, minute, config_name, print_out, NULL);
    if (result != BATON_OK) {
        complain(config_name, baton_error_text(result));
    }
    return result == BATON_OK ? EXIT_DONE : EXIT_SYSTEM;
}

/* Where none was named, the one that is there; what is told of it goes where no log is yet. */
static bool find_config(const struct options *options, char config[PATH_BYTES]) {
    char text[PATH_BYTES + 64];
    int result = load_find_config(config, PATH_BYTES);
    if (result != BATON_OK) {
        complain("there is no config; give one by -c FILE, or put it into one of these", config);
    } else if (options->check || options->service != NULL) {
        text_format(text, sizeof text, "batond: the config is %s\n", config);
        print_error(NULL, text);
    }
    return result == BATON_OK;
}

/* The command line, and where the config is. *is_done: that was all, as with --help or a fault. */
static enum exit_code prepare(int argc, char **argv, struct options *options, struct source *source,
                              bool *is_done) {
    char found[PATH_BYTES];
    char message[512];
    const char *what = NULL;
    int count = 0;
    char **arguments = platform_arguments(argc, argv, &count);
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
    if (options->config == NULL && !find_config(options, found)) {
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
    source->renewal = (struct supervisor_source){
        .load = load_anew,
        .refusal =
            source->machine.config_is_input ? "the config was read from standard input" : NULL};
    *is_done = false;
    return EXIT_DONE;
}

enum exit_code here_prepare(int argc, char **argv, struct source *source) {
    struct options options;
    bool is_done;
    return prepare(argc, argv, &options, source, &is_done);
}

struct service_machine *here_machine(void) {
    return &renewal.machine;
}

enum exit_code source_read(int argc, char **argv, struct source *source) {
    static uint32_t looks_left; /* by the start of the supervisor, too */
    struct service_machine *machine = &source->machine;
    struct options options;
    bool is_done;
    enum exit_code code = prepare(argc, argv, &options, source, &is_done);
    if (is_done) {
        return code;
    }
    looks_left = LOOKS_MAX_COUNT;
    machine->checks_only = options.check || options.service != NULL;
    machine->looks_left = &looks_left;
    int result = load(&renewal.paths, machine, options.check, &source->table);
    if (result != BATON_OK) {
        code = result == BATON_INVALID ? EXIT_CONFIG_INVALID : EXIT_SYSTEM;
    } else if (options.service != NULL) {
        code = explain(&source->table, &options, renewal.paths.shown_name);
    } else if (options.check) {
        size_t warning_count = service_table_warn(&source->table, machine, print_error, NULL);
        service_table_print(&source->table, options.defaults, print_out, NULL);
        service_table_print_verdict(&source->table, warning_count, print_out, NULL);
    } else {
        looks_left = LOOKS_MAX_COUNT;
        load_place_control(&source->table.options);
        source->serves = true;
        return EXIT_DONE;
    }
    service_table_clear(&source->table);
    return code;
}
