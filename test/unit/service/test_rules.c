/* `allow`, `deny` and `hours` from the config and its files (core/service/rules.c, clients.c). */
#include "config_world.h"
#include "core/base/error.h"
#include "core/service/services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The file /srv/f, and how often it was read. */
static const char *file_bytes;
static size_t file_length;
static int file_result;
static unsigned read_count;

static int read_rules(const char *path, void *buffer, size_t capacity, size_t *length,
                      struct baton_cause *cause) {
    (void)cause;
    read_count++;
    if (strcmp(path, "/srv/f") != 0) {
        return BATON_NOT_FOUND;
    }
    *length = file_length < capacity ? file_length : capacity;
    memcpy(buffer, file_bytes, *length);
    return file_length > capacity ? BATON_TOO_LONG : file_result;
}

static bool is_root;
static bool knows_users;
static int inspect(void *context, const char *path, struct path_facts *out);

static int load(const char *ini, struct service_table *table, struct config_output *faults) {
    struct service_machine world = config_world_posix;
    struct config_problems problems = {.file_name = "x.ini"};
    world.read_rules = read_rules;
    world.inspect = inspect;
    world.is_privileged = is_root;
    if (!knows_users) {
        world.find_user = NULL; /* as whom programs run is another matter */
    }
    read_count = 0;
    int result =
        config_world_load(&world, CONFIG_FORMAT_INI, "x.ini", ini, strlen(ini), table, &problems);
    config_problems_print(&problems, config_output_add, faults);
    config_problems_clear(&problems);
    return result;
}

static void set_file(const char *bytes, size_t length) {
    file_bytes = bytes;
    file_length = length;
    file_result = BATON_OK;
}

static struct service_table load_good(const char *ini) {
    struct service_table table;
    struct config_output faults = {0};
    int result = load(ini, &table, &faults);
    if (result != BATON_OK) {
        fail_msg("%d: %s", result, faults.text != NULL ? faults.text : "");
    }
    free(faults.text);
    return table;
}

static void expect_faults(const char *ini, const char *expected) {
    struct service_table table;
    struct config_output faults = {0};
    assert_int_equal(load(ini, &table, &faults), BATON_INVALID);
    assert_string_equal(faults.text, expected);
    free(faults.text);
}

static bool allows(const struct service *service, const char *host) {
    struct address address;
    assert_true(address_parse_host(host, &address));
    return rule_tree_allows(service->access, &address);
}

#define SERVICE "[a]\nlisten = 1\nhandler = ok\n"

static void lists_and_files_are_one(void **state) {
    static const char file[] = "# office\r\n\r\n10.1.0.0/16\r\n"
                               "  2001:db8::/32\t; lab\n\n;\n#\n10.1.2.3#x\n \t \n192.0.2.1";
    (void)state;
    set_file(file, sizeof file - 1);
    struct service_table table = load_good(SERVICE "allow = 172.16.0.0/12 , @f,203.0.113.7\n"
                                                   "deny = 10.1.2.0/24\n");
    const struct service *service = &table.services[0];
    struct address address;
    struct rule_found found;
    assert_true(allows(service, "172.31.0.1"));
    assert_true(allows(service, "203.0.113.7"));
    assert_true(allows(service, "10.1.0.1"));
    assert_true(allows(service, "2001:db8::7"));
    assert_true(allows(service, "192.0.2.1"));
    assert_false(allows(service, "192.0.2.2"));
    assert_false(allows(service, "10.1.2.4"));
    assert_true(allows(service, "10.1.2.3"));
    assert_true(address_parse_host("10.1.2.3", &address));
    assert_true(rule_tree_find(service->access, &address, &found));
    assert_string_equal(found.source, "/srv/f");
    assert_int_equal(found.line, 8);
    assert_true(address_parse_host("192.0.2.1", &address));
    assert_true(rule_tree_find(service->access, &address, &found));
    assert_int_equal(found.line, 10);
    assert_true(address_parse_host("10.1.2.4", &address));
    assert_true(rule_tree_find(service->access, &address, &found));
    assert_null(found.source);
    assert_int_equal(found.line, 5);
    service_table_clear(&table);
}

