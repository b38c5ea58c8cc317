/* Handlers whose standard input and output are the connection: taken as soon as they are launched,
 * known by their exit alone. */
#include "scene.h"

#include <string.h>

static void stage(struct scene *scene, const struct play *play, scene_script *script) {
    scene_stage(scene, play, script);
    scene_mode(scene, 0, HANDOFF_STDIO, PROTOCOL_TCP, false);
}

/* ---- A whole life ---- */

static bool live(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), 1);
    assert_int_equal(fake_process(0)->streams, PLATFORM_STREAMS_SOCKET);
    assert_int_equal(fake_process(0)->client, 0);
    assert_int_equal(fake_process(0)->error_follows_output, s->number == 1);
    assert_true(fake_listener(0)->spec.is_plain);
    assert_false(fake_listener(0)->spec.is_handed_over);
    /* It has its client from the start: no deadline, and no copy in the supervisor. */
    assert_true(s->deadline_us == UINT64_MAX);
    assert_false(fake_client(0)->supervisor_has);
    assert_int_equal(fake_client(0)->copy_count, 1);
    fake_handler_write(0, 0, "a word\n", 7);
    fake_advance_us(3600u * 1000000u);
    LOOK(s);
    scene_act(s, 0, s->number == 0 ? ACT_EXIT : s->number == 1 ? ACT_EXIT_3 : ACT_CRASH);
    LOOK(s);
    assert_true(fake_client(0)->got_end);
    SCENE_END(s);
}

static void test_outcomes(void **state) {
    (void)state;
    static const char *const outcomes[] = {"served", "failed", "crashed"};
    static const char *const keys[] = {"exit", "exit", "signal"};
    static const char *const values[] = {"0", "3", "11"};
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        stage(&scene, &play_puppet, live);
        scene.services[0].stderr_to = way == 1 ? STDERR_SOCKET : STDERR_LOG;
        scene.number = way;
        scene_run(&scene);
        assert_record(1, outcomes[way], "1");
        const char *line = lines_record(1);
        assert_string_equal(lines_value(line, keys[way]), values[way]);
        assert_string_equal(lines_value(line, "event"), "connection");
        assert_string_equal(lines_value(line, "pid"), "1000");
        assert_string_equal(lines_value(line, "peer"), "10.0.0.0:50000");
        assert_string_equal(lines_value(line, "local"), "127.0.0.1:7001");
        assert_string_equal(lines_value(line, "duration_ms"), "3600000");
        assert_true(lines_has(line, "wait_us") && lines_has(line, "launch_us"));
        assert_false(lines_has(line, "status"));
        assert_int_equal(lines_count("output"), 1);
        scene_clear(&scene);
    }
}

static void test_many_in_turn_and_at_once(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_exit, NULL);
    scene.client_count = 30;
    scene.services[0].max_connections_count = 3;
    scene_run(&scene);
    assert_records(1, 30, "served", "1");
    assert_int_equal(fake_process_count(), 30);
    scene_clear(&scene);
}

static bool full(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), 2);
    assert_int_equal(fake_client(2)->accepted_number, 0);
    ACTS(s, 1, ACT_EXIT);
    assert_int_equal(fake_process_count(), 3);
    assert_int_equal(fake_client(3)->accepted_number, 0);
    for (s->number = 0; s->number < 4; s->number++) {
        if (s->number != 1) {
            ACTS(s, s->number, ACT_EXIT);
        }
    }
    SCENE_END(s);
}

static void test_max_connections(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, full);
    scene.client_count = 4;
    scene.services[0].max_connections_count = 2;
    scene_run(&scene);
    assert_records(1, 4, "served", "1");
    scene_clear(&scene);
}

