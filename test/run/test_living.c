/* Processes that live on: what the shell does for them. */
#include "scene.h"

static const char handler[] = "/handlers/one";

/* Two spares wait before the first client; each further one is there a moment behind its client,
 * for before it would take the processor from that. */
static bool spares(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), 1); /* one by one, until one has said HELLO */
    assert_null(fake_variable(0, "BATON_ID"));
    ACTS(s, 0, ACT_HELLO);
    assert_int_equal(fake_process_count(), 2);
    ACTS(s, 1, ACT_HELLO);
    assert_int_equal(fake_process_count(), 2);
    fake_handler_write(1, fake_process(1)->pid, "before anybody\n", 15);
    LOOK(s);
    fake_advance_us(1000);
    CONNECT(s);
    assert_int_equal(scene_listen(s, 1)->offer_count + scene_listen(s, 0)->offer_count, 1);
    s->number = scene_actor(s, 1)->offer_count == 1;
    ACTS(s, s->number, ACT_ACK);
    assert_int_equal(fake_process_count(), 2);
    ACTS(s, s->number, ACT_DONE);
    scene_act(s, s->number, ACT_EXIT);
    LOOK(s);
    assert_int_equal(fake_process_count(), 2);
    JUMP(s);
    assert_int_equal(fake_process_count(), 3);
    scene_act(s, 2, ACT_HELLO);
    LOOK(s);
    assert_int_equal(fake_process_count(), 3);
    SCENE_END(s);
}

static void test_spares(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, spares);
    scene.client_count = 0;
    scene.services[0].spares_count = scene.services[0].spares_min_count =
        scene.services[0].spares_max_count = 2;
    scene_run(&scene);
    assert_record(1, "served", "1");
    const char *line = lines_record(1);
    assert_true(lines_has(line, "wait_us") && !lines_has(line, "launch_us"));
    line = lines_find("output", 0);
    assert_string_equal(lines_value(line, "text"), "before anybody");
    assert_true(lines_has(line, "pid") && !lines_has(line, "id"));
    assert_int_equal(lines_count("process"), 0); /* its record says it all */
    scene_clear(&scene);
}

/* All spares are there; then clients who stay come, `way` us one after the other, until there is a
 * further process; `number` have then. */
static bool spares_behind_clients(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < s->services[0].spares_count; s->number++) {
        assert_true(fake_process_count() > s->number);
        scene_act(s, s->number, ACT_HELLO);
        LOOK(s);
    }
    assert_int_equal(fake_process_count(), s->services[0].spares_count);
    s->mark_us = fake_now_us();
    for (s->number = 1; s->number < 16; s->number++) {
        CONNECT(s);
        if (fake_process_count() > s->services[0].spares_count) {
            break;
        }
        if (s->way == 0) {
            JUMP(s);
            break;
        }
        fake_advance_us(s->way);
    }
    assert_true(fake_process_count() > s->services[0].spares_count);
    assert_in_range(s->way == 0 ? fake_now_us() - s->mark_us : 0, 0, 1000);
    scene_stop(s);
    LOOK(s);
    scene_stop(s);
    SCENE_END(s);
}

static uint32_t clients_before_a_spare(uint32_t gap_us) {
    struct scene scene;
    scene_stage(&scene, &play_puppet, spares_behind_clients);
    scene.client_count = 0;
    scene.way = gap_us;
    scene.services[0].max_connections_count = 32;
    scene.services[0].spares_count = scene.services[0].spares_min_count =
        scene.services[0].spares_max_count = 16;
    scene_run(&scene);
    scene_clear(&scene);
    return scene.number;
}

/* A millisecond behind the first who has taken one, or behind some if they come faster. */
static void test_spares_behind_clients(void **state) {
    (void)state;
    assert_int_equal(clients_before_a_spare(0), 1);
    assert_int_equal(clients_before_a_spare(2000), 2);
    assert_int_equal(clients_before_a_spare(400), 4);
    assert_int_equal(clients_before_a_spare(10), 8);
}

