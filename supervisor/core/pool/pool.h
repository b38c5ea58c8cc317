/*
 * The one pool: every live connection and every handler process, who has whom, and what to do next.
 *
 * Pure: it is told what happened and at what time, and answers with actions, which the caller takes
 * with pool_next_action() after each call, and carries out. All hand-off modes are the same to it:
 * capacity is credits, reuse is lifetime credits, a spare is an idle process. A process without a
 * channel has greeted and taken its connection as soon as it is launched. For a listener that is
 * handed over there is one connection at a time, the activation.
 *
 * Connections and processes are named by slots (core/base/slots.h) of two tables, sized once.
 */
#ifndef BATON_POOL_POOL_H
#define BATON_POOL_POOL_H

#include "core/base/slots.h"
#include "core/base/timers.h"
#include "core/door/sources.h"
#include "core/pool/breaker.h"
#include "core/pool/connection.h"
#include "core/pool/process.h"
#include "core/service/service.h"

#include <stdbool.h>
#include <stdint.h>

enum pool_action_kind {
    POOL_LAUNCH,         /* process: launch it; then pool_launched() or pool_launch_failed() */
    POOL_OFFER,          /* process, connection: send the offer; on failure pool_offer_failed() */
    POOL_RELEASE,        /* connection: the handler has it; close the supervisor's copy */
    POOL_ATTEMPT_FAILED, /* process, connection, outcome: for the log */
    POOL_RECORD,         /* connection: close the socket if open, write its record, pool_forget() */
    POOL_SEND_DRAIN,     /* process: send DRAIN; without a channel SIGTERM stands for it */
    POOL_CLOSE_CHANNEL,  /* process: close our end of its channel */
    POOL_TERMINATE,      /* process: ask the system to end it */
    POOL_KILL,           /* process: end it */
    POOL_CLOSE_PROCESS,  /* process: it has ended; release what the platform keeps, pool_reaped() */
    POOL_STUCK,          /* process: was killed and has not ended; for the log */
    POOL_CROWDED,        /* connection: waits for handlers of its service to end; for the log */
    POOL_HELD_BACK,      /* service, pause_us: nothing is launched for it until then; for the log */
    POOL_ROOM            /* service: it may accept again */
};

struct pool_action {
    enum pool_action_kind kind;
    uint32_t process;    /* slot or SLOT_NONE */
    uint32_t connection; /* slot or SLOT_NONE */
    uint32_t service;    /* index */
    enum outcome outcome;
    uint64_t pause_us;
};

/* Who has come. */
struct pool_arrival {
    uint32_t service;
    uint32_t place;             /* index of the service's listen entry */
    struct address peer, local; /* of an activation: peer without family */
    uint64_t now_us;
    int64_t wall_us;
};

/* How a process ended. */
struct pool_exit {
    bool by_signal;
    uint32_t code;
};

/* What the pool keeps for each service. Counts are derived here and nowhere else. */
struct pool_service {
    uint32_t live_count;              /* connections accepted and not yet recorded */
    uint32_t queue_first, queue_last; /* connections that wait and have no process */
    uint32_t idle_first;              /* processes that may be offered a connection */
    uint32_t process_count;           /* processes launched and not yet reaped */
    bool was_full;                    /* it has been refused room; POOL_ROOM is owed */
    bool crowded;                     /* POOL_CROWDED was told, and somebody still waits */
    struct breaker breaker;           /* HANDOFF_LISTENER only */
    struct timer pause;               /* set while the breaker lets nothing be launched */
};

/* Read by the caller, changed only by the functions below. Owner: the caller of pool_init(). */
struct pool {
    const struct service_table *table; /* not owned */
    struct pool_service *services;
    struct connection *connections;
    struct process *processes;
    struct slots connection_slots;
    struct slots process_slots;
    struct timers timers;
    struct sources sources;      /* of connections, by the peer's address */
    struct pool_action *actions; /* a ring */
    uint32_t action_first, action_count, action_capacity;
    uint64_t last_id;
    struct timer starved; /* set while launches are put off for want of resources */
    bool stopping;
};

/* Sizes the tables for `table`, which must outlive the pool. `seed` is a number that clients cannot
 * know. BATON_OK, BATON_NO_MEMORY, or BATON_INVALID for a table that allows no connection. */
