/* The entries against one another and against what a config can hold. */
#include "core/base/text.h"
#include "core/base/words.h"
#include "core/config/config.h"
#include "core/service/key.h"
#include "import/internal.h"

#include <string.h>

/* The entries listen for the same clients: then the old server could serve one of them, too. */
static bool places_clash(const struct import_entry *a, const struct import_place *at_a,
                         const struct import_place *at_b) {
    const struct address *one = &at_a->address;
    const struct address *other = &at_b->address;
    if (a->protocol == PROTOCOL_UNIX) {
        return strcmp(at_a->text, at_b->text) == 0;
    }
    if (one->port != other->port) {
        return false;
    }
    return one->family == other->family &&
           (address_is_any(one) || address_is_any(other) || address_equal(one, other));
}

static bool entries_clash(const struct import_entry *a, const struct import_entry *b) {
    if (a->protocol != b->protocol) {
        return false;
    }
    if (a->is_elsewhere || b->is_elsewhere) {
        return a->port == b->port;
    }
    for (size_t i = 0; i < a->place_count; i++) {
        for (size_t k = 0; k < b->place_count; k++) {
            if (places_clash(a, &a->places[i], &b->places[k])) {
                return true;
            }
        }
    }
    return false;
}

/* inetd's tcp6 is IPv6 alone to BSD and both to GNU inetutils; what one of them had closed stays
 * closed. */
static void decide_family(struct importer *importer, struct import_entry *entry) {
    bool has_other = false;
    entry->family = IMPORT_IPV6;
    for (size_t i = 0; i < importer->entry_count; i++) {
        const struct import_entry *other = importer->entries[i];
        has_other = has_other || (other->family == IMPORT_IPV4 && !other->was_off &&
                                  other->protocol == entry->protocol && other->port == entry->port);
    }
    if (!has_other && entry->place_count > 0 && address_is_any(&entry->places[0].address)) {
        import_remark(importer, &entry->notes, entry->where,
                      "IPv6 alone, as BSD has it; for IPv4 as well, as GNU inetutils has it, write "
                      "`listen = %s, %s`",
                      entry->port_text, entry->places[0].text);
    }
}

/* Of two lines for the same service inetd takes the last. */
static void drop_if_replaced(struct importer *importer, size_t index) {
    struct import_entry *entry = importer->entries[index];
    for (size_t i = index + 1; i < importer->entry_count && entry->identity != NULL; i++) {
        const struct import_entry *other = importer->entries[i];
        if (other->identity != NULL && other->where.line != entry->where.line &&
            strcmp(other->identity, entry->identity) == 0) {
            import_drop(importer, entry,
                        "%.300s:%lu is for the same service, and inetd takes the last; delete "
                        "either",
                        other->where.file, (unsigned long)other->where.line);
            entry->was_off = true;
            return;
        }
    }
}

static void drop_if_taken(struct importer *importer, size_t index) {
    struct import_entry *entry = importer->entries[index];
    for (size_t i = 0; i < index && !entry->was_off; i++) {
        const struct import_entry *other = importer->entries[i];
        if (!other->was_off && entries_clash(entry, other)) {
            import_drop(importer, entry,
                        "it listens at the address of `%s` in %.300s:%lu, and one alone can have "
                        "that; delete either",
                        text_excerpt(other->label).text, other->where.file,
                        (unsigned long)other->where.line);
            entry->was_off = true;
            return;
        }
    }
}

const char *import_quote(struct importer *importer, const char *word, bool braces) {
    size_t length = strlen(word);
    bool bare = length > 0 && strpbrk(word, " \t'\"") == NULL && word[0] != ';' && word[0] != '#';
    char mark = strchr(word, '\'') == NULL ? '\'' : '"';
    char *out = arena_alloc(importer->arena, 3 * length + 3);
    size_t at = 0;
    if (out == NULL) {
        return NULL;
    }
    if (!bare) {
        out[at++] = mark;
    }
    for (size_t i = 0; i < length; i++) {
        if (!bare && word[i] == ';' && i > 0 && text_is_blank(word[i - 1])) {
            out[at++] = mark;
            out[at++] = mark;
        } else if ((braces && (word[i] == '{' || word[i] == '}')) || (!bare && word[i] == mark)) {
            out[at++] = word[i] == mark ? '\\' : word[i];
        } else if (!bare && mark == '"' && word[i] == '\\') {
            out[at++] = '\\';
        }
        out[at++] = word[i];
    }
    if (!bare) {
        out[at++] = mark;
    }
    out[at] = '\0';
    return out;
}

