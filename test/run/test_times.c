/* Connections that go on for too long. */
#include "scene.h"

#define RUN_MS 20000u

static void assert_deadline(const struct scene *s, uint32_t ms) {
    assert_int_equal(s->deadline_us - fake_now_us(), ms * UINT64_C(1000));
}

static void assert_text(uint64_t id, const char *wanted) {
    assert_string_equal(lines_value(lines_record(id), "text"), wanted);
}

/* ---- max_runtime_ms: one connection for each process ---- */

static void stage_channel(struct scene *scene, const struct play *play, scene_script *script) {
    scene_stage(scene, play, script);
    scene->services[0].max_runtime_ms = RUN_MS;
}

/* The time begins with the ACK, and CANCEL names the connection. */
static bool obeyed(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO);
    fake_advance_us(1000000);
    ACTS(s, 0, ACT_ACK);
    assert_deadline(s, RUN_MS);
    fake_advance_us(RUN_MS * UINT64_C(1000) - 1);
    LOOK(s);
    assert_int_equal(scene_listen(s, 0)->cancel_count, 0);
    JUMP(s);
    LOOK(s);
    assert_int_equal(scene_listen(s, 0)->cancel_count, 1);
    assert_int_equal(scene_actor(s, 0)->cancelled, scene_actor(s, 0)->held[0].number);
    assert_false(scene_actor(s, 0)->drained);
    assert_deadline(s, STOP_MS);
    ACTS(s, 0, s->number == 0 ? ACT_DONE : s->number == 1 ? ACT_DONE_TEXT : ACT_EXIT_3);
    if (s->number < 2) {
        ACTS(s, 0, ACT_EXIT);
    }
    assert_true(s->deadline_us == UINT64_MAX);
    assert_int_equal(fake_process(0)->terminate_count + fake_process(0)->kill_count, 0);
    SCENE_END(s);
}

static void test_cancel_is_obeyed(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        stage_channel(&scene, &play_puppet, obeyed);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, "timed_out", "1");
        assert_text(1, way == 1 ? "told" : "max_runtime_ms has passed");
        assert_string_equal(lines_value(lines_record(1), "status"), way < 2 ? "0" : "");
        assert_string_equal(lines_value(lines_record(1), "exit"), way == 2 ? "3" : "");
        scene_clear(&scene);
    }
}

/* It goes on, is terminated, goes on, and is killed. */
static bool ignored(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    JUMP(s);
    LOOK(s);
    assert_int_equal(scene_listen(s, 0)->cancel_count, 1);
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 1);
    assert_string_equal(lines_value(lines_find("terminate", 0), "reason"),
                        "the time of its connection has passed");
    if (s->number == 0) {
        LOOK(s);
        assert_deadline(s, STOP_MS);
        JUMP(s);
    }
    assert_int_equal(fake_process(0)->kill_count, s->number == 0 ? 1 : 0);
    SCENE_END(s);
}

static void test_cancel_is_ignored(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 2; way++) {
        struct scene scene;
        stage_channel(&scene, way == 0 ? &play_deaf : &play_puppet, ignored);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, "timed_out", "1");
        assert_string_equal(lines_value(lines_record(1), "signal"), way == 0 ? "9" : "15");
        scene_clear(&scene);
    }
}

/* What it has said, or its end, before the deadline counts, though it is seen after that. */
static bool in_time(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    scene_act(s, 0, s->number == 0 ? ACT_DONE : ACT_EXIT);
    fake_advance_us(3600u * UINT64_C(1000000));
    LOOK(s);
    if (s->number == 0) {
        JUMP(s); /* its record waits for what the process has cost */
    }
    assert_int_equal(lines_count("connection"), 1);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_done_in_time(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 2; way++) {
        for (uint64_t seed = 0; seed < 8; seed++) {
            struct scene scene;
            stage_channel(&scene, &play_puppet, in_time);
            scene.number = way;
            fake_shuffle(seed);
            scene_run(&scene);
            assert_record(1, "served", "1");
            assert_false(lines_has(lines_record(1), "text"));
            scene_clear(&scene);
        }
    }
}

/* Two whose time is up at the same moment: as the first of them is terminated, the other one does
 * what it had to do. That is seen before it is judged. */
static void let_other_end(struct scene *s, uint32_t process, enum platform_signal how) {
    assert_int_equal(how, PLATFORM_TERMINATE);
    s->watch = NULL;
    s->count = 1 - process;
    scene_act(s, s->count, s->number == 0 ? ACT_EXIT : ACT_DONE);
}

