/* Listeners that are handed over, in the way that only this system has, an OFFER; what their
 * sockets are like meanwhile; and options. Wine 8 has no AF_UNIX, so local sockets are shown there
 * by their refusal only. */
#include "harness.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include <stdio.h>

/* A socket that bears a registration refuses to be made blocking, and one that was bound to a port
 * refuses another. */
static void expect_as_a_handler_expects(SOCKET socket) {
    u_long blocking = 0;
    DWORD flags = HANDLE_FLAG_INHERIT;
    assert_int_equal(ioctlsocket(socket, FIONBIO, &blocking), 0);
    assert_true(GetHandleInformation((HANDLE)socket, &flags));
    assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
}

static void expect_registered(SOCKET socket) {
    u_long blocking = 0;
    assert_int_not_equal(ioctlsocket(socket, FIONBIO, &blocking), 0);
    assert_int_equal(WSAGetLastError(), WSAEINVAL);
}

static struct platform_listener *open_handed_over(struct bench *bench,
                                                  enum platform_protocol protocol, uint64_t *token,
                                                  struct address *address) {
    *address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(address);
    spec.protocol = protocol;
    spec.is_handed_over = true;
    struct platform_listener *listener = bench_listen_as(bench, &spec, token);
    platform_listener_address(listener, address);
    return listener;
}

/* What run/ does: pause, launch, offer, wait for the end, resume. */
static void serve_one(struct bench *bench, struct platform_listener *listener) {
    uint64_t token;
    platform_listener_pause(listener);
    expect_as_a_handler_expects((SOCKET)platform_listener_socket(listener).value);
    struct platform_process *process = LAUNCH(bench, &token, "serve-listener");
    assert_int_equal(bench_offer(bench, process, platform_listener_socket(listener)), BATON_OK);
    assert_int_equal(bench_finish(bench, &process, token).code, 0);
    platform_listener_resume(listener);
    expect_registered((SOCKET)platform_listener_socket(listener).value);
}

static void test_a_listener_by_an_offer_twice(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = open_handed_over(bench, PLATFORM_TCP, &token, &address);
    bench_expect_silence(bench);
    for (int round = 0; round < 2; round++) {
        char text[16];
        uintptr_t client = client_connect(&address);
        uintptr_t next = client_connect(&address); /* whom that handler leaves waiting */
        client_send(client, "hello");
        client_end_sending(client);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        serve_one(bench, listener);
        client_receive_all(client, text, sizeof text);
        assert_string_equal(text, "hello");
        client_close(client);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        client_end_sending(next);
        serve_one(bench, listener);
        client_close(next);
        bench_forget_events(bench);
        bench_expect_rest(bench);
    }
    platform_listener_close(&listener);
}

static void test_datagrams_by_an_offer(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = open_handed_over(bench, PLATFORM_UDP, &token, &address);
    for (int round = 0; round < 2; round++) {
        bench_forget_text(bench);
        client_send_datagram(&address, "one");
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        serve_one(bench, listener);
        assert_non_null(strstr(bench->text, "datagram 3\n"));
        bench_forget_events(bench);
        bench_expect_rest(bench);
    }
    platform_listener_close(&listener);
}

/* The watch is the supervisor's own; a stream leaves nothing behind in the socket. */
static void test_a_stream_leaves_the_socket_as_it_was(void **state) {
    struct bench *bench = *state;
    struct bench_connection connection = bench_connect(bench);
    SOCKET accepted = (SOCKET)connection.socket.value;
    uint64_t token = bench_token(bench);
    struct platform_stream *stream;
    char bytes[8] = "";
    expect_as_a_handler_expects(accepted);
    assert_int_equal(
        platform_stream_open(bench->platform, connection.socket, token, &stream, &bench->cause),
        BATON_OK);
    expect_registered(accepted);
    client_send(connection.client, "header+rest");
    assert_int_equal(bench_stream_read(bench, stream, token, bytes, 7), BATON_OK);
    assert_string_equal(bytes, "header+");
    platform_stream_close(&stream);
    expect_as_a_handler_expects(accepted);
    HANDLE port = CreateIoCompletionPort((HANDLE)accepted, NULL, 1, 1);
    assert_non_null(port);
    CloseHandle(port);
    assert_int_equal(recv(accepted, bytes, 4, 0), 4);
    assert_memory_equal(bytes, "rest", 4);
    /* It blocks: who waits is let go by the timer, not by WSAEWOULDBLOCK. */
    DWORD timeout_ms = 20;
    assert_int_equal(setsockopt(accepted, SOL_SOCKET, SO_RCVTIMEO, (const char *)&timeout_ms,
                                (int)sizeof timeout_ms),
                     0);
    assert_int_equal(recv(accepted, bytes, 4, 0), SOCKET_ERROR);
    assert_int_equal(WSAGetLastError(), WSAETIMEDOUT);
    bench_disconnect(bench, &connection);
}

