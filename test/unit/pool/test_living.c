/* Processes that live on: whom clients wait for, how many are launched, who is offered, and what
 * retires them. */
#include "living.h"

static struct pool *const pool = &living_scene.pool;
static const struct pool_words silence = {0};

/* ---- Reuse ---- */

static void test_without_end(void **state) {
    (void)state;
    living_begin(living_usual(), living_usual());
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t connection = living_arrive();
        if (i == 0) {
            living_hello(0, 1);
        }
        living_ack(0);
        living_done(0, connection);
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 1);
    assert_int_equal(living_counts[POOL_RECORD], 3000);
    assert_int_equal(pool->processes[0].taken_count, 3000);
    living_end();
}

static void test_life_is_over(void **state) {
    (void)state;
    struct service service = living_usual();
    service.reuse_count = 2;
    living_begin(service, living_usual());
    for (int i = 0; i < 2; i++) {
        uint32_t connection = living_arrive();
        if (i == 0) {
            living_hello(0, 8);
        }
        living_ack(0);
        living_done(0, connection);
    }
    assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], 1);
    assert_int_equal(pool->processes[0].retire, RETIRE_REUSE);
    living_end();
}

/* RETIRE crosses an offer, which is then declined or abandoned: that gives back no life. */
static void test_retire_holds_whatever_becomes_of_the_offer(void **state) {
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct service service = living_usual();
        service.reuse_count = 10;
        living_begin(service, living_usual());
        uint32_t first = living_arrive();
        living_hello(0, 4);
        living_ack(0);
        uint32_t second = living_arrive();
        assert_int_equal(pool->processes[0].offer, second);
        assert_true(pool_retire(living_at_now(), 0));
        if (way == 0) {
            assert_true(pool_nack(living_at_now(), 0, second, POOL_DECLINE_BUSY, &silence));
        } else {
            pool_abandoned(living_at_now(), second);
        }
        living_take_all();
        living_done(0, first);
        assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], 1);
        assert_int_equal(pool->processes[0].state, PROCESS_DRAINING);
        assert_int_equal(pool->processes[0].retire, RETIRE_ASKED);
        living_end();
    }
}

/* ---- Whom a client waits for ---- */

static void test_who_is_idle_first_has_the_client(void **state) {
    (void)state;
    living_begin(living_usual(), living_usual());
    uint32_t first = living_arrive();
    living_hello(0, 1);
    living_ack(0);
    uint32_t second = living_arrive();
    assert_int_equal(pool->processes[1].wanted_by, second);
    living_done(0, first);
    assert_int_equal(pool->processes[0].offer, second);
    assert_int_equal(pool->processes[1].wanted_by, SLOT_NONE);
    living_ack(0);
    if (living_now_us > 0) { /* its launch fails, which is no attempt of anybody's */
        living_leave(1);
    }
    assert_int_equal(living_counts[POOL_ATTEMPT_FAILED], 0);
    assert_int_equal(pool->connections[second].attempts_used, 0);
    living_done(0, second);
    /* The same again, and it becomes a spare. */
    first = living_arrive();
    second = living_arrive();
    living_ack(0);
    living_done(0, first);
    assert_int_equal(pool->processes[0].offer, second);
    living_hello(1, 1);
    assert_int_equal(living_served->idle_first, 1);
    assert_int_equal(living_counts[POOL_LAUNCH], 3);
    living_ack(0);
    living_end();
}

/* A launch that is faster than one before it serves who has waited for longer. */
static void test_the_oldest_comes_first(void **state) {
    (void)state;
    living_begin(living_usual(), living_usual());
    uint32_t first = living_arrive();
    uint32_t second = living_arrive();
    living_hello(1, 1);
    assert_int_equal(pool->processes[1].offer, first);
    assert_int_equal(living_served->queue.first, second);
    living_hello(0, 1);
    assert_int_equal(pool->processes[0].offer, second);
    assert_int_equal(living_counts[POOL_LAUNCH], 2);
    living_ack(0);
    living_ack(1);
    living_end();
}

