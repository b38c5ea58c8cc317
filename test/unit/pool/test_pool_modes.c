/* The pool and the hand-off modes: processes without a channel, listeners that are handed over, and
 * connections that begin with a PROXY header. */
#include "pool_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static struct pool_scene scene;
static struct pool *const pool = &scene.pool;
static const struct pool_words silence = {0};
static const struct address peer = {.family = ADDRESS_IPV4, .bytes = {10, 0, 0, 1}, .port = 9};

static void begin(enum service_handoff handoff, bool has_channel) {
    bool is_listener = handoff == HANDOFF_LISTENER;
    struct service service = {.name = "s",
                              .handoff = handoff,
                              .has_channel = has_channel,
                              .max_connections_count = is_listener ? 1 : 4,
                              .attempts_count = is_listener ? 1 : 2,
                              .reuse_count = 1,
                              .handshake_timeout_ms = 5000,
                              .proxy_timeout_ms = 3000,
                              .stop_timeout_ms = 2000};
    pool_scene_begin(&scene, &service, 1);
}

static uint32_t accept_at(uint64_t now_us) {
    struct pool_arrival arrival = {.wall_us = (int64_t)now_us};
    if (pool_scene_rules(&scene, 0)->handoff != HANDOFF_LISTENER) {
        arrival.peer = arrival.local = peer;
    }
    return pool_accept(pool_at(pool, now_us), &arrival);
}

/* The next action must be `kind`. */
static struct pool_action next(enum pool_action_kind kind) {
    struct pool_action action = {.kind = POOL_ROOM};
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, kind);
    return action;
}

static void nothing_more(void) {
    struct pool_action action;
    assert_false(pool_next_action(pool, &action));
}

static uint32_t launch(uint64_t now_us) {
    uint32_t process = next(POOL_LAUNCH).process;
    pool_launched(pool_at(pool, now_us), process, 100);
    return process;
}

static void end_process(uint32_t process, bool by_signal, uint32_t code, uint64_t now_us) {
    pool_exiting(pool, process);
    pool_exited(pool_at(pool, now_us), process,
                (struct pool_exit){.by_signal = by_signal, .code = code}, NULL);
}

/* The record of a connection or activation, and its end. */
static void record(enum outcome outcome) {
    struct pool_action action = next(POOL_RECORD);
    assert_int_equal(action.outcome, outcome);
    if (pool->connections[action.connection].is_activation) {
        assert_int_equal(next(POOL_GIVE_BACK).connection, action.connection);
    }
    pool_forget(pool, action.connection);
}

/* The same, and all that follows a process's end. */
static void finish(enum outcome outcome, uint64_t now_us) {
    record(outcome);
    pool_reaped(pool_at(pool, now_us), next(POOL_CLOSE_PROCESS).process);
}

static void test_exec_is_hello_and_ack(void **state) {
    (void)state;
    begin(HANDOFF_STDIO, false);
    uint32_t connection = accept_at(1000);
    uint32_t process = launch(1500);
    assert_int_equal(next(POOL_RELEASE).connection, connection);
    nothing_more();
    const struct connection *c = &pool->connections[connection];
    assert_int_equal(c->state, CONNECTION_HELD);
    assert_int_equal(c->pid, 100);
    assert_int_equal(c->greeted_us, 1500);
    assert_int_equal(c->acked_us, 1500);
    assert_int_equal(timers_next_us(&scene.timers),
                     TIMERS_NEVER); /* no handshake, so no deadline */
    end_process(process, false, 0, 2000);
    finish(OUTCOME_SERVED, 2000);
    nothing_more();
    assert_true(pool_is_empty(pool));
    pool_scene_end(&scene);
}

static void test_attempts_until_exec(void **state) {
    (void)state;
    begin(HANDOFF_PUMP, false);
    uint32_t connection = accept_at(1);
    pool_launch_failed(pool_at(pool, 2), next(POOL_LAUNCH).process, POOL_LAUNCH_REFUSED);
    assert_int_equal(next(POOL_ATTEMPT_FAILED).outcome, OUTCOME_LAUNCH_FAILED);
    uint32_t process = launch(3);
    next(POOL_RELEASE);
    assert_int_equal(pool->connections[connection].attempts_used, 1);
    end_process(process, true, 11, 4); /* after exec there is no other attempt */
    finish(OUTCOME_CRASHED, 4);
    assert_true(pool_is_empty(pool));
    pool_scene_end(&scene);
}

