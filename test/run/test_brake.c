/* The brake on handlers of a listener that take nobody, or fail. */
#include "core/base/error.h"
#include "way.h"

#include <string.h>

static const enum act crash_acts[] = {ACT_CRASH};
static const struct play play_crash = {.acts = crash_acts};
static const enum act idle_offered_acts[] = {ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK,
                                             ACT_DONE,  ACT_AWAIT_DRAIN, ACT_EXIT};
static const struct play play_idle_offered = {.acts = idle_offered_acts};
static const enum act crash_offered_acts[] = {ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_CRASH};
static const struct play play_crash_offered = {.acts = crash_offered_acts};

#define MINUTE_US 60000000u

static uint32_t launches_within(uint64_t from_us, uint64_t to_us) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < fake_process_count(); i++) {
        uint64_t launched_us = fake_process(i)->launched_us;
        count += launched_us >= from_us && launched_us < to_us ? 1 : 0;
    }
    return count;
}

/* Fails, whoever waits there, for ten minutes; then it works. */
static bool failing(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    while (fake_now_us() - FAKE_START_US < 10u * MINUTE_US) {
        assert_true(s->deadline_us != UINT64_MAX);
        JUMP(s);
    }
    s->count = fake_process_count();
    s->plays[0] = is_windows(s->way) ? &play_offered : &play_taking;
    s->play_count = 1;
    JUMP(s);
    assert_int_equal(fake_process_count(), s->count + 1);
    assert_true(fake_client(0)->is_taken);
    /* It has healed: nobody has to wait any more. */
    s->mark_us = fake_now_us();
    arrive(s);
    LOOK(s);
    assert_true(fake_client(1)->is_taken);
    assert_true(fake_now_us() == s->mark_us);
    SCENE_END(s);
}

static void test_crash_loop(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        struct scene scene;
        stage(&scene, way, failing);
        scene_play(&scene, is_windows(way) ? &play_crash_offered : &play_crash);
        scene_run(&scene);
        /* 0.1 s, 0.2 s, 0.4 s, ..., then once a minute. */
        uint32_t first_count = launches_within(FAKE_START_US, FAKE_START_US + MINUTE_US);
        uint32_t later_count =
            launches_within(FAKE_START_US + 2u * MINUTE_US, FAKE_START_US + 10u * MINUTE_US);
        assert_in_range(first_count, 9, 12);
        assert_in_range(later_count, 7, 9);
        assert_record(1, "crashed", "1");
        assert_true(fake_wait_count() < 40u * fake_process_count());
        assert_in_range(lines_count("held_back"), first_count, first_count + later_count + 3);
        scene_clear(&scene);
    }
}

/* The program cannot even be launched. */
static bool not_there(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    while (fake_now_us() - FAKE_START_US < 10u * MINUTE_US) {
        JUMP(s);
    }
    assert_in_range(fake_call_count(FAKE_LAUNCH), 15, 22);
    fake_fail(FAKE_LAUNCH, BATON_OK, 0);
    JUMP(s);
    assert_true(fake_client(0)->is_taken);
    SCENE_END(s);
}

static void test_program_that_is_not_there(void **state) {
    (void)state;
    for (uint32_t way = 0; way <= WAY_UDP; way++) {
        struct scene scene;
        stage(&scene, way, not_there);
        scene_play(&scene, &play_taking);
        fake_fail(FAKE_LAUNCH, BATON_NOT_FOUND, FAKE_ALWAYS);
        scene_run(&scene);
        assert_record(1, "launch_failed", "1");
        scene_clear(&scene);
    }
}

/* Ends well and never reads: what waits stays ready. */
static bool never_reads(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    while (fake_now_us() - FAKE_START_US < MINUTE_US) {
        JUMP(s);
    }
    s->plays[0] = is_windows(s->way) ? &play_offered : &play_taking;
    s->play_count = 1;
    for (s->number = 0; s->number < 2 && !fake_client(0)->is_taken; s->number++) {
        JUMP(s);
    }
    assert_true(fake_client(0)->is_taken);
    SCENE_END(s);
}

