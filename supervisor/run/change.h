/* Change: from the services that are served to those of a new config. */
#ifndef BATON_RUN_CHANGE_H
#define BATON_RUN_CHANGE_H

#include "core/service/service.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct supervisor;

enum run_change_kind { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_CHANGED, CHANGE_UNCHANGED };
#define RUN_CHANGE_KINDS_COUNT 4u

/* "added", ...; static. */
const char *run_change_word(enum run_change_kind kind);

/* What a reload has done about one service. */
struct run_change {
    enum run_change_kind kind;
    bool is_off;      /* it is switched off, and stays so */
    const char *name; /* of the service; in the report's arena */
    const char *keys; /* CHANGED: "listen, spares"; else NULL */
};

/* What is to be done to get to a table. Owner: who made it. */
struct run_plan {
    const struct service_table *table; /* not owned */
    uint32_t *old;                     /* by service of the table: the one of its name, SLOT_NONE */
    uint32_t *added;                   /* likewise: its new slot; SLOT_NONE = the old one stays */
    uint8_t *fates;                    /* by slot: what becomes of those that are there */
};

/* Compares. False when out of memory; run_change_free() in any case. */
bool run_change_plan(const struct supervisor *s, const struct service_table *table,
                     struct run_plan *plan);
void run_change_free(struct run_plan *plan);

/* A service that serves, and in the new table lacks what it takes; NULL = there is none. */
const char *run_change_find_loss(const struct supervisor *s, const struct run_plan *plan);

/* Tells what the plan is about each service, those of the table first. `keys` as in run_change, in
 * a buffer that is used again. */
typedef void run_change_tell(struct supervisor *s, const struct run_change *change);
void run_change_tell_all(struct supervisor *s, const struct run_plan *plan, run_change_tell *tell);

/* All of it that can fail: makes the services that are new or another. False where there is no room
 * for one (memory, services that were and have clients still): then none is left. */
bool run_change_add(struct supervisor *s, struct run_plan *plan);
/* And the rest: listeners go over, new ones are opened, and who leaves is retired. */
void run_change_carry_out(struct supervisor *s, struct run_plan *plan);

#endif
