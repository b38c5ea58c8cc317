/* The pool and the early OFFER: what a process is launched for lies in its channel from the start.
 * What becomes of it when the handshake goes wrong is in test/run, as every fault at every step. */
#include "pool_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define HANDSHAKE_US 5000000u
#define KILLED_US 20000000u

static struct pool_scene scene;
static struct pool *const pool = &scene.pool;
static const struct pool_words silence = {0};

static void begin(void) {
    struct service service = {.name = "s",
                              .handoff = HANDOFF_CHANNEL,
                              .has_channel = true,
                              .max_connections_count = 4,
                              .attempts_count = 2,
                              .reuse_count = 1,
                              .handshake_timeout_ms = HANDSHAKE_US / 1000,
                              .stop_timeout_ms = 2000};
    pool_scene_begin(&scene, &service, 1);
    pool->offers_early = true;
}

static uint32_t accept_at(uint64_t now_us) {
    struct pool_arrival arrival = {.peer = {.family = ADDRESS_IPV4}};
    return pool_accept(pool_at(pool, now_us), &arrival);
}

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

static void end_process(uint32_t process, uint64_t now_us) {
    pool_exiting(pool, process);
    pool_exited(pool_at(pool, now_us), process, (struct pool_exit){.code = 0}, NULL);
}

static void finish(enum outcome outcome) {
    struct pool_action action = next(POOL_RECORD);
    assert_int_equal(action.outcome, outcome);
    pool_forget(pool, action.connection);
    pool_reaped(pool, next(POOL_CLOSE_PROCESS).process);
    nothing_more();
    assert_true(pool_is_empty(pool));
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER);
    pool_scene_end(&scene);
}

/* Times are those of an offer behind HELLO, and so is the deadline of the answer. */
static void test_good_life(void **state) {
    (void)state;
    begin();
    uint32_t connection = accept_at(1000);
    const struct connection *c = &pool->connections[connection];
    uint32_t process = next(POOL_LAUNCH).process, number = c->number;
    assert_true(pool->processes[process].is_offered_early);
    assert_int_not_equal(number, 0);
    assert_int_equal(c->state, CONNECTION_WAITING);
    pool_launched(pool_at(pool, 1500), process, 100);
    nothing_more(); /* nothing is to be sent */
    assert_int_equal(c->state, CONNECTION_OFFERED);
    assert_int_equal(c->number, number);
    assert_int_equal(c->offers_count, 1);
    assert_int_equal(timers_next_us(&scene.timers), 1000 + HANDSHAKE_US);
    assert_true(pool_hello(pool_at(pool, 2000), process, 101, 1));
    nothing_more();
    assert_int_equal(timers_next_us(&scene.timers), 2000 + HANDSHAKE_US);
    assert_int_equal(pool_find_connection(pool, process, number), connection);
    assert_true(pool_ack(pool_at(pool, 2500), process, connection, &silence));
    assert_int_equal(next(POOL_RELEASE).connection, connection);
    assert_int_equal(c->launched_us, 1000);
    assert_int_equal(c->greeted_us, 2000);
    assert_int_equal(c->offered_us, 2000);
    assert_int_equal(c->pid, 101);
    assert_true(pool_done(pool_at(pool, 3000), process, connection, &silence));
    end_process(process, 4000);
    pool_forget(pool, next(POOL_RECORD).connection);
    next(POOL_CLOSE_CHANNEL);
    pool_reaped(pool, next(POOL_CLOSE_PROCESS).process);
    nothing_more();
    pool_scene_end(&scene);
}

/* All of its frames are found behind its end. */
static void test_all_that_it_said_is_read_late(void **state) {
    (void)state;
    begin();
    uint32_t connection = accept_at(1), process = next(POOL_LAUNCH).process;
    pool_launched(pool_at(pool, 2), process, 100);
    pool_exiting(pool_at(pool, 9), process);
    assert_true(pool_hello(pool_at(pool, 10), process, 100, 1));
    assert_true(pool_ack(pool_at(pool, 11), process, connection, &silence));
    assert_int_equal(next(POOL_RELEASE).connection, connection);
    assert_int_equal(pool->connections[connection].greeted_us, 10);
    assert_true(pool_done(pool_at(pool, 12), process, connection, &silence));
    pool_exited(pool_at(pool, 13), process, (struct pool_exit){.code = 0}, NULL);
    finish(OUTCOME_SERVED);
}

