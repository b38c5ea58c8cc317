/* Who waits at a listener: counted, identified, and judged, without anybody being taken. */
#include "core/pool/progress.h"
#include "harness.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct platform_listener *listen_at(struct bench *bench, enum platform_protocol protocol,
                                           struct address *address) {
    uint64_t token;
    struct platform_listener_spec spec = bench_tcp(address);
    spec.protocol = protocol;
    spec.is_handed_over = true;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(listener, address);
    platform_listener_pause(listener);
    return listener;
}

static struct waiting_set look(struct platform_listener *listener, bool identify) {
    static struct waiting_set waiting; /* not zeroed: all is filled in */
    platform_listener_waiting(listener, identify, &waiting);
    assert_true(waiting.is_known);
    return waiting;
}

static enum progress judge(struct waiting_set before, struct waiting_set after) {
    struct progress_sum sum = {0};
    progress_add(&sum, &before, &after);
    return progress_of(&sum);
}

static int accept_at(struct platform_listener *listener) {
    int accepted = accept((int)platform_listener_socket(listener).value, NULL, NULL);
    assert_true(accepted >= 0);
    return accepted;
}

static void check_clients(struct bench *bench, struct address *address) {
    uintptr_t clients[5];
    struct platform_listener *listener = listen_at(bench, PLATFORM_TCP, address);
    assert_int_equal(look(listener, false).amount, 0);
    clients[0] = client_connect(address);
    clients[1] = client_connect(address);
    struct waiting_set two = look(listener, true);
    assert_int_equal(two.amount, 2);
    assert_true(two.is_identified);
    assert_int_equal(two.id_count, 2);
    assert_int_equal(judge(two, look(listener, true)), PROGRESS_NONE);
    /* More come: whoever was there still waits. */
    clients[2] = client_connect(address);
    assert_int_equal(judge(two, look(listener, true)), PROGRESS_NONE);
    assert_int_equal(judge(look(listener, false), look(listener, false)), PROGRESS_UNPROVEN);
    /* One is taken, and let go of at once; not fewer wait than at first. */
    int accepted = accept_at(listener);
    assert_int_equal(look(listener, false).amount, 2);
    assert_int_equal(judge(two, look(listener, true)), PROGRESS_MADE);
    struct waiting_set next = look(listener, true);
    close(accepted);
    assert_int_equal(judge(next, look(listener, true)), PROGRESS_NONE);
    /* One that ends its sending waits as before; one that resets still counts, without a number:
     * it may be another one that has come and reset. */
    client_end_sending(clients[1]);
    assert_int_equal(judge(next, look(listener, true)), PROGRESS_NONE);
    client_reset(clients[1]);
    client_reset(clients[2]);
    assert_int_equal(look(listener, false).amount, 2);
    assert_int_equal(judge(look(listener, true), look(listener, true)), PROGRESS_UNKNOWN);
    close(accept_at(listener));
    close(accept_at(listener));
    assert_int_equal(judge(next, look(listener, false)), PROGRESS_MADE);
    client_close(clients[0]);
    platform_listener_close(&listener);
}

static void test_clients(void **state) {
    struct address loopback = bench_loopback();
    check_clients(*state, &loopback);
}

static void test_clients_of_ipv6(void **state) {
    struct address loopback = {.family = ADDRESS_IPV6, .bytes = {[15] = 1}};
    if (!client_can_listen_ipv6()) {
        skip();
    }
    check_clients(*state, &loopback);
}

/* The clients of another listener at the same port are none of ours. */
static void test_the_same_port_elsewhere(void **state) {
    struct bench *bench = *state;
    struct address first = bench_loopback();
    struct platform_listener *one = listen_at(bench, PLATFORM_TCP, &first);
    struct address second = first;
    second.bytes[3] = 2;
    struct platform_listener *other = listen_at(bench, PLATFORM_TCP, &second);
    uintptr_t client = client_connect(&first);
    uintptr_t stranger = client_connect(&second);
    assert_int_equal(look(one, true).id_count, 1);
    assert_int_equal(look(other, true).id_count, 1);
    assert_int_not_equal(look(one, true).ids[0], look(other, true).ids[0]);
    client_close(client);
    client_close(stranger);
    platform_listener_close(&one);
    platform_listener_close(&other);
}

static void test_local_clients(void **state) {
    struct bench *bench = *state;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    uint64_t token;
    int clients[4];
    snprintf(name.sun_path, sizeof name.sun_path, "%s/waiting", system_scratch());
    struct platform_listener_spec spec = {.protocol = PLATFORM_UNIX,
                                          .path = name.sun_path,
                                          .mode = 0600,
                                          .backlog_count = 16,
                                          .is_handed_over = true};
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_pause(listener);
    assert_int_equal(look(listener, false).amount, 0);
    for (int i = 0; i < 4; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(connect(clients[i], (struct sockaddr *)&name, sizeof name), 0);
    }
    struct waiting_set two = look(listener, false);
    assert_int_equal(two.amount, 2);
    assert_int_equal(two.id_count, 2);
    assert_int_equal(connect(clients[2], (struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(judge(two, look(listener, false)), PROGRESS_NONE);
    close(accept_at(listener));
    assert_int_equal(look(listener, false).amount, 2);
    assert_int_equal(judge(two, look(listener, false)), PROGRESS_MADE);
    close(clients[2]); /* it still counts, and has no number any more */
    clients[2] = -1;
    struct waiting_set left = look(listener, false);
    assert_int_equal(left.amount, 2);
    assert_int_equal(judge(left, left), PROGRESS_UNKNOWN);
    for (int i = 0; i < 4; i++) {
        close(clients[i]);
    }
    platform_listener_close(&listener);
}

static void take_datagram(struct platform_listener *listener, const char *wanted) {
    char text[100] = "";
    assert_true(recv((int)platform_listener_socket(listener).value, text, sizeof text - 1, 0) >= 0);
    assert_string_equal(text, wanted);
}

static void test_datagrams(void **state) {
    struct bench *bench = *state;
    struct address address = bench_loopback();
    struct platform_listener *listener = listen_at(bench, PLATFORM_UDP, &address);
    assert_int_equal(look(listener, true).amount, 0);
    client_send_datagram(&address, "one");
    struct waiting_set one = look(listener, true);
    struct waiting_set quick = look(listener, false);
    assert_true(one.amount > 0 && quick.amount > 0);
    assert_int_equal(judge(one, look(listener, true)), PROGRESS_NONE);
    assert_int_equal(judge(quick, look(listener, false)), PROGRESS_UNPROVEN);
    client_send_datagram(&address, "two");
    assert_int_equal(judge(one, look(listener, true)), PROGRESS_NONE);
    /* Another one is the first now, though not less waits than before. */
    take_datagram(listener, "one");
    assert_int_equal(judge(one, look(listener, true)), PROGRESS_MADE);
    /* Less waits, though the first is the same text. */
    client_send_datagram(&address, "two");
    struct waiting_set same = look(listener, true);
    take_datagram(listener, "two");
    assert_int_equal(judge(same, look(listener, true)), PROGRESS_MADE);
    take_datagram(listener, "two");
    assert_int_equal(judge(same, look(listener, true)), PROGRESS_MADE);
    client_send_datagram(&address, "");
    assert_true(look(listener, true).amount > 0);
    platform_listener_close(&listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_clients),
        WITH_BENCH(test_clients_of_ipv6),
        WITH_BENCH(test_the_same_port_elsewhere),
        WITH_BENCH(test_local_clients),
        WITH_BENCH(test_datagrams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
