/* Launches that take their time: those that are lost are made once more, in their place, and those
 * that nobody waits for any more are not. Launches that only take their time are those of the other
 * tests, which run with launchers as well. */
#include "scene.h"

#define LOST_MAX_COUNT 8u

static const enum service_handoff modes[] = {HANDOFF_CHANNEL, HANDOFF_STDIO, HANDOFF_PUMP};
#define MODES_COUNT (sizeof modes / sizeof modes[0])

static void init(struct scene *scene, size_t mode, uint32_t launchers_count) {
    scene_init(scene);
    scene_mode(scene, 0, modes[mode], PROTOCOL_TCP, false);
    scene_play(scene, modes[mode] == HANDOFF_CHANNEL ? &play_good : &play_exit);
    scene->client_count = 1;
    scene->services[0].attempts_count = 1;
    fake_launch_late(launchers_count);
}

/* It costs no attempt; more of them than can be by chance are taken for a shortage, which passes.
 */
static void test_a_lost_launch_is_repeated(void **state) {
    (void)state;
    for (size_t mode = 0; mode < MODES_COUNT; mode++) {
        for (uint32_t count = 1; count <= 2 * LOST_MAX_COUNT; count++) {
            struct scene scene;
            init(&scene, mode, 2);
            fake_lose_launches(count);
            scene_run(&scene);
            assert_record(1, "served", "1");
            assert_int_equal(fake_process_count(), 1);
            assert_int_equal(lines_count("launch_failed"), 0);
            assert_int_equal(lines_count("accept_paused"), count > LOST_MAX_COUNT ? 1 : 0);
            scene_clear(&scene);
        }
    }
}

/* Those behind it do not come before it. */
static void test_it_keeps_its_place(void **state) {
    (void)state;
    struct scene scene;
    init(&scene, 1, 1);
    scene.client_count = 4;
    fake_lose_launches(3);
    scene_run(&scene);
    assert_int_equal(fake_process_count(), 4);
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(fake_process(i)->client, i);
    }
    assert_records(1, 4, "served", "1");
    scene_clear(&scene);
}

/* It is ended while it is under way, and then it is lost: that is all. */
static bool ended(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_launching_count(), 1);
    if (s->number > 0) {
        scene_stop(s);
        LOOK(s);
    }
    JUMP(s);
    assert_int_equal(lines_count("kill"), 1);
    assert_int_equal(fake_launching_count(), 1);
    assert_null(lines_find("connection", 0));
    fake_hold_launches(false);
    LOOK(s);
    assert_int_equal(fake_launching_count(), 0);
    SCENE_END(s);
}

static void check_ended(size_t mode, bool stops, const char *outcome) {
    struct scene scene;
    init(&scene, mode, 1);
    scene.script = ended;
    scene.number = stops ? 1 : 0;
    fake_hold_launches(true);
    fake_lose_launches(1);
    scene_run(&scene);
    assert_record(1, outcome, "1");
    assert_int_equal(fake_process_count(), 0);
    scene_clear(&scene);
}

/* It has said HELLO, and all the rest, before that is told, and just when its time is up. */
static bool told_late(struct scene *s) {
    SCENE_BEGIN(s);
    JUMP(s);
    fake_hold_launches(false);
    LOOK(s);
    SCENE_END(s);
}

static void test_nothing_is_heard_before_it_is_told(void **state) {
    (void)state;
    struct scene scene;
    init(&scene, 0, 1);
    scene.script = told_late;
    fake_hold_launches(true);
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

static void test_what_was_ended_is_not_repeated(void **state) {
    (void)state;
    check_ended(0, false, "handshake_timeout");
    for (size_t mode = 0; mode < MODES_COUNT; mode++) {
        check_ended(mode, true, "drained");
    }
}

static bool late(struct scene *s) {
    SCENE_BEGIN(s);
    fake_advance_us(1000u * HANDSHAKE_MS);
    LOOK(s);
    assert_int_equal(fake_launching_count(), 1);
    fake_hold_launches(false);
    LOOK(s);
    SCENE_END(s);
}

/* What a program does with the connection has its time, and not that it was made. */
static void test_the_time_with_a_program_begins_with_it(void **state) {
    (void)state;
    for (size_t mode = 1; mode < MODES_COUNT; mode++) {
        struct scene scene;
        init(&scene, mode, 1);
        scene.script = late;
        scene.services[0].max_runtime_ms = HANDSHAKE_MS / 2;
        fake_hold_launches(true);
        scene_run(&scene);
        assert_record(1, "served", "1");
        scene_clear(&scene);
    }
}

static int rehearse(void *context, const char *layout, char **extra, size_t *extra_bytes,
                    char **problems) {
    (void)context;
    (void)layout;
    (void)problems;
    *extra = NULL;
    *extra_bytes = 0;
    return BATON_OK;
}

static bool held_up(struct scene *s) {
    SCENE_BEGIN(s);
    fake_inject(PLATFORM_EVENT_RESTART, 0);
    LOOK(s);
    LOOK(s); /* it was rehearsed */
    /* All wait for it together for a moment only. */
    assert_int_equal(fake_connect(SCENE_PORT + 1), 1);
    LOOK(s);
    assert_int_equal(fake_client(1)->accepted_number, 0);
    s->mark_us = fake_now_us();
    JUMP(s);
    assert_true(fake_now_us() - s->mark_us <= 1000000);
    for (s->number = 1; lines_count("restart_failed") == 0; s->number++) {
        LOOK(s);
        assert_int_not_equal(fake_client(s->number)->accepted_number, 0);
        assert_int_equal(fake_connect(SCENE_PORT + 1), s->number + 1);
        LOOK(s);
        assert_int_not_equal(fake_client(s->number + 1)->accepted_number, 0);
        JUMP(s);
    }
    assert_true(fake_now_us() - s->mark_us <= 5000000);
    const char *line = lines_find("restart_failed", 0);
    assert_non_null(line);
    assert_string_equal(lines_value(line, "reason"), "a launch of `one` does not end");
    fake_hold_launches(false);
    LOOK(s);
    SCENE_END(s);
}

/* It waits for a launch, and not for ever; that goes on. */
static void test_a_restart_is_held_up(void **state) {
    (void)state;
    struct scene scene;
    init(&scene, 1, 1);
    const struct supervisor_source source = {.context = &scene, .rehearse = rehearse};
    scene.source = &source;
    scene_mode(&scene, 1, HANDOFF_STDIO, PROTOCOL_TCP, false);
    scene.service_count = 2;
    scene.script = held_up;
    fake_hold_launches(true);
    scene_run(&scene);
    assert_records(1, 5, "served", "1");
    assert_int_equal(fake_restart_count(), 0);
    assert_int_equal(lines_count("restart_failed"), 1);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lost_launch_is_repeated),
        cmocka_unit_test(test_it_keeps_its_place),
        cmocka_unit_test(test_nothing_is_heard_before_it_is_told),
        cmocka_unit_test(test_what_was_ended_is_not_repeated),
        cmocka_unit_test(test_the_time_with_a_program_begins_with_it),
        cmocka_unit_test(test_a_restart_is_held_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
