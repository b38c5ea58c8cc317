/* The import as a whole; the readers do the rest. */
#include "import/import.h"

#include "core/base/error.h"
#include "core/config/config.h"
#include "import/internal.h"

#include <stdio.h>
#include <string.h>

/* A file of xinetd begins with one of its keywords; no line of an inetd.conf is so short. */
static bool is_xinetd(struct importer *importer, struct import_file file) {
    static const struct {
        const char *word;
        size_t most;
    } keywords[] = {{"service", 3}, {"defaults", 2}, {"include", 2}, {"includedir", 2}};
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
        if (strcmp(words.items[0], keywords[i].word) == 0 && words.count <= keywords[i].most) {
            return true;
        }
    }
    return false;
}

static void read_all(struct importer *importer) {
    struct import_file file = {0};
    struct import_where from = {.file = importer->path};
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
        snprintf(more, sizeof more, "and %lu more\n",
                 (unsigned long)(importer->faults.count - IMPORT_FAULTS_MAX_COUNT));
        complain(context, more);
    }
}

int import_config(const char *path, const struct import_machine *machine, text_emit *out,
                  text_emit *complain, void *context) {
    struct importer importer = {.machine = machine, .path = path, .arena = arena_create()};
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
