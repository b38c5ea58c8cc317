/*
 * Options of sockets: as they are when we open or accept one, and back to that after somebody else
 * had it. They belong to the socket, which all share who have it: socket(7), ip(7), ipv6(7),
 * tcp(7).
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sys/time.h>

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* What headers may be too old for: asm-generic/socket.h, linux/udp.h. */
#ifndef SO_BUF_LOCK
#define SO_BUF_LOCK 72
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

struct option {
    int level, name, value;
};

/* 0 leaves what the system does. */
static int set_options(int descriptor, const struct option *options, size_t count,
                       struct baton_cause *cause) {
    for (size_t i = 0; i < count; i++) {
        if (options[i].value != 0 && setsockopt(descriptor, options[i].level, options[i].name,
                                                &options[i].value, sizeof(int)) != 0) {
            return posix_failed(cause, "setsockopt");
        }
    }
    return BATON_OK;
}

int posix_options_set_buffers(int descriptor, const struct socket_options *options,
                              struct baton_cause *cause) {
    const struct option buffers[] = {
        {SOL_SOCKET, SO_RCVBUF, (int)options->receive_buffer_bytes},
        {SOL_SOCKET, SO_SNDBUF, (int)options->send_buffer_bytes},
    };
    return set_options(descriptor, buffers, COUNT(buffers), cause);
}

/* On Linux accepted sockets take all of these from their listener, so that accepting costs no call
 * for them; and the size of the receive buffer must be known before listen(2), for it decides what
 * window is offered (tcp(7)). */
int posix_options_set_tcp(int descriptor, const struct socket_options *options,
                          struct baton_cause *cause) {
    const struct option all[] = {
        {SOL_SOCKET, SO_REUSEADDR, 1},
        {IPPROTO_TCP, TCP_NODELAY, (int)options->nodelay},
        {SOL_SOCKET, SO_KEEPALIVE, (int)options->keepalive},
        {IPPROTO_TCP, TCP_KEEPIDLE, (int)options->keepalive_idle_s},
        {IPPROTO_TCP, TCP_KEEPINTVL, (int)options->keepalive_interval_s},
        {IPPROTO_TCP, TCP_KEEPCNT, (int)options->keepalive_count},
        {IPPROTO_TCP, TCP_DEFER_ACCEPT, (int)options->defer_accept_s},
    };
    return set_options(descriptor, all, COUNT(all), cause);
}

/* What a new socket has. Those of other protocols, and of kernels to come, fail and change nothing.
 * A filter that was locked stays (SO_LOCK_FILTER); and so does what has no fixed value and cannot
 * be taken back, as IP_MTU_DISCOVER, TCP_SYNCNT and the TCP_KEEP* that the config does not name. A
 * clamp of the window can only be lifted, above any window. */
