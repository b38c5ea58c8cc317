/* How many clients, how fast, what those are told who are refused, and what a program may take, by
 * xinetd.conf(5). */
#include "core/base/environment.h"
#include "core/base/error.h"
#include "core/base/text.h"
#include "import/xinetd.h"

#include <stdlib.h>
#include <string.h>

#define FILES_MAX_COUNT                                                                            \
    1048576L                 /* of one process, unless the system is told otherwise (proc(5))      \
                              */
#define BANNER_MAX_BYTES 400 /* within what `refuse_message` has room for */

static bool is_own(const struct xinetd_reading *reading, const struct xinetd_attribute *attribute) {
    return xinetd_find_in(reading->block, attribute->known->name) == attribute;
}

static void note(struct xinetd_reading *reading, const struct xinetd_attribute *attribute,
                 const char *why) {
    import_note(reading->importer, &reading->entry->notes, attribute->where, "%s: %s",
                text_excerpt(attribute->text).text, why);
}

/* A limit of how many at once, which `defaults` may have for services that cannot have it. Returns
 * the number as we write it, without sign and leading zeros; NULL = there is none that is to be
 * carried over. */
static const char *read_count(struct xinetd_reading *reading, const char *name) {
    const struct xinetd_attribute *attribute = xinetd_get(reading, name);
    const char *word = xinetd_word(reading, name);
    if (word == NULL) {
        return NULL;
    }
    if (word[strspn(word, "0+")] == '\0') {
        import_off(reading->importer, reading->entry, attribute->where,
                   "%s: xinetd serves nobody so", text_excerpt(attribute->text).text);
        return NULL;
    }
    if (reading->entry->handoff == HANDOFF_LISTENER) {
        if (is_own(reading, attribute)) {
            note(reading, attribute, "a handler that waits is one process at a time");
        }
        return NULL;
    }
    return word + strspn(word, "+0");
}

static void read_instances(struct xinetd_reading *reading) {
    const char *word = read_count(reading, "instances");
    struct key key = key_table[KEY_MAX_CONNECTIONS];
    struct key_message message;
    uint32_t number = 0;
    key.maximum = 65536; /* what is too much for all together is shared out in the end */
    if (word == NULL) {
        return;
    }
    if (text_equal_nocase(word, "UNLIMITED")) {
        note(reading, xinetd_get(reading, "instances"),
             "there always is a limit; see `max_connections`");
    } else if (!key_parse(&key, word, &number, &message)) {
        note(reading, xinetd_get(reading, "instances"), message.text);
    } else {
        reading->entry->max_connections_count = number;
        import_entry_set(reading->importer, reading->entry, KEY_WHEN_FULL, "refuse");
    }
}

static void read_per_source(struct xinetd_reading *reading) {
    const char *word = read_count(reading, "per_source");
    struct key_message message;
    if (word == NULL || text_equal_nocase(word, "UNLIMITED")) {
        return;
    }
    if (!import_entry_set_number(reading->importer, reading->entry, KEY_MAX_PER_SOURCE, word,
                                 &message)) {
        note(reading, xinetd_get(reading, "per_source"), message.text);
    } else if (reading->entry->family != IMPORT_IPV4) { /* xinetd counts by the whole address */
        import_entry_set(reading->importer, reading->entry, KEY_SOURCE_PREFIX, "128");
    }
}

static void read_rate(struct xinetd_reading *reading) {
    const struct xinetd_attribute *cps = xinetd_get(reading, "cps");
    if (cps == NULL) {
        return;
    }
    long count = strtol(cps->values.items[0], NULL, 10);
    if (count < 1 || count > IMPORT_RATE_MAX_COUNT) {
        if (is_own(reading, cps)) {
            note(reading, cps, "a rate that nobody can be above; see `rate`");
        }
        return;
    }
    import_entry_rate(reading->importer, reading->entry, (uint32_t)count, "s");
    if (is_own(reading, cps)) {
        xinetd_remark_rate(reading->importer, &reading->entry->notes, cps,
                           reading->entry->handoff == HANDOFF_LISTENER);
    }
}

void xinetd_remark_rate(struct importer *importer, struct import_lines *notes,
                        const struct xinetd_attribute *cps, bool waits) {
    import_remark(importer, notes, cps->where,
                  "%s: above the rate clients %s one by one, where xinetd shut the whole "
                  "service for %s s",
                  text_excerpt(cps->text).text, waits ? "wait" : "are refused",
                  text_excerpt(cps->values.items[1]).text);
}

/* What a file says to those who are refused, as a value of one line; NULL if there is no way. */
static const char *message_of(struct importer *importer, const char *bytes, size_t length) {
    char *out = arena_alloc(importer->arena, 2 * length + 1);
    size_t at = 0;
    size_t where = 0;
    if (out == NULL || length == 0 || length > BANNER_MAX_BYTES) {
        return NULL;
    }
    for (size_t i = 0; i < length; i++) {
        static const char escaped[] = "\n\r\t\\{}";
        static const char letters[] = "nrt\\{}";
        const char *found = bytes[i] == '\0' ? NULL : strchr(escaped, bytes[i]);
        if (found == NULL && (unsigned char)bytes[i] < ' ') {
            return NULL;
        }
        if (found != NULL) {
            out[at++] = strchr("{}", bytes[i]) != NULL ? bytes[i] : '\\';
        }
        out[at++] = found == NULL ? bytes[i] : letters[found - escaped];
    }
    out[at] = '\0';
    return text_check(out, at, &where) == TEXT_FINE ? import_quote(importer, out, false) : NULL;
}

