/* Deadlines with exact times, what is found behind a kill, and the ordered stop. */
#include "scene.h"

#include <string.h>

/* ---- Deadlines ---- */

static bool no_hello(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(s->deadline_us - FAKE_START_US, HANDSHAKE_MS * 1000);
    fake_advance_us(HANDSHAKE_MS * 1000 - 1);
    LOOK(s);
    assert_int_equal(fake_process(0)->kill_count, 0);
    fake_advance_us(1);
    JUMP(s);
    assert_int_equal(fake_process(0)->kill_count, 1);
    assert_int_equal(fake_process_count(), 2);
    SCENE_END(s);
}

static bool no_ack(struct scene *s) {
    SCENE_BEGIN(s);
    fake_advance_us(1000000);
    scene_act(s, 0, ACT_HELLO);
    s->mark_us = fake_now_us();
    LOOK(s);
    assert_int_equal(s->deadline_us - s->mark_us, HANDSHAKE_MS * 1000);
    fake_advance_us(HANDSHAKE_MS * 1000);
    JUMP(s);
    assert_int_equal(fake_process(0)->kill_count, 1);
    SCENE_END(s);
}

static void test_handshake_deadlines(void **state) {
    (void)state;
    scene_script *const scripts[] = {no_hello, no_ack};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, scripts[i]);
        scene_play(&scene, &play_good);
        scene_run(&scene);
        assert_record(1, "served", "2");
        assert_non_null(strstr(lines_find("attempt_failed", 0), "reason=handshake_timeout"));
        scene_clear(&scene);
    }
}

/* The channel ends without an exit: the grace, then the kill. */
static bool no_exit(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_CLOSE_CHANNEL);
    assert_int_equal(s->deadline_us - FAKE_START_US, 100000);
    assert_int_equal(fake_process(0)->kill_count, 0);
    JUMP(s);
    assert_int_equal(fake_process(0)->kill_count, 1);
    SCENE_END(s);
}

static void test_exit_grace(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, no_exit);
    scene_play(&scene, &play_good);
    scene_run(&scene);
    assert_record(1, "served", "2");
    scene_clear(&scene);
}

/* ---- What stands in the channel decides ---- */

static bool ack_at_the_deadline(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO);
    scene_act(s, 0, ACT_ACK);
    fake_advance_us(HANDSHAKE_MS * 1000);
    LOOK(s);
    assert_int_equal(fake_process(0)->kill_count, 0);
    ACTS(s, 0, ACT_DONE);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_ack_in_the_tick_of_the_deadline(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, ack_at_the_deadline);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_int_equal(fake_process_count(), 1);
    scene_clear(&scene);
}

static void test_words_found_after_the_kill(void **state) {
    (void)state;
    static const enum act greets[] = {ACT_HELLO, ACT_STAY};
    static const enum act words[][4] = {{ACT_ACK, ACT_STAY},
                                        {ACT_ACK, ACT_DONE, ACT_STAY},
                                        {ACT_GARBAGE, ACT_ACK, ACT_STAY},
                                        {ACT_TORN, ACT_TORN, ACT_ACK, ACT_STAY},
                                        {ACT_ACK, ACT_GARBAGE, ACT_STAY},
                                        {ACT_NACK_BUSY, ACT_STAY}};
    static const char *const outcomes[] = {"crashed", "served", "served",
                                           "served",  "failed", "served"};
    for (size_t i = 0; i < 6; i++) {
        struct play play = {.acts = greets, .last_words = words[i]};
        struct scene scene;
        bool declined = i == 2 || i == 3 || i == 5; /* behind a breach there is no ACK */
        scene_stage(&scene, &play, NULL);
        scene_play(&scene, &play_good);
        scene_run(&scene);
        assert_record(1, outcomes[i], declined ? "2" : "1");
        assert_int_equal(fake_process_count(), declined ? 2 : 1);
        scene_clear(&scene);
    }
}

