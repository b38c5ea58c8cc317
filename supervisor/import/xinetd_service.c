/* xinetd.conf(5): from a block of attributes to an entry. */
#include "core/service/key.h"
#include "import/xinetd.h"

#include <stdio.h>
#include <string.h>

/* A service under way. */
struct reading {
    struct importer *importer;
    const struct xinetd_block *defaults, *block;
    struct import_entry *entry;
    bool is_internal;
    bool takes_name;                 /* NAMEINARGS */
    bool at_loopback4, at_loopback6; /* its clients are on this machine alone */
    /* What keeps clients out and is not carried over; NULL = nothing. */
    const struct xinetd_attribute *rule;
};

static const struct xinetd_attribute *find_in(const struct xinetd_block *block, const char *name) {
    const struct xinetd_attribute *attribute = block->first;
    while (attribute != NULL && strcmp(attribute->name, name) != 0) {
        attribute = attribute->next;
    }
    return attribute;
}

/* The service's own attribute, or that of defaults where one may stand there. */
static const struct xinetd_attribute *find(const struct reading *reading, const char *name) {
    const struct xinetd_attribute *own = find_in(reading->block, name);
    return own == NULL && xinetd_find(name)->in_defaults ? find_in(reading->defaults, name) : own;
}

/* The one word of an attribute; NULL if it is not given. */
static const char *word_of(const struct reading *reading, const char *name) {
    const struct xinetd_attribute *attribute = find(reading, name);
    return attribute == NULL || attribute->values.count == 0 ? NULL : attribute->values.items[0];
}

