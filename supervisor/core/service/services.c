#include "core/service/services.h"

#include "core/base/error.h"
#include "core/base/must.h"
#include "core/base/table.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Where the parts of one service are put; with `bytes` NULL it only measures. */
struct packer {
    char *bytes;
    size_t used_bytes;
};

static void *pack(struct packer *packer, const void *part, size_t part_bytes, size_t alignment) {
    packer->used_bytes += (alignment - packer->used_bytes % alignment) % alignment;
    char *copy = packer->bytes == NULL ? NULL : packer->bytes + packer->used_bytes;
    packer->used_bytes += part_bytes;
    if (copy != NULL && part_bytes > 0) {
        memcpy(copy, part, part_bytes);
    }
    return copy;
}

static char *pack_text(struct packer *packer, const char *text) {
    return text == NULL ? NULL : pack(packer, text, strlen(text) + 1, 1);
}

/* `count` texts and a NULL. */
static char **pack_texts(struct packer *packer, const char *const *texts, size_t count) {
    if (texts == NULL) {
        return NULL;
    }
    char **copies = pack(packer, texts, (count + 1) * sizeof(char *), alignof(char *));
    for (size_t i = 0; i < count; i++) {
        char *copy = pack_text(packer, texts[i]);
        if (copies != NULL) {
            copies[i] = copy;
        }
    }
    if (copies != NULL) {
        copies[count] = NULL;
    }
    return copies;
}

static struct service_listen *pack_listen(struct packer *packer, const struct service *service) {
    struct service_listen *copies =
        pack(packer, service->listen, service->listen_count * sizeof *service->listen,
             alignof(struct service_listen));
    for (size_t i = 0; i < service->listen_count; i++) {
        const char *path = pack_text(packer, service->listen[i].path);
        const char *name = pack_text(packer, service->listen[i].name);
        if (copies != NULL) {
            copies[i].path = path;
            copies[i].name = name;
        }
    }
    return copies;
}

/* Every pointer of struct service is one line here, but `access`, which is shared. */
static struct service *pack_service(struct packer *packer, const struct service *service) {
    struct service copy = *service;
    struct service *packed = pack(packer, service, sizeof *service, alignof(struct service));
    copy.listen = pack_listen(packer, service);
    copy.proxy_trusted = pack(packer, service->proxy_trusted,
                              service->proxy_trusted_count * sizeof *service->proxy_trusted,
                              alignof(struct address_block));
    copy.success_exits =
        pack(packer, service->success_exits,
             service->success_exit_count * sizeof *service->success_exits, alignof(uint32_t));
    copy.allow_uids = pack(packer, service->allow_uids, service->allow_uid_count * sizeof(uint32_t),
                           alignof(uint32_t));
    copy.allow_gids = pack(packer, service->allow_gids, service->allow_gid_count * sizeof(uint32_t),
                           alignof(uint32_t));
    copy.hours = pack(packer, service->hours, service->hours_count * sizeof *service->hours,
                      alignof(struct service_hours));
    for (size_t i = 0; i < SERVICE_ACCESS_KEY_COUNT; i++) {
        copy.access_texts[i] = pack_text(packer, service->access_texts[i]);
    }
    copy.argv = pack_texts(packer, (const char *const *)service->argv, service->argc);
    copy.environment =
        pack_texts(packer, (const char *const *)service->environment, service->environment_count);
    copy.variables = (const char **)pack_texts(packer, service->variables, service->variable_count);
    copy.variable_templates =
        (const char **)pack_texts(packer, service->variable_templates, service->variable_count);
    copy.name = pack_text(packer, service->name);
    copy.listen_names = pack_text(packer, service->listen_names);
    copy.program = pack_text(packer, service->program);
    copy.handler = pack_text(packer, service->handler);
    copy.argv0 = pack_text(packer, service->argv0);
    copy.directory = pack_text(packer, service->directory);
    copy.refuse_message = pack_text(packer, service->refuse_message);
    copy.inherited =
        pack_texts(packer, (const char *const *)service->inherited, service->inherited_count);
    copy.environment_from = pack_text(packer, service->environment_from);
    copy.capabilities = pack_text(packer, service->capabilities);
    copy.user = pack_text(packer, service->user);
    copy.identity.groups =
        pack(packer, service->identity.groups,
             service->identity.group_count * sizeof *service->identity.groups, alignof(uint32_t));
    copy.identity.chroot = pack_text(packer, service->identity.chroot);
    copy.socket_user = pack_text(packer, service->socket_user);
    copy.socket_group = pack_text(packer, service->socket_group);
    if (packed != NULL) {
        *packed = copy;
    }
    return packed;
}

static struct service *copy_service(const struct service *service) {
    struct packer packer = {NULL, 0};
    pack_service(&packer, service);
    packer = (struct packer){malloc(packer.used_bytes), 0};
    return packer.bytes == NULL ? NULL : pack_service(&packer, service);
}

int services_init(struct services *services) {
    memset(services, 0, sizeof *services);
    services->entries = calloc(SERVICES_MAX_COUNT, sizeof(struct service *));
    services->users_count = calloc(SERVICES_MAX_COUNT, sizeof *services->users_count);
    if (services->entries == NULL || services->users_count == NULL ||
        slots_init(&services->slots, SERVICES_MAX_COUNT) != BATON_OK) {
        services_clear(services);
        return BATON_NO_MEMORY;
    }
    return BATON_OK;
}

static void free_service(struct service *service) {
    rule_tree_release(service->access);
    free(service);
}

void services_clear(struct services *services) {
    if (services->entries != NULL) {
        SLOTS_EACH(slot, &services->slots) {
            free_service(services->entries[slot]);
        }
    }
    free((void *)services->entries);
    free(services->users_count);
    slots_clear(&services->slots);
    memset(services, 0, sizeof *services);
}

uint32_t services_add(struct services *services, const struct service *service) {
    uint32_t slot = slots_take(&services->slots);
    if (slot == SLOT_NONE) {
        return SLOT_NONE;
    }
    services->entries[slot] = copy_service(service);
    if (services->entries[slot] == NULL) {
        slots_give(&services->slots, slot);
        return SLOT_NONE;
    }
    rule_tree_share(service->access);
    services->users_count[slot] = 1;
    return slot;
}

const struct service *services_get(const struct services *services, uint32_t slot) {
    return services->entries[slot];
}

void services_share(struct services *services, uint32_t slot) {
    must(slots_is_used(&services->slots, slot));
    services->users_count[slot]++;
}

void services_release(struct services *services, uint32_t slot) {
    must(slots_is_used(&services->slots, slot) && services->users_count[slot] > 0);
    if (--services->users_count[slot] == 0) {
        free_service(services->entries[slot]);
        services->entries[slot] = NULL;
        slots_give(&services->slots, slot);
    }
}
