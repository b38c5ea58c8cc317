/* Listeners that are handed over: one activation at a time. Everything for the ways of both
 * systems: at the launch, or by an OFFER. */
#include "way.h"

#include <string.h>

static const enum act crash_acts[] = {ACT_CRASH};
static const struct play play_crash = {.acts = crash_acts};

/* ---- A whole life ---- */

static bool live(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), 0);
    assert_true(fake_listener(0)->spec.is_handed_over);
    arrive(s);
    LOOK(s);
    assert_int_equal(fake_process_count(), 1);
    assert_true(fake_listener(0)->is_paused);
    if (is_windows(s->way)) {
        ACTS(s, 0, ACT_HELLO);
        assert_int_equal(scene_listen(s, 0)->offer_count, 1);
        assert_int_equal(scene_actor(s, 0)->kind,
                         is_udp(s->way) ? WIRE_KIND_DATAGRAM : WIRE_KIND_LISTENER);
        ACTS(s, 0, ACT_ACK);
    } else {
        assert_int_equal(fake_process(0)->streams, PLATFORM_STREAMS_LISTENERS);
        assert_int_equal(fake_handed_listener(0, 0), 0);
        assert_int_equal(fake_handed_listener(0, 1), FAKE_NONE);
    }
    assert_int_equal(fake_process(0)->listener_count, 1);
    assert_true(s->deadline_us == UINT64_MAX);
    ACTS(s, 0, ACT_TAKE);
    /* Further ones are this process's, for as long as it lives. */
    arrive(s);
    s->count = (uint32_t)fake_wait_count();
    LOOK(s);
    assert_true(fake_wait_count() <= s->count + 2);
    fake_advance_us(5000000);
    assert_int_equal(fake_process_count(), 1);
    ACTS(s, 0, ACT_TAKE);
    if (is_windows(s->way)) {
        ACTS(s, 0, ACT_DONE);
    }
    ACTS(s, 0, ACT_EXIT);
    assert_false(fake_listener(0)->is_paused);
    assert_int_equal(lines_count("activation"), 1);
    /* And again with the next one. */
    arrive(s);
    LOOK(s);
    assert_int_equal(fake_process_count(), 2);
    assert_null(lines_find("accept_resumed", 0)); /* it was not for want of room that it paused */
    if (is_windows(s->way)) {
        ACTS(s, 1, ACT_HELLO, ACT_ACK);
    }
    ACTS(s, 1, ACT_TAKE, ACT_EXIT_3);
    SCENE_END(s);
}

static void test_activations(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        struct scene scene;
        stage(&scene, way, live);
        scene_play(&scene, &play_puppet);
        scene_run(&scene);
        assert_record(1, "served", "1");
        assert_record(2, "failed", "1");
        const char *line = lines_record(1);
        assert_string_equal(lines_value(line, "event"), "activation");
        assert_string_equal(lines_value(line, "local"), "127.0.0.1:7001");
        assert_string_equal(lines_value(line, "duration_ms"), "5000");
        assert_false(lines_has(line, "peer"));
        assert_int_equal(fake_call_count(FAKE_ACCEPT), 0);
        scene_clear(&scene);
    }
}

/* A client comes while the process is on its way out: the next activation is its own. */
static bool late(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    ACTS(s, 0, ACT_TAKE);
    arrive(s);
    scene_act(s, 0, ACT_EXIT);
    LOOK(s);
    assert_int_equal(fake_process_count(), 2);
    SCENE_END(s);
}

static void test_who_comes_late_is_not_lost(void **state) {
    (void)state;
    for (uint32_t way = 0; way <= WAY_UDP; way++) {
        struct scene scene;
        stage(&scene, way, late);
        scene_play(&scene, &play_puppet);
        scene_play(&scene, &play_taking);
        scene_run(&scene);
        assert_records(1, 2, "served", "1");
        assert_true(fake_client(1)->is_taken);
        scene_clear(&scene);
    }
}

/* ---- Several places ---- */

static bool places(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect((uint16_t)(SCENE_PORT + SCENE_SERVICE_COUNT)); /* the second of three */
    LOOK(s);
    assert_int_equal(fake_process_count(), 1);
    for (s->number = 0; s->number < 3; s->number++) {
        assert_true(fake_listener(s->number)->is_paused);
    }
    assert_int_equal(fake_process(0)->listener_count, 3);
    /* In the order of the config, whoever has come; only standard input tells where that was. */
    for (s->number = 0; s->number < 3; s->number++) {
        assert_int_equal(fake_handed_listener(0, s->number), s->number);
    }
    assert_int_equal(fake_process(0)->input_listener, 1);
    assert_string_equal(fake_process(0)->listener_names, "one:admin:one");
    ACTS(s, 0, ACT_TAKE);
    scene_act(s, 0, ACT_EXIT);
    LOOK(s);
    for (s->number = 0; s->number < 3; s->number++) {
        assert_false(fake_listener(s->number)->is_paused);
    }
    fake_connect(SCENE_PORT);
    fake_connect((uint16_t)(SCENE_PORT + SCENE_SERVICE_COUNT));
    LOOK(s);
    assert_int_equal(fake_process_count(), 2);
    ACTS(s, 1, ACT_TAKE_ALL, ACT_EXIT);
    assert_int_equal(fake_process_count(), 2);
    SCENE_END(s);
}

