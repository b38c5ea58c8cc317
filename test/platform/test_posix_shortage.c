/* Out of descriptors at each step of what needs several: nothing is left behind, and when there are
 * enough it works. */
#include "filter_posix.h"
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_STEPS 24
/* Exit codes of a process that tries one call. */
#define NO_FILTER 77
#define NOT_TOLD 99

static rlim_t limit_to(rlim_t soft_count) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = soft_count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    return before;
}

static rlim_t lowest_free(void) {
    int lowest = dup(STDIN_FILENO);
    assert_true(lowest >= 0);
    close(lowest);
    return (rlim_t)lowest;
}

/* One try with `spare` free descriptors. */
typedef int attempt(struct bench *bench, void *context);

/* Returns up to which number of spare ones it failed. Among those that come next some may be taken,
 * so it can be more than what is needed. */
static int count_steps(struct bench *bench, attempt *try_once, void *context) {
    rlim_t lowest = lowest_free();
    size_t before_count = system_descriptor_count();
    for (int spare = 0; spare < MOST_STEPS; spare++) {
        for (int again = 0; again < BENCH_PROCESS_COUNT + 1; again++) { /* no table fills up */
            rlim_t before = limit_to(lowest + (rlim_t)spare);
            int result = try_once(bench, context);
            limit_to(before);
            if (result == BATON_OK) {
                assert_int_equal(again, 0);
                bench_expect_descriptors(bench, before_count);
                return spare;
            }
            if (result != BATON_SHORTAGE) {
                fail_msg("%d spare: %s: %s %ld", spare, baton_error_text(result), bench->cause.call,
                         bench->cause.system_code);
            }
            assert_non_null(bench->cause.call);
            assert_int_equal(system_descriptor_count(), before_count);
        }
    }
    fail_msg("%d descriptors are not enough", MOST_STEPS);
    return 0;
}

static int try_launch(struct bench *bench, void *context) {
    struct platform_launch *launch = context;
    struct platform_launched made;
    launch->token = bench_token(bench);
    int result = bench_launch_as(bench, launch, &made);
    if (result != BATON_OK) {
        assert_null(made.process);
        assert_null(made.input);
        assert_null(made.output);
        return result;
    }
    platform_stream_close(&made.input);
    platform_stream_close(&made.output);
    platform_channel_close(made.process);
    if (launch->output != NULL) {
        bench_finish(bench, &made.process, launch->token);
    } else {
        bench_await_exit(bench, &made.process, launch->token);
    }
    return BATON_OK;
}

static void test_pipes_and_a_channel(void **state) {
    struct bench *bench = *state;
    struct platform_program_spec spec = {.has_channel = true};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "exit:0");
    struct platform_launch launch = {.program = program,
                                     .nonce_hex = BENCH_NONCE,
                                     .output = bench->output,
                                     .streams = PLATFORM_STREAMS_PIPES,
                                     .socket = PLATFORM_SOCKET_NONE};
    /* A carrier belongs to those who have pipes: one of them lives, so that there is one all along.
     */
    struct platform_program_spec plain = {.has_channel = false};
    struct platform_program *copying = BENCH_RECIPE(bench, plain, "copy-input");
    struct platform_launch other = {.program = copying,
                                    .streams = PLATFORM_STREAMS_PIPES,
                                    .socket = PLATFORM_SOCKET_NONE,
                                    .token = bench_token(bench)};
    struct platform_launched living = bench_start(bench, &other);
    assert_true(count_steps(bench, try_launch, &launch) >= 6);
    platform_program_destroy(&program);
    platform_program_destroy(&copying);
    bench_expect_silence(bench);
    platform_stream_close(&living.input);
    platform_stream_close(&living.output);
    bench_await_exit(bench, &living.process, other.token);
}

/* The child moves those that are in the way, and may find no room for that. */
static void test_listeners_that_must_be_moved(void **state) {
    enum { COUNT = 8 };
    struct bench *bench = *state;
    struct platform_listener *listeners[COUNT];
    struct platform_listener *given[COUNT];
    for (int i = 0; i < COUNT; i++) {
        struct address address = bench_loopback();
        struct platform_listener_spec spec = bench_tcp(&address);
        uint64_t token;
        spec.is_handed_over = true;
        listeners[i] = bench_listen_as(bench, &spec, &token);
        platform_listener_pause(listeners[i]);
        given[COUNT - 1 - i] = listeners[i];
    }
    struct platform_program_spec spec = {.listener_count = COUNT};
    struct platform_program *program = BENCH_RECIPE(bench, spec, "exit:0");
    struct platform_launch launch = {.program = program,
                                     .streams = PLATFORM_STREAMS_LISTENERS,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .listeners = given};
    assert_true(count_steps(bench, try_launch, &launch) > 0);
    platform_program_destroy(&program);
    for (int i = 0; i < COUNT; i++) {
        platform_listener_close(&listeners[i]);
    }
}

