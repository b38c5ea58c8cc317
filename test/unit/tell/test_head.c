/* What stands before a line for a journal or a syslog (core/tell/record.h). */
#include "core/tell/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 2026-03-09T05:06:07 and 2026-11-30T23:59:59. */
#define MARCH_US INT64_C(1773032767000000)
#define NOVEMBER_US INT64_C(1796083199999999)

static const char *line_of(struct record *record, enum log_format format, enum log_level level) {
    record_begin(record, format, 0, level, "x_y");
    record_text(record, "a", "b");
    record_end(record);
    record->bytes[record->length] = '\0';
    return record->bytes;
}

static void test_priorities(void **state) {
    (void)state;
    static struct record record = {.head = RECORD_HEAD_PRIORITY, .facility = 3, .pid = 5};
    static const char *const begins[] = {"<3>", "<4>", "<6>", "<7>"};
    for (size_t format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_TEXT; format++) {
        for (size_t level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
            record.head = RECORD_HEAD_NONE;
            char plain[256];
            snprintf(plain, sizeof plain, "%s",
                     line_of(&record, (enum log_format)format, (enum log_level)level));
            record.head = RECORD_HEAD_PRIORITY;
            const char *line = line_of(&record, (enum log_format)format, (enum log_level)level);
            assert_memory_equal(line, begins[level], 3);
            assert_string_equal(line + 3, plain); /* nothing else is different */
            assert_int_equal(record_head_bytes(line, strlen(line)), 3);
            assert_int_equal(record_head_bytes(plain, strlen(plain)), 0);
        }
    }
}

static void test_syslog(void **state) {
    (void)state;
    static struct record record = {
        .head = RECORD_HEAD_SYSLOG, .facility = 3, .pid = 4711, .local_us = MARCH_US};
    const char *line = line_of(&record, LOG_FORMAT_LOGFMT, LOG_LEVEL_WARNING);
    assert_string_equal(line, "<28>Mar  9 05:06:07 batond[4711]: time=1970-01-01T00:00:00.000Z "
                              "level=warning event=x_y a=b\n");
    assert_int_equal(record_head_bytes(line, strlen(line)),
                     strlen("<28>Mar  9 05:06:07 batond[4711]: "));
    record.local_us = NOVEMBER_US;
    record.facility = 23;
    line = line_of(&record, LOG_FORMAT_JSON, LOG_LEVEL_DEBUG);
    assert_string_equal(line, "<191>Nov 30 23:59:59 batond[4711]: "
                              "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"debug\","
                              "\"event\":\"x_y\",\"a\":\"b\"}\n");
    record.facility = 1;
    line = line_of(&record, LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
    assert_string_equal(line, "<11>Nov 30 23:59:59 batond[4711]: 00:00:00 error x y a=b\n");
}

/* A line may be cut anywhere where it is looked at. */
static void test_heads_that_are_cut(void **state) {
    (void)state;
    static const char head[] = "<28>Mar  9 05:06:07 batond[1]: ";
    for (size_t length = 0; length < sizeof head; length++) {
        assert_in_range(record_head_bytes(head, length), 0, length);
    }
    assert_int_equal(record_head_bytes("<6", 2), 0);
    assert_int_equal(record_head_bytes("time=<6>", 8), 0);
    assert_int_equal(record_head_bytes("<6>12:00:00 <a>", 15), 3);
}

/* A copy for the control channel has none. */
static void test_copies_have_none(void **state) {
    (void)state;
    static struct record record = {.head = RECORD_HEAD_PRIORITY}, copy;
    record.copy = &copy;
    line_of(&record, LOG_FORMAT_LOGFMT, LOG_LEVEL_INFO);
    assert_memory_equal(copy.bytes, "{\"v\":1", 6);
    assert_memory_equal(record.bytes, "<6>time=", 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_syslog),
        cmocka_unit_test(test_heads_that_are_cut),
        cmocka_unit_test(test_copies_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
