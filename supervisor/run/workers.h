/* Workers: processes that share the listeners of a service from the start, and are kept at their
 * number. Each is an activation (core/pool). Where they are given all places of the service at
 * once, its first place stands for them all. */
#ifndef BATON_RUN_WORKERS_H
#define BATON_RUN_WORKERS_H

#include "run/listen.h"

/* Something has changed that may have stood against the launch of a worker at this place: launches
 * what is lacking, one in each round of the loop. */
void run_workers_update(struct supervisor *s, const struct run_listener *listener);
/* It is time to launch one for the service, or for one that is outdated to go. */
void run_workers_on_timer(struct supervisor *s, uint32_t service);

/* An activation was taken by its process. One that is outdated is told to drain for its sake when
 * this one has lived for a while. */
void run_workers_on_taken(struct supervisor *s, uint32_t connection);
/* An activation has ended; before it is forgotten. */
void run_workers_on_end(struct supervisor *s, uint32_t connection);
/* The listener is of no use any more to those who have it: tells them all to drain. */
void run_workers_on_lost(struct supervisor *s, const struct run_listener *listener);

/* What they run has changed: replaces those that there are, one after the other. Of those before,
 * none goes until one of the new ones is there that has lived for POOL_TRIAL_US, or for ten times
 * that once one has ended early; while they fail, those before serve on. */
void run_workers_renew(struct supervisor *s, uint32_t service);

#endif
