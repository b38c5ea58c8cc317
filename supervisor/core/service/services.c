#include "core/service/services.h"

#include "core/base/error.h"
#include "core/base/must.h"
#include "core/base/table.h"
#include "core/service/difference.h"
#include "core/service/pack.h"
#include "core/service/shape.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

static struct service *copy_service(const struct service *service) {
    struct packer packer = {NULL, 0};
    service_pack(&packer, service);
    packer = (struct packer){malloc(packer.used_bytes), 0};
    return packer.bytes == NULL ? NULL : service_pack(&packer, service);
}

int services_init(struct services *services) {
    memset(services, 0, sizeof *services);
    services->entries = table_create(SERVICES_MAX_COUNT, sizeof(struct service *));
    services->users_count = table_create(SERVICES_MAX_COUNT, sizeof *services->users_count);
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
    for (size_t i = 0; i < services->file_count; i++) {
        free(services->files[i]);
    }
    free((void *)services->files);
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

bool services_restore(struct services *services, uint32_t slot, const struct service *service) {
    services->entries[slot] = copy_service(service);
    if (services->entries[slot] != NULL) {
        rule_tree_share(service->access);
    }
    return services->entries[slot] != NULL;
}

const struct service *services_get(const struct services *services, uint32_t slot) {
    return services->entries[slot];
}

/* One of the files that services have moved to, kept as long as the registry: `name` may be gone
 * before. NULL when out of memory. */
static const char *keep_file(struct services *services, const char *name) {
    for (size_t i = 0; i < services->file_count; i++) {
        if (strcmp(services->files[i], name) == 0) {
            return services->files[i];
        }
    }
    size_t bytes = strlen(name) + 1;
    char *copy = malloc(bytes);
    char **grown = realloc(services->files, (services->file_count + 1) * sizeof *grown);
    services->files = grown != NULL ? grown : services->files;
    if (copy == NULL || grown == NULL) {
        free(copy);
        return NULL;
    }
    services->files[services->file_count++] = memcpy(copy, name, bytes);
    return copy;
}

void services_move_lines(struct services *services, uint32_t slot, const struct service *from) {
    struct service *service = services->entries[slot];
    bool is_same = service->file == from->file || (service->file != NULL && from->file != NULL &&
                                                   strcmp(service->file, from->file) == 0);
    const char *file = is_same              ? service->file
                       : from->file == NULL ? NULL
                                            : keep_file(services, from->file);
    if (!is_same && from->file != NULL && file == NULL) {
        return; /* rather all of before than a line of another file */
    }
    service_move_lines(service, from);
    service->file = file;
    rule_tree_share(from->access); /* which knows the lines of its rules */
    rule_tree_release(service->access);
    service->access = from->access;
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