/* As much as a channel holds may lie before it. */
static bool many_words(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO);
    for (s->count = 0; s->count < 3000; s->count++) {
        scene_act(s, 0, ACT_OPTIONAL);
    }
    scene_act(s, 0, ACT_ACK);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_an_ack_behind_many_words(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, many_words);
    scene_play(&scene, &play_good);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_int_equal(fake_process_count(), 1);
    scene_clear(&scene);
}

/* An event that was under way when its process was closed, whose slot has a new owner. */
static bool stale(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_CRASH);
    assert_true(fake_process(0)->is_closed);
    assert_int_equal(fake_process_count(), 2);
    /* Both processes had the one slot. */
    assert_int_equal(fake_process(0)->token & 0xffffff, fake_process(1)->token & 0xffffff);
    fake_inject(PLATFORM_EVENT_CHANNEL, fake_process(0)->token);
    fake_inject(PLATFORM_EVENT_WRITABLE, fake_process(0)->token);
    fake_inject(PLATFORM_EVENT_EXIT, fake_process(0)->token);
    LOOK(s);
    assert_true(fake_process(1)->is_alive);
    scene_actor(s, 1)->play = &play_good;
    SCENE_END(s);
}

static void test_stale_events_are_dropped(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, stale);
    scene_run(&scene);
    assert_record(1, "served", "2");
    scene_clear(&scene);
}

/* ---- The ordered stop ---- */

/* With one connection held: DRAIN, terminate, kill, each after its time; or an end in between. */
static bool ladder(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    scene_stop(s);
    s->mark_us = fake_now_us();
    LOOK(s);
    assert_true(scene_listen(s, 0)->drained);
    assert_true(fake_process(0)->supervisor_end_open); /* DONE can still be said */
    assert_int_equal(fake_connect(SCENE_PORT), FAKE_NONE);
    assert_int_equal(s->deadline_us - s->mark_us, STOP_MS * 1000);
    if (s->number == 0) {
        ACTS(s, 0, ACT_DONE, ACT_EXIT);
    }
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 1);
    assert_int_equal(fake_process(0)->kill_count, 0);
    if (s->number == 1) {
        ACTS(s, 0, ACT_EXIT);
    }
    assert_int_equal(s->deadline_us - s->mark_us, 2 * STOP_MS * 1000);
    JUMP(s);
    fail_msg("%s", "the supervisor waits after a kill");
    SCENE_END(s);
}

static void test_stop_ladder(void **state) {
    (void)state;
    static const char *const outcomes[] = {"served", "drained", "drained"};
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        scene_stage(&scene, &play_deaf, ladder);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, outcomes[way], "1");
        assert_int_equal(fake_process(0)->kill_count, way == 2 ? 1 : 0);
        scene_clear(&scene);
    }
}

/* The stop comes when the one process has played `number` acts. */
static const enum act whole_life[] = {ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_DONE, ACT_STAY};

static bool stop_at_step(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->count = 0; s->count < s->number; s->count++) {
        ACTS(s, 0, whole_life[s->count]);
    }
    scene_stop(s);
    if (s->mark_us != 0) {
        LOOK(s);
        fake_stop();
    }
    SCENE_END(s);
}

static void check_stop(uint32_t step, bool hurry, const struct play *play, uint32_t reuse_count) {
    struct scene scene;
    scene_stage(&scene, play, stop_at_step);
    scene.services[0].reuse_count = reuse_count;
    scene.number = step;
    scene.mark_us = hurry ? 1 : 0;
    scene_run(&scene);
    if (step == 4) {
        assert_record(1, "served", "1");
    } else if (hurry) {
        assert_record(1, "drained", "1");
        assert_int_equal(fake_now_us(), FAKE_START_US); /* at once */
        assert_int_equal(lines_count("stopping_now"), 1);
    } else {
        assert_record(1, "drained", "1");
    }
    assert_int_equal(fake_process_count(), 1); /* none is launched while stopping */
    const char *stopping = lines_find("stopping", 0);
    bool is_idle = strcmp(lines_value(stopping, "processes"), "0") == 0;
    assert_string_equal(lines_value(stopping, "timeout_ms"), is_idle ? "0" : "3000");
    scene_clear(&scene);
}

