/* The import as a whole: files, lines, messages; the readers do the rest. */
#include "import/import.h"

#include "core/base/error.h"
#include "core/config/config.h"
#include "import/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 900  /* of a file's name, as it is shown */
#define LINE_MAX_BYTES 1024 /* of a message or comment, with NUL; longer ones are cut */

/* Names of files may hold anything, and what was cut may end within a character. */
static void make_plain(char *text) {
    size_t length = strlen(text);
    for (size_t at = 0; at < length; at++) {
        size_t where = 0;
        if (text_check(text + at, length - at, &where) == TEXT_FINE) {
            return;
        }
        at += where;
        text[at] = '?';
    }
}

static void keep_line(struct importer *importer, struct import_lines *lines, const char *text) {
    struct import_line *line = arena_alloc(importer->arena, sizeof *line);
    char *copy = arena_text(importer->arena, text);
    if (line == NULL || copy == NULL) {
        return;
    }
    make_plain(copy);
    line->text = copy;
    if (lines->last == NULL) {
        lines->first = line;
    } else {
        lines->last->next = line;
    }
    lines->last = line;
    lines->count++;
}

IMPORT_PRINTF(5, 0)
static void keep_located(struct importer *importer, struct import_lines *lines, const char *kind,
                         struct import_where where, const char *format, va_list arguments) {
    char words[LINE_MAX_BYTES];
    char text[2 * LINE_MAX_BYTES];
    char number[24] = "";

    /* clang 14 does not see through va_start in the caller.
     * NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
    vsnprintf(words, sizeof words, format, arguments);
    if (where.line > 0) {
        snprintf(number, sizeof number, ":%lu", (unsigned long)where.line);
    }
    snprintf(text, sizeof text, "%s%.900s%s: %s", kind, where.file, number, words);
    keep_line(importer, lines, text);
}

void import_fault(struct importer *importer, struct import_where where, const char *format, ...) {
    va_list arguments;
    if (importer->faults.count >= IMPORT_FAULTS_MAX_COUNT) {
        importer->faults.count++;
        return;
    }
    va_start(arguments, format);
    keep_located(importer, &importer->faults, "", where, format, arguments);
    va_end(arguments);
}

IMPORT_PRINTF(5, 0)
static void keep_note(struct importer *importer, struct import_lines *notes, const char *kind,
                      struct import_where where, const char *format, va_list arguments) {
    if (importer->note_count == IMPORT_NOTES_MAX_COUNT) {
        import_fault(importer, where,
                     "there are more than %lu things that cannot be carried over; is this the "
                     "right file?",
                     (unsigned long)IMPORT_NOTES_MAX_COUNT);
    }
    if (importer->note_count++ < IMPORT_NOTES_MAX_COUNT) {
        keep_located(importer, notes, kind, where, format, arguments);
    }
}

void import_note(struct importer *importer, struct import_lines *notes, struct import_where where,
                 const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep_note(importer, notes, "not carried over: ", where, format, arguments);
    va_end(arguments);
}

void import_remark(struct importer *importer, struct import_lines *notes, struct import_where where,
                   const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep_note(importer, notes, "note: ", where, format, arguments);
    va_end(arguments);
}

void import_drop(struct importer *importer, struct import_entry *entry, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep_note(importer, &entry->notes, "not carried over: ", entry->where, format, arguments);
    va_end(arguments);
    entry->dropped = true;
}

static void report_unreadable(struct importer *importer, struct import_where from, const char *path,
                              int result) {
    const char *why = NULL;
    switch (result) {
    case BATON_NOT_FOUND:
        why = "there is no such file; correct the path";
        break;
    case BATON_INVALID:
        why = "this is a folder or no regular file; name the file itself (of a folder of xinetd, "
              "the xinetd.conf that includes it)";
        break;
    case BATON_DENIED:
        why = "it may not be read; run batond as a user who may";
        break;
    case BATON_TOO_LONG:
        why = "it is longer than 1 MiB; is it the right one?";
        break;
    default:
        why = baton_error_text(result);
        break;
    }
    if (from.line == 0) {
        import_fault(importer, from, "%s", why);
    } else {
        import_fault(importer, from, "%.500s: %s", path, why);
    }
}

bool import_open(struct importer *importer, struct import_where from, const char *path,
                 struct import_source *out) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    const struct import_world *world = importer->world;
    const char *bytes = NULL;
    size_t length = 0;

    if (importer->file_count == IMPORT_FILES_MAX_COUNT) {
        import_fault(importer, from, "this includes more than %lu files in all; import them apart",
                     (unsigned long)IMPORT_FILES_MAX_COUNT);
        return false;
    }
    int result = world->read_file(world->context, path, &bytes, &length);
    if (result == BATON_INVALID && importer->skips_folders) {
        import_note(importer, &importer->notes, from, "%.500s: this is no regular file", path);
        return false;
    }
    if (result != BATON_OK) {
        report_unreadable(importer, from, path, result);
        return false;
    }
    importer->file_count++;
    importer->bytes_count += length;
    if (importer->bytes_count > IMPORT_BYTES_MAX_COUNT) {
        import_fault(importer, from,
                     "all files together are longer than %lu MiB; import them apart",
                     (unsigned long)(IMPORT_BYTES_MAX_COUNT >> 20));
        return false;
    }
    if (length >= 3 && memcmp(bytes, byte_order_mark, 3) == 0) {
        bytes += 3;
        length -= 3;
    }
    out->at = arena_copy(importer->arena, bytes, length);
    out->end = out->at == NULL ? NULL : out->at + length;
    out->path = path;
    out->where.line = 0;
    size_t shown_bytes = strlen(path) < NAME_MAX_BYTES ? strlen(path) : NAME_MAX_BYTES;
    char *shown = arena_copy(importer->arena, path, shown_bytes);
    if (shown != NULL) {
        make_plain(shown);
    }
    out->where.file = shown;
    return out->at != NULL && shown != NULL;
}

/* Reports what cannot stand in a line. Comments may be in any encoding, as old ones are. */
static bool line_is_fine(struct importer *importer, struct import_where where, const char *line,
                         size_t length) {
    size_t at = 0;
    size_t first = 0;

    while (first < length && text_is_blank(line[first])) {
        first++;
    }
    bool is_comment = first < length && line[first] == '#';
    enum text_fault fault = is_comment ? TEXT_FINE : text_check(line, length, &at);
    const char *nul = memchr(line, '\0', length);
    if (nul != NULL) {
        fault = TEXT_NUL;
        at = (size_t)(nul - line);
    }
    if (fault != TEXT_FINE) {
        import_fault(importer, where, "column %lu %s", (unsigned long)at + 1,
                     text_fault_words(fault));
    } else if (!is_comment && length > CONFIG_LINE_MAX_BYTES) {
        import_fault(importer, where, "the line is too long, %lu bytes; give at most %lu",
                     (unsigned long)length, (unsigned long)CONFIG_LINE_MAX_BYTES);
        return false;
    }
    return fault == TEXT_FINE && !is_comment;
}

char *import_next_line(struct importer *importer, struct import_source *source) {
    if (source->at == source->end) {
        return NULL;
    }
    const char *line = source->at;
    size_t rest = (size_t)(source->end - line);
    const char *newline = memchr(line, '\n', rest);
    size_t length = newline == NULL ? rest : (size_t)(newline - line);

    source->at = newline == NULL ? source->end : newline + 1;
    source->where.line++;
    while (length > 0 && (text_is_blank(line[length - 1]) || line[length - 1] == '\r')) {
        length--;
    }
    /* What has NULs is no text at all, and one message is enough. */
    bool is_binary = memchr(line, '\0', length) != NULL;
    if (!line_is_fine(importer, source->where, line, length)) {
        length = 0;
    }
    if (is_binary) {
        source->at = source->end;
    }
    return arena_copy(importer->arena, line, length);
}

bool import_words_add(struct importer *importer, struct import_words *words, const char *word) {
    /* Words are few, and a power of two tells how many places there are. */
    size_t count = words->count;
    if ((count & (count - 1)) == 0) {
        char **grown = arena_alloc(importer->arena, (count == 0 ? 1 : 2 * count) * sizeof *grown);
        if (grown == NULL) {
            return false;
        }
        if (count > 0) {
            memcpy(grown, words->items, count * sizeof *grown);
        }
        words->items = grown;
    }
    char *copy = arena_text(importer->arena, word);
    if (copy == NULL) {
        return false;
    }
    words->items[words->count++] = copy;
    return true;
}

struct import_words import_split(struct importer *importer, const char *text) {
    struct import_words words = {0};
    for (const char *at = text; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, " \t");
        char *word = length == 0 ? NULL : arena_copy(importer->arena, at, length);
        if (word != NULL && !import_words_add(importer, &words, word)) {
            break;
        }
        at += length;
        at += strspn(at, " \t");
    }
    return words;
}

