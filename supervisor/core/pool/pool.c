/* The pool's tables, and the life of a connection. */
#include "core/pool/internal.h"

#include "core/base/error.h"
#include "core/base/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Between two calls of pool_next_action() a process gets few actions and a connection one or two.
 */
#define ACTIONS_PER_SLOT 4u

int pool_init(struct pool *pool, const struct service_table *table, uint64_t seed) {
    uint32_t connection_count = 0;
    memset(pool, 0, sizeof *pool);
    pool->table = table;
    for (size_t i = 0; i < table->service_count; i++) {
        connection_count += table->services[i].max_connections_count;
    }
    if (connection_count == 0) {
        return BATON_INVALID;
    }
    uint32_t process_count = connection_count * POOL_PROCESSES_PER_CONNECTION;
    pool->action_capacity =
        ACTIONS_PER_SLOT * (connection_count + process_count) + (uint32_t)table->service_count + 16;
    pool->services = calloc(table->service_count, sizeof *pool->services);
    pool->connections = table_create(connection_count, sizeof *pool->connections);
    pool->processes = table_create(process_count, sizeof *pool->processes);
    pool->actions = table_create(pool->action_capacity, sizeof *pool->actions);
    if (pool->services == NULL || pool->connections == NULL || pool->processes == NULL ||
        pool->actions == NULL ||
        slots_init(&pool->connection_slots, connection_count) != BATON_OK ||
        slots_init(&pool->process_slots, process_count) != BATON_OK ||
        sources_init(&pool->sources, connection_count, seed) != BATON_OK ||
        timers_init(&pool->timers, process_count + connection_count +
                                       (uint32_t)table->service_count + 1) != BATON_OK) {
        pool_clear(pool);
        return BATON_NO_MEMORY;
    }
    for (size_t i = 0; i < table->service_count; i++) {
        pool->services[i] = (struct pool_service){
            .queue_first = SLOT_NONE,
            .queue_last = SLOT_NONE,
            .idle_first = SLOT_NONE,
            .pause = {.owner = pool_timer_owner(POOL_TIMER_SERVICE, (uint32_t)i)}};
    }
    pool->starved.owner = pool_timer_owner(POOL_TIMER_STARVED, 0);
    return BATON_OK;
}

void pool_clear(struct pool *pool) {
    free(pool->services);
    free(pool->connections);
    free(pool->processes);
    free(pool->actions);
    slots_clear(&pool->connection_slots);
    slots_clear(&pool->process_slots);
    sources_clear(&pool->sources);
    timers_clear(&pool->timers);
    memset(pool, 0, sizeof *pool);
}

static void push(struct pool *pool, const struct pool_action *action) {
    assert(pool->action_count < pool->action_capacity);
    uint32_t last = (pool->action_first + pool->action_count) % pool->action_capacity;
    pool->actions[last] = *action;
    pool->action_count++;
}

void pool_push_service(struct pool *pool, enum pool_action_kind kind, uint32_t service,
                       uint64_t pause_us) {
    push(pool, &(struct pool_action){.kind = kind,
                                     .process = SLOT_NONE,
                                     .connection = SLOT_NONE,
                                     .service = service,
                                     .pause_us = pause_us});
}

void pool_push(struct pool *pool, enum pool_action_kind kind, uint32_t process, uint32_t connection,
               enum outcome outcome) {
    uint32_t service = 0;
    if (connection != SLOT_NONE) {
        service = pool->connections[connection].service;
    } else if (process != SLOT_NONE) {
        service = pool->processes[process].service;
    }
    push(pool, &(struct pool_action){.kind = kind,
                                     .process = process,
                                     .connection = connection,
                                     .service = service,
                                     .outcome = outcome});
}

bool pool_next_action(struct pool *pool, struct pool_action *out) {
    if (pool->action_count == 0) {
        return false;
    }
    *out = pool->actions[pool->action_first];
    pool->action_count--;
    /* From the start again when empty, so that not the whole ring becomes resident in time. */
    pool->action_first =
        pool->action_count == 0 ? 0 : (pool->action_first + 1) % pool->action_capacity;
    return true;
}

const struct service *pool_service_of(const struct pool *pool, uint32_t service) {
    return &pool->table->services[service];
}

/* ---- Lists of connections: the queue of a service, and what a process holds ---- */

