/* libbaton on Windows: a channel of two pipes with the test as its supervisor, and a socket on
 * standard input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "baton.h"
#include "body.h"
#include "serving.h"
#include "test_sdk_supervisor_win32.h"

#include <fcntl.h>
#include <io.h>
#include <stdio.h>
#include <stdlib.h>

static struct baton *start_open(struct supervisor *supervisor) {
    struct baton *baton = NULL;
    supervisor_start(supervisor);
    assert_int_equal(baton_open(NULL, &baton), 0);
    struct wire_message hello = supervisor_hear(supervisor);
    assert_int_equal(hello.type, WIRE_HELLO);
    assert_int_equal(hello.pid, GetCurrentProcessId());
    return baton;
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
    struct wire_message offer = an_offer(NULL);
    (void)state;
    assert_fault(&offer, NULL, 0, BATON_E_PROTOCOL);
    assert_fault(NULL, "0123456789abcdef", 16, BATON_E_PROTOCOL);
    assert_fault(NULL, "BATN\1\x13\0\0\0\0\0\1\0\0\0\0", 16, BATON_E_PROTOCOL);
    assert_fault(NULL, "BATN\1\x91\0\0\0\0\0\0\0\0\x40\1", 16, BATON_E_PROTOCOL);
}

static void a_socket_that_cannot_be_built_goes_to_another_process(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    WSAPROTOCOL_INFOW info = {0};
    struct wire_message offer = an_offer(&info), drain = {.type = WIRE_DRAIN};
    (void)state;
    struct baton *baton = start_open(&supervisor);
    supervisor_say(&supervisor, &offer);
    supervisor_say(&supervisor, &drain);
    assert_int_equal(baton_next(baton, &connection), BATON_E_SYSTEM);
    assert_int_not_equal(GetLastError(), ERROR_SUCCESS);
    assert_true(connection.socket == BATON_SOCKET_NONE);
    struct wire_message nack = supervisor_hear(&supervisor);
    assert_int_equal(nack.type, WIRE_NACK);
    assert_int_equal(nack.connection, offer.connection);
    assert_int_equal(nack.reason, WIRE_REASON_RETIRE);
    assert_int_equal(baton_next(baton, &connection), 0);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static void a_held_connection_is_not_offered_again(void **state) {
    struct supervisor supervisor;
    struct baton_connection held, none;
    WSAPROTOCOL_INFOW info;
    SOCKET pair[2];
    (void)state;
    struct baton *baton = start_open(&supervisor);
    socket_pair(pair);
    assert_int_equal(WSADuplicateSocketW(pair[1], GetCurrentProcessId(), &info), 0);
    struct wire_message offer = an_offer(&info);
    supervisor_say(&supervisor, &offer);
    assert_int_equal(baton_next(baton, &held), 1);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_ACK);
    assert_int_equal(WSADuplicateSocketW(pair[1], GetCurrentProcessId(), &info), 0);
    offer = an_offer(&info);
    supervisor_say(&supervisor, &offer);
    assert_int_equal(baton_next(baton, &none), BATON_E_PROTOCOL);
    supervisor_hear_end(&supervisor);
    assert_int_equal(baton_finish(baton, &held, 0, NULL), BATON_E_CLOSED);
    baton_close(&baton);
    supervisor_end(&supervisor);
    closesocket(pair[0]);
    closesocket(pair[1]);
}

static void malformed_environments(void **state) {
    static const char *const times[] = {"10s", " 10", "+10", "1_0", "-1", "4294967296"};
    static const char *const channels[] = {"1",   "0,0", "+4,8",         " 4,8",       "0x4,8",
                                           "4,4", "x,y", "4294967296,8", "65528,65532"};
    struct baton *baton = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof channels / sizeof *channels; i++) {
        set_variable("BATON_PROTOCOL", "1");
        set_variable("BATON_CHANNEL", channels[i]);
        set_variable("BATON_NONCE", TEST_NONCE);
        assert_int_equal(baton_open(NULL, &baton), BATON_E_ENVIRONMENT);
        assert_null(baton);
    }
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        set_variable("LIBBATON_IDLE_MS", times[i]);
        assert_int_equal(baton_open(NULL, &baton), BATON_E_IDLE_MS);
        assert_null(baton);
    }
    set_variable("LIBBATON_IDLE_MS", "");
}

static uint32_t idle_ms_with(const char *workers) {
    struct supervisor supervisor;
    set_variable("BATON_WORKERS", workers);
    struct baton *baton = start_open(&supervisor);
    uint32_t found_ms = baton->options.idle_ms;
    baton_close(&baton);
    supervisor_end(&supervisor);
    set_variable("BATON_WORKERS", "");
    return found_ms;
}

static void who_is_kept_does_not_end_when_nobody_comes(void **state) {
    (void)state;
    assert_int_equal(idle_ms_with(""), 10000);
    assert_int_equal(idle_ms_with("4"), UINT32_MAX);
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

/* ---- The C runtime's descriptors of the streams ---- */

