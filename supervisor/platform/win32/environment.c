/*
 * The environment block of a program: sorted by name without regard to case, as CreateProcessW
 * documents it. BATON_CHANNEL, BATON_NONCE and BATON_PROTOCOL stand in it side by side, and the
 * values of the first two are written anew for every launch.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define CHANNEL_NAME L"BATON_CHANNEL="
#define NONCE_NAME L"BATON_NONCE="
#define NONCE_DIGITS 32
#define CHANNEL_MAX_CHARACTERS 21 /* two numbers of 32 bits and a comma */

struct entry {
    const wchar_t *text;
    wchar_t *owned; /* the same, when it is to be freed */
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

/* What another super-server or supervisor told us is not meant for our handlers. */
static bool is_inherited(const wchar_t *text) {
    return CompareStringOrdinal(text, (int)wcsnlen(text, 6), L"BATON_", 6, TRUE) != CSTR_EQUAL &&
           CompareStringOrdinal(text, (int)wcsnlen(text, 7), L"LISTEN_", 7, TRUE) != CSTR_EQUAL;
}

static int add(struct entries *entries, const wchar_t *text, wchar_t *owned) {
    for (size_t i = 0; i < entries->count; i++) {
        if (compare_names(entries->list[i].text, text) == 0) {
            free(entries->list[i].owned);
            entries->list[i] = (struct entry){text, owned};
            return BATON_OK;
        }
    }
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity * 2 + 64;
        struct entry *grown = realloc(entries->list, capacity * sizeof *grown);
        if (grown == NULL) {
            free(owned);
            return BATON_NO_MEMORY;
        }
        entries->list = grown;
        entries->capacity = capacity;
    }
    entries->list[entries->count++] = (struct entry){text, owned};
    return BATON_OK;
}

static int add_all(struct entries *entries, const wchar_t *own, const char *const *additions) {
    int code = BATON_OK;
    for (; code == BATON_OK && *own != L'\0'; own += wcslen(own) + 1) {
        if (is_inherited(own)) {
            code = add(entries, own, NULL);
        }
    }
    for (; code == BATON_OK && additions != NULL && *additions != NULL; additions++) {
        wchar_t *wide;
        code = text_to_wide(*additions, &wide);
        if (code == BATON_OK) {
            code = add(entries, wide, wide);
        }
    }
    if (code == BATON_OK) {
        code = add(entries, CHANNEL_NAME, NULL);
    }
    if (code == BATON_OK) {
        code = add(entries, NONCE_NAME, NULL);
    }
    return code == BATON_OK ? add(entries, L"BATON_PROTOCOL=1", NULL) : code;
}

/* The two that change get their room here: the value of BATON_CHANNEL starts out empty and what
 * stands behind it moves with its length; that of BATON_NONCE has always the same. */
static int join(const struct entries *entries, struct environment_block *out) {
    size_t total = CHANNEL_MAX_CHARACTERS + NONCE_DIGITS + 1;
    for (size_t i = 0; i < entries->count; i++) {
        total += wcslen(entries->list[i].text) + 1;
    }
    out->text = calloc(total, sizeof *out->text);
    if (out->text == NULL) {
        return BATON_NO_MEMORY;
    }
    size_t at = 0;
    out->channel_room = 0;
    for (size_t i = 0; i < entries->count; i++) {
        const wchar_t *text = entries->list[i].text;
        size_t length = wcslen(text);
        memcpy(out->text + at, text, length * sizeof *text);
        at += length;
        if (wcscmp(text, CHANNEL_NAME) == 0) {
            out->channel_at = at;
        } else if (wcscmp(text, NONCE_NAME) == 0) {
            out->nonce_at = at;
            at += NONCE_DIGITS;
        }
        at++;
    }
    out->length = at + 1;
    return BATON_OK;
}

int environment_create(const char *const *additions, struct environment_block *out) {
    struct entries entries = {NULL, 0, 0};
    wchar_t *own = GetEnvironmentStringsW();
    if (own == NULL) {
        return BATON_NO_MEMORY;
    }
    int code = add_all(&entries, own, additions);
    if (code == BATON_OK) {
        qsort(entries.list, entries.count, sizeof entries.list[0], compare_entries);
        code = join(&entries, out);
    }
    for (size_t i = 0; i < entries.count; i++) {
        free(entries.list[i].owned);
    }
    free(entries.list);
    FreeEnvironmentStringsW(own);
    return code;
}

static size_t put_number(wchar_t *out, DWORD number) {
    wchar_t digits[10];
    size_t count = 0;
    do {
        digits[count++] = (wchar_t)(L'0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++) {
        out[i] = digits[count - 1 - i];
    }
    return count;
}

void environment_set(struct environment_block *block, DWORD in, DWORD out, const char *nonce_hex) {
    wchar_t value[CHANNEL_MAX_CHARACTERS];
    size_t length = put_number(value, in);
    value[length++] = L',';
    length += put_number(value + length, out);

    wchar_t *channel = block->text + block->channel_at;
    size_t behind = block->length - block->channel_at - block->channel_room;
    memmove(channel + length, channel + block->channel_room, behind * sizeof *channel);
    memcpy(channel, value, length * sizeof *channel);
    block->length = block->length - block->channel_room + length;
    /* The nonce sorts after the channel, so it has moved as well. */
    block->nonce_at = block->nonce_at - block->channel_room + length;
    block->channel_room = length;

    for (size_t i = 0; i < NONCE_DIGITS && nonce_hex[i] != '\0'; i++) {
        block->text[block->nonce_at + i] = (wchar_t)(unsigned char)nonce_hex[i];
    }
}
