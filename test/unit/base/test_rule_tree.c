/* The prefix tree of rules, against a look at all of them one by one (core/base/rule_tree.h). */
#include "core/base/rule_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RULES_COUNT 400u
#define ROUNDS_COUNT 50u
#define LOOKUPS_COUNT 2000u /* of each round */

struct list {
    struct rule rules[RULES_COUNT];
    struct address_block blocks[RULES_COUNT];
    bool denies[RULES_COUNT];
    size_t count;
};

static struct address address_of(const char *text) {
    struct address address;
    assert_true(address_parse_host(text, &address));
    return address;
}

static void add_block(struct list *list, const struct address_block *block, bool is_deny) {
    assert_true(list->count < RULES_COUNT);
    struct rule *rule = &list->rules[list->count];
    *rule = (struct rule){.line = (uint32_t)list->count + 1, .is_deny = is_deny};
    rule_set_block(rule, block);
    list->blocks[list->count] = *block;
    list->denies[list->count++] = is_deny;
}

/* "+BLOCK" allows, "-BLOCK" denies. */
static void add(struct list *list, const char *text) {
    struct address_block block;
    assert_true(address_block_parse(text + 1, &block, NULL));
    add_block(list, &block, text[0] == '-');
}

/* Several, separated by blanks. */
static void add_all(struct list *list, const char *text) {
    while (*text != '\0') {
        char word[64] = "";
        size_t length = strcspn(text, " ");
        assert_true(length < sizeof word);
        memcpy(word, text, length);
        add(list, word);
        text += length + strspn(text + length, " ");
    }
}

static struct rule_tree *make(struct list *list, bool refuses_others) {
    struct rule_tree *tree =
        rule_tree_create(list->rules, list->count, refuses_others, "a\0/b/c\0", 7);
    assert_non_null(tree);
    return tree;
}

/* The number of the rule that decides, by looking at each; -1 = none. */
static int decide(const struct list *list, const struct address *address) {
    int best = -1;
    for (size_t i = 0; i < list->count; i++) {
        if (address_block_contains(&list->blocks[i], address) &&
            (best < 0 || list->blocks[i].prefix_bits > list->blocks[best].prefix_bits ||
             (list->blocks[i].prefix_bits == list->blocks[best].prefix_bits && list->denies[i] &&
              !list->denies[best]))) {
            best = (int)i;
        }
    }
    return best;
}

static void compare(const struct list *list, const struct rule_tree *tree, bool refuses_others,
                    const struct address *address) {
    int expected = decide(list, address);
    struct rule_found found;
    bool is_found = rule_tree_find(tree, address, &found);
    assert_int_equal(is_found, expected >= 0);
    assert_int_equal(rule_tree_allows(tree, address),
                     expected >= 0 ? !list->denies[expected] : !refuses_others);
    if (is_found) {
        const struct address_block *block = &list->blocks[expected];
        assert_int_equal(found.is_deny, list->denies[expected]);
        assert_int_equal(found.block.prefix_bits, block->prefix_bits);
        assert_true(address_equal(&found.block.address, &block->address));
        assert_true(found.line >= 1 && found.line <= list->count);
        assert_true(list->denies[found.line - 1] == found.is_deny &&
                    list->blocks[found.line - 1].prefix_bits == block->prefix_bits);
    }
}

static void check(const char *rules, bool refuses_others, const char *host, bool allowed) {
    struct list list = {.count = 0};
    add_all(&list, rules);
    struct rule_tree *tree = make(&list, refuses_others);
    struct address address = address_of(host);
    if (rule_tree_allows(tree, &address) != allowed) {
        fail_msg("%s of %s, others %d: not %d", host, rules, refuses_others, allowed);
    }
    compare(&list, tree, refuses_others, &address);
    rule_tree_release(tree);
}