static bool judged(struct scene *s) {
    SCENE_BEGIN(s);
    if (s->services[0].has_channel) {
        ACTS(s, 0, ACT_HELLO);
        ACTS(s, 1, ACT_HELLO);
        scene_act(s, 0, ACT_ACK);
        scene_act(s, 1, ACT_ACK);
        LOOK(s);
        JUMP(s); /* both are cancelled */
        scene_listen(s, 0);
        scene_listen(s, 1);
    }
    s->watch = let_other_end;
    JUMP(s);
    LOOK(s);
    assert_null(s->watch);
    assert_int_equal(fake_process(s->count)->terminate_count, 0);
    scene_act(s, s->count, ACT_EXIT);
    SCENE_END(s);
}

static void test_who_ends_in_the_moment(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        stage_channel(&scene, &play_puppet, judged);
        scene.client_count = 2;
        scene.number = way;
        if (way == 2) {
            scene.number = 0;
            scene_mode(&scene, 0, HANDOFF_STDIO, PROTOCOL_TCP, false);
        }
        scene_run(&scene);
        assert_record(2 - scene.count, "timed_out", "1");
        assert_record(1 + scene.count, way == 2 ? "served" : "timed_out", "1");
        scene_clear(&scene);
    }
}

/* DONE crosses CANCEL: the time was up, and nothing else is wrong. */
static bool crossing(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    JUMP(s);
    scene_act(s, 0, ACT_DONE);
    LOOK(s);
    assert_int_equal(lines_count("protocol_error"), 0);
    CONNECT(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 2);
    ACTS(s, 0, ACT_ACK, ACT_DONE, ACT_EXIT);
    SCENE_END(s);
}

static void test_done_crosses_cancel(void **state) {
    (void)state;
    struct scene scene;
    stage_channel(&scene, &play_puppet, crossing);
    scene.services[0].reuse_count = 2;
    scene_run(&scene);
    assert_record(1, "timed_out", "1");
    assert_record(2, "served", "1");
    assert_int_equal(fake_process_count(), 1);
    scene_clear(&scene);
}

/* The channel has no room for the CANCEL at first. */
static bool full_channel(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    fake_handler_set_full(0, true);
    JUMP(s);
    LOOK(s);
    assert_int_equal(scene_listen(s, 0)->cancel_count, 0);
    fake_handler_set_full(0, false);
    LOOK(s);
    assert_int_equal(scene_listen(s, 0)->cancel_count, 1);
    ACTS(s, 0, ACT_DONE, ACT_EXIT);
    SCENE_END(s);
}

static void test_cancel_waits_for_room(void **state) {
    (void)state;
    struct scene scene;
    stage_channel(&scene, &play_puppet, full_channel);
    scene_run(&scene);
    assert_record(1, "timed_out", "1");
    scene_clear(&scene);
}

/* A stop between the CANCEL and its effect, or before it; a second one; or the channel's end. */
static bool stopped(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    if (s->number == 3) {
        ACTS(s, 0, ACT_CLOSE_CHANNEL);
        assert_deadline(s, RUN_MS);
        JUMP(s);
        assert_int_equal(fake_process(0)->terminate_count, 1); /* nothing could tell it before */
    } else if (s->number == 4) {
        fake_advance_us((RUN_MS - 1000) * UINT64_C(1000));
        scene_stop(s);
        LOOK(s);
        assert_deadline(s, 1000);
        JUMP(s);
        LOOK(s);
        assert_int_equal(scene_listen(s, 0)->cancel_count, 1);
    } else {
        JUMP(s);
        scene_stop(s);
        LOOK(s);
        assert_true(scene_listen(s, 0)->drained);
        assert_int_equal(scene_actor(s, 0)->cancel_count, 1);
    }
    if (s->number == 1) {
        ACTS(s, 0, ACT_DONE, ACT_EXIT);
    } else if (s->number == 2) {
        fake_stop();
        LOOK(s);
        assert_int_equal(fake_process(0)->kill_count, 1);
    }
    SCENE_END(s);
}

static void test_stop_during_a_cancel(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 5; way++) {
        struct scene scene;
        stage_channel(&scene, &play_deaf, stopped);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, "timed_out", "1");
        assert_true(lines_count("terminate") <= 1);
        scene_clear(&scene);
    }
}

/* It cannot even be killed: its client has its record all the same. */
static void test_a_process_that_does_not_end(void **state) {
    (void)state;
    static const enum act acts[] = {ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_STAY};
    static const struct play immortal = {.acts = acts, .deaf = true, .immortal = true};
    struct scene scene;
    stage_channel(&scene, &immortal, NULL);
    scene_try(&scene);
    assert_record(1, "timed_out", "1");
    assert_true(lines_count("kill_failed") > 0);
    scene_clear(&scene);
}

/* ---- Siblings on the same process ---- */

