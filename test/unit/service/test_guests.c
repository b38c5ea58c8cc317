/* Services of another super-server's file beside those of a config: what is wrong with one closes
 * that one, and the config goes before them. */
#include "config_world.h"
#include "core/base/error.h"
#include "core/base/path_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAIN "[ports]\n7001 = ok\n"
#define ROOTS_MAIN "[supervisor]\ndefault_user = alice\n" MAIN

/* Guests, a line for each: NAME KEY=VALUE ... */
static void put_guests(struct config *config, const char *guests,
                       struct config_problems *problems) {
    char word[64];
    bool is_name = true;
    for (size_t line = 1; *guests != '\0'; guests++) {
        size_t length = strcspn(guests, " \n");
        snprintf(word, sizeof word, "%.*s", (int)length, guests);
        guests += length;
        if (is_name) {
            assert_true(config_put_section(config, word, line, problems));
        } else {
            char *value = strchr(word, '=');
            *value = '\0';
            config_put_setting(config, word, value + 1, line);
        }
        is_name = *guests == '\n';
        line += is_name;
    }
}

/* The caller clears the table. */
static int load(const struct service_machine *world, const char *main_ini, const char *guests,
                struct service_table *table, struct config_output *told) {
    struct config config = {0};
    struct config_problems problems = {0};
    (void)config_parse(&config, CONFIG_FORMAT_INI, "f.ini", main_ini, strlen(main_ini), &problems);
    assert_true(config_problems_begin_piece(&problems, "g.conf"));
    config_problems_welcome(&problems);
    put_guests(&config, guests, &problems);
    config_problems_end_piece(&problems);
    int result = service_table_build(&config, world, &problems, table);
    config_output_add(told, "");
    config_problems_print(&problems, config_output_add, told);
    config_clear(&config);
    config_problems_clear(&problems);
    return result;
}

/* `names`: of the services, each with a blank behind it. */
static void expect(const struct service_machine *world, const char *main_ini, const char *guests,
                   const char *names, const char *warnings) {
    struct service_table table;
    struct config_output told = {0};
    char found[256] = "";
    assert_int_equal(load(world, main_ini, guests, &table, &told), BATON_OK);
    assert_string_equal(told.text, "");
    for (size_t i = 0; i < table.service_count; i++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s ", table.services[i].name);
    }
    assert_string_equal(found, names);
    assert_string_equal(table.warnings == NULL ? "" : table.warnings, warnings);
    assert_int_equal(table.disabled_count, 0);
    free(told.text);
    service_table_clear(&table);
}

#define GUEST(name, port) name " handler=echo listen=" port "\n"

static void a_fault_closes_one(void **state) {
    (void)state;
    expect(&config_world_posix, MAIN, GUEST("a", "1") GUEST("b", "2"), "ok a b ", "");
    expect(&config_world_posix, MAIN, GUEST("a", "1 backlog=x") GUEST("b", "2"), "ok b ",
           "g.conf:1: warning: a.backlog: `x` is not a whole number; give connections from 1 to "
           "65535\n");
}

/* By its line, as an inetd.conf has one for each. */
static void a_line_is_closed_as_a_whole(void **state) {
    struct config config = {0};
    struct config_problems problems = {0};
    struct service_table table;
    static const char *const names[] = {"a", "a-2", "b"}, *const listens[] = {"1", "x", "2"};
    (void)state;
    (void)config_parse(&config, CONFIG_FORMAT_INI, "f.ini", MAIN, sizeof MAIN - 1, &problems);
    assert_true(config_problems_begin_piece(&problems, "g.conf"));
    config_problems_welcome(&problems);
    for (size_t i = 0; i < 3; i++) {
        assert_true(config_put_section(&config, names[i], i / 2 + 1, &problems));
        config_put_setting(&config, "listen", listens[i], i / 2 + 1);
        config_put_setting(&config, "handler", "ok", i / 2 + 1);
    }
    assert_false(config_put_section(&config, "a", 9, &problems));
    config_put_setting(&config, "handoff", "stdio", 9); /* nobody's */
    config_problems_note(&problems, 2, "a note");
    config_problems_end_piece(&problems);
    assert_int_equal(service_table_build(&config, &config_world_posix, &problems, &table),
                     BATON_OK);
    assert_int_equal(table.service_count, 2);
    assert_string_equal(table.services[1].name, "b");
    assert_string_equal(table.services[1].file, "g.conf");
    assert_string_equal(table.warnings,
                        "g.conf:1: warning: a-2.listen: `x` is not in the system's list of "
                        "services; give the number of the port\ng.conf:2: warning: a note\n");
    config_clear(&config);
    config_problems_clear(&problems);
    service_table_clear(&table);
}

