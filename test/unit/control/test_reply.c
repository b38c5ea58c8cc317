/* Lines of replies: JSON of any bytes, within their bound. */
#include "core/control/control.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct record line;

static void assert_line(const char *wanted) {
    assert_true(line.length < sizeof line.bytes);
    line.bytes[line.length] = '\0';
    assert_string_equal(line.bytes, wanted);
}

static void test_end(void **state) {
    (void)state;
    control_end(&line, CONTROL_OK, NULL, NULL);
    assert_line("{\"v\":1,\"type\":\"end\",\"ok\":true}\n");
    control_end(&line, CONTROL_NO_SERVICE, NULL, "look");
    assert_line("{\"v\":1,\"type\":\"end\",\"ok\":false,\"code\":\"no_such_service\","
                "\"text\":\"there is no such service\",\"hint\":\"look\"}\n");
    control_end(&line, CONTROL_SHORT, "a \"b\"\n\xff\xc3\xa4\\", NULL);
    assert_line("{\"v\":1,\"type\":\"end\",\"ok\":false,\"code\":\"short\","
                "\"text\":\"a \\\"b\\\"\\n\xef\xbf\xbd\xc3\xa4\\\\\"}\n");
}

/* Each has a word and a text of its own. */
static void test_codes(void **state) {
    (void)state;
    char before[sizeof line.bytes] = "";
    for (unsigned code = CONTROL_OK + 1; code < CONTROL_CODE_COUNT; code++) {
        control_end(&line, (enum control_code)code, NULL, NULL);
        line.bytes[line.length] = '\0';
        assert_null(strstr(line.bytes, "\"ok\",")); /* the first of the table */
        assert_null(strstr(line.bytes, "\"\""));
        assert_string_not_equal(line.bytes, before);
        memcpy(before, line.bytes, line.length + 1);
    }
}

static void test_bound(void **state) {
    (void)state;
    static char text[3 * RECORD_LINE_BYTES];
    memset(text, 1, sizeof text - 1);
    control_begin(&line, "service");
    record_text(&line, "service", text);
    record_flag(&line, "open", true);
    record_number(&line, "count", 17);
    record_end(&line);
    assert_true(line.length <= RECORD_LINE_BYTES);
    assert_memory_equal(line.bytes + line.length - 3, "\"}\n", 3);
}

/* What a log line is, and what its copy is. */
static void test_copy(void **state) {
    (void)state;
    static struct record log, small;
    static const enum log_format formats[] = {LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMAT_TEXT};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        log.copy = &line;
        record_begin(&log, formats[i], 0, LOG_LEVEL_INFO, "listening");
        record_text(&log, "service", "w b");
        record_number(&log, "id", 3);
        record_end(&log);
        assert_line("{\"v\":1,\"type\":\"event\",\"time\":\"1970-01-01T00:00:00.000Z\","
                    "\"level\":\"info\",\"event\":\"listening\",\"service\":\"w b\",\"id\":3}\n");
        small.copy = NULL;
        record_begin(&small, formats[i], 0, LOG_LEVEL_INFO, "listening");
        record_text(&small, "service", "w b");
        record_number(&small, "id", 3);
        record_end(&small);
        assert_int_equal(log.length, small.length);
        assert_memory_equal(log.bytes, small.bytes, log.length);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_end), cmocka_unit_test(test_codes),
                                       cmocka_unit_test(test_bound), cmocka_unit_test(test_copy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
