#include "core/config/include.h"

#include "core/base/text.h"
#include "core/base/words.h"
#include "core/config/config.h"

#include <string.h>

static bool is_separator(char byte, bool windows) {
    return byte == '/' || (windows && byte == '\\');
}

static bool is_continued(char byte) {
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static char fold(char byte, bool windows) {
    return windows && byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

const char *include_next(struct arena *arena, const char **rest, bool windows,
                         struct include_pattern *out) {
    enum config_format format;
    const char *part = words_next_part(arena, rest);
    size_t length = part != NULL ? strlen(part) : 0;
    size_t at = length;
    while (at > 0 && !is_separator(part[at - 1], windows)) {
        at--;
    }
    out->folder = part != NULL ? arena_copy(arena, part, at) : NULL;
    out->text = part;
    out->name = out->folder != NULL ? part + at : NULL;
    if (out->name == NULL) {
        return NULL;
    }
    out->is_absolute = is_separator(part[0], windows) || (windows && length > 1 && part[1] == ':');
    out->has_wildcard = strpbrk(out->name, "*?") != NULL;
    return strpbrk(out->folder, "*?") != NULL
               ? "only the last part of a pattern may have `*` and `?`"
           : at == length ? "names no file; give a pattern such as ports.d/*.ini"
           : strchr("*?", part[length - 1]) == NULL && !config_format_of(part, &format)
               ? "is no config by its ending; give .ini, .yaml or .yml"
               : NULL;
}

/* One `*` at a time: what the last one takes grows until the rest fits. */
static bool is_like(const char *pattern, const char *name, bool windows) {
    const char *star = NULL;
    const char *retry = NULL;
    while (*name != '\0') {
        if (*pattern == '*') {
            star = pattern++;
            retry = name;
        } else if (*pattern == '?') {
            pattern++;
            do {
                name++;
            } while (is_continued(*name));
        } else if (*pattern != '\0' && fold(*pattern, windows) == fold(*name, windows)) {
            pattern++;
            name++;
        } else if (star != NULL) {
            pattern = star + 1;
            name = ++retry;
        } else {
            return false;
        }
    }
    return pattern[strspn(pattern, "*")] == '\0';
}

bool include_matches(const struct include_pattern *pattern, const char *name, bool windows) {
    enum config_format format;
    if (pattern->has_wildcard &&
        ((name[0] == '.' && pattern->name[0] != '.') || !config_format_of(name, &format))) {
        return false;
    }
    return is_like(pattern->name, name, windows);
}

size_t include_insert(struct include_file *files, size_t count, struct include_file file) {
    size_t at = count;
    int order = 1;
    while (at > 0 && (order = strcmp(files[at - 1].name, file.name)) > 0) {
        at--;
    }
    if (at > 0 && order == 0) {
        files[at - 1] = file;
        return count;
    }
    memmove(files + at + 1, files + at, (count - at) * sizeof *files);
    files[at] = file;
    return count + 1;
}
