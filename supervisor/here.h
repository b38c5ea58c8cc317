/*
 * The body of source.h that reads in this process, and what baton-config needs of it besides.
 */
#ifndef BATON_HERE_H
#define BATON_HERE_H

#include "source.h"

/* Takes the command line, and finds the config without reading it: source->renewal does that.
 * EXIT_DONE, or what is wrong has been said, and there is no source->renewal.load. */
enum exit_code here_prepare(int argc, char **argv, struct source *source);

/* Reads the config as a start with these arguments would, and says what is wrong in *problems, as
 * source->renewal.load does. BATON_UNSUPPORTED: they are for something else than a start. */
int here_try(int count, char **arguments, struct service_table *table, char **problems);

/* With what source->renewal reads it, behind here_prepare(). */
struct service_machine *here_machine(void);

#endif
