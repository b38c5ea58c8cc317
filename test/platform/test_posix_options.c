/* Options of sockets: what those of the config become, and what is put back behind a handler. */
#include "harness.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int option_of(int descriptor, int level, int name) {
    int value = -1;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt(descriptor, level, name, &value, &length), 0);
    return value;
}

static void test_options_of_accepted_sockets(void **state) {
    struct bench *bench = *state;
    struct address address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(&address);
    spec.options = (struct socket_options){.nodelay = 1,
                                           .keepalive = 1,
                                           .keepalive_idle_s = 111,
                                           .keepalive_interval_s = 22,
                                           .keepalive_count = 7,
                                           .defer_accept_s = 5,
                                           .receive_buffer_bytes = 30000,
                                           .send_buffer_bytes = 40000};
    uint64_t token;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(listener, &address);
    int listening = (int)platform_listener_socket(listener).value;
    assert_in_range(option_of(listening, IPPROTO_TCP, TCP_DEFER_ACCEPT), 1, 20);
    uintptr_t client = client_connect(&address);
    bench_expect_rest(bench); /* deferred: nothing was sent */
    client_send(client, "x");
    struct platform_socket socket = bench_accept_next(bench, listener, token);
    int accepted = (int)socket.value;
    assert_int_not_equal(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_not_equal(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 111);
    assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPINTVL), 22);
    assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPCNT), 7);
    /* The kernel doubles what was asked for (socket(7)). */
    assert_int_equal(option_of(accepted, SOL_SOCKET, SO_RCVBUF), 60000);
    assert_int_equal(option_of(accepted, SOL_SOCKET, SO_SNDBUF), 80000);
    assert_int_equal(fcntl(accepted, F_GETFL) & O_NONBLOCK, 0);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

static void test_without_options(void **state) {
    struct bench *bench = *state;
    struct bench_connection connection = bench_connect(bench);
    int accepted = (int)connection.socket.value;
    int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 0);
    assert_int_equal(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE), 0);
    assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPIDLE),
                     option_of(plain, IPPROTO_TCP, TCP_KEEPIDLE));
    close(plain);
    bench_disconnect(bench, &connection);
}

static void test_buffers_of_datagrams(void **state) {
    struct bench *bench = *state;
    struct address address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(&address);
    spec.protocol = PLATFORM_UDP;
    spec.options.receive_buffer_bytes = 30000;
    /* What TCP alone has is no error. */
    spec.options.nodelay = 1;
    uint64_t token;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    int descriptor = (int)platform_listener_socket(listener).value;
    assert_int_equal(option_of(descriptor, SOL_SOCKET, SO_RCVBUF), 60000);
    assert_int_equal(option_of(descriptor, SOL_SOCKET, SO_REUSEADDR), 0);
    platform_listener_close(&listener);
}

/* ---- What somebody else has set ---- */

