/* Who may connect, and when, by xinetd.conf(5). */
#include "core/base/text.h"
#include "import/xinetd.h"

#include <string.h>

#define LIST_MAX_BYTES 400 /* of a rule's values in a comment; longer ones are cut */

/* only_from or no_access, as it is in force for a service. */
struct list {
    struct importer *importer;
    struct import_words words; /* for comments */
    struct xinetd_blocks blocks;
    const char *odd;                     /* a word that is not understood; NULL = none */
    bool takes_away;                     /* entries are taken away again */
    const struct xinetd_attribute *last; /* that has a part in it; NULL = there is no such rule */
};

static void add_to_list(void *context, const struct xinetd_attribute *attribute, bool replaces) {
    struct list *list = context;
    struct xinetd_blocks removed = {.is_ipv4 = list->blocks.is_ipv4};
    bool removes = attribute->operation == '-';
    if (replaces) {
        list->words.count = list->blocks.count = 0;
        list->odd = NULL;
        list->takes_away = false;
    }
    list->last = attribute;
    list->takes_away = list->takes_away || removes;
    for (size_t i = 0; i < attribute->values.count; i++) {
        const char *word = attribute->values.items[i];
        if (removes && strchr(word, ':') != NULL) {
            list->odd = word; /* to xinetd no block of IPv4, though it may have become one here */
        }
        if (!xinetd_add_word(list->importer, removes ? &removed : &list->blocks, word)) {
            list->odd = word;
        }
        if (!removes) {
            (void)import_words_add(list->importer, &list->words, word);
        }
    }
    xinetd_remove_blocks(&list->blocks, &removed);
}

static void read_list(struct xinetd_reading *reading, const char *name, bool is_ipv4,
                      struct list *out) {
    *out = (struct list){.importer = reading->importer, .blocks = {.is_ipv4 = is_ipv4}};
    xinetd_each(&reading->config->defaults, reading->block, name, add_to_list, out);
    /* Blocks of IPv6 may have become some of IPv4, and then it is not known which of them went. */
    for (size_t i = 0; i < out->words.count && out->takes_away; i++) {
        out->odd = strchr(out->words.items[i], ':') != NULL ? out->words.items[i] : out->odd;
    }
}

/* The values as they stand, for a comment. */
static const char *join(struct importer *importer, const struct import_words *words) {
    char text[LIST_MAX_BYTES + 8] = "";
    size_t length = 0;
    for (size_t i = 0; i < words->count; i++) {
        size_t word_length = strlen(words->items[i]);
        if (length + word_length + 5 > LIST_MAX_BYTES) {
            text_format(text + length, sizeof text - length, " ...");
            break;
        }
        length += (size_t)text_format(text + length, sizeof text - length, "%s%s", i > 0 ? " " : "",
                                      words->items[i]);
    }
    const char *out = arena_text(importer->arena, words->count == 0 ? "(nobody)" : text);
    return out == NULL ? "" : out;
}

/* The rule is not said, or not all of it. */
static void say_off(struct xinetd_reading *reading, const char *name, const struct list *list,
                    const char *why, const char *cure) {
    import_off(reading->importer, reading->entry, list->last->where,
               "%s = %s: %s, so this is switched off rather than opened to everyone; %s, then "
               "delete `enabled = no`",
               name, join(reading->importer, &list->words), why, cure);
}

static void say_unseen(struct xinetd_reading *reading, const char *name, const struct list *list) {
    say_off(reading, name, list, "clients of a socket that is handed over are not seen",
            "have a firewall or tcpd guard it");
}

static void say_odd(struct xinetd_reading *reading, const char *name, const struct list *list) {
    char why[256];
    text_format(why, sizeof why,
                "whom xinetd means by `%s` cannot be told here: names are not looked up, and forms "
                "other than ADDRESS and ADDRESS/BITS it takes in ways of its own",
                text_excerpt(list->odd).text);
    say_off(reading, name, list, why,
            strcmp(name, "no_access") == 0 ? "give addresses in `deny`"
                                           : "give addresses in `allow`");
}