static void test_stop_at_every_step(void **state) {
    (void)state;
    for (uint32_t step = 0; step <= 4; step++) {
        for (uint32_t reuse_count = 1; reuse_count <= 2; reuse_count++) {
            check_stop(step, false, &play_puppet, reuse_count);
            check_stop(step, true, &play_puppet, reuse_count);
            check_stop(step, false, &play_deaf, reuse_count);
            check_stop(step, true, &play_deaf, reuse_count);
        }
    }
}

/* Before HELLO, or with an offer that is not answered: stop_timeout_ms, if the time for the
 * handshake is not up before. */
static bool stop_in_a_handshake(struct scene *s) {
    SCENE_BEGIN(s);
    if (s->number % 2 == 1) {
        ACTS(s, 0, ACT_HELLO);
    }
    scene_stop(s);
    s->mark_us = fake_now_us();
    LOOK(s);
    assert_int_equal(s->deadline_us - s->mark_us, (s->number < 2 ? STOP_MS : 1000) * 1000);
    JUMP(s);
    assert_int_equal(fake_process(0)->kill_count, 1);
    SCENE_END(s);
}

static void test_stop_in_a_handshake(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 4; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, stop_in_a_handshake);
        scene.services[0].handshake_timeout_ms = way < 2 ? 60000 : 1000;
        scene.services[0].attempts_count = 1 + way / 2;
        scene.number = way;
        scene_run(&scene);
        assert_record(1, "drained", "1");
        const char *kill = way < 2 ? lines_find("kill", 0) : NULL;
        if (kill != NULL) {
            assert_string_equal(lines_value(kill, "reason"), "stop_timeout_ms has passed");
        }
        assert_string_equal(lines_value(lines_find("attempt_failed", 0), "reason"),
                            way < 2 ? "drained" : "handshake_timeout");
        scene_clear(&scene);
    }
}

/* An ACK within that time gets as much again. */
static bool late_ack_of_a_stop(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO);
    scene_stop(s);
    LOOK(s);
    fake_advance_us(STOP_MS * 1000 - 1);
    scene_act(s, 0, ACT_ACK);
    s->mark_us = fake_now_us();
    LOOK(s);
    assert_int_equal(s->deadline_us - s->mark_us, STOP_MS * 1000);
    ACTS(s, 0, ACT_DONE);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_a_late_ack_of_a_stop(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, late_ack_of_a_stop);
    scene.services[0].handshake_timeout_ms = 60000;
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

/* Who holds others is told at once, and terminated before it is killed. */
static bool stop_held_and_offered(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    scene_stop(s);
    s->mark_us = fake_now_us();
    LOOK(s);
    assert_true(scene_listen(s, 0)->drained);
    assert_int_equal(s->deadline_us - s->mark_us, STOP_MS * 1000);
    if (s->number == 0) {
        ACTS(s, 0, ACT_ACK, ACT_DONE, ACT_DONE);
        scene_act(s, 0, ACT_EXIT);
    } else {
        JUMP(s);
        assert_int_equal(fake_process(0)->terminate_count, 1);
        assert_int_equal(fake_process(0)->kill_count, 0);
    }
    SCENE_END(s);
}

/* An offer that is short of something waits to be sent again: nothing is offered behind DRAIN. */
static bool stop_with_an_unsent_offer(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    fake_fail(FAKE_SEND, BATON_SHORTAGE, 1);
    CONNECT(s);
    assert_int_equal(scene_listen(s, 0)->offered, 0);
    scene_stop(s);
    LOOK(s);
    assert_false(scene_listen(s, 0)->drained);
    JUMP(s); /* OFFER_RETRY_US */
    assert_int_not_equal(scene_listen(s, 0)->offered, 0);
    assert_true(scene_listen(s, 0)->drained);
    ACTS(s, 0, ACT_ACK, ACT_DONE, ACT_DONE);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_stop_with_an_unsent_offer(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, stop_with_an_unsent_offer);
    scene.services[0].handshake_timeout_ms = 60000;
    scene.services[0].reuse_count = 8;
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    scene_clear(&scene);
}

