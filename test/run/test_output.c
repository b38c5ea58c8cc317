/* What handlers write, cut into lines; and a log that is slow. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void say(uint32_t process, const char *text) {
    fake_handler_write(process, 0, text, strlen(text));
}

static const char *text_of(uint32_t number) {
    const char *line = lines_find("output", number);
    return line == NULL ? "(none)" : lines_value(line, "text");
}

static void run(struct scene *scene, scene_script *script) {
    scene_stage(scene, &play_puppet, script);
    scene->client_count = 2;
    scene->services[0].attempts_count = 1;
    scene_run(scene);
}

static bool lines_and_parts(struct scene *s) {
    SCENE_BEGIN(s);
    say(0, "one\ntwo\r\n\nthr");
    LOOK(s);
    say(1, "another's\nhal");
    LOOK(s);
    say(0, "ee\n");
    say(1, "f\n");
    LOOK(s);
    assert_int_equal(lines_count("output"), 6);
    say(0, "no line end");
    LOOK(s);
    assert_int_equal(lines_count("output"), 6);
    ACTS(s, 0, ACT_CRASH);
    assert_int_equal(lines_count("output"), 7);
    say(1, "end in the same round");
    scene_act(s, 1, ACT_CRASH);
    SCENE_END(s);
}

static void test_lines_and_parts(void **state) {
    (void)state;
    static const struct {
        const char *pid, *text;
    } expected[] = {{"1000", "one"},
                    {"1000", "two"},
                    {"1000", ""},
                    {"1001", "another's"},
                    {"1000", "three"},
                    {"1001", "half"},
                    {"1000", "no line end"},
                    {"1001", "end in the same round"}};
    struct scene scene;
    run(&scene, lines_and_parts);
    for (uint32_t i = 0; i < 8; i++) {
        const char *line = lines_find("output", i);
        assert_non_null(line);
        assert_string_equal(lines_value(line, "pid"), expected[i].pid);
        assert_string_equal(lines_value(line, "text"), expected[i].text);
        assert_string_equal(lines_value(line, "service"), "one");
    }
    assert_int_equal(lines_count("output"), 8);
    scene_clear(&scene);
}

/* Lines of every length around the place's, whole and in two pieces; no byte is lost or made up. */
static bool long_lines(struct scene *s) {
    char text[5000];
    memset(text, 'x', sizeof text);
    SCENE_BEGIN(s);
    for (s->count = 2040; s->count < 2060; s->count++) {
        memset(text, 'x', s->count);
        text[s->count] = '\0';
        say(0, text);
        if (s->number == 1) {
            LOOK(s);
        }
        say(0, "\n");
        LOOK(s);
    }
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    say(0, text);
    say(0, "\r\n");
    SCENE_END(s);
}

static bool long_lines_in_pieces(struct scene *s) {
    s->number = 1;
    return long_lines(s);
}

static void test_long_lines(void **state) {
    (void)state;
    scene_script *const scripts[] = {long_lines, long_lines_in_pieces};
    for (size_t i = 0; i < 2; i++) {
        struct scene scene;
        size_t got = 0, wanted = 4999;
        run(&scene, scripts[i]);
        for (uint32_t length = 2040; length < 2060; length++) {
            wanted += length;
        }
        for (uint32_t n = 0; n < lines_count("output"); n++) {
            size_t length = strlen(text_of(n));
            assert_true(length > 0);
            assert_int_equal(strspn(text_of(n), "x"), length);
            got += length;
        }
        assert_int_equal(got, wanted);
        scene_clear(&scene);
    }
}

static bool odd_bytes(struct scene *s) {
    static const char text[] = "nul\0 \"q\" \\ \x1b[1m \xff\xfe caf\xc3\xa9 a=b\n";
    SCENE_BEGIN(s);
    fake_handler_write(0, 0, text, sizeof text - 1);
    SCENE_END(s);
}

