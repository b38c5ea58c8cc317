/*
 * Restart: another batond, or the same once more, takes over all that there is.
 *
 *   NONE --asked--> REHEARSING --it can--> HOLDING --nothing is half done--> the new one
 *    ^----it cannot, a launch does not end, or the new one does not come up----'  ^--RESTING
 *
 * Rehearsed is beside the loop: the program that is to be, with its command line, reads the config
 * and says whether it takes over what this one writes. While HOLDING nobody is accepted and nothing
 * launched; clients wait in the backlog. That has to be short: where something takes longer it
 * RESTS in between. Whatever goes wrong, this one goes on.
 */
#ifndef BATON_RUN_RESTART_H
#define BATON_RUN_RESTART_H

#include "core/base/timers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct supervisor;

/* What the other thread has. */
struct run_rehearsal {
    const struct supervisor_source *source;
    char layout[20];
    int result;
    char *extra; /* owned: for the new one, of the config */
    size_t extra_bytes;
    char *problems; /* owned: lines of text */
};

/* Owner: the supervisor. */
struct run_restart {
    uint64_t asked_count, done_count; /* as of a reload */
    struct run_rehearsal *rehearsal;  /* owned, but while the thread has it; NULL = there is none */
    bool is_rehearsing, is_holding;
    struct timer patience; /* set while it is holding, or rests */
    uint64_t give_up_us;   /* when it has done so for long enough */
    char *problems;        /* of the last one, lines of text, owned; NULL = none */
    char reason[512];      /* why the last one has failed; "" = it has not */
};

/* Asks for one, `by` whom (static). Those that are asked for while one is under way are that one.
 * BATON_OK, and done_count has reached asked_count, as it is then, when it has failed; or
 * BATON_UNSUPPORTED: run_restart_refusal() says why, and so does the log. */
int run_restart_ask(struct supervisor *s, const char *by);
/* Why there can be none; NULL = there can. */
const char *run_restart_refusal(const struct supervisor *s);

/* It was rehearsed (WORKED). */
void run_restart_on_rehearsed(struct supervisor *s);
/* At the end of each round: goes on where nothing is half done. */
void run_restart_update(struct supervisor *s);
/* It takes long to come to that. */
void run_restart_on_timer(struct supervisor *s);

/* In the new one: all was taken over; the old one's words about its failure, where this is that
 * once more (NULL = it is not). */
void run_restart_tell(struct supervisor *s, const char *failure);

/* For the end. */
void run_restart_clear(struct supervisor *s);

#endif
