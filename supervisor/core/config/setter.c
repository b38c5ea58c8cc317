/* The setter: both front ends put sections and settings here, so that equal files have equal
 * settings and equal faults. */
#include "core/config/reader.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

void config_skip_section(struct config_reader *reader) {
    reader->current = SIZE_MAX;
}

const char *config_label(const struct config_reader *reader, const char *key) {
    return config_key_label(reader->problems, reader->config->sections[reader->current].name, key);
}

void config_mark_incomplete(struct config_reader *reader) {
    if (reader->current != SIZE_MAX) {
        reader->config->sections[reader->current].incomplete = true;
    }
}

const char config_section_names[CONFIG_SECTION_SERVICE][11] = {"ports", "defaults", "supervisor"};

static enum config_section_kind kind_of(const char *name) {
    unsigned kind = 0;
    while (kind < CONFIG_SECTION_SERVICE && strcmp(name, config_section_names[kind]) != 0) {
        kind++;
    }
    return (enum config_section_kind)kind;
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
                            config_excerpt(reader->problems, name), wrong);
    }
    return wrong == NULL;
}

void config_open_section(struct config_reader *reader, const char *name, size_t line) {
    struct config *config = reader->config;
    config_skip_section(reader);
    if (!name_is_fine(reader, name, "section", line)) {
        return;
    }
    size_t own_line = config_problems_line(reader->problems, line);
    size_t file = config_line_file(own_line);
    enum config_section_kind kind = kind_of(name);
    if (kind == CONFIG_SECTION_SUPERVISOR && file > 0) {
        config_problems_add(reader->problems, line, name,
                            "only the main config has this section, as it is for all of them; move "
                            "its keys there");
        return;
    }
    for (size_t i = 0; i < config->section_count; i++) {
        size_t earlier = config->sections[i].line;
        bool is_here = config_line_file(earlier) == file;
        if ((is_here || kind == CONFIG_SECTION_SERVICE) &&
            strcmp(config->sections[i].name, name) == 0) {
            config_problems_add(reader->problems, line, name,
                                "this section stands twice, first in %s; put its keys together in "
                                "one, or give it another name",
                                config_line_words(reader->problems, earlier, own_line));
            if (is_here) {
                reader->current = i;
            }
            return;
        }
    }
    if (config->section_count == CONFIG_SECTIONS_MAX_COUNT) {
        config_problems_add(reader->problems, line, name,
                            "there are more than %lu sections; "
                            "leave some out",
                            (unsigned long)CONFIG_SECTIONS_MAX_COUNT);
        return;
    }
    struct config_section *sections =
        arena_grow(config->arena, config->sections, config->section_count,
                   &reader->section_capacity, sizeof *sections);
    char *copy = arena_text(config->arena, name);
    config->sections = sections != NULL ? sections : config->sections;
    if (sections == NULL || copy == NULL) {
        return;
    }
    reader->current = config->section_count++;
    sections[reader->current] =
        (struct config_section){.name = copy, .kind = kind, .line = own_line};
}

/* FNV-1a over the section's number and the key. */
static uint32_t hash_of(size_t section_number, const char *key) {
    uint32_t hash = 2166136261u ^ (uint32_t)section_number;
    for (; *key != '\0'; key++) {
        hash = (hash ^ (unsigned char)*key) * 16777619u;
    }
    return hash;
}

/* The earlier setting of the open section with that key, or NULL. */
static const struct config_setting *find_setting(const struct config_reader *reader,
                                                 const char *key, uint32_t hash) {
    const struct config *config = reader->config;
    const char *section = config->sections[reader->current].name;
    uint32_t number = reader->buckets[hash % CONFIG_BUCKET_COUNT];
    for (; number != 0; number = reader->links[number - 1].next) {
        const struct config_setting *setting = &config->settings[number - 1];
        if (reader->links[number - 1].hash == hash && setting->section == section &&
            strcmp(setting->key, key) == 0) {
            return setting;
        }
    }
    return NULL;
}

/* Says what is wrong with a setting; true if it can be kept. */
static bool setting_is_fine(struct config_reader *reader, const char *key, const char *value,
                            size_t line, uint32_t hash) {
    const struct config_setting *earlier = find_setting(reader, key, hash);
    bool too_long = strlen(value) > CONFIG_VALUE_MAX_BYTES;
    if (earlier == NULL && value[0] != '\0' && !too_long) {
        return true;
    }
    const char *label = config_label(reader, key);
    if (earlier != NULL) {
        config_problems_add(reader->problems, line, label,
                            "stands twice, first in %s; leave one of them out",
                            config_line_words(reader->problems, earlier->line, earlier->line));
    } else if (too_long) {
        config_problems_add(reader->problems, line, label,
                            "the value is too long; give at most %lu bytes",
                            (unsigned long)CONFIG_VALUE_MAX_BYTES);
    } else {
        config_problems_add(reader->problems, line, label,
                            "has no value; give one, or leave the key out");
    }
    return false;
}

/* True if there is room for one more; says once if there is not. */
static bool has_room(struct config_reader *reader, size_t line) {
    if (reader->config->setting_count < CONFIG_SETTINGS_MAX_COUNT) {
        return true;
    }
    if (!reader->full) {
        config_problems_add(reader->problems, line, NULL,
                            "there are more than %lu settings; leave out the rest, from here on",
                            (unsigned long)CONFIG_SETTINGS_MAX_COUNT);
    }
    reader->full = true;
    reader->config->incomplete = true;
    return false;
}

/* Makes room for one more setting and its link. False when out of memory. */
static bool grow(struct config_reader *reader) {
    struct config *config = reader->config;
    struct config_setting *settings =
        arena_grow(config->arena, config->settings, config->setting_count,
                   &reader->setting_capacity, sizeof *settings);
    struct config_link *links = arena_grow(config->arena, reader->links, config->setting_count,
                                           &reader->link_capacity, sizeof *links);
    config->settings = settings != NULL ? settings : config->settings;
    reader->links = links != NULL ? links : reader->links;
    return settings != NULL && links != NULL;
}

void config_add_setting(struct config_reader *reader, const char *key, const char *value,
                        size_t line) {
    struct config *config = reader->config;
    if (reader->current == SIZE_MAX || !has_room(reader, line)) {
        return;
    }
    uint32_t hash = hash_of(reader->current, key);
    if (!name_is_fine(reader, key, "key", line) ||
        !setting_is_fine(reader, key, value, line, hash)) {
        config_mark_incomplete(reader);
        return;
    }
    char *key_copy = arena_text(config->arena, key);
    char *value_copy = arena_text(config->arena, value);
    if (key_copy == NULL || value_copy == NULL || !grow(reader)) {
        return;
    }
    uint32_t *bucket = &reader->buckets[hash % CONFIG_BUCKET_COUNT];
    reader->links[config->setting_count] = (struct config_link){.hash = hash, .next = *bucket};
    config->settings[config->setting_count] =
        (struct config_setting){.section = config->sections[reader->current].name,
                                .key = key_copy,
                                .value = value_copy,
                                .line = config_problems_line(reader->problems, line)};
    *bucket = (uint32_t)++config->setting_count;
}
