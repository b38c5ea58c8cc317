/* What the system's own log of events is told (core/tell/entry.h). */
#include "core/tell/entry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US UINT64_C(1000000)

/* The numbers stand in filters of administrators: whoever changes one breaks these. */
static void test_numbers_are_for_ever(void **state) {
    (void)state;
    static const struct {
        const char *event;
        unsigned number;
        enum log_level level;
    } rows[] = {
        {"starting", 100, LOG_LEVEL_INFO},       {"ready", 101, LOG_LEVEL_INFO},
        {"stopping", 102, LOG_LEVEL_INFO},       {"stopped", 103, LOG_LEVEL_INFO},
        {"start_failed", 200, LOG_LEVEL_ERROR},  {"broken", 201, LOG_LEVEL_ERROR},
        {"listen_failed", 300, LOG_LEVEL_ERROR}, {"listener_lost", 301, LOG_LEVEL_WARNING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum entry entry = entry_of_line(rows[i].event);
        assert_int_not_equal(entry, ENTRY_NONE);
        assert_int_equal(entry_number(entry), rows[i].number);
        assert_int_equal(entry_level(entry), rows[i].level);
    }
    assert_int_equal(entry_number(ENTRY_CRASHED), 400);
    assert_int_equal(entry_level(ENTRY_CRASHED), LOG_LEVEL_WARNING);
    assert_int_equal(ENTRY_COUNT, sizeof rows / sizeof *rows + 1);
}

static void test_most_lines_are_none(void **state) {
    (void)state;
    static const char *const events[] = {"",         "connection",   "crashed", "start",   "stoppe",
                                         "stopped2", "entries_lost", "output",  "reloaded"};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        assert_int_equal(entry_of_line(events[i]), ENTRY_NONE);
    }
}

static void test_a_flood_of_one_kind_is_counted(void **state) {
    (void)state;
    static struct entry_counts counts;
    uint64_t left_out_count = 1, now_us = 7 * SECOND_US;
    for (unsigned i = 0; i < ENTRY_PERIOD_COUNT; i++) {
        assert_true(entry_passes(&counts, ENTRY_CRASHED, now_us, &left_out_count));
        assert_int_equal(left_out_count, 0);
    }
    for (unsigned i = 0; i < 100; i++) {
        assert_false(entry_passes(&counts, ENTRY_CRASHED, now_us + i, &left_out_count));
    }
    assert_true(entry_passes(&counts, ENTRY_STOPPING, now_us, &left_out_count)); /* another kind */
    assert_int_equal(left_out_count, 0);
    now_us += ENTRY_PERIOD_S / ENTRY_PERIOD_COUNT * SECOND_US;
    assert_true(entry_passes(&counts, ENTRY_CRASHED, now_us, &left_out_count));
    assert_int_equal(left_out_count, 100);
    assert_false(entry_passes(&counts, ENTRY_CRASHED, now_us, &left_out_count));
    now_us += ENTRY_PERIOD_S * SECOND_US;
    assert_true(entry_passes(&counts, ENTRY_CRASHED, now_us, &left_out_count));
    assert_int_equal(left_out_count, 1);
    assert_true(entry_passes(&counts, ENTRY_CRASHED, now_us, &left_out_count));
    assert_int_equal(left_out_count, 0);
}

static const char *write_of(const struct record *line, uint64_t left_out_count) {
    static char text[ENTRY_TEXT_BYTES];
    size_t length = entry_write(line, left_out_count, text);
    assert_int_equal(length, strlen(text));
    return text;
}

static void put_line(struct record *line, enum log_format format) {
    record_begin(line, format, 0, LOG_LEVEL_ERROR, "listen_failed");
    record_text(line, "service", "one");
    record_text(line, "reason", "fe80::1%2 %1 %%3 100%");
    record_end(line);
}

static void test_the_line_without_what_is_around_it(void **state) {
    (void)state;
    static struct record line = {.head = RECORD_HEAD_SYSLOG, .facility = 3, .pid = 5};
    put_line(&line, LOG_FORMAT_LOGFMT);
    assert_string_equal(write_of(&line, 0),
                        "time=1970-01-01T00:00:00.000Z level=error event=listen_failed service=one "
                        "reason=\"fe80::1\\x252 \\x251 \\x25\\x253 100\\x25\"");
    line.head = RECORD_HEAD_NONE;
    line.is_coloured = true;
    put_line(&line, LOG_FORMAT_TEXT);
    assert_string_equal(write_of(&line, 3),
                        "00:00:00 error one listen failed: fe80::1\\x252 \\x251 \\x25\\x253 "
                        "100\\x25\r\n\r\nof this kind left out since the last one: 3");
}

static void test_the_longest_line_loses_its_end(void **state) {
    (void)state;
    static struct record line;
    static char longest[RECORD_LINE_BYTES];
    memset(longest, '%', sizeof longest - 1);
    memcpy(longest + 2000, "\xc3\xa4", 2);
    record_begin(&line, LOG_FORMAT_JSON, 0, LOG_LEVEL_ERROR, "listen_failed");
    record_text(&line, "x", longest);
    record_end(&line);
    const char *text = write_of(&line, UINT32_MAX);
    assert_null(strchr(text, '%'));
    assert_non_null(strstr(text, "\\x25\\x25"));
    assert_non_null(strstr(text, "last one: 4294967295"));
    assert_true(strlen(text) < ENTRY_TEXT_BYTES);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_for_ever),
        cmocka_unit_test(test_most_lines_are_none),
        cmocka_unit_test(test_a_flood_of_one_kind_is_counted),
        cmocka_unit_test(test_the_line_without_what_is_around_it),
        cmocka_unit_test(test_the_longest_line_loses_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
