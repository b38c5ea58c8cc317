/* Connections that are silent: pumps that are idle, clients that never begin. */
#include "pump.h"

#include <string.h>

#define IDLE_MS 7000u
#define SILENCE_MS 4000u
#define PROXY_MS 3000u
#define LINE "PROXY TCP4 192.0.2.7 198.51.100.8 4000 443\r\n"

static void assert_deadline(const struct scene *s, uint32_t ms) {
    assert_int_equal(s->deadline_us - fake_now_us(), ms * UINT64_C(1000));
}

static void assert_text(uint64_t id, const char *wanted) {
    assert_string_equal(lines_value(lines_record(id), "text"), wanted);
}

/* ---- idle_timeout_ms ---- */

static void stage_idle(struct scene *scene, const struct play *play, scene_script *script) {
    pump_stage(scene, play, script);
    scene->services[0].idle_timeout_ms = IDLE_MS;
}

static bool idle(struct scene *s) {
    SCENE_BEGIN(s);
    assert_deadline(s, IDLE_MS);
    /* A byte now and then, from either side. */
    for (s->count = 0; s->count < 20; s->count++) {
        fake_advance_us((IDLE_MS - 1) * UINT64_C(1000));
        if (s->count % 2 == 0) {
            pump_send(0, "x");
        } else {
            fake_program_write(0, "y", 1);
        }
        LOOK(s);
        ACTS(s, 0, ACT_READ);
    }
    assert_int_equal(lines_count("connection"), 0);
    if (s->number == 1) {
        fake_client_finish(0); /* half of it is over: nothing else changes */
    } else if (s->number == 2) {
        ACTS(s, 0, ACT_CLOSE_OUTPUT);
    }
    LOOK(s);
    s->mark_us = fake_now_us();
    while (fake_process(0)->terminate_count == 0) {
        JUMP(s);
    }
    assert_int_equal(fake_now_us() - s->mark_us, IDLE_MS * UINT64_C(1000));
    fake_client_finish(0);
    SCENE_END(s);
}

static void test_an_idle_pump(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        stage_idle(&scene, &play_puppet, idle);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, "timed_out", "1");
        assert_text(1, "idle_timeout_ms has passed");
        assert_string_equal(lines_value(lines_record(1), "bytes_in"), "10");
        assert_string_equal(lines_value(lines_record(1), "bytes_out"), "10");
        scene_clear(&scene);
    }
}

/* It is told to end, and what it says then is with its client. */
static bool last_words(struct scene *s) {
    SCENE_BEGIN(s);
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 1);
    ACTS(s, 0, ACT_WRITE, ACT_EXIT);
    fake_client_finish(0);
    LOOK(s);
    assert_pump_received(0, ACTOR_WORDS, sizeof ACTOR_WORDS - 1);
    SCENE_END(s);
}

static void test_last_words_of_an_idle_pump(void **state) {
    (void)state;
    struct scene scene;
    stage_idle(&scene, &play_deaf, last_words);
    scene_run(&scene);
    assert_record(1, "timed_out", "1");
    assert_text(1, "idle_timeout_ms has passed");
    scene_clear(&scene);
}

/* The supervisor stood still meanwhile: what came in time is seen first. */
static bool late(struct scene *s) {
    SCENE_BEGIN(s);
    if (s->number == 0) {
        pump_send(0, "x");
    } else if (s->number == 1) {
        fake_program_write(0, "y", 1);
    } else {
        scene_act(s, 0, ACT_EXIT);
    }
    fake_advance_us(3600u * UINT64_C(1000000));
    LOOK(s);
    assert_int_equal(fake_process(0)->terminate_count, 0);
    fake_client_finish(0);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_a_pump_that_only_seems_idle(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        for (uint64_t seed = 0; seed < 8; seed++) {
            struct scene scene;
            stage_idle(&scene, &play_puppet, late);
            scene.number = way;
            fake_shuffle(seed);
            scene_run(&scene);
            assert_record(1, "served", "1");
            scene_clear(&scene);
        }
    }
}

/* Of two that are idle for as long, one ends in the moment in which the other is terminated. */
static void let_other_end(struct scene *s, uint32_t process, enum platform_signal how) {
    assert_int_equal(how, PLATFORM_TERMINATE);
    s->watch = NULL;
    s->count = 1 - process;
    scene_act(s, s->count, ACT_EXIT);
}

static bool judged(struct scene *s) {
    SCENE_BEGIN(s);
    assert_deadline(s, IDLE_MS);
    s->watch = let_other_end;
    JUMP(s);
    LOOK(s);
    assert_null(s->watch);
    assert_int_equal(fake_process(s->count)->terminate_count, 0);
    fake_client_finish(0);
    fake_client_finish(1);
    SCENE_END(s);
}

