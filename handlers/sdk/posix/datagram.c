/*
 * Datagrams, and at which of our addresses they came: a socket that is bound to all of them would
 * answer from the one that the route suggests, which a connected client does not take (ip(7),
 * ipv6(7)).
 */
#include "body.h"
#include "sockets.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FAMILY_NONE = 0, FAMILY_IPV4 = 4, FAMILY_IPV6 = 6 };

union control {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo))];
};

void body_datagram_prepare(baton_socket socket) {
    int on = 1;
    /* Each fails for a socket of another family, which needs neither. */
    setsockopt(socket, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    setsockopt(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

/* False for a group's or a broadcast address: connect(2) refuses the latter. */
static bool is_a_hosts(struct in_addr address) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = address};
    if (IN_MULTICAST(ntohl(address.s_addr)))
        return false;
    int probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool can_connect = probe >= 0 && connect(probe, (struct sockaddr *)&name, sizeof name) == 0;
    if (probe >= 0)
        close(probe);
    return can_connect;
}

/* For what was sent to a group or to all, the system names an address of ours beside it; not for a
 * datagram that came before body_datagram_prepare(). */
static void note_ipv4(struct baton_connection *connection, const struct in_pktinfo *info) {
    struct in_addr ours = info->ipi_spec_dst;
    connection->arrival_family = FAMILY_NONE;
    if (ours.s_addr == 0 && is_a_hosts(info->ipi_addr))
        ours = info->ipi_addr;
    if (ours.s_addr == 0)
        return;
    connection->arrival_family = FAMILY_IPV4;
    memcpy(connection->arrival_address, &ours, sizeof ours);
}

static void note_ipv6(struct baton_connection *connection, const struct in6_pktinfo *info) {
    if (IN6_IS_ADDR_MULTICAST(&info->ipi6_addr))
        return;
    connection->arrival_family = FAMILY_IPV6;
    connection->arrival_interface = info->ipi6_ifindex;
    memcpy(connection->arrival_address, &info->ipi6_addr, sizeof info->ipi6_addr);
}

/* A socket for both families tells of an IPv4 client twice; IP_PKTINFO comes last, and knows more.
 */
static void note_arrival(struct baton_connection *connection, struct msghdr *message) {
    struct in_pktinfo ipv4;
    struct in6_pktinfo ipv6;
    connection->arrival_family = FAMILY_NONE;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            memcpy(&ipv4, CMSG_DATA(part), sizeof ipv4);
            note_ipv4(connection, &ipv4);
        } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
            memcpy(&ipv6, CMSG_DATA(part), sizeof ipv6);
            note_ipv6(connection, &ipv6);
        }
    }
}

long baton_receive_datagram(struct baton_connection *connection, void *buffer, size_t size) {
    union control control;
    struct iovec part = {buffer, size};
    struct msghdr message = {.msg_name = connection->sender, .msg_iov = &part, .msg_iovlen = 1};
    ssize_t length;
    do {
        message.msg_namelen = sizeof connection->sender;
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        length = recvmsg(connection->socket, &message, MSG_DONTWAIT);
    } while (length < 0 && errno == EINTR);
    if (length < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? BATON_E_AGAIN : BATON_E_SYSTEM;
    connection->sender_bytes = (uint32_t)message.msg_namelen;
    connection->bytes_in += (uint64_t)length;
    note_arrival(connection, &message);
    body_datagram_addresses(connection);
    return (long)length;
}

/* Names the address to answer from. Returns how many bytes of `control` say so. */
static size_t name_source(const struct baton_connection *connection, union control *control) {
    struct in_pktinfo ipv4 = {0};
    struct in6_pktinfo ipv6 = {0};
    bool is_ipv4 = connection->arrival_family == FAMILY_IPV4;
    if (connection->arrival_family == FAMILY_NONE)
        return 0;
    memset(control, 0, sizeof *control);
    size_t length = is_ipv4 ? sizeof ipv4 : sizeof ipv6;
    control->align.cmsg_len = (socklen_t)CMSG_LEN(length);
    control->align.cmsg_level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    control->align.cmsg_type = is_ipv4 ? IP_PKTINFO : IPV6_PKTINFO;
    if (is_ipv4) {
        memcpy(&ipv4.ipi_spec_dst, connection->arrival_address, sizeof ipv4.ipi_spec_dst);
    } else {
        memcpy(&ipv6.ipi6_addr, connection->arrival_address, sizeof ipv6.ipi6_addr);
        /* Otherwise the route decides where it goes out, which may not be where it came in. */
        if (IN6_IS_ADDR_LINKLOCAL(&ipv6.ipi6_addr))
            ipv6.ipi6_ifindex = connection->arrival_interface;
    }
    memcpy(CMSG_DATA(&control->align), is_ipv4 ? (void *)&ipv4 : (void *)&ipv6, length);
    return CMSG_SPACE(length);
}

static ssize_t send_from(const struct baton_connection *connection, struct iovec *part,
                         void *control, size_t control_bytes) {
    struct msghdr message = {.msg_name = (void *)(uintptr_t)connection->sender,
                             .msg_namelen = (socklen_t)connection->sender_bytes,
                             .msg_iov = part,
                             .msg_iovlen = 1,
                             .msg_control = control_bytes > 0 ? control : NULL,
                             .msg_controllen = (socklen_t)control_bytes};
    ssize_t sent;
    do
        sent = sendmsg(connection->socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent;
}

/* The address is not ours any more, or was never a host's. */
static bool is_about_source(int error) {
    return error == EINVAL || error == EADDRNOTAVAIL || error == ENODEV;
}

int body_datagram_send(struct baton_connection *connection, const void *bytes, size_t length) {
    union control control;
    struct iovec part = {(void *)(uintptr_t)bytes, length};
    size_t control_bytes = name_source(connection, &control);
    ssize_t sent = send_from(connection, &part, control.room, control_bytes);
    if (sent < 0 && control_bytes > 0 && is_about_source(errno))
        sent = send_from(connection, &part, NULL, 0);
    if (sent < 0)
        return BATON_E_SYSTEM;
    connection->bytes_out += (uint64_t)sent;
    return 0;
}