/* The only one is launched again as soon as its client has been served. */
static bool the_last_spare(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK, ACT_DONE);
    assert_int_equal(fake_process_count(), 1);
    s->mark_us = fake_now_us();
    scene_act(s, 0, ACT_EXIT);
    LOOK(s);
    assert_int_equal(fake_process_count(), 2);
    assert_int_equal(fake_now_us(), s->mark_us);
    ACTS(s, 1, ACT_HELLO);
    SCENE_END(s);
}

static void test_the_last_spare(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, the_last_spare);
    scene.client_count = 0;
    scene.services[0].spares_count = scene.services[0].spares_min_count =
        scene.services[0].spares_max_count = 1;
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

/* Who has one back before that millisecond is over leaves nothing behind: neither a deadline, nor a
 * launch for those who come later. */
static bool spares_given_back(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO);
    for (s->number = 0; s->number < 20; s->number++) {
        CONNECT(s);
        assert_int_equal(scene_listen(s, 0)->offer_count, s->number + 1);
        assert_int_equal(fake_process_count(), 1);
        ACTS(s, 0, ACT_ACK, ACT_DONE);
        assert_true(s->deadline_us - fake_now_us() > 1000);
        fake_advance_us(s->way);
        LOOK(s);
    }
    assert_int_equal(fake_process_count(), 1);
    SCENE_END(s);
}

static void test_spares_given_back(void **state) {
    static const uint32_t gaps_us[] = {100, 2000};
    (void)state;
    for (size_t i = 0; i < sizeof gaps_us / sizeof *gaps_us; i++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, spares_given_back);
        scene.client_count = 0;
        scene.way = gaps_us[i];
        scene.services[0].reuse_count = 0;
        scene.services[0].max_connections_count = 32;
        scene.services[0].spares_count = scene.services[0].spares_min_count =
            scene.services[0].spares_max_count = 1;
        scene_run(&scene);
        assert_int_equal(lines_count("connection"), 20);
        scene_clear(&scene);
    }
}

/* A line for each process that may have served many. */
static void test_a_line_at_the_end(void **state) {
    (void)state;
    const struct play play =
        PLAY(ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_TICK, ACT_DONE, ACT_AWAIT_OFFER, ACT_ACK,
             ACT_TICK, ACT_DONE, ACT_AWAIT_DRAIN, ACT_EXIT_3);
    struct scene scene;
    scene_stage(&scene, &play, NULL);
    scene.client_count = 2;
    scene.services[0].reuse_count = 2;
    scene.services[0].max_connections_count = 1;
    scene_run(&scene);
    const char *line = lines_find("process", 0);
    assert_string_equal(lines_value(line, "service"), "one");
    assert_string_equal(lines_value(line, "pid"), "1000");
    assert_string_equal(lines_value(line, "exit"), "3");
    assert_string_equal(lines_value(line, "taken"), "2");
    assert_string_equal(lines_value(line, "reason"), "reuse");
    assert_string_equal(lines_value(line, "level"), "info"); /* it had served by then */
    assert_true(lines_has(line, "duration_ms"));
    assert_int_equal(lines_count("process"), 1);
    scene_clear(&scene);
}

static bool crash(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK);
    scene_act(s, 0, ACT_CRASH);
    SCENE_END(s);
}

static void test_one_that_holds_many_crashes(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, crash);
    scene.services[0].reuse_count = 0;
    scene_run(&scene);
    assert_records(1, 2, "crashed", "1");
    const char *line = lines_find("process", 0);
    assert_string_equal(lines_value(line, "signal"), "11");
    assert_string_equal(lines_value(line, "taken"), "2");
    assert_string_equal(lines_value(line, "reason"), "exited");
    assert_string_equal(lines_value(line, "level"), "warning");
    scene_clear(&scene);
}

