/* The supervisor's side of a channel, for tests of the SDK in the same process (POSIX). */
#ifndef BATON_TEST_SDK_SUPERVISOR_H
#define BATON_TEST_SDK_SUPERVISOR_H

#include "baton.h"
#include "wire.h"

#define TEST_NONCE "000102030405060708090a0b0c0d0e0f"

struct supervisor {
    int channel; /* our end; -1 = closed */
    int handler; /* the number of the handler's end */
};

/* Makes a channel and puts it into the environment. */
void supervisor_start(struct supervisor *supervisor);

/* Opens libbaton on a new channel and reads its HELLO. */
struct baton *supervisor_start_open(struct supervisor *supervisor,
                                    const struct baton_options *options);

/* Sends raw bytes as one packet, with `count` descriptors attached. */
void supervisor_send(const struct supervisor *supervisor, const void *frame, size_t length,
                     const int *descriptors, size_t count);

/* Sends a message, with one descriptor attached unless it is -1. */
void supervisor_say(const struct supervisor *supervisor, const struct wire_message *message,
                    int descriptor);

/* Receives one frame within 5 s and decodes it. Texts point into a static buffer. */
struct wire_message supervisor_hear(const struct supervisor *supervisor);

/* Fails the test unless the handler's end is closed (or shut down) and nothing is left to read. */
void supervisor_hear_end(const struct supervisor *supervisor);

void supervisor_end(struct supervisor *supervisor);

/* An OFFER for connection `number` of service "ok", from 127.0.0.1:50122 to [::1]:7777. */
struct wire_message an_offer(uint32_t number);

/* A connected pair of stream sockets. */
void socket_pair(int pair[2]);

/* How many descriptors this process has open. */
int open_count(void);

#endif