typedef int(WSAAPI *get_option)(SOCKET socket, int level, int name, char *value, int *length);
typedef int(WSAAPI *duplicate)(SOCKET socket, DWORD pid, LPWSAPROTOCOL_INFOW info);

/* The entries of the import table, as the linker calls them. */
extern get_option __imp_getsockopt;
extern duplicate __imp_WSADuplicateSocketW;

static get_option real_get_option;
static duplicate real_duplicate;
static SOCKET unknown = INVALID_SOCKET; /* to Winsock, as an inherited one may be */
static bool duplicate_fails;

static int WSAAPI get_option_or_not(SOCKET socket, int level, int name, char *value, int *length) {
    if (socket != unknown)
        return real_get_option(socket, level, name, value, length);
    WSASetLastError(WSAENOTSOCK);
    return SOCKET_ERROR;
}

static int WSAAPI duplicate_or_not(SOCKET socket, DWORD pid, LPWSAPROTOCOL_INFOW info) {
    if (!duplicate_fails)
        return real_duplicate(socket, pid, info);
    WSASetLastError(WSAENOTSOCK);
    return SOCKET_ERROR;
}

static void replace_imports(void) {
    DWORD ignored;
    VirtualProtect(&__imp_getsockopt, sizeof(void *), PAGE_READWRITE, &ignored);
    VirtualProtect(&__imp_WSADuplicateSocketW, sizeof(void *), PAGE_READWRITE, &ignored);
    real_get_option = __imp_getsockopt;
    real_duplicate = __imp_WSADuplicateSocketW;
    __imp_getsockopt = get_option_or_not;
    __imp_WSADuplicateSocketW = duplicate_or_not;
}

struct streams {
    HANDLE standard[2];
    int kept[2];
};

/* As at the start of a program that got the socket as its standard input and output. */
static struct streams give_streams(SOCKET socket) {
    struct streams streams = {{GetStdHandle(STD_INPUT_HANDLE), GetStdHandle(STD_OUTPUT_HANDLE)},
                              {-1, -1}};
    fflush(stdout);
    for (int i = 0; i < 2; i++) {
        streams.kept[i] = _dup(i);
        _close(i);
        assert_int_equal(_open_osfhandle((intptr_t)socket, _O_TEXT), i);
    }
    SetStdHandle(STD_INPUT_HANDLE, (HANDLE)socket);
    SetStdHandle(STD_OUTPUT_HANDLE, (HANDLE)socket);
    return streams;
}

static void take_back_streams(const struct streams *streams) {
    for (int i = 0; i < 2; i++) {
        _dup2(streams->kept[i], i);
        _close(streams->kept[i]);
    }
    SetStdHandle(STD_INPUT_HANDLE, (HANDLE)_get_osfhandle(0));
    SetStdHandle(STD_OUTPUT_HANDLE, (HANDLE)_get_osfhandle(1));
}

/* Nothing is asserted in it: what cmocka has to say would go to the client. */
static void streams_become_the_null_device(SOCKET given, SOCKET client) {
    struct baton *baton = NULL;
    struct baton_connection connection = {.is_plain = -1};
    char bytes[16] = "";
    struct streams streams = give_streams(given);
    int opened = baton_open(NULL, &baton);
    int next = opened == 0 ? baton_next(baton, &connection) : 0;
    bool is_free = true;
    for (int i = 0; i < 2; i++)
        is_free = is_free && (SOCKET)_get_osfhandle(i) != given &&
                  (SOCKET)GetStdHandle(i == 0 ? STD_INPUT_HANDLE : STD_OUTPUT_HANDLE) != given;
    int written = is_free ? _write(1, "stray", 5) : -1, taken = is_free ? _read(0, bytes, 1) : -1;
    take_back_streams(&streams);
    assert_int_equal(opened, 0);
    assert_int_equal(next, 1);
    assert_true(is_free);
    assert_int_equal(written, 5);
    assert_int_equal(taken, 0);
    assert_int_equal(connection.is_plain, duplicate_fails);
    assert_int_equal(baton_send(&connection, "OK", 2), 0);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    baton_close(&baton);
    assert_int_equal(recv(client, bytes, sizeof bytes, 0), 2);
    assert_memory_equal(bytes, "OK", 2);
    assert_int_equal(recv(client, bytes, sizeof bytes, 0), 0);
}

