/*
 * Listeners. listener.c has platform.h's calls, bind.c makes the sockets, local.c knows the files
 * of local sockets, options.c the socket options, accept.c takes clients.
 */
#ifndef BATON_PLATFORM_WIN32_LISTENER_H
#define BATON_PLATFORM_WIN32_LISTENER_H

#include "internal.h"

#include <mswsock.h>

/* AcceptEx wants 16 bytes more than the longest address, for each of the two. */
#define ACCEPT_ADDRESS_BYTES (sizeof(struct sockaddr_storage) + 16)

/* What tells a file from another one that has its name later. */
struct local_file {
    wchar_t *path; /* NULL = none; owned */
    DWORD volume;
    ULONGLONG number;
};

/* Owner: who opened it. */
struct platform_listener {
    struct platform *platform;
    uint64_t token;
    uint32_t index;
    uint32_t generation;
    bool in_table;
    bool paused;
    bool is_handed_over;
    bool is_plain;
    enum platform_protocol protocol;
    struct socket_options options;
    SOCKET socket;
    HANDLE event; /* of the AcceptEx under way, or of the registration of one that is handed over */
    struct watch watch;
    struct address address;
    struct local_file file; /* PLATFORM_UNIX */
    /* One that is not handed over. */
    bool armed;      /* an AcceptEx was started and its result not yet taken */
    SOCKET accepted; /* what the AcceptEx under way fills; by accept(): who is not given out yet */
    bool has_client; /* `accepted` is a client whom an AcceptEx gave before a restart, or before one
                        that has failed */
    LPFN_ACCEPTEX accept_ex;
    OVERLAPPED operation;
    uint8_t addresses[2 * ACCEPT_ADDRESS_BYTES];
    uint32_t fault_count;      /* of AcceptEx in a row, which no client and no shortage explains */
    uint32_t lost_count;       /* of these, those that were a client's end */
    bool by_accept;            /* AcceptEx was given up */
    bool watched;              /* by_accept: the socket is registered, so accept() does not wait */
    bool untold;               /* by_accept: and that has not been told */
    struct baton_cause broken; /* by_accept: why */
    struct platform_listener_spec spec; /* to open it again; its address with the port */
};

/* Registers the socket: its event is set when somebody waits, at once if somebody does already, and
 * from here on the socket does not block. */
int win32_listener_watch(const struct platform_listener *listener, struct baton_cause *cause);

/* Makes listener->socket: bound, with its options, and listening unless it is UDP. Errors as
 * platform_listener_open() has them. */
int win32_listener_bind(struct platform_listener *listener,
                        const struct platform_listener_spec *spec, struct baton_cause *cause);

/* A new socket that nobody inherits. INVALID_SOCKET with the cause in WSAGetLastError(). */
SOCKET win32_listener_new_socket(int family, int type, bool is_plain);

int win32_listener_family(const struct platform_listener *listener);

/* win32_cause_of() for the error of the last call. */
int win32_listener_failed(struct baton_cause *cause, const char *call);

/* The name that getpeername() or getsockname() gives. */
bool win32_listener_name_of(SOCKET socket, int(WSAAPI *ask)(SOCKET, struct sockaddr *, int *),
                            struct address *out);

/* Sets what is not the default. Stops at the first that cannot be set. BATON_OK, BATON_SHORTAGE,
 * BATON_SYSTEM. */
int win32_listener_set_options(SOCKET socket, const struct socket_options *options,
                               enum platform_protocol protocol, struct baton_cause *cause);

/* Prepares for accepting, and starts it. Needs listener->spec. */
int win32_listener_start_accepting(struct platform_listener *listener, struct baton_cause *cause);
/* Starts an AcceptEx unless one is under way, or registers the socket. Where that fails a packet is
 * posted, and the caller learns why when it accepts. */
void win32_listener_accept_on(struct platform_listener *listener);
/* Ends the AcceptEx under way. Its watch was stopped before: that could take the event's one signal
 * from under the wait. */
void win32_listener_stop_accepting(struct platform_listener *listener);

/* For a restart: as above, but a client who has come is kept. */
void win32_listener_stand_still(struct platform_listener *listener);
/* What has to be asked of the system before AcceptEx can be called, or given up. BATON_OK,
 * BATON_SHORTAGE. */
int win32_listener_prepare_accepting(struct platform_listener *listener, struct baton_cause *cause);
/* A new one without a socket, in the table and with an event that is watched, unless it fails. */
int win32_listener_make(struct platform *platform, const struct platform_listener_spec *spec,
                        uint64_t token, struct platform_listener **out, struct baton_cause *cause);

/* Posts a packet for it. */
void win32_listener_report(const struct platform_listener *listener);

/* Binds a local socket to the file at `path`, and replaces a socket's file that nobody listens on.
 * BATON_OK, BATON_IN_USE, BATON_TOO_LONG, BATON_NOT_FOUND, BATON_DENIED, BATON_NO_MEMORY,
 * BATON_SYSTEM. */
int win32_local_bind(SOCKET socket, const char *path, struct local_file *file,
                     struct baton_cause *cause);
/* Removes the file, if it is still the one that win32_local_bind() made, and forgets it. */
void win32_local_remove(struct local_file *file);

#endif