static void test_who_ends_in_the_moment(void **state) {
    (void)state;
    struct scene scene;
    stage_idle(&scene, &play_puppet, judged);
    scene.client_count = 2;
    scene_run(&scene);
    assert_record(2 - scene.count, "timed_out", "1");
    assert_record(1 + scene.count, "served", "1");
    scene_clear(&scene);
}

/* Something is under way when the time is up: it gets a second to arrive, and no more. */
static bool busy(struct scene *s) {
    SCENE_BEGIN(s);
    fake_set_busy(true);
    JUMP(s);
    LOOK(s);
    assert_int_equal(fake_process(0)->terminate_count, 0);
    assert_deadline(s, 1000);
    if (s->number == 1) {
        fake_set_busy(false);
        fake_program_write(0, "y", 1);
        LOOK(s);
        JUMP(s); /* it was not idle */
        LOOK(s);
        assert_int_equal(fake_process(0)->terminate_count, 0);
        assert_deadline(s, IDLE_MS - 1000);
    }
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 1);
    fake_set_busy(false);
    fake_client_finish(0);
    SCENE_END(s);
}

static void test_bytes_under_way(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 2; way++) {
        struct scene scene;
        stage_idle(&scene, &play_puppet, busy);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, "timed_out", "1");
        scene_clear(&scene);
    }
}

/* The program has ended, its child has the pipe, and is silent. */
static bool left_pipes(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_WRITE, ACT_LEAVE_PIPES, ACT_EXIT);
    assert_int_equal(lines_count("connection"), 0);
    assert_deadline(s, IDLE_MS);
    JUMP(s);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_an_idle_pump_of_children(void **state) {
    (void)state;
    struct scene scene;
    stage_idle(&scene, &play_puppet, left_pipes);
    scene.services[0].leave_children = CHOICE_YES;
    scene_run(&scene);
    assert_record(1, "timed_out", "1");
    assert_text(1, "idle_timeout_ms has passed");
    scene_clear(&scene);
}

/* It could not be killed and was given up on: its pump is still there, and nobody to time out. */
static bool given_up_on(struct scene *s) {
    SCENE_BEGIN(s);
    JUMP(s); /* max_runtime_ms */
    JUMP(s); /* killed */
    pump_send(0, "x");
    LOOK(s);
    while (lines_count("kill_failed") == 0) {
        JUMP(s);
    }
    assert_int_equal(lines_count("connection"), 1);
    JUMP(s); /* idle_timeout_ms */
    assert_true(s->deadline_us == UINT64_MAX);
    SCENE_END(s);
}

static void test_an_idle_pump_of_a_stuck_process(void **state) {
    (void)state;
    static const enum act acts[] = {ACT_STAY};
    static const struct play immortal = {.acts = acts, .deaf = true, .immortal = true};
    struct scene scene;
    stage_idle(&scene, &immortal, given_up_on);
    scene.services[0].max_runtime_ms = 1000;
    scene_try(&scene);
    assert_record(1, "timed_out", "1");
    assert_text(1, "max_runtime_ms has passed");
    scene_clear(&scene);
}

/* ---- first_byte_timeout_ms ---- */

static void stage_silence(struct scene *scene, enum service_handoff mode, scene_script *script) {
    scene_stage(scene, &play_puppet, script);
    scene_mode(scene, 0, mode, PROTOCOL_TCP, false);
    scene->services[0].first_byte_timeout_ms = SILENCE_MS;
}

enum { SAYS_A_WORD, SAYS_NOTHING, ENDS, RESETS, SPOKE_BEFORE, STOPS, WAYS };

static bool first_byte(struct scene *s) {
    size_t length;
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    if (s->number == SPOKE_BEFORE) {
        pump_send(0, "GET");
    }
    LOOK(s);
    assert_int_equal(fake_process_count(), s->number == SPOKE_BEFORE ? 1 : 0);
    if (s->number != SPOKE_BEFORE) {
        assert_deadline(s, SILENCE_MS);
        s->count = (uint32_t)fake_wait_count();
        fake_advance_us(SILENCE_MS * UINT64_C(1000) - 1);
        LOOK(s);
        assert_true(fake_wait_count() - s->count < 5);
    }
    switch (s->number) {
    case SAYS_A_WORD:
        pump_send(0, "GET");
        break;
    case SAYS_NOTHING:
        fake_advance_us(1);
        break;
    case ENDS:
        fake_client_finish(0);
        break;
    case RESETS:
        fake_reset(0);
        break;
    case STOPS:
        scene_stop(s);
        break;
    default:
        break;
    }
    LOOK(s);
    if (fake_process_count() == 0) {
        assert_int_equal(lines_count("connection"), 1);
        assert_false(fake_client(0)->supervisor_has);
    } else {
        assert_true(s->deadline_us == UINT64_MAX || s->services[0].has_channel);
        if (s->services[0].has_channel) {
            ACTS(s, 0, ACT_HELLO, ACT_ACK);
        }
        if (s->services[0].handoff != HANDOFF_PUMP) {
            fake_client_unread(0, &length);
            assert_int_equal(length, s->number == ENDS ? 0 : 3);
        }
        if (s->number != ENDS) {
            fake_client_finish(0);
        }
        ACTS(s, 0, ACT_EXIT);
    }
    SCENE_END(s);
}

