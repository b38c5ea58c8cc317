#include "core/service/service.h"

#include "core/base/error.h"
#include "core/service/build.h"
#include "core/service/template.h"

#include <stdlib.h>
#include <string.h>

/* Fields that the key table reaches by offset are 32 bits wide. */
_Static_assert(sizeof(enum log_format) == sizeof(uint32_t), "choices are stored as 32 bits");
_Static_assert(sizeof(enum log_level) == sizeof(uint32_t), "choices are stored as 32 bits");

/* Where a service stands. */
static void set_line(struct service_builder *builder, struct service *service, size_t line) {
    service->line = line;
    service->file = config_line_file(line) == 0
                        ? NULL
                        : arena_text(builder->arena, config_problems_file(builder->problems, line));
}

/* Appends an empty draft; NULL when out of memory or after the fault of too many was reported. */
static struct service_draft *add_draft(struct service_builder *builder, size_t line) {
    if (builder->draft_count == CONFIG_SERVICES_MAX_COUNT) {
        config_problems_add(builder->problems, line, NULL,
                            "there are more than %lu services; leave some out",
                            (unsigned long)CONFIG_SERVICES_MAX_COUNT);
        return NULL;
    }
    struct service_draft *drafts =
        arena_grow(builder->scratch, builder->drafts, builder->draft_count,
                   &builder->draft_capacity, sizeof *drafts);
    builder->drafts = drafts != NULL ? drafts : builder->drafts;
    if (drafts == NULL) {
        return NULL;
    }
    struct service_draft *draft = &drafts[builder->draft_count++];
    memset(draft, 0, sizeof *draft);
    return draft;
}

static void take_values(struct service_builder *builder, struct service_draft *draft,
                        const struct service_values *values) {
    struct service *service = &draft->service;
    *service = values->service;
    service_fill_fields(values, KEY_IN_SERVICE, service);
    draft->enabled = values->numbers[KEY_ENABLED] != 0;
    service->has_channel = service->handoff == HANDOFF_CHANNEL ||
                           (service->handoff == HANDOFF_LISTENER &&
                            !BY_SYSTEM(true, builder->machine->inherits_listeners));
    for (unsigned i = 0; i < 3; i++) {
        service->is_spares_written[i] = values->given[KEY_SPARES + i] != NULL;
    }
    if (service->handoff == HANDOFF_LISTENER) {
        service->max_connections_count = service->workers_count > 0 ? service->workers_count : 1;
        service->attempts_count = 1;
    }
    service->directory_line =
        values->given[KEY_DIRECTORY] != NULL ? values->given[KEY_DIRECTORY]->line : 0;
    draft->max_connections =
        values->given[service->workers_count > 0 ? KEY_WORKERS : KEY_MAX_CONNECTIONS];
    if (values->listen_names != NULL) {
        service->listen_names = arena_text(builder->arena, values->own[KEY_LISTEN_NAMES]->value);
    }
    service->strict_modes = builder->strict_modes;
    service->has_own_user = values->given[KEY_USER] != NULL;
    service_fill_variables(builder, values, service);
    service_fill_access(builder, values, draft->enabled, service);
    service_fill_identity(builder, values, draft);
}

/* What the keys of a service say, all of which are read but for those of where it listens and what
 * handles that. */
static void fill_draft(struct service_builder *builder, const struct service_values *values,
                       struct service_draft *draft) {
    const struct config_setting *listen = values->own[KEY_LISTEN];
    const struct config_setting *handler = values->own[KEY_HANDLER];
    take_values(builder, draft, values);
    if (listen != NULL &&
        service_read_listen(builder, listen,
                            draft->from_ports != NULL ? listen->key : listen->value, values,
                            draft)) {
        draft->listen = listen;
        if (draft->service.workers_count > 0 && draft->service.has_channel) {
            draft->service.max_connections_count *= (uint32_t)draft->service.listen_count;
        }
        service_check_facts(builder, values, &draft->service);
    }
    if (handler != NULL) {
        (void)service_read_handler(builder, handler, values->own[KEY_ARGV0], draft->enabled,
                                   &draft->service);
    }
}