static void test_stop_of_a_process_without_channel(void **state) {
    (void)state;
    begin(HANDOFF_STDIO, false);
    accept_at(1);
    uint32_t process = launch(2);
    next(POOL_RELEASE);
    pool_stop(pool_at(pool, 10));
    nothing_more(); /* nothing to tell it by: it may finish */
    pool_scene_tick(&scene, 10 + 2000000);
    assert_int_equal(next(POOL_TERMINATE).process, process);
    pool_scene_tick(&scene, 10 + 4000000);
    assert_int_equal(next(POOL_KILL).process, process);
    end_process(process, true, 9, 4000020);
    finish(OUTCOME_DRAINED, 4000020);
    assert_true(pool_is_empty(pool));
    pool_scene_end(&scene);
}

/* One activation at a time: the listener has no room while its process lives. */
static void test_activation(void **state) {
    (void)state;
    begin(HANDOFF_LISTENER, false);
    assert_true(pool_has_room(pool, 0));
    uint32_t connection = accept_at(1);
    assert_true(pool->connections[connection].is_activation);
    assert_false(pool_has_room(pool, 0));
    pool_await_room(pool, 0);
    uint32_t process = launch(2);
    next(POOL_RELEASE);
    end_process(process, false, 0, 3);
    record(OUTCOME_SERVED);
    next(POOL_CLOSE_PROCESS);
    next(POOL_ROOM);
    pool_reaped(pool_at(pool, 3), process);
    assert_true(pool_has_room(pool, 0));
    pool_scene_end(&scene);
}

static void fail_activation(uint64_t now_us, uint64_t pause_us) {
    accept_at(now_us);
    assert_false(pool_has_room(pool, 0));
    uint32_t process = launch(now_us);
    next(POOL_RELEASE);
    end_process(process, false, 1, now_us);
    assert_int_equal(next(POOL_HELD_BACK).pause_us, pause_us);
    finish(OUTCOME_FAILED, now_us);
    nothing_more(); /* no room before the pause is over */
    assert_false(pool_has_room(pool, 0));
    assert_int_equal(timers_next_us(&scene.timers), now_us + pause_us);
    pool_scene_tick(&scene, now_us + pause_us - 1);
    nothing_more();
    pool_scene_tick(&scene, now_us + pause_us);
    next(POOL_ROOM);
    assert_true(pool_has_room(pool, 0));
}

static void test_failing_activations_are_held_back(void **state) {
    (void)state;
    begin(HANDOFF_LISTENER, false);
    fail_activation(1000, 100000);
    fail_activation(200000, 200000);
    fail_activation(600000, 400000);
    pool_scene_end(&scene);
}

static void test_launches_that_fail_are_held_back(void **state) {
    (void)state;
    begin(HANDOFF_LISTENER, false);
    accept_at(1);
    pool_launch_failed(pool_at(pool, 2), next(POOL_LAUNCH).process, POOL_LAUNCH_REFUSED);
    next(POOL_ATTEMPT_FAILED);
    assert_int_equal(next(POOL_HELD_BACK).pause_us, 100000);
    record(OUTCOME_LAUNCH_FAILED);
    nothing_more();
    pool_stop(pool_at(pool, 3)); /* a stop does not wait for the pause */
    assert_true(pool_is_empty(pool));
    assert_int_equal(timers_next_us(&scene.timers), TIMERS_NEVER);
    pool_scene_end(&scene);
}

static void stop_activation(bool by_signal, uint32_t code, enum outcome outcome) {
    begin(HANDOFF_LISTENER, false);
    accept_at(1);
    uint32_t process = launch(2);
    next(POOL_RELEASE);
    pool_stop(pool_at(pool, 10));
    assert_int_equal(next(POOL_SEND_DRAIN).process, process);
    nothing_more();
    end_process(process, by_signal, code, 20);
    finish(outcome, 20);
    assert_true(pool_is_empty(pool));
    pool_scene_end(&scene);
}

static void break_pipe(uint32_t process, uint64_t now_us) {
    pool_exiting(pool, process);
    pool_exited(pool_at(pool, now_us), process,
                (struct pool_exit){.by_signal = true, .code = 13, .by_broken_pipe = true}, NULL);
}

