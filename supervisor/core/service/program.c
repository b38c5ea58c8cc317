/* From what the user wrote to absolute paths of programs and folders. */
#include "core/base/error.h"
#include "core/service/build.h"

#include <string.h>

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_absolute(const struct service_machine *machine, const char *path) {
    if (!service_on_windows(machine)) {
        return path[0] == '/';
    }
    bool drive = is_letter(path[0]) && path[1] == ':' && service_is_separator(machine, path[2]);
    bool share = service_is_separator(machine, path[0]) && service_is_separator(machine, path[1]);
    return drive || share;
}

/* "\folder" and "C:file" start at whatever the current drive or folder happens to be. */
static bool is_half_absolute(const struct service_machine *machine, const char *path) {
    return service_on_windows(machine) && !is_absolute(machine, path) &&
           (service_is_separator(machine, path[0]) || (is_letter(path[0]) && path[1] == ':'));
}

const char *service_folder_of(struct service_builder *builder, const char *path) {
    return arena_copy(builder->scratch, path, service_folder_length(builder->machine, path));
}

static bool is_bare(const struct service_machine *machine, const char *word) {
    bool special = strcmp(word, ".") == 0 || strcmp(word, "..") == 0;
    bool colon = service_on_windows(machine) && strchr(word, ':') != NULL;
    return word[0] != '\0' && !special && !colon && service_base_name(machine, word) == word;
}

/* Windows takes blanks and full stops off the end of a file name, and ":stream" is still that file:
 * "x.bat. " and "x.bat::$DATA" are x.bat. */
bool service_is_batch_file(const struct service_machine *machine, const char *path) {
    char ending[5] = {0};
    const char *base = service_base_name(machine, path);
    size_t length = strcspn(base, ":");
    if (!service_on_windows(machine)) {
        return false;
    }
    while (length > 0 && (base[length - 1] == '.' || base[length - 1] == ' ')) {
        length--;
    }
    if (length < 4) {
        return false;
    }
    memcpy(ending, base + length - 4, 4);
    return text_equal_nocase(ending, ".bat") || text_equal_nocase(ending, ".cmd");
}

static const char *join_path(struct service_builder *builder, const char *directory,
                             const char *name) {
    size_t length = strlen(directory);
    bool closed = length > 0 && service_is_separator(builder->machine, directory[length - 1]);
    const char *separator = closed ? "" : service_on_windows(builder->machine) ? "\\" : "/";
    return arena_join(builder->arena, directory, separator, name);
}

/* `bare`: it was looked for in the handlers folder. */
static void report_program(struct service_builder *builder, const struct config_setting *setting,
                           bool bare) {
    const struct service_lack *lack = &builder->lack;
    const char *handlers = builder->options.handlers;
    if (bare && lack->kind == LACK_PROGRAM && lack->result == BATON_NOT_FOUND &&
        strncmp(lack->path, handlers, strlen(handlers)) == 0) { /* not so in a chroot */
        if (builder->lacks_handlers) {
            return;
        }
        builder->problems->lacks_count++;
        char nearest[SERVICE_NEAREST_BYTES];
        bool is_near = service_find_nearest(builder->machine, lack->path, nearest);
        service_report(builder, setting,
                       "`%s` is not in the handlers folder %s; %s%s%sput it there, or give an "
                       "absolute path",
                       service_base_name(builder->machine, lack->path), handlers,
                       is_near ? "did you mean `" : "", nearest, is_near ? "`? Else " : "");
        return;
    }
    if (!bare || lack->kind != LACK_RIGHT || !builder->reported_given[KEY_HANDLERS]) {
        service_report_lack(builder, setting);
    }
    builder->reported_given[KEY_HANDLERS] |= bare && lack->kind == LACK_RIGHT;
}

/* One folder that others may change is told once: nothing starts then, whatever else is in it. */
static bool is_refused(const struct service_builder *builder) {
    return builder->lack.kind >= LACK_OWNER && builder->refused != NULL &&
           strcmp(builder->lack.path, builder->refused) == 0;
}

