#include "config_world.h"
#include "core/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HANDOFF_COUNT 5 /* BATON_HANDOFF and its like: test_service_modes.c */

static struct service_table load(const struct service_machine *world, const char *ini) {
    struct service_table table = {0};
    assert_int_equal(
        config_world_load(world, CONFIG_FORMAT_INI, "f.ini", ini, strlen(ini), &table, NULL),
        BATON_OK);
    return table;
}

static void expect_fault(const struct service_machine *world, const char *ini,
                         const char *expected) {
    struct config_output out = {0};
    assert_int_equal(
        config_world_check(world, CONFIG_FORMAT_INI, "f.ini", ini, strlen(ini), true, &out),
        BATON_INVALID);
    assert_string_equal(out.text, expected);
    free(out.text);
}

static void expect_argv(const struct service *service, size_t argc, const char *const *argv) {
    assert_int_equal(service->argc, argc);
    for (size_t i = 0; i < argc; i++) {
        assert_string_equal(service->argv[i], argv[i]);
    }
    assert_null(service->argv[argc]);
}

static void a_port_line_is_a_service_with_all_defaults(void **state) {
    struct service_table table = load(&config_world_posix, "[ports]\n7777 = ok -v\n");
    const struct service *service = &table.services[0];
    char text[ADDRESS_TEXT_SIZE];
    (void)state;
    assert_int_equal(table.service_count, 1);
    assert_string_equal(service->name, "ok");
    assert_int_equal(service->listen_count, 1);
    assert_string_equal(address_print(&service->listen->address, text, sizeof text),
                        "0.0.0.0:7777");
    assert_string_equal(service->program, "/srv/handlers/ok");
    assert_string_equal(service->handler, "/srv/handlers/ok");
    expect_argv(service, 2, (const char *const[]){"ok", "-v"});
    assert_int_equal(service->environment_count, HANDOFF_COUNT);
    assert_null(service->directory);
    assert_int_equal(service->backlog_count, 511);
    assert_int_equal(service->max_connections_count, 256);
    assert_int_equal(service->attempts_count, 2);
    assert_int_equal(service->reuse_count, 1);
    assert_int_equal(service->handshake_timeout_ms, 5000);
    assert_int_equal(service->stop_timeout_ms, 5000);
    assert_int_equal(service->line, 2);
    assert_string_equal(table.options.handlers, "/srv/handlers");
    assert_null(table.options.log);
    assert_int_equal(table.options.log_format, LOG_FORMAT_AUTO);
    assert_int_equal(table.options.log_level, LOG_LEVEL_INFO);
    service_table_clear(&table);
}

static void a_section_goes_before_defaults_before_the_table(void **state) {
    struct service_table table =
        load(&config_world_posix,
             "[a]\nlisten = 1\nhandler = ok\nbacklog = 7\nenvironment = C=3\n"
             "[b]\nlisten = 2\nhandler = ok\nbind = ::1\ndirectory = data\n"
             "[defaults]\nbacklog = 6\nattempts = 3\nbind = 127.0.0.1\nenvironment = A=1 B=\n");
    const struct service *a = &table.services[0];
    const struct service *b = &table.services[1];
    char text[ADDRESS_TEXT_SIZE];
    (void)state;
    assert_int_equal(a->backlog_count, 7);
    assert_int_equal(a->attempts_count, 3);
    assert_int_equal(a->max_connections_count, 256);
    assert_string_equal(address_print(&a->listen->address, text, sizeof text), "127.0.0.1:1");
    assert_int_equal(a->environment_count, 1 + HANDOFF_COUNT);
    assert_string_equal(a->environment[0], "C=3");
    assert_null(a->environment[1 + HANDOFF_COUNT]);
    assert_int_equal(b->backlog_count, 6);
    assert_string_equal(address_print(&b->listen->address, text, sizeof text), "[::1]:2");
    assert_int_equal(b->environment_count, 2 + HANDOFF_COUNT);
    assert_string_equal(b->environment[1], "B=");
    assert_null(b->environment[2 + HANDOFF_COUNT]);
    assert_string_equal(b->directory, "/srv/data");
    service_table_clear(&table);
}

