/* What the old servers had closed stays closed: each was seen to do what is wanted here. */
#include "config_world.h"
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

#define HEAD(type)                                                                                 \
    "service a\n{\n type = " type "\n socket_type = stream\n wait = no\n user = root\n"
#define REST " server = /usr/bin/a\n port = 7001\n}\n"
#define WITH(lines) HEAD("UNLISTED") lines REST
#define DEFAULTS(lines) "defaults\n{\n" lines "}\n" WITH("")

/* Imports a text. What is wanted of service `a` at port 7001, or of inetd's first: that it is not
 * served, for a reason that has these words; or that it is, and the words are there too. */
static void expect(bool on, const char *text, const char *words) {
    struct emitted emitted = {{0}, {0}};
    struct config_problems problems = {0};
    struct service_table table = {0};
    const struct import_file files[] = {{"f.conf", text, strlen(text)}, {NULL, NULL, 0}};
    const struct import_machine world = import_world_of(files);
    assert_int_equal(import_config("f.conf", &world, take_out, take_fault, &emitted), BATON_OK);
    int result = config_world_load(&import_world_services, CONFIG_FORMAT_INI, "i.ini",
                                   emitted.out.text, emitted.out.length, &table, &problems);
    bool is_on = result == BATON_OK && table.service_count > 0;
    if (is_on != on || strstr(emitted.out.text, words) == NULL) {
        print_error("%s\nis wanted %s, with `%s`:\n%s\n", text, on ? "on" : "off", words,
                    emitted.out.text);
    }
    assert_true(is_on == on);
    assert_non_null(strstr(emitted.out.text, words));
    service_table_clear(&table);
    config_problems_clear(&problems);
    clear(&emitted);
}

/* Every one as Debian's xinetd 2.3.15.3 was seen to take it. */
static void xinetd_compares_without_case(void **state) {
    (void)state;
    expect(true, WITH(""), "listen = 0.0.0.0:7001, [::]:7001");
    expect(true,
           "SERVICE a\n{\n TYPE = unlisted\n Socket_Type = STREAM\n WAIT = NO\n"
           " User = root\n Server = /usr/bin/a\n PORT = 7001\n DISABLE = No\n}\n",
           "handoff = stdio");
    expect(false, WITH(" Disable = YES\n"), "enabled = no");
    expect(true, WITH(" Only_From = 192.0.2.1\n"), "\nallow = 192.0.2.1\n");
    expect(true, WITH(" no_ACCESS = 192.0.2.1\n"), "\ndeny = 192.0.2.1\n");
    expect(false, WITH(" Flags = sensor\n"), "SENSOR");
    expect(false, WITH(" Flags = idonly\n"), "IDONLY");
    expect(true, WITH(" BIND = 127.0.0.1\n"), "listen = 127.0.0.1:7001\n");
    expect(true, WITH(" Interface = 127.0.0.1\n"), "listen = 127.0.0.1:7001\n");
    expect(true, "DEFAULTS\n{\n ONLY_FROM = 192.0.2.1\n}\n" WITH(""), "\nallow = 192.0.2.1\n");
    expect(false, "defaults\n{\n Disabled = A\n}\n" WITH(""), "enabled = no");
    expect(true, "defaults\n{\n ENABLED = A\n}\n" WITH(""), "handler = /usr/bin/a");
}

