/*
 * The one pool: every live connection and every handler process, who has whom, and what to do next.
 *
 * Pure: it is told what happened, at the time that its heap of timers has, and answers with
 * actions, which the caller takes with pool_next_action() and carries out before it tells of
 * anything else that happened. All hand-off modes are the same to it: capacity is credits, reuse is
 * lifetime credits, a spare is an idle process. A process without a channel has greeted and taken
 * its connection as soon as it is launched. For a listener that is handed over there is one
 * connection at a time, the activation.
 *
 * Connections, processes and services are named by slots (core/base/slots.h) of tables that have
 * the program's maximum, so no config outgrows them and nothing ever moves.
 */
#ifndef BATON_POOL_POOL_H
#define BATON_POOL_POOL_H

#include "core/base/rate.h"
#include "core/base/shortage.h"
#include "core/base/slots.h"
#include "core/base/timers.h"
#include "core/base/token.h"
#include "core/door/sources.h"
#include "core/pool/breaker.h"
#include "core/pool/circuit.h"
#include "core/pool/connection.h"
#include "core/pool/process.h"
#include "core/pool/target.h"
#include "core/service/services.h"

#include <stdbool.h>
#include <stdint.h>

#define POOL_CONNECTIONS_MAX_COUNT SERVICE_TABLE_CONNECTIONS_MAX_COUNT
/* Processes that a service may have for each connection: one may outlive its last connection by
 * its stop_timeout_ms. The bound is the service's own, so that none can starve another: spares,
 * and processes that live on without a connection, are counted in it (and in max_handlers, which
 * is at most max_connections), and the sum of all services' max_connections is what the table of
 * processes is made for (SERVICE_TABLE_CONNECTIONS_MAX_COUNT). Only processes of services that have
 * left the config can be in somebody's way; they are drained. */
#define POOL_PROCESSES_PER_CONNECTION 2u
/* Timers of a pool for that many connections that may be set at once: one of each connection and
 * process, eight of each service, and three of its own. */
#define POOL_TIMERS_COUNT(connections)                                                             \
    ((1u + POOL_PROCESSES_PER_CONNECTION) * (connections) + 8u * SERVICES_MAX_COUNT + 3u)

/* Types of the tokens (core/base/token.h) that name things of the pool. A caller that puts tokens
 * of its own into the same heap of timers has types from POOL_TOKEN_END on. */
enum pool_token {
    POOL_TOKEN_PROCESS = 1,
    POOL_TOKEN_CONNECTION,
    POOL_TOKEN_PAUSE,    /* of a service */
    POOL_TOKEN_SHORTAGE, /* of a service */
    POOL_TOKEN_PATIENCE, /* of a service */
    POOL_TOKEN_IDLE,     /* of a service */
    POOL_TOKEN_TARGET,   /* of a service */
    POOL_TOKEN_SPARES,   /* of a service */
    POOL_TOKEN_BUSY,     /* of a service */
    POOL_TOKEN_TRIAL,    /* of a service */
    POOL_TOKEN_STARVED,
    POOL_TOKEN_COMMON_TRIAL,
    POOL_TOKEN_COMMON_PAUSE,
    POOL_TOKEN_END
};

/* Each kind is in the ring at most once for what it is about: see pool/actions.c. */
enum pool_action_kind {
    /* About a connection. */
    POOL_RELEASE,        /* the handler has it: close the supervisor's copy */
    POOL_CANCEL,         /* send CANCEL to the process that holds it */
    POOL_ATTEMPT_FAILED, /* by `process`, with `outcome`: for the log */
    POOL_RECORD,         /* close the socket if open, write its record; then pool_forget() */
    POOL_GIVE_BACK,      /* an activation is over and recorded: its listener may be watched again;
                            pool_forget() comes now, not after the record */
    /* About a process. */
    POOL_LAUNCH,        /* launch it, and where is_offered_early with the OFFER of `wanted_by` in
                           its channel; then pool_launched() or pool_launch_failed(). Without a
                           connection (wanted_by) it is a spare: service_serves_many() */
    POOL_SEND_LIMITS,   /* tell it what it is really offered: it takes several at a time */
    POOL_OFFER,         /* send it the offer of `connection`; on failure pool_offer_failed() */
    POOL_SEND_DRAIN,    /* send DRAIN; without a channel SIGTERM stands for it */
    POOL_CLOSE_CHANNEL, /* close our end of its channel */
    POOL_TERMINATE,     /* ask the system to end it */
    POOL_KILL,          /* end it */
    POOL_STUCK,         /* it was killed and has not ended; for the log */
    POOL_CLOSE_PROCESS, /* it has ended: release what the platform keeps; pool_reaped() */
    /* About a service. */
    POOL_CROWDED,   /* somebody waits for handlers of its own to end; for the log */
    POOL_HELD_BACK, /* nothing is launched for it for `pause_us`; for the log */
    POOL_BREAKER,   /* its circuit is open, for `pause_us`, or closed again (0); for the log */
    POOL_SPARES_HELD_BACK, /* its spares fail: none is launched for `pause_us`; for the log */
    POOL_ROOM,             /* it may accept again */
    POOL_SERVICE_OVER /* it was retired, and nobody goes by it any more; pool_remove_service() */
};
#define POOL_ACTION_KINDS_COUNT (POOL_SERVICE_OVER + 1)

