#include "ctl/reply.h"

#include "core/base/error.h"
#include "core/base/text.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* A json_t by another name, so that who includes reply.h needs no library's header. */
static const json_t *json_of(const struct ctl_reply *reply) {
    return (const json_t *)reply;
}

static void say(struct ctl_fault *fault, const char *what) {
    text_format(fault->text, sizeof fault->text, "%s", what);
}

/* Whole numbers of the protocol have 64 bits, those of the library 63: what is above that is read
 * as a fraction, and so is as if it were not there. */
static json_t *load(const char *line, size_t length, json_error_t *error) {
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_t *root = json_loadb(line, length, flags, error);
    if (root == NULL && json_error_code(error) == json_error_numeric_overflow) {
        root = json_loadb(line, length, flags | JSON_DECODE_INT_AS_REAL, error);
    }
    return root;
}

/* What every line has. */
static bool is_ours(const json_t *root, struct ctl_fault *fault) {
    const json_t *version = json_object_get(root, "v");
    if (!json_is_object(root)) {
        say(fault, "it is no JSON object");
    } else if (!json_is_number(version) || json_number_value(version) != 1.0) {
        say(fault, "it is not of version 1, the only one that this batonctl knows");
    } else if (!json_is_string(json_object_get(root, "type"))) {
        say(fault, "it has no type");
    } else {
        return true;
    }
    return false;
}

int ctl_reply_read(const char *line, size_t length, struct ctl_reply **out,
                   struct ctl_fault *fault) {
    json_error_t error;
    *out = NULL;
    /* The library passes over one that stands behind a number. */
    if (memchr(line, '\0', length) != NULL) {
        say(fault, "it is no JSON, which has no NUL byte");
        return BATON_INVALID;
    }
    json_t *root = load(line, length, &error);
    if (root == NULL && json_error_code(&error) == json_error_out_of_memory) {
        return BATON_NO_MEMORY;
    }
    if (root == NULL) {
        /* The library's words may have a piece of the line in them. */
        text_format(fault->text, sizeof fault->text, "it is no JSON (byte %u)",
                    (unsigned)error.position);
        return BATON_INVALID;
    }
    if (!is_ours(root, fault)) {
        json_decref(root);
        return BATON_INVALID;
    }
    *out = (struct ctl_reply *)root;
    return BATON_OK;
}

void ctl_reply_clear(struct ctl_reply **reply) {
    json_decref((json_t *)*reply);
    *reply = NULL;
}

bool ctl_reply_is(const struct ctl_reply *reply, const char *type) {
    return strcmp(json_string_value(json_object_get(json_of(reply), "type")), type) == 0;
}

static struct ctl_value value_of(const json_t *json) {
    struct ctl_value value = {.kind = CTL_NOTHING};
    if (json_is_string(json)) {
        value = (struct ctl_value){
            .kind = CTL_TEXT, .text = json_string_value(json), .length = json_string_length(json)};
    } else if (json_is_integer(json) && json_integer_value(json) >= 0) {
        value.kind = CTL_NUMBER;
        value.number = (uint64_t)json_integer_value(json);
    } else if (json_is_boolean(json)) {
        value.kind = CTL_FLAG;
        value.flag = json_is_true(json);
    }
    return value;
}

struct ctl_value ctl_reply_value(const struct ctl_reply *reply, const char *name) {
    return value_of(json_object_get(json_of(reply), name));
}

uint64_t ctl_reply_number(const struct ctl_reply *reply, const char *name) {
    return ctl_reply_value(reply, name).number;
}

void ctl_reply_each(const struct ctl_reply *reply, ctl_reply_visit *visit, void *context) {
    json_t *root = (json_t *)json_of(reply);
    for (void *at = json_object_iter(root); at != NULL; at = json_object_iter_next(root, at)) {
        const char *name = json_object_iter_key(at);
        struct ctl_value value = value_of(json_object_iter_value(at));
        if (strcmp(name, "v") != 0 && strcmp(name, "type") != 0 && value.kind != CTL_NOTHING) {
            visit(context, name, &value);
        }
    }
}

void ctl_reply_list(const struct ctl_reply *reply, const char *name, ctl_reply_visit *visit,
                    void *context) {
    const json_t *list = json_object_get(json_of(reply), name);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct ctl_value value = value_of(json_array_get(list, i));
        if (value.kind == CTL_TEXT) {
            visit(context, name, &value);
        }
    }
}