static void the_most_specific_rule_decides(void **state) {
    (void)state;
    check("", true, "10.0.0.1", false);
    check("", false, "10.0.0.1", true);
    check("+10.0.0.0/8", true, "10.255.255.255", true);
    check("+10.0.0.0/8", true, "11.0.0.0", false);
    check("+10.0.0.0/8", true, "9.255.255.255", false);
    check("-10.0.0.0/8", false, "10.1.2.3", false);
    check("-10.0.0.0/8", false, "11.1.2.3", true);
    check("+10.0.0.0/8 -10.1.0.0/16", true, "10.1.2.3", false);
    check("-10.1.0.0/16 +10.0.0.0/8", true, "10.1.2.3", false);
    check("-10.0.0.0/8 +10.1.0.0/16", true, "10.1.2.3", true);
    check("-10.0.0.0/8 +10.1.0.0/16 -10.1.2.3", true, "10.1.2.3", false);
    check("-10.0.0.0/8 +10.1.0.0/16 -10.1.2.3", true, "10.1.2.4", true);
    check("-10.0.0.0/8 +10.1.0.0/16 -10.1.2.3", true, "10.2.0.0", false);
    /* Of the same block. */
    check("+10.0.0.0/8 -10.0.0.0/8", true, "10.1.2.3", false);
    check("-10.0.0.0/8 +10.0.0.0/8", true, "10.1.2.3", false);
    check("+10.0.0.0/8 +10.0.0.0/8", true, "10.1.2.3", true);
    /* Everything. */
    check("+0.0.0.0/0", true, "255.255.255.255", true);
    check("+0.0.0.0/0 -255.255.255.255", true, "255.255.255.255", false);
    check("-0.0.0.0/0 +0.0.0.0", true, "0.0.0.0", true);
    check("-::/0", false, "2001:db8::1", false);
    check("+::/0 -8000::/1", true, "ffff::", false);
}

static void families_are_apart(void **state) {
    (void)state;
    check("+0.0.0.0/0", true, "::1", false);
    check("+::/0", true, "127.0.0.1", false);
    check("-::/0", false, "::ffff:127.0.0.1", true);
    check("-127.0.0.0/8", false, "::ffff:127.0.0.1", false);
    check("-::ffff:127.0.0.0/104", false, "127.0.0.1", false);
    check("+2001:db8::/32 -2001:db8:1::/48", true, "2001:db8:2::1", true);
    check("+2001:db8::/32 -2001:db8:1::/48", true, "2001:db8:1:ffff::1", false);
    check("+7f00::/8", true, "127.0.0.1", false);
}

/* As it comes from a socket, where no text was read. */
static void mapped_addresses_are_ipv4(void **state) {
    (void)state;
    struct list list = {.count = 0};
    add(&list, "-10.0.0.0/8");
    add(&list, "+::/0");
    struct rule_tree *tree = make(&list, false);
    struct address mapped = {.family = ADDRESS_IPV6,
                             .bytes = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3},
                             .port = 7,
                             .scope_id = 3};
    assert_false(rule_tree_allows(tree, &mapped));
    mapped.bytes[12] = 11;
    assert_true(rule_tree_allows(tree, &mapped));
    struct rule_found found;
    assert_false(rule_tree_find(tree, &mapped, &found));
    rule_tree_release(tree);
}

static void who_has_no_address_is_in_no_block(void **state) {
    (void)state;
    struct list list = {.count = 0};
    add(&list, "+0.0.0.0/0");
    add(&list, "+::/0");
    struct rule_found found;
    for (int refuses = 0; refuses < 2; refuses++) {
        struct rule_tree *tree = make(&list, refuses != 0);
        const struct address none = {0}, local = {.family = ADDRESS_UNIX, .has_uid = true};
        assert_false(rule_tree_find(tree, &none, &found));
        assert_false(rule_tree_allows(tree, &none));
        assert_false(rule_tree_allows(tree, &local));
        rule_tree_release(tree);
    }
}

