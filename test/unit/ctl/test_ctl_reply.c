/* What a line says, and what is none. */
#include "core/base/error.h"
#include "core/base/text.h"
#include "ctl/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ctl_reply *read_line(const char *line) {
    struct ctl_reply *reply = NULL;
    struct ctl_fault fault;
    assert_int_equal(ctl_reply_read(line, strlen(line), &reply, &fault), BATON_OK);
    return reply;
}

static void fields_are_what_the_page_has(void **state) {
    struct ctl_reply *reply = read_line(
        "{\"v\":1,\"type\":\"x\",\"text\":\"a\\u0000b\\u001b\",\"number\":9007199254740993,"
        "\"yes\":true,\"no\":false,\"null\":null,\"list\":[\"p\",7,\"q\"],\"real\":1.5,\"minus\":-"
        "1}");
    static const char *const odd[] = {"null", "list", "real", "minus", "missing"};
    (void)state;
    assert_true(ctl_reply_is(reply, "x"));
    assert_false(ctl_reply_is(reply, "y"));
    struct ctl_value value = ctl_reply_value(reply, "text");
    assert_int_equal(value.kind, CTL_TEXT);
    assert_int_equal(value.length, 4);
    assert_memory_equal(value.text, "a\0b\033", 4);
    assert_true(ctl_reply_number(reply, "number") == 9007199254740993u);
    assert_true(ctl_reply_value(reply, "yes").flag);
    assert_int_equal(ctl_reply_value(reply, "no").kind, CTL_FLAG);
    assert_false(ctl_reply_value(reply, "no").flag);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++) {
        assert_int_equal(ctl_reply_value(reply, odd[i]).kind, CTL_NOTHING);
        assert_int_equal(ctl_reply_number(reply, odd[i]), 0);
    }
    ctl_reply_clear(&reply);
    assert_null(reply);
    ctl_reply_clear(&reply);
}

static void a_number_beyond_the_library_s_is_no_fault(void **state) {
    struct ctl_reply *reply =
        read_line("{\"v\":1,\"type\":\"x\",\"big\":18446744073709551615,\"small\":3}");
    (void)state;
    assert_int_equal(ctl_reply_value(reply, "big").kind, CTL_NOTHING);
    ctl_reply_clear(&reply);
}

struct joined {
    char text[256];
};

static void join(void *context, const char *name, const struct ctl_value *value) {
    struct joined *joined = context;
    size_t length = strlen(joined->text);
    text_format(joined->text + length, sizeof joined->text - length, "%s%s%s ", name,
                value->kind == CTL_TEXT ? "=" : "#", value->kind == CTL_TEXT ? value->text : "");
}

static void fields_come_in_their_order(void **state) {
    struct ctl_reply *reply =
        read_line("{\"v\":1,\"type\":\"x\",\"z\":\"1\",\"a\":2,\"n\":null,\"m\":\"3\","
                  "\"keys\":[\"listen\",4,\"handler\"]}");
    struct joined joined = {""};
    (void)state;
    ctl_reply_each(reply, join, &joined);
    assert_string_equal(joined.text, "z=1 a# m=3 ");
    joined.text[0] = '\0';
    ctl_reply_list(reply, "keys", join, &joined);
    assert_string_equal(joined.text, "keys=listen keys=handler ");
    joined.text[0] = '\0';
    ctl_reply_list(reply, "z", join, &joined);
    ctl_reply_list(reply, "none", join, &joined);
    assert_string_equal(joined.text, "");
    ctl_reply_clear(&reply);
}

static void what_is_no_line_of_a_reply_is_told(void **state) {
    static const struct {
        const char *line;
        const char *why;
    } cases[] = {{"", "no JSON"},
                 {"hello", "no JSON"},
                 {"{\"v\":1,\"type\":\"x\"", "no JSON"},
                 {"{\"v\":1,\"type\":\"x\"}}", "no JSON"},
                 {"{\"v\":1,\"type\":\"x\",\"a\":1,\"a\":2}", "no JSON"},
                 {"{\"v\":1,\"type\":\"\xff\"}", "no JSON"},
                 {"{\"v\":1,\"type\":\"\033\"}", "no JSON"},
                 {"[1]", "no JSON object"},
                 {"{}", "version"},
                 {"{\"v\":2,\"type\":\"x\"}", "version"},
                 {"{\"v\":\"1\",\"type\":\"x\"}", "version"},
                 {"{\"v\":1}", "no type"},
                 {"{\"v\":1,\"type\":7}", "no type"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ctl_reply *reply = NULL;
        struct ctl_fault fault = {""};
        assert_int_equal(ctl_reply_read(cases[i].line, strlen(cases[i].line), &reply, &fault),
                         BATON_INVALID);
        assert_null(reply);
        assert_non_null(strstr(fault.text, cases[i].why));
    }
}

static void a_nul_byte_is_none_of_json_s(void **state) {
    static const char line[] = "{\"v\":1\0,\"type\":\"x\"}";
    struct ctl_reply *reply = NULL;
    struct ctl_fault fault;
    (void)state;
    assert_int_equal(ctl_reply_read(line, sizeof line - 1, &reply, &fault), BATON_INVALID);
}

static void depth_is_bounded(void **state) {
    char line[8192] = "{\"v\":1,\"type\":\"x\",\"a\":";
    struct ctl_reply *reply = NULL;
    struct ctl_fault fault;
    (void)state;
    memset(line + strlen(line), '[', 8000);
    assert_int_equal(ctl_reply_read(line, strlen(line), &reply, &fault), BATON_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_what_the_page_has),
        cmocka_unit_test(a_number_beyond_the_library_s_is_no_fault),
        cmocka_unit_test(fields_come_in_their_order),
        cmocka_unit_test(what_is_no_line_of_a_reply_is_told),
        cmocka_unit_test(a_nul_byte_is_none_of_json_s),
        cmocka_unit_test(depth_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
