/* Handlers as real processes on Windows, with this test as their supervisor: what is offered is a
 * listener, a datagram socket, or a connection that forward passes on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_sdk_supervisor_win32.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEADLINE_MS = 20000, PIECE_BYTES = 1000, PIECE_COUNT = 10486 /* 10 MiB and a bit */ };

struct running {
    struct supervisor supervisor;
    PROCESS_INFORMATION process;
};

static struct running start(const char *command) {
    struct running running = {.process = {0}};
    char path[1024];
    STARTUPINFOA startup = {.cb = sizeof startup};
    supervisor_start(&running.supervisor);
    snprintf(path, sizeof path, "\"%s\\%s", getenv("BATON_HANDLERS_DIR"), command);
    assert_true(
        CreateProcessA(NULL, path, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &running.process));
    CloseHandle(running.process.hThread);
    CloseHandle(running.supervisor.handler_read);
    CloseHandle(running.supervisor.handler_write);
    assert_int_equal(supervisor_hear(&running.supervisor).type, WIRE_HELLO);
    return running;
}

static void offer(const struct running *running, SOCKET socket, uint8_t kind) {
    WSAPROTOCOL_INFOW info;
    assert_int_equal(WSADuplicateSocketW(socket, running->process.dwProcessId, &info), 0);
    struct wire_message message = an_offer(&info);
    message.kind = kind;
    supervisor_say(&running->supervisor, &message);
    assert_int_equal(supervisor_hear(&running->supervisor).type, WIRE_ACK);
}

/* Hears DONE, ends the channel, and waits for the process. */
static void finish(struct running *running, uint8_t status, const char *text) {
    struct wire_message done = supervisor_hear(&running->supervisor);
    DWORD code = 1;
    assert_int_equal(done.type, WIRE_DONE);
    assert_int_equal(done.status, status);
    if (text != NULL)
        assert_memory_equal(done.text.bytes, text, strlen(text));
    supervisor_end(&running->supervisor);
    assert_int_equal(WaitForSingleObject(running->process.hProcess, DEADLINE_MS), WAIT_OBJECT_0);
    assert_true(GetExitCodeProcess(running->process.hProcess, &code));
    assert_int_equal(code, status);
    CloseHandle(running->process.hProcess);
}

static void say_drain(const struct running *running) {
    supervisor_say(&running->supervisor, &(struct wire_message){.type = WIRE_DRAIN});
}

static SOCKET patient(SOCKET socket) {
    DWORD limit_ms = DEADLINE_MS;
    assert_true(socket != INVALID_SOCKET);
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, (const char *)&limit_ms, sizeof limit_ms);
    SetHandleInformation((HANDLE)socket, HANDLE_FLAG_INHERIT, 0);
    return socket;
}

static SOCKET connect_to(const struct sockaddr_in *address, int type) {
    SOCKET client = patient(socket(AF_INET, type, 0));
    assert_int_equal(connect(client, (const struct sockaddr *)address, sizeof *address), 0);
    return client;
}

static void a_listener_serves_many(void **state) {
    struct sockaddr_in address;
    SOCKET listener = patient(listen_somewhere(&address));
    char bytes[8];
    (void)state;
    struct running running = start("echo.exe\"");
    offer(&running, listener, WIRE_KIND_LISTENER);
    for (int i = 0; i < 3; i++) {
        SOCKET client = connect_to(&address, SOCK_STREAM);
        assert_int_equal(send(client, "hello", 5, 0), 5);
        assert_int_equal(recv(client, bytes, sizeof bytes, 0), 5);
        assert_memory_equal(bytes, "hello", 5);
        assert_int_equal(shutdown(client, SD_SEND), 0);
        assert_int_equal(recv(client, bytes, sizeof bytes, 0), 0);
        closesocket(client);
    }
    say_drain(&running);
    finish(&running, 0, NULL);
    closesocket(listener);
}

