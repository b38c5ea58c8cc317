/*
 * The environment block of a program: sorted by name without regard to case, as CreateProcessW
 * documents it. What is the same for all launches is sorted once; a launch copies that and fills in
 * the rest at the places where it belongs.
 * https://learn.microsoft.com/windows/win32/procthread/changing-environment-variables
 */
#include "core/base/text.h"
#include "program.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define NONCE_TEXT_SIZE 33
#define HOLE_NONE SIZE_MAX
#define HOLE_CHANNEL (SIZE_MAX - 1)
#define HOLE_NONCE (SIZE_MAX - 2)

struct entry {
    const wchar_t *text;
    wchar_t *owned; /* the same, when it is to be freed */
    size_t of_what; /* HOLE_NONE: the text is whole; else it is a name with its '=' */
};

struct entries {
    struct entry *list;
    size_t count;
    size_t capacity;
};

/* Windows keeps names that start with '=' (the current folder of each drive). */
static size_t name_length(const wchar_t *text) {
    const wchar_t *end = text[0] == L'\0' ? NULL : wcschr(text + 1, L'=');
    return end == NULL ? wcslen(text) : (size_t)(end - text);
}

static int compare_names(const wchar_t *a, const wchar_t *b) {
    return CompareStringOrdinal(a, (int)name_length(a), b, (int)name_length(b), TRUE) - CSTR_EQUAL;
}

static int compare_entries(const void *a, const void *b) {
    return compare_names(((const struct entry *)a)->text, ((const struct entry *)b)->text);
}

/* The last one of a name counts. */
static int add(struct entries *entries, struct entry entry) {
    for (size_t i = 0; i < entries->count; i++) {
        if (compare_names(entries->list[i].text, entry.text) == 0) {
            free(entries->list[i].owned);
            entries->list[i] = entry;
            return BATON_OK;
        }
    }
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity * 2 + 64;
        struct entry *grown = realloc(entries->list, capacity * sizeof *grown);
        if (grown == NULL) {
            free(entry.owned);
            return BATON_NO_MEMORY;
        }
        entries->list = grown;
        entries->capacity = capacity;
    }
    entries->list[entries->count++] = entry;
    return BATON_OK;
}

static int add_text(struct entries *entries, const char *text) {
    wchar_t *wide;
    int code = win32_text_to_wide(text, &wide);
    return code == BATON_OK ? add(entries, (struct entry){wide, wide, HOLE_NONE}) : code;
}

static int add_name(struct entries *entries, const char *name, size_t of_what) {
    size_t length = strlen(name);
    if (length == 0 || strchr(name, '=') != NULL) {
        return BATON_INVALID;
    }
    wchar_t *wide = length < INT_MAX ? malloc((length + 2) * sizeof *wide) : NULL;
    if (wide == NULL) {
        return BATON_NO_MEMORY;
    }
    int code = win32_text_to_room(name, wide, length + 1);
    if (code != BATON_OK) {
        free(wide);
        return code;
    }
    size_t wide_length = wcslen(wide);
    wide[wide_length] = L'=';
    wide[wide_length + 1] = L'\0';
    return add(entries, (struct entry){wide, wide, of_what});
}

static int add_texts(struct entries *entries, const char *const *texts) {
    int code = BATON_OK;
    for (; code == BATON_OK && texts != NULL && *texts != NULL; texts++) {
        code = add_text(entries, *texts);
    }
    return code;
}

static int add_all(struct entries *entries, const struct platform_program_spec *spec) {
    int code = add_texts(entries, spec->inherited);
    if (code == BATON_OK) {
        code = add_texts(entries, spec->environment);
    }
    for (size_t i = 0; code == BATON_OK && spec->variables != NULL && spec->variables[i] != NULL;
         i++) {
        code = add_name(entries, spec->variables[i], i);
    }
    if (code == BATON_OK && spec->service != NULL) {
        char text[sizeof "BATON_SERVICE=" + 64]; /* a name has 48 bytes at most */
        text_format(text, sizeof text, "BATON_SERVICE=%s", spec->service);
        code = add_text(entries, text);
    }
    if (code == BATON_OK && spec->has_channel) {
        code = add_name(entries, "BATON_CHANNEL", HOLE_CHANNEL);
    }
    if (code == BATON_OK && spec->has_channel) {
        code = add_name(entries, "BATON_NONCE", HOLE_NONCE);
    }
    if (code == BATON_OK && spec->has_channel) {
        code = add_text(entries, "BATON_PROTOCOL=1");
    }
    return code;
}

/* Splits the sorted entries into what is fixed and the holes, which take over their names. */
static int split(struct entries *entries, size_t launch_bytes, struct environment_block *out) {
    size_t fixed_length = 0;
    size_t names_length = 0;
    size_t hole_count = 0;
    for (size_t i = 0; i < entries->count; i++) {
        size_t length = wcslen(entries->list[i].text) + 1;
        bool is_hole = entries->list[i].of_what != HOLE_NONE;
        hole_count += is_hole;
        *(is_hole ? &names_length : &fixed_length) += length;
    }
    /* An empty block is two NULs. A text in UTF-8 has no fewer bytes than it has characters. */
    out->capacity =
        fixed_length + names_length + launch_bytes + CHANNEL_TEXT_SIZE + NONCE_TEXT_SIZE + 2;
    out->fixed = calloc(fixed_length + 1, sizeof *out->fixed);
    out->holes = calloc(hole_count + 1, sizeof *out->holes);
    out->text = calloc(out->capacity, sizeof *out->text);
    if (out->fixed == NULL || out->holes == NULL || out->text == NULL) {
        return BATON_NO_MEMORY;
    }
    for (size_t i = 0; i < entries->count; i++) {
        struct entry *entry = &entries->list[i];
        if (entry->of_what != HOLE_NONE) {
            out->holes[out->hole_count++] =
                (struct environment_hole){entry->owned, out->fixed_length, entry->of_what};
            entry->owned = NULL;
        } else {
            size_t length = wcslen(entry->text) + 1;
            memcpy(out->fixed + out->fixed_length, entry->text, length * sizeof *entry->text);
            out->fixed_length += length;
        }
    }
    return BATON_OK;
}

