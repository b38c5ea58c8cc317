/* From what the user wrote to absolute paths of programs and folders. */
#include "core/base/error.h"
#include "core/service/build.h"

#include <string.h>

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_separator(const struct service_machine *machine, char c) {
    return c == '/' || (machine->backslash_separates && c == '\\');
}

static bool is_absolute(const struct service_machine *machine, const char *path) {
    if (!machine->backslash_separates) {
        return path[0] == '/';
    }
    bool drive = is_letter(path[0]) && path[1] == ':' && is_separator(machine, path[2]);
    bool share = is_separator(machine, path[0]) && is_separator(machine, path[1]);
    return drive || share;
}

/* "\folder" and "C:file" start at whatever the current drive or folder happens to be. */
static bool is_half_absolute(const struct service_machine *machine, const char *path) {
    return machine->backslash_separates && !is_absolute(machine, path) &&
           (is_separator(machine, path[0]) || (is_letter(path[0]) && path[1] == ':'));
}

const char *service_base_name(const struct service_machine *machine, const char *path) {
    const char *base = path;
    for (const char *at = path; *at != '\0'; at++) {
        base = is_separator(machine, *at) ? at + 1 : base;
    }
    return base;
}

const char *service_folder_of(struct service_builder *builder, const char *path) {
    size_t length = (size_t)(service_base_name(builder->machine, path) - path);
    while (length > 1 && is_separator(builder->machine, path[length - 1]) &&
           path[length - 2] != ':') {
        length--;
    }
    return arena_copy(builder->scratch, path, length);
}

static bool is_bare(const struct service_machine *machine, const char *word) {
    bool special = strcmp(word, ".") == 0 || strcmp(word, "..") == 0;
    bool colon = machine->backslash_separates && strchr(word, ':') != NULL;
    return word[0] != '\0' && !special && !colon && service_base_name(machine, word) == word;
}

/* Windows takes blanks and full stops off the end of a file name, and ":stream" is still that file:
 * "x.bat. " and "x.bat::$DATA" are x.bat. */
bool service_is_batch_file(const struct service_machine *machine, const char *path) {
    char ending[5] = {0};
    const char *base = service_base_name(machine, path);
    size_t length = strcspn(base, ":");
    if (!machine->backslash_separates) {
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
    bool closed = length > 0 && is_separator(builder->machine, directory[length - 1]);
    const char *separator = closed ? "" : builder->machine->backslash_separates ? "\\" : "/";
    return arena_join(builder->arena, directory, separator, name);
}

static void report_probe(struct service_builder *builder, const struct config_setting *setting,
                         const char *path, bool bare, int result) {
    bool windows = builder->machine->backslash_separates;
    switch (result) {
    case BATON_NOT_FOUND:
        if (bare) {
            service_report(builder, setting,
                           "`%s` is not in the handlers folder %s; put it there, or give an "
                           "absolute path",
                           service_base_name(builder->machine, path), builder->options.handlers);
        } else {
            service_report(builder, setting, "there is no file %s; correct the path", path);
        }
        break;
    case BATON_NOT_EXECUTABLE:
        service_report(builder, setting, "%s is not executable; %s", path,
                       windows ? "give a program (.exe)" : "run `chmod +x` on it");
        break;
    case BATON_DENIED:
        service_report(builder, setting,
                       "%s may not be executed; give the supervisor's user the right to", path);
        break;
    default:
        service_report(builder, setting, "%s is not a regular file; give a program", path);
        break;
    }
}

/* Asks whether `path` can be run; as a script it only has to be there. */
static int probe_program(const struct service_machine *machine, const char *path, bool script) {
    int result = machine->probe_program(machine->context, path);
    return script && result == BATON_NOT_EXECUTABLE ? BATON_OK : result;
}

const char *service_find_program(struct service_builder *builder,
                                 const struct config_setting *setting, const char *word,
                                 bool script, bool probe) {
    const struct service_machine *machine = builder->machine;
    const char *suffix = machine->executable_suffix;
    bool bare = is_bare(machine, word);
    if (service_is_batch_file(machine, word)) {
        service_report(builder, setting,
                       "`%s` is a batch file, and those are refused: what a client sends could "
                       "reach its command line and be run; give an .exe, or a script with "
                       "`interpreter.EXT`",
                       text_excerpt(word).text);
        return NULL;
    }
    if (!bare && !is_absolute(machine, word)) {
        service_report(builder, setting,
                       "`%s` is neither the bare name of a file in the handlers folder %s nor an "
                       "absolute path; give one of them%s",
                       text_excerpt(word).text, builder->options.handlers,
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
    int result = probe_program(machine, path, script);
    if (result != BATON_OK && suffix[0] != '\0' && !text_ends_with(path, suffix, true)) {
        const char *longer = arena_join(builder->arena, path, suffix, "");
        if (longer != NULL && probe_program(machine, longer, script) == BATON_OK) {
            return longer;
        }
    }
    if (result != BATON_OK) {
        report_probe(builder, setting, path, bare, result);
        return NULL;
    }
    return path;
}

const char *service_absolute_path(struct service_builder *builder,
                                  const struct config_setting *setting, const char *path) {
    if (is_half_absolute(builder->machine, path)) {
        service_report(builder, setting,
                       "`%s` depends on the current drive or folder; begin the path with a drive "
                       "and a backslash, as in C:\\",
                       text_excerpt(path).text);
        return NULL;
    }
    return is_absolute(builder->machine, path)
               ? path
               : join_path(builder, builder->machine->base_directory, path);
}

const char *service_find_directory(struct service_builder *builder,
                                   const struct config_setting *setting, bool probe) {
    const struct service_machine *machine = builder->machine;
    const char *text = service_unquote(builder, setting);
    const char *path = text == NULL ? NULL : service_absolute_path(builder, setting, text);
    int result =
        path == NULL || !probe ? BATON_OK : machine->probe_directory(machine->context, path);
    if (result == BATON_OK) {
        return path;
    }
    service_report(builder, setting,
                   result == BATON_NOT_FOUND
                       ? "there is no folder %s; create it, or correct the path"
                   : result == BATON_INVALID ? "%s is not a folder; give one"
                                             : "the folder %s cannot be used; give the "
                                               "supervisor's user the right to",
                   path);
    return NULL;
}
