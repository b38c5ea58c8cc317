/* Address blocks (core/base/address.h): which texts are one, and which addresses are in it. */
#include "core/base/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct text {
    const char *text;
    const char *address; /* NULL = must be refused */
    unsigned prefix_bits;
    const char *message; /* a part of what is said then */
};

static const struct text texts[] = {
    {"10.0.0.0/8", "10.0.0.0", 8, NULL},
    {"0.0.0.0/0", "0.0.0.0", 0, NULL},
    {"192.0.2.128/25", "192.0.2.128", 25, NULL},
    {"192.0.2.1/32", "192.0.2.1", 32, NULL},
    {"192.0.2.1", "192.0.2.1", 32, NULL},
    {"::/0", "::", 0, NULL},
    {"2001:db8::/32", "2001:db8::", 32, NULL},
    {"2001:db8:8000::/33", "2001:db8:8000::", 33, NULL},
    {"::1/128", "::1", 128, NULL},
    {"::1", "::1", 128, NULL},
    {"::ffff:10.0.0.0/104", "10.0.0.0", 8, NULL}, /* IPv4-mapped blocks are IPv4 */
    {"::ffff:0:0/96", "0.0.0.0", 0, NULL},
    {"::ffff:192.0.2.1/128", "192.0.2.1", 32, NULL},
    {"::ffff:192.0.2.1", "192.0.2.1", 32, NULL},
    {"10.0.0.1/8", NULL, 0, "expected 10.0.0.0/8"},
    {"255.255.255.255/0", NULL, 0, "expected 0.0.0.0/0"},
    {"192.0.2.129/25", NULL, 0, "expected 192.0.2.128/25"},
    {"2001:db8::1/32", NULL, 0, "expected 2001:db8::/32"},
    {"2001:db8:ffff::/33", NULL, 0, "expected 2001:db8:8000::/33"},
    {"::ffff:10.0.0.1/104", NULL, 0, "expected 10.0.0.0/8"},
    {"::ffff:0:0/95", NULL, 0, "96 bits or more"},
    {"::ffff:0:0/0", NULL, 0, "96 bits or more"},
    {"10.0.0.0/33", NULL, 0, "a number from 0 to 32"},
    {"2001:db8::/129", NULL, 0, "a number from 0 to 128"},
    {"::ffff:10.0.0.0/129", NULL, 0, "a number from 0 to 128"},
    {"10.0.0.0/", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/08", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/ 8", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/8 ", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/+8", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/-1", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/8/8", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/4294967304", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/255.0.0.0", NULL, 0, "the length of its prefix: /8"},
    {"10.0.0.0/255.255.255.0", NULL, 0, "the length of its prefix: /24"},
    {"10.0.0.0/0.0.0.0", NULL, 0, "the length of its prefix: /0"},
    {"10.0.0.0/255.255.255.255", NULL, 0, "the length of its prefix: /32"},
    {"10.0.0.0/0.0.0.255", NULL, 0, "a number from 0 to 32"},
    {"10.0.0.0/255.0.255.0", NULL, 0, "a number from 0 to 32"},
    {"10/8", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"10.1", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"010.0.0.0/8", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"10.0.0.*", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"[::1]/128", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"fe80::1%eth0", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"/8", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"/", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"localhost", NULL, 0, "expected an IPv4 or IPv6 address"},
    {"0000000000000000000000000000000000000000000000000000000000000001", NULL, 0, "expected an"},
    {"10.0.0.00000000000000000000000000000000000000000000000000000000/8", NULL, 0, "expected an"},
};

static void blocks_are_read_strictly(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct text *t = &texts[i];
        struct address_block block = {.prefix_bits = 999};
        char message[ADDRESS_BLOCK_MESSAGE_SIZE] = "";
        char host[ADDRESS_TEXT_SIZE];
        bool taken = address_block_parse(t->text, &block, message);
        if (taken != (t->address != NULL)) {
            fail_msg("%s: %s", t->text, taken ? "taken" : message);
        }
        assert_int_equal(address_block_parse(t->text, &block, NULL), taken);
        if (taken) {
            assert_string_equal(address_print_host(&block.address, host, sizeof host), t->address);
            assert_int_equal(block.prefix_bits, t->prefix_bits);
            assert_string_equal(message, "");
        } else {
            assert_int_equal(block.prefix_bits, 999);
            if (strstr(message, t->message) == NULL) {
                fail_msg("%s: %s", t->text, message);
            }
        }
    }
}

