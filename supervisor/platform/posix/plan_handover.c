/*
 * What was handed over (handover.c), as a child takes it, and gives it back.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

union control {
    char bytes[CMSG_SPACE(HANDOVER_MAX_COUNT * sizeof(int))];
    struct cmsghdr align;
};

int posix_handover_send(int socket, uint32_t number, const int *descriptors, size_t count) {
    union control control = {.bytes = {0}};
    struct iovec part = {&number, sizeof number};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int))};
    control.align.cmsg_level = SOL_SOCKET;
    control.align.cmsg_type = SCM_RIGHTS;
    control.align.cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(&control.align), descriptors, count * sizeof(int));
    return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int posix_handover_receive_next(int socket, uint32_t *number, int *descriptors) {
    union control control;
    struct iovec part = {number, sizeof *number};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    if (recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) {
        return -1;
    }
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) {
        return 0;
    }
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    memcpy(descriptors, CMSG_DATA(header), bytes);
    return (int)(bytes / sizeof(int));
}

/* The packet of that number, behind what may be left of a launch that could not be undone. */
int posix_handover_receive(int socket, uint32_t wanted, int *descriptors) {
    uint32_t number;
    int count;
    while ((count = posix_handover_receive_next(socket, &number, descriptors)) >= 0 &&
           number != wanted) {
        while (count > 0) {
            close(descriptors[--count]);
        }
    }
    return count;
}

/* ---- In the child ---- */

int posix_handover_find(const struct handover *handover, int descriptor) {
    for (size_t i = 0; handover != NULL && i < handover->count; i++) {
        if (handover->given[i] == descriptor) {
            return handover->taken[i];
        }
    }
    return descriptor;
}

int posix_handover_take(const struct spawn *spawn) {
    struct handover *handover = spawn->handover;
    if (handover == NULL || handover->count == 0) {
        return 0;
    }
    int count = posix_handover_receive(handover->socket, handover->number, handover->taken);
    if (count < 0) {
        return -1;
    }
    handover->taken_count = (size_t)count;
    handover->was_taken = true;
    if ((size_t)count < handover->count) { /* the kernel cuts what there are no numbers for */
        errno = EMFILE;
        return -1;
    }
    for (uint32_t i = 0; i < spawn->passed_count; i++) {
        spawn->passed[i] = posix_handover_find(handover, spawn->passed[i]);
    }
    return 0;
}

/* With as high a limit of descriptors as we have: that is what the kernel goes by (handover.c). */
void posix_handover_return(struct handover *handover) {
    if (handover != NULL && handover->returns_first && handover->was_taken &&
        handover->taken_count > 0) {
        struct rlimit limit;
        if (prlimit(0, RLIMIT_NOFILE, NULL, &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            prlimit(0, RLIMIT_NOFILE, &limit, NULL);
        }
        bool is_sent =
            posix_handover_send(handover->socket, handover->number, &handover->taken[0], 1) == 0;
        handover->return_code = is_sent ? 0 : errno;
    }
}