/* The blocks as a value. */
static void set_list(struct xinetd_reading *reading, enum key_id id,
                     const struct xinetd_blocks *blocks) {
    const size_t most_bytes = ADDRESS_TEXT_SIZE + 8; /* of one */
    char *text = arena_alloc(reading->importer->arena, (blocks->count + 1) * most_bytes);
    size_t length = 0;
    for (size_t i = 0; text != NULL && i < blocks->count; i++) {
        const struct address_block *block = &blocks->items[i];
        char host[ADDRESS_TEXT_SIZE];
        bool is_one = block->prefix_bits == (block->address.family == ADDRESS_IPV4 ? 32u : 128u);
        address_print_host(&block->address, host, sizeof host);
        length += (size_t)text_format(text + length, most_bytes, "%s%s", i > 0 ? ", " : "", host);
        if (!is_one) {
            length += (size_t)text_format(text + length, most_bytes, "/%u", block->prefix_bits);
        }
    }
    if (length > 0) {
        import_entry_set(reading->importer, reading->entry, id, text);
    }
}

/* True if the list has every address of a family. */
static bool has_all(const struct xinetd_blocks *blocks, enum address_family family) {
    const struct address_block all = {.address = {.family = family}};
    for (size_t i = 0; i < blocks->count; i++) {
        if (xinetd_block_has(&blocks->items[i], &all)) {
            return true;
        }
    }
    return false;
}

static bool has_family(const struct xinetd_blocks *blocks, enum address_family family) {
    for (size_t i = 0; i < blocks->count; i++) {
        if (blocks->items[i].address.family == family) {
            return true;
        }
    }
    return false;
}

/* True if the socket is one for IPv4 alone. */
static bool is_ipv4(const struct xinetd_reading *reading) {
    const char *host = xinetd_word(reading, "bind");
    return reading->entry->family == IMPORT_IPV4 || (host != NULL && strchr(host, ':') == NULL);
}

/* Whoever is in both lists Debian's xinetd keeps out, whichever matches better: what is allowed
 * within what is denied is left out, since in Baton the better match would let it in. */
static void drop_denied(struct xinetd_reading *reading, struct list *allowed,
                        const struct list *denied) {
    size_t kept_count = 0;
    for (size_t i = 0; i < allowed->blocks.count; i++) {
        bool is_denied = false;
        for (size_t k = 0; k < denied->blocks.count; k++) {
            is_denied =
                is_denied || xinetd_block_has(&denied->blocks.items[k], &allowed->blocks.items[i]);
        }
        if (!is_denied) {
            allowed->blocks.items[kept_count++] = allowed->blocks.items[i];
        }
    }
    if (kept_count < allowed->blocks.count) {
        import_remark(reading->importer, &reading->entry->notes, denied->last->where,
                      "no_access = %s: xinetd keeps out whoever it names, though its manual has "
                      "the better match decide; what only_from has within it is left out",
                      join(reading->importer, &denied->words));
    }
    allowed->blocks.count = kept_count;
}

/* Clients of a socket that is handed over are not seen, but where it listens can say who comes. */
static void read_unseen(struct xinetd_reading *reading, const struct list *allowed) {
    const struct address_block loopback[] = {{{ADDRESS_IPV4, {127}, 0, false, 0, 0, 0}, 8},
                                             {{ADDRESS_IPV6, {[15] = 1}, 0, false, 0, 0, 0}, 128}};
    struct import_entry *entry = reading->entry;
    bool is_local = allowed->blocks.count > 0 && xinetd_get(reading, "bind") == NULL;
    bool has[2] = {false, false};
    if (entry->protocol == PROTOCOL_TCP) {
        import_was_off(reading->importer, entry, allowed->last->where,
                       "only_from = %s: xinetd does not see who comes to a service that waits for "
                       "streams, and serves nobody",
                       join(reading->importer, &allowed->words));
        return;
    }
    for (size_t i = 0; i < allowed->blocks.count; i++) {
        for (size_t k = 0; k < 2; k++) {
            bool is_all = xinetd_block_has(&allowed->blocks.items[i], &loopback[k]) &&
                          xinetd_block_has(&loopback[k], &allowed->blocks.items[i]);
            has[k] = has[k] || is_all;
        }
        is_local = is_local && (xinetd_block_has(&loopback[0], &allowed->blocks.items[i]) ||
                                xinetd_block_has(&loopback[1], &allowed->blocks.items[i]));
    }
    bool is_exact = is_local && allowed->blocks.count == (size_t)has[0] + has[1];
    reading->at_loopback4 =
        is_local && has_family(&allowed->blocks, ADDRESS_IPV4) && entry->family != IMPORT_IPV6;
    reading->at_loopback6 = is_local && has[1];
    if (is_exact && (reading->at_loopback4 || reading->at_loopback6)) {
        import_remark(reading->importer, &entry->notes, allowed->last->where,
                      "only_from = %s: it listens where this machine alone can reach it, instead",
                      join(reading->importer, &allowed->words));
    } else if (reading->at_loopback4 || reading->at_loopback6) {
        say_off(reading, "only_from", allowed,
                "it listens where this machine alone can reach it, but by any address of "
                "127.0.0.0/8",
                "make sure that this will do");
    } else {
        say_unseen(reading, "only_from", allowed);
    }
}

