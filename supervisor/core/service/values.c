/* The keys of a service, by their types: own section over [defaults] over the table. */
#include "core/base/utf16.h"
#include "core/service/build.h"

#include <string.h>

void service_default_values(struct service_values *values) {
    memset(values, 0, sizeof *values);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        values->numbers[i] = key_table[i].default_number;
    }
    (void)address_parse_host(KEY_BIND_DEFAULT, &values->bind);
    values->protocol_known = true;
}

void service_fill_fields(const struct service_values *values, unsigned sections, void *object) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (key_table[i].field_offset != KEY_NO_FIELD && (key_table[i].sections & sections) != 0) {
            memcpy((char *)object + key_table[i].field_offset, &values->numbers[i],
                   sizeof values->numbers[i]);
        }
    }
}

static void read_bind(struct service_builder *builder, const struct config_setting *setting,
                      struct service_values *values) {
    if (!address_parse_host(setting->value, &values->bind)) {
        service_report_value(builder, setting, setting->value,
                             " is not an address; give an IPv4 or IPv6 address without port (for "
                             "localhost 127.0.0.1), names are not looked up");
    }
}

/* Reads a number, permissions, boolean or choice. False after a fault was reported. */
static bool read_number(struct service_builder *builder, const struct config_setting *setting,
                        size_t id, struct service_values *values) {
    struct key_message message;
    if (key_parse(&key_table[id], setting->value, &values->numbers[id], &message)) {
        return true;
    }
    service_report(builder, setting, "%s", message.text);
    return false;
}

static void read_value(struct service_builder *builder, const struct config_setting *setting,
                       size_t id, struct service_values *values) {
    const struct key *key = &key_table[id];
    struct key_message message;
    if (!key_fits_mode(key, values->mode)) {
        key_print_misfit(key, values->mode, &message);
        service_report(builder, setting, "%s", message.text);
        return;
    }
    switch (key->type) {
    case KEY_TYPE_NUMBER:
    case KEY_TYPE_LIMIT:
    case KEY_TYPE_SIZE:
    case KEY_TYPE_PERMISSIONS:
    case KEY_TYPE_BOOLEAN:
    case KEY_TYPE_CHOICE:
        (void)read_number(builder, setting, id, values);
        break;
    case KEY_TYPE_HOST:
        read_bind(builder, setting, values);
        break;
    case KEY_TYPE_ENVIRONMENT:
        service_read_environment(builder, setting, values);
        break;
    case KEY_TYPE_OWNER:
        service_read_owner(builder, setting, values);
        break;
    case KEY_TYPE_CODES:
        service_read_exits(builder, values);
        break;
    case KEY_TYPE_NAMES:
        if (id == KEY_LISTEN_NAMES) {
            service_read_listen_names(builder, values);
        }
        break;
    case KEY_TYPE_RATE:
        service_read_rate(builder, setting,
                          id == KEY_RATE || id == KEY_ALL_RATE
                              ? &values->service.limits.rate
                              : &values->service.limits.rate_per_source);
        break;
    case KEY_TYPE_TEXT:
        if (id == KEY_REFUSE_MESSAGE) {
            service_read_refuse_message(builder, setting, values);
        }
        break;
    case KEY_TYPE_BLOCKS:
        service_read_trusted(builder, values);
        break;
    default: /* depends on others, so it is read when all are known */
        break;
    }
}

/* Finds the settings of a section. */
static void find_settings(const struct service_builder *builder,
                          const struct config_section *section, struct service_values *values) {
    unsigned sections = service_sections_of(section->kind);
    memset(values->own, 0, sizeof values->own);
    for (size_t i = 0; i < builder->config->setting_count; i++) {
        const struct config_setting *setting = &builder->config->settings[i];
        if (setting->section == section->name) {
            size_t id = (size_t)(key_find(setting->key, sections) - key_table);
            values->own[id] = setting;
            values->given[id] = setting;
        }
    }
}

/* CreateProcessW takes no longer one as the current folder of a program, whatever its manifest says
 * (MAX_PATH - 2, SetCurrentDirectory's page): every launch would fail. */
static void check_current_folder(struct service_builder *builder,
                                 const struct config_setting *setting, const char *path) {
    enum { MOST_UNITS = 258 };
    if (service_on_windows(builder->machine) && path != NULL &&
        utf16_count_units(path) > MOST_UNITS) {
        service_report(builder, setting,
                       "the path has %lu characters, and Windows starts no program in a folder "
                       "whose path has more than %d; give a shorter one",
                       (unsigned long)utf16_count_units(path), MOST_UNITS);
    }
}

void service_read_values(struct service_builder *builder, const struct config_section *section,
                         struct service_values *values) {
    const struct config_setting *const *own = (const struct config_setting *const *)values->own;
    find_settings(builder, section, values);
    bool handoff =
        own[KEY_HANDOFF] == NULL || read_number(builder, own[KEY_HANDOFF], KEY_HANDOFF, values);
    bool protocol =
        own[KEY_PROTOCOL] == NULL || read_number(builder, own[KEY_PROTOCOL], KEY_PROTOCOL, values);
    if (section->kind == CONFIG_SECTION_SERVICE) {
        service_choose_mode(builder, values, handoff, protocol);
    }
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (own[i] != NULL && i != KEY_HANDOFF && i != KEY_PROTOCOL) {
            read_value(builder, own[i], i, values);
        }
    }
    if (section->kind == CONFIG_SECTION_SERVICE) {
        service_fit_values(values);
        service_check_values(builder, values);
        service_check_living(builder, values);
    }
    bool probe = section->kind == CONFIG_SECTION_DEFAULTS || values->numbers[KEY_ENABLED] != 0;
    if (own[KEY_CHROOT] != NULL) {
        values->service.identity.chroot =
            service_find_directory(builder, own[KEY_CHROOT], NULL, probe);
    }
    if (own[KEY_OWN_LOG] != NULL) {
        values->service.log = service_read_own_log(builder, own[KEY_OWN_LOG], probe);
    }
    /* What [defaults] says is another folder in another root. */
    if (own[KEY_DIRECTORY] != NULL ||
        (own[KEY_CHROOT] != NULL && values->given[KEY_DIRECTORY] != NULL)) {
        values->service.directory =
            service_find_directory(builder, values->given[KEY_DIRECTORY], &values->service, probe);
        check_current_folder(builder, values->given[KEY_DIRECTORY], values->service.directory);
    }
}
