/* One setting as it stands in the file: what is wrong with it, its text without quotes, and the
 * parts of a list. */
#include "core/base/words.h"
#include "core/service/build.h"

#include <stdarg.h>
#include <string.h>

static void report_list(struct service_builder *builder, const struct config_setting *setting,
                        const char *format, va_list arguments)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 0)))
#endif
    ;

static void report_list(struct service_builder *builder, const struct config_setting *setting,
                        const char *format, va_list arguments) {
    config_problems_add_list(builder->problems, setting->line,
                             config_key_label(builder->problems, setting->section, setting->key),
                             format, arguments);
}

void service_report_given(struct service_builder *builder, const struct service_values *values,
                          enum key_id id, const char *format, ...) {
    va_list arguments;
    if (values->own[id] == NULL) {
        if (builder->reported_given[id]) {
            return;
        }
        builder->reported_given[id] = true;
    }
    va_start(arguments, format);
    report_list(builder, values->given[id], format, arguments);
    va_end(arguments);
}

void service_report(struct service_builder *builder, const struct config_setting *setting,
                    const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report_list(builder, setting, format, arguments);
    va_end(arguments);
}

const char *service_unquote(struct service_builder *builder, const struct config_setting *setting) {
    char **words = NULL;
    size_t count = 0;
    if (setting->value[0] != '"' && setting->value[0] != '\'') {
        return arena_text(builder->arena, setting->value);
    }
    const char *wrong = words_split(builder->arena, setting->value, &words, &count);
    if (wrong != NULL) {
        service_report(builder, setting, "%s", wrong);
        return NULL;
    }
    if (words != NULL && (count != 1 || words[0][0] == '\0')) {
        service_report(builder, setting,
                       count == 1 ? "is empty; give a text, or leave the key out"
                                  : "a text that begins with a quote must end with it; put all of "
                                    "it into quotes, or none");
        return NULL;
    }
    return words == NULL ? NULL : words[0];
}

const char *service_next_part(struct service_builder *builder, const char **rest) {
    const char *start = *rest;
    size_t length = strcspn(start, ",");
    *rest = start[length] == '\0' ? NULL : start + length + 1;
    while (length > 0 && text_is_blank(*start)) {
        start++;
        length--;
    }
    while (length > 0 && text_is_blank(start[length - 1])) {
        length--;
    }
    return arena_copy(builder->scratch, start, length);
}