static int try_listener(struct bench *bench, void *context) {
    struct platform_listener_spec *spec = context;
    struct platform_listener *listener;
    int result =
        platform_listener_open(bench->platform, spec, bench_token(bench), &listener, &bench->cause);
    struct stat status;
    if (result != BATON_OK && spec->path != NULL && lstat(spec->path, &status) == 0) {
        assert_int_equal(status.st_mode & 0777, 0711); /* the stale one, still there */
    }
    platform_listener_close(&listener);
    return result;
}

static void test_a_listener(void **state) {
    struct bench *bench = *state;
    struct address address = bench_loopback();
    struct platform_listener_spec spec = bench_tcp(&address);
    assert_true(count_steps(bench, try_listener, &spec) >= 1);
    bench_expect_silence(bench);
}

/* In a process of its own, since a filter stays. Returns the code, or NO_FILTER. */
static int accept_that_fails(struct bench *bench, struct platform_listener *listener, int code) {
    pid_t tester = fork();
    assert_true(tester >= 0);
    if (tester == 0) {
        struct platform_socket socket;
        struct address peer;
        /* musl's accept4(3) asks by accept(2) once more when the kernel says EINVAL. */
        if (!filter_make_fail(SYS_accept4, code) || !filter_make_fail(SYS_accept, code)) {
            _exit(NO_FILTER);
        }
        int result = platform_listener_accept(listener, &socket, &peer, &bench->cause);
        bool is_told = strcmp(bench->cause.call, "accept4") == 0 &&
                       bench->cause.system_code == code && !platform_socket_is_open(socket);
        _exit(is_told ? -result : NOT_TOLD);
    }
    int status;
    assert_int_equal(waitpid(tester, &status, 0), tester);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == NO_FILTER ? NO_FILTER : -WEXITSTATUS(status);
}

/* What holds for all listeners, for one client, for one listener. */
static void test_whom_a_failed_accept_concerns(void **state) {
    static const struct {
        int code, result;
    } cases[] = {
        {EAGAIN, BATON_AGAIN},     {EMFILE, BATON_SHORTAGE},     {ENFILE, BATON_SHORTAGE},
        {ENOBUFS, BATON_SHORTAGE}, {ENOMEM, BATON_SHORTAGE},     {ECONNABORTED, BATON_GONE},
        {ENETDOWN, BATON_GONE},    {EPROTO, BATON_GONE},         {ENOPROTOOPT, BATON_GONE},
        {EHOSTDOWN, BATON_GONE},   {ENONET, BATON_GONE},         {EHOSTUNREACH, BATON_GONE},
        {EOPNOTSUPP, BATON_GONE},  {ENETUNREACH, BATON_GONE},    {EPERM, BATON_SYSTEM},
        {EACCES, BATON_SYSTEM},    {EINVAL, BATON_SYSTEM},       {ENOSPC, BATON_SYSTEM},
        {EBADF, BATON_SYSTEM},     {ETOOMANYREFS, BATON_SYSTEM},
    };
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int result = accept_that_fails(bench, listener, cases[i].code);
        if (result == NO_FILTER) {
            platform_listener_close(&listener);
            skip();
        }
        if (result != cases[i].result) {
            fail_msg("%s: %s", strerror(cases[i].code), baton_error_text(result));
        }
    }
    platform_listener_close(&listener);
}

static int try_accept(struct bench *bench, struct platform_listener *listener) {
    struct platform_socket socket;
    struct address peer;
    int result = platform_listener_accept(listener, &socket, &peer, &bench->cause);
    assert_int_equal(platform_socket_is_open(socket), result == BATON_OK);
    bench_close_socket(bench, &socket);
    return result;
}

