/* There are none: CreateProcessW is the loop's. */
#include "platform/platform.h"

int platform_launchers_set(struct platform *platform, uint32_t count) {
    (void)platform;
    return count == 0 || count == PLATFORM_LAUNCHERS_BY_CORES ? BATON_OK : BATON_UNSUPPORTED;
}
