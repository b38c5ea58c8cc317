/* Services in use: copies, names and counts (core/service/services.h). */
#include "core/service/services.h"

#include "config_world.h"
#include "core/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char ini[] = "[plain]\nlisten = 127.0.0.1:7001, [::1]:7002\nhandler = ok a {port}\n"
                          "environment = \"A=two words\" P={peer_address}\n"
                          "directory = /srv/data\nargv0 = other\n"
                          "allow = 10.0.0.0/8, @rules/office\nhours = 08:00-17:59, 22:00-02:00\n"
                          "proxy_protocol = on\nproxy_trusted = 127.0.0.1, 10.0.0.0/8\n"
                          "[local]\nprotocol = unix\nlisten = /run/baton/x\nhandler = echo\n"
                          "owner = www-data:users\nallow_uid = 0, 7\nallow_gid = 8\n";

static struct service_table load(void) {
    struct service_table table;
    struct config_problems problems = {0};
    assert_int_equal(config_world_load(&config_world_posix, CONFIG_FORMAT_INI, "x.ini", ini,
                                       sizeof ini - 1, &table, &problems),
                     BATON_OK);
    config_problems_clear(&problems);
    return table;
}

/* The copy is equal, and is all that is left when the table is gone: with the sanitizers, a text
 * that was not copied shows. */
static void copies_outlive_their_table(void **state) {
    struct service_table table = load();
    struct service_table same = load();
    struct services services;
    struct service copies[2];
    (void)state;
    assert_int_equal(table.service_count, 2);
    assert_int_equal(services_init(&services), BATON_OK);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(services_add(&services, &table.services[i]), i);
    }
    service_table_clear(&table);
    for (uint32_t i = 0; i < 2; i++) {
        copies[i] = *services_get(&services, i);
    }
    struct service_table seen = same;
    seen.services = copies;
    assert_true(config_tables_equal(&seen, &same));
    assert_null(copies[0].argv[copies[0].argc]);
    assert_null(copies[0].variables[copies[0].variable_count]);
    services_clear(&services);
    services_clear(&services);
    service_table_clear(&same);
}

static void the_last_who_lets_go_frees(void **state) {
    struct service_table table = load();
    struct services services;
    (void)state;
    assert_int_equal(services_init(&services), BATON_OK);
    uint32_t slot = services_add(&services, &table.services[0]);
    uint64_t name = slots_token(&services.slots, 1, slot);
    services_share(&services, slot);
    services_release(&services, slot);
    assert_int_equal(slots_next(&services.slots, 0), slot);
    services_release(&services, slot);
    assert_int_equal(slots_next(&services.slots, 0), SLOT_NONE);
    /* Its successor has the slot, and another name. */
    assert_int_equal(services_add(&services, &table.services[1]), slot);
    assert_int_equal(slots_find(&services.slots, name), SLOT_NONE);
    assert_string_equal(services_get(&services, slot)->name, "local");
    services_clear(&services);
    service_table_clear(&table);
}

static void there_is_room_for_two_tables(void **state) {
    struct service_table table = load();
    struct services services;
    (void)state;
    assert_int_equal(services_init(&services), BATON_OK);
    for (uint32_t i = 0; i < SERVICES_MAX_COUNT; i++) {
        assert_int_equal(services_add(&services, &table.services[0]), i);
    }
    assert_int_equal(services_add(&services, &table.services[0]), SLOT_NONE);
    services_release(&services, 3);
    assert_int_equal(slots_next(&services.slots, 3), 4);
    assert_int_equal(services_add(&services, &table.services[0]), 3);
    services_clear(&services);
    service_table_clear(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_outlive_their_table),
        cmocka_unit_test(the_last_who_lets_go_frees),
        cmocka_unit_test(there_is_room_for_two_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