static void the_longest_message_fits(void **state) {
    struct address_block block;
    char message[ADDRESS_BLOCK_MESSAGE_SIZE];
    (void)state;
    assert_false(
        address_block_parse("1111:1111:1111:1111:1111:1111:1111:1111/127", &block, message));
    assert_non_null(strstr(message, "expected 1111:1111:1111:1111:1111:1111:1111:1110/127, or "
                                    "the address alone"));
}

static const struct {
    const char *block;
    const char *address;
    bool is_in;
} members[] = {
    {"10.0.0.0/8", "10.0.0.0", true},
    {"10.0.0.0/8", "10.255.255.255", true},
    {"10.0.0.0/8", "11.0.0.0", false},
    {"10.0.0.0/8", "9.255.255.255", false},
    {"10.0.0.0/8", "::ffff:10.1.2.3", true},
    {"10.0.0.0/8", "a00::", false}, /* the same first bits */
    {"192.0.2.128/25", "192.0.2.128", true},
    {"192.0.2.128/25", "192.0.2.127", false},
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.0", false},
    {"192.0.2.1", "::c000:201", false}, /* the old compatible form is not mapped */
    {"0.0.0.0/0", "255.255.255.255", true},
    {"0.0.0.0/0", "::1", false},
    {"::/0", "::1", true},
    {"::/0", "ffff::", true},
    {"::/0", "1.2.3.4", false},
    {"::/0", "::ffff:1.2.3.4", false},
    {"2001:db8::/33", "2001:db8:7fff::", true},
    {"2001:db8::/33", "2001:db8:8000::", false},
    {"::1", "::1", true},
    {"::1", "::2", false},
    {"::ffff:10.0.0.0/104", "10.1.2.3", true},
};

static void members_are_known(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct address_block block;
        struct address address;
        assert_true(address_block_parse(members[i].block, &block, NULL));
        assert_true(address_parse_host(members[i].address, &address));
        address.port = 4711;
        address.scope_id = 3;
        if (address_block_contains(&block, &address) != members[i].is_in) {
            fail_msg("%s in %s", members[i].address, members[i].block);
        }
    }
}

/* As an IPv6 socket that takes IPv4 clients tells them. */
static void a_mapped_client_is_an_ipv4_client(void **state) {
    struct address mapped = {.family = ADDRESS_IPV6, .bytes = {[10] = 0xff, 0xff, 10, 1, 2, 3}};
    struct address_block block;
    (void)state;
    assert_true(address_block_parse("10.0.0.0/8", &block, NULL));
    assert_true(address_block_contains(&block, &mapped));
    assert_int_equal(mapped.family, ADDRESS_IPV6); /* left alone */
    assert_true(address_block_parse("::/0", &block, NULL));
    assert_false(address_block_contains(&block, &mapped));
}

static void a_local_socket_is_in_no_block(void **state) {
    static const char *const blocks[] = {"0.0.0.0/0", "::/0", "0.0.0.0", "::"};
    (void)state;
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        struct address_block block;
        assert_true(address_block_parse(blocks[i], &block, NULL));
        assert_false(address_block_contains(&block, &(struct address){.family = ADDRESS_UNIX}));
        assert_false(address_block_contains(&block, &(struct address){.family = ADDRESS_NONE}));
    }
    struct address_block none = {.address = {.family = ADDRESS_NONE}};
    assert_false(address_block_contains(&none, &(struct address){.family = ADDRESS_NONE}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_read_strictly),
        cmocka_unit_test(the_longest_message_fits),
        cmocka_unit_test(members_are_known),
        cmocka_unit_test(a_mapped_client_is_an_ipv4_client),
        cmocka_unit_test(a_local_socket_is_in_no_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
