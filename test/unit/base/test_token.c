/* Names for things (core/base/token.h). */
#include "core/base/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_token_gives_back_what_it_was_made_of(void **state) {
    static const unsigned types[] = {0, 1, TOKEN_TYPE_COUNT - 1};
    static const uint32_t generations[] = {0, 1, TOKEN_GENERATION_COUNT - 1};
    static const uint32_t indices[] = {0, 1, TOKEN_INDEX_COUNT - 1};
    (void)state;
    for (int i = 0; i < 27; i++) {
        uint64_t token = token_make(types[i % 3], generations[i / 3 % 3], indices[i / 9]);
        assert_int_equal(token_type(token), types[i % 3]);
        assert_int_equal(token_generation(token), generations[i / 3 % 3]);
        assert_int_equal(token_index(token), indices[i / 9]);
        assert_int_equal(token >> 56, 0);
    }
}

static void only_the_low_bits_of_a_generation_count(void **state) {
    (void)state;
    assert_true(token_make(1, TOKEN_GENERATION_COUNT + 5, 7) == token_make(1, 5, 7));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_gives_back_what_it_was_made_of),
        cmocka_unit_test(only_the_low_bits_of_a_generation_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
