/* Listening: the listeners of all services, opened, retried and closed (listen.c), and what comes
 * in at them (accept.c). When they pause is pause.h's. */
#ifndef BATON_RUN_LISTEN_H
#define BATON_RUN_LISTEN_H

#include "core/base/address.h"
#include "core/base/shortage.h"
#include "core/base/slots.h"
#include "core/pool/progress.h"
#include "core/service/service.h"
#include "platform/platform.h"

#include <stdbool.h>
#include <stdint.h>

/* Those of a table, and as many of tables before it. */
#define LISTENERS_MAX_COUNT (2u * SERVICE_TABLE_LISTEN_MAX_COUNT)
/* Timers of this part that may be set at once. */
#define LISTENING_TIMERS_MAX_COUNT (2u * LISTENERS_MAX_COUNT + 2u)

struct supervisor;

/* A listener of a service. Owner: struct run_listening. Not open while a bind is retried. */
struct run_listener {
    struct platform_listener *handle; /* NULL = not open */
    struct address address;           /* asked for; the bound one once open */
    uint32_t service;
    const struct service *rules; /* of the service: not owned */
    uint32_t place;              /* index of the service's listen entry */
    bool paused;
    bool fault_told; /* the log says that it cannot accept */
    bool lent;       /* to a handler, with an activation: not watched before that has ended */
    uint64_t told_in_round; /* of the loop: when somebody waited here last */
    uint32_t streak_count;  /* rounds before that one in a row, without a look in vain */
    uint32_t takes_count;   /* how many more are taken in that round */
    /* Of a service with workers (workers.h): activations that have it, but for those that were told
     * to drain, and those of them that are to be replaced, whose ids are up to this one; and
     * whether one that was to take the place of such has ended before it was known to be of use. */
    uint32_t workers_count, outdated_count;
    uint64_t outdated_id;
    bool is_doubted;
    bool crowded_told; /* the log says that there are too many of before; since they are replaced */
    int result;        /* of the last try to open it, and its cause */
    struct baton_cause cause;
    struct shortage opening;   /* lasts until the next try to open it */
    struct shortage accepting; /* lasts while it alone is not asked, after a fault of its own */
};

/* Owner: the supervisor. */
struct run_listening {
    struct slots slots;
    struct run_listener *listeners; /* by slot */
    struct shortage shortage; /* of descriptors or memory: nothing is accepted while it lasts */
    bool has_opened;          /* the service manager does not have a copy of each yet */
    uint64_t short_in_step;   /* of the loop: when it was met last */
    uint32_t turn;            /* the slot behind the listener that took somebody last */
    struct timer quiet;       /* set while it is over, until the log may say so */
    bool blocked;             /* listeners are paused for a reason that is not their own */
    bool ready_logged;
    uint64_t looked_us; /* when it was looked for who has a place that is in use, last */
};

/* BATON_OK or BATON_NO_MEMORY. */
int run_listen_create(struct supervisor *s);
void run_listen_clear(struct supervisor *s);

/* Makes the listeners of a service, not open yet, and writes their slots to `slots`, listen_count
 * of them by place. BATON_OK, or BATON_SHORTAGE when the table is full. */
int run_listen_add(struct supervisor *s, uint32_t service, uint32_t *slots);

/* Closes `count` listeners that run_listen_add() has made, and forgets them. */
void run_listen_remove(struct supervisor *s, const uint32_t *slots, size_t count);

/* Opens every listener that is not open; failures are logged and, unless all have failed, retried
 * by timer. Returns the number of open ones. */
uint32_t run_listen_open_all(struct supervisor *s);

/* The listener (slot) of a snapshot, whose service is there: takes it over as it was held.
 * BATON_OK, or why not. */
int run_listen_adopt(struct supervisor *s, uint32_t listener, const struct platform_held *held);

/* Logs that all is open that is to be, once. */
void run_listen_tell_ready(struct supervisor *s);

/* The same for the listeners, not open yet, of one service that has been added since. */
void run_listen_open_service(struct supervisor *s, uint32_t service);

/* The open listener that `from` has at one of its places goes over to `to`, which is to be at the
 * same, with those who wait there; it stays lent. Or, where the system takes another socket for
 * that, it is closed. */
void run_listen_move(struct supervisor *s, uint32_t from, uint32_t from_place, uint32_t to,
                     uint32_t to_place);
/* Tries to open what is not open, and says nothing of what cannot be: it is tried once more when
 * others are closed. */
void run_listen_open_first(struct supervisor *s, uint32_t service);
/* Closes all of a service that is retired. */
void run_listen_close_service(struct supervisor *s, uint32_t service);

/* It is time to try again to open a listener (slot). */
void run_listen_try_again(struct supervisor *s, uint32_t listener);

/* Places may have become free: what could not be opened is tried at once. */
void run_listen_relieve(struct supervisor *s);
/* A handler has left it so that it is of no use any more: opens it anew, now or by timer. */
void run_listen_renew(struct supervisor *s, struct run_listener *listener);

/* How many are open. */
uint32_t run_listen_open_count(const struct supervisor *s);

/* The listener where a service's `place` is; `place` below its listen_count. */
struct run_listener *run_listen_at(struct supervisor *s, uint32_t service, uint32_t place);

/* False while a service that is given all its listeners at a launch has one that is not open. (An
 * OFFER has one listener alone.) */
bool run_listen_is_complete(struct supervisor *s, uint32_t service);

void run_listen_close_all(struct supervisor *s);

/* Takes one client, or launches for one who waits at a listener that is handed over. True if there
 * may be more. */
bool run_accept_next(struct supervisor *s, uint32_t listener);

/* Takes a client who waits at a listener that is about to be closed. False if there is none, or no
 * room for one. */
bool run_accept_another(struct supervisor *s, struct run_listener *listener);

/* A service has taken listeners over: where one is lent to a handler of before, which is told to
 * go, another is launched at once, as if somebody waited. */
void run_accept_succeed(struct supervisor *s, uint32_t service);

/* Listeners that are inherited: notes who waits there, just before a launch; and judges whether the
 * process that has ended took anybody. */
void run_accept_note_waiting(struct supervisor *s, uint32_t service);
enum progress run_accept_judge(struct supervisor *s, uint32_t service);

/* An activation at a service's `place` has ended: what was lent for it can be watched again. */
void run_accept_give_back(struct supervisor *s, uint32_t service, uint32_t place);

/* Asks the system for the address that the client has connected to, unless it is known. */
void run_accept_name_local(struct supervisor *s, uint32_t connection);

#endif
