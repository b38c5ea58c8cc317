/* A service that cannot start yet keeps no other from serving, and comes when it can. */
#include "core/base/error.h"
#include "scene.h"

#include <string.h>

static const char *missing; /* a path that is not there */

static int probe_program(void *context, const char *path) {
    (void)context;
    return missing != NULL && strcmp(path, missing) == 0 ? BATON_NOT_FOUND : BATON_OK;
}

static int probe_directory(void *context, const char *path) {
    return probe_program(context, path);
}

static const struct service_machine machine = {
    .probe_program = probe_program, .probe_directory = probe_directory, .config_file = "a.ini"};

/* Two services, of which the first lacks `path`. */
static void stage(struct scene *scene, const char *path, scene_script *script) {
    scene_init(scene);
    scene->service_count = 2;
    scene->services[0].lacks = true;
    scene->machine = &machine;
    scene->script = script;
    scene_play(scene, &play_good);
    missing = path;
}

static bool come_later(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_listener_count(), 1);
    assert_int_equal(fake_connect(SCENE_PORT), FAKE_NONE);
    fake_connect(SCENE_PORT + 1);
    LOOK(s);
    assert_record(1, "served", "1");
    assert_null(lines_find("ready", 0));
    /* Looked for ever less often, but once a minute. */
    s->mark_us = s->deadline_us;
    for (s->number = 1; s->number < 10; s->number++) {
        JUMP(s);
        assert_int_equal(lines_count("service_failed"), s->number + 1);
        uint32_t wait_s = s->number < 6 ? 1u << s->number : 60;
        assert_int_equal(s->deadline_us - s->mark_us, wait_s * UINT64_C(1000000));
        s->mark_us = s->deadline_us;
    }
    missing = NULL;
    JUMP(s);
    assert_int_equal(lines_count("service_failed"), 10);
    assert_non_null(lines_find("ready", 0));
    assert_true(s->deadline_us == UINT64_MAX);
    CONNECT(s);
    assert_record(2, "served", "1");
    SCENE_END(s);
}

static void test_a_program_that_comes_later(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, "/handlers/one", come_later);
    scene.services[0].handler_line = 7;
    scene_run(&scene);
    const char *line = lines_find("service_failed", 0);
    assert_string_equal(lines_value(line, "service"), "one");
    assert_string_equal(lines_value(line, "reason"), "there is no file /handlers/one");
    assert_string_equal(lines_value(line, "at"), "a.ini:7");
    assert_string_equal(lines_value(line, "hint"), "put it there, or correct the path");
    assert_string_equal(lines_value(line, "retry_ms"), "1000");
    scene_clear(&scene);
}

static bool stop_at_once(struct scene *s) {
    SCENE_BEGIN(s);
    scene_stop(s);
    LOOK(s);
    SCENE_END(s);
}

static void test_a_stop_waits_for_none(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, "/srv", stop_at_once);
    scene.services[0].directory = "/srv";
    scene.services[0].directory_line = 9;
    scene_run(&scene);
    assert_int_equal(lines_count("service_failed"), 1);
    assert_string_equal(lines_value(lines_find("service_failed", 0), "at"), "a.ini:9");
    assert_string_equal(lines_value(lines_find("service_failed", 0), "reason"),
                        "there is no folder /srv");
    scene_clear(&scene);
}

/* What the system refuses to one service is that service's own. */
static bool refused(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(lines_count("service_failed"), 1);
    fake_connect(SCENE_PORT + 1);
    LOOK(s);
    assert_record(1, "served", "1");
    JUMP(s);
    CONNECT(s);
    assert_record(2, "served", "1");
    SCENE_END(s);
}

static void test_a_program_that_cannot_be_prepared(void **state) {
    static const enum fake_call calls[] = {FAKE_PROGRAM, FAKE_OUTPUT};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        stage(&scene, NULL, refused);
        scene.services[0].lacks = false;
        scene.services[0].handler_line = 4;
        fake_fail(calls[i], BATON_TOO_LONG, 1);
        scene_run(&scene);
        assert_string_equal(lines_value(lines_find("service_failed", 0), "reason"),
                            "fake: made up, number 1");
        assert_string_equal(lines_value(lines_find("service_failed", 0), "at"), "a.ini:4");
        scene_clear(&scene);
    }
}

static void test_none_can_start(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, NULL, NULL);
    fake_fail(FAKE_PROGRAM, BATON_TOO_LONG, FAKE_ALWAYS);
    scene_try(&scene);
    assert_int_equal(scene.result, SUPERVISOR_NO_START);
    assert_int_equal(lines_count("service_failed"), 2);
    assert_false(lines_has(lines_find("service_failed", 0), "retry_ms"));
    scene_clear(&scene);
}

/* execve(2) says "No such file" of a program whose interpreter is missing. */
static void test_a_failed_launch_names_the_file(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, "/handlers/one", NULL);
    scene.services[0].lacks = false;
    scene.service_count = 1;
    scene.client_count = 1;
    fake_fail(FAKE_LAUNCH, BATON_NOT_FOUND, FAKE_ALWAYS);
    scene_run(&scene);
    assert_record(1, "launch_failed", "2");
    assert_string_equal(lines_value(lines_find("launch_failed", 0), "hint"),
                        "there is no file /handlers/one; put it there, or correct the path");
    scene_clear(&scene);
}

