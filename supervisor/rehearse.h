/*
 * A restart on Windows: the program that is there now reads the config, and says what is wrong with
 * it. Elsewhere apart.c does that.
 */
#ifndef BATON_REHEARSE_H
#define BATON_REHEARSE_H

#include "source.h"

/* What is served can be taken over by another process: says how in source->renewal. `arguments` are
 * our own. */
void rehearse_offer(struct source *source, char *const *arguments);

#endif
