/* From the bytes of a file to its settings: the front end that its format wants. */
#include "core/config/config.h"

#include "core/base/error.h"
#include "core/base/utf16.h"
#include "core/config/reader.h"

#include <stdint.h>
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
    /* The mark of UTF-32 begins as that of UTF-16 does. */
    if (length >= 4 &&
        (bytes[0] == '\0' || bytes[1] == '\0' || memcmp(bytes, "\xff\xfe\0", 4) == 0)) {
        config_problems_add(reader->problems, 0, NULL,
                            "this is UTF-16 without a byte-order mark, or UTF-32; save the file in "
                            "the encoding UTF-8");
        reader->config->incomplete = true;
        return;
    }
    const char *converted = utf16_file_text(reader->config->arena, bytes, &length);
    if (converted != NULL) {
        bytes = converted;
    } else if (length >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) {
        bytes += 3;
        length -= 3;
    }
    if (format == CONFIG_FORMAT_INI) {
        config_read_ini(reader, bytes, length);
    } else {
        config_read_yaml(reader, bytes, length);
    }
}

int config_parse_piece(struct config *config, enum config_format format, const void *bytes,
                       size_t length, struct config_problems *problems) {
    struct config_reader *reader = config->reader;
    if (reader == NULL || config->file_name == NULL || problems->file_name == NULL) {
        return BATON_NO_MEMORY;
    }
    reader->config = config;
    reader->problems = problems;
    reader->current = SIZE_MAX;
    read_format(reader, format, bytes == NULL ? "" : bytes, length);
    if (reader->out_of_memory || arena_failed(config->arena) || arena_failed(problems->arena)) {
        return BATON_NO_MEMORY;
    }
    return problems->problem_count > 0 ? BATON_INVALID : BATON_OK;
}

const struct config_section *config_find_section(const struct config *config, const char *name) {
    for (size_t i = 0; i < config->section_count; i++) {
        if (strcmp(config->sections[i].name, name) == 0) {
            return &config->sections[i];
        }
    }
    return NULL;
}

bool config_put_section(struct config *config, const char *name, size_t line,
                        struct config_problems *problems) {
    struct config_reader *reader = config->reader;
    reader->problems = problems;
    config_skip_section(reader);
    if (config_find_section(config, name) != NULL) {
        return false;
    }
    config_open_section(reader, name, line);
    return true;
}

void config_put_setting(struct config *config, const char *key, const char *value, size_t line) {
    config_add_setting(config->reader, key, value, line);
}

int config_parse(struct config *config, enum config_format format, const char *file_name,
                 const void *bytes, size_t length, struct config_problems *problems) {
    memset(config, 0, sizeof *config);
    config->arena = arena_create();
    if (problems->arena == NULL) {
        problems->arena = arena_create();
    }
    if (config->arena == NULL || problems->arena == NULL) {
        return BATON_NO_MEMORY;
    }
    config->file_name = arena_text(config->arena, file_name);
    problems->file_name = arena_text(problems->arena, file_name);
    config->reader = arena_alloc(config->arena, sizeof *config->reader);
    if (config->reader != NULL) {
        memset(config->reader, 0, sizeof *config->reader);
    }
    return config_parse_piece(config, format, bytes, length, problems);
}

bool config_add_source(struct config *config, struct config_source source) {
    struct config_source *sources = arena_grow(config->arena, config->sources, config->source_count,
                                               &config->source_capacity, sizeof *sources);
    if (sources != NULL) {
        config->sources = sources;
        sources[config->source_count++] = source;
    }
    return sources != NULL;
}

void config_clear(struct config *config) {
    arena_destroy(&config->arena);
    memset(config, 0, sizeof *config);
}
