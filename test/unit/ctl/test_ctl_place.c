/* Where batond is asked when nobody says. */
#include "core/base/error.h"
#include "ctl/place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

static void expect(const char *const *environment, bool is_windows, bool is_root,
                   const char *path) {
    const struct ctl_place_facts facts = {environment, is_windows, is_root};
    char out[64];
    bool is_said = false;
    int result = ctl_place_default(&facts, out, sizeof out, &is_said);
    assert_int_equal(result, path != NULL ? BATON_OK : BATON_NOT_FOUND);
    assert_string_equal(out, path != NULL ? path : "");
    assert_int_equal(is_said, environment[0] != NULL && environment[0][0] == 'B' &&
                                  environment[0][14] != '\0');
}

#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void the_first_that_is_there_is_taken(void **state) {
    (void)state;
    expect((const char *const[]){NULL}, false, false, NULL);
    expect((const char *const[]){NULL}, false, true, "/run/baton/control");
    expect((const char *const[]){NULL}, true, false, "\\\\.\\pipe\\baton");
    expect(TEXTS("XDG_RUNTIME_DIR=/run/user/7"), false, false, "/run/user/7/baton/control");
    expect(TEXTS("XDG_RUNTIME_DIR=/run/user/7"), false, true, "/run/baton/control");
    expect(TEXTS("XDG_RUNTIME_DIR=user"), false, false, NULL);
    expect(TEXTS("XDG_RUNTIME_DIR="), false, false, NULL);
    expect(TEXTS("RUNTIME_DIRECTORY=/run/x"), false, true, "/run/x/control");
    expect(TEXTS("RUNTIME_DIRECTORY=/run/x:/run/y"), false, true, "/run/baton/control");
    expect(TEXTS("BATON_CONTROL=/c", "RUNTIME_DIRECTORY=/run/x"), false, true, "/c");
    expect(TEXTS("BATON_CONTROL=p"), true, false, "p");
    expect(TEXTS("BATON_CONTROL=none"), false, true, NULL);
    expect(TEXTS("BATON_CONTROL="), false, true, "/run/baton/control");
}

static void one_that_has_no_room_is_told(void **state) {
    static const char *const environment[] = {"BATON_CONTROL=/run/x", NULL};
    const struct ctl_place_facts facts = {environment, false, false};
    char out[6];
    bool is_said = false;
    (void)state;
    assert_int_equal(ctl_place_default(&facts, out, sizeof out, &is_said), BATON_TOO_LONG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_that_is_there_is_taken),
        cmocka_unit_test(one_that_has_no_room_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
