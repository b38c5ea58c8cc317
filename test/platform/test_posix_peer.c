/* Who has connected to a local socket, seen from a pid namespace that does not contain the client:
 * its user is known, its process is not (unix(7), pid_namespaces(7)). */
#include "harness.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_US 20000000u
#define EXIT_NOT_ALLOWED 77

/* What the server in the other namespace tells. */
struct report {
    bool is_accepted; /* else it has begun to listen */
    struct address peer;
};

static const char *socket_path(void) {
    static char path[100];
    snprintf(path, sizeof path, "%s/peer", system_scratch());
    return path;
}

static void tell(int out, const struct report *report) {
    if (write(out, report, sizeof *report) != (ssize_t)sizeof *report) {
        _exit(1);
    }
}

/* Accepts one client and tells who it is. */
_Noreturn static void serve(int out) {
    struct platform_listener_spec spec = {
        .protocol = PLATFORM_UNIX, .path = socket_path(), .mode = 0600, .backlog_count = 1};
    struct platform *platform;
    struct platform_listener *listener;
    struct baton_cause cause;
    if (platform_open(&platform, &cause) != BATON_OK ||
        platform_listener_open(platform, &spec, 1, &listener, &cause) != BATON_OK) {
        _exit(1);
    }
    struct report report = {.is_accepted = false};
    tell(out, &report);
    uint64_t deadline_us = platform_now_us(platform) + DEADLINE_US;
    struct platform_event event;
    struct platform_socket socket;
    int result = BATON_AGAIN;
    while (result == BATON_AGAIN && platform_wait(platform, &event, 1, deadline_us, &cause) == 1) {
        result = platform_listener_accept(listener, &socket, &report.peer, &cause);
    }
    report.is_accepted = result == BATON_OK;
    tell(out, &report);
    platform_listener_close(&listener);
    platform_close(&platform);
    _exit(0);
}

/* The first process that is made after this is the first one of a new pid namespace. Who may not do
 * that may in a user namespace of its own, in which its user id is the same. */
static bool leave_namespace(void) {
    char line[32];
    uid_t uid = geteuid();
    if (unshare(CLONE_NEWPID) == 0) {
        return true;
    }
    if (unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
        return false;
    }
    int length = snprintf(line, sizeof line, "%u %u 1\n", (unsigned)uid, (unsigned)uid);
    int map = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);
    bool is_mapped = map >= 0 && write(map, line, (size_t)length) == length;
    close(map);
    return is_mapped;
}

_Noreturn static void serve_elsewhere(int out) {
    int status = 0;
    if (!leave_namespace()) {
        _exit(EXIT_NOT_ALLOWED);
    }
    pid_t server = fork();
    if (server == 0) {
        serve(out);
    }
    if (server < 0 || waitpid(server, &status, 0) != server) {
        _exit(1);
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static int connect_to_server(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof name.sun_path, "%s", socket_path());
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(client >= 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, sizeof name), 0);
    return client;
}

static void test_the_user_of_an_unknown_process(void **state) {
    (void)state;
    int reports[2];
    struct report report;
    int status = 0;
    (void)socket_path(); /* the folder is made here, by the one that removes it */
    assert_int_equal(pipe(reports), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(reports[0]);
        serve_elsewhere(reports[1]);
    }
    close(reports[1]);
    int client = -1;
    bool is_listening = read(reports[0], &report, sizeof report) == (ssize_t)sizeof report;
    if (is_listening) {
        client = connect_to_server();
        assert_int_equal(read(reports[0], &report, sizeof report), sizeof report);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    close(reports[0]);
    assert_true(WIFEXITED(status));
    if (!is_listening && WEXITSTATUS(status) == EXIT_NOT_ALLOWED) {
        print_message("no pid namespace may be made here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    close(client);
    assert_true(report.is_accepted);
    assert_int_equal(report.peer.family, ADDRESS_UNIX);
    assert_true(report.peer.has_uid);
    assert_int_equal(report.peer.uid, geteuid());
    assert_int_equal(report.peer.pid, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_user_of_an_unknown_process),
    };
    return cmocka_run_group_tests_name("posix_peer", tests, NULL, bench_remove_scratch);
}
