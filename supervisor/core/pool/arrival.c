/* A connection from its acceptance to the time when it is given to a process; and when it is
 * forgotten. */
#include "core/base/must.h"
#include "core/pool/internal.h"

#include <string.h>

static void begin(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    timers_unset(pool->timers, &c->timer);
    if (!c->is_activation && !pool_passes_breaker(pool, connection)) {
        return;
    }
    connection_step(c, CONNECTION_BEGIN, OUTCOME_NONE);
    pool_enqueue(pool, connection);
    pool_dispatch(pool, c->service);
    pool_note_demand(pool, c->service, c->state == CONNECTION_WAITING);
}

/* Counted once, or the environment and the OFFER would tell of two moments. */
static void count_peer(struct pool *pool, struct connection *c) {
    c->source = sources_take(&pool->sources, POOL_SCOPE_EXACT, &c->peer);
    c->from_peer_count = sources_count(&pool->sources, c->source);
}

/* Where clients speak first, no process is spent on one that does not. */
static void let_in(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    uint32_t silence_ms = c->rules->first_byte_timeout_ms;
    if (silence_ms == 0) {
        begin(pool, connection);
        return;
    }
    c->awaits_byte = true;
    timers_after(pool->timers, &c->timer, pool_ms(silence_ms));
}

uint32_t pool_accept(struct pool *pool, const struct pool_arrival *arrival) {
    uint32_t slot = slots_take(&pool->connection_slots);
    must(slot != SLOT_NONE);
    struct connection *c = &pool->connections[slot];
    const struct service *service = pool_service_of(pool, arrival->service);
    *c = (struct connection){.number = c->number}; /* the next shall be another */
    c->state = CONNECTION_PREFACE;
    c->id = ++pool->last_id;
    c->service = arrival->service;
    c->rules = service;
    c->served = &pool->services[c->service];
    c->place = arrival->place;
    c->is_activation = service->handoff == HANDOFF_LISTENER;
    c->is_trial = arrival->is_trial;
    c->in_group = arrival->in_group;
    c->local_minute = (uint16_t)arrival->local_minute;
    c->own_source = SOURCE_NONE;
    c->common_source = SOURCE_NONE;
    c->timer.token = token_make(POOL_TOKEN_CONNECTION, 0, slot);
    c->process = SLOT_NONE;
    c->next = SLOT_NONE;
    c->previous = SLOT_NONE;
    c->attempts_max = service->attempts_count;
    c->accepted_us = pool->timers->now_us;
    c->accepted_wall_us = arrival->wall_us;
    c->peer = arrival->peer;
    c->local = arrival->local;
    count_peer(pool, c);
    pool_keep_text(pool, slot, NULL, 0);
    pool_join_service(pool, arrival->service);
    c->served->live_count++;
    if (service->proxy_protocol != 0) {
        if (pool_admit_proxy(pool, slot)) {
            timers_after(pool->timers, &c->timer, pool_ms(service->proxy_timeout_ms));
        }
    } else if (c->is_activation) {
        if (service->workers_count == 0) {
            pool_charge(pool, slot); /* by the client who waits */
        }
        begin(pool, slot);
    } else if (pool_admit(pool, slot)) {
        let_in(pool, slot);
    }
    return slot;
}

void pool_begin(struct pool *pool, uint32_t connection, const struct address *peer,
                const struct address *local) {
    struct connection *c = &pool->connections[connection];
    if (c->state != CONNECTION_PREFACE) {
        return;
    }
    if (peer != NULL) {
        c->via = c->peer;
        c->peer = *peer;
        c->local = *local;
        sources_give(&pool->sources, c->source, pool->timers->now_us);
        count_peer(pool, c);
    }
    if (c->awaits_byte) {
        begin(pool, connection);
    } else if (c->awaits_turn) {
        c->awaits_turn = false;
        let_in(pool, connection);
    } else if (pool_admit(pool, connection) && !c->awaits_turn) {
        let_in(pool, connection);
    }
}

void pool_begin_failed(struct pool *pool, uint32_t connection, enum outcome outcome,
                       const char *text) {
    if (pool->connections[connection].state == CONNECTION_PREFACE) {
        pool_keep_text(pool, connection, text, text == NULL ? 0 : strlen(text));
        pool_end_connection(pool, connection, outcome);
    }
}

static void tell_room(struct pool *pool, uint32_t service, bool was_full) {
    if (was_full) {
        pool_tell_room_in_table(pool);
    } else {
        pool_tell_room(pool, service);
    }
}

/* It counts no more, wherever there is a limit. */
static void leave_limits(struct pool *pool, struct connection *c) {
    sources_give(&pool->sources, c->source, c->ended_us);
    sources_give(&pool->sources, c->own_source, c->ended_us);
    sources_give(&pool->sources, c->common_source, c->ended_us);
    c->served->live_count--;
}

void pool_vacate(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    bool was_full = pool_live_count(pool) >= pool->most_count;
    leave_limits(pool, c);
    c->is_vacated = true;
    pool->vacated_count++;
    tell_room(pool, c->service, was_full);
}

void pool_note_cost(struct pool *pool, uint32_t connection, const struct pool_exit *how) {
    struct connection *c = &pool->connections[connection];
    /* What the system does not tell, DONE may have told. */
    c->cpu_us = how->cpu_us > 0 ? how->cpu_us : c->cpu_us;
    c->memory_peak_kib = how->memory_peak_kib > 0 ? how->memory_peak_kib : c->memory_peak_kib;
}

void pool_forget(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    uint32_t service = c->service;
    bool was_full = pool_live_count(pool) >= pool->most_count ||
                    pool->connection_slots.in_use_count == pool->connection_slots.count;
    if (c->is_vacated) {
        pool->vacated_count--;
    } else {
        leave_limits(pool, c);
    }
    c->state = CONNECTION_FREE;
    slots_give(&pool->connection_slots, connection);
    tell_room(pool, service, was_full);
    pool_leave_service(pool, service);
}