/* A file of xinetd begins with one of its keywords; no line of an inetd.conf is so short. */
static bool is_xinetd(struct importer *importer, struct import_source source) {
    static const struct {
        const char *word;
        size_t most;
    } keywords[] = {{"service", 3}, {"defaults", 2}, {"include", 2}, {"includedir", 2}};
    const char *line = "";

    /* The line that counts is read again; its faults are told then. */
    struct import_lines faults = importer->faults;
    while (line != NULL && line[0] == '\0') {
        line = import_next_line(importer, &source);
    }
    importer->faults = faults;
    if (faults.last != NULL) {
        faults.last->next = NULL;
    }
    struct import_words words = import_split(importer, line);
    for (size_t i = 0; words.count > 0 && i < sizeof keywords / sizeof *keywords; i++) {
        if (strcmp(words.items[0], keywords[i].word) == 0 && words.count <= keywords[i].most) {
            return true;
        }
    }
    return false;
}

static void read_all(struct importer *importer) {
    struct import_source source = {0};
    struct import_where from = {.file = importer->path};
    if (!import_open(importer, from, importer->path, &source)) {
        return;
    }
    importer->format = is_xinetd(importer, source) ? IMPORT_XINETD : IMPORT_INETD;
    importer->open_files[importer->depth_count++] = importer->path;
    if (importer->format == IMPORT_XINETD) {
        import_read_xinetd(importer, &source);
    } else {
        import_read_inetd(importer, &source);
    }
    import_finish(importer);
}