static void who_is_named_nowhere(void **state) {
    (void)state;
    struct service_table table = load_good(SERVICE "deny = 10.0.0.0/8\n"
                                                   "[b]\nlisten = 2\nhandler = ok\nallow = ::1\n"
                                                   "[c]\nlisten = 3\nhandler = ok\n");
    assert_true(allows(&table.services[0], "11.0.0.1"));
    assert_true(allows(&table.services[0], "::1"));
    assert_false(allows(&table.services[1], "11.0.0.1"));
    assert_null(table.services[2].access);
    service_table_clear(&table);
    /* A file that has no rule is no permission. */
    set_file("# nobody yet\n", 13);
    table = load_good(SERVICE "allow = @f\n");
    assert_false(allows(&table.services[0], "127.0.0.1"));
    service_table_clear(&table);
    set_file("", 0);
    table = load_good(SERVICE "allow = @f\n");
    assert_false(allows(&table.services[0], "127.0.0.1"));
    service_table_clear(&table);
}

static void every_fault_of_a_file_is_told(void **state) {
    static const char file[] = "\xef\xbb\xbf"
                               "10.0.0.0/8\n10.0.0.1/8\n10.1\n\n10.0.0.0/255.0.0.0\n::1/129\n"
                               "10.0.0.0 - 10.0.0.9\n@other\n10.0.0.2\0/8\n010.0.0.1\nhost\xff";
    (void)state;
    set_file(file, sizeof file - 1);
    expect_faults(
        SERVICE "allow = 10.0.0.0/8, @f, 1.2.3\n",
        "x.ini:4: a.allow: /srv/f:2: `10.0.0.1/8`: bits are set after the prefix; expected "
        "10.0.0.0/8, or the address alone\n"
        "x.ini:4: a.allow: /srv/f:3: `10.1`: expected an IPv4 or IPv6 address, or "
        "ADDRESS/PREFIX_LENGTH as in 192.0.2.0/24 or 2001:db8::/32\n"
        "x.ini:4: a.allow: /srv/f:5: `10.0.0.0/255.0.0.0`: a netmask is written as the length of "
        "its prefix: /8\n"
        "x.ini:4: a.allow: /srv/f:6: `::1/129`: after the / comes the length of the prefix, a "
        "number from 0 to 128\n"
        "x.ini:4: a.allow: /srv/f:7: `10.0.0.0 - 10.0.0.9`: expected an IPv4 or IPv6 address, or "
        "ADDRESS/PREFIX_LENGTH as in 192.0.2.0/24 or 2001:db8::/32\n"
        "x.ini:4: a.allow: /srv/f:8: `@other`: expected an IPv4 or IPv6 address, or "
        "ADDRESS/PREFIX_LENGTH as in 192.0.2.0/24 or 2001:db8::/32\n"
        "x.ini:4: a.allow: /srv/f:9: `10.0.0.2?/8`: expected an IPv4 or IPv6 address, or "
        "ADDRESS/PREFIX_LENGTH as in 192.0.2.0/24 or 2001:db8::/32\n"
        "x.ini:4: a.allow: /srv/f:10: `010.0.0.1`: expected an IPv4 or IPv6 address, or "
        "ADDRESS/PREFIX_LENGTH as in 192.0.2.0/24 or 2001:db8::/32\n"
        "x.ini:4: a.allow: /srv/f:11: `host?`: expected an IPv4 or IPv6 address, or "
        "ADDRESS/PREFIX_LENGTH as in 192.0.2.0/24 or 2001:db8::/32\n"
        "x.ini:4: a.allow: `1.2.3`: expected an IPv4 or IPv6 address, or "
        "ADDRESS/PREFIX_LENGTH as in 192.0.2.0/24 or 2001:db8::/32\n");
}

/* Else a comment would hide all that follows it, and nobody be denied. */
static void other_ends_are_told(void **state) {
    static const char returns[] = "# who is kept out\r10.0.0.1\r10.0.0.2";
    static const char dos[] = "10.0.0.1\r\n10.0.0.2 # x \r\r\n\x1a";
    (void)state;
    set_file(returns, sizeof returns - 1);
    expect_faults(SERVICE "deny = @f\n",
                  "x.ini:4: a.deny: /srv/f:1: holds a carriage return that no line feed follows, "
                  "which ends no line; save the file with the line ends of Windows (CR LF) or Unix "
                  "(LF)\n");
    set_file(dos, sizeof dos - 1);
    expect_faults(SERVICE "deny = @f\n",
                  "x.ini:4: a.deny: /srv/f:3: holds a Ctrl-Z, as programs of "
                  "DOS end a file with; delete it\n");
}

