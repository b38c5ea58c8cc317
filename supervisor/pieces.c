#include "pieces.h"

#include "core/base/path_facts.h"
#include "core/base/text.h"
#include "core/config/include.h"
#include "platform/platform.h"

#include <string.h>

/* One pattern, and what it takes. */
struct search {
    const struct load_paths *paths;
    struct config *config;
    struct config_problems *problems;
    const struct config_setting *setting;
    struct include_pattern pattern;
    char *buffer;
    size_t total_bytes;
    bool is_full;       /* too much, which was told: no more is read */
    const char *folder; /* at hand, with its last separator */
    const char *shown;  /* what messages call it; NULL = by its path */
    struct include_file *files;
    size_t file_count, file_capacity;
};

static const char label[] = "supervisor.include";

static void tell(struct search *search, const char *what, const char *words, const char *more) {
    config_problems_add(search->problems, search->setting->line, label, "%s %s%s", what, words,
                        more);
}

static void stop(struct search *search, const char *words) {
    tell(search, "this takes more than", words, ", which no config needs");
    search->is_full = true;
    search->config->incomplete = true;
}

static void take(void *context, const char *name) {
    struct search *search = context;
    struct arena *arena = search->config->arena;
    size_t fine_bytes = 0;
    if (search->is_full || !include_matches(&search->pattern, name, platform_backslash_separates)) {
        return;
    }
    if (text_check(name, strlen(name), &fine_bytes) != TEXT_FINE) {
        tell(search, search->folder,
             "has a file whose name is not UTF-8 or has control characters; ", "rename it");
        return;
    }
    if (search->file_count == CONFIG_PIECES_MAX_COUNT) {
        stop(search, "1024 files");
        return;
    }
    struct include_file *files =
        arena_grow(arena, search->files, search->file_count, &search->file_capacity, sizeof *files);
    const char *copy = arena_text(arena, name);
    if (files == NULL || copy == NULL) {
        return;
    }
    search->files = files;
    search->file_count =
        include_insert(files, search->file_count, (struct include_file){copy, search->folder});
}

static const char *error_words(int result, const struct baton_cause *cause, char room[256]) {
    return cause->call != NULL ? platform_error_text(cause->system_code, room, 256)
                               : baton_error_text(result);
}

const char *pieces_unread_words(int result, const struct baton_cause *cause, char room[256]) {
    return result == BATON_INVALID    ? "it is a folder or no regular file"
           : result == BATON_TOO_LONG ? "it is longer than 1 MiB, which no config needs"
                                      : error_words(result, cause, room);
}

/* What the pattern takes in the folder `start`, or in one below it. */
static void look(struct search *search, const char *start) {
    struct baton_cause cause = {0};
    struct arena *arena = search->config->arena;
    const char *below = search->pattern.folder;
    const char *joined = search->pattern.is_absolute ? below : arena_join(arena, start, "/", below);
    char folder[PATH_BYTES];
    char room[256];
    int result =
        joined != NULL ? platform_path_absolute(joined, folder, sizeof folder) : BATON_NOT_FOUND;
    if (result == BATON_OK) {
        size_t length = strlen(folder);
        search->folder = arena_text(arena, folder);
        /* With a separator behind its name Windows does not tell a file from nothing. */
        if (length > 1 && folder[length - 2] != ':') {
            folder[length - 1] = '\0';
        }
        joined = arena_text(arena, folder);
        result = joined != NULL ? platform_directory_list(joined, take, search, &cause)
                                : BATON_NOT_FOUND;
    }
    if (result == BATON_NOT_FOUND) {
        return;
    }
    if (result != BATON_OK) {
        tell(search, joined, "cannot be read: ",
             result == BATON_INVALID ? "it is no folder" : error_words(result, &cause, room));
    }
    (void)config_add_source(search->config,
                            (struct config_source){joined, search->setting->line, label});
}

/* In one folder, or in those of the system. */
static void look_everywhere(struct search *search) {
    const struct load_paths *paths = search->paths;
    const char *start = search->pattern.is_absolute ? NULL : paths->piece_folders;
    search->file_count = search->file_capacity = 0;
    search->shown = NULL;
    if (start == NULL) {
        if (!search->pattern.is_absolute) {
            search->shown =
                arena_join(search->config->arena, paths->shown_folder, "", search->pattern.folder);
        }
        look(search, paths->config_folder);
        return;
    }
    for (; *start != '\0'; start += strlen(start) + 1) {
        look(search, start);
    }
}

