/* Log lines (core/tell/record.h): escapes, times, and lines that outgrow the buffer. */
#include "core/base/text.h"
#include "core/tell/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BEGINNING_LOGFMT "time=1970-01-01T00:00:00.000Z level=info event=x"
#define BEGINNING_JSON "{\"time\":\"1970-01-01T00:00:00.000Z\",\"level\":\"info\",\"event\":\"x\""

static struct record record;

/* ---- A small parser: one flat object, or one line of logfmt ---- */

static bool is_utf8(const char *text, size_t length) {
    size_t where;
    return text_check(text, length, &where) != TEXT_NOT_UTF8;
}

/* Byte by byte: strspn() under AddressSanitizer looks at all of the text, however long, each time.
 */
static bool are_hex(const char *at, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (at[i] == '\0' || strchr("0123456789abcdef", at[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* Behind the string that starts at `at`; NULL if it is none. */
static const char *skip_string(const char *at, bool json) {
    if (*at++ != '"') {
        return NULL;
    }
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < ' ') {
            return NULL;
        }
        if (*at != '\\') {
            continue;
        }
        at++;
        size_t digits = *at == 'u' && json ? 4 : *at == 'x' && !json ? 2 : 0;
        if (digits == 0 && strchr("\"\\nrt", *at) == NULL) {
            return NULL;
        }
        if (!are_hex(at + 1, digits)) {
            return NULL;
        }
        at += digits;
    }
    return at + 1;
}

static bool is_json(const char *at) {
    if (*at++ != '{') {
        return false;
    }
    for (;;) {
        at = skip_string(at, true);
        if (at == NULL || *at++ != ':') {
            return false;
        }
        if (*at == '"') {
            at = skip_string(at, true);
        } else {
            size_t digits = strspn(at, "0123456789");
            at = digits > 0 ? at + digits : NULL;
        }
        if (at == NULL) {
            return false;
        }
        if (*at == '}') {
            return strcmp(at, "}\n") == 0;
        }
        if (*at++ != ',') {
            return false;
        }
    }
}

static bool is_logfmt(const char *at) {
    for (;;) {
        size_t key = strspn(at, "abcdefghijklmnopqrstuvwxyz_");
        if (key == 0 || at[key] != '=') {
            return false;
        }
        at += key + 1;
        if (*at == '"') {
            at = skip_string(at, false);
        } else {
            size_t plain = strcspn(at, " \"=\\\n");
            at = plain > 0 ? at + plain : NULL;
        }
        if (at == NULL) {
            return false;
        }
        if (*at == '\n') {
            return at[1] == '\0';
        }
        if (*at++ != ' ') {
            return false;
        }
    }
}

/* Nothing that a terminal would obey but our colours. */
static bool is_text(const char *at, bool is_coloured) {
    while ((unsigned char)*at >= ' ' || (is_coloured && *at == '\x1b')) {
        at++;
    }
    return strcmp(at, "\n") == 0;
}

/* Ends the line, checks its form, and gives it as a text. */
static const char *finish(void) {
    static char line[RECORD_LINE_BYTES + 1];
    record_end(&record);
    assert_true(record.length <= sizeof record.bytes);
    memcpy(line, record.bytes, record.length);
    line[record.length] = '\0';
    assert_int_equal(strlen(line), record.length);
    assert_true(is_utf8(line, record.length));
    if (!(record.format == LOG_FORMAT_JSON   ? is_json(line)
          : record.format == LOG_FORMAT_TEXT ? is_text(line, record.is_coloured)
                                             : is_logfmt(line))) {
        fprintf(stderr, "%s", line);
        fail_msg("%s", "not a valid line");
    }
    return line;
}

static void begin(enum log_format format) {
    record_begin(&record, format, 0, LOG_LEVEL_INFO, "x");
}

/* ---- Escapes ---- */

static const struct {
    const char *bytes;
    size_t length;
    const char *logfmt, *json;
} texts[] = {
    {"plain", 5, "plain", "\"plain\""},
    {"", 0, "\"\"", "\"\""},
    {"two words", 9, "\"two words\"", "\"two words\""},
    {"a=b", 3, "\"a=b\"", "\"a=b\""},
    {"q\"b\\", 4, "\"q\\\"b\\\\\"", "\"q\\\"b\\\\\""},
    {"l\nr\rt\t", 6, "\"l\\nr\\rt\\t\"", "\"l\\nr\\rt\\t\""},
    {"\0\x1b\x7f", 3, "\"\\x00\\x1b\\x7f\"", "\"\\u0000\\u001b\\u007f\""},
    {"caf\xc3\xa9", 5, "\"caf\xc3\xa9\"", "\"caf\xc3\xa9\""},
    {"\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"", "\"\xf0\x9f\x98\x80\""},
    {"\xff\xc3", 2, "\"\\xff\\xc3\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xc0\x80", 2, "\"\\xc0\\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xed\xa0\x80", 3, "\"\\xed\\xa0\\x80\"", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xf4\x90\x80\x80", 4, "\"\\xf4\\x90\\x80\\x80\"",
     "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {"\xc2\x9b", 2, "\"\\xc2\\x9b\"", "\"\\u009b\""},
    {"\xd8\x9b\xd8\x9c\xd8\x9d", 6, "\"\xd8\x9b\\xd8\\x9c\xd8\x9d\"",
     "\"\xd8\x9b\\u061c\xd8\x9d\""},
    {"\xc2\xa0", 2, "\"\xc2\xa0\"", "\"\xc2\xa0\""},
    /* U+200D, U+200E, U+200F, U+2010; U+2027, U+2028, U+202E, U+202F; U+2065 to U+206A */
    {"\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90", 12,
     "\"\xe2\x80\x8d\\xe2\\x80\\x8e\\xe2\\x80\\x8f\xe2\x80\x90\"",
     "\"\xe2\x80\x8d\\u200e\\u200f\xe2\x80\x90\""},
    {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf", 12,
     "\"\xe2\x80\xa7\\xe2\\x80\\xa8\\xe2\\x80\\xae\xe2\x80\xaf\"",
     "\"\xe2\x80\xa7\\u2028\\u202e\xe2\x80\xaf\""},
    {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa", 12,
     "\"\xe2\x81\xa5\\xe2\\x81\\xa6\\xe2\\x81\\xa9\xe2\x81\xaa\"",
     "\"\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa\""},
    {"\xe3\x80\xae\xe2\x82\xa8", 6, "\"\xe3\x80\xae\xe2\x82\xa8\"", "\"\xe3\x80\xae\xe2\x82\xa8\""},
};

static void test_escapes(void **state) {
    (void)state;
    char wanted[256];
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        begin(LOG_FORMAT_LOGFMT);
        record_bytes(&record, "key", texts[i].bytes, texts[i].length);
        snprintf(wanted, sizeof wanted, BEGINNING_LOGFMT " key=%s\n", texts[i].logfmt);
        assert_string_equal(finish(), wanted);
        begin(LOG_FORMAT_JSON);
        record_bytes(&record, "key", texts[i].bytes, texts[i].length);
        snprintf(wanted, sizeof wanted, BEGINNING_JSON ",\"key\":%s}\n", texts[i].json);
        assert_string_equal(finish(), wanted);
    }
}

static void test_any_bytes_make_a_valid_line(void **state) {
    (void)state;
    char bytes[64];
    srand(4711);
    for (int turn = 0; turn < 20000; turn++) {
        for (size_t i = 0; i < sizeof bytes; i++) {
            /* Often the lead bytes and continuations that make and break sequences. */
            int kind = rand() % 3;
            bytes[i] = (char)(kind == 0   ? rand() % 256
                              : kind == 1 ? 0xc0 + rand() % 64
                                          : 0x80 + rand() % 64);
        }
        begin(turn % 2 == 0 ? LOG_FORMAT_LOGFMT : LOG_FORMAT_JSON);
        record_bytes(&record, "key", bytes, (size_t)(rand() % (int)sizeof bytes));
        finish();
    }
}

/* ---- Lines that do not fit ---- */

static void check_long(enum log_format format, char fill, size_t length) {
    static char bytes[RECORD_LINE_BYTES + 100];
    memset(bytes, fill, sizeof bytes);
    begin(format);
    record_bytes(&record, "first", bytes, length);
    record_number(&record, "number", UINT64_MAX);
    record_bytes(&record, "second", "two words", 9);
    record_text(&record, "third", "plain");
    const char *line = finish();
    /* What is full stays full: nothing follows a text that was cut. */
    if (strstr(line, "number") == NULL) {
        assert_null(strstr(line, "second"));
    }
    if (strstr(line, "second") == NULL) {
        assert_null(strstr(line, "third"));
    }
}

/* Lengths that make a line just fit or not, for every width that a byte can take in the line. */
static void test_every_length_around_the_end(void **state) {
    (void)state;
    static const char fills[] = {'x', ' ', '\n', '\x01', '\xff'};
    static const size_t widths[] = {1, 2, 3, 4, 6};
    for (size_t fill = 0; fill < sizeof fills; fill++) {
        for (size_t width = 0; width < 5; width++) {
            size_t most = RECORD_LINE_BYTES / widths[width];
            for (size_t length = most - 160; length < most + 10; length++) {
                check_long(LOG_FORMAT_LOGFMT, fills[fill], length);
                check_long(LOG_FORMAT_JSON, fills[fill], length);
            }
        }
    }
}

static void test_plain_text_is_cut_at_the_end(void **state) {
    (void)state;
    static char bytes[2 * RECORD_LINE_BYTES];
    memset(bytes, 'x', sizeof bytes);
    begin(LOG_FORMAT_LOGFMT);
    record_bytes(&record, "key", bytes, sizeof bytes);
    assert_true(strlen(finish()) > RECORD_LINE_BYTES - 16);
}

static void test_long_keys(void **state) {
    (void)state;
    static const char key[] =
        "a_key_that_is_longer_than_any_that_a_reasonable_person_would_think_of"
        "_and_then_some_more_of_it";
    char wanted[512];
    begin(LOG_FORMAT_JSON);
    record_number(&record, key, 5);
    snprintf(wanted, sizeof wanted, BEGINNING_JSON ",\"%s\":5}\n", key);
    assert_string_equal(finish(), wanted);
}

/* ---- Times ---- */

static void test_times(void **state) {
    (void)state;
    static const struct {
        int64_t seconds, us;
        const char *text;
    } times[] = {
        {0, 0, "1970-01-01T00:00:00.000Z"},
        {0, 999, "1970-01-01T00:00:00.000Z"},
        {0, 1000, "1970-01-01T00:00:00.001Z"},
        {0, -1, "1969-12-31T23:59:59.999Z"},
        {0, -1001, "1969-12-31T23:59:59.998Z"},
        {-86400, 0, "1969-12-31T00:00:00.000Z"},
        {951782399, 999999, "2000-02-28T23:59:59.999Z"},
        {951782400, 0, "2000-02-29T00:00:00.000Z"},
        {951868800, 0, "2000-03-01T00:00:00.000Z"},
        {1709164800, 0, "2024-02-29T00:00:00.000Z"},
        {1767225600, 0, "2026-01-01T00:00:00.000Z"},
        {4107542399, 0, "2100-02-28T23:59:59.000Z"},
        {4107542400, 0, "2100-03-01T00:00:00.000Z"},
        {2147483648, 0, "2038-01-19T03:14:08.000Z"},
        {-2208988800, 0, "1900-01-01T00:00:00.000Z"},
        {-11676096000, 0, "1600-01-01T00:00:00.000Z"},
        {253402300799, 999999, "9999-12-31T23:59:59.999Z"},
    };
    char wanted[64];
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        record_begin(&record, LOG_FORMAT_LOGFMT, times[i].seconds * 1000000 + times[i].us,
                     LOG_LEVEL_ERROR, "x");
        snprintf(wanted, sizeof wanted, "time=%s level=error event=x\n", times[i].text);
        assert_string_equal(finish(), wanted);
    }
}

