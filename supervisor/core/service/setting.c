/* One setting as it stands in the file: what is wrong with it, its text without quotes, and the
 * parts of a list. */
#include "core/base/words.h"
#include "core/service/build.h"

#include <stdarg.h>
#include <string.h>

const struct config_setting *service_given(const struct service_values *values, enum key_id id) {
    return key_fits_mode(&key_table[id], values->mode) ? values->given[id] : NULL;
}

bool service_is_news(struct service_builder *builder, const struct service_values *values,
                     enum key_id id) {
    bool is_told = values->own[id] == NULL && builder->reported_given[id];
    builder->reported_given[id] = builder->reported_given[id] || values->own[id] == NULL;
    return !is_told;
}

const char *service_key_label(struct service_builder *builder,
                              const struct config_setting *setting) {
    return config_key_label(builder->problems, setting->section, setting->key);
}

void service_report_value(struct service_builder *builder, const struct config_setting *setting,
                          const char *value, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    config_problems_add_list(builder->problems, setting->line, service_key_label(builder, setting),
                             value, format, arguments);
    va_end(arguments);
}

const char *service_excerpt(struct service_builder *builder, const char *value) {
    return config_excerpt(builder->problems, value);
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
    return words_next_part(builder->scratch, rest);
}

void *service_read_list(struct service_builder *builder, const struct service_values *values,
                        enum key_id id, size_t item_bytes, service_part_reader *read,
                        size_t *count) {
    struct service_list list = {
        .builder = builder, .values = values, .id = id, .setting = service_given(values, id)};
    char *items = NULL;
    size_t capacity = 0;
    list.rest = list.setting != NULL ? list.setting->value : NULL;
    while (list.rest != NULL) {
        const char *part = service_next_part(builder, &list.rest);
        char *grown = arena_grow(builder->arena, items, list.count, &capacity, item_bytes);
        if (part == NULL || grown == NULL) {
            break;
        }
        items = grown;
        list.count += read(&list, part, items + list.count * item_bytes);
    }
    *count = list.is_void ? 0 : list.count;
    return list.is_void ? NULL : items;
}
