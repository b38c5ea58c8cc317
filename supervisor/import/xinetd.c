/* xinetd.conf(5): from lines to blocks of attributes, through include and includedir. */
#include "import/xinetd.h"

#include "core/base/error.h"

#include <stdlib.h>
#include <string.h>

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
    xinetd_read_file(xinetd, &file);
    importer->depth_count--;
}

bool xinetd_is_included(const char *name) {
    size_t length = strlen(name);
    return length > 0 && strchr(name, '.') == NULL && name[length - 1] != '~';
}

/* The names of a folder, as the visitor collects them. */
struct names {
    struct importer *importer;
    struct import_words words;
};

static void take_name(void *visitor, const char *name) {
    struct names *names = visitor;
    /* One more than can be read, so that too many are told. */
    if (xinetd_is_included(name) && names->words.count <= IMPORT_FILES_MAX_COUNT) {
        (void)import_words_add(names->importer, &names->words, name);
    }
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* True if the last part of the path is `name`, or any would do. */
static bool is_named(const struct importer *importer, const char *path, const char *name) {
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/') {
        length--;
    }
    size_t name_length = strlen(name);
    return name_length == 0 ||
           (length >= name_length && strncmp(path + length - name_length, name, name_length) == 0 &&
            (length == name_length || path[length - name_length - 1] == '/' ||
             (importer->machine->backslash_separates && path[length - name_length - 1] == '\\')));
}