/* The one that is idle ends, the one that serves goes on without a further client. */
static bool changed(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    CONNECT(s);
    ACTS(s, 1, ACT_HELLO, ACT_ACK, ACT_DONE);
    assert_int_equal(fake_process_count(), 2);
    assert_int_equal(fake_file_changes(handler), 1);
    LOOK(s);
    assert_true(scene_listen(s, 1)->drained);
    scene_act(s, 1, ACT_EXIT);
    assert_false(scene_listen(s, 0)->drained);
    CONNECT(s);
    assert_int_equal(fake_process_count(), 3);
    ACTS(s, 2, ACT_HELLO, ACT_ACK, ACT_DONE);
    ACTS(s, 0, ACT_DONE);
    assert_true(scene_listen(s, 0)->drained);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_the_file_changes(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, changed);
    scene.services[0].reuse_count = 0;
    scene_run(&scene);
    assert_records(1, 3, "served", "1");
    assert_int_equal(lines_count("handler_changed"), 1);
    assert_string_equal(lines_value(lines_find("process", 0), "reason"), "changed");
    assert_string_equal(lines_value(lines_find("process", 1), "reason"), "changed");
    assert_string_equal(lines_value(lines_find("process", 2), "reason"), "stop");
    scene_clear(&scene);
}

/* It is written again and again: that is followed ever less often, but to the end of it. */
static bool changes_always(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 629 * 7; s->number++) {
        fake_file_changes(handler);
        LOOK(s);
        fake_advance_us(1000000 / 629);
    }
    s->count = lines_count("handler_changed");
    assert_in_range(s->count, 2, 10);
    CONNECT(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    fake_file_changes(handler);
    LOOK(s);
    assert_int_equal(lines_count("handler_changed"), s->count);
    JUMP(s);
    assert_int_equal(lines_count("handler_changed"), s->count + 1);
    ACTS(s, 0, ACT_DONE);
    assert_true(scene_listen(s, 0)->drained); /* it is of an older file */
    ACTS(s, 0, ACT_EXIT);
    JUMP(s); /* nothing has happened meanwhile */
    assert_int_equal(lines_count("handler_changed"), s->count + 1);
    assert_true(s->deadline_us == UINT64_MAX);
    fake_advance_us(60000000);
    fake_file_changes(handler);
    LOOK(s);
    assert_int_equal(lines_count("handler_changed"), s->count + 2); /* at once again */
    SCENE_END(s);
}

static void test_the_file_changes_always(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, changes_always);
    scene.client_count = 0;
    scene.services[0].reuse_count = 0;
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

static bool is_watched(struct scene *s) {
    SCENE_BEGIN(s);
    s->count = fake_file_changes(handler);
    SCENE_END(s);
}

static void test_who_is_watched(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        scene_stage(&scene, &play_server, is_watched);
        scene.services[0].reuse_count = way == 0 ? 1 : 5;
        if (way == 2) {
            fake_fail(FAKE_FILE_WATCH, BATON_SHORTAGE, 1);
        }
        scene_run(&scene);
        assert_record(1, "served", "1"); /* whatever comes of it */
        assert_int_equal(scene.count, way == 1);
        assert_int_equal(lines_count("not_watched"), way == 2);
        scene_clear(&scene);
    }
}

/* DONE comes before the exit, which tells what it has cost: the record waits for that, for a
 * moment, and its client's place is free all the same. */
