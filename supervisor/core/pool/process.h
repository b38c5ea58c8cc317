/*
 * One handler process as the supervisor sees it: its facts and its state machine.
 *
 *   LAUNCHED --hello--> READY --drain--> DRAINING --terminate--> TERMINATED --kill--> KILLED
 *
 * Any state may skip to KILLED; every state ends with the exit of the process. A process is offered
 * connections only in READY, and as long as nothing has retired it; but one for a single connection
 * may have its offer from its launch on, in LAUNCHED, and answers it in READY. Credits are what it
 * said in HELLO (capacity: connections at once) within what the service allows, and what the
 * service allows in all (life).
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
    X(CLOSED, "exited")   /* it has closed its channel, as who exits does */                       \
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

/* What a process counts for in its service. */
struct process_credits {
    bool is_launching;   /* may still say HELLO */
    bool is_handler;     /* takes clients, or will, or is full */
    uint32_t idle_count; /* connections that it may be offered now; then it is in idle.c's list */
    uint32_t pending_count; /* and once it has answered the offer that is open */
};

/* The sums of these, of a service. */
struct process_sums {
    uint32_t launching_count, handlers_count, idle_count, pending_count;
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
    uint32_t overdue_count;   /* of these; it gets no offers until it has finished them, and another
                                 may be launched in its place */
    uint32_t capacity_count;  /* from HELLO, 1..65535 */
    uint32_t life_left_count; /* offers it may still get; where reuse is 0 that is no matter */
    uint32_t taken_count;     /* connections it has acknowledged in its life */
    uint32_t launched_among_count; /* launches of its service that were under way, with its own */
    uint32_t next, previous; /* idle.c: among the idle ones that hold as many; no previous: it is
                                the first of them, and has links to those of the next levels */
    uint32_t next_level, previous_level;
    uint32_t level;               /* how many it held when it was put there */
    struct process_credits gives; /* what it counts for in its service: see credits.c */
    bool channel_open;
    bool breach;  /* we ended its channel because of what it sent: nothing more of it counts */
    bool exiting; /* its end was seen; what it wrote before is being read */
    bool busy;    /* declined while it held others: not before it has finished one */
    bool is_offered_early; /* whom it is launched for it finds in its channel; before
                              pool_launched() that one is its wanted_by, and then its offer */
    bool has_waited;       /* after HELLO nobody was there whom it could be offered */
    bool is_useless;       /* it was counted as one that failed before it was of use */
    bool is_outdated; /* the executable has changed since its launch; it serves who waits for it */
    enum outcome fault;        /* why it is being ended before an ACK; NONE = no fault */
    enum retire_reason retire; /* the first; from then on it gets no more offers */
    struct pool_exit exit;     /* when it has ended: for POOL_CLOSE_PROCESS */
    struct timer timer;        /* the one deadline of its state */
    uint64_t launched_us, greeted_us;
    uint64_t age_max_us;    /* how old it may become; 0 = there is no bound */
    uint64_t idle_since_us; /* while it is idle and holds nothing */
};

/* How many connections it is really offered at a time, 1 or more: what it said in HELLO, within
 * what its service allows. */
uint32_t process_offers_at_a_time(const struct process *process);

/* True if it may be offered a connection now. */
bool process_takes_offers(const struct process *process);

struct process_credits process_credits_of(const struct process *process);

/* It gets no more offers, for this reason, if there was none before. */
void process_retire(struct process *process, enum retire_reason reason);

/* It was offered a connection (+1), or has not had what it was offered (-1). */
void process_count_offer(struct process *process, int step);

/* True if it has nothing to do and will never be given anything again. */
bool process_is_finished(const struct process *process);

/* Moves forward to `next`. True if the state changed; false if the process is there already or
 * beyond, or is FREE. */
bool process_advance(struct process *process, enum process_state next);

#endif
