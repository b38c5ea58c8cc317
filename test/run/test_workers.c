/* Workers: activations that share a listener from the start, for the ways of both systems. */
#include "way.h"

#include <stdio.h>

#define WORKERS_COUNT 3u

static const enum act crash_acts[] = {ACT_CRASH};
static const enum act worker_acts[] = {ACT_HELLO,       ACT_AWAIT_OFFER, ACT_ACK,
                                       ACT_AWAIT_DRAIN, ACT_DONE,        ACT_EXIT};
static const struct play play_worker = {.acts = worker_acts};
static const struct play play_crash = {.acts = crash_acts};
static const enum act early_acts[] = {ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_DONE, ACT_EXIT};
static const struct play play_early = {.acts = early_acts};

static void stage_workers(struct scene *scene, uint32_t way, scene_script *script,
                          const struct play *play) {
    stage(scene, way, script);
    scene->services[0].workers_count = WORKERS_COUNT;
    scene->services[0].max_connections_count = WORKERS_COUNT;
    scene_play(scene, play);
}

/* Each is launched in a round of its own. */
#define AWAIT_PROCESSES(s, wanted_count)                                                           \
    while (fake_process_count() < (wanted_count)) {                                                \
        JUMP(s);                                                                                   \
    }

/* What a process says that is given its listener on a channel. */
#define BEGIN_WORK(s, process)                                                                     \
    if (is_windows((s)->way)) {                                                                    \
        ACTS(s, process, ACT_HELLO, ACT_ACK);                                                      \
    }

static void run(struct scene *scene) {
    scene_run(scene);
    assert_int_equal(fake_call_count(FAKE_ACCEPT), 0);
}

/* ---- They share ---- */

static bool share(struct scene *s) {
    SCENE_BEGIN(s);
    AWAIT_PROCESSES(s, WORKERS_COUNT);
    for (s->number = 0; s->number < WORKERS_COUNT; s->number++) {
        BEGIN_WORK(s, s->number);
    }
    assert_true(fake_listener(0)->is_paused);
    assert_int_equal(fake_listener(0)->holder_count, WORKERS_COUNT);
    assert_true(s->deadline_us == UINT64_MAX); /* nothing is to be done */
    arrive(s);
    arrive(s);
    s->count = (uint32_t)fake_wait_count();
    LOOK(s);
    assert_true(fake_wait_count() <= s->count + 2);
    ACTS(s, 1, ACT_TAKE);
    ACTS(s, 2, ACT_TAKE);
    assert_int_equal(fake_process_count(), WORKERS_COUNT);
    /* One is replaced, and the others go on. */
    ACTS(s, 0, ACT_CRASH);
    AWAIT_PROCESSES(s, WORKERS_COUNT + 1);
    BEGIN_WORK(s, WORKERS_COUNT);
    arrive(s);
    ACTS(s, WORKERS_COUNT, ACT_TAKE);
    assert_true(s->deadline_us == UINT64_MAX);
    assert_int_equal(fake_process_count(), WORKERS_COUNT + 1);
    assert_int_equal(lines_count("activation"), 1);
    SCENE_END(s);
}

static void test_they_share_and_are_replaced(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        struct scene scene;
        stage_workers(&scene, way, share, &play_puppet);
        run(&scene);
        assert_record(1, "crashed", "1");
        assert_int_equal(lines_count("activation"), WORKERS_COUNT + 1);
        assert_true(fake_client(0)->is_taken && fake_client(1)->is_taken &&
                    fake_client(2)->is_taken);
        scene_clear(&scene);
    }
}

/* ---- Several places ---- */

static bool places(struct scene *s) {
    SCENE_BEGIN(s);
    s->count = is_windows(s->way) ? 3 * WORKERS_COUNT : WORKERS_COUNT;
    AWAIT_PROCESSES(s, s->count);
    for (s->number = 0; s->number < s->count; s->number++) {
        BEGIN_WORK(s, s->number);
    }
    assert_true(s->deadline_us == UINT64_MAX);
    for (s->number = 0; s->number < 3; s->number++) {
        assert_int_equal(fake_listener(s->number)->holder_count, WORKERS_COUNT);
    }
    fake_connect((uint16_t)(SCENE_PORT + SCENE_SERVICE_COUNT)); /* the second place */
    LOOK(s);
    assert_int_equal(fake_process_count(), s->count);
    ACTS(s, 1, ACT_TAKE); /* by places in turn where each has its own */
    SCENE_END(s);
}

