/* Handlers behind pipes: their ends, those of their clients, and the stop. */
#include "pump.h"

#include <stdlib.h>
#include <string.h>

#define FLUSH_US 30000000u
#define LINGER_US 2000000u
#define IDLE_MS 400u

/* ---- The end of the program ---- */

static bool flush(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_set_room(0, 0);
    fake_program_write(0, pump_much, PUMP_MUCH_BYTES);
    ACTS(s, 0, ACT_EXIT);
    /* The client takes a little at a time, never quite too late. */
    for (s->number = 1; s->number <= 40; s->number++) {
        assert_int_equal(lines_count("connection"), 0);
        assert_int_equal(s->deadline_us - fake_now_us(), FLUSH_US);
        fake_advance_us(FLUSH_US - 1);
        fake_client_set_room(0, 10000);
        LOOK(s);
    }
    fake_client_finish(0);
    fake_client_set_room(0, SIZE_MAX);
    LOOK(s);
    assert_pump_received(0, pump_much, PUMP_MUCH_BYTES);
    assert_true(fake_client(0)->got_end);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_exit_with_output_pending(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, flush);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_false(lines_has(lines_record(1), "text"));
    scene_clear(&scene);
}

static bool never_reads(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_set_room(0, 1000);
    fake_program_write(0, pump_much, PUMP_MUCH_BYTES);
    ACTS(s, 0, ACT_EXIT);
    fake_client_send(0, "still here", 10); /* which is no sign that it takes anything */
    fake_advance_us(FLUSH_US - 1);
    LOOK(s);
    assert_int_equal(lines_count("connection"), 0);
    assert_int_equal(s->deadline_us - fake_now_us(), 1);
    s->count = (uint32_t)fake_wait_count();
    JUMP(s);
    assert_true(fake_wait_count() - s->count < 5);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_client_that_never_reads(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, never_reads);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_string_equal(lines_value(lines_record(1), "text"),
                        "the client stopped taking what the program had written");
    assert_string_equal(lines_value(lines_record(1), "bytes_out"), "1000");
    scene_clear(&scene);
}

static bool idles_at_the_end(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_set_room(0, 1000);
    fake_program_write(0, pump_much, PUMP_MUCH_BYTES);
    ACTS(s, 0, ACT_EXIT);
    assert_int_equal(s->deadline_us - fake_now_us(), IDLE_MS * 1000);
    fake_advance_us(IDLE_MS * 1000 - 1);
    fake_client_set_room(0, 500);
    LOOK(s);
    assert_int_equal(s->deadline_us - fake_now_us(), IDLE_MS * 1000);
    JUMP(s);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_client_that_is_idle_behind_the_end(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, idles_at_the_end);
    scene.services[0].idle_timeout_ms = IDLE_MS;
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_string_equal(lines_value(lines_record(1), "text"),
                        "the client stopped taking what the program had written");
    assert_string_equal(lines_value(lines_record(1), "bytes_out"), "1500");
    scene_clear(&scene);
}

static bool linger(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_WRITE, ACT_EXIT);
    assert_pump_received(0, ACTOR_WORDS, sizeof ACTOR_WORDS - 1);
    assert_true(fake_client(0)->got_end);
    assert_int_equal(lines_count("connection"), 0);
    assert_int_equal(s->deadline_us - fake_now_us(), LINGER_US);
    fake_advance_us(LINGER_US - 1);
    fake_client_send(0, pump_much, PUMP_MUCH_BYTES); /* does not make it last longer */
    LOOK(s);
    assert_int_equal(pump_unread_bytes(0), 0);
    assert_int_equal(s->deadline_us - fake_now_us(), 1);
    if (s->number == 0) {
        fake_client_finish(0);
        LOOK(s);
    } else {
        JUMP(s);
    }
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_linger(void **state) {
    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        struct scene scene;
        pump_stage(&scene, &play_puppet, linger);
        scene.number = number;
        scene_run(&scene);
        assert_record(1, "served", "1");
        assert_false(fake_client(0)->was_cut);
        assert_false(lines_has(lines_record(1), "text"));
        scene_clear(&scene);
    }
}

