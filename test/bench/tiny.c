/*
 * The least that a handler can be: reads once, answers OK, ends. By its standard streams, or by
 * Baton's channel where there is one, as handlers/PROTOCOL.md has it; or, with BENCH_SOCKETS,
 * whatever sockets come at standard input, without a word about them.
 *
 * It is what all servers launch when it is they who are to be measured, and not what they launch.
 */
#include "tiny_system.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    HEADER_BYTES = 16,
    NONCE_BYTES = 16,
    HELLO_BYTES = HEADER_BYTES + 4 + NONCE_BYTES + 8 + 8,
    DONE_BYTES = HEADER_BYTES + 5,
    FRAME_MAX_BYTES = 16400,
    TYPE_AT = 5,
    NUMBER_AT = 8,
    LENGTH_AT = 15 /* no body of ours has 256 bytes */
};

enum { HELLO = 0x01, ACK = 0x02, DONE = 0x04, OFFER = 0x11, DRAIN = 0x13 };

static const char *value_of(const char *const *environment, const char *name) {
    for (; *environment != NULL; environment++) {
        size_t at = 0;
        while (name[at] != '\0' && (*environment)[at] == name[at])
            at++;
        if (name[at] == '\0' && (*environment)[at] == '=')
            return *environment + at + 1;
    }
    return NULL;
}

static uint8_t nibble(char digit) {
    return (uint8_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

static void put_header(uint8_t *frame, uint8_t type, const uint8_t *number, uint8_t body_bytes) {
    static const uint8_t START[TYPE_AT] = {'B', 'A', 'T', 'N', 1};
    for (int i = 0; i < HEADER_BYTES; i++)
        frame[i] = i < TYPE_AT ? START[i] : 0;
    frame[TYPE_AT] = type;
    for (int i = 0; i < 4 && number != NULL; i++)
        frame[NUMBER_AT + i] = number[i];
    frame[LENGTH_AT] = body_bytes;
}

static bool send_frame(int channel, const uint8_t *frame, size_t length) {
    return CALL(write, channel, frame, length) == (long)length;
}

static bool say_hello(int channel, const char *nonce) {
    uint8_t frame[HELLO_BYTES];
    uint8_t *field = frame + HEADER_BYTES;
    put_header(frame, HELLO, NULL, HELLO_BYTES - HEADER_BYTES);
    *field++ = 0, *field++ = 0x01, *field++ = 0, *field++ = NONCE_BYTES;
    for (int i = 0; i < NONCE_BYTES; i++)
        *field++ = (uint8_t)(nibble(nonce[2 * i]) << 4 | nibble(nonce[2 * i + 1]));
    uint32_t pid = (uint32_t)CALL(getpid, 0, 0, 0);
    *field++ = 0, *field++ = 0x02, *field++ = 0, *field++ = 4;
    for (int shift = 24; shift >= 0; shift -= 8)
        *field++ = (uint8_t)(pid >> shift);
    *field++ = 0, *field++ = 0x03, *field++ = 0, *field++ = 4;
    *field++ = 0, *field++ = 0, *field++ = 0, *field++ = 1;
    return send_frame(channel, frame, sizeof frame);
}

/* True when the client has had its answer. */
static bool answer(int in, int out) {
    char message[64];
    return CALL(read, in, message, sizeof message) > 0 && CALL(write, out, "OK", 2) == 2;
}

/* The frame's length; 0 or less at the end of the channel. */
static long next_frame(int channel, uint8_t *frame, int *offered) {
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.bytes = {0}};
    struct iovec vector = {.iov_base = frame, .iov_len = FRAME_MAX_BYTES};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control.bytes};
    long length = CALL(recvmsg, channel, &message, MSG_CMSG_CLOEXEC);
    *offered = -1;
    if (length > 0 && message.msg_controllen >= sizeof(struct cmsghdr) &&
        control.header.cmsg_type == SCM_RIGHTS)
        *offered = *(const int *)(const void *)CMSG_DATA(&control.header);
    return length;
}

static bool serve_offer(int channel, const uint8_t *offer, int client) {
    uint8_t frame[DONE_BYTES];
    put_header(frame, ACK, offer + NUMBER_AT, 0);
    if (!send_frame(channel, frame, HEADER_BYTES))
        return false;
    bool is_served = answer(client, client);
    CALL(close, client, 0, 0);
    put_header(frame, DONE, offer + NUMBER_AT, DONE_BYTES - HEADER_BYTES);
    uint8_t *field = frame + HEADER_BYTES;
    field[0] = 0, field[1] = 0x06, field[2] = 0, field[3] = 1, field[4] = !is_served;
    return send_frame(channel, frame, sizeof frame);
}

static long serve_channel(int channel, const char *nonce, bool is_for_one) {
    static uint8_t frame[FRAME_MAX_BYTES];
    if (!say_hello(channel, nonce))
        return 1;
    for (;;) {
        int offered = -1;
        long length = next_frame(channel, frame, &offered);
        if (length < HEADER_BYTES || frame[TYPE_AT] == DRAIN)
            return 0;
        if (frame[TYPE_AT] == OFFER &&
            (offered < 0 || !serve_offer(channel, frame, offered) || is_for_one))
            return offered < 0;
    }
}

static long serve_sockets(void) {
    static uint8_t frame[FRAME_MAX_BYTES];
    int client = -1;
    while (next_frame(0, frame, &client) > 0 && client >= 0) {
        answer(client, client);
        CALL(close, client, 0, 0);
    }
    return 0;
}

static long serve(const char *const *environment) {
    const char *channel = value_of(environment, "BATON_CHANNEL");
    const char *nonce = value_of(environment, "BATON_NONCE");
    const char *reuse = value_of(environment, "BATON_REUSE");
    if (value_of(environment, "BENCH_SOCKETS") != NULL)
        return serve_sockets();
    if (channel == NULL || nonce == NULL)
        return !answer(0, 1);
    int number = 0;
    for (; *channel >= '0' && *channel <= '9'; channel++)
        number = number * 10 + (*channel - '0');
    return serve_channel(number, nonce, reuse != NULL && reuse[0] == '1' && reuse[1] == '\0');
}

TINY_MAIN
