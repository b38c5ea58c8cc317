/* xinetd.conf(5): from lines to blocks of attributes, through include and includedir. */
#include "import/xinetd.h"

#include "core/base/error.h"

#include <stdlib.h>
#include <string.h>

struct xinetd {
    struct importer *importer;
    struct xinetd_block defaults; /* of all `defaults` together */
    struct xinetd_block *first, *last;
    bool has_defaults;
};

static void read_file(struct xinetd *xinetd, struct import_file *file);

/* A path that a file names: a relative one starts at the file's own folder. */
static const char *path_from(struct importer *importer, const char *file, const char *path) {
    size_t length = strlen(file);
    while (length > 0 && file[length - 1] != '/' &&
           !(importer->machine->backslash_separates && file[length - 1] == '\\')) {
        length--;
    }
    const char *folder = path[0] == '/' ? "" : arena_copy(importer->arena, file, length);
    return folder == NULL ? NULL : arena_join(importer->arena, folder, path, "");
}

static void include_file(struct xinetd *xinetd, struct import_where from, const char *path,
                         bool from_folder) {
    struct importer *importer = xinetd->importer;
    struct import_file file = {0};
    for (size_t i = 0; i < importer->depth_count; i++) {
        if (strcmp(importer->open_files[i], path) == 0) {
            import_fault(importer, from, "%.500s: this file includes itself; delete the line",
                         path);
            return;
        }
    }
    if (importer->depth_count == IMPORT_DEPTH_MAX_COUNT) {
        import_fault(importer, from,
                     "files include one another more than %d deep here; include the last "
                     "one at the top",
                     IMPORT_DEPTH_MAX_COUNT);
        return;
    }
    importer->skips_folders = from_folder;
    if (!import_open(importer, from, path, &file)) {
        return;
    }
    importer->open_files[importer->depth_count++] = path;
    read_file(xinetd, &file);
    importer->depth_count--;
}

/* The names of a folder, as the visitor collects them. */
struct names {
    struct importer *importer;
    struct import_words words;
};