static void an_idle_listener_is_given_back(void **state) {
    struct sockaddr_in address;
    SOCKET listener = patient(listen_somewhere(&address));
    (void)state;
    set_variable("LIBBATON_IDLE_MS", "50");
    struct running running = start("echo.exe\"");
    set_variable("LIBBATON_IDLE_MS", "");
    offer(&running, listener, WIRE_KIND_LISTENER);
    finish(&running, 0, NULL);
    /* It is as good as before. */
    SOCKET client = connect_to(&address, SOCK_STREAM);
    SOCKET accepted = accept(listener, NULL, NULL);
    assert_true(accepted != INVALID_SOCKET);
    closesocket(accepted);
    closesocket(client);
    closesocket(listener);
}

static void datagrams_are_answered(void **state) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    int length = sizeof address;
    SOCKET bound = patient(socket(AF_INET, SOCK_DGRAM, 0));
    unsigned char bytes[64];
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(bound, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &length), 0);
    SOCKET client = connect_to(&address, SOCK_DGRAM);
    struct running running = start("time.exe\"");
    offer(&running, bound, WIRE_KIND_DATAGRAM);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(send(client, "", 0, 0), 0);
        assert_int_equal(recv(client, (char *)bytes, sizeof bytes, 0), 4);
        assert_true(bytes[0] >= 0xe0); /* after 2019 */
    }
    say_drain(&running);
    finish(&running, 0, NULL);
    closesocket(client);
    closesocket(bound);
}

/* The other service is played by the test, and somebody has sent a datagram in its name. */
static void a_loop_of_datagrams_ends(void **state) {
    /* A single one whose round takes the interval is answered for ever: so slow may a machine be.
     */
    enum { LATER_MS = 1000, ENDLESS = 20000, BURST = 1000, INTERVAL_MS = 10, IN_FLIGHT = 32 };
    struct sockaddr_in address = {.sin_family = AF_INET};
    int length = sizeof address, count = 0;
    DWORD later_ms = LATER_MS;
    SOCKET bound = patient(socket(AF_INET, SOCK_DGRAM, 0));
    char bytes[64];
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(bound, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &length), 0);
    SOCKET other = connect_to(&address, SOCK_DGRAM);
    struct running running = start("echo.exe\"");
    offer(&running, bound, WIRE_KIND_DATAGRAM);
    ULONGLONG begin_ms = GetTickCount64(), passed_ms = 0;
    for (int i = 0; i < IN_FLIGHT; i++)
        assert_int_equal(send(other, "for ever", 8, 0), 8);
    for (; count < ENDLESS && passed_ms < DEADLINE_MS && recv(other, bytes, sizeof bytes, 0) == 8;
         count++) {
        passed_ms = GetTickCount64() - begin_ms;
        setsockopt(other, SOL_SOCKET, SO_RCVTIMEO, (const char *)&later_ms, sizeof later_ms);
        assert_int_equal(send(other, bytes, 8, 0), 8);
    }
    /* A burst, and a rate since; 2 for each of two clocks that go in steps. */
    assert_in_range(count, BURST, BURST + passed_ms / INTERVAL_MS + 4);
    SOCKET stranger = connect_to(&address, SOCK_DGRAM);
    assert_int_equal(send(stranger, "still there", 11, 0), 11);
    assert_int_equal(recv(stranger, bytes, sizeof bytes, 0), 11);
    say_drain(&running);
    finish(&running, 0, NULL);
    closesocket(stranger);
    closesocket(other);
    closesocket(bound);
}

struct transfer {
    SOCKET socket;
    unsigned seed;
    bool is_whole;
};

static unsigned char byte_at(unsigned seed, size_t at) {
    return (unsigned char)((at * 31 + at / 251 + seed) & 0xff);
}

