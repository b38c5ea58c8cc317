/* `allow` and `deny`: their lists, and the files of rules that these name, into trees. */
#include "core/base/error.h"
#include "core/base/utf16.h"
#include "core/service/build.h"

#include <stdlib.h>
#include <string.h>

/* Texts of the names of files. */
#define SOURCES_MAX_BYTES 65536u

/* Only the pages that are used are ever touched. All in one, as what is larger than 32 MiB can be
 * freed again without glibc learning from it to keep large tables in its heap (mallopt(3),
 * M_MMAP_THRESHOLD), where they would be resident. */
struct service_rules_room {
    struct rule rules[RULES_MAX_COUNT];
    char sources[SOURCES_MAX_BYTES];
    char file[SERVICE_RULES_FILE_MAX_BYTES + 1]; /* and the end of its last line */
};

/* What is being read. */
struct reading {
    struct service_builder *builder;
    struct service_rules_room *room;
    const struct config_setting *setting;
    bool tells; /* its faults are told here, and not where it came from */
    bool is_deny;
    bool is_full; /* which was told */
    size_t count;
    size_t sources_bytes;
    uint16_t source_count;
};

static void report_full(struct reading *reading) {
    if (!reading->is_full && reading->tells) {
        service_report(reading->builder, reading->setting,
                       "there are more than %u rules in the config and its files, or too many "
                       "files; leave some out",
                       RULES_MAX_COUNT);
    }
    reading->is_full = true;
}

/* One rule; `file` NULL = it stands in the setting itself. */
static void read_rule(struct reading *reading, const char *text, const char *file, size_t line) {
    struct address_block block;
    char message[ADDRESS_BLOCK_MESSAGE_SIZE];
    if (!address_block_parse(text, &block, message)) {
        if (reading->tells && file != NULL) {
            service_report(reading->builder, reading->setting, "%s:%lu: `%s`: %s", file,
                           (unsigned long)line, service_excerpt(reading->builder, text), message);
        } else if (reading->tells) {
            service_report_value(reading->builder, reading->setting, text, ": %s", message);
        }
        return;
    }
    if (reading->count + reading->builder->rule_count == RULES_MAX_COUNT) {
        report_full(reading);
        return;
    }
    struct rule *rule = &reading->room->rules[reading->count++];
    *rule = (struct rule){.line = (uint32_t)line,
                          .source = file != NULL ? reading->source_count : 0,
                          .is_deny = reading->is_deny};
    rule_set_block(rule, &block);
}

/* Ends a line's text where its comment begins, or else at `end`. What no address has, and messages
 * cannot show, is made visible: nothing that comes after a NUL may be overlooked. */
static char *cut_comment(char *at, char *end) {
    for (; at < end && *at != '#' && *at != ';'; at++) {
        if ((unsigned char)*at >= 0x7f || ((unsigned char)*at < ' ' && *at != '\t')) {
            *at = '?';
        }
    }
    *at = '\0';
    return at;
}

/* What ends lines or files elsewhere, and is told even in a comment, which would go on behind it.
 */
static const char *line_fault(const char *line, size_t length) {
    return memchr(line, '\r', length) != NULL   ? text_fault_words(TEXT_RETURN)
           : memchr(line, 0x1a, length) != NULL ? text_fault_words(TEXT_DOS_END)
                                                : NULL;
}

/* The lines of a file: a rule, or nothing, and then maybe a comment. */
static void read_lines(struct reading *reading, const char *path, char *at, size_t length) {
    char *end = at + length;
    for (size_t line = 1; at < end; line++) {
        char *newline = memchr(at, '\n', (size_t)(end - at));
        char *next = newline != NULL ? newline + 1 : end + 1;
        char *last = next - 1;
        while (last > at && (text_is_blank(last[-1]) || last[-1] == '\r')) {
            last--;
        }
        const char *wrong = line_fault(at, (size_t)(last - at));
        last = cut_comment(at, last);
        while (text_is_blank(*at)) {
            at++;
        }
        while (last > at && text_is_blank(last[-1])) {
            *--last = '\0';
        }
        if (wrong != NULL && reading->tells) {
            service_report(reading->builder, reading->setting, "%s:%lu: %s", path,
                           (unsigned long)line, wrong);
        } else if (wrong == NULL && at[0] != '\0') {
            read_rule(reading, at, path, line);
        }
        at = next;
    }
}

static void report_unread(struct reading *reading, const char *path, int result) {
    const char *why = result == BATON_TOO_LONG  ? "is longer than 16 MiB"
                      : result == BATON_INVALID ? "is a folder or no regular file"
                                                : baton_error_text(result);
    if (reading->tells) {
        service_report(reading->builder, reading->setting, "%s: %s; give a file of rules", path,
                       why);
    }
}