/* Every length there is, each within the one before, and each verdict by turns. */
static void check_nested(const char *host, unsigned bits) {
    struct list list = {.count = 0};
    struct address inner = address_of(host);
    for (unsigned i = 0; i <= bits; i++) {
        struct address_block block = {.address = inner, .prefix_bits = i};
        for (unsigned bit = i; bit < bits; bit++) {
            block.address.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
        }
        add_block(&list, &block, i % 2 == 1);
    }
    struct rule_tree *tree = make(&list, true);
    for (unsigned i = 0; i <= bits; i++) {
        struct address address = inner;
        if (i < bits) {
            address.bytes[i / 8] ^= (uint8_t)(0x80u >> i % 8);
        }
        assert_int_equal(rule_tree_allows(tree, &address), i % 2 == 0);
        compare(&list, tree, true, &address);
    }
    rule_tree_release(tree);
}

static void nested_as_deep_as_can_be(void **state) {
    (void)state;
    check_nested("10.170.85.1", 32);
    check_nested("0.0.0.0", 32);
    check_nested("255.255.255.255", 32);
    check_nested("2001:db8:aaaa:5555:ff00:1:2:3", 128);
    check_nested("::", 128);
    check_nested("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 128);
}

static uint64_t seed = 88172645463325252u;

static uint32_t draw(uint32_t below) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32) % below;
}

/* Close together, so that blocks meet. */
static struct address draw_address(void) {
    struct address address = {.family = draw(2) == 0 ? ADDRESS_IPV4 : ADDRESS_IPV6};
    size_t size = address.family == ADDRESS_IPV4 ? 4 : 16;
    for (size_t i = 0; i < size; i++) {
        address.bytes[i] = (uint8_t)(draw(4) == 0 ? draw(256) : draw(2) * 255);
    }
    return address;
}

static void draw_rules(struct list *list) {
    uint32_t count = draw(RULES_COUNT);
    for (uint32_t i = 0; i < count; i++) {
        struct address_block block = {.address = draw_address()};
        unsigned bits = block.address.family == ADDRESS_IPV4 ? 32 : 128;
        block.prefix_bits = draw(bits + 1);
        for (unsigned bit = block.prefix_bits; bit < bits; bit++) {
            block.address.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
        }
        address_unmap(&block.address); /* it would be another block */
        if ((block.address.family == ADDRESS_IPV4) == (bits == 32)) {
            add_block(list, &block, draw(2) == 0);
        }
    }
}

/* Of addresses near the blocks: their first, their last, and those beside. */
static struct address draw_near(const struct list *list) {
    if (list->count == 0 || draw(4) == 0) {
        return draw_address();
    }
    const struct address_block *block = &list->blocks[draw((uint32_t)list->count)];
    struct address address = block->address;
    size_t size = address.family == ADDRESS_IPV4 ? 4 : 16;
    uint32_t kind = draw(4);
    for (unsigned bit = block->prefix_bits; bit < 8 * size && kind > 0; bit++) {
        if (kind == 1 || draw(2) == 0) {
            address.bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
        }
    }
    for (size_t i = size; kind == 3 && i-- > 0;) {
        if (++address.bytes[i] != 0) {
            break;
        }
    }
    return address;
}

static void random_rules_as_one_by_one(void **state) {
    (void)state;
    for (unsigned round = 0; round < ROUNDS_COUNT; round++) {
        struct list list = {.count = 0};
        draw_rules(&list);
        bool refuses_others = draw(2) == 0;
        struct rule_tree *tree = make(&list, refuses_others);
        for (unsigned i = 0; i < LOOKUPS_COUNT; i++) {
            struct address address = draw_near(&list);
            compare(&list, tree, refuses_others, &address);
        }
        rule_tree_release(tree);
    }
}

