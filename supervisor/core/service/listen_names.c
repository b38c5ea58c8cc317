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

static bool read_name(struct service_list *list, const char *text, void *item) {
    const char **name = item;
    *name = arena_text(list->builder->arena, text);
    if (is_name(text)) {
        return true;
    }
    list->is_void = true;
    service_report_value(list->builder, list->setting, text,
                         " is no name for a listener; give 1 to 255 printable ASCII characters "
                         "without `:`, which separates names in LISTEN_FDNAMES");
    return false;
}

void service_read_listen_names(struct service_builder *builder, struct service_values *values) {
    values->listen_names =
        service_read_list(builder, values, KEY_LISTEN_NAMES, sizeof *values->listen_names,
                          read_name, &values->listen_name_count);
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
