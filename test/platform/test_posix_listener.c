/* Listeners that processes get at launch, as systemd passes them, and what they leave of them. */
#include "harness.h"
#include "tester_posix.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define LISTENER_COUNT 12 /* so many that their own numbers are among those they get */

static struct platform_listener *listen_for_handlers(struct bench *bench,
                                                     enum platform_protocol protocol,
                                                     uint64_t *token, struct address *address) {
    *address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(address);
    spec.protocol = protocol;
    spec.is_handed_over = true;
    struct platform_listener *listener = bench_listen_as(bench, &spec, token);
    platform_listener_address(listener, address);
    return listener;
}

/* `input`: which of them is standard input. */
static struct platform_process *launch_for(struct bench *bench,
                                           const struct platform_program *program,
                                           struct platform_listener *const *listeners,
                                           uint32_t input, uint64_t *token) {
    *token = bench_token(bench);
    struct platform_launch launch = {.program = program,
                                     .nonce_hex = BENCH_NONCE,
                                     .output = bench->output,
                                     .streams = PLATFORM_STREAMS_LISTENERS,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .listeners = listeners,
                                     .input_listener = input,
                                     .token = *token};
    return bench_start(bench, &launch).process;
}

static struct platform_process *launch_with(struct bench *bench,
                                            const struct platform_program *program,
                                            struct platform_listener *const *listeners,
                                            uint64_t *token) {
    return launch_for(bench, program, listeners, 0, token);
}

static void test_a_program_of_systemd_launched_twice(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint64_t process_token;
    struct address address;
    struct platform_listener *listener = listen_for_handlers(bench, PLATFORM_TCP, &token, &address);
    struct platform_program_spec spec = {.listener_count = 1, .listener_names = "web"};
    struct platform_program *program =
        BENCH_RECIPE(bench, spec, "listeners", "descriptors", "unblock-listeners", "hold");
    struct platform_program *serving = BENCH_RECIPE(bench, spec, "listeners", "serve-listener");
    char wanted[256];
    snprintf(wanted, sizeof wanted, "for-me=1 names=web input=%u %u \n", address.port,
             address.port);
    for (int i = 0; i < 2; i++) {
        /* One that makes it non-blocking for all, and takes nobody. */
        uintptr_t client = client_connect(&address);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        platform_listener_pause(listener);
        bench_forget_text(bench);
        struct platform_process *process = launch_with(bench, program, &listener, &process_token);
        bench_await_text(bench, "descriptors 0 1 2 3 \n");
        bench_forget_events(bench);
        bench_expect_rest(bench);
        platform_process_signal(process, PLATFORM_KILL);
        bench_finish(bench, &process, process_token);
        platform_listener_resume(listener);

        /* One that serves. */
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        platform_listener_pause(listener);
        bench_forget_text(bench);
        process = launch_with(bench, serving, &listener, &process_token);
        char text[16];
        client_send(client, "hello");
        client_end_sending(client);
        client_receive_all(client, text, sizeof text);
        assert_string_equal(text, "hello");
        client_close(client);
        assert_int_equal(bench_finish(bench, &process, process_token).code, 0);
        assert_string_equal(bench->text, wanted);
        platform_listener_resume(listener);
        bench_expect_rest(bench);
    }
    platform_program_destroy(&program);
    platform_program_destroy(&serving);
    platform_listener_close(&listener);
}