static void test_several_places(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, WAY_TCP, places);
    scene.services[0].listen_count = 3;
    scene.services[0].listen[1].name = "admin";
    scene_play(&scene, &play_puppet);
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    assert_string_equal(lines_value(lines_record(1), "local"), "127.0.0.1:7003");
    scene_clear(&scene);
}

/* By an OFFER each place is handed over for itself: a process that stays with one of them keeps
 * nobody waiting at another. */
static bool places_apart(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 3; s->number++) {
        fake_connect((uint16_t)(SCENE_PORT + s->number * SCENE_SERVICE_COUNT));
        LOOK(s);
        assert_int_equal(fake_process_count(), s->number + 1);
        ACTS(s, s->number, ACT_HELLO, ACT_ACK, ACT_TAKE);
        assert_int_equal(fake_process(s->number)->listener_count, 1);
        assert_true(fake_client(s->number)->is_taken);
    }
    /* The end of one concerns its own place alone. */
    ACTS(s, 1, ACT_DONE, ACT_EXIT);
    for (s->number = 0; s->number < 3; s->number++) {
        assert_int_equal(fake_listener(s->number)->is_paused, s->number != 1);
    }
    fake_connect(SCENE_PORT);
    fake_connect((uint16_t)(SCENE_PORT + SCENE_SERVICE_COUNT));
    LOOK(s);
    assert_int_equal(fake_process_count(), 4);
    ACTS(s, 0, ACT_TAKE, ACT_DONE, ACT_EXIT);
    ACTS(s, 2, ACT_CRASH);
    ACTS(s, 3, ACT_HELLO, ACT_ACK, ACT_TAKE, ACT_DONE, ACT_EXIT);
    SCENE_END(s);
}

static void test_several_places_by_offers(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, WAY_WINDOWS, places_apart);
    scene_play(&scene, &play_puppet);
    scene.services[0].listen_count = scene.services[0].max_connections_count = 3;
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    assert_record(3, "crashed", "1");
    assert_record(4, "served", "1");
    scene_clear(&scene);
}

/* Nothing is launched before all of them are open. */
static bool incomplete(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect((uint16_t)(SCENE_PORT + SCENE_SERVICE_COUNT));
    s->count = (uint32_t)fake_wait_count();
    LOOK(s);
    assert_int_equal(fake_process_count(), 0);
    assert_true(fake_wait_count() <= s->count + 3);
    JUMP(s); /* binds again */
    assert_int_equal(fake_process_count(), 1);
    SCENE_END(s);
}

static void test_incomplete_places(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, WAY_TCP, incomplete);
    scene.services[0].listen_count = 2;
    scene_play(&scene, &play_taking);
    fake_fail(FAKE_LISTEN, BATON_IN_USE, 1);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_string_equal(lines_value(lines_find("listen_failed", 0), "hint"),
                        "a fake hint about -10");
    scene_clear(&scene);
}

static bool denied(struct scene *s) {
    SCENE_BEGIN(s);
    JUMP(s); /* binds again */
    assert_int_equal(fake_listener_count(), 3);
    SCENE_END(s);
}

static void test_a_local_socket_that_is_denied(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, WAY_TCP, denied);
    scene_mode(&scene, 0, HANDOFF_LISTENER, PROTOCOL_UNIX, false);
    scene.services[0].listen_count = 3;
    scene_play(&scene, &play_taking);
    fake_fail(FAKE_LISTEN, BATON_DENIED, 1);
    scene_run(&scene);
    const char *hint = lines_value(lines_find("listen_failed", 0), "hint");
    assert_non_null(strstr(hint, "must be allowed to write to the folder"));
    scene_clear(&scene);
}

/* ---- Shortage, and the other service ---- */

static void test_shortage(void **state) {
    (void)state;
    for (uint32_t way = 0; way <= WAY_UDP; way++) {
        struct scene scene;
        stage(&scene, way, late);
        scene_play(&scene, &play_taking);
        scene_play(&scene, &play_taking);
        scene.script = NULL;
        if (way == WAY_TCP) {
            scene.client_count = 2;
        }
        fake_fail(FAKE_LAUNCH, BATON_SHORTAGE, 4);
        scene_run(&scene);
        assert_int_equal(lines_count("held_back"), 0);
        scene_clear(&scene);
    }
}

static bool beside(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    for (s->number = 0; s->number < 5; s->number++) {
        fake_connect(SCENE_PORT + 1);
        LOOK(s);
    }
    assert_int_equal(lines_count("connection"), 5);
    scene_stop(s); /* the first one would be tried for ever */
    LOOK(s);
    SCENE_END(s);
}

