/* Who may come: the files of local sockets and their owners, and the proxies that are believed. */
#include "core/base/error.h"
#include "core/service/build.h"

#include <string.h>

bool service_read_path(struct service_builder *builder, const struct config_setting *setting,
                       const struct service_values *values, struct service_draft *draft) {
    const struct service_machine *machine = builder->machine;
    const char *text = service_unquote(builder, setting);
    struct address port;
    if (text != NULL && address_parse(text, &port)) {
        service_report_value(
            builder, setting, text,
            " is a port, and with `protocol = unix` the value is a path; correct one "
            "of the two (or write ./%s)",
            service_excerpt(builder, text));
        return false;
    }
    const char *path = text == NULL ? NULL : service_absolute_path(builder, setting, text);
    struct service_listen *place = arena_alloc(builder->arena, sizeof *place);

    if (path == NULL || place == NULL) {
        return false;
    }
    const char *base = service_base_name(machine, path);
    const char *folder = service_folder_of(builder, path);
    if (folder == NULL) {
        return false;
    }
    if (base[0] == '\0' || (draft->enabled && service_is_folder(machine, path))) {
        service_report(builder, setting, "%s is a folder; give the path of the socket's file",
                       path);
        return false;
    }
    if (strlen(path) > LOCAL_PATH_MAX_BYTES) {
        service_report(builder, setting,
                       "the path of a local socket has at most %u bytes, and this has %lu (%s); "
                       "choose a shorter one",
                       LOCAL_PATH_MAX_BYTES, (unsigned long)strlen(path),
                       service_excerpt(builder, path));
        return false;
    }
    if (draft->enabled) {
        service_check_folder(builder, setting, folder, NULL);
    }
    place->address.family = ADDRESS_UNIX;
    place->path = path;
    place->name = service_listen_name(values, 0);
    service_check_listen_names(builder, values, 1);
    draft->service.listen = place;
    draft->service.listen_count = 1;
    builder->place_count++;
    return true;
}

void service_read_owner(struct service_builder *builder, const struct config_setting *setting,
                        struct service_values *values) {
    const char *text = setting->value;
    const char *colon = strchr(text, ':');
    size_t user_length = colon != NULL ? (size_t)(colon - text) : strlen(text);
    bool bad_group = colon != NULL && (colon[1] == '\0' || strchr(colon + 1, ':') != NULL);
    values->service.socket_user = NULL;
    values->service.socket_group = NULL;
    if (strpbrk(text, " \t'\"/") != NULL || bad_group || (user_length == 0 && colon == NULL)) {
        service_report_value(builder, setting, text,
                             " is no owner; give USER, USER:GROUP or :GROUP, names or numbers");
        return;
    }
    if (user_length > 0) {
        values->service.socket_user = arena_copy(builder->arena, text, user_length);
    }
    if (colon != NULL) {
        values->service.socket_group = arena_text(builder->arena, colon + 1);
    }
}

static bool read_block(struct service_list *list, const char *text, void *item) {
    char message[ADDRESS_BLOCK_MESSAGE_SIZE];
    if (text[0] == '\0') {
        service_report(list->builder, list->setting,
                       "has an empty entry; delete the comma that is too many");
        return false;
    }
    if (!address_block_parse(text, item, message)) {
        service_report_value(list->builder, list->setting, text, ": %s", message);
        return false;
    }
    return true;
}

void service_read_trusted(struct service_builder *builder, struct service_values *values) {
    struct service *service = &values->service;
    service->proxy_trusted =
        service_read_list(builder, values, KEY_PROXY_TRUSTED, sizeof *service->proxy_trusted,
                          read_block, &service->proxy_trusted_count);
}
