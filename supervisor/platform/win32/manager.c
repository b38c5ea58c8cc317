/* The service manager of others: Windows has none of this kind. */
#include "internal.h"

bool platform_manager_tell(struct platform *platform, const char *state) {
    (void)platform;
    (void)state;
    return true;
}

uint64_t platform_manager_watchdog_us(const struct platform *platform) {
    (void)platform;
    return 0;
}

bool platform_listener_is_passed(const struct platform_listener *listener) {
    (void)listener;
    return false;
}

bool platform_manager_unused(struct platform *platform, size_t index,
                             char out[PLATFORM_PASSED_TEXT_BYTES]) {
    (void)platform;
    (void)index;
    out[0] = '\0';
    return false;
}

bool platform_manager_keep(struct platform_listener *listener) {
    (void)listener;
    return true;
}

void platform_manager_forget(struct platform_listener *listener) {
    (void)listener;
}