/* The socket itself; a duplicate of one that Winsock does not know; and one without a duplicate. */
static void the_runtime_lets_go_of_the_socket(void **state) {
    (void)state;
    set_variable("BATON_ID", "7");
    set_variable("PROTO", "TCP");
    for (int way = 0; way < 3; way++) {
        SOCKET pair[2];
        socket_pair(pair);
        unknown = way > 0 ? pair[1] : INVALID_SOCKET;
        duplicate_fails = way == 2;
        streams_become_the_null_device(pair[1], pair[0]);
        closesocket(pair[0]);
    }
    unknown = INVALID_SOCKET;
    duplicate_fails = false;
    set_variable("BATON_ID", "");
    set_variable("PROTO", "");
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

/* Wine 8 does not look at what is said of the address to answer from. */
static bool is_wine(void) {
    return GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
}

/* Asked at another address than the first, at a socket that is bound to all. */
static void a_datagram_is_answered_from_where_it_came(void **state) {
    HANDLE before = GetStdHandle(STD_INPUT_HANDLE);
    struct baton_options options = {.kinds = BATON_KIND_DATAGRAM};
    struct baton_connection connection;
    struct baton *baton = NULL;
    struct sockaddr_in address = {.sin_family = AF_INET}, sender = {0};
    int length = sizeof address;
    DWORD limit_ms = 20000;
    char expected[64], bytes[16];
    SOCKET bound = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
    (void)state;
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, (const char *)&limit_ms, sizeof limit_ms);
    assert_int_equal(bind(bound, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(bound, (struct sockaddr *)&address, &length), 0);
    address.sin_addr.s_addr = htonl(0x7f000002);
    snprintf(expected, sizeof expected, "127.0.0.2:%u", ntohs(address.sin_port));
    assert_true(SetStdHandle(STD_INPUT_HANDLE, (HANDLE)bound));
    assert_int_equal(baton_open(&options, &baton), 0);
    assert_int_equal(sendto(client, "ask", 3, 0, (struct sockaddr *)&address, sizeof address), 3);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_int_equal(baton_receive_datagram(&connection, bytes, sizeof bytes), 3);
    assert_string_equal(connection.local, expected);
    assert_int_equal(baton_send(&connection, "answer", 6), 0);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    length = sizeof sender;
    assert_int_equal(recvfrom(client, bytes, sizeof bytes, 0, (struct sockaddr *)&sender, &length),
                     6);
    assert_int_equal(sender.sin_port, address.sin_port);
    if (!is_wine())
        assert_int_equal(sender.sin_addr.s_addr, address.sin_addr.s_addr);
    baton_close(&baton);
    closesocket(client);
    CloseHandle(GetStdHandle(STD_INPUT_HANDLE));
    SetStdHandle(STD_INPUT_HANDLE, before);
}

/* Two ends of a pipe that goes both ways, which Winsock knows as little as a layered provider's
 * socket. */
static void pipe_pair(HANDLE pair[2]) {
    static const wchar_t name[] = L"\\\\.\\pipe\\baton-test-sdk";
    pair[0] = CreateNamedPipeW(name, PIPE_ACCESS_DUPLEX, PIPE_TYPE_BYTE, 1, 65536, 65536, 0, NULL);
    assert_true(pair[0] != INVALID_HANDLE_VALUE);
    pair[1] = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    assert_true(pair[1] != INVALID_HANDLE_VALUE);
}

static void what_winsock_does_not_know_is_read_and_written(void **state) {
    struct baton_connection connection = {.kind = BATON_KIND_CONNECTION, .is_plain = 1};
    char bytes[16];
    HANDLE pair[2];
    DWORD length = 0, flags = 0;
    (void)state;
    pipe_pair(pair);
    connection.socket = (baton_socket)pair[1];
    assert_int_equal(baton_send(&connection, "hello", 5), 0);
    assert_true(ReadFile(pair[0], bytes, sizeof bytes, &length, NULL));
    assert_int_equal(length, 5);
    assert_true(WriteFile(pair[0], "answer", 6, &length, NULL));
    assert_int_equal(baton_receive(&connection, bytes, 4), 4);
    assert_int_equal(baton_receive(&connection, bytes, sizeof bytes), 2);
    assert_int_equal(connection.bytes_out, 5);
    assert_int_equal(connection.bytes_in, 6);
    /* Nothing comes, and it is not waited for. */
    baton_hang_up(&connection, 60000, 65536);
    CloseHandle(pair[0]);
    assert_int_equal(baton_receive(&connection, bytes, sizeof bytes), 0);
    assert_int_equal(baton_send(&connection, "late", 4), BATON_E_CLOSED);
    body_socket_close(&connection.socket);
    assert_true(connection.socket == BATON_SOCKET_NONE);
    assert_false(GetHandleInformation(pair[1], &flags));
}

/* What Winsock knows enough of to end its sending, but is read and written as a handle. */
static void a_handle_is_hung_up(void **state) {
    char bytes[16];
    DWORD limit_ms = 20000;
    (void)state;
    for (int ends = 0; ends < 2; ends++) {
        struct baton_connection connection = {.kind = BATON_KIND_CONNECTION, .is_plain = 1};
        SOCKET pair[2];
        socket_pair(pair);
        setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, (const char *)&limit_ms, sizeof limit_ms);
        assert_int_equal(send(pair[0], "not read", 8, 0), 8);
        if (ends)
            assert_int_equal(shutdown(pair[0], SD_SEND), 0);
        connection.socket = (baton_socket)pair[1];
        assert_int_equal(baton_send(&connection, "OK", 2), 0);
        ULONGLONG begin_ms = GetTickCount64();
        baton_hang_up(&connection, ends ? 60000 : 50, 65536);
        assert_in_range(GetTickCount64() - begin_ms, ends ? 0 : 30, 59999);
        assert_int_equal(recv(pair[0], bytes, sizeof bytes, 0), 2);
        assert_int_equal(recv(pair[0], bytes, sizeof bytes, 0), 0);
        body_socket_close(&connection.socket);
        assert_int_equal(recv(pair[0], bytes, sizeof bytes, 0), 0); /* and it is no reset */
        closesocket(pair[0]);
    }
}

