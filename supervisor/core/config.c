#include "core/config.h"

#include "core/config_reader.h"
#include "core/error.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

bool config_format_of(const char *file_name, enum config_format *out) {
    if (text_ends_with(file_name, ".ini", true)) {
        *out = CONFIG_FORMAT_INI;
        return true;
    }
    if (text_ends_with(file_name, ".yaml", true) || text_ends_with(file_name, ".yml", true)) {
        *out = CONFIG_FORMAT_YAML;
        return true;
    }
    return false;
}

void config_skip_section(struct config_reader *reader) {
    reader->current = SIZE_MAX;
}

void config_mark_incomplete(struct config_reader *reader) {
    if (reader->current != SIZE_MAX) {
        reader->config->sections[reader->current].incomplete = true;
    }
}

static enum config_section_kind kind_of(const char *name) {
    static const struct {
        const char *name;
        enum config_section_kind kind;
    } special[] = {{"ports", CONFIG_SECTION_PORTS},
                   {"defaults", CONFIG_SECTION_DEFAULTS},
                   {"supervisor", CONFIG_SECTION_SUPERVISOR}};
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
        if (strcmp(name, special[i].name) == 0) {
            return special[i].kind;
        }
    }
    return CONFIG_SECTION_SERVICE;
}

static bool name_is_fine(struct config_reader *reader, const char *name, const char *what,
                         size_t line) {
    const char *wrong = NULL;
    if (name[0] == '\0') {
        wrong = "is empty; give it a name";
    } else if (strlen(name) > CONFIG_NAME_MAX_BYTES) {
        wrong = "is too long; give at most 48 bytes";
    }
    if (wrong != NULL) {
        config_problems_add(reader->problems, line, NULL, "the name of the %s `%s` %s", what,
                            text_excerpt(name).text, wrong);
    }
    return wrong == NULL;
}

void config_open_section(struct config_reader *reader, const char *name, size_t line) {
    struct config *config = reader->config;

    config_skip_section(reader);
    if (!name_is_fine(reader, name, "section", line)) {
        return;
    }
    for (size_t i = 0; i < config->section_count; i++) {
        if (strcmp(config->sections[i].name, name) == 0) {
            config_problems_add(reader->problems, line, name,
                                "this section stands twice, first in line %lu; put its keys "
                                "together in one",
                                (unsigned long)config->sections[i].line);
            reader->current = i;
            return;
        }
    }
    if (config->section_count == CONFIG_SERVICES_MAX_COUNT) {
        config_problems_add(reader->problems, line, name,
                            "there are more than %lu sections; "
                            "leave some out",
                            (unsigned long)CONFIG_SERVICES_MAX_COUNT);
        return;
    }
    struct config_section *sections =
        arena_grow(config->arena, config->sections, config->section_count,
                   &reader->section_capacity, sizeof(*sections));
    char *copy = arena_text(config->arena, name);
    config->sections = sections != NULL ? sections : config->sections;
    if (sections == NULL || copy == NULL) {
        return;
    }
    reader->current = config->section_count++;
    sections[reader->current] =
        (struct config_section){.name = copy, .kind = kind_of(name), .line = line};
}

/* The earlier setting of the same section and key, or NULL. */
static const struct config_setting *find_setting(const struct config *config, const char *section,
                                                 const char *key) {
    for (size_t i = config->setting_count; i-- > 0;) {
        const struct config_setting *setting = &config->settings[i];
        if (setting->section == section && strcmp(setting->key, key) == 0) {
            return setting;
        }
    }
    return NULL;
}

/* Says what is wrong with a setting; true if it can be kept. */
static bool setting_is_fine(struct config_reader *reader, const char *section, const char *key,
                            const char *value, size_t line) {
    const struct config_setting *earlier = find_setting(reader->config, section, key);
    bool too_long = strlen(value) > CONFIG_VALUE_MAX_BYTES;
    bool too_many = reader->config->setting_count == CONFIG_SETTINGS_MAX_COUNT;

    if (earlier == NULL && value[0] != '\0' && !too_long && !too_many) {
        return true;
    }
    const char *label = config_key_label(reader->problems, section, key);
    if (earlier != NULL) {
        config_problems_add(reader->problems, line, label,
                            "stands twice, first in line %lu; leave one of them out",
                            (unsigned long)earlier->line);
    } else if (value[0] == '\0') {
        config_problems_add(reader->problems, line, label,
                            "has no value; give one, or leave the key out");
    } else if (too_long) {
        config_problems_add(reader->problems, line, label,
                            "the value is too long; give at most %lu bytes",
                            (unsigned long)CONFIG_VALUE_MAX_BYTES);
    } else {
        config_problems_add(reader->problems, line, label,
                            "there are more than %lu settings; leave some out",
                            (unsigned long)CONFIG_SETTINGS_MAX_COUNT);
    }
    return false;
}

void config_add_setting(struct config_reader *reader, const char *key, const char *value,
                        size_t line) {
    struct config *config = reader->config;

    if (reader->current == SIZE_MAX) {
        return;
    }
    const char *section = config->sections[reader->current].name;
    if (!name_is_fine(reader, key, "key", line) ||
        !setting_is_fine(reader, section, key, value, line)) {
        config_mark_incomplete(reader);
        return;
    }
    struct config_setting *settings =
        arena_grow(config->arena, config->settings, config->setting_count,
                   &reader->setting_capacity, sizeof(*settings));
    char *key_copy = arena_text(config->arena, key);
    char *value_copy = arena_text(config->arena, value);
    config->settings = settings != NULL ? settings : config->settings;
    if (settings == NULL || key_copy == NULL || value_copy == NULL) {
        return;
    }
    settings[config->setting_count++] = (struct config_setting){
        .section = section, .key = key_copy, .value = value_copy, .line = line};
}

static void read_format(struct config_reader *reader, enum config_format format, const char *bytes,
                        size_t length) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";

    if (length > CONFIG_FILE_MAX_BYTES) {
        config_problems_add(reader->problems, 0, NULL,
                            "the file is longer than 1 MiB; is it the "
                            "right one?");
        reader->config->incomplete = true;
        return;
    }
    if (length >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) {
        bytes += 3;
        length -= 3;
    }
    if (format == CONFIG_FORMAT_INI) {
        config_read_ini(reader, bytes, length);
    } else {
        config_read_yaml(reader, bytes, length);
    }
    config_check_names(reader->config, reader->problems);
}

int config_parse(struct config *config, enum config_format format, const char *file_name,
                 const void *bytes, size_t length, struct config_problems *problems) {
    struct config_reader reader = {.config = config, .problems = problems, .current = SIZE_MAX};

    memset(config, 0, sizeof(*config));
    config->arena = arena_create();
    if (problems->arena == NULL) {
        problems->arena = arena_create();
    }
    if (config->arena == NULL || problems->arena == NULL) {
        return BATON_NO_MEMORY;
    }
    config->file_name = arena_text(config->arena, file_name);
    problems->file_name = arena_text(problems->arena, file_name);
    if (config->file_name != NULL && problems->file_name != NULL) {
        read_format(&reader, format, bytes == NULL ? "" : bytes, length);
    }
    if (reader.out_of_memory || arena_failed(config->arena) || arena_failed(problems->arena)) {
        return BATON_NO_MEMORY;
    }
    return problems->problem_count > 0 ? BATON_INVALID : BATON_OK;
}

void config_clear(struct config *config) {
    arena_destroy(&config->arena);
    memset(config, 0, sizeof(*config));
}