static void read_only_from(struct xinetd_reading *reading, const struct list *allowed) {
    struct import_entry *entry = reading->entry;
    bool ipv4 = allowed->blocks.is_ipv4;
    bool all4 = has_all(&allowed->blocks, ADDRESS_IPV4);
    bool is_all = all4 && (ipv4 || has_all(&allowed->blocks, ADDRESS_IPV6));
    bool is_bound = xinetd_get(reading, "bind") != NULL;
    if (is_all && (entry->protocol == PROTOCOL_UDP || entry->handoff != HANDOFF_LISTENER)) {
        return;
    }
    if (all4 && !is_bound && !has_family(&allowed->blocks, ADDRESS_IPV6) &&
        entry->family == IMPORT_DUAL &&
        (entry->protocol == PROTOCOL_UDP || entry->handoff != HANDOFF_LISTENER)) {
        entry->family = IMPORT_IPV4;
        import_remark(reading->importer, &entry->notes, allowed->last->where,
                      "only_from = %s: no client by IPv6 is meant, so it listens for IPv4 alone",
                      join(reading->importer, &allowed->words));
        return;
    }
    if (entry->handoff == HANDOFF_LISTENER) {
        read_unseen(reading, allowed);
    } else if (allowed->blocks.count == 0) {
        import_was_off(reading->importer, entry, allowed->last->where,
                       "only_from leaves nobody in: xinetd serves nobody so");
    } else {
        set_list(reading, KEY_ALLOW, &allowed->blocks);
    }
}

static void read_addresses(struct xinetd_reading *reading) {
    struct list allowed;
    struct list denied;
    bool ipv4 = is_ipv4(reading);
    read_list(reading, "only_from", ipv4, &allowed);
    read_list(reading, "no_access", ipv4, &denied);
    if (allowed.last != NULL && denied.last != NULL) {
        drop_denied(reading, &allowed, &denied);
    }
    if (allowed.last != NULL && allowed.odd != NULL) {
        say_odd(reading, "only_from", &allowed);
        if (reading->entry->handoff != HANDOFF_LISTENER) {
            set_list(reading, KEY_ALLOW, &allowed.blocks);
        }
    } else if (allowed.last != NULL) {
        read_only_from(reading, &allowed);
    }
    if (denied.last == NULL) {
        return;
    }
    if (denied.odd != NULL) {
        say_odd(reading, "no_access", &denied);
    }
    if (denied.words.count > 0 && reading->entry->handoff == HANDOFF_LISTENER) {
        say_unseen(reading, "no_access", &denied);
    } else {
        set_list(reading, KEY_DENY, &denied.blocks);
    }
}

static void read_times(struct xinetd_reading *reading) {
    const struct xinetd_attribute *times = xinetd_get(reading, "access_times");
    char value[XINETD_TIMES_MAX_COUNT * 16];
    if (times != NULL && xinetd_read_times(&times->values, value)) {
        import_entry_set(reading->importer, reading->entry, KEY_HOURS, value);
    }
}

/* A list in `defaults` below the service: xinetd applies it to those that follow. */
static void read_late(struct xinetd_reading *reading) {
    const struct xinetd_attribute *at = reading->config->defaults.first;
    for (; at != NULL; at = at->next) {
        if (at->is_taken && at->order > reading->block->order &&
            (at->known->values == XINETD_ADDRESSES || at->known->values == XINETD_TIMES)) {
            import_off(reading->importer, reading->entry, at->where,
                       "%s: a rule of `defaults` below the service, which may be meant for it, so "
                       "this is switched off; put `defaults` above",
                       text_excerpt(at->text).text);
        }
    }
}

void xinetd_read_rules(struct xinetd_reading *reading) {
    read_addresses(reading);
    read_times(reading);
    read_late(reading);
}