static void count_bytes(void *context, const char *text) {
    size_t *count = context;
    *count += strlen(text);
}

/* What is printed must be a config that can be read. */
static void check_length(struct importer *importer) {
    size_t count = 0;
    import_print(importer, count_bytes, &count);
    if (count > CONFIG_FILE_MAX_BYTES) {
        import_fault(importer, (struct import_where){.file = importer->path},
                     "the config would be longer than the %lu MiB that one can have; import this "
                     "in parts",
                     (unsigned long)(CONFIG_FILE_MAX_BYTES >> 20));
    }
}

static void print_faults(const struct importer *importer, text_emit *complain, void *context) {
    char more[64];
    for (const struct import_line *line = importer->faults.first; line != NULL; line = line->next) {
        complain(context, line->text);
        complain(context, "\n");
    }
    if (importer->faults.count > IMPORT_FAULTS_MAX_COUNT) {
        snprintf(more, sizeof more, "and %lu more\n",
                 (unsigned long)(importer->faults.count - IMPORT_FAULTS_MAX_COUNT));
        complain(context, more);
    }
}

int import_config(const char *path, const struct import_world *world, text_emit *out,
                  text_emit *complain, void *context) {
    struct importer importer = {.world = world, .path = path, .arena = arena_create()};
    int result = BATON_NO_MEMORY;

    if (importer.arena != NULL) {
        read_all(&importer);
    }
    if (!arena_failed(importer.arena) && importer.faults.count == 0) {
        check_length(&importer);
    }
    if (!arena_failed(importer.arena)) {
        result = importer.faults.count > 0 ? BATON_INVALID : BATON_OK;
    }
    if (result == BATON_INVALID) {
        print_faults(&importer, complain, context);
    } else if (result == BATON_OK) {
        import_print(&importer, out, context);
    }
    arena_destroy(&importer.arena);
    return result;
}
