/* Start: each service as soon as what it needs is there. One that lacks something keeps no other
 * from serving. */
#ifndef BATON_RUN_START_H
#define BATON_RUN_START_H

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* Prepares a service (slot) that was added just now, without opening its listeners. */
void run_start_prepare(struct supervisor *s, uint32_t service);

/* The same for one of a snapshot, whose listeners are in these slots (NULL = it was not ready).
 * BATON_OK, or why not. */
int run_start_restore(struct supervisor *s, uint32_t service, const uint32_t *slots);

/* It is over: what its own log has is written still. */
void run_start_leave_log(struct supervisor *s, uint32_t service);
/* Opens those of services that could not be. */
void run_start_reopen_logs(struct supervisor *s);

/* Logs the services that could not be prepared; with `retry` these are tried again by timer. */
void run_start_tell(struct supervisor *s, bool retry);

/* Whether the limit of open files allows for one connection of any service, whose listeners are
 * open; logs where it does not, and where it does not allow for all `max_connections`. */
bool run_descriptors_suffice(struct supervisor *s);

/* Says why a service that was added later could not be prepared, and tries again by timer. */
void run_start_retry(struct supervisor *s, uint32_t service);

/* Where workers are to be, lets them be launched: nothing else will, as nobody is waited for. */
void run_start_workers(struct supervisor *s);

/* It is time to try a service (slot) again; when the supervisor stops, nothing comes of it. */
void run_start_again(struct supervisor *s, uint32_t service);

#endif
