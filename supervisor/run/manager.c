#include "core/base/text.h"
#include "run/internal.h"

/* Of the time after which it would give us up. */
#define WATCHDOG_PARTS 2u
/* Beyond what a stop may take by itself. */
#define STOP_GRACE_MS 10000u

static void tell_serving(struct supervisor *s) {
    char state[PLATFORM_MANAGER_STATE_BYTES];
    text_format(state, sizeof state, "READY=1\nSTATUS=%u services, %u listeners",
                (unsigned)run_roster_count(s), (unsigned)run_listen_open_count(s));
    platform_manager_tell(s->platform, state);
}

static void set_watchdog(struct supervisor *s) {
    uint64_t period_us = platform_manager_watchdog_us(s->platform);
    s->manager.watchdog.token = token_make(RUN_TOKEN_WATCHDOG, 0, 0);
    if (period_us > 0) {
        timers_after(&s->timers, &s->manager.watchdog, period_us / WATCHDOG_PARTS);
    }
}

void run_manager_on_start(struct supervisor *s) {
    char text[PLATFORM_PASSED_TEXT_BYTES];
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
    platform_manager_tell(s->platform, state);
}

void run_manager_on_reloaded(struct supervisor *s) {
    tell_serving(s);
}

void run_manager_on_stop(struct supervisor *s, uint64_t most_ms) {
    char state[PLATFORM_MANAGER_STATE_BYTES];
    text_format(state, sizeof state,
                "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lu\nSTATUS=%u connections, %u processes to end",
                (unsigned long)(most_ms + STOP_GRACE_MS) * 1000u,
                (unsigned)pool_live_count(&s->pool), (unsigned)s->pool.process_slots.in_use_count);
    platform_manager_tell(s->platform, state);
}

void run_manager_on_watchdog(struct supervisor *s) {
    platform_manager_tell(s->platform, "WATCHDOG=1");
    set_watchdog(s);
}
