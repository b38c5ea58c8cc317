/*
 * The YAML front end: libyaml's events, of which a mapping of mappings of texts is accepted and all
 * else refused. Nothing is resolved: a scalar is the text that stands in the file, so `0777`,
 * `22:22` and `on` mean what they mean in INI.
 */
#include "core/config/reader.h"

#include <stdint.h>
#include <string.h>
#include <yaml.h>

#define YAML_DEPTH_MAX 3
#define YAML_EVENTS_MAX_COUNT 100000

static const char no_mapping[] = "the file is no mapping of sections; begin with a line like "
                                 "`ports:` and indent `7777: ok` below it";

struct yaml_file {
    struct config_reader *reader;
    const char *bytes;
    size_t length;
    size_t document_count;
    size_t event_count;
    size_t depth;      /* 0 before the top mapping, 1 in it, 2 in a section */
    size_t skip_depth; /* collections entered that are refused as a whole */
    bool has_key;      /* a key was read, its value comes next */
    bool key_is_bad;   /* ... but it was refused, and so is its value */
    size_t key_line;
    bool stop;
    size_t unclean_line;                 /* the first that has a stand-in; 0 = none */
    bool has_told;                       /* the last event that was no end was refused */
    char key[CONFIG_NAME_MAX_BYTES + 8]; /* more than allowed, so that too long shows */
};

/* Reports on the value that comes next, by its key, or else on the line. */
static void report(struct yaml_file *file, size_t line, const char *words) {
    const struct config_reader *reader = file->reader;
    const char *label = file->has_key && !file->key_is_bad ? file->key : NULL;
    if (file->depth == 2) {
        if (label != NULL && reader->current != SIZE_MAX) {
            label = config_label(reader, label);
        }
        config_mark_incomplete(file->reader);
    }
    config_problems_add(reader->problems, line, label, "%s", words);
}

/* Reports, and gives up the rest of the file. */
static void report_and_stop(struct yaml_file *file, size_t line, const char *words) {
    config_problems_add(file->reader->problems, line, NULL, "%s", words);
    file->reader->config->incomplete = true;
    file->stop = true;
}

/* A line of blanks, or with a comment behind them, says nothing; libyaml stops at a tab in it,
 * which YAML allows there. Makes blanks of these. */
static void clean_empty_line(char *line, size_t length) {
    size_t blank = 0;
    while (blank < length && text_is_blank(line[blank])) {
        blank++;
    }
    if (blank == length || line[blank] == '#') {
        memset(line, ' ', blank);
    }
}

/* What libyaml reads in place of a byte that was reported: nothing that would be a fault of its
 * own.
 */
static char stand_in(enum text_fault fault) {
    return fault == TEXT_RETURN ? '\n' : fault == TEXT_DOS_END ? ' ' : '?';
}

/* True if a fault of the whole line was told, as that of a stand-in: what else it has is guessed.
 */
static bool is_told(const struct yaml_file *file, size_t line) {
    const struct config_problems *problems = file->reader->problems;
    bool is_told = false;
    line = config_problems_line(problems, line);
    for (size_t i = 0; i < problems->problem_count; i++) {
        is_told =
            is_told || (problems->problems[i].line == line && problems->problems[i].key == NULL);
    }
    return is_told;
}

/* Copies the file with something else for every byte that libyaml would stop at, and reports each
 * such line, so that all of them are found in one run. Returns NULL when out of memory. */
static char *clean_copy(struct yaml_file *file, const char *bytes, size_t length) {
    struct config_reader *reader = file->reader;
    char *copy = arena_copy(reader->config->arena, bytes, length);
    size_t line = 0;
    for (size_t start = 0; copy != NULL && start < length;) {
        const char *newline = memchr(copy + start, '\n', length - start);
        size_t next = newline == NULL ? length : (size_t)(newline - copy) + 1;
        size_t end = newline == NULL ? length : next - 1;
        bool reported = false;
        end -= end > start && copy[end - 1] == '\r';
        line++;
        clean_empty_line(copy + start, end - start);
        while (start < end) {
            size_t where = 0;
            enum text_fault fault = text_check(copy + start, end - start, &where);
            start += where;
            if (fault != TEXT_FINE) {
                if (!reported) {
                    config_problems_add(reader->problems, line, NULL, "the line %s",
                                        text_fault_words(fault));
                }
                reported = true;
                file->unclean_line = file->unclean_line == 0 ? line : file->unclean_line;
                copy[start++] = stand_in(fault);
            }
        }
        start = next;
    }
    return copy;
}