static const struct {
    int level, name, value;
} spoils[] = {{SOL_SOCKET, SO_RCVLOWAT, 1000},
              {SOL_SOCKET, SO_OOBINLINE, 1},
              {SOL_SOCKET, SO_DONTROUTE, 1},
              {SOL_SOCKET, SO_PRIORITY, 3},
              {SOL_SOCKET, SO_TIMESTAMP, 1},
              {SOL_SOCKET, SO_RXQ_OVFL, 1},
              {SOL_SOCKET, SO_MAX_PACING_RATE, 9},
              {SOL_SOCKET, SO_KEEPALIVE, 1},
              {SOL_SOCKET, SO_REUSEADDR, 0},
              {SOL_SOCKET, SO_REUSEPORT, 1},
              {SOL_SOCKET, SO_BROADCAST, 1},
              {IPPROTO_IP, IP_TOS, 8},
              {IPPROTO_IP, IP_TTL, 1},
              {IPPROTO_IP, IP_MINTTL, 255},
              {IPPROTO_IP, IP_RECVERR, 1},
              {IPPROTO_IP, IP_PKTINFO, 1},
              {IPPROTO_TCP, TCP_NODELAY, 0},
              {IPPROTO_TCP, TCP_CORK, 1},
              {IPPROTO_TCP, TCP_USER_TIMEOUT, 7},
              {IPPROTO_TCP, TCP_LINGER2, 1},
              {IPPROTO_TCP, TCP_KEEPIDLE, 9},
              {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 5},
              {IPPROTO_TCP, TCP_MAXSEG, 100},
              {IPPROTO_TCP, TCP_DEFER_ACCEPT, 60},
              {IPPROTO_TCP, TCP_WINDOW_CLAMP, 1},
              {IPPROTO_TCP, TCP_QUICKACK, 0},
              {IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1},
              {IPPROTO_TCP, TCP_TX_DELAY, 1000},
              {SOL_SOCKET, SO_NO_CHECK, 1},
              {IPPROTO_IP, IP_RECVOPTS, 1},
              {IPPROTO_IP, IP_RETOPTS, 1},
              {IPPROTO_IP, IP_FREEBIND, 1},
              {IPPROTO_IP, IP_RECVORIGDSTADDR, 1},
              {IPPROTO_IP, IP_CHECKSUM, 1},
              {IPPROTO_IP, IP_RECVFRAGSIZE, 1},
              {IPPROTO_IP, IP_MULTICAST_TTL, 9},
              {IPPROTO_IP, IP_MULTICAST_LOOP, 0},
              {IPPROTO_UDP, UDP_ENCAP, 2},
              {IPPROTO_UDP, UDP_NO_CHECK6_TX, 1},
              {IPPROTO_UDP, UDP_NO_CHECK6_RX, 1},
              {IPPROTO_IPV6, IPV6_TCLASS, 8},
              {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1},
              {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE},
              {IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9},
              {IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0},
              {IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0},
              {IPPROTO_IPV6, IPV6_2292PKTINFO, 1},
              {IPPROTO_IPV6, IPV6_2292HOPLIMIT, 1},
              {IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1},
              {IPPROTO_IPV6, IPV6_RECVHOPOPTS, 1},
              {IPPROTO_IPV6, IPV6_RECVRTHDR, 1},
              {IPPROTO_IPV6, IPV6_RECVDSTOPTS, 1},
              {IPPROTO_IPV6, IPV6_RECVPATHMTU, 1},
              {IPPROTO_IPV6, IPV6_DONTFRAG, 1},
              {IPPROTO_IPV6, IPV6_RECVFRAGSIZE, 1}};
#define SPOIL_COUNT (sizeof spoils / sizeof spoils[0])

struct socket_state {
    int values[SPOIL_COUNT]; /* -1: has no such option */
    int flags, owner, signal;
    struct linger linger;
    struct timeval receive_limit, send_limit;
    bool has_filter;
};

static void look_at(int descriptor, struct socket_state *out) {
    struct sock_filter program[4];
    socklen_t length;
    *out = (struct socket_state){0};
    for (size_t i = 0; i < SPOIL_COUNT; i++) {
        length = sizeof(int);
        if (getsockopt(descriptor, spoils[i].level, spoils[i].name, &out->values[i], &length) !=
            0) {
            out->values[i] = -1;
        }
    }
    out->flags = fcntl(descriptor, F_GETFL);
    out->owner = fcntl(descriptor, F_GETOWN);
    out->signal = fcntl(descriptor, F_GETSIG);
    length = sizeof out->linger;
    getsockopt(descriptor, SOL_SOCKET, SO_LINGER, &out->linger, &length);
    length = sizeof out->receive_limit;
    getsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &out->receive_limit, &length);
    length = sizeof out->send_limit;
    getsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &out->send_limit, &length);
    length = sizeof program / sizeof program[0];
    out->has_filter =
        getsockopt(descriptor, SOL_SOCKET, SO_GET_FILTER, program, &length) == 0 && length > 0;
}

static void spoil(int descriptor) {
    const struct linger linger = {1, 0};
    const struct timeval limit = {1, 0};
    struct sock_filter nothing = {.code = BPF_RET | BPF_K, .k = 0};
    const struct sock_fprog filter = {.len = 1, .filter = &nothing};
    for (size_t i = 0; i < SPOIL_COUNT; i++) {
        (void)setsockopt(descriptor, spoils[i].level, spoils[i].name, &spoils[i].value,
                         sizeof(int));
    }
    fcntl(descriptor, F_SETFL, O_NONBLOCK | O_ASYNC);
    fcntl(descriptor, F_SETOWN, getpid());
    fcntl(descriptor, F_SETSIG, SIGUSR2);
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    assert_int_equal(setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter),
                     0);
}

/* A clamp cannot be taken off again; one above every window is none. */
static bool is_as_before(size_t i, int before, int now) {
    bool is_clamp = spoils[i].level == IPPROTO_TCP && spoils[i].name == TCP_WINDOW_CLAMP;
    return now == before || (is_clamp && now >= 65535 << 14);
}

