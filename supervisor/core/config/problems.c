/* The faults of a config: kept by line, printed one a line. */
#include "core/config/problems.h"
#include "core/base/text.h"

#include <string.h>

/* Puts `problem` behind those of its own and earlier lines. */
static void insert(struct config_problems *problems, struct config_problem problem) {
    size_t at = problems->problem_count++;
    while (at > 0 && problems->problems[at - 1].line > problem.line) {
        problems->problems[at] = problems->problems[at - 1];
        at--;
    }
    problems->problems[at] = problem;
}

static void keep(struct config_problems *problems, size_t line, const char *key, const char *text) {
    size_t length = 0;
    problems->guest_count +=
        config_problems_is_guest(problems, config_problems_line(problems, line));
    if (problems->problem_count == CONFIG_PROBLEMS_MAX_COUNT) {
        problems->unkept_count++;
        return;
    }
    if (problems->arena == NULL) {
        problems->arena = arena_create();
    }
    if (problems->arena == NULL) {
        problems->out_of_memory = true;
        return;
    }
    /* A text that filled its buffer may have been cut within a character. */
    (void)text_check(text, strlen(text), &length);
    struct config_problem *grown =
        arena_grow(problems->arena, problems->problems, problems->problem_count,
                   &problems->problem_capacity, sizeof *grown);
    struct config_problem problem = {.line = config_problems_line(problems, line),
                                     .key = arena_text(problems->arena, key),
                                     .text = arena_copy(problems->arena, text, length),
                                     .is_note = problems->adds_note};
    problems->problems = grown != NULL ? grown : problems->problems;
    if (arena_failed(problems->arena)) {
        problems->out_of_memory = true;
        return;
    }
    insert(problems, problem);
}

bool config_problems_begin_piece(struct config_problems *problems, const char *file_name) {
    if (problems->arena == NULL) {
        problems->arena = arena_create();
    }
    if (problems->arena == NULL) {
        problems->out_of_memory = true;
        return false;
    }
    const char **names =
        arena_grow(problems->arena, (void *)problems->piece_names, problems->piece_count,
                   &problems->piece_capacity, sizeof *names);
    const char *name = arena_text(problems->arena, file_name);
    if (names == NULL || name == NULL) {
        problems->out_of_memory = true;
        return false;
    }
    names[problems->piece_count++] = name;
    problems->piece_names = names;
    problems->file_at_hand = problems->piece_count;
    return true;
}

void config_problems_end_piece(struct config_problems *problems) {
    problems->file_at_hand = 0;
}

const char *config_problems_file(const struct config_problems *problems, size_t line) {
    size_t file = config_line_file(line);
    return file == 0 ? problems->file_name : problems->piece_names[file - 1];
}

const char *config_line_words(struct config_problems *problems, size_t line, size_t from) {
    char number[32];
    bool is_same = config_line_file(line) == config_line_file(from);
    text_format(number, sizeof number, "%c%lu", is_same ? ' ' : ':',
                (unsigned long)config_line_number(line));
    const char *words = arena_join(
        problems->arena, is_same ? "line" : config_problems_file(problems, line), number, "");
    return words != NULL ? words : "";
}

void config_problems_add_list(struct config_problems *problems, size_t line, const char *key,
                              const char *value, const char *format, va_list arguments) {
    char text[CONFIG_PROBLEM_MAX_BYTES];
    size_t used = 0;
    if (value != NULL) {
        used = (size_t)text_format(text, sizeof text, "`%s`", text_excerpt(value).text);
    }
    text_format_list(text + used, sizeof text - used, format, arguments);
    keep(problems, line, key, text);
}

void config_problems_add(struct config_problems *problems, size_t line, const char *key,
                         const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    config_problems_add_list(problems, line, key, NULL, format, arguments);
    va_end(arguments);
}

void config_problems_note(struct config_problems *problems, size_t line, const char *text) {
    problems->adds_note = true;
    config_problems_add(problems, line, NULL, "%s", text);
    problems->adds_note = false;
}

const char *config_excerpt(struct config_problems *problems, const char *value) {
    const char *excerpt = arena_text(problems->arena, text_excerpt(value).text);
    return excerpt != NULL ? excerpt : "";
}

const char *config_key_label(struct config_problems *problems, const char *section,
                             const char *key) {
    return arena_join(problems->arena, section, ".", key);
}

static void print_problem(const struct config_problems *problems,
                          const struct config_problem *problem, text_emit *emit, void *context) {
    char number[64];
    emit(context, config_problems_file(problems, problem->line));
    if (config_line_number(problem->line) > 0) {
        text_format(number, sizeof number, ":%lu",
                    (unsigned long)config_line_number(problem->line));
        emit(context, number);
    }
    emit(context, config_problems_is_guest(problems, problem->line) ? ": warning: " : ": ");
    if (problem->key != NULL) {
        emit(context, problem->key);
        emit(context, ": ");
    }
    emit(context, problem->text);
    emit(context, "\n");
}

void config_problems_print_guests(const struct config_problems *problems, text_emit *emit,
                                  void *context) {
    size_t kept_count = 0;
    for (size_t i = 0; i < problems->problem_count; i++) {
        if (config_problems_is_guest(problems, problems->problems[i].line)) {
            kept_count++;
            print_problem(problems, &problems->problems[i], emit, context);
        }
    }
    if (kept_count < problems->guest_count) {
        emit(context, problems->piece_names[problems->guest_file - 1]);
        emit(context, ": warning: more is wrong than can be told, so nothing of it is served\n");
    }
}

void config_problems_print(const struct config_problems *problems, text_emit *emit, void *context) {
    char number[64];
    for (size_t i = 0; i < problems->problem_count; i++) {
        print_problem(problems, &problems->problems[i], emit, context);
    }
    if (problems->unkept_count > 0) {
        text_format(number, sizeof number, ": and %lu faults more\n",
                    (unsigned long)problems->unkept_count);
        emit(context, problems->file_name);
        emit(context, number);
    }
}

void config_problems_forget_guests(struct config_problems *problems) {
    size_t kept = 0;
    for (size_t i = 0; i < problems->problem_count; i++) {
        if (!config_problems_is_guest(problems, problems->problems[i].line)) {
            problems->problems[kept++] = problems->problems[i];
        }
    }
    problems->unkept_count -= problems->guest_count - (problems->problem_count - kept);
    problems->problem_count = kept;
    problems->guest_count = 0;
}

void config_problems_clear(struct config_problems *problems) {
    arena_destroy(&problems->arena);
    memset(problems, 0, sizeof *problems);
}