static void test_an_accept_without_descriptors_takes_nobody(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t client = client_connect(&address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    rlim_t before = limit_to(lowest_free());
    int result = try_accept(bench, listener);
    limit_to(before);
    assert_int_equal(result, BATON_SHORTAGE);
    assert_int_equal(try_accept(bench, listener), BATON_OK);
    client_close(client);
    platform_listener_close(&listener);
}

static int setup_with_a_reserve(void **state) {
    bench_reserve_count = 7;
    int result = bench_setup(state);
    bench_reserve_count = 0;
    return result;
}

/* Else those who are accepted and wait for a handler would have what it takes to launch one. */
static void test_accepting_leaves_what_a_launch_takes(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    struct platform_program_spec specs[] = {{.has_channel = true}, {.has_channel = false}};
    struct platform_program *programs[] = {BENCH_RECIPE(bench, specs[0], "exit:0"),
                                           BENCH_RECIPE(bench, specs[1], "exit:0")};
    struct platform_launch launches[] = {
        {.nonce_hex = BENCH_NONCE, .streams = PLATFORM_STREAMS_LOG},
        {.streams = PLATFORM_STREAMS_PIPES}, /* what takes most */
    };
    uintptr_t clients[2] = {client_connect(&address), client_connect(&address)};
    rlim_t before = limit_to(lowest_free() + 1);
    struct platform_socket first = bench_accept_next(bench, listener, token);
    platform_listener_pause(listener);
    for (int i = 0; i < 2; i++) {
        struct platform_launch *launch = &launches[i];
        struct platform_launched made;
        launch->program = programs[i];
        launch->output = bench->output;
        launch->socket = PLATFORM_SOCKET_NONE;
        launch->token = bench_token(bench);
        assert_int_equal(try_accept(bench, listener), BATON_SHORTAGE);
        assert_int_equal(bench_launch_as(bench, launch, &made), BATON_OK);
        assert_int_equal(try_accept(bench, listener), BATON_SHORTAGE); /* it has not ended */
        platform_stream_close(&made.input);
        platform_stream_close(&made.output);
        platform_channel_close(made.process);
        bench_finish(bench, &made.process, launch->token);
    }
    limit_to(before);
    platform_listener_resume(listener);
    struct platform_socket second = bench_accept_next(bench, listener, token);
    bench_close_socket(bench, &first);
    bench_close_socket(bench, &second);
    platform_program_destroy(&programs[0]);
    platform_program_destroy(&programs[1]);
    client_close(clients[0]);
    client_close(clients[1]);
    platform_listener_close(&listener);
}

/* Somebody has shut its socket down. */
static void test_one_broken_listener_is_no_shortage(void **state) {
    struct bench *bench = *state;
    uint64_t tokens[2];
    struct address addresses[2];
    struct platform_listener *broken = bench_listen(bench, &tokens[0], &addresses[0]);
    struct platform_listener *sound = bench_listen(bench, &tokens[1], &addresses[1]);
    assert_int_equal(shutdown((int)platform_listener_socket(broken).value, SHUT_RDWR), 0);
    uintptr_t client = client_connect(&addresses[1]);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, tokens[0]);
    assert_int_equal(try_accept(bench, broken), BATON_SYSTEM);
    assert_int_equal(bench->cause.system_code, EINVAL);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, tokens[1]);
    assert_int_equal(try_accept(bench, sound), BATON_OK);
    client_close(client);
    platform_listener_close(&broken);
    platform_listener_close(&sound);
}

static void test_a_local_socket(void **state) {
    struct bench *bench = *state;
    char path[256];
    const uint32_t owner[] = {geteuid(), IDENTITY_SAME};
    struct stat status;
    snprintf(path, sizeof path, "%s/socket", system_scratch());
    struct platform_listener_spec spec = {
        .protocol = PLATFORM_UNIX, .path = path, .mode = 0600, .owner = owner, .backlog_count = 16};
    assert_true(count_steps(bench, try_listener, &spec) >= 2);
    assert_int_not_equal(lstat(path, &status), 0);
    /* With a stale one in the way: the lock and a look at it as well. */
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, strlen(path) + 1);
    int other = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(other, (struct sockaddr *)&name, sizeof name), 0);
    close(other);
    assert_int_equal(chmod(path, 0711), 0);
    assert_true(count_steps(bench, try_listener, &spec) >= 3);
    assert_int_not_equal(lstat(path, &status), 0);
    bench_expect_silence(bench);
}

int main(void) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        return 77;
    }
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_pipes_and_a_channel),
        WITH_BENCH(test_listeners_that_must_be_moved),
        WITH_BENCH(test_a_listener),
        WITH_BENCH(test_a_local_socket),
        WITH_BENCH(test_whom_a_failed_accept_concerns),
        WITH_BENCH(test_an_accept_without_descriptors_takes_nobody),
        WITH_BENCH(test_one_broken_listener_is_no_shortage),
        cmocka_unit_test_setup_teardown(test_accepting_leaves_what_a_launch_takes,
                                        setup_with_a_reserve, bench_teardown),
    };
    return cmocka_run_group_tests_name("posix_shortage", tests, NULL, bench_remove_scratch);
}
