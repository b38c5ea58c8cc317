/* As whom a program runs. */
#include "internal.h"

const char *platform_skipped_default(const struct platform *platform) {
    (void)platform;
    return NULL;
}

int platform_become(struct platform *platform, const struct identity *identity,
                    bool forbids_new_privileges, struct baton_cause *cause) {
    (void)platform;
    (void)identity;
    (void)forbids_new_privileges;
    *cause = (struct baton_cause){0};
    return BATON_UNSUPPORTED;
}

bool platform_raises_limits(void *context, const struct identity *identity) {
    (void)context;
    (void)identity;
    return false;
}
