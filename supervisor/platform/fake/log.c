/* The log: kept whole; the sink takes as much as the test lets it. */
#include "platform/fake/internal.h"

int platform_log_open(struct platform *platform, const char *path, struct baton_cause *cause) {
    (void)platform;
    (void)path;
    return fake_try(FAKE_LOG_OPEN, cause);
}

size_t platform_log_write(struct platform *platform, const char *bytes, size_t length,
                          struct baton_cause *cause) {
    struct fake_world *w = &fake_world;
    (void)platform;
    *cause = (struct baton_cause){0};
    size_t taken = length < w->log_room ? length : w->log_room;
    fake_text_append(&w->log, bytes, taken);
    if (w->log_room != SIZE_MAX) {
        w->log_room -= taken;
    }
    w->log_short = taken < length;
    return taken;
}

void platform_log_flush(struct platform *platform, uint64_t deadline_us) {
    (void)platform;
    (void)deadline_us;
}

bool platform_log_write_all(struct platform *platform, const char *bytes, size_t length,
                            uint64_t deadline_us) {
    (void)platform;
    (void)deadline_us;
    fake_text_append(&fake_world.log, bytes, length);
    if (fake_world.log_room != SIZE_MAX) {
        fake_world.log_forced_bytes += length;
    }
    return true;
}

const char *fake_log(void) {
    return fake_world.log.bytes;
}

void fake_log_set_room(size_t bytes) {
    fake_world.log_room = bytes;
    if (bytes > 0 && fake_world.log_short) {
        fake_world.log_short = false;
        fake_world.log_due = true;
    }
}

size_t fake_log_forced_bytes(void) {
    return fake_world.log_forced_bytes;
}