/* As many launches as the last HELLO says will do. */
static void test_launches_for_a_crowd(void **state) {
    (void)state;
    enum { GREETING_US = 20000, CROWD = 100, CAPACITY = 50 };
    living_begin(living_usual(), living_usual());
    uint32_t connection = living_arrive();
    living_now_us += GREETING_US;
    living_hello(0, CAPACITY);
    living_ack(0);
    living_done(0, connection);
    pool_renew_processes(living_at_now(), 0);
    living_take_all();
    living_leave(0);
    for (int i = 0; i < CROWD; i++) {
        living_arrive();
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 1 + 2);
    living_now_us += GREETING_US;
    for (uint32_t process = 0; process < 2; process++) {
        living_hello(process, CAPACITY);
        while (pool->processes[process].offer != SLOT_NONE) {
            living_ack(process);
        }
        assert_int_equal(pool->processes[process].held_count, CAPACITY);
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 1 + 2);
    assert_int_equal(living_counts[POOL_RELEASE], 1 + CROWD);
    living_end();
}

/* What they hoped for does not come: after twice the time of a launch one is made for all, after
 * twice that the next, until each has one of its own. */
static void test_patience(void **state) {
    (void)state;
    enum { GREETING_US = 20000 };
    living_begin(living_usual(), living_usual());
    living_arrive();
    living_now_us += GREETING_US;
    living_hello(0, 8); /* and does not answer its offer */
    for (int i = 0; i < 3; i++) {
        living_arrive();
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 1);
    assert_int_equal(timers_next_us(&living_scene.timers), living_now_us + 2 * GREETING_US);
    for (uint32_t i = 1; i <= 3; i++) {
        living_pass((1u << i) * GREETING_US);
        assert_int_equal(living_counts[POOL_LAUNCH], 1 + i);
    }
    assert_int_equal(living_served->queue.count, 0);
    assert_false(timer_is_set(&living_served->patience));
    living_end();
}

/* It takes fewer than the one before, or fails: nobody relies on it any longer. */
static void test_hopes_that_fail(void **state) {
    (void)state;
    living_begin(living_usual(), living_usual());
    living_arrive();
    living_hello(0, 8);
    living_ack(0);
    pool_renew_processes(living_at_now(), 0); /* holds one, and gets no more */
    for (int i = 0; i < 5; i++) {
        living_arrive();
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 2);
    living_hello(1, 1);
    assert_int_equal(living_counts[POOL_LAUNCH], 2 + 4);
    assert_int_equal(pool->processes[1].held_count, 0);
    living_leave(2); /* one of them: three are under way for four */
    assert_int_equal(living_counts[POOL_LAUNCH], 2 + 4 + 1);
    assert_int_equal(living_counts[POOL_ATTEMPT_FAILED], 1);
    living_end();
}

static void test_max_handlers(void **state) {
    (void)state;
    struct service service = living_usual();
    service.max_handlers_count = 2;
    living_spare(&service, 2, 2, 2);
    living_begin(service, living_usual());
    uint32_t connections[4];
    for (int i = 0; i < 4; i++) {
        connections[i] = living_arrive();
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 2);
    living_hello(0, 1);
    living_hello(1, 1);
    living_ack(0);
    living_ack(1);
    living_pass(HANDSHAKE_US);
    assert_false(living_refill());
    assert_int_equal(living_counts[POOL_LAUNCH], 2);
    living_done(1, connections[1]);
    assert_int_equal(pool->processes[1].offer, connections[2]);
    /* One that has to go makes room for another. */
    assert_true(pool_retire(living_at_now(), 0));
    living_done(0, connections[0]);
    assert_int_equal(living_counts[POOL_LAUNCH], 3);
    assert_int_equal(living_counts[POOL_CROWDED], 0);
    living_end();
}

/* ---- Who is offered ---- */

static void test_the_least_loaded_first(void **state) {
    (void)state;
    enum { PROCESSES = 40, CAPACITY = 5 };
    struct service service = living_usual();
    living_spare(&service, PROCESSES * CAPACITY, PROCESSES * CAPACITY, PROCESSES * CAPACITY);
    living_begin(service, living_usual());
    for (int i = 0; i < PROCESSES; i++) {
        living_spare_of(CAPACITY);
    }
    for (uint32_t i = 0; i < PROCESSES * CAPACITY; i++) {
        uint32_t connection = living_arrive();
        uint32_t process = pool->connections[connection].process;
        assert_int_equal(pool->processes[process].held_count, i / PROCESSES);
        living_ack(process);
    }
    assert_int_equal(living_served->idle_first, SLOT_NONE);
    /* The one used last, of those that hold as many. */
    for (uint32_t process = 0; process < 3; process++) {
        living_done(process, pool->processes[process].first_held);
    }
    uint32_t connection = living_arrive();
    assert_int_equal(pool->connections[connection].process, 2);
    living_end();
}

