/* A program of ours that is asked something: batond reads its config by itself. */
#include "internal.h"

int platform_ask_program(const char *path, char *const *argv, bool is_quiet, uint32_t patience_ms,
                         char **bytes, size_t *length, int *code, struct baton_cause *cause) {
    (void)path;
    (void)argv;
    (void)is_quiet;
    *bytes = NULL;
    *length = 0;
    *code = 0;
    *cause = (struct baton_cause){NULL, 0};
    return BATON_UNSUPPORTED;
}

bool platform_answer_begin(void) {
    return false;
}

bool platform_answer(const char *bytes, size_t length) {
    (void)bytes;
    return length == 0;
}
