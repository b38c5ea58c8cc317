/*
 * What comes from batond, byte by byte, as lines of a bounded length.
 */
#ifndef BATON_CTL_LINES_H
#define BATON_CTL_LINES_H

#include <stddef.h>

/* With its line feed: what a reply's line may have (CONTROL.md, "The reply"). */
#define CTL_LINE_MAX_BYTES 8192u

/* Zeroed at first. */
struct ctl_lines {
    char bytes[CTL_LINE_MAX_BYTES];
    size_t used;  /* bytes that are there */
    size_t taken; /* of which these were given out as lines */
};

/* Where the next bytes go, and in *room_bytes how many; 0 = what has come is longer than a line may
 * be. What ctl_lines_next() gave before is no more valid. */
char *ctl_lines_room(struct ctl_lines *lines, size_t *room_bytes);

/* So many have been put there. */
void ctl_lines_add(struct ctl_lines *lines, size_t count);

/* The next whole line without its line feed, NUL-terminated (it may have a NUL in it, too), and its
 * length; NULL if none is there yet. Valid until more is put there. */
const char *ctl_lines_next(struct ctl_lines *lines, size_t *length);

/* How many bytes have come behind the last line. */
size_t ctl_lines_rest(const struct ctl_lines *lines);

#endif
