/* What the system's own log of events is told beside ours, where there is one. */
#include "scene.h"

#include "core/tell/entry.h"

#include <stdio.h>
#include <string.h>

static const struct service_machine machine = {.config_path = "/a.ini", .config_file = "a.ini"};

static uint32_t count_of(const char *what) {
    uint32_t count = 0;
    for (const char *at = fake_event_log_text(); (at = strstr(at, what)) != NULL; at++) {
        count++;
    }
    return count;
}

static void stage(struct scene *scene, const struct play *play, scene_script *script) {
    scene_stage(scene, play, script);
    scene->machine = &machine;
    scene->services[0].attempts_count = 1;
    fake_event_log_open();
}

static void assert_whole_life(void) {
    static const char *const begins[] = {"100 info ", "101 info ", "102 info ", "103 info "};
    static const char *const events[] = {"event=starting config=/a.ini ",
                                         "event=ready services=1 listeners=1 ",
                                         "event=stopping reason=", "event=stopped connections=1 "};
    const char *at = fake_event_log_text();
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        const char *end = strchr(at, '\n');
        assert_non_null(end);
        assert_memory_equal(at, begins[i], strlen(begins[i]));
        const char *found = strstr(at, events[i]);
        assert_true(found != NULL && found < end);
        at = end + 1;
    }
    assert_string_equal(at, "");
}

static void test_a_life(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_good, NULL);
    scene_run(&scene);
    assert_whole_life();
    assert_int_equal(lines_count("starting") + lines_count("stopped"), 2);
    scene_clear(&scene);
}

/* Its level is the log's alone. */
static void test_what_the_log_does_not_want(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_good, NULL);
    scene.logs_errors_alone = true;
    scene_try(&scene);
    assert_int_equal(scene.result, SUPERVISOR_STOPPED);
    assert_null(fake_misuse());
    assert_whole_life();
    assert_int_equal(lines_count("starting") + lines_count("ready") + lines_count("stopping") +
                         lines_count("stopped"),
                     0);
    scene_clear(&scene);
}

static void test_nobody_is_told_where_there_is_none(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_good, NULL);
    scene.machine = &machine;
    scene_run(&scene);
    assert_null(fake_event_log_text());
    assert_int_equal(lines_count("starting") + lines_count("stopped"), 2);
    scene_clear(&scene);
}

/* One that holds two connections is one entry, and one that is ended by us is none. */
static bool crash_with_two(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK);
    assert_int_equal(count_of("400 "), 0);
    ACTS(s, 0, ACT_CRASH);
    assert_record(1, "crashed", "1");
    assert_record(2, "crashed", "1");
    assert_int_equal(count_of("400 warning "), 1);
    assert_non_null(strstr(fake_event_log_text(), " event=crashed service=one handler="));
    assert_non_null(strstr(fake_event_log_text(), " taken=2\n"));
    assert_int_equal(lines_count("crashed"), 0);
    CONNECT(s);
    ACTS(s, 1, ACT_HELLO, ACT_ACK);
    SCENE_END(s);
}

static void test_one_entry_for_each_process(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, crash_with_two);
    scene.services[0].capacity_count = 8;
    scene.services[0].reuse_count = 8;
    scene_run(&scene);
    assert_record(3, "drained", "1");
    assert_int_equal(count_of("400 warning "), 1);
    scene_clear(&scene);
}

/* So many at once, and then one every few seconds, which tells of the others. */
#define CRASH_COUNT 20u
_Static_assert(CRASH_COUNT > ENTRY_PERIOD_COUNT + 1, "some are left out");

static bool crash_often(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->number = 1; s->number < CRASH_COUNT; s->number++) {
        CONNECT(s);
    }
    assert_int_equal(count_of("400 "), ENTRY_PERIOD_COUNT);
    assert_int_equal(count_of("left out"), 0);
    fake_advance_us(ENTRY_PERIOD_S * UINT64_C(1000000));
    CONNECT(s);
    assert_int_equal(count_of("400 "), ENTRY_PERIOD_COUNT + 1);
    assert_non_null(strstr(fake_event_log_text(), "left out since the last one: 10\n"));
    SCENE_END(s);
}

static void test_a_flood_is_counted(void **state) {
    (void)state;
    struct scene scene;
    const struct play crash = PLAY(ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_CRASH);
    stage(&scene, &crash, crash_often);
    scene_run(&scene);
    assert_records(1, CRASH_COUNT + 1, "crashed", "1");
    scene_clear(&scene);
}

static bool listen_later(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(count_of("300 error "), 1);
    assert_non_null(strstr(fake_event_log_text(), "event=listen_failed service=one "));
    assert_int_equal(count_of("101 "), 0);
    JUMP(s);
    assert_int_equal(count_of("300 error "), 1);
    assert_int_equal(count_of("101 info "), 1);
    SCENE_END(s);
}

static void test_a_place_where_nobody_can_listen(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_good, listen_later);
    scene.client_count = 0;
    scene.service_count = 2;
    fake_fail(FAKE_LISTEN, BATON_IN_USE, 1);
    scene_run(&scene);
    scene_clear(&scene);
}

static bool lose_some(struct scene *s) {
    SCENE_BEGIN(s);
    fake_event_log_lose(3);
    LOOK(s);
    assert_int_equal(lines_count("entries_lost"), 1);
    assert_string_equal(lines_value(lines_find("entries_lost", 0), "count"), "3");
    assert_string_equal(lines_value(lines_find("entries_lost", 0), "call"), "ReportEventW");
    LOOK(s);
    assert_int_equal(lines_count("entries_lost"), 1);
    SCENE_END(s);
}

static void test_what_it_did_not_take_is_told(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_good, lose_some);
    scene_run(&scene);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_life),
        cmocka_unit_test(test_what_the_log_does_not_want),
        cmocka_unit_test(test_nobody_is_told_where_there_is_none),
        cmocka_unit_test(test_one_entry_for_each_process),
        cmocka_unit_test(test_a_flood_is_counted),
        cmocka_unit_test(test_a_place_where_nobody_can_listen),
        cmocka_unit_test(test_what_it_did_not_take_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