int pool_init(struct pool *pool, const struct service_table *table, uint64_t seed);
void pool_clear(struct pool *pool);

/* Takes the next action; false when there is none. */
bool pool_next_action(struct pool *pool, struct pool_action *out);

/* The earliest deadline, TIMERS_NEVER if none; and what to do when the clock has passed it. */
uint64_t pool_next_deadline_us(const struct pool *pool);
void pool_tick(struct pool *pool, uint64_t now_us);

/* ---- Connections ---- */

/* True if the service may accept one more. If not, POOL_ROOM tells when it may. */
bool pool_has_room(struct pool *pool, uint32_t service);

/* A connection was accepted, or a handed-over listener is ready; there must be room. Where a PROXY
 * header comes first the connection is in PREFACE until one of the next two calls, or until its
 * time is up. Returns its slot. */
uint32_t pool_accept(struct pool *pool, const struct pool_arrival *arrival);
/* The header is read: it named the real client, or (NULL) keeps the direct peer. */
void pool_begin(struct pool *pool, uint32_t connection, const struct address *peer,
                const struct address *local, uint64_t now_us);
void pool_begin_failed(struct pool *pool, uint32_t connection, enum outcome outcome,
                       uint64_t now_us);

/* Live connections from the address of this one's peer, itself included. */
uint32_t pool_count_from_peer(const struct pool *pool, uint32_t connection);

/* Just as the offer was to be sent, the client was found to have reset the connection, or the
 * listener of an activation to have been closed by the stop. */
void pool_abandoned(struct pool *pool, uint32_t connection, uint64_t now_us);

/* The record is written: frees the slot. */
void pool_forget(struct pool *pool, uint32_t connection);

/* The slot of the connection that `number` (of a frame) names on this process's channel: offered
 * or held by it. SLOT_NONE if there is none. */
uint32_t pool_find_connection(const struct pool *pool, uint32_t process, uint32_t number);

/* ---- Processes: what happened ---- */

/* Without a channel the process has thereby taken the connection it was launched for. */
void pool_launched(struct pool *pool, uint32_t process, uint32_t pid, uint64_t now_us);
/* `shortage`: nothing is wrong with the program; try again when something is freed, and by timer.
 */
void pool_launch_failed(struct pool *pool, uint32_t process, bool shortage, uint64_t now_us);
void pool_offer_failed(struct pool *pool, uint32_t process, uint64_t now_us);

/* Frames. `connection` is a slot from pool_find_connection(). Each returns false if the frame is a
 * breach of the protocol in this state (then call pool_breach()). */
bool pool_hello(struct pool *pool, uint32_t process, uint32_t pid, uint32_t capacity_count,
                uint64_t now_us);
bool pool_ack(struct pool *pool, uint32_t process, uint32_t connection, uint64_t now_us);
enum pool_decline { POOL_DECLINE_RETIRE, POOL_DECLINE_BUSY, POOL_DECLINE_REFUSE };
bool pool_nack(struct pool *pool, uint32_t process, uint32_t connection, enum pool_decline reason,
               uint64_t now_us);
bool pool_done(struct pool *pool, uint32_t process, uint32_t connection, uint8_t status,
               uint64_t now_us);
bool pool_retire(struct pool *pool, uint32_t process, uint64_t now_us);

/* The process sent what it must not. */
void pool_breach(struct pool *pool, uint32_t process, uint64_t now_us);
/* The process has closed its end of the channel. */
void pool_channel_ended(struct pool *pool, uint32_t process, uint64_t now_us);
/* The process has ended, but what it wrote before is yet to be read: it gets no more offers. */
void pool_exiting(struct pool *pool, uint32_t process);
/* The process has ended. Everything it wrote before has been read and told. */
void pool_exited(struct pool *pool, uint32_t process, struct pool_exit how, uint64_t now_us);
/* The platform's part is closed: frees the slot. */
void pool_reaped(struct pool *pool, uint32_t process, uint64_t now_us);

/* ---- The ordered stop ---- */

/* No more offers but to clients already accepted; every process is told to drain, and is ended
 * after its service's stop_timeout_ms. */
void pool_stop(struct pool *pool, uint64_t now_us);
/* A second request: everything that still lives is ended at once. */
void pool_hurry(struct pool *pool, uint64_t now_us);
/* True when no connection and no process is left. */
bool pool_is_empty(const struct pool *pool);

#endif
