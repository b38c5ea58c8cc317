/* Services that come from the file of another super-server: what is wrong with one closes that one,
 * and is a warning. */
#include "core/base/text.h"
#include "core/service/build.h"

#include <string.h>

void service_begin_guest(struct service_builder *builder, struct service_values *values) {
    service_default_values(values);
    /* What was told once, of a service before, has to be told of this one, or it would be served.
     */
    builder->refused = NULL;
    builder->reported_peer = builder->reported_trusted = false;
    builder->reported_places = builder->reported_sandbox = false;
    memset(builder->reported_given, 0, sizeof builder->reported_given);
}

static void close_line(struct service_builder *builder, size_t line) {
    for (size_t i = 0; i < builder->draft_count; i++) {
        struct service_draft *draft = &builder->drafts[i];
        if (draft->is_guest && draft->service.line == line) {
            draft->enabled = false;
        }
    }
}

void service_close_guests(struct service_builder *builder) {
    const struct config_problems *problems = builder->problems;
    for (size_t i = 0; i < problems->problem_count; i++) {
        const struct config_problem *problem = &problems->problems[i];
        if (config_problems_is_guest(problems, problem->line) && !problem->is_note) {
            close_line(builder, problem->line);
        }
    }
    /* Of whom the faults are that there was no room for is not known. */
    for (size_t i = 0; i < builder->draft_count && problems->unkept_count > 0; i++) {
        struct service_draft *draft = &builder->drafts[i];
        draft->enabled = draft->enabled && !draft->is_guest;
    }
}

static void count_bytes(void *context, const char *text) {
    *(size_t *)context += strlen(text);
}

static void append(void *context, const char *text) {
    char **at = context;
    size_t length = strlen(text);
    memcpy(*at, text, length + 1);
    *at += length;
}

void service_tell_guests(struct service_builder *builder, struct service_table *out) {
    struct config_problems *problems = builder->problems;
    size_t length = 0;
    config_problems_print_guests(problems, count_bytes, &length);
    char *text = length == 0 ? NULL : arena_alloc(builder->arena, length + 1);
    char *end = text;
    if (text != NULL) {
        config_problems_print_guests(problems, append, &end);
    }
    out->warnings = text;
    config_problems_forget_guests(problems);
}
