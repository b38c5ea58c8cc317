/* Waits: processes of which something is to be done a while from now, each kind with one delay, so
 * that a list and one timer are enough for all of them. */
#ifndef BATON_RUN_WAITS_H
#define BATON_RUN_WAITS_H

#include "core/base/timers.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

enum run_wait {
    RUN_WAIT_RECORD,  /* its connection's record waits for its end */
    RUN_WAIT_MEASURE, /* its memory is looked at */
    RUN_WAITS_COUNT
};

/* Owner: struct run_launching. */
struct run_waits {
    uint32_t first, last; /* processes, the one that is due first to first; SLOT_NONE */
    struct timer timer;   /* set while there are any */
};

/* Of a process. */
struct run_waiting {
    uint64_t due_us; /* 0 = it does not wait */
    uint32_t next, previous;
};

void run_waits_create(struct supervisor *s);
bool run_waits_has(const struct supervisor *s, enum run_wait wait, uint32_t process);
/* One that does not wait yet does so from now on. */
void run_waits_add(struct supervisor *s, enum run_wait wait, uint32_t process);
/* It waits no more; nothing if it does not. */
void run_waits_remove(struct supervisor *s, enum run_wait wait, uint32_t process);
/* The next one that is due, which waits no more then; SLOT_NONE = there is none, and the timer is
 * set for who comes next. */
uint32_t run_waits_take(struct supervisor *s, enum run_wait wait);

#endif
