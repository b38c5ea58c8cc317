/* The pool alone: its tables, its queues, and what many at once make of its actions. Lives of
 * single connections are in test/run. */
#include "pool_scene.h"

#include "core/pool/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define HANDSHAKE_US POOL_SCENE_HANDSHAKE_US
#define STOP_US POOL_SCENE_STOP_US
enum { MANY = 200 };

static struct pool_scene scene;
static struct pool *const pool = &scene.pool;
static const struct pool_words silence = {0};

static void begin(uint32_t max_connections_count, uint32_t reuse_count) {
    pool_scene_begin_two(&scene, max_connections_count, reuse_count);
}

static uint32_t accept_one(uint32_t service, uint64_t now_us) {
    return pool_scene_accept(&scene, service, now_us);
}

static void accept_many(uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        assert_true(pool_has_room(pool, i % 2));
        accept_one(i % 2, 1);
    }
}

static void exit_all(uint64_t now_us) {
    SLOTS_EACH(i, &pool->process_slots) {
        pool_exiting(pool, i);
        pool_exited(pool_at(pool, now_us), i, (struct pool_exit){.by_signal = true, .code = 9},
                    NULL);
    }
}

/* Everything of a full pool happens in one round, and nothing is carried out in between. */
static void test_many_at_once(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(MANY, 1);
    accept_many(2 * MANY);
    assert_false(pool_has_room(pool, 0));
    pool_scene_take_all(&scene, counts, 1);
    assert_int_equal(counts[POOL_LAUNCH], 2 * MANY);
    assert_int_equal(timers_next_us(&scene.timers), 1 + HANDSHAKE_US);
    pool_scene_tick(&scene, HANDSHAKE_US);
    assert_false(pool_next_action(pool, &(struct pool_action){0}));
    pool_scene_tick(&scene, HANDSHAKE_US + 1);
    exit_all(HANDSHAKE_US + 1);
    pool_stop(pool_at(pool, HANDSHAKE_US + 1));
    pool_hurry(pool_at(pool, 0));
    pool_scene_take_all(&scene, counts, HANDSHAKE_US + 1);
    assert_int_equal(counts[POOL_KILL], 2 * MANY);
    assert_int_equal(counts[POOL_ATTEMPT_FAILED], 2 * MANY);
    assert_int_equal(counts[POOL_RECORD], 2 * MANY);
    assert_int_equal(counts[POOL_CLOSE_PROCESS], 2 * MANY);
    assert_true(pool_is_empty(pool));
    assert_int_equal(pool->services[0].live_count, 0);
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER);
    pool_scene_end(&scene);
}

/* The time of all is up at once, they ignore it at once, and end at once. */
static void test_all_time_out_at_once(void **state) {
    (void)state;
    enum { RUN_US = 1000000 };
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(MANY, 1);
    pool_scene_rules(&scene, 0)->max_runtime_ms = RUN_US / 1000;
    pool_scene_rules(&scene, 1)->max_runtime_ms = RUN_US / 1000;
    accept_many(2 * MANY);
    pool_scene_take_all(&scene, counts, 1);
    SLOTS_EACH(i, &pool->process_slots) {
        assert_true(pool_hello(pool_at(pool, 2), i, 1, 1));
        assert_true(pool_ack(pool_at(pool, 2), i, pool->processes[i].offer, &silence));
    }
    pool_scene_tick(&scene, RUN_US + 1);
    pool_scene_tick(&scene, RUN_US + 2);
    pool_scene_tick(&scene, RUN_US + 2 + STOP_US);
    pool_scene_tick(&scene, RUN_US + 2 + 2 * STOP_US);
    exit_all(RUN_US + 3 + 2 * STOP_US);
    pool_scene_take_all(&scene, counts, RUN_US + 3 + 2 * STOP_US);
    assert_int_equal(counts[POOL_CANCEL], 2 * MANY);
    assert_int_equal(counts[POOL_TERMINATE], 2 * MANY);
    assert_int_equal(counts[POOL_KILL], 2 * MANY);
    assert_int_equal(counts[POOL_RECORD], 2 * MANY);
    assert_true(pool_is_empty(pool));
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER);
    pool_scene_end(&scene);
}

