/*
 * The hand-over: how a child gets its descriptors without a copy of all the others.
 *
 * A child of vfork(2) has a copy of the whole table. That costs more the more connections there
 * are; and until its execve(2) it holds whatever was open, so that it may be the last to close what
 * another handler has set SO_LINGER on. So the child shares the table (CLONE_FILES), and its first
 * step leaves that by close_range(2), which copies only what is below a number: the null device,
 * and one end of a socket. There a packet waits for it with what the program is to have
 * (SCM_RIGHTS, unix(7)).
 *
 * What is in the packet we close before there is a child: nobody else has had it by then, and the
 * packet's copy is one more, so none of that waits. A connection that becomes standard input goes
 * that way too, and nothing of it is left to close when its handler runs. If the launch fails it
 * comes back, in the packet that the child has not taken, or in one of the child's.
 *
 * How many descriptors may be under way counts for a user, against the sender's limit of
 * descriptors (ETOOMANYREFS, unix(7)), unless he has privileges. A child that has given up its
 * user, its privileges or some of that limit may not be let send, so there we keep the connection,
 * until the closer has it. Who has not can as well as we can. And where we cannot, because other
 * processes of our user have so many under way, the child gets a copy of the whole table.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

/* Valgrind does not know this kind of child, and ends the program that asks for one. */
static bool can_share_table(void) {
    return !RUNNING_ON_VALGRIND && syscall(SYS_close_range, INT_MAX, ~0u, CLOSE_RANGE_UNSHARE) == 0;
}

int posix_handover_open(struct platform *platform, struct baton_cause *cause) {
    platform->null_device = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (platform->null_device < 0) {
        return posix_failed(cause, "open /dev/null");
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, platform->handover) != 0) {
        return posix_failed(cause, "socketpair");
    }
    const int *ends = platform->handover; /* the lower one is the child's */
    platform->table_end = (ends[0] > platform->null_device ? ends[0] : platform->null_device) + 1;
    platform->shares_table = can_share_table();
    return BATON_OK;
}

void posix_handover_close(struct platform *platform) {
    posix_close_descriptor(&platform->handover[0]);
    posix_close_descriptor(&platform->handover[1]);
    posix_close_descriptor(&platform->null_device);
}

void posix_handover_add(const struct platform *platform, struct handover *handover,
                        int descriptor) {
    bool is_there = descriptor < 0 || descriptor == platform->null_device;
    for (size_t i = 0; i < handover->count; i++) {
        is_there = is_there || handover->given[i] == descriptor;
    }
    if (!is_there) {
        handover->given[handover->count++] = descriptor;
    }
}

int posix_handover_put(struct platform *platform, const int sockets[2], struct handover *handover) {
    handover->socket = platform->handover[0];
    handover->number = ++platform->handover_number;
    return handover->count == 0 ? 0
                                : posix_handover_send(sockets[1], handover->number, handover->given,
                                                      handover->count);
}

/* Gives the one at `number` back, where nothing is open now. */
static bool restore(int descriptor, int number) {
    if (descriptor != number) {
        bool is_there = dup3(descriptor, number, O_CLOEXEC) >= 0;
        int code = errno;
        close(descriptor); /* nobody else has it, or there is one more */
        errno = code;
        return is_there;
    }
    return true;
}

/* Else what comes next is a later launch's, which is left to that. (The child may have been killed
 * when it had it, and had not said so yet.) */
static bool is_there(int socket, uint32_t wanted) {
    uint32_t number;
    return recv(socket, &number, sizeof number, MSG_PEEK | MSG_DONTWAIT) == sizeof number &&
           (int32_t)(number - wanted) <= 0;
}

/* `*first`: the first of them, to be kept, or -1. */
static int take_back(const int sockets[2], const struct handover *handover, int *first) {
    int back[HANDOVER_MAX_COUNT];
    int socket = sockets[handover->was_taken ? 1 : 0];
    int got = -1;
    errno = EAGAIN;
    if (is_there(socket, handover->number)) {
        got = posix_handover_receive(socket, handover->number, back);
    }
    int code = errno;
    int count = got;
    while (count > 1) {
        close(back[--count]);
    }
    *first = count == 1 ? back[0] : -1;
    errno = code;
    return got;
}

int posix_handover_take_back(const int sockets[2], const struct handover *handover, int *first) {
    int got = take_back(sockets, handover, first);
    if (!handover->returns_first) {
        posix_close_descriptor(first);
    }
    return got;
}

int posix_handover_undo(const struct platform *platform, struct handover *handover) {
    int back;
    int got = posix_handover_take_back(platform->handover, handover, &back);
    int code = handover->return_code != 0 ? handover->return_code : got < 0 ? errno : EMFILE;
    if (!handover->returns_first) {
        return 0;
    }
    if (back >= 0) {
        return restore(back, handover->given[0]) ? 0 : errno;
    }
    return code;
}