/* As PowerShell writes it: the comment holds a character of three bytes in UTF-8. */
static void a_file_of_utf16_is_read(void **state) {
    static const char file[] = "\xff\xfe"
                               "1\0"
                               "0\0.\0"
                               "0\0.\0"
                               "0\0.\0"
                               "1\0 \0#\0\x16\x4e\r\0\n\0"
                               ":\0:\0"
                               "1\0";
    (void)state;
    set_file(file, sizeof file - 1);
    struct service_table table = load_good(SERVICE "allow = @f\n");
    assert_true(allows(&table.services[0], "10.0.0.1"));
    assert_true(allows(&table.services[0], "::1"));
    assert_false(allows(&table.services[0], "10.0.0.2"));
    service_table_clear(&table);
    set_file(file, sizeof file - 2);
    expect_faults(SERVICE "allow = @f\n",
                  "x.ini:4: a.allow: /srv/f:2: `::?`: expected an IPv4 or IPv6 address, or "
                  "ADDRESS/PREFIX_LENGTH as in 192.0.2.0/24 or 2001:db8::/32\n");
}

/* Everything is root's, and that file everybody's to write to. */
static int inspect(void *context, const char *path, struct path_facts *out) {
    (void)context;
    *out = (struct path_facts){.kind = PATH_KIND_FOLDER};
    out->mode = strcmp(path, "/srv/f") == 0 ? 0666 : 0755;
    return BATON_OK;
}

static void a_file_that_others_may_change_is_refused_to_root(void **state) {
    (void)state;
    set_file("10.0.0.0/8", 10);
    is_root = true;
    expect_faults(
        "[defaults]\ndeny = @f\n[ports]\n1 = ok\n2 = ok\n",
        "x.ini:2: defaults.deny: others may change /srv/f (mode 0666, owner 0); run `chmod "
        "go-w` on it, or put `strict_modes = no` into [supervisor]\n");
    struct service_table table = load_good(SERVICE "deny = @f\n[supervisor]\nstrict_modes = no\n");
    service_table_clear(&table);
    is_root = false;
    table = load_good(SERVICE "deny = @f\n");
    service_table_clear(&table);
}

static void a_file_that_cannot_be_read_closes(void **state) {
    (void)state;
    expect_faults(SERVICE "deny = @not-there\n",
                  "x.ini:4: a.deny: /srv/not-there: no such file; give a file of rules\n");
    set_file("", 0);
    file_result = BATON_INVALID;
    expect_faults(
        SERVICE "deny = @f\n",
        "x.ini:4: a.deny: /srv/f: is a folder or no regular file; give a file of rules\n");
    file_result = BATON_DENIED;
    expect_faults(SERVICE "deny = @f\n",
                  "x.ini:4: a.deny: /srv/f: permission denied; give a file of rules\n");
}

/* What is said in [defaults] is told there, once, and read once. */
static void defaults_are_shared(void **state) {
    static const char ini[] = "[defaults]\nallow = @f\nhours = 08:00-17:59\n[ports]\n2 = ok\n"
                              "3 = echo\n[a]\nlisten = 1\nhandler = ok\n"
                              "[own]\nlisten = 4\nhandler = ok\ndeny = 10.1.0.0/16\n"
                              "[local]\nlisten = /run/x\nprotocol = unix\nhandler = ok\n";
    struct services services;
    (void)state;
    set_file("10.0.0.0/8\n", 11);
    struct service_table table = load_good(ini);
    assert_int_equal(read_count, 2);
    assert_int_equal(table.access_count, 2);
    assert_int_equal(table.service_count, 5);
    assert_ptr_equal(table.services[0].access, table.services[1].access);
    assert_ptr_equal(table.services[0].access, table.services[2].access);
    assert_true(allows(&table.services[2], "10.1.0.1"));
    assert_false(allows(&table.services[3], "10.1.0.1"));
    assert_true(allows(&table.services[3], "10.2.0.1"));
    assert_null(table.services[4].access);
    assert_int_equal(table.services[4].hours_count, 1);
    /* A service that lives on keeps the tree. */
    assert_int_equal(services_init(&services), BATON_OK);
    uint32_t slot = services_add(&services, &table.services[0]);
    uint32_t other = services_add(&services, &table.services[1]);
    service_table_clear(&table);
    services_release(&services, other);
    assert_true(allows(services_get(&services, slot), "10.1.0.1"));
    assert_int_equal(services_get(&services, slot)->hours[0].last_minute, 17 * 60 + 59);
    services_clear(&services);

    set_file("10.0.0.0/33\n", 12);
    expect_faults(ini, "x.ini:2: defaults.allow: /srv/f:1: `10.0.0.0/33`: after the / comes the "
                       "length of the prefix, a number from 0 to 32\n");
}

