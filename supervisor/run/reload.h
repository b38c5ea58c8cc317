/* Reload: the config is read anew beside the loop, and what is different is carried out between two
 * steps: what has not changed is not touched, and nobody who has come loses anything by it. */
#ifndef BATON_RUN_RELOAD_H
#define BATON_RUN_RELOAD_H

#include "core/base/arena.h"
#include "core/service/service.h"
#include "run/change.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct supervisor;

/* What came of the last reload; all zero = there was none. Valid until the next one is begun. */
struct run_report {
    struct arena *arena; /* owned */
    struct run_change *changes;
    size_t change_count;
    size_t counts[RUN_CHANGE_KINDS_COUNT];
    /* Lines about the file, owned; where it was refused they are why, else what is not served all
     * the same; NULL = none. */
    char *problems;
    char reason[256]; /* or this is; empty = all was carried out */
};

/* What the other thread has. */
struct run_loading {
    const struct supervisor_source *source;
    int result;
    struct service_table table;
    char *problems; /* owned */
};

/* Owner: the supervisor. */
struct run_reload {
    uint64_t asked_count;        /* reloads that were asked for, */
    uint64_t begun_count;        /* that number when the one under way was begun, */
    uint64_t done_count;         /* and when the last one that has ended was */
    struct run_loading *loading; /* owned, but while the thread has it; NULL = none is under way */
    struct run_report report;
};

/* Asks for one, `by` whom (static: "SIGHUP"). Those that are asked for while one is under way are
 * one more. BATON_OK, and done_count has reached asked_count, as it is then, when it has ended; or
 * BATON_UNSUPPORTED: run_reload_refusal() says why, and so does the log. */
int run_reload_ask(struct supervisor *s, const char *by);

/* One that was asked for during a restart, which has failed, is begun. */
void run_reload_go_on(struct supervisor *s);
/* The table of a config that was read for a restart becomes the one that holds; it is emptied. A
 * reload that was asked for meanwhile follows. */
void run_reload_take(struct supervisor *s, struct service_table *table);

/* Why the config cannot be read anew; NULL = it can. */
const char *run_reload_refusal(const struct supervisor *s);

/* The problem that begins at `at` of these lines (NULL = there are none), as a text; returns how
 * many bytes it takes there, 0 = there is none. */
#define RELOAD_PROBLEM_BYTES 1536u
size_t run_reload_problem(const char *problems, size_t at, char *out, size_t size_bytes);

/* Each is a line of the log. */
void run_reload_tell_problems(struct supervisor *s, enum log_level level, const char *problems);

/* The config was read (WORKED). */
void run_reload_on_loaded(struct supervisor *s);

/* For the end. */
void run_reload_clear(struct supervisor *s);

#endif