static void test_local_socket(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene_mode(&scene, 0, HANDOFF_STDIO, PROTOCOL_UNIX, false);
    scene.services[0].socket_group = "users";
    scene.services[0].socket_ids[0] = UINT32_MAX;
    scene.services[0].socket_ids[1] = 100;
    scene_play(&scene, &play_exit);
    scene_run(&scene);
    assert_int_equal(fake_listener(0)->spec.protocol, PLATFORM_UNIX);
    assert_string_equal(fake_listener(0)->spec.path, "/run/one");
    assert_int_equal(fake_listener(0)->spec.owner[0], UINT32_MAX);
    assert_int_equal(fake_listener(0)->spec.owner[1], 100);
    assert_int_equal(fake_listener(0)->spec.mode, 0660);
    assert_string_equal(lines_value(lines_find("listening", 0), "address"), "/run/one");
    scene_clear(&scene);
}

static bool two_local_clients(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect_path("/run/one");
    fake_connect_path("/run/one");
    LOOK(s);
    SCENE_END(s);
}

static void test_local_clients(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene_mode(&scene, 0, HANDOFF_STDIO, PROTOCOL_UNIX, false);
    scene_play(&scene, &play_exit);
    scene.script = two_local_clients;
    scene_run(&scene);
    assert_records(1, 2, "served", "1");
    assert_string_equal(lines_value(lines_record(2), "local"), "/run/one");
    assert_string_equal(lines_value(lines_record(2), "peer"), "uid:1000,pid:2");
    scene_clear(&scene);
}

static bool local_client_of_elsewhere(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect_path("/run/one");
    LOOK(s);
    if (s->services[0].has_channel) {
        assert_true(scene_actor(s, 0)->told_uid);
        assert_int_equal(scene_actor(s, 0)->uid, s->number);
        assert_false(scene_actor(s, 0)->told_pid);
    }
    SCENE_END(s);
}

/* Its user is told to everybody, though nobody can name its process. */
static void test_local_clients_of_another_pid_namespace(void **state) {
    static const uint32_t uids[] = {0, 1000};
    (void)state;
    for (uint32_t way = 0; way < 4; way++) {
        struct scene scene;
        scene_init(&scene);
        scene_mode(&scene, 0, way < 2 ? HANDOFF_STDIO : HANDOFF_CHANNEL, PROTOCOL_UNIX, false);
        scene_play(&scene, way < 2 ? &play_exit : &play_good);
        fake_hide_pids(uids[way % 2]);
        scene.number = uids[way % 2];
        scene.script = local_client_of_elsewhere;
        scene_run(&scene);
        assert_record(1, "served", "1");
        assert_string_equal(lines_value(lines_record(1), "peer"),
                            way % 2 == 0 ? "uid:0" : "uid:1000");
        scene_clear(&scene);
    }
}

/* ---- Launches that fail ---- */

static void test_launch_failures(void **state) {
    (void)state;
    static const int codes[] = {BATON_NOT_FOUND, BATON_DENIED, BATON_TOO_LONG, BATON_SYSTEM};
    for (size_t i = 0; i < 4; i++) {
        for (uint32_t count = 1; count <= 2; count++) {
            struct scene scene;
            stage(&scene, &play_exit, NULL);
            fake_fail(FAKE_LAUNCH, codes[i], count);
            scene_run(&scene);
            assert_record(1, count == 1 ? "served" : "launch_failed", "2");
            assert_int_equal(lines_count("launch_failed"), count);
            scene_clear(&scene);
        }
    }
}

static void test_launch_shortage_costs_nothing(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_exit, NULL);
    scene.client_count = 5;
    scene.services[0].attempts_count = 1;
    fake_fail(FAKE_LAUNCH, BATON_SHORTAGE, 7);
    scene_run(&scene);
    assert_records(1, 5, "served", "1");
    assert_true(fake_wait_count() < 200);
    scene_clear(&scene);
}

/* ---- The stop ---- */

