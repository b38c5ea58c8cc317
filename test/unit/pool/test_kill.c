/* A connection that is killed, in each of its states. */
#include "pool_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

static struct pool_scene scene;
static struct pool *const pool = &scene.pool;
static const struct pool_words silence = {0};

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

static void record(uint32_t connection) {
    struct pool_action action = next(POOL_RECORD);
    assert_int_equal(action.connection, connection);
    assert_int_equal(action.outcome, OUTCOME_KILLED);
    pool_forget(pool, connection);
}

/* A client, and the process that is launched for it; `reuse_count` 1: for it alone. */
static uint32_t begin(uint32_t reuse_count, uint32_t *process) {
    pool_scene_begin_two(&scene, 4, reuse_count);
    uint32_t connection = pool_scene_accept(&scene, 0, 1000);
    *process = next(POOL_LAUNCH).process;
    pool_launched(pool_at(pool, 2000), *process, 100);
    return connection;
}

/* It holds the client. */
static uint32_t begin_held(uint32_t reuse_count, uint32_t *process) {
    uint32_t connection = begin(reuse_count, process);
    assert_true(pool_hello(pool_at(pool, 3000), *process, 100, 1));
    next(POOL_OFFER);
    assert_true(pool_ack(pool_at(pool, 4000), *process, connection, &silence));
    next(POOL_RELEASE);
    return connection;
}

static void end_process(uint32_t process) {
    pool_exiting(pool, process);
    pool_exited(pool, process, (struct pool_exit){.by_signal = true, .code = 15}, NULL);
}

/* CANCEL, then what becomes of who ignores it: as if its time were up, under another name. */
static void test_held(void **state) {
    (void)state;
    uint32_t process;
    uint32_t connection = begin_held(1, &process);
    pool_kill(pool, connection);
    assert_int_equal(next(POOL_CANCEL).connection, connection);
    pool_kill(pool, connection); /* once only */
    nothing_more();
    pool_scene_tick(&scene, 5000 + POOL_SCENE_STOP_US);
    next(POOL_TERMINATE);
    end_process(process);
    record(connection);
    pool_scene_end(&scene);
}

/* Who does as CANCEL says, whatever DONE says, and goes on with others. */
static void test_held_and_done(void **state) {
    (void)state;
    uint32_t process;
    uint32_t connection = begin_held(0, &process);
    pool_kill(pool, connection);
    next(POOL_CANCEL);
    assert_true(pool_done(pool_at(pool, 5000), process, connection, &silence));
    record(connection);
    uint32_t second = pool_scene_accept(&scene, 0, 6000);
    assert_int_equal(next(POOL_OFFER).connection, second);
    pool_scene_end(&scene);
}

/* What is to end for another reason keeps that. */
static void test_timed_out(void **state) {
    (void)state;
    uint32_t process;
    uint32_t connection = begin_held(1, &process);
    pool_time_out(pool, connection, "idle_timeout_ms has passed");
    next(POOL_CANCEL);
    pool_kill(pool, connection);
    nothing_more();
    assert_true(pool_done(pool, process, connection, &silence));
    assert_int_equal(next(POOL_RECORD).outcome, OUTCOME_TIMED_OUT);
    pool_scene_end(&scene);
}

/* Whoever was offered it may have it: it ends when that is known. */
static void test_offered(void **state) {
    (void)state;
    uint32_t process;
    uint32_t connection = begin(1, &process);
    pool_kill(pool, connection); /* launched for it alone: it may be in its environment */
    nothing_more();
    assert_true(pool_hello(pool_at(pool, 3000), process, 100, 1));
    next(POOL_OFFER);
    assert_true(pool_ack(pool, process, connection, &silence));
    next(POOL_RELEASE);
    assert_int_equal(next(POOL_CANCEL).connection, connection);
    assert_true(pool_done(pool, process, connection, &silence));
    record(connection);
    pool_scene_end(&scene);
}

