#include "core/base/rule_tree.h"

#include "core/base/must.h"
#include "core/base/sort.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define NOWHERE UINT32_MAX

/* Behind the tree stand its nodes, those of IPv4 first; then their addresses, a word for IPv4 and
 * four for IPv6, close together for the search; then the names of the files. */
struct rule_tree {
    uint32_t users_count;
    uint32_t ipv4_count, count;
    uint32_t sources_bytes;
    uint32_t refuses_others;
};

struct node {
    uint32_t around; /* the smallest block around this one, of the same family; NOWHERE = none */
    uint32_t line;
    uint16_t source;
    uint8_t prefix_bits;
    uint8_t is_deny;
};

/* The part of a tree that is about one family. */
struct half {
    const struct node *nodes;
    const uint32_t *words;
    uint32_t count;
    uint32_t word_count; /* of an address */
};

static size_t word_total(const struct rule_tree *tree) {
    return tree->ipv4_count + 4 * (size_t)(tree->count - tree->ipv4_count);
}

static struct node *nodes_of(const struct rule_tree *tree) {
    return (struct node *)(tree + 1);
}

static uint32_t *words_of(const struct rule_tree *tree) {
    return (uint32_t *)(nodes_of(tree) + tree->count);
}

static char *sources_of(const struct rule_tree *tree) {
    return (char *)(words_of(tree) + word_total(tree));
}

size_t rule_tree_size_bytes(const struct rule_tree *tree) {
    return (size_t)(sources_of(tree) - (const char *)tree) + tree->sources_bytes;
}

struct rule_tree *rule_tree_copy(const struct rule_tree *tree) {
    size_t bytes = rule_tree_size_bytes(tree);
    struct rule_tree *copy = malloc(bytes);
    if (copy != NULL) {
        memcpy(copy, tree, bytes);
        copy->users_count = 1;
    }
    return copy;
}

bool rule_tree_is_same(const struct rule_tree *a, const struct rule_tree *b) {
    const size_t skipped = offsetof(struct rule_tree, ipv4_count); /* those who use it */
    if (a == b || a == NULL || b == NULL) {
        return a == b;
    }
    size_t bytes = rule_tree_size_bytes(a);
    if (bytes != rule_tree_size_bytes(b) ||
        memcmp((const char *)a + skipped, (const char *)b + skipped, sizeof *a - skipped) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < a->count; i++) {
        struct node one = nodes_of(a)[i];
        const struct node *other = &nodes_of(b)[i];
        one.line = one.source == 0 ? other->line : one.line;
        if (memcmp(&one, other, sizeof one) != 0) {
            return false;
        }
    }
    return memcmp(words_of(a), words_of(b), bytes - (size_t)((char *)words_of(a) - (char *)a)) == 0;
}

static struct half half_of(const struct rule_tree *tree, bool is_ipv4) {
    uint32_t skipped = is_ipv4 ? 0 : tree->ipv4_count;
    return (struct half){.nodes = nodes_of(tree) + skipped,
                         .words = words_of(tree) + skipped,
                         .count = is_ipv4 ? tree->ipv4_count : tree->count - skipped,
                         .word_count = is_ipv4 ? 1 : 4};
}

static void read_words(const struct address *address, uint32_t words[4]) {
    for (size_t i = 0; i < 4; i++) {
        const uint8_t *bytes = address->bytes + 4 * i;
        words[i] = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                   bytes[3];
    }
}

static int compare_words(const uint32_t *a, const uint32_t *b, uint32_t count) {
    for (; count > 1 && *a == *b; count--) {
        a++;
        b++;
    }
    return (*a > *b) - (*a < *b);
}

void rule_set_block(struct rule *rule, const struct address_block *block) {
    rule->is_ipv4 = block->address.family == ADDRESS_IPV4;
    rule->prefix_bits = (uint8_t)block->prefix_bits;
    read_words(&block->address, rule->words);
}

/* ---- Making ---- */

/* A block before those within it; of rules about one block a deny first, and then as they stand. */
static int compare_rules(const void *rules, size_t first, size_t second) {
    const struct rule *a = (const struct rule *)rules + first;
    const struct rule *b = (const struct rule *)rules + second;
    int by_address =
        a->is_ipv4 != b->is_ipv4 ? b->is_ipv4 - a->is_ipv4 : compare_words(a->words, b->words, 4);
    if (by_address != 0 || a->prefix_bits != b->prefix_bits) {
        return by_address != 0 ? by_address : a->prefix_bits - b->prefix_bits;
    }
    if (a->is_deny != b->is_deny || a->source != b->source) {
        return a->is_deny != b->is_deny ? b->is_deny - a->is_deny : a->source - b->source;
    }
    return (a->line > b->line) - (a->line < b->line);
}

static void swap_rules(void *rules, size_t a, size_t b) {
    struct rule *list = rules;
    struct rule rule = list[a];
    list[a] = list[b];
    list[b] = rule;
}

static bool is_about_same(const struct rule *a, const struct rule *b) {
    return a->is_ipv4 == b->is_ipv4 && a->prefix_bits == b->prefix_bits &&
           compare_words(a->words, b->words, 4) == 0;
}

/* Sorts, and leaves one rule for each block. Returns how many are left. */
static size_t put_in_order(struct rule *rules, size_t count) {
    const struct sort_of of = {compare_rules, swap_rules};
    size_t kept = 0;
    sort_items(rules, count, &of);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !is_about_same(&rules[kept - 1], &rules[i])) {
            rules[kept++] = rules[i];
        }
    }
    return kept;
}

