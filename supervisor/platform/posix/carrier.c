#include "platform/posix/carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* On systems that have no close_range(2); more descriptors than a supervisor ever has. */
#define DESCRIPTORS_MAX_COUNT (1u << 20)
#define NAME "batond-carrier"

/* ---- In a carrier ---- */

/* Receives a request, and the descriptor that came along; -1 if there was none. Ends with the
 * supervisor. */
static void receive_request(int socket, struct request *request, int *descriptor) {
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec part = {request, sizeof *request};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got;
    do {
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    if (got != sizeof *request) {
        _exit(0);
    }
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *descriptor = -1;
    if (header != NULL && header->cmsg_type == SCM_RIGHTS) {
        memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    }
}

/* Nothing of what the loop has: neither at its end nor while a job is held. */
static int leave_table(const struct platform *platform, int socket) {
    const int own = 3;
    for (int i = 0; i < own; i++) {
        dup2(platform->null_device, i);
    }
    dup2(socket, own);
    if (syscall(SYS_close_range, own + 1u, ~0u, 0u) != 0) {
        struct rlimit limit;
        prlimit(0, RLIMIT_NOFILE, NULL, &limit);
        for (rlim_t i = own + 1; i < limit.rlim_cur && i < DESCRIPTORS_MAX_COUNT; i++) {
            close((int)i);
        }
    }
    return own;
}

static _Noreturn void carry(const struct platform *platform, int their_socket, uint8_t *bytes) {
    int socket = leave_table(platform, their_socket);
    prctl(PR_SET_NAME, NAME, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* its socket's end is for nobody who is stopped */
    for (;;) {
        struct request request;
        struct answer answer = {0, 0};
        int descriptor;
        receive_request(socket, &request, &descriptor);
        if (request.order == ORDER_HOLD) {
            continue;
        }
        if (request.order == ORDER_CLOSE) {
            int none;
            receive_request(socket, &request, &none);
        } else {
            answer.result = request.work(descriptor, bytes, request.length);
            answer.code = errno;
        }
        close(descriptor); /* of a job: the loop has a copy, so this waits for nobody */
        if (send(socket, &answer, sizeof answer, MSG_NOSIGNAL) < 0) {
            _exit(0);
        }
    }
}

/* ---- In the loop: one carrier ---- */

static bool start_process(struct platform *platform, struct carrier *carrier, int their_end,
                          struct baton_cause *cause) {
    if (posix_watch_begin(platform, &carrier->watch, EPOLLIN, cause) != BATON_OK) {
        return false;
    }
    carrier->pid = posix_fork();
    if (carrier->pid == 0) {
        carry(platform, their_end, carrier->bytes);
    }
    if (carrier->pid < 0) {
        posix_failed(cause, "fork");
        return false;
    }
    /* Without its place among the elders it would be taken for a stray; its socket is closed, and
     * so it ends. */
    if (!posix_elders_add(platform, carrier->pid)) {
        posix_failed_with(cause, "realloc", ENOMEM);
        return false;
    }
    return true;
}

/* When clients have taken all descriptors the handlers' output must flow all the same, for it may
 * be what they wait for: two are kept for the first carrier. */
void carrier_keep_spares(struct platform *platform) {
    for (int i = 0; i < 2 && platform->carriers.first == NULL; i++) {
        int *spare = &platform->carriers.spares[i];
        *spare = *spare < 0 ? fcntl(platform->null_device, F_DUPFD_CLOEXEC, 0) : *spare;
    }
}

void carrier_give_spares(struct platform *platform) {
    posix_close_descriptor(&platform->carriers.spares[0]);
    posix_close_descriptor(&platform->carriers.spares[1]);
}

static bool start(struct platform *platform, struct carrier *carrier, struct baton_cause *cause) {
    int ends[2];
    if (platform->carriers.first == NULL) {
        carrier_give_spares(platform);
    }
    void *bytes =
        mmap(NULL, CARRIER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bytes == MAP_FAILED) {
        posix_failed(cause, "mmap");
        return false;
    }
    carrier->bytes = bytes;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        posix_failed(cause, "socketpair");
        return false;
    }
    carrier->watch.descriptor = ends[0];
    bool works = start_process(platform, carrier, ends[1], cause);
    close(ends[1]);
    return works;
}

static void clear(struct platform *platform, struct carrier *carrier) {
    posix_watch_close(platform, &carrier->watch);
    if (carrier->bytes != NULL) {
        munmap(carrier->bytes, CARRIER_BYTES);
    }
    free(carrier);
}

struct carrier *carrier_start(struct platform *platform, struct baton_cause *cause) {
    struct carrier *carrier = calloc(1, sizeof *carrier);
    if (carrier == NULL) {
        posix_failed(cause, "calloc");
        return NULL;
    }
    carrier->dropped = -1;
    posix_watch_init(&carrier->watch, POSIX_WATCH_CARRIER, 0);
    if (!start(platform, carrier, cause)) {
        clear(platform, carrier);
        carrier_keep_spares(platform);
        return NULL;
    }
    carrier->next = platform->carriers.first;
    platform->carriers.first = carrier;
    return carrier;
}

void carrier_remove(struct platform *platform, struct carrier *carrier) {
    struct carrier **link = &platform->carriers.first;
    while (*link != NULL && *link != carrier) {
        link = &(*link)->next;
    }
    *link = carrier->next;
    carrier_keep_spares(platform); /* before its end can be seen, if there is room */
    clear(platform, carrier);
    carrier_keep_spares(platform);
}

bool carrier_send(const struct carrier *carrier, const struct request *request, int descriptor) {
    return posix_send_packet(carrier->watch.descriptor, request, sizeof *request, descriptor) ==
           sizeof *request;
}