static void test_each_place_has_them(void **state) {
    (void)state;
    for (uint32_t way = WAY_TCP; way <= WAY_WINDOWS; way += WAY_WINDOWS - WAY_TCP) {
        struct scene scene;
        stage_workers(&scene, way, places, &play_puppet);
        scene.services[0].listen_count = 3;
        scene.services[0].max_connections_count = WORKERS_COUNT * (is_windows(way) ? 3 : 1);
        run(&scene);
        assert_true(fake_client(0)->is_taken);
        /* Whoever has them all is at no place. */
        assert_int_equal(lines_has(lines_record(1), "local"), is_windows(way));
        scene_clear(&scene);
    }
}

/* A place that cannot be opened yet. */
static bool missing(struct scene *s) {
    SCENE_BEGIN(s);
    s->count = is_windows(s->way) ? 2 * WORKERS_COUNT : 0;
    while (s->deadline_us - fake_now_us() < 900000) {
        JUMP(s);
    }
    assert_int_equal(fake_process_count(), s->count);
    JUMP(s);
    assert_int_equal(fake_listener_count(), 3);
    AWAIT_PROCESSES(s, s->count + WORKERS_COUNT);
    SCENE_END(s);
}

static void test_a_place_that_is_missing(void **state) {
    (void)state;
    for (uint32_t way = WAY_TCP; way <= WAY_WINDOWS; way += WAY_WINDOWS - WAY_TCP) {
        struct scene scene;
        stage_workers(&scene, way, missing, is_windows(way) ? &play_worker : &play_puppet);
        scene.services[0].listen_count = 3;
        scene.services[0].max_connections_count = WORKERS_COUNT * (is_windows(way) ? 3 : 1);
        fake_fail(FAKE_LISTEN, BATON_IN_USE, 1);
        run(&scene);
        scene_clear(&scene);
    }
}

/* ---- They fail ---- */

static bool crash(struct scene *s) {
    SCENE_BEGIN(s);
    while (lines_count("held_back") < 5) {
        JUMP(s);
    }
    scene_stop(s);
    SCENE_END(s);
}

static void test_who_fails_at_once_is_paused_as_one(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        struct scene scene;
        stage_workers(&scene, way, crash, &play_crash);
        run(&scene);
        for (uint32_t i = 0; i < 5; i++) {
            char expected[16];
            snprintf(expected, sizeof expected, "%u", 100u << i);
            assert_string_equal(lines_value(lines_find("held_back", i), "retry_ms"), expected);
        }
        assert_true(lines_count("activation") <= 5 * WORKERS_COUNT);
        scene_clear(&scene);
    }
}

/* ---- What they share is lost ---- */

static bool lose(struct scene *s) {
    SCENE_BEGIN(s);
    AWAIT_PROCESSES(s, WORKERS_COUNT);
    fake_listener_spoil(0);
    ACTS(s, 1, ACT_EXIT);
    assert_int_equal(lines_count("listener_lost"), 1);
    assert_int_equal(fake_listener_count(), 2);
    /* Nobody comes to those who have the old one. */
    assert_int_equal(fake_process(0)->terminate_count, 1);
    assert_int_equal(fake_process(2)->terminate_count, 1);
    AWAIT_PROCESSES(s, 2 * WORKERS_COUNT);
    for (s->number = WORKERS_COUNT; s->number < 2 * WORKERS_COUNT; s->number++) {
        assert_int_equal(fake_handed_listener(s->number, 0), 1);
    }
    arrive(s);
    ACTS(s, WORKERS_COUNT, ACT_TAKE);
    assert_int_equal(fake_process_count(), 2 * WORKERS_COUNT);
    assert_null(lines_find("held_back", 0));
    SCENE_END(s);
}

static void test_a_listener_that_is_lost(void **state) {
    (void)state;
    for (uint32_t way = WAY_TCP; way <= WAY_UDP; way++) {
        struct scene scene;
        stage_workers(&scene, way, lose, &play_puppet);
        run(&scene);
        assert_record(2, "served", "1");
        assert_true(fake_client(0)->is_taken);
        scene_clear(&scene);
    }
}

/* ---- What they run has changed ---- */

/* Of those that were launched first. */
static uint32_t told_count(struct scene *s) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < WORKERS_COUNT; i++) {
        count +=
            is_windows(s->way) ? scene_listen(s, i)->drained : fake_process(i)->terminate_count;
    }
    return count;
}

