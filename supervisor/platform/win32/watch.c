#include "internal.h"

void packet_post(HANDLE port, enum packet_kind kind, uint32_t index, uint32_t generation) {
    ULONG_PTR key = (ULONG_PTR)kind | ((ULONG_PTR)index << PACKET_KIND_BITS);
    PostQueuedCompletionStatus(port, generation, key, NULL);
}

static void CALLBACK watch_fired(void *context, BOOLEAN timed_out) {
    const struct watch *watch = context;
    (void)timed_out;
    packet_post(watch->port, watch->kind, watch->index, watch->generation);
}

int watch_start(struct watch *watch, HANDLE object, bool once, struct baton_cause *cause) {
    ULONG flags = WT_EXECUTEINWAITTHREAD | (once ? (ULONG)WT_EXECUTEONLYONCE : 0u);
    if (!RegisterWaitForSingleObject(&watch->registration, object, watch_fired, watch, INFINITE,
                                     flags)) {
        watch->registration = NULL;
        cause_last(cause, "RegisterWaitForSingleObject");
        return BATON_SHORTAGE;
    }
    return BATON_OK;
}

void watch_stop(struct watch *watch) {
    if (watch->registration != NULL) {
        UnregisterWaitEx(watch->registration, INVALID_HANDLE_VALUE);
        watch->registration = NULL;
    }
}
