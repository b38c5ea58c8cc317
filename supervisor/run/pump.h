/* Pump: what is moved between a client and its program's standard streams. core/pool/relay.h
 * decides; here the bytes are read and written. */
#ifndef BATON_RUN_PUMP_H
#define BATON_RUN_PUMP_H

#include "core/base/slots.h"
#include "core/base/timers.h"
#include "core/pool/pool.h"
#include "core/pool/relay.h"
#include "platform/platform.h"

#include <stdbool.h>
#include <stdint.h>

/* Pumps are large, and most configs have none, so room for them is made in chunks at first use. */
#define PUMPS_IN_A_CHUNK 4u
#define PUMP_CHUNKS_COUNT (POOL_CONNECTIONS_MAX_COUNT / PUMPS_IN_A_CHUNK)

struct supervisor;

/* A pump at work: from before its launch until its process has ended and all is flushed. */
struct run_pump {
    struct platform_socket socket; /* owned */
    struct platform_stream *client, *input, *output;
    uint32_t process; /* slot */
    unsigned waiting; /* what has to wait for an event; private to pump.c */
    bool client_lost; /* it has reset the connection; what it sent before is still read */
    bool left;        /* the process has ended, and may have left its pipes to children */
    bool kept;        /* it has, and they have them */
    bool exited;      /* nobody has them any more; the pool is told when all is flushed */
    bool is_ready;    /* is in the list of those that stopped before they had to wait */
    uint32_t next_ready;
    struct timer timer;  /* once exited: how long the client may take; before: `watches_idle` */
    bool watches_idle;   /* the timer is that of idle_timeout_ms, or is not set */
    bool asked_again;    /* that has passed, and once more is looked for what moved meanwhile */
    bool lingers;        /* everything is flushed: it waits for the client to finish */
    uint64_t moved_us;   /* when something moved last */
    uint64_t sent_bytes; /* to the client, when the timer was set */
    struct relay relay;  /* last, being large */
};

/* A pump that is over: its process has ended, all is with the client or given up, and the pump is
 * gone. Then the pool is to be told of the process's end, with these words for the record. */
struct run_pump_end {
    uint32_t process;
    struct pool_words words;
};

/* Owner: the supervisor. */
struct run_pumps {
    struct slots slots;
    struct run_pump *
        *chunks;           /* PUMP_CHUNKS_COUNT of PUMPS_IN_A_CHUNK, made when needed; NULL = not */
    uint32_t *uses_counts; /* of each chunk; owned */
    uint32_t chunk_count;  /* that there are */
    bool may_trim;         /* some may be empty */
    uint32_t ready;        /* first of those to go on with; SLOT_NONE */
    struct run_pump_end end; /* of the one that was over last */
};

/* BATON_OK or BATON_NO_MEMORY. */
int run_pump_create(struct supervisor *s);
void run_pump_clear(struct supervisor *s);

/* There is a service that pumps: makes the first chunk, so that a machine with too little memory is
 * told at the start and not by its first client. BATON_OK or BATON_NO_MEMORY. */
int run_pump_prepare(struct supervisor *s);

/* The pump in a slot whose chunk has been made. */
struct run_pump *run_pump_at(struct supervisor *s, uint32_t pump);
/* For a slot that was in use in a snapshot: makes room for the pump, and returns it; NULL when out
 * of memory. */
struct run_pump *run_pump_restore(struct supervisor *s, uint32_t pump);
/* Behind a pause in which none went on: all do. */
void run_pump_resume_all(struct supervisor *s);

/* Starts the pump of a process that is about to be launched for the connection, and takes over its
 * socket. BATON_OK, BATON_SHORTAGE, BATON_SYSTEM. */
int run_pump_begin(struct supervisor *s, uint32_t process, uint32_t connection,
                   struct baton_cause *cause);
/* The launch succeeded, or did not: then the socket is given back. */
void run_pump_launched(struct supervisor *s, uint32_t process,
                       const struct platform_launched *launched);
void run_pump_undo(struct supervisor *s, uint32_t process, uint32_t connection);

/* Each returns NULL while the pump goes on; else its end, valid until the next call. */
const struct run_pump_end *run_pump_on_stream(struct supervisor *s, uint32_t pump);
/* The process has ended: what it wrote is still on its way. */
const struct run_pump_end *run_pump_on_exit(struct supervisor *s, uint32_t process);
const struct run_pump_end *run_pump_on_timer(struct supervisor *s, uint32_t pump);
/* The process is to be ended. If it has ended already, what is not flushed yet is given up. */
const struct run_pump_end *run_pump_give_up(struct supervisor *s, uint32_t process);

/* Takes the list of the pumps that have more to do; then each is to go on, before the list is taken
 * again. The first, or SLOT_NONE, and the one behind `pump`, to be asked before that goes on. */
uint32_t run_pump_take_ready(struct supervisor *s);
uint32_t run_pump_next_ready(struct supervisor *s, uint32_t pump);
const struct run_pump_end *run_pump_go_on(struct supervisor *s, uint32_t pump);

/* Closes all that is left of the process's pump, if there is one. */
void run_pump_close(struct supervisor *s, uint32_t process);

#endif
