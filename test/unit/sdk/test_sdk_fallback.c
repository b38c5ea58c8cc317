/* libbaton without a channel: LISTEN_FDS and standard input, each in a child process (POSIX). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "baton.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 5000, CHILD_LIFE_S = 20, LISTEN_FDS_START = 3 };

static int listen_somewhere(struct sockaddr_in *address) {
    socklen_t length = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)address, sizeof *address), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)address, &length), 0);
    return listener;
}

static int connect_to(const struct sockaddr_in *address) {
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)address, sizeof *address), 0);
    return client;
}

/* Answers with service, peer and local, and writes to the standard streams, which must not reach
 * the client. */
static int introduce(struct baton_connection *connection) {
    char line[1024];
    int length =
        snprintf(line, sizeof line, "%s %s %s %d %d\n", connection->service, connection->peer,
                 connection->local, (fcntl(connection->socket, F_GETFL) & O_NONBLOCK) != 0,
                 fcntl(connection->socket, F_GETFD) == FD_CLOEXEC);
    (void)!write(STDOUT_FILENO, "stray", 5);
    (void)!write(STDERR_FILENO, "stray", 5);
    return baton_send(connection, line, (size_t)length) != 0;
}

static int greet(struct baton_connection *connection, const void *bytes, size_t length) {
    char line[512];
    int used = snprintf(line, sizeof line, "%s %.*s", connection->service, (int)length,
                        (const char *)bytes);
    return baton_send(connection, line, (size_t)used);
}

/* What the children are for, and what their last descriptor is if not the same as the first. */
static bool is_udp;
static int last_given = -1;

/* Puts `given` at `first` and, for inetd, at the other standard streams too; serves; exits. */
static pid_t start_child(int given, int first, int last, const char *listen_fds,
                         const char *listen_pid) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    alarm(CHILD_LIFE_S);
    int kept = fcntl(given, F_DUPFD_CLOEXEC, 100);
    int kept_last = last_given < 0 ? -1 : fcntl(last_given, F_DUPFD_CLOEXEC, 100);
    for (int i = first; i <= last; i++)
        dup2(i == last && kept_last >= 0 ? kept_last : kept, i);
    close(kept);
    char own_pid[24];
    snprintf(own_pid, sizeof own_pid, "%ld", (long)getpid());
    if (listen_fds != NULL) {
        setenv("LISTEN_FDS", listen_fds, 1);
        setenv("LISTEN_PID", listen_pid != NULL ? listen_pid : own_pid, 1);
        setenv("LISTEN_FDNAMES", "web:other", 1);
    }
    int status = is_udp ? baton_serve_both(introduce, greet) : baton_serve(introduce);
    _exit(getenv("LISTEN_FDS") == NULL && getenv("LISTEN_FDNAMES") == NULL ? status : 99);
}

static int wait_for(pid_t child) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Reads to the end of what the child says. */
static void assert_said(int client, const char *service) {
    char said[1024] = "", expected[256], peer[64], local[64];
    size_t used = 0;
    ssize_t got;
    struct sockaddr_in name = {0};
    socklen_t length = sizeof name;
    struct pollfd wait = {.fd = client, .events = POLLIN};
    assert_int_equal(getsockname(client, (struct sockaddr *)&name, &length), 0);
    snprintf(peer, sizeof peer, "127.0.0.1:%u", ntohs(name.sin_port));
    assert_int_equal(getpeername(client, (struct sockaddr *)&name, &length), 0);
    snprintf(local, sizeof local, "127.0.0.1:%u", ntohs(name.sin_port));
    snprintf(expected, sizeof expected, "%s %s %s 0 1\n", service, peer, local);
    do {
        assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
        got = recv(client, said + used, sizeof said - 1 - used, 0);
        used += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    assert_int_equal(got, 0);
    assert_string_equal(said, expected);
    close(client);
}

/* SIGTERM is DRAIN. */
static void end_listening_child(pid_t child, int listener) {
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(wait_for(child), 0);
    close(listener);
}

static void listen_fds_with_a_listener(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    (void)state;
    /* Others may have left it non-blocking; connections come all the same. */
    fcntl(listener, F_SETFL, fcntl(listener, F_GETFL) | O_NONBLOCK);
    pid_t child = start_child(listener, LISTEN_FDS_START, LISTEN_FDS_START, "1", NULL);
    for (int i = 0; i < 3; i++)
        assert_said(connect_to(&address), "web");
    end_listening_child(child, listener);
}

static void listen_fds_with_two_listeners(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    (void)state;
    pid_t child = start_child(listener, LISTEN_FDS_START, LISTEN_FDS_START + 1, "2", NULL);
    assert_said(connect_to(&address), "web");
    end_listening_child(child, listener);
}

static void listen_fds_with_a_connection(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    int client = connect_to(&address);
    int accepted = accept(listener, NULL, NULL);
    (void)state;
    fcntl(accepted, F_SETFL, O_NONBLOCK);
    pid_t child = start_child(accepted, LISTEN_FDS_START, LISTEN_FDS_START, "1", NULL);
    close(accepted);
    assert_said(client, "web");
    assert_int_equal(wait_for(child), 0);
    close(listener);
}

static void listen_fds_that_are_not_for_us(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)state;
    (void)dup2(nothing, STDIN_FILENO);
    assert_int_equal(wait_for(start_child(listener, 3, 3, "1", "1")), 1);
    assert_int_equal(wait_for(start_child(listener, 3, 3, "x", NULL)), 1);
    assert_int_equal(wait_for(start_child(listener, 3, 3, "-1", NULL)), 1);
    assert_int_equal(wait_for(start_child(listener, 3, 3, "33", NULL)), 1);
    close(nothing);
    close(listener);
}