static void test_stop_held_and_offered(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 2; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, stop_held_and_offered);
        scene.services[0].handshake_timeout_ms = 60000;
        scene.services[0].reuse_count = 8;
        scene.number = way;
        scene_run(&scene);
        assert_record(1, way == 0 ? "served" : "drained", "1");
        assert_record(2, way == 0 ? "served" : "drained", "1");
        scene_clear(&scene);
    }
}

/* A client that is accepted already is served to its end. */
static bool served_while_stopping(struct scene *s) {
    SCENE_BEGIN(s);
    scene_stop(s);
    LOOK(s);
    scene_actor(s, 0)->play = &play_good;
    SCENE_END(s);
}

static void test_accepted_before_the_stop_is_served(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, served_while_stopping);
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

/* The client resets just before its offer, while the supervisor stops: the process must go. */
static bool reset_while_stopping(struct scene *s) {
    SCENE_BEGIN(s);
    scene_stop(s);
    LOOK(s);
    fake_reset(0);
    ACTS(s, 0, ACT_HELLO);
    SCENE_END(s);
}

static void test_reset_before_the_offer(void **state) {
    (void)state;
    for (uint32_t reuse_count = 1; reuse_count <= 2; reuse_count++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, reset_while_stopping);
        fake_offers_late(true);
        scene.services[0].reuse_count = reuse_count;
        scene_run(&scene);
        assert_record(1, "abandoned", "1");
        assert_int_equal(fake_process(0)->terminate_count, 1);
        scene_clear(&scene);
    }
}

/* Two held, a third offered; then the stop, and everything that can still be said. */
static bool stop_with_offer_and_held(struct scene *s) {
    static const enum act said[] = {ACT_STAY,    ACT_ACK,    ACT_NACK_BUSY,    ACT_NACK_REFUSE,
                                    ACT_GARBAGE, ACT_RETIRE, ACT_CLOSE_CHANNEL};
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK);
    CONNECT(s);
    if (s->count >= 100) { /* the offer's deadline has passed before the stop */
        s->count -= 100;
        JUMP(s);
    }
    scene_stop(s);
    LOOK(s);
    if (s->count >= 50) {
        s->count -= 50;
        ACTS(s, 0, ACT_DONE);
    }
    ACTS(s, 0, said[s->count]);
    if (s->number == 1) {
        fake_stop();
        LOOK(s);
    }
    SCENE_END(s);
}

static void test_stop_with_offer_and_held(void **state) {
    (void)state;
    for (uint32_t bits = 0; bits < 8; bits++) {
        for (uint32_t said = 0; said < 7; said++) {
            struct scene scene;
            scene_stage(&scene, (bits & 1) != 0 ? &play_deaf : &play_puppet,
                        stop_with_offer_and_held);
            scene.services[0].reuse_count = 10;
            scene.number = bits & 1;
            scene.count = said + ((bits & 2) != 0 ? 50 : 0) + ((bits & 4) != 0 ? 100 : 0);
            scene_run(&scene);
            assert_true(fake_now_us() - FAKE_START_US <= (2 * HANDSHAKE_MS + 3 * STOP_MS) * 1000);
            scene_clear(&scene);
        }
    }
}

/* A second stop ends those who hold and those who were offered alike. */
static bool hurry_with_offer_and_held(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    scene_stop(s);
    LOOK(s);
    fake_stop();
    SCENE_END(s);
}

static void test_hurry_with_offer_and_held(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, hurry_with_offer_and_held);
    scene.services[0].reuse_count = 10;
    scene.services[0].attempts_count = 1;
    scene_run(&scene);
    assert_records(1, 2, "drained", "1");
    assert_string_equal(lines_value(lines_find("kill", 0), "reason"),
                        "a second stop was asked for");
    scene_clear(&scene);
}

/* ---- The second attempt ---- */

