/*
 * The SDK's receiver on POSIX, with descriptors attached to frames. The input is a row of packets:
 *   1 byte   how many descriptors are attached (modulo 12)
 *   1 byte   what they are: bit i for the i-th (modulo 8): 1 = a socket, 0 = the null device
 *   2 bytes  length of the packet, most significant first
 *   the packet
 * Whatever comes: no crash, no descriptor kept, and an end.
 */
#include "baton.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { ATTACHED_LIMIT = 12, PACKET_HEADER_BYTES = 4 };

static void require(int holds) {
    if (!holds)
        abort();
}

/* Sends one packet of the input. False if the channel is full or has ended. */
static int send_packet(int channel, const uint8_t *packet, size_t length, size_t attached_count,
                       unsigned kinds, const int samples[2]) {
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(ATTACHED_LIMIT * sizeof(int))];
    } control;
    struct iovec part = {(void *)(uintptr_t)packet, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (attached_count > 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = control.room;
        message.msg_controllen = (socklen_t)CMSG_SPACE(attached_count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = (socklen_t)CMSG_LEN(attached_count * sizeof(int));
        for (size_t i = 0; i < attached_count; i++)
            memcpy(CMSG_DATA(header) + i * sizeof(int), &samples[kinds >> i % 8 & 1], sizeof(int));
    }
    return sendmsg(channel, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static void send_input(int channel, const uint8_t *bytes, size_t length, const int samples[2]) {
    size_t at = 0;
    while (length - at >= PACKET_HEADER_BYTES) {
        size_t packet_bytes = (size_t)bytes[at + 2] << 8 | bytes[at + 3];
        size_t left = length - at - PACKET_HEADER_BYTES;
        if (packet_bytes > left)
            packet_bytes = left;
        if (!send_packet(channel, bytes + at + PACKET_HEADER_BYTES, packet_bytes,
                         bytes[at] % ATTACHED_LIMIT, bytes[at + 1], samples))
            return;
        at += PACKET_HEADER_BYTES + packet_bytes;
    }
}

static struct baton *open_on(int channel) {
    struct baton *baton = NULL;
    struct baton_options options = {.capacity = 3, .kinds = BATON_KIND_CONNECTION};
    char numbers[32];
    snprintf(numbers, sizeof numbers, "%d,%d", channel, channel);
    setenv("BATON_PROTOCOL", "1", 1);
    setenv("BATON_CHANNEL", numbers, 1);
    setenv("BATON_NONCE", "000102030405060708090a0b0c0d0e0f", 1);
    require(baton_open(&options, &baton) == 0);
    return baton;
}

/* The lowest free number: the same before and after, if nothing was kept. */
static int lowest_free(int any) {
    int number = fcntl(any, F_DUPFD_CLOEXEC, 3);
    close(number);
    return number;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static int samples[2] = {-1, -1};
    struct baton_connection connection;
    int pair[2], result;
    if (samples[0] < 0) {
        samples[0] = open("/dev/null", O_RDWR | O_CLOEXEC);
        samples[1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    int before = lowest_free(samples[0]);
    require(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    struct baton *baton = open_on(pair[1]);
    send_input(pair[0], bytes, length, samples);
    shutdown(pair[0], SHUT_WR);
    while ((result = baton_next(baton, &connection)) == 1) {
        require(fcntl(connection.socket, F_GETFD) == FD_CLOEXEC);
        baton_finish(baton, &connection, 0, connection.service);
    }
    require(result == 0 || result == BATON_E_PROTOCOL);
    require(connection.socket == BATON_SOCKET_NONE);
    baton_close(&baton);
    close(pair[0]);
    require(lowest_free(samples[0]) == before);
    return 0;
}
