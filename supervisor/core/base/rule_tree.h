/*
 * Rules about blocks of addresses: of those that have an address, the most specific one decides.
 *
 * A prefix tree, flat: the blocks stand in the order of their first addresses, and each knows the
 * smallest one around it. An address is looked up by a binary search for the last block that
 * begins at or before it; whichever has the address is that block or one around it, at most 32 or
 * 128 steps up. A tree is one piece of memory without pointers, 16 bytes for a rule of IPv4 and 28
 * for one of IPv6, and is the same wherever it is copied to. It does not change once made, and is
 * counted by those who use it.
 */
#ifndef BATON_BASE_RULE_TREE_H
#define BATON_BASE_RULE_TREE_H

#include "core/base/address.h"

#define RULES_MAX_COUNT 1000000u /* of all trees of a config together */

/* A rule that is not in a tree yet. */
struct rule {
    uint32_t words[4]; /* the block's first address in host order; of IPv4 the first word */
    uint32_t line;     /* where it stands, from 1 */
    uint16_t source;   /* in which file: a number of rule_tree_create()'s `sources`, from 1; 0 = in
                          the config itself */
    uint8_t prefix_bits;
    bool is_ipv4 : 1;
    bool is_deny : 1;
};

struct rule_tree;

/* The rule that has decided. */
struct rule_found {
    struct address_block block;
    bool is_deny;
    const char *source; /* its file, as long as the tree lives; NULL = the config itself */
    size_t line;        /* there, from 1 */
};

/* Sets the block's words, prefix and family. */
void rule_set_block(struct rule *rule, const struct address_block *block);

/* Makes a tree of `count` (at most RULES_MAX_COUNT) rules, which it puts into another order. The
 * names of the files are `sources_bytes` bytes of texts, each with its NUL. `refuses_others`: an
 * address that no rule has is refused. Of rules about one block a deny holds. The tree has one
 * user; NULL when out of memory. */
struct rule_tree *rule_tree_create(struct rule *rules, size_t count, bool refuses_others,
                                   const char *sources, size_t sources_bytes);

/* One more user, and one less: with the last it is freed. NULL is accepted by both. */
void rule_tree_share(struct rule_tree *tree);
void rule_tree_release(struct rule_tree *tree);

/* A tree of one user as those bytes are, wherever they stand; NULL when out of memory. */
struct rule_tree *rule_tree_copy(const struct rule_tree *tree);

/* True if they decide alike about every address, and say the same of it, but for the lines of rules
 * that stand in the config itself. NULL: none. */
bool rule_tree_is_same(const struct rule_tree *a, const struct rule_tree *b);

/* The size of it all, for who copies it. */
size_t rule_tree_size_bytes(const struct rule_tree *tree);

/* The rule that decides about an address; false if there is none. IPv4-mapped addresses are IPv4;
 * port and zone do not matter; a local socket, or none, is in no block. */
bool rule_tree_find(const struct rule_tree *tree, const struct address *address,
                    struct rule_found *out);

/* What comes of it: true if the address is let in. One that is neither IPv4 nor IPv6 is not. */
bool rule_tree_allows(const struct rule_tree *tree, const struct address *address);

#endif