static void test_a_paused_one_blocks(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = listen_for_handlers(bench, PLATFORM_UDP, &token, &address);
    int descriptor = (int)platform_listener_socket(listener).value;
    assert_int_equal(fcntl(descriptor, F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(fcntl(descriptor, F_SETFL, O_NONBLOCK), 0);
    platform_listener_pause(listener);
    assert_int_equal(fcntl(descriptor, F_GETFL) & O_NONBLOCK, 0);
    struct platform_socket socket;
    struct address peer;
    assert_int_equal(platform_listener_accept(listener, &socket, &peer, &bench->cause),
                     BATON_INVALID);
    platform_listener_close(&listener);
}

static void test_datagrams(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint64_t process_token;
    struct address address;
    struct platform_listener *listener = listen_for_handlers(bench, PLATFORM_UDP, &token, &address);
    struct platform_program_spec spec = {.listener_count = 1};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "listeners", "serve-listener");
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(address.port)};
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, sizeof name), 0);
    for (int i = 0; i < 2; i++) {
        char bytes[16] = "";
        assert_int_equal(send(client, "hello", 5, 0), 5);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        platform_listener_pause(listener);
        bench_forget_text(bench);
        struct platform_process *process = launch_with(bench, program, &listener, &process_token);
        assert_int_equal(bench_finish(bench, &process, process_token).code, 0);
        assert_int_equal(recv(client, bytes, sizeof bytes, MSG_DONTWAIT), 5);
        assert_string_equal(bytes, "hello");
        assert_non_null(strstr(bench->text, "for-me=1 names=unknown"));
        platform_listener_resume(listener);
        bench_expect_rest(bench);
    }
    close(client);
    platform_program_destroy(&program);
    platform_listener_close(&listener);
}

static int connect_local(const struct sockaddr_un *name) {
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)name, sizeof *name), 0);
    return client;
}

/* It works: a client comes, and is told of. */
static void take_local(struct bench *bench, struct platform_listener *listener, uint64_t token,
                       const struct sockaddr_un *name) {
    int client = connect_local(name);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    int accepted = accept((int)platform_listener_socket(listener).value, NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(client);
}

/* A handler gets it, does that, and ends; then it is watched again, if it is any good still. */
static void resume_after(struct bench *bench, struct platform_listener *listener,
                         const char *action) {
    struct platform_program_spec spec = {.listener_count = 1};
    struct platform_program *program = BENCH_RECIPE(bench, spec, action);
    uint64_t token;
    platform_listener_pause(listener);
    struct platform_process *process = launch_with(bench, program, &listener, &token);
    bench_finish(bench, &process, token);
    platform_program_destroy(&program);
    platform_listener_resume(listener);
}

static void expect_lost_after(struct bench *bench, struct platform_listener *listener,
                              uint64_t token, const char *action) {
    resume_after(bench, listener, action);
    bench_await(bench, PLATFORM_EVENT_LOST, token);
    bench_expect_rest(bench);
}

static void test_a_local_one_that_is_lost(void **state) {
    struct bench *bench = *state;
    static const char *const actions[] = {"shut-listener", "shut-reading", "remove-file"};
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const uint32_t owner[] = {geteuid() == 0 ? 12345 : geteuid(), IDENTITY_SAME};
    struct stat status;
    uint64_t token;
    snprintf(name.sun_path, sizeof name.sun_path, "%s/socket", system_scratch());
    struct platform_listener_spec spec = {.protocol = PLATFORM_UNIX,
                                          .path = name.sun_path,
                                          .mode = 0640,
                                          .owner = owner,
                                          .backlog_count = 16,
                                          .is_handed_over = true};
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    resume_after(bench, listener, "exit:0");
    take_local(bench, listener, token, &name);
    size_t descriptor_count = system_descriptor_count();
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        expect_lost_after(bench, listener, token, actions[i]);
        platform_listener_close(&listener);
        listener = bench_listen_as(bench, &spec, &token);
        take_local(bench, listener, token, &name);
        assert_int_equal(lstat(name.sun_path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0640);
        assert_int_equal(status.st_uid, owner[0]);
        bench_expect_descriptors(bench, descriptor_count);
        bench_forget_events(bench);
    }

    /* The place is somebody else's by now: it stays theirs. */
    int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(unlink(name.sun_path), 0);
    assert_int_equal(bind(other, (const struct sockaddr *)&name, sizeof name), 0);
    assert_int_equal(listen(other, 2), 0);
    expect_lost_after(bench, listener, token, "exit:0");
    platform_listener_close(&listener);
    close(connect_local(&name));
    close(other);
    assert_int_equal(unlink(name.sun_path), 0);
    assert_int_equal(lstat(name.sun_path, &status), -1);
    assert_int_equal(errno, ENOENT);
}

/* All clients get through again, from whatever address it was bound to. */
static void expect_disconnected(struct bench *bench, const struct address *asked,
                                const struct platform_program *program) {
    struct platform_listener_spec spec = bench_tcp(asked);
    struct address bound;
    struct address address = bench_loopback();
    uint64_t token;
    uint64_t process_token;
    spec.protocol = PLATFORM_UDP;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(listener, &bound);
    address.port = bound.port;
    client_send_datagram(&address, "first");
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    platform_listener_pause(listener);
    struct platform_process *process = launch_with(bench, program, &listener, &process_token);
    assert_int_equal(bench_finish(bench, &process, process_token).code, 0);
    platform_listener_resume(listener);
    bench_expect_rest(bench);
    client_send_datagram(&address, "second");
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    int descriptor = (int)platform_listener_socket(listener).value;
    struct sockaddr_in name = {0};
    socklen_t length = sizeof name;
    assert_int_equal(getsockname(descriptor, (struct sockaddr *)&name, &length), 0);
    assert_int_equal(ntohs(name.sin_port), bound.port);
    assert_memory_equal(&name.sin_addr, bound.bytes, 4);
    platform_listener_close(&listener);
}

static void test_connected_by_a_handler_is_made_good(void **state) {
    struct bench *bench = *state;
    struct platform_program_spec spec = {.listener_count = 1};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "connect-listener");
    struct address address = bench_loopback();
    expect_disconnected(bench, &address, program);
    uint64_t token;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    platform_listener_close(&listener);
    expect_disconnected(bench, &address, program);
    /* One of all addresses. */
    struct address any = {.family = ADDRESS_IPV4, .port = address.port};
    expect_disconnected(bench, &any, program);
    any.port = 0;
    expect_disconnected(bench, &any, program);
    platform_program_destroy(&program);
}