static void a_connection_on_all_standard_streams(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    int client = connect_to(&address);
    int accepted = accept(listener, NULL, NULL);
    (void)state;
    pid_t child = start_child(accepted, STDIN_FILENO, STDERR_FILENO, NULL, NULL);
    close(accepted);
    assert_said(client, "");
    assert_int_equal(wait_for(child), 0);
    close(listener);
}

static void a_listener_on_standard_input(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    (void)state;
    pid_t child = start_child(listener, STDIN_FILENO, STDIN_FILENO, NULL, NULL);
    assert_said(connect_to(&address), "");
    assert_said(connect_to(&address), "");
    end_listening_child(child, listener);
}

static void nothing_to_serve(void **state) {
    int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ends[2];
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)state;
    assert_int_equal(wait_for(start_child(nothing, 0, 0, NULL, NULL)), 1);
    assert_int_equal(wait_for(start_child(datagram, 0, 0, NULL, NULL)), 1);
    /* handoff = pump */
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(wait_for(start_child(ends[0], 0, 0, NULL, NULL)), 1);
    close(ends[0]);
    close(ends[1]);
    close(nothing);
    close(datagram);
}

/* As batond's listener mode has it: descriptor 3 and standard input are the same. */
static void a_listener_as_both(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    (void)state;
    (void)dup2(listener, STDIN_FILENO);
    pid_t child = start_child(listener, LISTEN_FDS_START, LISTEN_FDS_START, "1", NULL);
    assert_said(connect_to(&address), "web");
    end_listening_child(child, listener);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)dup2(nothing, STDIN_FILENO);
    close(nothing);
}

static void each_of_two_listeners_is_served(void **state) {
    struct sockaddr_in addresses[2];
    int listeners[2] = {listen_somewhere(&addresses[0]), listen_somewhere(&addresses[1])};
    (void)state;
    last_given = listeners[1];
    pid_t child = start_child(listeners[0], LISTEN_FDS_START, LISTEN_FDS_START + 1, "2", NULL);
    last_given = -1;
    for (int i = 0; i < 4; i++)
        assert_said(connect_to(&addresses[i % 2]), i % 2 == 0 ? "web" : "other");
    end_listening_child(child, listeners[0]);
    close(listeners[1]);
}

static void an_idle_listener_ends_it(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    (void)state;
    setenv("LIBBATON_IDLE_MS", "50", 1);
    pid_t child = start_child(listener, STDIN_FILENO, STDIN_FILENO, NULL, NULL);
    assert_int_equal(wait_for(child), 0);
    setenv("LIBBATON_IDLE_MS", "soon", 1);
    assert_int_equal(wait_for(start_child(listener, 0, 0, NULL, NULL)), 1);
    unsetenv("LIBBATON_IDLE_MS");
    close(listener);
}

static void datagrams_on_standard_input(void **state) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    char said[64];
    int given = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(given, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(given, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    is_udp = true;
    setenv("BATON_SERVICE", "greeter", 1);
    setenv("BATON_ID", "17", 1);
    pid_t child = start_child(given, STDIN_FILENO, STDIN_FILENO, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        struct pollfd wait = {.fd = client, .events = POLLIN};
        assert_int_equal(send(client, "world", 5, 0), 5);
        assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
        assert_int_equal(recv(client, said, sizeof said, 0), 13);
        assert_memory_equal(said, "greeter world", 13);
    }
    end_listening_child(child, given);
    is_udp = false;
    unsetenv("BATON_SERVICE");
    unsetenv("BATON_ID");
    close(client);
}

/* A connected one fails when its peer has no port. The loop must not go round with that. */
static void a_datagram_socket_that_fails_ends_it(void **state) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int given = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int peer = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)state;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(peer, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(peer, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(given, (struct sockaddr *)&address, sizeof address), 0);
    close(peer);
    assert_int_equal(send(given, "?", 1, 0), 1);
    is_udp = true;
    assert_int_equal(wait_for(start_child(given, STDIN_FILENO, STDIN_FILENO, NULL, NULL)), 1);
    is_udp = false;
    close(given);
}

/* Answers what it knows when the client has said something. */
static int tell_facts(struct baton_connection *connection) {
    char line[1024], byte;
    if (baton_receive(connection, &byte, 1) != 1)
        return 1;
    int length = snprintf(line, sizeof line, "%s %d %s %s %s %u", connection->service,
                          (int)connection->id, connection->peer, connection->local, connection->via,
                          (unsigned)connection->peer_count);
    return baton_send(connection, line, (size_t)length);
}

