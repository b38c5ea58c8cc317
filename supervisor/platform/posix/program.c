/*
 * The launch recipe: arguments and environment in the form of execve(2), made once, so that a
 * launch allocates nothing. What differs between launches goes into places that are ready for it;
 * an argv of one launch alone is used where the caller has it, since a launch waits for execve(2).
 */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Limits of execve(2): one text has at most 32 pages, and the sum a quarter of the stack's limit,
 * but for what it may have at least and at most whatever that is. */
#define TOTAL_LEAST_BYTES (128u * 1024u)
#define TEXT_MAX_BYTES (32u * 4096u)
#define TOTAL_MAX_BYTES (6u * 1024u * 1024u)

#define NONCE_DIGITS 32

/* The NUL behind it belongs into no sequence, so nothing is read beyond. */
static bool is_utf8(const char *text) {
    size_t length = 1;
    for (; *text != '\0' && length > 0; text += length) {
        length = text_utf8_length(text, 4);
    }
    return length > 0;
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
    struct rlimit stack;
    if (prlimit(0, RLIMIT_STACK, NULL, &stack) != 0 || stack.rlim_cur / 4 > TOTAL_MAX_BYTES) {
        return TOTAL_MAX_BYTES;
    }
    return stack.rlim_cur / 4 > TOTAL_LEAST_BYTES ? (size_t)stack.rlim_cur / 4 : TOTAL_LEAST_BYTES;
}

static size_t size_of(const char *text) {
    return text != NULL ? strlen(text) + 1 : 0;
}

static char *copy_text(char **at, const char *text) {
    size_t size_bytes = size_of(text);
    char *copy = memcpy(*at, text != NULL ? text : "", size_bytes);
    *at += size_bytes;
    return text != NULL ? copy : NULL;
}

static void copy_texts(char **at, char **pointers, const char *const *texts, size_t count) {
    for (size_t i = 0; i < count; i++) {
        pointers[i] = copy_text(at, texts[i]);
    }
    pointers[count] = NULL;
}

static char *copy_name(char **at, const char *name) {
    char *copy = copy_text(at, name);
    (*at)[-1] = '=';
    *(*at)++ = '\0';
    return copy;
}

/* The value of an entry of the fixed environment that each launch rewrites; NULL if it is not
 * there. */
static char *find_value(const struct platform_program *program, const char *lead) {
    size_t lead_length = strlen(lead);
    for (size_t i = program->fixed_count; i > 0; i--) {
        if (strncmp(program->environment[i - 1], lead, lead_length) == 0) {
            return program->environment[i - 1] + lead_length;
        }
    }
    return NULL;
}

/* Copies everything into one block: first pointers and numbers, then the texts. */
static int build(struct platform_program *program, struct platform *platform,
                 const struct platform_program_spec *spec, const struct fixed_environment *fixed) {
    size_t argument_count = posix_count_texts(spec->argv);
    size_t total_bytes = size_of(spec->path);
    size_t limit_bytes = total_limit_bytes();
    program->fixed_count = fixed->count;
    program->variable_count = posix_count_texts(spec->variables);
    program->launch_bytes = spec->launch_bytes;
    program->listener_count = spec->listener_count;
    program->ends_with_supervisor = spec->ends_with_supervisor;
    program->leaves_children = spec->leaves_children;
    program->forbids_new_privileges = spec->forbids_new_privileges;
    /* execve itself puts the path, the texts and the pointers on the new stack. */
    if (!add_texts(&total_bytes, spec->argv, argument_count) ||
        !add_texts(&total_bytes, fixed->entries, fixed->count) ||
        !add_texts(&total_bytes, spec->variables, program->variable_count) ||
        spec->launch_bytes > limit_bytes) {
        return BATON_TOO_LONG;
    }
    /* The '=' of each copied name, and what one launch adds: names, '=' and values, and pointers to
     * them. */
    (void)add_texts(&total_bytes, spec->variables, program->variable_count);
    total_bytes += program->variable_count + spec->launch_bytes;
    if (total_bytes > limit_bytes) {
        return BATON_TOO_LONG;
    }
    size_t passed_count = (size_t)spec->listener_count + 1;
    const struct identity none = {0};
    const struct identity *identity = spec->identity != NULL ? spec->identity : &none;
    total_bytes += passed_count * sizeof(int) + identity->group_count * sizeof(uint32_t);
    total_bytes += size_of(identity->chroot) + size_of(spec->directory);
    program->memory = malloc(total_bytes);
    if (program->memory == NULL) {
        return BATON_NO_MEMORY;
    }
    program->argv = program->memory;
    program->variables = program->argv + argument_count + 1;
    program->environment = program->variables + program->variable_count + 1;
    program->passed = (int *)(program->environment + fixed->count + program->variable_count + 1);
    uint32_t *groups = (uint32_t *)(program->passed + passed_count);
    program->has_identity = spec->identity != NULL;
    program->identity = *identity;
    program->identity.groups = groups;
    for (size_t i = 0; i < identity->group_count; i++) {
        groups[i] = identity->groups[i];
    }
    char *at = (char *)(groups + identity->group_count);
    copy_texts(&at, program->argv, spec->argv, argument_count);
    copy_texts(&at, program->environment, fixed->entries, fixed->count);
    for (size_t i = 0; i < program->variable_count; i++) {
        program->variables[i] = copy_name(&at, spec->variables[i]);
    }
    program->path = copy_text(&at, spec->path);
    program->directory = copy_text(&at, spec->directory);
    program->identity.chroot = copy_text(&at, identity->chroot);
    program->nonce = spec->has_channel ? find_value(program, "BATON_NONCE=") : NULL;
    program->listen_pid = spec->listener_count > 0 ? find_value(program, "LISTEN_PID=") : NULL;
    program->values = at;
    posix_plan_make(&program->plan, platform, program);
    program->explain = spec->explain;
    program->explained = spec->explained;
    posix_launchers_note_program(platform, program);
    return BATON_OK;
}

