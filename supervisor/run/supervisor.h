/*
 * The imperative shell: carries out between the platform and core/pool what the pool decides.
 *
 * supervisor_run() is all that batond.c sees. The rest is shared by the files of run/, each of
 * which is one verb of the data flow (run/internal.h).
 */
#ifndef BATON_RUN_SUPERVISOR_H
#define BATON_RUN_SUPERVISOR_H

#include "core/service/service.h"

/* How a run ended. */
enum supervisor_result {
    SUPERVISOR_STOPPED,  /* an ordered stop; nothing is left */
    SUPERVISOR_LOG_LOST, /* an ordered stop, but lines of the log could not be written */
    SUPERVISOR_NO_START, /* the loop, the log, or not one listener could be opened */
    SUPERVISOR_BROKEN    /* waiting for events failed; live handlers were left alone */
};

/* How the config is read anew. */
struct supervisor_source {
    /* Builds a table as the one at the start was, and says what is wrong in *problems (NULL at
     * first): lines of text, to be freed; NULL = nothing. Called by another thread, one call at a
     * time. BATON_OK, BATON_INVALID, BATON_NO_MEMORY, or why it could not be tried. */
    int (*load)(void *context, struct service_table *table, char **problems);
    void *context;
    /* Has the program that is there now read the config, and say whether it takes over snapshots of
     * this layout: a number as a text. Where it does, *extra (of malloc(3)) is what it wants to
     * have of that. NULL = there can be no restart. Likewise by another thread; BATON_OK,
     * BATON_INVALID: the config has faults; BATON_SYSTEM: it does not come up; *problems. */
    int (*rehearse)(void *context, const char *layout, char **extra, size_t *extra_bytes,
                    char **problems);
    const char *program; /* its file, and how it is called */
    char *const *argv;
    const char *options; /* options_bytes: an image (core/service/image.h) of [supervisor] alone, as
                            it was at the start */
    size_t options_bytes;
};

/* The layout of snapshots, as a text. */
void supervisor_snapshot_layout(char out[20]);

/* Serves `table` until a stop is asked for. Blocks. What goes wrong is in the log; before the log
 * is open, on standard error. Copies of the services are served, each for as long as somebody goes
 * by it; once these are made the table is emptied. `machine` is what the table was built with: what
 * services lack is looked for again there. `source` NULL: nothing is read anew. All three outlive
 * the process where they are still in use when it ends: they are not freed. */
enum supervisor_result supervisor_run(struct service_table *table,
                                      const struct service_machine *machine,
                                      const struct supervisor_source *source);

#endif
