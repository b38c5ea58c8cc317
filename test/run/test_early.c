/* The early OFFER: a process for one client finds that one in its channel. Every fault at every
 * step is in test_life, which has it so, and as on Windows. */
#include "scene.h"

/* It says and does all before anybody looks, and the times of its record are those of its frames.
 */
static void test_all_in_one(void **state) {
    (void)state;
    const struct play fast =
        PLAY(ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_DONE_TEXT, ACT_EXIT, ACT_STAY);
    struct scene scene;
    scene_stage(&scene, &fast, NULL);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_string_equal(lines_value(lines_record(1), "text"), "told");
    assert_true(lines_has(lines_record(1), "launch_us"));
    assert_true(lines_has(lines_record(1), "handoff_us"));
    assert_int_equal(fake_process_count(), 1);
    assert_int_equal(fake_call_count(FAKE_OFFER), 1);
    assert_int_equal(fake_call_count(FAKE_SEND), 0);
    scene_clear(&scene);
}

/* What it has not read, or not acknowledged, another gets: behind its HELLO, and as it was. */
static bool fail_once(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 1);
    scene_act(s, 0, s->number == 0 ? ACT_EXIT : s->number == 1 ? ACT_HELLO_WRONG_NONCE : ACT_ACK);
    LOOK(s);
    assert_int_equal(scene_listen(s, 1)->offer_count, 0);
    ACTS(s, 1, ACT_HELLO);
    assert_int_equal(scene_listen(s, 1)->offer_count, 1);
    ACTS(s, 1, ACT_ACK, ACT_DONE, ACT_EXIT);
    SCENE_END(s);
}

static void test_not_acknowledged(void **state) {
    (void)state;
    static const char *const reasons[] = {"launch_failed", "handshake_invalid",
                                          "handshake_invalid"};
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, fail_once);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, "served", "2");
        assert_string_equal(lines_value(lines_find("attempt_failed", 0), "reason"), reasons[way]);
        assert_int_equal(fake_client(0)->put_back_count, 1);
        scene_clear(&scene);
    }
}

/* Killed for its HELLO, which lies there after all, with what followed it. */
static void test_last_words(void **state) {
    (void)state;
    static const enum act acts[] = {ACT_STAY};
    static const enum act words[][4] = {{ACT_HELLO, ACT_ACK, ACT_STAY},
                                        {ACT_HELLO, ACT_ACK, ACT_DONE, ACT_STAY},
                                        {ACT_HELLO, ACT_STAY}};
    static const char *const outcomes[] = {"crashed", "served", "served"};
    for (int i = 0; i < 3; i++) {
        const struct play play = {.acts = acts, .last_words = words[i]};
        struct scene scene;
        scene_stage(&scene, &play, NULL);
        scene_play(&scene, &play_good);
        scene_run(&scene);
        assert_record(1, outcomes[i], i == 2 ? "2" : "1");
        assert_int_equal(fake_process_count(), i == 2 ? 2 : 1);
        scene_clear(&scene);
    }
}

/* Who has reset before the launch is given to nobody; who has behind it, to the handler. */
static bool reset(struct scene *s) {
    SCENE_BEGIN(s);
    if (s->number == 0) {
        fake_reset(0);
        JUMP(s); /* to a launch that finds what it needs */
        assert_int_equal(scene_listen(s, 0)->offer_count, 0);
        ACTS(s, 0, ACT_HELLO);
    } else {
        assert_int_equal(scene_listen(s, 0)->offer_count, 1);
        fake_reset(0);
        ACTS(s, 0, ACT_HELLO, ACT_ACK, ACT_DONE_BAD);
    }
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_a_client_that_resets(void **state) {
    (void)state;
    static const char *const outcomes[] = {"abandoned", "failed"};
    for (uint32_t way = 0; way < 2; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, reset);
        scene.number = way;
        fake_fail(FAKE_LAUNCH, BATON_SHORTAGE, way == 0 ? 1 : 0);
        scene_run(&scene);
        assert_record(1, outcomes[way], "1");
        assert_int_equal(fake_call_count(FAKE_OFFER), way);
        scene_clear(&scene);
    }
}

/* Too much is under way: it is offered behind HELLO, and nothing is lost. */
static void test_no_room(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_good, NULL);
    fake_fail(FAKE_OFFER, BATON_SHORTAGE, 1);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_int_equal(fake_call_count(FAKE_SEND), 1);
    assert_int_equal(fake_client(0)->put_back_count, 0);
    scene_clear(&scene);
}

/* It has served its client and is gone when its HELLO is read: nobody knows what it was called in a
 * namespace of its own, and what it has done counts. */
static bool gone_speaker(struct scene *s) {
    SCENE_BEGIN(s);
    fake_handler_hide(0);
    scene_act(s, 0, ACT_HELLO_STRANGER);
    scene_listen(s, 0);
    scene_act(s, 0, ACT_ACK);
    scene_act(s, 0, ACT_DONE);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_a_speaker_that_is_gone(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, gone_speaker);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_int_equal(fake_process_count(), 1);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_in_one), cmocka_unit_test(test_not_acknowledged),
        cmocka_unit_test(test_last_words), cmocka_unit_test(test_a_client_that_resets),
        cmocka_unit_test(test_no_room),    cmocka_unit_test(test_a_speaker_that_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