static void test_odd_bytes(void **state) {
    (void)state;
    struct scene scene;
    run(&scene, odd_bytes);
    assert_string_equal(text_of(0), "nul\\x00 \\\"q\\\" \\\\ \\x1b[1m \\xff\\xfe caf\xc3\xa9 a=b");
    scene_clear(&scene);
}

/* More writers with an unfinished line than there are places: every byte comes, in order. */
static bool many_writers(struct scene *s) {
    char text[32];
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 40; s->number++) {
        snprintf(text, sizeof text, "first-%u", s->number);
        fake_handler_write(0, 5000 + s->number, text, strlen(text));
        fake_advance_us(1);
        LOOK(s);
    }
    for (s->number = 0; s->number < 40; s->number++) {
        snprintf(text, sizeof text, "second-%u\n", s->number);
        fake_handler_write(0, 5000 + s->number, text, strlen(text));
        LOOK(s);
    }
    SCENE_END(s);
}

static void test_many_writers(void **state) {
    (void)state;
    struct scene scene;
    char wanted[64], pid[16], got[128];
    run(&scene, many_writers);
    for (uint32_t i = 0; i < 40; i++) {
        size_t length = 0;
        snprintf(wanted, sizeof wanted, "first-%usecond-%u", i, i);
        snprintf(pid, sizeof pid, "%u", 5000 + i);
        for (uint32_t n = 0; n < lines_count("output"); n++) {
            if (strcmp(lines_value(lines_find("output", n), "pid"), pid) == 0) {
                length += (size_t)snprintf(got + length, sizeof got - length, "%s", text_of(n));
            }
        }
        assert_string_equal(got, wanted);
    }
    scene_clear(&scene);
}

/* A process leaves more than is read at its exit, without a line end; it comes all the same. */
static bool leaves_much(struct scene *s) {
    char text[64];
    SCENE_BEGIN(s);
    for (s->number = 0; s->number < 300; s->number++) {
        snprintf(text, sizeof text, "piece-%u%s", s->number, s->number == 299 ? "" : "\n");
        say(0, text);
    }
    scene_act(s, 0, ACT_CRASH);
    SCENE_END(s);
}

static void test_much_is_left_at_the_exit(void **state) {
    (void)state;
    struct scene scene;
    run(&scene, leaves_much);
    assert_int_equal(lines_count("output"), 300);
    assert_string_equal(text_of(299), "piece-299");
    scene_clear(&scene);
}

/* Written just before the supervisor ends, by one that is not reaped as a handler. */
static bool last_words(struct scene *s) {
    SCENE_BEGIN(s);
    scene_stop(s);
    LOOK(s);
    fake_handler_write(0, 6000, "a grandchild's last words", 25);
    scene_act(s, 0, ACT_CRASH);
    scene_act(s, 1, ACT_CRASH);
    SCENE_END(s);
}

static void test_output_at_the_very_end(void **state) {
    (void)state;
    struct scene scene;
    run(&scene, last_words);
    assert_string_equal(text_of(0), "a grandchild's last words");
    scene_clear(&scene);
}

static bool ends_output(struct scene *s) {
    SCENE_BEGIN(s);
    say(0, "the end of the pipe ends the line");
    fake_handler_end_output(0);
    LOOK(s);
    assert_int_equal(lines_count("output"), 1);
    SCENE_END(s);
}

static void test_end_of_output(void **state) {
    (void)state;
    struct scene scene;
    run(&scene, ends_output);
    scene_clear(&scene);
}

/* ---- A slow log ---- */

static void write_much(struct scene *s, uint32_t process, uint32_t count) {
    char text[1001];
    for (uint32_t i = 0; i < count; i++) {
        memset(text, 'y', sizeof text);
        int length = snprintf(text, sizeof text, "%u", s->count++);
        text[length] = '-';
        text[sizeof text - 1] = '\n';
        fake_handler_write(process, 0, text, sizeof text);
    }
}