/* Who wrote to a client that had left did nothing wrong. */
static void test_broken_pipe_is_no_crash(void **state) {
    static const enum service_handoff without_channel[] = {HANDOFF_STDIO, HANDOFF_PUMP};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        begin(without_channel[i], false);
        accept_at(1);
        uint32_t process = launch(2);
        next(POOL_RELEASE);
        break_pipe(process, 3);
        finish(OUTCOME_BROKEN_PIPE, 3);
        pool_scene_end(&scene);
    }
    begin(HANDOFF_CHANNEL, true);
    uint32_t connection = accept_at(1);
    uint32_t process = launch(2);
    assert_true(pool_hello(pool_at(pool, 3), process, 100, 1));
    next(POOL_OFFER);
    assert_true(pool_ack(pool_at(pool, 4), process, connection, &silence));
    next(POOL_RELEASE);
    break_pipe(process, 5);
    finish(OUTCOME_BROKEN_PIPE, 5);
    pool_scene_end(&scene);
}

/* Before the ACK it cannot have been the client. */
static void test_broken_pipe_before_the_ack(void **state) {
    (void)state;
    begin(HANDOFF_CHANNEL, true);
    pool_scene_rules(&scene, 0)->attempts_count = 1;
    accept_at(1);
    uint32_t process = launch(2);
    assert_true(pool_hello(pool_at(pool, 3), process, 100, 1));
    next(POOL_OFFER);
    break_pipe(process, 4);
    assert_int_equal(next(POOL_ATTEMPT_FAILED).outcome, OUTCOME_CRASHED);
    finish(OUTCOME_CRASHED, 4);
    pool_scene_end(&scene);
}

/* It may still finish by itself, and so by its client; not any more when it was told to end. */
static void test_broken_pipe_at_a_stop(void **state) {
    (void)state;
    for (int is_terminated = 0; is_terminated < 2; is_terminated++) {
        begin(HANDOFF_STDIO, false);
        accept_at(1);
        uint32_t process = launch(2);
        next(POOL_RELEASE);
        pool_stop(pool_at(pool, 10));
        if (is_terminated) {
            pool_scene_tick(&scene, 10 + 2000000);
            next(POOL_TERMINATE);
        }
        break_pipe(process, 3000000);
        finish(is_terminated ? OUTCOME_DRAINED : OUTCOME_BROKEN_PIPE, 3000000);
        pool_scene_end(&scene);
    }
}

/* A listener's handler that a client took down is launched again at once, however often. */
static void test_broken_pipe_is_not_held_back(void **state) {
    (void)state;
    begin(HANDOFF_LISTENER, false);
    for (uint64_t i = 0; i < 5; i++) {
        accept_at(i * 1000000);
        uint32_t process = launch(i * 1000000 + 1);
        next(POOL_RELEASE);
        break_pipe(process, i * 1000000 + 2);
        finish(OUTCOME_BROKEN_PIPE, i * 1000000 + 2);
        nothing_more();
    }
    pool_scene_end(&scene);
}

static void test_stop_of_an_activation(void **state) {
    (void)state;
    stop_activation(false, 0, OUTCOME_SERVED);
    stop_activation(true, 15, OUTCOME_DRAINED);
    stop_activation(false, 143, OUTCOME_DRAINED);
}

/* Where listeners are not inherited the activation is offered on a channel, and DONE ends it. */
static void test_activation_by_offer(void **state) {
    (void)state;
    begin(HANDOFF_LISTENER, true);
    uint32_t connection = accept_at(1);
    uint32_t process = launch(2);
    assert_true(pool_hello(pool_at(pool, 3), process, 100, 1));
    assert_int_equal(next(POOL_OFFER).connection, connection);
    assert_true(pool_ack(pool_at(pool, 4), process, connection, &silence));
    next(POOL_RELEASE);
    assert_true(pool_done(pool_at(pool, 5), process, connection, &silence));
    record(OUTCOME_SERVED);
    next(POOL_CLOSE_CHANNEL);
    nothing_more();
    end_process(process, false, 0, 6);
    pool_reaped(pool_at(pool, 6), next(POOL_CLOSE_PROCESS).process);
    assert_true(pool_is_empty(pool));
    pool_scene_end(&scene);
}

/* ---- PROXY headers ---- */