/* Returns false when no more can be added. */
static bool add_port(struct service_builder *builder, const struct config_setting *setting) {
    struct service_draft *draft = add_draft(builder, setting->line);
    struct service_values values = builder->defaults;
    if (draft == NULL) {
        return false;
    }
    memset(values.own, 0, sizeof values.own);
    service_choose_mode(builder, &values, true, true);
    service_fit_values(&values);
    service_check_values(builder, &values);
    service_check_living(builder, &values);
    values.own[KEY_LISTEN] = values.own[KEY_HANDLER] = draft->from_ports = setting;
    set_line(builder, &values.service, setting->line);
    fill_draft(builder, &values, draft);
    return true;
}

static void report_missing(struct service_builder *builder, const struct config_section *section,
                           enum key_id id, const char *cure) {
    const struct config_setting missing = {
        .section = section->name, .key = key_name(&key_table[id]), .line = section->line};
    if (!section->incomplete) {
        service_report(builder, &missing, "is missing; give %s", cure);
    }
}

static void add_section(struct service_builder *builder, const struct config_section *section) {
    struct service_draft *draft = add_draft(builder, section->line);
    struct service_values values = builder->defaults;
    if (draft == NULL) {
        return;
    }
    draft->is_guest = config_problems_is_guest(builder->problems, section->line);
    const size_t lacks_count = builder->problems->lacks_count;
    if (draft->is_guest) {
        service_begin_guest(builder, &values);
    }
    service_read_values(builder, section, &values);
    if (values.own[KEY_LISTEN] == NULL) {
        report_missing(builder, section, KEY_LISTEN, "the port to listen at");
    }
    if (values.own[KEY_HANDLER] == NULL) {
        report_missing(builder, section, KEY_HANDLER, "the handler to launch");
    }
    set_line(builder, &values.service, section->line);
    values.service.name = arena_text(builder->arena, section->name);
    fill_draft(builder, &values, draft);
    if (draft->is_guest) { /* it is closed, and does not wait for what it lacks */
        builder->problems->lacks_count = lacks_count;
        draft->service.is_open_unsaid = false; /* to inetd, no address is all of them */
    }
}

/* [defaults] of a file, over what holds there already. */
static void read_defaults(struct service_builder *builder, size_t file) {
    for (size_t i = 0; i < builder->config->section_count; i++) {
        const struct config_section *section = &builder->config->sections[i];
        if (section->kind == CONFIG_SECTION_DEFAULTS && config_line_file(section->line) == file) {
            struct service unused = {0};
            service_read_values(builder, section, &builder->defaults);
            service_fill_access(builder, &builder->defaults, true, &unused);
        }
    }
}

/* What the main config has as [defaults] holds for all, what a piece has for its own services. */
static void add_drafts(struct service_builder *builder) {
    const struct config *config = builder->config;
    size_t file = 0;
    read_defaults(builder, file);
    const struct service_values of_all = builder->defaults;
    for (size_t i = 0; i < config->section_count; i++) {
        const struct config_section *section = &config->sections[i];
        if (config_line_file(section->line) != file) {
            file = config_line_file(section->line);
            builder->defaults = of_all;
            read_defaults(builder, file);
        }
        if (section->kind == CONFIG_SECTION_SERVICE) {
            add_section(builder, section);
        }
        for (size_t j = 0; section->kind == CONFIG_SECTION_PORTS && j < config->setting_count;
             j++) {
            if (config->settings[j].section == section->name &&
                !add_port(builder, &config->settings[j])) {
                break;
            }
        }
    }
}

