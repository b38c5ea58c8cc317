/*
 * What rules cost: how long it takes to make a tree of them, and to ask it. Prints a line for each
 * number of rules; asserts nothing. With each number the addresses that are asked for are drawn
 * anew, so that the caches of the processor are as cold as under clients that nobody has chosen.
 *
 * rules [LOOKUPS]
 */
#include "core/base/rule_tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ASKED_COUNT 65536u

static uint64_t seed = 88172645463325252u;

static uint32_t draw(void) {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 32);
}

static struct address draw_address(bool is_ipv4) {
    struct address address = {.family = is_ipv4 ? ADDRESS_IPV4 : ADDRESS_IPV6};
    for (size_t i = 0; i < (is_ipv4 ? 4u : 16u); i++) {
        address.bytes[i] = (uint8_t)draw();
    }
    return address;
}

/* Of the processor's time, since others may be at work as well. */
static uint64_t now_ns(void) {
    return (uint64_t)clock() * (1000000000u / CLOCKS_PER_SEC);
}

static void draw_rules(struct rule *rules, size_t count, bool is_ipv4) {
    static const unsigned lengths[] = {16, 20, 24, 24, 24, 28, 32, 32};
    for (size_t i = 0; i < count; i++) {
        struct address_block block = {.address = draw_address(is_ipv4),
                                      .prefix_bits = lengths[draw() % 8] * (is_ipv4 ? 1 : 2)};
        for (unsigned bit = block.prefix_bits; bit < (is_ipv4 ? 32u : 128u); bit++) {
            block.address.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
        }
        rules[i] = (struct rule){.line = (uint32_t)i + 1, .is_deny = draw() % 2 == 0};
        rule_set_block(&rules[i], &block);
    }
}

static void measure(struct rule *rules, struct address *asked, size_t count, bool is_ipv4,
                    size_t lookups_count) {
    size_t allowed_count = 0;
    draw_rules(rules, count, is_ipv4);
    for (size_t i = 0; i < ASKED_COUNT; i++) {
        asked[i] = draw_address(is_ipv4);
    }
    uint64_t began_ns = now_ns();
    struct rule_tree *tree = rule_tree_create(rules, count, true, "", 0);
    uint64_t made_ns = now_ns();
    if (tree == NULL) {
        abort();
    }
    for (size_t i = 0; i < lookups_count; i++) {
        allowed_count += rule_tree_allows(tree, &asked[i % ASKED_COUNT]);
    }
    uint64_t asked_ns = now_ns();
    printf("rules=%lu family=%d make_us=%lu lookup_ns=%.1f tree_bytes=%lu allowed=%lu\n",
           (unsigned long)count, is_ipv4 ? 4 : 6, (unsigned long)((made_ns - began_ns) / 1000),
           (double)(asked_ns - made_ns) / (double)lookups_count,
           (unsigned long)rule_tree_size_bytes(tree), (unsigned long)allowed_count);
    rule_tree_release(tree);
}

int main(int argc, char **argv) {
    static const size_t counts[] = {0, 10, 1000, 100000, RULES_MAX_COUNT};
    size_t lookups_count = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000000;
    struct rule *rules = malloc(RULES_MAX_COUNT * sizeof *rules);
    struct address *asked = malloc(ASKED_COUNT * sizeof *asked);
    bool is_right = rules != NULL && asked != NULL && lookups_count > 0;
    for (size_t i = 0; is_right && i < sizeof counts / sizeof *counts; i++) {
        measure(rules, asked, counts[i], true, lookups_count);
        measure(rules, asked, counts[i], false, lookups_count);
    }
    free(rules);
    free(asked);
    return is_right ? 0 : 1;
}
