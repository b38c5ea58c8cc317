/* An inetd.conf that is served as it is: what its import would be, and a line that is wrong is its
 * own alone. */
#include "config_world.h"
#include "core/base/error.h"
#include "core/service/difference.h"
#include "emitted.h"
#include "import_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAIN "[supervisor]\ndefault_user = nobody\n"
#define SHOWN MAIN "[ports]\n7777 = echo\n"

/* ---- Equal to the import ---- */

static void load_import(const struct import_machine *world, struct service_table *table) {
    struct emitted emitted = {{0}, {0}};
    struct config_problems problems = {0};
    assert_int_equal(import_config("f.conf", world, take_out, take_fault, &emitted), BATON_OK);
    assert_int_equal(config_world_load(&import_world_services, CONFIG_FORMAT_INI, "i.ini",
                                       emitted.out.text, emitted.out.length, table, &problems),
                     BATON_OK);
    config_problems_clear(&problems);
    clear(&emitted);
}

static void it_is_what_its_import_is(void **state) {
    static const char text[] =
        "echo stream tcp nowait root internal\n"
        "daytime dgram udp wait root internal\n"
        "#<off># discard stream tcp nowait root internal\n"
        "time stream tcp46 nowait root internal\n"
        "finger stream tcp nowait nobody /usr/sbin/in.fingerd fingerd -w {x} ; y\n"
        "tftp dgram udp wait.40 nobody.adm /usr/sbin/tcpd /usr/sbin/in.tftpd /srv/tftp\n"
        "127.0.0.1:pop3 stream tcp6 nowait/5/6/7 root /usr/sbin/pop3d \"two words\" 'it''s'\n"
        "/run/x.sock stream unix nowait root /usr/bin/x\n"
        "192.0.2.1:\n"
        "smtp stream tcp,sndbuf=16k nowait mail /usr/sbin/smtpd smtpd\n";
    const struct import_file files[] = {{"f.conf", text, sizeof text - 1}, {NULL, NULL, 0}};
    const struct import_machine world = import_world_of(files);
    struct service_table imported = {0}, table = {0};
    struct config_problems problems = {0};
    (void)state;
    load_import(&world, &imported);
    assert_int_equal(import_world_serve(&world, "f.conf", MAIN, &table, &problems), BATON_OK);
    assert_true(table.service_count > 7);
    assert_int_equal(table.service_count, imported.service_count);
    for (size_t i = 0; i < table.service_count; i++) {
        assert_string_equal(table.services[i].name, imported.services[i].name);
        imported.services[i].is_open_unsaid = false; /* in an inetd.conf that is said */
        assert_true(service_is_same(&table.services[i], &imported.services[i]));
    }
    assert_int_equal(config_line_number(table.services[0].line), 1);
    assert_string_equal(table.services[0].file, "f.conf");
    service_table_clear(&table);
    service_table_clear(&imported);
    config_problems_clear(&problems);
}

/* ---- What is wrong ---- */

/* `names`: of the services, each with a blank behind it. `warnings`, NULL: there are none. */
static void expect_beside(const char *main_ini, const char *bytes, size_t length, const char *names,
                          const char *warnings) {
    const struct import_file files[] = {{"f.conf", bytes, length}, {NULL, NULL, 0}};
    const struct import_machine world = import_world_of(files);
    struct service_table table = {0};
    struct config_problems problems = {0};
    char found[256] = "";
    assert_int_equal(import_world_serve(&world, "f.conf", main_ini, &table, &problems), BATON_OK);
    for (size_t i = 0; i < table.service_count; i++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s ", table.services[i].name);
    }
    assert_string_equal(found, names);
    assert_int_equal(table.warnings == NULL, warnings == NULL);
    if (warnings != NULL) {
        assert_string_equal(table.warnings, warnings);
    }
    assert_int_equal(problems.problem_count, 0);
    service_table_clear(&table);
    config_problems_clear(&problems);
}
#define EXPECT(text, names, warnings)                                                              \
    expect_beside(SHOWN, text, sizeof text - 1, "echo " names, warnings)

#define FINE "ftp stream tcp nowait root /usr/bin/a a\n"

static void a_line_that_is_wrong_is_alone(void **state) {
    (void)state;
    EXPECT(FINE, "ftp ", NULL);
    EXPECT("nothing at all\n" FINE, "ftp ",
           "f.conf:1: warning: this line is no service; one has the fields SERVICE TYPE PROTOCOL "
           "WAIT USER PROGRAM ARGUMENTS\n");
    EXPECT("nix stream tcp nowait root /usr/bin/b b\n" FINE, "ftp ",
           "f.conf:1: warning: this system's list of services has no `nix/tcp`, so its port is not "
           "known; add it there, or give the port here\n");
    EXPECT("7001 stream tcp nowait root.root:x /usr/bin/b b\n" FINE, "ftp ",
           "f.conf:1: warning: there is no group `root:x` on this machine, so this is switched "
           "off\n");
}

