/*
 * The launch recipe: arguments and environment in the form of execve(2), made once, so that a
 * launch allocates nothing. The variables of the channel are in their places already; a launch only
 * rewrites the digits of the nonce.
 */
#include "platform/posix/internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Limits of execve(2): one text has at most 32 pages, and the sum at most 6 MiB whatever the limit
 * of the stack allows. */
#define TEXT_MAX_BYTES (32u * 4096u)
#define TOTAL_MAX_BYTES (6u * 1024u * 1024u)

#define NONCE_TEMPLATE "BATON_NONCE=00000000000000000000000000000000"

static const char *const channel_variables[] = {"BATON_PROTOCOL=1", "BATON_CHANNEL=3,3",
                                                NONCE_TEMPLATE};
#define CHANNEL_VARIABLE_COUNT (sizeof channel_variables / sizeof channel_variables[0])

static size_t count_texts(const char *const *texts) {
    size_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    return count;
}

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

/* What our own starter meant for us is not meant for handlers: a channel of ours (nested
 * supervisors), or sockets passed by systemd (sd_listen_fds(3)). */
static bool is_private(const char *entry) {
    static const char *const names[] = {"LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES="};
    return strncmp(entry, "BATON_", 6) == 0 ||
           is_named_in(entry, names, sizeof names / sizeof names[0]);
}

/* Chooses the entries of the new environment: ours, the additions, the channel's. `out` has room
 * for all of them. Returns their number. */
static size_t merge_environment(const char *const *additions, const char **out) {
    const char *const *inherited = (const char *const *)environ;
    size_t addition_count = count_texts(additions);
    size_t count = 0;
    for (size_t i = 0; inherited != NULL && inherited[i] != NULL; i++) {
        if (!is_private(inherited[i]) && !is_named_in(inherited[i], additions, addition_count)) {
            out[count++] = inherited[i];
        }
    }
    for (size_t i = 0; i < addition_count; i++) {
        /* Of several with one name the last one counts. */
        if (!is_named_in(additions[i], additions + i + 1, addition_count - i - 1) &&
            !is_named_in(additions[i], channel_variables, CHANNEL_VARIABLE_COUNT)) {
            out[count++] = additions[i];
        }
    }
    for (size_t i = 0; i < CHANNEL_VARIABLE_COUNT; i++) {
        out[count++] = channel_variables[i];
    }
    return count;
}

/* Well-formed UTF-8 by RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static bool is_utf8(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at != 0) {
        unsigned char lead = *at++;
        unsigned char low = 0x80;
        unsigned char high = 0xbf;
        int trail_count = 0;
        if (lead >= 0xc2 && lead <= 0xdf) {
            trail_count = 1;
        } else if (lead >= 0xe0 && lead <= 0xef) {
            trail_count = 2;
            low = lead == 0xe0 ? 0xa0 : low;
            high = lead == 0xed ? 0x9f : high;
        } else if (lead >= 0xf0 && lead <= 0xf4) {
            trail_count = 3;
            low = lead == 0xf0 ? 0x90 : low;
            high = lead == 0xf4 ? 0x8f : high;
        } else if (lead >= 0x80) {
            return false;
        }
        for (; trail_count > 0; trail_count--, at++) {
            if (*at < low || *at > high) {
                return false;
            }
            low = 0x80;
            high = 0xbf;
        }
    }
    return true;
}

static bool all_utf8(const char *const *texts) {
    for (size_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        if (!is_utf8(texts[i])) {
            return false;
        }
    }
    return true;
}

/* Adds the room for `count` texts, their pointers and the NULL after them. False if one is too
 * long for execve. */
static bool add_texts(size_t *total_bytes, const char *const *texts, size_t count) {
    *total_bytes += (count + 1) * sizeof(char *);
    for (size_t i = 0; i < count; i++) {
        size_t text_bytes = strlen(texts[i]) + 1;
        *total_bytes += text_bytes;
        if (text_bytes > TEXT_MAX_BYTES) {
            return false;
        }
    }
    return true;
}

static size_t total_limit_bytes(void) {
    long limit_bytes = sysconf(_SC_ARG_MAX);
    return limit_bytes > 0 && limit_bytes < (long)TOTAL_MAX_BYTES ? (size_t)limit_bytes
                                                                  : TOTAL_MAX_BYTES;
}

static char *copy_text(char **at, const char *text) {
    char *copy = *at;
    size_t size_bytes = strlen(text) + 1;
    memcpy(copy, text, size_bytes);
    *at += size_bytes;
    return copy;
}

static void copy_texts(char **at, char **pointers, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pointers[i] = copy_text(at, texts[i]);
    }
    pointers[count] = NULL;
}

/* Copies everything into one block: first the pointers, then the texts. */
static int build(struct platform_program *program, const struct platform_program_spec *spec,
                 const char *const *environment, size_t environment_count) {
    size_t argument_count = count_texts(spec->argv);
    size_t total_bytes = strlen(spec->path) + 1;
    /* execve itself puts the path, the texts and the pointers on the new stack. */
    if (!add_texts(&total_bytes, spec->argv, argument_count) ||
        !add_texts(&total_bytes, environment, environment_count) ||
        total_bytes > total_limit_bytes()) {
        return BATON_TOO_LONG;
    }
    total_bytes += spec->directory != NULL ? strlen(spec->directory) + 1 : 0;
    program->memory = malloc(total_bytes);
    if (program->memory == NULL) {
        return BATON_NO_MEMORY;
    }
    program->argv = program->memory;
    program->environment = program->argv + argument_count + 1;
    char *at = (char *)(program->environment + environment_count + 1);
    copy_texts(&at, program->argv, spec->argv, argument_count);
    copy_texts(&at, program->environment, environment, environment_count);
    program->nonce = program->environment[environment_count - 1];
    program->path = copy_text(&at, spec->path);
    program->directory = spec->directory != NULL ? copy_text(&at, spec->directory) : NULL;
    return BATON_OK;
}

int platform_program_create(struct platform *platform, const struct platform_program_spec *spec,
                            struct platform_program **out, struct baton_cause *cause) {
    (void)platform;
    *out = NULL;
    *cause = (struct baton_cause){0};
    if (spec->argv == NULL || spec->argv[0] == NULL || !is_utf8(spec->path) ||
        !all_utf8(spec->argv) || !all_utf8(spec->environment)) {
        return BATON_INVALID;
    }
    size_t most_count = count_texts((const char *const *)environ) + count_texts(spec->environment) +
                        CHANNEL_VARIABLE_COUNT;
    const char **environment = calloc(most_count, sizeof *environment);
    struct platform_program *program = calloc(1, sizeof *program);
    int result = BATON_NO_MEMORY;
    if (environment != NULL && program != NULL) {
        size_t count = merge_environment(spec->environment, environment);
        result = build(program, spec, environment, count);
    }
    free(environment);
    if (result != BATON_OK) {
        platform_program_destroy(&program);
        return result;
    }
    *out = program;
    return BATON_OK;
}

void platform_program_destroy(struct platform_program **program) {
    if (*program != NULL) {
        free((*program)->memory);
        free(*program);
        *program = NULL;
    }
}