/* A descendant has the pipes and lives on: they are its own, for as long as it likes. */
static bool heir(struct scene *s) {
    size_t length = 0;
    char bytes[8];
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_LEAVE_PIPES, ACT_WRITE, ACT_EXIT);
    assert_pump_received(0, ACTOR_WORDS, sizeof ACTOR_WORDS - 1);
    assert_false(fake_client(0)->got_end);
    assert_true(s->deadline_us == UINT64_MAX);
    fake_client_send(0, "hello", 5);
    LOOK(s);
    assert_int_equal(fake_program_read(0, bytes, sizeof bytes, &length), BATON_OK);
    assert_int_equal(length, 5);
    fake_client_set_room(0, 0); /* nor is there a time for the client */
    assert_true(fake_program_write(0, pump_much, PUMP_MUCH_BYTES));
    LOOK(s);
    assert_true(s->deadline_us == UINT64_MAX);
    assert_int_equal(lines_count("connection"), 0);
    if (s->number == 1) {
        fake_reset(0);
    } else if (s->number == 2) {
        scene_stop(s);
        LOOK(s);
        JUMP(s);
    } else {
        fake_client_set_room(0, SIZE_MAX);
        LOOK(s);
        fake_client_finish(0);
        fake_program_close_output(0);
    }
    LOOK(s);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_descendant_that_goes_on(void **state) {
    (void)state;
    for (uint32_t number = 0; number < 3; number++) {
        struct scene scene;
        pump_stage(&scene, &play_puppet, heir);
        scene.number = number;
        scene_run(&scene);
        assert_string_equal(lines_value(lines_record(1), "bytes_in"), "5");
        scene_clear(&scene);
    }
}

/* With `leave_children = no` what it writes is nobody's. */
static bool descendant(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_finish(0);
    ACTS(s, 0, ACT_LEAVE_PIPES, ACT_WRITE, ACT_EXIT);
    assert_pump_received(0, ACTOR_WORDS, sizeof ACTOR_WORDS - 1);
    assert_true(fake_client(0)->got_end);
    assert_int_equal(lines_count("connection"), 1);
    assert_false(fake_program_write(0, "more", 4));
    SCENE_END(s);
}

static void test_descendant_that_keeps_the_pipes(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, descendant);
    scene.services[0].leave_children = CHOICE_NO;
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

/* ---- The end of the client ---- */