static void argv0_is_what_was_written(void **state) {
    struct service_table table =
        load(&config_world_posix, "[ports]\n1 = '/opt/my tools/x' a\n"
                                  "[s]\nlisten = 2\nhandler = ok b\nargv0 = \"-my name\"\n");
    (void)state;
    expect_argv(&table.services[0], 2, (const char *const[]){"/opt/my tools/x", "a"});
    expect_argv(&table.services[1], 2, (const char *const[]){"-my name", "b"});
    assert_string_equal(table.services[1].program, "/srv/handlers/ok");
    service_table_clear(&table);
}

static void an_interpreter_gets_the_script_by_its_path(void **state) {
    struct service_table table =
        load(&config_world_posix, "[ports]\n1 = data.rb a\n2 = hello.py\n"
                                  "[supervisor]\ninterpreter.rb = /usr/bin/ruby -W0\n");
    (void)state;
    assert_string_equal(table.services[0].program, "/usr/bin/ruby");
    assert_string_equal(table.services[0].handler, "/srv/handlers/data.rb");
    expect_argv(&table.services[0], 4,
                (const char *const[]){"/usr/bin/ruby", "-W0", "/srv/handlers/data.rb", "a"});
    assert_string_equal(table.services[1].program, "/srv/handlers/hello.py");
    expect_argv(&table.services[1], 1, (const char *const[]){"hello.py"});
    service_table_clear(&table);
}

static void on_windows_the_suffix_may_be_left_out(void **state) {
    struct service_table table =
        load(&config_world_windows, "[ports]\n1 = ok\n2 = OK.EXE\n[supervisor]\n"
                                    "interpreter.py = C:\\Python\\python.exe\n"
                                    "[s]\nlisten = 3\nhandler = hello.py x\n");
    (void)state;
    assert_string_equal(table.services[0].program, "C:\\baton\\handlers\\ok.exe");
    expect_argv(&table.services[0], 1, (const char *const[]){"ok"});
    expect_argv(
        &table.services[2], 3,
        (const char *const[]){"C:\\Python\\python.exe", "C:\\baton\\handlers\\hello.py", "x"});
    service_table_clear(&table);
}

/* Any character but `=` may stand in a name, and none has a case. */
static void the_names_of_windows_variables(void **state) {
    static const char *const passed[] = {
        "Path=C:\\Windows",    "SYSTEMROOT=C:\\Windows", "ProgramFiles(x86)=C:\\32",
        "GR\xc3\x9cSSE=hallo", "My Data=D:\\",           NULL};
    struct service_table table;
    (void)state;
    table = load(&config_world_windows,
                 "[a]\nlisten = 1\nhandler = ok\nenvironment_from = programfiles(X86), "
                 "gr\xc3\xbcsse, my data\nenvironment = \"My Data=E:\\x\"\n");
    const struct service *service = &table.services[0];
    assert_int_equal(service->inherited_count, 5);
    for (size_t i = 0; passed[i] != NULL; i++) {
        assert_string_equal(service->inherited[i], passed[i]);
    }
    assert_string_equal(service->environment[0], "My Data=E:\\x");
    service_table_clear(&table);
    table = load(&config_world_windows, "[a]\nlisten = 1\nhandler = ok\nenvironment_from = all\n");
    assert_string_equal(table.services[0].inherited[3], "=C:=C:\\x");
    service_table_clear(&table);
}

