/*
 * Who has sent what is received: SO_PASSCRED makes the kernel say so (unix(7)).
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

static pid_t sender_of(struct msghdr *message) {
    const struct cmsghdr *control = CMSG_FIRSTHDR(message);
    if (control == NULL || control->cmsg_level != SOL_SOCKET ||
        control->cmsg_type != SCM_CREDENTIALS ||
        control->cmsg_len != CMSG_LEN(sizeof(struct ucred))) {
        return -1;
    }
    struct ucred sender;
    memcpy(&sender, CMSG_DATA(control), sizeof sender);
    return sender.pid;
}

ssize_t posix_credentials_receive(int descriptor, void *buffer, size_t capacity,
                                  struct origin *origin) {
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
    struct iovec room = {.iov_base = buffer, .iov_len = capacity};
    struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1};
    ssize_t got;
    do {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        got = recvmsg(descriptor, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    *origin = (struct origin){.pid = -1};
    if (got >= 0) {
        *origin = (struct origin){sender_of(&message), message.msg_flags};
    }
    return got;
}