/* Each at its place, although the numbers that they have here are among those that they get; and a
 * channel as well. */
static void test_many_in_their_order(void **state) {
    static const int order[LISTENER_COUNT] = {11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    struct bench *bench = *state;
    struct platform_listener *opened[LISTENER_COUNT];
    struct platform_listener *given[LISTENER_COUNT];
    struct address addresses[LISTENER_COUNT];
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    int holes[] = {dup(STDIN_FILENO), dup(STDIN_FILENO)}; /* where the channel will be */
    for (int i = 0; i < LISTENER_COUNT; i++) {
        opened[i] = listen_for_handlers(bench, PLATFORM_TCP, &token, &addresses[i]);
        platform_listener_pause(opened[i]);
    }
    char wanted[512];
    int used = snprintf(wanted, sizeof wanted, "for-me=1 names=0:1:2:3:4:5:6:7:8:9:a:b input=%u ",
                        addresses[order[7]].port);
    for (int i = 0; i < LISTENER_COUNT; i++) {
        given[i] = opened[order[i]];
        used +=
            snprintf(wanted + used, sizeof wanted - (size_t)used, "%u ", addresses[order[i]].port);
    }
    snprintf(wanted + used, sizeof wanted - (size_t)used,
             "\nBATON_CHANNEL=15,15\ndescriptors 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 \n");
    struct platform_program_spec spec = {.has_channel = true,
                                         .listener_count = LISTENER_COUNT,
                                         .listener_names = "0:1:2:3:4:5:6:7:8:9:a:b"};
    struct platform_program *program =
        BENCH_RECIPE(bench, spec, "listeners", "variable:BATON_CHANNEL", "descriptors", "hello");
    close(holes[0]);
    close(holes[1]);
    for (int i = 0; i < 2; i++) {
        /* A sibling that lives may unblock them at any time. */
        fcntl((int)platform_listener_socket(given[i]).value, F_SETFL, O_NONBLOCK);
        bench_forget_text(bench);
        struct platform_process *process = launch_for(bench, program, given, 7, &token);
        bench_receive(bench, process, token, frame);
        bench_finish(bench, &process, token);
        assert_string_equal(bench->text, wanted);
    }
    platform_program_destroy(&program);
    for (int i = 0; i < LISTENER_COUNT; i++) {
        platform_listener_close(&opened[i]);
    }
}

/* It is lost, and can be had again at its address. */
static void expect_lost(struct bench *bench, enum platform_protocol protocol, uint16_t port,
                        const char *action) {
    struct address address = bench_loopback();
    address.port = port;
    struct platform_listener_spec spec = bench_tcp(&address);
    uint64_t token;
    spec.is_handed_over = true;
    spec.protocol = protocol;
    struct platform_listener *listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(listener, &spec.address);
    expect_lost_after(bench, listener, token, action);
    platform_listener_close(&listener);
    listener = bench_listen_as(bench, &spec, &token);
    if (protocol == PLATFORM_TCP) {
        client_close(client_connect(&spec.address));
    } else {
        client_send_datagram(&spec.address, "x");
    }
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    platform_listener_close(&listener);
}

static void test_one_that_is_lost(void **state) {
    struct bench *bench = *state;
    static const char *const actions[] = {"shut-listener", "shut-reading", "turn-listener"};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        expect_lost(bench, PLATFORM_TCP, 0, actions[i]);
        /* A port asked for by its number: one that was free a moment ago. */
        struct address address = bench_loopback();
        uint64_t token;
        struct platform_listener *listener = bench_listen(bench, &token, &address);
        platform_listener_close(&listener);
        expect_lost(bench, PLATFORM_TCP, address.port, actions[i]);
    }
    expect_lost(bench, PLATFORM_TCP, 0, "move-listener");
    expect_lost(bench, PLATFORM_UDP, 0, "shut-listener");
    expect_lost(bench, PLATFORM_UDP, 0, "shut-reading");
}

