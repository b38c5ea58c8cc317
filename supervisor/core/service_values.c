/* The keys of a service, by their types: own section over [defaults] over the table. */
#include "core/service_build.h"

#include <string.h>

const char *service_unquote(struct service_builder *builder, const struct config_setting *setting) {
    char **words = NULL;
    size_t count = 0;

    if (setting->value[0] != '"' && setting->value[0] != '\'') {
        return arena_text(builder->arena, setting->value);
    }
    const char *wrong = text_split(builder->arena, setting->value, &words, &count);
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

void service_default_values(struct service_values *values) {
    struct key_message message;

    memset(values, 0, sizeof(*values));
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        if (key->type == KEY_TYPE_NUMBER || key->type == KEY_TYPE_BOOLEAN ||
            key->type == KEY_TYPE_CHOICE) {
            (void)key_parse(key, key->default_text, &values->numbers[i], &message);
        }
    }
    (void)address_parse_host(key_table[KEY_BIND].default_text, &values->bind);
}

void service_fill_fields(const struct service_values *values, unsigned places, void *object) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (key_table[i].field_offset != KEY_NO_FIELD && (key_table[i].places & places) != 0) {
            memcpy((char *)object + key_table[i].field_offset, &values->numbers[i],
                   sizeof(values->numbers[i]));
        }
    }
}

static void read_bind(struct service_builder *builder, const struct config_setting *setting,
                      struct service_values *values) {
    if (!address_parse_host(setting->value, &values->bind)) {
        service_report(builder, setting,
                       "`%s` is not an address; give an IPv4 or IPv6 address without port (for "
                       "localhost 127.0.0.1), names are not looked up",
                       text_excerpt(setting->value).text);
    }
}

/* Checks one NAME=VALUE against those before it. Returns what is wrong, or NULL. */
static const char *check_variable(const struct service_builder *builder, char *const *words,
                                  size_t index) {
    const char *word = words[index];
    size_t name_length = 0;

    while (text_is_name_char(word[name_length])) {
        name_length++;
    }
    if (word[name_length] != '=' || name_length == 0 || (word[0] >= '0' && word[0] <= '9')) {
        return "is not NAME=VALUE; a name has letters, digits and `_`, and does not begin with a "
               "digit (a value with blanks goes into quotes)";
    }
    if (text_equal_start(word, "BATON_", 6, true)) {
        return "is reserved; choose a name that does not begin with BATON_";
    }
    for (size_t i = 0; i < index; i++) {
        /* The names of Windows' variables have no case. */
        if (text_equal_start(words[i], word, name_length + 1,
                             builder->world->backslash_separates)) {
            return "stands twice; leave one of them out";
        }
    }
    return NULL;
}

static void read_environment(struct service_builder *builder, const struct config_setting *setting,
                             struct service_values *values) {
    char **words = NULL;
    size_t count = 0;
    const char *wrong = text_split(builder->arena, setting->value, &words, &count);

    if (wrong != NULL) {
        service_report(builder, setting, "%s", wrong);
    }
    for (size_t i = 0; i < count && words != NULL; i++) {
        const char *fault = check_variable(builder, words, i);
        if (fault != NULL) {
            service_report(builder, setting, "`%s` %s", text_excerpt(words[i]).text, fault);
        }
    }
    values->environment = words;
    values->environment_count = count;
}

static void read_value(struct service_builder *builder, const struct config_setting *setting,
                       const struct key *key, struct service_values *values) {
    struct key_message message;
    size_t id = (size_t)(key - key_table);

    values->own[id] = setting;
    if (!key_fits_mode(key, KEY_MODE_CHANNEL, &message)) {
        service_report(builder, setting, "%s", message.text);
        return;
    }
    switch (key->type) {
    case KEY_TYPE_NUMBER:
    case KEY_TYPE_BOOLEAN:
    case KEY_TYPE_CHOICE:
        if (!key_parse(key, setting->value, &values->numbers[id], &message)) {
            service_report(builder, setting, "%s", message.text);
        }
        break;
    case KEY_TYPE_HOST:
        read_bind(builder, setting, values);
        break;
    case KEY_TYPE_ENVIRONMENT:
        read_environment(builder, setting, values);
        break;
    default: /* depends on others, so it is read when all are known */
        break;
    }
}

void service_read_values(struct service_builder *builder, const struct config_section *section,
                         struct service_values *values) {
    static const unsigned places[] = {[CONFIG_SECTION_SERVICE] = KEY_IN_SERVICE,
                                      [CONFIG_SECTION_PORTS] = 0,
                                      [CONFIG_SECTION_DEFAULTS] = KEY_IN_DEFAULTS,
                                      [CONFIG_SECTION_SUPERVISOR] = KEY_IN_SUPERVISOR};

    memset(values->own, 0, sizeof(values->own));
    for (size_t i = 0; i < builder->config->setting_count; i++) {
        const struct config_setting *setting = &builder->config->settings[i];
        if (setting->section == section->name) {
            read_value(builder, setting, key_find(setting->key, places[section->kind]), values);
        }
    }
    if (values->own[KEY_DIRECTORY] != NULL) {
        bool probe = section->kind == CONFIG_SECTION_DEFAULTS || values->numbers[KEY_ENABLED] != 0;
        values->directory = service_find_directory(builder, values->own[KEY_DIRECTORY], probe);
    }
}
