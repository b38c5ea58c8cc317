/* Options: what [supervisor] says and may say anew while batond runs. */
#ifndef BATON_RUN_OPTIONS_H
#define BATON_RUN_OPTIONS_H

#include "core/service/service.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* What is kept of those that hold. Owner: the supervisor. */
struct run_options {
    char *user; /* owned; NULL = none */
    uint64_t capabilities;
    enum launchers launchers;
};

/* BATON_OK or BATON_NO_MEMORY. */
int run_options_keep(struct supervisor *s, const struct supervisor_options *options);
void run_options_clear(struct supervisor *s);

/* False where they want rights that batond has given up, or would give up others. */
bool run_options_may_change(const struct supervisor *s, const struct supervisor_options *options);
/* The log, its level and format, the limits and the launchers become as they say. */
void run_options_change(struct supervisor *s, const struct supervisor_options *options);

/* Starts as many launchers as there are to be. */
void run_options_start_launchers(struct supervisor *s, enum launchers launchers);

#endif