void service_report_lack_of(struct service_builder *builder, size_t line, const char *key) {
    char text[LACK_TEXT_MAX_BYTES];
    if (!is_refused(builder)) {
        const char *cure = service_lack_text(&builder->lack, builder->machine, text);
        builder->problems->lacks_count++;
        config_problems_add(builder->problems, line, key, "%s; %s", text, cure);
    }
}

void service_report_lack(struct service_builder *builder, const struct config_setting *setting) {
    service_report_lack_of(builder, setting->line, service_key_label(builder, setting));
}

bool service_is_strict(struct service_builder *builder, size_t line, const char *key,
                       const char *path) {
    if (!builder->strict_modes ||
        !service_lacks_strictness(builder->machine, NULL, path, 0, &builder->lack)) {
        return true;
    }
    if (!is_refused(builder)) {
        service_report_lack_of(builder, line, key);
        builder->problems->lacks_count--; /* a fault, whatever else is there */
        builder->refused = arena_text(builder->scratch, builder->lack.path);
    }
    return false;
}

/* On Windows the ending may be left out. True, and *path, if the file is there with it. */
static bool find_longer(struct service_builder *builder, bool script, const char **path) {
    const struct service_machine *machine = builder->machine;
    const char *suffix = BY_SYSTEM("", machine->executable_suffix);
    if (suffix[0] == '\0' || text_ends_with(*path, suffix, true)) {
        return false;
    }
    const char *longer = arena_join(builder->arena, *path, suffix, "");
    struct service_lack lack;
    if (longer == NULL || service_lacks_program(machine, longer, script, NULL, &lack)) {
        /* Where neither is there yet, what will come has the ending. */
        bool has_ending = strchr(service_base_name(machine, *path), '.') != NULL;
        *path = has_ending || longer == NULL ? *path : longer;
        return false;
    }
    *path = longer;
    return true;
}

const char *service_find_program(struct service_builder *builder,
                                 const struct config_setting *setting, const char *word,
                                 bool script, const struct service *service, bool probe) {
    const struct service_machine *machine = builder->machine;
    bool bare = is_bare(machine, word);
    if (service_is_batch_file(machine, word)) {
        service_report_value(builder, setting, word,
                             " is a batch file, and those are refused: what a client sends could "
                             "reach its command line and be run; give an .exe, or a script with "
                             "`interpreter.EXT`");
        return NULL;
    }
    if (!bare && !is_absolute(machine, word)) {
        service_report_value(builder, setting, word,
                             " is neither the bare name of a file in the handlers folder %s nor an "
                             "absolute path; give one of them%s",
                             builder->options.handlers,
                             is_half_absolute(machine, word) && word[0] != '/'
                                 ? " (in \"...\" a \\\\ is one backslash; '...' leaves it alone)"
                                 : "");
        return NULL;
    }
    const char *path = bare ? join_path(builder, builder->options.handlers, word)
                            : arena_text(builder->arena, word);
    if (path == NULL || !probe) {
        return path;
    }
    if (service_lacks_program(machine, path, script, service, &builder->lack) &&
        !find_longer(builder, script, &path)) {
        report_program(builder, setting, bare);
    }
    return path;
}

const char *service_absolute_path(struct service_builder *builder,
                                  const struct config_setting *setting, const char *path) {
    if (is_half_absolute(builder->machine, path)) {
        service_report_value(builder, setting, path,
                             " depends on the current drive or folder; begin the path with a drive "
                             "and a backslash, as in C:\\");
        return NULL;
    }
    return is_absolute(builder->machine, path)
               ? path
               : join_path(builder, builder->machine->base_directory, path);
}

void service_check_folder(struct service_builder *builder, const struct config_setting *setting,
                          const char *path, const struct service *service) {
    if (service_lacks_folder(builder->machine, path, service, &builder->lack)) {
        service_report_lack(builder, setting);
    }
}

const char *service_find_directory(struct service_builder *builder,
                                   const struct config_setting *setting,
                                   const struct service *service, bool probe) {
    const char *text = service_unquote(builder, setting);
    const char *path = text == NULL ? NULL : service_absolute_path(builder, setting, text);
    if (path != NULL && probe) {
        service_check_folder(builder, setting, path, service);
    }
    return path;
}
