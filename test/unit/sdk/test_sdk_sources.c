/* libbaton with a listener or a datagram socket that was offered on a channel (POSIX). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "body.h"
#include "test_sdk_supervisor.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { NUMBER = 5 };

/* A socket that is offered, and where it is bound. */
struct place {
    int socket;
    struct sockaddr_in address;
};

static struct place bind_somewhere(int type) {
    struct place place = {.address = {.sin_family = AF_INET}};
    socklen_t length = sizeof place.address;
    place.socket = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    place.address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(place.socket, (struct sockaddr *)&place.address, length), 0);
    if (type == SOCK_STREAM)
        assert_int_equal(listen(place.socket, 8), 0);
    assert_int_equal(getsockname(place.socket, (struct sockaddr *)&place.address, &length), 0);
    return place;
}

/* A client of either sort. */
static int connect_to(const struct place *place, int type) {
    struct timeval patience = {.tv_sec = 5};
    int client = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(
        connect(client, (const struct sockaddr *)&place->address, sizeof place->address), 0);
    return client;
}

static void offer_place(const struct supervisor *supervisor, const struct place *place,
                        uint8_t kind) {
    struct wire_message offer = an_offer(NUMBER);
    offer.kind = kind;
    offer.peer.family = 0;
    supervisor_say(supervisor, &offer, place->socket);
}

static void assert_heard(const struct supervisor *supervisor, uint8_t type) {
    struct wire_message message = supervisor_hear(supervisor);
    assert_int_equal(message.type, type);
    assert_int_equal(message.connection, NUMBER);
    assert_int_equal(message.status, 0);
}

static void say_drain(const struct supervisor *supervisor) {
    supervisor_say(supervisor, &(struct wire_message){.type = WIRE_DRAIN}, -1);
}

/* Another process that shares the listener has taken who came: who waited for the next one would
 * not see DRAIN. */
static void accept_waits_for_nobody(void **state) {
    struct place place = bind_somewhere(SOCK_STREAM);
    baton_socket socket;
    (void)state;
    alarm(20); /* ends the test if it waits */
    assert_int_equal(body_accept(place.socket, &socket), 0);
    int client = connect_to(&place, SOCK_STREAM);
    assert_int_equal(body_accept(place.socket, &socket), 1);
    alarm(0);
    assert_int_equal(fcntl(socket, F_GETFL) & O_NONBLOCK, 0);
    close(socket);
    close(client);
    close(place.socket);
}

