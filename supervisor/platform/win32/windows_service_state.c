#include "windows_service_state.h"

#include <string.h>

static bool is_pending(const struct service_state *s) {
    return s->state == SERVICE_START_PENDING || s->state == SERVICE_STOP_PENDING;
}

static unsigned enter(struct service_state *s, DWORD state, uint64_t bound_ms, uint64_t now_ms) {
    s->state = state;
    s->checkpoint = is_pending(s) ? 1 : 0;
    s->checkpoint_ms = is_pending(s) ? now_ms + SERVICE_CHECKPOINT_MS : UINT64_MAX;
    s->bound_ms = bound_ms;
    return ORDER_REPORT;
}

unsigned service_state_begin(struct service_state *s, uint64_t now_ms) {
    memset(s, 0, sizeof *s);
    s->hurry_ms = UINT64_MAX;
    return enter(s, SERVICE_START_PENDING, now_ms + SERVICE_START_BOUND_MS, now_ms);
}

static void hurry_by(struct service_state *s, uint64_t when_ms) {
    s->hurry_ms = when_ms < s->hurry_ms ? when_ms : s->hurry_ms;
}

unsigned service_state_on_asked(struct service_state *s, unsigned asked, uint64_t now_ms) {
    unsigned orders = 0;
    if (asked == 0 || s->state == SERVICE_STOPPED) {
        return 0;
    }
    if (s->state != SERVICE_STOP_PENDING) {
        orders =
            ORDER_STOP | enter(s, SERVICE_STOP_PENDING, now_ms + SERVICE_STOP_BOUND_MS, now_ms);
    }
    if ((asked & ASKED_SHUTDOWN) != 0) {
        hurry_by(s, now_ms + SERVICE_SHUTDOWN_HURRY_MS);
    }
    if ((asked & ASKED_PRESHUTDOWN) != 0) {
        hurry_by(s, now_ms + SERVICE_PRESHUTDOWN_HURRY_MS);
    }
    return orders;
}

/* It may stop by itself, as when a control client wants that. */
unsigned service_state_on_told(struct service_state *s, enum service_told told, uint32_t most_ms,
                               uint64_t now_ms) {
    if (told == TOLD_SERVING && s->state == SERVICE_START_PENDING) {
        return enter(s, SERVICE_RUNNING, UINT64_MAX, now_ms);
    }
    if (told != TOLD_STOPPING || s->state == SERVICE_STOPPED || s->is_given_up) {
        return 0;
    }
    if (s->state != SERVICE_STOP_PENDING) {
        return enter(s, SERVICE_STOP_PENDING, now_ms + most_ms, now_ms);
    }
    s->bound_ms = now_ms + most_ms;
    s->checkpoint++;
    return ORDER_REPORT;
}

unsigned service_state_on_time(struct service_state *s, uint64_t now_ms) {
    unsigned orders = 0;
    if (now_ms >= s->hurry_ms) {
        s->hurry_ms = UINT64_MAX;
        orders |= ORDER_STOP;
    }
    if (now_ms >= s->bound_ms) { /* no checkpoint any more: nothing goes on */
        s->is_given_up = true;
        s->bound_ms = UINT64_MAX;
        s->checkpoint_ms = UINT64_MAX;
        orders |= ORDER_END;
    } else if (now_ms >= s->checkpoint_ms) {
        s->checkpoint++;
        s->checkpoint_ms = now_ms + SERVICE_CHECKPOINT_MS;
        orders |= ORDER_REPORT;
    }
    return orders;
}

unsigned service_state_on_end(struct service_state *s, DWORD exit_code) {
    s->is_unasked = s->state != SERVICE_STOP_PENDING;
    s->exit_code = exit_code;
    s->hurry_ms = UINT64_MAX;
    return enter(s, SERVICE_STOPPED, UINT64_MAX, 0);
}

uint64_t service_state_due(const struct service_state *s) {
    uint64_t due_ms = s->checkpoint_ms < s->bound_ms ? s->checkpoint_ms : s->bound_ms;
    return s->hurry_ms < due_ms ? s->hurry_ms : due_ms;
}

static DWORD accepted(const struct service_state *s) {
    const DWORD ends = SERVICE_ACCEPT_SHUTDOWN | SERVICE_ACCEPT_PRESHUTDOWN;
    return s->state == SERVICE_RUNNING ? ends | SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PARAMCHANGE
           : s->state == SERVICE_STOP_PENDING ? ends
                                              : 0;
}

/* The hint is how long the whole of it may take: checkpoints come more often. */
static DWORD wait_hint_ms(const struct service_state *s, uint64_t now_ms) {
    uint64_t left_ms = s->bound_ms == UINT64_MAX || s->bound_ms < now_ms ? 0 : s->bound_ms - now_ms;
    left_ms = left_ms < 2 * SERVICE_CHECKPOINT_MS ? 2 * SERVICE_CHECKPOINT_MS : left_ms;
    return left_ms > 0x7fffffffu ? 0x7fffffffu : (DWORD)left_ms;
}

void service_state_status(const struct service_state *s, uint64_t now_ms, SERVICE_STATUS *out) {
    memset(out, 0, sizeof *out);
    out->dwServiceType = SERVICE_WIN32_OWN_PROCESS;
    out->dwCurrentState = s->state;
    out->dwControlsAccepted = accepted(s);
    out->dwCheckPoint = s->checkpoint;
    out->dwWaitHint = is_pending(s) ? wait_hint_ms(s, now_ms) : 0;
    if (s->state == SERVICE_STOPPED && s->is_given_up) {
        out->dwWin32ExitCode = ERROR_SERVICE_REQUEST_TIMEOUT;
    } else if (s->state == SERVICE_STOPPED && s->exit_code != 0) {
        out->dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
        out->dwServiceSpecificExitCode = s->exit_code;
    } else if (s->state == SERVICE_STOPPED && s->is_unasked) { /* somebody has ended it */
        out->dwWin32ExitCode = ERROR_PROCESS_ABORTED;
    }
}