/* For the rules that come from there. */
static bool note_source(struct reading *reading, const char *path) {
    size_t size_bytes = strlen(path) + 1;
    if (size_bytes > SOURCES_MAX_BYTES - reading->sources_bytes) {
        report_full(reading);
        return false;
    }
    memcpy(reading->room->sources + reading->sources_bytes, path, size_bytes);
    reading->sources_bytes += size_bytes;
    reading->source_count++;
    return true;
}

static void read_file(struct reading *reading, const char *name) {
    struct service_builder *builder = reading->builder;
    struct baton_cause cause;
    size_t length = 0;
    const char *path = service_absolute_path(builder, reading->setting, name);
    if (path == NULL || !note_source(reading, path) ||
        !service_is_strict(builder, reading->setting->line,
                           service_key_label(builder, reading->setting), path)) {
        return;
    }
    int result = builder->machine->read_rules(path, reading->room->file,
                                              sizeof reading->room->file - 1, &length, &cause);
    if (result != BATON_OK) {
        report_unread(reading, path, result);
        return;
    }
    char *text = utf16_file_text(builder->scratch, reading->room->file, &length);
    bool has_mark =
        text == NULL && length >= 3 && memcmp(reading->room->file, "\xef\xbb\xbf", 3) == 0;
    size_t skipped = has_mark ? 3 : 0;
    read_lines(reading, path, (text != NULL ? text : reading->room->file) + skipped,
               length - skipped);
}

/* The value of `allow` or `deny`. */
static void read_list(struct reading *reading, const struct config_setting *setting, bool tells,
                      bool probe) {
    reading->setting = setting;
    reading->tells = tells;
    for (const char *rest = setting->value; rest != NULL;) {
        const char *text = service_next_part(reading->builder, &rest);
        if (text == NULL) {
            return;
        }
        if (text[0] != '@') {
            read_rule(reading, text, NULL, setting->line);
        } else if (probe) {
            read_file(reading, text + 1);
        }
    }
}

/* Large lists stand in [defaults], or in files that several services name. */
static bool is_same_list(const struct config_setting *a, const struct config_setting *b) {
    return a == b || (a != NULL && b != NULL && a->value[0] == '@' &&
                      strchr(a->value, ',') == NULL && strcmp(a->value, b->value) == 0);
}

static struct rule_tree *find_made(const struct service_builder *builder,
                                   const struct config_setting *allow,
                                   const struct config_setting *deny) {
    for (size_t i = 0; i < builder->table->access_count; i++) {
        if (is_same_list(builder->access_lists[i].allow, allow) &&
            is_same_list(builder->access_lists[i].deny, deny)) {
            return builder->table->accesses[i];
        }
    }
    return NULL;
}

/* Gives the tree to the table. */
static struct rule_tree *keep(struct service_builder *builder, const struct reading *reading,
                              const struct config_setting *allow,
                              const struct config_setting *deny) {
    struct service_table *table = builder->table;
    size_t capacity = builder->access_capacity; /* of both arrays */
    struct service_access_lists *lists = arena_grow(builder->scratch, builder->access_lists,
                                                    table->access_count, &capacity, sizeof *lists);
    if (lists == NULL) {
        return NULL;
    }
    builder->access_lists = lists;
    struct rule_tree **accesses =
        arena_grow(builder->arena, (void *)table->accesses, table->access_count,
                   &builder->access_capacity, sizeof(struct rule_tree *));
    struct rule_tree *tree = NULL;
    if (accesses == NULL) {
        return NULL;
    }
    table->accesses = accesses;
    tree = rule_tree_create(reading->room->rules, reading->count, allow != NULL,
                            reading->room->sources, reading->sources_bytes);
    if (tree == NULL) {
        builder->problems->out_of_memory = true;
        return NULL;
    }
    lists[table->access_count] = (struct service_access_lists){allow, deny};
    accesses[table->access_count++] = tree;
    builder->rule_count += reading->count;
    return tree;
}

struct rule_tree *service_read_rules(struct service_builder *builder,
                                     const struct config_setting *allow, bool tells_allow,
                                     const struct config_setting *deny, bool tells_deny,
                                     bool probe) {
    struct rule_tree *made = allow == NULL && deny == NULL ? NULL : find_made(builder, allow, deny);
    if (made != NULL || (allow == NULL && deny == NULL)) {
        return made;
    }
    if (builder->rules_room == NULL) {
        builder->rules_room = malloc(sizeof *builder->rules_room);
    }
    struct reading reading = {.builder = builder, .room = builder->rules_room};
    if (reading.room == NULL) {
        builder->problems->out_of_memory = true;
        return NULL;
    }
    if (allow != NULL) {
        read_list(&reading, allow, tells_allow, probe);
    }
    reading.is_deny = true;
    if (deny != NULL) {
        read_list(&reading, deny, tells_deny, probe);
    }
    return probe ? keep(builder, &reading, allow, deny) : NULL;
}
