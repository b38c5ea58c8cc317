/* Handlers behind pipes: what the supervisor relays between them and their clients while both live,
 * and launches that fail. */
#include "pump.h"

#include <string.h>

#define RELAY_HELD_BYTES 65536u /* one direction */

/* ---- A whole life ---- */

static bool talk(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process(0)->streams, PLATFORM_STREAMS_PIPES);
    assert_int_equal(fake_process(0)->error_follows_output, s->number == 1);
    assert_int_equal(fake_process(0)->copy_count, 0);
    assert_false(fake_listener(0)->spec.is_handed_over);
    assert_true(s->deadline_us == UINT64_MAX);
    assert_true(fake_client(0)->supervisor_has);
    pump_send(0, "question");
    LOOK(s);
    assert_pump_reads(0, "question", BATON_AGAIN);
    pump_write(0, "answer");
    LOOK(s);
    assert_pump_received(0, "answer", 6);
    /* The client's end is carried; the other direction goes on. */
    pump_send(0, ", last words");
    fake_client_finish(0);
    LOOK(s);
    assert_pump_reads(0, ", last words", BATON_END);
    assert_false(fake_client(0)->got_end);
    fake_advance_us(3600u * 1000000u);
    pump_write(0, " at length");
    LOOK(s);
    assert_pump_received(0, "answer at length", 16);
    assert_int_equal(lines_count("connection"), 0);
    pump_write(0, "!");
    scene_act(s, 0, s->number == 2 ? ACT_CRASH : s->number == 1 ? ACT_EXIT_3 : ACT_EXIT);
    LOOK(s);
    assert_pump_received(0, "answer at length!", 17);
    assert_true(fake_client(0)->got_end);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_conversation(void **state) {
    (void)state;
    static const char *const outcomes[] = {"served", "failed", "crashed"};
    for (uint32_t number = 0; number < 3; number++) {
        struct scene scene;
        pump_stage(&scene, &play_puppet, talk);
        scene.number = number;
        scene.services[0].stderr_to = number == 1 ? STDERR_SOCKET : STDERR_LOG;
        scene_run(&scene);
        assert_record(1, outcomes[number], "1");
        const char *line = lines_record(1);
        assert_string_equal(lines_value(line, "bytes_in"), "20");
        assert_string_equal(lines_value(line, "bytes_out"), "17");
        assert_string_equal(lines_value(line, "duration_ms"), "3600000");
        assert_false(lines_has(line, "text"));
        scene_clear(&scene);
    }
}

/* What is there before the launch, by a client that has finished already. */
static bool early(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    pump_send(0, "early");
    fake_client_finish(0);
    LOOK(s);
    LOOK(s);
    assert_pump_received(0, "early", 5);
    assert_true(fake_client(0)->got_end);
    SCENE_END(s);
}

static void test_what_waits_at_the_launch(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_copier, early);
    scene.client_count = 0;
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

