/* Rules, users and limits of the old servers, as Debian's xinetd 2.3.15.3, openbsd-inetd and
 * inetutils-inetd were seen to take them, and the keys that say the same. */
#include "core/base/error.h"
#include "emitted.h"
#include "import_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LINES(text) (text), sizeof(text) - 1

static const char accounts[] = "root:x:0:0:root:/root:/bin/sh\n"
                               "nobody:x:65534:65534::/:\n"
                               "lab:x:4242:4242:,,,:/home/lab:/bin/sh\n"
                               "short:x\n\n";
static const char group_lines[] =
    "root:x:0:\nadm:x:4:lab\nusers:x:100:nobody,lab\nlabs:x:7:xlab,la\n"
    "lab:x:4242:\nnogroup:x:65534:\nodd name:x:9:lab\ntorn:x:11";

/* What service `a`, or an inetd.conf's first, becomes: its section as it is printed, without what
 * every one has. */
static void expect(const char *text, const char *wanted) {
    static const char *const always[] = {
        "handoff = ",           "stderr = ",     "handler = ", "argv0 = ", "directory = ",
        "no_new_privileges = ", "environment = "};
    struct emitted emitted = {{0}, {0}};
    char got[4096] = "";
    const struct import_file files[] = {{"f.conf", text, strlen(text)},
                                        {"passwd", LINES(accounts)},
                                        {"group", LINES(group_lines)},
                                        {"banner", LINES("421 {no} room; \\o/\r\n\tgo\n")},
                                        {"long", LINES("0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0123456789012345678901234567890123456789"
                                                       "0")},
                                        {"binary", LINES("\x01")},
                                        {"nothing", LINES("")},
                                        {NULL, NULL, 0}};
    struct import_machine world = import_world_of(files);
    world.users_file = "passwd";
    world.groups_file = "group";
    assert_int_equal(import_config("f.conf", &world, take_out, take_fault, &emitted), BATON_OK);
    const char *at = strstr(emitted.out.text, "\n[a]\n");
    at = at == NULL ? strstr(emitted.out.text, "\n[7001]\n") : at;
    at = at == NULL ? "" : strchr(at + 1, '\n') + 1;
    while (*at != '\0' && *at != '\n') {
        size_t length = strcspn(at, "\n") + 1;
        bool is_usual = false;
        for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
            is_usual = is_usual || strncmp(at, always[i], strlen(always[i])) == 0;
        }
        if (!is_usual) {
            snprintf(got + strlen(got), sizeof got - strlen(got), "%.*s", (int)length, at);
        }
        at += length;
    }
    if (strcmp(got, wanted) != 0) {
        print_error("%s\nis wanted\n%s\nand is\n%s\nof\n%s\n", text, wanted, got, emitted.out.text);
    }
    assert_string_equal(got, wanted);
    clear(&emitted);
}

/* A service with these lines. */
static void expect_lines(const char *lines, const char *wanted) {
    char text[1024];
    const char *user = strstr(lines, "user = ") == NULL ? "\nuser = root" : "";
    const char *wait = strstr(lines, "wait = ") == NULL ? "\nwait = no\nsocket_type = stream" : "";
    snprintf(text, sizeof text,
             "service a\n{\ntype = UNLISTED\nport = 7001\nserver = /usr/bin/a%s%s\n%s\n}\n", user,
             wait, lines);
    expect(text, wanted);
}

#define DUAL "listen = 0.0.0.0:7001, [::]:7001\n"
#define ROOT "user = root\ngroups = none\n"
#define OFF "enabled = no\n"