/* ---- Retired ---- */

static void test_idle_ones_leave(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 1, 1, 1);
    service.idle_exit_s = 10;
    living_begin(service, living_usual());
    uint32_t connections[3];
    for (uint32_t i = 0; i < 3; i++) {
        connections[i] = living_arrive();
    }
    for (uint32_t i = 0; i < 3; i++) {
        living_hello(i, 1);
        living_ack(i);
    }
    for (uint32_t i = 0; i < 3; i++) {
        living_now_us += SECOND_US;
        living_done(i, connections[i]);
    }
    uint64_t last_us = living_now_us;
    living_pass(8 * SECOND_US); /* 0 has been idle for ten seconds, 1 for nine */
    assert_int_equal(pool->processes[0].retire, RETIRE_IDLE);
    assert_int_equal(pool->processes[1].retire, RETIRE_NONE);
    living_leave(0);
    living_pass(SECOND_US);
    assert_int_equal(pool->processes[1].retire, RETIRE_IDLE);
    living_leave(1);
    living_pass(100 * SECOND_US);
    assert_int_equal(pool->processes[2].retire, RETIRE_NONE);
    assert_int_equal(timers_next_us(&living_scene.timers), TIMERS_NEVER);
    assert_true(living_now_us > last_us);
    living_end();
}

/* Down to none, and back at the first client. */
static void test_scale_to_zero(void **state) {
    (void)state;
    struct service service = living_usual();
    service.idle_exit_s = 10;
    living_begin(service, living_usual());
    for (int i = 0; i < 3; i++) {
        uint32_t connection = living_arrive();
        living_hello(0, 1);
        living_ack(0);
        living_done(0, connection);
        living_pass(10 * SECOND_US);
        assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], i + 1);
        living_leave(0);
        assert_true(pool_is_empty(pool));
        assert_int_equal(timers_next_us(&living_scene.timers), TIMERS_NEVER);
    }
    assert_int_equal(living_counts[POOL_LAUNCH], 3);
    living_end();
}

static void test_many_leave_little_by_little(void **state) {
    (void)state;
    enum { PROCESSES = 100 };
    struct service service = living_usual();
    service.idle_exit_s = 10;
    living_begin(service, living_usual());
    for (int i = 0; i < PROCESSES; i++) {
        living_arrive();
    }
    for (uint32_t i = 0; i < PROCESSES; i++) {
        living_hello(i, 1);
        living_ack(i);
    }
    for (uint32_t i = 0; i < PROCESSES; i++) {
        living_done(i, pool->processes[i].first_held);
    }
    pool_scene_tick(&living_scene, timers_next_us(&living_scene.timers));
    living_take_all();
    assert_in_range(living_counts[POOL_CLOSE_CHANNEL], 1, PROCESSES / 4);
    living_pass(11 * SECOND_US);
    assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], PROCESSES);
    living_end();
}

/* It goes when it holds nothing; who comes meanwhile goes to another. */
static void test_age_memory_and_change(void **state) {
    (void)state;
    static const enum retire_reason reasons[] = {RETIRE_AGE, RETIRE_MEMORY, RETIRE_CHANGED};
    for (int way = 0; way < 3; way++) {
        struct service service = living_usual();
        service.retire_after_s = way == 0 ? 60 : 0;
        service.retire_memory_mib = way == 1 ? 10 : 0;
        living_begin(service, living_usual());
        uint32_t first = living_arrive();
        living_hello(0, 4);
        living_ack(0);
        living_pass(59 * SECOND_US);
        pool_note_memory(living_at_now(), 0, 10 * 1024 - 1);
        uint32_t second = living_arrive();
        assert_int_equal(pool->processes[0].offer, second);
        if (way == 0) {
            living_pass(2 * SECOND_US); /* with an offer that is open */
        } else if (way == 1) {
            pool_note_memory(living_at_now(), 0, 10 * 1024);
        } else {
            pool_renew_processes(living_at_now(), 0);
        }
        living_ack(0);
        living_pass(1);
        assert_int_equal(pool->processes[0].retire, reasons[way]);
        assert_int_equal(pool->processes[0].state, PROCESS_READY);
        living_arrive();
        assert_int_equal(living_counts[POOL_LAUNCH], 2);
        living_pass(HANDSHAKE_US / 2);
        living_done(0, first);
        assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], 0);
        living_done(0, second);
        assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], 1);
        assert_int_equal(living_counts[POOL_TERMINATE], 0);
        living_end();
    }
}

