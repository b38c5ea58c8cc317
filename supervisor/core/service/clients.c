/* Whom a service lets in: addresses, users and groups of local clients, hours. */
#include "core/base/error.h"
#include "core/service/build.h"

#include <string.h>

/* What is wrong with an entry is told once, where it stands. Returns false. */
static bool report_entry(struct service_list *list, const char *entry, const char *cure) {
    if (list->setting == list->values->own[list->id]) {
        service_report_value(list->builder, list->setting, entry, " %s", cure);
    }
    return false;
}

/* ---- Users and groups ---- */

static bool find_id(const struct service_machine *machine, enum key_id id, const char *name,
                    uint32_t *number) {
    struct account account;
    if (!service_has_accounts(machine)) {
        return false;
    }
    if (id == KEY_ALLOW_GID) {
        return machine->find_group(machine->context, name, number) == BATON_OK;
    }
    if (machine->find_user(machine->context, name, &account) != BATON_OK) {
        return false;
    }
    *number = account.uid;
    return true;
}

static bool read_id(struct service_list *list, const char *text, void *item) {
    const struct service_machine *machine = list->builder->machine;
    uint32_t *number = item;
    if (service_on_windows(machine)) {
        list->rest = NULL;
        return report_entry(list, list->setting->value,
                            "cannot be told here: Windows does not say who is at a local socket; "
                            "leave the key out");
    }
    bool is_known = text_parse_number(text, number) ? *number != UINT32_MAX
                                                    : find_id(machine, list->id, text, number);
    return is_known || report_entry(list, text,
                                    "is not known here; give names or numbers, separated by "
                                    "commas");
}

/* ---- Hours ---- */

/* Reads HH:MM; returns what comes after it, or NULL. */
static const char *read_time(const char *text, uint32_t *minute) {
    static const char form[] = "00:00";
    for (size_t i = 0; form[i] != '\0'; i++) {
        if (form[i] == ':' ? text[i] != ':' : text[i] < '0' || text[i] > '9') {
            return NULL;
        }
    }
    uint32_t hour = (uint32_t)((text[0] - '0') * 10 + text[1] - '0');
    *minute = (uint32_t)((text[3] - '0') * 10 + text[4] - '0');
    bool is_time = hour < 24 && *minute < 60;
    *minute += hour * 60;
    return is_time ? text + 5 : NULL;
}

static bool read_range(struct service_list *list, const char *text, void *item) {
    struct service_hours *range = item;
    const char *after = read_time(text, &range->first_minute);
    after = after == NULL || *after != '-' ? NULL : read_time(after + 1, &range->last_minute);
    return (after != NULL && *after == '\0') ||
           report_entry(list, text,
                        "is no range of hours; give HH:MM-HH:MM from 00:00 to 23:59, as in "
                        "08:00-17:59");
}

/* ---- All of it ---- */

/* A restriction for all services that one of them cannot keep must not vanish without a word. */
static void check_defaults(struct service_builder *builder, const struct service_values *values,
                           const struct service *service) {
    bool is_local = service->protocol == PROTOCOL_UNIX;
    bool hands_over = service->handoff == HANDOFF_LISTENER;
    unsigned over = hands_over && is_local ? KEY_OVER_UNIX : KEY_OVER_TCP;
    /* A proxy at a local socket names clients with addresses. */
    bool is_blind = hands_over || (is_local && service->proxy_protocol != 0);
    for (size_t i = KEY_ALLOW; is_blind && i <= KEY_ALLOW_GID; i++) {
        const struct config_setting *setting = builder->defaults.given[i];
        if (setting != NULL && values->mode != 0 && (key_table[i].modes & over) != 0) {
            service_report(builder, setting,
                           "the service in %s %s and cannot honour this, so anybody could "
                           "come; say it in the sections of the others",
                           config_line_words(builder->problems, service->line, setting->line),
                           hands_over ? "hands its socket over" : "has a proxy at a local socket");
        }
    }
}

void service_fill_access(struct service_builder *builder, const struct service_values *values,
                         bool probe, struct service *service) {
    const struct config_setting *allow = service_given(values, KEY_ALLOW);
    const struct config_setting *deny = service_given(values, KEY_DENY);
    service->access = service_read_rules(builder, allow, allow == values->own[KEY_ALLOW], deny,
                                         deny == values->own[KEY_DENY], probe);
    service->allow_uids = service_read_list(builder, values, KEY_ALLOW_UID, sizeof(uint32_t),
                                            read_id, &service->allow_uid_count);
    service->allow_gids = service_read_list(builder, values, KEY_ALLOW_GID, sizeof(uint32_t),
                                            read_id, &service->allow_gid_count);
    service->hours = service_read_list(builder, values, KEY_HOURS, sizeof *service->hours,
                                       read_range, &service->hours_count);
    for (size_t i = 0; i < SERVICE_ACCESS_KEY_COUNT; i++) {
        const struct config_setting *setting = service_given(values, (enum key_id)(KEY_ALLOW + i));
        service->access_texts[i] =
            setting == NULL ? NULL : arena_text(builder->arena, setting->value);
    }
    if (probe) {
        check_defaults(builder, values, service);
    }
}
