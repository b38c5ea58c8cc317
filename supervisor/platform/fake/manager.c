/* A service manager that keeps what it is told. */
#include "platform/fake/internal.h"

#include <string.h>

bool platform_manager_tell(struct platform *platform, const char *state) {
    (void)platform;
    fake_text_append(&fake_world.manager, state, strlen(state));
    fake_text_append(&fake_world.manager, "\n", 1);
    return true;
}

const char *fake_manager_was_told(void) {
    return fake_world.manager.bytes == NULL ? "" : fake_world.manager.bytes;
}

void fake_manager_watches_us(uint64_t us) {
    fake_world.watchdog_us = us;
}

uint64_t platform_manager_watchdog_us(const struct platform *platform) {
    (void)platform;
    return fake_world.watchdog_us;
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
    listener->face.is_kept = true;
    return true;
}

void platform_manager_forget(struct platform_listener *listener) {
    listener->face.is_kept = false;
}
