/* Entries: what the system's own log of events is told beside ours (core/tell/entry.h). Where there
 * is none, as on POSIX, nothing of this is called. */
#ifndef BATON_RUN_ENTRIES_H
#define BATON_RUN_ENTRIES_H

#include "core/tell/entry.h"
#include "platform/platform.h"

#include <stdbool.h>

/* Owner: the log. */
struct run_entries {
    struct entry_counts counts;
    enum entry current; /* what the line that is put together is as well */
    bool is_alone;      /* it is no line of the log, whose level is too low for it */
};

/* A line with this event begins, which the log wants or not. True if it is to be put together. */
bool run_entries_begin(struct run_entries *entries, const char *event, bool is_logged);
/* The line is whole. True if it is a line of the log. */
bool run_entries_end(struct run_entries *entries, struct platform *platform,
                     const struct record *line);

/* Tells a line that is whole as this entry, if there are not too many of them. */
void run_entries_tell(struct run_entries *entries, struct platform *platform, enum entry entry,
                      const struct record *line);

#endif
