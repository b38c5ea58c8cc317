/* Requests: every code, at its border. */
#include "core/control/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static char room[CONTROL_REQUEST_BYTES];
static struct control_request request;

static enum control_code parse_bytes(const char *bytes, size_t length) {
    assert_true(length < sizeof room);
    memcpy(room, bytes, length);
    return control_parse(room, length, &request);
}

static enum control_code parse(const char *text) {
    return parse_bytes(text, strlen(text));
}

static void test_verbs(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum control_verb verb;
        size_t word_count;
    } fine[] = {{"1 status", CONTROL_VERB_STATUS, 0},
                {"1 services", CONTROL_VERB_SERVICES, 0},
                {"1 connections", CONTROL_VERB_CONNECTIONS, 0},
                {"1 connections web", CONTROL_VERB_CONNECTIONS, 1},
                {"1 stop", CONTROL_VERB_STOP, 0},
                {"1 kill 17", CONTROL_VERB_KILL, 1},
                {"1 log-level debug", CONTROL_VERB_LOG_LEVEL, 1},
                {"1 log-reopen", CONTROL_VERB_LOG_REOPEN, 0},
                {"1 events", CONTROL_VERB_EVENTS, 0},
                {"1 reload", CONTROL_VERB_RELOAD, 0},
                {"1 restart wait", CONTROL_VERB_RESTART, 1},
                {"1 drain web", CONTROL_VERB_DRAIN, 1},
                {"1 disable web", CONTROL_VERB_DISABLE, 1},
                {"1 enable web", CONTROL_VERB_ENABLE, 1}};
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++) {
        assert_int_equal(parse(fine[i].text), CONTROL_OK);
        assert_int_equal(request.verb, fine[i].verb);
        assert_int_equal(request.word_count, fine[i].word_count);
    }
    assert_int_equal(parse("1 connections w\xc3\xa4"), CONTROL_OK);
    assert_string_equal(request.words[0], "w\xc3\xa4");
    assert_int_equal(sizeof fine / sizeof *fine, CONTROL_VERB_COUNT + 1);
}

static void test_codes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum control_code code;
    } wrong[] = {
        {"", CONTROL_SYNTAX},
        {" 1 status", CONTROL_SYNTAX},
        {"1  status", CONTROL_SYNTAX},
        {"1 status ", CONTROL_SYNTAX},
        {"1 connections  web", CONTROL_SYNTAX},
        {"1 ", CONTROL_SYNTAX},
        {"1", CONTROL_VERSION},
        {"2 status", CONTROL_VERSION},
        {"11 status", CONTROL_VERSION},
        {"01 status", CONTROL_VERSION},
        {"status", CONTROL_VERSION},
        {"GET / HTTP/1.0", CONTROL_VERSION},
        {"1 statu", CONTROL_UNKNOWN_VERB},
        {"1 statuses", CONTROL_UNKNOWN_VERB},
        {"1 STATUS", CONTROL_UNKNOWN_VERB},
        {"1 no a b c d e f g h i j", CONTROL_UNKNOWN_VERB},
        {"1 status x", CONTROL_WORD_COUNT},
        {"1 kill", CONTROL_WORD_COUNT},
        {"1 kill 1 2", CONTROL_WORD_COUNT},
        {"1 connections a b", CONTROL_WORD_COUNT},
        {"1 status a b c d e f g h i j", CONTROL_WORD_COUNT},
        {"1 status\r", CONTROL_NOT_TEXT},
        {"1\tstatus", CONTROL_NOT_TEXT},
        {"1 connections \x7f", CONTROL_NOT_TEXT},
        {"1 connections \xc2\x80", CONTROL_NOT_TEXT},
        {"1 connections \xff", CONTROL_NOT_TEXT},
        {"1 connections \xc3", CONTROL_NOT_TEXT},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (parse(wrong[i].text) != wrong[i].code) {
            fail_msg("`%s`", wrong[i].text);
        }
    }
    assert_int_equal(parse_bytes("1 stop\0", 7), CONTROL_NOT_TEXT);
    assert_int_equal(parse_bytes("\0", 1), CONTROL_NOT_TEXT);
}

/* As long as a request can be. */
static void test_longest(void **state) {
    (void)state;
    char text[CONTROL_REQUEST_BYTES];
    memset(text, 'a', sizeof text);
    memcpy(text, "1 connections ", 14);
    assert_int_equal(parse_bytes(text, sizeof text - 1), CONTROL_OK);
    assert_int_equal(strlen(request.words[0]), sizeof text - 1 - 14);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verbs), cmocka_unit_test(test_codes),
                                       cmocka_unit_test(test_longest)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
