#include "internal.h"

static LONG lost_kinds;

void packet_post(HANDLE port, enum packet_kind kind, uint32_t index, uint32_t generation) {
    ULONG_PTR key = (ULONG_PTR)kind | ((ULONG_PTR)index << PACKET_KIND_BITS);
    if (!PostQueuedCompletionStatus(port, generation, key, NULL)) {
        InterlockedOr(&lost_kinds, 1 << kind);
    }
}

LONG packets_take_lost(void) {
    return InterlockedExchange(&lost_kinds, 0);
}

static void CALLBACK watch_fired(void *context, BOOLEAN timed_out) {
    const struct watch *watch = context;
    (void)timed_out;
    packet_post(watch->port, watch->kind, watch->index, watch->generation);
}

static int start(struct watch *watch, HANDLE object, DWORD bound_ms, ULONG flags,
                 struct baton_cause *cause) {
    if (!RegisterWaitForSingleObject(&watch->registration, object, watch_fired, watch, bound_ms,
                                     flags | WT_EXECUTEINWAITTHREAD)) {
        watch->registration = NULL;
        cause_last(cause, "RegisterWaitForSingleObject");
        return BATON_SHORTAGE;
    }
    return BATON_OK;
}

int watch_start(struct watch *watch, HANDLE event, struct baton_cause *cause) {
    return start(watch, event, INFINITE, 0, cause);
}

int watch_end(struct watch *watch, HANDLE process, DWORD bound_ms, struct baton_cause *cause) {
    return start(watch, process, bound_ms, WT_EXECUTEONLYONCE, cause);
}

void watch_stop(struct watch *watch) {
    if (watch->registration != NULL) {
        UnregisterWaitEx(watch->registration, INVALID_HANDLE_VALUE);
        watch->registration = NULL;
    }
}
