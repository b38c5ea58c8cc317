/*
 * A reply as people read it.
 */
#ifndef BATON_CTL_SHOW_H
#define BATON_CTL_SHOW_H

#include "ctl/buffer.h"
#include "ctl/table.h"

#include <stdbool.h>

struct ctl_show {
    text_emit *emit; /* standard output */
    void *context;
    bool coloured;
    bool has_places; /* of services: where they listen, not what they have done */

    struct ctl_buffer line, aside; /* what is being put together */
    struct ctl_table table;        /* services or connections */
    struct ctl_buffer notes;       /* what is said of them behind the table */
    bool has_printed;
};

/* `has_places` by the command; the rest of *show becomes empty. */
void ctl_show_begin(struct ctl_show *show, text_emit *emit, void *context, bool coloured,
                    bool has_places);

/* Shows a line of a reply, but for its end; what is in tables when the reply is over. Types that
 * are not known are passed over. */
void ctl_show_line(struct ctl_show *show, const struct ctl_reply *reply);

/* Prints what is left, and frees everything. False when memory was out, and something is missing.
 */
bool ctl_show_end(struct ctl_show *show);

/* The sentence that an end has to say, "" where it has none, into `out`: its text and its hint. */
void ctl_show_verdict(const struct ctl_reply *end, struct ctl_buffer *out);

#endif
