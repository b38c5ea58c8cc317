/* xinetd.conf(5) from its first file on: which files belong to it, and whose defaults. */
#include "core/base/error.h"
#include "import/xinetd.h"

#include <string.h>

/* Where the last part of a path begins. */
static const char *last_part(const struct importer *importer, const char *path) {
    const char *part = path;
    for (const char *at = path; *at != '\0'; at++) {
        bool separates = *at == '/' || (importer->machine->backslash_separates && *at == '\\');
        part = separates && at[1] != '\0' ? at + 1 : part;
    }
    return part;
}

/* A place where an xinetd.conf may be that has what is imported, and what it must include. */
struct candidate {
    const char *path;   /* NULL = none */
    const char *wanted; /* the last part of what it includes; "" = any will do */
};

/* Beside the file or folder, or above the file's folder. */
static void list_candidates(struct importer *importer, const char *path, bool is_folder,
                            struct candidate out[2]) {
    const char *part = last_part(importer, path);
    const char *folder = arena_copy(importer->arena, path, (size_t)(part - path));
    const char *name = folder == NULL ? "" : last_part(importer, folder);
    const char *above = NULL;
    out[0] = out[1] = (struct candidate){NULL, NULL};
    if (folder == NULL) {
        return;
    }
    bool is_known = name[0] != '\0' && name[0] != '.';
    out[0].path = arena_join(importer->arena, folder, "xinetd.conf", "");
    out[0].wanted = is_folder || !xinetd_is_included(part) ? part : "";
    if (is_folder && part[0] == '.') {
        out[0].path = arena_join(importer->arena, path, "/../xinetd.conf", "");
        out[0].wanted = "";
        return;
    }
    if (is_folder) {
        out[0].wanted = arena_copy(importer->arena, part, strcspn(part, "/\\"));
        return;
    }
    above = is_known ? arena_copy(importer->arena, folder, (size_t)(name - folder))
                     : arena_join(importer->arena, folder, "../", "");
    out[1].path = above == NULL ? NULL : arena_join(importer->arena, above, "xinetd.conf", "");
    out[1].wanted = !xinetd_is_included(part) ? part
                    : is_known ? arena_copy(importer->arena, name, strcspn(name, "/\\"))
                               : "";
}

/* A name that an includedir passes over is that of a whole config, or of a part that is included by
 * its name. */
static bool may_be_whole(const struct importer *importer, const char *path) {
    const char *name = last_part(importer, path);
    return strcmp(path, IMPORT_STANDARD_INPUT) != 0 && !xinetd_is_included(name);
}

/* Keeps of what a frame has given the bytes alone, and of its faults those that are wanted. */
static void put_back(struct importer *importer, const struct importer *before, bool keeps_faults) {
    importer->entry_count = before->entry_count;
    importer->note_count = before->note_count;
    importer->notes = before->notes;
    if (importer->notes.last != NULL) {
        importer->notes.last->next = NULL;
    }
    if (!keeps_faults) {
        importer->faults = before->faults;
    }
    if (importer->faults.last != NULL) {
        importer->faults.last->next = NULL;
    }
}

/* Reads the file for what it says of all services. Returns NULL; or why it is not the one, and then
 * nothing of it is kept but the faults of one that was named by --defaults. */
static const char *read_frame(struct xinetd *xinetd, const char *path, const char *wanted) {
    struct importer *importer = xinetd->importer;
    struct xinetd frame = {.importer = importer, .wanted = wanted, .order = xinetd->order};
    const struct importer before = *importer;
    const struct import_where from = {.file = path};
    struct import_file file = {0};
    importer->skips_folders = false;
    if (import_open(importer, from, path, &file)) {
        /* It may include what is imported, which is no ring. */
        importer->depth_count = 0;
        importer->open_files[importer->depth_count++] = path;
        xinetd_read_file(&frame, &file);
        importer->depth_count = before.depth_count;
        memcpy(importer->open_files, before.open_files, sizeof before.open_files);
    }
    bool has_faults = importer->faults.count != before.faults.count;
    put_back(importer, &before, path == importer->options->defaults);
    if (has_faults) {
        return "has faults, which an import of it tells";
    }
    /* Any text can be read as one that xinetd passes over from end to end. */
    if (!frame.has_frame && (frame.first == NULL || !may_be_whole(importer, path))) {
        return "is no whole xinetd.conf: it has no `defaults` and includes nothing";
    }
    if (wanted[0] != '\0' && !frame.has_wanted) {
        return "does not include it";
    }
    xinetd->config.defaults = frame.config.defaults;
    xinetd->config.is_dead = frame.config.is_dead;
    xinetd->order = frame.order;
    xinetd->frame_first = frame.first;
    import_remark(importer, &importer->notes, (struct import_where){.file = importer->path},
                  "`defaults` of %.500s hold for it as well", path);
    return NULL;
}

