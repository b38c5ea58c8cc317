/*
 * The host of the Windows service, its pure part: what has been asked, told and seen goes in, what
 * the SCM is to know and the supervisor to do comes out. No call of the system.
 * https://learn.microsoft.com/windows/win32/services/service-status-transitions
 */
#ifndef BATON_PLATFORM_WIN32_WINDOWS_SERVICE_STATE_H
#define BATON_PLATFORM_WIN32_WINDOWS_SERVICE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include <windows.h>

/* What the SCM asks, as bits. */
enum service_asked { ASKED_STOP = 1, ASKED_SHUTDOWN = 2, ASKED_PRESHUTDOWN = 4 };

/* What the supervisor tells; the later, the greater. */
enum service_told { TOLD_NOTHING, TOLD_SERVING, TOLD_STOPPING };

/* What the host has to do, as bits. */
enum service_order {
    ORDER_REPORT = 1, /* service_state_status() to the SCM */
    ORDER_STOP = 2,   /* the supervisor is asked to stop; a second time, not to wait for anybody */
    ORDER_END = 4     /* the supervisor is ended by force */
};

/* How long a start may take until the supervisor serves, and a stop until it has said how long that
 * takes. */
#define SERVICE_START_BOUND_MS 90000u
#define SERVICE_STOP_BOUND_MS 30000u
/* For how long the system waits before it shuts down (SERVICE_PRESHUTDOWN_INFO), and when nobody is
 * waited for any more. A shutdown without that ends us 5 s later. */
#define SERVICE_PRESHUTDOWN_MS 180000u
#define SERVICE_PRESHUTDOWN_HURRY_MS 150000u
#define SERVICE_SHUTDOWN_HURRY_MS 3000u
#define SERVICE_CHECKPOINT_MS 2000u

/* Times are of one monotonic clock, in milliseconds; UINT64_MAX = never. */
struct service_state {
    DWORD state; /* SERVICE_START_PENDING, ... */
    DWORD checkpoint;
    uint64_t checkpoint_ms; /* when the next one is due */
    uint64_t bound_ms;      /* when the supervisor is given up, while the state is pending */
    uint64_t hurry_ms;      /* when the stop is asked for once more */
    bool is_given_up;
    bool is_unasked; /* once stopped: it has not told that it stops */
    DWORD exit_code; /* once stopped: the supervisor's */
};

/* Each returns orders. */
unsigned service_state_begin(struct service_state *s, uint64_t now_ms);
unsigned service_state_on_asked(struct service_state *s, unsigned asked, uint64_t now_ms);
/* `most_ms`: with TOLD_STOPPING, how much longer it may take. */
unsigned service_state_on_told(struct service_state *s, enum service_told told, uint32_t most_ms,
                               uint64_t now_ms);
/* To be called when service_state_due() has come. */
unsigned service_state_on_time(struct service_state *s, uint64_t now_ms);
/* The supervisor has ended. */
unsigned service_state_on_end(struct service_state *s, DWORD exit_code);

uint64_t service_state_due(const struct service_state *s);

void service_state_status(const struct service_state *s, uint64_t now_ms, SERVICE_STATUS *out);

#endif