static void nothing_to_serve(void **state) {
    struct baton *baton = NULL;
    HANDLE before = GetStdHandle(STD_INPUT_HANDLE), pair[2];
    (void)state;
    assert_int_equal(baton_open(NULL, &baton), BATON_E_NO_SOURCE);
    assert_null(baton);
    /* Under `pump` the streams are pipes, and are no connection whatever the environment says. */
    pipe_pair(pair);
    set_variable("BATON_ID", "7");
    set_variable("PROTO", "TCP");
    assert_true(SetStdHandle(STD_INPUT_HANDLE, pair[1]));
    assert_int_equal(baton_open(NULL, &baton), BATON_E_NO_SOURCE);
    assert_true(GetStdHandle(STD_INPUT_HANDLE) == pair[1]);
    set_variable("BATON_ID", "");
    set_variable("PROTO", "");
    SetStdHandle(STD_INPUT_HANDLE, before);
    CloseHandle(pair[0]);
    CloseHandle(pair[1]);
}

static void a_server_cannot_fork(void **state) {
    (void)state;
    assert_int_equal(baton_serve_forking(NULL, 1), 1);
    assert_non_null(strstr(baton_strerror(BATON_E_UNSUPPORTED), "no fork(2)"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_kept_does_not_end_when_nobody_comes),
        cmocka_unit_test(open_hides_the_channel),
        cmocka_unit_test(a_connection_is_rebuilt_served_and_done),
        cmocka_unit_test(drain_and_torn_frames_end_it),
        cmocka_unit_test(a_server_cannot_fork),
        cmocka_unit_test(breaches_end_the_channel),
        cmocka_unit_test(a_socket_that_cannot_be_built_goes_to_another_process),
        cmocka_unit_test(a_held_connection_is_not_offered_again),
        cmocka_unit_test(malformed_environments),
        cmocka_unit_test(a_connection_on_standard_input),
        cmocka_unit_test(the_runtime_lets_go_of_the_socket),
        cmocka_unit_test(a_listener_on_standard_input),
        cmocka_unit_test(a_datagram_is_answered_from_where_it_came),
        cmocka_unit_test(what_winsock_does_not_know_is_read_and_written),
        cmocka_unit_test(a_handle_is_hung_up),
        cmocka_unit_test(nothing_to_serve),
    };
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0)
        return 1;
    replace_imports();
    return cmocka_run_group_tests_name("sdk_win32", tests, NULL, NULL);
}
