/* Workers: processes that share the listeners of a service from the start, and are kept at their
 * number. Each is an activation (core/pool). Where they are given all places of the service at
 * once, its first place stands for them all. */
#ifndef BATON_RUN_WORKERS_H
#define BATON_RUN_WORKERS_H

#include "run/listen.h"

/* Something has changed that may have stood against the launch of a worker at this place: launches
 * what is lacking, one in each round of the loop. */
void run_workers_update(struct supervisor *s, const struct run_listener *listener);
/* It is time to launch one for the service. */
void run_workers_launch(struct supervisor *s, uint32_t service);

/* An activation was taken by its process: tells one that is outdated, and has its place taken by
 * this, to drain. */
void run_workers_on_taken(struct supervisor *s, uint32_t connection);
/* An activation has ended; before it is forgotten. */
void run_workers_on_end(struct supervisor *s, uint32_t connection);
/* The listener is of no use any more to those who have it: tells them all to drain. */
void run_workers_on_lost(struct supervisor *s, const struct run_listener *listener);

/* What they run has changed: replaces those that there are, one after the other. */
void run_workers_renew(struct supervisor *s, uint32_t service);

#endif