static bool are_names(const char *const *variables) {
    for (size_t i = 0; variables != NULL && variables[i] != NULL; i++) {
        if (variables[i][0] == '\0' || strchr(variables[i], '=') != NULL) {
            return false;
        }
    }
    return all_utf8(variables);
}

static bool are_listeners_named(const char *names, uint32_t count) {
    uint32_t named_count = 1;
    for (const char *at = names; at != NULL && *at != '\0'; at++) {
        named_count += *at == ':' ? 1 : 0;
    }
    return names == NULL || named_count == count;
}

static bool is_valid(const struct platform_program_spec *spec) {
    return spec->argv != NULL && spec->argv[0] != NULL && is_utf8(spec->path) &&
           all_utf8(spec->argv) && all_utf8(spec->environment) && are_names(spec->variables) &&
           spec->listener_count <= UINT16_MAX &&
           are_listeners_named(spec->listener_names, spec->listener_count);
}

int platform_program_create(struct platform *platform, const struct platform_program_spec *spec,
                            struct platform_program **out, struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){0};
    if (!is_valid(spec)) {
        return BATON_INVALID;
    }
    struct fixed_environment fixed;
    *out = calloc(1, sizeof **out);
    int result = posix_environment_choose(spec, &fixed);
    if (result == BATON_OK) {
        result = *out == NULL ? BATON_NO_MEMORY : build(*out, platform, spec, &fixed);
    }
    posix_environment_clear(&fixed);
    if (result != BATON_OK) {
        platform_program_destroy(out);
    }
    return result;
}

void platform_program_destroy(struct platform_program **program) {
    if (*program != NULL) {
        free((*program)->memory);
        free(*program);
        *program = NULL;
    }
}

/* ---- One launch ---- */

/* Takes `text` from what is left of the room. */
static bool fits(size_t *left_bytes, const char *text) {
    size_t text_bytes = strlen(text) + 1;
    if (text_bytes > *left_bytes || text_bytes > TEXT_MAX_BYTES) {
        return false;
    }
    *left_bytes -= text_bytes;
    return true;
}

static int fill_variables(struct platform_program *program, const char *const *values,
                          size_t *left_bytes) {
    char *at = program->values;
    size_t count = program->fixed_count;
    for (size_t i = 0; values != NULL && i < program->variable_count; i++) {
        if (values[i] == NULL) {
            continue;
        }
        if (!fits(left_bytes, values[i])) {
            return BATON_TOO_LONG;
        }
        program->environment[count++] = copy_text(&at, program->variables[i]);
        at--; /* the value takes the place of the NUL */
        copy_text(&at, values[i]);
    }
    program->environment[count] = NULL;
    return BATON_OK;
}

static int fill_listeners(struct platform_program *program,
                          struct platform_listener *const *listeners) {
    for (uint32_t i = 0; i < program->listener_count; i++) {
        if (listeners == NULL || listeners[i] == NULL) {
            return BATON_INVALID;
        }
        posix_listener_make_blocking(listeners[i]);
        listeners[i]->was_lent = true;
        program->passed[i] = listeners[i]->watch.descriptor;
    }
    return BATON_OK;
}

int posix_program_fill(struct platform_program *program, const struct platform_launch *launch) {
    size_t left_bytes = program->launch_bytes;
    bool has_listeners = launch->streams == PLATFORM_STREAMS_LISTENERS;
    if (has_listeners != (program->listener_count > 0) ||
        (has_listeners && launch->input_listener >= program->listener_count)) {
        return BATON_INVALID;
    }
    if (program->nonce != NULL) {
        if (launch->nonce_hex == NULL || strlen(launch->nonce_hex) != NONCE_DIGITS) {
            return BATON_INVALID;
        }
        memcpy(program->nonce, launch->nonce_hex, NONCE_DIGITS);
    }
    for (size_t i = 0; launch->argv != NULL && launch->argv[i] != NULL; i++) {
        if (!fits(&left_bytes, launch->argv[i])) {
            return BATON_TOO_LONG;
        }
    }
    int result = fill_variables(program, launch->values, &left_bytes);
    return result == BATON_OK ? fill_listeners(program, launch->listeners) : result;
}
