/* The reference on a terminal. */
#include "core/base/error.h"
#include "core/service/key.h"
#include "ctl/buffer.h"
#include "ctl/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct ctl_buffer out;

static void keep(void *context, const char *text) {
    (void)context;
    ctl_put(&out, text);
}

static void expect_lines_that_fit(void) {
    for (const char *line = out.text; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        assert_true(length <= 80);
        assert_true(length == 0 || line[length - 1] != ' ');
        line += length + (line[length] == '\n');
    }
}

static void every_key_is_told(void **state) {
    const char *nearest = NULL;
    const char *ours = NULL;
    (void)state;
    assert_int_equal(ctl_keys_list(keep, NULL), BATON_OK);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        assert_non_null(strstr(out.text, key_name(&key_table[i])));
    }
    expect_lines_that_fit();
    ctl_buffer_clear(&out);
    for (size_t i = 0; i < KEY_COUNT; i++) {
        const char *name = key_name(&key_table[i]);
        assert_int_equal(ctl_keys_print(name, keep, NULL, &nearest, &ours), BATON_OK);
        assert_memory_equal(out.text, name, strlen(name));
        assert_non_null(strstr(out.text, "- Value: "));
        expect_lines_that_fit();
        ctl_buffer_clear(&out);
    }
}

static void a_name_may_stand_for_two_or_for_many(void **state) {
    const char *nearest = NULL;
    const char *ours = NULL;
    (void)state;
    assert_int_equal(ctl_keys_print("rate", keep, NULL, &nearest, &ours), BATON_OK);
    assert_non_null(strstr(out.text, "rate (of a service)\n"));
    assert_non_null(strstr(out.text, "rate (of [supervisor])\n"));
    ctl_buffer_clear(&out);
    assert_int_equal(ctl_keys_print("interpreter.py", keep, NULL, &nearest, &ours), BATON_OK);
    ctl_buffer_clear(&out);
}

static void what_is_none_finds_the_nearest(void **state) {
    const char *nearest = NULL;
    const char *ours = NULL;
    (void)state;
    assert_int_equal(ctl_keys_print("lisen", keep, NULL, &nearest, &ours), BATON_NOT_FOUND);
    assert_string_equal(nearest, "listen");
    assert_int_equal(ctl_keys_print("only_from", keep, NULL, &nearest, &ours), BATON_NOT_FOUND);
    assert_string_equal(ours, "`allow`");
    assert_int_equal(ctl_keys_print("", keep, NULL, &nearest, &ours), BATON_NOT_FOUND);
    assert_null(out.text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_told),
        cmocka_unit_test(a_name_may_stand_for_two_or_for_many),
        cmocka_unit_test(what_is_none_finds_the_nearest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
