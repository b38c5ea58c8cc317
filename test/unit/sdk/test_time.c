/* The number that handlers/time sends, up to its last second. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "seconds.h"

/* The first four are the examples of RFC 868. */
static void seconds_as_the_page_has_them(void **state) {
    static const struct {
        int64_t since_1970;
        unsigned char number[SECONDS_BYTES];
    } cases[] = {
        {0, {0x83, 0xaa, 0x7e, 0x80}},                                /* 2,208,988,800: 1970 */
        {INT64_C(2398291200) - 2208988800, {0x8e, 0xf3, 0x05, 0x00}}, /* 1976 */
        {INT64_C(2524521600) - 2208988800, {0x96, 0x79, 0x24, 0x80}}, /* 1980 */
        {INT64_C(2629584000) - 2208988800, {0x9c, 0xbc, 0x44, 0x80}}, /* 1983-05-01 */
        {-INT64_C(2208988800), {0, 0, 0, 0}},
        {INT64_C(2085978495), {0xff, 0xff, 0xff, 0xff}}, /* 2036-02-07 06:28:15 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char number[SECONDS_BYTES];
        assert_true(seconds_since_1900(cases[i].since_1970, number));
        assert_memory_equal(number, cases[i].number, SECONDS_BYTES);
    }
}

static void beyond_its_base_there_is_no_number(void **state) {
    unsigned char number[SECONDS_BYTES];
    (void)state;
    assert_false(seconds_since_1900(INT64_C(2085978496), number));
    assert_false(seconds_since_1900(INT64_C(4102444800), number));
    assert_false(seconds_since_1900(-INT64_C(2208988801), number));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_as_the_page_has_them),
        cmocka_unit_test(beyond_its_base_there_is_no_number),
    };
    return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
