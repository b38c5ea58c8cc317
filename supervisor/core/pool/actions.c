/*
 * The ring of actions: what the pool has decided, in the order in which it did.
 *
 * How many there can be at once. The caller carries out all of them before it tells of anything
 * else that happened, so what stands in the ring was decided in one step or by carrying out what
 * stood before it. An action is about one connection, one process or one service, and each kind is
 * there at most once for what it is about, because what leads to it does not come again before it
 * was taken:
 * - RELEASE, CANCEL, RECORD, GIVE_BACK: the connection came to HELD, overran its time or came to
 *   ENDED, which happens once in its life, and its slot is not free before the last of them;
 * - ATTEMPT_FAILED: the next attempt of the connection can fail only when its LAUNCH or OFFER,
 *   which stands behind this in the ring, has been carried out;
 * - LAUNCH, SEND_LIMITS, SEND_DRAIN, CLOSE_CHANNEL, TERMINATE, KILL: a state of the process, or its
 *   open channel, that is left once in its life;
 * - OFFER: it has one unacknowledged offer at a time, and no answer to that is read before it
 *   was sent;
 * - STUCK, CLOSE_PROCESS: it has ended, or its last deadline has passed;
 * - CROWDED, HELD_BACK, BREAKER, SPARES_HELD_BACK, ROOM, SERVICE_OVER: words about a service, which
 * need not be said twice. All but the last are checked at each push, in every build, and the last
 * is seen to, so the ring, which has room for each kind of each thing, cannot overflow.
 */
#include "core/base/error.h"
#include "core/base/must.h"
#include "core/base/table.h"
#include "core/pool/internal.h"

#include <stdlib.h>

#define KINDS_OF_CONNECTION (POOL_GIVE_BACK - POOL_RELEASE + 1)
#define KINDS_OF_PROCESS (POOL_CLOSE_PROCESS - POOL_LAUNCH + 1)
#define KINDS_OF_SERVICE (POOL_SERVICE_OVER - POOL_CROWDED + 1)

_Static_assert(KINDS_OF_CONNECTION <= 8 && KINDS_OF_PROCESS <= 16 && KINDS_OF_SERVICE <= 32,
               "a bit for each kind");

int pool_init_ring(struct pool *pool, uint32_t connection_count, uint32_t process_count) {
    pool->ring_capacity = KINDS_OF_CONNECTION * connection_count +
                          KINDS_OF_PROCESS * process_count + KINDS_OF_SERVICE * SERVICES_MAX_COUNT;
    pool->ring = table_create(pool->ring_capacity, sizeof *pool->ring);
    pool->queued_connections = table_create(connection_count, sizeof *pool->queued_connections);
    pool->queued_processes = table_create(process_count, sizeof *pool->queued_processes);
    return pool->ring != NULL && pool->queued_connections != NULL && pool->queued_processes != NULL
               ? BATON_OK
               : BATON_NO_MEMORY;
}

void pool_clear_ring(struct pool *pool) {
    free(pool->ring);
    free(pool->queued_connections);
    free(pool->queued_processes);
}

static void push(struct pool *pool, struct pool_entry entry) {
    pool->ring[(pool->ring_first + pool->ring_count) % pool->ring_capacity] = entry;
    pool->ring_count++;
}

void pool_push_connection(struct pool *pool, enum pool_action_kind kind, uint32_t connection,
                          uint32_t process, enum outcome outcome) {
    uint8_t bit = (uint8_t)(1u << (kind - POOL_RELEASE));
    must((pool->queued_connections[connection] & bit) == 0);
    pool->queued_connections[connection] |= bit;
    push(pool, (struct pool_entry){.process = process,
                                   .connection = connection,
                                   .service = pool->connections[connection].service,
                                   .kind = (uint8_t)kind,
                                   .outcome = (uint8_t)outcome});
}

void pool_push_process(struct pool *pool, enum pool_action_kind kind, const struct process *p,
                       uint32_t connection, enum outcome outcome) {
    uint16_t bit = (uint16_t)(1u << (kind - POOL_LAUNCH));
    must((pool->queued_processes[p->slot] & bit) == 0);
    pool->queued_processes[p->slot] |= bit;
    push(pool, (struct pool_entry){.process = p->slot,
                                   .connection = connection,
                                   .service = p->service,
                                   .kind = (uint8_t)kind,
                                   .outcome = (uint8_t)outcome});
}

void pool_push_service(struct pool *pool, enum pool_action_kind kind, uint32_t service) {
    uint32_t bit = 1u << (kind - POOL_CROWDED);
    if ((pool->services[service].queued & bit) != 0) {
        return; /* the same words again */
    }
    pool->services[service].queued |= bit;
    push(pool, (struct pool_entry){.process = SLOT_NONE,
                                   .connection = SLOT_NONE,
                                   .service = service,
                                   .kind = (uint8_t)kind});
}

/* The same may be decided again from here on. */
static void unmark(struct pool *pool, const struct pool_entry *entry) {
    enum pool_action_kind kind = (enum pool_action_kind)entry->kind;
    if (kind >= POOL_CROWDED) {
        pool->services[entry->service].queued &= ~(1u << (kind - POOL_CROWDED));
    } else if (kind >= POOL_LAUNCH) {
        pool->queued_processes[entry->process] &= (uint16_t) ~(1u << (kind - POOL_LAUNCH));
    } else {
        pool->queued_connections[entry->connection] &= (uint8_t) ~(1u << (kind - POOL_RELEASE));
    }
}

bool pool_next_action(struct pool *pool, struct pool_action *out) {
    if (pool->ring_count == 0) {
        return false;
    }
    struct pool_entry entry = pool->ring[pool->ring_first];
    pool->ring_count--;
    /* From the start again when empty, so that not the whole ring becomes resident in time. */
    pool->ring_first = pool->ring_count == 0 ? 0 : (pool->ring_first + 1) % pool->ring_capacity;
    unmark(pool, &entry);
    *out = (struct pool_action){
        .kind = (enum pool_action_kind)entry.kind,
        .outcome = (enum outcome)entry.outcome,
        .process = entry.process,
        .connection = entry.connection,
        .service = entry.service,
    };
    if (out->kind == POOL_SPARES_HELD_BACK) {
        out->pause_us = pool->services[entry.service].spares_pause_us;
    } else if (out->kind >= POOL_CROWDED) {
        out->pause_us = pool->services[entry.service].pause_us;
    }
    return true;
}
