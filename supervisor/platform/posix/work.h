/*
 * What is done beside the loop: the body of platform/work.h.
 */
#ifndef BATON_PLATFORM_POSIX_WORK_H
#define BATON_PLATFORM_POSIX_WORK_H

#include "platform/posix/internal.h"

#include <pthread.h>

/* What another thread does. Owner: the platform; if the thread goes on until the process
 * ends, nobody. */
struct posix_work {
    struct posix_watch done; /* an eventfd(2) */
    pthread_t thread;
    void (*work)(void *context);
    void *context;
};

/* It has ended. */
void posix_work_take_end(struct platform *platform, struct told *told);

/* ask.c: the program that a thread asks quietly ends, if there is one. */
void posix_ask_cancel(void);
/* The loop has reaped one whom it does not know: it may be that program. */
void posix_ask_note_end(pid_t pid, const struct platform_exit *how);

#endif
