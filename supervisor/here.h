/*
 * The body of source.h that reads in this process, and what baton-config needs of it besides.
 */
#ifndef BATON_HERE_H
#define BATON_HERE_H

#include "source.h"

/* Takes the command line, and finds the config without reading it: source->renewal does that.
 * EXIT_DONE, or what is wrong has been said, and there is no source->renewal.load. */
enum exit_code here_prepare(int argc, char **argv, struct source *source);

/* With what source->renewal reads it, behind here_prepare(). */
struct service_machine *here_machine(void);

#endif
