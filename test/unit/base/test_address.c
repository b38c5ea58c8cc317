#include "core/base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What is parsed, and how it is printed again; NULL = must be refused. */
struct example {
    const char *text;
    const char *printed;
};

static const struct example hosts[] = {
    {"0.0.0.0", "0.0.0.0"},
    {"127.0.0.1", "127.0.0.1"},
    {"255.255.255.255", "255.255.255.255"},
    {"010.0.0.1", NULL}, /* 8.0.0.1 to some C libraries */
    {"127.1", NULL},     /* 127.0.0.1 to some */
    {"10.1", NULL},
    {"2130706433", NULL},
    {"0x7f.0.0.1", NULL},
    {"1.2.3.256", NULL},
    {"1.2.3.00", NULL},
    {"1.2.3.0001", NULL},
    {"1.2.3", NULL},
    {"1.2.3.4.5", NULL},
    {"1.2.3.4.", NULL},
    {".1.2.3.4", NULL},
    {"1..3.4", NULL},
    {"-1.2.3.4", NULL},
    {"+1.2.3.4", NULL},
    {" 1.2.3.4", NULL},
    {"1.2.3.4 ", NULL},
    {"10.0.0.0/8", NULL},
    {"localhost", NULL},
    {"", NULL},
    {"::", "::"},
    {"::1", "::1"},
    {"1::", "1::"},
    {"2001:DB8::1", "2001:db8::1"},
    {"2001:db8:0:0:0:0:2:1", "2001:db8::2:1"},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* never "::" for one group */
    {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},          /* the longest run */
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},    /* the first of equals */
    {"0001:0002:0003:0004:0005:0006:0007:0008", "1:2:3:4:5:6:7:8"},
    {"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"},
    {"::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"},
    {"::ffff:1.2.3.4", "1.2.3.4"}, /* mapped addresses are IPv4 */
    {"::FFFF:102:304", "1.2.3.4"},
    {"::ffff:0:1.2.3.4", "::ffff:0:102:304"},
    {"::1.2.3.4", "::102:304"},
    {"64:ff9b::1.2.3.4", "64:ff9b::102:304"},
    {"1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"},
    {":", NULL},
    {":::", NULL},
    {":1", NULL},
    {"1:", NULL},
    {"1::2::3", NULL},
    {"1:2:3:4:5:6:7", NULL},
    {"1:2:3:4:5:6:7:8:9", NULL},
    {"1:2:3:4::5:6:7:8", NULL}, /* "::" stands for at least one group */
    {"::1:2:3:4:5:6:7:8", NULL},
    {"1:2:3:4:5:6:7:1.2.3.4", NULL},
    {"::1.2.3", NULL},
    {"::01.2.3.4", NULL},
    {"::1.2.3.4:5", NULL},
    {"12345::", NULL},
    {"::g", NULL},
    {"fe80::1%1", NULL},
    {"fe80::1%eth0", NULL},
    {"[::1]", NULL},
    {"::1/128", NULL},
};

static const struct example endpoints[] = {
    {"127.0.0.1:80", "127.0.0.1:80"},
    {"127.0.0.1:0", "127.0.0.1:0"},
    {"[::]:65535", "[::]:65535"},
    {"[2001:DB8::1]:1", "[2001:db8::1]:1"},
    {"[::ffff:1.2.3.4]:80", "1.2.3.4:80"},
    {"80", "-"},
    {"0", "-"},
    {"127.0.0.1:65536", NULL},
    {"127.0.0.1:080", NULL},
    {"127.0.0.1:", NULL},
    {"127.0.0.1", NULL},
    {"127.0.0.1:80:81", NULL},
    {"127.1:80", NULL},
    {":80", NULL},
    {"*:80", NULL},
    {"::1:80", NULL},
    {"[::1]", NULL},
    {"[::1]80", NULL},
    {"[::1]:", NULL},
    {"[::1:80", NULL},
    {"[127.0.0.1]:80", NULL},
    {"[]:80", NULL},
    {"[[::1]]:80", NULL},
    {"localhost:80", NULL},
    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", NULL},
    {"", NULL},
};

static const struct example ports[] = {
    {"0", "0"},    {"1", "1"},    {"65535", "65535"},   {"65536", NULL},
    {"01", NULL},  {"00", NULL},  {"+1", NULL},         {"-1", NULL},
    {" 1", NULL},  {"1 ", NULL},  {"", NULL},           {"0x10", NULL},
    {"1e3", NULL}, {"80a", NULL}, {"4294967376", NULL}, {"99999999999999999999", NULL},
};

#define COUNT(array) (sizeof array / sizeof((array)[0]))

static const struct address untouched = {
    .family = ADDRESS_IPV6, .bytes = {9}, .port = 9, .scope_id = 9};

static void hosts_are_read_and_printed(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(hosts); i++) {
        struct address address = untouched;
        char text[ADDRESS_TEXT_SIZE];
        bool parsed = address_parse_host(hosts[i].text, &address);
        if (parsed != (hosts[i].printed != NULL)) {
            fail_msg("`%s` was %s", hosts[i].text, parsed ? "taken" : "refused");
        } else if (parsed) {
            assert_string_equal(address_print_host(&address, text, sizeof text), hosts[i].printed);
            assert_int_equal(address.port, 0);
            assert_int_equal(address.scope_id, 0);
        } else {
            assert_true(address_equal(&address, &untouched));
        }
    }
}

