/* Living: processes that serve many, and so are there before and behind their clients. */
#ifndef BATON_RUN_LIVING_H
#define BATON_RUN_LIVING_H

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* Watches the file of the service's handler, where its processes live on; where that cannot be, it
 * is told. */
void run_living_watch(struct supervisor *s, uint32_t service);
/* The file has changed. */
void run_living_on_changed(struct supervisor *s, uint32_t service);

/* Launches what is to be launched ahead of need, one at a time. To be called at the end of a round
 * of the loop; `is_busy`: clients came in it, who come first. True if there is more to do, so that
 * the loop shall not wait. */
bool run_living_refill(struct supervisor *s, bool is_busy);

/* The process has finished a connection: how much memory has it, if that matters? */
void run_living_measure(struct supervisor *s, uint32_t process);
/* The answer to that can be had. */
void run_living_on_measured(struct supervisor *s, uint32_t process);

/* The line of a process that may have served many, at its end. */
void run_living_tell_end(struct supervisor *s, uint32_t process);

#endif
