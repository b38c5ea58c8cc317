/*
 * What the service manager has given us: where it is told, and which sockets are passed.
 */
#ifndef BATON_PLATFORM_POSIX_MANAGER_H
#define BATON_PLATFORM_POSIX_MANAGER_H

#include "platform/platform.h"

#include <sys/socket.h>
#include <sys/un.h>

/* Sockets that may be passed; more are not looked at. */
#define POSIX_PASSED_MAX_COUNT 4096u

/* Stays open until the platform is closed, so that a listener can be opened on it anew. */
struct posix_passed {
    int descriptor;
    bool is_known; /* it is one that a listener can be: the rest says what */
    enum platform_protocol protocol;
    struct address address;
    struct sockaddr_un path; /* UNIX */
    char name[64];           /* in LISTEN_FDNAMES; "" = none */
    uint32_t users_count;    /* listeners that have a copy */
    bool is_lent;      /* handlers have or had it, and so its flags: nothing is to be accepted of
                          it here any more, since that might block */
    bool is_forgotten; /* and is not kept any more: it closes with its last listener */
    bool is_kept;      /* it was opened by a batond of before, by its config */
};

/* A part of struct platform. */
struct posix_manager {
    int socket; /* -1 = nobody is told */
    struct sockaddr_un name;
    socklen_t name_bytes;
    uint64_t watchdog_us;
    uint32_t kept_count;         /* listeners that it was given, ever */
    struct posix_passed *passed; /* passed_count; owned */
    size_t passed_count;
};

/* BATON_OK or BATON_NO_MEMORY. */
int posix_manager_open(struct platform *platform);
void posix_manager_close(struct platform *platform);

/* Makes a copy of the passed socket that is for this listener its own. False if there is none. */
bool posix_passed_take(struct platform_listener *listener,
                       const struct platform_listener_spec *spec);
/* It is closed. */
void posix_passed_give(struct platform_listener *listener);
/* It is about to be handed to handlers, who get at its flags (fcntl(2)): nothing is to be accepted
 * of it here after that, nor by the next of us. */
void posix_passed_lend(struct platform_listener *listener);

#endif
