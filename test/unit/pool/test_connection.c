/* The state machines of a connection and of a process: every state with every event. */
#include "core/pool/connection.h"
#include "core/pool/process.h"
#include "core/service/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { STATE_COUNT = CONNECTION_ENDED + 1, EVENT_COUNT = CONNECTION_END + 1 };

/* The next state; CONNECTION_FREE = the event is not allowed. */
static const enum connection_state next[STATE_COUNT][EVENT_COUNT] = {
    [CONNECTION_PREFACE] =
        {[CONNECTION_BEGIN] = CONNECTION_WAITING, [CONNECTION_END] = CONNECTION_ENDED},
    [CONNECTION_WAITING] = {[CONNECTION_OFFER] = CONNECTION_OFFERED,
                            [CONNECTION_ATTEMPT_FAILED] = CONNECTION_WAITING,
                            [CONNECTION_END] = CONNECTION_ENDED},
    [CONNECTION_OFFERED] = {[CONNECTION_RECALL] = CONNECTION_RECALLED,
                            [CONNECTION_ACK] = CONNECTION_HELD,
                            [CONNECTION_DECLINE] = CONNECTION_WAITING,
                            [CONNECTION_ATTEMPT_FAILED] = CONNECTION_WAITING,
                            [CONNECTION_END] = CONNECTION_ENDED},
    [CONNECTION_RECALLED] = {[CONNECTION_ACK] = CONNECTION_HELD,
                             [CONNECTION_DECLINE] = CONNECTION_WAITING,
                             [CONNECTION_ATTEMPT_FAILED] = CONNECTION_WAITING,
                             [CONNECTION_END] = CONNECTION_ENDED},
    [CONNECTION_HELD] = {[CONNECTION_END] = CONNECTION_ENDED},
};

static void test_every_state_with_every_event(void **state) {
    (void)state;
    for (int from = 0; from < STATE_COUNT; from++) {
        for (int event = 0; event < EVENT_COUNT; event++) {
            struct connection c = {.state = (enum connection_state)from, .attempts_max = 2};
            struct connection before = c;
            enum connection_state wanted = next[from][event];
            bool fails = event == CONNECTION_ATTEMPT_FAILED;
            enum outcome outcome = fails                     ? OUTCOME_CRASHED
                                   : event == CONNECTION_END ? OUTCOME_SERVED
                                                             : OUTCOME_NONE;
            bool allowed = connection_step(&c, (enum connection_event)event, outcome);
            assert_int_equal(allowed, wanted != CONNECTION_FREE);
            if (!allowed) {
                assert_memory_equal(&c, &before, sizeof c);
                continue;
            }
            assert_int_equal(c.state, wanted);
            assert_int_equal(c.attempts_used, fails ? 1 : 0);
            assert_int_equal(c.outcome, wanted == CONNECTION_ENDED ? OUTCOME_SERVED : OUTCOME_NONE);
        }
    }
}

static void test_last_attempt(void **state) {
    (void)state;
    static const enum connection_state from[] = {CONNECTION_WAITING, CONNECTION_OFFERED,
                                                 CONNECTION_RECALLED};
    for (size_t i = 0; i < 3; i++) {
        struct connection c = {.state = from[i], .attempts_used = 1, .attempts_max = 2};
        assert_true(connection_step(&c, CONNECTION_ATTEMPT_FAILED, OUTCOME_HANDSHAKE_TIMEOUT));
        assert_int_equal(c.state, CONNECTION_ENDED);
        assert_int_equal(c.outcome, OUTCOME_HANDSHAKE_TIMEOUT);
        assert_int_equal(c.attempts_used, 2);
        assert_false(connection_step(&c, CONNECTION_END, OUTCOME_SERVED));
        assert_int_equal(c.outcome, OUTCOME_HANDSHAKE_TIMEOUT);
    }
}

static void test_outcome_texts(void **state) {
    (void)state;
    assert_string_equal(outcome_text(OUTCOME_SERVED), "served");
    assert_string_equal(outcome_text(OUTCOME_LAUNCH_FAILED), "launch_failed");
    assert_string_equal(outcome_text((enum outcome)1000), "none");
}

