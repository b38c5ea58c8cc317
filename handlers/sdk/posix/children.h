/*
 * The children of a server that forks: one for each connection. They stay in its process group, so
 * that whoever ends the group ends them. Private to the SDK's body for POSIX.
 */
#ifndef BATON_SDK_CHILDREN_H
#define BATON_SDK_CHILDREN_H

#include "serving.h"

#include <signal.h>
#include <sys/types.h>

struct child {
    pid_t pid;           /* 0 = the place is free */
    uint32_t number;     /* of its OFFER; 0 = accepted from a listener, or not acknowledged */
    uint32_t next_free;  /* of a free place; the number of places = none */
    bool is_accepted;    /* from a listener: it counts in baton->live_count */
    bool is_cancelled;   /* and has got SIGTERM */
    bool is_killed;      /* and SIGKILL */
    uint64_t kill_at_ms; /* of one that is cancelled and not killed */
};

/* What a child leaves for DONE, in memory that it shares with its parent. Nothing in it is trusted
 * to be as it should. */
struct report {
    uint64_t bytes_in, bytes_out;
    char text[BATON_TEXT_BYTES];
};

/* For one thread. All zero is an empty object. */
struct children {
    struct baton *baton; /* that they are forked from; not owned */
    serve_function *function;
    struct child *places;
    struct report *reports; /* as many */
    uint32_t place_count;
    uint32_t used_mark; /* places from here on were never used */
    uint32_t first_free;
    uint32_t live_count;
    uint32_t waiting_count; /* cancelled and not killed */
    uint32_t lost_count;    /* whose end is the server's: see children_reap() */
    uint32_t stop_ms;       /* from a cancellation to SIGKILL */
    bool is_watching;       /* SIGCHLD and the mask are ours: */
    struct sigaction sigchld_before;
    sigset_t mask_before;
};

/* Makes room for `capacity` children. Returns 0, BATON_E_MEMORY or BATON_E_SYSTEM. */
int children_open(struct children *children, uint32_t capacity);

/* From now on their ends wake body_wait(); after baton_open(). SIGCHLD is taken over, and neither
 * it nor SIGTERM is blocked. Returns 0 or BATON_E_SYSTEM. */
int children_watch(struct children *children);

/* Forks for the connection. Returns 1, and the socket is the child's, who serves when ACK is out;
 * 0 if the system has no room for a process now (errno says why), and nothing has changed; or the
 * fault of an ACK that could not be said, and the client is left unread. */
int children_fork(struct children *children, struct baton_connection *connection);

/* Takes in who has ended, and says DONE for each. Of one that ended by SIGTERM or SIGKILL after
 * SIGTERM had come to the server no DONE is said: whoever ends the group knows why. */
void children_reap(struct children *children);

/* CANCEL: SIGTERM to the child that has the OFFER. */
void children_cancel(struct children *children, uint32_t number);

/* How long until children_kill_late() has something to do; UINT32_MAX = for ever. */
uint32_t children_wait_ms(const struct children *children);

/* SIGKILL to each that was cancelled and has not ended in time. */
void children_kill_late(struct children *children);

void children_close(struct children *children);

#endif
