#include "core/service/services.h"

#include "core/base/error.h"
#include "core/base/must.h"
#include "core/base/table.h"
#include "core/service/difference.h"
#include "core/service/shape.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

/* Where the parts of one service are put; with `bytes` NULL it only measures. */
struct packer {
    char *bytes;
    size_t used_bytes;
};

/* NULL for NULL, and where it only measures. */
static void *pack(struct packer *packer, const void *part, size_t part_bytes, size_t alignment) {
    if (part == NULL) {
        return NULL;
    }
    packer->used_bytes += (alignment - packer->used_bytes % alignment) % alignment;
    char *copy = packer->bytes == NULL ? NULL : packer->bytes + packer->used_bytes;
    packer->used_bytes += part_bytes;
    return copy == NULL ? NULL : memcpy(copy, part, part_bytes);
}

static char *pack_text(struct packer *packer, const char *text) {
    return pack(packer, text, text == NULL ? 0 : strlen(text) + 1, 1);
}

/* `count` texts, which `copies` has as well if it is not NULL. */
static void pack_texts(struct packer *packer, char *const *texts, size_t count, char **copies) {
    for (size_t i = 0; i < count; i++) {
        char *copy = pack_text(packer, texts[i]);
        if (copies != NULL) {
            copies[i] = copy;
        }
    }
}

static void pack_array(struct packer *packer, size_t index, struct service *copy) {
    char *field = (char *)copy + service_arrays[index].items;
    bool ends = service_arrays[index].ends;
    size_t count = 0;
    void *items = NULL;
    memcpy(&items, field, sizeof items);
    memcpy(&count, (char *)copy + service_arrays[index].count, sizeof count);
    void *packed = pack(packer, items, (count + ends) * service_arrays[index].item_bytes,
                        alignof(struct service));
    if (ends && items != NULL) {
        pack_texts(packer, items, count, packed);
    }
    memcpy(field, &packed, sizeof packed);
}

static struct service *pack_service(struct packer *packer, const struct service *service) {
    struct service copy = *service;
    struct service *packed = pack(packer, service, sizeof *service, alignof(struct service));
    for (size_t i = 0; i < SERVICE_ARRAYS_COUNT; i++) {
        pack_array(packer, i, &copy);
    }
    for (size_t i = 0; i < service->listen_count; i++) {
        const char *path = pack_text(packer, service->listen[i].path);
        const char *name = pack_text(packer, service->listen[i].name);
        if (packed != NULL) {
            copy.listen[i].path = path;
            copy.listen[i].name = name;
        }
    }
    for (size_t i = 0; i < SERVICE_TEXTS_COUNT; i++) {
        char *field = (char *)&copy + service_texts[i].field;
        const char *text = NULL;
        memcpy(&text, field, sizeof text);
        text = pack_text(packer, text);
        memcpy(field, &text, sizeof text);
    }
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
    bool is_same = service->file == from->file ||
                   (service->file != NULL && from->file != NULL &&
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
