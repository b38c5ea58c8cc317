/* The log: kept whole; the sink takes as much as the test lets it. */
#include "platform/fake/internal.h"

#include <string.h>

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
    w->log_loss.bytes = 0;
    if (fake_try(FAKE_LOG_WRITE, cause) != BATON_OK) {
        w->log_loss.bytes = length;
        *cause = (struct baton_cause){"write", 28};
        return length;
    }
    size_t taken = length < w->log_room ? length : w->log_room;
    fake_text_append(&w->log, bytes, taken);
    if (w->log_room != SIZE_MAX) {
        w->log_room -= taken;
    }
    w->log_short = taken < length;
    return taken;
}

void platform_log_take_loss(struct platform *platform, struct platform_log_loss *loss) {
    (void)platform;
    *loss = fake_world.log_loss;
    fake_world.log_loss = (struct platform_log_loss){0};
}

/* Nobody reads while the supervisor waits for it. */
void platform_log_wait(struct platform *platform, uint64_t deadline_us) {
    uint64_t now_us = fake_now_us();
    (void)platform;
    if (deadline_us == PLATFORM_WAIT_FOREVER) {
        fake_wrong("a wait for the log without a bound");
    } else if (deadline_us > now_us) {
        fake_advance_us(deadline_us - now_us);
    }
}

size_t platform_log_flush(struct platform *platform, uint64_t deadline_us) {
    (void)platform;
    (void)deadline_us;
    return 0;
}

void platform_log_warn(const char *text) {
    fake_text_append(&fake_world.warnings, text, strlen(text));
}

const char *fake_warnings(void) {
    return fake_world.warnings.bytes;
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