/* A fact that is not told of a connection is not told by whoever started batond. */
static void a_fact_is_never_inherited(void **state) {
    static const char *const strange[] = {
        "PROTO_OF=mine",    "PATH=/bin",       "REMOTE_ADDR=192.0.2.1", "PROTO=TCP", "TCPCONNNUM=9",
        "UNIXREMOTEEUID=0", "UNIXLOCALPATH=x", "remote_addr=x",         NULL};
    const size_t first = 2, end_posix = 7, end_windows = 8; /* there names have no case */
    static const char *const keys[] = {"all", "PROTO, TCPCONNNUM, UNIXREMOTEEUID, PROTO_OF"};
    (void)state;
    for (size_t i = 0; i < 8; i++) {
        bool is_windows = i % 4 >= 2;
        struct service_machine machine = is_windows ? config_world_windows : config_world_posix;
        char text[128];
        machine.environment = strange;
        snprintf(text, sizeof text,
                 "[a]\nlisten = 1\nhandler = ok\nenvironment_from = %s\nreuse = %d\n", keys[i % 2],
                 i < 4);
        struct service_table table = load(&machine, text);
        const struct service *service = &table.services[0];
        assert_string_equal(service->inherited[0], "PROTO_OF=mine");
        for (size_t at = 0; at < service->inherited_count; at++) {
            for (size_t fact = first; fact < (is_windows ? end_windows : end_posix); fact++) {
                assert_string_not_equal(service->inherited[at], strange[fact]);
            }
        }
        service_table_clear(&table);
    }
}

/* The machine has every folder, and 258 characters are the most that CreateProcessW takes. */
static int has_every_folder(void *context, const char *path) {
    (void)context;
    (void)path;
    return BATON_OK;
}

static void a_current_folder_of_windows_has_a_bound(void **state) {
    struct service_machine world = config_world_windows;
    struct service_table table;
    char ini[1024];
    (void)state;
    world.probe_directory = has_every_folder;
    for (int over = 0; over < 2; over++) {
        /* "C:\", then letters of two bytes, the last a pair of units, or a letter more before it.
         */
        int length = snprintf(ini, sizeof ini, "[a]\nlisten = 1\nhandler = ok\ndirectory = C:\\");
        for (int i = 0; i < 253 + over; i++) {
            length += snprintf(ini + length, sizeof ini - (size_t)length, "\xc3\xbc");
        }
        snprintf(ini + length, sizeof ini - (size_t)length, "\xf0\x9f\x98\x80\n");
        if (over == 0) {
            table = load(&world, ini);
            service_table_clear(&table);
        } else {
            expect_fault(&world, ini,
                         "f.ini:4: a.directory: the path has 259 characters, and Windows starts no "
                         "program in a folder whose path has more than 258; give a shorter one\n");
        }
    }
    world = config_world_posix;
    world.probe_directory = has_every_folder;
    memcpy(strstr(ini, "C:\\"), "/./", 3);
    table = load(&world, ini);
    service_table_clear(&table);
}

static void the_command_line_goes_before_the_file(void **state) {
    struct service_machine world = config_world_posix;
    struct service_table table;
    (void)state;
    world.handlers_directory = "/nowhere";
    world.handlers_override = "/srv/handlers";
    table = load(&world, "[supervisor]\nhandlers = /srv/data\n[ports]\n1 = ok\n");
    assert_string_equal(table.options.handlers, "/srv/handlers");
    service_table_clear(&table);
    world.handlers_override = "/srv/absent";
    expect_fault(&world, "[ports]\n1 = /usr/bin/ruby\n",
                 "f.ini: --handlers: there is no folder /srv/absent; create it, or correct the "
                 "path\n");
}

static void what_is_switched_off_need_not_exist_and_never_clashes(void **state) {
    struct service_table table =
        load(&config_world_posix, "[ports]\n1 = ok\n[a]\nlisten = 1\nhandler = nothere\n"
                                  "directory = /nowhere\nenabled = off\n");
    (void)state;
    assert_int_equal(table.service_count, 1);
    assert_int_equal(table.disabled_count, 1);
    service_table_clear(&table);
    expect_fault(&config_world_posix,
                 "[ports]\n1 = ok\n[a]\nlisten = x\nhandler = ../y\nenabled = off\nattempts = 0\n",
                 "f.ini:4: a.listen: `x` is not in the system's list of services; give the number "
                 "of the port\n"
                 "f.ini:5: a.handler: `../y` is neither the bare name of a file in the handlers "
                 "folder /srv/handlers nor an absolute path; give one of them\n"
                 "f.ini:7: a.attempts: `0` is out of range; give processes from 1 to 10\n");
}