int win32_environment_create(const struct platform_program_spec *spec,
                             struct environment_block *out) {
    struct entries entries = {NULL, 0, 0};
    int code = add_all(&entries, spec);
    if (code == BATON_OK) {
        if (entries.count > 0) {
            qsort(entries.list, entries.count, sizeof entries.list[0], compare_entries);
        }
        code = split(&entries, spec->launch_bytes, out);
        while (spec->variables != NULL && spec->variables[out->variable_count] != NULL) {
            out->variable_count++;
        }
    }
    for (size_t i = 0; i < entries.count; i++) {
        free(entries.list[i].owned);
    }
    free(entries.list);
    return code;
}

/* One block: the pointers, and then the texts, of which none has more than three bytes for each of
 * its characters. */
static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* In one order whoever has started us: what is the same is to look the same to the batond that
 * takes our place (Wine gives a process that was started from outside another one). */
const char *const *platform_environment(void) {
    wchar_t *own = GetEnvironmentStringsW();
    size_t count = 1;
    size_t bytes = 0;
    for (const wchar_t *at = own; at != NULL && *at != L'\0'; at += wcslen(at) + 1) {
        count++;
        bytes += 3 * wcslen(at) + 1;
    }
    char **texts = own == NULL ? NULL : calloc(1, count * sizeof *texts + bytes);
    char *out = (char *)(texts + count);
    size_t i = 0;
    for (const wchar_t *at = own; texts != NULL && *at != L'\0'; at += wcslen(at) + 1) {
        (void)win32_text_to_utf8(at, out, 3 * wcslen(at) + 1);
        texts[i++] = out;
        out += strlen(out) + 1;
    }
    if (own != NULL) {
        FreeEnvironmentStringsW(own);
    }
    if (texts != NULL) {
        qsort(texts, i, sizeof *texts, compare_texts);
    }
    return (const char *const *)texts;
}

static const char *value_of(const struct environment_hole *hole,
                            const struct environment_values *values) {
    switch (hole->of_what) {
    case HOLE_CHANNEL:
        return values->channel;
    case HOLE_NONCE:
        return values->nonce_hex;
    default:
        return values->variables == NULL ? NULL : values->variables[hole->of_what];
    }
}

int win32_environment_write(struct environment_block *block,
                            const struct environment_values *values) {
    wchar_t *out = block->text;
    wchar_t *end = block->text + block->capacity - 2;
    size_t done = 0; /* of what is fixed */
    for (size_t i = 0; i <= block->hole_count; i++) {
        const struct environment_hole *hole = &block->holes[i];
        size_t until = i < block->hole_count ? hole->at : block->fixed_length;
        const char *value = i < block->hole_count ? value_of(hole, values) : NULL;
        if ((size_t)(end - out) < until - done) {
            return BATON_TOO_LONG;
        }
        memcpy(out, block->fixed + done, (until - done) * sizeof *out);
        out += until - done;
        done = until;
        if (value == NULL) {
            continue;
        }
        size_t name_length = wcslen(hole->name);
        if ((size_t)(end - out) <= name_length) {
            return BATON_TOO_LONG;
        }
        memcpy(out, hole->name, name_length * sizeof *out);
        out += name_length;
        int code = win32_text_to_room(value, out, (size_t)(end - out));
        if (code != BATON_OK) {
            return code;
        }
        out += wcslen(out) + 1;
    }
    out[0] = L'\0';
    out[1] = L'\0';
    return BATON_OK;
}

void win32_environment_clear(struct environment_block *block) {
    for (size_t i = 0; i < block->hole_count; i++) {
        free(block->holes[i].name);
    }
    free(block->fixed);
    free(block->holes);
    free(block->text);
    *block = (struct environment_block){0};
}

/* Bytes that do not fit into the room, which is all that a value of the config has, are no name. */
bool platform_is_variable(const char *variable, const char *name, size_t length) {
    enum { ROOM = 4096 };
    wchar_t wide[ROOM], wide_name[ROOM];
    size_t own = variable[0] == '\0' ? 0 : 1 + strcspn(variable + 1, "=");
    if (variable[own] != '=' || length == 0 || own > ROOM || length > ROOM) {
        return false;
    }
    int count = MultiByteToWideChar(CP_UTF8, 0, variable, (int)own, wide, ROOM);
    int name_count = MultiByteToWideChar(CP_UTF8, 0, name, (int)length, wide_name, ROOM);
    return count > 0 && name_count > 0 &&
           CompareStringOrdinal(wide, count, wide_name, name_count, TRUE) == CSTR_EQUAL;
}

/* Without the first six hardly any program starts. */
const char platform_basic_variables[] =
    "PATH\0PATHEXT\0SystemRoot\0SystemDrive\0windir\0ComSpec\0TEMP\0TMP\0USERNAME\0USERPROFILE\0"
    "APPDATA\0LOCALAPPDATA\0ProgramData\0ProgramFiles\0ProgramFiles(x86)\0LANG\0TZ\0";
