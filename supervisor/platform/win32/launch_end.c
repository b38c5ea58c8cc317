/* The end of a launch that takes its time. */
#include "platform/platform.h"

/* No launch is ever under way. */
int platform_launch_end(struct platform_process **process, struct platform_launched *out,
                        struct baton_cause *cause) {
    (void)process;
    *out = (struct platform_launched){.socket = PLATFORM_SOCKET_NONE};
    *cause = (struct baton_cause){0};
    return BATON_UNSUPPORTED;
}
