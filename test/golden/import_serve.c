/* An inetd.conf as it is, beside a config. A file of its own: it takes all that builds tables. */
#include "core/base/error.h"
#include "core/config/config.h"
#include "import_world.h"

#include <string.h>

/* A config that services are added to. */
struct adding {
    struct config *config;
    struct config_problems *problems;
    size_t line;
};

static void add_section(void *context, const char *name, size_t line) {
    struct adding *adding = context;
    const struct config_section *namesake = config_find_section(adding->config, name);
    adding->line = line;
    if (!config_put_section(adding->config, name, line, adding->problems)) {
        service_report_masked(adding->problems, line, name, namesake->line);
    }
}

static void add_setting(void *context, const char *key, const char *value) {
    const struct adding *adding = context;
    config_put_setting(adding->config, key, value, adding->line);
}

static void add_problem(void *context, size_t line, const char *text) {
    const struct adding *adding = context;
    config_problems_note(adding->problems, line, text);
}

int import_world_serve(const struct import_machine *machine, const char *path, const char *main_ini,
                       struct service_table *table, struct config_problems *problems) {
    struct config config = {0};
    struct adding adding = {&config, problems, 0};
    const struct import_taker taker = {add_section, add_setting, add_problem, &adding};
    *table = (struct service_table){0};
    (void)config_parse(&config, CONFIG_FORMAT_INI, "main.ini", main_ini, strlen(main_ini),
                       problems);
    int result = BATON_NO_MEMORY;
    if (config_problems_begin_piece(problems, path)) {
        config_problems_welcome(problems);
        result = import_inetd(path, machine, &taker);
    }
    config_problems_end_piece(problems);
    if (result == BATON_OK) {
        result = service_table_build(&config, &import_world_services, problems, table);
    }
    config_clear(&config);
    return result;
}