/* Texts put together, up to what a line can hold. */
struct line {
    char text[CONFIG_LINE_MAX_BYTES + 1];
    size_t length;
    bool is_full;
};

static void append(struct line *line, const char *text, const char *separator) {
    size_t room = sizeof line->text - line->length;
    int length = text_format(line->text + line->length, room, "%s%s",
                             line->length > 0 ? separator : "", text == NULL ? "" : text);
    if (length < 0 || (size_t)length >= room) {
        line->is_full = true;
    } else {
        line->length += (size_t)length;
    }
}

/* What a line can hold behind its key, or a drop. */
static const char *finish_line(struct importer *importer, struct import_entry *entry,
                               const struct line *line, const char *key) {
    if (line->is_full || line->length + strlen(key) + 3 > CONFIG_LINE_MAX_BYTES) {
        import_drop(importer, entry,
                    "its `%s` would be longer than the %d bytes of a line; put the command into a "
                    "script",
                    key, CONFIG_LINE_MAX_BYTES);
        return NULL;
    }
    return arena_text(importer->arena, line->text);
}

static void make_texts(struct importer *importer, struct import_entry *entry) {
    struct line listen = {{0}, 0, false};
    struct line handler = {{0}, 0, false};
    struct line environment = {{0}, 0, false};
    for (size_t i = 0; i < entry->place_count; i++) {
        append(&listen, entry->places[i].text, ", ");
    }
    append(&handler, import_quote(importer, entry->program, false), "");
    for (size_t i = 0; i < entry->words.count; i++) {
        append(&handler, import_quote(importer, entry->words.items[i], true), " ");
    }
    if (entry->fact != NULL) {
        append(&environment, entry->fact, "");
    }
    for (size_t i = 0; i < entry->environment.count; i++) {
        append(&environment, import_quote(importer, entry->environment.items[i], true), " ");
    }
    entry->listen = finish_line(importer, entry, &listen, "listen");
    entry->handler = finish_line(importer, entry, &handler, "handler");
    if (environment.length > 0 || environment.is_full) {
        entry->environment_text = finish_line(importer, entry, &environment, "environment");
    }
    if (entry->argv0 != NULL && strcmp(entry->argv0, entry->program) != 0) {
        if (entry->argv0[0] == '\0') {
            import_note(importer, &entry->notes, entry->where,
                        "the empty name of the program; `argv0` has at least one character");
        } else {
            entry->argv0_text = import_quote(importer, entry->argv0, false);
        }
        if (entry->argv0[0] == '-') {
            import_remark(importer, &entry->notes, entry->where,
                          "`%s` is what the program is told to be called (argument 0), and not its "
                          "first argument; is the name forgotten?",
                          text_excerpt(entry->argv0).text);
        }
    }
}

/* ---- Names ---- */

#define STEM_MAX_BYTES 34 /* leaves room for what makes it valid and unique */

