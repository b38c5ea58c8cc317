#include "core/base/text.h"
#include "run/internal.h"
#include "run/snapshot.h"

#include <stdlib.h>
#include <string.h>

/* How long launches, and what is done beside the loop, may take to end, with rests: all clients
 * wait while it is held, and what hangs is one service's. */
#define PATIENCE_US 5000000u
#define HOLD_US 1000000u
#define REST_US 1000000u

/* ---- Failing ---- */

static void free_rehearsal(struct run_restart *restart) {
    if (restart->rehearsal != NULL) {
        free(restart->rehearsal->extra);
        free(restart->rehearsal->problems);
        free(restart->rehearsal);
        restart->rehearsal = NULL;
    }
}

static void tell_problems(struct supervisor *s) {
    char line[RELOAD_PROBLEM_BYTES];
    size_t at = 0, length;
    while ((length = run_reload_problem(s->restart.problems, at, line, sizeof line)) > 0) {
        run_tell(s, LOG_LEVEL_ERROR, "restart_problem", SLOT_NONE, "text=%s", line);
        at += length;
    }
}

static void fail(struct supervisor *s, const char *reason) {
    struct run_restart *restart = &s->restart;
    text_format(restart->reason, sizeof restart->reason, "%s", reason);
    if (!restart->is_rehearsing) { /* else the thread has it */
        free_rehearsal(restart);
    }
    restart->done_count = restart->asked_count;
    tell_problems(s);
    run_tell(s, LOG_LEVEL_ERROR, "restart_failed", SLOT_NONE, "reason=%s hint=%s", restart->reason,
             "this batond goes on as before");
    s->control.is_due = true; /* who waits for it is to hear of that without another event */
    if (!s->stopping) {
        run_manager_on_reloaded(s);
        run_reload_go_on(s);
    }
}

/* Everything that waited goes on, until the time of `patience`; 0 = for good. */
static void let_go(struct supervisor *s, uint64_t rest_us) {
    struct run_restart *restart = &s->restart;
    restart->is_holding = false;
    timers_unset(&s->timers, &restart->patience);
    if (rest_us > 0) {
        timers_after(&s->timers, &restart->patience, rest_us);
    }
    run_pause_update(s);
    run_launch_go_on(s);
    run_pump_resume_all(s);
}

/* ---- Rehearsing ---- */

static void rehearse(void *context) {
    struct run_rehearsal *rehearsal = context;
    const struct supervisor_source *source = rehearsal->source;
    rehearsal->result = source->rehearse(source->context, rehearsal->layout, &rehearsal->extra,
                                         &rehearsal->extra_bytes, &rehearsal->problems);
}

const char *run_restart_refusal(const struct supervisor *s) {
    bool can = platform_restarts && s->source != NULL && s->source->rehearse != NULL;
    bool is_input = s->machine != NULL && s->machine->config_is_input;
    return s->stopping ? "batond is being stopped"
           : !can      ? "this batond cannot be restarted in place"
           : is_input  ? "the config was read from standard input"
                       : NULL;
}

/* One thing at a time is done beside the loop: a reload that is under way comes first. */
static void begin(struct supervisor *s) {
    struct run_restart *restart = &s->restart;
    struct baton_cause cause = {0};
    int result = BATON_NO_MEMORY;
    restart->rehearsal = calloc(1, sizeof *restart->rehearsal);
    if (restart->rehearsal != NULL) {
        restart->rehearsal->source = s->source;
        text_format(restart->rehearsal->layout, sizeof restart->rehearsal->layout, "%lx",
                    (unsigned long)run_snapshot_layout());
        result = platform_work_start(s->platform, rehearse, restart->rehearsal,
                                     token_make(RUN_TOKEN_RESTART, 0, 0), &cause);
    }
    restart->is_rehearsing = result == BATON_OK;
    if (result != BATON_OK) {
        fail(s, run_tell_words(s, result, &cause));
    }
}

int run_restart_ask(struct supervisor *s, const char *by) {
    struct run_restart *restart = &s->restart;
    const char *refusal = run_restart_refusal(s);
    if (refusal != NULL) {
        run_tell(s, LOG_LEVEL_WARNING, "restart_refused", SLOT_NONE, "by=%s reason=%s", by,
                 refusal);
        return BATON_UNSUPPORTED;
    }
    if (restart->done_count == restart->asked_count) {
        restart->asked_count++;
        restart->reason[0] = '\0';
        free(restart->problems);
        restart->problems = NULL;
        run_tell(s, LOG_LEVEL_INFO, "restarting", SLOT_NONE, "by=%s pid=%u", by,
                 platform_own_pid());
        run_manager_on_reload(s);
    }
    return BATON_OK;
}

void run_restart_on_rehearsed(struct supervisor *s) {
    struct run_restart *restart = &s->restart;
    struct run_rehearsal *rehearsal = restart->rehearsal;
    restart->is_rehearsing = false;
    if (s->stopping) {
        return; /* it was told that it has failed, or is in this round */
    }
    restart->problems = rehearsal->problems;
    rehearsal->problems = NULL;
    if (rehearsal->result != BATON_OK) {
        fail(s, rehearsal->result == BATON_INVALID ? "the config has faults"
                : rehearsal->result == BATON_SYSTEM
                    ? "the program that is there now cannot take over"
                    : baton_error_text(rehearsal->result));
    } else {
        restart->give_up_us = s->timers.now_us + PATIENCE_US;
        restart->patience.token = token_make(RUN_TOKEN_RESTART, 0, 0);
        run_restart_on_timer(s);
    }
}

