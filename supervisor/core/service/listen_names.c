/* What the listeners of a service are called where they are handed over: systemd's
 * FileDescriptorName=, whose rules these are (sd_listen_fds_with_names(3), systemd.socket(5)). */
#include "core/service/build.h"

#include <string.h>

#define NAME_MAX_BYTES 255u

static bool is_name(const char *name) {
    size_t length = 0;
    while (name[length] >= ' ' && name[length] <= '~' && name[length] != ':') {
        length++;
    }
    return length > 0 && length <= NAME_MAX_BYTES && name[length] == '\0';
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
        if (part == NULL) {
            return;
        }
        if (!is_name(part)) {
            fine = false;
            service_report_value(builder, setting, part,
                                 " is no name for a listener; give 1 to 255 printable ASCII "
                                 "characters without `:`, which separates names in LISTEN_FDNAMES");
        }
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
