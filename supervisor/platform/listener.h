/*
 * Listeners: a part of platform.h, whose rules hold here too.
 */
#ifndef BATON_PLATFORM_LISTENER_H
#define BATON_PLATFORM_LISTENER_H

#include "core/base/address.h"
#include "core/base/error.h"
#include "core/base/socket_options.h"
#include "core/base/waiting.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;
struct platform_socket;
struct platform_listener; /* an open listening socket */

enum platform_protocol { PLATFORM_TCP, PLATFORM_UDP, PLATFORM_UNIX };

struct platform_listener_spec {
    enum platform_protocol protocol;
    struct address address; /* TCP, UDP: family set; port 0 = any free port */
    const char *path;       /* UNIX: absolute path of the socket's file; used until the listener is
                               closed */
    uint32_t mode;          /* UNIX: permission bits of the file, 0..0777 */
    const uint32_t *owner;  /* UNIX: uid and gid of the file, each IDENTITY_SAME where it is left
                               alone, or NULL; used until the listener is closed */
    const char *name;       /* in LISTEN_FDNAMES, if whoever started us has passed it; see
                               manager.h; NULL = none */
    uint32_t backlog_count; /* TCP, UNIX: 1..65535, a hint to the system */
    bool v6only;            /* IPV6_V6ONLY, which is always set explicitly */
    bool is_handed_over;    /* it is watched only; never accepted or read from by us */
    bool is_shared; /* the same, and several have it at once, for good: never watched, paused
                       once after it was opened, and left as blocking as they have it */
    bool is_plain;  /* Windows: accepted sockets are not overlapped, so that ReadFile works
                       on them (PITFALLS 10) */
    struct socket_options options;
};

/* Opens a listener and starts to report PLATFORM_EVENT_ACCEPT with `token`. TCP: SO_REUSEADDR on
 * POSIX, SO_EXCLUSIVEADDRUSE on Windows. UDP: a bound socket, always handed over. UNIX: a stream
 * socket; the file has its mode from the moment it exists. A socket file there that nobody listens
 * on any more is replaced (that takes 20 ms, in which who has just bound it may begin to listen); a
 * file of any other kind is left alone. `spec` is copied. Errors:
 * BATON_IN_USE (also: the file is another's, or no socket), BATON_UNAVAILABLE, BATON_DENIED,
 * BATON_UNSUPPORTED (no such family), BATON_NOT_FOUND (no such folder), BATON_TOO_LONG (path),
 * BATON_SHORTAGE, BATON_NO_MEMORY, BATON_SYSTEM. See listen(2), bind(2), unix(7). */
int platform_listener_open(struct platform *platform, const struct platform_listener_spec *spec,
                           uint64_t token, struct platform_listener **out,
                           struct baton_cause *cause);

/* Who else has the place of a BATON_IN_USE, as far as that is found within about 10 ms, for which
 * it blocks. False: not found (Windows: always), or nobody but this process. */
struct platform_holder {
    uint32_t pid;
    char name[32]; /* of its program; Linux: the first 15 bytes */
};
bool platform_listener_holder(const struct platform_listener_spec *spec,
                              struct platform_holder *out);

/* What is to be done about a BATON_IN_USE, BATON_UNAVAILABLE or BATON_DENIED, for a person, into
 * `out`: who has the place, or which there are, is told by which command; what ports below 1024
 * take. False: nothing is known, `out` is empty. Local sockets have no such words. */
#define PLATFORM_HINT_MAX_BYTES 256
bool platform_listener_hint(const struct platform_listener_spec *spec, int result,
                            char out[PLATFORM_HINT_MAX_BYTES]);

/* The socket of a listener that is handed over, for platform_socket_export() and
 * platform_channel_send(). Stays the listener's. While the listener is paused the socket is as a
 * handler expects it: blocking, without any registration. */
struct platform_socket platform_listener_socket(struct platform_listener *listener);

