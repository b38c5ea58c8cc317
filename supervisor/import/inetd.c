/*
 * inetd.conf(5), as OpenBSD's, FreeBSD's and NetBSD's inetd, Debian's openbsd-inetd and GNU
 * inetutils have it. Where they differ, a comment says how it was read.
 *
 * https://man.openbsd.org/inetd.8, https://man.freebsd.org/inetd(8),
 * https://www.gnu.org/software/inetutils/manual/html_node/inetd-invocation.html
 */
#include "import/inetd.h"

#include <string.h>

enum field { SERVICE, TYPE, PROTOCOL, WAIT, USER, PROGRAM, FIELD_COUNT };

/* One entry's words, which may stand in several lines. */
struct statement {
    struct import_where where;
    const char *text; /* the first line */
    struct import_words words;
    bool has_quotes, has_open_quote, is_continued, is_indented, is_marked;
    bool is_torn; /* the line below it, which may go on with it, cannot be read */
};

/* What the lines above have said. */
struct inetd {
    struct importer *importer;
    const char *hosts; /* of a line "HOSTS:"; NULL = every address */
    bool is_torn;      /* there may have been one that cannot be read */
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
    inetd_read_user(importer, entry, words->items[USER]);
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
    if (!inetd_read_protocol(importer, entry, words[PROTOCOL], words[TYPE])) {
        return;
    }
    /* Where it listens counts even if it is dropped: nobody else had that. */
    (void)inetd_read_wait(importer, entry, words[WAIT]);
    if (is_unix) {
        inetd_read_path(importer, entry, service);
    } else {
        bool was_dropped = entry->dropped;
        entry->dropped = false;
        if (import_entry_port(importer, entry, service)) {
            inetd_read_hosts(importer, entry, hosts);
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
    if (statement->is_torn) {
        import_off(inetd->importer, entry, entry->where,
                   "the line below cannot be read, and may go on with this one; correct it");
    }
    if (inetd->is_torn) {
        import_off(inetd->importer, entry, entry->where,
                   "a line above, which may say at which addresses this listens, cannot be read; "
                   "correct that");
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
        inetd->is_torn = false;
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
        statement.is_torn = importer->has_torn_line;
        if (line[0] == '\0') {
            end_statement(&inetd, &statement);
            inetd.is_torn = inetd.is_torn || importer->has_torn_hosts;
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