/* A part that is left out is told, and a remark is not. */
static void what_is_left_out_is_told(void **state) {
    (void)state;
    EXPECT(
        "127.0.0.1,elsewhere:7001 stream tcp nowait root /usr/bin/b b\n", "7001 ",
        "f.conf:1: warning: host `elsewhere`: names of hosts are not looked up; give its address "
        "in `listen`\n");
}

/* What cannot be read may go on with the line above, or restrict those below. */
static void a_torn_line(void **state) {
    static const char bytes[] = "column 1 holds bytes that are not UTF-8 (or, in UTF-16, half a "
                                "character); save the file in the encoding UTF-8\n";
    char warnings[1024];
    (void)state;
    snprintf(warnings, sizeof warnings,
             "f.conf:2: warning: %sf.conf:3: warning: the line below cannot be read, and may go on "
             "with this one; correct it\nf.conf:4: warning: column 2%s",
             bytes, strchr(bytes, ' ') + 2);
    EXPECT(FINE "\xff\n", "",
           "f.conf:1: warning: the line below cannot be read, and may go on with "
           "this one; correct it\nf.conf:2: warning: column 1 holds bytes that "
           "are not UTF-8 (or, in UTF-16, half a character); save the file in "
           "the encoding UTF-8\n");
    EXPECT("#\n\xff\n7001 stream tcp nowait root /usr/bin/b b\n \xff\n" FINE, "ftp ", warnings);
    EXPECT("7001 stream tcp nowait root /usr/bin/b b\n#\n\xff:\n" FINE
           "127.0.0.1:\n7002 stream tcp nowait root /usr/bin/c c\n",
           "7001 7002 ",
           "f.conf:3: warning: column 1 holds bytes that are not UTF-8 (or, in UTF-16, half a "
           "character); save the file in the encoding UTF-8\n"
           "f.conf:4: warning: a line above, which may say at which addresses this listens, cannot "
           "be read; correct that\n");
    EXPECT(FINE "a\0b\n7001 stream tcp nowait root /usr/bin/b b\n", "",
           "f.conf:1: warning: the line below cannot be read, and may go on with this one; correct "
           "it\nf.conf:2: warning: column 2 holds a NUL byte; a config is plain text, so delete it "
           "(is this the right file?)\n");
}

/* The config goes before it: by its names, and where it listens. */
static void the_config_goes_before_it(void **state) {
    static const char text[] = "echo stream tcp nowait root internal\n"
                               "7777 stream tcp nowait root /usr/bin/b b\n"
                               "telnet stream tcp nowait root /usr/bin/c c\n"
                               "smtp stream tcp nowait root /usr/bin/d d\n" FINE;
    (void)state;
    expect_beside(SHOWN "[telnet]\nlisten = 1023\nhandler = echo\n"
                        "[smtp]\nlisten = 25\nhandler = echo\nenabled = no\n",
                  text, sizeof text - 1, "echo telnet ftp ",
                  "f.conf:1: warning: echo: the config has a service of this name in main.ini:4, "
                  "which holds; this one is not served\n"
                  "f.conf:2: warning: 7777.listen: 0.0.0.0:7777 is taken by `ports.7777` in "
                  "main.ini:4 (0.0.0.0:7777); choose another port or address\n"
                  "f.conf:3: warning: telnet: the config has a service of this name in main.ini:5, "
                  "which holds; this one is not served\n"
                  "f.conf:4: warning: smtp: the config has a service of this name in main.ini:8, "
                  "which holds; this one is not served\n");
}

static void expect_invalid(const char *text, const char *main_ini, int result, const char *told) {
    const struct import_file files[] = {{"f.conf", text, strlen(text)}, {NULL, NULL, 0}};
    const struct import_machine world = import_world_of(files);
    struct service_table table = {0};
    struct config_problems problems = {0};
    struct config_output out = {0};
    config_output_add(&out, "");
    assert_int_equal(import_world_serve(&world, "f.conf", main_ini, &table, &problems), result);
    config_problems_print(&problems, config_output_add, &out);
    assert_string_equal(out.text, told);
    free(out.text);
    service_table_clear(&table);
    config_problems_clear(&problems);
}

static void what_keeps_all_from_starting(void **state) {
    (void)state;
    expect_invalid("service ftp\n{\n}\n", MAIN, BATON_INVALID, "");
    expect_invalid("# nothing\n", MAIN, BATON_INVALID,
                   "main.ini: no service is on, and none of `inetd_conf` can be served; switch one "
                   "on, or correct what is told of that\n");
    expect_invalid("x\n", SHOWN "[a]\nlisten = 1\nhandler = nix\n", BATON_OK,
                   "main.ini:7: a.handler: `nix` is not in the handlers folder /srv/handlers; "
                   "put it there, or give an absolute path\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_its_import_is),
        cmocka_unit_test(a_line_that_is_wrong_is_alone),
        cmocka_unit_test(what_is_left_out_is_told),
        cmocka_unit_test(a_torn_line),
        cmocka_unit_test(the_config_goes_before_it),
        cmocka_unit_test(what_keeps_all_from_starting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