/* One line of the service, and what it becomes beside the usual. */
static const struct {
    const char *line, *keys;
} rules[] = {
    /* Zeros at the end stand for anything; bits after the prefix do not matter. */
    {"only_from = 10.0.0.0", DUAL ROOT "allow = 10.0.0.0/8\n"},
    {"only_from = 192.168.0.0", DUAL ROOT "allow = 192.168.0.0/16\n"},
    {"only_from = 192.0.2.0", DUAL ROOT "allow = 192.0.2.0/24\n"},
    {"only_from = 192.0.2.7", DUAL ROOT "allow = 192.0.2.7\n"},
    {"only_from = 192.0.2.7/24", DUAL ROOT "allow = 192.0.2.0/24\n"},
    {"only_from = 192.0.2.0/31", DUAL ROOT "allow = 192.0.2.0/31\n"},
    {"only_from = 192.0.2.{1,7}", DUAL ROOT "allow = 192.0.2.1, 192.0.2.7\n"},
    {"only_from = 192.0.{2,3}", DUAL ROOT "allow = 192.0.2.0/24, 192.0.3.0/24\n"},
    {"only_from = {10}", DUAL ROOT "allow = 10.0.0.0/8\n"},
    {"only_from = 192.0.2.{0}", DUAL ROOT "allow = 192.0.2.0\n"},
    {"only_from = ::1", DUAL ROOT "allow = ::1\n"},
    {"only_from = 2001:db8::1/32 10.0.0.0 10.0.0.0/8",
     DUAL ROOT "allow = 2001:db8::/32, 10.0.0.0/8\n"},
    /* Clients by IPv4 are ::ffff:... to it, at a socket for both. */
    {"only_from = ::/0", DUAL ROOT},
    {"only_from = ::/64", DUAL ROOT "allow = ::/64, 0.0.0.0/0\n"},
    {"only_from = ::ffff:10.0.0.0/104", DUAL ROOT "allow = 10.0.0.0/8\n"},
    {"only_from = ::fffe:0:0/95", DUAL ROOT "allow = ::fffe:0:0/95, 0.0.0.0/0\n"},
    {"only_from = ::ffff:10.0.0.0", DUAL ROOT "allow = 10.0.0.0\n"},
    {"only_from = 10.0.0.0 ::/0\nflags = IPv4", "listen = 7001\n" ROOT "allow = 10.0.0.0/8\n"},
    {"only_from = ::/0\nflags = IPv4", OFF "listen = 7001\n" ROOT},
    {"only_from = 0.0.0.0", "listen = 7001\n" ROOT},
    {"only_from = 0.0.0.0 ::1", DUAL ROOT "allow = 0.0.0.0/0, ::1\n"},
    {"only_from = 0.0.0.0\nflags = IPv4", "listen = 7001\n" ROOT},
    {"only_from = 0.0.0.0\nv6only = yes", "listen = [::]:7001\n" ROOT "allow = 0.0.0.0/0\n"},
    {"only_from = ::/0\nbind = 127.0.0.1", OFF "listen = 127.0.0.1:7001\n" ROOT},
    /* Lists are added to and taken from. */
    {"only_from = 10.0.0.1\nonly_from += 10.0.0.2", DUAL ROOT "allow = 10.0.0.1, 10.0.0.2\n"},
    {"only_from = 10.0.0.1\nonly_from = 10.0.0.2", DUAL ROOT "allow = 10.0.0.2\n"},
    {"only_from = 10.0.0.{1,2}\nonly_from -= 10.0.0.2/32", DUAL ROOT "allow = 10.0.0.1\n"},
    {"only_from = 10.0.0.0/16\nonly_from -= 10.0.0.0/24", DUAL ROOT "allow = 10.0.0.0/16\n"},
    {"only_from = 10.0.0.1\nonly_from -= 10.0.0.1", OFF DUAL ROOT},
    {"only_from =", OFF DUAL ROOT},
    {"only_from = ::ffff:10.0.0.1 10.0.0.1\nonly_from -= 10.0.0.1", OFF DUAL ROOT},
    {"only_from = 10.0.0.1\nonly_from -= host", OFF DUAL ROOT "allow = 10.0.0.1\n"},
    /* Whoever is in both is kept out. */
    {"no_access = 10.0.0.1", DUAL ROOT "deny = 10.0.0.1\n"},
    {"no_access =", DUAL ROOT},
    {"only_from = 10.0.0.0\nno_access = 10.0.0.1",
     DUAL ROOT "allow = 10.0.0.0/8\ndeny = 10.0.0.1\n"},
    {"only_from = 10.0.0.1 192.0.2.1\nno_access = 10.0.0.0",
     DUAL ROOT "allow = 192.0.2.1\ndeny = 10.0.0.0/8\n"},
    {"only_from = 10.0.0.1\nno_access = 10.0.0.1", OFF DUAL ROOT "deny = 10.0.0.1\n"},
    {"only_from = 0.0.0.0\nno_access = 10.0.0.1", "listen = 7001\n" ROOT "deny = 10.0.0.1\n"},
    {"no_access = ::/0", DUAL ROOT "deny = ::/0, 0.0.0.0/0\n"},
    /* Not understood. */
    {"only_from = localhost 10.0.0.1", OFF DUAL ROOT "allow = 10.0.0.1\n"},
    {"only_from = .example.org", OFF DUAL ROOT},
    {"only_from = 10.0.0.0/255.0.0.0", OFF DUAL ROOT},
    {"only_from = 127.1", OFF DUAL ROOT},
    {"only_from = 10", OFF DUAL ROOT},
    {"only_from = 010.0.0.1", OFF DUAL ROOT},
    {"only_from = 10.0.0.0/33", OFF DUAL ROOT},
    {"only_from = 10.0.0.0/08", OFF DUAL ROOT},
    {"only_from = 10.0.0.0/8/8", OFF DUAL ROOT},
    {"only_from = 10.0.0.0/", OFF DUAL ROOT},
    {"only_from = ::1/128", OFF DUAL ROOT},
    {"only_from = [::1]", OFF DUAL ROOT},
    {"only_from = 10.0.0.{1,256}", OFF DUAL ROOT "allow = 10.0.0.1\n"},
    {"only_from = 10.0.0.{01}", OFF DUAL ROOT},
    {"only_from = *", OFF DUAL ROOT},
    {"no_access = host 10.0.0.1", OFF DUAL ROOT "deny = 10.0.0.1\n"},
    {"no_access = 10.0.0.1 10.0.0.2\nno_access -= 10.0.0.2", DUAL ROOT "deny = 10.0.0.1\n"},
    {"no_access = ::1 10.0.0.2\nno_access -= 10.0.0.2", OFF DUAL ROOT "deny = ::1\n"},
    {"no_access = 10.0.0.0\nno_access -= ::ffff:10.0.0.0/104", OFF DUAL ROOT},
    /* What a socket for IPv4 has no clients of takes nothing else away, wherever it stands. */
    {"flags = IPv4\nno_access = ::1 10.0.0.2", "listen = 7001\n" ROOT "deny = 10.0.0.2\n"},
    {"bind = 10.0.0.1\nno_access = ::/0 10.0.0.2",
     "listen = 10.0.0.1:7001\n" ROOT "deny = 10.0.0.2\n"},
    {"flags = IPv4\nonly_from = ::1 10.0.0.2", "listen = 7001\n" ROOT "allow = 10.0.0.2\n"},
    /* Of streams that are waited for xinetd sees no clients, of datagrams it does. */
    {"wait = yes\nsocket_type = stream\nv6only = yes\nonly_from = ::/0",
     OFF "listen = [::]:7001\n" ROOT},
    {"wait = yes\nsocket_type = stream\nflags = IPv4\nonly_from = 127.0.0.0",
     OFF "listen = 7001\n" ROOT},
    {"wait = yes\nsocket_type = dgram\nflags = IPv4\nonly_from = 0.0.0.0",
     "protocol = udp\nlisten = 7001\n" ROOT},
    {"wait = yes\nsocket_type = dgram\nonly_from = 127.0.0.0/8",
     "protocol = udp\nlisten = 127.0.0.1:7001\n" ROOT},
    {"wait = yes\nsocket_type = dgram\nonly_from = 127.0.0.1",
     OFF "protocol = udp\nlisten = 127.0.0.1:7001\n" ROOT},
    {"wait = yes\nsocket_type = dgram\nflags = IPv4\nonly_from = 10.0.0.1",
     OFF "protocol = udp\nlisten = 7001\n" ROOT},
    {"wait = yes\nsocket_type = dgram\nflags = IPv4\nno_access = 10.0.0.1",
     OFF "protocol = udp\nlisten = 7001\n" ROOT},
    /* Times: each from an earlier to a later one. */
    {"access_times = 8:5-18:00 19:00-23:59", DUAL ROOT "hours = 08:05-18:00, 19:00-23:59\n"},
    {"access_times = 22:00-02:00", OFF DUAL ROOT},
    {"access_times = 08:00-08:00", OFF DUAL ROOT},
    {"access_times = 00:00-24:00", OFF DUAL ROOT},
    {"access_times = 08:60-09:00", OFF DUAL ROOT},
    {"access_times = 08:00-18:00x", OFF DUAL ROOT},
    {"access_times = 08:00", OFF DUAL ROOT},
    {"access_times = 108:00-18:00", OFF DUAL ROOT},
};

