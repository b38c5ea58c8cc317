/* A log of the system's own: a syslog, or the journal, is one that ours goes to (log.h). */
#include "platform/platform.h"

bool platform_has_event_log(const struct platform *platform) {
    (void)platform;
    return false;
}

void platform_event_log_tell(struct platform *platform, unsigned number,
                             enum platform_severity severity, const char *text) {
    (void)platform;
    (void)number;
    (void)severity;
    (void)text;
}

size_t platform_event_log_take_lost(struct platform *platform, struct baton_cause *cause) {
    (void)platform;
    (void)cause;
    return 0;
}
