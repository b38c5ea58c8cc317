/* Reap: the end of a process, and the one record of every connection. */
#ifndef BATON_RUN_REAP_H
#define BATON_RUN_REAP_H

#include <stdbool.h>
#include <stdint.h>

struct supervisor;
struct run_pump_end;

/* The process has ended. What it has left on its channel is read one frame at a time, before the
 * pool is told; true while there is more to read. */
bool run_reap_on_exit(struct supervisor *s, uint32_t process);
/* The same, of the process of a pump that is over; does nothing for one that goes on. */
void run_reap_pumped(struct supervisor *s, const struct run_pump_end *end);

/* Writes the record of a connection that has ended (POOL_RECORD); of one with a channel process of
 * its own when that has ended as well, if it does soon: then it tells what it has cost. */
void run_reap_record(struct supervisor *s, uint32_t connection);
/* Records have waited for long enough. */
void run_reap_on_timer(struct supervisor *s);
/* An activation is over and recorded (POOL_GIVE_BACK). */
void run_reap_activation(struct supervisor *s, uint32_t connection);
/* The process has ended, and nobody needs it any more (POOL_CLOSE_PROCESS). */
void run_reap_close_process(struct supervisor *s, uint32_t process);

#endif