/* Whoever waits for room must hear of a reset, also after the peer's orderly end of sending: then
 * the registration tells FD_CLOSE a second time. */
static void test_who_waits_for_room_hears_of_a_reset(void **state) {
    static const char chunk[65536];
    struct bench *bench = *state;
    for (int ended = 0; ended < 2; ended++) {
        struct bench_connection connection = bench_connect(bench);
        uint64_t token = bench_token(bench);
        struct platform_stream *stream;
        size_t written;
        int result;
        assert_int_equal(
            platform_stream_open(bench->platform, connection.socket, token, &stream, &bench->cause),
            BATON_OK);
        if (ended) {
            char byte;
            client_end_sending(connection.client);
            assert_int_equal(bench_stream_read(bench, stream, token, &byte, 1), BATON_END);
        }
        do {
            result = platform_stream_write(stream, chunk, sizeof chunk, &written, &bench->cause);
        } while (result == BATON_OK);
        assert_int_equal(result, BATON_AGAIN);
        client_reset(connection.client);
        do {
            bench_await(bench, PLATFORM_EVENT_STREAM, token);
            result = platform_stream_write(stream, chunk, sizeof chunk, &written, &bench->cause);
        } while (result == BATON_OK || result == BATON_AGAIN);
        assert_int_equal(result, BATON_GONE);
        platform_stream_close(&stream);
        bench_close_socket(bench, &connection.socket);
        platform_listener_close(&connection.listener);
    }
}

static int option_of(struct platform_socket socket, int level, int name) {
    int value = 0;
    int length = (int)sizeof value;
    assert_int_equal(getsockopt((SOCKET)socket.value, level, name, (char *)&value, &length), 0);
    return value;
}

static void test_options_of_accepted_sockets(void **state) {
    struct bench *bench = *state;
    struct address address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(&address);
    uint64_t token;
    for (int set = 0; set < 2; set++) {
        if (set) {
            spec.options = (struct socket_options){.nodelay = 1,
                                                   .keepalive = 1,
                                                   .keepalive_idle_s = 60,
                                                   .keepalive_interval_s = 5,
                                                   .keepalive_count = 3,
                                                   .defer_accept_s = 3,
                                                   .receive_buffer_bytes = 32768,
                                                   .send_buffer_bytes = 49152};
        }
        for (int plain = 0; plain < 2; plain++) {
            uintptr_t client;
            spec.is_plain = plain;
            struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
            struct platform_socket socket = bench_accept(bench, listener, token, &client);
            assert_int_equal(option_of(socket, IPPROTO_TCP, TCP_NODELAY) != 0, set);
            assert_int_equal(option_of(socket, SOL_SOCKET, SO_KEEPALIVE) != 0, set);
            assert_int_equal(option_of(socket, SOL_SOCKET, SO_RCVBUF) == 32768, set);
            assert_int_equal(option_of(socket, SOL_SOCKET, SO_SNDBUF) == 49152, set);
            client_close(client);
            bench_close_socket(bench, &socket);
            platform_listener_close(&listener);
        }
    }
}