/* It is not offered a second time: not after a lost attempt, nor a NACK. */
static void test_given_back(void **state) {
    (void)state;
    for (int declines = 0; declines < 2; declines++) {
        uint32_t process;
        uint32_t connection = begin(1, &process);
        assert_true(pool_hello(pool_at(pool, 3000), process, 100, 1));
        next(POOL_OFFER);
        pool_kill(pool, connection);
        nothing_more();
        if (declines == 1) {
            assert_true(pool_nack(pool, process, connection, POOL_DECLINE_RETIRE, &silence));
        } else {
            end_process(process);
        }
        next(POOL_ATTEMPT_FAILED);
        record(connection);
        pool_scene_end(&scene);
    }
}

/* A launch that something is short for is not tried again for it. */
static void test_launch_put_off(void **state) {
    (void)state;
    pool_scene_begin_two(&scene, 4, 1);
    uint32_t connection = pool_scene_accept(&scene, 0, 1000);
    uint32_t process = next(POOL_LAUNCH).process;
    pool_kill(pool, connection);
    nothing_more();
    pool_launch_failed(pool_at(pool, 2000), process, POOL_LAUNCH_SHORTAGE);
    record(connection);
    pool_scene_tick(&scene, 100000000);
    nothing_more();
    pool_scene_end(&scene);
}

/* Where processes serve many, the one that was launched for it is a spare then. */
static void test_waiting(void **state) {
    (void)state;
    uint32_t process;
    uint32_t connection = begin(0, &process);
    pool_kill(pool, connection);
    record(connection);
    assert_true(pool_hello(pool_at(pool, 3000), process, 100, 1));
    nothing_more();
    uint32_t second = pool_scene_accept(&scene, 0, 4000);
    assert_int_equal(next(POOL_OFFER).connection, second);
    pool_scene_end(&scene);
}

/* Without a channel there is no CANCEL. */
static void test_without_channel(void **state) {
    (void)state;
    struct service service = {.name = "s",
                              .handoff = HANDOFF_STDIO,
                              .max_connections_count = 4,
                              .attempts_count = 2,
                              .reuse_count = 1,
                              .handshake_timeout_ms = 5000,
                              .stop_timeout_ms = 2000};
    for (int is_held = 0; is_held < 2; is_held++) {
        pool_scene_begin(&scene, &service, 1);
        uint32_t connection = pool_scene_accept(&scene, 0, 1000);
        uint32_t process = next(POOL_LAUNCH).process;
        if (is_held == 0) {
            pool_kill(pool, connection);
        }
        pool_launched(pool_at(pool, 2000), process, 100);
        next(POOL_RELEASE);
        if (is_held == 1) {
            pool_kill(pool, connection);
        }
        next(POOL_TERMINATE);
        pool_scene_tick(&scene, 3000000);
        next(POOL_KILL);
        end_process(process);
        record(connection);
        pool_scene_end(&scene);
    }
}

/* Before its PROXY header has come. */
static void test_preface(void **state) {
    (void)state;
    struct service service = {.name = "s",
                              .has_channel = true,
                              .max_connections_count = 4,
                              .attempts_count = 2,
                              .reuse_count = 1,
                              .handshake_timeout_ms = 5000,
                              .proxy_timeout_ms = 3000,
                              .proxy_protocol = 1,
                              .stop_timeout_ms = 2000};
    pool_scene_begin(&scene, &service, 1);
    uint32_t connection = pool_scene_accept(&scene, 0, 1000);
    assert_int_equal(pool->connections[connection].state, CONNECTION_PREFACE);
    pool_kill(pool, connection);
    record(connection);
    pool_scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_held),       cmocka_unit_test(test_held_and_done),
        cmocka_unit_test(test_timed_out),  cmocka_unit_test(test_offered),
        cmocka_unit_test(test_given_back), cmocka_unit_test(test_launch_put_off),
        cmocka_unit_test(test_waiting),    cmocka_unit_test(test_without_channel),
        cmocka_unit_test(test_preface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
