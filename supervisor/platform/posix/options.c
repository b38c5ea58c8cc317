/*
 * Options of sockets: as they are when we open or accept one, and back to that after somebody else
 * had it. They belong to the socket, which all share who have it: socket(7), ip(7), ipv6(7),
 * tcp(7).
 */
#include "platform/posix/internal.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stddef.h>
#include <string.h>
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

/* What the config may say; the buffers hold for sockets of every kind, what comes behind them for
 * TCP.
 */
#define BUFFER_COUNT 2
static const struct {
    uint8_t level, name;
    uint8_t offset; /* in `struct socket_options` */
} configured[] = {
    {SOL_SOCKET, SO_RCVBUF, offsetof(struct socket_options, receive_buffer_bytes)},
    {SOL_SOCKET, SO_SNDBUF, offsetof(struct socket_options, send_buffer_bytes)},
    {IPPROTO_TCP, TCP_NODELAY, offsetof(struct socket_options, nodelay)},
    {SOL_SOCKET, SO_KEEPALIVE, offsetof(struct socket_options, keepalive)},
    {IPPROTO_TCP, TCP_KEEPIDLE, offsetof(struct socket_options, keepalive_idle_s)},
    {IPPROTO_TCP, TCP_KEEPINTVL, offsetof(struct socket_options, keepalive_interval_s)},
    {IPPROTO_TCP, TCP_KEEPCNT, offsetof(struct socket_options, keepalive_count)},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, offsetof(struct socket_options, defer_accept_s)},
};

/* On Linux accepted sockets take all of these from their listener, so that accepting costs no call
 * for them; and the size of the receive buffer must be known before listen(2), for it decides what
 * window is offered (tcp(7)). */
int posix_options_set(int descriptor, const struct socket_options *options, bool is_tcp,
                      struct baton_cause *cause) {
    size_t count = is_tcp ? COUNT(configured) : BUFFER_COUNT;
    int result = is_tcp ? posix_set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) : 0;
    for (size_t i = 0; i < count && result == 0; i++) {
        uint32_t value;
        memcpy(&value, (const char *)options + configured[i].offset, sizeof value);
        if (value != 0) { /* 0 leaves what the system does */
            result =
                posix_set_option(descriptor, configured[i].level, configured[i].name, (int)value);
        }
    }
    return result == 0 ? BATON_OK : posix_failed(cause, "setsockopt");
}

/* What a new socket has. Those of other protocols, and of kernels to come, fail and change nothing.
 * A filter that was locked stays (SO_LOCK_FILTER); and so does what has no fixed value and cannot
 * be taken back, as IP_MTU_DISCOVER, TCP_SYNCNT and the TCP_KEEP* that the config does not name.
 */
static const struct {
    uint8_t level, name;
    int8_t value;
} fresh[] = {
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

/* A clamp of the window can only be lifted, above any window. */
#define WIDEST_WINDOW (65535 << 14)

/* Not numbers, and all of them unset by zeros. */
static const uint8_t unset[] = {SO_LINGER, SO_RCVTIMEO, SO_SNDTIMEO, SO_BINDTODEVICE};

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
    static const struct timeval zeros; /* the longest of them */
    fcntl(descriptor, F_SETFL, 0);
    fcntl(descriptor, F_SETOWN, 0);
    fcntl(descriptor, F_SETSIG, 0);
    for (size_t i = 0; i < COUNT(unset); i++) {
        (void)setsockopt(descriptor, SOL_SOCKET, unset[i], &zeros, sizeof zeros);
    }
    for (size_t i = 0; i < COUNT(fresh); i++) {
        posix_set_option(descriptor, fresh[i].level, fresh[i].name, fresh[i].value);
    }
    posix_set_option(descriptor, IPPROTO_TCP, TCP_WINDOW_CLAMP, WIDEST_WINDOW);
    posix_set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, !is_datagram);
    remove_ip_options(descriptor);
    (void)posix_options_set(descriptor, options, !is_datagram, &posix_ignored);
}
