/*
 * Who waits at a listener, without anybody being taken: tcp(7) for the length of a queue, which
 * costs one call, and sock_diag(7) for who is in it. Nothing here waits: the kernel answers a
 * request of sock_diag(7) within the calls that send it and read the answer.
 */
#include "platform/posix/internal.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ANSWER_BYTES 8192u
#define HEAD_BYTES 64u /* of a datagram, to know it by */
/* Of clients that nobody has accepted: who was accepted and let go of is in others. */
#define STATES_ESTABLISHED (1u << 1 | 1u << 8) /* ESTABLISHED, CLOSE_WAIT */

struct question {
    const struct platform_listener *listener;
    uint32_t inode; /* of the listener's socket */
    struct waiting_set *out;
    bool is_whole; /* every answer was read */
};

static void add_id(struct question *q, uint64_t id) {
    if (q->out->id_count < WAITING_IDS_MAX_COUNT) {
        q->out->ids[q->out->id_count++] = id;
    }
}

/* ---- Answers ---- */

static bool is_here(const struct question *q, const struct inet_diag_msg *message) {
    const struct address *bound = &q->listener->bound;
    size_t length = bound->family == ADDRESS_IPV4 ? 4 : 16;
    return address_is_any(bound) || memcmp(bound->bytes, message->id.idiag_src, length) == 0;
}

static void take_inet(struct question *q, const struct nlmsghdr *header) {
    struct inet_diag_msg message;
    if (header->nlmsg_len < NLMSG_LENGTH(sizeof message)) {
        return;
    }
    memcpy(&message, NLMSG_DATA(header), sizeof message);
    if (q->listener->protocol == PLATFORM_UDP) {
        if (message.idiag_inode == q->inode) {
            q->out->amount = message.idiag_rqueue;
        }
    } else if (message.idiag_inode == 0 && is_here(q, &message)) { /* nobody's socket yet */
        add_id(q, (uint64_t)message.id.idiag_cookie[1] << 32 | message.id.idiag_cookie[0]);
    }
}

static void take_unix(struct question *q, const struct nlmsghdr *header) {
    const size_t fixed = NLMSG_LENGTH(sizeof(struct unix_diag_msg));
    if (header->nlmsg_len < fixed) {
        return;
    }
    const struct rtattr *at = (const struct rtattr *)((const char *)header + NLMSG_ALIGN(fixed));
    size_t left = header->nlmsg_len - fixed;
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left)) {
        if (at->rta_type == UNIX_DIAG_RQLEN) {
            struct unix_diag_rqlen queue;
            memcpy(&queue, RTA_DATA(at), sizeof queue);
            q->out->amount = queue.udiag_rqueue;
            q->out->is_known = true;
        } else if (at->rta_type == UNIX_DIAG_ICONS) {
            for (size_t i = 0; i < RTA_PAYLOAD(at) / sizeof(uint32_t); i++) {
                uint32_t inode;
                memcpy(&inode, (const char *)RTA_DATA(at) + i * sizeof inode, sizeof inode);
                if (inode != 0) { /* 0: it has left, and is counted all the same */
                    add_id(q, inode);
                }
            }
        }
    }
}

/* True if there are more to come. */
static bool take_answers(struct question *q, const char *bytes, size_t length) {
    const struct nlmsghdr *header = (const struct nlmsghdr *)bytes;
    bool more = false;
    for (; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
        if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) { /* DONE, ERROR */
            q->is_whole = q->is_whole && header->nlmsg_type == NLMSG_DONE;
            return false;
        }
        if (q->listener->protocol == PLATFORM_UNIX) {
            take_unix(q, header);
        } else {
            take_inet(q, header);
        }
        more = (header->nlmsg_flags & NLM_F_MULTI) != 0;
    }
    return more;
}

/* Sends the request and reads what comes. It is not identified when the system does not answer. */
static void ask(struct question *q, int flags, const void *body, size_t body_bytes) {
    _Alignas(struct nlmsghdr) char bytes[ANSWER_BYTES];
    struct nlmsghdr *request = (struct nlmsghdr *)bytes;
    *request = (struct nlmsghdr){.nlmsg_len = (uint32_t)NLMSG_LENGTH(body_bytes),
                                 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                                 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)};
    memcpy(NLMSG_DATA(request), body, body_bytes);
    int descriptor = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    bool more = descriptor >= 0 && send(descriptor, bytes, request->nlmsg_len, MSG_DONTWAIT) >= 0;
    q->is_whole = more;
    while (more) {
        ssize_t got = recv(descriptor, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);
        q->is_whole = q->is_whole && got > 0 && (size_t)got <= sizeof bytes;
        more = q->is_whole && take_answers(q, bytes, (size_t)got);
    }
    posix_close_any(descriptor);
    q->out->is_identified = q->is_whole;
}

