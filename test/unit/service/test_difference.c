/* What is different between two configs of a service (core/service/difference.h). */
#include "core/service/difference.h"

#include "config_world.h"
#include "core/service/services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char head[] = "[it]\n";
static const char ini[] = "listen = 127.0.0.1:7001, [::1]:7002\nhandler = ok a {port}\n"
                          "environment = \"A=two words\" P={peer_address}\n"
                          "directory = /srv/data\nargv0 = other\nallow = 10.0.0.0/8\n"
                          "hours = 08:00-17:59\nrefuse_message = no\nrate = 5/s\n"
                          "proxy_protocol = on\nproxy_trusted = 127.0.0.1, 10.0.0.0/8\n"
                          "success_exit = 0, 3\n";

static void load(struct service_table *table, const char *before, const char *more) {
    struct config_problems problems = {0};
    char text[2048];
    int length = snprintf(text, sizeof text, "%s%s%s%s", before, head, ini, more);
    if (config_world_load(&config_world_posix, CONFIG_FORMAT_INI, "x.ini", text, (size_t)length,
                          table, &problems) != BATON_OK) {
        fail_msg("%s", problems.problems[0].text);
    }
    config_problems_clear(&problems);
}

static void the_same_elsewhere_is_the_same(void **state) {
    struct service_table a, b;
    struct services services;
    (void)state;
    load(&a, "", "");
    load(&b, "; three\n; lines\n; more\n", "");
    assert_true(service_is_same(&a.services[0], &b.services[0]));
    assert_int_equal(services_init(&services), BATON_OK);
    uint32_t slot = services_add(&services, &a.services[0]);
    assert_true(service_is_same(services_get(&services, slot), &b.services[0]));
    assert_int_equal(services_get(&services, slot)->line, 1);
    services_move_lines(&services, slot, &b.services[0]);
    assert_int_equal(services_get(&services, slot)->line, 4);
    assert_int_equal(services_get(&services, slot)->handler_line, b.services[0].handler_line);
    service_table_clear(&a);
    service_table_clear(&b);
    services_clear(&services);
}

/* A line that is added, or stands in the place of one above, and the keys that are named. */
static void each_change_is_named(void **state) {
    static const struct {
        const char *from, *to, *keys;
    } changes[] = {
        {"7002\n", "7003\n", "listen"},
        {"ok a", "ok b", "handler"},
        {"ok a {port}", "echo", "handler"},
        {"two words", "three words", "environment"},
        {"{peer_address}", "{peer_port}", "environment"},
        {"P={", "Q={", "environment"},
        {"/srv/data", "/srv", "directory"},
        {"argv0 = other\n", "", "handler, argv0"},
        {"10.0.0.0/8\nhours", "10.0.0.0/9\nhours", "allow"},
        {"08:00", "08:01", "hours"},
        {"message = no", "message = NO", "refuse_message"},
        {"5/s", "6/s", "rate"},
        {"127.0.0.1, 10.", "127.0.0.2, 10.", "proxy_trusted"},
        {"0, 3", "0, 4", "success_exit"},
        {"success_exit", "max_connections = 9\nsuccess_exit", "max_connections"},
        {"success_exit", "stop_timeout_ms = 1\nsuccess_exit", "stop_timeout_ms"},
        {"success_exit", "limit_core = 1M\nsuccess_exit", "limit_core"},
        {"success_exit", "no_new_privileges = no\nsuccess_exit", "no_new_privileges"},
        {"success_exit", "rate_per_source = 3/min\nsuccess_exit", "rate_per_source"},
        {"success_exit", "nodelay = yes\nsuccess_exit", "nodelay"},
        {"success_exit", "backlog = 3\nsuccess_exit", "backlog"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct service_table a, b;
        struct config_problems problems = {0};
        char text[2048], keys[64];
        const char *at = strstr(ini, changes[i].from);
        assert_non_null(at);
        int length = snprintf(text, sizeof text, "%s%.*s%s%s", head, (int)(at - ini), ini,
                              changes[i].to, at + strlen(changes[i].from));
        load(&a, "", "");
        int result = config_world_load(&config_world_posix, CONFIG_FORMAT_INI, "x.ini", text,
                                       (size_t)length, &b, &problems);
        if (result != BATON_OK) {
            fail_msg("%s: %s", changes[i].to, problems.problems[0].text);
        }
        assert_false(service_is_same(&a.services[0], &b.services[0]));
        assert_string_equal(service_name_changes(&a.services[0], &b.services[0], keys, sizeof keys),
                            changes[i].keys);
        assert_true(service_is_same(&b.services[0], &b.services[0]));
        config_problems_clear(&problems);
        service_table_clear(&a);
        service_table_clear(&b);
    }
}

/* There is room for some, and a mark for the others. */
static void names_that_have_no_room_are_marked(void **state) {
    struct service_table a, b;
    char keys[64];
    (void)state;
    load(&a, "", "");
    load(&b, "",
         "stop_timeout_ms = 1\nattempts = 1\nhandshake_timeout_ms = 11\nbacklog = 3\n"
         "first_byte_timeout_ms = 7\nmax_connections = 5\nmax_runtime_ms = 2\n");
    service_name_changes(&a.services[0], &b.services[0], keys, sizeof keys);
    assert_true(text_ends_with(keys, ", ...", false));
    assert_true(strlen(keys) < sizeof keys);
    service_name_changes(&a.services[0], &b.services[0], keys, 16);
    assert_true(text_ends_with(keys, "...", false));
    service_table_clear(&a);
    service_table_clear(&b);
}

static void a_place_is_address_path_and_v6only(void **state) {
    struct service_table a, b;
    (void)state;
    load(&a, "", "");
    load(&b, "", "v6only = no\n");
    const struct service *one = &a.services[0], *other = &b.services[0];
    assert_true(service_is_same_place(one, 0, other, 0));
    assert_false(service_is_same_place(one, 0, other, 1));
    assert_false(service_is_same_place(one, 1, other, 1));
    assert_true(service_is_same_place(one, 1, one, 1));
    struct service udp = *one;
    udp.protocol = PROTOCOL_UDP;
    assert_false(service_is_same_place(one, 0, &udp, 0));
    service_table_clear(&a);
    service_table_clear(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_elsewhere_is_the_same),
        cmocka_unit_test(each_change_is_named),
        cmocka_unit_test(names_that_have_no_room_are_marked),
        cmocka_unit_test(a_place_is_address_path_and_v6only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
