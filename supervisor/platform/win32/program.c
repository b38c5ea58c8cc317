#include "internal.h"

#include <stdlib.h>
#include <wchar.h>

bool path_is_batch(const wchar_t *path) {
    size_t length = wcslen(path);
    /* The system drops these at the end of a name, so "x.bat. " would still run x.bat. */
    while (length > 0 && (path[length - 1] == L'.' || path[length - 1] == L' ')) {
        length--;
    }
    return length >= 4 &&
           (CompareStringOrdinal(path + length - 4, 4, L".bat", 4, TRUE) == CSTR_EQUAL ||
            CompareStringOrdinal(path + length - 4, 4, L".cmd", 4, TRUE) == CSTR_EQUAL);
}

int platform_program_create(struct platform *platform, const struct platform_program_spec *spec,
                            struct platform_program **out, struct baton_cause *cause) {
    (void)platform;
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    struct platform_program *program = calloc(1, sizeof *program);
    if (program == NULL) {
        return BATON_NO_MEMORY;
    }
    int code = text_to_wide(spec->path, &program->path);
    if (code == BATON_OK && path_is_batch(program->path)) {
        code = BATON_INVALID;
    }
    if (code == BATON_OK && spec->directory != NULL) {
        code = text_to_wide(spec->directory, &program->directory);
    }
    if (code == BATON_OK) {
        code = command_line_create(spec->argv, &program->command_line);
    }
    if (code == BATON_OK) {
        code = environment_create(spec->environment, &program->environment);
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
        free(program->environment.text);
        free(program);
    }
}
