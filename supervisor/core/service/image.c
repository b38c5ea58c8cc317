#include "core/service/image.h"

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/service/pack.h"
#include "core/service/shape.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC UINT64_C(0x3165676d69746162) /* "batimge1" */

/* The image begins with this. Addresses are offsets in it, as integers; 0 = NULL. */
struct head {
    uint64_t magic;
    uint64_t build; /* of the program that has made it */
    uint64_t size_bytes;
    size_t service_count, access_count, disabled_count, piece_count;
    size_t services, accesses; /* arrays of offsets */
    size_t options, config, warnings;
    bool needs_privileges;
};

/* Another version, or another layout, is another build. */
static uint64_t build_of(const char *version) {
    uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    const uint64_t sizes[] = {sizeof(struct service), sizeof(struct supervisor_options),
                              sizeof(struct head), SERVICE_TEXTS_COUNT, SERVICE_ARRAYS_COUNT};
    for (; *version != '\0'; version++) {
        sum = (sum ^ (unsigned char)*version) * UINT64_C(0x100000001b3);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        sum = (sum ^ sizes[i]) * UINT64_C(0x100000001b3);
    }
    return sum;
}

/* ---- Pointers ---- */

/* By how much an address changes: from memory to the image, or back. NULL stays. */
static void move(void *pointer_field, uintptr_t by) {
    uintptr_t address;
    memcpy(&address, pointer_field, sizeof address);
    if (address != 0) {
        address += by;
        memcpy(pointer_field, &address, sizeof address);
    }
}

static void *pointer_of(const void *field) {
    void *pointer;
    memcpy(&pointer, field, sizeof pointer);
    return pointer;
}

/* Moves all pointers of a service. What they point to is in memory where they are `before` (to the
 * image) or after (from it). */
static void move_service(struct service *service, uintptr_t by, bool before) {
    for (size_t i = 0; i < SERVICE_ARRAYS_COUNT; i++) {
        const struct service_array *array = &service_arrays[i];
        char *field = (char *)service + array->items;
        size_t count;
        memcpy(&count, (char *)service + array->count, sizeof count);
        if (!before) {
            move(field, by);
        }
        char *items = pointer_of(field);
        for (size_t k = 0; array->ends && items != NULL && k < count; k++) {
            move(items + k * sizeof(char *), by);
        }
        if (array->items == offsetof(struct service, listen)) {
            for (size_t k = 0; items != NULL && k < count; k++) {
                struct service_listen *place = (struct service_listen *)(void *)items + k;
                move(&place->path, by);
                move(&place->name, by);
            }
        }
        if (before) {
            move(field, by);
        }
    }
    for (size_t i = 0; i < SERVICE_TEXTS_COUNT; i++) {
        move((char *)service + service_texts[i].field, by);
    }
}

#define AT(field) offsetof(struct supervisor_options, field)
static const uint16_t option_texts[] = {AT(handlers), AT(log),    AT(default_user),   AT(user),
                                        AT(control),  AT(status), AT(identity.chroot)};
#define OPTION_TEXTS_COUNT (sizeof option_texts / sizeof *option_texts)

static void move_options(struct supervisor_options *options, uintptr_t by) {
    for (size_t i = 0; i < OPTION_TEXTS_COUNT; i++) {
        move((char *)options + option_texts[i], by);
    }
    move(&options->identity.groups, by);
}

/* ---- Making one ---- */

/* Offset of a part that was packed; where it is only measured it is of no use. */
static size_t offset_in(const struct packer *packer, const void *part) {
    return part == NULL ? 0 : (size_t)((const char *)part - packer->bytes);
}

static size_t pack_options(struct packer *packer, const struct supervisor_options *options) {
    struct supervisor_options *packed =
        pack_part(packer, options, sizeof *options, alignof(max_align_t));
    for (size_t i = 0; i < OPTION_TEXTS_COUNT; i++) {
        const char *text = pack_text(packer, pointer_of((const char *)options + option_texts[i]));
        if (packed != NULL) {
            memcpy((char *)packed + option_texts[i], &text, sizeof text);
        }
    }
    const uint32_t *groups =
        pack_part(packer, options->identity.groups, options->identity.group_count * sizeof *groups,
                  alignof(max_align_t));
    if (packed != NULL) {
        packed->identity.groups = groups;
        move_options(packed, 0 - (uintptr_t)packer->bytes);
    }
    return offset_in(packer, packed);
}

static size_t pack_config(struct packer *packer, const struct image_config *config) {
    struct image_config *packed = pack_part(packer, config, sizeof *config, alignof(max_align_t));
    const char *file = pack_text(packer, config->file);
    const char *path = pack_text(packer, config->path);
    if (packed != NULL) {
        packed->file = file;
        packed->path = path;
        move(&packed->file, 0 - (uintptr_t)packer->bytes);
        move(&packed->path, 0 - (uintptr_t)packer->bytes);
    }
    return offset_in(packer, packed);
}

/* The number of a tree among the table's, from 1; 0 = none. */
static uintptr_t number_of(const struct service_table *table, const struct rule_tree *tree) {
    size_t number = 0;
    while (tree != NULL && number < table->access_count && table->accesses[number] != tree) {
        number++;
    }
    return tree == NULL ? 0 : number + 1;
}