/* ---- Questions ---- */

static void ask_inet(struct question *q, uint8_t protocol, uint32_t states) {
    const struct address *bound = &q->listener->bound;
    const struct inet_diag_req_v2 body = {.sdiag_family =
                                              bound->family == ADDRESS_IPV4 ? AF_INET : AF_INET6,
                                          .sdiag_protocol = protocol,
                                          .idiag_states = states,
                                          .id = {.idiag_sport = htons(bound->port)}};
    ask(q, NLM_F_DUMP, &body, sizeof body);
}

static void ask_unix(struct question *q) {
    const struct unix_diag_req body = {.sdiag_family = AF_UNIX,
                                       .udiag_states = UINT32_MAX,
                                       .udiag_ino = q->inode,
                                       .udiag_show = UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN,
                                       .udiag_cookie = {UINT32_MAX, UINT32_MAX}};
    ask(q, 0, &body, sizeof body);
    q->out->has_nameless = q->out->amount > q->out->id_count;
}

/* The first datagram, by its sender, its length and its beginning (FNV-1a). */
static void look_at_head(int descriptor, struct waiting_set *out) {
    struct {
        struct sockaddr_storage sender;
        uint8_t bytes[HEAD_BYTES];
    } head = {0};
    const uint8_t *at = (const uint8_t *)&head;
    struct iovec part = {head.bytes, sizeof head.bytes};
    struct msghdr message = {.msg_name = &head.sender,
                             .msg_namelen = sizeof head.sender,
                             .msg_iov = &part,
                             .msg_iovlen = 1};
    ssize_t length = recvmsg(descriptor, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if (length < 0) {
        return;
    }
    uint64_t hash = UINT64_C(14695981039346656037) ^ (uint64_t)length;
    for (size_t i = 0; i < sizeof head; i++) {
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    }
    out->ids[out->id_count++] = hash;
}

static void look_at_datagrams(struct question *q, bool identify) {
    int descriptor = q->listener->watch.descriptor;
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof memory;
    if (identify) {
        q->out->is_known = true;
        ask_inet(q, IPPROTO_UDP, UINT32_MAX);
        q->out->is_known = q->out->is_identified;
        look_at_head(descriptor, q->out);
    } else if (getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, memory, &length) == 0) {
        q->out->is_known = true;
        q->out->amount = memory[SK_MEMINFO_RMEM_ALLOC];
    }
}

void platform_listener_waiting(const struct platform_listener *listener, bool identify,
                               struct waiting_set *out) {
    struct question q = {.listener = listener, .out = out};
    struct tcp_info info;
    struct stat status;
    socklen_t length = sizeof info;
    out->is_known = out->is_identified = out->has_nameless = false;
    out->amount = 0;
    out->id_count = 0;
    if (listener->watch.descriptor < 0 || fstat(listener->watch.descriptor, &status) != 0) {
        return;
    }
    q.inode = (uint32_t)status.st_ino;
    if (listener->protocol == PLATFORM_UDP) {
        look_at_datagrams(&q, identify);
        return;
    }
    if (listener->protocol == PLATFORM_UNIX) {
        ask_unix(&q);
        return;
    }
    if (identify) { /* before they are counted: who comes in between must not stand for another */
        ask_inet(&q, IPPROTO_TCP, STATES_ESTABLISHED);
    }
    /* Of a connection, which a handler may have made of it, TCP_INFO would take the lock. */
    if (posix_get_option(listener->watch.descriptor, SO_ACCEPTCONN) != 0 &&
        getsockopt(listener->watch.descriptor, IPPROTO_TCP, TCP_INFO, &info, &length) == 0) {
        out->is_known = info.tcpi_state == TCP_LISTEN;
        out->amount = info.tcpi_unacked; /* of a listener: the length of its queue */
        out->has_nameless = identify && out->amount > out->id_count;
    }
}
