/* The loop: waits for events and deadlines, tells the parts, and carries out what the pool decides.
 * The only place that acts. */
#ifndef BATON_RUN_LOOP_H
#define BATON_RUN_LOOP_H

struct supervisor;

/* Runs until an ordered stop is complete. Blocks. BATON_OK, or the code with which waiting failed,
 * after it was logged. */
int run_loop_run(struct supervisor *s);

#endif
