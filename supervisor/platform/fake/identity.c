/* As whom a program runs: nothing is refused unless a test says so. */
#include "platform/fake/internal.h"

const char *platform_skipped_default(const struct platform *platform) {
    (void)platform;
    return fake_world.skipped_default;
}

void fake_skip_default(const char *name) {
    fake_world.skipped_default = name;
}
