/* Living: processes that serve many, and so are there before and behind their clients. */
#ifndef BATON_RUN_LIVING_H
#define BATON_RUN_LIVING_H

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* Watches the file of the service's handler, where its processes live on; where that cannot be, it
 * is told. */
void run_living_watch(struct supervisor *s, uint32_t service);
/* The file has changed. Who keeps writing it is followed less and less often, but always to the end
 * of it. */
void run_living_on_changed(struct supervisor *s, uint32_t service);
/* Changes that came meanwhile are due. */
void run_living_on_renewing(struct supervisor *s, uint32_t service);

/* Launches what is to be launched ahead of need, one at a time. To be called at the end of a round
 * of the loop; `is_busy`: clients came in it, who come first. True if there is more to do, so that
 * the loop shall not wait. */
bool run_living_refill(struct supervisor *s, bool is_busy);

/* How often a process is measured at most. */
#define LIVING_MEASURE_INTERVAL_US 100000u

/* The process has finished a connection: how much memory has it, if that matters? */
void run_living_measure(struct supervisor *s, uint32_t process);
/* Those are due that had been measured a moment before. */
void run_living_on_timer(struct supervisor *s);
/* The answer to that can be had. */
void run_living_on_measured(struct supervisor *s, uint32_t process);

/* The line of a process that may have served many, at its end. */
void run_living_tell_end(struct supervisor *s, uint32_t process);

#endif
