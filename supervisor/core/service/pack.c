#include "core/service/pack.h"

#include "core/service/shape.h"

#include <stdalign.h>
#include <string.h>

/* NULL for NULL, and where it only measures. */
void *pack_part(struct packer *packer, const void *part, size_t part_bytes, size_t alignment) {
    if (part == NULL) {
        return NULL;
    }
    packer->used_bytes += (alignment - packer->used_bytes % alignment) % alignment;
    char *copy = packer->bytes == NULL ? NULL : packer->bytes + packer->used_bytes;
    packer->used_bytes += part_bytes;
    return copy == NULL ? NULL : memcpy(copy, part, part_bytes);
}

char *pack_text(struct packer *packer, const char *text) {
    return pack_part(packer, text, text == NULL ? 0 : strlen(text) + 1, 1);
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
    void *packed = pack_part(packer, items, (count + ends) * service_arrays[index].item_bytes,
                             alignof(struct service));
    if (ends && items != NULL) {
        pack_texts(packer, items, count, packed);
    }
    memcpy(field, &packed, sizeof packed);
}

struct service *service_pack(struct packer *packer, const struct service *service) {
    struct service copy = *service;
    struct service *packed = pack_part(packer, service, sizeof *service, alignof(struct service));
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