static void rules_become_rules(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        expect_lines(rules[i].line, rules[i].keys);
    }
}

/* A list that no line can hold. */
static void a_list_may_be_too_long(void **state) {
    static char text[32768];
    size_t length =
        (size_t)snprintf(text, sizeof text,
                         "service a\n{\ntype = UNLISTED\nport = 7001\nserver = /usr/bin/a\n"
                         "user = root\nwait = no\nsocket_type = stream\n");
    (void)state;
    for (int i = 0; i < 300; i++) {
        length +=
            (size_t)snprintf(text + length, sizeof text - length,
                             "only_from += 198.51.100.%d/31 203.0.113.%d\n", i % 128 * 2, i % 256);
    }
    snprintf(text + length, sizeof text - length, "}\n");
    expect(text, OFF DUAL ROOT);
}

static void limits_become_limits(void **state) {
    static const struct {
        const char *line, *keys;
    } limits[] = {
        {"instances = 5", DUAL "max_connections = 5\nwhen_full = refuse\n" ROOT},
        {"instances = UNLIMITED", DUAL ROOT},
        {"instances = 0", OFF DUAL ROOT},
        {"per_source = 5", DUAL "max_per_source = 5\nsource_prefix_bits = 128\n" ROOT},
        {"per_source = +5\nflags = IPv4", "listen = 7001\nmax_per_source = 5\n" ROOT},
        {"per_source = 02", DUAL "max_per_source = 2\nsource_prefix_bits = 128\n" ROOT},
        {"instances = +007", DUAL "max_connections = 7\nwhen_full = refuse\n" ROOT},
        {"per_source = 99999", DUAL ROOT},
        {"per_source = UNLIMITED", DUAL ROOT},
        {"per_source = 0", OFF DUAL ROOT},
        {"cps = 25 30", DUAL "rate = 25/s\nwhen_full = refuse\n" ROOT},
        {"cps = 0 30", DUAL ROOT},
        {"cps = 2000000 30", DUAL ROOT},
        {"wait = yes\nsocket_type = dgram\nflags = IPv4\ncps = 25 30\ninstances = 1\nper_source = "
         "1",
         "protocol = udp\nlisten = 7001\nrate = 25/s\n" ROOT},
        {"banner_fail = banner",
         DUAL "refuse_message = '421 {{no}} room; \\\\o/\\r\\n\\tgo\\n'\n" ROOT},
        {"banner_fail = long", DUAL ROOT},
        {"banner_fail = binary", DUAL ROOT},
        {"banner_fail = nothing", DUAL ROOT},
        {"banner_fail = absent", DUAL ROOT},
        {"nice = 5", DUAL ROOT "nice = 5\n"},
        {"nice = -25", DUAL ROOT "nice = -20\n"},
        {"nice = +40", DUAL ROOT "nice = 19\n"},
        {"umask = 2", DUAL ROOT "umask = 0002\n"},
        {"umask = 0777", DUAL ROOT "umask = 0777\n"},
        {"rlimit_as = 8M", DUAL ROOT "limit_memory = 8M\n"},
        {"rlimit_as = 100000k", DUAL ROOT "limit_memory = 100000K\n"},
        {"rlimit_as = 100000000", DUAL ROOT "limit_memory = 100000000\n"},
        {"rlimit_as = UNLIMITED", DUAL ROOT},
        {"rlimit_as = 0", DUAL ROOT},
        {"rlimit_as = -5", DUAL ROOT},
        {"rlimit_as = 5", OFF DUAL ROOT},
        {"rlimit_cpu = 20", DUAL ROOT "limit_cpu_s = 20\n"},
        {"rlimit_files = 64", DUAL ROOT "limit_files = 64\n"},
        {"rlimit_files = 1K", DUAL ROOT "limit_files = 1024\n"},
        {"rlimit_files = 1", OFF DUAL ROOT},
        {"rlimit_files = 2M", DUAL ROOT},
        {"rlimit_files = 9999M", DUAL ROOT},
        {"rlimit_data = 8M\nrlimit_stack = 8M\nrlimit_rss = 8M\nmax_load = 3", DUAL ROOT},
        {"passenv = PATH SHELL", DUAL "environment_from = PATH, SHELL\n" ROOT},
        {"passenv = SHELL\npassenv -= SHELL", DUAL "environment_from = none\n" ROOT},
        {"passenv =", DUAL "environment_from = none\n" ROOT},
        {"passenv = A\npassenv += B NOTIFY_SOCKET all A;B", DUAL "environment_from = A, B\n" ROOT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        expect_lines(limits[i].line, limits[i].keys);
    }
    expect(
        "service echo\n{\nid = a\ntype = INTERNAL UNLISTED\nport = 7001\nwait = no\nuser = lab\n"
        "socket_type = stream\nnice = 5\numask = 7\nrlimit_as = 8M\npassenv = A\ngroup = adm\n}\n",
        DUAL);
}

static void users_are_named_as_before(void **state) {
    static const struct {
        const char *line, *keys;
    } users[] = {
        {"user = lab", DUAL "user = lab\ngroups = none\n"},
        {"user = lab\ngroups = no", DUAL "user = lab\ngroups = none\n"},
        {"user = lab\ngroups = yes", DUAL "user = lab\n"},
        {"user = lab\ngroup = adm", DUAL "user = lab\ngroup = adm\ngroups = none\n"},
        /* Its own group stays with it, beside the others. */
        {"user = lab\ngroup = adm\ngroups = yes",
         DUAL "user = lab\ngroup = adm\ngroups = lab, adm, users\n"},
        {"user = lab\ngroup = lab\ngroups = yes", DUAL "user = lab\ngroup = lab\n"},
        {"user = 4242\ngroup = 4\ngroups = yes",
         DUAL "user = 4242\ngroup = 4\ngroups = lab, adm, users\n"},
        {"user = 04242", DUAL "user = 4242\ngroups = none\n"},
        {"user = 00", DUAL "user = 0\ngroups = none\n"},
        {"user = 4243", OFF DUAL "user = 4243\ngroups = none\n"},
        {"user = nosuch", OFF DUAL "user = nosuch\ngroups = none\n"},
        {"user = short", OFF DUAL "user = short\ngroups = none\n"},
        {"user = la", OFF DUAL "user = la\ngroups = none\n"},
        {"user = x;y", OFF DUAL "groups = none\n"},
        {"user = -1", OFF DUAL "groups = none\n"},
        {"user = ROOT", OFF DUAL "user = ROOT\ngroups = none\n"},
        {"user = lab\ngroup = nosuch", OFF DUAL "user = lab\ngroup = nosuch\ngroups = none\n"},
        {"user = lab\ngroup = 8", OFF DUAL "user = lab\ngroup = 8\ngroups = none\n"},
    };
    static const struct {
        const char *user, *keys;
    } of_inetd[] = {
        {"root", "user = root\n"},
        {"lab", "user = lab\n"},
        {"lab.adm", "user = lab\ngroup = adm\n"},
        {"lab:users", "user = lab\ngroup = users\n"},
        {"root.adm", "user = root\n"},
        {"root.nosuch", OFF},
        {"lab.nosuch", OFF},
        {"nosuch", OFF},
        {"4242", OFF},
        {"lab.4", OFF},
        {"lab.root", OFF},
        {"lab.", OFF},
        {"lab:adm:x", OFF},
        {"lab:adm/daemon", OFF},
        {"lab/daemon", OFF},
    };
    (void)state;
    for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
        expect_lines(users[i].line, users[i].keys);
    }
    for (size_t i = 0; i < sizeof of_inetd / sizeof *of_inetd; i++) {
        char text[128];
        char wanted[128];
        bool is_off = strncmp(of_inetd[i].keys, OFF, strlen(OFF)) == 0;
        snprintf(text, sizeof text, "7001 stream tcp nowait %s /usr/bin/a a\n", of_inetd[i].user);
        snprintf(wanted, sizeof wanted, "listen = 7001\n%s", of_inetd[i].keys);
        if (!is_off) {
            expect(text, wanted);
        } else {
            struct emitted emitted = {{0}, {0}};
            const struct import_file files[] = {{"f.conf", text, strlen(text)},
                                                {"passwd", LINES(accounts)},
                                                {"group", LINES(group_lines)},
                                                {NULL, NULL, 0}};
            struct import_machine world = import_world_of(files);
            world.users_file = "passwd";
            world.groups_file = "group";
            assert_int_equal(import_config("f.conf", &world, take_out, take_fault, &emitted),
                             BATON_OK);
            assert_non_null(strstr(emitted.out.text, "\n[7001]\nenabled = no\n"));
            clear(&emitted);
        }
    }
}