static bool second_attempt(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO);
    assert_int_equal(fake_client(0)->put_back_count, 0);
    ACTS(s, 0, ACT_CRASH);
    ACTS(s, 1, ACT_HELLO);
    assert_int_equal(scene_listen(s, 1)->offer_count, 1);
    assert_int_equal(fake_client(0)->put_back_count, 1);
    ACTS(s, 1, ACT_ACK, ACT_DONE, ACT_EXIT);
    SCENE_END(s);
}

static void test_the_second_attempt_is_put_back(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, second_attempt);
    scene_run(&scene);
    assert_record(1, "served", "2");
    scene_clear(&scene);
}

/* ---- A hang-up ---- */

static bool hang_up(struct scene *s) {
    SCENE_BEGIN(s);
    fake_inject(PLATFORM_EVENT_HANGUP, 0);
    LOOK(s);
    assert_int_equal(fake_call_count(FAKE_LOG_OPEN), 2);
    assert_int_equal(lines_count("log_reopened"), 1);
    fake_fail(FAKE_LOG_OPEN, BATON_DENIED, 1);
    fake_inject(PLATFORM_EVENT_HANGUP, 0);
    LOOK(s);
    assert_int_equal(lines_count("log_reopened"), 1);
    assert_int_equal(lines_count("log_kept"), 1);
    assert_int_equal(lines_count("stopping"), 0);
    SCENE_END(s);
}

static void test_hangup_opens_the_log_anew(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_good, hang_up);
    scene.log = "/a/log";
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_string_equal(lines_value(lines_find("stopping", 0), "reason"), "fake stop");
    scene_clear(&scene);
}

/* ---- A process that hangs in the system ---- */

static const enum act stay_acts[] = {ACT_STAY};
static const struct play play_immortal = {.acts = stay_acts, .immortal = true};

static bool hangs(struct scene *s) {
    SCENE_BEGIN(s);
    s->mark_us = fake_now_us();
    scene_stop(s);
    LOOK(s);
    SCENE_END(s);
}

/* The stop does not wait for it; what the supervisor has of it is given back all the same. */
static void test_stop_gives_up_on_a_process(void **state) {
    (void)state;
    static const enum service_handoff modes[] = {HANDOFF_CHANNEL, HANDOFF_STDIO, HANDOFF_PUMP,
                                                 HANDOFF_LISTENER};
    for (uint32_t mode = 0; mode < 4; mode++) {
        struct scene scene;
        scene_stage(&scene, &play_immortal, hangs);
        scene_mode(&scene, 0, modes[mode], PROTOCOL_TCP, false);
        scene_run(&scene);
        assert_string_equal(lines_value(lines_record(1), "outcome"), "drained");
        assert_int_equal(lines_count("kill_failed"), 1);
        assert_int_equal(fake_process(0)->kill_count, 1);
        scene_clear(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_handshake_deadlines),
        cmocka_unit_test(test_exit_grace),
        cmocka_unit_test(test_ack_in_the_tick_of_the_deadline),
        cmocka_unit_test(test_words_found_after_the_kill),
        cmocka_unit_test(test_an_ack_behind_many_words),
        cmocka_unit_test(test_stale_events_are_dropped),
        cmocka_unit_test(test_stop_ladder),
        cmocka_unit_test(test_stop_at_every_step),
        cmocka_unit_test(test_stop_in_a_handshake),
        cmocka_unit_test(test_a_late_ack_of_a_stop),
        cmocka_unit_test(test_stop_with_an_unsent_offer),
        cmocka_unit_test(test_stop_held_and_offered),
        cmocka_unit_test(test_accepted_before_the_stop_is_served),
        cmocka_unit_test(test_reset_before_the_offer),
        cmocka_unit_test(test_stop_with_offer_and_held),
        cmocka_unit_test(test_hurry_with_offer_and_held),
        cmocka_unit_test(test_the_second_attempt_is_put_back),
        cmocka_unit_test(test_hangup_opens_the_log_anew),
        cmocka_unit_test(test_stop_gives_up_on_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