/* ---- Processes ---- */

static struct process ready_process(void) {
    static const struct service rules = {.max_connections_count = 10, .reuse_count = 10};
    return (struct process){.state = PROCESS_READY,
                            .rules = &rules,
                            .offer = SLOT_NONE,
                            .first_held = SLOT_NONE,
                            .wanted_by = SLOT_NONE,
                            .capacity_count = 2,
                            .held_count = 1,
                            .life_left_count = 1,
                            .channel_open = true};
}

static void test_who_takes_offers(void **state) {
    (void)state;
    struct process p = ready_process();
    assert_true(process_takes_offers(&p));
    for (int reason = 0; reason < 11; reason++) {
        p = ready_process();
        switch (reason) {
        case 0:
            p.state = PROCESS_LAUNCHED;
            break;
        case 1:
            p.state = PROCESS_DRAINING;
            break;
        case 2:
            p.offer = 5;
            break;
        case 3:
            p.held_count = 2;
            break;
        case 4:
            p.life_left_count = 0;
            break;
        case 5:
            p.channel_open = false;
            break;
        case 6:
            p.fault = OUTCOME_HANDSHAKE_INVALID;
            break;
        case 7:
            p.exiting = true;
            break;
        case 8:
            p.overdue_count = 1;
            break;
        case 9:
            process_retire(&p, RETIRE_AGE);
            break;
        default:
            p.busy = true;
            break;
        }
        assert_false(process_takes_offers(&p));
    }
}

static void test_how_many_are_offered_at_a_time(void **state) {
    static const struct {
        uint32_t hello, connections, capacity, reuse, expected;
    } cases[] = {{1, 10, 0, 1, 1},  {8, 10, 0, 0, 8}, {8, 5, 0, 0, 5},  {8, 10, 3, 0, 3},
                 {8, 10, 30, 0, 8}, {8, 10, 0, 2, 2}, {8, 10, 4, 6, 4}, {65535, 9, 7, 9, 7}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct service rules = {.max_connections_count = cases[i].connections,
                                .capacity_count = cases[i].capacity,
                                .reuse_count = cases[i].reuse};
        struct process p = ready_process();
        p.rules = &rules;
        p.capacity_count = cases[i].hello;
        assert_int_equal(process_offers_at_a_time(&p), cases[i].expected);
        p.held_count = cases[i].expected;
        assert_false(process_takes_offers(&p));
        p.held_count--;
        assert_true(process_takes_offers(&p));
    }
}

static void test_who_is_finished(void **state) {
    (void)state;
    struct process p = ready_process();
    assert_false(process_is_finished(&p));
    p.life_left_count = 0;
    assert_false(process_is_finished(&p));
    p.held_count = 0;
    assert_true(process_is_finished(&p));
    p.life_left_count = 1;
    assert_false(process_is_finished(&p));
    process_retire(&p, RETIRE_AGE);
    process_retire(&p, RETIRE_MEMORY);
    assert_int_equal(p.retire, RETIRE_AGE);
    assert_string_equal(retire_reason_text(p.retire), "age");
    assert_true(process_is_finished(&p));
    p.offer = 3;
    assert_false(process_is_finished(&p));
    p.offer = SLOT_NONE;
    p.state = PROCESS_DRAINING;
    assert_false(process_is_finished(&p));
}

static void test_process_only_advances(void **state) {
    (void)state;
    for (int from = PROCESS_FREE; from <= PROCESS_KILLED; from++) {
        for (int to = PROCESS_FREE; to <= PROCESS_KILLED; to++) {
            struct process p = {.state = (enum process_state)from};
            bool may = from != PROCESS_FREE && to > from;
            assert_int_equal(process_advance(&p, (enum process_state)to), may);
            assert_int_equal(p.state, may ? to : from);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_state_with_every_event),
        cmocka_unit_test(test_last_attempt),
        cmocka_unit_test(test_outcome_texts),
        cmocka_unit_test(test_who_takes_offers),
        cmocka_unit_test(test_how_many_are_offered_at_a_time),
        cmocka_unit_test(test_who_is_finished),
        cmocka_unit_test(test_process_only_advances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