/* ---- The record of a connection ---- */

static struct service_listen places[2] = {{.address = {.family = ADDRESS_IPV4}},
                                          {.path = "/run/ok.sock"}};
static const struct service service = {.name = "ok", .listen = places, .listen_count = 2};

static struct connection served(void) {
    return (struct connection){
        .outcome = OUTCOME_SERVED,
        .id = 17,
        .accepted_us = 1000,
        .launched_us = 1012,
        .greeted_us = 1322,
        .offered_us = 1400,
        .acked_us = 1495,
        .ended_us = 42000,
        .accepted_wall_us = 0,
        .peer = {.family = ADDRESS_IPV4, .bytes = {127, 0, 0, 1}, .port = 50122},
        .local = {.family = ADDRESS_IPV6, .bytes = {[15] = 1}, .port = 7777},
        .pid = 4711,
    };
}

static const char *line_of(enum log_format format, const struct connection *c, const char *text) {
    record_connection(&record, format, c, &service, text, strlen(text));
    record.length--; /* finish() ends the line a second time */
    if (format == LOG_FORMAT_JSON) {
        record.length--;
    }
    return finish();
}

static void test_connection(void **state) {
    (void)state;
    struct connection c = served();
    assert_string_equal(line_of(LOG_FORMAT_LOGFMT, &c, ""),
                        "time=1970-01-01T00:00:00.041Z level=info event=connection service=ok "
                        "id=17 peer=127.0.0.1:50122 local=[::1]:7777 outcome=served pid=4711 "
                        "attempts=1 wait_us=12 launch_us=310 handoff_us=95 duration_ms=41\n");
    c.has_status = c.has_exit = c.has_bytes_in = c.has_bytes_out = true;
    c.status = 3;
    c.exit_code = 9;
    c.bytes_in = UINT64_MAX;
    assert_string_equal(line_of(LOG_FORMAT_JSON, &c, "a \"text\""),
                        "{\"time\":\"1970-01-01T00:00:00.041Z\",\"level\":\"info\",\"event\":"
                        "\"connection\",\"service\":\"ok\",\"id\":17,\"peer\":\"127.0.0.1:50122\","
                        "\"local\":\"[::1]:7777\",\"outcome\":\"served\",\"pid\":4711,\"status\":3,"
                        "\"exit\":9,\"attempts\":1,\"bytes_in\":18446744073709551615,"
                        "\"bytes_out\":0,\"wait_us\":12,\"launch_us\":310,\"handoff_us\":95,"
                        "\"duration_ms\":41,\"text\":\"a \\\"text\\\"\"}\n");
    c = (struct connection){.outcome = OUTCOME_LAUNCH_FAILED, .id = 1, .attempts_used = 2};
    assert_string_equal(line_of(LOG_FORMAT_LOGFMT, &c, ""),
                        "time=1970-01-01T00:00:00.000Z level=warning event=connection service=ok "
                        "id=1 peer=- local=- outcome=launch_failed attempts=2 duration_ms=0\n");
    c = served(); /* it was offered early, and its process has never said HELLO */
    c.greeted_us = c.acked_us = 0;
    c.outcome = OUTCOME_HANDSHAKE_TIMEOUT;
    assert_non_null(strstr(line_of(LOG_FORMAT_LOGFMT, &c, ""), " wait_us=12 duration_ms=41\n"));
}

