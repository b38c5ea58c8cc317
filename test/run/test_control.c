/* Control clients: what they ask, what they are told, and that nobody waits for them. */
#include "scene.h"

#include "core/control/control.h"
#include "run/control.h"

#include <stdio.h>
#include <string.h>

#define CONTROL "/run/baton/control"
#define STATUS "/run/baton/status"
#define REQUEST_US 5000000u
#define REPLY_US 30000000u

/* ---- Clients ---- */

static uint32_t come(const char *request) {
    uint32_t client = fake_connect_path(CONTROL);
    assert_int_not_equal(client, FAKE_NONE);
    fake_client_send(client, request, strlen(request));
    return client;
}

static const char *received(uint32_t client) {
    static char text[1 << 16];
    size_t length;
    const char *bytes = fake_client_received(client, &length);
    assert_true(length < sizeof text);
    memcpy(text, bytes, length);
    text[length] = '\0';
    return text;
}

static void assert_told(uint32_t client, const char *wanted) {
    if (strstr(received(client), wanted) == NULL) {
        print_error("wanted: %s\nreceived: %s\n", wanted, received(client));
        fail();
    }
}

static bool is_closed(uint32_t client) {
    return fake_client(client)->accepted_number != 0 && !fake_client(client)->supervisor_has;
}

#define OK_LINE "{\"v\":1,\"type\":\"end\",\"ok\":true}\n"

static void assert_refused(uint32_t client, const char *code) {
    char wanted[96];
    snprintf(wanted, sizeof wanted, "{\"v\":1,\"type\":\"end\",\"ok\":false,\"code\":\"%s\",",
             code);
    assert_int_equal(strncmp(received(client), wanted, strlen(wanted)), 0);
    assert_true(is_closed(client));
}

static void stage(struct scene *scene, const struct play *play, scene_script *script) {
    scene_init(scene);
    scene_play(scene, play);
    scene->control = CONTROL;
    scene->status = STATUS;
    scene->script = script;
}

static void run(struct scene *scene) {
    scene_run(scene);
    scene_clear(scene);
}

/* ---- What they are told ---- */

static bool ask(struct scene *s) {
    SCENE_BEGIN(s);
    CONNECT(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    CONNECT(s);
    ACTS(s, 1, ACT_HELLO, ACT_ACK, ACT_DONE, ACT_EXIT);
    s->number = come("1 status\n");
    LOOK(s);
    assert_true(is_closed(s->number));
    assert_told(s->number, "{\"v\":1,\"type\":\"supervisor\",\"version\":\"");
    assert_told(s->number, "\"state\":\"serving\"");
    assert_told(s->number, "\"connections\":1,\"processes\":1,");
    assert_told(s->number, "{\"v\":1,\"type\":\"outcomes\",\"served\":1}\n");
    assert_told(s->number,
                "{\"v\":1,\"type\":\"service\",\"service\":\"one\",\"state\":\"serving\"");
    assert_told(s->number, "\"accepted\":2,\"served\":1,\"refused\":0,\"failed\":0,\"other\":0}\n");
    assert_told(s->number, "{\"v\":1,\"type\":\"place\",\"service\":\"one\",\"address\":"
                           "\"127.0.0.1:7001\",\"protocol\":\"tcp\",\"open\":true}\n" OK_LINE);
    s->number = fake_connect_path(STATUS);
    fake_client_send(s->number, "1 stop\n", 7);
    LOOK(s);
    assert_true(is_closed(s->number));
    assert_told(s->number, "\"open\":true}\n" OK_LINE);
    assert_int_equal(strncmp(received(s->number), "{\"v\":1,\"type\":\"supervisor\"", 26), 0);
    s->number = come("1 connections one\n");
    LOOK(s);
    assert_told(s->number, "{\"v\":1,\"type\":\"connection\",\"service\":\"one\",\"id\":1,\"peer\":"
                           "\"10.0.0.0:50000\",\"local\":\"127.0.0.1:7001\",\"state\":\"held\","
                           "\"pid\":1000,\"age_ms\":0,\"attempts\":0}\n" OK_LINE);
    ACTS(s, 0, ACT_DONE, ACT_EXIT);
    SCENE_END(s);
}

static void test_asks(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, ask);
    run(&scene);
}

