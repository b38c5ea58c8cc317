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

/* Why a process gets no more offers, or has got them no more: what came first. */
#define RETIRE_TABLE(X)                                                                            \
    X(NONE, "exited")     /* it has ended by itself */                                             \
    X(REUSE, "reuse")     /* it has had as many as it may have in its life */                      \
    X(AGE, "age")         /* retire_after_s */                                                     \
    X(MEMORY, "memory")   /* retire_memory_mib */                                                  \
    X(IDLE, "idle")       /* idle_exit_s */                                                        \
    X(ASKED, "asked")     /* RETIRE, or NACK with it */                                            \
    X(BUSY, "busy")       /* it said so while it held nothing */                                   \
    X(CLOSED, "closed")   /* it has closed its channel */                                          \
    X(CHANGED, "changed") /* the executable is another by now */                                   \
    X(SERVICE, "service") /* the service has left the config */                                    \
    X(STOP, "stop")       /* the supervisor stops */                                               \
    X(OVERDUE, "overdue") /* it did not end what had gone on for too long */                       \
    X(FAULT, "fault")     /* its launch or handshake went wrong, or it broke the protocol */

enum retire_reason {
#define RETIRE_ENUM(name, text) RETIRE_##name,
    RETIRE_TABLE(RETIRE_ENUM)
#undef RETIRE_ENUM
};

/* The word in the log; static. */
const char *retire_reason_text(enum retire_reason reason);

/* How a process ended. */
struct pool_exit {
    bool by_signal;
    uint32_t code;
    bool by_broken_pipe;      /* by_signal, and it was SIGPIPE: it wrote to who had left */
    uint64_t cpu_us;          /* that it has used; 0 = not known */
    uint32_t memory_peak_kib; /* resident; 0 = not known */
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
    uint32_t wanted_by;  /* slot of the connection that waits for its launch, while LAUNCHED;
                            SLOT_NONE = none does: it is a spare */
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
    enum outcome fault;        /* why it is being ended before an ACK; NONE = no fault */
    enum retire_reason retire; /* the first; from then on it gets no more offers */
    struct pool_exit exit;     /* when it has ended: for POOL_CLOSE_PROCESS */
    struct timer timer;        /* the one deadline of its state */
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
