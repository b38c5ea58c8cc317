/* A log of events that keeps what it is told. */
#include "platform/fake/internal.h"

#include <stdio.h>
#include <string.h>

void fake_event_log_open(void) {
    fake_world.event_log.is_there = true;
    fake_text_append(&fake_world.event_log.text, "", 0);
}

const char *fake_event_log_text(void) {
    return fake_world.event_log.text.bytes;
}

void fake_event_log_lose(size_t count) {
    fake_world.event_log.lost_count += count;
    fake_world.log_due = true;
}

bool platform_has_event_log(const struct platform *platform) {
    (void)platform;
    return fake_world.event_log.is_there;
}

void platform_event_log_tell(struct platform *platform, unsigned number,
                             enum platform_severity severity, const char *text) {
    static const char *const words[] = {"error", "warning", "info"};
    char head[32];
    (void)platform;
    snprintf(head, sizeof head, "%u %s ", number, words[severity]);
    fake_text_append(&fake_world.event_log.text, head, strlen(head));
    fake_text_append(&fake_world.event_log.text, text, strlen(text));
    fake_text_append(&fake_world.event_log.text, "\n", 1);
}

size_t platform_event_log_take_lost(struct platform *platform, struct baton_cause *cause) {
    size_t lost_count = fake_world.event_log.lost_count;
    (void)platform;
    *cause = (struct baton_cause){"ReportEventW", 13};
    fake_world.event_log.lost_count = 0;
    return lost_count;
}