static bool ask_wrongly(struct scene *s) {
    static const char *const wrong[][2] = {{"1 statos\n", "unknown_verb"},
                                           {"status\n", "version"},
                                           {"\n", "syntax"},
                                           {"1 kill\n", "word_count"},
                                           {"1 kill x\n", "bad_word"},
                                           {"1 kill 99999999999999999999\n", "bad_word"},
                                           {"1 kill 17\n", "no_such_connection"},
                                           {"1 connections two\n", "no_such_service"},
                                           {"1 log-level loud\n", "bad_word"},
                                           {"1 log-reopen\n", "unsupported"},
                                           {"1 \x01\n", "not_text"}};
    SCENE_BEGIN(s);
    for (s->way = 0; s->way < sizeof wrong / sizeof *wrong; s->way++) {
        s->number = come(wrong[s->way][0]);
        LOOK(s);
        assert_refused(s->number, wrong[s->way][1]);
    }
    /* As long as it may be, in pieces, and one byte more. */
    for (s->way = 0; s->way < 2; s->way++) {
        s->number = come("1 connections ");
        LOOK(s);
        for (s->count = 14; s->count < CONTROL_REQUEST_BYTES - 1 + s->way; s->count++) {
            fake_client_send(s->number, "a", 1);
        }
        LOOK(s);
        assert_false(is_closed(s->number) && s->way == 0);
        fake_client_send(s->number, "\n", 1);
        LOOK(s);
        assert_refused(s->number, s->way == 0 ? "no_such_service" : "too_long");
    }
    SCENE_END(s);
}

static void test_asks_wrongly(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, ask_wrongly);
    run(&scene);
}

/* ---- What they command ---- */

static bool command(struct scene *s) {
    SCENE_BEGIN(s);
    CONNECT(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK);
    s->number = come("1 kill 1\n");
    LOOK(s);
    assert_string_equal(received(s->number), OK_LINE);
    s->number = come("1 connections\n");
    LOOK(s);
    assert_told(s->number, "\"ending\":true}\n" OK_LINE);
    ACTS(s, 0, ACT_DONE, ACT_EXIT);
    assert_record(1, "killed", "1");
    s->number = come("1 log-level error\n");
    LOOK(s);
    assert_string_equal(received(s->number), OK_LINE);
    s->count = lines_count("connection");
    s->number = come("1 log-level debug\n");
    LOOK(s);
    assert_non_null(strstr(lines_find("log_level", 0), "now=debug"));
    s->number = come("1 stop\n");
    LOOK(s);
    assert_string_equal(received(s->number), OK_LINE);
    assert_non_null(strstr(lines_find("stopping", 0), "reason=\"batonctl stop\""));
    SCENE_END(s);
}

static void test_commands(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, command);
    run(&scene);
}

/* ---- Who follows ---- */

static bool follow(struct scene *s) {
    SCENE_BEGIN(s);
    s->number = come("1 events\n");
    LOOK(s);
    assert_string_equal(received(s->number), "");
    CONNECT(s);
    ACTS(s, 0, ACT_HELLO, ACT_ACK, ACT_DONE, ACT_EXIT);
    assert_told(s->number, "{\"v\":1,\"type\":\"event\",\"time\":\"");
    assert_told(s->number, "\"event\":\"connection\",\"service\":\"one\",\"id\":1,");
    assert_false(is_closed(s->number));
    /* One that takes nothing loses lines, and is told how many; the other does not. */
    s->act = 0;
    fake_client_set_room(s->number, 0);
    s->mark_us = come("1 events\n");
    LOOK(s);
    for (s->count = 0; s->count < 300; s->count++) {
        come("1 log-level debug\n");
        fake_advance_us(1000);
        LOOK(s);
    }
    fake_client_set_room(s->number, SIZE_MAX);
    LOOK(s);
    assert_told(s->number, "{\"v\":1,\"type\":\"lost\",\"count\":");
    assert_null(strstr(received((uint32_t)s->mark_us), "\"lost\""));
    come("1 log-level debug\n");
    LOOK(s);
    assert_string_equal(strrchr(received(s->number), ',') + 1, "\"now\":\"debug\"}\n");
    /* The end of its sending is the end. */
    fake_client_finish((uint32_t)s->mark_us);
    LOOK(s);
    assert_true(is_closed((uint32_t)s->mark_us));
    assert_false(is_closed(s->number));
    come("1 stop\n");
    LOOK(s);
    SCENE_END(s);
}

static void test_follows(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, follow);
    scene_run(&scene);
    assert_told(scene.number, "\"event\":\"stopped\"");
    assert_told(scene.number, OK_LINE);
    scene_clear(&scene);
}

/* ---- Who is slow, and too many ---- */

