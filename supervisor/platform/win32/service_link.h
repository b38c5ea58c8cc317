/*
 * Between the host of the Windows service (windows_service_host.c) and the supervisor that it has
 * started (manager.c): events, a page of memory that both see, and the host's process. Nothing of
 * it waits: an event is set, a number written. The supervisor inherits the handles, whose numbers
 * are in a variable, and passes them to nobody.
 */
#ifndef BATON_PLATFORM_WIN32_SERVICE_LINK_H
#define BATON_PLATFORM_WIN32_SERVICE_LINK_H

#include <windows.h>

/* "1,2,3,4,5,NAME": in the order of enum service_link_handle, decimal; and the service's name. */
#define SERVICE_LINK_VARIABLE L"BATON_SERVICE_HOST"
#define SERVICE_LINK_TEXT_CHARACTERS 128 /* five numbers of 32 significant bits, a name */

enum service_link_handle {
    LINK_STOP,   /* event, of the host: an ordered stop; a second time, at once */
    LINK_RELOAD, /* event, of the host: the config is to be read anew */
    LINK_TOLD,   /* event, of the supervisor: `page` has changed */
    LINK_PAGE,   /* the section of struct service_link_page */
    LINK_HOST,   /* the host's process: its end, and a place for a handle of a successor */
    LINK_HANDLE_COUNT
};

struct service_link_page {
    volatile LONG told;    /* enum service_told */
    volatile LONG most_ms; /* with TOLD_STOPPING; written before `told` */
    /* Written before the supervisor ends: the process that has taken its place (a restart), as a
     * handle that the host has of it; 0 = none. */
    volatile LONG successor;
};

/* The value of the variable. */
void service_link_write(const HANDLE handles[LINK_HANDLE_COUNT], const char *name,
                        char out[SERVICE_LINK_TEXT_CHARACTERS]);

#endif
