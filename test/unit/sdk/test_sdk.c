/* libbaton on a channel, with the test as its supervisor (POSIX). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "serving.h"
#include "test_sdk_supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void open_says_hello_and_hides_the_channel(void **state) {
    struct supervisor supervisor;
    struct baton *baton = NULL;
    uint8_t nonce[WIRE_NONCE_BYTES];
    (void)state;
    supervisor_start(&supervisor);
    struct baton_options options = {.capacity = 7, .name = "test"};
    assert_int_equal(baton_open(&options, &baton), 0);
    struct wire_message hello = supervisor_hear(&supervisor);
    assert_int_equal(hello.type, WIRE_HELLO);
    assert_true(wire_nonce_parse(TEST_NONCE, nonce));
    assert_memory_equal(hello.nonce, nonce, sizeof nonce);
    assert_int_equal(hello.pid, getpid());
    assert_int_equal(hello.capacity, 7);
    assert_int_equal(hello.sdk.length, 4);
    assert_memory_equal(hello.sdk.bytes, "test", 4);
    assert_null(getenv("BATON_PROTOCOL"));
    assert_null(getenv("BATON_CHANNEL"));
    assert_null(getenv("BATON_NONCE"));
    assert_int_equal(fcntl(supervisor.handler, F_GETFD), FD_CLOEXEC);
    baton_close(&baton);
    assert_null(baton);
    baton_close(&baton);
    supervisor_hear_end(&supervisor);
    supervisor_end(&supervisor);
}

static uint32_t idle_ms_with(const char *workers, const char *idle_ms) {
    struct supervisor supervisor;
    setenv("BATON_WORKERS", workers, 1);
    setenv("LIBBATON_IDLE_MS", idle_ms, 1);
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    uint32_t found_ms = baton->options.idle_ms;
    baton_close(&baton);
    supervisor_end(&supervisor);
    unsetenv("BATON_WORKERS");
    unsetenv("LIBBATON_IDLE_MS");
    return found_ms;
}

static void who_is_kept_does_not_end_when_nobody_comes(void **state) {
    (void)state;
    assert_int_equal(idle_ms_with("", ""), 10000);
    assert_int_equal(idle_ms_with("4", ""), UINT32_MAX);
    assert_int_equal(idle_ms_with("4", "300"), 300);
    assert_int_equal(idle_ms_with("0", ""), 10000);
    assert_int_equal(idle_ms_with("all", ""), 10000); /* as if it were not told */
}

static void a_connection_is_taken_served_and_done(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    int client[2];
    char bytes[16];
    (void)state;
    socket_pair(client);
    struct wire_message offer = an_offer(17);
    supervisor_say(&supervisor, &offer, client[1]);
    close(client[1]);
    assert_int_equal(baton_next(baton, &connection), 1);
    struct wire_message ack = supervisor_hear(&supervisor);
    assert_int_equal(ack.type, WIRE_ACK);
    assert_int_equal(ack.connection, 17);
    assert_int_equal(connection.kind, BATON_KIND_CONNECTION);
    assert_int_equal(connection.id, 170);
    assert_true(connection.accepted_us == 1767225600000000u);
    assert_string_equal(connection.service, "ok");
    assert_string_equal(connection.peer, "127.0.0.1:50122");
    assert_string_equal(connection.local, "[::1]:7777");
    assert_int_equal(fcntl(connection.socket, F_GETFD), FD_CLOEXEC);
    assert_int_equal(send(client[0], "hello", 5, 0), 5);
    assert_int_equal(baton_receive(&connection, bytes, sizeof bytes), 5);
    assert_int_equal(baton_send(&connection, "OK", 2), 0);
    assert_int_equal(baton_finish(baton, &connection, 3, "why"), 0);
    assert_int_equal(connection.socket, BATON_SOCKET_NONE);
    /* DONE means that the socket is closed: the client's end shows it already. */
    struct wire_message done = supervisor_hear(&supervisor);
    assert_int_equal(recv(client[0], bytes, sizeof bytes, MSG_DONTWAIT), 2);
    assert_int_equal(recv(client[0], bytes, sizeof bytes, MSG_DONTWAIT), 0);
    assert_int_equal(done.type, WIRE_DONE);
    assert_int_equal(done.connection, 17);
    assert_int_equal(done.status, 3);
    assert_true(done.has_bytes_in && done.has_bytes_out);
    assert_int_equal(done.bytes_in, 5);
    assert_int_equal(done.bytes_out, 2);
    assert_int_equal(done.text.length, 3);
    /* Finishing twice says nothing twice. */
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    supervisor_end(&supervisor);
    assert_int_equal(baton_next(baton, &connection), 0);
    assert_int_equal(baton_next(baton, &connection), 0);
    baton_close(&baton);
    close(client[0]);
}

