/* The pool alone: its tables, its queues, and what many at once make of its actions. Lives of
 * single connections are in test/run. */
#include "core/base/error.h"
#include "core/pool/internal.h"
#include "core/pool/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HANDSHAKE_US 5000000u
#define STOP_US 3000000u
enum { MANY = 200 };

static struct service services[2];
static const struct service_table table = {.services = services, .service_count = 2};
static const struct address somewhere = {.family = ADDRESS_IPV4};

static void begin(struct pool *pool, uint32_t max_connections_count, uint32_t reuse_count) {
    for (size_t i = 0; i < 2; i++) {
        services[i] = (struct service){.name = "s",
                                       .has_channel = true,
                                       .max_connections_count = max_connections_count,
                                       .attempts_count = 2,
                                       .reuse_count = reuse_count,
                                       .handshake_timeout_ms = HANDSHAKE_US / 1000,
                                       .stop_timeout_ms = STOP_US / 1000};
    }
    assert_int_equal(pool_init(pool, &table, 7), BATON_OK);
}

static uint32_t accept_one(struct pool *pool, uint32_t service, uint64_t now_us) {
    struct pool_arrival arrival = {.service = service,
                                   .peer = somewhere,
                                   .local = somewhere,
                                   .now_us = now_us,
                                   .wall_us = (int64_t)now_us};
    return pool_accept(pool, &arrival);
}

/* Takes all actions; the records are written, the processes closed. Counts by kind. */
static void take_all(struct pool *pool, uint32_t counts[POOL_ROOM + 1], uint64_t now_us) {
    struct pool_action action;
    while (pool_next_action(pool, &action)) {
        counts[action.kind]++;
        if (action.kind == POOL_LAUNCH) {
            pool_launched(pool, action.process, 1000 + action.process, now_us);
        } else if (action.kind == POOL_RECORD) {
            pool_forget(pool, action.connection);
        } else if (action.kind == POOL_CLOSE_PROCESS) {
            pool_reaped(pool, action.process, now_us);
        }
    }
}

static void accept_many(struct pool *pool, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        assert_true(pool_has_room(pool, i % 2));
        accept_one(pool, i % 2, 1);
    }
}

static void exit_all(struct pool *pool, uint64_t now_us) {
    for (uint32_t i = 0; i < pool->process_slots.used_mark; i++) {
        if (slots_is_used(&pool->process_slots, i)) {
            pool_exiting(pool, i);
            pool_exited(pool, i, (struct pool_exit){true, 9}, now_us);
        }
    }
}

/* Everything of a full pool happens in one round, and nothing is carried out in between. */
static void test_many_at_once(void **state) {
    (void)state;
    struct pool pool;
    uint32_t counts[POOL_ROOM + 1] = {0};
    begin(&pool, MANY, 1);
    accept_many(&pool, 2 * MANY);
    assert_false(pool_has_room(&pool, 0));
    take_all(&pool, counts, 1);
    assert_int_equal(counts[POOL_LAUNCH], 2 * MANY);
    assert_int_equal(pool_next_deadline_us(&pool), 1 + HANDSHAKE_US);
    pool_tick(&pool, HANDSHAKE_US);
    assert_false(pool_next_action(&pool, &(struct pool_action){0}));
    pool_tick(&pool, HANDSHAKE_US + 1);
    exit_all(&pool, HANDSHAKE_US + 1);
    pool_stop(&pool, HANDSHAKE_US + 1);
    pool_hurry(&pool, 0);
    take_all(&pool, counts, HANDSHAKE_US + 1);
    assert_int_equal(counts[POOL_KILL], 2 * MANY);
    assert_int_equal(counts[POOL_ATTEMPT_FAILED], 2 * MANY);
    assert_int_equal(counts[POOL_RECORD], 2 * MANY);
    assert_int_equal(counts[POOL_CLOSE_PROCESS], 2 * MANY);
    assert_true(pool_is_empty(&pool));
    assert_int_equal(pool.services[0].live_count, 0);
    assert_true(pool_next_deadline_us(&pool) == TIMERS_NEVER);
    pool_clear(&pool);
}

/* Processes that have ended but are not closed take the places of those to come: launching waits,
 * and goes on as soon as one is closed. It is told once. */
