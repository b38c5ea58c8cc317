/* batond: argv -> options -> load -> check or run -> exit code, which only a main picks. */
#include "core/base/error.h"
#include "core/base/text.h"
#include "core/tell/explain.h"
#include "load.h"
#include "options.h"
#include "platform/platform.h"
#include "program.h"
#include "run/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOKS_MAX_COUNT 10u /* in folders, for what was meant: by the load, and by the start */

#define KEEPER "baton-keeper" /* a program beside this one */

const char program_name[] = "batond";

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

/* What is read anew is what was read at the start. */
struct renewal {
    const struct load_paths *paths;
    struct service_machine machine;
    uint32_t looks_left;
};

static int load_anew(void *context, struct service_table *table, struct config_problems *problems) {
    struct renewal *renewal = context;
    renewal->looks_left = LOOKS_MAX_COUNT;
    platform_accounts_forget();
    return load_table(renewal->paths, &renewal->machine, table, problems);
}

static enum exit_code serve(const struct load_paths *paths, const struct service_machine *machine,
                            struct service_table *table) {
    static struct renewal renewal; /* the thread that reads may be there until the end */
    renewal = (struct renewal){.paths = paths, .machine = *machine};
    renewal.machine.looks_left = &renewal.looks_left;
    const struct supervisor_source source = {
        .load = load_anew,
        .context = &renewal,
        .refusal =
            paths->config_file[0] == '\0' ? "the config was read from standard input" : NULL};
    enum supervisor_result end = supervisor_run(table, machine, &source);
    return end == SUPERVISOR_STOPPED ? EXIT_DONE
                                     : (end == SUPERVISOR_LOG_LOST ? EXIT_OUTPUT : EXIT_SYSTEM);
}

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

/* Where the config asks for it and nobody keeps us, comes back only to say why not. */
static bool is_kept(const struct service_table *table, char *const *argv) {
    struct baton_cause cause = {0};
    char words[256];
    int result = table->options.keeper == 0 ? BATON_OK : platform_run_under(KEEPER, argv, &cause);
    if (result != BATON_OK) {
        complain(KEEPER, cause.call != NULL
                             ? platform_error_text(cause.system_code, words, sizeof words)
                             : baton_error_text(result));
    }
    return result == BATON_OK;
}

static enum exit_code check_or_serve(const struct options *options, struct load_paths *paths,
                                     char *const *argv, bool *has_served) {
    struct service_table table = {0};
    struct service_machine machine;
    char found[PATH_BYTES];
    const char *what = NULL;
    enum exit_code code = EXIT_DONE;
    uint32_t looks_left = LOOKS_MAX_COUNT;
    if (options->config == NULL && !find_config(options, found)) {
        return EXIT_CONFIG_INVALID;
    }
    int result = load_find_paths(options->config != NULL ? options->config : found,
                                 options->handlers, paths, &what);
    if (result != BATON_OK) {
        complain(what, baton_error_text(result));
        return EXIT_SYSTEM;
    }
    paths->input_format = options->is_yaml ? CONFIG_FORMAT_YAML : CONFIG_FORMAT_INI;
    load_describe_machine(paths, &machine);
    machine.checks_only = options->check || options->service != NULL;
    machine.looks_left = &looks_left;
    machine.config_is_found = options->config == NULL;
    result = load(paths, &machine, options->check, &table);
    if (result != BATON_OK) {
        code = result == BATON_INVALID ? EXIT_CONFIG_INVALID : EXIT_SYSTEM;
    } else if (options->service != NULL) {
        code = explain(&table, options, paths->shown_name);
    } else if (options->check) {
        size_t warning_count = service_table_warn(&table, &machine, print_error, NULL);
        service_table_print(&table, options->defaults, print_out, NULL);
        service_table_print_verdict(&table, warning_count, print_out, NULL);
    } else if (!is_kept(&table, argv)) {
        code = EXIT_SYSTEM;
    } else {
        *has_served = true;
        looks_left = LOOKS_MAX_COUNT;
        load_place_control(&table.options);
        code = serve(paths, &machine, &table);
    }
    service_table_clear(&table);
    return code;
}

static enum exit_code act(int argc, char **argv, bool *has_served) {
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
        print_out(NULL, options_help);
        return EXIT_DONE;
    }
    if (options.version) {
        print_out(NULL, "batond " BATON_VERSION "\n");
        return EXIT_DONE;
    }
    static struct load_paths paths; /* as above */
    return check_or_serve(&options, &paths, arguments, has_served);
}

int main(int argc, char **argv) {
    bool has_served = false;
    enum exit_code code = program_end(act(argc, argv, &has_served));
    if (code != EXIT_DONE || !has_served) {
        platform_keep_window();
    }
    return (int)code;
}
