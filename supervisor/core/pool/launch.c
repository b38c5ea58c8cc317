/* What becomes of a launch, and of the shortages that launches meet. */
#include "core/pool/internal.h"

/* The launch was made, or has failed for that reason. Those who wait go on. */
static void end_trials(struct pool *pool, uint32_t process, uint32_t service,
                       enum pool_launch_fault fault) {
    struct pool_trial *own = &pool->services[service].trial;
    bool is_own = pool_end_trial(pool, own, process, fault == POOL_LAUNCH_OWN_LIMIT);
    if (pool_end_trial(pool, &pool->trial, process, fault == POOL_LAUNCH_SHORTAGE)) {
        pool_dispatch_all(pool);
    } else if (is_own) {
        pool_dispatch(pool, service);
    }
}

/* HELLO, OFFER and ACK in one: the process has had its connection from its first instruction. It
 * may be on its way to its end by then. */
static void take_at_once(struct pool *pool, struct process *p) {
    uint32_t process = p->slot;
    uint32_t connection = p->wanted_by;
    struct connection *c = &pool->connections[connection];
    if (process_advance(p, PROCESS_READY)) {
        timers_unset(pool->timers, &p->timer);
    }
    p->capacity_count = 1;
    p->greeted_us = pool->timers->now_us;
    p->wanted_by = SLOT_NONE;
    process_count_offer(p, 1);
    connection_step(c, CONNECTION_OFFER, OUTCOME_NONE);
    connection_step(c, CONNECTION_ACK, OUTCOME_NONE);
    pool_note_taken(pool, connection);
    c->pid = p->pid;
    c->launched_us = p->launched_us;
    c->greeted_us = c->offered_us = c->acked_us = pool->timers->now_us;
    pool_hold(pool, process, connection);
    pool_push_connection(pool, POOL_RELEASE, connection, process, OUTCOME_NONE);
    pool_settle_taken(pool, p, connection);
    pool_update_process(pool, p);
    pool_end_if_killed(pool, connection);
}

void pool_launching(struct pool *pool, uint32_t process, bool has_begun) {
    struct process *p = &pool->processes[process];
    if (p->state != PROCESS_LAUNCHED) {
        return;
    }
    if (has_begun && p->rules->has_channel) {
        timers_after(pool->timers, &p->timer, pool_ms(p->rules->handshake_timeout_ms));
    } else {
        timers_unset(pool->timers, &p->timer);
    }
    if (p->served->stopped) {
        pool_bound_launch(pool, p);
    }
}

void pool_not_offered_early(struct pool *pool, uint32_t process) {
    pool->processes[process].is_offered_early = false;
}

/* It may have run, and read what it was offered, for a while by now. */
static void note_early_offer(struct pool *pool, struct process *p) {
    uint32_t connection = p->wanted_by;
    if (connection != SLOT_NONE) {
        pool_expect_no_more(pool, connection);
        pool_note_offer(pool, p, connection);
        if (p->state == PROCESS_KILLED) {
            pool_recall_offer(pool, p);
        }
    }
}

void pool_launched(struct pool *pool, uint32_t process, uint32_t pid) {
    struct process *p = &pool->processes[process];
    p->pid = pid;
    pool->last_launched = p->service;
    if (p->rules->has_channel) {
        if (p->is_offered_early) {
            note_early_offer(pool, p);
        }
        end_trials(pool, process, p->service, POOL_LAUNCH_REFUSED);
        return;
    }
    if (p->wanted_by != SLOT_NONE) {
        take_at_once(pool, p);
    } else if (p->state == PROCESS_DRAINING && pool_has_bare_listener(p) && !p->served->stopped) {
        /* Its service has left meanwhile: it has the listener, and maybe clients, with whom it may
         * go on like those who had it before (dismiss.c). */
        pool_push_process(pool, POOL_SEND_DRAIN, p, SLOT_NONE, OUTCOME_NONE);
        timers_unset(pool->timers, &p->timer);
    } else {
        pool_terminate_process(pool, p, RETIRE_STOP); /* whom it was for is over meanwhile */
    }
    end_trials(pool, process, p->service, POOL_LAUNCH_REFUSED);
}

/* Its client waits, with no attempt lost, until there is enough again. */
static void put_off(struct pool *pool, struct process *p, enum pool_launch_fault fault) {
    struct shortage *shortage =
        fault == POOL_LAUNCH_OWN_LIMIT ? &p->served->shortage : &pool->starved;
    uint32_t connection = p->wanted_by;
    pool_expect_no_more(pool, connection);
    pool_come_back(pool, connection);
    shortage_hit(shortage, pool->timers);
}

void pool_launch_failed(struct pool *pool, uint32_t process, enum pool_launch_fault fault) {
    struct process *p = &pool->processes[process];
    uint32_t connection = p->wanted_by;
    uint32_t service = p->service;
    timers_unset(pool->timers, &p->timer);
    if (connection != SLOT_NONE && fault != POOL_LAUNCH_REFUSED && !p->served->stopped) {
        put_off(pool, p, fault);
    } else if (connection != SLOT_NONE) {
        p->served->expected_count = 0;
        pool_fail_attempt(pool, process, connection, pool_lost_outcome(p, (struct pool_exit){0}));
    } else if (p->retire == RETIRE_NONE) {
        pool_spare_failed(pool, p,
                          fault == POOL_LAUNCH_REFUSED
                              ? "its spares cannot be launched"
                              : "a launch met a limit, or something is short");
    }
    pool_free_process(pool, p);
    end_trials(pool, process, service, connection != SLOT_NONE ? fault : POOL_LAUNCH_REFUSED);
    pool_dispatch(pool, service);
}

void pool_reaped(struct pool *pool, uint32_t process) {
    bool was_starved = shortage_lasts(&pool->starved);
    struct process *p = &pool->processes[process];
    uint32_t service = p->service;
    shortage_relieve(&pool->starved, pool->timers);
    shortage_relieve(&p->served->shortage, pool->timers);
    if (p->taken_count > 0) {
        shortage_relieve(&p->served->busy, pool->timers);
    }
    pool_tell_room(pool, service);
    pool_free_process(pool, p);
    if (was_starved) {
        pool_dispatch_all(pool);
    } else {
        pool_dispatch(pool, service);
    }
}