static bool be_slow(struct scene *s) {
    SCENE_BEGIN(s);
    s->number = come("1 stat");
    LOOK(s);
    assert_int_equal(s->deadline_us - fake_now_us(), REQUEST_US);
    JUMP(s);
    LOOK(s);
    assert_true(is_closed(s->number));
    assert_string_equal(received(s->number), "");
    s->number = fake_connect_path(CONTROL);
    fake_client_set_room(s->number, 5);
    fake_client_send(s->number, "1 status\n", 9);
    LOOK(s);
    assert_string_equal(received(s->number), "{\"v\":");
    assert_int_equal(s->deadline_us - fake_now_us(), REPLY_US);
    fake_advance_us(REPLY_US - 1);
    fake_client_set_room(s->number, 1);
    LOOK(s);
    assert_int_equal(s->deadline_us - fake_now_us(), REPLY_US);
    JUMP(s);
    LOOK(s);
    assert_true(is_closed(s->number));
    /* Who leaves in the middle. */
    s->number = come("1 stat");
    LOOK(s);
    fake_client_finish(s->number);
    LOOK(s);
    assert_true(is_closed(s->number));
    s->number = come("1 events\n");
    LOOK(s);
    fake_reset(s->number);
    LOOK(s);
    assert_true(is_closed(s->number));
    SCENE_END(s);
}

static void test_slow(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, be_slow);
    run(&scene);
}

/* The oldest of those who have not asked goes; of those who have none does. */
static bool crowd(struct scene *s) {
    SCENE_BEGIN(s);
    s->number = fake_client_count();
    for (s->count = 0; s->count < CONTROL_COMMANDS_MAX_COUNT; s->count++) {
        fake_connect_path(CONTROL);
        fake_advance_us(1);
        LOOK(s);
    }
    assert_false(is_closed(s->number));
    come("1 events\n");
    LOOK(s);
    assert_true(is_closed(s->number));
    assert_false(is_closed(s->number + 1));
    for (s->count = 0; s->count < CONTROL_COMMANDS_MAX_COUNT - 1; s->count++) {
        come("1 events\n");
        LOOK(s);
    }
    for (s->count = 0; s->count < CONTROL_COMMANDS_MAX_COUNT; s->count++) {
        assert_true(is_closed(s->number + s->count));
        assert_false(is_closed(s->number + CONTROL_COMMANDS_MAX_COUNT + s->count));
    }
    s->mark_us = come("1 status\n");
    LOOK(s);
    assert_true(is_closed((uint32_t)s->mark_us));
    assert_string_equal(received((uint32_t)s->mark_us), "");
    /* Those who look have places of their own, and services as well. */
    s->mark_us = fake_connect_path(STATUS);
    CONNECT(s);
    assert_told((uint32_t)s->mark_us, OK_LINE);
    ACTS(s, 0, ACT_HELLO, ACT_ACK, ACT_DONE, ACT_EXIT);
    assert_record(1, "served", "1");
    SCENE_END(s);
}

static void test_crowd(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, crowd);
    run(&scene);
}

/* ---- Who may not, and what cannot be ---- */

static bool come_as_another(struct scene *s) {
    SCENE_BEGIN(s);
    fake_hide_pids(1001);
    for (s->count = 0; s->count < 20; s->count++) {
        s->number = come("1 stop\n");
        LOOK(s);
        assert_true(is_closed(s->number));
        assert_string_equal(received(s->number), "");
    }
    assert_int_equal(lines_count("control_refused"), 5);
    assert_non_null(strstr(lines_find("control_refused", 0), "peer=uid:1001"));
    s->number = fake_connect_path(STATUS); /* for whoever its mode lets in */
    LOOK(s);
    assert_told(s->number, OK_LINE);
    SCENE_END(s);
}

static void test_others(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, come_as_another);
    run(&scene);
}

/* Services are served without. */
static void test_no_endpoint(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_good, NULL);
    scene.client_count = 1;
    fake_fail(FAKE_LISTEN, BATON_IN_USE, 2);
    scene_run(&scene);
    assert_int_equal(lines_count("control_failed"), 2);
    assert_non_null(strstr(lines_find("control_failed", 0), "path=" CONTROL));
    assert_record(1, "served", "1");
    scene_clear(&scene);
}

/* Something is short: who has not asked goes, and who comes waits. */
static bool lack(struct scene *s) {
    SCENE_BEGIN(s);
    s->number = come("1 stat");
    LOOK(s);
    fake_fail(FAKE_ACCEPT, BATON_SHORTAGE, 1);
    s->mark_us = come("1 status\n");
    LOOK(s);
    assert_true(is_closed(s->number));
    assert_int_equal(fake_client((uint32_t)s->mark_us)->accepted_number, 0);
    assert_int_equal(s->deadline_us - fake_now_us(), 1000000);
    JUMP(s);
    LOOK(s);
    assert_told((uint32_t)s->mark_us, OK_LINE);
    SCENE_END(s);
}

static void test_shortage(void **state) {
    (void)state;
    struct scene scene;
    stage(&scene, &play_puppet, lack);
    run(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks),     cmocka_unit_test(test_asks_wrongly),
        cmocka_unit_test(test_commands), cmocka_unit_test(test_follows),
        cmocka_unit_test(test_slow),     cmocka_unit_test(test_crowd),
        cmocka_unit_test(test_others),   cmocka_unit_test(test_no_endpoint),
        cmocka_unit_test(test_shortage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
