/* Names for the services of [ports]: the handler's, made unique by the port. */
#include "core/base/text.h"
#include "core/service/build.h"

#include <string.h>

/* The handler's file name without its last ending, at most CONFIG_NAME_MAX_BYTES - 6 bytes, with
 * '_' for what a section's name may not hold either. */
static const char *name_of_handler(struct service_builder *builder, const char *handler) {
    const size_t longest = CONFIG_NAME_MAX_BYTES - strlen("-65535");
    const char *base = service_base_name(builder->machine, handler);
    const char *dot = strrchr(base, '.');
    size_t length = dot != NULL && dot > base ? (size_t)(dot - base) : strlen(base);
    char *name = arena_copy(builder->arena, base, length < longest ? length : longest);
    for (char *at = name; at != NULL && *at != '\0'; at++) {
        if (!text_is_name_char(*at) && *at != '.' && *at != '-') {
            *at = '_';
        }
    }
    return name;
}

/* Another service of that name, no guest; NULL = there is none. */
static const struct service *find_namesake(const struct service_builder *builder,
                                           const char *const *names, size_t index) {
    for (size_t i = 0; i < builder->draft_count; i++) {
        if (i != index && !builder->drafts[i].is_guest && names[i] != NULL &&
            strcmp(names[i], names[index]) == 0) {
            return &builder->drafts[i].service;
        }
    }
    return NULL;
}

void service_report_masked(struct config_problems *problems, size_t line, const char *name,
                           size_t by_line) {
    config_problems_add(problems, line, name,
                        "the config has a service of this name in %s, which holds; this one is not "
                        "served",
                        config_line_words(problems, by_line, config_problems_line(problems, line)));
}

void service_name_drafts(struct service_builder *builder) {
    const char **names = arena_alloc(builder->scratch, (builder->draft_count + 1) * sizeof *names);
    if (names == NULL) {
        return;
    }
    for (size_t i = 0; i < builder->draft_count; i++) {
        struct service_draft *draft = &builder->drafts[i];
        if (draft->from_ports != NULL && draft->listen != NULL && draft->service.handler != NULL) {
            draft->service.name = name_of_handler(builder, draft->service.handler);
        }
        names[i] = draft->service.name;
    }
    for (size_t i = 0; i < builder->draft_count; i++) {
        struct service_draft *draft = &builder->drafts[i];
        if (draft->from_ports != NULL && names[i] != NULL &&
            find_namesake(builder, names, i) != NULL) {
            char port[8];
            text_format(port, sizeof port, "-%u", (unsigned)draft->service.listen->address.port);
            draft->service.name = arena_join(builder->arena, names[i], port, "");
        }
    }
    for (size_t i = 0; i < builder->draft_count; i++) {
        names[i] = builder->drafts[i].service.name;
    }
    for (size_t i = 0; i < builder->draft_count; i++) {
        const struct config_setting *setting = builder->drafts[i].from_ports;
        bool is_guest = builder->drafts[i].is_guest;
        const struct service *namesake = (setting != NULL || is_guest) && names[i] != NULL
                                             ? find_namesake(builder, names, i)
                                             : NULL;
        if (namesake != NULL && is_guest) {
            service_report_masked(builder->problems, builder->drafts[i].service.line, names[i],
                                  namesake->line);
        } else if (namesake != NULL) {
            service_report(builder, setting,
                           "its service would be named `%s`, as that in %s; give it a section of "
                           "its own with another name",
                           names[i],
                           config_line_words(builder->problems, namesake->line, setting->line));
        }
    }
}