static bool stop(struct scene *s) {
    SCENE_BEGIN(s);
    scene_stop(s);
    LOOK(s);
    /* It may finish its client in peace, for a while. */
    assert_int_equal(fake_process(0)->terminate_count, 0);
    assert_int_equal(s->deadline_us - fake_now_us(), STOP_MS * 1000);
    if (s->number == 0) {
        scene_act(s, 0, ACT_EXIT);
        LOOK(s);
    }
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 1);
    if (s->number == 2) {
        assert_int_equal(fake_process(0)->kill_count, 0);
        LOOK(s);
        assert_int_equal(s->deadline_us - fake_now_us(), STOP_MS * 1000);
        JUMP(s);
        assert_int_equal(fake_process(0)->kill_count, 1);
    }
    SCENE_END(s);
}

static void test_stop(void **state) {
    (void)state;
    static const char *const outcomes[] = {"served", "drained", "drained"};
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        stage(&scene, way == 2 ? &play_deaf : &play_puppet, stop);
        scene.number = way;
        scene_run(&scene);
        assert_record(1, outcomes[way], "1");
        assert_int_equal(fake_process(0)->kill_count, way == 2 ? 1 : 0);
        scene_clear(&scene);
    }
}

static void test_second_stop(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_deaf, scene_hurry);
    scene.client_count = 3;
    scene_run(&scene);
    assert_records(1, 3, "drained", "1");
    assert_int_equal(fake_process(2)->kill_count, 1);
    scene_clear(&scene);
}

static void test_stop_when_starved(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_exit, scene_stop_late);
    scene.client_count = 3;
    fake_fail(FAKE_LAUNCH, BATON_SHORTAGE, FAKE_ALWAYS);
    scene_run(&scene);
    assert_int_equal(lines_count("connection"), 1); /* accepting pauses with the first */
    assert_record(1, "drained", "0");
    scene_clear(&scene);
}

/* Exit codes that the service calls a success, and those that it does not; a signal is none. */
static void test_exit_codes_of_success(void **state) {
    (void)state;
    static uint32_t codes[] = {255, 3};
    const struct play exits_3 = PLAY(ACT_EXIT_3);
    const struct play crashes = PLAY(ACT_CRASH);
    const struct play *const plays[] = {&exits_3, &play_exit, &crashes};
    static const char *const outcomes[] = {"served", "failed", "crashed"};
    for (size_t i = 0; i < 3; i++) {
        struct scene scene;
        scene_stage(&scene, plays[i], NULL);
        scene_mode(&scene, 0, HANDOFF_STDIO, PROTOCOL_TCP, false);
        scene.services[0].success_exits = codes;
        scene.services[0].success_exit_count = 2;
        scene_run(&scene);
        assert_record(1, outcomes[i], "1");
        scene_clear(&scene);
    }
}

/* Windows ends the job of a program that could not be told to end, and the log says why. */
static bool stop_a_deaf_one(struct scene *s) {
    SCENE_BEGIN(s);
    fake_handler_deafen(0);
    scene_stop(s);
    LOOK(s);
    assert_int_equal(lines_count("terminate"), 0);
    JUMP(s);
    assert_int_equal(fake_process(0)->terminate_count, 1);
    assert_record(1, "drained", "1");
    assert_int_equal(lines_count("break_failed"), 1);
    const char *line = lines_find("break_failed", 0);
    assert_string_equal(lines_value(line, "service"), "one");
    assert_string_equal(lines_value(line, "pid"), "1000");
    assert_memory_equal(lines_value(line, "reason"), "AttachConsole: ", 15);
    SCENE_END(s);
}

static void test_one_that_could_not_be_told(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, stop_a_deaf_one);
    scene_run(&scene);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_many_in_turn_and_at_once),
        cmocka_unit_test(test_max_connections),
        cmocka_unit_test(test_local_socket),
        cmocka_unit_test(test_local_clients),
        cmocka_unit_test(test_local_clients_of_another_pid_namespace),
        cmocka_unit_test(test_launch_failures),
        cmocka_unit_test(test_launch_shortage_costs_nothing),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_second_stop),
        cmocka_unit_test(test_stop_when_starved),
        cmocka_unit_test(test_exit_codes_of_success),
        cmocka_unit_test(test_one_that_could_not_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