static void stage_wide(struct scene *scene, const struct play *play, scene_script *script) {
    stage_channel(scene, play, script);
    scene->services[0].reuse_count = 100;
}

/* The same in several ways; the first process does what the script says, all others serve. */
static void stage_way(struct scene *scene, uint32_t way, scene_script *script) {
    stage_wide(scene, &play_puppet, script);
    scene_play(scene, &play_server);
    scene->plays[0] = &play_puppet;
    scene->number = way;
}

static void assert_first_is_cancelled(struct scene *s) {
    assert_int_equal(scene_listen(s, 0)->cancel_count, 1);
    assert_int_equal(scene_actor(s, 0)->cancelled, scene_actor(s, 0)->held[0].number);
}

/* One is cancelled and obeys; the other one is not hurt, and the process goes on being offered. */
static bool obedient_sibling(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    fake_advance_us(1000000);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK);
    assert_deadline(s, RUN_MS - 1000);
    JUMP(s);
    LOOK(s);
    assert_first_is_cancelled(s);
    ACTS(s, 0, ACT_DONE);
    assert_deadline(s, 1000); /* of the second alone */
    CONNECT(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 3);
    ACTS(s, 0, ACT_ACK, ACT_DONE, ACT_DONE);
    scene_stop(s);
    LOOK(s);
    ACTS(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_a_sibling_of_one_that_is_cancelled(void **state) {
    (void)state;
    struct scene scene;
    stage_wide(&scene, &play_puppet, obedient_sibling);
    scene_run(&scene);
    assert_record(1, "timed_out", "1");
    assert_records(2, 3, "served", "1");
    assert_int_equal(fake_process_count(), 1);
    scene_clear(&scene);
}

/* It ignores the CANCEL while it has a sibling: it is left alone, without further offers, for as
 * long as the sibling lasts. */
static bool stubborn(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    fake_advance_us(1000000);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK);
    assert_deadline(s, RUN_MS - 1000);
    JUMP(s);
    LOOK(s);
    assert_first_is_cancelled(s);
    JUMP(s); /* the second is told as well, before the grace of the first is over */
    LOOK(s);
    assert_int_equal(scene_listen(s, 0)->cancel_count, 2);
    assert_deadline(s, STOP_MS - 1000);
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 0);
    CONNECT(s); /* goes to another process */
    assert_int_equal(fake_process_count(), 2);
    assert_int_equal(scene_listen(s, 0)->offer_count, 2);
    assert_false(scene_actor(s, 0)->drained);
    if (s->number == 0) { /* the sibling ends: now it is all that is left */
        assert_true(actor_done(scene_actor(s, 0), 0, 1, 0));
        LOOK(s);
        assert_int_equal(fake_process(0)->terminate_count, 1);
    } else if (s->number == 1) { /* its time passes as well */
        JUMP(s);
        assert_int_equal(fake_process(0)->terminate_count, 1);
    } else { /* it obeys at last, and is good again */
        ACTS(s, 0, ACT_DONE, ACT_DONE);
        CONNECT(s); /* it was the last to be used */
        assert_int_equal(scene_listen(s, 0)->offer_count, 3);
        ACTS(s, 0, ACT_ACK, ACT_DONE);
        scene_stop(s);
        LOOK(s);
        ACTS(s, 0, ACT_EXIT);
        assert_int_equal(fake_process(0)->terminate_count, 0);
    }
    SCENE_END(s);
}

static void test_who_ignores_cancel_with_a_sibling(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        stage_way(&scene, way, stubborn);
        scene_run(&scene);
        assert_records(1, 2, "timed_out", "1");
        assert_record(3, "served", "1");
        scene_clear(&scene);
    }
}

/* Alone, but for an offer that it has not answered: that is answered first. */
static bool with_offer(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    JUMP(s);
    LOOK(s);
    fake_advance_us((STOP_MS - 1) * UINT64_C(1000));
    CONNECT(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 2);
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 0);
    if (s->number == 0) {
        ACTS(s, 0, ACT_NACK_BUSY);
        assert_int_equal(fake_process(0)->terminate_count, 1);
        assert_int_equal(fake_process_count(), 2);
    } else if (s->number == 1) {
        ACTS(s, 0, ACT_ACK);
        assert_int_equal(fake_process(0)->terminate_count, 0);
        assert_true(actor_done(scene_actor(s, 0), 0, 1, 0));
        LOOK(s);
        assert_int_equal(fake_process(0)->terminate_count, 1);
    } else {
        JUMP(s); /* the deadline of the offer: it is drained, and killed in the end */
        JUMP(s);
        assert_int_equal(fake_process(0)->kill_count, 1);
    }
    SCENE_END(s);
}