/* Those that are launched at the same time go one after the other, none later than the key says,
 * and their places are taken by others meanwhile. */
static void test_ages_are_spread(void **state) {
    (void)state;
    enum { PROCESSES = 20, AGE_S = 3000 };
    uint64_t tenth_us = (uint64_t)AGE_S * SECOND_US / 10;
    struct service service = living_usual();
    service.retire_after_s = AGE_S;
    living_spare(&service, PROCESSES, PROCESSES, PROCESSES);
    living_begin(service, living_usual());
    for (int i = 0; i < PROCESSES; i++) {
        living_spare_of(1);
    }
    uint64_t launched_us = living_now_us;
    uint64_t last_us = 0;
    for (uint32_t gone_count = 0; gone_count < PROCESSES; gone_count++) {
        uint64_t now_us = timers_next_us(&living_scene.timers);
        assert_in_range(now_us, launched_us + 9 * tenth_us, launched_us + 10 * tenth_us);
        assert_true(now_us >= last_us + tenth_us / (3 * PROCESSES));
        last_us = now_us;
        living_pass(now_us - living_now_us);
        uint32_t gone = 0;
        while (pool->processes[gone].state != PROCESS_DRAINING) {
            gone++;
        }
        assert_int_equal(pool->processes[gone].retire, RETIRE_AGE);
        living_leave(gone);
        living_refill();
        living_hello(gone, 1); /* in the same slot */
        assert_int_equal(living_served->sums.idle_count, PROCESSES);
    }
    assert_int_equal(last_us, launched_us + 10 * tenth_us); /* the first had all its time */
    living_end();
}

/* One that is there for nobody goes at once, one that somebody waits for serves him first. */
static void test_change_while_launches_are_under_way(void **state) {
    (void)state;
    struct service service = living_usual();
    living_spare(&service, 1, 1, 4);
    living_begin(service, living_usual());
    living_refill();
    pool_renew_processes(living_at_now(), 0);
    living_take_all();
    assert_int_equal(pool->processes[0].retire, RETIRE_CHANGED);
    assert_int_equal(living_counts[POOL_CLOSE_CHANNEL], 1);
    uint32_t connection = living_arrive();
    assert_int_equal(pool->processes[1].wanted_by, connection);
    pool_renew_processes(living_at_now(), 0);
    living_hello(1, 4);
    assert_int_equal(pool->processes[1].offer, connection);
    living_ack(1);
    living_arrive();
    assert_int_equal(living_counts[POOL_LAUNCH], 3);
    living_done(1, connection);
    assert_int_equal(pool->processes[1].retire, RETIRE_CHANGED);
    assert_int_equal(pool->processes[1].state, PROCESS_DRAINING);
    assert_int_equal(living_counts[POOL_SPARES_HELD_BACK], 0);
    living_end();
}

/* ---- The stop ---- */

/* Clients whose launches are under way are living_served by these, though others took them over. */
static void test_stop_while_clients_wait(void **state) {
    (void)state;
    living_begin(living_usual(), living_usual());
    living_arrive();
    living_arrive();
    pool_stop(living_at_now());
    living_take_all();
    living_hello(1, 8);
    living_ack(1);
    living_hello(0, 8);
    living_ack(0);
    assert_int_equal(living_counts[POOL_RELEASE], 2);
    assert_int_equal(living_counts[POOL_SEND_DRAIN], 2);
    living_end();
}

/* One that holds many is told, terminated, killed; each of its connections has its record. */
static void test_stop_with_many_held(void **state) {
    (void)state;
    enum { HELD = 30 };
    living_begin(living_usual(), living_usual());
    living_arrive();
    living_hello(0, HELD + 1);
    living_ack(0);
    for (int i = 1; i < HELD; i++) {
        living_arrive();
        living_ack(0);
    }
    uint32_t offered = living_arrive();
    pool_stop(living_at_now());
    living_take_all();
    assert_int_equal(living_counts[POOL_SEND_DRAIN], 1);
    living_ack(0); /* living_counts behind DRAIN */
    living_done(0, pool->processes[0].first_held);
    living_pass(STOP_US);
    assert_int_equal(living_counts[POOL_TERMINATE], 1);
    living_pass(STOP_US);
    assert_int_equal(living_counts[POOL_KILL], 1);
    assert_int_equal(pool->connections[offered].state, CONNECTION_FREE);
    living_leave(0);
    assert_int_equal(living_counts[POOL_RECORD], HELD + 1);
    living_end();
}

