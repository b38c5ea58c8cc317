/*
 * Control: what people of this machine ask (supervisor/CONTROL.md). Clients wait in control.c; what
 * their verbs do is in control_verbs.c, what they are told in control_status.c, and who follows the
 * log in control_events.c.
 *
 * All of it comes behind the services' events of a round, and a little in each: one piece of a
 * reply for a few clients. A verb that takes its time has its line made when something has
 * happened: it says that it waits, and run_control_wake() makes it go on.
 */
#ifndef BATON_RUN_CONTROL_H
#define BATON_RUN_CONTROL_H

#include "core/base/rate.h"
#include "core/base/slots.h"
#include "core/base/timers.h"
#include "core/control/control.h"
#include "core/pool/connection.h"
#include "platform/platform.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* Where they come: to command, or to look. */
enum run_control_kind { RUN_CONTROL_COMMANDS, RUN_CONTROL_STATUS, RUN_CONTROL_KINDS };

#define CONTROL_COMMANDS_MAX_COUNT 32u
#define CONTROL_STATUS_MAX_COUNT 16u
#define CONTROL_CLIENTS_MAX_COUNT (CONTROL_COMMANDS_MAX_COUNT + CONTROL_STATUS_MAX_COUNT)
/* One who is just coming, too. */
#define CONTROL_SLOTS_COUNT (CONTROL_CLIENTS_MAX_COUNT + 1u)
/* Timers of this part that may be set at once. */
#define CONTROL_TIMERS_COUNT (CONTROL_SLOTS_COUNT + RUN_CONTROL_KINDS)
/* What is put together at a time: there is always room for one more line when it is half full. */
#define CONTROL_BUFFER_BYTES (2u * RECORD_LINE_BYTES)

/* How a reply goes on. */
enum run_control_more {
    RUN_CONTROL_LINE,  /* a line was made */
    RUN_CONTROL_LATER, /* none now, but it has not ended: asked again in the next round */
    RUN_CONTROL_WAITS, /* the same, but not before run_control_wake() */
    RUN_CONTROL_END    /* all is said; the caller makes the last line */
};

/* Owner: struct run_control, by slot. Owns its connection. The buffer comes last, as its pages are
 * not touched before they are needed. */
struct run_control_client {
    struct platform_control_client peer;
    struct timer timer; /* until the request is there; while a reply is not taken */
    enum run_control_kind kind : 8;
    enum control_verb verb : 8;
    bool is_ready;    /* to be looked at */
    bool has_request; /* from the start where nothing can be asked */
    bool has_ended;   /* the last line is in the buffer */
    bool is_blocked;  /* a write has said AGAIN: what is in the buffer must stay where it is */
    bool follows;     /* the log */
    bool waits;       /* for something to be over */
    uint8_t part;     /* of what `status` says */
    uint64_t came_us;
    uint64_t served_in_round;
    /* Of what is told slot by slot: the next slot, and where a service has places, the next one of
     * these and the token of that service. */
    uint32_t cursor, place;
    uint64_t of_service;
    /* Of a reload, or a restart: which; of what is waited for: what was told of it last. */
    uint64_t reload_count, restart_count;
    uint32_t seen_connections_count, seen_processes_count;
    enum control_code code; /* of the end */
    const char *text;       /* static; NULL = the code's own */
    uint64_t lost_count;    /* lines that a follower has not had, and not been told of */
    size_t used_bytes, sent_bytes;
    char bytes[CONTROL_BUFFER_BYTES]; /* first the request */
};

struct run_control_endpoint {
    struct platform_control *handle; /* NULL = there is none */
    struct timer retry;              /* set while it is paused, since something is short */
    struct rate rate;                /* of those who are taken */
    uint32_t clients_count;
    char *path;  /* owned; NULL = there is none */
    bool is_due; /* somebody may have come */
};

/* What became of connections that have ended. */
struct run_control_counts {
    uint64_t served, refused, failed, other;
};