/* It was killed for its HELLO, and had taken its client by then. */
static void test_an_ack_behind_the_kill_counts(void **state) {
    (void)state;
    begin();
    uint32_t connection = accept_at(1), process = next(POOL_LAUNCH).process;
    pool_launched(pool_at(pool, 1), process, 100);
    pool_scene_tick(&scene, 1 + HANDSHAKE_US);
    assert_int_equal(next(POOL_KILL).process, process);
    assert_int_equal(pool->connections[connection].state, CONNECTION_RECALLED);
    pool_exiting(pool, process);
    assert_true(pool_hello(pool, process, 100, 1));
    assert_true(pool_ack(pool, process, connection, &silence));
    assert_int_equal(next(POOL_RELEASE).connection, connection);
    end_process(process, KILLED_US);
    finish(OUTCOME_CRASHED);
}

/* Not acknowledged is not taken; who has had the socket could have changed it, so that it is
 * offered behind HELLO from then on. */
static void test_the_second_attempt_is_not_early(void **state) {
    (void)state;
    begin();
    uint32_t connection = accept_at(1), process = next(POOL_LAUNCH).process;
    uint32_t number = pool->connections[connection].number;
    pool_launched(pool_at(pool, 2), process, 100);
    end_process(process, 3);
    assert_int_equal(next(POOL_ATTEMPT_FAILED).outcome, OUTCOME_LAUNCH_FAILED);
    pool_reaped(pool, next(POOL_CLOSE_PROCESS).process);
    process = next(POOL_LAUNCH).process;
    assert_false(pool->processes[process].is_offered_early);
    pool_launched(pool_at(pool, 4), process, 100);
    assert_true(pool_hello(pool_at(pool, 5), process, 100, 1));
    assert_int_equal(next(POOL_OFFER).connection, connection);
    assert_int_not_equal(pool->connections[connection].number, number);
    assert_int_equal(pool->connections[connection].offers_count, 2);
    assert_true(pool_ack(pool_at(pool, 6), process, connection, &silence));
    next(POOL_RELEASE);
    end_process(process, 7);
    finish(OUTCOME_SERVED);
}

/* Nobody has had it: the next launch has it early, too. */
static void test_a_launch_that_failed(void **state) {
    (void)state;
    begin();
    accept_at(1);
    pool_launch_failed(pool_at(pool, 2), next(POOL_LAUNCH).process, POOL_LAUNCH_REFUSED);
    next(POOL_ATTEMPT_FAILED);
    uint32_t process = next(POOL_LAUNCH).process;
    assert_true(pool->processes[process].is_offered_early);
    pool_launch_failed(pool_at(pool, 3), process, POOL_LAUNCH_REFUSED);
    next(POOL_ATTEMPT_FAILED);
    assert_int_equal(next(POOL_RECORD).outcome, OUTCOME_LAUNCH_FAILED);
    pool_scene_end(&scene);
}

/* There was no room for it in what is under way. */
static void test_what_was_not_put_there_is_offered_behind_hello(void **state) {
    (void)state;
    begin();
    uint32_t connection = accept_at(1), process = next(POOL_LAUNCH).process;
    pool_not_offered_early(pool, process);
    pool_launched(pool_at(pool, 2), process, 100);
    assert_int_equal(pool->connections[connection].state, CONNECTION_WAITING);
    assert_true(pool_hello(pool_at(pool, 3), process, 100, 1));
    assert_int_equal(next(POOL_OFFER).connection, connection);
    assert_int_equal(pool->connections[connection].offers_count, 1);
    pool_scene_end(&scene);
}

