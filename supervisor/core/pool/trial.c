/* Behind a launch that found a shortage, one tries for all (struct pool_trial). */
#include "core/pool/internal.h"

/* A launch that takes longer tells nothing of a shortage. */
#define PATIENCE_US 100000u

bool pool_is_starved(const struct pool *pool) {
    return shortage_lasts(&pool->starved) || pool->trial.process != SLOT_NONE;
}

bool pool_is_short(const struct pool_service *s) {
    return shortage_lasts(&s->shortage) || s->trial.process != SLOT_NONE;
}

struct pool_trial pool_trial_make(uint64_t token) {
    return (struct pool_trial){.process = SLOT_NONE, .late = {.token = token}};
}

static void begin_trial(struct pool *pool, struct pool_trial *trial, uint32_t process) {
    if (trial->is_due && trial->process == SLOT_NONE) {
        trial->process = process;
        timers_after(pool->timers, &trial->late, PATIENCE_US);
    }
}

void pool_begin_trials(struct pool *pool, const struct process *p) {
    begin_trial(pool, &pool->trial, p->slot);
    begin_trial(pool, &p->served->trial, p->slot);
}

/* Whom it was for has had his turn. */
void pool_pass_trial(struct pool *pool, struct pool_trial *trial) {
    pool->last_launched = pool->processes[trial->process].service;
    trial->process = SLOT_NONE;
}

bool pool_end_trial(struct pool *pool, struct pool_trial *trial, uint32_t process, bool is_short) {
    bool was_it = trial->process == process;
    if (was_it) {
        trial->process = SLOT_NONE;
        timers_unset(pool->timers, &trial->late);
    }
    trial->is_due = is_short || (trial->is_due && !was_it);
    return was_it && !is_short;
}