/* Owner: the supervisor. */
struct run_control {
    bool is_due; /* an endpoint or a client is */
    struct run_control_endpoint endpoints[RUN_CONTROL_KINDS];
    struct run_control_client *clients; /* by slot; NULL as long as there is no endpoint */
    struct slots slots;
    uint32_t turn; /* the slot behind the client that was served last */
    uint32_t followers_count;
    struct record *line; /* of a reply, or the event for followers; owned */
    uint32_t owner[2];   /* of the sockets, where they have another; as the platform wants it */
    struct rate refused; /* how often it is told that somebody may not come */
    uint64_t started_us;
    uint64_t outcomes_count[OUTCOMES_COUNT];
};

/* The client may go on. */
static inline void run_control_wake(struct run_control *control, uint32_t client) {
    control->clients[client].is_ready = true;
    control->is_due = true;
}

/* ---- control.c ---- */

/* There are clients, or may be some: makes the tables, unless they are there. False when out of
 * memory. */
bool run_control_make_tables(struct run_control *control);
/* Opens what `options` want; what cannot be opened is told, and gone without. Before the user is
 * changed. */
void run_control_open(struct supervisor *s, const struct supervisor_options *options);
/* The endpoint of a snapshot is taken over, and so is a client, whose slot is in use: all but its
 * stream is there. BATON_OK, or why not. */
int run_control_adopt(struct supervisor *s, enum run_control_kind kind, const char *path,
                      const struct platform_held *held);
int run_control_adopt_client(struct supervisor *s, uint32_t client,
                             const struct platform_held *held);
/* What `options` want in place of what was taken over: where that is another path. */
void run_control_change(struct supervisor *s, const struct supervisor_options *options);
/* The last lines are there: gives the clients what they take at once, and closes all. */
void run_control_finish(struct supervisor *s);
/* Frees. */
void run_control_clear(struct supervisor *s);

/* Somebody has come (the index of the token). */
void run_control_on_accept(struct supervisor *s, uint32_t index);
/* Its time is up; or it is time to accept again. */
void run_control_on_timer(struct supervisor *s, uint32_t client);
void run_control_on_retry(struct supervisor *s, uint32_t index);
/* Between two steps: lets those go on for whom something has changed. */
void run_control_look(struct supervisor *s);
/* Accepts a few; at the end of a round. */
void run_control_accept(struct supervisor *s);
/* Lets one client go on who has not in this round. False if there is none, or enough have. */
bool run_control_step(struct supervisor *s);
/* Closes those who have not asked anything: who is served lacks what they have. */
void run_control_give_up(struct supervisor *s);

/* ---- control_verbs.c ---- */

/* Carries out what is asked, and says how that went: CONTROL_OK, and the reply goes on with
 * run_control_next(); or a code, with *text and *hint where they are not its own. */
enum control_code run_control_begin(struct supervisor *s, uint32_t client,
                                    const struct control_request *request, const char **text,
                                    const char **hint);
/* Makes the next line of the client's reply in s->control.line. */
enum run_control_more run_control_next(struct supervisor *s, uint32_t client);
/* Whether what it waits for has changed. */
bool run_control_has_news(const struct supervisor *s, const struct run_control_client *client);

/* ---- control_change.c: what a reload has done, and services that are switched off and on ---- */

enum run_control_more run_control_next_change(struct supervisor *s, struct run_control_client *c);
enum run_control_more run_control_next_restart(struct supervisor *s, struct run_control_client *c);
enum run_control_more run_control_next_wait(struct supervisor *s, struct run_control_client *c);
/* Begins to wait for the end of a service (slot) that was switched off. */
void run_control_await_service(struct supervisor *s, struct run_control_client *c,
                               uint32_t service);

/* ---- control_status.c ---- */

/* Counts how a connection has ended. */
void run_control_count(struct supervisor *s, const struct connection *connection);
/* As run_control_next(). */
enum run_control_more run_control_next_status(struct supervisor *s, struct run_control_client *c);
enum run_control_more run_control_next_connection(struct supervisor *s,
                                                  struct run_control_client *c);

/* ---- control_events.c ---- */

void run_control_follow(struct supervisor *s, uint32_t client);
void run_control_follow_no_more(struct supervisor *s, struct run_control_client *c);
/* A line has gone into the log: it is in s->control.line, too. */
void run_control_tell(void *supervisor);
/* As run_control_next(): tells of lines that were lost. */
enum run_control_more run_control_next_lost(struct supervisor *s, struct run_control_client *c);

#endif
