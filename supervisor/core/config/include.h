/*
 * The files that a config includes: what a pattern means, what it matches, and which of several
 * files of one name holds. Names only; whoever reads folders asks here.
 */
#ifndef BATON_CONFIG_INCLUDE_H
#define BATON_CONFIG_INCLUDE_H

#include "core/base/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct include_pattern {
    const char *text;
    const char *folder; /* with its last separator; "" = the config's own */
    const char *name;   /* what the names in it are compared with */
    bool has_wildcard;  /* else `name` is one file's */
    bool is_absolute;   /* else `folder` starts at the config's own */
};

/* Takes the next pattern off a list that is separated by commas: *rest is what follows, NULL after
 * the last. NULL, and the pattern, whose texts are in `arena`; or, behind its text, what is wrong
 * with it and what would be right (static). `windows`: `\` parts paths too, and drives have
 * letters. When out of memory, which the arena tells, `name` is NULL. */
const char *include_next(struct arena *arena, const char **rest, bool windows,
                         struct include_pattern *out);

/* True if the pattern takes a file of this name: `*` stands for any characters, `?` for one, on
 * Windows A is a. Not with a `.` in front that the pattern has not written, nor, with wildcards,
 * with an ending that is of no config. */
bool include_matches(const struct include_pattern *pattern, const char *name, bool windows);

/* A file that a pattern takes. */
struct include_file {
    const char *name;   /* without its folder */
    const char *folder; /* with its last separator */
};

/* Puts one more into `count` files, which have room for it, and are in the order of their names,
 * byte by byte: in the place of one of its name, as its folder comes later. Returns how many there
 * are then. */
size_t include_insert(struct include_file *files, size_t count, struct include_file file);

#endif