static void connections_of_an_offered_listener(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct place place = bind_somewhere(SOCK_STREAM);
    struct baton_options options = {.idle_ms = UINT32_MAX};
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    char bytes[8];
    (void)state;
    offer_place(&supervisor, &place, WIRE_KIND_LISTENER);
    for (int i = 0; i < 3; i++) {
        int client = connect_to(&place, SOCK_STREAM);
        assert_int_equal(baton_next(baton, &connection), 1);
        if (i == 0)
            assert_heard(&supervisor, WIRE_ACK);
        assert_int_equal(connection.kind, BATON_KIND_CONNECTION);
        assert_int_equal(connection.number, 0);
        assert_int_equal(connection.id, 170);
        assert_string_equal(connection.service, "ok");
        assert_memory_equal(connection.peer, "127.0.0.1:", 10);
        assert_int_equal(baton_send(&connection, "OK", 2), 0);
        assert_int_equal(baton_finish(baton, &connection, 7, "not told"), 0);
        assert_int_equal(recv(client, bytes, sizeof bytes, 0), 2);
        assert_int_equal(recv(client, bytes, sizeof bytes, 0), 0);
        close(client);
    }
    say_drain(&supervisor);
    int late = connect_to(&place, SOCK_STREAM);
    assert_int_equal(baton_next(baton, &connection), 0);
    assert_heard(&supervisor, WIRE_DONE);
    /* Who came too late is the next one's. */
    int accepted = accept(place.socket, NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(late);
    close(place.socket);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

static void an_idle_listener_is_given_back(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct place place = bind_somewhere(SOCK_STREAM);
    struct baton_options options = {.idle_ms = 50};
    int before = open_count();
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    (void)state;
    offer_place(&supervisor, &place, WIRE_KIND_LISTENER);
    int client = connect_to(&place, SOCK_STREAM);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_heard(&supervisor, WIRE_ACK);
    baton_finish(baton, &connection, 0, NULL);
    close(client);
    /* What follows DONE decides: here the end of the channel. */
    assert_int_equal(shutdown(supervisor.channel, SHUT_WR), 0);
    assert_int_equal(baton_next(baton, &connection), 0);
    assert_heard(&supervisor, WIRE_DONE);
    baton_close(&baton);
    supervisor_end(&supervisor);
    assert_int_equal(open_count(), before);
    close(place.socket);
}

/* Offers go on while a listener is held, and it does not count as idle while a client is served. */
static void a_listener_beside_connections(void **state) {
    struct supervisor supervisor;
    struct baton_connection accepted, offered;
    struct place place = bind_somewhere(SOCK_STREAM);
    struct baton_options options = {.capacity = 3, .idle_ms = 1};
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    struct wire_message offer = an_offer(6);
    int pair[2];
    (void)state;
    int client = connect_to(&place, SOCK_STREAM);
    offer_place(&supervisor, &place, WIRE_KIND_LISTENER);
    assert_int_equal(baton_next(baton, &accepted), 1);
    assert_heard(&supervisor, WIRE_ACK);
    socket_pair(pair);
    supervisor_say(&supervisor, &offer, pair[1]);
    assert_int_equal(baton_next(baton, &offered), 1);
    assert_int_equal(offered.number, 6);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_ACK);
    baton_finish(baton, &offered, 0, NULL);
    assert_int_equal(supervisor_hear(&supervisor).connection, 6);
    /* DRAIN while a client is served, which is our own: the listener is given back at once. */
    say_drain(&supervisor);
    assert_int_equal(baton_next(baton, &offered), 0);
    assert_heard(&supervisor, WIRE_DONE);
    assert_int_equal(baton_send(&accepted, "x", 1), 0);
    assert_int_equal(baton_finish(baton, &accepted, 0, NULL), 0);
    baton_close(&baton);
    supervisor_hear_end(&supervisor);
    supervisor_end(&supervisor);
    close(client);
    close(place.socket);
    close(pair[0]);
    close(pair[1]);
}

struct finisher {
    struct baton *baton;
    struct baton_connection connection;
};

static void *finish_when_the_client_ends(void *argument) {
    struct finisher *finisher = argument;
    char byte;
    (void)baton_receive(&finisher->connection, &byte, 1);
    baton_finish(finisher->baton, &finisher->connection, 0, NULL);
    return NULL;
}

/* baton_next() waits for another thread to finish, and only then lets the next one in. */
static void the_capacity_holds_for_a_listener_too(void **state) {
    struct supervisor supervisor;
    struct baton_connection second;
    struct finisher finisher;
    struct place place = bind_somewhere(SOCK_STREAM);
    struct baton_options options = {.idle_ms = UINT32_MAX};
    pthread_t thread;
    (void)state;
    finisher.baton = supervisor_start_open(&supervisor, &options);
    offer_place(&supervisor, &place, WIRE_KIND_LISTENER);
    int client = connect_to(&place, SOCK_STREAM);
    int other = connect_to(&place, SOCK_STREAM);
    assert_int_equal(baton_next(finisher.baton, &finisher.connection), 1);
    assert_heard(&supervisor, WIRE_ACK);
    assert_int_equal(pthread_create(&thread, NULL, finish_when_the_client_ends, &finisher), 0);
    close(client);
    assert_int_equal(baton_next(finisher.baton, &second), 1);
    /* It is finished by now. */
    assert_int_equal(finisher.connection.socket, BATON_SOCKET_NONE);
    assert_int_equal(pthread_join(thread, NULL), 0);
    baton_finish(finisher.baton, &second, 0, NULL);
    baton_close(&finisher.baton);
    supervisor_end(&supervisor);
    close(other);
    close(place.socket);
}

static void datagrams_of_an_offered_socket(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct place place = bind_somewhere(SOCK_DGRAM);
    struct baton_options options = {.kinds = BATON_KIND_DATAGRAM, .idle_ms = UINT32_MAX};
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    char bytes[8], peer[BATON_ADDRESS_BYTES];
    struct sockaddr_in name;
    socklen_t length = sizeof name;
    (void)state;
    int client = connect_to(&place, SOCK_DGRAM);
    assert_int_equal(getsockname(client, (struct sockaddr *)&name, &length), 0);
    snprintf(peer, sizeof peer, "127.0.0.1:%u", ntohs(name.sin_port));
    offer_place(&supervisor, &place, WIRE_KIND_DATAGRAM);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(send(client, "ask", 3, 0), 3);
        assert_int_equal(send(client, "", 0, 0), 0);
        assert_int_equal(baton_next(baton, &connection), 1);
        if (i == 0)
            assert_heard(&supervisor, WIRE_ACK);
        assert_int_equal(connection.kind, BATON_KIND_DATAGRAM);
        assert_int_equal(baton_receive_datagram(&connection, bytes, sizeof bytes), 3);
        assert_string_equal(connection.peer, peer);
        assert_int_equal(baton_send(&connection, "answer", 6), 0);
        assert_int_equal(baton_receive_datagram(&connection, bytes, sizeof bytes), 0);
        assert_int_equal(baton_send(&connection, "", 0), 0);
        assert_int_equal(baton_receive_datagram(&connection, bytes, sizeof bytes), BATON_E_AGAIN);
        assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
        assert_int_equal(recv(client, bytes, sizeof bytes, 0), 6);
        assert_int_equal(recv(client, bytes, sizeof bytes, 0), 0);
    }
    say_drain(&supervisor);
    assert_int_equal(baton_next(baton, &connection), 0);
    assert_heard(&supervisor, WIRE_DONE);
    baton_close(&baton);
    supervisor_end(&supervisor);
    close(client);
    close(place.socket);
}