static void take_name(void *visitor, const char *name) {
    struct names *names = visitor;
    size_t length = strlen(name);
    bool is_left_out = strchr(name, '.') != NULL || length == 0 || name[length - 1] == '~';
    /* One more than can be read, so that too many are told. */
    if (!is_left_out && names->words.count <= IMPORT_FILES_MAX_COUNT) {
        (void)import_words_add(names->importer, &names->words, name);
    }
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void include_folder(struct xinetd *xinetd, struct import_where from, const char *path) {
    struct importer *importer = xinetd->importer;
    const struct import_machine *machine = importer->machine;
    struct names names = {.importer = importer};
    size_t length = strlen(path);
    int result = machine->list_folder(machine->context, path, take_name, &names);
    if (result != BATON_OK) {
        import_fault(importer, from, "%.500s: %s", path,
                     result == BATON_NOT_FOUND ? "there is no such folder; correct the path"
                     : result == BATON_INVALID ? "this is no folder; give one, or say include"
                                               : baton_error_text(result));
        return;
    }
    if (names.words.count > 1) {
        qsort(names.words.items, names.words.count, sizeof *names.words.items, compare_names);
    }
    for (size_t i = 0; i < names.words.count && importer->file_count < IMPORT_FILES_MAX_COUNT;
         i++) {
        const char *file =
            arena_join(importer->arena, path, length > 0 && path[length - 1] == '/' ? "" : "/",
                       names.words.items[i]);
        if (file != NULL) {
            include_file(xinetd, from, file, true);
        }
    }
    if (names.words.count > IMPORT_FILES_MAX_COUNT) {
        import_fault(importer, from, "more than %d files; import them apart",
                     IMPORT_FILES_MAX_COUNT);
    }
}

/* NAME OPERATION VALUES; the operation may touch its neighbours. */
static void read_attribute(struct xinetd *xinetd, struct xinetd_block *block,
                           struct import_where where, const char *line) {
    struct importer *importer = xinetd->importer;
    size_t length = strcspn(line, " \t=+");
    const char *at = line + length;
    /* `-` may stand in a name; an operation `-=` that touches one has its `=` behind it. */
    if (*at == '=' && length > 0 && line[length - 1] == '-') {
        length--;
        at--;
    }
    at += strspn(at, " \t");
    char operation = *at;
    at += (*at == '+' || *at == '-');
    struct xinetd_attribute *attribute = arena_alloc(importer->arena, sizeof *attribute);
    if (length == 0 || *at != '=') {
        import_fault(importer, where,
                     "`%s` is no attribute; write NAME = VALUES, and end the block with `}`",
                     text_excerpt(line).text);
        return;
    }
    if (attribute == NULL) {
        return;
    }
    at++;
    attribute->where = where;
    attribute->name = arena_copy(importer->arena, line, length);
    attribute->operation = operation;
    attribute->values = import_split(importer, at + strspn(at, " \t"));
    attribute->text = line;
    if (attribute->name == NULL) {
        return;
    }
    if (block->last == NULL) {
        block->first = attribute;
    } else {
        block->last->next = attribute;
    }
    block->last = attribute;
}

/* Reads from behind the heading to the closing brace. */
static void read_block(struct xinetd *xinetd, struct import_file *file, struct xinetd_block *block,
                       bool is_open) {
    struct importer *importer = xinetd->importer;
    struct import_where start = file->where;
    char *line = NULL;
    while ((line = import_next_line(importer, file)) != NULL) {
        const char *text = line + strspn(line, " \t");
        if (text[0] == '\0') {
            continue;
        }
        if (!is_open) {
            if (strcmp(text, "{") != 0) {
                import_fault(importer, file->where, "`%s` where `{` belongs, which opens a block",
                             text_excerpt(text).text);
            }
            is_open = true;
            if (text[0] == '{' || strchr(text, '=') == NULL) {
                continue;
            }
        }
        if (strcmp(text, "}") == 0) {
            return;
        }
        read_attribute(xinetd, block, file->where, text);
    }
    import_fault(importer, start, "this block is not closed; end it with `}` on a line of its own");
}

static void read_heading(struct xinetd *xinetd, struct import_file *file,
                         const struct import_words *words) {
    struct importer *importer = xinetd->importer;
    struct xinetd_block *block = &xinetd->defaults;
    bool is_service = strcmp(words->items[0], "service") == 0;
    size_t name_count = is_service ? 2 : 1;
    bool is_open = words->count == name_count + 1 && strcmp(words->items[name_count], "{") == 0;
    if (words->count != name_count && !is_open) {
        import_fault(importer, file->where, "a block begins with `%s`, and `{` in the next line",
                     is_service ? "service NAME" : "defaults");
    }
    if (is_service) {
        block = arena_alloc(importer->arena, sizeof *block);
        if (block == NULL) {
            return;
        }
        block->name = words->count > 1 ? words->items[1] : "";
        if (xinetd->last == NULL) {
            xinetd->first = block;
        } else {
            xinetd->last->next = block;
        }
        xinetd->last = block;
    } else if (xinetd->has_defaults) {
        import_fault(importer, file->where,
                     "`defaults` stands twice, first in %.300s:%lu; put them together in one",
                     block->where.file, (unsigned long)block->where.line);
    }
    block->where = file->where;
    xinetd->has_defaults = xinetd->has_defaults || !is_service;
    read_block(xinetd, file, block, is_open);
}

static void read_file(struct xinetd *xinetd, struct import_file *file) {
    struct importer *importer = xinetd->importer;
    const char *line = NULL;
    while ((line = import_next_line(importer, file)) != NULL) {
        struct import_words words = import_split(importer, line + strspn(line, " \t"));
        if (words.count == 0) {
            continue;
        }
        bool is_folder = strcmp(words.items[0], "includedir") == 0;
        if (strcmp(words.items[0], "service") == 0 || strcmp(words.items[0], "defaults") == 0) {
            read_heading(xinetd, file, &words);
        } else if (is_folder || strcmp(words.items[0], "include") == 0) {
            const char *path =
                words.count != 2 ? NULL : path_from(importer, file->path, words.items[1]);
            if (words.count != 2) {
                import_fault(importer, file->where, "`%s` takes one path", words.items[0]);
            } else if (path != NULL && is_folder) {
                include_folder(xinetd, file->where, path);
            } else if (path != NULL) {
                include_file(xinetd, file->where, path, false);
            }
        } else {
            import_fault(importer, file->where,
                         "`%s` belongs to no block; what can stand here is service NAME, defaults, "
                         "include FILE and includedir FOLDER",
                         text_excerpt(line).text);
        }
    }
}

void import_read_xinetd(struct importer *importer, struct import_file *file) {
    struct xinetd xinetd = {.importer = importer};
    read_file(&xinetd, file);
    xinetd_note_defaults(importer, &xinetd.defaults);
    for (const struct xinetd_block *block = xinetd.first; block != NULL; block = block->next) {
        xinetd_add_service(importer, &xinetd.defaults, block);
    }
}
