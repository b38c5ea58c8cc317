/* Launch: service -> handler process and channel. */
#ifndef BATON_RUN_LAUNCH_H
#define BATON_RUN_LAUNCH_H

#include "core/base/rate.h"
#include "core/base/shortage.h"
#include "platform/platform.h"
#include "run/control.h"
#include "run/refuse.h"
#include "run/waits.h"
#include "wire.h"

#include <stdbool.h>
#include <stdint.h>

struct run_sink;
struct supervisor;

/* What a service needs to launch handlers. */
struct run_service {
    const struct service *rules;           /* of the service: not owned */
    const struct service_machine *machine; /* not owned */
    struct platform_program *program;
    struct platform_output *output;
    struct run_sink *sink;              /* its own log; not owned; NULL = it has none */
    uint32_t *listeners;                /* slots of its listen_count ones, by place; owned */
    struct platform_listener **handles; /* room for them, where they are handed over at launch */
    struct waiting_set *waiting; /* at each of these when they were handed over last; owned */
    bool identifies;             /* who they are, too */
    bool is_ready;               /* all of this is there */
    int result;                  /* why it is not, and its cause */
    struct baton_cause cause;
    struct shortage starting; /* lasts until the next try */
    struct timer workers;     /* set while it is to launch some, or to have some replaced */
    uint64_t full_told_us;    /* when it was told that it is full; 0 = never */
    uint32_t full_count;      /* how often it has been since */
    const char *lacked;       /* why it was paused last; static */
    uint32_t last_place;      /* who came last came here */
    struct rate output_rate;
    uint64_t output_suppressed_count; /* lines, since it was told last */
    struct run_refused refused;
    struct run_control_counts counts;
    struct platform_file_watch *file; /* the handler's; NULL = it is not watched */
    struct shortage renewing;         /* lasts while no change of it is followed, as one was */
    uint64_t calm_us;                 /* a change from then on is none of a row */
    bool has_changed;                 /* what is to be followed then */
    struct shortage limit; /* of its own: when it was logged (the pool says how long it lasts) */
    /* Processes whose launch waits for a launcher, in their order; not SLOT_NONE: it is in the list
     * of such services. */
    uint32_t first_queued, last_queued;
    uint32_t next_waiting; /* in that list */
};

/* The shell's side of a process slot of the pool. */
struct run_process {
    struct platform_process *handle;
    uint64_t output_id;   /* of its connection, where it has but one: what is said of its output */
    uint64_t begun_us;    /* when its launch has begun */
    uint64_t measured_us; /* when its memory was looked at last; 0 = never */
    uint8_t nonce[WIRE_NONCE_BYTES];
    bool offer_unsent; /* repeat when the channel is writable, or by the timer of offering */
    bool drain_unsent;
    bool cancel_unsent; /* of one of those that it holds, or more */
    bool is_ending;     /* its end was told, and what it has left is being read */
    bool exit_was_told; /* to the pool: all of that has been read */
    bool is_launching;  /* a launcher has it */
    uint8_t lost_count; /* launchers that had it and have not begun */
    bool is_queued;     /* its launch waits for one */
    bool is_cancelled;  /* and is not wanted any more */
    uint32_t next_queued;
    uint32_t pump;       /* slot of its pump; SLOT_NONE */
    uint32_t unrecorded; /* RUN_WAIT_RECORD: its connection, which is over */
    struct run_waiting waiting[RUN_WAITS_COUNT];
};

/* Owner: the supervisor. */
struct run_launching {
    struct run_service *services;  /* by service slot */
    struct run_process *processes; /* by process slot */
    uint32_t ending_count;         /* of them that are ending */
    uint32_t launchers_count;      /* for the log */
    uint32_t busy_rounds_count;    /* in a row, of those with clients, while spares are due */
    uint32_t clients_count;        /* there were, behind the last round with new ones */
    bool refills;                  /* spares are due */
    struct timer refill;           /* while it is set, they wait behind clients */
    bool refill_is_due;            /* they have waited long enough */
    struct run_waits waits[RUN_WAITS_COUNT];
    bool has_cancelled;                   /* some that are queued are to be told of */
    uint32_t first_waiting, last_waiting; /* services */
};

/* BATON_OK or BATON_NO_MEMORY. */
int run_launch_create(struct supervisor *s);
/* Frees all, of every service. */
void run_launch_clear(struct supervisor *s);

/* Prepares all that launches of the service (slot) need, its listeners included: in these slots,
 * by place, where there are some already; NULL = there are not. BATON_OK, or why not: then nothing
 * of it is left, but for what was there already. */
int run_launch_prepare(struct supervisor *s, uint32_t service, const uint32_t *slots,
                       struct baton_cause *cause);
/* Makes the programs of all that are ready anew. BATON_OK, or why one cannot be made. */
int run_launch_renew_all(struct supervisor *s, struct baton_cause *cause);
/* The service is over: frees what was prepared for it. */
void run_launch_forget(struct supervisor *s, uint32_t service);

/* Launches (POOL_LAUNCH), and tells the pool what came of it; later, where a launcher does it. */
void run_launch_process(struct supervisor *s, uint32_t process);
/* A launcher has (LAUNCHED). */
void run_launch_on_launched(struct supervisor *s, uint32_t process);
/* Launches what waits for launchers, as far as there are any; in turn of the services. */
void run_launch_go_on(struct supervisor *s);
/* True if its launch has not begun; then it will not, and the pool is told soon. */
bool run_launch_cancel(struct supervisor *s, uint32_t process);
/* The process is closed: it waits no more. */
void run_launch_forget_process(struct supervisor *s, uint32_t process);

/* A client waits because too many handlers of its service are still ending. */
void run_launch_tell_crowded(struct supervisor *s, uint32_t service);

#endif
