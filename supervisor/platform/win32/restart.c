/* Restart: none yet. */
#include "internal.h"

const bool platform_restarts = false;

bool platform_restart_is_quiet(struct platform *platform) {
    (void)platform;
    return false;
}

int platform_restart_begin(struct platform *platform, struct baton_cause *cause) {
    (void)platform;
    *cause = (struct baton_cause){0};
    return BATON_UNSUPPORTED;
}

void platform_restart_cancel(struct platform *platform) {
    (void)platform;
}

int platform_restart_go(struct platform *platform, const struct platform_successor *successor,
                        struct baton_cause *cause) {
    (void)platform;
    (void)successor;
    *cause = (struct baton_cause){0};
    return BATON_UNSUPPORTED;
}

const char *platform_started_file(void) {
    return NULL;
}

const struct platform_restarted *platform_restarted(void) {
    return NULL;
}

void platform_restart_forget(void) {
}

void platform_restart_fall_back(char *const *argv, const char *reason) {
    (void)argv;
    (void)reason;
}
