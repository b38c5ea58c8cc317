/*
 * The system's own log of events, beside ours: a part of platform.h, whose rules hold here too.
 * There is one on Windows alone (the Event Log), and it is told only by a supervisor that is a
 * service of Windows, whose name is the source of its entries (windows_service.h).
 * https://learn.microsoft.com/windows/win32/eventlog/event-logging
 */
#ifndef BATON_PLATFORM_EVENT_LOG_H
#define BATON_PLATFORM_EVENT_LOG_H

#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct platform;

enum platform_severity { PLATFORM_ERROR, PLATFORM_WARNING, PLATFORM_INFO };

/* True if there is one. */
bool platform_has_event_log(const struct platform *platform);

/* Tells it `text` with the message `number` (1..65535). Never waits: another thread does, which has
 * room for PLATFORM_EVENTS_MAX_COUNT, and what finds none is lost. platform_close() lets it finish
 * for a second. */
#define PLATFORM_EVENTS_MAX_COUNT 64
void platform_event_log_tell(struct platform *platform, unsigned number,
                             enum platform_severity severity, const char *text);

/* How many were lost since this was asked last, and in `cause` why; PLATFORM_EVENT_LOG_WRITABLE
 * tells that some were which the system did not take. */
size_t platform_event_log_take_lost(struct platform *platform, struct baton_cause *cause);

#endif