static bool slow_log(struct scene *s) {
    SCENE_BEGIN(s);
    fake_log_set_room(0);
    write_much(s, 0, 100);
    s->mark_us = fake_wait_count();
    LOOK(s);
    /* Half of the buffer is full: no more output is read, no more clients are taken. */
    assert_true(fake_wait_count() - s->mark_us < 50);
    s->number = fake_connect(SCENE_PORT);
    LOOK(s);
    assert_int_equal(fake_client(s->number)->accepted_number, 0);
    /* What happens to those who are there is recorded all the same. */
    say(1, "a part");
    scene_act(s, 1, ACT_CRASH);
    LOOK(s);
    assert_true(fake_process(1)->is_closed);
    /* The sink takes a little at a time. */
    while (lines_count("output") < 101) {
        fake_log_set_room(777);
        LOOK(s);
    }
    fake_log_set_room(SIZE_MAX);
    LOOK(s);
    assert_int_not_equal(fake_client(s->number)->accepted_number, 0);
    SCENE_END(s);
}

static void test_slow_log(void **state) {
    (void)state;
    struct scene scene;
    run(&scene, slow_log);
    assert_int_equal(lines_count("output"), 101);
    assert_string_equal(text_of(100), "a part");
    for (uint32_t i = 0; i < 100; i++) {
        assert_int_equal(strtoul(text_of(i), NULL, 10), i);
    }
    scene_clear(&scene);
}

/* One write of a handler makes thousands of lines: they wait, the supervisor does not. */
static bool many_empty_lines(struct scene *s) {
    static char feeds[4096];
    SCENE_BEGIN(s);
    memset(feeds, '\n', sizeof feeds);
    fake_log_set_room(0);
    fake_handler_write(0, 0, feeds, sizeof feeds);
    say(1, "behind them");
    s->mark_us = fake_wait_count();
    LOOK(s);
    assert_true(fake_wait_count() - s->mark_us < 50);
    ACTS(s, 1, ACT_CRASH);
    assert_true(fake_process(1)->is_closed);
    fake_log_set_room(SIZE_MAX);
    LOOK(s);
    assert_int_equal(lines_count("output"), sizeof feeds + 1);
    ACTS(s, 0, ACT_CRASH);
    SCENE_END(s);
}

static void test_many_lines_in_one_piece(void **state) {
    (void)state;
    struct scene scene;
    run(&scene, many_empty_lines);
    assert_string_equal(text_of(0), "");
    assert_string_equal(text_of(4096), "behind them");
    assert_int_equal(lines_count("lines_dropped"), 0);
    scene_clear(&scene);
}

/* The log takes nothing any more: the stop waits for it no longer than for a handler, and says that
 * something was lost. */
static bool dead_log(struct scene *s) {
    SCENE_BEGIN(s);
    fake_log_set_room(0);
    write_much(s, 0, 100);
    LOOK(s);
    for (s->number = 0; s->number < 40; s->number++) {
        write_much(s, 0, 2);
        LOOK(s);
    }
    ACTS(s, 0, ACT_CRASH);
    ACTS(s, 1, ACT_CRASH);
    s->mark_us = fake_now_us();
    scene_stop(s);
    SCENE_END(s);
}

static void test_log_that_stays_blocked(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, dead_log);
    scene.client_count = 2;
    scene.log = "/log";
    scene.services[0].attempts_count = 1;
    scene.services[0].stop_timeout_ms = 7000;
    scene_try(&scene);
    assert_null(fake_misuse());
    assert_int_equal(scene.result, SUPERVISOR_LOG_LOST);
    assert_int_equal(fake_now_us() - scene.mark_us, 7000000);
    assert_int_equal(lines_count("connection"), 0);
    const char *warning = strstr(fake_warnings(), "batond: warning: /log: ");
    assert_non_null(warning);
    assert_non_null(strstr(warning, " lines could not be written, 2 records among them\n"));
    scene_clear(&scene);
}

