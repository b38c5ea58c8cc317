/* Logs of services' own, journal priorities, and records that are not written. */
#include "scene.h"

#include <stdio.h>
#include <string.h>

#define OWN "/logs/one"

static uint32_t count_in(const char *text, const char *what) {
    uint32_t count = 0;
    for (const char *at = text; at != NULL && (at = strstr(at, what)) != NULL; at++) {
        count++;
    }
    return count;
}

static uint32_t own_count(const char *what) {
    return count_in(fake_log_at(OWN), what);
}

static uint32_t main_count(const char *what) {
    return count_in(fake_log(), what);
}

/* Two services, of which the first has its own log, and whose handlers do as they are told. */
static void stage(struct scene *scene, scene_script *script) {
    scene_stage(scene, &play_puppet, script);
    scene->client_count = 0;
    scene->service_count = 2;
    scene->log = "/log";
    scene->services[0].log = OWN;
    scene->services[0].attempts_count = scene->services[1].attempts_count = 1;
}

static void play(struct scene *scene) {
    scene_try(scene);
    assert_null(fake_misuse());
    assert_int_equal(scene->result, SUPERVISOR_STOPPED);
}

static void write_much(uint32_t process, uint32_t count) {
    char text[1001];
    memset(text, 'y', sizeof text);
    text[sizeof text - 1] = '\n';
    for (uint32_t i = 0; i < count; i++) {
        fake_handler_write(process, 0, text, sizeof text);
    }
}

/* ---- What stands where ---- */

static bool one_of_each(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    LOOK(s);
    fake_connect(SCENE_PORT + 1);
    LOOK(s);
    fake_handler_write(0, 0, "mine\n", 5);
    fake_handler_write(1, 0, "other\n", 6);
    LOOK(s);
    ACTS(s, 0, ACT_CRASH);
    ACTS(s, 1, ACT_CRASH);
    SCENE_END(s);
}

static void test_own_lines(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, one_of_each);
    play(&scene);
    assert_int_equal(own_count("event=listening service=one"), 1);
    assert_int_equal(own_count("event=connection service=one"), 1);
    assert_int_equal(own_count("text=mine"), 1);
    assert_int_equal(own_count("service=two"), 0);
    assert_int_equal(main_count("service=one"), 0);
    assert_int_equal(main_count("event=connection service=two"), 1);
    assert_int_equal(main_count("text=other"), 1);
    assert_int_equal(main_count("event=stopped"), 1);
    assert_false(fake_log_is_open(OWN));
    scene_clear(&scene);
}

/* Both in one file, which is open once. */
static void test_one_log_of_two(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, one_of_each);
    scene.services[1].log = OWN;
    play(&scene);
    assert_int_equal(own_count("event=connection "), 2);
    assert_int_equal(main_count("event=connection "), 0);
    assert_int_equal(fake_log_opened_count(OWN), 1);
    scene_clear(&scene);
}

/* It can be opened when it is asked for again: until then nothing is lost. */
static bool opened_late(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    LOOK(s);
    ACTS(s, 0, ACT_CRASH);
    assert_int_equal(main_count("event=connection service=one"), 1);
    fake_inject(PLATFORM_EVENT_HANGUP, 0);
    LOOK(s);
    fake_connect(SCENE_PORT);
    LOOK(s);
    ACTS(s, 1, ACT_CRASH);
    SCENE_END(s);
}

static void test_one_that_cannot_be_opened(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, opened_late);
    scene.log = NULL; /* its opening cannot fail */
    fake_log_refuse(OWN, 1);
    play(&scene);
    assert_int_equal(main_count("event=log_failed service=one log=" OWN " reason="), 1);
    assert_int_equal(main_count("event=connection service=one"), 1);
    assert_int_equal(own_count("event=connection service=one"), 1);
    scene_clear(&scene);
}

/* ---- One that is full, or slow ---- */

static bool full(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    LOOK(s);
    fake_log_set_full_at(OWN, true);
    ACTS(s, 0, ACT_CRASH);
    assert_int_equal(own_count("event=connection"), 0);
    assert_int_equal(main_count("event=log_failed log=" OWN " reason=\"write: "), 1);
    assert_int_equal(count_in(fake_warnings(), OWN ": write: "), 1);
    fake_connect(SCENE_PORT);
    fake_connect(SCENE_PORT + 1);
    LOOK(s);
    ACTS(s, 1, ACT_CRASH);
    ACTS(s, 2, ACT_CRASH);
    assert_int_equal(main_count("event=connection service=two"), 1);
    fake_log_set_full_at(OWN, false);
    fake_connect(SCENE_PORT);
    LOOK(s);
    ACTS(s, 3, ACT_CRASH);
    SCENE_END(s);
}

static void test_a_full_disk_of_one(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, full);
    play(&scene);
    assert_int_equal(main_count("event=log_failed"), 1); /* said once */
    assert_int_equal(main_count("event=lines_dropped"), 0);
    assert_int_equal(own_count("event=lines_dropped"), 1);
    assert_int_equal(own_count("records=2 "), 1);
    assert_int_equal(own_count("event=connection"), 1);
    scene_clear(&scene);
}

