/* xinetd.conf(5): from a block of attributes to an entry. */
#include "core/base/error.h"
#include "import/xinetd.h"

#include <stdio.h>
#include <string.h>

static bool has_word(const struct import_words *words, const char *word) {
    for (size_t i = 0; i < words->count; i++) {
        if (text_equal_nocase(words->items[i], word)) {
            return true;
        }
    }
    return false;
}

static bool is_yes(const struct xinetd_reading *reading, const char *name) {
    const char *word = xinetd_word(reading, name);
    return word != NULL && text_equal_nocase(word, "yes");
}

static void read_flags(struct xinetd_reading *reading) {
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *flags = xinetd_find_in(reading->block, "flags");
    bool is_tcp = entry->protocol == PROTOCOL_TCP;
    if (flags == NULL) {
        return;
    }
    const struct import_words *words = &flags->values;
    entry->nodelay = is_tcp && has_word(words, "NODELAY");
    entry->keepalive = is_tcp && has_word(words, "KEEPALIVE");
    reading->takes_name = has_word(words, "NAMEINARGS");
    reading->has_ipv6_flag = has_word(words, "IPv6");
    reading->has_ipv4_flag = !reading->has_ipv6_flag && has_word(words, "IPv4");
    reading->is_guarded = !has_word(words, "NOLIBWRAP");
    if (reading->has_ipv4_flag) {
        entry->family = IMPORT_IPV4;
    }
    if (has_word(words, "IDONLY")) {
        import_off(
            importer, entry, flags->where,
            "flag IDONLY: Baton has no such rule, so this is switched off rather than opened "
            "to everyone; have a firewall or tcpd guard it, then delete `enabled = no`");
    }
    if (has_word(words, "INTERCEPT")) {
        import_note(importer, &entry->notes, flags->where,
                    "flag INTERCEPT: what a socket that was handed over gets is not looked at");
    }
    if (has_word(words, "LABELED")) {
        import_off(importer, entry, flags->where,
                   "flag LABELED: handlers have batond's SELinux context and not the client's, so "
                   "this is switched off");
    }
    if (has_word(words, "NORETRY")) {
        import_note(importer, &entry->notes, flags->where,
                    "flag NORETRY: `attempts` says how often a launch is tried");
    }
}

/* xinetd 2.3.15 looks whether the service has `v6only`, not at its value, and never at the one of
 * `defaults`. */
static void read_v6only(struct xinetd_reading *reading) {
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *v6only = xinetd_get(reading, "v6only");
    if (v6only == NULL || reading->has_ipv4_flag) {
        return;
    }
    bool is_own = xinetd_find_in(reading->block, "v6only") == v6only;
    if (is_own) {
        entry->family = IMPORT_IPV6;
    }
    if (is_own != is_yes(reading, "v6only")) {
        import_remark(reading->importer, &entry->notes, v6only->where, "%s: xinetd %s",
                      text_excerpt(v6only->text).text,
                      is_own ? "serves IPv6 alone as soon as a service says `v6only`, even `no`"
                             : "does not heed it in `defaults`, and serves IPv4 as well");
    }
}

