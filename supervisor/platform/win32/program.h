/*
 * The recipe of a launch: what platform_program_create() prepares and platform_launch() completes
 * without allocating anything.
 */
#ifndef BATON_PLATFORM_WIN32_PROGRAM_H
#define BATON_PLATFORM_WIN32_PROGRAM_H

#include "internal.h"

#define COMMAND_LINE_MAX 32767 /* characters with NUL: the limit of CreateProcessW */

/* Owner: the platform, which has one. */
struct command_line {
    size_t length;
    bool too_long;
    wchar_t text[COMMAND_LINE_MAX];
    wchar_t argument[COMMAND_LINE_MAX]; /* the one at hand */
};

/* Writes argv to line->text: 1..32766 characters and NUL. BATON_OK, BATON_INVALID, BATON_TOO_LONG.
 */
int win32_command_line_write(const char *const *argv, struct command_line *line);

/* BATON_CHANNEL: two numbers of 32 bits, a comma and NUL. */
#define CHANNEL_TEXT_SIZE 22

/* What a launch puts into the block. */
struct environment_values {
    const char *const *variables; /* of the spec's `variables`; NULL = none is set */
    const char *channel;          /* with a channel: the value of BATON_CHANNEL */
    const char *nonce_hex;        /* with a channel: 32 digits */
};

/* A variable whose value every launch writes anew. */
struct environment_hole {
    wchar_t *name;  /* with its '=' */
    size_t at;      /* where it stands among the characters of `fixed` */
    size_t of_what; /* index in `variables`, HOLE_CHANNEL or HOLE_NONCE */
};

/* Owner: the program. */
struct environment_block {
    wchar_t *fixed; /* what is the same for every launch: texts with their NULs, sorted */
    size_t fixed_length;
    struct environment_hole *holes; /* in the order of the block */
    size_t hole_count;
    size_t variable_count; /* names in the spec's `variables` */
    wchar_t *text;         /* the block of the launch at hand */
    size_t capacity;
};

/* Makes the block of what the spec has of our own environment, its additions, and room for what
 * launches set. BATON_OK, BATON_INVALID, BATON_TOO_LONG,
 * BATON_NO_MEMORY. */
int win32_environment_create(const struct platform_program_spec *spec,
                             struct environment_block *out);
/* Writes block->text. BATON_OK, BATON_INVALID, BATON_TOO_LONG. */
int win32_environment_write(struct environment_block *block,
                            const struct environment_values *values);
/* Accepts a zeroed block. */
void win32_environment_clear(struct environment_block *block);

/* Sets the limits of the program on a job that is empty still. BATON_OK or what the system says. */
int win32_job_confine(HANDLE job, const struct platform_program *program,
                      struct baton_cause *cause);
/* Makes a token like ours, without privileges and administrators' rights, at low integrity. The
 * caller closes it. Allocates. */
int win32_token_low(HANDLE *out, struct baton_cause *cause);

struct platform_program {
    wchar_t *path;
    wchar_t *command_line;
    wchar_t *directory; /* NULL = the supervisor's own */
    size_t launch_bytes;
    bool has_channel;
    bool leaves_children;
    uint32_t limits[LIMIT_COUNT];         /* by enum identity_limit; of the job */
    HANDLE token;                         /* that it runs with; NULL = ours */
    struct environment_block environment; /* its text is scratch space of a launch */
};

#endif