/* A datagram socket that is in use when all ends is closed when it comes back. */
static void a_lent_socket_outlives_drain(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection, none;
    struct place place = bind_somewhere(SOCK_DGRAM);
    struct baton_options options = {.kinds = BATON_KIND_DATAGRAM, .capacity = 2};
    int client = connect_to(&place, SOCK_DGRAM), before = open_count();
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    char bytes[8];
    (void)state;
    assert_int_equal(send(client, "ask", 3, 0), 3);
    offer_place(&supervisor, &place, WIRE_KIND_DATAGRAM);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_heard(&supervisor, WIRE_ACK);
    say_drain(&supervisor);
    assert_int_equal(baton_next(baton, &none), 0);
    assert_int_equal(baton_receive_datagram(&connection, bytes, sizeof bytes), 3);
    assert_int_equal(baton_send(&connection, "answer", 6), 0);
    assert_int_equal(baton_finish(baton, &connection, 0, NULL), 0);
    assert_heard(&supervisor, WIRE_DONE);
    assert_int_equal(recv(client, bytes, sizeof bytes, 0), 6);
    baton_close(&baton);
    supervisor_hear_end(&supervisor);
    supervisor_end(&supervisor);
    assert_int_equal(open_count(), before);
    close(client);
    close(place.socket);
}

/* Nobody would accept from it any more. */
static void a_breach_gives_the_listener_back(void **state) {
    struct supervisor supervisor;
    struct baton_connection accepted, none;
    struct place place = bind_somewhere(SOCK_STREAM);
    struct baton_options options = {.capacity = 2};
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    (void)state;
    offer_place(&supervisor, &place, WIRE_KIND_LISTENER);
    int client = connect_to(&place, SOCK_STREAM);
    assert_int_equal(baton_next(baton, &accepted), 1);
    assert_heard(&supervisor, WIRE_ACK);
    int before = open_count();
    supervisor_send(&supervisor, "x", 1, NULL, 0);
    assert_int_equal(baton_next(baton, &none), BATON_E_PROTOCOL);
    assert_int_equal(open_count(), before - 1);
    supervisor_hear_end(&supervisor);
    assert_int_equal(baton_send(&accepted, "x", 1), 0);
    assert_int_equal(baton_finish(baton, &accepted, 0, NULL), 0);
    baton_close(&baton);
    supervisor_end(&supervisor);
    close(client);
    close(place.socket);
}

