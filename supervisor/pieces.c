#include "pieces.h"

#include "core/base/error.h"
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
    bool is_full; /* too much, which was told: no more is read */
    /* The folder at hand. */
    const char *folder;
    unsigned rank;
    struct include_file *files;
    size_t file_count, file_capacity;
};

/* So many with all that does not hold, from the three folders. */
#define FILES_MAX_COUNT (3u * CONFIG_PIECES_MAX_COUNT)

#define TELL(search, ...)                                                                          \
    config_problems_add((search)->problems, (search)->setting->line, "supervisor.include",         \
                        __VA_ARGS__)

static void stop(struct search *search) {
    search->is_full = true;
    search->config->incomplete = true;
}

static void report_many(struct search *search) {
    TELL(search, "this takes more than %u files; take fewer, with more in each",
         (unsigned)CONFIG_PIECES_MAX_COUNT);
    stop(search);
}

static void take(void *context, const char *name) {
    struct search *search = context;
    struct arena *arena = search->config->arena;
    size_t fine_bytes = 0;
    if (search->is_full || !include_matches(&search->pattern, name, platform_backslash_separates)) {
        return;
    }
    if (text_check(name, strlen(name), &fine_bytes) != TEXT_FINE) {
        TELL(search, "%s has a file whose name is not UTF-8 or has control characters; rename it",
             search->folder);
        return;
    }
    if (search->file_count == FILES_MAX_COUNT) {
        report_many(search);
        return;
    }
    struct include_file *files =
        arena_grow(arena, search->files, search->file_count, &search->file_capacity, sizeof *files);
    const char *copy = arena_text(arena, name);
    if (files == NULL || copy == NULL) {
        return;
    }
    search->files = files;
    files[search->file_count++] =
        (struct include_file){.name = copy, .folder = search->folder, .rank = search->rank};
}

static const char *words_of(int result, const struct baton_cause *cause, char *room,
                            size_t size_bytes) {
    return cause->call != NULL ? platform_error_text(cause->system_code, room, size_bytes)
                               : baton_error_text(result);
}

/* Is it there, be it a link to nowhere? Windows tells nothing of links. */
static bool is_there(const char *path, struct path_facts *facts) {
    struct baton_cause cause;
    size_t length;
    char byte;
    int result = platform_inspect(NULL, path, facts);
    if (result == BATON_UNSUPPORTED) {
        facts->kind = PATH_KIND_FILE;
        result = platform_file_read(path, &byte, sizeof byte, &length, &cause);
    }
    return result != BATON_NOT_FOUND;
}

/* What the pattern takes in one folder, whose path ends with a separator. Calls get it without,
 * since with one Windows does not tell a file from nothing. */
static void look(struct search *search, char *folder) {
    struct baton_cause cause = {0};
    struct path_facts facts;
    char words[256];
    size_t length = strlen(folder);
    search->folder = arena_text(search->config->arena, folder);
    if (search->folder == NULL) {
        return;
    }
    if (length > 1 && folder[length - 2] != ':') {
        folder[length - 1] = '\0';
    }
    int result = platform_probe_directory(NULL, folder);
    if (result != BATON_NOT_FOUND) {
        (void)config_add_source(search->config, folder, search->setting->line,
                                "supervisor.include");
    }
    if (!search->pattern.has_wildcard) {
        const char *path =
            arena_join(search->config->arena, search->folder, search->pattern.name, "");
        if (path != NULL && is_there(path, &facts)) {
            take(search, search->pattern.name);
        }
        return;
    }
    result = platform_directory_list(folder, take, search, &cause);
    if (result == BATON_INVALID) {
        TELL(search, "%s is no folder", folder);
    } else if (result != BATON_OK && result != BATON_NOT_FOUND) {
        TELL(search, "%s cannot be read: %s", folder,
             words_of(result, &cause, words, sizeof words));
    }
}

/* Where the pattern starts from, one folder or those of the system. */
static void look_everywhere(struct search *search) {
    const char *own[] = {search->pattern.is_absolute ? "" : search->paths->config_folder, NULL};
    const char *const *starts = search->pattern.is_absolute || search->paths->piece_folders == NULL
                                    ? own
                                    : search->paths->piece_folders;
    search->files = NULL;
    search->file_count = search->file_capacity = 0;
    for (search->rank = 0; starts[search->rank] != NULL && !search->is_full; search->rank++) {
        char joined[PATH_BYTES];
        char folder[PATH_BYTES];
        const char *start = starts[search->rank];
        int length = text_format(joined, sizeof joined, "%s%s%s", start,
                                 start[0] == '\0' || strcmp(start, "/") == 0 ? "" : "/",
                                 search->pattern.folder);
        if (length < 0 || (size_t)length >= sizeof joined ||
            platform_path_absolute(joined, folder, sizeof folder) != BATON_OK) {
            TELL(search, "the path of `%s` is too long; give a shorter one", search->pattern.name);
            return;
        }
        look(search, folder);
    }
}

