/* Names in braces, and the tables that they come from (core/service/template.h, facts.h). */
#include "core/service/template.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_variable_is_a_good_template(void **state) {
    (void)state;
    for (unsigned protocol = PROTOCOL_TCP; protocol <= PROTOCOL_UNIX; protocol++) {
        for (unsigned handoff = HANDOFF_CHANNEL; handoff <= HANDOFF_PUMP; handoff++) {
            enum service_protocol p = (enum service_protocol)protocol;
            enum service_handoff h = (enum service_handoff)handoff;
            bool knows_peer = p != PROTOCOL_UDP && h != HANDOFF_LISTENER;
            const struct fact_variable *next = fact_variables;
            size_t count = 0;
            for (; (next = fact_variable_next(next, fact_context_of(p, h, false))) != NULL;
                 next++) {
                count++;
                assert_null(template_check(next->template, knows_peer));
                for (const struct fact_variable *other = fact_variables; other < next; other++) {
                    assert_string_not_equal(other->name, next->name);
                }
            }
            assert_true(count > 2); /* the service, the id, and where somebody waits */
        }
    }
}

static void wrong_templates_are_explained(void **state) {
    static const struct {
        const char *template, *message;
    } wrong[] = {
        {"{prot}", "one of the names {service} {id} {protocol} {port}"},
        {"{}", "one of the names"},
        {"{ port }", "one of the names"},
        {"{Port}", "one of the names"},
        {"{portx}", "one of the names"},
        {"{port}{nope}", "one of the names"},
        {"{", "a brace stands alone"},
        {"}", "a brace stands alone"},
        {"{port", "a brace stands alone"},
        {"port}", "a brace stands alone"},
        {"{port}}", "a brace stands alone"},
        {"{{port}", "a brace stands alone"},
        {"{po{{rt}", "a brace stands alone"},
        {"{{{", "a brace stands alone"},
        {"awk '{print $1}'", "one of the names"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *message = template_check(wrong[i].template, true);
        if (message == NULL || strstr(message, wrong[i].message) == NULL) {
            fail_msg("%s: %s", wrong[i].template, message == NULL ? "taken" : message);
        } else {
            assert_non_null(strstr(message, "{{"));
        }
    }
}

static void a_client_that_is_not_known_is_in_no_template(void **state) {
    static const char *const names[] = {"{peer_address}", "{peer_port}", "{peer_uid}", "{peer_pid}",
                                        "{peer_count}"};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const char *message = template_check(names[i], false);
        assert_non_null(message);
        assert_non_null(strstr(message, "{local_address} {path}"));
        assert_null(strstr(message, "{peer"));
        assert_null(template_check(names[i], true));
    }
    assert_non_null(template_check("{nope}", false));
    assert_null(template_check("{service}-{id}-{protocol}-{port}-{local_address}-{path}", false));
}

static void braces_make_a_template(void **state) {
    (void)state;
    assert_true(template_is_one("{port}"));
    assert_true(template_is_one("{{"));
    assert_true(template_is_one("a}}"));
    assert_true(template_is_one("{")); /* so that it is checked */
    assert_false(template_is_one(""));
    assert_false(template_is_one("port"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_variable_is_a_good_template),
        cmocka_unit_test(wrong_templates_are_explained),
        cmocka_unit_test(a_client_that_is_not_known_is_in_no_template),
        cmocka_unit_test(braces_make_a_template),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
