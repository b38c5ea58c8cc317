// Datagrams (KIND 3), as *Datagrams* on the page asks for it. See stranger.h.
#include "stranger.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>

static uint16_t port_of(const struct sockaddr_storage *address) {
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, address, sizeof v4);
    memcpy(&v6, address, sizeof v6);
    return address->ss_family == AF_INET    ? ntohs(v4.sin_port)
           : address->ss_family == AF_INET6 ? ntohs(v6.sin6_port)
                                            : 0;
}

// Whether a datagram may be answered: not what another service may have sent, or somebody in its
// name, and of one sender not more than 1,000 at once and 100 a second after that.
static bool may_answer(int fd, const struct sockaddr_storage *sender, socklen_t size) {
    static const uint16_t services[] = {1900, 2049, 3074, 3702, 5060, 5353, 5683, 11211, 27960};
    static uint64_t free_at[1024]; // in microseconds; 10,000 for each answer
    static uint64_t secret;
    while (secret == 0)
        if (getrandom(&secret, sizeof secret, 0) < 0 && errno != EINTR)
            return false;

    if (sender->ss_family == AF_INET || sender->ss_family == AF_INET6) {
        uint16_t port = port_of(sender);
        struct sockaddr_storage own;
        memset(&own, 0, sizeof own);
        getsockname(fd, (struct sockaddr *)&own, &(socklen_t){sizeof own});
        if (port < 1024 || port == port_of(&own))
            return false;
        for (size_t i = 0; i < sizeof services / sizeof services[0]; i++)
            if (port == services[i])
                return false;
    }
    uint64_t hash = secret;
    for (socklen_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)sender)[i]) * 0x100000001b3;
    uint64_t *at = &free_at[(hash ^ hash >> 32) % 1024];

    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t time = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    if (*at < time)
        *at = time;
    if (*at - time >= 1000 * 10000)
        return false;
    *at += 10000;
    return true;
}

// Makes of the address at which a datagram came the one that the answer leaves from, and leaves
// nothing else in the control data. False: there is none.
static bool turn_around(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            // A datagram that came before the option was set has its address in the header alone.
            if (info.ipi_spec_dst.s_addr == INADDR_ANY)
                info.ipi_spec_dst = info.ipi_addr;
            info.ipi_ifindex = 0;
            memcpy(CMSG_DATA(c), &info, sizeof info);
            message->msg_control = c;
            message->msg_controllen = CMSG_SPACE(sizeof info);
            return true;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            if (!IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
                info.ipi6_ifindex = 0;
            memcpy(CMSG_DATA(c), &info, sizeof info);
            message->msg_control = c;
            message->msg_controllen = CMSG_SPACE(sizeof info);
            return true;
        }
    }
    return false;
}

static bool send_answer(int fd, const struct msghdr *answer, uint64_t *bytes_out) {
    ssize_t size = sendmsg(fd, answer, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size > 0)
        *bytes_out += (uint64_t)size;
    return size >= 0;
}

void answer_datagram(int fd, uint64_t *bytes_in, uint64_t *bytes_out) {
    static char data[65536];
    struct sockaddr_storage sender;
    memset(&sender, 0, sizeof sender);
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control;
    struct iovec part = {data, sizeof data};
    struct msghdr message = {.msg_name = &sender,
                             .msg_namelen = sizeof sender,
                             .msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0)
        return;
    *bytes_in += (uint64_t)size;
    // A local socket without a name cannot be answered.
    if (message.msg_namelen == 0 || !may_answer(fd, &sender, message.msg_namelen))
        return;
    part.iov_len = (size_t)size;
    if (turn_around(&message) && send_answer(fd, &message, bytes_out))
        return;
    // No address was told, or that of a broadcast: the system chooses.
    message.msg_control = NULL;
    message.msg_controllen = 0;
    send_answer(fd, &message, bytes_out);
}

void prepare_datagrams(int fd) {
    // One of the two fails, or both do, where the socket is of another family.
    setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &(int){1}, sizeof(int));
    setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &(int){1}, sizeof(int));
}
