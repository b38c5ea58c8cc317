/*
 * The environment of a program's processes, as far as it is the same for all of them.
 */
#include "platform/posix/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NONCE_ENTRY "BATON_NONCE=00000000000000000000000000000000"
#define PID_ENTRY "LISTEN_PID=0000000000" /* the longest number of a pid_t */

#define OWN_MAX_COUNT 7

/* What we set, where the program has a channel or listeners. */
struct own_entries {
    const char *texts[OWN_MAX_COUNT];
    size_t count;
};

static size_t name_length(const char *entry) {
    return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b) {
    size_t length = name_length(a);
    return length == name_length(b) && memcmp(a, b, length) == 0;
}

static bool is_named_in(const char *entry, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (same_name(entry, texts[i])) {
            return true;
        }
    }
    return false;
}

static size_t count_texts(const char *const *texts) {
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    return count;
}

/* "BATON_SERVICE=web". NULL when out of memory. */
static char *name_service(const char *name) {
    static const char lead[] = "BATON_SERVICE=";
    size_t name_bytes = strlen(name) + 1;
    char *text = malloc(sizeof lead - 1 + name_bytes);
    if (text != NULL) {
        memcpy(text, lead, sizeof lead - 1);
        memcpy(text + sizeof lead - 1, name, name_bytes);
    }
    return text;
}

/* "LISTEN_FDNAMES=web:web", or without names "LISTEN_FDNAMES=unknown:unknown", as systemd has it.
 * NULL when out of memory. */
static char *name_listeners(const char *names, uint32_t count) {
    static const char lead[] = "LISTEN_FDNAMES=";
    static const char unknown[] = "unknown:";
    size_t names_bytes = names != NULL ? strlen(names) + 1 : count * (sizeof unknown - 1);
    char *text = malloc(sizeof lead + names_bytes);
    if (text == NULL) {
        return NULL;
    }
    memcpy(text, lead, sizeof lead);
    char *at = text + sizeof lead - 1;
    if (names != NULL) {
        memcpy(at, names, names_bytes);
        return text;
    }
    for (uint32_t i = 0; i < count; i++, at += sizeof unknown - 1) {
        memcpy(at, unknown, sizeof unknown - 1);
    }
    at[-1] = '\0';
    return text;
}

static int describe_own(const struct platform_program_spec *spec, struct fixed_environment *out,
                        struct own_entries *own) {
    if (spec->service != NULL) {
        out->service = name_service(spec->service);
        if (out->service == NULL) {
            return BATON_NO_MEMORY;
        }
        own->texts[own->count++] = out->service;
    }
    if (spec->has_channel) {
        unsigned channel = FIRST_PASSED_DESCRIPTOR + spec->listener_count;
        snprintf(out->channel, sizeof out->channel, "BATON_CHANNEL=%u,%u", channel, channel);
        own->texts[own->count++] = "BATON_PROTOCOL=1";
        own->texts[own->count++] = out->channel;
        own->texts[own->count++] = NONCE_ENTRY;
    }
    if (spec->listener_count > 0) {
        out->listen_names = name_listeners(spec->listener_names, spec->listener_count);
        if (out->listen_names == NULL) {
            return BATON_NO_MEMORY;
        }
        snprintf(out->listen_count, sizeof out->listen_count, "LISTEN_FDS=%u",
                 (unsigned)spec->listener_count);
        own->texts[own->count++] = out->listen_count;
        own->texts[own->count++] = out->listen_names;
        own->texts[own->count++] = PID_ENTRY;
    }
    return BATON_OK;
}

/* Chooses the entries: ours, so that who looks for them finds them soon (holder.c), inherited ones,
 * the additions. `out->entries` has room for all. */
static void merge(const struct platform_program_spec *spec, const struct own_entries *own,
                  struct fixed_environment *out) {
    const char *const *inherited = spec->inherited;
    const char *const *additions = spec->environment;
    size_t addition_count = count_texts(additions);
    size_t variable_count = count_texts(spec->variables);
    for (size_t i = 0; i < own->count; i++) {
        if (!is_named_in(own->texts[i], spec->variables, variable_count)) {
            out->entries[out->count++] = own->texts[i];
        }
    }
    for (size_t i = 0; inherited != NULL && inherited[i] != NULL; i++) {
        if (!is_named_in(inherited[i], own->texts, own->count) &&
            !is_named_in(inherited[i], additions, addition_count) &&
            !is_named_in(inherited[i], spec->variables, variable_count)) {
            out->entries[out->count++] = inherited[i];
        }
    }
    for (size_t i = 0; i < addition_count; i++) {
        /* Of several with one name the last one counts. */
        if (!is_named_in(additions[i], additions + i + 1, addition_count - i - 1) &&
            !is_named_in(additions[i], spec->variables, variable_count) &&
            !is_named_in(additions[i], own->texts, own->count)) {
            out->entries[out->count++] = additions[i];
        }
    }
}

int posix_environment_choose(const struct platform_program_spec *spec,
                             struct fixed_environment *out) {
    struct own_entries own = {.count = 0};
    *out = (struct fixed_environment){0};
    size_t most_count =
        count_texts(spec->inherited) + count_texts(spec->environment) + OWN_MAX_COUNT;
    out->entries = calloc(most_count, sizeof(char *));
    int result = out->entries == NULL ? BATON_NO_MEMORY : describe_own(spec, out, &own);
    if (result == BATON_OK) {
        merge(spec, &own, out);
    }
    return result;
}

void posix_environment_clear(struct fixed_environment *environment) {
    free(environment->entries);
    free(environment->listen_names);
    free(environment->service);
    *environment = (struct fixed_environment){0};
}

const char *const *platform_environment(void) {
    return (const char *const *)environ;
}

/* Where programs are, in which language they speak, what time it is. */
const char platform_basic_variables[] = "PATH\0LANG\0TZ\0";