static void a_service_that_is_switched_on_again_has_its_folder_checked(void **state) {
    (void)state;
    expect_fault(&config_world_posix,
                 "[defaults]\nenabled = no\ndirectory = gone\n"
                 "[a]\nlisten = 1\nhandler = ok\nenabled = yes\n",
                 "f.ini:3: defaults.directory: there is no folder /srv/gone; create it, or correct "
                 "the path\n");
}

/* Of root's, but for one file or folder that everybody may write to. */
static int inspect_all_but_one(void *context, const char *path, struct path_facts *out) {
    *out = (struct path_facts){.kind = PATH_KIND_FOLDER,
                               .mode = strcmp(path, context) == 0 ? 0757 : 0755};
    return BATON_OK;
}

static void what_others_may_change_is_refused_to_root(void **state) {
    static const char two[] = "[ports]\n1 = ok\n2 = /usr/bin/ruby\n";
    struct service_machine world = config_world_posix;
    struct service_table table;
    char place[32] = "/etc/x.ini";
    (void)state;
    world.inspect = inspect_all_but_one;
    world.context = place;
    world.config_path = place;
    table = load(&world, two); /* by an ordinary user */
    assert_false(table.services[0].strict_modes);
    service_table_clear(&table);
    world.is_privileged = true;
    world.find_user = NULL; /* as whom programs run is another matter */
    expect_fault(
        &world, two,
        "f.ini: others may change /etc/x.ini (mode 0757, owner 0); run `chmod go-w` on it, "
        "or put `strict_modes = no` into [supervisor]\n");
    table = load(&world, "[ports]\n1 = ok\n[supervisor]\nstrict_modes = no\n");
    assert_false(table.services[0].strict_modes);
    service_table_clear(&table);
    world.config_path = "/srv/x.ini";
    snprintf(place, sizeof place, "/srv");
    /* On the way to all: told once. */
    expect_fault(&world, two,
                 "f.ini: others may change /srv (mode 0757, owner 0); run `chmod go-w` on it, "
                 "or put `strict_modes = no` into [supervisor]\n");
    snprintf(place, sizeof place, "/srv/handlers");
    expect_fault(&world, two,
                 "f.ini: handlers: others may change /srv/handlers (mode 0757, owner 0); run "
                 "`chmod go-w` on it, or put `strict_modes = no` into [supervisor]\n");
    snprintf(place, sizeof place, "/srv/rules/office");
    expect_fault(&world, "[a]\nlisten = 1\nhandler = ok\nallow = ::1, @rules/office\n",
                 "f.ini:4: a.allow: others may change /srv/rules/office (mode 0757, owner 0); run "
                 "`chmod go-w` on it, or put `strict_modes = no` into [supervisor]\n");
    snprintf(place, sizeof place, "/srv/data");
    expect_fault(
        &world, "[supervisor]\nhandlers = /srv/data\n[ports]\n2 = /usr/bin/ruby\n",
        "f.ini:2: supervisor.handlers: others may change /srv/data (mode 0757, owner 0); run "
        "`chmod go-w` on it, or put `strict_modes = no` into [supervisor]\n");
    world.handlers_override = "/srv/data";
    expect_fault(&world, two,
                 "f.ini: --handlers: others may change /srv/data (mode 0757, owner 0); run "
                 "`chmod go-w` on it, or put `strict_modes = no` into [supervisor]\n"
                 "f.ini:2: ports.1: `ok` is not in the handlers folder /srv/data; put it there, or "
                 "give an absolute path\n");
}