static bool reset(struct scene *s) {
    size_t length = 0;
    char byte;
    SCENE_BEGIN(s);
    if (s->number == 1) { /* while it is full in both directions */
        fake_client_set_room(0, 0);
        fake_client_send(0, pump_much, PUMP_MUCH_BYTES);
        fake_program_write(0, pump_much, PUMP_MUCH_BYTES);
        LOOK(s);
    } else if (s->number == 2) { /* after its end of sending */
        fake_client_finish(0);
        LOOK(s);
    }
    fake_reset(0);
    LOOK(s);
    if (s->number == 2) {
        pump_write(0, "is there anybody");
        LOOK(s);
    }
    for (s->way = 0; s->way < 4; s->way++) { /* what is still on its way to the program */
        while (fake_program_read(0, &byte, 1, &length) == BATON_OK) {
        }
        LOOK(s);
    }
    assert_int_equal(fake_program_read(0, &byte, 1, &length), BATON_END);
    assert_false(fake_program_write(0, "x", 1));
    assert_true(s->deadline_us == UINT64_MAX); /* the program ends when it likes */
    assert_int_equal(lines_count("connection"), 0);
    s->count = (uint32_t)fake_wait_count();
    fake_advance_us(60000000);
    ACTS(s, 0, ACT_EXIT_3);
    assert_true(fake_wait_count() - s->count < 5);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_client_resets(void **state) {
    (void)state;
    for (uint32_t number = 0; number < 3; number++) {
        struct scene scene;
        pump_stage(&scene, &play_puppet, reset);
        scene.number = number;
        scene_run(&scene);
        assert_record(1, "failed", "1");
        scene_clear(&scene);
    }
}

/* It has gone in such a way that a write to it fails, but all that it sent is still to be read, as
 * Linux has it: the program gets everything. */
static bool lose(struct scene *s) {
    size_t length = 0;
    static char got[PUMP_MUCH_BYTES];
    static size_t got_bytes;
    SCENE_BEGIN(s);
    got_bytes = 0;
    fake_client_send(0, pump_much, PUMP_MUCH_BYTES);
    LOOK(s);
    fake_lose(0);
    pump_write(0, "an answer for nobody");
    for (s->way = 0; s->way < 100 && got_bytes < PUMP_MUCH_BYTES; s->way++) {
        LOOK(s);
        while (got_bytes < PUMP_MUCH_BYTES &&
               fake_program_read(0, got + got_bytes, PUMP_MUCH_BYTES - got_bytes, &length) ==
                   BATON_OK) {
            got_bytes += length;
        }
    }
    LOOK(s);
    assert_int_equal(got_bytes, PUMP_MUCH_BYTES);
    assert_memory_equal(got, pump_much, PUMP_MUCH_BYTES);
    assert_int_equal(fake_program_read(0, got, 1, &length), BATON_END);
    assert_false(fake_program_write(0, "x", 1));
    ACTS(s, 0, ACT_EXIT);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_client_that_went_after_sending(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, lose);
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

static bool reset_after_exit(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_set_room(0, s->number == 0 ? 0 : SIZE_MAX);
    ACTS(s, 0, ACT_WRITE, ACT_EXIT);
    assert_int_equal(lines_count("connection"), 0);
    fake_reset(0);
    LOOK(s);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_client_resets_after_the_exit(void **state) {
    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        struct scene scene;
        pump_stage(&scene, &play_puppet, reset_after_exit);
        scene.number = number;
        scene_run(&scene);
        assert_record(1, "served", "1");
        scene_clear(&scene);
    }
}

/* ---- The stop ---- */

static bool stop(struct scene *s) {
    SCENE_BEGIN(s);
    pump_send(0, "a question");
    LOOK(s);
    scene_stop(s);
    LOOK(s);
    assert_int_equal(fake_process(0)->terminate_count, 0);
    assert_int_equal(s->deadline_us - fake_now_us(), STOP_MS * 1000);
    pump_write(0, "an answer"); /* the relay goes on */
    LOOK(s);
    assert_pump_received(0, "an answer", 9);
    if (s->number == 0) {
        fake_client_finish(0);
        ACTS(s, 0, ACT_EXIT);
    } else {
        JUMP(s);
        assert_int_equal(fake_process(0)->terminate_count, 1);
        if (s->number == 1) {
            fake_client_finish(0);
        }
        LOOK(s);
    }
    SCENE_END(s);
}

static void test_stop_in_the_middle(void **state) {
    (void)state;
    static const char *const outcomes[] = {"served", "drained", "drained"};
    for (uint32_t number = 0; number < 3; number++) {
        struct scene scene;
        pump_stage(&scene, number == 2 ? &play_deaf : &play_puppet, stop);
        scene.number = number;
        scene_run(&scene);
        assert_record(1, outcomes[number], "1");
        assert_int_equal(fake_process(0)->kill_count, number == 2 ? 1 : 0);
        assert_int_equal(lines_count("kill_failed"), 0);
        scene_clear(&scene);
    }
}

#define CROWD_COUNT 20u
#define GIVEN_UP "the supervisor stopped before the client had taken everything"

/* Their programs have ended, but they have not taken what those wrote. */
static bool stop_while_flushing(struct scene *s) {
    SCENE_BEGIN(s);
    for (uint32_t i = 0; i < CROWD_COUNT; i++) {
        fake_client_set_room(i, i);
        scene_act(s, i, ACT_WRITE);
        scene_act(s, i, s->number == 0 ? ACT_EXIT : ACT_STAY);
    }
    LOOK(s);
    scene_stop(s);
    LOOK(s);
    s->mark_us = fake_now_us();
    if (s->number != 0) {
        scene_stop(s); /* kills them, and gives their clients no more time */
        LOOK(s);
        assert_true(fake_now_us() == s->mark_us);
    }
    SCENE_END(s);
}

static void test_stop_while_clients_are_waited_for(void **state) {
    (void)state;
    for (uint32_t number = 0; number < 2; number++) {
        struct scene scene;
        pump_stage(&scene, &play_puppet, stop_while_flushing);
        scene.client_count = scene.services[0].max_connections_count = CROWD_COUNT;
        scene.number = number;
        scene_run(&scene);
        assert_records(1, CROWD_COUNT, "drained", "1");
        for (uint32_t id = 1; id <= CROWD_COUNT; id++) {
            const char *line = lines_record(id);
            assert_string_equal(lines_value(line, "text"), GIVEN_UP);
            assert_int_equal(strtoul(lines_value(line, "bytes_out"), NULL, 10), id - 1);
        }
        assert_int_equal(fake_now_us() - scene.mark_us, number == 0 ? STOP_MS * 1000 : 0);
        assert_int_equal(lines_count("kill_failed"), 0);
        scene_clear(&scene);
    }
}

/* It is asked to end, does so, and its client takes nothing: the time for the kill is its last. */
static bool stop_and_flush(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_set_room(0, 5);
    ACTS(s, 0, ACT_WRITE);
    s->mark_us = fake_now_us();
    scene_stop(s);
    LOOK(s);
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 1);
    LOOK(s);
    assert_int_equal(s->deadline_us - s->mark_us, 2 * STOP_MS * 1000);
    SCENE_END(s);
}

static void test_end_by_the_stop_with_output_pending(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, stop_and_flush);
    scene_run(&scene);
    assert_record(1, "drained", "1");
    assert_string_equal(lines_value(lines_record(1), "text"), GIVEN_UP);
    assert_int_equal(fake_now_us() - scene.mark_us, 2 * STOP_MS * 1000);
    assert_int_equal(lines_count("kill_failed"), 0);
    scene_clear(&scene);
}

