/*
 * Datagrams, and at which of our addresses they came (IP_PKTINFO and IPV6_PKTINFO with WSARecvMsg
 * and WSASendMsg). Wine 8 tells the address of what comes, and its WSASendMsg does not look at what
 * is said of the address to answer from: there answers leave as the route suggests.
 */
#include "body.h"
#include "sockets.h"

#include <limits.h>
#include <mswsock.h>
#include <string.h>
#include <windows.h>

enum { FAMILY_NONE = 0, FAMILY_IPV4 = 4, FAMILY_IPV6 = 6 };

union control {
    WSACMSGHDR align;
    char room[WSA_CMSG_SPACE(sizeof(IN6_PKTINFO)) + WSA_CMSG_SPACE(sizeof(IN_PKTINFO))];
};

void body_datagram_prepare(baton_socket socket) {
    DWORD on = 1;
    /* A socket for both families needs both; each fails where it does not fit. */
    setsockopt((SOCKET)socket, IPPROTO_IP, IP_PKTINFO, (const char *)&on, sizeof on);
    setsockopt((SOCKET)socket, IPPROTO_IPV6, IPV6_PKTINFO, (const char *)&on, sizeof on);
}

/* The socket is blocking, and there is no flag for one call. */
static bool is_readable(SOCKET socket) {
    struct timeval at_once = {0};
    fd_set readable;
    FD_ZERO(&readable);
    FD_SET(socket, &readable);
    return select(0, &readable, NULL, NULL, &at_once) == 1;
}

static void note_arrival(struct baton_connection *connection, WSAMSG *message) {
    IN_PKTINFO ipv4;
    IN6_PKTINFO ipv6;
    connection->arrival_family = FAMILY_NONE;
    for (WSACMSGHDR *part = WSA_CMSG_FIRSTHDR(message); part != NULL;
         part = WSA_CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
            memcpy(&ipv4, WSA_CMSG_DATA(part), sizeof ipv4);
            connection->arrival_family = FAMILY_IPV4;
            connection->arrival_interface = ipv4.ipi_ifindex;
            memcpy(connection->arrival_address, &ipv4.ipi_addr, sizeof ipv4.ipi_addr);
        } else if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
            memcpy(&ipv6, WSA_CMSG_DATA(part), sizeof ipv6);
            connection->arrival_family = FAMILY_IPV6;
            connection->arrival_interface = ipv6.ipi6_ifindex;
            memcpy(connection->arrival_address, &ipv6.ipi6_addr, sizeof ipv6.ipi6_addr);
        }
    }
}

/* NULL if the system has none. */
static LPFN_WSARECVMSG find_receive(SOCKET socket) {
    GUID name = WSAID_WSARECVMSG;
    LPFN_WSARECVMSG found = NULL;
    DWORD length = 0;
    return WSAIoctl(socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &name, sizeof name, &found,
                    sizeof found, &length, NULL, NULL) == 0
               ? found
               : NULL;
}

/* Returns 0 or an error. */
static int receive(struct baton_connection *connection, void *buffer, int room, DWORD *length) {
    SOCKET socket = (SOCKET)connection->socket;
    LPFN_WSARECVMSG receive_message = find_receive(socket);
    struct sockaddr *sender = (struct sockaddr *)(void *)connection->sender;
    int sender_bytes = sizeof connection->sender;
    union control control = {.align = {0}};
    WSABUF part = {(ULONG)room, buffer};
    WSAMSG message = {sender, sender_bytes, &part, 1, {sizeof control.room, control.room}, 0};
    int error = 0;
    connection->arrival_family = FAMILY_NONE;
    if (receive_message == NULL) {
        int received = recvfrom(socket, buffer, room, 0, sender, &sender_bytes);
        error = received == SOCKET_ERROR ? WSAGetLastError() : 0;
        *length = received == SOCKET_ERROR ? 0 : (DWORD)received;
    } else if (receive_message(socket, &message, length, NULL, NULL) == SOCKET_ERROR) {
        error = WSAGetLastError();
    }
    if (receive_message != NULL && (error == 0 || error == WSAEMSGSIZE)) {
        sender_bytes = message.namelen;
        note_arrival(connection, &message);
    }
    connection->sender_bytes = (uint32_t)sender_bytes;
    return error;
}

long baton_receive_datagram(struct baton_connection *connection, void *buffer, size_t size) {
    int room = size > INT_MAX ? INT_MAX : (int)size;
    DWORD length = 0;
    if (!is_readable((SOCKET)connection->socket))
        return BATON_E_AGAIN;
    int error = receive(connection, buffer, room, &length);
    /* An answer of ours did not arrive: that is said here, and concerns nobody. */
    if (error == WSAECONNRESET || error == WSAENETRESET)
        return BATON_E_AGAIN;
    if (error == WSAEMSGSIZE)
        length = (DWORD)room;
    else if (error != 0)
        return body_socket_fault(error);
    connection->bytes_in += length;
    body_datagram_addresses(connection);
    return (long)length;
}

/* Names the address to answer from. Returns how many bytes of `control` say so. */
static ULONG name_source(const struct baton_connection *connection, union control *control) {
    bool is_ipv4 = connection->arrival_family == FAMILY_IPV4;
    IN_PKTINFO ipv4 = {.ipi_ifindex = 0};
    IN6_PKTINFO ipv6 = {.ipi6_ifindex = 0};
    size_t length = is_ipv4 ? sizeof ipv4 : sizeof ipv6;
    if (connection->arrival_family == FAMILY_NONE)
        return 0;
    memset(control, 0, sizeof *control);
    control->align.cmsg_len = WSA_CMSG_LEN(length);
    control->align.cmsg_level = is_ipv4 ? IPPROTO_IP : IPPROTO_IPV6;
    control->align.cmsg_type = is_ipv4 ? IP_PKTINFO : IPV6_PKTINFO;
    memcpy(&ipv4.ipi_addr, connection->arrival_address, sizeof ipv4.ipi_addr);
    memcpy(&ipv6.ipi6_addr, connection->arrival_address, sizeof ipv6.ipi6_addr);
    if (IN6_IS_ADDR_LINKLOCAL(&ipv6.ipi6_addr))
        ipv6.ipi6_ifindex = connection->arrival_interface;
    memcpy(WSA_CMSG_DATA(&control->align), is_ipv4 ? (void *)&ipv4 : (void *)&ipv6, length);
    return (ULONG)WSA_CMSG_SPACE(length);
}

int body_datagram_send(struct baton_connection *connection, const void *bytes, size_t length) {
    SOCKET socket = (SOCKET)connection->socket;
    int size = length > INT_MAX ? INT_MAX : (int)length;
    struct sockaddr *receiver = (struct sockaddr *)(void *)connection->sender;
    int receiver_bytes = (int)connection->sender_bytes;
    union control control;
    ULONG control_bytes = name_source(connection, &control);
    WSABUF part = {(ULONG)size, (char *)(uintptr_t)bytes};
    WSAMSG message = {receiver, receiver_bytes, &part, 1, {control_bytes, control.room}, 0};
    DWORD sent = 0;
    /* Without an address, or where it is no host's (a group's), the route decides. */
    if (control_bytes == 0 || WSASendMsg(socket, &message, 0, &sent, NULL, NULL) == SOCKET_ERROR) {
        int count = sendto(socket, bytes, size, 0, receiver, receiver_bytes);
        if (count == SOCKET_ERROR)
            return body_socket_fault(WSAGetLastError());
        sent = (DWORD)count;
    }
    connection->bytes_out += sent;
    return 0;
}