/* A value that xinetd cannot read had the service off. */
static void what_xinetd_refuses_is_off(void **state) {
    static const char *const lines[] = {"flags = REUSE WHATEVER",
                                        "flags =",
                                        "flags = DISABLE",
                                        "instances = lots",
                                        "instances = -1",
                                        "per_source = x",
                                        "cps = a b",
                                        "max_load = x",
                                        "max_load = 0",
                                        "nice = x",
                                        "umask = 9",
                                        "umask = 1777",
                                        "deny_time = x",
                                        "v6only = maybe",
                                        "groups = maybe",
                                        "disable = perhaps",
                                        "rlimit_as = 5G",
                                        "rlimit_cpu = 5k",
                                        "log_on_success = FOO",
                                        "log_on_success = TRAFFIC",
                                        "log_on_failure = RECORD",
                                        "log_type = FOO",
                                        "log_type = FILE",
                                        "log_type = SYSLOG nothing",
                                        "log_type = FILE /l 10 5",
                                        "env = NONE",
                                        "env -= A=1",
                                        "server_args =",
                                        "access_times =",
                                        "only_from = 192.0.2.1,192.0.2.2",
                                        "flags = NAMEINARGS"};
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[512];
        snprintf(text, sizeof text, HEAD("UNLISTED") " %s\n" REST, lines[i]);
        expect(false, text, "; switched off: f.conf:7: ");
    }
    expect(false, WITH(" instances = 0\n"), "xinetd serves nobody so");
    expect(false, WITH(" per_source = 0\n"), "xinetd serves nobody so");
    expect(false, HEAD("UNLISTED STRANGE") REST, "; switched off: f.conf:3: ");
    expect(false, "service a\n{\n type = UNLISTED\n socket_type = stream\n wait = no\n" REST,
           "it has no `user`");
    expect(false, "service a\n{\n type = UNLISTED\n socket_type = stream\n user = root\n" REST,
           "it has no `wait`");
    expect(false, "service a\n{\n type = UNLISTED\n wait = no\n user = root\n" REST,
           "neither `socket_type` nor `protocol`");
    expect(false, HEAD("UNLISTED") " server = /usr/bin/a\n port = http\n}\n", "takes a number");
    expect(false, HEAD("UNLISTED") " server = /usr/bin/a\n}\n", "has no `port`");
    expect(false, "service ftp\n{\n socket_type = stream\n wait = no\n user = root\n" REST,
           "has no `ftp` with that port");
    expect(true, WITH(" redirect = 127.0.0.1 ftp\n"), "handler = forward 127.0.0.1 ftp\n");
    expect(false, WITH(" redirect = 127.0.0.1 0\n"), "no such port");
    expect(false, WITH(" redirect = 127.0.0.1 nowhere\n"), "no such port");
    expect(false, WITH(" redirect = 127.0.0.1 80\n flags = NAMEINARGS\n"), "xinetd redirects");
}

/* Lines that xinetd cannot read at all. */
static void what_xinetd_passes_over_is_off(void **state) {
    (void)state;
    expect(false, WITH(" nice=5\n"), "blank before the `=`");
    expect(false, WITH(" colour\n"), "so xinetd leaves the service out");
    expect(false, WITH(" only_from + = 192.0.2.1\n"), "so xinetd leaves the service out");
    expect(false, WITH(" server_args = a \\\n b\n"), "so xinetd leaves the service out");
    expect(false,
           "service a {\n type = UNLISTED\n port = 7001\n socket_type = stream\n wait = no\n"
           " user = root\n server = /usr/bin/a\n}\n",
           "`{` alone");
    expect(false, "defaults\n{\n}\njunk\n" WITH(""), "xinetd passes over it");
    expect(false, "\xef\xbb\xbf" WITH(""), "byte order mark");
    expect(false, HEAD("UNLISTED") " server = /usr/bin/a\n port = 7001\r\n}\n", "CR");
    expect(false, HEAD("UNLISTED") " server = /usr/bin/a\n port = 7001\n", "not closed");
    /* Of other numbers of values, twice, unknown: nothing to xinetd, but who wrote it meant it. */
    expect(false, WITH(" disable = yes please\n"), "number of values");
    expect(false, WITH(" disable = no\n disable = yes\n"), "stands twice");
    expect(false, WITH(" flags = REUSE\n flags += IDONLY\n"), "stands twice");
    expect(false, WITH(" bind = 127.0.0.1 127.0.0.2\n"), "number of values");
    expect(false, WITH(" only_form = 192.0.2.1\n"), "no such attribute");
    expect(false, WITH(" disabled = a\n"), "belongs into defaults");
    /* Values of `defaults` that end xinetd. */
    expect(false, DEFAULTS(" instances = lots\n"), "and ends here");
    expect(false, DEFAULTS(" log_on_success = FOO\n"), "and ends here");
    expect(false, DEFAULTS(" nonsense\n"), "blank before the `=`");
    expect(false, "defaults\n only_from = 192.0.2.1\n}\n" WITH(""), "`{` alone");
    expect(true, DEFAULTS(" instances = 5\n nice = 3\n"), "does not take it from defaults");
    expect(true, DEFAULTS(" access_times = 2:00-3:00\n"), "does not take it from defaults");
}