/* Its process was there before it came, and then when it was on its way; what that has cost. */
static void test_connection_of_a_process_that_lives_on(void **state) {
    (void)state;
    struct connection c = served();
    c.greeted_us = c.accepted_us - 1;
    c.launched_us = c.accepted_us - 500;
    c.offered_us = c.accepted_us + 7;
    c.acked_us = c.accepted_us + 27;
    const char *line = line_of(LOG_FORMAT_LOGFMT, &c, "");
    assert_non_null(strstr(line, " attempts=1 wait_us=7 handoff_us=20 duration_ms=41\n"));
    c.greeted_us = c.accepted_us + 5;
    c.cpu_us = 900;
    c.memory_peak_kib = 2048;
    line = line_of(LOG_FORMAT_LOGFMT, &c, "");
    assert_non_null(strstr(line,
                           " attempts=1 cpu_us=900 memory_peak_kib=2048 wait_us=0 launch_us=5 "
                           "handoff_us=20 duration_ms=41\n"));
    assert_null(strstr(line_of(LOG_FORMAT_TEXT, &c, ""), "cpu")); /* people would not look at it */
}

/* What is the handler's or the operator's matter is a warning. */
static void test_levels(void **state) {
    static const char bad[] = " failed crashed rejected launch_failed handshake_timeout "
                              "handshake_invalid proxy_invalid ";
    unsigned bad_count = 0;
    (void)state;
    for (unsigned outcome = OUTCOME_SERVED; outcome <= OUTCOME_DRAINED; outcome++) {
        char word[64];
        struct connection c = {.outcome = (enum outcome)outcome};
        snprintf(word, sizeof word, " %s ", outcome_text(outcome));
        bool is_bad = strstr(bad, word) != NULL;
        bad_count += is_bad;
        assert_non_null(strstr(line_of(LOG_FORMAT_LOGFMT, &c, ""),
                               is_bad ? " level=warning " : " level=info "));
    }
    assert_int_equal(bad_count, 7);
}