struct pool_action {
    enum pool_action_kind kind;
    enum outcome outcome;
    uint32_t process;    /* slot or SLOT_NONE */
    uint32_t connection; /* slot or SLOT_NONE */
    uint32_t service;    /* slot */
    uint64_t pause_us;   /* HELD_BACK, BREAKER, SPARES_HELD_BACK */
};

/* Who has come. */
struct pool_arrival {
    uint32_t service;
    uint32_t place;             /* index of the service's listen entry */
    struct address peer, local; /* of an activation: peer without family */
    bool in_group;              /* as for access_verdict(), and the minute as well */
    unsigned local_minute;
    bool is_trial; /* an activation for whose sake another is to go */
    int64_t wall_us;
};

/* An activation that is a trial, and ends before it has lived so long, has failed however it ends.
 */
#define POOL_TRIAL_US 1000000u

#define POOL_TEXT_MAX_BYTES 256u

/* What is said of a connection by whoever serves it, for its record. All zero = nothing. */
struct pool_words {
    uint8_t status; /* DONE */
    uint32_t pid;   /* of the process that has it, where that is another; 0 = not told */
    bool has_bytes_in, has_bytes_out;
    uint64_t bytes_in, bytes_out;
    uint64_t cpu_us;          /* that the process used which had it alone; 0 = not told */
    uint32_t memory_peak_kib; /* the same */
    const char *text;         /* text_bytes, of which at most POOL_TEXT_MAX_BYTES are kept */
    size_t text_bytes;
};

/* Why a launch did not succeed. */
enum pool_launch_fault {
    POOL_LAUNCH_REFUSED,   /* something is wrong with the program: an attempt has failed */
    POOL_LAUNCH_OWN_LIMIT, /* a limit of this service's own is reached, or its program is being
                              written: it waits, alone */
    POOL_LAUNCH_SHORTAGE   /* something is short for all: everybody waits */
};

/* Connections that wait, by age. */
struct pool_queue {
    uint32_t first, last; /* slots; SLOT_NONE */
    uint32_t count;
};

/* Behind a launch that found a shortage: one at a time, until one is made. What the first of them
 * meets takes its time to be known, and all others would meet it as well. But its program may be on
 * a file system that hangs: then the next one tries. */
struct pool_trial {
    bool is_due;
    uint32_t process; /* whose launch it is; SLOT_NONE = none is under way */
    struct timer late;
};

