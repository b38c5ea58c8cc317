/* libbaton: the facts of a connection as variables, on both systems. */
#include "baton.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = {
    "BATON_SERVICE", "BATON_ID",    "PROTO",         "SERVER_ADDR",    "SERVER_PORT",
    "REMOTE_ADDR",   "REMOTE_PORT", "TCPLOCALIP",    "TCPLOCALPORT",   "TCPREMOTEIP",
    "TCPREMOTEPORT", "TCPCONNNUM",  "UNIXLOCALPATH", "UNIXREMOTEEUID", "UNIXREMOTEPID",
};

static const char *value_of(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? value : "";
}

/* All that there are, by `|`. */
static void assert_facts(const struct baton_connection *connection, const char *expected) {
    char text[1024] = "";
    size_t at = 0;
    assert_int_equal(baton_export_facts(connection), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = value_of(names[i]);
        size_t length = strlen(value);
        assert_true(at + length + 2 < sizeof text);
        memcpy(text + at, value, length);
        at += length;
        text[at++] = '|';
    }
    text[at] = '\0';
    assert_string_equal(text, expected);
}

static void a_client_of_tcp_and_then_others(void **state) {
    static struct baton_connection connection = {.id = 18446744073709551615u,
                                                 .service = "web",
                                                 .peer = "192.0.2.1:5000",
                                                 .local = "198.51.100.7:80",
                                                 .peer_count = 3};
    (void)state;
    assert_facts(&connection, "web|18446744073709551615|TCP|198.51.100.7|80|192.0.2.1|5000|"
                              "198.51.100.7|80|192.0.2.1|5000|3||||");
    connection = (struct baton_connection){
        .id = 1, .service = "web", .peer = "[2001:db8::1]:1", .local = "[::1]:65535"};
    assert_facts(&connection, "web|1|TCP|::1|65535|2001:db8::1|1|::1|65535|2001:db8::1|1|||||");
    connection = (struct baton_connection){.id = 7,
                                           .service = "local",
                                           .path = "/run/a b",
                                           .peer_count = 2,
                                           .peer_uid_known = 1,
                                           .peer_pid = 77};
    assert_facts(&connection, "local|7|UNIX||||||||||/run/a b|0|77|");
    /* A proxy's header named a client of TCP. */
    memcpy(connection.peer, "192.0.2.1:5000", sizeof "192.0.2.1:5000");
    memcpy(connection.local, "198.51.100.7:80", sizeof "198.51.100.7:80");
    assert_facts(&connection, "local|7|TCP|198.51.100.7|80|192.0.2.1|5000|198.51.100.7|80|"
                              "192.0.2.1|5000|2|/run/a b|0|77|");
    connection = (struct baton_connection){.socket = BATON_SOCKET_NONE};
    assert_facts(&connection, "|||||||||||||||");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_of_tcp_and_then_others),
    };
    return cmocka_run_group_tests_name("sdk_facts", tests, NULL, NULL);
}