/* A line for people that begins at 12:34 local time. */
static const char *text_of(enum log_level level, const char *event, bool is_coloured) {
    record.local_minute = 12 * 60 + 34;
    record.is_coloured = is_coloured;
    record_begin(&record, LOG_FORMAT_TEXT, -1000000, level, event);
    record_text(&record, "service", "web");
    record_text(&record, "reason", "a \"word\" of C:\\x, \x1b[31m \xc2\x9b \xff");
    record_number(&record, "retry_ms", 1000);
    record_number(&record, "pid", 17);
    return finish();
}

static void test_for_people(void **state) {
    (void)state;
    struct connection c = served();
    record.local_minute = 61;
    record.is_coloured = false;
    assert_string_equal(line_of(LOG_FORMAT_TEXT, &c, ""),
                        "01:01:00  ok 127.0.0.1:50122 served in 41 ms\n");
    c.outcome = OUTCOME_CRASHED;
    c.has_exit = c.exit_by_signal = true;
    c.exit_code = 11;
    c.attempts_used = 1;
    assert_string_equal(line_of(LOG_FORMAT_TEXT, &c, "out of\nluck"),
                        "01:01:00  warning ok 127.0.0.1:50122 crashed signal=11 attempts=2 in 41 "
                        "ms: out of\\nluck\n");
    c.is_activation = true;
    assert_non_null(strstr(line_of(LOG_FORMAT_TEXT, &c, ""), "00  warning ok activation crashed"));
    assert_string_equal(text_of(LOG_LEVEL_ERROR, "listen_failed", false),
                        "12:34:59 error web listen failed: a \"word\" of C:\\x, \\x1b[31m "
                        "\\xc2\\x9b \\xff retry=1000 ms\n");
    assert_memory_equal(text_of(LOG_LEVEL_WARNING, "x", true), "12:34:59\x1b[33m warning web x",
                        27);
    assert_memory_equal(record.bytes + record.length - 5, "\x1b[0m\n", 5);
    assert_memory_equal(text_of(LOG_LEVEL_DEBUG, "x", true), "12:34:59\x1b[2m web x", 18);
    assert_null(strchr(text_of(LOG_LEVEL_INFO, "x", true), '\x1b'));
    record_begin(&record, LOG_FORMAT_TEXT, 0, LOG_LEVEL_INFO, "breaker_closed");
    record_text(&record, "service", "web");
    assert_string_equal(finish(), "12:34:00 web breaker closed\n");
}

