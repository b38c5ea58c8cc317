/*
 * The INI front end: inih, fed by a reader of ours.
 *
 * Why inih does not see the values. As distributions build it, and how is not told to who links it,
 * it cuts section names at 49 bytes and lines at 197 without an error, cuts values at " ;" even
 * inside quotes, takes ':' for '=', and takes an indented line for a repetition of the key above. A
 * reader that only counts, checks and neutralises could not help that: no rewriting of a line of
 * 4,096 bytes makes it one of 197. So every line is looked at here first, faulty ones are reported
 * and handed on as blank ones, and of a setting inih sees the key and, in place of the value, the
 * number of its line: a token that no build of inih can cut or misread. inih still has the last
 * word on what is a setting.
 */
#include "core/base/text.h"
#include "core/config/reader.h"

#include <ini.h>
#include <stdint.h>
#include <string.h>

struct ini_file {
    struct config_reader *reader;
    const char *at; /* the rest of the file */
    const char *end;
    size_t line;     /* number of the line last read, from 1 */
    bool in_section; /* a section line was seen, good or bad */
    const char *key; /* into `text`; NULL = the line is no setting */
    const char *value;
    char text[CONFIG_LINE_MAX_BYTES + 1]; /* the line, NUL-terminated, cut into pieces in place */
};

/* Reports on the line, by its key if `text` has one (the line, which is not changed). */
static void report(struct ini_file *file, const char *text, const char *words) {
    const struct config_reader *reader = file->reader;
    size_t length = strcspn(text, "=:");
    const char *label = NULL;
    config_mark_incomplete(file->reader);
    while (length > 0 && text_is_blank(text[length - 1])) {
        length--;
    }
    if (text[0] != '[' && text[length + strspn(text + length, " \t")] == '=' && length > 0 &&
        length <= CONFIG_NAME_MAX_BYTES && reader->current != SIZE_MAX) {
        char key[CONFIG_NAME_MAX_BYTES + 1] = {0};
        memcpy(key, text, length);
        label = config_label(reader, key);
    }
    config_problems_add(reader->problems, file->line, label, "%s", words);
}

/* Takes the next line off the file; *line gets its bytes without the line end. */
static size_t take_line(struct ini_file *file, const char **line) {
    size_t rest = (size_t)(file->end - file->at);
    const char *newline = memchr(file->at, '\n', rest);
    size_t length = newline == NULL ? rest : (size_t)(newline - file->at);
    *line = file->at;
    file->at += length + (newline != NULL);
    file->line++;
    return length > 0 && (*line)[length - 1] == '\r' ? length - 1 : length;
}

static char *trim(char *text) {
    size_t length = strlen(text);
    while (length > 0 && text_is_blank(text[length - 1])) {
        text[--length] = '\0';
    }
    while (text_is_blank(*text)) {
        text++;
    }
    return text;
}

/* inih ends a line at " ;" wherever it stands; people expect the same of " #". */
static bool has_inline_comment(struct ini_file *file, const char *text) {
    char quote = '\0';
    for (const char *at = text; *at != '\0'; at++) {
        bool after_blank = at > text && text_is_blank(at[-1]);
        if (after_blank && *at == ';') {
            report(file, text,
                   quote == '\0'
                       ? "a comment behind a value is not possible; put it on a line of "
                         "its own (a `;` that belongs to the value has no blank before it)"
                       : "` ;` begins a comment in INI files, even inside quotes; write the "
                         "`;` without a blank before it");
            return true;
        }
        if (after_blank && *at == '#' && quote == '\0') {
            report(file, text,
                   "a comment behind a value is not possible; put it on a line of its own "
                   "(a `#` that belongs to the value goes into quotes)");
            return true;
        }
        if (quote == '"' && *at == '\\' && (at[1] == '"' || at[1] == '\\')) {
            at++;
        } else if (quote == '\0' && (*at == '"' || *at == '\'')) {
            quote = *at;
        } else if (*at == quote) {
            quote = '\0';
        }
    }
    return false;
}

static void read_section_line(struct ini_file *file, char *text) {
    char *close = strchr(text, ']');
    file->in_section = true;
    config_skip_section(file->reader);
    if (has_inline_comment(file, text)) {
        return;
    }
    if (close == NULL || close[1] != '\0') {
        report(file, text,
               close == NULL ? "the `[` of a section is not closed; write [NAME]"
                             : "nothing may follow the `]` of a section; delete it");
        return;
    }
    *close = '\0';
    config_open_section(file->reader, trim(text + 1), file->line);
}