void pool_enqueue(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct pool_service *service = &pool->services[c->service];
    c->process = SLOT_NONE;
    c->previous = service->queue_last;
    c->next = SLOT_NONE;
    /* From the end, where a new one belongs; one that comes back is older than most. */
    while (c->previous != SLOT_NONE && pool->connections[c->previous].id > c->id) {
        c->next = c->previous;
        c->previous = pool->connections[c->previous].previous;
    }
    *(c->previous == SLOT_NONE ? &service->queue_first : &pool->connections[c->previous].next) =
        connection;
    *(c->next == SLOT_NONE ? &service->queue_last : &pool->connections[c->next].previous) =
        connection;
}

void pool_dequeue(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct pool_service *service = &pool->services[c->service];
    *(c->previous == SLOT_NONE ? &service->queue_first : &pool->connections[c->previous].next) =
        c->next;
    *(c->next == SLOT_NONE ? &service->queue_last : &pool->connections[c->next].previous) =
        c->previous;
    c->next = c->previous = SLOT_NONE;
}

void pool_hold(struct pool *pool, uint32_t process, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct process *p = &pool->processes[process];
    c->previous = SLOT_NONE;
    c->next = p->first_held;
    if (c->next != SLOT_NONE) {
        pool->connections[c->next].previous = connection;
    }
    p->first_held = connection;
    p->held_count++;
}

void pool_unhold(struct pool *pool, uint32_t process, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct process *p = &pool->processes[process];
    *(c->previous == SLOT_NONE ? &p->first_held : &pool->connections[c->previous].next) = c->next;
    if (c->next != SLOT_NONE) {
        pool->connections[c->next].previous = c->previous;
    }
    c->next = c->previous = SLOT_NONE;
    p->held_count--;
}

uint32_t pool_find_connection(const struct pool *pool, uint32_t process, uint32_t number) {
    const struct process *p = &pool->processes[process];
    if (p->offer != SLOT_NONE && connection_number(&pool->connections[p->offer]) == number) {
        return p->offer;
    }
    for (uint32_t c = p->first_held; c != SLOT_NONE; c = pool->connections[c].next) {
        if (connection_number(&pool->connections[c]) == number) {
            return c;
        }
    }
    return SLOT_NONE;
}

/* ---- Connections ---- */

bool pool_has_room(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    bool room = !pool->stopping && s->pause.position == 0 &&
                s->live_count < pool_service_of(pool, service)->max_connections_count;
    s->was_full = !room;
    return room;
}

uint32_t pool_accept(struct pool *pool, const struct pool_arrival *arrival) {
    uint32_t slot = slots_take(&pool->connection_slots);
    assert(slot != SLOT_NONE);
    struct connection *c = &pool->connections[slot];
    const struct service *service = pool_service_of(pool, arrival->service);
    *c = (struct connection){
        .state = service->proxy_protocol ? CONNECTION_PREFACE : CONNECTION_WAITING,
        .id = ++pool->last_id,
        .service = arrival->service,
        .place = arrival->place,
        .is_activation = service->handoff == HANDOFF_LISTENER,
        .source = sources_take(&pool->sources, &arrival->peer),
        .timer = {.owner = pool_timer_owner(POOL_TIMER_CONNECTION, slot)},
        .process = SLOT_NONE,
        .next = SLOT_NONE,
        .previous = SLOT_NONE,
        .attempts_max = service->attempts_count,
        .accepted_us = arrival->now_us,
        .accepted_wall_us = arrival->wall_us,
        .peer = arrival->peer,
        .local = arrival->local,
    };
    pool->services[arrival->service].live_count++;
    if (c->state == CONNECTION_PREFACE) {
        timers_set(&pool->timers, &c->timer, arrival->now_us + pool_ms(service->proxy_timeout_ms));
    } else {
        pool_enqueue(pool, slot);
        pool_dispatch(pool, arrival->service, arrival->now_us);
    }
    return slot;
}

