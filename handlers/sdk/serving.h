/*
 * What baton.c and a server that forks share: one Baton, and the steps of its conversation. Private
 * to the SDK.
 */
#ifndef BATON_SDK_SERVING_H
#define BATON_SDK_SERVING_H

#include "baton.h"
#include "body.h"
#include "held.h"
#include "wire.h"

typedef int serve_function(struct baton_connection *connection);

struct baton {
    struct baton_options options; /* name is not kept */
    struct body_channel channel;
    struct body_sources sources;
    _Atomic uint32_t live_count; /* what the sources gave out and is not finished */
    struct held held;
    bool has_channel; /* we were started with one, even if it has ended since */
    bool draining;    /* DRAIN was read */
    bool ended;       /* there is nothing more to read, for another reason */
    bool has_limits;
    struct baton_limits limits;
    bool broken; /* an offer's socket could not be built, for this reason: */
    uint32_t system_error;
    /* Of a server that forks. */
    bool forks;       /* who calls serving_step() answers offers itself, and is told of SIGTERM */
    bool was_stopped; /* SIGTERM came */
    bool is_held_up;  /* nobody is let in for now */
    uint32_t wait_ms; /* how long a step may wait at most; UINT32_MAX = no limit */
    uint8_t frame[BODY_FRAME_MAX_BYTES];
};

/* Waits once, for whatever it may be. Returns 1 with a connection, 0 to go on, or a fault (see
 * serving_fail()). */
int serving_step(struct baton *baton, struct baton_connection *connection);

/* Whether serving_step() has nothing more to tell. */
bool serving_is_over(const struct baton *baton);

/* Ends the channel after a fault, so that the supervisor sees it. */
void serving_fail(struct baton *baton);

/* Says it on the channel. Returns 0, BATON_E_CLOSED, BATON_E_SYSTEM, or BATON_E_ARGUMENT: it cannot
 * be said so. */
int serving_say(struct baton *baton, const struct wire_message *message);

/* Says DONE, without its text if that is no text. Returns 0 or the fault. */
int serving_say_done(struct baton *baton, struct wire_message *done);

/* Prints a line to standard error about a fault; returns 1, for main(). (serve.c) */
int serving_complain(const char *what, int fault);

/* Serves one connection in this process, and finishes it. Returns what the process should say of it
 * at its end. (serve.c) */
int serving_serve(struct baton *baton, struct baton_connection *connection,
                  serve_function *function);

#endif