/* What is told once of the services of a config is told of each guest, or it would be served. */
static void each_is_closed(void **state) {
    static const char said[] = ": warning: batond is privileged, and nothing says as whom this is "
                               "to run; add `default_user = nobody` to [supervisor], or `user = "
                               "...` here (`user = root` where that is meant)\n";
    char warnings[1024];
    (void)state;
    snprintf(warnings, sizeof warnings, "g.conf:1%sg.conf:2%s", said, said);
    expect(&config_world_root, MAIN "[defaults]\nuser = alice\n", GUEST("a", "1") GUEST("b", "2"),
           "ok ", warnings);
    expect(&config_world_root, ROOTS_MAIN, GUEST("a", "1") GUEST("b", "2"), "ok a b ", "");
}

static int is_program(void *context, const char *path) {
    (void)context;
    return path[0] == '/' ? BATON_OK : BATON_NOT_FOUND;
}

static int inspect(void *context, const char *path, struct path_facts *out) {
    int result = config_world_root.inspect(context, path, out);
    out->mode = strcmp(path, "/opt") == 0 ? 0777 : out->mode;
    return result;
}

static void each_is_closed_that_others_may_change(void **state) {
    struct service_machine world = config_world_root;
    struct service_table table;
    struct config_output told = {0};
    (void)state;
    world.probe_program = is_program;
    world.inspect = inspect;
    assert_int_equal(load(&world, ROOTS_MAIN,
                          "a listen=1 handler=/opt/a\nb listen=2 handler=/opt/b\n", &table, &told),
                     BATON_OK);
    assert_int_equal(table.service_count, 1);
    assert_non_null(strstr(table.warnings, "g.conf:1: warning: a.handler: "));
    assert_non_null(strstr(table.warnings, "g.conf:2: warning: b.handler: "));
    assert_string_equal(told.text, "");
    free(told.text);
    service_table_clear(&table);
}

/* What a service of the config would wait for closes it until the next reload. */
static void what_is_lacking_closes(void **state) {
    struct service_machine strict = config_world_posix;
    (void)state;
    static const char warning[] =
        "g.conf:1: warning: a.handler: `nix` is not in the handlers folder /srv/handlers; put it "
        "there, or give an absolute path\n";
    expect(&strict, MAIN, "a listen=1 handler=nix\n" GUEST("b", "2"), "ok b ", warning);
    expect(&strict, "[supervisor]\nstrict = yes\n" MAIN, "a listen=1 handler=nix\n" GUEST("b", "2"),
           "ok b ", warning);
}

static void no_defaults_hold(void **state) {
    struct service_table table;
    struct config_output told = {0};
    (void)state;
    assert_int_equal(load(&config_world_posix,
                          MAIN "[defaults]\nbind = 127.0.0.1\nmax_connections = 3\n",
                          GUEST("a", "1"), &table, &told),
                     BATON_OK);
    assert_int_equal(table.services[0].max_connections_count, 3);
    assert_int_equal(table.services[1].max_connections_count, 256);
    assert_true(address_is_any(&table.services[1].listen->address));
    free(told.text);
    service_table_clear(&table);
}

