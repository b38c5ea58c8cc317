/* The pool's tables, queues and dispatch. The life of a process is in pool_process.c. */
#include "core/pool_internal.h"

#include "core/error.h"
#include "core/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Between two calls of pool_next_action() a process gets few actions and a connection one or two.
 */
#define ACTIONS_PER_SLOT 4u

int pool_init(struct pool *pool, const struct service_table *table) {
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
        timers_init(&pool->timers, process_count + 1) != BATON_OK) {
        pool_clear(pool);
        return BATON_NO_MEMORY;
    }
    for (size_t i = 0; i < table->service_count; i++) {
        pool->services[i] = (struct pool_service){
            .queue_first = SLOT_NONE, .queue_last = SLOT_NONE, .idle_first = SLOT_NONE};
    }
    pool->starved.owner = SLOT_NONE;
    return BATON_OK;
}

void pool_clear(struct pool *pool) {
    free(pool->services);
    free(pool->connections);
    free(pool->processes);
    free(pool->actions);
    slots_clear(&pool->connection_slots);
    slots_clear(&pool->process_slots);
    timers_clear(&pool->timers);
    memset(pool, 0, sizeof *pool);
}

void pool_push(struct pool *pool, enum pool_action_kind kind, uint32_t process, uint32_t connection,
               enum outcome outcome) {
    uint32_t service = 0;
    if (connection != SLOT_NONE) {
        service = pool->connections[connection].service;
    } else if (process != SLOT_NONE) {
        service = pool->processes[process].service;
    }
    assert(pool->action_count < pool->action_capacity);
    uint32_t last = (pool->action_first + pool->action_count) % pool->action_capacity;
    pool->actions[last] = (struct pool_action){kind, process, connection, service, outcome};
    pool->action_count++;
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

static void dequeue(struct pool *pool, uint32_t connection) {
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
    bool room = !pool->stopping && pool->services[service].live_count <
                                       pool_service_of(pool, service)->max_connections_count;
    pool->services[service].was_full = !room;
    return room;
}

uint32_t pool_accept(struct pool *pool, uint32_t service, const struct address *peer,
                     const struct address *local, uint64_t now_us, int64_t wall_us) {
    uint32_t slot = slots_take(&pool->connection_slots);
    assert(slot != SLOT_NONE);
    struct connection *c = &pool->connections[slot];
    uint32_t attempts = pool_service_of(pool, service)->attempts_count;
    memset(c, 0, sizeof *c);
    c->state = CONNECTION_WAITING;
    c->id = ++pool->last_id;
    c->service = service;
    c->attempts_max = attempts;
    c->accepted_us = now_us;
    c->accepted_wall_us = wall_us;
    c->peer = *peer;
    c->local = *local;
    pool->services[service].live_count++;
    pool_enqueue(pool, slot);
    pool_dispatch(pool, service, now_us);
    return slot;
}

void pool_end_connection(struct pool *pool, uint32_t connection, enum outcome outcome,
                         uint64_t now_us) {
    struct connection *c = &pool->connections[connection];
    struct process *p = c->process == SLOT_NONE ? NULL : &pool->processes[c->process];
    if (c->state == CONNECTION_WAITING && p == NULL) {
        dequeue(pool, connection);
    } else if (c->state == CONNECTION_HELD) {
        pool_unhold(pool, c->process, connection);
    } else if (p != NULL && p->wanted_by == connection) {
        p->wanted_by = SLOT_NONE;
    } else if (p != NULL && p->offer == connection) {
        p->offer = SLOT_NONE;
    }
    if (connection_step(c, CONNECTION_END, outcome)) {
        c->ended_us = now_us;
        pool_push(pool, POOL_RECORD, c->process, connection, outcome);
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
        c->ended_us = now_us;
        pool_push(pool, POOL_RECORD, process, connection, outcome);
        return;
    }
    pool_enqueue(pool, connection);
    if (pool->stopping) {
        pool_end_connection(pool, connection, OUTCOME_DRAINED, now_us);
    }
}

void pool_forget(struct pool *pool, uint32_t connection) {
    struct connection *c = &pool->connections[connection];
    struct pool_service *service = &pool->services[c->service];
    bool owed = service->was_full && !pool->stopping;
    service->live_count--;
    service->was_full = false;
    if (owed) {
        pool_push(pool, POOL_ROOM, SLOT_NONE, connection, OUTCOME_NONE);
    }
    c->state = CONNECTION_FREE;
    slots_give(&pool->connection_slots, connection);
}

/* ---- Dispatch ---- */

void pool_update_idle(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    uint32_t *first = &pool->services[p->service].idle_first;
    bool idle = process_takes_offers(p);
    if (idle == p->is_idle) {
        return;
    }
    p->is_idle = idle;
    if (idle) {
        p->previous = SLOT_NONE;
        p->next = *first;
        if (p->next != SLOT_NONE) {
            pool->processes[p->next].previous = process;
        }
        *first = process;
        return;
    }
    *(p->previous == SLOT_NONE ? first : &pool->processes[p->previous].next) = p->next;
    if (p->next != SLOT_NONE) {
        pool->processes[p->next].previous = p->previous;
    }
}

/* The record tells of the last attempt alone. */
static void forget_attempt(struct connection *c) {
    c->pid = 0;
    c->has_exit = false;
    c->launched_us = c->greeted_us = c->offered_us = 0;
}

static void offer(struct pool *pool, uint32_t process, uint32_t connection, uint64_t now_us) {
    struct process *p = &pool->processes[process];
    struct connection *c = &pool->connections[connection];
    const struct service *service = pool_service_of(pool, p->service);
    connection_step(c, CONNECTION_OFFER, OUTCOME_NONE);
    forget_attempt(c);
    c->process = process;
    c->pid = p->pid;
    c->launched_us = p->launched_us;
    c->greeted_us = p->greeted_us;
    c->offered_us = now_us;
    p->offer = connection;
    p->life_left_count--;
    timers_set(&pool->timers, &p->timer, now_us + pool_ms(service->handshake_timeout_ms));
    pool_update_idle(pool, process);
    pool_push(pool, POOL_OFFER, process, connection, OUTCOME_NONE);
}

void pool_free_process(struct pool *pool, uint32_t process) {
    struct process *p = &pool->processes[process];
    pool->services[p->service].process_count--;
    p->state = PROCESS_FREE;
    slots_give(&pool->process_slots, process);
}

static bool may_launch(struct pool *pool, uint32_t connection) {
    uint32_t service = pool->connections[connection].service;
    struct pool_service *s = &pool->services[service];
    uint32_t most_count =
        pool_service_of(pool, service)->max_connections_count * POOL_PROCESSES_PER_CONNECTION;
    if (s->process_count < most_count) {
        return true;
    }
    if (!s->crowded) {
        s->crowded = true;
        pool_push(pool, POOL_CROWDED, SLOT_NONE, connection, OUTCOME_NONE);
    }
    return false;
}

static void launch_for(struct pool *pool, uint32_t connection, uint64_t now_us) {
    struct connection *c = &pool->connections[connection];
    const struct service *service = pool_service_of(pool, c->service);
    uint32_t slot = slots_take(&pool->process_slots);
    assert(slot != SLOT_NONE); /* the table has room for what all services may have */
    pool->services[c->service].process_count++;
    pool->processes[slot] = (struct process){.state = PROCESS_LAUNCHED,
                                             .service = c->service,
                                             .wanted_by = connection,
                                             .offer = SLOT_NONE,
                                             .first_held = SLOT_NONE,
                                             .life_left_count = service->reuse_count,
                                             .channel_open = true,
                                             .timer = {.owner = slot},
                                             .launched_us = now_us};
    timers_set(&pool->timers, &pool->processes[slot].timer,
               now_us + pool_ms(service->handshake_timeout_ms));
    c->process = slot;
    forget_attempt(c);
    pool_push(pool, POOL_LAUNCH, slot, connection, OUTCOME_NONE);
}

void pool_dispatch(struct pool *pool, uint32_t service, uint64_t now_us) {
    struct pool_service *s = &pool->services[service];
    while (s->queue_first != SLOT_NONE) {
        uint32_t connection = s->queue_first;
        if (s->idle_first != SLOT_NONE) {
            dequeue(pool, connection);
            offer(pool, s->idle_first, connection, now_us);
            continue;
        }
        if (pool->stopping || pool->starved.position != 0 || !may_launch(pool, connection)) {
            return;
        }
        dequeue(pool, connection);
        launch_for(pool, connection, now_us);
    }
    s->crowded = false;
}

void pool_starve(struct pool *pool, uint64_t now_us) {
    timers_set(&pool->timers, &pool->starved, now_us + POOL_STARVED_RETRY_US);
}

static void dispatch_all(struct pool *pool, uint64_t now_us) {
    for (uint32_t i = 0; i < pool->table->service_count; i++) {
        pool_dispatch(pool, i, now_us);
    }
}

void pool_reaped(struct pool *pool, uint32_t process, uint64_t now_us) {
    bool was_starved = pool->starved.position != 0;
    uint32_t service = pool->processes[process].service;
    pool_free_process(pool, process);
    if (was_starved) {
        timers_unset(&pool->timers, &pool->starved);
        dispatch_all(pool, now_us);
    } else {
        pool_dispatch(pool, service, now_us);
    }
}

/* ---- Time and the stop ---- */

uint64_t pool_next_deadline_us(const struct pool *pool) {
    return timers_next_us(&pool->timers);
}

void pool_tick(struct pool *pool, uint64_t now_us) {
    struct timer *timer = timers_expired(&pool->timers, now_us);
    for (; timer != NULL; timer = timers_expired(&pool->timers, now_us)) {
        if (timer == &pool->starved) {
            /* Launches are carried out after this call; those that fail starve the pool again. */
            dispatch_all(pool, now_us);
            continue;
        }
        pool_process_expired(pool, timer->owner, now_us);
    }
}

bool pool_is_empty(const struct pool *pool) {
    return pool->connection_slots.in_use_count == 0 && pool->process_slots.in_use_count == 0;
}