/* It takes nobody else, so another may be launched where one alone is allowed; and it stays so when
 * it has come to an end with that client after all, or there would be two. */
static void test_one_that_overran_is_replaced(void **state) {
    (void)state;
    struct service service = living_usual();
    service.max_handlers_count = 1;
    service.max_runtime_ms = 1000;
    for (uint32_t capacity_count = 2; capacity_count < 4; capacity_count++) { /* full, and not */
        living_begin(service, living_usual());
        uint32_t first = living_arrive();
        living_hello(0, capacity_count);
        living_ack(0);
        living_pass(STOP_US);
        uint32_t second = living_arrive();
        living_ack(0);
        uint32_t third = SLOT_NONE;
        if (capacity_count == 2) {
            third = living_arrive(); /* waits for room */
        }
        assert_int_equal(living_counts[POOL_LAUNCH], 1);
        living_pass(SECOND_US);
        assert_int_equal(pool->processes[0].overdue_count, 1);
        third = third == SLOT_NONE ? living_arrive() : third;
        assert_int_equal(living_counts[POOL_LAUNCH], 2);
        living_done(0, first);
        assert_int_equal(pool->connections[third].process, 1);
        living_arrive();
        assert_int_equal(living_counts[POOL_LAUNCH], 2);
        assert_int_equal(living_served->sums.handlers_count, 1);
        living_done(0, second);
        assert_int_equal(pool->processes[0].state, PROCESS_DRAINING);
        assert_int_equal(pool->processes[0].retire, RETIRE_OVERDUE);
        living_hello(1, 1);
        living_ack(1);
        living_end();
    }
}

/* Its life was over with the offer, so another was launched; now it has the offer back. */
static void test_one_that_comes_back_may_be_one_too_many(void **state) {
    (void)state;
    for (int is_abandoned = 0; is_abandoned < 2; is_abandoned++) {
        struct service service = living_usual();
        service.max_handlers_count = 1;
        service.reuse_count = 3;
        living_begin(service, living_usual());
        uint32_t first = living_arrive(), last;
        living_hello(0, 3);
        living_ack(0);
        uint32_t second = living_arrive();
        living_ack(0);
        living_done(0, second);
        last = living_arrive();
        assert_int_equal(pool->processes[0].life_left_count, 0);
        uint32_t next = living_arrive();
        assert_int_equal(living_counts[POOL_LAUNCH], 2);
        if (is_abandoned == 1) {
            pool_abandoned(living_at_now(), last);
        } else {
            assert_true(pool_nack(living_at_now(), 0, last, POOL_DECLINE_BUSY, &silence));
        }
        living_take_all();
        assert_int_equal(living_served->sums.handlers_count, 1);
        assert_int_equal(pool->processes[0].retire, RETIRE_REUSE);
        living_done(0, first);
        assert_int_equal(pool->processes[0].state, PROCESS_DRAINING);
        assert_int_equal(pool->connections[next].process, 1);
        living_hello(1, 3);
        living_ack(1);
        if (is_abandoned == 0) {
            living_ack(1);
        }
        living_end();
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_without_end),
        cmocka_unit_test(test_life_is_over),
        cmocka_unit_test(test_retire_holds_whatever_becomes_of_the_offer),
        cmocka_unit_test(test_who_is_idle_first_has_the_client),
        cmocka_unit_test(test_the_oldest_comes_first),
        cmocka_unit_test(test_launches_for_a_crowd),
        cmocka_unit_test(test_patience),
        cmocka_unit_test(test_hopes_that_fail),
        cmocka_unit_test(test_max_handlers),
        cmocka_unit_test(test_the_least_loaded_first),
        cmocka_unit_test(test_idle_ones_leave),
        cmocka_unit_test(test_scale_to_zero),
        cmocka_unit_test(test_many_leave_little_by_little),
        cmocka_unit_test(test_age_memory_and_change),
        cmocka_unit_test(test_ages_are_spread),
        cmocka_unit_test(test_change_while_launches_are_under_way),
        cmocka_unit_test(test_stop_while_clients_wait),
        cmocka_unit_test(test_stop_with_many_held),
        cmocka_unit_test(test_one_that_overran_is_replaced),
        cmocka_unit_test(test_one_that_comes_back_may_be_one_too_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