void xinetd_read_folder(struct xinetd *xinetd, struct import_where from, const char *path) {
    struct importer *importer = xinetd->importer;
    const struct import_machine *machine = importer->machine;
    struct names names = {.importer = importer};
    size_t length = strlen(path);
    bool is_wanted = xinetd->wanted != NULL && is_named(importer, path, xinetd->wanted);
    xinetd->has_wanted = xinetd->has_wanted || is_wanted;
    int result = machine->list_folder(machine->context, path, take_name, &names);
    if (result == BATON_NOT_FOUND && is_wanted) {
        return; /* a copy of a tree has what is imported elsewhere */
    }
    if (result != BATON_OK) {
        import_fault(importer, from, "%.500s: %s", path, import_unread_words(result, true));
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

/* The next line that is not empty, without blanks before it; NULL at the end of the file. */
static const char *next_text(struct importer *importer, struct import_file *file) {
    const char *line = "";
    while (line != NULL && line[0] == '\0') {
        line = import_next_line(importer, file);
        line = line == NULL ? NULL : line + strspn(line, " \t");
    }
    return line;
}

/* xinetd passes over everything up to a line that has `}` alone; a service in it is named. */
static void skip_block(struct xinetd *xinetd, struct import_file *file) {
    struct importer *importer = xinetd->importer;
    struct import_where start = file->where;
    const char *line = NULL;
    while ((line = next_text(importer, file)) != NULL && strcmp(line, "}") != 0) {
        struct import_words words = import_split(importer, line);
        if (words.count < 2 || !text_equal_nocase(words.items[0], "service")) {
            continue;
        }
        struct import_entry *entry = import_entry_add(importer, file->where, words.items[1]);
        if (entry != NULL) {
            import_drop(importer, entry,
                        "xinetd passes over it, since it has no way to read line %lu; correct that",
                        (unsigned long)start.line);
            entry->was_off = true;
        }
    }
}

/* Reads NAME OPERATION VALUES into *out. Returns what is wrong with the line, or NULL. */
static const char *parse_attribute(struct importer *importer, const char *line,
                                   struct xinetd_attribute *out) {
    size_t length = strcspn(line, " \t");
    const char *at = line + length + strspn(line + length, " \t");
    out->text = line;
    out->operation = *at;
    at += (*at == '+' || *at == '-');
    if (*at != '=' || memchr(line, '=', length) != NULL) {
        return "NAME = VALUES belongs here, with a blank before the `=`";
    }
    at++;
    const char *name = arena_copy(importer->arena, line, length);
    out->known = name == NULL ? NULL : xinetd_find(name);
    out->values = import_split(importer, at + strspn(at, " \t"));
    return NULL;
}

/* Returns what is wrong, or NULL. */
static const char *read_attribute(struct xinetd *xinetd, const struct import_file *file,
                                  struct xinetd_block *block, const char *line) {
    struct importer *importer = xinetd->importer;
    struct xinetd_attribute *attribute = arena_alloc(importer->arena, sizeof *attribute);
    if (file->ends_in_return) {
        return "the line ends with CR and LF, and xinetd takes the CR for a part of the value";
    }
    if (attribute == NULL) {
        return NULL;
    }
    const char *fault = parse_attribute(importer, line, attribute);
    if (fault != NULL) {
        return fault;
    }
    attribute->where = file->where;
    attribute->order = xinetd->order++;
    if (block->last == NULL) {
        block->first = attribute;
    } else {
        block->last->next = attribute;
    }
    block->last = attribute;
    return NULL;
}

/* Reads from behind the `{` to the `}`. Returns what is wrong, or NULL. */
static const char *read_block(struct xinetd *xinetd, struct import_file *file,
                              struct xinetd_block *block) {
    const char *line = NULL;
    while ((line = next_text(xinetd->importer, file)) != NULL) {
        if (strcmp(line, "}") == 0) {
            return NULL;
        }
        const char *fault = read_attribute(xinetd, file, block, line);
        if (fault != NULL) {
            return fault;
        }
    }
    return "the block is not closed by `}` on a line of its own";
}

static void read_service(struct xinetd *xinetd, struct import_file *file,
                         const struct import_words *words) {
    struct xinetd_block *block = arena_alloc(xinetd->importer->arena, sizeof *block);
    if (block == NULL) {
        return;
    }
    block->where = file->where;
    block->order = xinetd->order++;
    block->name = words->items[1];
    if (xinetd->last == NULL) {
        xinetd->first = block;
    } else {
        xinetd->last->next = block;
    }
    xinetd->last = block;
    const char *line = next_text(xinetd->importer, file);
    block->fault = line == NULL || strcmp(line, "{") != 0
                       ? "a line with `{` alone belongs below the name"
                       : read_block(xinetd, file, block);
    block->fault_where = file->where;
    if (block->fault != NULL) {
        skip_block(xinetd, file);
    }
}

/* `has_defaults` of this file, which counts one alone. */
static void read_defaults(struct xinetd *xinetd, struct import_file *file, bool *has_defaults) {
    struct importer *importer = xinetd->importer;
    struct import_where where = file->where;
    const char *line = next_text(importer, file);
    const char *fault = line == NULL || strcmp(line, "{") != 0
                            ? "a line with `{` alone belongs below `defaults`"
                            : NULL;
    xinetd->has_frame = true;
    if (fault == NULL && *has_defaults) {
        import_note(importer, &importer->notes, where,
                    "a second `defaults`, which xinetd passes over; put them together in one");
        skip_block(xinetd, file);
        return;
    }
    if (fault == NULL) {
        fault = read_block(xinetd, file, &xinetd->config.defaults);
        *has_defaults = fault == NULL;
    }
    if (fault != NULL) {
        /* Whether the rules above the line are in force hangs on what follows: nobody is let in. */
        import_note(importer, &importer->notes, file->where,
                    "defaults: %s, so it is not clear what of them is in force", fault);
        xinetd->config.is_dead = true;
        skip_block(xinetd, file);
    }
}

/* A path in a line with CR and LF is none that xinetd finds. */
static void read_include(struct xinetd *xinetd, struct import_file *file,
                         const struct import_words *words, bool is_folder) {
    struct importer *importer = xinetd->importer;
    const char *path = path_from(importer, file->path, words->items[1]);
    xinetd->has_frame = true;
    if (path != NULL && !is_folder && xinetd->wanted != NULL && xinetd->wanted[0] != '\0') {
        xinetd->has_wanted = xinetd->has_wanted || is_named(importer, path, xinetd->wanted);
    }
    if (file->ends_in_return) {
        import_note(importer, &importer->notes, file->where,
                    "the line ends with CR and LF, and xinetd takes the CR for a part of the path, "
                    "which it does not find");
    } else if (path != NULL && is_folder) {
        xinetd_read_folder(xinetd, file->where, path);
    } else if (path != NULL) {
        include_file(xinetd, file->where, path, false);
    }
}

void xinetd_read_file(struct xinetd *xinetd, struct import_file *file) {
    struct importer *importer = xinetd->importer;
    bool has_defaults = false;
    const char *line = NULL;
    bool is_bad = file->is_marked;
    while (is_bad || (line = next_text(importer, file)) != NULL) {
        struct import_words words = import_split(importer, line);
        const char *first = words.count > 0 ? words.items[0] : "";
        bool is_folder = text_equal_nocase(first, "includedir");
        if (is_bad || words.count == 0) {
            import_note(importer, &importer->notes, file->where,
                        "the file begins with a byte order mark, which xinetd takes for a part of "
                        "the first word; delete it");
            skip_block(xinetd, file);
        } else if (text_equal_nocase(first, "defaults")) {
            read_defaults(xinetd, file, &has_defaults);
        } else if (words.count > 1 && text_equal_nocase(first, "service")) {
            read_service(xinetd, file, &words);
        } else if (words.count > 1 && (is_folder || text_equal_nocase(first, "include"))) {
            read_include(xinetd, file, &words, is_folder);
        } else {
            import_note(
                importer, &importer->notes, file->where,
                "`%s` belongs to no block, and xinetd passes over all from here to the next "
                "line with `}` alone; what can stand here is service NAME, defaults, "
                "include FILE and includedir FOLDER",
                text_excerpt(line).text);
            skip_block(xinetd, file);
        }
        is_bad = false;
    }
}