static void pack_services(struct packer *packer, const struct service_table *table,
                          struct head *head) {
    const size_t bytes = (table->service_count + 1) * sizeof(size_t);
    size_t *offsets = pack_part(packer, packer, 0, alignof(max_align_t));
    packer->used_bytes += bytes;
    head->services = offset_in(packer, offsets);
    for (size_t i = 0; i < table->service_count; i++) {
        struct service *packed = service_pack(packer, &table->services[i]);
        if (packed != NULL) {
            offsets[i] = offset_in(packer, packed);
            uintptr_t access = number_of(table, packed->access);
            memcpy(&packed->access, &access, sizeof access);
            move_service(packed, 0 - (uintptr_t)packer->bytes, true);
        }
    }
}

static void pack_accesses(struct packer *packer, const struct service_table *table,
                          struct head *head) {
    size_t *offsets = pack_part(packer, packer, 0, alignof(max_align_t));
    packer->used_bytes += (table->access_count + 1) * sizeof(size_t);
    head->accesses = offset_in(packer, offsets);
    for (size_t i = 0; i < table->access_count; i++) {
        const struct rule_tree *tree = table->accesses[i];
        const void *packed =
            pack_part(packer, tree, rule_tree_size_bytes(tree), alignof(max_align_t));
        if (packed != NULL) {
            offsets[i] = offset_in(packer, packed);
        }
    }
}

static void pack_all(struct packer *packer, const struct service_table *table,
                     const struct image_config *config, const char *version) {
    struct head head = {.magic = MAGIC,
                        .build = build_of(version),
                        .service_count = table->service_count,
                        .access_count = table->access_count,
                        .disabled_count = table->disabled_count,
                        .piece_count = table->piece_count,
                        .needs_privileges = table->needs_privileges};
    void *first = pack_part(packer, &head, sizeof head, alignof(max_align_t));
    head.options = pack_options(packer, &table->options);
    head.config = pack_config(packer, config);
    head.warnings = offset_in(packer, pack_text(packer, table->warnings));
    pack_services(packer, table, &head);
    pack_accesses(packer, table, &head);
    head.size_bytes = packer->used_bytes;
    if (first != NULL) {
        memcpy(first, &head, sizeof head);
    }
}

char *image_make(const struct service_table *table, const struct image_config *config,
                 const char *version, size_t *size_bytes) {
    struct packer packer = {NULL, 0};
    pack_all(&packer, table, config, version);
    *size_bytes = packer.used_bytes;
    packer = (struct packer){calloc(1, packer.used_bytes), 0};
    if (packer.bytes != NULL) {
        pack_all(&packer, table, config, version);
    }
    return packer.bytes;
}

/* ---- Reading one ---- */

/* Trees are counted, so each is a piece of memory of its own. */
static bool read_accesses(const char *image, const struct head *head, struct service_table *table) {
    const size_t *offsets = (const size_t *)(const void *)(image + head->accesses);
    table->accesses = arena_alloc(table->arena, (head->access_count + 1) * sizeof(void *));
    for (size_t i = 0; i < head->access_count && table->accesses != NULL; i++) {
        table->accesses[i] =
            rule_tree_copy((const struct rule_tree *)(const void *)(image + offsets[i]));
        if (table->accesses[i] == NULL) {
            return false;
        }
        table->access_count++;
    }
    return table->accesses != NULL;
}

static bool read_services(char *image, const struct head *head, struct service_table *table) {
    const size_t *offsets = (const size_t *)(void *)(image + head->services);
    table->services =
        arena_alloc(table->arena, (head->service_count + 1) * sizeof *table->services);
    for (size_t i = 0; i < head->service_count && table->services != NULL; i++) {
        struct service *service = &table->services[i];
        uintptr_t access;
        memcpy(service, image + offsets[i], sizeof *service);
        move_service(service, (uintptr_t)image, false);
        memcpy(&access, &service->access, sizeof access);
        service->access = access == 0 ? NULL : table->accesses[access - 1];
    }
    table->service_count = head->service_count;
    return table->services != NULL;
}

int image_read(const char *bytes, size_t size_bytes, const char *version,
               struct service_table *table, struct image_config *config) {
    struct head head;
    *table = (struct service_table){0};
    if (size_bytes < sizeof head) {
        return BATON_INVALID;
    }
    memcpy(&head, bytes, sizeof head);
    if (head.magic != MAGIC || head.build != build_of(version) || head.size_bytes != size_bytes) {
        return BATON_INVALID;
    }
    table->arena = arena_create();
    char *image = table->arena == NULL ? NULL : arena_copy(table->arena, bytes, size_bytes);
    if (image == NULL || !read_accesses(image, &head, table) ||
        !read_services(image, &head, table)) {
        service_table_clear(table);
        return BATON_NO_MEMORY;
    }
    table->disabled_count = head.disabled_count;
    table->piece_count = head.piece_count;
    table->needs_privileges = head.needs_privileges;
    table->warnings = head.warnings == 0 ? NULL : image + head.warnings;
    memcpy(&table->options, image + head.options, sizeof table->options);
    move_options(&table->options, (uintptr_t)image);
    memcpy(config, image + head.config, sizeof *config);
    move(&config->file, (uintptr_t)image);
    move(&config->path, (uintptr_t)image);
    return BATON_OK;
}
