/* The import as a whole; the readers do the rest. */
#include "import/import.h"

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/config/config.h"
#include "import/internal.h"

#include <string.h>

/* A file of xinetd begins with one of its keywords, and is no line of an inetd.conf. */
static bool is_xinetd(struct importer *importer, struct import_file file) {
    static const char *const keywords[] = {"service", "defaults", "include", "includedir"};
    const char *line = "";

    /* The line that counts is read again; its faults are told then. */
    struct import_lines faults = importer->faults;
    while (line != NULL && line[0] == '\0') {
        line = import_next_line(importer, &file);
    }
    importer->faults = faults;
    if (faults.last != NULL) {
        faults.last->next = NULL;
    }
    struct import_words words = import_split(importer, line);
    for (size_t i = 0; words.count > 0 && i < sizeof keywords / sizeof *keywords; i++) {
        if (text_equal_nocase(words.items[0], keywords[i])) {
            return !import_is_inetd(&words);
        }
    }
    return false;
}

static void visit_nothing(void *visitor, const char *name) {
    (void)visitor;
    (void)name;
}

/* Whether hosts.allow or hosts.deny has anything but comments, or cannot be told. */
static void look_for_wrappers(struct importer *importer) {
    const struct import_machine *machine = importer->machine;
    const char *const *path = machine->wrapper_files;
    for (; path != NULL && *path != NULL && importer->wrapped_by == NULL; path++) {
        const char *bytes = NULL;
        size_t length = 0;
        int result = machine->read_file(machine->context, *path, &bytes, &length);
        bool is_blank = true;
        bool is_comment = false;
        for (size_t at = 0; result == BATON_OK && at < length && is_blank; at++) {
            is_comment = bytes[at] != '\n' && (is_comment || bytes[at] == '#');
            is_blank = is_comment || strchr(" \t\r\n", bytes[at]) != NULL;
        }
        if (result != BATON_NOT_FOUND && (result != BATON_OK || !is_blank)) {
            importer->wrapped_by = *path;
        }
    }
}

static void read_all(struct importer *importer) {
    const struct import_machine *machine = importer->machine;
    struct import_file file = {0};
    struct import_where from = {.file = importer->path};
    look_for_wrappers(importer);
    if (strcmp(importer->path, IMPORT_STANDARD_INPUT) != 0 && machine->list_folder != NULL &&
        machine->list_folder(machine->context, importer->path, visit_nothing, NULL) == BATON_OK) {
        importer->format = IMPORT_XINETD;
        import_read_xinetd_folder(importer);
        import_finish(importer);
        return;
    }
    if (!import_open(importer, from, importer->path, &file)) {
        return;
    }
    importer->format = is_xinetd(importer, file) ? IMPORT_XINETD : IMPORT_INETD;
    importer->open_files[importer->depth_count++] = importer->path;
    if (importer->format == IMPORT_XINETD) {
        import_read_xinetd(importer, &file);
    } else {
        import_read_inetd(importer, &file);
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
        text_format(more, sizeof more, "and %lu more\n",
                    (unsigned long)(importer->faults.count - IMPORT_FAULTS_MAX_COUNT));
        complain(context, more);
    }
}

int import_config(const char *path, const struct import_machine *machine, text_emit *out,
                  text_emit *complain, void *context) {
    static const struct import_options none = {0};
    struct importer importer = {.machine = machine,
                                .options = machine->options != NULL ? machine->options : &none,
                                .path = path,
                                .arena = arena_create()};
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

/* ---- As it is ---- */

/* False if it cannot be read, or is another server's. */
static bool read_inetd(struct importer *importer) {
    struct import_file file = {0};
    struct import_where from = {.file = importer->path};
    look_for_wrappers(importer);
    if (!import_open(importer, from, importer->path, &file)) {
        return false;
    }
    if (is_xinetd(importer, file)) {
        return false;
    }
    importer->format = IMPORT_INETD;
    import_read_inetd(importer, &file);
    import_finish(importer);
    return true;
}

/* Cures that are for the config that an import prints, and here there is none. */
static const char *fitting_words(struct importer *importer, const char *words) {
    static const char *const others[] = {", then delete `enabled = no`",
                                         "; where there is one, delete `enabled = no`",
                                         ", and import again"};
    for (size_t i = 0; i < sizeof others / sizeof *others && words != NULL; i++) {
        const char *at = strstr(words, others[i]);
        char *before = at == NULL ? NULL : arena_copy(importer->arena, words, (size_t)(at - words));
        words = at == NULL       ? words
                : before == NULL ? NULL
                                 : arena_join(importer->arena, before, at + strlen(others[i]), "");
    }
    return words != NULL ? words : "";
}

static void give_problems(struct importer *importer, const struct import_lines *lines,
                          const struct import_taker *taker) {
    for (const struct import_line *line = lines->first; line != NULL; line = line->next) {
        if (!line->is_remark) {
            taker->problem(taker->context, line->where.line, fitting_words(importer, line->words));
        }
    }
}

static void give_faults(struct importer *importer, const struct import_taker *taker) {
    char more[64];
    give_problems(importer, &importer->faults, taker);
    if (importer->faults.count > IMPORT_FAULTS_MAX_COUNT) {
        text_format(more, sizeof more, "and %lu lines more have faults",
                    (unsigned long)(importer->faults.count - IMPORT_FAULTS_MAX_COUNT));
        taker->problem(taker->context, 0, more);
    }
}

static void give_entry(struct importer *importer, const struct import_entry *entry,
                       const struct import_taker *taker) {
    give_problems(importer, &entry->notes, taker);
    if (!entry->dropped && !entry->disabled) {
        taker->section(taker->context, entry->name, entry->where.line);
        import_give_settings(entry, taker->setting, taker->context);
    }
}

int import_inetd(const char *path, const struct import_machine *machine,
                 const struct import_taker *taker) {
    static const struct import_options none = {0};
    struct importer importer = {
        .machine = machine, .options = &none, .path = path, .arena = arena_create()};
    bool is_read = importer.arena != NULL && read_inetd(&importer);
    int result = arena_failed(importer.arena) ? BATON_NO_MEMORY
                 : is_read                    ? BATON_OK
                                              : BATON_INVALID;
    if (result == BATON_OK) {
        give_faults(&importer, taker);
    }
    for (size_t i = 0; result == BATON_OK && i < importer.entry_count; i++) {
        give_entry(&importer, importer.entries[i], taker);
    }
    result = arena_failed(importer.arena) ? BATON_NO_MEMORY : result;
    arena_destroy(&importer.arena);
    return result;
}
