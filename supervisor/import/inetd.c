/*
 * inetd.conf(5), as OpenBSD's, FreeBSD's and NetBSD's inetd, Debian's openbsd-inetd and GNU
 * inetutils have it. Where they differ, a comment says how it was read.
 *
 * https://man.openbsd.org/inetd.8, https://man.freebsd.org/inetd(8),
 * https://www.gnu.org/software/inetutils/manual/html_node/inetd-invocation.html
 */
#include "core/service/key.h"
#include "import/internal.h"

#include <stdio.h>
#include <string.h>

enum field { SERVICE, TYPE, PROTOCOL, WAIT, USER, PROGRAM, FIELD_COUNT };

/* One entry's words, which may stand in several lines. */
struct statement {
    struct import_where where;
    const char *text; /* the first line */
    struct import_words words;
    bool has_quotes, has_open_quote, is_continued, is_indented, is_marked;
};

/* What the lines above have said. */
struct inetd {
    struct importer *importer;
    const char *hosts; /* of a line "HOSTS:"; NULL = every address */
    bool is_marked;    /* the file begins with a byte order mark */
    size_t entry_count, bad_count;
    struct import_where first_bad;
};

static bool is_socket_type(const char *word) {
    static const char *const types[] = {"stream", "dgram", "seqpacket", "raw", "rdm", "tli", "xti"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(word, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool import_is_inetd(const struct import_words *words) {
    return words->count >= FIELD_COUNT && is_socket_type(words->items[TYPE]);
}

/* Words with quotes: '...' and "..." group. False if one is not closed. */
static bool split_quoted(struct importer *importer, const char *line, struct import_words *out,
                         bool *has_quotes) {
    char *room = arena_alloc(importer->arena, strlen(line) + 1);
    const char *at = line + strspn(line, " \t");
    while (room != NULL && *at != '\0') {
        size_t length = 0;
        char quote = '\0';
        for (; *at != '\0' && (quote != '\0' || !text_is_blank(*at)); at++) {
            if (quote == '\0' && (*at == '"' || *at == '\'')) {
                quote = *at;
                *has_quotes = true;
            } else if (*at == quote) {
                quote = '\0';
            } else {
                room[length++] = *at;
            }
        }
        room[length] = '\0';
        if (quote != '\0') {
            return false;
        }
        if (!import_words_add(importer, out, room)) {
            return true;
        }
        at += strspn(at, " \t");
    }
    return true;
}

/* "64k", "1m" as bytes in decimal; NULL if it is no size. */
static const char *read_size(struct importer *importer, const char *text) {
    size_t digits = strspn(text, "0123456789");
    uint32_t number = 0;
    char bytes[24];
    unsigned shift = text[digits] == 'k' ? 10 : text[digits] == 'm' ? 20 : 0;
    char *copy = arena_copy(importer->arena, text, digits);
    if (copy == NULL || text[digits + (shift > 0)] != '\0' || !text_parse_number(copy, &number) ||
        number > UINT32_MAX >> shift) {
        return NULL;
    }
    snprintf(bytes, sizeof bytes, "%lu", (unsigned long)number << shift);
    return arena_text(importer->arena, bytes);
}

/* "sndbuf=16k": buffer sizes behind the protocol. */
static void read_buffer(struct importer *importer, struct import_entry *entry, const char *option) {
    bool sends = strncmp(option, "sndbuf=", 7) == 0;
    bool receives = strncmp(option, "rcvbuf=", 7) == 0;
    const struct key *key =
        key_find(sends ? "send_buffer_bytes" : "receive_buffer_bytes", KEY_IN_SERVICE);
    const char *size = sends || receives ? read_size(importer, option + 7) : NULL;
    struct key_message message;
    uint32_t number = 0;
    if (size == NULL || key == NULL || !key_parse(key, size, &number, &message)) {
        import_off(importer, entry, entry->where,
                   "`%s` behind the protocol; what can stand there is sndbuf=SIZE and rcvbuf=SIZE, "
                   "see `send_buffer_bytes` and `receive_buffer_bytes`; inetd serves nobody for "
                   "others, so this is switched off",
                   text_excerpt(option).text);
    } else if (sends) {
        entry->send_buffer = size;
    } else {
        entry->receive_buffer = size;
    }
}

/* Cuts `text` at the first of `separators`; returns what follows, or NULL. */
static char *cut(char *text, const char *separators) {
    size_t length = strcspn(text, separators);
    char *rest = text[length] == '\0' ? NULL : text + length + 1;
    text[length] = '\0';
    return rest;
}

static bool read_protocol(struct importer *importer, struct import_entry *entry, char *text,
                          const char *type) {
    static const struct {
        const char *name;
        enum service_protocol protocol;
        enum import_family family;
    } protocols[] = {
        {"tcp", PROTOCOL_TCP, IMPORT_IPV4},        {"tcp4", PROTOCOL_TCP, IMPORT_IPV4},
        {"tcp6", PROTOCOL_TCP, IMPORT_IPV6_MAYBE}, {"tcp6only", PROTOCOL_TCP, IMPORT_IPV6},
        {"tcp46", PROTOCOL_TCP, IMPORT_DUAL},      {"udp", PROTOCOL_UDP, IMPORT_IPV4},
        {"udp4", PROTOCOL_UDP, IMPORT_IPV4},       {"udp6", PROTOCOL_UDP, IMPORT_IPV6_MAYBE},
        {"udp6only", PROTOCOL_UDP, IMPORT_IPV6},   {"udp46", PROTOCOL_UDP, IMPORT_DUAL},
        {"unix", PROTOCOL_UNIX, IMPORT_IPV4}};
    char *options = cut(text, ",");
    size_t i = 0;

    while (i < sizeof protocols / sizeof *protocols && strcmp(protocols[i].name, text) != 0) {
        i++;
    }
    if (i == sizeof protocols / sizeof *protocols) {
        import_drop(importer, entry, "protocol `%s`; what Baton serves is tcp, udp and unix",
                    text_excerpt(text).text);
        return false;
    }
    entry->protocol = protocols[i].protocol;
    entry->family = protocols[i].family;
    importer->has_plain_protocol =
        importer->has_plain_protocol || strcmp(text, "tcp") == 0 || strcmp(text, "udp") == 0;
    if (strcmp(type, entry->protocol == PROTOCOL_UDP ? "dgram" : "stream") != 0) {
        import_drop(importer, entry,
                    "a `%s` socket of `%s`; what Baton serves is stream sockets of tcp and unix, "
                    "and dgram sockets of udp",
                    type, text);
        return false;
    }
    while (options != NULL) {
        char *next = cut(options, ",");
        read_buffer(importer, entry, options);
        options = next;
    }
    return true;
}

/* Leaves out of a path what says nothing, in place, so that equal ones look equal. */
static void clean_path(char *path) {
    char *out = path;
    for (const char *at = path; *at != '\0'; at++) {
        bool is_repeated = *at == '/' && out > path && out[-1] == '/';
        bool is_dot = *at == '.' && out > path && out[-1] == '/' && (at[1] == '/' || at[1] == '\0');
        if (!is_repeated && !is_dot) {
            *out++ = *at;
        }
    }
    *out = '\0';
}

/* Takes USER:GROUP and MODE of a local socket. */
static void read_owner(struct importer *importer, struct import_entry *entry, const char *user,
                       const char *group, const char *mode) {
    const struct key *key = key_find("mode", KEY_IN_SERVICE);
    struct key_message message;
    uint32_t number = 0;
    bool is_user = user[0] != '\0' && user[strcspn(user, " \t'\"/;#")] == '\0';
    bool is_group = group[0] != '\0' && group[strcspn(group, " \t'\"/;#")] == '\0';
    if (!is_user || !is_group || key == NULL || !key_parse(key, mode, &number, &message)) {
        import_note(importer, &entry->notes, entry->where,
                    "`:%s:%s:%s:` before the path; see `owner` and `mode`", text_excerpt(user).text,
                    text_excerpt(group).text, text_excerpt(mode).text);
        return;
    }
    entry->owner = arena_join(importer->arena, user, ":", group);
    entry->mode = entry->owner == NULL ? NULL : mode;
}

/* The path of a local socket; FreeBSD has ":USER:GROUP:MODE:PATH", too. */
static void read_path(struct importer *importer, struct import_entry *entry, char *text) {
    const size_t longest = 107; /* what unix(7) has room for */
    if (text[0] == ':') {
        char *user = text + 1;
        char *group = cut(user, ":");
        char *mode = group == NULL ? NULL : cut(group, ":");
        text = mode == NULL ? text : cut(mode, ":");
        if (text != NULL && mode != NULL) {
            read_owner(importer, entry, user, group, mode);
        }
    }
    if (text != NULL) {
        clean_path(text);
    }
    if (text == NULL || text[0] != '/' || text[strcspn(text, "'\" \t;#")] != '\0' ||
        text[strlen(text) - 1] == '/' || strlen(text) > longest) {
        import_drop(importer, entry,
                    "`%s` is no path of a local socket that a config can hold; "
                    "give an absolute one",
                    text_excerpt(entry->label).text);
        return;
    }
    entry->port_text = text;
    if (entry->mode == NULL) {
        import_remark(importer, &entry->notes, entry->where,
                      "only the user of batond may connect; see `mode` and `owner` for others");
    }
}

static void read_hosts(struct importer *importer, struct import_entry *entry, const char *hosts) {
    char *at = hosts == NULL ? NULL : arena_text(importer->arena, hosts);
    if (at == NULL) {
        import_entry_host(importer, entry, NULL);
    }
    while (at != NULL) {
        char *next = cut(at, ",");
        import_entry_host(importer, entry, at);
        at = next;
    }
}

/* What follows "nowait/", as FreeBSD has it: how many at once, how many connections of one address
 * in a minute, and how many of one address at once; 0 = no limit. False if it is not understood. */
static bool read_limits(struct importer *importer, struct import_entry *entry, char *text) {
    uint32_t numbers[3] = {0, 0, 0};
    struct key_message message;
    char value[32];
    for (size_t i = 0; text != NULL; i++) {
        char *next = cut(text, "/");
        if (i == 3 || !text_parse_number(text, &numbers[i]) || numbers[i] > 32768) {
            return false;
        }
        text = next;
    }
    if (entry->handoff == HANDOFF_LISTENER) {
        return true; /* one process at a time, which sees to its clients */
    }
    entry->max_connections_count = numbers[0];
    if (numbers[1] > 0) {
        snprintf(value, sizeof value, "%lu/min", (unsigned long)numbers[1]);
        import_entry_set(importer, entry, KEY_RATE_PER_SOURCE, value);
    }
    if (numbers[2] > 0) {
        snprintf(value, sizeof value, "%lu", (unsigned long)numbers[2]);
        (void)import_entry_set_number(importer, entry, KEY_MAX_PER_SOURCE, value, &message);
    }
    if ((numbers[1] > 0 || numbers[2] > 0) && entry->family != IMPORT_IPV4) {
        import_entry_set(importer, entry, KEY_SOURCE_PREFIX, "128"); /* by the whole address */
    }
    return true;
}

/* "wait", "nowait", and what may follow: ".40" or ":40" launches in a minute, or FreeBSD's limits.
 */
static bool read_wait(struct importer *importer, struct import_entry *entry, char *text) {
    char separator = text[strcspn(text, ".:/")];
    char *rest = cut(text, ".:/");
    bool waits = strcmp(text, "wait") == 0;
    uint32_t number = 0;
    if (!waits && strcmp(text, "nowait") != 0) {
        import_drop(importer, entry, "`%s` where wait or nowait belongs; correct the line",
                    text_excerpt(text).text);
        return false;
    }
    entry->handoff = waits ? HANDOFF_LISTENER : HANDOFF_STDIO;
    if (rest == NULL) {
        return true;
    }
    struct text_excerpt limits = text_excerpt(rest);
    if (separator == '/') {
        if (!read_limits(importer, entry, rest)) {
            import_note(importer, &entry->notes, entry->where,
                        "`%s/%s`: what can stand there is how many at once, and of one address in "
                        "a minute and at once, up to 32768; see `max_connections`, "
                        "`rate_per_source` and `max_per_source`",
                        text, limits.text);
        }
    } else if (!text_parse_number(rest, &number) || number > 1000000) {
        import_note(importer, &entry->notes, entry->where,
                    "`%s%c%s`: what can stand there is how many a minute; see `rate`", text,
                    separator, limits.text);
    } else if (number > 0) {
        import_entry_rate(importer, entry, number, "min");
        import_remark(importer, &entry->notes, entry->where,
                      "`%s%c%s`: above the rate clients %s one by one, where inetd shuts the whole "
                      "service for ten minutes",
                      text, separator, limits.text, waits ? "wait" : "are refused");
    }
    return true;
}

/* "USER", "USER.GROUP" or "USER:GROUP", known by name alone; FreeBSD has a login class behind a
 * slash. */
static void read_user(struct importer *importer, struct import_entry *entry, const char *text) {
    struct import_identity identity = {.groups = IMPORT_GROUPS_OF_USER};
    char *user = arena_text(importer->arena, text);
    if (user == NULL) {
        return;
    }
    char *class = cut(user, "/");
    identity.group = cut(user, ".:");
    identity.user = user;
    if (class != NULL) {
        import_off(importer, entry, entry->where,
                   "user `%s`: the limits of a login class are not known here, and inetd serves "
                   "nobody so where there are none, so this is switched off; give them by "
                   "`limit_memory` and the like, then delete `enabled = no`",
                   text_excerpt(text).text);
    }
    if (identity.group != NULL && identity.group[0] == '\0') {
        identity.group = NULL;
        import_off(importer, entry, entry->where,
                   "user `%s`: no group is named, and not every inetd serves so",
                   text_excerpt(text).text);
    }
    import_entry_identity(importer, entry, entry->where, &identity);
    if (identity.group != NULL && strcmp(user, "root") == 0) {
        entry->values[KEY_GROUP] = NULL;
        if (strcmp(identity.group, "root") != 0) {
            import_remark(importer, &entry->notes, entry->where,
                          "user `%s`: Debian's inetds leave root its own group; see `group`",
                          text_excerpt(text).text);
        }
    }
}

/* What inetd does itself it knows by its name alone, and GNU inetutils wants the user all the same.
 */
static void read_internal(struct importer *importer, struct import_entry *entry, const char *user,
                          const char *service) {
    const char *name = arena_copy(importer->arena, user, strcspn(user, ".:/"));
    import_entry_builtin(importer, entry, service);
    if (service[0] >= '0' && service[0] <= '9') {
        import_was_off(importer, entry, entry->where,
                       "`%s`: inetd knows what it does itself by its name, and has a number off",
                       text_excerpt(service).text);
    }
    if (name != NULL && strcmp(name, "root") != 0 && !import_knows_user(importer, name)) {
        import_off(importer, entry, entry->where,
                   "user `%s`: there is no such user here, and not every inetd serves so",
                   text_excerpt(user).text);
    }
}

static void read_program(struct importer *importer, struct import_entry *entry,
                         const struct statement *statement, const char *service) {
    const struct import_words *words = &statement->words;
    const char *program = words->items[PROGRAM];
    if (strcmp(program, "internal") == 0) {
        read_internal(importer, entry, words->items[USER], service);
        return;
    }
    if (entry->protocol == PROTOCOL_UDP && entry->handoff == HANDOFF_STDIO) {
        import_drop(importer, entry,
                    "a dgram service with nowait: there is one socket for all clients, and inetd "
                    "would launch again and again while a datagram waits; if the program reads "
                    "the socket itself, say wait");
        return;
    }
    if (!import_entry_program(importer, entry, program)) {
        return;
    }
    if (words->count > FIELD_COUNT) {
        entry->argv0 = words->items[FIELD_COUNT];
        entry->words.items = words->items + FIELD_COUNT + 1;
        entry->words.count = words->count - FIELD_COUNT - 1;
    }
    read_user(importer, entry, words->items[USER]);
    import_entry_wrapped(importer, entry);
    if (statement->has_quotes) {
        import_remark(importer, &entry->notes, entry->where,
                      "quotes were taken to group words, as GNU inetutils has it; others take them "
                      "as they stand");
    }
    if (statement->has_open_quote) {
        import_remark(importer, &entry->notes, entry->where,
                      "a quote is not closed; all of the line's were taken as they stand");
    }
    if (statement->is_continued) {
        import_remark(importer, &entry->notes, entry->where,
                      "an indented line below was taken to continue this one");
    }
    for (size_t i = 0; i < entry->words.count; i++) {
        if (entry->words.items[i][0] == '#') {
            import_remark(importer, &entry->notes, entry->where,
                          "`%s` is an argument, as under inetd: only a line can be a comment",
                          text_excerpt(entry->words.items[i]).text);
            break;
        }
    }
}

static void read_service(struct inetd *inetd, struct import_entry *entry,
                         const struct statement *statement) {
    struct importer *importer = inetd->importer;
    char **words = statement->words.items;
    char *service = words[SERVICE];
    const char *hosts = inetd->hosts;
    bool is_unix = strcmp(words[PROTOCOL], "unix") == 0;
    if (strncmp(service, "tcpmux/", 7) == 0) {
        import_drop(importer, entry,
                    "TCPMUX (RFC 1078) is not served; give the service a port of its own");
        return;
    }
    if (strncmp(words[PROTOCOL], "rpc/", 4) == 0 || (!is_unix && strchr(service, '/') != NULL)) {
        import_drop(importer, entry,
                    "services of Sun RPC are not registered with rpcbind; start this one by "
                    "itself");
        return;
    }
    char *colon = is_unix ? NULL : strrchr(service, ':');
    if (colon != NULL) {
        *colon = '\0';
        hosts = service;
        service = colon + 1;
        entry->name = service;
    }
    if (!read_protocol(importer, entry, words[PROTOCOL], words[TYPE])) {
        return;
    }
    /* Where it listens counts even if it is dropped: nobody else had that. */
    (void)read_wait(importer, entry, words[WAIT]);
    if (is_unix) {
        read_path(importer, entry, service);
    } else {
        bool was_dropped = entry->dropped;
        entry->dropped = false;
        if (import_entry_port(importer, entry, service)) {
            read_hosts(importer, entry, hosts);
        }
        entry->dropped = entry->dropped || was_dropped;
    }
    if (!entry->dropped) {
        read_program(importer, entry, statement, service);
    }
}

/* Of entries with the same inetd takes the last. */
static const char *identify(const struct inetd *inetd, const struct import_words *words) {
    struct importer *importer = inetd->importer;
    const char *service =
        arena_join(importer->arena, words->items[SERVICE], " ", words->items[PROTOCOL]);
    return service == NULL ? NULL
                           : arena_join(importer->arena, inetd->hosts == NULL ? "" : inetd->hosts,
                                        " ", service);
}

/* Lines that one inetd or the other does not take for a service. */
static void check_place(struct inetd *inetd, struct import_entry *entry,
                        const struct statement *statement) {
    if (statement->is_indented) {
        import_off(
            inetd->importer, entry, entry->where,
            "the line is indented, so OpenBSD's inetd takes it for arguments of the one above "
            "and GNU inetutils for a service; delete the blanks, or the line");
    }
    if (statement->is_marked) {
        import_was_off(
            inetd->importer, entry, entry->where,
            "the line begins with a byte order mark, which inetd takes for a part of the "
            "name; delete it");
    }
}

static void end_statement(struct inetd *inetd, struct statement *statement) {
    struct importer *importer = inetd->importer;
    struct import_words *words = &statement->words;
    if (words->count == 0) {
        return;
    }
    size_t length = strlen(words->items[0]);
    if (words->count == 1 && length > 0 && words->items[0][length - 1] == ':') {
        words->items[0][length - 1] = '\0';
        inetd->hosts = words->items[0];
    } else {
        bool is_entry = import_is_inetd(words);
        struct import_entry *entry = import_entry_add(
            importer, statement->where, is_entry ? words->items[SERVICE] : statement->text);
        if (entry != NULL && is_entry) {
            inetd->entry_count++;
            entry->identity = identify(inetd, words);
            read_service(inetd, entry, statement);
            check_place(inetd, entry, statement);
        } else if (entry != NULL) {
            inetd->first_bad = inetd->bad_count++ == 0 ? statement->where : inetd->first_bad;
            import_drop(importer, entry,
                        "this line is no service; one has the fields SERVICE TYPE PROTOCOL WAIT "
                        "USER PROGRAM ARGUMENTS");
        }
    }
    memset(statement, 0, sizeof *statement);
}

/* An indented line goes on with the entry above, unless it is one itself. */
static bool continues(const struct statement *statement, const char *line,
                      const struct import_words *words) {
    return statement->words.count > 0 && text_is_blank(line[0]) && !(import_is_inetd(words));
}

static void read_line(struct inetd *inetd, struct statement *statement, const char *line,
                      struct import_where where) {
    struct importer *importer = inetd->importer;
    struct import_words words = {0};
    bool has_quotes = false;
    bool has_open_quote = false;
    if (!split_quoted(importer, line, &words, &has_quotes)) {
        has_quotes = false;
        has_open_quote = true;
        words = import_split(importer, line + strspn(line, " \t"));
    }
    if (!continues(statement, line, &words)) {
        bool is_indented = statement->words.count > 0 && text_is_blank(line[0]);
        end_statement(inetd, statement);
        *statement = (struct statement){.where = where,
                                        .text = line + strspn(line, " \t"),
                                        .is_indented = is_indented,
                                        .is_marked = inetd->is_marked && where.line == 1};
    } else {
        statement->is_continued = true;
    }
    statement->has_quotes = statement->has_quotes || has_quotes;
    statement->has_open_quote = statement->has_open_quote || has_open_quote;
    for (size_t i = 0; i < words.count; i++) {
        if (!import_words_add(importer, &statement->words, words.items[i])) {
            return;
        }
    }
}

void import_read_inetd(struct importer *importer, struct import_file *file) {
    struct inetd inetd = {.importer = importer, .is_marked = file->is_marked};
    struct statement statement = {0};
    const char *line = NULL;
    while ((line = import_next_line(importer, file)) != NULL) {
        if (line[0] == '\0') {
            end_statement(&inetd, &statement);
        } else {
            read_line(&inetd, &statement, line, file->where);
        }
    }
    end_statement(&inetd, &statement);
    if (inetd.entry_count == 0 && inetd.bad_count > 0) {
        import_fault(importer, inetd.first_bad,
                     "this is neither an inetd.conf (SERVICE TYPE PROTOCOL WAIT USER PROGRAM "
                     "ARGUMENTS) nor an xinetd.conf (service NAME { ... }); is it the right file?");
    }
}