static void one_file_of_several_services_is_read_once(void **state) {
    (void)state;
    set_file("10.0.0.0/8\n", 11);
    struct service_table table = load_good(SERVICE "allow = @f\n[b]\nlisten = 2\nhandler = ok\n"
                                                   "allow = @f\n[c]\nlisten = 3\nhandler = ok\n"
                                                   "deny = @f\n");
    assert_int_equal(read_count, 2);
    assert_ptr_equal(table.services[0].access, table.services[1].access);
    assert_true(allows(&table.services[1], "10.0.0.1"));
    assert_false(allows(&table.services[2], "10.0.0.1"));
    service_table_clear(&table);
}

/* It would be open to all. */
static void who_cannot_honour_defaults_is_a_fault(void **state) {
    (void)state;
    set_file("", 0);
    expect_faults("[defaults]\nallow = 10.0.0.0/8\ndeny = @f\n[u]\nlisten = 1\nprotocol = udp\n"
                  "handler = ok\n[off]\nlisten = 2\nhandler = ok\nhandoff = listener\n"
                  "enabled = no\n",
                  "x.ini:2: defaults.allow: the service in line 4 hands its socket over and cannot "
                  "honour this, so anybody could come; say it in the sections of the others\n"
                  "x.ini:3: defaults.deny: the service in line 4 hands its socket over and cannot "
                  "honour this, so anybody could come; say it in the sections of the others\n");
    expect_faults(
        "[defaults]\nallow = ::1\nproxy_trusted = ::1\n[a]\nprotocol = unix\n"
        "listen = /srv/data/s\nhandler = ok\nproxy_protocol = on\n",
        "x.ini:2: defaults.allow: the service in line 4 has a proxy at a local socket and "
        "cannot honour this, so anybody could come; say it in the sections of the "
        "others\n");
    struct service_table table =
        load_good("[defaults]\nallow = 10.0.0.0/8\n[l]\nlisten = /run/x\nprotocol = unix\n"
                  "handoff = listener\nhandler = ok\n");
    service_table_clear(&table);
}

static void modes_that_see_no_client(void **state) {
    (void)state;
    expect_faults(
        SERVICE "handoff = listener\nallow = 1.2.3\n",
        "x.ini:5: a.allow: cannot be honoured in mode listener; leave it out, or take one of the "
        "modes that can: channel, stdio, pump\n");
    expect_faults(
        SERVICE "allow_uid = 0\n",
        "x.ini:4: a.allow_uid: cannot be honoured with protocol tcp; leave it out, or take one of "
        "the protocols that can: unix\n");
    struct service_table table =
        load_good(SERVICE "protocol = udp\nhours = 00:00-00:00, 23:59-23:58\n");
    assert_int_equal(table.services[0].hours_count, 2);
    assert_int_equal(table.services[0].hours[1].first_minute, 1439);
    service_table_clear(&table);
}

static void hours_that_are_none(void **state) {
    static const char *const wrong[] = {
        "8:00-18:00",  "08:00",        "08:00-24:00",   "08:60-09:00", "08:00-09:00x",
        "08.00-09.00", "-08:00-09:00", "08:00 - 09:00", "08:00-",      "0800-0900"};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char ini[160], expected[240];
        snprintf(ini, sizeof ini, SERVICE "hours = 10:00-11:00, %s\n", wrong[i]);
        snprintf(expected, sizeof expected,
                 "x.ini:4: a.hours: `%s` is no range of hours; give HH:MM-HH:MM from 00:00 to "
                 "23:59, as in 08:00-17:59\n",
                 wrong[i]);
        expect_faults(ini, expected);
    }
}

static void too_long_a_file(void **state) {
    char *bytes = malloc(SERVICE_RULES_FILE_MAX_BYTES);
    (void)state;
    assert_non_null(bytes);
    memset(bytes, '\n', SERVICE_RULES_FILE_MAX_BYTES);
    set_file(bytes, SERVICE_RULES_FILE_MAX_BYTES);
    memcpy(bytes + SERVICE_RULES_FILE_MAX_BYTES - 4, "\n::1", 4);
    struct service_table table = load_good(SERVICE "deny = @f\n");
    assert_false(allows(&table.services[0], "::1"));
    service_table_clear(&table);
    free(bytes);
    bytes = calloc(1, SERVICE_RULES_FILE_MAX_BYTES + 1);
    assert_non_null(bytes);
    set_file(bytes, SERVICE_RULES_FILE_MAX_BYTES + 1);
    expect_faults(SERVICE "deny = @f\n",
                  "x.ini:4: a.deny: /srv/f: is longer than 16 MiB; give a file of rules\n");
    free(bytes);
}

