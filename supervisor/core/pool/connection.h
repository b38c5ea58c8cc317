/*
 * One accepted connection: its facts and its state machine.
 *
 *   PREFACE --begin--> WAITING   (only where something comes first: a PROXY header, a first byte)
 *
 *   WAITING --offer--> OFFERED --ack--> HELD --done, exit--> ENDED
 *      ^                  |  \--fault--> RECALLED --ack found--> HELD
 *      |                  |                 |
 *      +---- declined ----+<--no ack-------+      (last attempt, refusal: ENDED)
 *
 * The supervisor owns a copy of the socket in PREFACE, WAITING, OFFERED and RECALLED; in HELD only
 * the handler does (pump: the relay). RECALLED means: the process that may or may not have taken
 * the connection is being ended; what it wrote before its end decides.
 *
 * An *activation* is the same thing for a service whose listening socket is handed over: it begins
 * when somebody waits there, has no peer and no socket of its own, and is held by the process that
 * has the listener.
 */
#ifndef BATON_POOL_CONNECTION_H
#define BATON_POOL_CONNECTION_H

#include "core/base/address.h"
#include "core/base/timers.h"
#include "core/pool/progress.h"

#include <stdbool.h>
#include <stdint.h>

/* How a connection ended: the closed list of the log's `outcome`. */
#define OUTCOME_TABLE(X)                                                                           \
    X(NONE, "none")                                                                                \
    X(SERVED, "served")                       /* DONE 0, or exit 0 */                              \
    X(FAILED, "failed")                       /* DONE or exit with another number; a breach */     \
    X(CRASHED, "crashed")                     /* signal, exception */                              \
    X(BROKEN_PIPE, "broken_pipe")             /* SIGPIPE, the client's doing as a rule */          \
    X(TIMED_OUT, "timed_out")                 /* it went on for too long, or was idle */           \
    X(KILLED, "killed")                       /* a control client has asked for that */            \
    X(REJECTED, "rejected")                   /* the handler refused it (NACK) */                  \
    X(LAUNCH_FAILED, "launch_failed")         /* no process, or it ended before HELLO */           \
    X(HANDSHAKE_TIMEOUT, "handshake_timeout") /* no HELLO or no ACK in time */                     \
    X(HANDSHAKE_INVALID, "handshake_invalid") /* bad frame, wrong identity, end before ACK */      \
    X(PROXY_INVALID, "proxy_invalid")         /* no PROXY header, or a wrong one */                \
    X(PROXY_TIMEOUT, "proxy_timeout")         /* its PROXY header did not come in time */          \
    X(NO_FIRST_BYTE, "no_first_byte")         /* the client said nothing in time */                \
    X(REFUSED_ACCESS, "refused_access")   /* its address may not, or not send a PROXY header */    \
    X(REFUSED_HOURS, "refused_hours")     /* nobody may, at this time of the day */                \
    X(REFUSED_SOURCE, "refused_source")   /* its source has as many as it may */                   \
    X(REFUSED_RATE, "refused_rate")       /* they come faster than they may */                     \
    X(REFUSED_FULL, "refused_full")       /* the service has, or all have */                       \
    X(REFUSED_BREAKER, "refused_breaker") /* the handler has failed too often just now */          \
    X(ABANDONED, "abandoned")             /* the client reset it before the hand-off */            \
    X(DRAINED, "drained")                 /* ended by an ordered stop */

enum outcome {
#define OUTCOME_ENUM(name, text) OUTCOME_##name,
    OUTCOME_TABLE(OUTCOME_ENUM)
#undef OUTCOME_ENUM
};
#define OUTCOMES_COUNT (OUTCOME_DRAINED + 1)

/* The word in the log; static. */
const char *outcome_text(enum outcome outcome);

/* True if the client was turned away, by a rule or a limit. */
static inline bool outcome_is_refusal(enum outcome outcome) {
    return outcome >= OUTCOME_REFUSED_ACCESS && outcome <= OUTCOME_REFUSED_BREAKER;
}

/* True if it is for somebody to look at: what the handler has made of it, or what it takes to have
 * one. What the client did, what the config wants and what a stop ended is not. */
static inline bool outcome_is_bad(enum outcome outcome) {
    const uint32_t bad = 1u << OUTCOME_FAILED | 1u << OUTCOME_CRASHED | 1u << OUTCOME_REJECTED |
                         1u << OUTCOME_LAUNCH_FAILED | 1u << OUTCOME_HANDSHAKE_TIMEOUT |
                         1u << OUTCOME_HANDSHAKE_INVALID | 1u << OUTCOME_PROXY_INVALID;
    return (bad >> outcome & 1u) != 0;
}