static void test_who_ignores_cancel_with_an_offer(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        stage_way(&scene, way, with_offer);
        scene_run(&scene);
        assert_record(1, "timed_out", "1");
        assert_record(2, "served", way == 2 ? "2" : "1");
        scene_clear(&scene);
    }
}

/* ---- max_runtime_ms without a channel ---- */

static bool alone(struct scene *s) {
    SCENE_BEGIN(s);
    assert_deadline(s, RUN_MS);
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 1);
    if (s->number == 1) {
        LOOK(s);
        assert_deadline(s, STOP_MS);
        JUMP(s);
        assert_int_equal(fake_process(0)->kill_count, 1);
    }
    fake_client_finish(0);
    SCENE_END(s);
}

static void test_without_a_channel(void **state) {
    (void)state;
    static const enum service_handoff modes[] = {HANDOFF_STDIO, HANDOFF_PUMP};
    for (uint32_t way = 0; way < 4; way++) {
        struct scene scene;
        scene_stage(&scene, way % 2 == 1 ? &play_deaf : &play_puppet, alone);
        scene_mode(&scene, 0, modes[way / 2], PROTOCOL_TCP, false);
        scene.services[0].max_runtime_ms = RUN_MS;
        scene.number = way % 2;
        scene_run(&scene);
        assert_record(1, "timed_out", "1");
        assert_text(1, "max_runtime_ms has passed");
        scene_clear(&scene);
    }
}

/* The program has ended well, and the client takes its time: that belongs to the connection. */
static bool slow_client(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_set_room(0, 0);
    ACTS(s, 0, ACT_WRITE, ACT_EXIT);
    JUMP(s);
    assert_int_equal(lines_count("connection"), 1);
    assert_true(fake_now_us() - FAKE_START_US <= RUN_MS * UINT64_C(1000));
    SCENE_END(s);
}

static void test_a_pump_whose_program_has_ended(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, slow_client);
    scene_mode(&scene, 0, HANDOFF_PUMP, PROTOCOL_TCP, false);
    scene.services[0].max_runtime_ms = RUN_MS;
    scene_run(&scene);
    assert_record(1, "timed_out", "1");
    assert_text(1, "max_runtime_ms has passed");
    scene_clear(&scene);
}

/* The life of a handler that has the listener: it is launched again for who waits. */
static bool activation(struct scene *s) {
    SCENE_BEGIN(s);
    if (fake_process(0)->has_channel) {
        ACTS(s, 0, ACT_HELLO, ACT_ACK);
    }
    ACTS(s, 0, ACT_TAKE);
    assert_deadline(s, RUN_MS);
    JUMP(s);
    if (fake_process(0)->has_channel) {
        LOOK(s);
        assert_int_equal(scene_listen(s, 0)->cancel_count, 1);
        JUMP(s);
    }
    assert_int_equal(fake_process(0)->terminate_count, 1);
    CONNECT(s);
    assert_int_equal(fake_process_count(), 2); /* at once: it was no fault of the handler's */
    if (fake_process(1)->has_channel) {
        ACTS(s, 1, ACT_HELLO, ACT_ACK);
    }
    ACTS(s, 1, ACT_TAKE, ACT_EXIT);
    SCENE_END(s);
}

static void test_an_activation(void **state) {
    (void)state;
    for (uint32_t windows = 0; windows < 2; windows++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, activation);
        scene_mode(&scene, 0, HANDOFF_LISTENER, PROTOCOL_TCP, windows == 1);
        fake_as_on_windows(windows == 1);
        scene.services[0].max_runtime_ms = RUN_MS;
        scene_run(&scene);
        assert_record(1, "timed_out", "1");
        assert_record(2, "served", "1");
        scene_clear(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_is_obeyed),
        cmocka_unit_test(test_cancel_is_ignored),
        cmocka_unit_test(test_done_in_time),
        cmocka_unit_test(test_who_ends_in_the_moment),
        cmocka_unit_test(test_done_crosses_cancel),
        cmocka_unit_test(test_cancel_waits_for_room),
        cmocka_unit_test(test_stop_during_a_cancel),
        cmocka_unit_test(test_a_process_that_does_not_end),
        cmocka_unit_test(test_a_sibling_of_one_that_is_cancelled),
        cmocka_unit_test(test_who_ignores_cancel_with_a_sibling),
        cmocka_unit_test(test_who_ignores_cancel_with_an_offer),
        cmocka_unit_test(test_without_a_channel),
        cmocka_unit_test(test_a_pump_whose_program_has_ended),
        cmocka_unit_test(test_an_activation),
    };
    return cmocka_run_group_tests_name("times", tests, NULL, NULL);
}