static const struct {
    uint8_t level, name;
    int32_t value;
} __attribute__((packed)) fresh[] = {
    {SOL_SOCKET, SO_DETACH_FILTER, 0},
    {SOL_SOCKET, SO_RCVLOWAT, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 0},
    {SOL_SOCKET, SO_OOBINLINE, 0},
    {SOL_SOCKET, SO_DONTROUTE, 0},
    {SOL_SOCKET, SO_BROADCAST, 0},
    {SOL_SOCKET, SO_REUSEPORT, 0},
    {SOL_SOCKET, SO_PRIORITY, 0},
    {SOL_SOCKET, SO_MARK, 0},
    {SOL_SOCKET, SO_TIMESTAMP, 0},
    {SOL_SOCKET, SO_TIMESTAMPING, 0},
    {SOL_SOCKET, SO_RXQ_OVFL, 0},
    {SOL_SOCKET, SO_SELECT_ERR_QUEUE, 0},
    {SOL_SOCKET, SO_BUSY_POLL, 0},
    {SOL_SOCKET, SO_ZEROCOPY, 0},
    {SOL_SOCKET, SO_PASSCRED, 0},
    {SOL_SOCKET, SO_PASSSEC, 0},
    {SOL_SOCKET, SO_PEEK_OFF, -1},
    {SOL_SOCKET, SO_MAX_PACING_RATE, -1},
    {SOL_SOCKET, SO_BUF_LOCK, 0},
    {SOL_SOCKET, SO_NO_CHECK, 0},
    {IPPROTO_IP, IP_TOS, 0},
    {IPPROTO_IP, IP_TTL, -1},
    {IPPROTO_IP, IP_MINTTL, 0},
    {IPPROTO_IP, IP_RECVERR, 0},
    {IPPROTO_IP, IP_PKTINFO, 0},
    {IPPROTO_IP, IP_RECVTOS, 0},
    {IPPROTO_IP, IP_RECVTTL, 0},
    {IPPROTO_IP, IP_TRANSPARENT, 0},
    {IPPROTO_IP, IP_FREEBIND, 0},
    {IPPROTO_IP, IP_RECVOPTS, 0},
    {IPPROTO_IP, IP_RETOPTS, 0},
    {IPPROTO_IP, IP_RECVORIGDSTADDR, 0},
    {IPPROTO_IP, IP_CHECKSUM, 0},
    {IPPROTO_IP, IP_RECVFRAGSIZE, 0},
    {IPPROTO_IP, IP_MULTICAST_TTL, 1},
    {IPPROTO_IP, IP_MULTICAST_LOOP, 1},
    {IPPROTO_IPV6, IPV6_TCLASS, -1},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1},
    {IPPROTO_IPV6, IPV6_MINHOPCOUNT, 0},
    {IPPROTO_IPV6, IPV6_RECVERR, 0},
    {IPPROTO_IPV6, IPV6_RECVPKTINFO, 0},
    {IPPROTO_IPV6, IPV6_RECVTCLASS, 0},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT},
    {IPPROTO_IPV6, IPV6_DONTFRAG, 0},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, -1},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 1},
    {IPPROTO_IPV6, IPV6_MULTICAST_ALL, 1},
    {IPPROTO_IPV6, IPV6_2292PKTINFO, 0},
    {IPPROTO_IPV6, IPV6_2292HOPLIMIT, 0},
    {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 0},
    {IPPROTO_IPV6, IPV6_RECVHOPOPTS, 0},
    {IPPROTO_IPV6, IPV6_RECVRTHDR, 0},
    {IPPROTO_IPV6, IPV6_RECVDSTOPTS, 0},
    {IPPROTO_IPV6, IPV6_RECVPATHMTU, 0},
    {IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 0},
    {IPPROTO_TCP, TCP_NODELAY, 0},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 0},
    {IPPROTO_TCP, TCP_CORK, 0},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 0},
    {IPPROTO_TCP, TCP_LINGER2, 0},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0},
    {IPPROTO_TCP, TCP_MAXSEG, 0},
    {IPPROTO_TCP, TCP_FASTOPEN, 0},
    {IPPROTO_TCP, TCP_SAVE_SYN, 0},
    {IPPROTO_TCP, TCP_INQ, 0},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, 65535 << 14},
    {IPPROTO_TCP, TCP_QUICKACK, 1},
    {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 0},
    {IPPROTO_TCP, TCP_TX_DELAY, 0},
    {IPPROTO_UDP, UDP_CORK, 0},
    {IPPROTO_UDP, UDP_SEGMENT, 0},
    {IPPROTO_UDP, UDP_GRO, 0},
    {IPPROTO_UDP, UDP_ENCAP, 0},
    {IPPROTO_UDP, UDP_NO_CHECK6_TX, 0},
    {IPPROTO_UDP, UDP_NO_CHECK6_RX, 0},
};

static void set(int descriptor, int level, int name, int value) {
    (void)setsockopt(descriptor, level, name, &value, sizeof value);
}

/* Only where there are any: on a listener it changes what TCP_MAXSEG says. */
static void remove_ip_options(int descriptor) {
    char options[40];
    socklen_t length = sizeof options;
    if (getsockopt(descriptor, IPPROTO_IP, IP_OPTIONS, options, &length) == 0 && length > 0) {
        (void)setsockopt(descriptor, IPPROTO_IP, IP_OPTIONS, "", 0);
    }
}

void posix_options_put_back(int descriptor, const struct socket_options *options,
                            bool is_datagram) {
    struct baton_cause ignored;
    const struct linger no_linger = {0};
    const struct timeval no_limit = {0};
    fcntl(descriptor, F_SETFL, 0);
    fcntl(descriptor, F_SETOWN, 0);
    fcntl(descriptor, F_SETSIG, 0);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &no_linger, sizeof no_linger);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &no_limit, sizeof no_limit);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &no_limit, sizeof no_limit);
    (void)setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, "", 0);
    for (size_t i = 0; i < COUNT(fresh); i++) {
        set(descriptor, fresh[i].level, fresh[i].name, fresh[i].value);
    }
    set(descriptor, SOL_SOCKET, SO_REUSEADDR, !is_datagram);
    remove_ip_options(descriptor);
    (void)posix_options_set_buffers(descriptor, options, &ignored);
    if (!is_datagram) {
        (void)posix_options_set_tcp(descriptor, options, &ignored);
    }
}
