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
    char line[512];
    int length =
        snprintf(line, sizeof line, "%s %s %s %d %d\n", connection->service, connection->peer,
                 connection->local, (fcntl(connection->socket, F_GETFL) & O_NONBLOCK) != 0,
                 fcntl(connection->socket, F_GETFD) == FD_CLOEXEC);
    (void)!write(STDOUT_FILENO, "stray", 5);
    (void)!write(STDERR_FILENO, "stray", 5);
    return baton_send(connection, line, (size_t)length) != 0;
}

/* Puts `given` at `first` and, for inetd, at the other standard streams too; serves; exits. */
static pid_t start_child(int given, int first, int last, const char *listen_fds,
                         const char *listen_pid) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    alarm(CHILD_LIFE_S);
    int kept = fcntl(given, F_DUPFD_CLOEXEC, 100);
    for (int i = first; i <= last; i++)
        dup2(kept, i);
    close(kept);
    char own_pid[24];
    snprintf(own_pid, sizeof own_pid, "%ld", (long)getpid());
    if (listen_fds != NULL) {
        setenv("LISTEN_FDS", listen_fds, 1);
        setenv("LISTEN_PID", listen_pid != NULL ? listen_pid : own_pid, 1);
        setenv("LISTEN_FDNAMES", "web:other", 1);
    }
    int status = baton_serve(introduce);
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

static void end_listening_child(pid_t child, int listener) {
    assert_int_equal(kill(child, SIGTERM), 0);
    assert_int_equal(wait_for(child), -1);
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
    int datagram = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)state;
    assert_int_equal(wait_for(start_child(nothing, 0, 0, NULL, NULL)), 1);
    assert_int_equal(wait_for(start_child(datagram, 0, 0, NULL, NULL)), 1);
    close(nothing);
    close(datagram);
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
        cmocka_unit_test(nothing_to_serve),
        cmocka_unit_test(hanging_up_keeps_the_answer),
    };
    return cmocka_run_group_tests_name("sdk_fallback", tests, NULL, NULL);
}