static void read_setting_line(struct ini_file *file, char *text) {
    char *equals = strchr(text, '=');
    char *colon = strchr(text, ':');
    if (has_inline_comment(file, text)) {
        return;
    }
    if (colon != NULL && (equals == NULL || colon < equals)) {
        report(file, text,
               "`:` does not separate key and value; write KEY = VALUE (an address "
               "HOST:PORT goes into a section of its own, as its `listen`)");
        return;
    }
    if (equals == NULL) {
        report(file, text, "this line has no `=`; write KEY = VALUE, or begin a comment with `;`");
        return;
    }
    if (!file->in_section) {
        report(file, text,
               "this line stands before the first section; put a line like [ports] above");
        return;
    }
    *equals = '\0';
    file->key = trim(text);
    file->value = trim(equals + 1);
    if (file->key[0] == '\0') {
        report(file, text, "there is no key before the `=`; write KEY = VALUE");
        file->key = NULL;
    }
}

/* Looks at one line: reports its faults, opens its section, or leaves its key and value. */
static void read_line(struct ini_file *file, const char *line, size_t length) {
    size_t where = 0;
    enum text_fault fault = text_check(line, length, &where);
    const bool is_section = length > 0 && line[0] == '[';
    file->key = NULL;
    if (is_section && (fault != TEXT_FINE || length > CONFIG_LINE_MAX_BYTES)) {
        file->in_section = true;
        config_skip_section(file->reader);
    }
    if (fault != TEXT_FINE) {
        config_problems_add(file->reader->problems, file->line, NULL, "column %lu %s",
                            (unsigned long)where + 1, text_fault_words(fault));
        config_mark_incomplete(file->reader);
        return;
    }
    if (length > CONFIG_LINE_MAX_BYTES) {
        config_problems_add(file->reader->problems, file->line, NULL,
                            "the line is too long, %lu bytes; give at most %lu",
                            (unsigned long)length, (unsigned long)CONFIG_LINE_MAX_BYTES);
        config_mark_incomplete(file->reader);
        return;
    }
    memcpy(file->text, line, length);
    file->text[length] = '\0';
    char *text = trim(file->text);
    if (text[0] == '\0' || text[0] == ';' || text[0] == '#') {
        return;
    }
    if (text != file->text) {
        report(file, text,
               "the line is indented; begin it in the first column (a value has one line)");
        if (text[0] == '[') {
            file->in_section = true;
            config_skip_section(file->reader);
        }
    } else if (is_section) {
        read_section_line(file, text);
    } else {
        read_setting_line(file, text);
    }
}

/* inih's reader (as fgets): one line of the file, as far as it concerns inih. */
static char *next_line(char *out, int size_bytes, void *stream) {
    struct ini_file *file = stream;
    const char *line = NULL;
    if (file->at == file->end) {
        return NULL;
    }
    size_t length = take_line(file, &line);
    read_line(file, line, length);
    if (file->key == NULL || strlen(file->key) > CONFIG_NAME_MAX_BYTES) {
        if (file->key != NULL) {
            report(file, "", "the key is too long; give at most 48 bytes");
        }
        text_format(out, (size_t)size_bytes, "\n");
        return out;
    }
    text_format(out, (size_t)size_bytes, "%s=%lu\n", file->key, (unsigned long)file->line);
    return out;
}

/* inih's handler, called before the next line is read. Returns nonzero: go on. */
static int take_setting(void *user, const char *section, const char *key, const char *value) {
    struct ini_file *file = user;
    char token[24];
    /* inih sees no section lines, so that a section without keys is known to us as well. */
    (void)section;
    text_format(token, sizeof token, "%lu", (unsigned long)file->line);
    if (strcmp(value, token) != 0) {
        return 0;
    }
    config_add_setting(file->reader, key, file->value, file->line);
    return 1;
}

void config_read_ini(struct config_reader *reader, const char *bytes, size_t length) {
    struct ini_file file = {.reader = reader, .at = bytes, .end = bytes + length};
    int fault_line = ini_parse_stream(next_line, &file, take_setting, &file);
    if (fault_line == -2) {
        reader->out_of_memory = true;
    } else if (fault_line != 0) {
        config_problems_add(reader->problems, (size_t)fault_line, NULL,
                            "inih cannot read this line; write KEY = VALUE");
    }
}