static void read_banner(struct xinetd_reading *reading) {
    const struct xinetd_attribute *banner = xinetd_get(reading, "banner_fail");
    struct importer *importer = reading->importer;
    const char *bytes = NULL;
    size_t length = 0;
    if (banner == NULL || reading->entry->handoff == HANDOFF_LISTENER) {
        return;
    }
    int result = importer->machine->read_file(importer->machine->context, banner->values.items[0],
                                              &bytes, &length);
    if (result != BATON_OK) {
        note(reading, banner, "the file cannot be read here; give its text in `refuse_message`");
        return;
    }
    const char *message = message_of(importer, bytes, length);
    if (message == NULL && length > 0) {
        note(reading, banner, "what the file has is too long for `refuse_message`, or no text");
    } else if (message != NULL) {
        import_entry_set(importer, reading->entry, KEY_REFUSE_MESSAGE, message);
    }
}

/* ---- What the program itself gets ---- */

/* What is for programs is not for handlers of ours, one process of which has many clients. */
static const struct xinetd_attribute *get_for_program(struct xinetd_reading *reading,
                                                      const char *name) {
    const struct xinetd_attribute *attribute = xinetd_get(reading, name);
    bool is_ours = reading->entry->program[0] != '/';
    if (attribute != NULL && is_ours && is_own(reading, attribute)) {
        note(reading, attribute, "one process of this handler has many clients");
    }
    return is_ours ? NULL : attribute;
}

static void read_nice(struct xinetd_reading *reading) {
    const struct xinetd_attribute *nice = get_for_program(reading, "nice");
    const char *user = xinetd_word(reading, "user");
    struct key_message message;
    char value[32];
    if (nice == NULL) {
        return;
    }
    long steps = strtol(nice->values.items[0], NULL, 10); /* the system cuts it off, too */
    if (steps < 0 && user != NULL && strcmp(user, "root") != 0 && user[strspn(user, "0")] != '\0') {
        note(reading, nice, "xinetd asks as the user, whom the system refuses less than 0");
        return;
    }
    text_format(value, sizeof value, "%ld", steps < -20 ? -20 : steps > 19 ? 19 : steps);
    if (!import_entry_set_number(reading->importer, reading->entry, KEY_NICE, value, &message)) {
        note(reading, nice, message.text);
    }
}

static void read_umask(struct xinetd_reading *reading) {
    const struct xinetd_attribute *umask = get_for_program(reading, "umask");
    char value[16];
    if (umask != NULL) {
        text_format(value, sizeof value, "%04lo", strtoul(umask->values.items[0], NULL, 8));
        import_entry_set(reading->importer, reading->entry, KEY_UMASK, value);
    }
}

/* A limit that is none to xinetd is not carried over; one that no program could be started with
 * keeps it from being started. */
static void read_limit(struct xinetd_reading *reading, const char *name, enum key_id id) {
    const struct xinetd_attribute *limit = get_for_program(reading, name);
    struct key_message message;
    char value[32];
    char *end = NULL;
    if (limit == NULL || text_equal_nocase(limit->values.items[0], "UNLIMITED")) {
        return;
    }
    long number = strtol(limit->values.items[0], &end, 10); /* it has 9 digits at most */
    bool is_kilo = *end == 'k' || *end == 'K';
    const char *unit = is_kilo ? "K" : *end == '\0' ? "" : "M";
    if (id == KEY_LIMIT_FILES && unit[0] != '\0') {
        number = number > 1024 ? FILES_MAX_COUNT + 1 : number * (is_kilo ? 1024 : 1048576);
        unit = "";
    }
    if (number <= 0 || (id == KEY_LIMIT_FILES && number > FILES_MAX_COUNT)) {
        note(reading, limit,
             number <= 0 ? "xinetd takes it for no limit"
                         : "it is more than systems allow as a rule; see `limit_files`");
        return;
    }
    text_format(value, sizeof value, "%ld%s", number, unit);
    if (!import_entry_set_number(reading->importer, reading->entry, id, value, &message)) {
        import_off(reading->importer, reading->entry, limit->where, "%s: %s",
                   text_excerpt(limit->text).text, message.text);
    }
}

/* What xinetd passes on of its own environment: all, unless it is told. */
static void read_passenv(struct xinetd_reading *reading) {
    const struct xinetd_attribute *passenv = NULL;
    struct importer *importer = reading->importer;
    struct import_words words = {0};
    const char *value = "";
    xinetd_collect(importer, &reading->config->defaults, reading->block, "passenv", &words,
                   &passenv);
    for (size_t i = 0; value != NULL && i < words.count; i++) {
        const char *name = words.items[i];
        size_t length = 0;
        while (text_is_name_char(name[length])) {
            length++;
        }
        if (length == 0 || name[length] != '\0' || environment_is_private(name) ||
            strcmp(name, "all") == 0 || strcmp(name, "none") == 0) {
            import_note(importer, &reading->entry->notes, passenv->where,
                        "passenv: `%s` is no variable that can be passed on",
                        text_excerpt(name).text);
        } else {
            value = arena_join(importer->arena, value, value[0] == '\0' ? "" : ", ", name);
        }
    }
    if (passenv != NULL && value != NULL && reading->entry->program[0] == '/') {
        import_entry_set(importer, reading->entry, KEY_ENVIRONMENT_FROM,
                         value[0] == '\0' ? "none" : value);
    }
}

void xinetd_read_limits(struct xinetd_reading *reading) {
    read_instances(reading);
    read_per_source(reading);
    read_rate(reading);
    read_banner(reading);
    read_nice(reading);
    read_umask(reading);
    read_limit(reading, "rlimit_as", KEY_LIMIT_MEMORY);
    read_limit(reading, "rlimit_cpu", KEY_LIMIT_CPU);
    read_limit(reading, "rlimit_files", KEY_LIMIT_FILES);
    read_passenv(reading);
}
