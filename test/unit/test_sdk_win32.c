/* libbaton on Windows: a channel of two pipes with the test as its supervisor, and a socket on
 * standard input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "baton.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#define TEST_NONCE "000102030405060708090a0b0c0d0e0f"

struct supervisor {
    HANDLE read, write;                 /* our ends */
    HANDLE handler_read, handler_write; /* the handler's */
};

static void set_variable(const char *name, const char *value) {
    assert_int_equal(_putenv_s(name, value), 0);
    assert_true(SetEnvironmentVariableA(name, value));
}

static void supervisor_start(struct supervisor *supervisor) {
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
static void supervisor_send(const struct supervisor *supervisor, const void *bytes, size_t length) {
    DWORD sent = 0;
    assert_true(WriteFile(supervisor->write, bytes, (DWORD)length, &sent, NULL));
    assert_int_equal(sent, length);
}

static void supervisor_say(const struct supervisor *supervisor,
                           const struct wire_message *message) {
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

static struct wire_message supervisor_hear(const struct supervisor *supervisor) {
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

static void supervisor_hear_end(const struct supervisor *supervisor) {
    uint8_t byte;
    DWORD got = 0;
    assert_false(ReadFile(supervisor->read, &byte, 1, &got, NULL));
    assert_int_equal(GetLastError(), ERROR_BROKEN_PIPE);
}

static void supervisor_end(struct supervisor *supervisor) {
    if (supervisor->write != NULL)
        CloseHandle(supervisor->write);
    CloseHandle(supervisor->read);
    supervisor->write = NULL;
}

static struct baton *start_open(struct supervisor *supervisor) {
    struct baton *baton = NULL;
    supervisor_start(supervisor);
    assert_int_equal(baton_open(NULL, &baton), 0);
    struct wire_message hello = supervisor_hear(supervisor);
    assert_int_equal(hello.type, WIRE_HELLO);
    assert_int_equal(hello.pid, GetCurrentProcessId());
    return baton;
}

static SOCKET listen_somewhere(struct sockaddr_in *address) {
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
static void socket_pair(SOCKET pair[2]) {
    struct sockaddr_in address;
    SOCKET listener = listen_somewhere(&address);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(pair[0], (struct sockaddr *)&address, sizeof address), 0);
    pair[1] = accept(listener, NULL, NULL);
    assert_true(pair[1] != INVALID_SOCKET);
    closesocket(listener);
}

static struct wire_message an_offer(const WSAPROTOCOL_INFOW *info) {
    return (struct wire_message){.type = WIRE_OFFER,
                                 .connection = 17,
                                 .service = {"ok", 2},
                                 .kind = WIRE_KIND_CONNECTION,
                                 .peer = {4, 50122, {127, 0, 0, 1}},
                                 .accepted_us = 1767225600000000u,
                                 .id = 170,
                                 .protocol_info = (const uint8_t *)info};
}

static bool is_inheritable(HANDLE handle) {
    DWORD flags = 0;
    assert_true(GetHandleInformation(handle, &flags));
    return (flags & HANDLE_FLAG_INHERIT) != 0;
}

static void open_hides_the_channel(void **state) {
    struct supervisor supervisor;
    (void)state;
    struct baton *baton = start_open(&supervisor);
    assert_false(is_inheritable(supervisor.handler_read));
    assert_false(is_inheritable(supervisor.handler_write));
    assert_null(getenv("BATON_CHANNEL"));
    assert_int_equal(GetEnvironmentVariableA("BATON_NONCE", NULL, 0), 0);
    assert_int_equal(GetEnvironmentVariableA("BATON_PROTOCOL", NULL, 0), 0);
    baton_close(&baton);
    supervisor_hear_end(&supervisor);
    supervisor_end(&supervisor);
}

static void a_connection_is_rebuilt_served_and_done(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    WSAPROTOCOL_INFOW info;
    SOCKET pair[2];
    char bytes[16];
    (void)state;
    struct baton *baton = start_open(&supervisor);
    socket_pair(pair);
    assert_int_equal(WSADuplicateSocketW(pair[1], GetCurrentProcessId(), &info), 0);
    struct wire_message offer = an_offer(&info);
    supervisor_say(&supervisor, &offer);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_ACK);
    closesocket(pair[1]);
    assert_string_equal(connection.peer, "127.0.0.1:50122");
    assert_string_equal(connection.service, "ok");
    assert_false(is_inheritable((HANDLE)connection.socket));
    assert_int_equal(send(pair[0], "hello", 5, 0), 5);
    assert_int_equal(baton_receive(&connection, bytes, sizeof bytes), 5);
    assert_int_equal(baton_send(&connection, "OK", 2), 0);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    struct wire_message done = supervisor_hear(&supervisor);
    assert_int_equal(done.type, WIRE_DONE);
    assert_int_equal(done.bytes_in, 5);
    assert_int_equal(recv(pair[0], bytes, sizeof bytes, 0), 2);
    assert_int_equal(recv(pair[0], bytes, sizeof bytes, 0), 0);
    closesocket(pair[0]);
    supervisor_end(&supervisor);
    assert_int_equal(baton_next(baton, &connection), 0);
    baton_close(&baton);
}

static void drain_and_torn_frames_end_it(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct wire_message drain = {.type = WIRE_DRAIN};
    (void)state;
    struct baton *baton = start_open(&supervisor);
    supervisor_say(&supervisor, &drain);
    assert_int_equal(baton_next(baton, &connection), 0);
    baton_close(&baton);
    supervisor_end(&supervisor);
    static const char torn[] = "BATN\1\x91\0\0\0\0\0\0\0\0\1\0only this";
    for (size_t length = 0; length < sizeof torn; length++) {
        baton = start_open(&supervisor);
        supervisor_send(&supervisor, torn, length);
        supervisor_end(&supervisor);
        assert_int_equal(baton_next(baton, &connection), 0);
        baton_close(&baton);
    }
}

static void assert_fault(const struct wire_message *message, const void *bytes, size_t length,
                         int fault) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton *baton = start_open(&supervisor);
    if (message != NULL)
        supervisor_say(&supervisor, message);
    else
        supervisor_send(&supervisor, bytes, length);
    assert_int_equal(baton_next(baton, &connection), fault);
    supervisor_hear_end(&supervisor);
    assert_int_equal(baton_next(baton, &connection), 0);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static void breaches_end_the_channel(void **state) {
    WSAPROTOCOL_INFOW info = {0};
    struct wire_message offer = an_offer(NULL);
    (void)state;
    assert_fault(&offer, NULL, 0, BATON_E_PROTOCOL);
    offer = an_offer(&info);
    assert_fault(&offer, NULL, 0, BATON_E_SYSTEM);
    assert_fault(NULL, "0123456789abcdef", 16, BATON_E_PROTOCOL);
    assert_fault(NULL, "BATN\1\x13\0\0\0\0\0\1\0\0\0\0", 16, BATON_E_PROTOCOL);
    assert_fault(NULL, "BATN\1\x91\0\0\0\0\0\0\0\0\x40\1", 16, BATON_E_PROTOCOL);
}

static void malformed_environments(void **state) {
    static const char *const channels[] = {"1", "0,0", "4,4", "x,y", "4294967296,8", "65528,65532"};
    struct baton *baton = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        set_variable("BATON_PROTOCOL", "1");
        set_variable("BATON_CHANNEL", channels[i]);
        set_variable("BATON_NONCE", TEST_NONCE);
        assert_int_equal(baton_open(NULL, &baton), BATON_E_ENVIRONMENT);
        assert_null(baton);
    }
}

static void a_connection_on_standard_input(void **state) {
    HANDLE before = GetStdHandle(STD_INPUT_HANDLE);
    struct baton *baton = NULL;
    struct baton_connection connection;
    SOCKET pair[2];
    char bytes[16];
    (void)state;
    socket_pair(pair);
    assert_true(SetStdHandle(STD_INPUT_HANDLE, (HANDLE)pair[1]));
    assert_int_equal(baton_open(NULL, &baton), 0);
    assert_true(GetStdHandle(STD_INPUT_HANDLE) != (HANDLE)pair[1]);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_true(connection.peer[0] != '\0');
    assert_int_equal(baton_send(&connection, "OK", 2), 0);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    assert_int_equal(recv(pair[0], bytes, sizeof bytes, 0), 2);
    assert_int_equal(recv(pair[0], bytes, sizeof bytes, 0), 0);
    assert_int_equal(baton_next(baton, &connection), 0);
    baton_close(&baton);
    closesocket(pair[0]);
    CloseHandle(GetStdHandle(STD_INPUT_HANDLE));
    SetStdHandle(STD_INPUT_HANDLE, before);
}

static void a_listener_on_standard_input(void **state) {
    HANDLE before = GetStdHandle(STD_INPUT_HANDLE);
    struct baton *baton = NULL;
    struct baton_connection connection;
    struct sockaddr_in address;
    SOCKET listener = listen_somewhere(&address);
    SOCKET client = socket(AF_INET, SOCK_STREAM, 0);
    (void)state;
    assert_true(SetStdHandle(STD_INPUT_HANDLE, (HANDLE)listener));
    assert_int_equal(baton_open(NULL, &baton), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_false(is_inheritable((HANDLE)connection.socket));
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    baton_close(&baton);
    closesocket(client);
    CloseHandle(GetStdHandle(STD_INPUT_HANDLE));
    SetStdHandle(STD_INPUT_HANDLE, before);
}

static void nothing_to_serve(void **state) {
    struct baton *baton = NULL;
    (void)state;
    assert_int_equal(baton_open(NULL, &baton), BATON_E_NO_SOURCE);
    assert_null(baton);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(open_hides_the_channel),
        cmocka_unit_test(a_connection_is_rebuilt_served_and_done),
        cmocka_unit_test(drain_and_torn_frames_end_it),
        cmocka_unit_test(breaches_end_the_channel),
        cmocka_unit_test(malformed_environments),
        cmocka_unit_test(a_connection_on_standard_input),
        cmocka_unit_test(a_listener_on_standard_input),
        cmocka_unit_test(nothing_to_serve),
    };
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 1;
    return cmocka_run_group_tests_name("sdk_win32", tests, NULL, NULL);
}