static DWORD WINAPI send_all(void *argument) {
    const struct transfer *transfer = argument;
    char piece[PIECE_BYTES];
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        for (size_t k = 0; k < PIECE_BYTES; k++)
            piece[k] = (char)byte_at(transfer->seed, i * PIECE_BYTES + k);
        for (int sent = 0, more; sent < PIECE_BYTES; sent += more)
            if ((more = send(transfer->socket, piece + sent, PIECE_BYTES - sent, 0)) <= 0)
                return 1;
    }
    return shutdown(transfer->socket, SD_SEND) == 0 ? 0 : 1;
}

static DWORD WINAPI receive_all(void *argument) {
    struct transfer *transfer = argument;
    char bytes[4096];
    size_t total = 0;
    int got;
    while ((got = recv(transfer->socket, bytes, sizeof bytes, 0)) > 0)
        for (int i = 0; i < got; i++, total++)
            if ((unsigned char)bytes[i] != byte_at(transfer->seed, total))
                return 1;
    transfer->is_whole = got == 0 && total == (size_t)PIECE_BYTES * PIECE_COUNT;
    return 0;
}

/* Each side sends and receives at the same time; an end of sending is passed on for each. */
static void transfer_both_ways(SOCKET client, SOCKET target) {
    struct transfer there = {client, 1, false}, back = {target, 2, false};
    struct transfer at_target = {target, 1, false}, at_client = {client, 2, false};
    HANDLE threads[] = {CreateThread(NULL, 0, send_all, &there, 0, NULL),
                        CreateThread(NULL, 0, send_all, &back, 0, NULL),
                        CreateThread(NULL, 0, receive_all, &at_target, 0, NULL),
                        CreateThread(NULL, 0, receive_all, &at_client, 0, NULL)};
    assert_int_equal(WaitForMultipleObjects(4, threads, TRUE, 2 * DEADLINE_MS), WAIT_OBJECT_0);
    for (int i = 0; i < 4; i++)
        CloseHandle(threads[i]);
    assert_true(at_target.is_whole);
    assert_true(at_client.is_whole);
}

static struct running start_forward(const struct sockaddr_in *address) {
    char command[64];
    snprintf(command, sizeof command, "forward.exe\" 127.0.0.1 %u", ntohs(address->sin_port));
    return start(command);
}

static void forward_loses_nothing(void **state) {
    struct sockaddr_in address;
    SOCKET listener = patient(listen_somewhere(&address)), pair[2];
    (void)state;
    socket_pair(pair);
    patient(pair[0]);
    patient(pair[1]);
    struct running running = start_forward(&address);
    offer(&running, pair[1], WIRE_KIND_CONNECTION);
    closesocket(pair[1]);
    SOCKET target = patient(accept(listener, NULL, NULL));
    transfer_both_ways(pair[0], target);
    finish(&running, 0, NULL);
    closesocket(target);
    closesocket(pair[0]);
    closesocket(listener);
}

/* A port that is bound and at which nobody listens. */
static void forward_says_that_nobody_is_there(void **state) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    int length = sizeof address;
    SOCKET unused = patient(socket(AF_INET, SOCK_STREAM, 0)), pair[2];
    char byte;
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(unused, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(unused, (struct sockaddr *)&address, &length), 0);
    socket_pair(pair);
    patient(pair[0]);
    patient(pair[1]);
    struct running running = start_forward(&address);
    offer(&running, pair[1], WIRE_KIND_CONNECTION);
    closesocket(pair[1]);
    finish(&running, 1, "no connection to 127.0.0.1 port ");
    assert_true(recv(pair[0], &byte, 1, 0) <= 0);
    closesocket(pair[0]);
    closesocket(unused);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_listener_serves_many),
        cmocka_unit_test(an_idle_listener_is_given_back),
        cmocka_unit_test(datagrams_are_answered),
        cmocka_unit_test(a_loop_of_datagrams_ends),
        cmocka_unit_test(forward_loses_nothing),
        cmocka_unit_test(forward_says_that_nobody_is_there),
    };
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 1;
    return cmocka_run_group_tests_name("handlers_win32", tests, NULL, NULL);
}
