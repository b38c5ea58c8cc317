/* baton-keeper: there is none. */
#include "internal.h"

int platform_run_under(const char *program, char *const *argv, struct baton_cause *cause) {
    (void)program;
    (void)argv;
    *cause = (struct baton_cause){NULL, 0};
    return BATON_UNSUPPORTED;
}
