/* The platform itself: opening and closing, and the clock that the test turns. */
#include "platform/fake/internal.h"

/* 2026-01-01T00:00:00Z */
#define WALL_START_US INT64_C(1767225600000000)

int platform_open(struct platform **out, struct baton_cause *cause) {
    *out = NULL;
    int code = fake_try(FAKE_OPEN, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (fake_world.platform.is_open) {
        fake_wrong("a second platform was opened");
    }
    fake_world.platform = (struct platform){.is_open = true};
    *out = &fake_world.platform;
    return BATON_OK;
}

void platform_close(struct platform **platform) {
    if (*platform != NULL) {
        (*platform)->is_open = false;
        *platform = NULL;
    }
}

uint64_t platform_now_us(struct platform *platform) {
    (void)platform;
    return fake_world.now_us;
}

int64_t platform_wall_us(struct platform *platform) {
    (void)platform;
    return WALL_START_US + (int64_t)(fake_world.now_us - FAKE_START_US);
}

int64_t platform_local_us(int64_t wall_us) {
    return wall_us;
}

unsigned platform_local_minute(int64_t wall_us) {
    return (unsigned)(wall_us / 60000000 % 1440);
}

int platform_random(void *out, size_t length, struct baton_cause *cause) {
    int code = fake_try(FAKE_RANDOM, cause);
    for (size_t i = 0; i < length && code == BATON_OK; i++) {
        ((uint8_t *)out)[i] = (uint8_t)(fake_draw(&fake_world.random) >> 56);
    }
    return code;
}

uint32_t platform_own_pid(void) {
    return 999;
}
