#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_sdk_supervisor_win32.h"

#include <stdio.h>
#include <stdlib.h>

void set_variable(const char *name, const char *value) {
    assert_int_equal(_putenv_s(name, value), 0);
    assert_true(SetEnvironmentVariableA(name, value));
}

void supervisor_start(struct supervisor *supervisor) {
    char numbers[64];
    assert_true(CreatePipe(&supervisor->handler_read, &supervisor->write, NULL, 65536));
    assert_true(CreatePipe(&supervisor->read, &supervisor->handler_write, NULL, 65536));
    SetHandleInformation(supervisor->handler_read, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    SetHandleInformation(supervisor->handler_write, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    snprintf(numbers, sizeof numbers, "%lu,%lu", (unsigned long)(uintptr_t)supervisor->handler_read,
             (unsigned long)(uintptr_t)supervisor->handler_write);
    set_variable("BATON_PROTOCOL", "1");
    set_variable("BATON_CHANNEL", numbers);
    set_variable("BATON_NONCE", TEST_NONCE);
}

/* The bytes that the test sends are few: the pipe takes them without a reader. */
void supervisor_send(const struct supervisor *supervisor, const void *bytes, size_t length) {
    DWORD sent = 0;
    assert_true(WriteFile(supervisor->write, bytes, (DWORD)length, &sent, NULL));
    assert_int_equal(sent, length);
}

void supervisor_say(const struct supervisor *supervisor, const struct wire_message *message) {
    uint8_t frame[2048];
    long length = wire_encode(message, frame, sizeof frame);
    assert_true(length > 0);
    supervisor_send(supervisor, frame, (size_t)length);
}

static void read_exactly(HANDLE pipe, uint8_t *out, size_t length) {
    while (length > 0) {
        DWORD got = 0;
        assert_true(ReadFile(pipe, out, (DWORD)length, &got, NULL));
        out += got;
        length -= got;
    }
}

struct wire_message supervisor_hear(const struct supervisor *supervisor) {
    static uint8_t frame[1024];
    struct wire_message message;
    size_t body_bytes = 0;
    read_exactly(supervisor->read, frame, WIRE_HEADER_BYTES);
    assert_int_equal(wire_check_header(frame, WIRE_HEADER_BYTES, WIRE_FROM_HANDLER, &body_bytes),
                     WIRE_OK);
    read_exactly(supervisor->read, frame + WIRE_HEADER_BYTES, body_bytes);
    assert_int_equal(
        wire_decode(frame, WIRE_HEADER_BYTES + body_bytes, WIRE_FROM_HANDLER, &message), WIRE_OK);
    return message;
}

void supervisor_hear_end(const struct supervisor *supervisor) {
    uint8_t byte;
    DWORD got = 0;
    assert_false(ReadFile(supervisor->read, &byte, 1, &got, NULL));
    assert_int_equal(GetLastError(), ERROR_BROKEN_PIPE);
}

void supervisor_end(struct supervisor *supervisor) {
    if (supervisor->write != NULL)
        CloseHandle(supervisor->write);
    CloseHandle(supervisor->read);
    supervisor->write = NULL;
}

SOCKET listen_somewhere(struct sockaddr_in *address) {
    int length = sizeof *address;
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)address, sizeof *address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)address, &length), 0);
    return listener;
}

/* A connected pair: [0] is the client's end. */
void socket_pair(SOCKET pair[2]) {
    struct sockaddr_in address;
    SOCKET listener = listen_somewhere(&address);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(pair[0], (struct sockaddr *)&address, sizeof address), 0);
    pair[1] = accept(listener, NULL, NULL);
    assert_true(pair[1] != INVALID_SOCKET);
    closesocket(listener);
}

struct wire_message an_offer(const WSAPROTOCOL_INFOW *info) {
    return (struct wire_message){.type = WIRE_OFFER,
                                 .connection = 17,
                                 .service = {"ok", 2},
                                 .kind = WIRE_KIND_CONNECTION,
                                 .peer = {4, 50122, {127, 0, 0, 1}},
                                 .accepted_us = 1767225600000000u,
                                 .id = 170,
                                 .protocol_info = (const uint8_t *)info};
}
