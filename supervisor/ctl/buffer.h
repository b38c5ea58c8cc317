/*
 * A text that grows, and what of others' texts may get into one that a terminal shows.
 */
#ifndef BATON_CTL_BUFFER_H
#define BATON_CTL_BUFFER_H

#include "ctl/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed at first; what is put there when memory is out is lost, and `failed` says so. */
struct ctl_buffer {
    char *text; /* NUL-terminated, or NULL where nothing was put there yet */
    size_t length, capacity;
    bool failed;
};

void ctl_put_bytes(struct ctl_buffer *buffer, const char *bytes, size_t length);
void ctl_put(struct ctl_buffer *buffer, const char *text);
void ctl_put_number(struct ctl_buffer *buffer, uint64_t number);

/* A time as people say it, of at most two units: "3d 4h", "12m 5s", "1.5s", "20ms". */
void ctl_put_duration(struct ctl_buffer *buffer, uint64_t duration_ms);

/* A text of unknown origin: control characters, marks that change the direction of writing, and
 * bytes that are no UTF-8 become `\x1b` or `\u202e`, so that it moves no cursor, and ends no line.
 */
void ctl_put_safe(struct ctl_buffer *buffer, const char *bytes, size_t length);

/* A line of JSON that was read before: the same where JSON lets them be within a text, as `\u009b`,
 * which means the same in JSON. */
void ctl_put_safe_json(struct ctl_buffer *buffer, const char *line, size_t length);

/* A value as people read it; nothing for CTL_NOTHING. */
void ctl_put_value(struct ctl_buffer *buffer, const struct ctl_value *value);

/* How many characters a text has that ctl_put_safe() made. */
size_t ctl_text_width(const char *text);

/* Forgets the text, and keeps its room. */
void ctl_buffer_reset(struct ctl_buffer *buffer);

/* Frees and leaves empty; an empty one is accepted. */
void ctl_buffer_clear(struct ctl_buffer *buffer);

#endif