void pool_begin(struct pool *pool, uint32_t connection, const struct address *peer,
                const struct address *local, uint64_t now_us) {
    struct connection *c = &pool->connections[connection];
    if (!connection_step(c, CONNECTION_BEGIN, OUTCOME_NONE)) {
        return;
    }
    timers_unset(&pool->timers, &c->timer);
    if (peer != NULL) {
        c->via = c->peer;
        c->peer = *peer;
        c->local = *local;
        sources_give(&pool->sources, c->source);
        c->source = sources_take(&pool->sources, peer);
    }
    pool_enqueue(pool, connection);
    pool_dispatch(pool, c->service, now_us);
}

void pool_begin_failed(struct pool *pool, uint32_t connection, enum outcome outcome,
                       uint64_t now_us) {
    if (pool->connections[connection].state == CONNECTION_PREFACE) {
        pool_end_connection(pool, connection, outcome, now_us);
    }
}

uint32_t pool_count_from_peer(const struct pool *pool, uint32_t connection) {
    return sources_count(&pool->sources, pool->connections[connection].source);
}

/* An activation is over: whatever waits at the listener would start the next one at once. */
static void brake(struct pool *pool, const struct connection *c, uint64_t now_us) {
    struct pool_service *s = &pool->services[c->service];
    if (!c->is_activation || pool->stopping) {
        return;
    }
    uint64_t lived_us = c->acked_us == 0 ? 0 : now_us - c->acked_us;
    uint64_t pause_us =
        breaker_pause_us(&s->breaker, c->outcome != OUTCOME_SERVED, lived_us, now_us);
    if (pause_us > 0) {
        timers_set(&pool->timers, &s->pause, now_us + pause_us);
        s->was_full = true; /* POOL_ROOM is owed when the pause is over */
        pool_push_service(pool, POOL_HELD_BACK, c->service, pause_us);
    }
}

static void finish_connection(struct pool *pool, uint32_t process, uint32_t connection,
                              uint64_t now_us) {
    struct connection *c = &pool->connections[connection];
    c->ended_us = now_us;
    timers_unset(&pool->timers, &c->timer);
    brake(pool, c, now_us);
    pool_push(pool, POOL_RECORD, process, connection, c->outcome);
}

void pool_end_connection(struct pool *pool, uint32_t connection, enum outcome outcome,
                         uint64_t now_us) {
    struct connection *c = &pool->connections[connection];
    struct process *p = c->process == SLOT_NONE ? NULL : &pool->processes[c->process];
    if (c->state == CONNECTION_WAITING && p == NULL) {
        pool_dequeue(pool, connection);
    } else if (c->state == CONNECTION_HELD) {
        pool_unhold(pool, c->process, connection);
    } else if (p != NULL && p->wanted_by == connection) {
        p->wanted_by = SLOT_NONE;
    } else if (p != NULL && p->offer == connection) {
        p->offer = SLOT_NONE;
    }
    if (connection_step(c, CONNECTION_END, outcome)) {
        finish_connection(pool, c->process, connection, now_us);
    }
}

void pool_fail_attempt(struct pool *pool, uint32_t process, uint32_t connection,
                       enum outcome outcome, uint64_t now_us) {
    assert(connection != SLOT_NONE);
    struct connection *c = &pool->connections[connection];
    struct process *p = &pool->processes[process];
    if (p->wanted_by == connection) {
        p->wanted_by = SLOT_NONE;
    }
    if (p->offer == connection) {
        p->offer = SLOT_NONE;
    }
    c->pid = p->pid;
    connection_step(c, CONNECTION_ATTEMPT_FAILED, outcome);
    pool_push(pool, POOL_ATTEMPT_FAILED, process, connection, outcome);
    if (c->state == CONNECTION_ENDED) {
        finish_connection(pool, process, connection, now_us);
        return;
    }
    pool_enqueue(pool, connection);
    if (pool->stopping) {
        pool_end_connection(pool, connection, OUTCOME_DRAINED, now_us);
    }
}

void pool_tell_room(struct pool *pool, uint32_t service) {
    struct pool_service *s = &pool->services[service];
    if (s->was_full && !pool->stopping && s->pause.position == 0) {
        s->was_full = false;
        pool_push_service(pool, POOL_ROOM, service, 0);
    }
}

void pool_forget(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct pool_service *service = &pool->services[c->service];
    service->live_count--;
    sources_give(&pool->sources, c->source);
    pool_tell_room(pool, c->service);
    c->state = CONNECTION_FREE;
    slots_give(&pool->connection_slots, connection);
}
