#include "internal.h"

static LONG lost_kinds;
static HANDLE stopped; /* auto-reset; only the supervisor's thread stops watches, one at a time */

void win32_packet_post(HANDLE port, enum packet_kind kind, uint32_t index, uint32_t generation) {
    ULONG_PTR key = (ULONG_PTR)kind | ((ULONG_PTR)index << PACKET_KIND_BITS);
    if (!PostQueuedCompletionStatus(port, generation, key, NULL)) {
        InterlockedOr(&lost_kinds, 1 << kind);
    }
}

void win32_packets_lose(LONG kinds) {
    InterlockedOr(&lost_kinds, kinds);
}

LONG win32_packets_take_lost(void) {
    return InterlockedExchange(&lost_kinds, 0);
}

static void CALLBACK watch_fired(void *context, BOOLEAN timed_out) {
    const struct watch *watch = context;
    (void)timed_out;
    win32_packet_post(watch->port, watch->kind, watch->index, watch->generation);
}

static int start(struct watch *watch, HANDLE object, DWORD bound_ms, ULONG flags,
                 struct baton_cause *cause) {
    if (!RegisterWaitForSingleObject(&watch->registration, object, watch_fired, watch, bound_ms,
                                     flags)) {
        watch->registration = NULL;
        win32_cause_last(cause, "RegisterWaitForSingleObject");
        return BATON_SHORTAGE;
    }
    return BATON_OK;
}

int win32_watch_start(struct watch *watch, HANDLE event, struct baton_cause *cause) {
    return start(watch, event, INFINITE, WT_EXECUTEINWAITTHREAD, cause);
}

/* A bound that passes is told by another thread of the pool: for such a callback Wine 8's wait
 * thread leaves its list in the middle of a walk, and goes on with an entry that may be gone by
 * then. */
int win32_watch_end(struct watch *watch, HANDLE process, DWORD bound_ms,
                    struct baton_cause *cause) {
    ULONG where = bound_ms == INFINITE ? WT_EXECUTEINWAITTHREAD : WT_EXECUTEDEFAULT;
    return start(watch, process, bound_ms, where | WT_EXECUTEONLYONCE, cause);
}

/* With INVALID_HANDLE_VALUE the call would itself wait as long. But then Wine 8 takes back a
 * callback that its wait thread is about to run, as if it were in a queue, where it is not
 * (tp_object_cancel() in dlls/ntdll/threadpool.c), and writes through a null pointer, holding a
 * lock that the next call waits for. Once in some ten thousand stops was seen, more often on a busy
 * machine. */
void win32_watch_stop(struct watch *watch) {
    if (watch->registration == NULL) {
        return;
    }
    if (UnregisterWaitEx(watch->registration, stopped) || GetLastError() == ERROR_IO_PENDING) {
        WaitForSingleObject(stopped, INFINITE);
    }
    watch->registration = NULL;
}

int win32_watches_open(struct baton_cause *cause) {
    stopped = CreateEventW(NULL, FALSE, FALSE, NULL);
    return stopped == NULL ? win32_cause_last(cause, "CreateEventW") : BATON_OK;
}

void win32_watches_close(void) {
    if (stopped != NULL) {
        CloseHandle(stopped);
        stopped = NULL;
    }
}