static void test_handler_that_never_reads(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        struct scene scene;
        stage(&scene, way, never_reads);
        scene_play(&scene, is_windows(way) ? &play_idle_offered : &play_exit);
        scene_run(&scene);
        if (is_windows(way)) { /* where nobody knows: some at once, then ten a second */
            assert_in_range(launches_within(FAKE_START_US, FAKE_START_US + 1), 10, 30);
            assert_in_range(launches_within(FAKE_START_US + 1, FAKE_START_US + MINUTE_US), 500,
                            620);
        } else { /* twice at once, then after 0.2 s, 0.4 s, ... */
            assert_int_equal(launches_within(FAKE_START_US, FAKE_START_US + 1), 2);
            assert_in_range(launches_within(FAKE_START_US + 1, FAKE_START_US + MINUTE_US), 7, 9);
            assert_string_equal(lines_value(lines_record(2), "took"), "nobody");
            assert_string_equal(lines_value(lines_find("held_back", 0), "reason"),
                                "its handler ends and takes nobody who waits");
        }
        assert_true(fake_wait_count() < 20u * fake_process_count());
        scene_clear(&scene);
    }
}

/* A hundred clients in a row that are served quickly, each by a process of its own, a second
 * apart, are never held back. */
static bool busy(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 100; s->number++) {
        s->mark_us = fake_now_us();
        arrive(s);
        LOOK(s);
        assert_true(fake_client(s->number)->is_taken);
        assert_true(fake_now_us() == s->mark_us);
        fake_advance_us(1000000);
    }
    SCENE_END(s);
}

static void test_good_handlers_are_not_held_back(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        struct scene scene;
        stage(&scene, way, busy);
        scene_play(&scene, is_windows(way) ? &play_offered : &play_taking);
        scene_run(&scene);
        assert_records(1, 100, "served", "1");
        assert_int_equal(lines_count("held_back"), 0);
        scene_clear(&scene);
    }
}

/* A hundred that wait at once, for handlers that take one each; while these are at it more come, so
 * that the queue never gets shorter. */
static bool crowd(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 100; s->number++) {
        arrive(s);
    }
    LOOK(s);
    for (s->number = 0; s->number < 300; s->number++) {
        assert_int_equal(fake_process_count(), s->number + 1);
        if (s->number < 200) {
            arrive(s);
        }
        scene_act(s, s->number, ACT_TAKE);
        scene_act(s, s->number, ACT_EXIT);
        LOOK(s);
    }
    assert_true(fake_now_us() == FAKE_START_US);
    SCENE_END(s);
}

static void test_a_crowd_is_not_held_back(void **state) {
    (void)state;
    for (uint32_t way = 0; way <= WAY_UDP; way++) {
        struct scene scene;
        stage(&scene, way, crowd);
        scene_play(&scene, &play_puppet);
        scene_run(&scene);
        assert_records(1, 300, "served", "1");
        assert_int_equal(lines_count("held_back"), 0);
        assert_int_equal(fake_process_count(), 300);
        scene_clear(&scene);
    }
}

/* One that takes its client and fails has taken it all the same. */
static const enum act take_and_fail_acts[] = {ACT_TAKE, ACT_EXIT_3};
static const struct play play_take_and_fail = {.acts = take_and_fail_acts};

static void test_who_fails_and_takes_is_not_held_back(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, WAY_TCP, NULL);
    scene_play(&scene, &play_take_and_fail);
    scene.client_count = 30;
    scene_run(&scene);
    assert_records(1, 30, "failed", "1");
    assert_int_equal(lines_count("held_back"), 0);
    assert_true(fake_now_us() == FAKE_START_US);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crash_loop),
        cmocka_unit_test(test_program_that_is_not_there),
        cmocka_unit_test(test_handler_that_never_reads),
        cmocka_unit_test(test_good_handlers_are_not_held_back),
        cmocka_unit_test(test_a_crowd_is_not_held_back),
        cmocka_unit_test(test_who_fails_and_takes_is_not_held_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