/* Names of [ports] are made of handlers': a guest does not change them. */
static void the_config_goes_before(void **state) {
    (void)state;
    expect(&config_world_posix, MAIN, GUEST("ok", "1"), "ok ",
           "g.conf:1: warning: ok: the config has a service of this name in f.ini:2, which holds; "
           "this one is not served\n");
    expect(&config_world_posix, MAIN, GUEST("a", "7001"), "ok ",
           "g.conf:1: warning: a.listen: 0.0.0.0:7001 is taken by `ports.7001` in f.ini:2 "
           "(0.0.0.0:7001); choose another port or address\n");
    expect(&config_world_posix, MAIN, GUEST("a", "1 max_connections=32768"), "ok ",
           "g.conf:1: warning: a.max_connections: the sum over all services is 33024; give at most "
           "32768 in all (here it is 32768, the most)\n");
}

static void the_configs_own_faults(void **state) {
    struct service_table table;
    struct config_output told = {0};
    (void)state;
    assert_int_equal(load(&config_world_posix, MAIN "[a]\nlisten = 1\nhandler = ok\nbacklog = 0\n",
                          GUEST("b", "x"), &table, &told),
                     BATON_INVALID);
    assert_non_null(strstr(told.text, "f.ini:6: a.backlog: "));
    assert_non_null(strstr(told.text, "g.conf:1: warning: b.listen: "));
    free(told.text);
    told = (struct config_output){0};
    assert_int_equal(load(&config_world_posix, "", GUEST("b", "x"), &table, &told), BATON_INVALID);
    assert_non_null(strstr(told.text, "f.ini: no service is on, and none of `inetd_conf`"));
    free(told.text);
    service_table_clear(&table);
}

/* Of whom the faults are that there is no room for is not known. */
static void more_faults_than_can_be_told(void **state) {
    struct config_output guests = {0}, told = {0};
    struct service_table table;
    (void)state;
    config_output_add(&guests, GUEST("fine", "1"));
    for (unsigned i = 0; i < CONFIG_PROBLEMS_MAX_COUNT + 1; i++) {
        char text[64];
        snprintf(text, sizeof text, "x%u listen=x handler=ok\n", i);
        config_output_add(&guests, text);
    }
    assert_int_equal(load(&config_world_posix, MAIN, guests.text, &table, &told), BATON_OK);
    assert_int_equal(table.service_count, 1);
    assert_non_null(strstr(table.warnings, "g.conf: warning: more is wrong than can be told, so "
                                           "nothing of it is served\n"));
    assert_string_equal(told.text, "");
    free(guests.text);
    free(told.text);
    service_table_clear(&table);
}

static void a_warning_of_a_check(void **state) {
    struct service_table table;
    struct config_output told = {0}, warned = {0};
    struct service_machine machine = config_world_posix;
    (void)state;
    machine.config_file = "f.ini";
    assert_int_equal(load(&machine, "[ports]\n7001 = ok\n[defaults]\nbind = 127.0.0.1\n",
                          GUEST("a", "x") GUEST("b", "1"), &table, &told),
                     BATON_OK);
    assert_int_equal(service_table_warn(&table, &machine, config_output_add, &warned), 1);
    assert_string_equal(warned.text, table.warnings);
    free(told.text);
    free(warned.text);
    service_table_clear(&table);
}

static void not_on_windows(void **state) {
    struct config_problems problems = {0};
    struct service_table table;
    static const char text[] = "[supervisor]\ninetd_conf = x\n[ports]\n7001 = ok\n";
    (void)state;
    assert_int_equal(config_world_load(&config_world_windows, CONFIG_FORMAT_INI, "f.ini", text,
                                       sizeof text - 1, &table, &problems),
                     BATON_INVALID);
    assert_int_equal(problems.problem_count, 1);
    assert_string_equal(problems.problems[0].text, "there is no inetd.conf for Windows; make a "
                                                   "config of one by `baton-import FILE`");
    config_problems_clear(&problems);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fault_closes_one),
        cmocka_unit_test(a_line_is_closed_as_a_whole),
        cmocka_unit_test(each_is_closed),
        cmocka_unit_test(each_is_closed_that_others_may_change),
        cmocka_unit_test(what_is_lacking_closes),
        cmocka_unit_test(no_defaults_hold),
        cmocka_unit_test(the_config_goes_before),
        cmocka_unit_test(the_configs_own_faults),
        cmocka_unit_test(more_faults_than_can_be_told),
        cmocka_unit_test(a_warning_of_a_check),
        cmocka_unit_test(not_on_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
