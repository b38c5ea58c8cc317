/* Where lines go: the keys of [supervisor], and a service's own file. */
#include "core/base/error.h"
#include "core/service/build.h"
#include "core/service/strict.h"

#include <string.h>

#define SYSLOG "syslog"

/* A file that can be made, in a folder that is there. NULL after a fault. */
static const char *read_file(struct service_builder *builder, const struct config_setting *setting,
                             const char *text, bool probe) {
    const struct service_machine *machine = builder->machine;
    const char *path = service_absolute_path(builder, setting, text);
    const char *base = path == NULL ? NULL : service_base_name(machine, path);
    const char *folder = path == NULL ? NULL : service_folder_of(builder, path);
    if (folder == NULL || !probe) {
        return path;
    }
    if (base[0] == '\0' || service_is_folder(machine, path)) {
        service_report(builder, setting, "%s is a folder; give the path of a file", path);
        return NULL;
    }
    if (service_lacks_folder(machine, folder, NULL, &builder->lack)) {
        service_report_lack(builder, setting);
        builder->problems->lacks_count--; /* nothing can be told of what goes on without it */
        return NULL;
    }
    return arena_text(builder->arena, path);
}

/* NULL if `text` names no syslog; "" for the system's, else where one listens. */
static const char *syslog_of(const char *text) {
    const size_t length = sizeof SYSLOG - 1;
    if (strncmp(text, SYSLOG, length) != 0) {
        return NULL;
    }
    return text[length] == '\0' ? "" : text[length] == ':' ? text + length + 1 : NULL;
}

static void read_syslog(struct service_builder *builder, const struct config_setting *setting,
                        const char *text) {
    if (service_on_windows(builder->machine)) {
        service_report(builder, setting, "there is no syslog on Windows; give the path of a file");
        return;
    }
    const char *path = text[0] == '\0' ? "/dev/log" : service_absolute_path(builder, setting, text);
    if (path != NULL && strlen(path) > LOCAL_PATH_MAX_BYTES) {
        service_report_value(builder, setting, text,
                             " is too long: a local socket's has at most 107 bytes");
    }
    builder->options.log = arena_text(builder->arena, path);
    builder->options.log_is_syslog = true;
}

void service_read_log(struct service_builder *builder, const struct service_values *values) {
    const struct config_setting *setting = values->own[KEY_LOG];
    const char *text = setting == NULL ? NULL : service_unquote(builder, setting);
    builder->options.has_log_mode = values->own[KEY_LOG_MODE] != NULL;
    if (text == NULL) {
        return;
    }
    const char *syslog = syslog_of(text);
    if (syslog != NULL) {
        read_syslog(builder, setting, syslog);
    } else {
        builder->options.log = read_file(builder, setting, text, true);
    }
}

/* Whoever may put a link in its folder could have root write to any file. */
static bool is_in_safe_folder(struct service_builder *builder, const struct config_setting *setting,
                              const char *path) {
    uint32_t own = builder->options.user != NULL ? builder->options.identity.uid : 0;
    const char *folder = service_folder_of(builder, path);
    if (!builder->strict_modes || folder == NULL ||
        !service_lacks_strictness(builder->machine, NULL, folder, own, &builder->lack)) {
        return true;
    }
    service_report_lack(builder, setting);
    builder->problems->lacks_count--; /* a fault, whatever else is there */
    return false;
}

const char *service_read_own_log(struct service_builder *builder,
                                 const struct config_setting *setting, bool probe) {
    const char *text = service_unquote(builder, setting);
    if (text == NULL || strcmp(text, "none") == 0) {
        return NULL;
    }
    if (syslog_of(text) != NULL) {
        service_report(builder, setting,
                       "a service's log is a file; a syslog is for `log` of [supervisor], and a "
                       "file of that name is `./syslog`");
        return NULL;
    }
    const char *path = read_file(builder, setting, text, probe);
    if (path == NULL || !probe || !is_in_safe_folder(builder, setting, path)) {
        return path;
    }
    if (builder->options.log != NULL && strcmp(path, builder->options.log) == 0) {
        service_report(builder, setting,
                       "%s is the log of [supervisor], where its lines go anyhow; "
                       "leave this key out, or write `none`",
                       path);
    }
    return path;
}
