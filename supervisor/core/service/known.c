/* Sections and keys that nobody knows: reported with the nearest known name, and dropped. */
#include "core/service/build.h"

#include <string.h>

unsigned service_sections_of(enum config_section_kind kind) {
    static const uint8_t sections[] = {[CONFIG_SECTION_SERVICE] = KEY_IN_SERVICE,
                                       [CONFIG_SECTION_PORTS] = 0,
                                       [CONFIG_SECTION_DEFAULTS] = KEY_IN_DEFAULTS,
                                       [CONFIG_SECTION_SUPERVISOR] = KEY_IN_SUPERVISOR};
    return sections[kind];
}

static bool setting_of(const struct config *config, const struct config_section *section,
                       size_t index) {
    return config->settings[index].section == section->name;
}

/* What a section that describes no service may have been meant to be; NULL if it is a service. */
static const char *meant_section(const struct config *config,
                                 const struct config_section *section) {
    bool has_ports = false;
    for (size_t i = 0; i < config->setting_count; i++) {
        if (setting_of(config, section, i)) {
            const char *key = config->settings[i].key;
            if (strcmp(key, "listen") == 0 || strcmp(key, "handler") == 0) {
                return NULL;
            }
            has_ports = has_ports || (key[0] >= '0' && key[0] <= '9');
        }
    }
    for (size_t i = 0; i < CONFIG_SECTION_SERVICE; i++) {
        const char *special = config_section_names[i];
        size_t limit = text_distance_limit(special);
        if (text_distance(section->name, special, limit) <= limit) {
            return special;
        }
    }
    return has_ports ? "ports" : NULL;
}

/* What may stand for ports: numbers, ranges, names, lists of them. Whether they are any is for
 * those to say who know the names. */
static bool is_port_key(const char *key) {
    for (const char *at = key; *at != '\0'; at++) {
        if (!text_is_name_char(*at) && strchr("+-., \t", *at) == NULL) {
            return false;
        }
    }
    return (key_sections_of(key) & KEY_IN_SERVICE) == 0;
}

static bool is_service_name(const char *name) {
    if (!text_is_name_char(name[0]) || name[0] == '_') {
        return false;
    }
    for (const char *at = name; *at != '\0'; at++) {
        if (!text_is_name_char(*at) && *at != '.' && *at != '-') {
            return false;
        }
    }
    return true;
}

/* Returns true if the section stays. */
static bool check_section(const struct config *config, const struct config_section *section,
                          struct config_problems *problems) {
    if (section->kind != CONFIG_SECTION_SERVICE) {
        return true;
    }
    const char *meant = meant_section(config, section);
    if (meant != NULL) {
        config_problems_add(problems, section->line, section->name,
                            "unknown section, and no service, which has `listen` and `handler`; "
                            "did you mean [%s]?",
                            meant);
        return false;
    }
    if (!is_service_name(section->name)) {
        config_problems_add(problems, section->line, section->name,
                            "this cannot name a service; use letters, digits, `.`, `_` and `-`, "
                            "beginning with a letter or digit");
    }
    return true;
}

static void report_port_key(const struct config_setting *setting, struct config_problems *problems,
                            const char *label) {
    unsigned known = key_sections_of(setting->key);
    if ((known & KEY_IN_SERVICE) != 0) {
        config_problems_add(
            problems, setting->line, label,
            "[ports] has lines PORT = HANDLER only; %sgive the service a section of "
            "its own",
            (known & KEY_IN_DEFAULTS) != 0 ? "put this key into [defaults], or " : "");
    } else {
        config_problems_add(problems, setting->line, label,
                            "`%s` is not a port; give a number from 0 to 65535, a range or the "
                            "name of a service (to choose the address or its own name, give the "
                            "service a section of its own)",
                            config_excerpt(problems, setting->key));
    }
}

static void report_key(struct config_section *section, const struct config_setting *setting,
                       unsigned where, struct config_problems *problems, const char *label) {
    const char *foreign = service_foreign_key(setting->key);
    const char *nearest = key_nearest(setting->key, where);
    unsigned known = key_sections_of(setting->key);
    if ((known & KEY_IN_SUPERVISOR) != 0) {
        config_problems_add(problems, setting->line, label,
                            "belongs to the supervisor, not to a service; move it to [supervisor]");
    } else if (where == KEY_IN_SUPERVISOR && (known & KEY_IN_SERVICE) != 0) {
        config_problems_add(problems, setting->line, label,
                            "belongs to a service; move it to the section of the service%s",
                            (known & KEY_IN_DEFAULTS) != 0 ? ", or to [defaults]" : "");
    } else if ((known & KEY_IN_SERVICE) != 0) {
        config_problems_add(problems, setting->line, label,
                            "belongs to one service and cannot have a default; move it to the "
                            "section of that service");
    } else if (foreign != NULL) {
        config_problems_add(problems, setting->line, label, "unknown key; here that is %s",
                            foreign);
        section->incomplete = section->incomplete || strncmp(foreign, "`listen`", 8) == 0 ||
                              strncmp(foreign, "`handler`", 9) == 0;
    } else if (nearest != NULL) {
        config_problems_add(problems, setting->line, label, "unknown key; did you mean `%s`?",
                            nearest);
        /* It would be noise to report as missing what is there with a slip. */
        section->incomplete = section->incomplete || strcmp(nearest, "listen") == 0 ||
                              strcmp(nearest, "handler") == 0;
    } else {
        config_problems_add(problems, setting->line, label,
                            "unknown key; conf/KEYS.md lists those that there are");
    }
}

/* Returns true if the setting stays. */
static bool check_key(struct config_section *section, const struct config_setting *setting,
                      struct config_problems *problems) {
    unsigned where = service_sections_of(section->kind);
    if (section->kind == CONFIG_SECTION_PORTS ? is_port_key(setting->key)
                                              : (key_sections_of(setting->key) & where) != 0) {
        return true;
    }
    const char *label = config_key_label(problems, section->name, setting->key);
    if (section->kind == CONFIG_SECTION_PORTS) {
        report_port_key(setting, problems, label);
    } else {
        report_key(section, setting, where, problems, label);
    }
    return false;
}

/* Keeps the settings of `section` that are known (none if it goes), and all other settings. */
static void check_section_keys(struct config *config, struct config_section *section, bool stays,
                               struct config_problems *problems) {
    size_t kept = 0;
    for (size_t i = 0; i < config->setting_count; i++) {
        if (!setting_of(config, section, i) ||
            (stays && check_key(section, &config->settings[i], problems))) {
            config->settings[kept++] = config->settings[i];
        }
    }
    config->setting_count = kept;
}

void service_check_names(struct config *config, struct config_problems *problems) {
    size_t kept = 0;
    for (size_t i = 0; i < config->section_count; i++) {
        struct config_section *section = &config->sections[kept];
        *section = config->sections[i];
        bool stays = check_section(config, section, problems);
        check_section_keys(config, section, stays, problems);
        kept += stays;
    }
    config->section_count = kept;
}