enum connection_state {
    CONNECTION_FREE,
    CONNECTION_PREFACE,
    CONNECTION_WAITING,
    CONNECTION_OFFERED,
    CONNECTION_RECALLED,
    CONNECTION_HELD,
    CONNECTION_ENDED
};

enum connection_event {
    CONNECTION_BEGIN,          /* what comes first is there */
    CONNECTION_OFFER,          /* an offer for it was sent */
    CONNECTION_RECALL,         /* the process it was offered to is being ended */
    CONNECTION_ACK,            /* a handler has taken it */
    CONNECTION_DECLINE,        /* NACK: another process, no attempt lost */
    CONNECTION_ATTEMPT_FAILED, /* a process was lost before an ACK; outcome = why */
    CONNECTION_END             /* it is over; outcome = how */
};

struct service;
struct pool_service;

/* All times are microseconds of the monotonic clock, except accepted_wall_us. Owner: the pool. */
struct connection {
    enum connection_state state : 8;
    enum outcome outcome : 8;   /* NONE until ENDED */
    enum progress progress : 8; /* of an activation that has ended */
    bool is_activation;
    bool is_trial;     /* an activation that is to take the place of one that serves on */
    bool is_dismissed; /* an activation that was told to drain, as another takes its place */
    uint32_t service;  /* index in the table of services */
    uint32_t place;    /* index among the service's listen entries: where it was accepted */
    uint32_t process; /* slot of the process launched for it, offered it or holding it; SLOT_NONE */
    struct pool_service *served; /* the service itself */
    const struct service *rules; /* of the service, which it holds: not owned */
    uint64_t id;                 /* the record's number, from 1, never used twice in a run */
    struct timer timer;          /* PREFACE, HELD: its deadline */
    uint32_t next, previous;     /* in a queue of its service, or among those its process holds */
    /* In the pool's table of sources: its address, and what counts for the limits by source of its
     * service and of all; SOURCE_NONE where there is no such limit. */
    uint32_t source, own_source, common_source;
    uint32_t from_peer_count; /* live connections from its address when it came, itself included */
    uint32_t number;          /* on the channel of the process that it was offered to last */
    uint32_t offers_count;    /* to processes, one after the other */
    uint32_t attempts_used, attempts_max;
    uint32_t pid;          /* who took it, or the last one that failed to; 0 = nobody */
    uint16_t local_minute; /* for core/door/access.h: when it came, */
    bool in_group;         /* and if of one of the groups that may come */
    bool is_probe;         /* tells whether the breaker closes (circuit.h) */
    bool awaits_byte;      /* PREFACE: what is awaited is the client's first byte, */
    bool awaits_turn;      /* or the time when a rate lets it in that was too late to keep it out */
    bool is_vacated;       /* ENDED: counts in no limit any more */
    bool timed_out;        /* its time was up while it was HELD, or it was killed then */
    bool is_killed;        /* it is to end, as soon as it is known who has it */
    bool is_overdue;       /* HELD: that has not ended it, so its process is to be ended */
    bool has_status;       /* DONE told a status */
    uint8_t status;
    bool by_breach; /* its process broke the protocol, and nothing that it said then counted */
    bool has_exit;  /* the process has ended before this connection did */
    bool exit_by_signal;
    bool has_bytes_in, has_bytes_out;
    uint32_t exit_code;
    uint64_t accepted_us, launched_us, greeted_us, offered_us, acked_us, ended_us;
    int64_t accepted_wall_us;
    uint64_t bytes_in, bytes_out;
    uint64_t cpu_us;            /* of its process, where it had one of its own; 0 = not known */
    uint32_t memory_peak_kib;   /* the same */
    struct address peer, local; /* of the real client, where a PROXY header told it */
    struct address via;         /* then the proxy's; else family ADDRESS_NONE */
};

/* Applies `event` (with `outcome` for ATTEMPT_FAILED and END, else OUTCOME_NONE). Returns true if
 * the state allows it, false (and changes nothing) if not: for an event that a handler caused, that
 * is a breach of the protocol. ATTEMPT_FAILED counts the attempt and leads to WAITING, or to ENDED
 * with `outcome` when no attempt is left. */
bool connection_step(struct connection *connection, enum connection_event event,
                     enum outcome outcome);

#endif
