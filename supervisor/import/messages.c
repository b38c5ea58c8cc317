/* What the import says: faults, which end it, and notes, which become comments in the output. */
#include "core/base/text.h"
#include "import/internal.h"

#include <stdarg.h>
#include <string.h>

#define LINE_MAX_BYTES 1024 /* of a message or comment, with NUL; longer ones are cut */

void import_make_plain(char *text) {
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

/* `before_bytes` of the text stand before its words. */
static void keep_line(struct importer *importer, struct import_lines *lines,
                      struct import_where where, const char *text, size_t before_bytes) {
    struct import_line *line = arena_alloc(importer->arena, sizeof *line);
    char *copy = arena_text(importer->arena, text);
    if (line == NULL || copy == NULL) {
        return;
    }
    import_make_plain(copy);
    line->text = copy;
    line->where = where;
    line->words = copy + before_bytes;
    line->is_remark = false;
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
    text_format_list(words, sizeof words, format, arguments);
    if (where.line > 0) {
        text_format(number, sizeof number, ":%lu", (unsigned long)where.line);
    }
    int before = text_format(text, sizeof text, "%s%.900s%s: ", kind, where.file, number);
    text_format(text + before, sizeof text - (size_t)before, "%s", words);
    keep_line(importer, lines, where, text, (size_t)before);
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
    const size_t count = notes->count;
    va_start(arguments, format);
    keep_note(importer, notes, "note: ", where, format, arguments);
    va_end(arguments);
    if (notes->count > count) {
        notes->last->is_remark = true;
    }
}

void import_off(struct importer *importer, struct import_entry *entry, struct import_where where,
                const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep_note(importer, &entry->notes, "not carried over: ", where, format, arguments);
    va_end(arguments);
    entry->disabled = true;
}

void import_was_off(struct importer *importer, struct import_entry *entry,
                    struct import_where where, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep_note(importer, &entry->notes, "switched off: ", where, format, arguments);
    va_end(arguments);
    entry->disabled = true;
    entry->was_off = true;
}

void import_drop(struct importer *importer, struct import_entry *entry, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    keep_note(importer, &entry->notes, "not carried over: ", entry->where, format, arguments);
    va_end(arguments);
    entry->dropped = true;
}
