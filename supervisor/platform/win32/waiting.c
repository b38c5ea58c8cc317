/* Who waits at a listener: Winsock has no call that tells. */
#include "platform/platform.h"

void platform_listener_waiting(const struct platform_listener *listener, bool identify,
                               struct waiting_set *out) {
    (void)listener;
    (void)identify;
    out->is_known = false;
}