/* A file that has faults may hold the services that seem to be missing. */
static void check_not_empty(struct service_builder *builder) {
    size_t enabled_count = 0;
    for (size_t i = 0; i < builder->draft_count; i++) {
        enabled_count += builder->drafts[i].enabled;
    }
    if (enabled_count > 0 || config_problems_own_count(builder->problems) > 0) {
        return;
    }
    config_problems_add(builder->problems, 0, NULL,
                        builder->problems->guest_file != 0
                            ? "no service is on, and none of `inetd_conf` can be served; switch "
                              "one on, or correct what is told of that"
                        : builder->draft_count > 0
                            ? "every service is switched off; set `enabled = yes` for one"
                            : "the file has no service; add a section `ports` and a line for each "
                              "port, as 7777 and the handler `ok`");
}

/* Only what is whole can be measured. Returns how many services lack nothing. */
static size_t fill_table(struct service_builder *builder, struct service_table *out) {
    struct service *services =
        arena_alloc(builder->arena, (builder->draft_count + 1) * sizeof *services);
    size_t ready_count = 0;
    if (services == NULL) {
        return 0;
    }
    out->services = services;
    for (size_t i = 0; i < builder->draft_count; i++) {
        if (builder->drafts[i].enabled) {
            struct service *service = &services[out->service_count++];
            *service = builder->drafts[i].service;
            if (service->handoff == HANDOFF_LISTENER && service->has_channel &&
                service->workers_count == 0) {
                service->max_connections_count = (uint32_t)service->listen_count;
            }
            service->launch_bytes = template_launch_bytes(service);
            service->lacks = builder->problems->lacks_count > 0 &&
                             service_find_lack(service, builder->machine, &builder->lack);
            ready_count += service->lacks ? 0 : 1;
        } else if (!builder->drafts[i].is_guest) {
            out->disabled_count++;
        }
    }
    out->options = builder->options;
    out->needs_privileges = builder->needs_privileges;
    out->piece_count = builder->problems->piece_count;
    service_choose_kept(builder->machine, out);
    return ready_count;
}

static void build(struct service_builder *builder) {
    service_default_values(&builder->defaults);
    service_read_options(builder);
    if (builder->options.handlers == NULL) {
        return;
    }
    add_drafts(builder);
    service_name_drafts(builder);
    service_close_guests(builder);
    service_check_clashes(builder);
    service_close_guests(builder);
    check_not_empty(builder);
}

static bool has_failed(const struct service_builder *builder) {
    return arena_failed(builder->arena) || arena_failed(builder->scratch) ||
           arena_failed(builder->problems->arena) || builder->problems->out_of_memory;
}

int service_table_build(struct config *config, const struct service_machine *machine,
                        struct config_problems *problems, struct service_table *out) {
    struct service_builder builder = {
        .table = out, .config = config, .machine = machine, .problems = problems};
    int result = BATON_NO_MEMORY;
    memset(out, 0, sizeof *out);
    out->arena = builder.arena = arena_create();
    builder.scratch = arena_create();
    if (out->arena == NULL || builder.scratch == NULL || problems->arena == NULL) {
        goto done;
    }
    service_check_names(config, problems);
    if (!config->incomplete) { /* else what is missing may stand where nothing was read */
        build(&builder);
    }
    if (has_failed(&builder)) {
        goto done;
    }
    size_t lacks_count = builder.options.strict != 0 ? 0 : problems->lacks_count;
    bool is_good =
        config_problems_own_count(problems) == lacks_count && fill_table(&builder, out) > 0;
    if (is_good) {
        service_tell_guests(&builder, out);
    }
    if (!has_failed(&builder)) {
        result = is_good ? BATON_OK : BATON_INVALID;
    }
done:
    arena_destroy(&builder.scratch);
    free(builder.rules_room);
    if (result != BATON_OK) {
        service_table_clear(out);
    }
    return result;
}

const char *service_place_name(const struct service *service, size_t place) {
    const char *name = service->listen[place].name;
    return name != NULL ? name : service->name;
}

void service_table_clear(struct service_table *table) {
    for (size_t i = 0; i < table->access_count; i++) {
        rule_tree_release(table->accesses[i]);
    }
    arena_destroy(&table->arena);
    memset(table, 0, sizeof *table);
}
