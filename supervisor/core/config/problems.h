/*
 * The faults of a file as data: collected, all of them, and printed one a line.
 */
#ifndef BATON_CONFIG_PROBLEMS_H
#define BATON_CONFIG_PROBLEMS_H

#include "core/base/text.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#define CONFIG_PIECES_MAX_COUNT 1024 /* files that a config consists of beside the main one */

/* A line of a config knows its file: above the number of the line stands that of the file, 0 for
 * the main one, so that it goes wherever a number alone would. Both fit into 32 bits, since a file
 * has no more lines than bytes (CONFIG_FILE_MAX_BYTES). Line 0 is the file as a whole. */
#define CONFIG_LINE_BITS 21u
static inline size_t config_line_number(size_t line) {
    return line & (((size_t)1 << CONFIG_LINE_BITS) - 1);
}
static inline size_t config_line_file(size_t line) {
    return line >> CONFIG_LINE_BITS;
}

#define CONFIG_PROBLEMS_MAX_COUNT 1000
#define CONFIG_PROBLEM_MAX_BYTES 1024 /* with its NUL; longer texts are cut */

/* One fault: "FILE:LINE: KEY: what is wrong, and what would be right". */
struct config_problem {
    size_t line;      /* from 1, with its file; 0 = that as a whole */
    const char *key;  /* "section.key", or NULL */
    const char *text; /* one sentence: what is wrong; what would be right */
    bool is_note;     /* of a guest: it is served, or not, without regard to this */
};

struct config_problems {
    const char *file_name;    /* of the main file */
    const char **piece_names; /* piece_count names: of file 1 and so on */
    size_t piece_count;
    size_t piece_capacity; /* room in `piece_names` */
    size_t file_at_hand;   /* whose lines are told now without it; 0 while none is read */
    size_t guest_file;     /* whose faults close a service each, and no more; 0 = there is none */
    size_t guest_count;    /* faults of that, the unkept ones included */
    bool adds_note;        /* what is kept now is one */
    struct config_problem *problems; /* by line; those of a line in the order they were found */
    size_t problem_count;            /* at most CONFIG_PROBLEMS_MAX_COUNT */
    size_t problem_capacity;         /* room in `problems` */
    size_t unkept_count;             /* faults beyond that maximum */
    size_t lacks_count; /* faults of all these that are about what the machine lacks, and may get */
    bool out_of_memory; /* some fault could not be kept; the config is unusable anyway */
    struct arena *arena; /* owns all of the above */
};

/* The faults that follow are those of another file, of this name, until the end is told; lines are
 * then given without their file. False when out of memory. */
bool config_problems_begin_piece(struct config_problems *problems, const char *file_name);
void config_problems_end_piece(struct config_problems *problems);

/* The file at hand, which is no piece that was begun before, has guests: services from a file of
 * another super-server, which others have written, and of which one that is wrong keeps no other
 * from being served. Told as warnings. */
static inline void config_problems_welcome(struct config_problems *problems) {
    problems->guest_file = problems->file_at_hand;
}

/* `line` of the file at hand, with that. */
static inline size_t config_problems_line(const struct config_problems *problems, size_t line) {
    return line | problems->file_at_hand << CONFIG_LINE_BITS;
}

/* Adds what whoever has brought a guest says of that by himself. */
void config_problems_note(struct config_problems *problems, size_t line, const char *text);

/* True for a line, with its file, of a guest. */
static inline bool config_problems_is_guest(const struct config_problems *problems, size_t line) {
    return problems->guest_file != 0 && config_line_file(line) == problems->guest_file;
}

/* How many faults there are that are no guest's. */
static inline size_t config_problems_own_count(const struct config_problems *problems) {
    return problems->problem_count + problems->unkept_count - problems->guest_count;
}

/* The name of the file that a line is in. */
const char *config_problems_file(const struct config_problems *problems, size_t line);

/* What a message calls a line, "line 3", or "FILE:3" if `from`, whose message it is, stands in
 * another file; in the arena of `problems`. */
const char *config_line_words(struct config_problems *problems, size_t line, size_t from);

/* Adds a fault: `line` from 1, or 0 for the file as a whole; `key` may be NULL; both texts are
 * copied, the fault up to the first byte that is not UTF-8, NUL or a control character. `format` as
 * in printf(3). For those who read the file, too ("cannot be read: ..."); then
 * `problems` may be zeroed but for file_name, which must outlive it. Never fails to the caller: see
 * out_of_memory. */
void config_problems_add(struct config_problems *problems, size_t line, const char *key,
                         const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 4, 5)))
#endif
    ;

/* The same for who has a list of arguments, as vprintf(3). The text begins with `value` in
 * backquotes, shortened as by config_excerpt(), unless that is NULL. */
void config_problems_add_list(struct config_problems *problems, size_t line, const char *key,
                              const char *value, const char *format, va_list arguments)
#if defined(__GNUC__)
    __attribute__((format(printf, 5, 0)))
#endif
    ;

/* A value as messages show it (text_excerpt()), in the arena of `problems`. */
const char *config_excerpt(struct config_problems *problems, const char *value);

/* "section.key" for messages, in the arena of `problems`; may be NULL when out of memory. */
const char *config_key_label(struct config_problems *problems, const char *section,
                             const char *key);

/* Writes one line for each fault, "FILE:LINE: KEY: text" (without LINE, KEY where there is none),
 * by line. */
void config_problems_print(const struct config_problems *problems, text_emit *emit, void *context);

/* Those of guests alone, in the same form; and leaves them out from here on. */
void config_problems_print_guests(const struct config_problems *problems, text_emit *emit,
                                  void *context);
void config_problems_forget_guests(struct config_problems *problems);

/* Frees and leaves empty; an empty (zeroed) object is accepted. */
void config_problems_clear(struct config_problems *problems);

#endif