/* ---- Until nothing is half done ---- */

/* A process that is on its way to somewhere; SLOT_NONE. */
static uint32_t find_moving(const struct supervisor *s) {
    SLOTS_EACH(process, &s->pool.process_slots) {
        const struct run_process *r = &s->launching.processes[process];
        if (r->is_launching || r->is_ending) {
            return process;
        }
    }
    return SLOT_NONE;
}

static bool is_quiet(const struct supervisor *s) {
    return find_moving(s) == SLOT_NONE && s->launching.ending_count == 0 &&
           s->pool.ring_count == 0 && s->refusals.slots.in_use_count == 0 &&
           !s->launching.has_cancelled && platform_restart_is_quiet(s->platform);
}

/* A launch takes so long that it is none that is about to end. */
static bool hangs(const struct supervisor *s) {
    SLOTS_EACH(process, &s->pool.process_slots) {
        const struct run_process *r = &s->launching.processes[process];
        if (r->is_launching && s->timers.now_us - r->begun_us >= HOLD_US) {
            return true;
        }
    }
    return false;
}

static void give_up(struct supervisor *s) {
    char reason[256];
    uint32_t process = find_moving(s);
    if (process == SLOT_NONE) {
        text_format(reason, sizeof reason, "%s",
                    "a handler keeps its pipe or socket from being read, written or closed");
    } else {
        text_format(reason, sizeof reason, "a %s of `%s` does not end",
                    s->launching.processes[process].is_launching ? "launch" : "handler's end",
                    services_get(&s->services, s->pool.processes[process].service)->name);
    }
    platform_restart_cancel(s->platform);
    let_go(s, 0);
    fail(s, reason);
}

void run_restart_on_timer(struct supervisor *s) {
    struct run_restart *restart = &s->restart;
    if (s->timers.now_us >= restart->give_up_us) {
        give_up(s);
    } else if (restart->is_holding || hangs(s)) {
        let_go(s, REST_US);
    } else {
        restart->is_holding = true;
        timers_after(&s->timers, &restart->patience, HOLD_US);
        run_pause_update(s);
    }
}

/* ---- Going ---- */

/* Comes back only if it has failed. */
static void go(struct supervisor *s) {
    struct run_restart *restart = &s->restart;
    struct baton_cause cause = {0};
    struct snapshot snapshot = {0};
    const enum launchers launchers = s->options.launchers;
    run_log_flush(&s->log);
    struct platform_successor successor = {.path = s->source->program,
                                           .argv = s->source->argv,
                                           .snapshot = &snapshot,
                                           .extra = restart->rehearsal->extra,
                                           .extra_bytes = restart->rehearsal->extra_bytes};
    int result = platform_restart_begin(s->platform, &cause);
    if (result == BATON_OK) {
        result = run_snapshot_make(s, &snapshot) ? BATON_OK : BATON_NO_MEMORY;
    }
    if (result == BATON_OK) {
        result = platform_restart_go(s->platform, &successor, &cause);
    }
    snapshot_clear(&snapshot);
    platform_restart_cancel(s->platform);
    run_options_start_launchers(s, launchers);
    let_go(s, 0);
    fail(s, successor.failure != NULL ? successor.failure : run_tell_words(s, result, &cause));
}

void run_restart_update(struct supervisor *s) {
    struct run_restart *restart = &s->restart;
    if (restart->done_count == restart->asked_count) {
        return;
    }
    if (s->stopping) {
        if (timer_is_set(&restart->patience)) {
            platform_restart_cancel(s->platform);
            let_go(s, 0);
        }
        fail(s, "batond is being stopped");
    } else if (restart->is_holding && is_quiet(s)) {
        go(s);
    } else if (!timer_is_set(&restart->patience) && !restart->is_rehearsing &&
               s->reload.loading == NULL) {
        begin(s);
    }
}

void run_restart_tell(struct supervisor *s, const char *failure) {
    if (failure == NULL) {
        run_tell(s, LOG_LEVEL_INFO, "restarted", SLOT_NONE,
                 "version=%s pid=%u services=%u connections=%u processes=%u", BATON_VERSION,
                 platform_own_pid(), (unsigned)run_roster_count(s), pool_live_count(&s->pool),
                 s->pool.process_slots.in_use_count);
        return;
    }
    text_format(s->restart.reason, sizeof s->restart.reason, "%s", failure);
    run_tell(s, LOG_LEVEL_ERROR, "restart_failed", SLOT_NONE, "reason=%s hint=%s", failure,
             "this is the batond of before, which goes on");
}

void run_restart_clear(struct supervisor *s) {
    if (!s->restart.is_rehearsing || platform_work_end(s->platform)) {
        free_rehearsal(&s->restart);
    } /* else what it has is its own until the process ends */
    free(s->restart.problems);
    s->restart.problems = NULL;
}
