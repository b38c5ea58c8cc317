/* Manager: what the service manager is told of us, if one has started us (systemd). */
#ifndef BATON_RUN_MANAGER_H
#define BATON_RUN_MANAGER_H

#include "core/base/timers.h"
#include "platform/platform.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* Owner: the supervisor. */
struct run_manager {
    struct timer watchdog; /* set while it wants to hear of us again and again */
    struct timer retry;    /* set while it has not taken all */
    bool is_serving;       /* it was told so */
    char untold[PLATFORM_MANAGER_STATE_BYTES]; /* what it has not taken; "" = nothing */
};

/* All is served that can be: it is told so, and from then on, as often as it wants, that the loop
 * goes round. Sockets that it has passed, and nobody listens at, are told in the log. */
void run_manager_on_start(struct supervisor *s);
/* The config is about to be read anew; and was. */
void run_manager_on_reload(struct supervisor *s);
void run_manager_on_reloaded(struct supervisor *s);
/* A stop has begun, and may take `most_ms`. */
void run_manager_on_stop(struct supervisor *s, uint64_t most_ms);
/* At the end of each round: listeners may have been opened in it. */
void run_manager_update(struct supervisor *s);
/* It may take what it did not. */
void run_manager_on_retry(struct supervisor *s);
/* It is time to say that we live. */
void run_manager_on_watchdog(struct supervisor *s);

#endif