static void each_rule_in_force_is_told(void **state) {
    const char both[] =
        "defaults\n{\n only_from = 192.0.2.1 a.example\n no_access = b.example\n}\n" WITH(
            " only_from += 192.0.2.3\n access_times = 08:00-18:00\n flags = IDONLY\n");
    static const char *const words[] = {
        "f.conf:12: only_from = 192.0.2.1 a.example 192.0.2.3: whom xinetd means by `a.example`",
        "f.conf:4: no_access = b.example: whom xinetd means by `b.example`",
        "\nhours = 08:00-18:00\n", "\nallow = 192.0.2.1, 192.0.2.3\n", "flag IDONLY"};
    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        expect(false, both, words[i]);
    }
    expect(false, DEFAULTS(" disabled = a\n disabled -= a\n"), "enabled = no");
    expect(false, WITH(" only_from = 127.0.0.{1,,3}\n only_from = ::/0\n"), "takes blanks between");
    expect(false, WITH(" only_from = 127..{1}\n only_from = ::/0\n"), "takes blanks between");
    expect(false, WITH(" only_from = 127.0.0.{1,3}x\n only_from = ::/0\n"), "takes blanks between");
    expect(false, WITH(" only_from = 127.0.0.{\n only_from = ::/0\n"), "takes blanks between");
    expect(false, WITH("") "defaults\n{\n only_from = 192.0.2.1\n}\n", "below the service");
    expect(true, DEFAULTS(" per_source = UNLIMITED\n"), "handler = /usr/bin/a\n");
    expect(false,
           WITH("") "service b\n{\n type = UNLISTED\n port = 7002\n socket_type = stream\n"
                    " wait = no\n flags = SENSOR\n deny_time = 60\n}\n",
           "is a SENSOR");
    /* What the first had is not for the second, though the first is switched off. */
    expect(false,
           WITH(" only_from = a.example\n") "service b\n{\n type = UNLISTED\n port = 7001\n"
                                            " socket_type = stream\n wait = no\n user = root\n "
                                            "server = /usr/bin/b\n}\n",
           "it listens at the address of `a`");
}

/* Where it listened: each was seen to be taken so by Debian's xinetd 2.3.15.3. */
static void xinetd_listens_nowhere_else(void **state) {
    (void)state;
    expect(false, WITH(" bind = *\n"), "f.conf:7: bind = *: no address to xinetd");
    expect(false, WITH(" interface = *\n"), "no address to xinetd");
    expect(false, DEFAULTS(" bind = *\n"), "no address to xinetd");
    expect(false, WITH(" bind = [::1]\n"), "no address to xinetd");
    expect(false, WITH(" bind = [127.0.0.1]\n"), "no address to xinetd");
    expect(true, "*:7001 stream tcp nowait root /usr/bin/a a\n", "listen = 7001\n");
    expect(true, WITH(" v6only = yes\n"), "listen = [::]:7001\n");
    expect(true, WITH(" v6only = no\n"), "listen = [::]:7001\n");
    expect(true, WITH(" v6only = no\n"), "f.conf:7: v6only = no: xinetd serves IPv6 alone");
    expect(true, WITH(" v6only = no\n flags = IPv6\n"), "listen = [::]:7001\n");
    expect(true, WITH(" v6only = no\n flags = IPv4\n"), "listen = 7001\n");
    expect(true, WITH(" v6only = no\n bind = ::\n"), "listen = [::]:7001\n");
    expect(true, WITH(" v6only = no\n bind = 0.0.0.0\n"), "listen = 0.0.0.0:7001\n");
    expect(true, WITH(" v6only = no\n only_from = 0.0.0.0\n"), "\nallow = 0.0.0.0/0\n");
    expect(true, DEFAULTS(" v6only = no\n"), "listen = 0.0.0.0:7001, [::]:7001\n");
    expect(true, DEFAULTS(" v6only = yes\n"), "listen = 0.0.0.0:7001, [::]:7001\n");
    expect(true, DEFAULTS(" v6only = yes\n"), "does not heed it in `defaults`");
}