static void endpoints_are_read_and_printed(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(endpoints); i++) {
        struct address address = untouched;
        char text[ADDRESS_TEXT_SIZE];
        bool parsed = address_parse(endpoints[i].text, &address);
        if (parsed != (endpoints[i].printed != NULL)) {
            fail_msg("`%s` was %s", endpoints[i].text, parsed ? "taken" : "refused");
        } else if (parsed) {
            assert_string_equal(address_print(&address, text, sizeof text), endpoints[i].printed);
        } else {
            assert_true(address_equal(&address, &untouched));
        }
    }
}

static void ports_are_strict(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(ports); i++) {
        uint16_t port = 9;
        char text[8];
        bool parsed = address_parse_port(ports[i].text, &port);
        if (parsed != (ports[i].printed != NULL)) {
            fail_msg("`%s` was %s", ports[i].text, parsed ? "taken" : "refused");
        }
        snprintf(text, sizeof text, "%u", (unsigned)port);
        assert_string_equal(text, parsed ? ports[i].printed : "9");
    }
}

static void every_address_survives_print_and_parse(void **state) {
    struct address address = {.family = ADDRESS_IPV6};
    (void)state;
    /* All ways to have each group zero or not, which is all that "::" depends on. */
    for (unsigned mask = 0; mask < 256; mask++) {
        struct address again = untouched;
        char text[ADDRESS_TEXT_SIZE];
        for (unsigned group = 0; group < 8; group++) {
            address.bytes[2 * group + 1] = (mask >> group & 1) != 0 ? (uint8_t)(group + 1) : 0;
        }
        assert_true(address_parse_host(address_print_host(&address, text, sizeof text), &again));
        assert_true(address_equal(&address, &again));
    }
}

static void the_longest_text_fits(void **state) {
    struct address address = {.family = ADDRESS_IPV6, .port = 65535, .scope_id = UINT32_MAX};
    char text[ADDRESS_TEXT_SIZE];
    (void)state;
    memset(address.bytes, 0xff, sizeof address.bytes);
    assert_string_equal(address_print(&address, text, sizeof text),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
}

static void a_mapped_address_prints_as_such_until_it_is_unmapped(void **state) {
    struct address address = {
        .family = ADDRESS_IPV6, .bytes = {[10] = 0xff, [11] = 0xff, [12] = 1, 2, 3, 4}, .port = 80};
    char text[ADDRESS_TEXT_SIZE];
    (void)state;
    assert_string_equal(address_print(&address, text, sizeof text), "[::ffff:1.2.3.4]:80");
    address_unmap(&address);
    assert_string_equal(address_print(&address, text, sizeof text), "1.2.3.4:80");
    address_unmap(&address);
    assert_string_equal(address_print(&address, text, sizeof text), "1.2.3.4:80");
}

static void equal_means_everything_that_counts(void **state) {
    struct address a = {.family = ADDRESS_IPV4, .bytes = {1, 2, 3, 4, 99}, .port = 80};
    struct address b = {.family = ADDRESS_IPV4, .bytes = {1, 2, 3, 4}, .port = 80};
    (void)state;
    assert_true(address_equal(&a, &b)); /* IPv4 uses four bytes */
    b.port = 81;
    assert_false(address_equal(&a, &b));
    b = a;
    b.scope_id = 1;
    assert_false(address_equal(&a, &b));
    b = a;
    b.family = ADDRESS_IPV6;
    assert_false(address_equal(&a, &b));
    b = a;
    b.bytes[3] = 5;
    assert_false(address_equal(&a, &b));
}

static void any_is_the_wildcard_of_a_family(void **state) {
    struct address address = {.family = ADDRESS_IPV4, .port = 80};
    (void)state;
    assert_true(address_is_any(&address));
    address.family = ADDRESS_IPV6;
    assert_true(address_is_any(&address));
    address.bytes[15] = 1;
    assert_false(address_is_any(&address));
    address = (struct address){.family = ADDRESS_NONE};
    assert_false(address_is_any(&address));
}

static void a_local_socket_is_no_address_of_a_network(void **state) {
    struct address a = {.family = ADDRESS_UNIX}, b = a;
    char text[ADDRESS_TEXT_SIZE];
    (void)state;
    assert_string_equal(address_print(&a, text, sizeof text), "-");
    assert_string_equal(address_print_host(&a, text, sizeof text), "-");
    assert_false(address_is_any(&a));
    assert_true(address_equal(&a, &b));
}

static void local_peers_differ_by_user_and_process(void **state) {
    const struct address peer = {.family = ADDRESS_UNIX, .has_uid = true, .uid = 7, .pid = 8};
    struct address other = peer;
    (void)state;
    assert_true(address_equal(&peer, &other));
    other.pid = 0; /* one that the system cannot name */
    assert_false(address_equal(&peer, &other));
    other = peer;
    other.uid = 0;
    assert_false(address_equal(&peer, &other));
    const struct address root = {.family = ADDRESS_UNIX, .has_uid = true};
    const struct address unknown = {.family = ADDRESS_UNIX};
    assert_false(address_equal(&root, &unknown));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_read_and_printed),
        cmocka_unit_test(endpoints_are_read_and_printed),
        cmocka_unit_test(ports_are_strict),
        cmocka_unit_test(every_address_survives_print_and_parse),
        cmocka_unit_test(the_longest_text_fits),
        cmocka_unit_test(a_mapped_address_prints_as_such_until_it_is_unmapped),
        cmocka_unit_test(equal_means_everything_that_counts),
        cmocka_unit_test(any_is_the_wildcard_of_a_family),
        cmocka_unit_test(a_local_socket_is_no_address_of_a_network),
        cmocka_unit_test(local_peers_differ_by_user_and_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