/* Processes that have ended but are not closed take the places of those to come: launching waits,
 * and goes on as soon as one is closed. It is told once. */
static void test_full_table_of_processes(void **state) {
    (void)state;
    struct pool_action action;
    uint32_t dead[8] = {0}, dead_count = 0, crowded_count = 0;
    begin(2, 1);
    pool_scene_rules(&scene, 0)->attempts_count = 100;
    pool_scene_rules(&scene, 1)->attempts_count = 100;
    accept_many(4);
    while (pool_next_action(pool, &action)) {
        if (action.kind == POOL_LAUNCH) {
            pool_exited(pool_at(pool, 5), action.process, (struct pool_exit){.code = 1}, NULL);
            dead[dead_count++] = action.process;
            /* As when a process of the service is closed. */
            pool_dispatch(pool_at(pool, 5), pool->processes[action.process].service);
        }
        crowded_count += action.kind == POOL_CROWDED;
    }
    assert_int_equal(dead_count, 8);
    assert_int_equal(pool->process_slots.in_use_count, 8);
    pool_reaped(pool_at(pool, 6), dead[0]);
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    assert_int_equal(action.process, dead[0]);
    assert_false(pool_next_action(pool, &action));
    assert_int_equal(crowded_count, 2);
    pool_scene_end(&scene);
}