static void one_service_that_others_may_change_lacks_something(void **state) {
    static const char two[] = "[ports]\n1 = ok\n2 = echo\n3 = hello.py\n"
                              "[off]\nlisten = 4\nhandler = ok\nenabled = no\n"
                              "[supervisor]\ninterpreter.py = /usr/bin/python3\n";
    struct service_machine world = config_world_posix;
    struct config_problems problems = {0};
    struct service_table table;
    char place[32] = "/srv/handlers/ok";
    (void)state;
    world.inspect = inspect_all_but_one;
    world.context = place;
    world.is_privileged = true;
    world.find_user = NULL; /* as whom programs run is another matter */
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(config_world_load(&world, CONFIG_FORMAT_INI, "f.ini", two, strlen(two),
                                           &table, &problems),
                         BATON_INVALID); /* as --check has it; but there is a table */
        assert_int_equal(problems.problem_count, 1);
        assert_int_equal(problems.lacks_count, 1);
        assert_int_equal(problems.problems[0].line, i == 0 ? 2 : 4);
        assert_int_equal(table.service_count, 3);
        assert_true(table.services[0].lacks == (i == 0));
        assert_false(table.services[1].lacks);
        assert_true(table.services[2].lacks == (i == 1));
        service_table_clear(&table);
        config_problems_clear(&problems);
        snprintf(place, sizeof place, "/usr/bin/python3");
    }
}

static void connections_are_limited_in_sum(void **state) {
    struct service_table table =
        load(&config_world_posix, "[defaults]\nmax_connections = 16384\n[ports]\n1 = ok\n2 = ok\n");
    (void)state;
    assert_int_equal(table.service_count, 2);
    service_table_clear(&table);
    expect_fault(
        &config_world_posix,
        "[a]\nlisten = 1\nhandler = ok\nmax_connections = 16384\n"
        "[b]\nlisten = 2\nhandler = ok\nmax_connections = 16385\n",
        "f.ini:8: b.max_connections: the sum over all services is 32769; give at most 32768 "
        "in all (here it is 16385, the most)\n");
}

static void names_of_ports_are_made_of_file_names(void **state) {
    struct service_table table =
        load(&config_world_windows, "[ports]\n1 = \"C:\\Program Files\\x\\x.exe\"\n2 = ok\n3 = ok\n"
                                    "[supervisor]\ninterpreter.py = C:\\Python\\python.exe\n"
                                    "[ok-4]\nlisten = 4\nhandler = ok\n");
    (void)state;
    assert_string_equal(table.services[0].name, "x");
    assert_string_equal(table.services[1].name, "ok-2");
    assert_string_equal(table.services[2].name, "ok-3");
    assert_string_equal(table.services[3].name, "ok-4");
    service_table_clear(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_line_is_a_service_with_all_defaults),
        cmocka_unit_test(a_section_goes_before_defaults_before_the_table),
        cmocka_unit_test(argv0_is_what_was_written),
        cmocka_unit_test(an_interpreter_gets_the_script_by_its_path),
        cmocka_unit_test(on_windows_the_suffix_may_be_left_out),
        cmocka_unit_test(the_names_of_windows_variables),
        cmocka_unit_test(a_fact_is_never_inherited),
        cmocka_unit_test(a_current_folder_of_windows_has_a_bound),
        cmocka_unit_test(the_command_line_goes_before_the_file),
        cmocka_unit_test(what_is_switched_off_need_not_exist_and_never_clashes),
        cmocka_unit_test(a_service_that_is_switched_on_again_has_its_folder_checked),
        cmocka_unit_test(what_others_may_change_is_refused_to_root),
        cmocka_unit_test(one_service_that_others_may_change_lacks_something),
        cmocka_unit_test(connections_are_limited_in_sum),
        cmocka_unit_test(names_of_ports_are_made_of_file_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