/* No other program may take the port, whatever it asks for. */
static void test_the_port_is_exclusive(void **state) {
    struct bench *bench = *state;
    for (int udp = 0; udp < 2; udp++) {
        uint64_t token;
        struct address address;
        struct platform_listener *listener =
            open_handed_over(bench, udp ? PLATFORM_UDP : PLATFORM_TCP, &token, &address);
        SOCKET thief = socket(AF_INET, udp ? SOCK_DGRAM : SOCK_STREAM, 0);
        struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(address.port)};
        BOOL yes = TRUE;
        name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        setsockopt(thief, SOL_SOCKET, SO_REUSEADDR, (const char *)&yes, (int)sizeof yes);
        int result = bind(thief, (const struct sockaddr *)&name, (int)sizeof name);
        int value = option_of(platform_listener_socket(listener), SOL_SOCKET, SO_EXCLUSIVEADDRUSE);
        assert_int_not_equal(value, 0);
        /* Wine 8 hands SO_REUSEADDR on to the system below, which lets nobody in beside one that
         * has not asked for it. */
        assert_int_equal(result, SOCKET_ERROR);
        closesocket(thief);
        platform_listener_close(&listener);
    }
}

static void test_local_sockets_where_there_are_some(void **state) {
    struct bench *bench = *state;
    char path[4200];
    snprintf(path, sizeof path, "%s\\local.sock", system_scratch());
    struct platform_listener_spec spec = {
        .protocol = PLATFORM_UNIX, .path = path, .mode = 0600, .backlog_count = 16};
    struct platform_listener *listener = NULL;
    int result = platform_listener_open(bench->platform, &spec, bench_token(bench), &listener,
                                        &bench->cause);
    if (result == BATON_UNSUPPORTED) {
        assert_null(listener);
        assert_string_equal(bench->cause.call, "WSASocketW");
        assert_int_equal(bench->cause.system_code, WSAEAFNOSUPPORT);
        return;
    }
    /* Windows 10 and later; not seen to run. */
    assert_int_equal(result, BATON_OK);
    struct platform_listener *second;
    assert_int_equal(
        platform_listener_open(bench->platform, &spec, bench_token(bench), &second, &bench->cause),
        BATON_IN_USE);
    platform_listener_close(&listener);
    system_write_file(path, "not a socket", false);
    assert_int_equal(
        platform_listener_open(bench->platform, &spec, bench_token(bench), &second, &bench->cause),
        BATON_IN_USE);
    system_remove_file(path);
}

static void test_what_helps_with_a_place_that_cannot_be_had(void **state) {
    struct platform_listener_spec spec = {.protocol = PLATFORM_TCP, .address = {.port = 7777}};
    char hint[PLATFORM_HINT_MAX_BYTES];
    (void)state;
    assert_true(platform_listener_hint(&spec, BATON_IN_USE, hint));
    assert_non_null(strstr(hint, "netstat -ano | findstr :7777"));
    assert_null(strstr(hint, "excludedportrange"));
    assert_true(platform_listener_hint(&spec, BATON_DENIED, hint));
    assert_non_null(strstr(hint, "excludedportrange"));
    assert_true(platform_listener_hint(&spec, BATON_UNAVAILABLE, hint));
    assert_non_null(strstr(hint, "`ipconfig`"));
    assert_false(platform_listener_hint(&spec, BATON_UNSUPPORTED, hint));
}

/* Before any platform is open, as validation needs it. */
static void test_ports_of_services(void **state) {
    uint16_t port = 0;
    (void)state;
    int result = platform_service_port(NULL, "smtp", false, &port);
    if (result != BATON_OK) {
        print_message("this machine has no database of services: skipped\n");
        skip();
    }
    assert_int_equal(port, 25);
    assert_int_equal(platform_service_port(NULL, "tftp", true, &port), BATON_OK);
    assert_int_equal(port, 69);
    assert_int_equal(platform_service_port(NULL, "no-such-service", false, &port), BATON_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_helps_with_a_place_that_cannot_be_had),
        cmocka_unit_test(test_ports_of_services),
        WITH_BENCH(test_a_listener_by_an_offer_twice),
        WITH_BENCH(test_datagrams_by_an_offer),
        WITH_BENCH(test_a_stream_leaves_the_socket_as_it_was),
        WITH_BENCH(test_who_waits_for_room_hears_of_a_reset),
        WITH_BENCH(test_options_of_accepted_sockets),
        WITH_BENCH(test_the_port_is_exclusive),
        WITH_BENCH(test_local_sockets_where_there_are_some),
    };
    return cmocka_run_group_tests_name("win32_listeners", tests, NULL, bench_remove_scratch);
}