/* Type, socket and protocol: what kind of service it is. */
static bool read_kind(struct xinetd_reading *reading) {
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *type = xinetd_find_in(reading->block, "type");
    const struct import_words none = {0};
    const struct import_words *types = type == NULL ? &none : &type->values;
    const char *socket_type = xinetd_word(reading, "socket_type");
    const char *protocol = xinetd_word(reading, "protocol");
    if (has_word(types, "RPC")) {
        import_drop(
            importer, entry,
            "services of Sun RPC are not registered with rpcbind; start this one by itself");
        return false;
    }
    if (has_word(types, "TCPMUX") || has_word(types, "TCPMUXPLUS")) {
        import_drop(importer, entry,
                    "TCPMUX (RFC 1078) is not served; give the service a port of its own");
        return false;
    }
    reading->is_internal = has_word(types, "INTERNAL");
    reading->is_listed = !has_word(types, "UNLISTED");
    if (socket_type == NULL && protocol == NULL) {
        import_drop(importer, entry,
                    "it has neither `socket_type` nor `protocol`; xinetd needs one");
        return false;
    }
    /* xinetd takes the one from the other. */
    bool is_dgram = socket_type != NULL ? text_equal_nocase(socket_type, "dgram")
                                        : text_equal_nocase(protocol, "udp");
    bool is_stream = socket_type == NULL || text_equal_nocase(socket_type, "stream");
    if ((!is_dgram && !is_stream) ||
        (protocol != NULL && !text_equal_nocase(protocol, is_dgram ? "udp" : "tcp"))) {
        import_drop(importer, entry,
                    "a `%s` socket of `%s`; what Baton serves is stream sockets of tcp, and dgram "
                    "sockets of udp",
                    socket_type == NULL ? "stream" : text_excerpt(socket_type).text,
                    protocol == NULL ? "its usual protocol" : text_excerpt(protocol).text);
        return false;
    }
    if (protocol != NULL && strcmp(protocol, is_dgram ? "udp" : "tcp") != 0) {
        import_off(importer, entry, entry->where,
                   "`protocol = %s`: xinetd serves nobody so; write `%s`",
                   text_excerpt(protocol).text, is_dgram ? "udp" : "tcp");
    }
    if (xinetd_word(reading, "wait") == NULL) {
        import_drop(importer, entry, "it has no `wait`, which xinetd needs; add that");
        return false;
    }
    entry->protocol = is_dgram ? PROTOCOL_UDP : PROTOCOL_TCP;
    entry->handoff = is_yes(reading, "wait") ? HANDOFF_LISTENER : HANDOFF_STDIO;
    return true;
}

