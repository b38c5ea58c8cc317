/* Drain: the ordered stop, and the ends of processes that do not end by themselves. Nothing is left
 * behind: no connection without a record, no process. */
#ifndef BATON_RUN_DRAIN_H
#define BATON_RUN_DRAIN_H

#include "platform/platform.h"

#include <stdint.h>

struct supervisor;

/* A stop was asked for, by `reason`; at the second time, everything is ended at once. */
void run_drain_on_stop(struct supervisor *s, const char *reason);

/* The log's file is opened anew, which is told. As run_log_reopen(); s->reason has the
 * words of a failure. */
int run_drain_reopen_log(struct supervisor *s);

/* Ends a process by the system's means (POOL_TERMINATE, POOL_KILL). */
void run_drain_end_process(struct supervisor *s, uint32_t process, enum platform_signal how);
/* A process was killed and has not ended (POOL_STUCK). */
void run_drain_tell_stuck(struct supervisor *s, uint32_t process);

#endif
