/*
 * The Event Log: entries on their way to the service of that name, which is asked by remote calls
 * that may wait for it, so a thread makes them. Who has entries to tell puts them into a queue.
 * https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-reporteventw
 */
#ifndef BATON_PLATFORM_WIN32_EVENT_LOG_H
#define BATON_PLATFORM_WIN32_EVENT_LOG_H

#include "internal.h"

/* Entries of the host of the Windows service, which sees batond as its child: their numbers, as
 * those of core/tell/entry.h are batond's. events.mc has their messages. */
enum {
    EVENT_HOST_NO_START = 500, /* the child could not be started */
    EVENT_CHILD_ENDED = 501,   /* by itself */
    EVENT_CHILD_GIVEN_UP = 502 /* it was ended by force */
};

/* Event identifiers have their severity in their top bits.
 * https://learn.microsoft.com/windows/win32/eventlog/event-identifiers */
DWORD win32_event_id(unsigned number, enum platform_severity severity);

struct event_log;

/* Starts the thread. `source` is copied. `port` gets a PACKET_LOG when entries are lost; NULL =
 * nobody is told. BATON_OK, BATON_NO_MEMORY, or why there is no thread. */
int win32_event_log_open(const char *source, HANDLE port, struct event_log **out,
                         struct baton_cause *cause);

/* As platform_event_log_tell() and platform_event_log_take_lost(). */
void win32_event_log_tell(struct event_log *log, unsigned number, enum platform_severity severity,
                          const char *text);
size_t win32_event_log_take_lost(struct event_log *log, struct baton_cause *cause);

/* Waits for the thread, `bound_ms` at most; one that is held then has what there is to itself,
 * until the process ends. Accepts an empty one. */
#define EVENT_LOG_CLOSE_BOUND_MS 1000u
void win32_event_log_close(struct event_log **log, DWORD bound_ms);

#endif
