#include "ctl/keys.h"

#include "core/base/error.h"
#include "core/service/key_reference.h"
#include "ctl/buffer.h"

#include <string.h>

#define WIDTH 80u
#define NAME_WIDTH 22u

static void put(void *context, const char *text) {
    ctl_put(context, text);
}

/* ---- One key ---- */

/* Puts a line of Markdown in lines of WIDTH, the later ones behind `indent` blanks. */
static void put_wrapped(struct ctl_buffer *out, const char *line, size_t length, size_t indent) {
    size_t column = 0;
    for (size_t at = 0; at < length;) {
        size_t end = at;
        while (end < length && line[end] != ' ') {
            end++;
        }
        if (column > 0 && column + 1 + (end - at) > WIDTH) {
            ctl_put(out, "\n");
            for (column = 0; column < indent; column++) {
                ctl_put(out, " ");
            }
        } else if (column > 0) {
            ctl_put(out, " ");
            column++;
        }
        ctl_put_bytes(out, line + at, end - at);
        column += end - at;
        at = end + 1;
    }
    ctl_put(out, "\n");
}

/* The entry of the reference without what only Markdown needs. */
static void put_entry(struct ctl_buffer *out, const char *entry, const char *section) {
    static const char heading[] = "### ";
    while (*entry != '\0') {
        size_t length = strcspn(entry, "\n");
        if (strncmp(entry, heading, sizeof heading - 1) == 0) {
            ctl_put_bytes(out, entry + sizeof heading - 1, length - (sizeof heading - 1));
            ctl_put(out, section);
            ctl_put(out, "\n");
        } else if (length > 0 || out->length > 0) {
            put_wrapped(out, entry, length, entry[0] == '-' ? 2 : 0);
        }
        entry += length + (entry[length] == '\n');
    }
}

static const char *section_of(const struct key *key) {
    return (key->sections & KEY_IN_SUPERVISOR) != 0 ? " (of [supervisor])" : " (of a service)";
}

/* A row whose name is that of a file, or a pattern that the file's name fits. */
static bool is_named(size_t id, const char *name) {
    const struct key *key = &key_table[id];
    return strcmp(key_name(key), name) == 0 || key_find(name, key->sections) == key;
}

int ctl_keys_print(const char *name, text_emit *emit, void *context, const char **nearest,
                   const char **ours) {
    struct ctl_buffer entry = {0};
    struct ctl_buffer out = {0};
    for (size_t i = 0; i < KEY_COUNT; i++) {
        if (is_named(i, name)) {
            ctl_buffer_reset(&entry);
            key_print_entry((enum key_id)i, put, &entry);
            put_entry(&out, entry.text != NULL ? entry.text : "", section_of(&key_table[i]));
        }
    }
    bool failed = entry.failed || out.failed;
    int result = failed ? BATON_NO_MEMORY : out.length > 0 ? BATON_OK : BATON_NOT_FOUND;
    if (result == BATON_OK) {
        emit(context, out.text);
    }
    ctl_buffer_clear(&entry);
    ctl_buffer_clear(&out);
    *nearest = key_nearest(name, KEY_IN_SERVICE | KEY_IN_DEFAULTS | KEY_IN_SUPERVISOR);
    *ours = service_foreign_key(name);
    return result;
}

/* ---- All keys ---- */

/* The first sentence, if it fits, else as many words of it as do. */
static void put_summary(struct ctl_buffer *out, const char *help, size_t room) {
    size_t length = 0;
    while (help[length] != '\0' &&
           !(help[length] == '.' && (help[length + 1] == ' ' || help[length + 1] == '\0'))) {
        length++;
    }
    if (length <= room) {
        ctl_put_bytes(out, help, length);
        return;
    }
    length = room - 3;
    while (length > 0 && help[length] != ' ') {
        length--;
    }
    ctl_put_bytes(out, help, length);
    ctl_put(out, "...");
}

static void put_section(struct ctl_buffer *out, unsigned section, const char *title) {
    ctl_put(out, title);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const struct key *key = &key_table[i];
        if ((key->sections & section) == 0) {
            continue;
        }
        size_t width = strlen(key_name(key));
        ctl_put(out, "  ");
        ctl_put(out, key_name(key));
        for (; width < NAME_WIDTH; width++) {
            ctl_put(out, " ");
        }
        put_summary(out, key_help((enum key_id)i), WIDTH - 2 - NAME_WIDTH);
        ctl_put(out, "\n");
    }
}

int ctl_keys_list(text_emit *emit, void *context) {
    struct ctl_buffer out = {0};
    put_section(&out, KEY_IN_SERVICE, "Keys of a service:\n");
    put_section(&out, KEY_IN_SUPERVISOR, "\nKeys of [supervisor]:\n");
    ctl_put(&out, "\n`batonctl keys NAME` says all there is to know of one.\n");
    int result = out.failed ? BATON_NO_MEMORY : BATON_OK;
    if (result == BATON_OK) {
        emit(context, out.text);
    }
    ctl_buffer_clear(&out);
    return result;
}
