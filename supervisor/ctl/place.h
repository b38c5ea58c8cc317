/*
 * Where batond is asked when nobody says (CONTROL.md, "The endpoint").
 */
#ifndef BATON_CTL_PLACE_H
#define BATON_CTL_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#define CTL_PLACE_OF_ROOT "/run/baton/control"
#define CTL_PLACE_OF_WINDOWS "\\\\.\\pipe\\baton"

struct ctl_place_facts {
    const char *const *environment; /* NAME=VALUE and a NULL */
    bool is_windows, is_root;
};

/* Writes the path. BATON_OK; BATON_NOT_FOUND: there is no default (a user without XDG_RUNTIME_DIR),
 * or BATON_CONTROL says `none`; BATON_TOO_LONG. *is_said: it is BATON_CONTROL that says it. */
int ctl_place_default(const struct ctl_place_facts *facts, char *out, size_t size_bytes,
                      bool *is_said);

#endif