static void test_refusals_that_a_blocked_log_would_have_counted(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, dead_log);
    scene_mode(&scene, 0, HANDOFF_STDIO, PROTOCOL_TCP, false);
    scene.client_count = 150; /* as many as 100 refusals have a line of their own */
    scene.log = "/log";
    scene.services[0].max_connections_count = 2;
    scene.services[0].limits.when_full = WHEN_FULL_REFUSE;
    scene_try(&scene);
    assert_null(fake_misuse());
    assert_int_equal(scene.result, SUPERVISOR_LOG_LOST);
    const char *warning = strstr(fake_warnings(), "batond: warning: /log: ");
    assert_non_null(warning);
    assert_non_null(strstr(warning, " and the number of 48 more refused clients\n"));
    scene_clear(&scene);
}

/* Who reads in time gets all, with the last line last. */
static bool log_read_at_last(struct scene *s) {
    SCENE_BEGIN(s);
    fake_log_set_room(0);
    write_much(s, 0, 100);
    LOOK(s);
    ACTS(s, 0, ACT_CRASH);
    ACTS(s, 1, ACT_CRASH);
    fake_log_set_room(SIZE_MAX);
    SCENE_END(s);
}

static void test_log_that_is_read_at_last(void **state) {
    (void)state;
    struct scene scene;
    run(&scene, log_read_at_last);
    assert_int_equal(lines_count("output"), 100);
    assert_int_equal(lines_count("connection"), 2);
    const char *last = lines_find("stopped", 0);
    assert_string_equal(last + strcspn(last, "\n"), "\n");
    scene_clear(&scene);
}

/* A disk that is full for a while: what is lost is counted, records apart, and told when the log
 * can be written again; beside it at once. */
static bool full_disk(struct scene *s) {
    SCENE_BEGIN(s);
    fake_fail(FAKE_LOG_WRITE, BATON_SYSTEM, FAKE_ALWAYS);
    say(0, "lost\n");
    LOOK(s);
    assert_non_null(strstr(fake_warnings(), "/log: write: "));
    s->count = (uint32_t)strlen(fake_warnings());
    ACTS(s, 1, ACT_CRASH);
    say(0, "lost, too\n");
    LOOK(s);
    assert_int_equal(strlen(fake_warnings()), s->count); /* said once */
    assert_int_equal(lines_count("lines_dropped"), 0);
    fake_fail(FAKE_LOG_WRITE, 0, 0);
    say(0, "there again\n");
    LOOK(s);
    ACTS(s, 0, ACT_CRASH);
    SCENE_END(s);
}

static void test_full_disk(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, full_disk);
    scene.client_count = 2;
    scene.log = "/log";
    scene.services[0].attempts_count = 1;
    scene_try(&scene);
    assert_null(fake_misuse());
    assert_int_equal(scene.result, SUPERVISOR_STOPPED);
    assert_int_equal(lines_count("lines_dropped"), 1);
    const char *line = lines_find("lines_dropped", 0);
    assert_string_equal(lines_value(line, "records"), "1");
    assert_string_equal(lines_value(line, "count"), "4");
    assert_non_null(strstr(lines_value(line, "reason"), "write: "));
    assert_int_equal(lines_count("output"), 1);
    assert_int_equal(lines_count("connection"), 1);
    scene_clear(&scene);
}

/* Records are known as such in lines for people, too. */
static void test_full_disk_for_people(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, full_disk);
    scene.client_count = 2;
    scene.log = "/log";
    scene.log_format = LOG_FORMAT_TEXT;
    scene.services[0].attempts_count = 1;
    scene_try(&scene);
    assert_int_equal(scene.result, SUPERVISOR_STOPPED);
    assert_non_null(strstr(fake_log(), " warning lines dropped count=4 records=1: write: "));
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_and_parts),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_odd_bytes),
        cmocka_unit_test(test_many_writers),
        cmocka_unit_test(test_much_is_left_at_the_exit),
        cmocka_unit_test(test_output_at_the_very_end),
        cmocka_unit_test(test_end_of_output),
        cmocka_unit_test(test_slow_log),
        cmocka_unit_test(test_many_lines_in_one_piece),
        cmocka_unit_test(test_log_that_stays_blocked),
        cmocka_unit_test(test_refusals_that_a_blocked_log_would_have_counted),
        cmocka_unit_test(test_log_that_is_read_at_last),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_full_disk_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
