/*
 * The environment of a program's processes, as far as it is the same for all of them.
 */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NONCE_ENTRY "BATON_NONCE=00000000000000000000000000000000"
#define PID_ENTRY "LISTEN_PID=0000000000" /* the longest number of a pid_t */

/* Of ours, where the program has a channel or listeners: at most so many entries, and so many bytes
 * but for what the caller names. */
#define OWN_MAX_COUNT 7
#define OWN_TEXT_BYTES 256
#define NUMBERS_BYTES 48 /* "BATON_CHANNEL=4294967295,4294967295" */
#define NAMELESS "unknown:"

static size_t name_length(const char *entry) {
    return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b) {
    size_t length = name_length(a);
    return length == name_length(b) && memcmp(a, b, length) == 0;
}

/* Whether one of the texts has the same name: of the first `most_count`, or of those up to NULL. */
static bool is_named_in(const char *entry, const char *const *texts, size_t most_count) {
    for (size_t i = 0; i < most_count && texts != NULL && texts[i] != NULL; i++) {
        if (same_name(entry, texts[i])) {
            return true;
        }
    }
    return false;
}

size_t posix_count_texts(const char *const *texts) {
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    return count;
}

/* Returns where its NUL is. */
static char *put(char *at, const char *text) {
    size_t length = strlen(text);
    memcpy(at, text, length + 1);
    return at + length;
}

/* "LISTEN_FDNAMES=web:web", or without names "LISTEN_FDNAMES=unknown:unknown", as systemd has it.
 */
static char *put_listener_names(char *at, const char *names, uint32_t count) {
    at = put(put(at, "LISTEN_FDNAMES="), names != NULL ? names : "");
    for (uint32_t i = 0; names == NULL && i < count; i++) {
        at = put(at, NAMELESS);
    }
    if (names == NULL) {
        *--at = '\0';
    }
    return at;
}

/* Our entries, one behind the other, and an empty one. `at` has room for all. */
static void describe_own(const struct platform_program_spec *spec, char *at) {
    if (spec->service != NULL) {
        at = put(put(at, "BATON_SERVICE="), spec->service) + 1;
    }
    if (spec->has_channel) {
        unsigned channel = FIRST_PASSED_DESCRIPTOR + spec->listener_count;
        at = put(at, "BATON_PROTOCOL=1") + 1;
        at += text_format(at, NUMBERS_BYTES, "BATON_CHANNEL=%u,%u", channel, channel) + 1;
        at = put(at, NONCE_ENTRY) + 1;
    }
    if (spec->listener_count > 0) {
        at += text_format(at, NUMBERS_BYTES, "LISTEN_FDS=%u", (unsigned)spec->listener_count) + 1;
        at = put_listener_names(at, spec->listener_names, spec->listener_count) + 1;
        at = put(at, PID_ENTRY) + 1;
    }
    *at = '\0';
}

/* What each launch sets is not fixed. */
static void add(const struct platform_program_spec *spec, struct fixed_environment *out,
                const char *entry) {
    if (!is_named_in(entry, spec->variables, SIZE_MAX)) {
        out->entries[out->count++] = entry;
    }
}

/* Chooses the entries: ours, so that who looks for them finds them soon (holder.c), inherited ones,
 * the additions. `out->entries` has room for all. */
static void merge(const struct platform_program_spec *spec, struct fixed_environment *out) {
    const char *const *inherited = spec->inherited;
    const char *const *additions = spec->environment;
    for (const char *own = out->own; *own != '\0'; own += strlen(own) + 1) {
        add(spec, out, own);
    }
    size_t own_count = out->count;
    for (; inherited != NULL && *inherited != NULL; inherited++) {
        if (!is_named_in(*inherited, out->entries, own_count) &&
            !is_named_in(*inherited, additions, SIZE_MAX)) {
            add(spec, out, *inherited);
        }
    }
    for (; additions != NULL && *additions != NULL; additions++) {
        /* Of several with one name the last one counts. */
        if (!is_named_in(*additions, additions + 1, SIZE_MAX) &&
            !is_named_in(*additions, out->entries, own_count)) {
            add(spec, out, *additions);
        }
    }
}

static size_t length_of(const char *text) {
    return text != NULL ? strlen(text) : 0;
}

int posix_environment_choose(const struct platform_program_spec *spec,
                             struct fixed_environment *out) {
    size_t most_count =
        posix_count_texts(spec->inherited) + posix_count_texts(spec->environment) + OWN_MAX_COUNT;
    out->count = 0;
    out->entries = calloc(most_count, sizeof(char *));
    out->own = malloc(OWN_TEXT_BYTES + length_of(spec->service) + length_of(spec->listener_names) +
                      spec->listener_count * sizeof NAMELESS);
    if (out->entries == NULL || out->own == NULL) {
        return BATON_NO_MEMORY;
    }
    describe_own(spec, out->own);
    merge(spec, out);
    return BATON_OK;
}

void posix_environment_clear(struct fixed_environment *environment) {
    free(environment->entries);
    free(environment->own);
}

const char *const *platform_environment(void) {
    return (const char *const *)environ;
}

bool platform_is_variable(const char *variable, const char *name, size_t length) {
    return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

/* Where programs are, in which language they speak, what time it is. */
const char platform_basic_variables[] = "PATH\0LANG\0TZ\0";
