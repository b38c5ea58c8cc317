#include "consult.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/tell/explain.h"
#include "load.h"
#include "platform/platform.h"
#include "program.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- The parts ---- */

int consult_load(const struct load_paths *paths, const struct service_machine *machine,
                 bool is_strict, struct service_table *table) {
    struct config_problems problems = {0};
    int result = load_table(paths, machine, table, &problems);
    if (is_strict && result == BATON_OK && problems.problem_count > 0) {
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

bool consult_find_config(bool is_told, char found[PATH_BYTES]) {
    char text[PATH_BYTES + 64];
    if (load_find_config(found, PATH_BYTES) != BATON_OK) {
        complain("there is no config; name it (batond: -c FILE), or put it into one of these",
                 found);
        return false;
    }
    if (is_told) {
        text_format(text, sizeof text, "%s: the config is %s\n", program_name, found);
        print_error(NULL, text);
    }
    return true;
}

void consult_print(const struct service_table *table, const struct service_machine *machine,
                   bool has_defaults) {
    size_t warning_count = service_table_warn(table, machine, print_error, NULL);
    service_table_print(table, has_defaults, print_out, NULL);
    service_table_print_verdict(table, warning_count, print_out, NULL);
}

int consult_client(const struct service_table *table, const char *config_name, const char *name,
                   const char *client) {
    const struct service *service = NULL;
    struct address address;
    for (size_t i = 0; i < table->service_count && service == NULL; i++) {
        service = strcmp(table->services[i].name, name) == 0 ? &table->services[i] : NULL;
    }
    if (service == NULL) {
        complain(name, "no such service is on; a check of the config lists those that are");
        return BATON_NOT_FOUND;
    }
    if (!explain_parse_client(service, client, &address)) {
        complain(client, "this is no client of the service; give an IPv4 or IPv6 address, of a "
                         "local socket's client uid:NUMBER");
        return BATON_NOT_FOUND;
    }
    int result = explain_print(table, service, &address,
                               platform_local_minute((int64_t)time(NULL) * 1000000), config_name,
                               print_out, NULL);
    if (result != BATON_OK) {
        complain(config_name, baton_error_text(result));
    }
    return result;
}

/* ---- A file ---- */

/* What is read, and what it is read with. */
struct consulted {
    struct load_paths paths;
    struct service_machine machine;
    struct service_table table;
    uint32_t looks_left;
};

/* What the machine lacks is a fault only where `is_strict`. NULL: why not is in *result. */
static struct consulted *open_file(const char *file, const char *handlers, bool is_found,
                                   bool is_strict, int *result) {
    const char *what = NULL;
    struct consulted *consulted = calloc(1, sizeof *consulted);
    if (consulted == NULL) {
        complain(file, baton_error_text(BATON_NO_MEMORY));
        *result = BATON_NO_MEMORY;
        return NULL;
    }
    *result = load_find_paths(file, handlers, &consulted->paths, &what);
    if (*result != BATON_OK) {
        complain(what, baton_error_text(*result));
    } else {
        consulted->looks_left = LOOKS_MAX_COUNT;
        load_describe_machine(&consulted->paths, &consulted->machine);
        consulted->machine.checks_only = true;
        consulted->machine.config_is_found = is_found;
        consulted->machine.looks_left = &consulted->looks_left;
        *result =
            consult_load(&consulted->paths, &consulted->machine, is_strict, &consulted->table);
    }
    if (*result != BATON_OK) {
        free(consulted);
        return NULL;
    }
    return consulted;
}

static void close_file(struct consulted *consulted) {
    service_table_clear(&consulted->table);
    free(consulted);
}

int consult_check(const char *file, const char *handlers) {
    char found[PATH_BYTES];
    int result;
    if (file == NULL && !consult_find_config(true, found)) {
        return BATON_INVALID;
    }
    struct consulted *consulted =
        open_file(file != NULL ? file : found, handlers, file == NULL, true, &result);
    if (consulted != NULL) {
        consult_print(&consulted->table, &consulted->machine, false);
        close_file(consulted);
    }
    return result;
}

int consult_explain(const char *file, const char *handlers, const char *service,
                    const char *address) {
    int result;
    struct consulted *consulted = open_file(file, handlers, false, false, &result);
    if (consulted != NULL) {
        result = consult_client(&consulted->table, consulted->paths.shown_name, service, address);
        close_file(consulted);
    }
    return result;
}