/* How long one has to live until another goes for its sake. */
#define TRIAL_US 1000000u

/* So many are told, the last of them no sooner than that. */
#define AWAIT_TOLD(s, wanted_count)                                                                \
    (s)->mark_us = fake_now_us();                                                                  \
    while (told_count(s) < (wanted_count)) {                                                       \
        JUMP(s);                                                                                   \
    }                                                                                              \
    assert_true(fake_now_us() - (s)->mark_us > TRIAL_US - 200000u);                                \
    assert_true(fake_now_us() - (s)->mark_us <= TRIAL_US)

static bool change(struct scene *s) {
    SCENE_BEGIN(s);
    AWAIT_PROCESSES(s, WORKERS_COUNT);
    for (s->number = 0; s->number < WORKERS_COUNT; s->number++) {
        BEGIN_WORK(s, s->number);
    }
    assert_int_equal(fake_file_changes("/handlers/one"), 1);
    LOOK(s);
    for (s->number = 1; s->number <= WORKERS_COUNT; s->number++) {
        AWAIT_PROCESSES(s, WORKERS_COUNT + s->number);
        BEGIN_WORK(s, WORKERS_COUNT + s->number - 1);
        assert_int_equal(told_count(s), s->number - 1); /* not before another has lived */
        AWAIT_TOLD(s, s->number);
        assert_true(fake_process_count() <= WORKERS_COUNT + s->number + 1);
    }
    assert_int_equal(told_count(s), WORKERS_COUNT);
    /* Those who may still serve somebody are bound by no time. */
    assert_true(s->deadline_us == UINT64_MAX);
    arrive(s);
    ACTS(s, WORKERS_COUNT, ACT_TAKE);
    for (s->number = 0; s->number < WORKERS_COUNT && is_windows(s->way); s->number++) {
        ACTS(s, s->number, ACT_DONE, ACT_EXIT);
    }
    assert_int_equal(fake_process_count(), 2 * WORKERS_COUNT);
    assert_null(lines_find("held_back", 0));
    assert_null(lines_find("replacement_failed", 0));
    SCENE_END(s);
}

static void test_they_are_replaced_one_by_one(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        struct scene scene;
        stage_workers(&scene, way, change, &play_puppet);
        run(&scene);
        assert_records(1, WORKERS_COUNT, is_windows(way) ? "served" : "drained", "1");
        assert_true(fake_client(0)->is_taken);
        scene_clear(&scene);
    }
}

/* A new version that ends at once, well or not: those of before stay, until a better one is there.
 * One that has lived for a while before it ends has cost one of them, and no more. */
static bool change_for_the_worse(struct scene *s) {
    SCENE_BEGIN(s);
    AWAIT_PROCESSES(s, WORKERS_COUNT);
    for (s->number = 0; s->number < WORKERS_COUNT; s->number++) {
        BEGIN_WORK(s, s->number);
    }
    assert_int_equal(fake_file_changes("/handlers/one"), 1);
    LOOK(s);
    scene_play(s, s->count == 0 ? &play_crash : is_windows(s->way) ? &play_early : &play_exit);
    while (lines_count("held_back") < 6) {
        JUMP(s);
    }
    assert_int_equal(told_count(s), 0);
    assert_int_equal(fake_process_count(), WORKERS_COUNT + 6);
    assert_int_equal(lines_count("replacement_failed"), 1);
    assert_string_equal(lines_value(lines_find("held_back", 5), "retry_ms"), "3200");
    /* The next one is better. */
    scene_play(s, &play_puppet);
    assert_int_equal(fake_file_changes("/handlers/one"), 1);
    LOOK(s);
    AWAIT_PROCESSES(s, WORKERS_COUNT + 7);
    s->number = WORKERS_COUNT + 6;
    BEGIN_WORK(s, s->number);
    JUMP(s);
    assert_int_equal(told_count(s), 1);
    AWAIT_PROCESSES(s, WORKERS_COUNT + 8);
    BEGIN_WORK(s, s->number + 1);
    /* But it crashes then. */
    ACTS(s, s->number, ACT_CRASH);
    assert_int_equal(lines_count("replacement_failed"), 2);
    AWAIT_PROCESSES(s, WORKERS_COUNT + 9);
    BEGIN_WORK(s, s->number + 2);
    s->mark_us = fake_now_us();
    while (told_count(s) == 1) {
        JUMP(s);
    }
    assert_true(fake_now_us() - s->mark_us >= 9 * TRIAL_US);
    scene_stop(s);
    SCENE_END(s);
}

