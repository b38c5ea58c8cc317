/* The fields of a line of inetd.conf(5). */
#include "core/base/text.h"
#include "core/service/key.h"
#include "import/inetd.h"

#include <string.h>

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
    text_format(bytes, sizeof bytes, "%lu", (unsigned long)number << shift);
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

bool inetd_read_protocol(struct importer *importer, struct import_entry *entry, char *text,
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
void inetd_read_path(struct importer *importer, struct import_entry *entry, char *text) {
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

void inetd_read_hosts(struct importer *importer, struct import_entry *entry, const char *hosts) {
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

/* A number as strtoul(3) takes it, with a sign and zeros in front. */
static bool read_number(const char *text, uint32_t *number) {
    text += text[0] == '+' ? 1 : 0;
    size_t zeros = strspn(text, "0");
    return text_parse_number(zeros > 0 && text[zeros] == '\0' ? "0" : text + zeros, number);
}

/* What follows "nowait/", as FreeBSD has it: how many at once, how many connections of one address
 * in a minute, and how many of one address at once; 0 = no limit. False if it is not understood. */
static bool read_limits(struct importer *importer, struct import_entry *entry, char *text) {
    uint32_t numbers[3] = {0, 0, 0};
    struct key_message message;
    char value[32];
    for (size_t i = 0; text != NULL; i++) {
        char *next = cut(text, "/");
        if (i == 3 || !read_number(text, &numbers[i]) || numbers[i] > 32768) {
            return false;
        }
        text = next;
    }
    if (entry->handoff == HANDOFF_LISTENER) {
        return true; /* one process at a time, which sees to its clients */
    }
    entry->max_connections_count = numbers[0];
    if (numbers[1] > 0) {
        text_format(value, sizeof value, "%lu/min", (unsigned long)numbers[1]);
        import_entry_set(importer, entry, KEY_RATE_PER_SOURCE, value);
    }
    if (numbers[2] > 0) {
        text_format(value, sizeof value, "%lu", (unsigned long)numbers[2]);
        (void)import_entry_set_number(importer, entry, KEY_MAX_PER_SOURCE, value, &message);
    }
    if ((numbers[1] > 0 || numbers[2] > 0) && entry->family != IMPORT_IPV4) {
        import_entry_set(importer, entry, KEY_SOURCE_PREFIX, "128"); /* by the whole address */
    }
    return true;
}

/* "wait", "nowait", and what may follow: ".40" or ":40" launches in a minute, or FreeBSD's limits.
 */
bool inetd_read_wait(struct importer *importer, struct import_entry *entry, char *text) {
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
            import_off(importer, entry, entry->where,
                       "`%s/%s`: what can stand there is how many at once, and of one address in "
                       "a minute and at once, up to 32768; see `max_connections`, "
                       "`rate_per_source` and `max_per_source`",
                       text, limits.text);
        }
    } else if (!read_number(rest, &number)) {
        import_off(importer, entry, entry->where,
                   "`%s%c%s`: what can stand there is how many a minute; see `rate`", text,
                   separator, limits.text);
    } else if (number > IMPORT_RATE_MAX_COUNT) {
        import_note(importer, &entry->notes, entry->where,
                    "`%s%c%s`: a rate that nobody can be above; see `rate`", text, separator,
                    limits.text);
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
void inetd_read_user(struct importer *importer, struct import_entry *entry, const char *text) {
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