static void what_follows_nowait(void **state) {
    static const struct {
        const char *wait, *keys; /* NULL = off */
    } forms[] = {
        {"nowait", ""},
        {"nowait.40", "rate = 40/min\nwhen_full = refuse\n"},
        {"nowait:40", "rate = 40/min\nwhen_full = refuse\n"},
        {"wait.40", "rate = 40/min\n"},
        {"nowait.0", ""},
        {"nowait.x", NULL},
        {"nowait.", NULL},
        {"nowait.4294967298", NULL},
        {"nowait.9999999", ""},
        {"nowait.+05", "rate = 5/min\nwhen_full = refuse\n"},
        {"nowait.000", ""},
        {"nowait/10", "max_connections = 10\n"},
        {"nowait/+010", "max_connections = 10\n"},
        {"nowait/10/3/5", "max_connections = 10\nmax_per_source = 5\nrate_per_source = 3/min\n"},
        {"nowait/0/3", "rate_per_source = 3/min\n"},
        {"nowait/0/0/5", "max_per_source = 5\n"},
        {"nowait/0/0/0", ""},
        {"nowait/0/0/5/1", NULL},
        {"nowait/x", NULL},
        {"nowait/3.2", NULL},
        {"nowait/10/x", NULL},
        {"wait/10/3/5", ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        char text[128];
        char wanted[256];
        snprintf(text, sizeof text, "7001 stream tcp %s root /usr/bin/a a\n", forms[i].wait);
        snprintf(wanted, sizeof wanted, "%slisten = 7001\n%suser = root\n",
                 forms[i].keys == NULL ? OFF : "", forms[i].keys == NULL ? "" : forms[i].keys);
        expect(text, wanted);
    }
    expect("7001 stream tcp46 nowait/10/3/5 root /usr/bin/a a\n",
           DUAL "max_connections = 10\nmax_per_source = 5\nsource_prefix_bits = 128\n"
                "rate_per_source = 3/min\nuser = root\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_become_rules),   cmocka_unit_test(a_list_may_be_too_long),
        cmocka_unit_test(limits_become_limits), cmocka_unit_test(users_are_named_as_before),
        cmocka_unit_test(what_follows_nowait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
