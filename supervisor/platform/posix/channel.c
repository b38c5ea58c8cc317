/*
 * The channel: a pair of packet sockets (unix(7), SOCK_SEQPACKET), so that a frame is a packet and
 * a descriptor arrives with its own frame. The kernel names the sender of each (SO_PASSCRED).
 */
#include "platform/posix/internal.h"

#include "wire.h"

#include <errno.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

int posix_channel_open(struct platform_process *process, bool is_watched, int *child_end,
                       struct baton_cause *cause) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        return posix_failed(cause, "socketpair");
    }
    process->channel.descriptor = pair[0];
    *child_end = pair[1];
    int result = posix_credentials_ask(process->platform, pair[0], cause);
    return result == BATON_OK && is_watched
               ? posix_watch_begin(process->platform, &process->channel, EPOLLIN, cause)
               : result;
}

/* No more events for reading; nothing to tell the caller twice. */
static int channel_ended(struct platform_process *process) {
    struct posix_watch *channel = &process->channel;
    uint32_t wanted = channel->wanted & ~(uint32_t)EPOLLIN;
    if (wanted == 0) {
        posix_watch_forget(process->platform, channel);
        channel->wanted = 0;
    } else {
        posix_watch_set(process->platform, channel, wanted);
    }
    return BATON_END;
}

void posix_channel_measure(struct platform_process *process) {
    process->left_bytes = 0;
    if (process->channel.descriptor >= 0) {
        ioctl(process->channel.descriptor, SIOCINQ, &process->left_bytes);
    }
}

static int receive_failed(struct platform_process *process, struct baton_cause *cause) {
    if (errno == EAGAIN) {
        return process->ended ? channel_ended(process) : BATON_AGAIN;
    }
    posix_failed(cause, "recvmsg");
    return BATON_SYSTEM;
}

static int check_frame(const void *frame, size_t length, const struct origin *origin) {
    size_t body_bytes;
    if (origin->has_rights || (origin->flags & MSG_CTRUNC) != 0) {
        return BATON_DENIED;
    }
    if ((origin->flags & MSG_TRUNC) != 0) {
        return BATON_TOO_LONG;
    }
    if (wire_check_header(frame, length, WIRE_FROM_HANDLER, &body_bytes) != WIRE_OK ||
        length != WIRE_HEADER_BYTES + body_bytes) {
        return BATON_INVALID;
    }
    return BATON_OK;
}

int platform_channel_receive(struct platform_process *process, void *buffer, size_t capacity,
                             size_t *length, struct baton_cause *cause) {
    *length = 0;
    *cause = (struct baton_cause){0};
    if (process->launch != NULL) {
        return BATON_AGAIN; /* LAUNCHED comes first */
    }
    if (process->channel.descriptor < 0) {
        return BATON_END;
    }
    if (process->ended && process->left_bytes <= 0) {
        /* Somebody who escaped may still hold the handler's end, and write for ever. */
        return channel_ended(process);
    }
    struct origin origin;
    ssize_t got;
    do {
        got = posix_credentials_receive(process->platform, process->channel.descriptor, buffer,
                                        capacity, &origin);
        /* A handler that ended with something unread makes the kernel say ECONNRESET once, and only
         * then what it had sent before. */
    } while (got < 0 && errno == ECONNRESET);
    if (got < 0) {
        return receive_failed(process, cause);
    }
    if (got == 0 && origin.pid < 0) {
        return channel_ended(process);
    }
    process->speaker = origin.pid > 0 ? origin.pid : 0;
    process->left_bytes -= process->ended ? (int)got : 0;
    *length = (size_t)got;
    return check_frame(buffer, *length, &origin);
}

static int send_failed(struct platform_process *process, struct baton_cause *cause) {
    struct posix_watch *channel = &process->channel;
    if (errno == EAGAIN) {
        int result =
            posix_watch_begin(process->platform, channel, channel->wanted | EPOLLOUT, cause);
        return result == BATON_OK ? BATON_AGAIN : result;
    }
    int result = posix_failed(cause, "sendmsg");
    return result == BATON_GONE || result == BATON_SHORTAGE ? result : BATON_SYSTEM;
}

int platform_channel_send(struct platform_process *process, const void *frame, size_t length,
                          struct platform_socket attach, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    if (process->channel.descriptor < 0) {
        return BATON_GONE;
    }
    if (length > PLATFORM_SEND_MAX_BYTES) {
        return BATON_TOO_LONG;
    }
    /* A packet socket takes a packet whole or not at all; PLATFORM_SOCKET_NONE is -1. */
    ssize_t sent = posix_send_packet(process->channel.descriptor, frame, length, (int)attach.value);
    return sent < 0 ? send_failed(process, cause) : BATON_OK;
}

/* What lies in it unread may have a descriptor with it that closing it would close; and closing
 * tells all who watch the other end, which whoever has that can make a hundred thousand. */
void platform_channel_close(struct platform_process *process) {
    posix_watch_forget(process->platform, &process->channel);
    process->channel.wanted = 0;
    posix_let_go(process->platform, process->channel.descriptor);
    process->channel.descriptor = -1;
}