/* What the pool keeps for each service. Counts are derived here and nowhere else. */
struct pool_service {
    uint32_t live_count; /* connections accepted, and neither vacated nor forgotten yet */
    /* Connections that wait: for whom no launch is under way, and (service_serves_many()) for whom
     * one is; those get the first process that is there. */
    struct pool_queue queue, expecting;
    uint32_t idle_first;          /* who may be offered a connection and holds the fewest: idle.c */
    uint32_t resting_last;        /* who holds nothing, and has not for the longest time */
    uint32_t process_count;       /* processes launched and not yet reaped */
    uint32_t ages_count;          /* processes launched, ever: see pool_next_age_us() */
    struct process_sums sums;     /* of what its processes count for */
    uint32_t expected_count;      /* what a new process is expected to take at a time: as the last
                                     that said HELLO; 0 = not known */
    uint64_t greeting_us;         /* how long that one took for it; 0 = not known */
    uint32_t launches_most_count; /* under way at a time, by that; see pool_note_greeting() */
    uint64_t launches_raised_us;  /* when that was raised */
    uint32_t doubts_count;        /* how often the patience of those who wait has run out */
    struct target target;         /* of spares */
    uint32_t next_wanting, previous_wanting; /* in the list of services that lack spares, */
    bool is_wanting;                         /* where it is */
    struct shortage spares_pause; /* lasts while no spare is launched because they fail */
    struct timer patience;        /* set while clients wait for what is under way */
    struct timer idle_exit;       /* set while there may be a process too many */
    struct timer quiet;           /* set while the target may go down */
    bool wants_room;              /* POOL_ROOM is owed */
    bool crowded;                 /* POOL_CROWDED was told, and somebody still waits */
    bool retired;                 /* it accepts nobody any more */
    bool stopped;                 /* all of it is to end */
    uint32_t queued;              /* kinds of actions in the ring: a bit mask */
    struct breaker breaker;       /* HANDOFF_LISTENER only */
    struct circuit circuit;       /* all others */
    struct rate rate;             /* of clients let in, or of activations */
    const char *pause_reason;     /* as pool_lacks_room_for() has it; static */
    bool took_nobody;             /* why it was: its handler did, and has not failed */
    uint64_t stopped_us;          /* since when all of it is to end, if it is */
    uint64_t pause_us;            /* how long the last pause was */
    uint64_t spares_pause_us;     /* the same, of spares, */
    const char *spares_reason;    /* and why it was; static */
    struct timer pause;           /* set while the breaker, or the rate, lets nobody in */
    struct shortage shortage;     /* lasts while launches wait for a limit of its own, */
    struct pool_trial trial;      /* and then there is one */
    uint32_t proven_count;        /* processes that have taken somebody, and have not ended */
    struct shortage busy; /* lasts while none is launched because a new one was busy at once */
};

/* The text that is said of a connection: by its slot, apart, since few have one. */
struct pool_text {
    uint16_t length_bytes;
    char bytes[POOL_TEXT_MAX_BYTES];
};

/* An action in the ring; what else there is to it is known by whom it is about. */
struct pool_entry {
    uint32_t process, connection, service;
    uint8_t kind, outcome;
};

/* Read by the caller, changed only by the functions below. Owner: the caller of pool_init(). */
struct pool {
    struct timers *timers; /* not owned */
    struct connection *connections;
    struct process *processes;
    struct pool_service *services;
    struct services *registry; /* not owned */
    bool offers_early; /* what is launched may have its client's OFFER from the start; set by the
                          caller behind pool_init() */
    bool stopping;
    uint32_t most_count;           /* connections of all services */
    uint32_t launches_first_count; /* under way at a time where nothing is known of a service's */
    uint32_t vacated_count;
    struct pool_entry *ring;
    uint32_t ring_first, ring_count, ring_capacity;
    /* Services: the others come before these where all have waited. */
    uint32_t last_let_in, last_launched;
    uint32_t wanting_first, wanting_last; /* services that lack spares: see wants.c */
    struct slots connection_slots;
    struct slots process_slots;
    struct pool_text *texts;
    uint8_t *queued_connections; /* kinds of actions in the ring, by connection and by process */
    uint16_t *queued_processes;
    uint64_t last_id;
    uint64_t numbers_key, numbers_count; /* of offers: see pool_number() */
    struct shortage starved;             /* lasts while launches wait for what is short for all, */
    struct pool_trial trial;             /* and then there is one */
    struct sources sources;              /* of connections, by the peer's address */
    struct service_limits limits;        /* for all services together */
    struct rate rate;                    /* of all clients let in */
    struct timer pause;                  /* set while that lets nobody in */
};

/* Makes the tables, for `connection_count` (1..POOL_CONNECTIONS_MAX_COUNT, which is what the
 * program takes) connections and as many processes as these may have. `services` and `timers`,
 * which has room for POOL_TIMERS_COUNT beside what the caller sets, must outlive the pool. `seed`
 * is a number that clients cannot know. BATON_OK or BATON_NO_MEMORY. */
int pool_init(struct pool *pool, struct services *services, struct timers *timers, uint64_t seed,
              uint32_t connection_count);
void pool_clear(struct pool *pool);