/* Keeps the key that was just read; a bad one takes its value along. */
static void take_key(struct yaml_file *file, const yaml_event_t *event, size_t line) {
    size_t length = event->data.scalar.length;
    const char *text = (const char *)event->data.scalar.value;
    size_t where = 0;
    enum text_fault fault = text_check(text, length, &where);
    file->has_key = true;
    file->key_line = line;
    file->key_is_bad = fault != TEXT_FINE || is_told(file, line);
    if (fault == TEXT_FINE && file->key_is_bad) {
        config_mark_incomplete(file->reader);
        return;
    }
    if (fault != TEXT_FINE) {
        config_problems_add(file->reader->problems, line, NULL, "the key %s",
                            text_fault_words(fault));
        config_mark_incomplete(file->reader);
        return;
    }
    size_t kept = length < sizeof file->key ? length : sizeof file->key - 1;
    while (kept < length && ((unsigned char)text[kept] & 0xc0) == 0x80) {
        kept--; /* not within a character */
    }
    memcpy(file->key, text, kept);
    file->key[kept] = '\0';
}

/* What was meant, where it can be told. */
static const char *text_for_section(const struct yaml_file *file, const char *text) {
    size_t length = 0;
    while (text_is_name_char(text[length])) {
        length++;
    }
    return strncmp(file->key, "\xc2\xa0", 2) == 0
               ? "the line is indented with a no-break space; use blanks"
           : length > 0 && text[length] == ':' && text[length + 1] != '\0'
               ? "a blank must stand behind the colon, as in `handler: echo`"
               : "a section holds KEY: VALUE lines, indented below its name, not a text";
}

static void take_value(struct yaml_file *file, const yaml_event_t *event, size_t line) {
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    size_t where = 0;
    enum text_fault fault = text_check(text, length, &where);
    if (file->key_is_bad || is_told(file, line) ||
        (length == 0 && (event->data.scalar.tag != NULL || event->data.scalar.anchor != NULL))) {
        config_mark_incomplete(file->reader);
        file->has_key = false;
        return;
    }
    if (file->depth == 1 && length == 0) {
        config_open_section(file->reader, file->key, file->key_line);
    } else if (file->depth == 1) {
        report(file, line, text_for_section(file, text));
    } else if (fault != TEXT_FINE) {
        report(file, line,
               text[where] == '\n' ? "has several lines; write it on one"
                                   : text_fault_words(fault));
    } else {
        config_add_setting(file->reader, file->key, text, file->key_line);
    }
    file->has_key = false;
}

static void take_scalar(struct yaml_file *file, const yaml_event_t *event, size_t line) {
    if (file->depth == 0) {
        report_and_stop(file, line, no_mapping);
    } else if (!file->has_key) {
        take_key(file, event, line);
    } else {
        take_value(file, event, line);
    }
}

/* Enters a mapping or sequence: the file, a section, or something that is refused as a whole. */
static void enter(struct yaml_file *file, bool mapping, size_t line) {
    if (file->depth + file->skip_depth == YAML_DEPTH_MAX) {
        report_and_stop(file, line,
                        "this is nested too deeply; a config is sections, keys and "
                        "texts, nothing below");
    } else if (file->skip_depth > 0) {
        file->skip_depth++;
    } else if (file->depth == 0 && mapping) {
        file->depth = 1;
    } else if (file->depth == 0) {
        report_and_stop(file, line, no_mapping);
    } else if (file->depth == 1 && mapping && file->has_key && !file->key_is_bad) {
        config_open_section(file->reader, file->key, file->key_line);
        file->has_key = false;
        file->depth = 2;
    } else {
        if (!file->has_key) {
            report(file, line, "a key must be a text, not a list or mapping");
        } else if (!file->key_is_bad) {
            report(file, line,
                   mapping ? "a value must be a text, not a mapping of its own"
                           : "lists are not supported; write the value as one text, in quotes if "
                             "it begins with `[`");
        }
        file->key_is_bad = true;
        file->has_key = !file->has_key;
        file->skip_depth++;
    }
}

static void leave(struct yaml_file *file) {
    if (file->skip_depth > 0) {
        file->skip_depth--;
    } else {
        file->depth--;
        config_skip_section(file->reader);
        file->has_key = false;
    }
}

/* Anchors and tags are refused, but the node they stand on is read, to report what else is wrong.
 */
static void check_properties(struct yaml_file *file, const yaml_char_t *anchor,
                             const yaml_char_t *tag, size_t line) {
    if (anchor != NULL) {
        report(file, line,
               "anchors (`&name`) are not supported; write the text itself, without "
               "one");
    }
    if (tag != NULL) {
        report(file, line,
               "tags (`!name`) are not supported; every value is a text, so leave it "
               "out");
    }
}

