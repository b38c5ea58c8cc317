/* Handlers that take several connections: credits, declines, deadlines while others are held. */
#include "scene.h"

#include <string.h>

static void test_one_process_serves_all_in_turn(void **state) {
    (void)state;
    const struct play play = PLAY(ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_TICK, ACT_DONE,
                                  ACT_AWAIT_OFFER, ACT_ACK, ACT_TICK, ACT_DONE, ACT_AWAIT_OFFER,
                                  ACT_ACK, ACT_TICK, ACT_DONE_BAD, ACT_AWAIT_DRAIN, ACT_EXIT);
    struct scene scene;
    scene_stage(&scene, &play, NULL);
    scene.client_count = 3;
    scene.services[0].reuse_count = 3;
    scene.services[0].max_connections_count = 1;
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    assert_record(3, "failed", "1");
    assert_int_equal(fake_process_count(), 1);
    scene_clear(&scene);
}

/* Eight at once on the first process, the ninth on another: neither credit is exceeded. */
static bool credits(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE);
    for (s->number = 0; s->number < 8; s->number++) {
        assert_int_equal(fake_process_count(), 1);
        ACTS(s, 0, ACT_ACK);
        CONNECT(s);
    }
    assert_int_equal(scene_listen(s, 0)->offer_count, 8);
    assert_int_equal(fake_process_count(), 2);
    /* One is finished, so the next client fits again: the other one is full. */
    ACTS(s, 1, ACT_HELLO, ACT_ACK);
    ACTS(s, 0, ACT_DONE);
    CONNECT(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 9);
    assert_int_equal(fake_process_count(), 2);
    ACTS(s, 0, ACT_ACK);
    scene_act(s, 0, ACT_EXIT);
    scene_act(s, 1, ACT_EXIT);
    SCENE_END(s);
}

static void test_credits(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, credits);
    scene.services[0].reuse_count = 100;
    scene.services[0].max_connections_count = 12;
    scene_run(&scene);
    assert_records(1, 10, "served", "1");
    scene_clear(&scene);
}

/* Who takes several at a time is told how many it will really be offered, before the first. */
static bool limits(struct scene *s) {
    static const uint32_t expected[][4] = {{8, HANDSHAKE_MS, STOP_MS, 100},
                                           {3, HANDSHAKE_MS, STOP_MS, 100},
                                           {1, HANDSHAKE_MS, STOP_MS, 1}};
    SCENE_BEGIN(s);
    ACTS(s, 0, s->number < 3 ? ACT_HELLO_WIDE : ACT_HELLO);
    assert_int_equal(scene_listen(s, 0)->offer_count, 1);
    assert_int_equal(scene_actor(s, 0)->limits_count, s->number < 3);
    if (s->number < 3) {
        assert_memory_equal(scene_actor(s, 0)->limits, expected[s->number], sizeof expected[0]);
    }
    ACTS(s, 0, ACT_ACK, ACT_DONE);
    assert_int_equal(scene_listen(s, 0)->limits_count, s->number < 3);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_limits_are_told(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 4; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, limits);
        scene.number = way;
        scene.services[0].reuse_count = way == 2 ? 1 : 100;
        scene.services[0].max_connections_count = way == 1 ? 3 : 8;
        scene_run(&scene);
        assert_record(1, "served", "1");
        scene_clear(&scene);
    }
}

/* The second offer to process 0 is not acknowledged while the first connection is held. */
static bool silent_with_held(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    fake_connect(SCENE_PORT);
    s->mark_us = fake_now_us();
    LOOK(s);
    assert_int_equal(s->deadline_us - s->mark_us, HANDSHAKE_MS * 1000);
    JUMP(s);
    assert_false(scene_actor(s, 0)->drained);
    LOOK(s); /* reads the DRAIN */
    assert_true(scene_listen(s, 0)->drained);
    assert_int_equal(fake_process(0)->kill_count, 0);
    assert_int_equal(s->deadline_us - fake_now_us(), STOP_MS * 1000);
    s->count = fake_process_count();
    assert_int_equal(s->count, 1); /* not offered to another before this one is gone */
    if (s->number == 1) {
        scene_act(s, 0, ACT_ACK); /* late, but taken */
        LOOK(s);
        assert_true(s->deadline_us == UINT64_MAX);
        scene_act(s, 0, ACT_DONE);
        scene_act(s, 0, ACT_DONE);
        LOOK(s);
        scene_act(s, 0, ACT_EXIT);
    } else if (s->number == 2) {
        ACTS(s, 0, ACT_NACK_BUSY, ACT_DONE);
        scene_act(s, 0, ACT_EXIT);
    } else if (s->number == 3) {
        /* With nothing else to wait for, the client is not kept waiting. */
        ACTS(s, 0, ACT_DONE);
        assert_int_equal(fake_process(0)->kill_count, 1);
    } else {
        JUMP(s);
        assert_int_equal(fake_process(0)->kill_count, 1);
    }
    SCENE_END(s);
}

