#include "run/entries.h"

_Static_assert((int)LOG_LEVEL_ERROR == (int)PLATFORM_ERROR &&
                   (int)LOG_LEVEL_WARNING == (int)PLATFORM_WARNING &&
                   (int)LOG_LEVEL_INFO == (int)PLATFORM_INFO,
               "a level is a severity");

bool run_entries_begin(struct run_entries *entries, const char *event, bool is_logged) {
    entries->current = entry_of_line(event);
    entries->is_alone = !is_logged;
    return is_logged || entries->current != ENTRY_NONE;
}

bool run_entries_end(struct run_entries *entries, struct platform *platform,
                     const struct record *line) {
    if (entries->current != ENTRY_NONE) {
        run_entries_tell(entries, platform, entries->current, line);
    }
    return !entries->is_alone;
}

void run_entries_tell(struct run_entries *entries, struct platform *platform, enum entry entry,
                      const struct record *line) {
    char text[ENTRY_TEXT_BYTES];
    uint64_t left_out_count;
    if (entry_passes(&entries->counts, entry, platform_now_us(platform), &left_out_count)) {
        entry_write(line, left_out_count, text);
        platform_event_log_tell(platform, entry_number(entry),
                                (enum platform_severity)entry_level(entry), text);
    }
}
