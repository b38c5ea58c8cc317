/* There are none: CreateProcessW is the loop's. */
#include "platform/platform.h"

int platform_launchers_set(struct platform *platform, uint32_t *count) {
    bool may_be_none = *count == 0 || *count == PLATFORM_LAUNCHERS_BY_CORES;
    (void)platform;
    *count = 0;
    return may_be_none ? BATON_OK : BATON_UNSUPPORTED;
}

bool platform_launch_waits(struct platform *platform, const struct platform_program *program) {
    (void)platform;
    (void)program;
    return false;
}
