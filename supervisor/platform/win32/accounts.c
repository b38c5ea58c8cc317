/* Windows' accounts are no numbers, and to run as one takes its password. */
#include "internal.h"

const bool platform_has_accounts = false;

int platform_find_user(void *context, const char *name, struct account *out) {
    (void)context;
    (void)name;
    *out = (struct account){0};
    return BATON_NOT_FOUND;
}

int platform_find_group(void *context, const char *name, uint32_t *gid) {
    (void)context;
    (void)name;
    *gid = 0;
    return BATON_NOT_FOUND;
}