/* Of two for the same clients the old server serves the first, which may have several places. */
static void what_another_had_is_off(void **state) {
    (void)state;
    expect(true,
           "127.0.0.1,127.0.0.2:7001 dgram udp wait root /usr/bin/a a\n"
           "127.0.0.3,127.0.0.2:7001 dgram udp wait root /usr/bin/b b\n",
           "it listens at the address of `127.0.0.1,127.0.0.2:7001`");
    expect(true,
           "service tftp\n{\n protocol = udp\n wait = yes\n user = root\n server = /usr/bin/a\n}\n"
           "service b\n{\n type = UNLISTED\n port = 69\n protocol = udp\n wait = yes\n"
           " user = root\n server = /usr/bin/b\n bind = ::\n}\n",
           "it listens at the address of `tftp`");
    /* What is dropped had its port as well, and so had a host that is not known. */
    expect(false,
           "service b\n{\n type = UNLISTED\n socket_type = stream\n wait = no\n user = root\n"
           " port = 7001\n server = /usr/bin/b\n bind = 127.1\n}\n" WITH(""),
           "it listens at the address of `b`");
    expect(
        false,
        "service b\n{\n type = UNLISTED TCPMUX\n socket_type = stream\n wait = no\n user = root\n"
        " port = 7001\n server = /usr/bin/b\n}\n" WITH(""),
        "it listens at the address of `b`");
    expect(false,
           "service b\n{\n type = UNLISTED\n socket_type = raw\n wait = no\n user = root\n"
           " port = 7001\n server = /usr/bin/b\n}\n" WITH(""),
           "it listens at the address of `b`");
    expect(false,
           "127.0.0.1:7001 stream tcp maybe root /usr/bin/a a\n"
           "7001 stream tcp nowait root /usr/bin/b b\n",
           "it listens at the address of `127.0.0.1:7001`");
    /* What was off had not. */
    expect(true,
           "service b\n{\n type = UNLISTED\n socket_type = stream\n wait = no\n user = root\n"
           " port = 7001\n server = /usr/bin/b\n disable = yes\n}\n" WITH(""),
           "\n[a]\nlisten = ");
}

static void users_are_who_they_were(void **state) {
    (void)state;
    expect(true,
           "service a\n{\n type = UNLISTED\n port = 7001\n socket_type = stream\n wait = no\n"
           " user = nobody\n server = /usr/bin/a\n}\n",
           "\nuser = nobody\ngroups = none\n");
    expect(true, WITH(" group = nogroup\n"), "\nuser = root\ngroup = nogroup\ngroups = none\n");
    expect(true, WITH(" group = 00\n groups = yes\n"), "\nuser = root\ngroup = 0\n");
    expect(true, "7001 stream tcp nowait root /usr/bin/a a\n", "\nuser = root\n");
    expect(true, "7001 stream tcp nowait root:root /usr/bin/a a\n", "\nuser = root\n");
    expect(true, "7001 stream tcp nowait nobody /usr/bin/a a\n", "\nuser = nobody\n");
    expect(true, "7001 stream tcp nowait nobody.adm /usr/bin/a a\n",
           "\nuser = nobody\ngroup = adm\n");
    expect(true, "7001 stream tcp nowait root.adm /usr/bin/a a\n",
           "user `root.adm`: Debian's inetds leave root its own group");
    /* Names that are numbers would be numbers to Baton. */
    expect(false, "7001 stream tcp nowait 0 /usr/bin/a a\n", "there is no user `0`");
    expect(false, "7001 stream tcp nowait nobody.0 /usr/bin/a a\n", "there is no group `0`");
    expect(false, "7001 stream tcp nowait nobody/daemon /usr/bin/a a\n", "login class");
    expect(false, "7001 stream tcp nowait nobody: /usr/bin/a a\n", "no group is named");
    expect(false, "7001 stream tcp nowait :adm /usr/bin/a a\n", "there is no user ``");
    expect(false, "7001 stream tcp nowait 'a;b' /usr/bin/a a\n", "there is no user `a;b`");
    expect(false,
           "7001 stream tcp nowait nosuch. /usr/bin/a a\n7001 stream tcp nowait nobody/x "
           "/usr/bin/b b\n",
           "inetd takes the last");
    expect(false,
           "7001 stream tcp nowait 0 /usr/bin/a a\n  7002 stream tcp nowait root "
           "/usr/bin/b b\n",
           "the line is indented");
    expect(false,
           "\xef\xbb\xbf"
           "7001 stream tcp nowait root /usr/bin/a a\n",
           "byte order mark");
    expect(true, "7001 stream tcp6 nowait root /usr/bin/a a\n", "listen = [::]:7001\n");
    expect(false, "7 stream tcp nowait root internal\n", "by its name");
    expect(true, "echo stream tcp nowait nobody internal\n", "handler = echo");
    expect(true, "echo stream tcp nowait nobody internal\n", "\ndefault_user = nobody\n");
    expect(true, "7001 stream tcp nowait root /usr/bin/a -v\n", "is the name forgotten?");
    expect(false, "7001 stream tcp nowait root /usr/bin/ a\n", "is a folder");
}

