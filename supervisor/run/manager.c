#include "core/base/text.h"
#include "run/internal.h"

#include <string.h>

/* Of the time after which it would give us up. */
#define WATCHDOG_PARTS 2u
#define WATCHDOG_LEAST_US 1000u /* who wants to hear of it more often keeps it from all else */
#define RETRY_US 20000u
/* Beyond what a stop may take by itself. */
#define STOP_GRACE_MS 10000u

/* What it does not take now is told again. */
static void retry(struct supervisor *s) {
    s->manager.retry.token = token_make(RUN_TOKEN_MANAGER, 0, 0);
    if (!timer_is_set(&s->manager.retry)) {
        timers_after(&s->timers, &s->manager.retry, RETRY_US);
    }
}

/* The last of these is what holds. */
static void tell(struct supervisor *s, const char *state) {
    s->manager.untold[0] = '\0';
    if (!platform_manager_tell(s->platform, state)) {
        text_format(s->manager.untold, sizeof s->manager.untold, "%s", state);
        retry(s);
    }
}

/* One that was opened since, too. */
static void keep_listeners(struct supervisor *s) {
    SLOTS_EACH(i, &s->listening.slots) {
        struct platform_listener *handle = s->listening.listeners[i].handle;
        if (handle != NULL && !platform_manager_keep(handle)) {
            retry(s);
            return;
        }
    }
}

static void tell_serving(struct supervisor *s) {
    char state[PLATFORM_MANAGER_STATE_BYTES];
    text_format(state, sizeof state, "READY=1\nSTATUS=%u services, %u listeners",
                (unsigned)run_roster_count(s), (unsigned)run_listen_open_count(s));
    tell(s, state);
    keep_listeners(s);
}

static void set_watchdog(struct supervisor *s) {
    uint64_t period_us = platform_manager_watchdog_us(s->platform);
    s->manager.watchdog.token = token_make(RUN_TOKEN_WATCHDOG, 0, 0);
    if (period_us > 0) {
        uint64_t after_us = period_us / WATCHDOG_PARTS;
        timers_after(&s->timers, &s->manager.watchdog,
                     after_us > WATCHDOG_LEAST_US ? after_us : WATCHDOG_LEAST_US);
    }
}

void run_manager_on_retry(struct supervisor *s) {
    if (s->manager.untold[0] != '\0') {
        char state[PLATFORM_MANAGER_STATE_BYTES];
        memcpy(state, s->manager.untold, sizeof state);
        tell(s, state);
    }
    keep_listeners(s);
}

void run_manager_update(struct supervisor *s) {
    if (s->listening.has_opened && s->manager.is_serving) {
        s->listening.has_opened = false;
        keep_listeners(s);
    }
}

void run_manager_on_start(struct supervisor *s) {
    char text[PLATFORM_PASSED_TEXT_BYTES];
    s->manager.is_serving = true;
    for (size_t i = 0; platform_manager_unused(s->platform, i, text); i++) {
        run_tell(s, LOG_LEVEL_WARNING, "socket_unused", SLOT_NONE, "socket=%s hint=%s", text,
                 "the service manager has passed it, and no service listens at that address, nor "
                 "has its name");
    }
    tell_serving(s);
    set_watchdog(s);
}

/* With the time, so that it knows which READY comes behind this (sd_notify(3)). */
void run_manager_on_reload(struct supervisor *s) {
    char state[PLATFORM_MANAGER_STATE_BYTES];
    text_format(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lu\nSTATUS=reading the config",
                (unsigned long)platform_now_us(s->platform));
    tell(s, state);
}

void run_manager_on_reloaded(struct supervisor *s) {
    tell_serving(s);
}

void run_manager_on_stop(struct supervisor *s, uint64_t most_ms) {
    char state[PLATFORM_MANAGER_STATE_BYTES];
    text_format(
        state, sizeof state,
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lu000\nSTATUS=%u connections, %u processes to end",
        (unsigned long)(most_ms + STOP_GRACE_MS), (unsigned)pool_live_count(&s->pool),
        (unsigned)s->pool.process_slots.in_use_count);
    tell(s, state);
}

void run_manager_on_watchdog(struct supervisor *s) {
    (void)platform_manager_tell(s->platform, "WATCHDOG=1");
    set_watchdog(s);
}
