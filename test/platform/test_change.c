/* Listeners that become others where they are, and what is done beside the loop. */
#include "harness.h"

#include <string.h>

static struct platform_listener_spec spec_at(const struct address *address) {
    struct platform_listener_spec spec = {
        .protocol = PLATFORM_TCP, .backlog_count = 7, .v6only = true};
    if (address != NULL) {
        spec.address = *address;
    } else {
        assert_true(address_parse("127.0.0.1:0", &spec.address));
    }
    return spec;
}

static struct platform_listener *open_listener(struct bench *bench,
                                               const struct platform_listener_spec *spec,
                                               uint64_t *token, struct address *address) {
    struct platform_listener *listener = NULL;
    *token = bench_token(bench);
    assert_int_equal(
        platform_listener_open(bench->platform, spec, *token, &listener, &bench->cause), BATON_OK);
    platform_listener_address(listener, address);
    return listener;
}

/* Who waits there stays, and who comes later has the new options. */
static void test_clients_wait_on(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener_spec spec = spec_at(NULL);
    struct platform_listener *listener = open_listener(bench, &spec, &token, &address);
    platform_listener_pause(listener);
    uintptr_t clients[2] = {client_connect(&address), UINTPTR_MAX};
    spec.backlog_count = 99;
    spec.options = (struct socket_options){.nodelay = 1, .keepalive = 1};
    assert_int_equal(platform_listener_change(listener, &spec, &bench->cause), BATON_OK);
    clients[1] = client_connect(&address);
    platform_listener_resume(listener);
    for (int i = 0; i < 2; i++) {
        struct platform_socket socket = bench_accept_next(bench, listener, token);
        assert_true(platform_socket_is_open(socket));
        bench_close_socket(bench, &socket);
    }
    struct platform_socket none;
    struct address peer;
    assert_int_equal(platform_listener_accept(listener, &none, &peer, &bench->cause), BATON_AGAIN);
    client_close(clients[0]);
    client_close(clients[1]);
    platform_listener_close(&listener);
}

/* What cannot be made of it is told, and it is as it was. */
static void test_what_takes_another_socket(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener_spec spec = spec_at(NULL);
    spec.is_handed_over = true;
    struct platform_listener *listener = open_listener(bench, &spec, &token, &address);
    struct platform_listener_spec other = spec_at(&address);
    assert_int_equal(platform_listener_change(listener, &other, &bench->cause), BATON_UNSUPPORTED);
    other.is_handed_over = true;
    other.protocol = PLATFORM_UDP;
    assert_int_equal(platform_listener_change(listener, &other, &bench->cause), BATON_UNSUPPORTED);
    spec.backlog_count = 3;
    assert_int_equal(platform_listener_change(listener, &spec, &bench->cause), BATON_OK);
    uintptr_t client = client_connect(&address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    client_close(client);
    platform_listener_close(&listener);
}

/* ---- Beside the loop ---- */

struct job {
    volatile int steps_left;
    volatile int done_count;
};

static void work(void *context) {
    struct job *job = context;
    while (job->steps_left > 0) {
        job->steps_left--;
    }
    job->done_count++;
}

static void test_work_is_done_once_and_told(void **state) {
    struct bench *bench = *state;
    struct job jobs[2] = {{100000, 0}, {0, 0}};
    for (int i = 0; i < 2; i++) {
        uint64_t token = bench_token(bench);
        assert_int_equal(platform_work_start(bench->platform, work, &jobs[i], token, &bench->cause),
                         BATON_OK);
        assert_int_equal(
            platform_work_start(bench->platform, work, &jobs[i], bench_token(bench), &bench->cause),
            BATON_AGAIN);
        bench_await(bench, PLATFORM_EVENT_WORKED, token);
        assert_int_equal(jobs[i].done_count, 1);
        bench_forget_events(bench);
        bench_expect_silence(bench);
    }
    assert_true(platform_work_end(bench->platform));
}

static void test_work_is_awaited_at_the_end(void **state) {
    struct bench *bench = *state;
    struct job job = {100000, 0};
    assert_int_equal(
        platform_work_start(bench->platform, work, &job, bench_token(bench), &bench->cause),
        BATON_OK);
    assert_true(platform_work_end(bench->platform));
    assert_int_equal(job.done_count, 1);
    assert_int_equal(job.steps_left, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_clients_wait_on),
        WITH_BENCH(test_what_takes_another_socket),
        WITH_BENCH(test_work_is_done_once_and_told),
        WITH_BENCH(test_work_is_awaited_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