static void what_is_missing_is_derived(void **state) {
    (void)state;
    expect(true,
           "service tftp\n{\n protocol = udp\n wait = yes\n user = root\n"
           " server = /usr/bin/a\n}\n",
           "protocol = udp\nlisten = 0.0.0.0:tftp\n");
    expect(true,
           "service ftp\n{\n protocol = tcp\n wait = no\n user = root\n"
           " server = /usr/bin/a\n}\n",
           "listen = 0.0.0.0:ftp, [::]:ftp\nhandoff = stdio\n");
    expect(true, WITH(" env = A={x}\n"), "environment = REMOTE_HOST={peer_address} A={{x}}\n");
    expect(true, WITH(" env = REMOTE_HOST=x\n"), "environment = REMOTE_HOST=x\n");
}

#define LINES(text) (text), sizeof(text) - 1

static void import_part(const struct import_file *files, const struct import_options *options,
                        bool on, const char *words) {
    struct emitted emitted = {{0}, {0}};
    struct import_machine world = import_world_of(files);
    world.options = options;
    assert_int_equal(import_config(files[0].path, &world, take_out, take_fault, &emitted),
                     BATON_OK);
    bool is_on = strstr(emitted.out.text, "enabled = no") == NULL;
    if (is_on != on || strstr(emitted.out.text, words) == NULL) {
        print_error("%s is wanted %s, with `%s`:\n%s\n", files[0].path, on ? "on" : "off", words,
                    emitted.out.text);
    }
    assert_true(is_on == on);
    assert_non_null(strstr(emitted.out.text, words));
    clear(&emitted);
}

/* A file of xinetd.d is half of it: `defaults` of its xinetd.conf hold as well. */
static void a_part_has_the_defaults_of_the_whole(void **state) {
    const char ruled[] = "defaults\n{\n only_from = a.example\n}\nincludedir /etc/xinetd.d\n";
    const char free_for_all[] = "defaults\n{\n instances = 7\n}\nincludedir /etc/xinetd.d\n";
    const struct import_options none = {.no_defaults = true};
    const struct import_options named = {.defaults = "else/x.conf"};
    const struct import_file alone[] = {{"etc/xinetd.d/a", LINES(WITH(""))}, {NULL, NULL, 0}};
    const struct import_file above[] = {{"etc/xinetd.d/a", LINES(WITH(""))},
                                        {"etc/xinetd.conf", LINES(ruled)},
                                        {"else/x.conf", LINES(free_for_all)},
                                        {NULL, NULL, 0}};
    const struct import_file open[] = {{"etc/xinetd.d/a", LINES(WITH(""))},
                                       {"etc/xinetd.conf", LINES(free_for_all)},
                                       {NULL, NULL, 0}};
    const struct import_file other[] = {{"etc/other.d/a", LINES(WITH(""))},
                                        {"etc/xinetd.conf", LINES(free_for_all)},
                                        {NULL, NULL, 0}};
    const struct import_file apart[] = {{"etc/xinetd.d/a", LINES(WITH(""))},
                                        {"etc/xinetd.conf", LINES("defaults\n{\n}\n")},
                                        {NULL, NULL, 0}};
    const struct import_file beside[] = {
        {"t/a", LINES(WITH(""))}, {"t/xinetd.conf", LINES(ruled)}, {NULL, NULL, 0}};
    /* The same path as the includedir has, and another file there. */
    const struct import_file rooted[] = {{"/etc/xinetd.d/a", LINES(WITH(""))},
                                         {"/etc/xinetd.d/b", LINES("service b\n{\n}\n")},
                                         {"/etc/xinetd.conf", LINES(ruled)},
                                         {NULL, NULL, 0}};
    const struct import_file whole[] = {{"etc/x.conf", LINES(WITH(""))}, {NULL, NULL, 0}};
    const struct import_file folder[] = {{"etc/xinetd.d", LINES("")},
                                         {"etc/xinetd.d/a", LINES(WITH(""))},
                                         {"etc/xinetd.d/a.bak", LINES("service b\n")},
                                         {"etc/xinetd.d/a~", LINES("service c\n")},
                                         {"etc/xinetd.conf", LINES(ruled)},
                                         {NULL, NULL, 0}};
    (void)state;
    import_part(alone, NULL, false, "no xinetd.conf was seen");
    import_part(alone, &none, true, "handler = /usr/bin/a");
    import_part(above, NULL, false, "etc/xinetd.conf:3: only_from = a.example: ");
    import_part(above, &none, true, "handler = /usr/bin/a");
    import_part(above, &named, true, "max_connections = 7");
    import_part(open, NULL, true, "max_connections = 7");
    import_part(other, NULL, false, "etc/xinetd.conf has faults");
    import_part(apart, NULL, false, "etc/xinetd.conf does not include it, so whose");
    import_part(beside, NULL, false, "only_from = a.example: ");
    import_part(rooted, NULL, false, "only_from = a.example: ");
    import_part(whole, NULL, true, "taken for a whole xinetd.conf");
    /* The folder itself, of which the first of `folder` is the name alone. */
    struct emitted emitted = {{0}, {0}};
    const struct import_machine world = import_world_of(folder + 1);
    assert_int_equal(import_config("etc/xinetd.d", &world, take_out, take_fault, &emitted),
                     BATON_OK);
    assert_non_null(strstr(emitted.out.text, "etc/xinetd.conf:3: only_from = a.example: "));
    assert_non_null(strstr(emitted.out.text, "\n[a]\n"));
    assert_null(strstr(emitted.out.text, "a.bak"));
    assert_null(strstr(emitted.out.text, "a~"));
    clear(&emitted);
}