void pieces_report_unread(struct config_problems *problems, int result,
                          const struct baton_cause *cause) {
    char words[256];
    if (result == BATON_INVALID) {
        config_problems_add(problems, 0, NULL,
                            "this is a folder or no regular file; name the config file itself");
    } else if (result == BATON_TOO_LONG) {
        config_problems_add(problems, 0, NULL, "longer than 1 MiB, which no config needs");
    } else {
        config_problems_add(problems, 0, NULL, "cannot be read: %s",
                            words_of(result, cause, words, sizeof words));
    }
}

/* The same where the name was there a moment ago. `target`: it is a link, and leads there. */
static void report_lost(struct search *search, const char *target) {
    if (target != NULL) {
        config_problems_add(search->problems, 0, NULL,
                            "is a link to %s, which is not there; correct or remove it (a link "
                            "to /dev/null switches a piece off)",
                            target);
    } else {
        config_problems_add(search->problems, 0, NULL,
                            "was there when its folder was read, and is gone; read the config "
                            "again");
    }
}

/* What it is called: as the main config is, in whose folder it is, or by its path. */
static void name_piece(const struct search *search, const struct include_file *file,
                       const char *path, char out[PATH_BYTES]) {
    const char *main_name = search->paths->shown_name;
    size_t folder_length = strlen(main_name);
    while (folder_length > 0 && main_name[folder_length - 1] != '/' &&
           !(platform_backslash_separates && main_name[folder_length - 1] == '\\')) {
        folder_length--;
    }
    if (search->pattern.is_absolute || search->paths->piece_folders != NULL) {
        text_format(out, PATH_BYTES, "%s", path);
    } else {
        text_format(out, PATH_BYTES, "%.*s%s%s", (int)folder_length, main_name,
                    search->pattern.folder, file->name);
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

/* An empty file is one that is switched off, as it is in systemd.unit(5). */
static bool read_piece(struct search *search, const struct include_file *file) {
    struct config_problems *problems = search->problems;
    struct baton_cause cause = {0};
    struct path_facts facts = {.kind = PATH_KIND_FILE};
    enum config_format format;
    size_t length = 0;
    char name[PATH_BYTES];
    char *path = arena_join(search->config->arena, file->folder, file->name, "");
    if (path == NULL) {
        return false;
    }
    if (is_known(search, path)) {
        return true;
    }
    bool is_there_yet = is_there(path, &facts);
    bool is_link = is_there_yet && facts.kind == PATH_KIND_LINK;
    if (is_link && strcmp(facts.target, "/dev/null") == 0) {
        return true;
    }
    if (problems->piece_count == CONFIG_PIECES_MAX_COUNT) {
        report_many(search);
        return true;
    }
    name_piece(search, file, path, name);
    if (!config_problems_begin_piece(problems, name)) {
        return false;
    }
    int parsed = BATON_OK;
    int result = platform_file_read(path, search->buffer, CONFIG_FILE_MAX_BYTES, &length, &cause);
    search->total_bytes += length;
    if (result == BATON_NOT_FOUND) {
        report_lost(search, is_link ? facts.target : NULL);
    } else if (result != BATON_OK) {
        pieces_report_unread(problems, result, &cause);
    } else if (!config_add_source(search->config, path, config_problems_line(problems, 0), NULL)) {
        return false;
    } else if (search->total_bytes > PIECES_MAX_BYTES) {
        config_problems_add(problems, 0, NULL,
                            "with this one the pieces are longer than 4 MiB together, which no "
                            "config needs");
        stop(search);
    } else if (length > 0 && config_format_of(file->name, &format)) {
        parsed = config_parse_piece(search->config, format, search->buffer, length, problems);
    }
    config_problems_end_piece(problems);
    return parsed != BATON_NO_MEMORY;
}

static bool read_pattern(struct search *search) {
    look_everywhere(search);
    size_t count = include_order(search->files, search->file_count);
    if (count == 0 && !search->pattern.has_wildcard && !search->is_full) {
        TELL(search, "`%s%s` is not there; a pattern with `*` may take nothing",
             search->pattern.folder, search->pattern.name);
    }
    for (size_t i = 0; search->files != NULL && i < count && !search->is_full; i++) {
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
            TELL(&search, "`%s%s`: %s", search.pattern.folder, search.pattern.name, wrong);
        } else if (!read_pattern(&search)) {
            return false;
        }
    }
    return true;
}
