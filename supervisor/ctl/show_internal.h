/* What the files that show a reply share. Private to them. */
#ifndef BATON_CTL_SHOW_INTERNAL_H
#define BATON_CTL_SHOW_INTERNAL_H

#include "ctl/show.h"

/* Prints show->line and a line feed, and makes it empty. */
void ctl_show_flush(struct ctl_show *show);

/* Puts the text of that name, in show->line; true if it is there. */
bool ctl_show_text(struct ctl_show *show, const struct ctl_reply *reply, const char *name);

/* Puts "1 connection", "2 connections". */
void ctl_show_count(struct ctl_buffer *buffer, uint64_t count, const char *noun);

/* Sets a cell to the field of that name. */
void ctl_show_cell(struct ctl_show *show, size_t column, const struct ctl_reply *reply,
                   const char *name);

void ctl_show_supervisor(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_outcomes(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_service(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_place(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_connection(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_event(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_lost(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_change(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_problem(struct ctl_show *show, const struct ctl_reply *reply);
void ctl_show_waiting(struct ctl_show *show, const struct ctl_reply *reply);

#endif
