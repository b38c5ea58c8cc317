/* Files and their lines, and the words of a line. */
#include "core/base/error.h"
#include "core/base/utf16.h"
#include "core/config/config.h"
#include "import/internal.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_BYTES 900 /* of a file's name, as it is shown */

const char *import_unread_words(int result, bool is_folder) {
    switch (result) {
    case BATON_NOT_FOUND:
        return is_folder ? "there is no such folder; correct the path"
                         : "there is no such file; correct the path";
    case BATON_INVALID:
        return is_folder ? "this is no folder; give one, or say include"
                         : "this is no regular file; name the file itself, or a folder of xinetd";
    case BATON_DENIED:
        return "it may not be read; run this as a user who may";
    case BATON_TOO_LONG:
        return "it is longer than 1 MiB; is it the right one?";
    case BATON_SYSTEM:
        return "the system cannot read it, as where symbolic links lead in a circle; correct the "
               "path";
    default:
        return baton_error_text(result);
    }
}

static void report_unreadable(struct importer *importer, struct import_where from, const char *path,
                              int result) {
    const char *why = import_unread_words(result, false);
    if (from.line == 0) {
        import_fault(importer, from, "%s", why);
    } else {
        import_fault(importer, from, "%.500s: %s", path, why);
    }
}

bool import_open(struct importer *importer, struct import_where from, const char *path,
                 struct import_file *out) {
    static const char byte_order_mark[] = "\xef\xbb\xbf";
    const struct import_machine *machine = importer->machine;
    const char *bytes = NULL;
    size_t length = 0;
    if (importer->file_count == IMPORT_FILES_MAX_COUNT) {
        import_fault(importer, from, "this includes more than %lu files in all; import them apart",
                     (unsigned long)IMPORT_FILES_MAX_COUNT);
        return false;
    }
    int result = machine->read_file(machine->context, path, &bytes, &length);
    if ((result == BATON_INVALID || result == BATON_NOT_FOUND) && importer->skips_folders) {
        import_note(importer, &importer->notes, from, "%.500s: %s", path,
                    result == BATON_INVALID ? "this is no regular file"
                                            : "there is no such file where this link leads");
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
    /* The old servers cannot have read UTF-16: that was made of their file on its way here. */
    const char *converted = utf16_file_text(importer->arena, bytes, &length);
    bytes = converted != NULL ? converted : bytes;
    out->is_marked = converted == NULL && length >= 3 && memcmp(bytes, byte_order_mark, 3) == 0;
    if (out->is_marked) {
        bytes += 3;
        length -= 3;
    }
    out->at = arena_copy(importer->arena, bytes, length);
    out->end = out->at == NULL ? NULL : out->at + length;
    out->path = path;
    out->where.line = 0;
    const char *name = strcmp(path, IMPORT_STANDARD_INPUT) == 0 ? "standard input" : path;
    size_t shown_bytes = strlen(name) < NAME_MAX_BYTES ? strlen(name) : NAME_MAX_BYTES;
    char *shown = arena_copy(importer->arena, name, shown_bytes);
    if (shown != NULL) {
        import_make_plain(shown);
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
    /* Lines that end so would all be part of this comment. */
    const char *ended = is_comment ? memchr(line, '\r', length) : NULL;
    if (nul != NULL || ended != NULL) {
        fault = nul != NULL ? TEXT_NUL : TEXT_RETURN;
        at = (size_t)((nul != NULL ? nul : ended) - line);
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

char *import_next_line(struct importer *importer, struct import_file *file) {
    if (file->at == file->end) {
        return NULL;
    }
    const char *line = file->at;
    size_t rest = (size_t)(file->end - line);
    const char *newline = memchr(line, '\n', rest);
    size_t length = newline == NULL ? rest : (size_t)(newline - line);

    file->at = newline == NULL ? file->end : newline + 1;
    file->where.line++;
    file->ends_in_return = length > 0 && line[length - 1] == '\r';
    while (length > 0 && (text_is_blank(line[length - 1]) || line[length - 1] == '\r')) {
        length--;
    }
    /* What has NULs is no text at all, and one message is enough. */
    bool is_binary = memchr(line, '\0', length) != NULL;
    const size_t faults_count = importer->faults.count;
    bool is_fine = line_is_fine(importer, file->where, line, length);
    importer->has_torn_line = importer->faults.count > faults_count;
    importer->has_torn_hosts = importer->has_torn_line && length > 0 && line[length - 1] == ':';
    if (!is_fine) {
        length = 0;
    }
    if (is_binary) {
        file->at = file->end;
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