static void test_full_table_of_processes(void **state) {
    (void)state;
    struct pool pool;
    struct pool_action action;
    uint32_t dead[8] = {0}, dead_count = 0, crowded_count = 0;
    begin(&pool, 2, 1);
    services[0].attempts_count = services[1].attempts_count = 100;
    accept_many(&pool, 4);
    while (pool_next_action(&pool, &action)) {
        if (action.kind == POOL_LAUNCH) {
            pool_exited(&pool, action.process, (struct pool_exit){false, 1}, 5);
            dead[dead_count++] = action.process;
            /* As when a process of the service is closed. */
            pool_dispatch(&pool, pool.processes[action.process].service, 5);
        }
        crowded_count += action.kind == POOL_CROWDED;
    }
    assert_int_equal(dead_count, 8);
    assert_int_equal(pool.process_slots.in_use_count, 8);
    pool_reaped(&pool, dead[0], 6);
    assert_true(pool_next_action(&pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    assert_int_equal(action.process, dead[0]);
    assert_false(pool_next_action(&pool, &action));
    assert_int_equal(crowded_count, 2);
    pool_clear(&pool);
}

/* Handlers of one service that linger after DONE keep its own clients waiting, nobody else's. */
static void test_lingering_handlers_crowd_their_own_service(void **state) {
    (void)state;
    struct pool pool;
    struct pool_action action;
    uint32_t launches = 0, crowded_count = 0;
    begin(&pool, 1, 1);
    for (int i = 0; i < 3; i++) {
        assert_true(pool_has_room(&pool, 0));
        uint32_t connection = accept_one(&pool, 0, 1);
        while (pool_next_action(&pool, &action)) {
            if (action.kind == POOL_LAUNCH) {
                launches++;
                assert_true(pool_hello(&pool, action.process, 1, 1, 1));
            } else if (action.kind == POOL_OFFER) {
                assert_true(pool_ack(&pool, action.process, connection, 1));
                assert_true(pool_done(&pool, action.process, connection, 0, 1));
            } else if (action.kind == POOL_RECORD) {
                pool_forget(&pool, action.connection);
            }
            crowded_count += action.kind == POOL_CROWDED;
        }
    }
    assert_int_equal(launches, 2);
    assert_int_equal(crowded_count, 1);
    assert_int_equal(pool.starved.position, 0);
    accept_one(&pool, 1, 1);
    assert_true(pool_next_action(&pool, &action));
    assert_int_equal(action.kind, POOL_LAUNCH);
    pool_clear(&pool);
}

static void take_until(struct pool *pool, enum pool_action_kind kind, struct pool_action *action) {
    do {
        assert_true(pool_next_action(pool, action));
    } while (action->kind != kind);
}

/* A process that does not end when it is killed: its client is not kept, and a stop is not held up.
 */
static void test_process_that_cannot_be_killed(void **state) {
    (void)state;
    struct pool pool;
    struct pool_action action;
    uint32_t counts[POOL_ROOM + 1] = {0};
    begin(&pool, 1, 1);
    accept_one(&pool, 0, 1);
    take_until(&pool, POOL_LAUNCH, &action);
    assert_true(pool_hello(&pool, action.process, 1, 1, 1));
    take_until(&pool, POOL_OFFER, &action);
    pool_tick(&pool, 1 + HANDSHAKE_US);
    take_until(&pool, POOL_KILL, &action);
    uint64_t grace_end_us = pool_next_deadline_us(&pool);
    assert_true(grace_end_us > 1 + HANDSHAKE_US && grace_end_us != TIMERS_NEVER);
    pool_tick(&pool, grace_end_us);
    take_until(&pool, POOL_STUCK, &action);
    take_until(&pool, POOL_RECORD, &action);
    assert_int_equal(action.outcome, OUTCOME_HANDSHAKE_TIMEOUT);
    pool_forget(&pool, action.connection);
    assert_int_equal(pool.process_slots.in_use_count, 1);
    assert_true(pool_next_deadline_us(&pool) == TIMERS_NEVER);

    pool_stop(&pool, grace_end_us);
    assert_false(pool_is_empty(&pool));
    grace_end_us = pool_next_deadline_us(&pool);
    assert_true(grace_end_us != TIMERS_NEVER);
    pool_tick(&pool, grace_end_us);
    take_all(&pool, counts, grace_end_us);
    assert_int_equal(counts[POOL_STUCK], 1);
    assert_int_equal(counts[POOL_CLOSE_PROCESS], 1);
    assert_true(pool_is_empty(&pool));
    pool_clear(&pool);
}

/* A client that comes back takes the place that its age gives it. */
static void test_queue_is_in_order_of_acceptance(void **state) {
    (void)state;
    struct pool pool;
    struct pool_action action;
    uint32_t processes[5], connections[5];
    begin(&pool, 5, 1);
    for (int i = 0; i < 5; i++) {
        connections[i] = accept_one(&pool, 0, 1);
        assert_true(pool_next_action(&pool, &action));
        assert_int_equal(action.kind, POOL_LAUNCH);
        processes[i] = action.process;
    }
    static const int shortages[] = {3, 0, 4, 1, 2};
    for (int i = 0; i < 5; i++) {
        pool_launch_failed(&pool, processes[shortages[i]], true, 2);
    }
    assert_false(pool_next_action(&pool, &action));
    assert_int_equal(pool.process_slots.in_use_count, 0);
    uint32_t at = pool.services[0].queue_first;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(at, connections[i]);
        at = pool.connections[at].next;
    }
    assert_int_equal(at, SLOT_NONE);
    pool_tick(&pool, pool_next_deadline_us(&pool));
    for (int i = 0; i < 5; i++) {
        assert_true(pool_next_action(&pool, &action));
        assert_int_equal(action.kind, POOL_LAUNCH);
        assert_int_equal(action.connection, connections[i]);
    }
    pool_clear(&pool);
}

static void test_room_is_told_once(void **state) {
    (void)state;
    struct pool pool;
    uint32_t counts[POOL_ROOM + 1] = {0};
    begin(&pool, 1, 1);
    accept_one(&pool, 0, 1);
    take_all(&pool, counts, 1);
    /* Nobody has asked for room, so nobody waits to be told. */
    exit_all(&pool, 2);
    take_all(&pool, counts, 2);
    exit_all(&pool, 3);
    take_all(&pool, counts, 3);
    assert_int_equal(counts[POOL_RECORD], 1);
    assert_int_equal(counts[POOL_ROOM], 0);
    uint32_t connection = accept_one(&pool, 0, 4);
    assert_int_equal(pool.connections[connection].id, 2);
    assert_false(pool_has_room(&pool, 0));
    assert_true(pool_has_room(&pool, 1));
    take_all(&pool, counts, 4);
    for (uint64_t now_us = 5; !pool_is_empty(&pool); now_us++) {
        exit_all(&pool, now_us);
        take_all(&pool, counts, now_us);
    }
    assert_int_equal(counts[POOL_ROOM], 1);
    assert_true(pool_has_room(&pool, 0));
    pool_clear(&pool);
}

static void test_numbers_of_a_channel(void **state) {
    (void)state;
    struct pool pool;
    uint32_t counts[POOL_ROOM + 1] = {0};
    begin(&pool, 4, 10);
    pool.last_id = 0xfffffffd;
    uint32_t first = accept_one(&pool, 0, 1);
    take_all(&pool, counts, 1);
    uint32_t process = pool.connections[first].process;
    assert_true(pool_hello(&pool, process, 77, 3, 2));
    assert_false(pool_hello(&pool, process, 77, 3, 2));
    /* Ids go on beyond 32 bits; the number of a frame never is 0. */
    for (int i = 0; i < 3; i++) {
        uint32_t offered = pool.processes[process].offer;
        uint32_t number = connection_number(&pool.connections[offered]);
        assert_int_not_equal(number, 0);
        assert_int_equal(pool_find_connection(&pool, process, number), offered);
        assert_false(pool_done(&pool, process, offered, 0, 3));
        assert_true(pool_ack(&pool, process, offered, 3));
        assert_false(pool_ack(&pool, process, offered, 3));
        assert_int_equal(pool_find_connection(&pool, process, number), offered);
        if (i < 2) {
            accept_one(&pool, 0, 4);
        }
    }
    assert_int_equal(pool_find_connection(&pool, process, 0), SLOT_NONE);
    assert_int_equal(pool_find_connection(&pool, process, 12345), SLOT_NONE);
    assert_int_equal(pool.processes[process].held_count, 3);
    take_all(&pool, counts, 5);
    assert_int_equal(counts[POOL_RELEASE], 3);
    exit_all(&pool, 6);
    take_all(&pool, counts, 6);
    assert_int_equal(counts[POOL_RECORD], 3);
    assert_true(pool_is_empty(&pool));
    pool_clear(&pool);
}

static void test_no_services(void **state) {
    (void)state;
    struct service_table none = {0};
    struct pool pool;
    assert_int_equal(pool_init(&pool, &none, 7), BATON_INVALID);
    pool_clear(&pool);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_full_table_of_processes),
        cmocka_unit_test(test_lingering_handlers_crowd_their_own_service),
        cmocka_unit_test(test_process_that_cannot_be_killed),
        cmocka_unit_test(test_queue_is_in_order_of_acceptance),
        cmocka_unit_test(test_room_is_told_once),
        cmocka_unit_test(test_numbers_of_a_channel),
        cmocka_unit_test(test_no_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
