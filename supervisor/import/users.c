/* As whom programs run: names of users and groups, looked up in files as passwd(5) and group(5). */
#include "core/base/error.h"
#include "import/internal.h"

#include <string.h>

enum field { NAME, PASSWORD, NUMBER, GROUP, MEMBERS = GROUP };

/* A part of a file. */
struct part {
    const char *start;
    size_t length;
};

/* Cuts what stands before the first `mark` off the part; false at its end. */
static bool next_part(struct part *rest, char mark, struct part *out) {
    if (rest->start == NULL) {
        return false;
    }
    const char *end = memchr(rest->start, mark, rest->length);
    *out = (struct part){rest->start, end == NULL ? rest->length : (size_t)(end - rest->start)};
    *rest = end == NULL ? (struct part){NULL, 0}
                        : (struct part){end + 1, rest->length - out->length - 1};
    return true;
}

/* A field of a line; empty if it has none. */
static struct part field_of(struct part line, enum field field) {
    struct part out = {"", 0};
    for (size_t i = 0; i <= field; i++) {
        if (!next_part(&line, ':', &out)) {
            return (struct part){"", 0};
        }
    }
    return out;
}

static bool is_text(struct part part, const char *text) {
    return part.length == strlen(text) && memcmp(part.start, text, part.length) == 0;
}

/* The whole of a file; empty if it cannot be read. */
static struct part read_whole(struct importer *importer, const char *path) {
    const struct import_machine *machine = importer->machine;
    struct part out = {NULL, 0};
    if (path == NULL ||
        machine->read_file(machine->context, path, &out.start, &out.length) != BATON_OK) {
        return (struct part){NULL, 0};
    }
    return out;
}

/* Finds the line whose `field` is `text`. It is valid until another file is read. */
static bool find(struct importer *importer, const char *path, enum field field, const char *text,
                 struct part *out) {
    struct part rest = read_whole(importer, path);
    while (text[0] != '\0' && next_part(&rest, '\n', out)) {
        if (is_text(field_of(*out, field), text) && field_of(*out, NUMBER).length > 0) {
            return true;
        }
    }
    *out = (struct part){NULL, 0};
    return false;
}

bool import_knows_user(struct importer *importer, const char *name) {
    struct part line;
    return importer->machine->users_file == NULL ||
           find(importer, importer->machine->users_file, NAME, name, &line);
}

/* Of the line of a user. */
struct import_account {
    const char *user, *gid;
};

static const char *copy_field(struct importer *importer, struct part line, enum field field) {
    struct part part = field_of(line, field);
    const char *copy = arena_copy(importer->arena, part.start, part.length);
    return copy == NULL ? "" : copy;
}

static bool is_number(const char *text) {
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* Without zeros before it, which some take for a sign of octal numbers. */
static const char *plain_number(const char *text) {
    while (text[0] == '0' && text[1] != '\0') {
        text++;
    }
    return text;
}

/* What a config can hold as it stands. */
static bool is_plain(const char *name) {
    if (name[0] == '-' || name[0] == '.') {
        return false;
    }
    while (text_is_name_char(*name) || *name == '-' || *name == '.' || *name == '$') {
        name++;
    }
    return *name == '\0';
}

static bool has_member(struct part members, const char *user) {
    struct part member;
    while (next_part(&members, ',', &member)) {
        if (is_text(member, user)) {
            return true;
        }
    }
    return false;
}

/* The names of a user's own group and of those that it is in. */
static const char *list_groups(struct importer *importer, const char *user, const char *own_gid) {
    struct part rest = read_whole(importer, importer->machine->groups_file);
    struct part line;
    const char *own = own_gid;
    const char *others = "";
    while (own != NULL && others != NULL && next_part(&rest, '\n', &line)) {
        struct part part = field_of(line, NAME);
        const char *name = arena_copy(importer->arena, part.start, part.length);
        if (name == NULL || name[0] == '\0' || !is_plain(name)) {
            continue;
        }
        if (is_text(field_of(line, NUMBER), own_gid)) {
            own = name;
        } else if (has_member(field_of(line, MEMBERS), user)) {
            others = arena_join(importer->arena, others, ", ", name);
        }
    }
    return own == NULL || others == NULL ? NULL : arena_join(importer->arena, own, others, "");
}

/* Says the groups of a user who is given another one as its own, but keeps that. */
static void set_groups(struct importer *importer, struct import_entry *entry,
                       struct import_where where, const struct import_account *account) {
    const char *value = list_groups(importer, account->user, account->gid);
    if (value != NULL) {
        import_entry_set(importer, entry, KEY_GROUPS, value);
        import_remark(importer, &entry->notes, where,
                      "`groups` are those that `%s` is in on this machine",
                      text_excerpt(account->user).text);
    }
}

static void say_unknown(struct importer *importer, struct import_entry *entry,
                        struct import_where where, const char *kind, const char *name) {
    import_off(importer, entry, where,
               "there is no %s `%s` on this machine, so this is switched off; where there is one, "
               "delete `enabled = no`",
               kind, text_excerpt(name).text);
}

/* Sets a key to the name of a user or group, and *line to that of its file, which is none where
 * that is not looked at. False if there is no such user or group. */
static bool set_name(struct importer *importer, struct import_entry *entry, enum key_id id,
                     const char *name, bool takes_numbers, struct part *line) {
    const char *path =
        id == KEY_USER ? importer->machine->users_file : importer->machine->groups_file;
    bool has_number = is_number(name);
    *line = (struct part){NULL, 0};
    if (has_number && !takes_numbers) {
        return false; /* Baton would take the name for a number */
    }
    name = has_number ? plain_number(name) : name;
    if (name[0] == '\0' || !is_plain(name)) {
        return false;
    }
    import_entry_set(importer, entry, id, name);
    return path == NULL || find(importer, path, has_number ? NUMBER : NAME, name, line) ||
           strcmp(name, has_number ? "0" : "root") == 0;
}

void import_entry_identity(struct importer *importer, struct import_entry *entry,
                           struct import_where where, const struct import_identity *identity) {
    struct import_account account = {"", ""};
    struct part line = {NULL, 0};
    if (identity->user != NULL &&
        !set_name(importer, entry, KEY_USER, identity->user, identity->takes_numbers, &line)) {
        say_unknown(importer, entry, where, "user", identity->user);
    }
    account.user = copy_field(importer, line, NAME);
    account.gid = copy_field(importer, line, GROUP);
    line = (struct part){NULL, 0};
    if (identity->group != NULL &&
        !set_name(importer, entry, KEY_GROUP, identity->group, identity->takes_numbers, &line)) {
        say_unknown(importer, entry, where, "group", identity->group);
    }
    bool is_roots = identity->group != NULL &&
                    (is_text(field_of(line, NUMBER), "0") || strcmp(identity->group, "root") == 0);
    if (is_roots && !identity->takes_numbers && strcmp(identity->user, "root") != 0) {
        import_off(importer, entry, where,
                   "GNU inetutils leaves `%s` its own group instead of root's, and others do not, "
                   "so this is switched off; correct `group`, then delete `enabled = no`",
                   text_excerpt(identity->user).text);
    }
    if (identity->groups == IMPORT_GROUPS_NONE) {
        import_entry_set(importer, entry, KEY_GROUPS, "none");
    } else if (identity->groups == IMPORT_GROUPS_AND_OWN && line.start != NULL &&
               account.user[0] != '\0' && !is_text(field_of(line, NUMBER), account.gid)) {
        set_groups(importer, entry, where, &account);
    }
}
