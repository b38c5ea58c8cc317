/* Who may connect, by xinetd.conf(5). */
#include "import/xinetd.h"

#include <stdio.h>
#include <string.h>

#define LIST_MAX_BYTES 400 /* of a rule's values in a comment; longer ones are cut */

/* The values as xinetd has them in force, for a comment. */
static const char *join(struct importer *importer, const struct import_words *words) {
    char text[LIST_MAX_BYTES + 8] = "";
    size_t length = 0;
    for (size_t i = 0; i < words->count; i++) {
        size_t word_length = strlen(words->items[i]);
        if (length + word_length + 5 > LIST_MAX_BYTES) {
            snprintf(text + length, sizeof text - length, " ...");
            break;
        }
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s", i > 0 ? " " : "",
                                   words->items[i]);
    }
    const char *out = arena_text(importer->arena, words->count == 0 ? "(nobody)" : text);
    return out == NULL ? "" : out;
}

static void say_rule(struct xinetd_reading *reading, const char *name,
                     const struct import_words *values, struct import_where where) {
    import_off(reading->importer, reading->entry, where,
               "%s = %s: Baton has no such rule, so this is switched off rather than opened to "
               "everyone; have a firewall or tcpd guard it, then delete `enabled = no`",
               name, join(reading->importer, values));
}

/* What kinds of addresses a list has, and whether it has others. */
struct kinds {
    bool any4, any6;
    bool loopback4, loopback6; /* all that are this machine's own */
    bool host4;                /* one of those by IPv4 alone */
    bool others;
};

static struct kinds kinds_of(const struct import_words *words) {
    struct kinds kinds = {false, false, false, false, false, false};
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->items[i];
        if (xinetd_lists(" 0.0.0.0 0.0.0.0/0 ", word)) {
            kinds.any4 = true;
        } else if (strcmp(word, "::/0") == 0) {
            kinds.any6 = true;
        } else if (xinetd_lists(" 127.0.0.0 127.0.0.0/8 ", word)) {
            kinds.loopback4 = true;
        } else if (xinetd_lists(" 127.0.0.1 127.0.0.1/32 localhost ", word)) {
            kinds.host4 = true;
        } else if (strcmp(word, "::1") == 0) {
            kinds.loopback6 = true;
        } else {
            kinds.others = true;
        }
    }
    return kinds;
}

/* True if xinetd takes entries away: by their numbers, and we see words alone. */
static bool takes_away(const struct xinetd_block *block, const char *name) {
    for (const struct xinetd_attribute *at = block->first; at != NULL; at = at->next) {
        if (at->is_taken && at->operation == '-' && strcmp(at->known->name, name) == 0) {
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

/* A rule that the addresses to listen at can say; else it switches the service off. */
static void read_only_from(struct xinetd_reading *reading, const struct import_words *allowed,
                           const struct xinetd_attribute *last) {
    struct import_entry *entry = reading->entry;
    struct kinds kinds = kinds_of(allowed);
    bool is_bound = xinetd_get(reading, "bind") != NULL;
    bool sees_words = !takes_away(&reading->config->defaults, "only_from") &&
                      !takes_away(reading->block, "only_from");
    bool ipv4 = is_ipv4(reading);
    if (sees_words && ((kinds.any6 && !ipv4) || (kinds.any4 && ipv4))) {
        return; /* a client by IPv4 matches ::/0 at a socket for both */
    }
    if (sees_words && kinds.any4 && !is_bound && entry->family == IMPORT_DUAL) {
        entry->family = IMPORT_IPV4;
        import_remark(reading->importer, &entry->notes, last->where,
                      "only_from = %s: no client by IPv6 is meant, so it listens for IPv4 alone",
                      join(reading->importer, allowed));
        return;
    }
    bool is_local = allowed->count > 0 && sees_words && !kinds.others && !kinds.any4 &&
                    !kinds.any6 && !is_bound;
    bool has4 = kinds.loopback4 || kinds.host4;
    reading->at_loopback4 = is_local && has4 && entry->family != IMPORT_IPV6;
    reading->at_loopback6 = is_local && kinds.loopback6 && !ipv4;
    if (!reading->at_loopback4 && !reading->at_loopback6) {
        say_rule(reading, "only_from", allowed, last->where);
    } else if (kinds.host4 && !kinds.loopback4) {
        import_off(
            reading->importer, entry, last->where,
            "only_from = %s: Baton has no such rule; it listens where this machine alone can "
            "reach it, but by any address of 127.0.0.0/8; if that will do, delete "
            "`enabled = no`",
            join(reading->importer, allowed));
    } else {
        import_remark(reading->importer, &entry->notes, last->where,
                      "only_from = %s: it listens where this machine alone can reach it, instead",
                      join(reading->importer, allowed));
    }
}

/* A list in `defaults` below the service: xinetd applies it to those that follow. */
static void read_late(struct xinetd_reading *reading) {
    const struct xinetd_attribute *at = reading->config->defaults.first;
    for (; at != NULL; at = at->next) {
        if (at->is_taken && at->order > reading->block->order && at->known->restricts &&
            at->known->cure != NULL) {
            import_off(reading->importer, reading->entry, at->where,
                       "%s: a rule of `defaults` below the service, which may be meant for it, so "
                       "this is switched off; put `defaults` above",
                       text_excerpt(at->text).text);
        }
    }
}

void xinetd_read_rules(struct xinetd_reading *reading) {
    struct import_words allowed = {0};
    struct import_words denied = {0};
    const struct xinetd_attribute *only_from = NULL;
    const struct xinetd_attribute *no_access = NULL;
    const struct xinetd_attribute *times = xinetd_get(reading, "access_times");
    const struct xinetd_block *defaults = &reading->config->defaults;
    xinetd_collect(reading->importer, defaults, reading->block, "only_from", &allowed, &only_from);
    xinetd_collect(reading->importer, defaults, reading->block, "no_access", &denied, &no_access);
    if (only_from != NULL) {
        read_only_from(reading, &allowed, only_from);
    }
    if (denied.count > 0) {
        say_rule(reading, "no_access", &denied, no_access->where);
    }
    if (times != NULL) {
        say_rule(reading, "access_times", &times->values, times->where);
    }
    read_late(reading);
}