/* All clients beside the one that the queue has room for: who is not accepted at once waits. */
static void test_the_backlog_is_set_anew(void **state) {
    struct bench *bench = *state;
    struct address address;
    uint64_t token;
    uintptr_t clients[8];
    struct tcp_info info;
    socklen_t length = sizeof info;
    struct platform_listener *listener = listen_for_handlers(bench, PLATFORM_TCP, &token, &address);
    resume_after(bench, listener, "listen-for-none");
    clients[0] = client_connect(&address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    int descriptor = (int)platform_listener_socket(listener).value;
    assert_int_equal(getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    assert_true(info.tcpi_sacked >= sizeof clients / sizeof clients[0]); /* the backlog's length */
    for (size_t i = 1; i < sizeof clients / sizeof clients[0]; i++) {
        clients[i] = client_connect(&address);
    }
    for (size_t i = 0; i < sizeof clients / sizeof clients[0]; i++) {
        client_close(clients[i]);
    }
    platform_listener_close(&listener);
}

static void test_a_launch_that_is_none_of_the_program(void **state) {
    struct bench *bench = *state;
    struct platform_program_spec with = {.listener_count = 1};
    struct platform_program *program = BENCH_RECIPE(bench, with, "exit:0");
    struct platform_launch launch = {.program = program, .socket = PLATFORM_SOCKET_NONE};
    struct platform_launched made;
    assert_int_equal(bench_launch_as(bench, &launch, &made), BATON_INVALID);
    platform_program_destroy(&program);
    const char *const argv[] = {"program", NULL};
    struct platform_program_spec colon = {
        .path = "/program", .argv = argv, .listener_count = 1, .listener_names = "a:b"};
    assert_int_equal(platform_program_create(bench->platform, &colon, &program, &bench->cause),
                     BATON_INVALID);
}

/* Leaders of sessions are looked at first, and the look is short. */
static pid_t fork_leader(void) {
    pid_t child = fork_bound();
    assert_true(child >= 0);
    if (child == 0) {
        setsid();
    }
    return child;
}

/* A process that listens at `address`, and that nobody but the test ends. */
static pid_t start_stranger(const struct address *address) {
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    int told[2];
    char text = '-';
    memcpy(&name.sin_addr, address->bytes, 4);
    assert_int_equal(pipe(told), 0);
    pid_t stranger = fork_leader();
    if (stranger == 0) {
        int listener = socket(AF_INET, SOCK_STREAM, 0);
        bool listens =
            bind(listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(listener, 1) == 0;
        (void)!write(told[1], listens ? "+" : "-", 1);
        for (;;) {
            pause();
        }
    }
    assert_int_equal(read(told[0], &text, 1), 1);
    assert_int_equal(text, '+');
    close(told[0]);
    close(told[1]);
    return stranger;
}

/* A place that is in use has another holder than the one who asks. */
static void test_the_holder_is_another(void **state) {
    struct bench *bench = *state;
    struct address address = bench_loopback();
    struct platform_holder holder;
    uint64_t token;
    int status = -1;
    struct platform_listener *ours = bench_listen(bench, &token, &address);
    struct platform_listener_spec spec = bench_tcp(&address);
    pid_t asker = fork_leader();
    if (asker == 0) {
        _exit(platform_listener_holder(&spec, &holder) ? 1 : 0);
    }
    assert_int_equal(waitpid(asker, &status, 0), asker);
    assert_int_equal(status, 0);
    /* One at the same port elsewhere, which has a copy of ours besides. */
    struct address elsewhere = address;
    elsewhere.bytes[3] = 2;
    pid_t stranger = start_stranger(&elsewhere);
    /* Each look takes little time, and the next goes on from there. */
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
    bool found = false;
    while (!found && platform_now_us(bench->platform) < deadline_us) {
        found = platform_listener_holder(&spec, &holder);
    }
    kill(stranger, SIGKILL);
    assert_int_equal(waitpid(stranger, NULL, 0), stranger);
    assert_true(found);
    assert_int_equal(holder.pid, stranger);
    char hint[PLATFORM_HINT_MAX_BYTES];
    char wanted[PLATFORM_HINT_MAX_BYTES];
    snprintf(wanted, sizeof wanted, "`ss -ltnp 'sport = :%u'`, as root, tells",
             (unsigned)spec.address.port);
    assert_true(platform_listener_hint(&spec, BATON_IN_USE, hint));
    assert_non_null(strstr(hint, wanted));
    assert_false(platform_listener_hint(&spec, BATON_DENIED, hint));
    assert_true(platform_listener_hint(&spec, BATON_UNAVAILABLE, hint));
    assert_non_null(strstr(hint, "`ip -br address`"));
    spec.address.port = 80;
    assert_true(platform_listener_hint(&spec, BATON_DENIED, hint));
    assert_non_null(strstr(hint, "cap_net_bind_service"));
    platform_listener_close(&ours);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_program_of_systemd_launched_twice),
        WITH_BENCH(test_a_paused_one_blocks),
        WITH_BENCH(test_datagrams),
        WITH_BENCH(test_a_local_one_that_is_lost),
        WITH_BENCH(test_connected_by_a_handler_is_made_good),
        WITH_BENCH(test_many_in_their_order),
        WITH_BENCH(test_one_that_is_lost),
        WITH_BENCH(test_the_backlog_is_set_anew),
        WITH_BENCH(test_a_launch_that_is_none_of_the_program),
        WITH_BENCH(test_the_holder_is_another),
    };
    return cmocka_run_group_tests_name("posix_listener", tests, NULL, bench_remove_scratch);
}
