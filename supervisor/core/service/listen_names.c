/* What the listeners of a service are called where they are handed over: systemd's
 * FileDescriptorName=, whose rules these are (sd_listen_fds_with_names(3), systemd.socket(5)). */
#include "core/service/build.h"

#include <string.h>

#define NAME_MAX_BYTES 255u

/* What is wrong with a name, or NULL. */
static const char *check_name(const char *name) {
    if (name[0] == '\0') {
        return "has an empty entry; give each place a name, or delete the comma that is too many";
    }
    for (const char *at = name; *at != '\0'; at++) {
        if (*at < ' ' || *at > '~' || *at == ':') {
            return "is no name for a listener; give printable ASCII characters without `:`, which "
                   "separates the names in LISTEN_FDNAMES";
        }
    }
    return strlen(name) > NAME_MAX_BYTES
               ? "is too long for the name of a listener; give 255 characters at most"
               : NULL;
}

void service_read_listen_names(struct service_builder *builder,
                               const struct config_setting *setting,
                               struct service_values *values) {
    const char **names = NULL;
    size_t count = 0;
    size_t capacity = 0;
    bool fine = true;
    values->listen_names = NULL;
    values->listen_name_count = 0;
    for (const char *rest = setting->value; rest != NULL;) {
        const char *part = service_next_part(builder, &rest);
        const char *wrong = part == NULL ? NULL : check_name(part);
        if (part == NULL) {
            return;
        }
        if (wrong != NULL && part[0] == '\0') {
            service_report(builder, setting, "%s", wrong);
        } else if (wrong != NULL) {
            service_report(builder, setting, "`%s` %s", text_excerpt(part).text, wrong);
        }
        fine = fine && wrong == NULL;
        const char **grown =
            arena_grow(builder->scratch, (void *)names, count, &capacity, sizeof *grown);
        if (grown == NULL) {
            return;
        }
        names = grown;
        names[count++] = arena_text(builder->arena, part);
    }
    values->listen_names = fine ? names : NULL;
    values->listen_name_count = fine ? count : 0;
}

const char *service_listen_name(const struct service_values *values, size_t entry) {
    return entry < values->listen_name_count ? values->listen_names[entry] : NULL;
}

void service_check_listen_names(struct service_builder *builder,
                                const struct service_values *values, size_t entry_count) {
    size_t count = values->listen_name_count;
    if (values->listen_names != NULL && count != entry_count) {
        service_report(builder, values->own[KEY_LISTEN_NAMES],
                       "has %lu name%s, and `listen` has %lu place%s; give each place a name (all "
                       "ports of a range share one)",
                       (unsigned long)count, count == 1 ? "" : "s", (unsigned long)entry_count,
                       entry_count == 1 ? "" : "s");
    }
}
