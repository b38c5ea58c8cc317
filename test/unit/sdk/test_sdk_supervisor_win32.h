/* The supervisor's side of a channel, for tests on Windows. */
#ifndef BATON_TEST_SDK_SUPERVISOR_WIN32_H
#define BATON_TEST_SDK_SUPERVISOR_WIN32_H

#include "wire.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#define TEST_NONCE "000102030405060708090a0b0c0d0e0f"

struct supervisor {
    HANDLE read, write;                 /* our ends */
    HANDLE handler_read, handler_write; /* the handler's */
};

/* In the C runtime's environment and the system's. */
void set_variable(const char *name, const char *value);

/* Makes the pipes, the handler's ends inheritable, and puts them into the environment. */
void supervisor_start(struct supervisor *supervisor);

/* The bytes that a test sends are few: the pipe takes them without a reader. */
void supervisor_send(const struct supervisor *supervisor, const void *bytes, size_t length);

void supervisor_say(const struct supervisor *supervisor, const struct wire_message *message);

/* Receives one frame and decodes it. Texts point into a static buffer. Blocks. */
struct wire_message supervisor_hear(const struct supervisor *supervisor);

/* Fails the test unless the handler's end is closed and nothing is left to read. */
void supervisor_hear_end(const struct supervisor *supervisor);

/* Closes our ends. */
void supervisor_end(struct supervisor *supervisor);

/* A listener on a free port of 127.0.0.1. */
SOCKET listen_somewhere(struct sockaddr_in *address);

/* A connected pair: [0] is the client's end, [1] was accepted. */
void socket_pair(SOCKET pair[2]);

/* An OFFER for connection 17 of service "ok", from 127.0.0.1:50122. */
struct wire_message an_offer(const WSAPROTOCOL_INFOW *info);

#endif