static void test_deadline_while_others_are_held(void **state) {
    (void)state;
    static const struct {
        const char *first, *second, *attempts;
        uint32_t process_count;
    } expected[] = {{"crashed", "served", "2", 2},
                    {"served", "served", "1", 1},
                    {"served", "served", "1", 2},
                    {"served", "served", "2", 2}};
    for (uint32_t way = 0; way < 4; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, silent_with_held);
        scene.services[0].reuse_count = 100;
        scene_play(&scene, &play_server);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, expected[way].first, "1");
        assert_record(2, expected[way].second, expected[way].attempts);
        assert_int_equal(fake_process_count(), expected[way].process_count);
        scene_clear(&scene);
    }
}

/* Declines with others held: goes to another process, is not offered to the same one again. */
static bool busy_with_held(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    ACTS(s, 0, s->number == 0 ? ACT_NACK_BUSY : ACT_NACK_RETIRE);
    assert_int_equal(scene_actor(s, 0)->offer_count, 2);
    assert_int_equal(fake_process_count(), 2);
    ACTS(s, 0, ACT_DONE);
    CONNECT(s);
    /* It has finished one, so it may be asked again; after RETIRE it may not. */
    assert_int_equal(scene_listen(s, 0)->offer_count, s->number == 0 ? 3 : 2);
    if (s->number == 0) {
        ACTS(s, 0, ACT_ACK, ACT_DONE);
        scene_stop(s);
        LOOK(s);
    }
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_busy_and_retire_with_held(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 2; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, busy_with_held);
        scene.services[0].reuse_count = 100;
        scene_play(&scene, &play_server);
        scene.number = way;
        scene_run(&scene);
        assert_records(1, 3, "served", "1");
        scene_clear(&scene);
    }
}

static void test_always_declined_is_bounded(void **state) {
    (void)state;
    static const enum act ways[][5] = {
        {ACT_HELLO, ACT_AWAIT_OFFER, ACT_NACK_BUSY, ACT_AWAIT_DRAIN, ACT_EXIT},
        {ACT_HELLO, ACT_AWAIT_OFFER, ACT_NACK_RETIRE, ACT_AWAIT_DRAIN, ACT_EXIT},
        {ACT_HELLO, ACT_AWAIT_OFFER, ACT_NACK_REFUSE, ACT_AWAIT_DRAIN, ACT_EXIT}};
    for (size_t way = 0; way < 3; way++) {
        struct play play = {.acts = ways[way]};
        struct scene scene;
        scene_stage(&scene, &play, NULL);
        scene.services[0].reuse_count = 5;
        scene.services[0].attempts_count = 4;
        scene_run(&scene);
        assert_record(1, "rejected", way == 2 ? "1" : "4");
        assert_int_equal(fake_process_count(), way == 2 ? 1 : 4);
        scene_clear(&scene);
    }
}

/* An offer that waited for room until its deadline is not sent any more, though room comes. */
static bool recalled_before_it_was_sent(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    fake_handler_set_full(0, true);
    CONNECT(s);
    JUMP(s);
    fake_handler_set_full(0, false);
    LOOK(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 1);
    assert_true(scene_actor(s, 0)->drained);
    scene_act(s, 0, ACT_DONE);
    SCENE_END(s);
}

static void test_recalled_before_it_was_sent(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, recalled_before_it_was_sent);
    scene.services[0].reuse_count = 5;
    scene_play(&scene, &play_server);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_record(2, "served", "2");
    scene_clear(&scene);
}

static void say_number(uint32_t process, uint8_t type, uint32_t number) {
    struct wire_message message = {.type = type, .connection = number, .reason = WIRE_REASON_BUSY};
    uint8_t frame[64];
    long length = wire_encode(&message, frame, sizeof frame);
    assert_true(length > 0);
    assert_true(fake_handler_send(process, frame, (size_t)length, 0));
}