/* True for the main config, which its own pattern may take, and for what was read before. */
static bool is_known(const struct search *search, const char *path) {
    bool is_known = strcmp(search->paths->config_file, path) == 0;
    for (size_t i = 0; i < search->config->source_count; i++) {
        is_known = is_known || strcmp(search->config->sources[i].path, path) == 0;
    }
    return is_known;
}

/* The piece at hand, of this path. An empty one is switched off, as it is in systemd.unit(5).
 * False when out of memory. */
static bool read_bytes(struct search *search, const char *path, const char *target) {
    struct config_problems *problems = search->problems;
    struct baton_cause cause = {0};
    enum config_format format = CONFIG_FORMAT_INI;
    char room[256];
    size_t length = 0;
    int result = platform_file_read(path, search->buffer, CONFIG_FILE_MAX_BYTES, &length, &cause);
    search->total_bytes += length;
    if (result == BATON_NOT_FOUND && target != NULL) {
        config_problems_add(problems, 0, NULL,
                            "is a link to %s, which is not there; correct or remove it (a link to "
                            "/dev/null switches a piece off)",
                            target);
    } else if (result != BATON_OK) {
        config_problems_add(problems, 0, NULL, "cannot be read: %s",
                            result == BATON_NOT_FOUND
                                ? "it was in its folder, and is gone; try again"
                                : pieces_unread_words(result, &cause, room));
    } else if (!config_add_source(
                   search->config,
                   (struct config_source){path, config_problems_line(problems, 0), NULL})) {
        return false;
    } else if (length > 0 && search->total_bytes <= PIECES_MAX_BYTES) {
        (void)config_format_of(path, &format);
        return config_parse_piece(search->config, format, search->buffer, length, problems) !=
               BATON_NO_MEMORY;
    }
    return true;
}

/* False when out of memory. */
static bool read_piece(struct search *search, const struct include_file *file) {
    struct config_problems *problems = search->problems;
    struct arena *arena = search->config->arena;
    struct path_facts facts;
    char *path = arena_join(arena, file->folder, file->name, "");
    const char *name =
        search->shown == NULL ? path : arena_join(arena, search->shown, file->name, "");
    if (path == NULL || name == NULL) {
        return false;
    }
    bool is_link = platform_inspect(NULL, path, &facts) == BATON_OK && facts.kind == PATH_KIND_LINK;
    if (is_known(search, path) || (is_link && strcmp(facts.target, "/dev/null") == 0)) {
        return true;
    }
    if (problems->piece_count == CONFIG_PIECES_MAX_COUNT) {
        stop(search, "1024 files");
        return true;
    }
    bool is_done = config_problems_begin_piece(problems, name) &&
                   read_bytes(search, path, is_link ? facts.target : NULL);
    config_problems_end_piece(problems);
    if (search->total_bytes > PIECES_MAX_BYTES) {
        stop(search, "4 MiB");
    }
    return is_done;
}

static bool read_pattern(struct search *search) {
    size_t told_count = search->problems->problem_count;
    look_everywhere(search);
    if (search->file_count == 0 && !search->pattern.has_wildcard &&
        search->problems->problem_count == told_count) {
        tell(search, search->pattern.text, "is not there; ",
             "only a pattern with `*` or `?` may take nothing");
    }
    for (size_t i = 0; i < search->file_count && !search->is_full; i++) {
        if (!read_piece(search, &search->files[i])) {
            return false;
        }
    }
    return !arena_failed(search->config->arena);
}

static const struct config_setting *find_setting(const struct config *config) {
    for (size_t i = 0; i < config->setting_count; i++) {
        const struct config_setting *setting = &config->settings[i];
        if (strcmp(setting->section, config_section_names[CONFIG_SECTION_SUPERVISOR]) == 0 &&
            strcmp(setting->key, "include") == 0) {
            return setting;
        }
    }
    return NULL;
}

bool pieces_read(const struct load_paths *paths, struct config *config, char *buffer,
                 struct config_problems *problems) {
    struct search search = {.paths = paths,
                            .config = config,
                            .problems = problems,
                            .setting = find_setting(config),
                            .buffer = buffer};
    const char *rest = search.setting != NULL ? search.setting->value : NULL;
    while (rest != NULL && !search.is_full) {
        const char *wrong =
            include_next(config->arena, &rest, platform_backslash_separates, &search.pattern);
        if (search.pattern.name == NULL) {
            return false;
        }
        if (wrong != NULL) {
            tell(&search, search.pattern.text, wrong, "");
        } else if (!read_pattern(&search)) {
            return false;
        }
    }
    return true;
}
