/* Behind a launch that found a shortage, one tries for all (struct pool_trial). */
#include "core/pool/internal.h"

bool pool_is_starved(const struct pool *pool) {
    return shortage_lasts(&pool->starved) || pool->trial.process != SLOT_NONE;
}

bool pool_is_short(const struct pool_service *s) {
    return shortage_lasts(&s->shortage) || s->trial.process != SLOT_NONE;
}

static void begin_trial(struct pool_trial *trial, uint32_t process) {
    if (trial->is_due && trial->process == SLOT_NONE) {
        trial->process = process;
    }
}

void pool_begin_trials(struct pool *pool, const struct process *p) {
    begin_trial(&pool->trial, p->slot);
    begin_trial(&p->served->trial, p->slot);
}

bool pool_end_trial(struct pool_trial *trial, uint32_t process, bool is_short) {
    bool was_it = trial->process == process;
    if (was_it) {
        trial->process = SLOT_NONE;
    }
    trial->is_due = is_short || (trial->is_due && !was_it);
    return was_it && !is_short;
}
