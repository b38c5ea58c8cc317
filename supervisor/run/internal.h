/*
 * The sum of the shell: struct supervisor. Each part has a header of its own, which says what the
 * part keeps and what it does; a file includes this one to reach the others through their calls.
 *
 * Data flows one way: loop.c takes events and timers, and tells the part that they are for; the
 * part tells the pool and returns; loop.c carries out what the pool has decided before it goes on.
 */
#ifndef BATON_RUN_INTERNAL_H
#define BATON_RUN_INTERNAL_H

#include "core/base/timers.h"
#include "core/base/token.h"
#include "core/pool/pool.h"
#include "core/service/services.h"
#include "core/tell/filling.h"
#include "platform/platform.h"
#include "run/breach.h"
#include "run/change.h"
#include "run/control.h"
#include "run/drain.h"
#include "run/handoff.h"
#include "run/launch.h"
#include "run/listen.h"
#include "run/living.h"
#include "run/log.h"
#include "run/manager.h"
#include "run/options.h"
#include "run/output.h"
#include "run/pause.h"
#include "run/preface.h"
#include "run/pump.h"
#include "run/reap.h"
#include "run/refuse.h"
#include "run/reload.h"
#include "run/restart.h"
#include "run/roster.h"
#include "run/start.h"
#include "run/supervisor.h"
#include "run/tell.h"
#include "run/waits.h"
#include "run/workers.h"

/* Types of the shell's own tokens, beside those of the pool (core/base/token.h). */
enum run_token {
    RUN_TOKEN_LISTENER = POOL_TOKEN_END, /* events */
    RUN_TOKEN_OUTPUT,
    RUN_TOKEN_FILE, /* a service's handler */
    RUN_TOKEN_PREFACE,
    RUN_TOKEN_PUMP,           /* events and a timer */
    RUN_TOKEN_REOPEN,         /* timers: a listener's next try to open */
    RUN_TOKEN_ACCEPT,         /* a listener may accept again */
    RUN_TOKEN_RELIEF,         /* all listeners may */
    RUN_TOKEN_QUIET,          /* nothing has been short for a while */
    RUN_TOKEN_START,          /* a service that could not start is tried again */
    RUN_TOKEN_WORKERS,        /* a service lacks workers, or some are to go */
    RUN_TOKEN_SUPPRESSED,     /* what is left out of handlers' output is told */
    RUN_TOKEN_REFUSAL,        /* events and a timer */
    RUN_TOKEN_REFUSED,        /* what is left out of refusals is told */
    RUN_TOKEN_WAITS,          /* processes of which something is due */
    RUN_TOKEN_RENEWING,       /* changes of a service's handler are followed again */
    RUN_TOKEN_OFFERS,         /* offers that found a shortage are sent again */
    RUN_TOKEN_REFILL,         /* clients have come a while ago: spares may be launched */
    RUN_TOKEN_CONTROL,        /* events and a timer: an endpoint */
    RUN_TOKEN_CONTROL_CLIENT, /* events and a timer */
    RUN_TOKEN_MANAGER,        /* the service manager may take what it did not */
    RUN_TOKEN_WATCHDOG,       /* the service manager is to hear of us */
    RUN_TOKEN_RELOAD,         /* an event: the config was read */
    RUN_TOKEN_RESTART,        /* an event and a timer: it was rehearsed; it takes too long */
    RUN_TOKEN_END
};
_Static_assert(RUN_TOKEN_END <= (int)TOKEN_TYPE_COUNT, "a token has room for its type");

/* What most files use stands first, and what is large last: an offset below 128 takes three bytes
 * less of each instruction that has it. */
struct supervisor {
    struct platform *platform;
    struct platform_socket *sockets; /* by connection slot; valid while the supervisor has a copy */
    struct run_launching launching;
    struct services services;
    struct timers timers; /* all deadlines, and the time of the current step of the loop */
    struct pool pool;
    struct run_listening listening;
    struct run_offering offering;
    struct run_prefaces prefaces;
    struct run_refusals refusals;
    struct run_pumps pumps;
    const struct service_machine *machine;  /* not owned */
    const struct supervisor_source *source; /* not owned; NULL = nothing is read anew */
    uint64_t log_deadline_us;   /* how long the end may wait for the log; 0 = not known yet */
    uint64_t steps_count;       /* of the loop, the current one included */
    uint64_t rounds_count;      /* likewise */
    uint32_t full_rounds_count; /* in a row, that had as many events as there is room for */
    bool stopping;
    bool hurrying; /* the stop was asked for again */
    struct filling filling;
    char reason[TELL_REASON_BYTES]; /* run_tell_words() */
    struct run_log log;
    struct run_outputs outputs;
    struct run_control control;
    struct run_options options;
    struct run_manager manager;
    struct run_reload reload;
    struct run_restart restart;
    struct run_roster roster;
};

#endif