static bool lingers(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK, ACT_DONE);
    assert_int_equal(lines_count("connection"), 0);
    assert_int_equal(fake_process_count(), 1);
    s->mark_us = fake_now_us();
    CONNECT(s);
    assert_int_equal(fake_process_count(), 2);
    ACTS(s, 1, ACT_HELLO, ACT_ACK, ACT_DONE);
    if (s->number == 0) {
        fake_handler_costs(0, 1234, 5678);
        scene_act(s, 0, ACT_EXIT);
        LOOK(s);
        assert_non_null(lines_record(1));
        assert_null(lines_record(2)); /* it is not its own that has ended */
        scene_act(s, 1, ACT_EXIT);
        LOOK(s);
        assert_non_null(lines_record(2));
        assert_true(s->deadline_us == UINT64_MAX); /* nothing is left to wait for */
    } else if (s->number == 1) {
        JUMP(s);
        assert_int_equal(fake_now_us() - s->mark_us, 100000);
        assert_true(lines_record(1) != NULL && lines_record(2) != NULL);
        scene_act(s, 0, ACT_EXIT);
        scene_act(s, 1, ACT_EXIT);
    } else {
        scene_stop(s);
    }
    SCENE_END(s);
}

static void test_a_record_waits_for_the_exit(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 3; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, lingers);
        scene.number = way;
        scene.services[0].max_connections_count = 1;
        scene_run(&scene);
        assert_records(1, 2, "served", "1");
        const char *line = lines_record(1);
        assert_string_equal(lines_value(line, "cpu_us"), way == 0 ? "1234" : "");
        assert_string_equal(lines_value(line, "memory_peak_kib"), way == 0 ? "5678" : "");
        assert_false(lines_has(line, "exit")); /* DONE has decided */
        assert_false(lines_has(lines_record(2), "cpu_us"));
        scene_clear(&scene);
    }
}

/* Memory is looked at behind DONE, ten times a second at most; what it has become in between is
 * seen all the same. */
static bool grows(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    assert_int_equal(fake_process(0)->measured_count, 0);
    fake_handler_has_memory(0, 1023);
    ACTS(s, 0, ACT_DONE);
    s->count = s->number + 1; /* where it takes its time it is asked twice */
    assert_int_equal(fake_process(0)->measured_count, s->count);
    fake_handler_has_memory(0, 1024);
    fake_advance_us(99000);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK, ACT_DONE);
    assert_int_equal(fake_process(0)->measured_count, s->count);
    s->mark_us = fake_now_us();
    fake_advance_us(1000);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK, ACT_DONE);
    assert_int_equal(fake_process(0)->measured_count, s->count); /* that will be looked at soon */
    JUMP(s);
    assert_int_equal(fake_now_us() - s->mark_us, 100000);
    LOOK(s);
    assert_int_equal(fake_process(0)->measured_count, 2 * s->count);
    assert_true(scene_listen(s, 0)->drained);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_memory(void **state) {
    (void)state;
    for (uint32_t way = 0; way < 2; way++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, grows);
        scene.number = way;
        scene.services[0].reuse_count = 0;
        scene.services[0].retire_memory_mib = 1;
        fake_measures_late(way == 1);
        scene_run(&scene);
        assert_records(1, 3, "served", "1");
        assert_string_equal(lines_value(lines_find("process", 0), "reason"), "memory");
        scene_clear(&scene);
    }
}

/* It ends while it is measured. */
static bool goes(struct scene *s) {
    SCENE_BEGIN(s);
    fake_handler_has_memory(0, 5000);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    scene_act(s, 0, ACT_DONE);
    scene_act(s, 0, ACT_EXIT);
    LOOK(s);
    SCENE_END(s);
}

static void test_it_ends_while_it_is_measured(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, goes);
    scene.services[0].reuse_count = 0;
    scene.services[0].retire_memory_mib = 1;
    fake_measures_late(true);
    scene_run(&scene);
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

/* Nothing can be launched: that is tried again after longer and longer times, and costs nobody an
 * attempt but a client's own. */
static bool broken(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 4; s->number++) {
        s->count = fake_call_count(FAKE_LAUNCH);
        s->mark_us = fake_now_us();
        assert_int_equal(s->count, s->number + 1);
        JUMP(s);
        assert_int_equal(fake_now_us() - s->mark_us, (100000u << s->number));
        LOOK(s);
    }
    /* Another one is tried at once. */
    fake_fail(FAKE_LAUNCH, BATON_OK, 0);
    assert_int_equal(fake_process_count(), 0);
    fake_file_changes(handler);
    LOOK(s);
    assert_int_equal(fake_process_count(), 3);
    CONNECT(s);
    SCENE_END(s);
}

