#include "core/service/difference.h"

#include "core/base/text.h"
#include "core/service/key.h"
#include "core/service/shape.h"

#include <string.h>

#define AT(field) offsetof(struct service, field)

/* What is none of these, nor a number with a row in the table of keys, follows from something that
 * is; but for what would be forgotten here, which is found by the comparison of all bytes. */
static const struct {
    uint16_t field;
    uint8_t bytes, key;
} parts[] = {
    {AT(limits.rate), sizeof(struct rate_limit), KEY_RATE},
    {AT(limits.rate_per_source), sizeof(struct rate_limit), KEY_RATE_PER_SOURCE},
    {AT(identity.uid), sizeof(uint32_t), KEY_USER},
    {AT(identity.gid), sizeof(uint32_t), KEY_GROUP},
    {AT(socket_ids), 2 * sizeof(uint32_t), KEY_SOCKET_OWNER},
};

static bool is_same_text(const char *a, const char *b) {
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static void *pointer_at(const struct service *service, size_t field) {
    void *pointer;
    memcpy(&pointer, (const char *)service + field, sizeof pointer);
    return pointer;
}

static size_t size_at(const struct service *service, size_t field) {
    size_t size;
    memcpy(&size, (const char *)service + field, sizeof size);
    return size;
}

/* v6only says of an address what it takes, so it is a part of the place. */
bool service_is_same_place(const struct service *a, size_t i, const struct service *b, size_t k) {
    const struct service_listen *one = &a->listen[i], *other = &b->listen[k];
    return a->protocol == b->protocol && is_same_text(one->path, other->path) &&
           (one->path != NULL || (address_equal(&one->address, &other->address) &&
                                  (one->address.family != ADDRESS_IPV6 || a->v6only == b->v6only)));
}

/* What handlers are told of other keys, by variables, is no other value of `environment`. */
static bool is_same_entry(const char *a, const char *b) {
    return strcmp(a, b) == 0 ||
           (text_equal_start(a, "BATON_", 6, false) && text_equal_start(b, "BATON_", 6, false));
}

static bool are_same_items(const struct service_array *array, const struct service *a,
                           const struct service *b) {
    const char *one = pointer_at(a, array->items), *other = pointer_at(b, array->items);
    size_t count = size_at(a, array->count);
    bool same = count == size_at(b, array->count);
    for (size_t i = 0; i < count && same; i++) {
        if (array->key == KEY_LISTEN) {
            same = service_is_same_place(a, i, b, i) &&
                   is_same_text(a->listen[i].name, b->listen[i].name);
        } else if (array->ends) {
            same = is_same_entry(((char *const *)(const void *)one)[i],
                                 ((char *const *)(const void *)other)[i]);
        } else {
            same = memcmp(one + i * array->item_bytes, other + i * array->item_bytes,
                          array->item_bytes) == 0;
        }
    }
    return same;
}

/* Sets a byte for each key whose value differs. */
static void compare_keys(const struct service *a, const struct service *b, bool differ[KEY_COUNT]) {
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        if ((key->sections & KEY_IN_SERVICE) != 0 && key->field_offset != KEY_NO_FIELD) {
            differ[i] = memcmp((const char *)a + key->field_offset,
                               (const char *)b + key->field_offset, sizeof(uint32_t)) != 0;
        }
    }
    for (size_t i = 0; i < SERVICE_TEXTS_COUNT; i++) {
        const struct service_text *text = &service_texts[i];
        if (text->key != KEY_COUNT &&
            !is_same_text(pointer_at(a, text->field), pointer_at(b, text->field))) {
            differ[text->key] = true;
        }
    }
    for (size_t i = 0; i < SERVICE_ARRAYS_COUNT; i++) {
        if (!are_same_items(&service_arrays[i], a, b)) {
            differ[service_arrays[i].key] = true;
        }
    }
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (memcmp((const char *)a + parts[i].field, (const char *)b + parts[i].field,
                   parts[i].bytes) != 0) {
            differ[parts[i].key] = true;
        }
    }
    if (!rule_tree_is_same(a->access, b->access)) {
        differ[KEY_ALLOW] = true;
    }
}

/* The bytes that are neither pointers nor about the moment or the file. */
static void strip(struct service *service) {
    void *const nothing = NULL;
    for (size_t i = 0; i < SERVICE_TEXTS_COUNT; i++) {
        memcpy((char *)service + service_texts[i].field, &nothing, sizeof nothing);
    }
    for (size_t i = 0; i < SERVICE_ARRAYS_COUNT; i++) {
        memcpy((char *)service + service_arrays[i].items, &nothing, sizeof nothing);
    }
    service->access = NULL;
    service->lacks = false;
    service_move_lines(service, &(struct service){0});
}

bool service_is_same(const struct service *a, const struct service *b) {
    bool differ[KEY_COUNT] = {false};
    struct service copies[2];
    memcpy(&copies[0], a, sizeof *a); /* with what is between the members, which was zeros */
    memcpy(&copies[1], b, sizeof *b);
    compare_keys(a, b, differ);
    strip(&copies[0]);
    strip(&copies[1]);
    return memchr(differ, true, sizeof differ) == NULL &&
           memcmp((const char *)&copies[0], (const char *)&copies[1], sizeof copies[0]) == 0;
}

char *service_name_changes(const struct service *a, const struct service *b, char *out,
                           size_t size_bytes) {
    bool differ[KEY_COUNT] = {false};
    size_t used = 0;
    const char *name = NULL;
    compare_keys(a, b, differ);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        name = differ[i] ? key_name(&key_table[i]) : NULL;
        /* Room is kept for the mark. */
        if (name != NULL && used + strlen(name) + sizeof ", , ..." > size_bytes) {
            text_format(out + used, size_bytes - used, ", ...");
            return out;
        }
        if (name != NULL) {
            used += (size_t)text_format(out + used, size_bytes - used, "%s%s", used > 0 ? ", " : "",
                                        name);
        }
    }
    if (used == 0) {
        text_format(out, size_bytes, "other");
    }
    return out;
}

void service_move_lines(struct service *service, const struct service *from) {
    service->line = from->line;
    service->handler_line = from->handler_line;
    service->directory_line = from->directory_line;
    service->listen_line = from->listen_line;
}