/* True if the first `bits` bits are equal. */
static bool begins_alike(const uint32_t *a, const uint32_t *b, unsigned bits) {
    for (; bits >= 32; bits -= 32) {
        if (*a++ != *b++) {
            return false;
        }
    }
    return bits == 0 || (*a ^ *b) >> (32 - bits) == 0;
}

/* The smallest block that has the address, from the one at `index` on outwards. */
static uint32_t search_outwards(const struct half *half, uint32_t index, const uint32_t *words) {
    while (index != NOWHERE && !begins_alike(half->words + (size_t)index * half->word_count, words,
                                             half->nodes[index].prefix_bits)) {
        index = half->nodes[index].around;
    }
    return index;
}

static void fill_half(const struct rule_tree *tree, bool is_ipv4, const struct rule *rules) {
    struct half half = half_of(tree, is_ipv4);
    struct node *nodes = nodes_of(tree) + (half.nodes - nodes_of(tree));
    uint32_t *words = words_of(tree) + (half.words - words_of(tree));
    for (uint32_t i = 0; i < half.count; i++) {
        memcpy(words + (size_t)i * half.word_count, rules[i].words,
               half.word_count * sizeof *words);
        nodes[i] =
            (struct node){.around = search_outwards(&half, i > 0 ? i - 1 : NOWHERE, rules[i].words),
                          .line = rules[i].line,
                          .source = rules[i].source,
                          .prefix_bits = rules[i].prefix_bits,
                          .is_deny = rules[i].is_deny};
    }
}

struct rule_tree *rule_tree_create(struct rule *rules, size_t count, bool refuses_others,
                                   const char *sources, size_t sources_bytes) {
    must(count <= RULES_MAX_COUNT && sources_bytes <= UINT32_MAX);
    struct rule_tree measured = {.users_count = 1,
                                 .count = (uint32_t)put_in_order(rules, count),
                                 .sources_bytes = (uint32_t)sources_bytes,
                                 .refuses_others = refuses_others};
    while (measured.ipv4_count < measured.count && rules[measured.ipv4_count].is_ipv4) {
        measured.ipv4_count++;
    }
    struct rule_tree *tree = malloc(sizeof *tree + measured.count * sizeof(struct node) +
                                    word_total(&measured) * sizeof(uint32_t) + sources_bytes);
    if (tree != NULL) {
        *tree = measured;
        fill_half(tree, true, rules);
        fill_half(tree, false, rules + tree->ipv4_count);
        memcpy(sources_of(tree), sources, sources_bytes);
    }
    return tree;
}

void rule_tree_share(struct rule_tree *tree) {
    if (tree != NULL) {
        tree->users_count++;
    }
}

void rule_tree_release(struct rule_tree *tree) {
    if (tree != NULL) {
        must(tree->users_count > 0);
        if (--tree->users_count == 0) {
            free(tree);
        }
    }
}

/* ---- Looking up ---- */

/* The node that decides; NOWHERE = there is none. Sets *half. */
static uint32_t find(const struct rule_tree *tree, const struct address *address,
                     struct half *half) {
    struct address plain = *address;
    uint32_t words[4];
    address_unmap(&plain);
    *half = half_of(tree, plain.family == ADDRESS_IPV4);
    if (plain.family != ADDRESS_IPV4 && plain.family != ADDRESS_IPV6) {
        return NOWHERE;
    }
    read_words(&plain, words);
    uint32_t first = 0;
    for (uint32_t left = half->count; left > 0;) {
        uint32_t middle = first + left / 2;
        bool is_after = compare_words(half->words + (size_t)middle * half->word_count, words,
                                      half->word_count) > 0;
        first = is_after ? first : middle + 1;
        left = is_after ? left / 2 : left - left / 2 - 1;
    }
    return search_outwards(half, first > 0 ? first - 1 : NOWHERE, words);
}

static const char *source_name(const struct rule_tree *tree, uint32_t source) {
    const char *name = sources_of(tree);
    for (; source > 1; source--) {
        name += strlen(name) + 1;
    }
    return source == 0 ? NULL : name;
}

bool rule_tree_find(const struct rule_tree *tree, const struct address *address,
                    struct rule_found *out) {
    struct half half;
    uint32_t index = find(tree, address, &half);
    if (index == NOWHERE) {
        return false;
    }
    const struct node *node = &half.nodes[index];
    *out = (struct rule_found){.is_deny = node->is_deny != 0,
                               .source = source_name(tree, node->source),
                               .line = node->line};
    out->block.prefix_bits = node->prefix_bits;
    out->block.address.family = half.word_count == 1 ? ADDRESS_IPV4 : ADDRESS_IPV6;
    for (size_t i = 0; i < 4 * half.word_count; i++) {
        uint32_t word = half.words[(size_t)index * half.word_count + i / 4];
        out->block.address.bytes[i] = (uint8_t)(word >> (24 - 8 * (i % 4)));
    }
    return true;
}

bool rule_tree_allows(const struct rule_tree *tree, const struct address *address) {
    struct half half;
    uint32_t index = find(tree, address, &half);
    if (index != NOWHERE) {
        return half.nodes[index].is_deny == 0;
    }
    return tree->refuses_others == 0 &&
           (address->family == ADDRESS_IPV4 || address->family == ADDRESS_IPV6);
}