/* What stands behind --defaults is the xinetd.conf, or nothing is printed. */
static void what_is_named_is_an_xinetd_conf(void **state) {
    static const struct {
        const char *path, *text;
        bool is_one;
    } named[] = {
        {"passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:\n", false},
        {"ports.ini", "[a]\nlisten = 7001\nhandler = ok\n", false},
        {"inetd.conf", "ftp stream tcp nowait root /usr/bin/a a\n", false},
        {"x.conf", "", false},
        {"x.conf", "# defaults\n", false},
        {"x.conf", "junk\ndefaults\n{\n}\n", false},
        {"x.conf", "include /nowhere\n", false},
        {"etc/xinetd.d/b", "service b\n{\n}\n", false},
        {"x.conf", "service b\n{\n}\n", true},
        {"x.conf", "includedir /etc\n", true},
        {"x.conf", "DEFAULTS\n{\n}\n", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++) {
        const struct import_options options = {.defaults = named[i].path};
        const struct import_file files[] = {{"etc/xinetd.d/a", LINES(WITH(""))},
                                            {"/etc/c.d/c", LINES("")},
                                            {named[i].path, named[i].text, strlen(named[i].text)},
                                            {NULL, NULL, 0}};
        struct emitted emitted = {{0}, {0}};
        struct import_machine world = import_world_of(files);
        world.options = &options;
        int result = import_config(files->path, &world, take_out, take_fault, &emitted);
        if ((result == BATON_OK) != named[i].is_one) {
            print_error("%s with\n%s\n", named[i].path, named[i].text);
        }
        assert_int_equal(result, named[i].is_one ? BATON_OK : BATON_INVALID);
        assert_true(named[i].is_one || strstr(emitted.faults.text, "after --defaults") != NULL);
        clear(&emitted);
    }
    /* Nor does one that was found hold that is none. */
    const struct import_file beside[] = {
        {"t/a", LINES(WITH(""))}, {"t/xinetd.conf", LINES("junk\n")}, {NULL, NULL, 0}};
    const struct import_file faulty[] = {{"etc/xinetd.d/a", LINES(WITH(""))},
                                         {"etc/xinetd.conf", LINES("include /nowhere\n")},
                                         {NULL, NULL, 0}};
    import_part(beside, NULL, false, "t/xinetd.conf is no whole xinetd.conf");
    import_part(faulty, NULL, false, "etc/xinetd.conf has faults");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xinetd_compares_without_case),
        cmocka_unit_test(what_xinetd_refuses_is_off),
        cmocka_unit_test(what_xinetd_passes_over_is_off),
        cmocka_unit_test(each_rule_in_force_is_told),
        cmocka_unit_test(xinetd_listens_nowhere_else),
        cmocka_unit_test(what_another_had_is_off),
        cmocka_unit_test(users_are_who_they_were),
        cmocka_unit_test(what_is_missing_is_derived),
        cmocka_unit_test(a_part_has_the_defaults_of_the_whole),
        cmocka_unit_test(what_is_named_is_an_xinetd_conf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
