#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_sdk_supervisor.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 5000, DESCRIPTORS_MAX = 32 };

void supervisor_start(struct supervisor *supervisor) {
    int pair[2];
    char numbers[32];
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
    supervisor->channel = pair[0];
    supervisor->handler = pair[1];
    snprintf(numbers, sizeof numbers, "%d,%d", pair[1], pair[1]);
    setenv("BATON_PROTOCOL", "1", 1);
    setenv("BATON_CHANNEL", numbers, 1);
    setenv("BATON_NONCE", TEST_NONCE, 1);
}

struct baton *supervisor_start_open(struct supervisor *supervisor,
                                    const struct baton_options *options) {
    struct baton *baton = NULL;
    supervisor_start(supervisor);
    assert_int_equal(baton_open(options, &baton), 0);
    assert_int_equal(supervisor_hear(supervisor).type, WIRE_HELLO);
    return baton;
}

void supervisor_send(const struct supervisor *supervisor, const void *frame, size_t length,
                     const int *descriptors, size_t count) {
    union {
        struct cmsghdr align;
        char room[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control = {.room = {0}};
    struct iovec part = {(void *)(uintptr_t)frame, length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (count > 0) {
        message.msg_control = control.room;
        message.msg_controllen = (socklen_t)CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = (socklen_t)CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    assert_int_equal(sendmsg(supervisor->channel, &message, MSG_NOSIGNAL), length);
}

void supervisor_say(const struct supervisor *supervisor, const struct wire_message *message,
                    int descriptor) {
    uint8_t frame[2048];
    long length = wire_encode(message, frame, sizeof frame);
    assert_true(length > 0);
    supervisor_send(supervisor, frame, (size_t)length, &descriptor, descriptor >= 0);
}

static ssize_t hear_packet(const struct supervisor *supervisor, void *frame, size_t size) {
    struct pollfd wait = {.fd = supervisor->channel, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
    return recv(supervisor->channel, frame, size, 0);
}

struct wire_message supervisor_hear(const struct supervisor *supervisor) {
    static uint8_t frame[1024];
    struct wire_message message;
    ssize_t length = hear_packet(supervisor, frame, sizeof frame);
    assert_true(length > 0);
    assert_int_equal(wire_decode(frame, (size_t)length, WIRE_FROM_HANDLER, &message), WIRE_OK);
    return message;
}

void supervisor_hear_end(const struct supervisor *supervisor) {
    char byte;
    assert_int_equal(hear_packet(supervisor, &byte, 1), 0);
}

void supervisor_end(struct supervisor *supervisor) {
    if (supervisor->channel >= 0)
        close(supervisor->channel);
    supervisor->channel = -1;
}

struct wire_message an_offer(uint32_t number) {
    return (struct wire_message){.type = WIRE_OFFER,
                                 .connection = number,
                                 .service = {"ok", 2},
                                 .kind = WIRE_KIND_CONNECTION,
                                 .peer = {4, 50122, {127, 0, 0, 1}},
                                 .local = {6, 7777, {[15] = 1}},
                                 .accepted_us = 1767225600000000u,
                                 .id = 170};
}

void socket_pair(int pair[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

int open_count(void) {
    int count = -1; /* the folder's own */
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}
