/*
 * Where this machine's own people ask batond: a local socket, on Windows a named pipe. The rules at
 * the top of platform.h hold here as well.
 */
#ifndef BATON_PLATFORM_CONTROL_H
#define BATON_PLATFORM_CONTROL_H

#include "core/base/address.h"
#include "core/base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct platform;
struct platform_stream;
struct platform_control; /* an open endpoint */

/* The name of the endpoint where nobody has said another one (supervisor/CONTROL.md): of batond and
 * its clients alike. `is_privileged`: whoever it is for was started by root; Windows: whoever he
 * is. Writes at most `size_bytes` with NUL. BATON_OK, BATON_NOT_FOUND: there is none,
 * BATON_TOO_LONG. Asks the environment. */
int platform_control_default(bool is_privileged, char *out, size_t size_bytes);

/* Makes the folder of that name if it is missing, but not the one that this is in; what is wrong
 * with it shows when the endpoint is opened. Blocks on the disk. Windows: nothing. */
void platform_control_make_folder(const char *path);

struct platform_control_spec {
    const char *path; /* POSIX: of the socket's file, as platform_listener_open() takes it; Windows:
                         \\.\pipe\NAME, for administrators, the system and our own user, whose
                         clients are on this machine */
    uint32_t mode;    /* POSIX: permission bits of the file, 0..0777 */
    const uint32_t *owner; /* POSIX: uid and gid of the file, or NULL */
    bool is_for_all;       /* POSIX: whoever the mode lets in may come; else root and our own user,
                              whatever the mode */
};

/* Opens an endpoint and reports PLATFORM_EVENT_ACCEPT with `token`. `spec` is copied. One that a
 * process has left behind is replaced. Errors as platform_listener_open() has them; BATON_IN_USE:
 * another process has it. */
int platform_control_open(struct platform *platform, const struct platform_control_spec *spec,
                          uint64_t token, struct platform_control **out, struct baton_cause *cause);

/* A client; a value, the caller's, to be given back by platform_control_leave(). All zero = none.
 * Both streams are used as platform.h says, but closed by that call alone. */
struct platform_control_client {
    struct platform_stream *reading, *writing; /* may be the same */
    uintptr_t own;                             /* the body's */
};

/* Takes one client, whose STREAM events come with `token`. BATON_OK; BATON_AGAIN: there is none, an
 * event follows; BATON_GONE: that one had left; BATON_DENIED: it may not come, and is closed: *peer
 * has its user id and pid; BATON_SHORTAGE: pause, and try later; any other: likewise. */
int platform_control_accept(struct platform_control *control, uint64_t token,
                            struct platform_control_client *out, struct address *peer,
                            struct baton_cause *cause);

/* True if the system has all that was written to it, so that it arrives when we leave now; else a
 * STREAM event follows when it has. POSIX: always. */
bool platform_control_has_sent(const struct platform_control_client *client);

/* Closes the connection, and leaves it empty. What it sends is not read. */
void platform_control_leave(struct platform *platform, struct platform_control_client *client);

/* Stops and restarts the reporting of ACCEPT. Idempotent. */
void platform_control_pause(struct platform_control *control);
void platform_control_resume(struct platform_control *control);

/* Closes the endpoint, and removes its file if it is still there. */
void platform_control_close(struct platform_control **control);

#endif