static void read_environment(struct xinetd_reading *reading) {
    const struct xinetd_attribute *where = NULL;
    struct import_words words = {0};
    struct import_entry *entry = reading->entry;
    xinetd_collect(reading->importer, &reading->config->defaults, reading->block, "env", &words,
                   &where);
    /* What xinetd sets unasked. */
    if (entry->handoff == HANDOFF_STDIO) {
        entry->fact = "REMOTE_HOST={peer_address}";
    }
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
        if (strncmp(word, "REMOTE_HOST=", 12) == 0) {
            entry->fact = NULL;
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

/* A service that xinetd hands on to another place. */
static void read_redirect(struct xinetd_reading *reading, const struct xinetd_attribute *redirect) {
    struct import_entry *entry = reading->entry;
    if (entry->protocol != PROTOCOL_TCP || entry->handoff != HANDOFF_STDIO ||
        reading->is_internal || reading->takes_name || xinetd_word(reading, "user") == NULL) {
        import_drop(reading->importer, entry,
                    "xinetd redirects streams alone, with `wait = no`, a `user`, no NAMEINARGS and "
                    "no INTERNAL, and has the service off");
        entry->was_off = true;
        return;
    }
    const struct import_machine *machine = reading->importer->machine;
    const char *port = redirect->values.items[1];
    bool is_number = port[strspn(port, "0123456789")] == '\0';
    uint16_t number = 0;
    if (is_number ? !address_parse_port(port, &number) || number == 0
                  : machine->find_port(machine->context, port, false, &number) != BATON_OK) {
        import_was_off(reading->importer, entry, redirect->where,
                       "%s: xinetd knows no such port, and has the service off for it",
                       text_excerpt(redirect->text).text);
    }
    entry->handoff = HANDOFF_CHANNEL;
    entry->program = "forward";
    entry->words = redirect->values;
}

static void read_arguments(struct xinetd_reading *reading, const char *server) {
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *arguments = xinetd_find_in(reading->block, "server_args");
    const struct xinetd_attribute *flags = xinetd_find_in(reading->block, "flags");
    size_t skip = reading->takes_name ? 1 : 0;
    entry->argv0 = strrchr(server, '/') + 1;
    if (reading->takes_name && arguments == NULL) {
        import_was_off(reading->importer, entry, flags->where,
                       "flag NAMEINARGS without `server_args`: xinetd has the service off for it");
        return;
    }
    if (reading->takes_name && arguments->order < flags->order) {
        import_off(reading->importer, entry, flags->where,
                   "flag NAMEINARGS below `server_args`: xinetd launches the program without any "
                   "argument so; put the flag above");
    }
    if (arguments != NULL) {
        entry->argv0 = skip > 0 ? arguments->values.items[0] : entry->argv0;
        entry->words.items = arguments->values.items + skip;
        entry->words.count = arguments->values.count - skip;
    }
}

static void read_server(struct xinetd_reading *reading) {
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *redirect = xinetd_find_in(reading->block, "redirect");
    const char *server = xinetd_word(reading, "server");
    const char *name = reading->block->name;
    if (redirect != NULL) {
        read_redirect(reading, redirect);
    } else if (reading->is_internal && reading->takes_name) {
        import_drop(importer, entry, "xinetd takes no NAMEINARGS with INTERNAL");
    } else if (reading->is_internal && name[0] >= '0' && name[0] <= '9') {
        import_drop(importer, entry, "xinetd knows what it does itself by name alone");
    } else if (reading->is_internal) {
        import_entry_builtin(importer, entry, name);
    } else if (entry->protocol == PROTOCOL_UDP && entry->handoff == HANDOFF_STDIO) {
        import_drop(importer, entry,
                    "a dgram service with `wait = no`: there is one socket for all clients; if the "
                    "program reads the socket itself, say `wait = yes`");
    } else if (server == NULL || xinetd_word(reading, "user") == NULL) {
        import_drop(importer, entry, "it has no `%s`, which xinetd needs; add that",
                    server == NULL ? "server" : "user");
        entry->was_off = true;
    } else if (import_entry_program(importer, entry, server)) {
        read_arguments(reading, server);
    }
}

static void read_users(struct xinetd_reading *reading) {
    const struct xinetd_attribute *user = xinetd_get(reading, "user");
    const struct xinetd_attribute *group = xinetd_get(reading, "group");
    struct import_entry *entry = reading->entry;
    const struct import_identity identity = {
        .user = xinetd_word(reading, "user"),
        .group = xinetd_word(reading, "group"),
        .takes_numbers = true,
        .groups = is_yes(reading, "groups") ? IMPORT_GROUPS_AND_OWN : IMPORT_GROUPS_NONE};
    if (identity.user == NULL && identity.group == NULL) {
        return;
    }
    import_entry_identity(reading->importer, entry, user != NULL ? user->where : group->where,
                          &identity);
    if (entry->program[0] != '/') { /* a handler of ours needs no rights of anybody */
        entry->values[KEY_USER] = entry->values[KEY_GROUP] = entry->values[KEY_GROUPS] = NULL;
    }
}

/* What is logged can switch a service off: bytes are counted for redirected ones alone. */
static void check_traffic(struct xinetd_reading *reading) {
    struct import_words words = {0};
    const struct xinetd_attribute *last = NULL;
    xinetd_collect(reading->importer, &reading->config->defaults, reading->block, "log_on_success",
                   &words, &last);
    if (has_word(&words, "TRAFFIC") && xinetd_find_in(reading->block, "redirect") == NULL) {
        import_was_off(reading->importer, reading->entry, last->where,
                       "log_on_success has TRAFFIC without `redirect`: xinetd has the service off "
                       "for it");
    }
}

static void visit_nothing(void *visitor, const char *name) {
    (void)visitor;
    (void)name;
}

/* xinetd does not serve what it cannot log. */
static void check_log(struct xinetd_reading *reading) {
    struct importer *importer = reading->importer;
    const struct import_machine *machine = importer->machine;
    const struct xinetd_attribute *log = xinetd_find_in(reading->block, "log_type");
    if (log == NULL || !text_equal_nocase(log->values.items[0], "FILE")) {
        return;
    }
    const char *file = log->values.items[1];
    const char *slash = strrchr(file, '/');
    if (slash == NULL || machine->list_folder == NULL) {
        return;
    }
    const char *folder = arena_copy(importer->arena, file, (size_t)(slash - file) + 1);
    if (folder != NULL &&
        (machine->list_folder(machine->context, folder, visit_nothing, NULL) == BATON_NOT_FOUND ||
         machine->list_folder(machine->context, file, visit_nothing, NULL) == BATON_OK)) {
        import_off(importer, reading->entry, log->where,
                   "%s: there can be no such file here, and xinetd has the service off for it",
                   text_excerpt(log->text).text);
    }
}

static void read_enabled(struct xinetd_reading *reading) {
    const struct xinetd_block *defaults = &reading->config->defaults;
    struct import_entry *entry = reading->entry;
    bool is_enabled = xinetd_find_in(defaults, "enabled") == NULL;
    bool is_disabled = is_yes(reading, "disable");
    for (const struct xinetd_attribute *at = defaults->first; at != NULL; at = at->next) {
        /* Whatever the operation is, xinetd adds the names. */
        bool is_named = at->is_taken && has_word(&at->values, entry->label);
        is_enabled = is_enabled || (is_named && strcmp(at->known->name, "enabled") == 0);
        is_disabled = is_disabled || (is_named && strcmp(at->known->name, "disabled") == 0);
    }
    entry->disabled = is_disabled || !is_enabled;
    entry->was_off = entry->disabled;
}

static void read_port(struct xinetd_reading *reading) {
    struct importer *importer = reading->importer;
    const struct import_machine *machine = importer->machine;
    struct import_entry *entry = reading->entry;
    const char *name = reading->block->name;
    const char *port = xinetd_word(reading, "port");
    uint16_t listed = 0;
    if (!reading->is_listed && port == NULL) {
        import_drop(importer, entry,
                    "it is UNLISTED and has no `port`, which xinetd needs; add that");
        return;
    }
    bool is_sole_name = reading->is_listed && port == NULL;
    bool is_digits = name[strspn(name, "0123456789")] == '\0';
    if (is_sole_name && !is_digits) {
        (void)import_entry_port(importer, entry, name);
        return;
    }
    if (!import_entry_port(importer, entry, port == NULL ? name : port) || !reading->is_listed) {
        return;
    }
    int found = is_digits ? BATON_NOT_FOUND
                          : machine->find_port(machine->context, name,
                                               entry->protocol == PROTOCOL_UDP, &listed);
    if (found != BATON_OK || listed != entry->port) {
        import_was_off(
            importer, entry, entry->where,
            "this system's list of services has no `%s` with that port, and xinetd has a "
            "service off that is not there, unless it says `type = UNLISTED`",
            text_excerpt(name).text);
    }
}

static void read_addresses(struct xinetd_reading *reading) {
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    const struct xinetd_attribute *bind = xinetd_get(reading, "bind");
    const char *host = xinetd_word(reading, "bind");
    bool is_ipv6 = host != NULL && strchr(host, ':') != NULL;
    if (host != NULL &&
        ((is_ipv6 && reading->has_ipv4_flag) || (!is_ipv6 && reading->has_ipv6_flag))) {
        import_off(importer, entry, bind->where,
                   "%s: an address of the other family than the flag's, of which xinetd makes "
                   "nothing or every address",
                   text_excerpt(bind->text).text);
    } else if (host != NULL && (strcmp(host, "*") == 0 || host[0] == '[')) {
        import_off(importer, entry, bind->where,
                   "%s: no address to xinetd, which serves nobody so; leave `bind` out for every "
                   "address, or give one without brackets",
                   text_excerpt(bind->text).text);
    } else if (host != NULL && strcmp(host, "localhost") == 0 && entry->family == IMPORT_IPV6) {
        import_off(importer, entry, bind->where,
                   "%s: of which family it is hangs on this system's list of hosts, and `v6only` "
                   "does not choose; give the address",
                   text_excerpt(bind->text).text);
    }
    if (reading->at_loopback4) {
        import_entry_host(importer, entry, "127.0.0.1");
    }
    if (reading->at_loopback6) {
        import_entry_host(importer, entry, "::1");
    }
    if (!reading->at_loopback4 && !reading->at_loopback6) {
        import_entry_host(importer, entry, host);
    }
}

/* What is dropped may have had a port all the same, and then nobody else had it. */
static void claim_port(struct xinetd_reading *reading) {
    struct importer *importer = reading->importer;
    const struct import_machine *machine = importer->machine;
    struct import_entry *entry = reading->entry;
    const char *port = xinetd_word(reading, "port");
    const char *socket_type = xinetd_word(reading, "socket_type");
    const char *protocol = xinetd_word(reading, "protocol");
    bool udp = protocol != NULL ? text_equal_nocase(protocol, "udp")
                                : socket_type != NULL && text_equal_nocase(socket_type, "dgram");
    entry->protocol = udp ? PROTOCOL_UDP : PROTOCOL_TCP;
    if (!entry->was_off &&
        (port != NULL ? address_parse_port(port, &entry->port)
                      : machine->find_port(machine->context, reading->block->name, udp,
                                           &entry->port) == BATON_OK)) {
        entry->port_text = port != NULL ? port : reading->block->name;
        import_entry_host(importer, entry, NULL);
    }
}

/* What holds for every service alike. */
static void read_config(struct xinetd_reading *reading) {
    const struct xinetd_config *config = reading->config;
    struct importer *importer = reading->importer;
    struct import_entry *entry = reading->entry;
    if (config->is_dead) {
        import_was_off(importer, entry, entry->where,
                       "xinetd does not get past `defaults`, see above");
    }
    if (config->are_unseen && config->seen_path != NULL) {
        import_off(importer, entry, entry->where,
                   "%.500s %s, so whose `defaults` hold is not known, and this is switched off; "
                   "name the right xinetd.conf with --defaults FILE, or say --no-defaults",
                   config->seen_path, config->seen_why);
    } else if (config->are_unseen) {
        import_off(
            importer, entry, entry->where,
            "no xinetd.conf was seen beside it or above, whose `defaults` may have rules, so "
            "this is switched off; name it with --defaults FILE, or say --no-defaults");
    }
    if (config->sensor != NULL && config->sensor != reading->block) {
        import_off(importer, entry, entry->where,
                   "%.300s:%lu is a SENSOR, whose visitors are kept out here for its `deny_time`, "
                   "and there are none, so this is switched off",
                   config->sensor->where.file, (unsigned long)config->sensor->where.line);
    }
}

void xinetd_add_service(struct xinetd_config *config, struct xinetd_block *block) {
    struct importer *importer = config->importer;
    struct xinetd_reading reading = {
        .importer = importer, .config = config, .block = block, .is_guarded = true};
    const struct xinetd_attribute *id = xinetd_find_in(block, "id");
    struct import_entry *entry =
        import_entry_add(importer, block->where, id != NULL ? id->values.items[0] : block->name);
    reading.entry = entry;
    if (entry == NULL) {
        return;
    }
    entry->family = IMPORT_DUAL;
    read_enabled(&reading);
    if (block->fault != NULL) {
        import_was_off(importer, entry, block->fault_where, "%s, so xinetd leaves the service out",
                       block->fault);
    }
    xinetd_note_faults(&reading);
    if (!read_kind(&reading)) {
        claim_port(&reading);
        return;
    }
    read_flags(&reading);
    read_v6only(&reading);
    xinetd_read_rules(&reading);
    read_port(&reading);
    if (!entry->dropped) {
        read_addresses(&reading);
        const struct xinetd_attribute *flags = xinetd_find_in(block, "flags");
        if (flags != NULL && has_word(&flags->values, "SENSOR")) {
            import_drop(importer, entry, "flag SENSOR: there are no sensors");
            return;
        }
        read_server(&reading);
    }
    if (!entry->dropped) {
        read_config(&reading);
        xinetd_read_limits(&reading);
        read_environment(&reading);
        read_users(&reading);
        check_traffic(&reading);
        check_log(&reading);
        xinetd_note_cures(&reading);
        if (reading.is_guarded) {
            import_entry_wrapped(importer, entry);
        }
    }
}
