/* Deadlines after the supervisor itself stood still: what came in time counts, however much of it
 * there is to be looked at first. */
#include "scene.h"

#define CROWD 150 /* more than the loop takes events at a time */

static void all(struct scene *s, enum act act) {
    for (uint32_t i = 0; i < CROWD; i++) {
        scene_act(s, i, act);
    }
    /* Stopped here (SIGSTOP, a machine that slept), and then it sees all of this at once. */
    fake_advance_us(3600u * UINT64_C(1000000));
}

static bool frames_in_time(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), CROWD);
    all(s, ACT_HELLO);
    LOOK(s);
    assert_int_equal(lines_count("attempt_failed"), 0);
    all(s, ACT_ACK);
    LOOK(s);
    assert_int_equal(lines_count("attempt_failed"), 0);
    all(s, ACT_DONE);
    LOOK(s);
    JUMP(s); /* records do not wait for ever to hear what the processes have cost */
    assert_int_equal(lines_count("connection"), CROWD);
    SCENE_END(s);
}

static void test_frames_that_came_in_time(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, frames_in_time);
    scene.client_count = CROWD;
    scene.services[0].max_connections_count = CROWD;
    scene_run(&scene);
    assert_records(1, CROWD, "served", "1");
    scene_clear(&scene);
}

/* Nobody is terminated, nor killed, who has ended meanwhile. */
static bool ends_in_time(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < CROWD; s->number++) {
        scene_act(s, s->number, ACT_HELLO);
    }
    LOOK(s);
    for (s->number = 0; s->number < CROWD; s->number++) {
        scene_act(s, s->number, ACT_ACK);
    }
    LOOK(s);
    scene_stop(s);
    LOOK(s);
    all(s, ACT_EXIT);
    LOOK(s);
    assert_int_equal(lines_count("terminate"), 0);
    assert_int_equal(lines_count("kill"), 0);
    SCENE_END(s);
}

static void test_ends_that_came_in_time(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, ends_in_time);
    scene.client_count = CROWD;
    scene.services[0].max_connections_count = CROWD;
    scene_run(&scene);
    assert_int_equal(lines_count("terminate"), 0);
    assert_int_equal(lines_count("kill"), 0);
    scene_clear(&scene);
}

/* Who has left many frames behind is read a piece at a time, and its ACK behind them counts,
 * whatever deadline has passed: its neighbour has its turn between the pieces. */
#define LEFT_BEHIND_COUNT 200

static bool leaves_much_behind(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 2; s->number++) {
        scene_act(s, s->number, ACT_HELLO);
    }
    LOOK(s);
    for (s->number = 0; s->number < LEFT_BEHIND_COUNT; s->number++) {
        scene_act(s, 0, ACT_OPTIONAL);
    }
    scene_act(s, 0, ACT_ACK);
    scene_act(s, 0, ACT_EXIT);
    scene_act(s, 1, ACT_ACK);
    scene_act(s, 1, ACT_DONE);
    scene_act(s, 1, ACT_EXIT);
    fake_advance_us(3600u * UINT64_C(1000000));
    LOOK(s);
    assert_string_equal(lines_value(lines_find("connection", 0), "id"), "2");
    SCENE_END(s);
}

static void test_what_is_left_behind_has_turns(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, leaves_much_behind);
    scene.client_count = 2;
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_that_came_in_time),
        cmocka_unit_test(test_ends_that_came_in_time),
        cmocka_unit_test(test_what_is_left_behind_has_turns),
    };
    return cmocka_run_group_tests_name("stall", tests, NULL, NULL);
}