static void test_the_other_service_is_not_concerned(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, WAY_TCP, beside);
    scene.service_count = 2;
    scene_play(&scene, &play_crash);
    scene_play(&scene, &play_good);
    scene_run(&scene);
    assert_records(2, 6, "served", "1");
    scene_clear(&scene);
}

/* ---- The stop ---- */

static bool stop(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    if (is_windows(s->way)) {
        ACTS(s, 0, ACT_HELLO, ACT_ACK);
    }
    ACTS(s, 0, ACT_TAKE);
    scene_stop(s);
    LOOK(s);
    /* SIGTERM is its DRAIN; an OFFER's has a frame. */
    assert_int_equal(fake_process(0)->terminate_count, is_windows(s->way) ? 0 : 1);
    if (is_windows(s->way)) {
        assert_true(scene_listen(s, 0)->drained);
        ACTS(s, 0, ACT_DONE, ACT_EXIT);
    } else if (fake_process(0)->is_alive) {
        assert_int_equal(s->deadline_us - fake_now_us(), STOP_MS * 1000);
        if (s->number == 1) {
            scene_act(s, 0, ACT_EXIT);
            LOOK(s);
        }
        JUMP(s);
        JUMP(s);
        assert_int_equal(fake_process(0)->kill_count, s->number == 2 ? 1 : 0);
    }
    SCENE_END(s);
}

static void test_stop(void **state) {
    (void)state;
    for (uint32_t way = 0; way < WAY_COUNT; way++) {
        for (uint32_t number = 0; number < 3; number++) {
            struct scene scene;
            bool served = is_windows(way) || number == 1;
            stage(&scene, way, stop);
            scene_play(&scene, number == 0 ? &play_puppet : &play_deaf);
            scene.number = number;
            scene_run(&scene);
            assert_record(1, served ? "served" : "drained", "1");
            scene_clear(&scene);
        }
    }
}

static bool stop_in_pause(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    JUMP(s);
    JUMP(s);
    scene_stop(s);
    s->mark_us = fake_now_us();
    LOOK(s);
    SCENE_END(s);
}

static void test_stop_while_held_back(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, WAY_TCP, stop_in_pause);
    scene_play(&scene, &play_crash);
    scene_run(&scene);
    assert_true(fake_now_us() == scene.mark_us);
    scene_clear(&scene);
}

/* The listener is gone before it was offered: nobody waits there any more. */
static bool stop_early(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    if (s->number > 0) {
        fake_handler_set_full(0, true);
        ACTS(s, 0, ACT_HELLO);
        assert_int_equal(scene_listen(s, 0)->offer_count, 0);
    }
    scene_stop(s);
    LOOK(s);
    if (s->number == 0) { /* it has not said HELLO, and finds the channel ended */
        assert_int_equal(fake_process(0)->kill_count, 0);
        assert_true(scene_listen(s, 0)->drained);
        ACTS(s, 0, ACT_EXIT);
    } else {
        fake_handler_set_full(0, false);
        LOOK(s);
        assert_true(scene_listen(s, 0)->drained);
        assert_int_equal(scene_actor(s, 0)->offer_count, 0);
        ACTS(s, 0, ACT_EXIT);
    }
    SCENE_END(s);
}

static void test_stop_before_the_offer(void **state) {
    (void)state;
    for (uint32_t way = WAY_WINDOWS; way < WAY_COUNT; way++) {
        for (uint32_t number = 0; number < 2; number++) {
            struct scene scene;
            stage(&scene, way, stop_early);
            scene_play(&scene, &play_puppet);
            scene.number = number;
            scene_run(&scene);
            assert_record(1, "drained", number == 0 ? "0" : "1");
            assert_true(fake_now_us() == FAKE_START_US);
            scene_clear(&scene);
        }
    }
}

/* It has been offered and not yet taken: what it says decides. */
static bool stop_offered(struct scene *s) {
    SCENE_BEGIN(s);
    arrive(s);
    LOOK(s);
    ACTS(s, 0, ACT_HELLO);
    scene_stop(s);
    LOOK(s);
    ACTS(s, 0, ACT_ACK, ACT_TAKE);
    assert_true(scene_listen(s, 0)->drained);
    ACTS(s, 0, ACT_DONE, ACT_EXIT);
    SCENE_END(s);
}

static void test_stop_after_the_offer(void **state) {
    (void)state;
    for (uint32_t way = WAY_WINDOWS; way < WAY_COUNT; way++) {
        struct scene scene;
        stage(&scene, way, stop_offered);
        scene_play(&scene, &play_puppet);
        scene_run(&scene);
        assert_record(1, "served", "1");
        scene_clear(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_who_comes_late_is_not_lost),
        cmocka_unit_test(test_several_places),
        cmocka_unit_test(test_several_places_by_offers),
        cmocka_unit_test(test_incomplete_places),
        cmocka_unit_test(test_a_local_socket_that_is_denied),
        cmocka_unit_test(test_shortage),
        cmocka_unit_test(test_the_other_service_is_not_concerned),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_stop_while_held_back),
        cmocka_unit_test(test_stop_before_the_offer),
        cmocka_unit_test(test_stop_after_the_offer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
