/* Listeners and the sockets that they give. */
#include "harness.h"

static void test_accepts_with_both_addresses(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    assert_int_equal(address.family, ADDRESS_IPV4);
    assert_int_not_equal(address.port, 0);

    struct platform_socket socket;
    struct address peer;
    struct address local;
    assert_int_equal(platform_listener_accept(listener, &socket, &peer, &bench->cause),
                     BATON_AGAIN);
    assert_false(platform_socket_is_open(socket));
    bench_expect_silence(bench);

    uintptr_t client = client_connect(&address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    assert_int_equal(platform_listener_accept(listener, &socket, &peer, &bench->cause), BATON_OK);
    assert_true(platform_socket_is_open(socket));
    assert_true(platform_socket_local(socket, &local));
    assert_true(address_equal(&local, &address));
    assert_int_equal(peer.family, ADDRESS_IPV4);
    assert_memory_equal(peer.bytes, address.bytes, 4);
    assert_int_not_equal(peer.port, 0);
    assert_int_equal(
        platform_listener_accept(listener, &(struct platform_socket){0}, &peer, &bench->cause),
        BATON_AGAIN);
    bench_forget_events(bench);
    bench_expect_silence(bench);

    bench_close_socket(bench, &socket);
    assert_false(platform_socket_is_open(socket));
    bench_close_socket(bench, &socket);
    char text[8];
    client_receive_all(client, text, sizeof text);
    assert_string_equal(text, "");
    client_close(client);
    platform_listener_close(&listener);
    assert_null(listener);
    platform_listener_close(&listener);
}

static void test_event_comes_again_for_those_left_waiting(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t clients[3];
    for (int i = 0; i < 3; i++) {
        clients[i] = client_connect(&address);
    }
    for (int i = 0; i < 3; i++) {
        bench_forget_events(bench);
        struct platform_socket socket = bench_accept_next(bench, listener, token);
        bench_close_socket(bench, &socket);
    }
    for (int i = 0; i < 3; i++) {
        client_close(clients[i]);
    }
    platform_listener_close(&listener);
}

static void test_pause_does_not_spin_and_resume_reports(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t first = client_connect(&address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    platform_listener_pause(listener);
    platform_listener_pause(listener);
    bench_forget_events(bench);
    uintptr_t second = client_connect(&address);
    bench_expect_rest(bench);

    platform_listener_resume(listener);
    platform_listener_resume(listener);
    for (int i = 0; i < 2; i++) {
        struct platform_socket socket = bench_accept_next(bench, listener, token);
        bench_close_socket(bench, &socket);
    }
    client_close(first);
    client_close(second);
    platform_listener_close(&listener);
}

static void test_closed_listener_reports_nothing(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t client = client_connect(&address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    platform_listener_close(&listener);
    bench_forget_events(bench);
    bench_expect_silence(bench);
    client_close(client);

    /* The port is free at once, although a connection of the old listener has just ended. */
    uint64_t next_token = bench_token(bench);
    assert_int_equal(bench_try_listen(bench, &address, next_token, &listener), BATON_OK);
    bench_expect_silence(bench);
    platform_listener_close(&listener);
}

static void test_port_in_use(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    struct platform_listener *second = listener;
    assert_int_equal(bench_try_listen(bench, &address, bench_token(bench), &second), BATON_IN_USE);
    assert_null(second);
    assert_non_null(bench->cause.call);
    assert_int_not_equal(bench->cause.system_code, 0);
    platform_listener_close(&listener);
}

static void test_address_of_another_machine(void **state) {
    struct bench *bench = *state;
    struct address address;
    struct platform_listener *listener;
    assert_true(address_parse_host("192.0.2.1", &address)); /* RFC 5737: nobody's */
    assert_int_equal(bench_try_listen(bench, &address, bench_token(bench), &listener),
                     BATON_UNAVAILABLE);
    assert_null(listener);
}

static void test_ipv6_beside_ipv4(void **state) {
    struct bench *bench = *state;
    if (!client_can_listen_ipv6()) {
        print_message("this machine has no ::1: skipped\n");
        skip();
    }
    /* The system chooses the port for IPv4, where the clients of other tests linger in TIME_WAIT.
     */
    struct address any4;
    struct platform_listener *listener4;
    assert_true(address_parse_host("0.0.0.0", &any4));
    assert_int_equal(bench_try_listen(bench, &any4, bench_token(bench), &listener4), BATON_OK);
    platform_listener_address(listener4, &any4);

    /* IPV6_V6ONLY: the same port of IPv6 is still free. */
    uint64_t token = bench_token(bench);
    struct address any6;
    struct platform_listener *listener6;
    assert_true(address_parse_host("::", &any6));
    any6.port = any4.port;
    assert_int_equal(bench_try_listen(bench, &any6, token, &listener6), BATON_OK);
    platform_listener_address(listener6, &any6);
    assert_int_equal(any6.family, ADDRESS_IPV6);
    platform_listener_close(&listener4);

    struct address loopback6;
    assert_true(address_parse_host("::1", &loopback6));
    loopback6.port = any6.port;
    uintptr_t client = client_connect(&loopback6);
    struct platform_socket socket;
    struct address peer;
    struct address local;
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    assert_int_equal(platform_listener_accept(listener6, &socket, &peer, &bench->cause), BATON_OK);
    assert_true(platform_socket_local(socket, &local));
    assert_true(address_equal(&local, &loopback6));
    assert_int_equal(peer.family, ADDRESS_IPV6);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener6);
}

static void test_reset_is_told_from_the_end_of_sending(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t client;
    struct platform_socket socket = bench_accept(bench, listener, token, &client);
    assert_false(platform_socket_was_reset(socket));
    client_send(client, "hello");
    client_end_sending(client);
    assert_false(platform_socket_was_reset(socket));
    client_close(client);
    bench_close_socket(bench, &socket);

    socket = bench_accept(bench, listener, token, &client);
    client_send(client, "hello");
    client_reset(client);
    /* Over loopback the reset has arrived when the call that sent it returns (Linux); elsewhere it
     * is waited for. */
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
    while (!platform_socket_was_reset(socket)) {
        struct platform_event event;
        assert_true(platform_now_us(bench->platform) < deadline_us);
        platform_wait(bench->platform, &event, 1, platform_now_us(bench->platform) + 1000,
                      &bench->cause);
    }
    assert_true(platform_socket_was_reset(socket)); /* asking takes nothing away */
    bench_close_socket(bench, &socket);
    platform_listener_close(&listener);
}

static int try_udp(struct bench *bench, const struct address *address, uint64_t token,
                   struct platform_listener **listener) {
    struct platform_listener_spec spec = {
        .protocol = PLATFORM_UDP, .address = *address, .v6only = true, .is_handed_over = true};
    return platform_listener_open(bench->platform, &spec, token, listener, &bench->cause);
}

static void test_datagrams_are_reported_and_left_alone(void **state) {
    struct bench *bench = *state;
    struct address address;
    uint64_t token;
    /* TCP has its own ports. It chooses, since there clients of other tests linger in TIME_WAIT. */
    struct platform_listener *tcp = bench_listen(bench, &token, &address);
    struct platform_listener *listener;
    token = bench_token(bench);
    assert_int_equal(try_udp(bench, &address, token, &listener), BATON_OK);
    platform_listener_address(listener, &address);
    assert_int_not_equal(address.port, 0);
    bench_expect_rest(bench);
    client_send_datagram(&address, "one");
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    platform_listener_pause(listener);
    bench_forget_events(bench);
    client_send_datagram(&address, "two");
    bench_expect_rest(bench);
    platform_listener_resume(listener);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    /* Nobody else gets them. */
    struct platform_listener *second;
    assert_int_equal(try_udp(bench, &address, bench_token(bench), &second), BATON_IN_USE);
    assert_null(second);
    platform_listener_close(&tcp);
    platform_listener_close(&listener);
    bench_forget_events(bench);
    bench_expect_rest(bench);
}

static void test_one_that_is_handed_over_is_watched_only(void **state) {
    struct bench *bench = *state;
    struct address address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(&address);
    spec.is_handed_over = true;
    uint64_t token;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(listener, &address);
    assert_true(platform_socket_is_open(platform_listener_socket(listener)));
    uintptr_t client = client_connect(&address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    for (int i = 0; i < 2; i++) {
        platform_listener_pause(listener);
        bench_forget_events(bench);
        bench_expect_rest(bench);
        platform_listener_resume(listener);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token); /* nobody has taken it */
    }
    client_close(client);
    platform_listener_close(&listener);
}

static void test_one_for_both_families(void **state) {
    struct bench *bench = *state;
    if (!client_can_listen_ipv6()) {
        print_message("this machine has no ::1: skipped\n");
        skip();
    }
    struct address any;
    assert_true(address_parse_host("::", &any));
    struct platform_listener_spec spec = bench_tcp(&any);
    spec.v6only = false;
    uint64_t token;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(listener, &any);
    struct address loopback = bench_loopback();
    loopback.port = any.port;
    uintptr_t client = client_connect(&loopback);
    struct platform_socket socket;
    struct address peer;
    struct address local;
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    assert_int_equal(platform_listener_accept(listener, &socket, &peer, &bench->cause), BATON_OK);
    /* An IPv4 client is one, whatever took it, so that no rule for IPv4 can be walked around. */
    assert_true(platform_socket_local(socket, &local));
    assert_true(address_equal(&local, &loopback));
    assert_int_equal(peer.family, ADDRESS_IPV4);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_accepts_with_both_addresses),
        WITH_BENCH(test_event_comes_again_for_those_left_waiting),
        WITH_BENCH(test_pause_does_not_spin_and_resume_reports),
        WITH_BENCH(test_closed_listener_reports_nothing),
        WITH_BENCH(test_port_in_use),
        WITH_BENCH(test_address_of_another_machine),
        WITH_BENCH(test_ipv6_beside_ipv4),
        WITH_BENCH(test_reset_is_told_from_the_end_of_sending),
        WITH_BENCH(test_datagrams_are_reported_and_left_alone),
        WITH_BENCH(test_one_that_is_handed_over_is_watched_only),
        WITH_BENCH(test_one_for_both_families),
    };
    return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