static void test_first_byte(void **state) {
    (void)state;
    static const enum service_handoff modes[] = {HANDOFF_STDIO, HANDOFF_PUMP, HANDOFF_CHANNEL};
    static const char *const outcomes[] = {
        [SAYS_A_WORD] = "served", [SAYS_NOTHING] = "no_first_byte", [ENDS] = "served",
        [RESETS] = "abandoned",   [SPOKE_BEFORE] = "served",        [STOPS] = "drained"};
    for (uint32_t mode = 0; mode < 3; mode++) {
        for (uint32_t way = 0; way < WAYS; way++) {
            struct scene scene;
            stage_silence(&scene, modes[mode], first_byte);
            scene.client_count = 0;
            scene.number = way;
            scene_run(&scene);
            bool served = strcmp(outcomes[way], "served") == 0;
            assert_record(1, outcomes[way], served ? "1" : "0");
            assert_int_equal(fake_process_count(), served ? 1 : 0);
            scene_clear(&scene);
        }
    }
}

/* First the header, with its own time; then the byte, with its time from there. */
static bool behind_a_proxy(struct scene *s) {
    size_t length;
    SCENE_BEGIN(s);
    assert_deadline(s, PROXY_MS);
    if (s->number == 3) {
        JUMP(s);
        assert_int_equal(lines_count("connection"), 1);
        s->line = -1;
        return false;
    }
    fake_advance_us(1000000);
    pump_send(0, s->number == 0 ? LINE "GET" : LINE);
    LOOK(s);
    if (s->number == 0) {
        assert_int_equal(fake_process_count(), 1); /* in the same piece */
    } else {
        assert_int_equal(fake_process_count(), 0);
        assert_deadline(s, SILENCE_MS);
        fake_advance_us(SILENCE_MS * UINT64_C(1000) - 1);
        LOOK(s);
        if (s->number == 1) {
            pump_send(0, "GET");
            LOOK(s);
            assert_int_equal(fake_process_count(), 1);
        } else {
            JUMP(s);
        }
    }
    if (fake_process_count() > 0) {
        fake_client_unread(0, &length);
        assert_int_equal(length, 3);
        ACTS(s, 0, ACT_EXIT);
    }
    SCENE_END(s);
}

static void test_first_byte_behind_a_proxy(void **state) {
    (void)state;
    static const struct address_block trusted = {{.family = ADDRESS_IPV4, .bytes = {10}}, 8};
    static const char *const outcomes[] = {"served", "served", "no_first_byte", "proxy_timeout"};
    for (uint32_t way = 0; way < 4; way++) {
        struct scene scene;
        stage_silence(&scene, HANDOFF_STDIO, behind_a_proxy);
        scene.services[0].proxy_protocol = 1;
        scene.services[0].proxy_timeout_ms = PROXY_MS;
        scene.services[0].proxy_trusted = (struct address_block *)&trusted;
        scene.services[0].proxy_trusted_count = 1;
        scene.number = way;
        scene_run(&scene);
        assert_record(1, outcomes[way], way < 2 ? "1" : "0");
        assert_string_equal(lines_value(lines_record(1), "peer"),
                            way < 3 ? "192.0.2.7:4000" : "10.0.0.0:50000");
        scene_clear(&scene);
    }
}

/* A thousand that say nothing: no process, and nothing moves before their time is up. */
static bool silent_crowd(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), 0);
    s->count = (uint32_t)fake_wait_count();
    fake_advance_us(SILENCE_MS * UINT64_C(1000) - 1);
    LOOK(s);
    assert_true(fake_wait_count() - s->count < 5);
    JUMP(s);
    assert_int_equal(lines_count("connection"), 1000);
    assert_int_equal(fake_process_count(), 0);
    SCENE_END(s);
}

static void test_a_silent_crowd(void **state) {
    (void)state;
    struct scene scene;
    stage_silence(&scene, HANDOFF_CHANNEL, silent_crowd);
    scene.client_count = 1000;
    scene.services[0].max_connections_count = 1000;
    scene_run(&scene);
    assert_records(1, 1000, "no_first_byte", "0");
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_pump),
        cmocka_unit_test(test_last_words_of_an_idle_pump),
        cmocka_unit_test(test_a_pump_that_only_seems_idle),
        cmocka_unit_test(test_who_ends_in_the_moment),
        cmocka_unit_test(test_bytes_under_way),
        cmocka_unit_test(test_an_idle_pump_of_children),
        cmocka_unit_test(test_an_idle_pump_of_a_stuck_process),
        cmocka_unit_test(test_first_byte),
        cmocka_unit_test(test_first_byte_behind_a_proxy),
        cmocka_unit_test(test_a_silent_crowd),
    };
    return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