static pid_t start_telling(int given) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    alarm(CHILD_LIFE_S);
    (void)dup2(given, STDIN_FILENO);
    (void)dup2(given, STDOUT_FILENO);
    _exit(baton_serve(tell_facts));
}

/* The environment of batond's stdio mode, behind a proxy. SIGTERM lets the client be served; who
 * says it again later means it. */
static void facts_of_the_environment(void **state) {
    static const char *const facts[][2] = {
        {"BATON_SERVICE", "web"}, {"BATON_ID", "17"},           {"REMOTE_ADDR", "2001:db8::1"},
        {"REMOTE_PORT", "50122"}, {"SERVER_ADDR", "192.0.2.7"}, {"SERVER_PORT", "443"},
        {"TCPCONNNUM", "3"}};
    enum { COUNT = sizeof facts / sizeof *facts };
    struct sockaddr_in address, name;
    socklen_t length = sizeof name;
    char expected[128], said[128] = "";
    int listener = listen_somewhere(&address);
    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        setenv(facts[i][0], facts[i][1], 1);
    int client = connect_to(&address);
    int accepted = accept(listener, NULL, NULL);
    pid_t child = start_telling(accepted);
    assert_int_equal(send(client, "x", 1, 0), 1);
    struct pollfd wait = {.fd = client, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, DEADLINE_MS), 1);
    assert_int_equal(getsockname(client, (struct sockaddr *)&name, &length), 0);
    snprintf(expected, sizeof expected, "web 17 [2001:db8::1]:50122 192.0.2.7:443 127.0.0.1:%u 3",
             ntohs(name.sin_port));
    assert_true(recv(client, said, sizeof said - 1, 0) > 0);
    assert_string_equal(said, expected);
    assert_int_equal(wait_for(child), 0);
    close(accepted);
    close(client);
    for (size_t i = 0; i < COUNT; i++)
        unsetenv(facts[i][0]);
    close(listener);
}

static int wait_for_end(struct baton_connection *connection) {
    char byte;
    if (baton_send(connection, "!", 1) != 0)
        return 1;
    while (baton_receive(connection, &byte, 1) > 0) {
    }
    return 0;
}

static pid_t start_waiting(int given) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    alarm(CHILD_LIFE_S);
    (void)dup2(given, STDIN_FILENO);
    _exit(baton_serve(wait_for_end));
}

static void sigterm_lets_the_client_be_served(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    int client = connect_to(&address);
    char byte;
    (void)state;
    pid_t child = start_waiting(listener);
    assert_int_equal(recv(client, &byte, 1, 0), 1);
    /* A supervisor that was killed asks more than once. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(kill(child, SIGTERM), 0);
        (void)poll(NULL, 0, 5);
    }
    int late = connect_to(&address);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    assert_int_equal(recv(client, &byte, 1, 0), 0);
    assert_int_equal(wait_for(child), 0);
    /* Who came after the signal is left to the next process. */
    child = start_waiting(listener);
    assert_int_equal(recv(late, &byte, 1, 0), 1);
    /* One that is sent while another is pending is lost: until the process has ended. */
    int status = 0;
    for (int i = 0; i < DEADLINE_MS && waitpid(child, &status, WNOHANG) == 0; i++) {
        assert_int_equal(kill(child, SIGTERM), 0);
        (void)poll(NULL, 0, 1);
    }
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
    close(client);
    close(late);
    close(listener);
}

static void hanging_up_keeps_the_answer(void **state) {
    struct sockaddr_in address;
    int listener = listen_somewhere(&address);
    int client = connect_to(&address);
    char said[16];
    (void)state;
    struct baton_connection connection = {.socket = accept(listener, NULL, NULL)};
    assert_int_equal(send(client, "unread", 6, 0), 6);
    assert_int_equal(baton_send(&connection, "answer", 6), 0);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    baton_hang_up(&connection, DEADLINE_MS, 1000);
    close(connection.socket);
    assert_int_equal(recv(client, said, sizeof said, 0), 6);
    assert_int_equal(recv(client, said, sizeof said, 0), 0);
    close(client);
    close(listener);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen_fds_with_a_listener),
        cmocka_unit_test(listen_fds_with_two_listeners),
        cmocka_unit_test(listen_fds_with_a_connection),
        cmocka_unit_test(listen_fds_that_are_not_for_us),
        cmocka_unit_test(a_connection_on_all_standard_streams),
        cmocka_unit_test(a_listener_on_standard_input),
        cmocka_unit_test(a_listener_as_both),
        cmocka_unit_test(each_of_two_listeners_is_served),
        cmocka_unit_test(an_idle_listener_ends_it),
        cmocka_unit_test(datagrams_on_standard_input),
        cmocka_unit_test(a_datagram_socket_that_fails_ends_it),
        cmocka_unit_test(facts_of_the_environment),
        cmocka_unit_test(sigterm_lets_the_client_be_served),
        cmocka_unit_test(nothing_to_serve),
        cmocka_unit_test(hanging_up_keeps_the_answer),
    };
    return cmocka_run_group_tests_name("sdk_fallback", tests, NULL, NULL);
}