/* Who may be sooner served by another process, or is of a listener, is not bound to this one. */
static void test_for_a_process_of_its_own_alone(void **state) {
    (void)state;
    for (int way = 0; way < 3; way++) {
        begin();
        struct service *rules = pool_scene_rules(&scene, 0);
        rules->reuse_count = way == 0 ? 2 : 1;
        rules->spares_max_count = way == 1 ? 1 : 0;
        rules->handoff = way == 2 ? HANDOFF_LISTENER : HANDOFF_CHANNEL;
        accept_at(1);
        assert_false(pool->processes[next(POOL_LAUNCH).process].is_offered_early);
        pool_scene_end(&scene);
    }
}

/* HELLO is awaited, as without it, but not for longer than the stop gives. */
static void test_a_stop_before_hello(void **state) {
    (void)state;
    begin();
    uint32_t connection = accept_at(1), process = next(POOL_LAUNCH).process;
    pool_launched(pool_at(pool, 2), process, 100);
    pool_stop(pool_at(pool, 10));
    nothing_more();
    assert_int_equal(timers_next_us(&scene.timers), 10 + 2000000);
    assert_true(pool_hello(pool_at(pool, 20), process, 100, 1));
    assert_int_equal(timers_next_us(&scene.timers), 10 + 2000000);
    assert_true(pool_ack(pool_at(pool, 30), process, connection, &silence));
    next(POOL_RELEASE);
    assert_int_equal(next(POOL_SEND_DRAIN).process, process);
    end_process(process, 40);
    finish(OUTCOME_SERVED);
}

/* Its launch is under way when all deadlines have passed: it may have run, and read it. */
static void test_given_up_on_while_it_is_launched(void **state) {
    (void)state;
    begin();
    uint32_t connection = accept_at(1), process = next(POOL_LAUNCH).process;
    pool_scene_tick(&scene, 1 + HANDSHAKE_US);
    assert_int_equal(next(POOL_KILL).process, process);
    pool_scene_tick(&scene, KILLED_US);
    next(POOL_STUCK);
    struct pool_action action = next(POOL_RECORD);
    assert_int_equal(action.connection, connection);
    assert_int_equal(action.outcome, OUTCOME_HANDSHAKE_TIMEOUT);
    assert_int_equal(pool->connections[connection].attempts_used, 1);
    pool_forget(pool, connection);
    nothing_more();
    pool_launched(pool, process, 100);
    end_process(process, KILLED_US + 1);
    pool_reaped(pool, next(POOL_CLOSE_PROCESS).process);
    nothing_more();
    assert_true(pool_is_empty(pool));
    pool_scene_end(&scene);
}

/* Killed while it was launched, and there after all: an answer counts. */
static void test_killed_while_it_is_launched(void **state) {
    (void)state;
    begin();
    uint32_t connection = accept_at(1), process = next(POOL_LAUNCH).process;
    pool_scene_tick(&scene, 1 + HANDSHAKE_US);
    next(POOL_KILL);
    pool_launched(pool, process, 100);
    assert_int_equal(pool->connections[connection].state, CONNECTION_RECALLED);
    pool_exiting(pool, process);
    assert_true(pool_hello(pool, process, 100, 1));
    assert_true(pool_ack(pool, process, connection, &silence));
    next(POOL_RELEASE);
    assert_true(pool_done(pool, process, connection, &silence));
    end_process(process, KILLED_US);
    next(POOL_RECORD);
    pool_scene_end(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_life),
        cmocka_unit_test(test_all_that_it_said_is_read_late),
        cmocka_unit_test(test_an_ack_behind_the_kill_counts),
        cmocka_unit_test(test_the_second_attempt_is_not_early),
        cmocka_unit_test(test_a_launch_that_failed),
        cmocka_unit_test(test_what_was_not_put_there_is_offered_behind_hello),
        cmocka_unit_test(test_for_a_process_of_its_own_alone),
        cmocka_unit_test(test_a_stop_before_hello),
        cmocka_unit_test(test_given_up_on_while_it_is_launched),
        cmocka_unit_test(test_killed_while_it_is_launched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