/* Limits that hold for all services together, and of `most_count` connections where that is less
 * than there is room for (0 = no limit). Who has come before counts in what was counted then. */
void pool_limit(struct pool *pool, const struct service_limits *limits, uint32_t most_count);

/* How many processors there are to launch on; 1 until it is told. */
void pool_know_processors(struct pool *pool, uint32_t processors_count);

/* Takes the next action; false when there is none. */
bool pool_next_action(struct pool *pool, struct pool_action *out);

/* A timer with a token below POOL_TOKEN_END has expired. */
void pool_expired(struct pool *pool, uint64_t token);

/* ---- Services ---- */

/* A service (slot of the registry) is there to be served. */
void pool_add_service(struct pool *pool, uint32_t service);
/* It has left the config: nobody is accepted any more, its processes are told to drain once nobody
 * waits whom they could be offered, and clients that have come are served by its rules, without a
 * deadline; who has its listeners is dismissed. POOL_SERVICE_OVER when no connection and no
 * process of it is left. */
void pool_retire_service(struct pool *pool, uint32_t service);
/* The caller's part of it is gone: lets go of it. */
void pool_remove_service(struct pool *pool, uint32_t service);

/* ---- Connections ---- */

/* True if the service may accept one more, if only to refuse him. Changes nothing. */
bool pool_has_room(const struct pool *pool, uint32_t service);
/* What stands against it, as the log has it; static. NULL = nothing does. */
#define POOL_HELD_BACK_TEXT "held_back"
#define POOL_RATE_TEXT "rate"
#define POOL_HOURS_TEXT "hours"
const char *pool_lacks_room_for(const struct pool *pool, uint32_t service);
/* Lets nobody in for `delay_us`; `reason` as above, static. */
void pool_pause_service(struct pool *pool, uint32_t service, const char *reason, uint64_t delay_us);
/* POOL_ROOM is to tell when there is room again. */
void pool_await_room(struct pool *pool, uint32_t service);

/* A connection was accepted, or a handed-over listener is ready; there must be room. Where
 * something comes first the connection is in PREFACE until the next calls have told of it, or until
 * its time is up. One that is not let in has ended when this returns (outcome_is_refusal()).
 * Returns its slot. */
uint32_t pool_accept(struct pool *pool, const struct pool_arrival *arrival);
/* The header is read: it named the real client, or (NULL) keeps the direct peer; now it is judged
 * whether that one is let in. The client's first byte is still to come where the connection is in
 * PREFACE still; when it is there, this is called again. */
void pool_begin(struct pool *pool, uint32_t connection, const struct address *peer,
                const struct address *local);
/* `text` (static or copied at once; NULL = none) is for the record. */
void pool_begin_failed(struct pool *pool, uint32_t connection, enum outcome outcome,
                       const char *text);

/* What is said of it, for its record; *length_bytes 0 = nothing. Not NUL-terminated. */
const char *pool_text_of(const struct pool *pool, uint32_t connection, size_t *length_bytes);

/* Its time is up, for the reason `text` (static): a connection that is held is to end. A channel
 * carries CANCEL, and a process that does not end it within stop_timeout_ms, or has no channel, is
 * terminated, and after that time again killed; but not as long as it holds or is offered others,
 * whose time is not up. Once only. */
void pool_time_out(struct pool *pool, uint32_t connection, const char *text);

/* It is to end, with the outcome KILLED: at once where no process can have it yet, else as if its
 * time were up, and where that is not known, as soon as it is. Does nothing if it is ending. */
void pool_kill(struct pool *pool, uint32_t connection);

/* Just as the offer was to be sent, the client was found to have reset the connection, or the
 * listener of an activation to have been closed by the stop. */
void pool_abandoned(struct pool *pool, uint32_t connection);

/* An activation in whose place there is another: its process is told to drain, and may go on with
 * whom it serves for as long as it likes. Nothing if it is not held. */
void pool_dismiss(struct pool *pool, uint32_t connection);

/* It has ended, and its record is to be written later: it counts in no limit any more, and keeps
 * its slot alone. Once. */
void pool_vacate(struct pool *pool, uint32_t connection);
/* What the process of its own has cost, for a record that has waited for that. */
void pool_note_cost(struct pool *pool, uint32_t connection, const struct pool_exit *how);
/* Connections that count: of all that have a slot those that were not vacated. */
static inline uint32_t pool_live_count(const struct pool *pool) {
    return pool->connection_slots.in_use_count - pool->vacated_count;
}