static bool end_of_output(struct scene *s) {
    SCENE_BEGIN(s);
    pump_write(0, "all");
    ACTS(s, 0, ACT_CLOSE_OUTPUT);
    assert_pump_received(0, "all", 3);
    assert_true(fake_client(0)->got_end);
    pump_send(0, "more");
    LOOK(s);
    assert_pump_reads(0, "more", BATON_AGAIN);
    fake_client_finish(0);
    LOOK(s);
    assert_pump_reads(0, "", BATON_END);
    /* Both directions are over, and the program lives: only its exit ends the connection. */
    assert_true(s->deadline_us == UINT64_MAX);
    assert_int_equal(lines_count("connection"), 0);
    fake_advance_us(60000000);
    ACTS(s, 0, ACT_EXIT);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static bool output_that_is_lost(struct scene *s) {
    SCENE_BEGIN(s);
    pump_write(0, "some");
    LOOK(s);
    fake_program_lose_output(0);
    assert_true(fake_program_write(0, "more", 4));
    LOOK(s);
    assert_pump_received(0, "some", 4);
    assert_true(fake_client(0)->got_end);
    assert_false(fake_program_write(0, "and more", 8));
    fake_client_finish(0);
    LOOK(s);
    ACTS(s, 0, ACT_EXIT);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_output_that_cannot_be_read_is_closed(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, output_that_is_lost);
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

static void test_program_ends_its_output(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, end_of_output);
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

static bool end_of_input(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_CLOSE_INPUT);
    fake_client_send(0, pump_much, PUMP_MUCH_BYTES);
    LOOK(s);
    assert_int_equal(pump_unread_bytes(0), 0); /* the client must not hang in a write */
    pump_write(0, "no, thanks");
    LOOK(s);
    assert_pump_received(0, "no, thanks", 10);
    ACTS(s, 0, ACT_EXIT);
    assert_true(fake_client(0)->got_end);
    fake_client_finish(0);
    LOOK(s);
    assert_int_equal(lines_count("connection"), 1);
    SCENE_END(s);
}

static void test_program_closes_its_input(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, end_of_input);
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_false(fake_client(0)->was_cut);
    scene_clear(&scene);
}

/* ---- Much, and back-pressure ---- */

static bool much_both_ways(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_send(0, pump_much, PUMP_MUCH_BYTES);
    fake_client_finish(0);
    LOOK(s);
    LOOK(s);
    assert_pump_received(0, pump_much, PUMP_MUCH_BYTES);
    assert_true(fake_client(0)->got_end);
    SCENE_END(s);
}

static void test_nothing_is_lost_or_swapped(void **state) {
    (void)state;
    static const size_t chunks[] = {SIZE_MAX, 16384, 5000, 611};
    for (uint32_t i = 0; i < 8; i++) {
        struct scene scene;
        pump_stage(&scene, &play_copier, much_both_ways);
        fake_set_chunk(chunks[i % 4]);
        fake_shuffle(i < 4 ? 0 : i);
        scene_run(&scene);
        assert_record(1, "served", "1");
        assert_string_equal(lines_value(lines_record(1), "bytes_out"), "1000000");
        scene_clear(&scene);
    }
}