/* Wherever it is: all that it needs came along. */
static void a_copy_elsewhere_is_the_same(void **state) {
    (void)state;
    struct list list = {.count = 0};
    draw_rules(&list);
    for (size_t i = 0; i < list.count; i++) {
        list.rules[i].source = (uint16_t)(i % 3);
    }
    struct rule_tree *tree = make(&list, true);
    size_t size_bytes = rule_tree_size_bytes(tree);
    struct rule_tree *copy = malloc(size_bytes);
    assert_non_null(copy);
    memcpy(copy, tree, size_bytes);
    for (unsigned i = 0; i < LOOKUPS_COUNT; i++) {
        struct address address = draw_near(&list);
        struct rule_found one, other;
        bool found = rule_tree_find(tree, &address, &one);
        assert_int_equal(rule_tree_find(copy, &address, &other), found);
        if (found) {
            assert_int_equal(one.line, other.line);
            assert_int_equal(one.source == NULL, other.source == NULL);
            assert_true(one.source == NULL || strcmp(one.source, other.source) == 0);
        }
    }
    rule_tree_release(tree);
    compare(&list, copy, true, &(struct address){.family = ADDRESS_IPV4});
    rule_tree_release(copy);
}

static void a_rule_knows_where_it_stands(void **state) {
    (void)state;
    struct list list = {.count = 0};
    struct rule_found found;
    const struct {
        const char *host, *source;
        size_t line;
        bool is_deny;
    } rows[] = {
        {"10.9.9.9", NULL, 1, false}, {"10.1.9.9", "a", 2, true}, {"10.1.1.1", "/b/c", 3, false}};
    add(&list, "+10.0.0.0/8");
    add(&list, "-10.1.0.0/16");
    add(&list, "+10.1.1.0/24");
    list.rules[1].source = 1;
    list.rules[2].source = 2;
    struct rule_tree *tree = make(&list, true);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address address = address_of(rows[i].host);
        assert_true(rule_tree_find(tree, &address, &found));
        assert_int_equal(found.line, rows[i].line);
        assert_int_equal(found.is_deny, rows[i].is_deny);
        assert_int_equal(found.source == NULL, rows[i].source == NULL);
        assert_true(found.source == NULL || strcmp(found.source, rows[i].source) == 0);
    }
    rule_tree_release(tree);
}

/* With the sanitizers, one too many or too few shows. */
static void the_last_user_frees(void **state) {
    (void)state;
    struct list list = {.count = 0};
    add(&list, "+10.0.0.0/8");
    struct rule_tree *tree = make(&list, true);
    rule_tree_share(tree);
    rule_tree_release(tree);
    compare(&list, tree, true, &(struct address){.family = ADDRESS_IPV4, .bytes = {10}});
    rule_tree_release(tree);
    rule_tree_share(NULL);
    rule_tree_release(NULL);
}

static void a_rule_takes_what_is_promised(void **state) {
    (void)state;
    struct list list = {.count = 0};
    struct rule_tree *tree = make(&list, true);
    size_t empty_bytes = rule_tree_size_bytes(tree);
    rule_tree_release(tree);
    add(&list, "+10.0.0.0/8");
    add(&list, "-::1");
    add(&list, "+::1");
    tree = make(&list, true);
    assert_int_equal(rule_tree_size_bytes(tree), empty_bytes + 16 + 28);
    rule_tree_release(tree);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_rule_decides),
        cmocka_unit_test(families_are_apart),
        cmocka_unit_test(mapped_addresses_are_ipv4),
        cmocka_unit_test(who_has_no_address_is_in_no_block),
        cmocka_unit_test(nested_as_deep_as_can_be),
        cmocka_unit_test(random_rules_as_one_by_one),
        cmocka_unit_test(a_copy_elsewhere_is_the_same),
        cmocka_unit_test(a_rule_knows_where_it_stands),
        cmocka_unit_test(the_last_user_frees),
        cmocka_unit_test(a_rule_takes_what_is_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