/* Offers a socket and takes it; its other end is closed. */
static void take_one(const struct supervisor *supervisor, struct baton *baton,
                     struct baton_connection *connection, uint32_t number) {
    int client[2];
    struct wire_message offer = an_offer(number);
    socket_pair(client);
    supervisor_say(supervisor, &offer, client[1]);
    assert_int_equal(baton_next(baton, connection), 1);
    assert_int_equal(supervisor_hear(supervisor).type, WIRE_ACK);
    close(client[0]);
    close(client[1]);
}

/* Offers a connection that the handler has no place for: baton_next() says so, keeps nothing, and
 * ends the channel. */
static void assert_no_place(const struct supervisor *supervisor, struct baton *baton,
                            uint32_t number) {
    struct baton_connection none;
    struct wire_message offer = an_offer(number);
    char byte;
    int client[2];
    socket_pair(client);
    supervisor_say(supervisor, &offer, client[1]);
    close(client[1]);
    assert_int_equal(baton_next(baton, &none), BATON_E_PROTOCOL);
    assert_int_equal(none.socket, BATON_SOCKET_NONE);
    assert_int_equal(recv(client[0], &byte, 1, MSG_DONTWAIT), 0);
    supervisor_hear_end(supervisor);
    close(client[0]);
}

static void an_offer_tells_who_the_client_is(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    struct wire_message offer = an_offer(17);
    int client[2];
    (void)state;
    socket_pair(client);
    offer.has_peer_count = true;
    offer.peer_count = 3;
    offer.via = (struct wire_address){4, 443, {10, 0, 0, 9}};
    offer.path = (struct wire_text){"/run/ok.sock", 12};
    offer.has_peer_uid = offer.has_peer_pid = true;
    offer.peer_uid = 0;
    offer.peer_pid = 4711;
    supervisor_say(&supervisor, &offer, client[1]);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_int_equal(connection.peer_count, 3);
    assert_string_equal(connection.via, "10.0.0.9:443");
    assert_string_equal(connection.path, "/run/ok.sock");
    assert_int_equal(connection.peer_uid_known, 1);
    assert_int_equal(connection.peer_uid, 0);
    assert_int_equal(connection.peer_pid, 4711);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    offer = an_offer(18);
    supervisor_say(&supervisor, &offer, client[1]);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_int_equal(connection.peer_count, 0);
    assert_string_equal(connection.via, "");
    assert_string_equal(connection.path, "");
    assert_int_equal(connection.peer_uid_known, 0);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    close(client[0]);
    close(client[1]);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static void an_offer_names_no_held_connection(void **state) {
    struct supervisor supervisor;
    struct baton_options options = {.capacity = 3};
    struct baton_connection first, second;
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    (void)state;
    take_one(&supervisor, baton, &first, 1);
    take_one(&supervisor, baton, &second, 2);
    assert_int_equal(baton_finish(baton, &first, 0, NULL), 0);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_DONE);
    take_one(&supervisor, baton, &first, 1); /* free again */
    assert_no_place(&supervisor, baton, 2);
    /* What it holds goes on without the channel. */
    assert_int_not_equal(first.socket, BATON_SOCKET_NONE);
    assert_int_equal(baton_finish(baton, &first, 0, NULL), BATON_E_CLOSED);
    assert_int_equal(baton_finish(baton, &second, 0, NULL), BATON_E_CLOSED);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static void an_offer_is_within_the_capacity(void **state) {
    struct supervisor supervisor;
    struct baton_options options = {.capacity = 2};
    struct baton_connection held[2];
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    (void)state;
    take_one(&supervisor, baton, &held[0], 1);
    for (uint32_t number = 2; number < 10; number++) {
        take_one(&supervisor, baton, &held[1], number);
        assert_int_equal(baton_finish(baton, &held[1], 0, NULL), 0);
        assert_int_equal(supervisor_hear(&supervisor).type, WIRE_DONE);
    }
    take_one(&supervisor, baton, &held[1], 10);
    assert_no_place(&supervisor, baton, 11);
    for (int i = 0; i < 2; i++)
        assert_int_equal(baton_finish(baton, &held[i], 0, NULL), BATON_E_CLOSED);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static void drain_ends_offers_but_not_done(void **state) {
    struct supervisor supervisor;
    struct baton_options options = {.capacity = 2};
    struct baton_connection connection, none;
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    struct wire_message drain = {.type = WIRE_DRAIN};
    (void)state;
    take_one(&supervisor, baton, &connection, 1);
    supervisor_say(&supervisor, &drain, -1);
    assert_int_equal(baton_next(baton, &none), 0);
    assert_int_equal(none.socket, BATON_SOCKET_NONE);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    struct wire_message done = supervisor_hear(&supervisor);
    assert_int_equal(done.type, WIRE_DONE);
    assert_false(done.has_bytes_in);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static void finish_tells_that_the_supervisor_has_gone(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    (void)state;
    take_one(&supervisor, baton, &connection, 1);
    supervisor_end(&supervisor);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), BATON_E_CLOSED);
    assert_int_equal(connection.socket, BATON_SOCKET_NONE);
    baton_close(&baton);
}

static void texts_are_cut_between_characters(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton_options options = {.capacity = 2};
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    char text[400];
    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    memcpy(text + 254, "\xe2\x82\xac", 3); /* a character over the limit */
    take_one(&supervisor, baton, &connection, 1);
    assert_int_equal(baton_finish(baton, &connection, 0, text), 0);
    assert_int_equal(supervisor_hear(&supervisor).text.length, 254);
    take_one(&supervisor, baton, &connection, 2);
    assert_int_equal(baton_finish(baton, &connection, 1000, "\xff"), BATON_E_ARGUMENT);
    struct wire_message done = supervisor_hear(&supervisor);
    assert_int_equal(done.text.length, 0);
    assert_int_equal(done.status, 1);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static int give_decision(void *context, const struct baton_connection *connection) {
    assert_int_not_equal(connection->socket, BATON_SOCKET_NONE);
    return *(int *)context;
}

static void a_declined_connection_has_no_place(void **state) {
    int decision = BATON_BUSY, client[2];
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton_options options = {.context = &decision, .decide = give_decision};
    struct wire_message offer = an_offer(9), drain = {.type = WIRE_DRAIN};
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    (void)state;
    socket_pair(client);
    supervisor_say(&supervisor, &offer, client[1]);
    supervisor_say(&supervisor, &offer, client[1]);
    supervisor_say(&supervisor, &drain, -1);
    assert_int_equal(baton_next(baton, &connection), 0);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_NACK);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_NACK);
    close(client[0]);
    close(client[1]);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static void declined_sockets_are_closed_before_the_nack(void **state) {
    int decision = BATON_TAKE, client[2];
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton_options options = {.context = &decision, .decide = give_decision};
    struct wire_message drain = {.type = WIRE_DRAIN};
    char byte;
    (void)state;
    /* The last is none of the decisions, and refuses. */
    for (decision = BATON_RETIRE; decision <= BATON_REFUSE + 1; decision++) {
        struct wire_message offer = an_offer(9);
        struct baton *baton = supervisor_start_open(&supervisor, &options);
        socket_pair(client);
        supervisor_say(&supervisor, &offer, client[1]);
        close(client[1]);
        supervisor_say(&supervisor, &drain, -1);
        assert_int_equal(baton_next(baton, &connection), 0);
        struct wire_message nack = supervisor_hear(&supervisor);
        assert_int_equal(nack.type, WIRE_NACK);
        assert_int_equal(nack.connection, 9);
        assert_int_equal(nack.reason, decision > BATON_REFUSE ? BATON_REFUSE : decision);
        assert_int_equal(recv(client[0], &byte, 1, MSG_DONTWAIT), 0);
        close(client[0]);
        baton_close(&baton);
        supervisor_end(&supervisor);
    }
}

static void other_kinds_are_refused_unless_wanted(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton_options options = {.kinds = BATON_KIND_LISTENER};
    struct wire_message offer = an_offer(1), drain = {.type = WIRE_DRAIN};
    int listener = socket(AF_INET, SOCK_STREAM, 0), datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    (void)state;
    assert_int_equal(listen(listener, 1), 0);
    offer.kind = WIRE_KIND_LISTENER;
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    supervisor_say(&supervisor, &offer, listener);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_int_equal(connection.kind, BATON_KIND_LISTENER);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    baton_close(&baton);
    supervisor_end(&supervisor);
    offer.kind = WIRE_KIND_DATAGRAM;
    baton = supervisor_start_open(&supervisor, NULL);
    supervisor_say(&supervisor, &offer, datagrams);
    supervisor_say(&supervisor, &drain, -1);
    assert_int_equal(baton_next(baton, &connection), 0);
    struct wire_message nack = supervisor_hear(&supervisor);
    assert_int_equal(nack.type, WIRE_NACK);
    assert_int_equal(nack.reason, WIRE_REASON_REFUSE);
    baton_close(&baton);
    supervisor_end(&supervisor);
    close(listener);
    close(datagrams);
}

static void an_offer_that_cannot_be_acknowledged_is_not_served(void **state) {
    struct supervisor supervisor;
    struct baton *baton = NULL;
    struct baton_connection connection;
    struct wire_message offer = an_offer(1);
    int client[2];
    char byte;
    (void)state;
    /* HELLO stays unread: the kernel then says ECONNRESET before it delivers the offer. */
    supervisor_start(&supervisor);
    assert_int_equal(baton_open(NULL, &baton), 0);
    socket_pair(client);
    supervisor_say(&supervisor, &offer, client[1]);
    close(client[1]);
    supervisor_end(&supervisor);
    assert_int_equal(baton_next(baton, &connection), 0);
    assert_int_equal(connection.socket, BATON_SOCKET_NONE);
    assert_int_equal(recv(client[0], &byte, 1, MSG_DONTWAIT), 0);
    close(client[0]);
    baton_close(&baton);
}

/* Its client would see no end while the handler lives, as it has clients. */
static void offer_behind_a_breach(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    int client[2];
    char byte;
    struct wire_message offer = an_offer(1);
    (void)state;
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    socket_pair(client);
    supervisor_send(&supervisor, "x", 1, NULL, 0);
    supervisor_say(&supervisor, &offer, client[1]);
    supervisor_send(&supervisor, "", 0, &client[1], 1);
    supervisor_say(&supervisor, &offer, client[1]);
    close(client[1]);
    assert_int_equal(baton_next(baton, &connection), BATON_E_PROTOCOL);
    assert_int_equal(recv(client[0], &byte, 1, MSG_DONTWAIT), 0);
    close(client[0]);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

/* What a supervisor must not send: baton_next() says so, ends the channel, and keeps nothing. */
static void assert_breach(const void *frame, size_t length, const int *descriptors, size_t count) {
    struct supervisor supervisor;
    struct baton_connection connection;
    int before_count = open_count();
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    supervisor_send(&supervisor, frame, length, descriptors, count);
    assert_int_equal(baton_next(baton, &connection), BATON_E_PROTOCOL);
    assert_int_equal(connection.socket, BATON_SOCKET_NONE);
    supervisor_hear_end(&supervisor);
    assert_int_equal(baton_next(baton, &connection), 0);
    baton_close(&baton);
    supervisor_end(&supervisor);
    assert_int_equal(open_count(), before_count);
}

static void breaches_with_descriptors(void **state) {
    uint8_t offer[2048], drain[64], with_info[2048], info[WIRE_PROTOCOL_INFO_BYTES] = {1};
    struct wire_message message = an_offer(1);
    int sockets[24], pipes[2];
    (void)state;
    for (size_t i = 0; i < 24; i += 2)
        socket_pair(sockets + i);
    assert_int_equal(pipe(pipes), 0);
    size_t offer_bytes = (size_t)wire_encode(&message, offer, sizeof offer);
    message.protocol_info = info;
    size_t with_info_bytes = (size_t)wire_encode(&message, with_info, sizeof with_info);
    message = (struct wire_message){.type = WIRE_DRAIN};
    size_t drain_bytes = (size_t)wire_encode(&message, drain, sizeof drain);
    assert_breach(offer, offer_bytes, NULL, 0);
    assert_breach(offer, offer_bytes, sockets, 2);
    assert_breach(offer, offer_bytes, sockets, 24); /* MSG_CTRUNC */
    assert_breach(offer, offer_bytes, pipes, 1);    /* not a socket */
    assert_breach("", 0, sockets, 1);               /* not the end */
    assert_breach(offer, offer_bytes - 1, sockets, 1);
    assert_breach(with_info, with_info_bytes, sockets, 1);
    assert_breach(drain, drain_bytes, sockets, 1);
    drain[5] = 0x91; /* a type that may be skipped carries no descriptor either */
    assert_breach(drain, drain_bytes, sockets, 1);
    for (size_t i = 0; i < 24; i++)
        close(sockets[i]);
    close(pipes[0]);
    close(pipes[1]);
}

/* What is not of the kind that the offer says. */
static void breaches_of_the_kind(void **state) {
    uint8_t frame[2048];
    struct wire_message message = an_offer(1);
    int listener = socket(AF_INET, SOCK_STREAM, 0), datagrams = socket(AF_INET, SOCK_DGRAM, 0);
    int stream[2];
    (void)state;
    socket_pair(stream);
    assert_int_equal(listen(listener, 1), 0);
    const int wrong[][2] = {{listener, datagrams}, {stream[0], datagrams}, {stream[0], listener}};
    for (uint8_t kind = WIRE_KIND_CONNECTION; kind <= WIRE_KIND_DATAGRAM; kind++) {
        message.kind = kind;
        size_t length = (size_t)wire_encode(&message, frame, sizeof frame);
        for (int i = 0; i < 2; i++)
            assert_breach(frame, length, &wrong[kind - WIRE_KIND_CONNECTION][i], 1);
    }
    close(listener);
    close(datagrams);
    close(stream[0]);
    close(stream[1]);
}

static void breaches_of_the_frame(void **state) {
    static uint8_t large[WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES + 1] = {
        'B', 'A', 'T', 'N', 1, 0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0x01};
    uint8_t hello[256], nonce[WIRE_NONCE_BYTES] = {0};
    struct wire_message message = {
        .type = WIRE_HELLO, .nonce = nonce, .has_pid = true, .pid = 1, .capacity = 1};
    (void)state;
    size_t hello_bytes = (size_t)wire_encode(&message, hello, sizeof hello);
    assert_breach(hello, hello_bytes, NULL, 0);
    assert_breach("x", 1, NULL, 0);
    assert_breach(large, sizeof large, NULL, 0); /* MSG_TRUNC */
    large[14] = 0x3f;
    assert_breach(large, 300, NULL, 0);
}

static void the_largest_frame_is_read(void **state) {
    static uint8_t large[WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES] = {
        'B', 'A', 'T', 'N', 1, 0x91, 0, 0, 0, 0, 0, 0, 0, 0, 0x40, 0};
    struct supervisor supervisor;
    struct baton_connection connection;
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    (void)state;
    supervisor_send(&supervisor, large, sizeof large, NULL, 0);
    supervisor_end(&supervisor);
    assert_int_equal(baton_next(baton, &connection), 0);
    baton_close(&baton);
}

static void assert_not_opened(const char *protocol, const char *channel, const char *nonce,
                              int fault) {
    struct baton *baton = NULL;
    protocol != NULL ? setenv("BATON_PROTOCOL", protocol, 1) : unsetenv("BATON_PROTOCOL");
    nonce != NULL ? setenv("BATON_NONCE", nonce, 1) : unsetenv("BATON_NONCE");
    setenv("BATON_CHANNEL", channel, 1);
    assert_int_equal(baton_open(NULL, &baton), fault);
    assert_null(baton);
    assert_null(getenv("BATON_CHANNEL"));
    assert_null(getenv("BATON_NONCE"));
}

static void malformed_environments(void **state) {
    struct supervisor supervisor;
    char good[32], other[32];
    int stream[2];
    (void)state;
    supervisor_start(&supervisor);
    snprintf(good, sizeof good, "%d,%d", supervisor.handler, supervisor.handler);
    socket_pair(stream);
    snprintf(other, sizeof other, "%d,%d", stream[0], stream[0]);
    assert_not_opened(NULL, good, TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", good, NULL, BATON_E_ENVIRONMENT);
    assert_not_opened("1", good, "00", BATON_E_ENVIRONMENT);
    assert_not_opened("1", good, TEST_NONCE "00", BATON_E_ENVIRONMENT);
    assert_not_opened("2", good, TEST_NONCE, BATON_E_VERSION);
    assert_not_opened("x", good, TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", "", TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", "3", TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", "3,4", TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", "-1,-1", TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", "4294967296,4294967296", TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", "4294967295,4294967295", TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", "999,999", TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", "3,3 ", TEST_NONCE, BATON_E_ENVIRONMENT);
    assert_not_opened("1", other, TEST_NONCE, BATON_E_ENVIRONMENT);
    /* A number that is stale may be somebody else's: it is left alone. */
    assert_int_equal(fcntl(stream[0], F_GETFD), 0);
    setenv("BATON_CHANNEL", good, 1);
    setenv("BATON_PROTOCOL", "2,1", 1);
    setenv("BATON_NONCE", TEST_NONCE, 1);
    struct baton *baton = NULL;
    assert_int_equal(baton_open(NULL, &baton), 0);
    baton_close(&baton);
    supervisor_end(&supervisor);
    close(stream[0]);
    close(stream[1]);
}

static void options_out_of_range(void **state) {
    struct baton *baton = NULL;
    struct baton_options options = {.capacity = 65536};
    (void)state;
    assert_int_equal(baton_open(&options, &baton), BATON_E_ARGUMENT);
    options = (struct baton_options){
        .name = "0123456789012345678901234567890123456789012345678901234567890123456789"};
    assert_int_equal(baton_open(&options, &baton), BATON_E_ARGUMENT);
    for (int fault = BATON_E_UNSUPPORTED; fault <= 0; fault++)
        assert_string_not_equal(baton_strerror(fault), "unknown error");
    assert_string_equal(baton_strerror(-99), "unknown error");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_kept_does_not_end_when_nobody_comes),
        cmocka_unit_test(open_says_hello_and_hides_the_channel),
        cmocka_unit_test(a_connection_is_taken_served_and_done),
        cmocka_unit_test(an_offer_tells_who_the_client_is),
        cmocka_unit_test(an_offer_names_no_held_connection),
        cmocka_unit_test(an_offer_is_within_the_capacity),
        cmocka_unit_test(drain_ends_offers_but_not_done),
        cmocka_unit_test(finish_tells_that_the_supervisor_has_gone),
        cmocka_unit_test(texts_are_cut_between_characters),
        cmocka_unit_test(a_declined_connection_has_no_place),
        cmocka_unit_test(declined_sockets_are_closed_before_the_nack),
        cmocka_unit_test(other_kinds_are_refused_unless_wanted),
        cmocka_unit_test(an_offer_that_cannot_be_acknowledged_is_not_served),
        cmocka_unit_test(breaches_with_descriptors),
        cmocka_unit_test(offer_behind_a_breach),
        cmocka_unit_test(breaches_of_the_kind),
        cmocka_unit_test(breaches_of_the_frame),
        cmocka_unit_test(the_largest_frame_is_read),
        cmocka_unit_test(malformed_environments),
        cmocka_unit_test(options_out_of_range),
    };
    return cmocka_run_group_tests_name("sdk", tests, NULL, NULL);
}
