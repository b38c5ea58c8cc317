/* Deadlines (core/base/timers.h) against a model that looks at all of them. */
#include "core/base/error.h"
#include "core/base/timers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "must_fail.h"

enum { TIMER_COUNT = 40 };

static void test_empty(void **state) {
    (void)state;
    struct timers timers;
    struct timer timer = {0};
    assert_int_equal(timers_init(&timers, 0), BATON_OK);
    assert_true(timers_next_us(&timers) == TIMERS_NEVER);
    assert_null(timers_expired(&timers, UINT64_MAX));
    timers_unset(&timers, &timer);
    timers_clear(&timers);
    timers_clear(&timers);
}

static void test_one(void **state) {
    (void)state;
    struct timers timers;
    struct timer timer = {.token = 7};
    assert_int_equal(timers_init(&timers, 1), BATON_OK);
    timers_set(&timers, &timer, 100);
    assert_int_equal(timers_next_us(&timers), 100);
    assert_null(timers_expired(&timers, 99));
    timers_set(&timers, &timer, 50);
    assert_int_equal(timers_next_us(&timers), 50);
    timers_set(&timers, &timer, 200);
    assert_null(timers_expired(&timers, 199));
    assert_ptr_equal(timers_expired(&timers, 200), &timer);
    assert_int_equal(timer.position, 0);
    assert_int_equal(timer.token, 7);
    assert_null(timers_expired(&timers, 1000));
    timers_set(&timers, &timer, 1);
    timers_unset(&timers, &timer);
    timers_unset(&timers, &timer);
    assert_true(timers_next_us(&timers) == TIMERS_NEVER);
    timers_clear(&timers);
}

/* In every build: behind the heap is somebody else's memory. */
static void test_there_must_be_room(void **state) {
    (void)state;
    struct timers timers;
    struct timer first = {0};
    struct timer second = {0};
    assert_int_equal(timers_init(&timers, 1), BATON_OK);
    timers_set(&timers, &first, 100);
    assert_must_fails(timers_set(&timers, &second, 50));
    timers_set(&timers, &first, 200);
    assert_int_equal(timers_next_us(&timers), 200);
    timers_clear(&timers);
}

struct model {
    struct timers timers;
    struct timer all[TIMER_COUNT];
    bool is_set[TIMER_COUNT];
    uint64_t deadlines_us[TIMER_COUNT];
};

static uint64_t earliest(const struct model *m) {
    uint64_t earliest_us = TIMERS_NEVER;
    for (int i = 0; i < TIMER_COUNT; i++) {
        if (m->is_set[i] && m->deadlines_us[i] < earliest_us) {
            earliest_us = m->deadlines_us[i];
        }
    }
    return earliest_us;
}

static void expire(struct model *m, uint64_t now_us) {
    uint64_t last_us = 0;
    struct timer *timer;
    while ((timer = timers_expired(&m->timers, now_us)) != NULL) {
        ptrdiff_t i = timer - m->all;
        assert_true(m->is_set[i]);
        assert_true(m->deadlines_us[i] <= now_us && m->deadlines_us[i] >= last_us);
        last_us = m->deadlines_us[i];
        m->is_set[i] = false;
    }
    assert_true(earliest(m) > now_us);
}

static void test_random(void **state) {
    (void)state;
    struct model m = {0};
    uint64_t now_us = 0;
    srand(4711);
    assert_int_equal(timers_init(&m.timers, TIMER_COUNT), BATON_OK);
    for (int step = 0; step < 30000; step++) {
        int i = rand() % TIMER_COUNT;
        switch (rand() % 4) {
        case 0:
        case 1:
            /* Few different times, so that many are equal. */
            m.deadlines_us[i] = now_us + (uint64_t)(rand() % 50);
            timers_set(&m.timers, &m.all[i], m.deadlines_us[i]);
            m.is_set[i] = true;
            break;
        case 2:
            timers_unset(&m.timers, &m.all[i]);
            m.is_set[i] = false;
            break;
        default:
            now_us += (uint64_t)(rand() % 8);
            expire(&m, now_us);
        }
        assert_true(timers_next_us(&m.timers) == earliest(&m));
        assert_int_equal(m.all[i].position != 0, m.is_set[i]);
    }
    timers_clear(&m.timers);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_one),
        cmocka_unit_test(test_there_must_be_room),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
