/* Listeners that a handler has left so that they are of no use any more. */
#include "scene.h"

static void arrive(const struct scene *s) {
    if (s->way == 0) {
        fake_connect(SCENE_PORT);
    } else {
        fake_datagram(SCENE_PORT);
    }
}

static bool lose(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    ACTS(s, 0, ACT_TAKE);
    fake_listener_spoil(0);
    if (s->number > 0) {
        fake_fail(FAKE_LISTEN, BATON_IN_USE, 1);
    }
    ACTS(s, 0, ACT_EXIT);
    assert_int_equal(lines_count("listener_lost"), 1);
    assert_false(fake_listener(0)->is_open);
    if (s->number > 0) {
        assert_int_equal(fake_listener_count(), 1);
        assert_int_equal(lines_count("listen_failed"), 1);
        assert_string_equal(lines_value(lines_find("listen_failed", 0), "retry_ms"), "1000");
        JUMP(s);
    }
    assert_int_equal(fake_listener_count(), 2);
    assert_int_equal(lines_count("listening"), 2);
    arrive(s);
    LOOK(s);
    assert_int_equal(fake_handed_listener(1, 0), 1);
    ACTS(s, 1, ACT_TAKE, ACT_EXIT);
    assert_null(lines_find("held_back", 0));
    SCENE_END(s);
}

static void test_a_listener_that_is_lost(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        struct scene scene;
        scene_init(&scene);
        scene_mode(&scene, 0, HANDOFF_LISTENER, i % 2 == 0 ? PROTOCOL_TCP : PROTOCOL_UDP, false);
        scene.script = lose;
        scene.way = i % 2;
        scene.number = i / 2; /* 1: somebody else has the place for a while */
        scene_play(&scene, &play_puppet);
        scene_run(&scene);
        assert_record(1, "served", "1");
        assert_record(2, "served", "1");
        scene_clear(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_listener_that_is_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
