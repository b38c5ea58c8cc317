/* The channel on POSIX: one end of a SOCK_SEQPACKET pair, on which a frame is a packet (unix(7)).
 */
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ATTACHED_MAX_COUNT = 8 };

static int socket_option(int descriptor, int option) {
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(descriptor, SOL_SOCKET, option, &value, &length) == 0 ? value : -1;
}

int body_channel_open(struct body_channel *channel, uint32_t in, uint32_t out) {
    int descriptor = (int)in;
    if (in != out || in > INT32_MAX || socket_option(descriptor, SO_TYPE) != SOCK_SEQPACKET ||
        socket_option(descriptor, SO_DOMAIN) != AF_UNIX)
        return body_wrong_environment("BATON_CHANNEL");
    int flags = fcntl(descriptor, F_GETFL);
    if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 || flags < 0 ||
        fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK) != 0)
        return BATON_E_SYSTEM;
    *channel = (struct body_channel){true, descriptor, descriptor};
    return 0;
}

/* Takes the descriptors out of the control data. True if there is none, or exactly one and nothing
 * else; it is then in *attached. Otherwise everything that came is closed. */
static bool collect_attached(struct msghdr *message, baton_socket *attached) {
    size_t count = 0;
    bool strange = (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    *attached = BATON_SOCKET_NONE;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            strange = true;
            continue;
        }
        size_t part_count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < part_count; i++) {
            int descriptor = -1;
            memcpy(&descriptor, CMSG_DATA(part) + i * sizeof descriptor, sizeof descriptor);
            if (count++ == 0)
                *attached = descriptor;
            else
                close(descriptor);
        }
    }
    if (!strange && count <= 1)
        return true;
    body_socket_close(attached);
    return false;
}

static long receive_packet(const struct body_channel *channel, void *bytes, size_t size,
                           baton_socket *attached) {
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(ATTACHED_MAX_COUNT * sizeof(int))];
    } control;
    struct iovec part = {bytes, size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    ssize_t length;
    *attached = BATON_SOCKET_NONE;
    do {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        length = recvmsg((int)channel->in, &message, MSG_CMSG_CLOEXEC);
        /* When the supervisor closed its end before it had read all of ours, the kernel says
         * ECONNRESET once, ahead of what it sent us before that. */
    } while (length < 0 && (errno == EINTR || errno == ECONNRESET));
    if (length < 0)
        return BATON_E_SYSTEM;
    return collect_attached(&message, attached) ? (long)length : BATON_E_PROTOCOL;
}

long body_channel_receive(struct body_channel *channel, void *frame, baton_socket *attached) {
    return receive_packet(channel, frame, BODY_FRAME_MAX_BYTES, attached);
}

int body_channel_send(const struct body_channel *channel, const void *frame, size_t length) {
    ssize_t sent;
    do
        sent = send((int)channel->out, frame, length, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    return errno == EPIPE || errno == ECONNRESET || errno == ENOTCONN ? BATON_E_CLOSED
                                                                      : BATON_E_SYSTEM;
}

/* accept(2) would fail for ever on what does not listen. */
static bool is_of_kind(int descriptor, uint8_t kind) {
    int type = socket_option(descriptor, SO_TYPE);
    bool listens = socket_option(descriptor, SO_ACCEPTCONN) == 1;
    return kind == WIRE_KIND_DATAGRAM
               ? type == SOCK_DGRAM
               : type == SOCK_STREAM && listens == (kind == WIRE_KIND_LISTENER);
}

int body_channel_socket(const struct wire_message *offer, baton_socket attached,
                        baton_socket *out) {
    *out = attached;
    if (attached != BATON_SOCKET_NONE && offer->protocol_info == NULL &&
        is_of_kind(attached, offer->kind))
        return 0;
    body_socket_close(out);
    return BATON_E_PROTOCOL;
}

/* What lies in it is read out, as an OFFER may be among it: its client would see no end while we
 * live. Nothing can be added, and the end comes behind it. */
void body_channel_end(struct body_channel *channel) {
    bool is_left = true;
    shutdown((int)channel->in, SHUT_RDWR);
    while (is_left) {
        char byte;
        baton_socket attached;
        long length = receive_packet(channel, &byte, sizeof byte, &attached);
        is_left = length > 0 || length == BATON_E_PROTOCOL || attached != BATON_SOCKET_NONE;
        body_socket_close(&attached);
    }
}

void body_channel_close(struct body_channel *channel) {
    if (channel->in_use)
        close((int)channel->in);
    *channel = (struct body_channel){0};
}