static bool has_word(const struct import_words *words, const char *word) {
    for (size_t i = 0; i < words->count; i++) {
        if (strcmp(words->items[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static void leave_out(struct reading *reading, const struct xinetd_attribute *attribute,
                      const char *why) {
    import_note(reading->importer, &reading->entry->notes, attribute->where, "%s: %s",
                text_excerpt(attribute->text).text, why);
}

/* True for a limit that is none, and what is not wanted: there is nothing to carry over. */
static bool asks_nothing(const struct xinetd_attribute *attribute) {
    const char *value = attribute->values.count == 1 ? attribute->values.items[0] : "";
    return (strcmp(attribute->name, "per_source") == 0 && strcmp(value, "UNLIMITED") == 0) ||
           (strcmp(attribute->name, "mdns") == 0 && strcmp(value, "no") == 0);
}

/* Everything that stands in the block and is not looked at further on. */
static void note_attributes(struct reading *reading) {
    const struct xinetd_attribute *attribute = reading->block->first;
    for (; attribute != NULL; attribute = attribute->next) {
        const struct xinetd_known *known = xinetd_find(attribute->name);
        if (known == NULL) {
            leave_out(reading, attribute, "xinetd has no such attribute; is it misspelt?");
        } else if (known->kind == XINETD_SINGLE &&
                   find_in(reading->block, attribute->name) != attribute) {
            leave_out(reading, attribute, "stands twice, and the first counts; delete this one");
        } else if (strcmp(attribute->name, "enabled") == 0 ||
                   strcmp(attribute->name, "disabled") == 0) {
            leave_out(reading, attribute, "belongs into defaults; here it is `disable`");
        } else if (known->restricts || asks_nothing(attribute)) {
            continue;
        } else if (known->cure != NULL) {
            leave_out(reading, attribute, known->cure);
        } else if (attribute->operation != '=' && known->kind != XINETD_LIST) {
            leave_out(reading, attribute, "takes `=` alone; it was read so");
        } else if (attribute->values.count != 1 && known->kind == XINETD_SINGLE &&
                   strcmp(attribute->name, "server_args") != 0 &&
                   strcmp(attribute->name, "redirect") != 0 &&
                   strcmp(attribute->name, "type") != 0) {
            leave_out(reading, attribute, "takes one value; the first was read");
        }
    }
}

/* The values in effect of a list: those of defaults, and what the service makes of them. */
static void collect(const struct reading *reading, const char *name, struct import_words *out,
                    const struct xinetd_attribute **last) {
    const struct xinetd_block *blocks[] = {reading->defaults, reading->block};
    for (size_t b = 0; b < 2; b++) {
        bool is_first = true;
        for (const struct xinetd_attribute *at = blocks[b]->first; at != NULL; at = at->next) {
            if (strcmp(at->name, name) != 0 || (b == 0 && !xinetd_find(name)->in_defaults)) {
                continue;
            }
            if (b == 1 && at->operation == '=' && is_first) {
                *out = (struct import_words){0};
            }
            is_first = false;
            *last = at;
            for (size_t i = 0; i < at->values.count; i++) {
                if (at->operation != '-') {
                    (void)import_words_add(reading->importer, out, at->values.items[i]);
                    continue;
                }
                for (size_t k = 0; k < out->count; k++) {
                    if (strcmp(out->items[k], at->values.items[i]) == 0) {
                        memmove(&out->items[k], &out->items[k + 1],
                                (out->count - k - 1) * sizeof *out->items);
                        out->count--;
                        k--;
                    }
                }
            }
        }
    }
}

static bool is_loopback4(const char *word) {
    static const char *const words[] = {"127.0.0.1", "127.0.0.1/32", "localhost", "127.0.0.0/8",
                                        "127.0.0.0"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i], word) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_loopback6(const char *word) {
    return strcmp(word, "::1") == 0 || strcmp(word, "::1/128") == 0;
}

static bool is_everyone(const char *word) {
    return strcmp(word, "0.0.0.0") == 0 || strcmp(word, "0.0.0.0/0") == 0 ||
           strcmp(word, "::/0") == 0;
}

/* Who may connect. Rules are not carried over, so a service that has any is switched off, but for
 * the rule that an address to listen at can say. */
static void read_rules(struct reading *reading) {
    struct import_words allowed = {0};
    struct import_words denied = {0};
    const struct xinetd_attribute *only_from = NULL;
    const struct xinetd_attribute *no_access = NULL;
    size_t loopback4_count = 0;
    size_t loopback6_count = 0;
    bool everyone = false;
    collect(reading, "only_from", &allowed, &only_from);
    collect(reading, "no_access", &denied, &no_access);
    for (size_t i = 0; i < allowed.count; i++) {
        loopback4_count += is_loopback4(allowed.items[i]);
        loopback6_count += is_loopback6(allowed.items[i]);
        everyone = everyone || is_everyone(allowed.items[i]);
    }
    reading->rule = find(reading, "access_times");
    reading->rule = denied.count > 0 ? no_access : reading->rule;
    if (only_from == NULL || everyone) {
        return;
    }
    if (allowed.count > 0 && loopback4_count + loopback6_count == allowed.count &&
        find(reading, "bind") == NULL && find(reading, "interface") == NULL) {
        reading->at_loopback4 = loopback4_count > 0;
        reading->at_loopback6 = loopback6_count > 0;
        import_remark(reading->importer, &reading->entry->notes, only_from->where,
                      "%s: it listens where this machine alone can reach it, instead",
                      text_excerpt(only_from->text).text);
    } else {
        reading->rule = only_from;
    }
}

static void apply_rule(struct reading *reading) {
    struct import_entry *entry = reading->entry;
    if (reading->rule == NULL || entry->dropped) {
        return;
    }
    import_note(reading->importer, &entry->notes, reading->rule->where,
                "%s: Baton has no such rule, so this is switched off rather than opened to "
                "everyone; have a firewall or tcpd guard it, then delete `enabled = no`",
                text_excerpt(reading->rule->text).text);
    entry->disabled = true;
}

static void read_flags(struct reading *reading) {
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    struct import_words flags = {0};
    const struct xinetd_attribute *where = NULL;
    collect(reading, "flags", &flags, &where);
    for (size_t i = 0; i < flags.count; i++) {
        const char *flag = flags.items[i];
        bool is_tcp = entry->protocol == PROTOCOL_TCP;
        if (strcmp(flag, "NODELAY") == 0) {
            entry->nodelay = is_tcp;
        } else if (strcmp(flag, "KEEPALIVE") == 0) {
            entry->keepalive = is_tcp;
        } else if (strcmp(flag, "NAMEINARGS") == 0) {
            reading->takes_name = true;
        } else if (strcmp(flag, "IPv4") == 0) {
            entry->family = IMPORT_IPV4;
        } else if (strcmp(flag, "IPv6") == 0) {
            entry->family = IMPORT_DUAL;
        } else if (strcmp(flag, "SENSOR") == 0) {
            import_drop(importer, entry, "flag SENSOR: there are no sensors");
        } else if (strcmp(flag, "DISABLE") == 0) {
            entry->disabled = true;
        } else if (strcmp(flag, "IDONLY") == 0) {
            reading->rule = where;
        } else if (strcmp(flag, "INTERCEPT") == 0) {
            import_note(importer, &entry->notes, where->where,
                        "flag INTERCEPT: what a socket that was handed over gets is not looked at");
        } else if (strcmp(flag, "LABELED") == 0) {
            import_note(importer, &entry->notes, where->where,
                        "flag LABELED: handlers have batond's SELinux context");
        } else if (strcmp(flag, "NORETRY") == 0) {
            import_note(importer, &entry->notes, where->where,
                        "flag NORETRY: `attempts` says how often a launch is tried");
        } else if (strcmp(flag, "REUSE") != 0 && strcmp(flag, "NOLIBWRAP") != 0) {
            import_note(importer, &entry->notes, where->where,
                        "flag `%s`: xinetd has no such flag; is it misspelt?",
                        text_excerpt(flag).text);
        }
    }
}

/* Type, socket and protocol: what kind of service it is. */
static bool read_kind(struct reading *reading) {
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *type = find(reading, "type");
    const char *socket_type = word_of(reading, "socket_type");
    const char *protocol = word_of(reading, "protocol");
    const char *wait = word_of(reading, "wait");
    for (size_t i = 0; type != NULL && i < type->values.count; i++) {
        const char *word = type->values.items[i];
        if (strcmp(word, "RPC") == 0) {
            import_drop(importer, entry,
                        "services of Sun RPC are not registered with rpcbind; "
                        "start this one by itself");
        } else if (strncmp(word, "TCPMUX", 6) == 0) {
            import_drop(importer, entry,
                        "TCPMUX (RFC 1078) is not served; give the service a port "
                        "of its own");
        } else if (strcmp(word, "INTERNAL") == 0) {
            reading->is_internal = true;
        } else if (strcmp(word, "UNLISTED") != 0) {
            leave_out(reading, type, "xinetd has no such type; is it misspelt?");
        }
    }
    if (entry->dropped) {
        return false;
    }
    if (socket_type == NULL || wait == NULL) {
        import_drop(importer, entry, "it has no `%s`, which xinetd needs; add that",
                    socket_type == NULL ? "socket_type" : "wait");
        return false;
    }
    bool is_dgram = strcmp(socket_type, "dgram") == 0;
    if ((!is_dgram && strcmp(socket_type, "stream") != 0) ||
        (protocol != NULL && strcmp(protocol, is_dgram ? "udp" : "tcp") != 0)) {
        import_drop(importer, entry,
                    "a `%s` socket of `%s`; what Baton serves is stream sockets of tcp, and dgram "
                    "sockets of udp",
                    text_excerpt(socket_type).text,
                    protocol == NULL ? "its usual protocol" : text_excerpt(protocol).text);
        return false;
    }
    bool waits = strcmp(wait, "yes") == 0;
    if (!waits && strcmp(wait, "no") != 0) {
        import_drop(importer, entry, "`wait = %s`; give yes or no", text_excerpt(wait).text);
        return false;
    }
    entry->protocol = is_dgram ? PROTOCOL_UDP : PROTOCOL_TCP;
    entry->handoff = waits ? HANDOFF_LISTENER : HANDOFF_STDIO;
    return true;
}

static void read_instances(struct reading *reading) {
    const struct xinetd_attribute *instances = find(reading, "instances");
    const struct key *key = key_find("max_connections", KEY_IN_SERVICE);
    struct import_entry *entry = reading->entry;
    struct key_message message;
    uint32_t number = 0;
    if (instances == NULL || instances->values.count == 0) {
        return;
    }
    bool is_own = find_in(reading->block, "instances") == instances;
    if (entry->handoff == HANDOFF_LISTENER) {
        if (is_own) {
            leave_out(reading, instances, "a handler that waits is one process at a time");
        }
    } else if (strcmp(instances->values.items[0], "UNLIMITED") == 0) {
        leave_out(reading, instances, "there always is a limit; see `max_connections`");
    } else if (!key_parse(key, instances->values.items[0], &number, &message)) {
        leave_out(reading, instances, message.text);
    } else {
        entry->max_connections_count = number;
    }
}

static void read_environment(struct reading *reading) {
    const struct xinetd_attribute *where = NULL;
    struct import_words words = {0};
    struct import_entry *entry = reading->entry;
    collect(reading, "env", &words, &where);
    for (size_t i = 0; i < words.count; i++) {
        const char *word = words.items[i];
        size_t length = 0;
        bool is_late = false;
        while (text_is_name_char(word[length])) {
            length++;
        }
        bool is_name = word[length] == '=' && length > 0 && !(word[0] >= '0' && word[0] <= '9');
        bool is_ours = strncmp(word, "BATON_", 6) == 0 || strncmp(word, "LISTEN_FDS=", 11) == 0 ||
                       strncmp(word, "LISTEN_PID=", 11) == 0 ||
                       strncmp(word, "LISTEN_FDNAMES=", 15) == 0;
        for (size_t k = i + 1; is_name && k < words.count; k++) {
            is_late = is_late || strncmp(words.items[k], word, length + 1) == 0;
        }
        if (!is_name || is_ours) {
            import_note(reading->importer, &entry->notes, where->where, "env: `%s` is %s",
                        text_excerpt(word).text,
                        is_name ? "a name that Baton sets itself; choose another"
                                : "not NAME=VALUE; correct it");
        } else if (!is_late) {
            (void)import_words_add(reading->importer, &entry->environment, word);
        }
    }
}

static void read_server(struct reading *reading) {
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *redirect = find(reading, "redirect");
    const struct xinetd_attribute *arguments = find(reading, "server_args");
    const char *server = word_of(reading, "server");
    size_t skip = 0;
    if (redirect != NULL && entry->protocol == PROTOCOL_TCP) {
        if (redirect->values.count != 2) {
            import_drop(importer, entry, "`%s`: redirect takes a host and a port",
                        text_excerpt(redirect->text).text);
            return;
        }
        entry->handoff = HANDOFF_CHANNEL;
        entry->program = "forward";
        entry->words = redirect->values;
        return;
    }
    if (reading->is_internal) {
        import_entry_builtin(importer, entry, reading->block->name);
        return;
    }
    if (entry->protocol == PROTOCOL_UDP && entry->handoff == HANDOFF_STDIO) {
        import_drop(importer, entry,
                    "a dgram service with `wait = no`: there is one socket for "
                    "all clients; if the program reads the socket itself, say "
                    "`wait = yes`");
        return;
    }
    if (server == NULL) {
        import_drop(importer, entry, "it has no `server`, which xinetd needs; add that");
        return;
    }
    if (!import_entry_program(importer, entry, server)) {
        return;
    }
    entry->argv0 = strrchr(server, '/') + 1;
    if (reading->takes_name && arguments != NULL && arguments->values.count > 0) {
        entry->argv0 = arguments->values.items[0];
        skip = 1;
    }
    if (arguments != NULL && arguments->values.count > skip) {
        entry->words.items = arguments->values.items + skip;
        entry->words.count = arguments->values.count - skip;
    }
}

static void read_users(struct reading *reading) {
    static const char *const names[] = {"user", "group"};
    char what[128];
    for (size_t i = 0; i < 2; i++) {
        const struct xinetd_attribute *attribute = find(reading, names[i]);
        if (attribute != NULL && attribute->values.count > 0 && reading->entry->program[0] == '/') {
            snprintf(what, sizeof what, "%s = %s", names[i],
                     text_excerpt(attribute->values.items[0]).text);
            import_entry_user(reading->importer, reading->entry, attribute->where, what);
        }
    }
}

/* yes or no; anything else is left out. */
static bool is_yes(struct reading *reading, const char *name) {
    const struct xinetd_attribute *attribute = find(reading, name);
    const char *word = word_of(reading, name);
    bool yes = word != NULL && strcmp(word, "yes") == 0;
    if (attribute != NULL && !yes && (word == NULL || strcmp(word, "no") != 0)) {
        leave_out(reading, attribute, "takes yes or no");
    }
    return yes;
}

static void read_enabled(struct reading *reading) {
    struct import_words enabled = {0};
    struct import_words disabled = {0};
    const struct xinetd_attribute *has_enabled = find_in(reading->defaults, "enabled");
    const struct xinetd_attribute *where = NULL;
    const char *id = reading->entry->label;
    const struct reading no_block = {.importer = reading->importer,
                                     .defaults = reading->defaults,
                                     .block = &(struct xinetd_block){0}};
    collect(&no_block, "enabled", &enabled, &where);
    collect(&no_block, "disabled", &disabled, &where);
    reading->entry->disabled = is_yes(reading, "disable") || has_word(&disabled, id) ||
                               (has_enabled != NULL && !has_word(&enabled, id));
}

static void read_addresses(struct reading *reading) {
    struct import_entry *entry = reading->entry;
    const char *host = word_of(reading, "bind");
    const char *port = word_of(reading, "port");
    host = host == NULL ? word_of(reading, "interface") : host;
    if (is_yes(reading, "v6only")) {
        entry->family = IMPORT_IPV6;
    }
    if (!import_entry_port(reading->importer, entry, port == NULL ? reading->block->name : port)) {
        return;
    }
    if (reading->at_loopback4) {
        import_entry_host(reading->importer, entry, "127.0.0.1");
    }
    if (reading->at_loopback6) {
        import_entry_host(reading->importer, entry, "::1");
    }
    if (!reading->at_loopback4 && !reading->at_loopback6) {
        import_entry_host(reading->importer, entry, host);
    }
}

void xinetd_add_service(struct importer *importer, const struct xinetd_block *defaults,
                        const struct xinetd_block *block) {
    struct reading reading = {.importer = importer, .defaults = defaults, .block = block};
    const struct xinetd_attribute *id = find_in(block, "id");
    const char *label = id != NULL && id->values.count > 0 ? id->values.items[0] : block->name;
    reading.entry = import_entry_add(importer, block->where, label);
    if (reading.entry == NULL) {
        return;
    }
    reading.entry->family = IMPORT_DUAL;
    read_enabled(&reading);
    if (read_kind(&reading)) {
        read_rules(&reading);
        read_flags(&reading);
        read_server(&reading);
        if (!reading.entry->dropped) {
            read_addresses(&reading);
        }
        if (!reading.entry->dropped) {
            read_instances(&reading);
            read_environment(&reading);
            read_users(&reading);
            note_attributes(&reading);
        }
        apply_rule(&reading);
    }
}
