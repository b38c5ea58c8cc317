#include "event_log.h"

#include <stdlib.h>
#include <string.h>

#define SOURCE_CHARACTERS 80

struct event {
    struct event *next;
    DWORD id;
    WORD type;
    wchar_t text[];
};

/* What stands behind `lock` is shared. Owner: who has opened it. */
struct event_log {
    wchar_t source_name[SOURCE_CHARACTERS];
    HANDLE source; /* the thread's; NULL = not registered yet */
    HANDLE thread;
    CRITICAL_SECTION lock;
    CONDITION_VARIABLE filled;
    HANDLE port;
    struct event *first, **last;
    size_t count;
    size_t lost_count; /* not told yet */
    DWORD failed_code; /* of the call that failed last; 0 = none did */
    const char *failed_call;
    bool closing;
};

DWORD win32_event_id(unsigned number, enum platform_severity severity) {
    static const DWORD bits[] = {[PLATFORM_ERROR] = 3, [PLATFORM_WARNING] = 2, [PLATFORM_INFO] = 1};
    return bits[severity] << 30 | number;
}

/* ---- The thread ---- */

/* Without the lock. 0 or the number of what failed, *call. */
static DWORD report(struct event_log *log, const struct event *event, const char **call) {
    const wchar_t *text = event->text;
    *call = "RegisterEventSourceW";
    if (log->source == NULL) {
        log->source = RegisterEventSourceW(NULL, log->source_name);
    }
    if (log->source == NULL) {
        return GetLastError();
    }
    *call = "ReportEventW";
    if (ReportEventW(log->source, event->type, 0, event->id, NULL, 1, 0, &text, NULL)) {
        return 0;
    }
    DWORD code = GetLastError();
    DeregisterEventSource(log->source); /* the service may have been started anew */
    log->source = NULL;
    return code != 0 ? code : ERROR_GEN_FAILURE;
}

static DWORD WINAPI event_thread(void *context) {
    struct event_log *log = context;
    EnterCriticalSection(&log->lock);
    while (!log->closing || log->first != NULL) {
        struct event *event = log->first;
        if (event == NULL) {
            SleepConditionVariableCS(&log->filled, &log->lock, INFINITE);
            continue;
        }
        log->first = event->next;
        log->last = log->first == NULL ? &log->first : log->last;
        log->count--;
        const char *call;
        LeaveCriticalSection(&log->lock);
        DWORD code = report(log, event, &call);
        free(event);
        EnterCriticalSection(&log->lock);
        if (code != 0) {
            log->lost_count++;
            log->failed_code = code;
            log->failed_call = call;
        }
        if (code != 0 && log->port != NULL) {
            win32_packet_post(log->port, PACKET_LOG, 0, 0);
        }
    }
    LeaveCriticalSection(&log->lock);
    return 0;
}

int win32_event_log_open(const char *source, HANDLE port, struct event_log **out,
                         struct baton_cause *cause) {
    struct event_log *log = calloc(1, sizeof *log);
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    if (log == NULL) {
        return BATON_NO_MEMORY;
    }
    int code = win32_text_to_room(source, log->source_name, SOURCE_CHARACTERS);
    if (code != BATON_OK) {
        free(log);
        return code;
    }
    InitializeCriticalSection(&log->lock);
    InitializeConditionVariable(&log->filled);
    log->last = &log->first;
    log->port = port;
    log->thread =
        CreateThread(NULL, 65536, event_thread, log, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (log->thread == NULL) {
        code = win32_cause_last(cause, "CreateThread");
        DeleteCriticalSection(&log->lock);
        free(log);
        return code;
    }
    *out = log;
    return BATON_OK;
}

static void clear(struct event_log *log) {
    if (log->source != NULL) {
        DeregisterEventSource(log->source);
    }
    DeleteCriticalSection(&log->lock);
    free(log);
}

void win32_event_log_close(struct event_log **address, DWORD bound_ms) {
    struct event_log *log = *address;
    *address = NULL;
    if (log == NULL) {
        return;
    }
    EnterCriticalSection(&log->lock);
    log->closing = true;
    log->port = NULL; /* it may be closed soon */
    WakeConditionVariable(&log->filled);
    LeaveCriticalSection(&log->lock);
    bool has_ended = WaitForSingleObject(log->thread, bound_ms) == WAIT_OBJECT_0;
    CloseHandle(log->thread);
    if (has_ended) {
        clear(log);
    }
}

/* ---- Whoever tells ---- */

/* UTF-16 never has more characters than UTF-8 has bytes. NULL where there is no memory. */
static struct event *make_event(unsigned number, enum platform_severity severity,
                                const char *text) {
    static const WORD types[] = {[PLATFORM_ERROR] = EVENTLOG_ERROR_TYPE,
                                 [PLATFORM_WARNING] = EVENTLOG_WARNING_TYPE,
                                 [PLATFORM_INFO] = EVENTLOG_INFORMATION_TYPE};
    size_t count = strlen(text) + 1;
    struct event *event = malloc(sizeof *event + count * sizeof *event->text);
    if (event != NULL && win32_text_to_room(text, event->text, count) != BATON_OK) {
        free(event);
        event = NULL;
    }
    if (event != NULL) {
        event->next = NULL;
        event->id = win32_event_id(number, severity);
        event->type = types[severity];
    }
    return event;
}

void win32_event_log_tell(struct event_log *log, unsigned number, enum platform_severity severity,
                          const char *text) {
    struct event *event = make_event(number, severity, text);
    EnterCriticalSection(&log->lock);
    if (event != NULL && log->count < PLATFORM_EVENTS_MAX_COUNT) {
        *log->last = event;
        log->last = &event->next;
        log->count++;
        event = NULL;
        WakeConditionVariable(&log->filled);
    } else {
        log->lost_count++;
    }
    LeaveCriticalSection(&log->lock);
    free(event); /* which the queue has not taken */
}

size_t win32_event_log_take_lost(struct event_log *log, struct baton_cause *cause) {
    *cause = (struct baton_cause){NULL, 0};
    EnterCriticalSection(&log->lock);
    size_t lost_count = log->lost_count;
    if (log->failed_code != 0) {
        win32_cause_of(cause, log->failed_call, log->failed_code);
    }
    log->lost_count = 0;
    log->failed_code = 0;
    LeaveCriticalSection(&log->lock);
    return lost_count;
}

/* ---- That of the platform ---- */

bool platform_has_event_log(const struct platform *platform) {
    return platform->event_log != NULL;
}

void platform_event_log_tell(struct platform *platform, unsigned number,
                             enum platform_severity severity, const char *text) {
    win32_event_log_tell(platform->event_log, number, severity, text);
}

size_t platform_event_log_take_lost(struct platform *platform, struct baton_cause *cause) {
    return win32_event_log_take_lost(platform->event_log, cause);
}