/* Its line is written behind those of its launches, and says no earlier time. */
static void test_a_failed_launch_takes_its_time(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, NULL, NULL);
    scene.services[0].lacks = false;
    scene.service_count = 1;
    scene.client_count = 1;
    fake_launch_takes_us(70000);
    fake_fail(FAKE_LAUNCH, BATON_NOT_FOUND, FAKE_ALWAYS);
    scene_run(&scene);
    assert_record(1, "launch_failed", "2");
    const char *record = lines_record(1), *cause = lines_find("attempt_failed", 1);
    assert_string_equal(lines_value(record, "duration_ms"), "140");
    assert_string_equal(lines_value(record, "time"), lines_value(cause, "time"));
    scene_clear(&scene);
}

/* ---- Few descriptors ---- */

/* With its log in a pipe a launch takes 6, of which 3 stay. */
static void stage_few(struct scene *scene, size_t left_count) {
    stage(scene, NULL, NULL);
    scene->services[0].lacks = false;
    scene->services[0].max_connections_count = 8;
    scene->services[1].max_connections_count = 4;
    scene_mode(scene, 1, HANDOFF_STDIO, PROTOCOL_TCP, false);
    fake_limit_descriptors(left_count);
}

static void test_descriptors_for_nobody(void **state) {
    (void)state;
    struct scene scene;
    stage_few(&scene, 3);
    scene_try(&scene);
    assert_int_equal(scene.result, SUPERVISOR_NO_START);
    assert_int_equal(lines_count("ready"), 0);
    assert_int_equal(lines_count("few_descriptors"), 2);
    const char *line = lines_find("few_descriptors", 0);
    assert_string_equal(lines_value(line, "service"), "one");
    assert_string_equal(lines_value(line, "limit"), "23");
    assert_string_equal(lines_value(line, "needed"), "26");
    line = lines_find("few_descriptors", 1);
    assert_string_equal(lines_value(line, "needed"), "24");
    assert_string_equal(lines_value(lines_find("start_failed", 0), "reason"),
                        "not one connection could be served");
    scene_clear(&scene);
}

static void test_descriptors_for_some(void **state) {
    static const struct {
        size_t left_count, line_count;
        const char *level;
    } cases[] = {
        {4, 2, "error"}, {5, 2, "error"}, {6, 1, "warning"}, {34, 1, "warning"}, {35, 0, NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scene scene;
        stage_few(&scene, cases[i].left_count);
        scene_run(&scene);
        assert_int_equal(lines_count("ready"), 1);
        assert_int_equal(lines_count("few_descriptors"), cases[i].line_count);
        if (cases[i].level != NULL) {
            const char *line = lines_find("few_descriptors", 0);
            assert_string_equal(lines_value(line, "level"), cases[i].level);
            assert_int_equal(lines_has(line, "service"), cases[i].line_count == 2);
            line = lines_find("few_descriptors", (uint32_t)cases[i].line_count - 1);
            assert_string_equal(lines_value(line, "needed"), "55");
            assert_false(lines_has(line, "service"));
        }
        scene_clear(&scene);
    }
}

static bool without_a_default(struct scene *s) {
    SCENE_BEGIN(s);
    CONNECT(s);
    assert_record(1, "served", "1");
    SCENE_END(s);
}

/* What nobody has asked for and the system refuses is said, once, and in nobody's way. */
static void test_a_default_that_is_skipped(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, NULL, without_a_default);
    fake_skip_default("oom_score_adj");
    scene_run(&scene);
    assert_int_equal(lines_count("default_skipped"), 1);
    assert_string_equal(lines_value(lines_find("default_skipped", 0), "key"), "oom_score_adj");
    scene_clear(&scene);
}

/* ---- The supervisor's own user ---- */

static bool serve_one(struct scene *s) {
    SCENE_BEGIN(s);
    assert_int_equal(fake_became().uid, 990);
    assert_int_equal(fake_became().listener_count, 2);
    assert_true(fake_became().capabilities == 1u << 5);
    assert_true(fake_became().forbids_new_privileges);
    CONNECT(s);
    assert_record(1, "served", "1");
    scene_stop(s);
    LOOK(s);
    SCENE_END(s);
}

static const struct identity of_another = {
    .uid = 990, .gid = 990, .capabilities = 1u << 5, .has_capabilities = true};

/* Two services whose supervisor is to become another. */
static void stage_other(struct scene *scene, scene_script *script) {
    scene_init(scene);
    scene->service_count = 2;
    scene->user = "other";
    scene->identity = of_another;
    scene->script = script;
    scene_play(scene, &play_good);
}

static void test_it_becomes_another_when_all_is_open(void **state) {
    (void)state;
    struct scene scene;
    stage_other(&scene, serve_one);
    scene_run(&scene);
    scene_clear(&scene);
}

static void test_it_does_not_serve_as_who_it_was(void **state) {
    (void)state;
    struct scene scene;
    stage_other(&scene, NULL);
    fake_fail(FAKE_BECOME, BATON_DENIED, 1);
    scene_try(&scene);
    assert_int_equal(scene.result, SUPERVISOR_NO_START);
    assert_null(lines_find("ready", 0));
    assert_int_equal(fake_call_count(FAKE_BECOME), 1);
    assert_int_equal(fake_became().listener_count, 2);
    assert_false(fake_listener(0)->is_open || fake_listener(1)->is_open);
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_default_that_is_skipped),
        cmocka_unit_test(test_a_program_that_comes_later),
        cmocka_unit_test(test_a_stop_waits_for_none),
        cmocka_unit_test(test_a_program_that_cannot_be_prepared),
        cmocka_unit_test(test_none_can_start),
        cmocka_unit_test(test_a_failed_launch_names_the_file),
        cmocka_unit_test(test_a_failed_launch_takes_its_time),
        cmocka_unit_test(test_descriptors_for_nobody),
        cmocka_unit_test(test_descriptors_for_some),
        cmocka_unit_test(test_it_becomes_another_when_all_is_open),
        cmocka_unit_test(test_it_does_not_serve_as_who_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
