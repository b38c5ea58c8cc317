/* What is seen on POSIX of a listener that becomes another where it is. */
#include "harness.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int option_of(struct platform_socket socket, int level, int name) {
    int value = 0;
    socklen_t length = sizeof value;
    assert_int_equal(getsockopt((int)socket.value, level, name, &value, &length), 0);
    return value;
}

static void test_accepted_sockets_have_the_new_options(void **state) {
    struct bench *bench = *state;
    struct platform_listener *listener = NULL;
    struct address address;
    uint64_t token = bench_token(bench);
    struct platform_listener_spec spec = {.backlog_count = 7,
                                          .options = {.nodelay = 1, .send_buffer_bytes = 40000}};
    assert_true(address_parse("127.0.0.1:0", &spec.address));
    assert_int_equal(
        platform_listener_open(bench->platform, &spec, token, &listener, &bench->cause), BATON_OK);
    platform_listener_address(listener, &address);
    for (int i = 0; i < 2; i++) {
        uintptr_t client = client_connect(&address);
        struct platform_socket socket = bench_accept_next(bench, listener, token);
        assert_int_equal(option_of(socket, IPPROTO_TCP, TCP_NODELAY), i == 0);
        assert_int_equal(option_of(socket, SOL_SOCKET, SO_KEEPALIVE), i == 1);
        bench_close_socket(bench, &socket);
        client_close(client);
        spec.options = (struct socket_options){.keepalive = 1};
        assert_int_equal(platform_listener_change(listener, &spec, &bench->cause), BATON_OK);
        /* It is the loop's own still: whoever accepts from it does not wait. */
        struct platform_socket none;
        struct address peer;
        assert_int_equal(platform_listener_accept(listener, &none, &peer, &bench->cause),
                         BATON_AGAIN);
        bench_forget_events(bench);
    }
    /* And as handlers expect it, once it is theirs. */
    spec.is_handed_over = true;
    assert_int_equal(platform_listener_change(listener, &spec, &bench->cause), BATON_OK);
    int descriptor = (int)platform_listener_socket(listener).value;
    assert_int_equal(fcntl(descriptor, F_GETFL) & O_NONBLOCK, 0);
    platform_listener_close(&listener);
}

static void test_the_file_of_a_local_socket(void **state) {
    struct bench *bench = *state;
    struct platform_listener *listener = NULL;
    char folder[] = "/tmp/baton-change-XXXXXX", path[64], other[64];
    struct stat status;
    const uint32_t owner[2] = {geteuid(), getegid()};
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/socket", folder);
    snprintf(other, sizeof other, "%s/other", folder);
    struct platform_listener_spec spec = {.protocol = PLATFORM_UNIX,
                                          .address = {.family = ADDRESS_UNIX},
                                          .path = path,
                                          .mode = 0600,
                                          .backlog_count = 5};
    assert_int_equal(platform_listener_open(bench->platform, &spec, bench_token(bench), &listener,
                                            &bench->cause),
                     BATON_OK);
    spec.mode = 0660;
    spec.owner = owner;
    assert_int_equal(platform_listener_change(listener, &spec, &bench->cause), BATON_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);
    /* Not another's file that has its name by now. */
    assert_int_equal(rename(path, other), 0);
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(file >= 0);
    close(file);
    spec.mode = 0666;
    assert_int_not_equal(platform_listener_change(listener, &spec, &bench->cause), BATON_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    platform_listener_close(&listener);
    unlink(path);
    unlink(other);
    rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_accepted_sockets_have_the_new_options),
        WITH_BENCH(test_the_file_of_a_local_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
