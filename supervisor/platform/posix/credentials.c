/*
 * Who has sent what is received, and what came with it: SO_PASSCRED makes the kernel name the
 * sender (unix(7)).
 *
 * A descriptor that comes with a frame, or with the bytes of a local client, is of no use here, and
 * can be of any kind. Where there is no room for it the kernel closes it inside our recvmsg(2),
 * which may wait (closer.h). Linux 6.16 and later can refuse it to the sender: SO_PASSRIGHTS.
 * Before that there is room for as many as one message may carry, in the message and among the
 * descriptors, and they are let go.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* asm-generic/socket.h, Linux 6.16 */
#endif

/* SCM_MAX_FD of the kernel (unix(7)). */
#define RIGHTS_MAX_COUNT 253u

/* ---- Whether descriptors can come at all ---- */

int posix_rights_allow(int descriptor, bool allowed) {
    return posix_set_option(descriptor, SOL_SOCKET, SO_PASSRIGHTS, allowed);
}

bool posix_rights_can_be_refused(void) {
    int probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool can = posix_rights_allow(probe, false) == 0;
    posix_close_any(probe);
    return can;
}

int posix_credentials_ask(const struct platform *platform, int descriptor,
                          struct baton_cause *cause) {
    if (posix_set_option(descriptor, SOL_SOCKET, SO_PASSCRED, 1) != 0 ||
        (!platform->takes_rights && posix_rights_allow(descriptor, false) != 0)) {
        return posix_failed(cause, "setsockopt");
    }
    return BATON_OK;
}

/* What nothing but a message's descriptors may take: the limit is lower but for receiving. A system
 * that allows few gives a part of them. */
rlim_t posix_rights_reserve_count(rlim_t limit_count) {
    return limit_count / 4 < RIGHTS_MAX_COUNT ? limit_count / 4 : RIGHTS_MAX_COUNT;
}

static void set_reserve(const struct platform *platform, bool kept) {
    struct rlimit limit = platform->original_descriptors;
    limit.rlim_cur = limit.rlim_max - (kept ? posix_rights_reserve_count(limit.rlim_max) : 0);
    prlimit(0, RLIMIT_NOFILE, &limit, NULL);
}

/* ---- Receiving ---- */

static void let_go_all(struct platform *platform, const struct cmsghdr *control) {
    size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; i++) {
        int descriptor;
        memcpy(&descriptor, CMSG_DATA(control) + i * sizeof descriptor, sizeof descriptor);
        posix_let_go(platform, descriptor);
    }
}

static void read_controls(struct platform *platform, struct msghdr *message,
                          struct origin *origin) {
    struct cmsghdr *control = CMSG_FIRSTHDR(message);
    for (; control != NULL; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET) {
            continue;
        }
        if (control->cmsg_type == SCM_RIGHTS) {
            let_go_all(platform, control);
            origin->has_rights = true;
        } else if (control->cmsg_type == SCM_CREDENTIALS &&
                   control->cmsg_len == CMSG_LEN(sizeof(struct ucred))) {
            struct ucred sender;
            memcpy(&sender, CMSG_DATA(control), sizeof sender);
            origin->pid = sender.pid;
        }
    }
}

/* With room for all that one message can carry. */
static ssize_t receive(struct platform *platform, int descriptor, void *buffer, size_t capacity,
                       struct origin *origin) {
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(RIGHTS_MAX_COUNT * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec room = {.iov_base = buffer, .iov_len = capacity};
    struct msghdr message = {.msg_iov = &room,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    if (platform->takes_rights) {
        set_reserve(platform, false);
    }
    ssize_t got = recvmsg(descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (platform->takes_rights) {
        int code = errno;
        set_reserve(platform, true);
        errno = code;
    }
    *origin = (struct origin){.pid = -1};
    if (got >= 0) {
        origin->flags = message.msg_flags;
        read_controls(platform, &message, origin);
    }
    return got;
}

ssize_t posix_credentials_receive(struct platform *platform, int descriptor, void *buffer,
                                  size_t capacity, struct origin *origin) {
    ssize_t got;
    do {
        got = receive(platform, descriptor, buffer, capacity, origin);
    } while (got < 0 && errno == EINTR);
    return got;
}

ssize_t posix_rights_receive(struct platform *platform, int descriptor, void *buffer,
                             size_t capacity) {
    static struct origin ignored;
    return receive(platform, descriptor, buffer, capacity, &ignored);
}