static void test_preface_counts_from_accept(void **state) {
    (void)state;
    begin(HANDOFF_STDIO, false);
    pool_scene_rules(&scene, 0)->proxy_protocol = 1;
    uint32_t connections[4];
    for (uint32_t i = 0; i < 4; i++) {
        assert_true(pool_has_room(pool, 0));
        connections[i] = accept_at(1);
        assert_int_equal(pool->connections[connections[i]].state, CONNECTION_PREFACE);
    }
    assert_false(pool_has_room(pool, 0));
    nothing_more();
    const struct address client = {.family = ADDRESS_IPV6, .bytes = {1}, .port = 5};
    assert_int_equal(pool->connections[connections[0]].from_peer_count, 1);
    assert_int_equal(pool->connections[connections[3]].from_peer_count, 4);
    pool_begin(pool_at(pool, 2), connections[0], &client, &client);
    assert_int_equal(pool->connections[connections[0]].from_peer_count, 1);
    assert_int_equal(pool->connections[connections[1]].from_peer_count, 2);
    pool_begin(pool_at(pool, 2), connections[1], NULL, NULL);
    const struct connection *named = &pool->connections[connections[0]];
    const struct connection *direct = &pool->connections[connections[1]];
    assert_true(address_equal(&named->peer, &client));
    assert_true(address_equal(&named->via, &peer));
    assert_true(address_equal(&direct->peer, &peer));
    assert_int_equal(direct->via.family, ADDRESS_NONE);
    assert_int_equal(next(POOL_LAUNCH).connection, connections[0]);
    assert_int_equal(next(POOL_LAUNCH).connection, connections[1]);
    pool_begin_failed(pool_at(pool, 3), connections[2], OUTCOME_PROXY_INVALID, "why");
    assert_int_equal(next(POOL_RECORD).outcome, OUTCOME_PROXY_INVALID);
    pool_scene_tick(&scene, 1 + 3000000);
    struct pool_action action = next(POOL_RECORD);
    assert_int_equal(action.outcome, OUTCOME_PROXY_TIMEOUT);
    assert_int_equal(action.connection, connections[3]);
    nothing_more();
    pool_scene_end(&scene);
}

static void test_stop_ends_prefaces(void **state) {
    (void)state;
    begin(HANDOFF_STDIO, false);
    pool_scene_rules(&scene, 0)->proxy_protocol = 1;
    accept_at(1);
    pool_stop(pool_at(pool, 2));
    struct pool_action action = next(POOL_RECORD);
    assert_int_equal(action.outcome, OUTCOME_DRAINED);
    pool_forget(pool, action.connection);
    assert_true(pool_is_empty(pool));
    assert_int_equal(timers_next_us(&scene.timers), TIMERS_NEVER);
    pool_scene_end(&scene);
}

/* Its environment tells of the client that it was launched for, so no other will do. */
static void test_a_process_for_one_serves_its_own(void **state) {
    (void)state;
    begin(HANDOFF_CHANNEL, true);
    uint32_t older = accept_at(1);
    uint32_t younger = accept_at(2);
    launch(3);
    uint32_t second = launch(3);
    assert_true(pool_hello(pool_at(pool, 4), second, 101, 1));
    struct pool_action action = next(POOL_OFFER);
    assert_int_equal(action.process, second);
    assert_int_equal(action.connection, younger);
    assert_int_equal(pool->connections[older].state, CONNECTION_WAITING);
    nothing_more();
    pool_scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec_is_hello_and_ack),
        cmocka_unit_test(test_attempts_until_exec),
        cmocka_unit_test(test_stop_of_a_process_without_channel),
        cmocka_unit_test(test_activation),
        cmocka_unit_test(test_failing_activations_are_held_back),
        cmocka_unit_test(test_launches_that_fail_are_held_back),
        cmocka_unit_test(test_broken_pipe_is_no_crash),
        cmocka_unit_test(test_broken_pipe_before_the_ack),
        cmocka_unit_test(test_broken_pipe_at_a_stop),
        cmocka_unit_test(test_broken_pipe_is_not_held_back),
        cmocka_unit_test(test_stop_of_an_activation),
        cmocka_unit_test(test_activation_by_offer),
        cmocka_unit_test(test_preface_counts_from_accept),
        cmocka_unit_test(test_stop_ends_prefaces),
        cmocka_unit_test(test_a_process_for_one_serves_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