/* What others say cannot be taken for a field, nor turn the line round. */
static void test_no_field_is_faked_for_people(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"sdk", "mine", " sdk=mine"},
        {"sdk", "C:\\x", " sdk=C:\\x"},
        {"sdk", "a pid=1", " sdk=\"a pid=1\""},
        {"sdk", "a\" pid=1 \\", " sdk=\"a\\\" pid=1 \\\\\""},
        {"sdk", "a\xc2\xa0pid=1", " sdk=\"a\xc2\xa0pid=1\""},
        {"text",
         "ok\xe3\x80\x80"
         "exit=0",
         ": \"ok\xe3\x80\x80"
         "exit=0\""},
        {"text", "\xd8\x9c.", ": \\xd8\\x9c."},
        {"sdk", "\"a", " sdk=\"\\\"a\""},
        {"text", "out of luck", ": out of luck"},
        {"text", "ok exit=0", ": \"ok exit=0\""},
        {"text", "a\xe2\x80\xaez\xe2\x80\xa8 c", ": a\\xe2\\x80\\xaez\\xe2\\x80\\xa8 c"},
        {"reason", "pid 7, and x=1 y", ": pid 7, and x=1 y"},
    };
    record.local_minute = 0;
    record.is_coloured = false;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[128];
        record_begin(&record, LOG_FORMAT_TEXT, 0, LOG_LEVEL_INFO, "hello");
        record_text(&record, cases[i][0], cases[i][1]);
        snprintf(wanted, sizeof wanted, "00:00:00 hello%s\n", cases[i][2]);
        assert_string_equal(finish(), wanted);
    }
}