static bool slow_program(struct scene *s) {
    static char piece[1000];
    size_t length = 0;
    SCENE_BEGIN(s);
    fake_client_send(0, pump_much, PUMP_MUCH_BYTES);
    fake_client_finish(0);
    LOOK(s);
    assert_true(pump_unread_bytes(0) >= PUMP_MUCH_BYTES - FAKE_PIPE_BYTES - RELAY_HELD_BYTES);
    assert_true(s->deadline_us == UINT64_MAX);
    s->count = (uint32_t)fake_wait_count();
    for (s->number = 0; s->number < PUMP_MUCH_BYTES / sizeof piece; s->number++) {
        assert_int_equal(fake_program_read(0, piece, sizeof piece, &length), BATON_OK);
        assert_int_equal(length, sizeof piece);
        assert_memory_equal(piece, pump_much + s->number * sizeof piece, sizeof piece);
        LOOK(s);
    }
    assert_pump_reads(0, "", BATON_END);
    assert_true(fake_wait_count() - s->count < 5000);
    ACTS(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_slow_program_holds_its_client_back(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, slow_program);
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

static bool slow_client(struct scene *s) {
    SCENE_BEGIN(s);
    fake_client_set_room(0, 0);
    fake_program_write(0, pump_much, PUMP_MUCH_BYTES);
    LOOK(s);
    assert_true(fake_program_unread_bytes(0) >= PUMP_MUCH_BYTES - RELAY_HELD_BYTES);
    assert_true(s->deadline_us == UINT64_MAX); /* as long as the program lives, nobody hurries */
    for (s->number = 1; s->number <= 100; s->number++) {
        fake_client_set_room(0, 1000);
        s->count = (uint32_t)fake_wait_count();
        LOOK(s);
        assert_pump_received(0, pump_much, s->number * 1000);
        assert_true(fake_wait_count() - s->count < 10);
    }
    fake_client_set_room(0, SIZE_MAX);
    LOOK(s);
    assert_pump_received(0, pump_much, PUMP_MUCH_BYTES);
    ACTS(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_slow_client_holds_its_program_back(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_puppet, slow_client);
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

/* A hundred at once, in and out of step. */
static bool crowd(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), 100);
    for (uint32_t i = 0; i < 100; i++) {
        fake_client_send(i, pump_much + 1000 * i, 50000 + 17 * i);
        fake_client_finish(i);
    }
    LOOK(s);
    LOOK(s);
    LOOK(s);
    SCENE_END(s);
}

static void test_many_at_once(void **state) {
    (void)state;
    struct scene scene;
    pump_stage(&scene, &play_copier, crowd);
    scene.client_count = 100;
    scene.services[0].max_connections_count = 100;
    fake_set_chunk(3000);
    fake_shuffle(5);
    scene_run(&scene);
    assert_records(1, 100, "served", "1");
    for (uint32_t i = 0; i < 100; i++) {
        assert_pump_received(i, pump_much + 1000 * i, 50000 + 17 * i);
    }
    scene_clear(&scene);
}

static void test_many_in_turn(void **state) {
    (void)state;
    static const enum act acts[] = {ACT_WRITE, ACT_EXIT};
    static const struct play play_write = {.acts = acts};
    struct scene scene;
    pump_stage(&scene, &play_write, NULL);
    scene.client_count = 30;
    scene.services[0].max_connections_count = 3;
    scene_run(&scene);
    assert_records(1, 30, "served", "1");
    for (uint32_t i = 0; i < 30; i++) {
        assert_pump_received(i, ACTOR_WORDS, sizeof ACTOR_WORDS - 1);
        assert_true(fake_client(i)->got_end);
    }
    scene_clear(&scene);
}

/* ---- Launches that fail ---- */

static const struct {
    enum fake_call call;
    int code;
} ways[] = {{FAKE_LAUNCH, BATON_NOT_FOUND},
            {FAKE_LAUNCH, BATON_SHORTAGE},
            {FAKE_STREAM, BATON_SHORTAGE},
            {FAKE_STREAM, BATON_SYSTEM}};

static bool failing(struct scene *s) {
    SCENE_BEGIN(s);
    fake_fail(ways[s->way].call, ways[s->way].code, s->count);
    fake_connect(SCENE_PORT);
    pump_send(0, "hello");
    fake_client_finish(0);
    LOOK(s);
    SCENE_END(s);
}

/* The connection is as it was before the launch: nothing of it is lost, or left open. */
static void test_launch_failures(void **state) {
    (void)state;
    for (uint32_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        for (uint32_t count = 1; count <= 2; count++) {
            struct scene scene;
            bool shortage = ways[way].code == BATON_SHORTAGE;
            bool served = shortage || count == 1;
            pump_stage(&scene, &play_copier, failing);
            scene.client_count = 0;
            scene.way = way;
            scene.count = count;
            scene_run(&scene);
            assert_record(1, served ? "served" : "launch_failed", shortage ? "1" : "2");
            assert_pump_received(0, "hello", served ? 5 : 0);
            scene_clear(&scene);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conversation),
        cmocka_unit_test(test_what_waits_at_the_launch),
        cmocka_unit_test(test_output_that_cannot_be_read_is_closed),
        cmocka_unit_test(test_program_ends_its_output),
        cmocka_unit_test(test_program_closes_its_input),
        cmocka_unit_test(test_nothing_is_lost_or_swapped),
        cmocka_unit_test(test_slow_program_holds_its_client_back),
        cmocka_unit_test(test_slow_client_holds_its_program_back),
        cmocka_unit_test(test_many_at_once),
        cmocka_unit_test(test_many_in_turn),
        cmocka_unit_test(test_launch_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