/* It answers an offer that waits for room in its channel, and whose number it has guessed. Were
 * that taken, its next offer could be sent twice, once by whoever sends the waiting ones again. */
static bool guessed(struct scene *s) {
    const uint32_t number_of_second = 1u << 15 | 1; /* slot 1, used for the first time */
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    fake_handler_set_full(0, true);
    CONNECT(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 1);
    say_number(0, s->number == 0 ? WIRE_ACK : WIRE_NACK, number_of_second);
    LOOK(s);
    assert_non_null(lines_find("protocol_error", 0));
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_answer_to_an_offer_that_was_not_sent(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 2; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, guessed);
        scene.services[0].reuse_count = 5;
        scene_play(&scene, &play_server);
        scene.number = way;
        scene_run(&scene);
        assert_record(2, "served", "2");
        scene_clear(&scene);
    }
}

/* DONE and exit are seen in one round: the next client must not lose an attempt to the dead. */
static bool done_and_exit(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    fake_fail(FAKE_LAUNCH, BATON_SHORTAGE, 1);
    CONNECT(s);
    scene_act(s, 0, ACT_DONE);
    scene_act(s, 0, ACT_EXIT);
    LOOK(s);
    SCENE_END(s);
}

static void test_done_and_exit_in_one_round(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, done_and_exit);
        scene.services[0].reuse_count = 5;
        scene.services[0].attempts_count = 1;
        scene_play(&scene, &play_server);
        fake_shuffle(seed);
        scene_run(&scene);
        assert_records(1, 2, "served", "1");
        scene_clear(&scene);
    }
}

/* It closes its channel with one connection held and another offered: the first goes on in peace,
 * for as long as the second can wait for it. */
static bool close_with_both(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 2);
    ACTS(s, 0, ACT_CLOSE_CHANNEL);
    assert_int_equal(fake_process(0)->terminate_count, 0);
    assert_int_equal(fake_process(0)->kill_count, 0);
    assert_int_equal(s->deadline_us - fake_now_us(), STOP_MS * 1000);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_end_of_the_channel_with_held_and_offered(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, close_with_both);
    scene.services[0].reuse_count = 100;
    scene_play(&scene, &play_server);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_record(2, "served", "2");
    scene_clear(&scene);
}

/* ---- A full service ---- */

/* One after the other is full for a moment, for two minutes: told at once, and once a minute. */
static bool full(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 121; s->number++) {
        fake_connect(SCENE_PORT);
        fake_connect(SCENE_PORT);
        LOOK(s);
        ACTS(s, 2 * s->number, ACT_HELLO, ACT_ACK, ACT_DONE, ACT_EXIT);
        ACTS(s, 2 * s->number + 1, ACT_HELLO, ACT_ACK, ACT_DONE, ACT_EXIT);
        fake_advance_us(1000000);
    }
    SCENE_END(s);
}

static void test_a_full_service_is_told(void **state) {
    (void)state;
    static const char *const times[] = {"1", "60", "60"};
    struct scene scene;
    scene_stage(&scene, &play_puppet, full);
    scene.client_count = 0;
    scene.services[0].max_connections_count = 1;
    scene_run(&scene);
    uint32_t warnings_count = 0;
    for (uint32_t i = 0; i < lines_count("accept_paused"); i++) {
        const char *line = lines_find("accept_paused", i);
        if (strcmp(lines_value(line, "level"), "warning") == 0) {
            assert_string_equal(lines_value(line, "service"), "one");
            assert_string_equal(lines_value(line, "reason"), "max_connections");
            assert_string_equal(lines_value(line, "max_connections"), "1");
            assert_string_equal(lines_value(line, "times"), times[warnings_count++]);
        }
    }
    assert_int_equal(warnings_count, 3);
    assert_int_equal(lines_count("accept_paused"), 121);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_process_serves_all_in_turn),
        cmocka_unit_test(test_credits),
        cmocka_unit_test(test_limits_are_told),
        cmocka_unit_test(test_deadline_while_others_are_held),
        cmocka_unit_test(test_busy_and_retire_with_held),
        cmocka_unit_test(test_always_declined_is_bounded),
        cmocka_unit_test(test_recalled_before_it_was_sent),
        cmocka_unit_test(test_answer_to_an_offer_that_was_not_sent),
        cmocka_unit_test(test_done_and_exit_in_one_round),
        cmocka_unit_test(test_end_of_the_channel_with_held_and_offered),
        cmocka_unit_test(test_a_full_service_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
