#include "program.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

bool win32_path_is_batch(const wchar_t *path) {
    size_t length = wcslen(path);
    /* The system drops these at the end of a name, so "x.bat. " would still run x.bat. */
    while (length > 0 && (path[length - 1] == L'.' || path[length - 1] == L' ')) {
        length--;
    }
    return length >= 4 &&
           (CompareStringOrdinal(path + length - 4, 4, L".bat", 4, TRUE) == CSTR_EQUAL ||
            CompareStringOrdinal(path + length - 4, 4, L".cmd", 4, TRUE) == CSTR_EQUAL);
}

static int copy_command_line(const char *const *argv, struct command_line *line, wchar_t **out) {
    int code = win32_command_line_write(argv, line);
    if (code == BATON_OK) {
        *out = malloc((line->length + 1) * sizeof **out);
        if (*out == NULL) {
            return BATON_NO_MEMORY;
        }
        memcpy(*out, line->text, (line->length + 1) * sizeof **out);
    }
    return code;
}

int platform_program_create(struct platform *platform, const struct platform_program_spec *spec,
                            struct platform_program **out, struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    struct platform_program *program = calloc(1, sizeof *program);
    if (program == NULL) {
        return BATON_NO_MEMORY;
    }
    int code = win32_text_to_wide(spec->path, &program->path);
    if (code == BATON_OK && win32_path_is_batch(program->path)) {
        code = BATON_INVALID;
    }
    if (code == BATON_OK && spec->directory != NULL) {
        code = win32_text_to_wide(spec->directory, &program->directory);
    }
    if (code == BATON_OK) {
        code = copy_command_line(spec->argv, platform->command_line, &program->command_line);
    }
    if (code == BATON_OK) {
        code = win32_environment_create(spec, &program->environment);
    }
    program->launch_bytes = spec->launch_bytes;
    program->has_channel = spec->has_channel;
    program->leaves_children = spec->leaves_children;
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        program->limits[i] = spec->identity == NULL ? IDENTITY_SAME : spec->identity->limits[i];
    }
    if (code == BATON_OK && spec->is_sandboxed) {
        code = win32_token_low(&program->token, cause);
    }
    if (code != BATON_OK) {
        platform_program_destroy(&program);
    }
    *out = program;
    return code;
}

void platform_program_destroy(struct platform_program **address) {
    struct platform_program *program = *address;
    *address = NULL;
    if (program != NULL) {
        free(program->path);
        free(program->directory);
        free(program->command_line);
        win32_environment_clear(&program->environment);
        if (program->token != NULL) {
            CloseHandle(program->token);
        }
        free(program);
    }
}
