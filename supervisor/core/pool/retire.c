/* Processes that get no more offers, though they could: by age, memory, or for want of clients, and
 * when the executable has changed. */
#include "core/pool/internal.h"

/* Drained at a time, so that others have their turn in between. */
#define SURPLUS_AT_A_TIME 16u
#define SURPLUS_NEXT_US 1000u

static void retire(struct pool *pool, struct process *p, enum retire_reason reason) {
    process_retire(p, reason);
    if (process_is_finished(p)) {
        pool_drain_process(pool, p, reason);
    }
    pool_update_process(pool, p);
}

/* Clients that it could have had go to others. */
void pool_retire_process(struct pool *pool, struct process *p, enum retire_reason reason) {
    retire(pool, p, reason);
    pool_dispatch(pool, p->service);
}

void pool_note_memory(struct pool *pool, uint32_t process, uint32_t resident_kib) {
    struct process *p = &pool->processes[process];
    uint64_t most_kib = 1024u * (uint64_t)p->rules->retire_memory_mib;
    if (most_kib > 0 && resident_kib >= most_kib && p->state == PROCESS_READY) {
        pool_retire_process(pool, p, RETIRE_MEMORY);
    }
}

/* One that a client waits for serves that one, rather than that he waits for another launch. */
static void renew(struct pool *pool, struct process *p) {
    if (p->state == PROCESS_READY) {
        retire(pool, p, RETIRE_CHANGED);
    } else if (p->state == PROCESS_LAUNCHED && p->wanted_by == SLOT_NONE) {
        pool_drain_process(pool, p, RETIRE_CHANGED);
    } else if (p->state == PROCESS_LAUNCHED) {
        p->is_outdated = true;
        p->life_left_count = 1;
    }
}

void pool_renew_processes(struct pool *pool, uint32_t service) {
    SLOTS_EACH(process, &pool->process_slots) {
        struct process *p = &pool->processes[process];
        if (p->service == service && service_serves_many(p->rules)) {
            renew(pool, p);
        }
    }
    pool_spares_are_fine(pool, service); /* as far as is known of the new one */
    pool_dispatch(pool, service);
}

void pool_drain_surplus(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    for (uint32_t i = 0; s->resting_last != SLOT_NONE; i++) {
        struct process *p = &pool->processes[s->resting_last];
        if (p->rules->idle_exit_s == 0 || pool_idle_until_us(p) > pool->timers->now_us ||
            !pool_can_spare(s, p)) {
            break;
        }
        if (i == SURPLUS_AT_A_TIME) {
            timers_after(pool->timers, &s->idle_exit, SURPLUS_NEXT_US);
            break;
        }
        pool_drain_process(pool, p, RETIRE_IDLE);
    }
    pool_update_wants(pool, service);
}