/* The address that it is bound to, with the port that the system chose. UNIX: family ADDRESS_UNIX
 * alone. */
void platform_listener_address(const struct platform_listener *listener, struct address *out);

/* Takes one connection. Its socket is blocking, not inheritable, bears no event or completion-port
 * registration, and getpeername and shutdown work on it; the caller owns it. UNIX: *peer has the
 * user id and pid of who connected, as far as the system tells (SO_PEERCRED, unix(7)). Returns
 * BATON_OK;
 * BATON_AGAIN when there is none (an event follows); BATON_GONE when that client has already left
 * (ECONNABORTED, and the errors of the network that accept(2) lists; try again at once);
 * BATON_SHORTAGE when the process or the system is out of descriptors (POSIX: but for those that a
 * launch takes), buffers or memory (nothing was taken; every listener would fail: pause all, resume
 * them when one is free and by timer); any other code (BATON_SYSTEM) for a fault of this listener
 * alone: the others work. Whether a client waits there cannot be known, so pause this one, and
 * resume it by timer. Windows: BATON_SYSTEM is returned once, too, to tell that AcceptEx does not
 * work there and accept() does its work. */
int platform_listener_accept(struct platform_listener *listener, struct platform_socket *out,
                             struct address *peer, struct baton_cause *cause);

/* True if the client at an accepted local socket was in one of these groups, its own one or a
 * further one, when it connected: SO_PEERCRED, SO_PEERGROUPS (Linux 4.13; socket(7)). False if the
 * system does not tell (Windows), or memory is short. Does not block. */
bool platform_socket_in_groups(struct platform_socket socket, const uint32_t *gids, size_t count);

/* Stops and restarts the reporting of PLATFORM_EVENT_ACCEPT; nobody has the listener then, but who
 * was told to drain. Clients wait in the backlog; on Windows one connection that was already
 * accepted in the background is kept for the next
 * platform_listener_accept(). Idempotent. After a resume, waiting clients are reported. What a
 * handler has done to a socket that it had is made good before (POSIX: its options, the backlog,
 * connect(2) of a UDP socket), which takes long if somebody is using it still. If that cannot be
 * (POSIX: shutdown(2), another address, the file of a local socket removed), LOST is reported
 * instead, once: it reports nothing any more, so close it, and open one anew. */
void platform_listener_pause(struct platform_listener *listener);
void platform_listener_resume(struct platform_listener *listener);

/* Of a listener that is_shared, one of whose holders has ended: makes good what such a one may have
 * done to it that is of no use to anybody (connect(2) of a UDP socket), or LOST is reported. POSIX:
 * LOST is also reported by itself once such a one has shut it down both ways. Windows: nothing. */
void platform_listener_check(struct platform_listener *listener);

/* Tells who waits at a listener that is handed over, without taking anybody; `identify`: who they
 * are as well, which costs more. Linux: tcp(7), sock_diag(7). Windows does not tell. Does not
 * block. */
void platform_listener_waiting(const struct platform_listener *listener, bool identify,
                               struct waiting_set *out);

/* Makes an open listener, which nobody but us may be about to accept from, as one that would be
 * opened by `spec`, at the place where it is: its clients wait on. What is accepted from then on
 * has the new options; of one that was handed over they are put right, as the backlog is, when it
 * is resumed. Who had it stays as he is. `spec` is copied, what it points to is used until the
 * listener is closed. BATON_OK; BATON_UNSUPPORTED: it takes another socket, as that place is
 * elsewhere or of another kind, or somebody may have the one that is there (it was handed over, and
 * is not to be any more; Windows: or the other way round, or plain); BATON_SYSTEM and its like: it
 * is partly so. */
int platform_listener_change(struct platform_listener *listener,
                             const struct platform_listener_spec *spec, struct baton_cause *cause);

/* Closes the listener. Clients in its backlog are refused by the system. The file of a local socket
 * is removed, if it is still the one that was made. */
void platform_listener_close(struct platform_listener **listener);

#endif
