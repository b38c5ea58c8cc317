/*
 * The process that is to take our place: what both see while one waits for the other. successor.c
 * starts it, and finds in it what it was started with; restart.c does the rest.
 */
#ifndef BATON_PLATFORM_WIN32_SUCCESSOR_H
#define BATON_PLATFORM_WIN32_SUCCESSOR_H

#include "internal.h"

enum passed_handle {
    PASSED_LEFT, /* event, of the old one: all that it leaves is there */
    PASSED_TOLD, /* event, of the new one: `state` has changed */
    PASSED_PAGE, /* the section of struct passed_page */
    PASSED_OLD,  /* the old one's process */
    PASSED_COUNT
};

/* Whoever is first to change it decides who goes on. */
enum passed_state {
    STATE_OPEN,
    STATE_TAKEN_OVER, /* by the new one */
    STATE_FAILED,     /* likewise: `reason` */
    STATE_GIVEN_UP    /* by the old one */
};

#define REASON_BYTES 512u
struct passed_page {
    volatile LONG state;
    volatile LONG is_waiting; /* the new one, for what is left: it has read its config */
    uint32_t pid;             /* the old one's */
    uint64_t section;         /* the new one's handle of what is left: */
    uint32_t lingers; /* the old one, behind the change of `state`; then it sets PASSED_LEFT again
                         when it has let go of all that is not its own any more */
    uint32_t is_hung_up; /* the old one was told to read its config, and has not */
    uint64_t own_bytes, snapshot_bytes, extra_bytes; /* one behind the other, each padded */
    char reason[REASON_BYTES];
};

#define EXIT_NOT_NEEDED 71u
/* How long the new one may take until it has taken over, and either to end. */
#define SUCCESSOR_WAIT_MS 5000u
#define END_WAIT_MS 2000u

/* All zero = there is none. */
struct successor {
    HANDLE passed[PASSED_COUNT];
    struct passed_page *page;
    HANDLE process;
    DWORD pid;
};

/* Starts it, and waits until it has its config. As platform_restart_summon(). */
int win32_successor_summon(struct successor *successor, const struct platform *platform,
                           const char *path, char *const *argv, uint32_t patience_ms, int *code,
                           struct baton_cause *cause);
/* Ends it, and waits for that: what it has of ours it has until then. Accepts an empty one. */
void win32_successor_end(struct successor *successor);

/* In the new one: what was passed, once. NULL = this process was started as others are. */
struct passed_page *win32_successor_arrive(HANDLE passed[PASSED_COUNT]);

#endif
