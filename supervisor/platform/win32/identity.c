/* As whom a program runs. */
#include "internal.h"

const char *platform_skipped_default(const struct platform *platform) {
    (void)platform;
    return NULL;
}