/* After the last DONE the channel would end, and then we. */
static void retiring_waits_with_done_for_clients(void **state) {
    struct supervisor supervisor;
    struct baton_connection accepted;
    struct place place = bind_somewhere(SOCK_STREAM);
    struct baton_options options = {.capacity = 2};
    struct baton *baton = supervisor_start_open(&supervisor, &options);
    (void)state;
    offer_place(&supervisor, &place, WIRE_KIND_LISTENER);
    int client = connect_to(&place, SOCK_STREAM);
    assert_int_equal(baton_next(baton, &accepted), 1);
    assert_heard(&supervisor, WIRE_ACK);
    int before = open_count();
    assert_int_equal(baton_retire(baton), 0);
    assert_int_equal(open_count(), before - 1);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_RETIRE);
    assert_int_equal(baton_finish(baton, &accepted, 0, NULL), 0);
    baton_close(&baton);
    supervisor_hear_end(&supervisor);
    supervisor_end(&supervisor);
    close(client);
    close(place.socket);
}

static void retiring_gives_the_listener_back(void **state) {
    struct supervisor supervisor;
    struct baton_connection connection;
    struct place place = bind_somewhere(SOCK_STREAM);
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    (void)state;
    offer_place(&supervisor, &place, WIRE_KIND_LISTENER);
    int client = connect_to(&place, SOCK_STREAM);
    assert_int_equal(baton_next(baton, &connection), 1);
    assert_heard(&supervisor, WIRE_ACK);
    baton_finish(baton, &connection, 0, NULL);
    assert_int_equal(baton_retire(baton), 0);
    assert_heard(&supervisor, WIRE_DONE);
    assert_int_equal(supervisor_hear(&supervisor).type, WIRE_RETIRE);
    baton_close(&baton);
    supervisor_end(&supervisor);
    close(client);
    close(place.socket);
}

static void services_that_answer_anything_are_known(void **state) {
    static const struct {
        const char *peer, *local;
        int would;
    } cases[] = {{"192.0.2.1:7", "0.0.0.0:7007", 1},      {"192.0.2.1:19", "0.0.0.0:7007", 1},
                 {"[2001:db8::1]:37", "[::]:7007", 1},    {"192.0.2.1:7007", "0.0.0.0:7007", 1},
                 {"192.0.2.1:50122", "0.0.0.0:7007", 0},  {"192.0.2.1:70", "0.0.0.0:7007", 1},
                 {"[2001:db8::7]:50122", "[::]:7007", 0}, {"", "0.0.0.0:7007", 1},
                 {"192.0.2.1:0", "0.0.0.0:7007", 1},      {"192.0.2.1:1023", "0.0.0.0:7007", 1},
                 {"192.0.2.1:1024", "0.0.0.0:7007", 0},   {"192.0.2.1:11211", "0.0.0.0:7007", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct baton_connection connection = {.socket = BATON_SOCKET_NONE};
        snprintf(connection.peer, sizeof connection.peer, "%s", cases[i].peer);
        snprintf(connection.local, sizeof connection.local, "%s", cases[i].local);
        assert_int_equal(baton_would_loop(&connection), cases[i].would);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accept_waits_for_nobody),
        cmocka_unit_test(connections_of_an_offered_listener),
        cmocka_unit_test(an_idle_listener_is_given_back),
        cmocka_unit_test(a_listener_beside_connections),
        cmocka_unit_test(the_capacity_holds_for_a_listener_too),
        cmocka_unit_test(datagrams_of_an_offered_socket),
        cmocka_unit_test(a_lent_socket_outlives_drain),
        cmocka_unit_test(a_breach_gives_the_listener_back),
        cmocka_unit_test(retiring_waits_with_done_for_clients),
        cmocka_unit_test(retiring_gives_the_listener_back),
        cmocka_unit_test(services_that_answer_anything_are_known),
    };
    return cmocka_run_group_tests_name("sdk_sources", tests, NULL, NULL);
}