static void take_alias(struct yaml_file *file, size_t line) {
    report(file, line, "aliases (`*name`) are not supported; write the text itself");
    file->key_is_bad = true;
    file->has_key = !file->has_key;
}

static void take_event(struct yaml_file *file, const yaml_event_t *event) {
    size_t line = event->start_mark.line + 1;
    bool skip = file->skip_depth > 0;
    size_t told_count = file->reader->problems->problem_count;
    if (++file->event_count > YAML_EVENTS_MAX_COUNT) {
        report_and_stop(file, line, "the file has too many parts; is it the right one?");
        return;
    }
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++file->document_count > 1) {
            report_and_stop(file, line,
                            "a second document begins here; delete the `---`, a "
                            "config is one document");
        }
        break;
    case YAML_ALIAS_EVENT:
        if (!skip) {
            take_alias(file, line);
        }
        break;
    case YAML_SCALAR_EVENT:
        if (!skip) {
            check_properties(file, event->data.scalar.anchor, event->data.scalar.tag, line);
            take_scalar(file, event, line);
        }
        break;
    case YAML_SEQUENCE_START_EVENT:
        check_properties(file, event->data.sequence_start.anchor, event->data.sequence_start.tag,
                         line);
        enter(file, false, line);
        break;
    case YAML_MAPPING_START_EVENT:
        check_properties(file, event->data.mapping_start.anchor, event->data.mapping_start.tag,
                         line);
        enter(file, true, line);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        leave(file);
        break;
    default:
        break;
    }
    if (!skip && event->type >= YAML_ALIAS_EVENT && event->type != YAML_SEQUENCE_END_EVENT &&
        event->type != YAML_MAPPING_END_EVENT) {
        file->has_told = file->reader->problems->problem_count > told_count;
    }
}

/* True if the line that begins at `line` (from 0) is indented with a tab. */
static bool line_has_tab_indent(const struct yaml_file *file, size_t line) {
    const char *at = file->bytes;
    const char *end = file->bytes + file->length;
    for (; line > 0 && at != NULL; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at == NULL ? NULL : at + 1;
    }
    while (at != NULL && at < end && *at == ' ') {
        at++;
    }
    return at != NULL && at < end && *at == '\t';
}

static void report_syntax(struct yaml_file *file, const yaml_parser_t *parser) {
    size_t line = parser->problem_mark.line;
    if (parser->error == YAML_MEMORY_ERROR) {
        file->reader->out_of_memory = true;
        return;
    }
    if (parser->error == YAML_READER_ERROR) {
        line = 0;
        for (size_t i = 0; i < parser->problem_offset && i < file->length; i++) {
            line += file->bytes[i] == '\n';
        }
    }
    file->reader->config->incomplete = true;
    if (file->skip_depth > 0) {
        return; /* in what was refused as a whole, `[::]:80` for one */
    }
    if (line_has_tab_indent(file, line)) {
        config_problems_add(file->reader->problems, line + 1, NULL,
                            "the line is indented with a tab, which YAML forbids; use blanks");
        return;
    }
    if (file->has_told || (file->unclean_line != 0 && file->unclean_line <= line + 1)) {
        return; /* what was told may be why */
    }
    config_problems_add(file->reader->problems, line + 1, NULL,
                        "this is not YAML (%s%s%s); check indentation, quotes and colons from line "
                        "%lu on",
                        parser->context != NULL ? parser->context : "",
                        parser->context != NULL ? ": " : "",
                        parser->problem != NULL ? parser->problem : "unreadable",
                        (unsigned long)(parser->context != NULL && parser->context_mark.line < line
                                            ? parser->context_mark.line
                                            : line) +
                            1);
}

void config_read_yaml(struct config_reader *reader, const char *bytes, size_t length) {
    struct yaml_file file = {.reader = reader, .length = length};
    yaml_parser_t parser;
    yaml_event_t event;
    file.bytes = clean_copy(&file, bytes, length);
    if (file.bytes == NULL) {
        return;
    }
    if (!yaml_parser_initialize(&parser)) {
        reader->out_of_memory = true;
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)file.bytes, length);
    while (!file.stop) {
        if (!yaml_parser_parse(&parser, &event)) {
            report_syntax(&file, &parser);
            break;
        }
        file.stop = event.type == YAML_STREAM_END_EVENT;
        take_event(&file, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}
