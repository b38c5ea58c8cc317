/* Roster: which services are of the config that holds. Those that were, and have handlers or
 * clients still, are the pool's alone. */
#ifndef BATON_RUN_ROSTER_H
#define BATON_RUN_ROSTER_H

#include "core/service/services.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

enum run_roster_state {
    ROSTER_GONE, /* of an earlier config, or no service */
    ROSTER_ON,   /* served */
    ROSTER_OFF   /* switched off until somebody switches it on; the roster holds its rules */
};

/* By service slot. Owner: the supervisor. */
struct run_roster {
    uint8_t states[SERVICES_MAX_COUNT]; /* enum run_roster_state */
};

/* The service of that name which is on or off; SLOT_NONE if there is none. */
uint32_t run_roster_find(const struct supervisor *s, const char *name);

/* How many are on. */
uint32_t run_roster_count(const struct supervisor *s);

/* Adds a copy of `service`, prepared as far as it can be, with its listeners not open yet. Returns
 * its slot, SLOT_NONE where there is no room: nothing is left then. */
uint32_t run_roster_add(struct supervisor *s, const struct service *service);

/* One that is on leaves: who waits at its listeners still comes in, then they close; its handlers
 * are told to drain, and its clients are served to their end. */
void run_roster_retire(struct supervisor *s, uint32_t service);
/* The same, and its rules are kept for run_roster_switch_on(). With `stops` its clients have
 * stop_timeout_ms, also where it was off before. */
void run_roster_switch_off(struct supervisor *s, uint32_t service, bool stops);
/* Serves one that is off again. Returns its new slot, or that of one that is on; SLOT_NONE where
 * there is no room: then it is off still. */
uint32_t run_roster_switch_on(struct supervisor *s, uint32_t service);
/* Takes one that is off out; or (`other` not SLOT_NONE) puts that in its place, which has just been
 * added, as one that is off. */
void run_roster_replace_off(struct supervisor *s, uint32_t service, uint32_t other);

/* Opens what is not open of a service that was added, or looks for what it lacks, by timer. */
void run_roster_begin(struct supervisor *s, uint32_t service);

#endif