static void test_a_version_that_fails_leaves_those_of_before(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        for (uint32_t kind = 0; kind < 2; kind++) {
            struct scene scene;
            stage_workers(&scene, way, change_for_the_worse, &play_puppet);
            scene.count = kind;
            run(&scene);
            scene_clear(&scene);
        }
    }
}

/* A second change while the first one is under way: the one that is not yet known to be of use goes
 * first. */
static bool change_twice(struct scene *s) {
    SCENE_BEGIN(s);
    AWAIT_PROCESSES(s, WORKERS_COUNT);
    for (s->number = 0; s->number < WORKERS_COUNT; s->number++) {
        BEGIN_WORK(s, s->number);
    }
    assert_int_equal(fake_file_changes("/handlers/one"), 1);
    LOOK(s);
    AWAIT_PROCESSES(s, WORKERS_COUNT + 1);
    assert_int_equal(fake_file_changes("/handlers/one"), 1);
    while (lines_count("handler_changed") < 2) {
        JUMP(s);
    }
    BEGIN_WORK(s, WORKERS_COUNT);
    assert_int_equal(told_count(s), 0);
    if (is_windows(s->way)) {
        ACTS(s, WORKERS_COUNT, ACT_DONE, ACT_EXIT);
    }
    for (s->number = 0; s->number < WORKERS_COUNT; s->number++) {
        AWAIT_PROCESSES(s, WORKERS_COUNT + 2 + s->number);
        BEGIN_WORK(s, WORKERS_COUNT + 1 + s->number);
        assert_int_equal(told_count(s), s->number);
        AWAIT_TOLD(s, s->number + 1);
    }
    assert_true(s->deadline_us == UINT64_MAX);
    assert_int_equal(fake_process_count(), 2 * WORKERS_COUNT + 1);
    scene_stop(s);
    SCENE_END(s);
}

/* Who was told to drain may take its time, but there are no more than twice as many. */
static bool linger(struct scene *s) {
    SCENE_BEGIN(s);
    AWAIT_PROCESSES(s, WORKERS_COUNT);
    assert_int_equal(fake_file_changes("/handlers/one"), 1);
    LOOK(s);
    while (s->deadline_us != UINT64_MAX) {
        JUMP(s);
    }
    assert_int_equal(fake_process_count(), 2 * WORKERS_COUNT);
    assert_null(lines_find("launch_waits", 0));
    assert_int_equal(fake_file_changes("/handlers/one"), 1);
    LOOK(s);
    while (s->deadline_us != UINT64_MAX) {
        JUMP(s);
    }
    assert_int_equal(fake_process_count(), 2 * WORKERS_COUNT);
    assert_int_equal(lines_count("launch_waits"), 1);
    assert_string_equal(lines_value(lines_find("launch_waits", 0), "processes"), "6");
    ACTS(s, 1, ACT_EXIT);
    AWAIT_PROCESSES(s, 2 * WORKERS_COUNT + 1);
    for (s->number = 0; s->number < WORKERS_COUNT; s->number++) {
        if (s->number != 1) {
            ACTS(s, s->number, ACT_EXIT);
        }
    }
    AWAIT_PROCESSES(s, 3 * WORKERS_COUNT);
    assert_int_equal(lines_count("launch_waits"), 1);
    scene_stop(s);
    SCENE_END(s);
}

static void test_those_that_linger_are_bounded(void **state) {
    (void)state;
    struct scene scene;
    stage_workers(&scene, WAY_TCP, linger, &play_deaf);
    run(&scene);
    scene_clear(&scene);
}

static void test_a_change_during_a_change(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        struct scene scene;
        stage_workers(&scene, way, change_twice, &play_puppet);
        run(&scene);
        scene_clear(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_share_and_are_replaced),
        cmocka_unit_test(test_each_place_has_them),
        cmocka_unit_test(test_a_place_that_is_missing),
        cmocka_unit_test(test_who_fails_at_once_is_paused_as_one),
        cmocka_unit_test(test_a_listener_that_is_lost),
        cmocka_unit_test(test_they_are_replaced_one_by_one),
        cmocka_unit_test(test_a_version_that_fails_leaves_those_of_before),
        cmocka_unit_test(test_a_change_during_a_change),
        cmocka_unit_test(test_those_that_linger_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
