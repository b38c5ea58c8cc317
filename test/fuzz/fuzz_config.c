#include "fuzz_config.h"

#include "config_world.h"
#include "core/base/error.h"
#include "core/service/template.h"
#include "core/tell/filling.h"

#include <stdlib.h>
#include <string.h>

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static void discard(void *context, const char *text) {
    size_t *printed_bytes = context;
    *printed_bytes += strlen(text);
}

/* Values and arguments put together, at their longest, must fit into launch_bytes. */
static void check_launch(const struct service *service) {
    struct connection connection = {.id = UINT64_MAX,
                                    .peer = {.family = ADDRESS_IPV6, .port = UINT16_MAX},
                                    .local = {.family = ADDRESS_IPV6, .port = UINT16_MAX}};
    struct filling filling = {0};
    size_t used_bytes = 0;
    memset(connection.peer.bytes, 0xff, sizeof connection.peer.bytes);
    memset(connection.local.bytes, 0xff, sizeof connection.local.bytes);
    require(filling_reserve(&filling, service) == BATON_OK);
    filling_make(&filling, service, &connection);
    for (size_t i = 0; i < service->variable_count; i++) {
        require(template_check(service->variable_templates[i],
                               service->handoff != HANDOFF_LISTENER) == NULL);
        used_bytes += filling.values[i] == NULL ? 0 : strlen(filling.values[i]) + 1;
    }
    require((filling.argv != NULL) == service->argv_varies);
    for (size_t i = 0; filling.argv != NULL && filling.argv[i] != NULL; i++) {
        used_bytes += strlen(filling.argv[i]) + 1;
    }
    require(used_bytes <= service->launch_bytes);
    filling_clear(&filling);
}

static void check_service(const struct service *service) {
    require(service->name != NULL && service->name[0] != '\0' &&
            strlen(service->name) <= CONFIG_NAME_MAX_BYTES);
    require(service->listen_count >= 1 && service->listen_count <= SERVICE_LISTEN_MAX_COUNT);
    for (size_t i = 0; i < service->listen_count; i++) {
        require(service->listen[i].address.family != ADDRESS_NONE);
        require((service->listen[i].path != NULL) == (service->protocol == PROTOCOL_UNIX));
    }
    require(service->protocol != PROTOCOL_UDP || service->handoff == HANDOFF_LISTENER);
    require(service->handoff != HANDOFF_LISTENER ||
            (service->max_connections_count ==
                 (service->workers_count > 0 ? service->workers_count : 1) &&
             service->attempts_count == 1));
    check_launch(service);
    require(service->program != NULL && service->handler != NULL);
    require(service->argc >= 1 && service->argv[service->argc] == NULL);
    require(service->environment[service->environment_count] == NULL);
    require(service->variables[service->variable_count] == NULL);
    require(service->backlog_count >= 1 && service->max_connections_count >= 1 &&
            service->attempts_count >= 1);
    require(service->handoff == HANDOFF_CHANNEL ||
            (service->reuse_count == 1 && service->spares_max_count == 0));
    require(service->spares_min_count <= service->spares_count &&
            service->spares_count <= service->spares_max_count &&
            service->spares_max_count <= service_max_handlers(service) &&
            service_max_handlers(service) <= service->max_connections_count);
    require(service->line >= 1);
}

static void check_problems(const struct config_problems *problems) {
    size_t line = 0;
    require(problems->problem_count > 0);
    for (size_t i = 0; i < problems->problem_count; i++) {
        const struct config_problem *problem = &problems->problems[i];
        size_t where = 0;
        require(problem->line >= line && problem->text[0] != '\0');
        require(text_check(problem->text, strlen(problem->text), &where) == TEXT_FINE);
        require(problem->key == NULL ||
                text_check(problem->key, strlen(problem->key), &where) == TEXT_FINE);
        line = problem->line;
    }
}

static void check_world(const struct service_machine *world, enum config_format format,
                        const uint8_t *bytes, size_t length) {
    struct config_problems problems = {0};
    struct service_table table = {0};
    size_t printed_bytes = 0;
    int result = config_world_load(world, format, "fuzz", bytes, length, &table, &problems);
    require(result == BATON_OK || result == BATON_INVALID);
    if (result == BATON_OK) {
        require(problems.problem_count == 0 && table.service_count > 0);
        for (size_t i = 0; i < table.service_count; i++) {
            check_service(&table.services[i]);
        }
        service_table_print(&table, true, discard, &printed_bytes);
        service_table_print_verdict(&table, 0, discard, &printed_bytes);
    } else {
        check_problems(&problems);
        config_problems_print(&problems, discard, &printed_bytes);
    }
    require(printed_bytes > 0);
    service_table_clear(&table);
    config_problems_clear(&problems);
}

void fuzz_config(enum config_format format, const uint8_t *bytes, size_t length) {
    check_world(&config_world_posix, format, bytes, length);
    check_world(&config_world_root, format, bytes, length);
    check_world(&config_world_windows, format, bytes, length);
}