static bool exists(const struct importer *importer, const char *path) {
    const char *bytes = NULL;
    size_t length = 0;
    return path != NULL && importer->machine->read_file(importer->machine->context, path, &bytes,
                                                        &length) != BATON_NOT_FOUND;
}

static bool find_frame(struct xinetd *xinetd, const char *path, bool is_folder) {
    struct importer *importer = xinetd->importer;
    struct candidate candidates[2];
    list_candidates(importer, path, is_folder, candidates);
    for (size_t i = 0; i < 2; i++) {
        if (candidates[i].wanted == NULL || !exists(importer, candidates[i].path)) {
            continue;
        }
        const char *why = read_frame(xinetd, candidates[i].path, candidates[i].wanted);
        if (why == NULL) {
            return true;
        }
        xinetd->config.seen_path = candidates[i].path;
        xinetd->config.seen_why = why;
    }
    return false;
}

static void read_with_frame(struct xinetd *xinetd, const char *path, bool is_folder) {
    struct importer *importer = xinetd->importer;
    const struct import_options *options = importer->options;
    const struct import_where whole = {.file = path};
    if (options->defaults != NULL) {
        const char *why = read_frame(xinetd, options->defaults, "");
        if (why != NULL) {
            import_fault(importer, (struct import_where){.file = options->defaults},
                         "this %s; name the right xinetd.conf after --defaults, or say "
                         "--no-defaults",
                         why);
        }
    } else if (!options->no_defaults && strcmp(last_part(importer, path), "xinetd.conf") != 0 &&
               (strcmp(path, IMPORT_STANDARD_INPUT) == 0 || !find_frame(xinetd, path, is_folder))) {
        xinetd->config.are_unseen = is_folder || !may_be_whole(importer, path);
        if (!xinetd->config.are_unseen) {
            import_remark(
                importer, &importer->notes, whole,
                "taken for a whole xinetd.conf that has no `defaults`; if it is a part of "
                "one, name that with --defaults");
        }
    }
}

/* From a frame only what holds for all is wanted. */
static void find_sensor(struct xinetd_config *config, struct xinetd_block *block) {
    for (; block != NULL; block = block->next) {
        xinetd_heed(block);
        const struct xinetd_attribute *flags = xinetd_find_in(block, "flags");
        const struct xinetd_attribute *deny = xinetd_find_in(block, "deny_time");
        const struct xinetd_attribute *disable = xinetd_find_in(block, "disable");
        bool is_off = block->fault != NULL ||
                      (disable != NULL && text_equal_nocase(disable->values.items[0], "yes"));
        bool never = deny == NULL || xinetd_lists(" 0 NEVER ", deny->values.items[0]);
        for (size_t i = 0; flags != NULL && !is_off && !never && i < flags->values.count; i++) {
            if (text_equal_nocase(flags->values.items[i], "SENSOR")) {
                config->sensor = block;
            }
        }
    }
}

static void add_services(struct xinetd *xinetd) {
    struct xinetd_config *config = &xinetd->config;
    config->importer = xinetd->importer;
    xinetd_note_defaults(config);
    find_sensor(config, xinetd->frame_first);
    find_sensor(config, xinetd->first);
    for (struct xinetd_block *block = xinetd->first; block != NULL; block = block->next) {
        xinetd_add_service(config, block);
    }
}

void import_read_xinetd(struct importer *importer, struct import_file *file) {
    struct xinetd xinetd = {.importer = importer};
    struct import_file whole = *file;
    /* Once only to see what it is; where its defaults are elsewhere they come first. */
    const struct importer before = *importer;
    xinetd_read_file(&xinetd, file);
    if (xinetd.has_frame && importer->options->defaults == NULL) {
        add_services(&xinetd);
        return;
    }
    importer->entry_count = before.entry_count;
    importer->note_count = before.note_count;
    importer->file_count = before.file_count;
    importer->bytes_count = before.bytes_count;
    importer->notes = before.notes;
    importer->faults = before.faults;
    xinetd = (struct xinetd){.importer = importer};
    read_with_frame(&xinetd, importer->path, false);
    xinetd_read_file(&xinetd, &whole);
    add_services(&xinetd);
}

void import_read_xinetd_folder(struct importer *importer) {
    struct xinetd xinetd = {.importer = importer};
    read_with_frame(&xinetd, importer->path, true);
    xinetd_read_folder(&xinetd, (struct import_where){.file = importer->path}, importer->path);
    add_services(&xinetd);
}
