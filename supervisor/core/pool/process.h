/*
 * One handler process as the supervisor sees it: its facts and its state machine.
 *
 *   LAUNCHED --hello--> READY --drain--> DRAINING --terminate--> TERMINATED --kill--> KILLED
 *
 * Any state may skip to KILLED; every state ends with the exit of the process. A process is offered
 * connections only in READY. Credits are what it said in HELLO (capacity: connections at once) and
 * what the service allows (life: connections in all).
 */
#ifndef BATON_POOL_PROCESS_H
#define BATON_POOL_PROCESS_H

#include "core/base/slots.h"
#include "core/base/timers.h"
#include "core/pool/connection.h"

#include <stdbool.h>
#include <stdint.h>

enum process_state {
    PROCESS_FREE,
    PROCESS_LAUNCHED,   /* HELLO has not come yet */
    PROCESS_READY,      /* HELLO has come */
    PROCESS_DRAINING,   /* gets no more offers and was told so, or its channel has ended */
    PROCESS_TERMINATED, /* was asked to end by the system's means */
    PROCESS_KILLED      /* is being ended; only its exit is awaited */
};

struct service;
struct pool_service;

/* Owner: the pool. All times are microseconds of the monotonic clock. */
struct process {
    enum process_state state;
    uint32_t slot;               /* its own */
    uint32_t service;            /* index in the table of services */
    struct pool_service *served; /* the service itself */
    const struct service *rules; /* of the service, which it holds: not owned */
    uint32_t pid;                /* as the platform told at launch; 0 before */
    uint32_t wanted_by;  /* slot of the connection that it was launched for, while LAUNCHED */
    uint32_t offer;      /* slot of the one unacknowledged offer; SLOT_NONE */
    uint32_t first_held; /* connections it has acknowledged and not finished */
    uint32_t held_count;
    uint32_t overdue_count;   /* of these; it gets no offers until it has finished them */
    uint32_t capacity_count;  /* from HELLO, 1..65535 */
    uint32_t life_left_count; /* offers it may still get */
    uint32_t taken_count;     /* connections it has acknowledged in its life */
    uint32_t next, previous;  /* in its service's list of idle processes */
    bool is_idle;             /* is in that list */
    bool channel_open;
    bool breach;  /* we ended its channel because of what it sent: nothing more of it counts */
    bool exiting; /* its end was seen; what it wrote before is being read */
    bool busy;    /* declined while it held others: not before it has finished one */
    enum outcome fault; /* why it is being ended before an ACK; NONE = no fault */
    struct timer timer; /* the one deadline of its state */
    uint64_t launched_us, greeted_us;
};

/* How many connections it is really offered at a time, 1 or more: what it said in HELLO, within
 * what its service allows. */
uint32_t process_offers_at_a_time(const struct process *process);

/* True if it may be offered a connection now. */
bool process_takes_offers(const struct process *process);

/* True if it has nothing to do and will never be given anything again. */
bool process_is_finished(const struct process *process);

/* Moves forward to `next`. True if the state changed; false if the process is there already or
 * beyond, or is FREE. */
bool process_advance(struct process *process, enum process_state next);

#endif