/* In all, in whatever service they are. */
static void too_many_rules(void **state) {
    static const char rule[] = "10.0.0.0/8\n";
    size_t rule_length = sizeof rule - 1;
    char *bytes = malloc(RULES_MAX_COUNT * rule_length);
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < RULES_MAX_COUNT; i++) {
        memcpy(bytes + i * rule_length, rule, rule_length);
    }
    set_file(bytes, RULES_MAX_COUNT * rule_length);
    struct service_table table = load_good(SERVICE "deny = @f\n");
    assert_false(allows(&table.services[0], "10.1.2.3"));
    service_table_clear(&table);
    expect_faults(SERVICE "deny = @f\n[b]\nlisten = 2\nhandler = ok\nallow = ::1, ::2\n",
                  "x.ini:8: b.allow: there are more than 1000000 rules in the config and its "
                  "files, or too many files; leave some out\n");
    free(bytes);
}

static void users_and_groups_by_name(void **state) {
    (void)state;
    knows_users = true;
    struct service_table table = load_good("[l]\nlisten = /run/x\nprotocol = unix\nhandler = ok\n"
                                           "allow_uid = alice, 7, root\nallow_gid = adm ,users\n");
    const struct service *service = &table.services[0];
    assert_int_equal(service->allow_uid_count, 3);
    assert_int_equal(service->allow_uids[0], 1001);
    assert_int_equal(service->allow_uids[1], 7);
    assert_int_equal(service->allow_uids[2], 0);
    assert_int_equal(service->allow_gid_count, 2);
    assert_int_equal(service->allow_gids[0], 4);
    assert_int_equal(service->allow_gids[1], 100);
    service_table_clear(&table);
    expect_faults("[l]\nlisten = /run/x\nprotocol = unix\nhandler = ok\n"
                  "allow_uid = users\nallow_gid = alice\n",
                  "x.ini:5: l.allow_uid: `users` is not known here; give names or numbers, "
                  "separated by commas\n"
                  "x.ini:6: l.allow_gid: `alice` is not known here; give names or numbers, "
                  "separated by commas\n");
    knows_users = false;
}

static void users_and_groups_by_number(void **state) {
    (void)state;
    struct service_table table =
        load_good("[l]\nlisten = /run/x\nprotocol = unix\nhandler = ok\nallow_uid = 0, 4294967294\n"
                  "allow_gid = 4\n");
    assert_int_equal(table.services[0].allow_uid_count, 2);
    assert_int_equal(table.services[0].allow_uids[1], 4294967294u);
    assert_int_equal(table.services[0].allow_gid_count, 1);
    assert_int_equal(table.services[0].allow_gids[0], 4);
    service_table_clear(&table);
    expect_faults("[l]\nlisten = /run/x\nprotocol = unix\nhandler = ok\n"
                  "allow_uid = 4294967295, -1\nallow_gid = ,\n",
                  "x.ini:5: l.allow_uid: `4294967295` is not known here; give names or numbers, "
                  "separated by commas\n"
                  "x.ini:5: l.allow_uid: `-1` is not known here; give names or numbers, separated "
                  "by commas\n"
                  "x.ini:6: l.allow_gid: `` is not known here; give names or numbers, separated by "
                  "commas\n"
                  "x.ini:6: l.allow_gid: `` is not known here; give names or numbers, separated by "
                  "commas\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_and_files_are_one),
        cmocka_unit_test(who_is_named_nowhere),
        cmocka_unit_test(every_fault_of_a_file_is_told),
        cmocka_unit_test(other_ends_are_told),
        cmocka_unit_test(a_file_of_utf16_is_read),
        cmocka_unit_test(a_file_that_others_may_change_is_refused_to_root),
        cmocka_unit_test(a_file_that_cannot_be_read_closes),
        cmocka_unit_test(defaults_are_shared),
        cmocka_unit_test(one_file_of_several_services_is_read_once),
        cmocka_unit_test(who_cannot_honour_defaults_is_a_fault),
        cmocka_unit_test(modes_that_see_no_client),
        cmocka_unit_test(hours_that_are_none),
        cmocka_unit_test(too_long_a_file),
        cmocka_unit_test(too_many_rules),
        cmocka_unit_test(users_and_groups_by_name),
        cmocka_unit_test(users_and_groups_by_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
