/* Whom the supervisor becomes, and what it keeps (core/service/kept.c, identity.c). */
#include "config_world.h"
#include "core/base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool raises_limits(void *context, const struct identity *identity) {
    (void)context;
    return identity->limits[LIMIT_FILES_COUNT] != IDENTITY_SAME &&
           identity->limits[LIMIT_FILES_COUNT] > 1000;
}

/* What --check says of a config in which the supervisor becomes `baton`, from there on. */
static char *said(const char *services, struct service_table *table) {
    static char text[8192];
    static char ini[1024];
    struct service_machine world = config_world_root;
    struct config_output out = {0};
    world.raises_limits = raises_limits;
    snprintf(ini, sizeof ini, "[supervisor]\nuser = baton\n%s", services);
    assert_int_equal(
        config_world_load(&world, CONFIG_FORMAT_INI, "x.ini", ini, strlen(ini), table, NULL),
        BATON_OK);
    service_table_print(table, true, config_output_add, &out);
    const char *line = strstr(out.text, "\nbatond becomes ");
    assert_non_null(line);
    snprintf(text, sizeof text, "%s", line + strlen("\nbatond becomes "));
    free(out.text);
    return text;
}

static void expect(const char *services, const char *line, uint64_t kept) {
    struct service_table table;
    assert_string_equal(said(services, &table), line);
    assert_int_equal(table.options.identity.uid, 1000);
    assert_int_equal(table.options.identity.gid, 1000);
    assert_int_equal(table.options.identity.group_count, 2);
    assert_true(table.options.identity.has_capabilities);
    assert_true(table.options.identity.capabilities == kept);
    service_table_clear(&table);
}

#define BIT(number) (UINT64_C(1) << (number))
#define OWN "[a]\nhandler = ok\nuser = baton\n"
#define KEEPS "baton and keeps the capabilities "

static void test_what_each_key_needs(void **state) {
    (void)state;
    expect(OWN "listen = 7777\n", "baton and keeps no capability\n", 0);
    expect(OWN "listen = 1024\nnice = 5\nlimit_files = 1000\nlimit_memory = 1G\n",
           "baton and keeps no capability\n", 0);
    expect(OWN "listen = 1023\n", KEEPS "net_bind_service for a\n", BIT(10));
    expect(OWN "listen = 0\n", "baton and keeps no capability\n", 0);
    expect(OWN "listen = 7777\nnice = -1\n", KEEPS "sys_nice for a\n", BIT(23));
    expect(OWN "listen = 7777\noom_score_adj = 0\n", KEEPS "sys_resource for a\n", BIT(24));
    expect(OWN "listen = 7777\nlimit_files = 1001\n", KEEPS "sys_resource for a\n", BIT(24));
    expect(OWN "listen = 7777\nchroot = /\n", KEEPS "sys_chroot for a\n", BIT(18));
    expect(OWN "listen = 7777\ngroup = adm\n", KEEPS "setgid for a\n", BIT(6));
    expect(OWN "listen = 7777\ngroups = none\n", KEEPS "setgid for a\n", BIT(6));
    expect(OWN "listen = 7777\ncapabilities = net_raw\n", KEEPS "net_raw for a\n", BIT(13));
    expect(OWN "listen = 7777\ncapabilities = none\n", "baton and keeps no capability\n", 0);
    expect(OWN "listen = 7777\nhandoff = stdio\n", KEEPS "kill for a\n", BIT(5));
    expect(OWN "listen = 7777\nhandoff = stdio\nno_new_privileges = yes\n",
           "baton and keeps no capability\n", 0);
    expect(OWN "listen = 7777\nno_new_privileges = no\n", KEEPS "kill for a\n", BIT(5));
    expect(OWN "listen = 7777\n[off]\nlisten = 1\nhandler = ok\nuser = root\nenabled = no\n",
           "baton and keeps no capability\n", 0);
}

/* Groups are a set. */
static void test_groups_in_another_order(void **state) {
    (void)state;
    expect(OWN "listen = 7777\ngroups = 27, adm\n", "baton and keeps no capability\n", 0);
}

static void test_other_users(void **state) {
    (void)state;
    expect("[a]\nhandler = ok\nlisten = 7777\nuser = nobody\n"
           "[b]\nhandler = ok\n"
           "listen = 7778\nuser = alice\n",
           KEEPS "kill for a, setgid for a, setuid for a\n", BIT(5) | BIT(6) | BIT(7));
    /* Root that gains nothing at its execve(2) has only what batond has. */
    expect(OWN "listen = 7777\n[b]\nhandler = ok\nlisten = 7778\nuser = root\n",
           KEEPS "all for b\n", UINT64_MAX);
    expect("[b]\nhandler = ok\nlisten = 7778\nuser = root\nno_new_privileges = no\n",
           KEEPS "kill for b, setgid for b, setuid for b\n", BIT(5) | BIT(6) | BIT(7));
    expect("[b]\nhandler = ok\nlisten = 7778\nuser = root\ncapabilities = net_raw\n",
           KEEPS "kill for b, setgid for b, setuid for b, setpcap for b, net_raw for b\n",
           BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(13));
}

static void test_no_new_privileges(void **state) {
    struct service_table table;
    (void)state;
    (void)said(OWN "listen = 7777\n", &table);
    assert_true(table.options.forbids_new_privileges);
    service_table_clear(&table);
    (void)said(OWN "listen = 7777\n[b]\nhandler = ok\nhandoff = stdio\nlisten = 1\nuser = baton\n",
               &table);
    assert_false(table.options.forbids_new_privileges);
    service_table_clear(&table);
}