/* Handlers of one service that linger after DONE keep its own clients waiting, nobody else's. */
static void test_lingering_handlers_crowd_their_own_service(void **state) {
    (void)state;
    struct pool_action action;
    uint32_t launches = 0, crowded_count = 0;
    begin(1, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(pool_has_room(pool, 0));
        uint32_t connection = accept_one(0, 1);
        while (pool_next_action(pool, &action)) {
            if (action.kind == POOL_LAUNCH) {
                launches++;
                assert_true(pool_hello(pool_at(pool, 1), action.process, 1, 1));
            } else if (action.kind == POOL_OFFER) {
                assert_true(pool_ack(pool_at(pool, 1), action.process, connection, &silence));
                assert_true(pool_done(pool_at(pool, 1), action.process, connection, &silence));
            } else if (action.kind == POOL_RECORD) {
                pool_forget(pool, action.connection);
            }
            crowded_count += action.kind == POOL_CROWDED;
        }
    }
    assert_int_equal(launches, 2);
    assert_int_equal(crowded_count, 1);
    assert_false(shortage_lasts(&pool->starved));
    accept_one(1, 1);
    assert_true(pool_next_action(pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    pool_scene_end(&scene);
}

static void take_until(enum pool_action_kind kind, struct pool_action *action) {
    do {
        assert_true(pool_next_action(pool, action));
    } while (action->kind != kind);
}

/* A process that does not end when it is killed: its client is not kept, and a stop is not held up.
 */
static void test_process_that_cannot_be_killed(void **state) {
    (void)state;
    struct pool_action action;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(1, 1);
    accept_one(0, 1);
    take_until(POOL_LAUNCH, &action);
    assert_true(pool_hello(pool_at(pool, 1), action.process, 1, 1));
    take_until(POOL_OFFER, &action);
    pool_scene_tick(&scene, 1 + HANDSHAKE_US);
    take_until(POOL_KILL, &action);
    uint64_t grace_end_us = timers_next_us(&scene.timers);
    assert_true(grace_end_us > 1 + HANDSHAKE_US && grace_end_us != TIMERS_NEVER);
    pool_scene_tick(&scene, grace_end_us);
    take_until(POOL_STUCK, &action);
    take_until(POOL_RECORD, &action);
    assert_int_equal(action.outcome, OUTCOME_HANDSHAKE_TIMEOUT);
    pool_forget(pool, action.connection);
    assert_int_equal(pool->process_slots.in_use_count, 1);
    assert_true(timers_next_us(&scene.timers) == TIMERS_NEVER);

    pool_stop(pool_at(pool, grace_end_us));
    assert_false(pool_is_empty(pool));
    grace_end_us = timers_next_us(&scene.timers);
    assert_true(grace_end_us != TIMERS_NEVER);
    pool_scene_tick(&scene, grace_end_us);
    pool_scene_take_all(&scene, counts, grace_end_us);
    assert_int_equal(counts[POOL_STUCK], 1);
    assert_int_equal(counts[POOL_CLOSE_PROCESS], 1);
    assert_true(pool_is_empty(pool));
    pool_scene_end(&scene);
}

static void test_room_is_told_once(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(1, 1);
    accept_one(0, 1);
    pool_scene_take_all(&scene, counts, 1);
    /* Nobody has asked for room, so nobody waits to be told. */
    exit_all(2);
    pool_scene_take_all(&scene, counts, 2);
    exit_all(3);
    pool_scene_take_all(&scene, counts, 3);
    assert_int_equal(counts[POOL_RECORD], 1);
    assert_int_equal(counts[POOL_ROOM], 0);
    uint32_t connection = accept_one(0, 4);
    assert_int_equal(pool->connections[connection].id, 2);
    assert_false(pool_has_room(pool, 0));
    pool_await_room(pool, 0);
    assert_true(pool_has_room(pool, 1));
    pool_scene_take_all(&scene, counts, 4);
    for (uint64_t now_us = 5; !pool_is_empty(pool); now_us++) {
        exit_all(now_us);
        pool_scene_take_all(&scene, counts, now_us);
        /* The end of its first process makes no room. */
        assert_int_equal(counts[POOL_ROOM], pool_has_room(pool, 0) ? 1 : 0);
    }
    assert_int_equal(counts[POOL_ROOM], 1);
    assert_true(pool_has_room(pool, 0));
    pool_scene_end(&scene);
}

static void test_numbers_of_a_channel(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(4, 10);
    uint32_t first = accept_one(0, 1);
    pool_scene_take_all(&scene, counts, 1);
    uint32_t process = pool->connections[first].process;
    assert_true(pool_hello(pool_at(pool, 2), process, 77, 3));
    assert_false(pool_hello(pool_at(pool, 2), process, 77, 3));
    for (int i = 0; i < 3; i++) {
        pool_scene_take_all(&scene, counts, 3);
        uint32_t offered = pool->processes[process].offer;
        uint32_t number = pool->connections[offered].number;
        assert_int_not_equal(number, 0);
        assert_int_equal(pool_find_connection(pool, process, number), offered);
        assert_false(pool_done(pool_at(pool, 3), process, offered, &silence));
        assert_true(pool_ack(pool_at(pool, 3), process, offered, &silence));
        assert_false(pool_ack(pool_at(pool, 3), process, offered, &silence));
        assert_int_equal(pool_find_connection(pool, process, number), offered);
        if (i < 2) {
            accept_one(0, 4);
        }
    }
    assert_int_equal(pool_find_connection(pool, process, 0), SLOT_NONE);
    assert_int_equal(pool_find_connection(pool, process, 12345), SLOT_NONE);
    assert_int_equal(pool->processes[process].held_count, 3);
    pool_scene_take_all(&scene, counts, 5);
    assert_int_equal(counts[POOL_RELEASE], 3);
    exit_all(6);
    pool_scene_take_all(&scene, counts, 6);
    assert_int_equal(counts[POOL_RECORD], 3);
    assert_true(pool_is_empty(pool));
    pool_scene_end(&scene);
}

static void test_a_question_changes_nothing(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(1, 1);
    accept_one(0, 1);
    assert_false(pool_has_room(pool, 0));
    assert_false(pool->services[0].wants_room);
    for (uint64_t now_us = 5; !pool_is_empty(pool); now_us++) {
        exit_all(now_us);
        pool_scene_take_all(&scene, counts, now_us);
    }
    assert_int_equal(counts[POOL_ROOM], 0);
    pool_scene_end(&scene);
}

/* A slot that is used again has another number: an answer that came late finds nobody. And nobody
 * knows it by those before. */
static void test_numbers_are_not_those_of_the_next(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    uint32_t last = 0, last_step = 0, same_steps_count = 0;
    begin(4, 10);
    for (uint64_t now_us = 1; now_us < 50; now_us++) {
        uint32_t connection = accept_one(0, now_us);
        assert_int_equal(connection, 0);
        pool_scene_take_all(&scene, counts, now_us);
        uint32_t process = pool->connections[connection].process;
        if (pool->processes[process].greeted_us == 0) {
            assert_true(pool_hello(pool_at(pool, now_us), process, 77, 1));
        }
        uint32_t number = pool->connections[connection].number;
        assert_int_not_equal(number, 0);
        assert_int_not_equal(number, last);
        same_steps_count += number - last == last_step;
        last_step = number - last;
        assert_int_equal(pool_find_connection(pool, process, last), SLOT_NONE);
        assert_int_equal(pool_find_connection(pool, process, number), connection);
        assert_true(pool_ack(pool_at(pool, now_us), process, connection, &silence));
        assert_true(pool_done(pool_at(pool, now_us), process, connection, &silence));
        assert_int_equal(pool_find_connection(pool, process, number), SLOT_NONE);
        pool_scene_take_all(&scene, counts, now_us);
        last = number;
        if (pool->process_slots.in_use_count > 0 && now_us % 10 == 0) {
            exit_all(now_us); /* its life is over: ten connections */
            pool_scene_take_all(&scene, counts, now_us);
        }
    }
    assert_int_equal(same_steps_count, 0);
    pool_scene_end(&scene);
}

/* What is said of a connection is its own, however many say something before the records. */
static void test_words_are_kept_for_the_record(void **state) {
    (void)state;
    static const char *const texts[] = {"the first", "the second"};
    struct pool_action action;
    uint32_t processes[2], connections[2];
    begin(2, 1);
    for (int i = 0; i < 2; i++) {
        connections[i] = accept_one(0, 1);
        take_until(POOL_LAUNCH, &action);
        processes[i] = action.process;
        assert_true(pool_hello(pool_at(pool, 1), processes[i], 1, 1));
        take_until(POOL_OFFER, &action);
        assert_true(pool_ack(pool_at(pool, 1), processes[i], connections[i],
                             &(struct pool_words){.pid = 4711}));
    }
    for (int i = 0; i < 2; i++) {
        struct pool_words words = {.status = (uint8_t)i,
                                   .has_bytes_out = true,
                                   .bytes_out = 17,
                                   .text = texts[i],
                                   .text_bytes = strlen(texts[i])};
        assert_true(pool_done(pool_at(pool, 2), processes[i], connections[i], &words));
    }
    for (int i = 0; i < 2; i++) {
        size_t length = 0;
        take_until(POOL_RECORD, &action);
        assert_int_equal(action.connection, connections[i]);
        assert_int_equal(action.outcome, i == 0 ? OUTCOME_SERVED : OUTCOME_FAILED);
        const struct connection *c = &pool->connections[action.connection];
        assert_int_equal(c->pid, 4711);
        assert_true(c->has_bytes_out && !c->has_bytes_in);
        assert_int_equal(c->bytes_out, 17);
        const char *text = pool_text_of(pool, action.connection, &length);
        assert_int_equal(length, strlen(texts[i]));
        assert_memory_equal(text, texts[i], length);
        pool_forget(pool, action.connection);
    }
    /* The slot's next has said nothing. */
    size_t length = 1;
    pool_text_of(pool, accept_one(0, 3), &length);
    assert_int_equal(length, 0);
    pool_scene_end(&scene);
}

/* What a handler said when it declined is not what the next one says. */
static void test_words_of_an_attempt_go_with_it(void **state) {
    (void)state;
    struct pool_action action;
    struct pool_words words = {.text = "busy", .text_bytes = 4};
    size_t length = 1;
    begin(1, 1);
    uint32_t connection = accept_one(0, 1);
    take_until(POOL_LAUNCH, &action);
    assert_true(pool_hello(pool_at(pool, 1), action.process, 1, 1));
    take_until(POOL_OFFER, &action);
    assert_true(pool_nack(pool_at(pool, 2), action.process, connection, POOL_DECLINE_BUSY, &words));
    take_until(POOL_LAUNCH, &action);
    pool_text_of(pool, connection, &length);
    assert_int_equal(length, 0);
    assert_true(pool_hello(pool_at(pool, 3), action.process, 2, 1));
    take_until(POOL_OFFER, &action);
    assert_true(
        pool_nack(pool_at(pool, 4), action.process, connection, POOL_DECLINE_REFUSE, &words));
    take_until(POOL_RECORD, &action);
    pool_text_of(pool, connection, &length);
    assert_int_equal(length, 4);
    pool_scene_end(&scene);
}

/* A limit of one service's own makes that one wait, and nobody else. */
static void test_a_limit_of_its_own(void **state) {
    (void)state;
    struct pool_action action;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(2, 1);
    accept_one(0, 1);
    take_until(POOL_LAUNCH, &action);
    pool_launch_failed(pool_at(pool, 2), action.process, POOL_LAUNCH_OWN_LIMIT);
    assert_false(pool_next_action(pool, &action));
    assert_false(pool_has_room(pool, 0));
    pool_await_room(pool, 0);
    assert_true(pool_has_room(pool, 1));
    accept_one(1, 3);
    take_until(POOL_LAUNCH, &action);
    assert_int_equal(action.service, 1);
    assert_false(pool_next_action(pool, &action));
    pool_scene_tick(&scene, 2 + 100000);
    take_until(POOL_ROOM, &action);
    assert_int_equal(action.service, 0);
    take_until(POOL_LAUNCH, &action);
    assert_int_equal(action.service, 0);
    assert_true(pool_has_room(pool, 0));
    pool_launched(pool_at(pool, 200000), action.process, 5);
    exit_all(200001);
    pool_scene_take_all(&scene, counts, 200001);
    pool_scene_end(&scene);
}

/* The config has changed: who came before is served by the rules of then. */
static void test_a_retired_service_serves_those_it_has(void **state) {
    (void)state;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(4, 1);
    uint32_t connection = accept_one(0, 1);
    pool_retire_service(pool_at(pool, 2), 0);
    assert_false(pool_has_room(pool, 0));
    assert_true(pool_has_room(pool, 1));
    struct service rules = *services_get(&scene.services, 0);
    rules.attempts_count = 7;
    uint32_t successor = services_add(&scene.services, &rules);
    assert_int_equal(successor, 2);
    pool_add_service(pool, successor);
    services_release(&scene.services, successor);
    pool_scene_take_all(&scene, counts, 3);
    assert_int_equal(pool->connections[connection].attempts_max, 2);
    assert_int_equal(services_get(&scene.services, 0)->attempts_count, 2);
    assert_int_equal(counts[POOL_SERVICE_OVER], 0);
    exit_all(4); /* its first attempt; the second is launched by the same rules */
    pool_scene_take_all(&scene, counts, 4);
    assert_int_equal(counts[POOL_LAUNCH], 2);
    assert_int_equal(counts[POOL_SERVICE_OVER], 0);
    exit_all(5);
    pool_scene_take_all(&scene, counts, 5);
    assert_int_equal(counts[POOL_RECORD], 1);
    assert_int_equal(counts[POOL_SERVICE_OVER], 1);
    assert_int_equal(scene.services.slots.in_use_count, 2);
    pool_retire_service(pool_at(pool, 6), successor); /* nobody is there */
    pool_scene_take_all(&scene, counts, 6);
    assert_int_equal(counts[POOL_SERVICE_OVER], 2);
    assert_int_equal(scene.services.slots.in_use_count, 1);
    pool_scene_end(&scene);
}

/* An idle process of a service that is retired has nothing to wait for. */
static void test_a_retired_service_drains_its_idle_processes(void **state) {
    (void)state;
    struct pool_action action;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(4, 2);
    uint32_t connection = accept_one(0, 1);
    take_until(POOL_LAUNCH, &action);
    uint32_t process = action.process;
    assert_true(pool_hello(pool_at(pool, 1), process, 1, 1));
    take_until(POOL_OFFER, &action);
    assert_true(pool_ack(pool_at(pool, 2), process, connection, &silence));
    assert_true(pool_done(pool_at(pool, 2), process, connection, &silence));
    pool_scene_take_all(&scene, counts, 2);
    assert_int_equal(pool->services[0].idle_first, process);
    pool_retire_service(pool_at(pool, 3), 0);
    pool_scene_take_all(&scene, counts, 3);
    assert_int_equal(counts[POOL_CLOSE_CHANNEL], 1);
    exit_all(4);
    pool_scene_take_all(&scene, counts, 4);
    assert_int_equal(counts[POOL_SERVICE_OVER], 1);
    pool_scene_end(&scene);
}

/* A process that is at work when its service is retired serves to the end, without a deadline, and
 * is drained when it has nothing left. */
static void retire_while_held(uint32_t capacity_count) {
    struct pool_action action;
    uint32_t counts[POOL_ACTION_KINDS_COUNT] = {0};
    begin(4, 5);
    uint32_t connection = accept_one(0, 1);
    take_until(POOL_LAUNCH, &action);
    uint32_t process = action.process;
    assert_true(pool_hello(pool_at(pool, 1), process, 1, capacity_count));
    take_until(POOL_OFFER, &action);
    assert_true(pool_ack(pool_at(pool, 2), process, connection, &silence));
    pool_retire_service(pool_at(pool, 3), 0);
    pool_scene_take_all(&scene, counts, 3);
    assert_int_equal(timers_next_us(&scene.timers), TIMERS_NEVER);
    assert_true(pool_done(pool_at(pool, 4), process, connection, &silence));
    pool_scene_take_all(&scene, counts, 4);
    assert_int_equal(counts[POOL_RECORD], 1);
    assert_int_equal(counts[POOL_CLOSE_CHANNEL], 1);
    exit_all(5);
    pool_scene_take_all(&scene, counts, 5);
    assert_int_equal(counts[POOL_SERVICE_OVER], 1);
    pool_scene_end(&scene);
}

static void test_a_retired_service_drains_who_was_at_work(void **state) {
    (void)state;
    retire_while_held(1);
}

static void test_a_retired_service_does_not_end_who_is_at_work(void **state) {
    (void)state;
    retire_while_held(8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_all_time_out_at_once),
        cmocka_unit_test(test_full_table_of_processes),
        cmocka_unit_test(test_lingering_handlers_crowd_their_own_service),
        cmocka_unit_test(test_process_that_cannot_be_killed),
        cmocka_unit_test(test_room_is_told_once),
        cmocka_unit_test(test_numbers_of_a_channel),
        cmocka_unit_test(test_a_question_changes_nothing),
        cmocka_unit_test(test_numbers_are_not_those_of_the_next),
        cmocka_unit_test(test_words_are_kept_for_the_record),
        cmocka_unit_test(test_words_of_an_attempt_go_with_it),
        cmocka_unit_test(test_a_limit_of_its_own),
        cmocka_unit_test(test_a_retired_service_serves_those_it_has),
        cmocka_unit_test(test_a_retired_service_drains_its_idle_processes),
        cmocka_unit_test(test_a_retired_service_drains_who_was_at_work),
        cmocka_unit_test(test_a_retired_service_does_not_end_who_is_at_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
