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

#define LOOKS_MAX_COUNT 10u /* in folders, for what was meant */

/* What is read, and what it is read with. */
struct consulted {
    struct load_paths paths;
    struct service_machine machine;
    struct service_table table;
    uint32_t looks_left;
};

/* Reads the file and says what is wrong with it. BATON_OK and the table, or why not. What the
 * machine lacks is a fault only where `is_strict`. */
static int read_table(struct consulted *consulted, const char *file, bool is_found,
                      bool is_strict) {
    struct config_problems problems = {0};
    const char *what = NULL;
    int result = load_find_paths(file, NULL, &consulted->paths, &what);
    if (result != BATON_OK) {
        complain(what, baton_error_text(result));
        return result;
    }
    consulted->looks_left = LOOKS_MAX_COUNT;
    load_describe_machine(&consulted->paths, &consulted->machine);
    consulted->machine.checks_only = true;
    consulted->machine.config_is_found = is_found;
    consulted->machine.looks_left = &consulted->looks_left;
    result = load_table(&consulted->paths, &consulted->machine, &consulted->table, &problems);
    if (is_strict && result == BATON_OK && problems.problem_count > 0) {
        result = BATON_INVALID;
    }
    if (result != BATON_OK) {
        config_problems_print(&problems, print_error, NULL);
    }
    if (result == BATON_NO_MEMORY) {
        complain(consulted->paths.shown_name, baton_error_text(result));
    }
    config_problems_clear(&problems);
    return result;
}

/* The one that is there, or where one was looked for. */
static bool find_config(char found[PATH_BYTES]) {
    char text[PATH_BYTES + 64];
    if (load_find_config(found, PATH_BYTES) != BATON_OK) {
        complain("there is no config; name it, or put it into one of these", found);
        return false;
    }
    text_format(text, sizeof text, "%s: the config is %s\n", program_name, found);
    print_error(NULL, text);
    return true;
}

int consult_check(const char *file) {
    char found[PATH_BYTES];
    if (file == NULL && !find_config(found)) {
        return BATON_INVALID;
    }
    struct consulted *consulted = calloc(1, sizeof *consulted);
    if (consulted == NULL) {
        complain("check", baton_error_text(BATON_NO_MEMORY));
        return BATON_NO_MEMORY;
    }
    int result = read_table(consulted, file != NULL ? file : found, file == NULL, true);
    if (result == BATON_OK) {
        size_t warning_count =
            service_table_warn(&consulted->table, &consulted->machine, print_error, NULL);
        service_table_print(&consulted->table, false, print_out, NULL);
        service_table_print_verdict(&consulted->table, warning_count, print_out, NULL);
    }
    service_table_clear(&consulted->table);
    free(consulted);
    return result;
}

static int explain(struct consulted *consulted, const char *name, const char *client) {
    const struct service *service = NULL;
    struct address address;
    for (size_t i = 0; i < consulted->table.service_count && service == NULL; i++) {
        const struct service *one = &consulted->table.services[i];
        service = strcmp(one->name, name) == 0 ? one : NULL;
    }
    if (service == NULL) {
        complain(name, "no such service is on; `batonctl services` lists those that are");
        return BATON_NOT_FOUND;
    }
    if (!explain_parse_client(service, client, &address)) {
        complain(client, "this is no client of the service; give an IPv4 or IPv6 address, of a "
                         "local socket's client uid:NUMBER");
        return BATON_NOT_FOUND;
    }
    int result = explain_print(&consulted->table, service, &address,
                               platform_local_minute((int64_t)time(NULL) * 1000000),
                               consulted->paths.shown_name, print_out, NULL);
    if (result != BATON_OK) {
        complain(consulted->paths.shown_name, baton_error_text(result));
    }
    return result;
}

int consult_explain(const char *file, const char *service, const char *address) {
    struct consulted *consulted = calloc(1, sizeof *consulted);
    if (consulted == NULL) {
        complain("explain", baton_error_text(BATON_NO_MEMORY));
        return BATON_NO_MEMORY;
    }
    int result = read_table(consulted, file, false, false);
    if (result == BATON_OK) {
        result = explain(consulted, service, address);
    }
    service_table_clear(&consulted->table);
    free(consulted);
    return result;
}