static void expect_fault(const struct service_machine *world, const char *ini, const char *text) {
    struct config_output out = {0};
    assert_int_not_equal(
        config_world_check(world, CONFIG_FORMAT_INI, "x.ini", ini, strlen(ini), false, &out),
        BATON_OK);
    assert_non_null(strstr(out.text, text));
    free(out.text);
}

static struct service_table load(const struct service_machine *world, const char *ini) {
    struct service_table table;
    assert_int_equal(
        config_world_load(world, CONFIG_FORMAT_INI, "x.ini", ini, strlen(ini), &table, NULL),
        BATON_OK);
    return table;
}

static void test_who_may(void **state) {
    static const char as_baton[] = "[supervisor]\nuser = baton\n[ports]\n7777 = ok\n";
    static const char as_root[] =
        "[supervisor]\nuser = root\ndefault_user = nobody\n[ports]\n7777 = ok\n";
    (void)state;
    struct service_table table = load(&config_world_posix, as_baton); /* who it is already */
    assert_null(table.options.user);
    service_table_clear(&table);
    table = load(&config_world_root, as_root);
    assert_null(table.options.user);
    service_table_clear(&table);
    expect_fault(&config_world_posix, as_root,
                 "supervisor.user: takes privileges: batond runs as `baton`, and this says `root`");
    struct service_machine checking = config_world_posix;
    checking.checks_only = true;
    table = load(&checking, as_root);
    assert_true(table.needs_privileges);
    assert_null(table.options.user);
    service_table_clear(&table);
    expect_fault(&config_world_root, "[supervisor]\nuser = x\n[a]\nlisten = 1\nhandler = ok\n",
                 "supervisor.user: there is no user `x` on this machine");
    expect_fault(&config_world_windows, "[supervisor]\nuser = x\n[a]\nlisten = 1\nhandler = ok\n",
                 "supervisor.user: cannot be honoured on Windows");
}

/* It is the supervisor that enters it. */
static void test_a_folder_that_it_cannot_enter(void **state) {
    (void)state;
    expect_fault(&config_world_root,
                 "[supervisor]\nuser = baton\nstrict_modes = no\n"
                 "[a]\nlisten = 1\nhandler = ok\nuser = root\ndirectory = /root\n",
                 "/root keeps out the account that is to run this, `baton`");
    expect_fault(&config_world_root,
                 "[supervisor]\nuser = baton\nstrict_modes = no\n"
                 "[a]\nlisten = 1\nhandler = /usr/bin/true\nuser = root\nchroot = /root\n",
                 "a.chroot: /root keeps out the account that is to run this, `baton`");
}

/* Who we are, or one of the names; the system has not enough for it. */
static const char *unanswered;

static int find_some_users(void *context, const char *name, struct account *out) {
    const char *asked = name == NULL ? "" : name;
    return strcmp(asked, unanswered) == 0 ? BATON_NO_MEMORY
                                          : config_world_root.find_user(context, name, out);
}

/* Then nothing runs as whom batond happens to be. */
static void test_a_system_that_does_not_answer(void **state) {
    static const char ini[] = "[supervisor]\nuser = baton\n"
                              "[a]\nlisten = 1\nhandler = ok\nuser = nobody\n";
    static const char *const all[] = {"", "baton", "nobody"};
    struct service_machine world = config_world_root;
    (void)state;
    world.find_user = find_some_users;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct service_table table;
        unanswered = all[i];
        assert_int_equal(
            config_world_load(&world, CONFIG_FORMAT_INI, "x.ini", ini, strlen(ini), &table, NULL),
            BATON_NO_MEMORY);
    }
}

/* By --check of somebody who has none. */
static void test_what_takes_privileges_is_told(void **state) {
    static const struct {
        const char *line;
        bool takes;
    } lines[] = {{"nice = 5", false},
                 {"nice = -5", true},
                 {"oom_score_adj = 5", false},
                 {"oom_score_adj = -5", true},
                 {"capabilities = none", false},
                 {"capabilities = net_raw", true},
                 {"limit_files = 1000", false},
                 {"limit_files = 1001", true},
                 {"handoff = stdio", false}};
    struct service_machine world = config_world_posix;
    (void)state;
    world.raises_limits = raises_limits;
    world.checks_only = true;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct service_table table;
        char ini[128];
        snprintf(ini, sizeof ini, "[a]\nlisten = 7777\nhandler = ok\n%s\n", lines[i].line);
        assert_int_equal(
            config_world_load(&world, CONFIG_FORMAT_INI, "x.ini", ini, strlen(ini), &table, NULL),
            BATON_OK);
        assert_int_equal(table.needs_privileges, lines[i].takes);
        service_table_clear(&table);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_each_key_needs),
        cmocka_unit_test(test_groups_in_another_order),
        cmocka_unit_test(test_other_users),
        cmocka_unit_test(test_no_new_privileges),
        cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_a_folder_that_it_cannot_enter),
        cmocka_unit_test(test_a_system_that_does_not_answer),
        cmocka_unit_test(test_what_takes_privileges_is_told),
    };
    return cmocka_run_group_tests_name("kept", tests, NULL, NULL);
}