static bool is_taken(const struct importer *importer, size_t index, const char *name) {
    for (size_t i = 0; i < index; i++) {
        if (!importer->entries[i]->dropped && strcmp(importer->entries[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Makes a section's name of the entry's: NAME, then NAME-udp, then NAME-2. */
static void name_entry(struct importer *importer, size_t index) {
    static const char *const reserved[] = {"ports", "defaults", "supervisor"};
    static const char *const protocols[] = {"tcp", "udp", "unix"};
    struct import_entry *entry = importer->entries[index];
    const char *slash = strrchr(entry->name, '/');
    const char *base = slash == NULL ? entry->name : slash + 1;
    char stem[STEM_MAX_BYTES + 1];
    char name[CONFIG_NAME_MAX_BYTES + 1];
    size_t length = 0;
    for (; base[length] != '\0' && length < STEM_MAX_BYTES; length++) {
        bool fits = text_is_name_char(base[length]) || base[length] == '.' || base[length] == '-';
        stem[length] = (char)(fits ? base[length] : '_');
    }
    stem[length] = '\0';
    bool starts_well = length > 0 && strchr("._-", stem[0]) == NULL;
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        starts_well = starts_well && strcmp(stem, reserved[i]) != 0;
    }
    const char *before = starts_well ? "" : "s-";
    text_format(name, sizeof name, "%s%s", before, stem);
    if (is_taken(importer, index, name)) {
        text_format(name, sizeof name, "%s%s-%s", before, stem, protocols[entry->protocol]);
    }
    for (unsigned number = 2; is_taken(importer, index, name); number++) {
        text_format(name, sizeof name, "%s%s-%u", before, stem, number);
    }
    entry->name = arena_text(importer->arena, name);
    if (entry->name == NULL) {
        entry->name = "";
    }
}

/* ---- Limits of a config as a whole ---- */

static bool counts_connections(const struct import_entry *entry) {
    return !entry->dropped && !entry->disabled && entry->handoff != HANDOFF_LISTENER;
}

/* All services together may have so many connections: where they would have more, the large ones
 * get an equal share. */
static void share_connections(struct importer *importer) {
    const uint32_t most_count = 32768;
    const uint32_t default_count = key_table[KEY_MAX_CONNECTIONS].default_number;
    uint32_t taking_count = 0;
    uint64_t total_count = 0;
    uint64_t other_count = 0;
    for (size_t i = 0; i < importer->entry_count; i++) {
        const struct import_entry *entry = importer->entries[i];
        uint32_t own_count = entry->max_connections_count;
        if (counts_connections(entry)) {
            taking_count++;
            total_count += own_count > 0 ? own_count : default_count;
        } else {
            other_count++;
        }
    }
    for (size_t i = 0; i < importer->entry_count && total_count + other_count > most_count; i++) {
        struct import_entry *entry = importer->entries[i];
        uint32_t share_count = (uint32_t)(most_count - other_count) / taking_count;
        uint32_t own_count = entry->max_connections_count;
        if (counts_connections(entry) &&
            (own_count > 0 ? own_count : default_count) > share_count) {
            entry->max_connections_count = share_count;
            import_remark(importer, &entry->notes, entry->where,
                          "`max_connections` is its share of the %lu that all services together "
                          "may have",
                          (unsigned long)most_count);
        }
    }
}

static void check_places(struct importer *importer) {
    size_t count = 0;
    for (size_t i = 0; i < importer->entry_count; i++) {
        count += importer->entries[i]->dropped ? 0 : importer->entries[i]->place_count;
    }
    if (count > SERVICE_TABLE_LISTEN_MAX_COUNT) {
        import_fault(importer, (struct import_where){.file = importer->path},
                     "this listens at more than the %lu places that one config can have; import "
                     "it in parts",
                     (unsigned long)SERVICE_TABLE_LISTEN_MAX_COUNT);
    }
}

/* A program that is handed one listening socket does not look for a second, and inetd launches one
 * for each: so does a section for each. */
static void split_places(struct importer *importer, struct import_entry *entry) {
    for (size_t i = 1; i < entry->place_count; i++) {
        struct import_entry *other = import_entry_add(importer, entry->where, entry->label);
        if (other == NULL) {
            return;
        }
        *other = *entry;
        other->notes = (struct import_lines){0};
        other->name = arena_join(importer->arena, entry->name, "-2", "");
        if (other->name == NULL) {
            other->name = entry->name;
        }
        other->places = &entry->places[i];
        other->place_count = 1;
    }
    entry->place_count = 1;
}

/* The place of a local socket is its path. */
static void place_socket(struct importer *importer, struct import_entry *entry) {
    struct import_place *place = arena_alloc(importer->arena, sizeof *place);
    if (place != NULL) {
        place->text = entry->port_text;
        entry->places = place;
        entry->place_count = 1;
    }
}

void import_finish(struct importer *importer) {
    const size_t count = importer->entry_count;
    for (size_t i = 0; i < count; i++) {
        struct import_entry *entry = importer->entries[i];
        if (!entry->dropped) {
            drop_if_replaced(importer, i);
        }
        if (!entry->dropped && entry->protocol == PROTOCOL_UNIX) {
            place_socket(importer, entry);
        }
        if (!entry->dropped && entry->place_count == 0) {
            import_drop(importer, entry, "there is no address left for it to listen at");
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (importer->entries[i]->family == IMPORT_IPV6_MAYBE && !importer->entries[i]->dropped) {
            decide_family(importer, importer->entries[i]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!importer->entries[i]->dropped) {
            drop_if_taken(importer, i);
        }
    }
    for (size_t i = 0; i < count && !arena_failed(importer->arena); i++) {
        struct import_entry *entry = importer->entries[i];
        if (!entry->dropped && entry->handoff == HANDOFF_LISTENER && entry->place_count > 1) {
            split_places(importer, entry);
        }
    }
    for (size_t i = 0; i < importer->entry_count && !arena_failed(importer->arena); i++) {
        if (!importer->entries[i]->dropped) {
            make_texts(importer, importer->entries[i]);
        }
        if (!importer->entries[i]->dropped) {
            name_entry(importer, i);
        }
    }
    share_connections(importer);
    check_places(importer);
}
