/* How one process is brought to its end: its deadline, its channel, DRAIN, and the kill. */
#include "core/pool/internal.h"

void pool_set_deadline(struct pool *pool, struct process *p, uint64_t delay_us) {
    timers_after(pool->timers, &p->timer, delay_us);
}

uint64_t pool_stop_timeout_us(const struct process *p) {
    return pool_ms(p->rules->stop_timeout_ms);
}

void pool_close_channel(struct pool *pool, struct process *p) {
    if (p->channel_open) {
        p->channel_open = false;
        pool_push_process(pool, POOL_CLOSE_CHANNEL, p, SLOT_NONE, OUTCOME_NONE);
    }
}

void pool_kill_process(struct pool *pool, struct process *p, enum retire_reason reason) {
    if (process_advance(p, PROCESS_KILLED)) {
        process_retire(p, reason);
        timers_unset(pool->timers, &p->timer);
        pool_update_process(pool, p);
        if (p->exiting) {
            return;
        }
        pool_push_process(pool, POOL_KILL, p, SLOT_NONE, p->fault);
        pool_set_deadline(pool, p, POOL_KILL_GRACE_US);
    }
}

void pool_terminate_process(struct pool *pool, struct process *p, enum retire_reason reason) {
    if (process_advance(p, PROCESS_TERMINATED)) {
        process_retire(p, reason);
        pool_update_process(pool, p);
        pool_push_process(pool, POOL_TERMINATE, p, SLOT_NONE, p->fault);
        pool_set_deadline(pool, p, pool_stop_timeout_us(p));
    }
}

static uint64_t stop_end_us(const struct process *p) {
    return p->served->stopped ? p->served->stopped_us + pool_stop_timeout_us(p) : TIMERS_NEVER;
}

void pool_bound_handshake(struct pool *pool, struct process *p) {
    uint64_t end_us = stop_end_us(p);
    if (timer_is_set(&p->timer) && p->timer.deadline_us > end_us) {
        timers_set(pool->timers, &p->timer, end_us);
    }
}

void pool_bound_launch(struct pool *pool, struct process *p) {
    pool_bound_handshake(pool, p);
    if (!timer_is_set(&p->timer)) {
        timers_set(pool->timers, &p->timer, stop_end_us(p));
    }
}

bool pool_has_outstayed_stop(const struct pool *pool, const struct process *p) {
    return pool->timers->now_us >= stop_end_us(p);
}

void pool_bound_drain(struct pool *pool, struct process *p) {
    if (p->state == PROCESS_DRAINING && !timer_is_set(&p->timer)) {
        pool_set_deadline(pool, p, pool_stop_timeout_us(p));
    }
}

bool pool_has_bare_listener(const struct process *p) {
    const struct service *service = p->rules;
    return service->handoff == HANDOFF_LISTENER && !service->has_channel;
}

/* Those that were launched together must not all go at the same time, so each may become up to a
 * tenth less old than retire_after_s says. How much less is a multiple of the golden ratio, its
 * whole part left out: so no two of N in a row come closer to each other than a 3N-th of that
 * tenth, and the first one has all its time. */
#define AGE_SPREAD_PARTS 10u
#define GOLDEN_RATIO_32 UINT32_C(2654435769)

uint64_t pool_next_age_us(struct pool_service *s, const struct service *rules) {
    uint64_t age_us = 1000000u * (uint64_t)rules->retire_after_s;
    uint32_t less = s->ages_count++ * GOLDEN_RATIO_32 >> 16; /* of 65536 */
    return age_us - (age_us / AGE_SPREAD_PARTS * less >> 16);
}

void pool_rest(struct pool *pool, struct process *p) {
    if (p->rules->retire_after_s > 0 && p->retire == RETIRE_NONE) {
        timers_set(pool->timers, &p->timer, p->launched_us + p->age_max_us);
    } else {
        timers_unset(pool->timers, &p->timer);
    }
}

/* With connections to finish it is told by a frame, so that it can still say DONE; without, by the
 * end of the channel. */
void pool_drain_process(struct pool *pool, struct process *p, enum retire_reason reason) {
    if (process_advance(p, PROCESS_DRAINING)) {
        process_retire(p, reason);
        pool_update_process(pool, p);
        if (p->held_count == 0 && p->offer == SLOT_NONE) {
            pool_close_channel(pool, p);
        } else if (p->channel_open || pool_has_bare_listener(p)) {
            pool_push_process(pool, POOL_SEND_DRAIN, p, SLOT_NONE, OUTCOME_NONE);
        }
        pool_set_deadline(pool, p, pool_stop_timeout_us(p));
    }
}