static void test_spares_that_cannot_be_launched(void **state) {
    (void)state;
    static const struct {
        int result;
        const char *event, *reason;
    } ways[] = {{BATON_NOT_FOUND, "launch_failed", "its spares cannot be launched"},
                {BATON_SHORTAGE, "launch_waits", "a launch met a limit, or something is short"},
                {BATON_LIMIT, "launch_waits", "a launch met a limit, or something is short"}};
    for (size_t way = 0; way < sizeof ways / sizeof *ways; way++) {
        struct scene scene;
        scene_stage(&scene, &play_server, broken);
        scene.client_count = 0;
        scene.services[0].reuse_count = 5;
        scene.services[0].spares_count = scene.services[0].spares_min_count =
            scene.services[0].spares_max_count = 3;
        fake_fail(FAKE_LAUNCH, ways[way].result, FAKE_ALWAYS);
        scene_run(&scene);
        assert_record(1, "served", "1");
        assert_int_equal(lines_count("attempt_failed"), 0);
        assert_int_equal(lines_count("accept_paused"), 0); /* nobody is kept out by that */
        assert_true(lines_count(ways[way].event) >= 1);
        assert_true(lines_count("spares_held_back") >= 4);
        const char *line = lines_find("spares_held_back", 1);
        assert_string_equal(lines_value(line, "retry_ms"), "200");
        assert_string_equal(lines_value(line, "reason"), ways[way].reason);
        scene_clear(&scene);
    }
}

/* Where clients never stop coming, spares are launched all the same. */
static bool flood(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 40; s->number++) {
        CONNECT(s);
        s->count = 0;
        for (uint32_t i = 0; i < fake_process_count(); i++) {
            s->count += scene_listen(s, i)->offer_count == 0;
        }
        s->way = s->way > s->count ? s->way : s->count;
    }
    assert_true(s->way >= 1); /* one that nobody has had yet */
    SCENE_END(s);
}

static void test_spares_in_a_flood(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_server, flood);
    scene.services[0].reuse_count = 2;
    scene.services[0].max_connections_count = 100;
    scene.services[0].spares_count = scene.services[0].spares_min_count =
        scene.services[0].spares_max_count = 2;
    scene_run(&scene);
    assert_records(1, 41, "served", "1");
    scene_clear(&scene);
}

/* A crowd before the first HELLO, on a machine that has some processors. */
static bool herd(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_process_count(), 7);
    ACTS(s, 0, ACT_HELLO_WIDE);
    assert_int_equal(fake_process_count(), 7);
    SCENE_END(s);
}

static void test_a_herd_on_seven_processors(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, herd);
    scene.services[0].reuse_count = 0;
    scene.services[0].max_connections_count = 100;
    scene.client_count = 30;
    fake_processors(7);
    scene_run(&scene);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spares),
        cmocka_unit_test(test_spares_behind_clients),
        cmocka_unit_test(test_the_last_spare),
        cmocka_unit_test(test_spares_given_back),
        cmocka_unit_test(test_a_line_at_the_end),
        cmocka_unit_test(test_one_that_holds_many_crashes),
        cmocka_unit_test(test_the_file_changes),
        cmocka_unit_test(test_the_file_changes_always),
        cmocka_unit_test(test_who_is_watched),
        cmocka_unit_test(test_a_record_waits_for_the_exit),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_it_ends_while_it_is_measured),
        cmocka_unit_test(test_spares_that_cannot_be_launched),
        cmocka_unit_test(test_spares_in_a_flood),
        cmocka_unit_test(test_a_herd_on_seven_processors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