static bool are_as_before(const struct socket_state *before, const struct socket_state *now) {
    const size_t others = offsetof(struct socket_state, flags);
    bool are = memcmp((const char *)before + others, (const char *)now + others,
                      sizeof *now - others) == 0;
    for (size_t i = 0; i < SPOIL_COUNT; i++) {
        are = are && is_as_before(i, before->values[i], now->values[i]);
    }
    return are;
}

static void expect_as_before(int descriptor, const struct socket_state *before) {
    struct socket_state now;
    look_at(descriptor, &now);
    for (size_t i = 0; i < SPOIL_COUNT; i++) {
        if (!is_as_before(i, before->values[i], now.values[i])) {
            fail_msg("option %zu, %d %d: %d before, now %d", i, spoils[i].level, spoils[i].name,
                     before->values[i], now.values[i]);
        }
    }
    assert_int_equal(now.flags, before->flags);
    assert_int_equal(now.owner, before->owner);
    assert_int_equal(now.signal, before->signal);
    assert_memory_equal(&now.linger, &before->linger, sizeof now.linger);
    assert_memory_equal(&now.receive_limit, &before->receive_limit, sizeof now.receive_limit);
    assert_memory_equal(&now.send_limit, &before->send_limit, sizeof now.send_limit);
    assert_int_equal(now.has_filter, before->has_filter);
}

static const struct socket_options kept_options = {
    .nodelay = 1, .keepalive = 1, .keepalive_idle_s = 111, .defer_accept_s = 1};

static void put_back(struct bench *bench, struct platform_socket socket,
                     const struct socket_options *options) {
    while (platform_socket_put_back(bench->platform, socket, options) != BATON_OK) {
        bench_await(bench, PLATFORM_EVENT_RELIEF, 0);
    }
}

static void put_back_a_connection(struct bench *bench, const char *host) {
    struct address address;
    assert_true(address_parse_host(host, &address));
    struct platform_listener_spec spec = bench_tcp(&address);
    struct socket_state before;
    struct socket_state spoiled;
    uint64_t token;
    spec.options = kept_options;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(listener, &address);
    uintptr_t client = client_connect(&address);
    client_send(client, "x");
    struct platform_socket socket = bench_accept_next(bench, listener, token);
    int descriptor = (int)socket.value;
    look_at(descriptor, &before);
    spoil(descriptor);
    look_at(descriptor, &spoiled);
    assert_memory_not_equal(&before, &spoiled, sizeof before);
    put_back(bench, socket, &spec.options);
    expect_as_before(descriptor, &before);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

static void test_a_connection_is_put_back(void **state) {
    put_back_a_connection(*state, "127.0.0.1");
    put_back_a_connection(*state, "::1");
}

/* It is a carrier that does it. Until the deadline; then the caller finds what is missing. */
static void await_state(struct bench *bench, int descriptor, const struct socket_state *wanted) {
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
    uint64_t now_us;
    struct socket_state now;
    struct platform_event event;
    do {
        now_us = platform_now_us(bench->platform);
        platform_wait(bench->platform, &event, 1, now_us + 5000, &bench->cause);
        look_at(descriptor, &now);
    } while (!are_as_before(wanted, &now) && now_us < deadline_us);
}

static void test_a_listener_is_put_back(void **state) {
    struct bench *bench = *state;
    static const enum platform_protocol protocols[] = {PLATFORM_TCP, PLATFORM_UDP};
    for (size_t i = 0; i < 4; i++) {
        struct address address;
        assert_true(address_parse_host(i < 2 ? "127.0.0.1" : "::1", &address));
        struct platform_listener_spec spec = bench_tcp(&address);
        struct socket_state before;
        uint64_t token;
        spec.options = kept_options;
        spec.protocol = protocols[i % 2];
        spec.is_handed_over = true;
        struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
        int descriptor = (int)platform_listener_socket(listener).value;
        look_at(descriptor, &before);
        platform_listener_pause(listener);
        spoil(descriptor);
        platform_listener_resume(listener);
        await_state(bench, descriptor, &before);
        expect_as_before(descriptor, &before);
        platform_listener_close(&listener);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_options_of_accepted_sockets), WITH_BENCH(test_without_options),
        WITH_BENCH(test_buffers_of_datagrams),        WITH_BENCH(test_a_connection_is_put_back),
        WITH_BENCH(test_a_listener_is_put_back),
    };
    return cmocka_run_group_tests_name("posix_options", tests, NULL, bench_remove_scratch);
}