static void test_second_stop(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_deaf, scene_hurry);
    scene.client_count = 3;
    scene_run(&scene);
    assert_records(1, 3, "drained", "1");
    assert_int_equal(fake_now_us(), FAKE_START_US);
    scene_clear(&scene);
}

/* ---- Events that come too late ---- */

static bool stale(struct scene *s) {
    SCENE_BEGIN(s);
    s->mark_us = fake_stream(0)->token;
    fake_client_finish(0);
    ACTS(s, 0, ACT_EXIT);
    assert_int_equal(lines_count("connection"), 1);
    fake_inject(PLATFORM_EVENT_STREAM, s->mark_us);
    LOOK(s);
    CONNECT(s);
    assert_true(fake_stream(3)->token != s->mark_us);
    fake_client_set_room(1, 0);
    fake_inject(PLATFORM_EVENT_STREAM, s->mark_us);
    fake_inject(PLATFORM_EVENT_STREAM, fake_stream(3)->token); /* in vain */
    LOOK(s);
    ACTS(s, 1, ACT_WRITE, ACT_EXIT);
    fake_client_set_room(1, SIZE_MAX);
    fake_client_finish(1);
    LOOK(s);
    assert_int_equal(lines_count("connection"), 2);
    SCENE_END(s);
}

static void test_stale_events(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, stale);
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    assert_pump_received(1, ACTOR_WORDS, sizeof ACTOR_WORDS - 1);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_with_output_pending),
        cmocka_unit_test(test_client_that_never_reads),
        cmocka_unit_test(test_client_that_is_idle_behind_the_end),
        cmocka_unit_test(test_linger),
        cmocka_unit_test(test_descendant_that_goes_on),
        cmocka_unit_test(test_descendant_that_keeps_the_pipes),
        cmocka_unit_test(test_client_resets),
        cmocka_unit_test(test_client_that_went_after_sending),
        cmocka_unit_test(test_client_resets_after_the_exit),
        cmocka_unit_test(test_stop_in_the_middle),
        cmocka_unit_test(test_stop_while_clients_are_waited_for),
        cmocka_unit_test(test_end_by_the_stop_with_output_pending),
        cmocka_unit_test(test_second_stop),
        cmocka_unit_test(test_stale_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