/* All that a record can have, each at its longest, and every byte escaped. */
static void test_the_longest_record(void **state) {
    (void)state;
    char name[49], path[109], text[257];
    memset(name, '\x01', sizeof name - 1);
    memset(path, '\x01', sizeof path - 1);
    memset(text, '\x01', sizeof text - 1);
    name[sizeof name - 1] = path[sizeof path - 1] = text[sizeof text - 1] = '\0';
    struct address widest = {.family = ADDRESS_IPV6, .port = 65535, .scope_id = UINT32_MAX};
    memset(widest.bytes, 0xff, sizeof widest.bytes);
    struct service_listen place = {.path = path};
    const struct service odd = {.name = name, .listen = &place, .listen_count = 1};
    struct connection c = served();
    c.id = c.bytes_in = c.bytes_out = UINT64_MAX;
    c.peer = c.via = widest;
    c.outcome = OUTCOME_HANDSHAKE_INVALID;
    c.pid = c.exit_code = c.attempts_used = UINT32_MAX;
    c.status = UINT8_MAX;
    c.has_status = c.has_exit = c.has_bytes_in = c.has_bytes_out = c.exit_by_signal = true;
    c.progress = PROGRESS_NONE;
    c.ended_us = UINT64_MAX / 2;
    const enum log_format formats[] = {LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON, LOG_FORMAT_TEXT};
    record.is_coloured = true;
    record.head = RECORD_HEAD_SYSLOG;
    record.facility = 23;
    record.pid = UINT32_MAX;
    for (size_t i = 0; i < 3; i++) {
        record_connection(&record, formats[i], &c, &odd, text, sizeof text - 1);
        assert_false(record.full);
        assert_in_range(record.length, i == 2 ? 1200 : 1816, RECORD_CONNECTION_MAX_BYTES);
    }
    record.head = RECORD_HEAD_NONE;
}

static void test_other_kinds(void **state) {
    (void)state;
    struct connection c = {.outcome = OUTCOME_SERVED,
                           .id = 3,
                           .is_activation = true,
                           .local = {.family = ADDRESS_IPV4, .port = 69}};
    assert_string_equal(line_of(LOG_FORMAT_LOGFMT, &c, ""),
                        "time=1970-01-01T00:00:00.000Z level=info event=activation service=ok id=3 "
                        "local=0.0.0.0:69 outcome=served attempts=0 duration_ms=0\n");
    c = (struct connection){.outcome = OUTCOME_SERVED,
                            .id = 4,
                            .place = 1,
                            .peer = {.family = ADDRESS_IPV4, .port = 5},
                            .via = {.family = ADDRESS_IPV4, .bytes = {9, 9, 9, 9}, .port = 6}};
    assert_string_equal(line_of(LOG_FORMAT_LOGFMT, &c, ""),
                        "time=1970-01-01T00:00:00.000Z level=info event=connection service=ok id=4 "
                        "peer=0.0.0.0:5 local=/run/ok.sock via=9.9.9.9:6 outcome=served attempts=0 "
                        "duration_ms=0\n");
}

static void test_local_peers(void **state) {
    static const struct {
        struct address peer;
        const char *text;
    } examples[] = {
        {{.family = ADDRESS_UNIX}, "-"},
        {{.family = ADDRESS_UNIX, .has_uid = true}, "uid:0"},
        {{.family = ADDRESS_UNIX, .has_uid = true, .uid = UINT32_MAX}, "uid:4294967295"},
        {{.family = ADDRESS_UNIX, .has_uid = true, .pid = 4711}, "uid:0,pid:4711"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        char wanted[256];
        record_begin(&record, LOG_FORMAT_LOGFMT, 0, LOG_LEVEL_ERROR, "x");
        record_address(&record, "peer", &examples[i].peer);
        snprintf(wanted, sizeof wanted,
                 "time=1970-01-01T00:00:00.000Z level=error event=x peer=%s\n", examples[i].text);
        assert_string_equal(finish(), wanted);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_any_bytes_make_a_valid_line),
        cmocka_unit_test(test_every_length_around_the_end),
        cmocka_unit_test(test_plain_text_is_cut_at_the_end),
        cmocka_unit_test(test_long_keys),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_connection),
        cmocka_unit_test(test_connection_of_a_process_that_lives_on),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_for_people),
        cmocka_unit_test(test_no_field_is_faked_for_people),
        cmocka_unit_test(test_the_longest_record),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_local_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