/* The record is written: frees the slot. */
void pool_forget(struct pool *pool, uint32_t connection);

/* The slot of the connection that `number` (of a frame) names on this process's channel: offered
 * or held by it. SLOT_NONE if there is none. */
uint32_t pool_find_connection(const struct pool *pool, uint32_t process, uint32_t number);

/* Launches wait for what is short for all, or for the first one that tries. */
bool pool_is_starved(const struct pool *pool);

/* ---- Processes: what happened ---- */

/* Its launch is under way, and takes its time; or (not `has_begun`) it waits for others. Its
 * handshake is not late before. */
void pool_launching(struct pool *pool, uint32_t process, bool has_begun);
/* What it was launched for could not be put into its channel before (is_offered_early): it is
 * offered behind HELLO, as ever. Before pool_launched(). */
void pool_not_offered_early(struct pool *pool, uint32_t process);
/* Without a channel the process has thereby taken the connection it was launched for. */
void pool_launched(struct pool *pool, uint32_t process, uint32_t pid);
void pool_launch_failed(struct pool *pool, uint32_t process, enum pool_launch_fault fault);
void pool_offer_failed(struct pool *pool, uint32_t process);
/* The system is short of what it takes: the time for ACK begins when it is sent. */
void pool_offer_waits(struct pool *pool, uint32_t process);

/* Frames. `connection` is a slot from pool_find_connection(), `words` what the frame says of it.
 * Each returns false if the frame is a breach of the protocol in this state (then call
 * pool_breach()). */
bool pool_hello(struct pool *pool, uint32_t process, uint32_t pid, uint32_t capacity_count);
bool pool_ack(struct pool *pool, uint32_t process, uint32_t connection,
              const struct pool_words *words);
enum pool_decline { POOL_DECLINE_RETIRE, POOL_DECLINE_BUSY, POOL_DECLINE_REFUSE };
bool pool_nack(struct pool *pool, uint32_t process, uint32_t connection, enum pool_decline reason,
               const struct pool_words *words);
bool pool_done(struct pool *pool, uint32_t process, uint32_t connection,
               const struct pool_words *words);
bool pool_retire(struct pool *pool, uint32_t process);

/* The process sent what it must not. */
void pool_breach(struct pool *pool, uint32_t process);
/* The process has closed its end of the channel. */
void pool_channel_ended(struct pool *pool, uint32_t process);
/* The process has ended, but what it wrote before is yet to be read: it gets no more offers. */
void pool_exiting(struct pool *pool, uint32_t process);
/* The process has ended, and its activation has taken somebody or not; before pool_exited(). */
void pool_note_progress(struct pool *pool, uint32_t process, enum progress progress);
/* The process has ended. Everything it wrote before has been read and told. `words` (NULL = none)
 * are about the connection that it held, where it is known to hold one at most. */
void pool_exited(struct pool *pool, uint32_t process, struct pool_exit how,
                 const struct pool_words *words);
/* The platform's part is closed: frees the slot. */
void pool_reaped(struct pool *pool, uint32_t process);

/* ---- Processes that serve many ---- */

/* To be called at the end of a round in which nothing waits: decides at most one launch of a spare.
 * True if more are due. */
bool pool_refill(struct pool *pool);
/* True if the service that pool_refill() begins with has less than half of its spares. */
bool pool_is_low(const struct pool *pool);
/* The service's executable has changed: its processes without a client are drained, the others get
 * no more offers. */
void pool_renew_processes(struct pool *pool, uint32_t service);
/* The process has that much resident memory now, after a DONE. */
void pool_note_memory(struct pool *pool, uint32_t process, uint32_t resident_kib);

/* ---- The ordered stop ---- */

/* No more offers but to clients already accepted; every process is told to drain, and is ended
 * after its service's stop_timeout_ms. */
void pool_stop(struct pool *pool);
/* The same of one service, which is retired. */
void pool_stop_service(struct pool *pool, uint32_t service);
/* A second request: everything that still lives is ended at once. */
void pool_hurry(struct pool *pool);
/* True when no connection and no process is left. */
bool pool_is_empty(const struct pool *pool);

#endif