static bool slow(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    LOOK(s);
    fake_log_set_room_at(OWN, 0);
    write_much(0, 100);
    s->mark_us = fake_wait_count();
    LOOK(s);
    assert_true(fake_wait_count() - s->mark_us < 50); /* it does not turn */
    s->number = fake_connect(SCENE_PORT);
    s->count = fake_connect(SCENE_PORT + 1);
    LOOK(s);
    assert_int_equal(fake_client(s->number)->accepted_number, 0);
    assert_int_not_equal(fake_client(s->count)->accepted_number, 0);
    /* The other's output is read on, and its end recorded. */
    write_much(1, 100);
    LOOK(s);
    ACTS(s, 1, ACT_CRASH);
    assert_int_equal(main_count("event=output service=two"), 100);
    assert_int_equal(main_count("event=connection service=two"), 1);
    /* What happens to who is there is recorded all the same. */
    ACTS(s, 0, ACT_CRASH);
    s->mark_us = fake_wait_count();
    LOOK(s);
    assert_true(fake_wait_count() - s->mark_us < 50);
    while (own_count("event=output") < 100) {
        fake_log_set_room_at(OWN, 777);
        LOOK(s);
    }
    fake_log_set_room_at(OWN, SIZE_MAX);
    LOOK(s);
    assert_int_not_equal(fake_client(s->number)->accepted_number, 0);
    ACTS(s, 2, ACT_CRASH);
    SCENE_END(s);
}

static void test_a_slow_one_holds_its_service_alone(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, slow);
    play(&scene);
    assert_int_equal(own_count("event=output"), 100);
    assert_int_equal(own_count("event=connection"), 2);
    assert_int_equal(own_count("event=lines_dropped"), 0);
    scene_clear(&scene);
}

static bool stuck(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    LOOK(s);
    fake_log_set_room_at(OWN, 0);
    ACTS(s, 0, ACT_CRASH);
    scene_stop(s);
    SCENE_END(s);
}

static void test_one_that_is_stuck_at_the_end(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, stuck);
    scene_try(&scene);
    assert_null(fake_misuse());
    assert_int_equal(scene.result, SUPERVISOR_LOG_LOST);
    assert_int_equal(main_count("event=stopped"), 1);
    assert_int_equal(count_in(fake_warnings(), "batond: warning: " OWN ": "), 1);
    assert_int_equal(
        count_in(fake_warnings(), " lines could not be written, 1 records among them\n"), 1);
    scene_clear(&scene);
}

/* ---- Records that nobody wants ---- */

static bool served_and_not(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT);
    LOOK(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK, ACT_DONE, ACT_EXIT);
    fake_connect(SCENE_PORT);
    LOOK(s);
    ACTS(s, 1, ACT_CRASH);
    SCENE_END(s);
}

static void test_served_is_not_told(void **state) {
    (void)state;
    for (uint32_t told = 0; told < 2; told++) {
        struct scene scene;
        stage(&scene, served_and_not);
        scene.services[0].log = NULL;
        scene.services[0].log_served = told;
        play(&scene);
        assert_int_equal(main_count("outcome=served"), told);
        assert_int_equal(main_count("outcome=crashed") + main_count("outcome=launch_failed"), 1);
        scene_clear(&scene);
    }
}

/* ---- The journal ---- */

/* Records are told from other lines behind their priority. */
static bool lost_in_the_journal(struct scene *s) {
    SCENE_BEGIN(s);
    fake_connect(SCENE_PORT + 1);
    LOOK(s);
    fake_fail(FAKE_LOG_WRITE, BATON_SYSTEM, FAKE_ALWAYS);
    fake_handler_write(0, 0, "lost\n", 5);
    LOOK(s);
    ACTS(s, 0, ACT_CRASH);
    fake_fail(FAKE_LOG_WRITE, 0, 0);
    fake_connect(SCENE_PORT + 1);
    LOOK(s);
    ACTS(s, 1, ACT_CRASH);
    SCENE_END(s);
}

static void test_the_journal(void **state) {
    (void)state;
    const enum log_format formats[] = {LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct scene scene;
        stage(&scene, lost_in_the_journal);
        fake_log_is_journal();
        scene.log = NULL;
        scene.log_format = formats[i];
        play(&scene);
        const char *line = fake_log();
        for (; *line != '\0'; line = strchr(line, '\n') + 1) {
            assert_true(line[0] == '<' && strchr("3467", line[1]) != NULL && line[2] == '>');
            assert_true(line[3] == (i == 0 ? 't' : i == 1 ? '{' : '0'));
        }
        assert_int_equal(main_count(i == 0   ? "<4>time="
                                    : i == 1 ? "records\":1,"
                                             : "records=1"),
                         i == 0 ? main_count("level=warning") : 1);
        assert_int_equal(count_in(fake_log_at(OWN), "<"), 0); /* a file has none */
        scene_clear(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_lines),
        cmocka_unit_test(test_one_log_of_two),
        cmocka_unit_test(test_one_that_cannot_be_opened),
        cmocka_unit_test(test_a_full_disk_of_one),
        cmocka_unit_test(test_a_slow_one_holds_its_service_alone),
        cmocka_unit_test(test_one_that_is_stuck_at_the_end),
        cmocka_unit_test(test_served_is_not_told),
        cmocka_unit_test(test_the_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
