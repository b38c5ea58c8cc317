#include "core/config/include.h"

#include "core/base/sort.h"
#include "core/base/text.h"
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
    const char *start = *rest;
    size_t length = strcspn(start, ",");
    *rest = start[length] == '\0' ? NULL : start + length + 1;
    while (length > 0 && text_is_blank(*start)) {
        start++;
        length--;
    }
    while (length > 0 && text_is_blank(start[length - 1])) {
        length--;
    }
    size_t folder_length = length;
    while (folder_length > 0 && !is_separator(start[folder_length - 1], windows)) {
        folder_length--;
    }
    *out = (struct include_pattern){
        .folder = arena_copy(arena, start, folder_length),
        .name = arena_copy(arena, start + folder_length, length - folder_length),
        .is_absolute = length > 0 && (is_separator(*start, windows) ||
                                      (windows && length > 1 && start[1] == ':'))};
    if (out->folder == NULL || out->name == NULL) {
        out->name = NULL;
        return NULL;
    }
    enum config_format format;
    size_t name_length = strlen(out->name);
    out->has_wildcard = strpbrk(out->name, "*?") != NULL;
    bool ends_wild = out->has_wildcard && strchr("*?", out->name[name_length - 1]) != NULL;
    return strpbrk(out->folder, "*?") != NULL
               ? "only the last part of a pattern may have `*` and `?`; name its folder"
           : name_length == 0 ? "names no file; give a pattern such as ports.d/*.ini"
           : !ends_wild && !config_format_of(out->name, &format)
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

static int compare(const void *files, size_t a, size_t b) {
    const struct include_file *list = files;
    int by_name = strcmp(list[a].name, list[b].name);
    return by_name != 0 ? by_name : (list[b].rank > list[a].rank) - (list[b].rank < list[a].rank);
}

static void swap(void *files, size_t a, size_t b) {
    struct include_file *list = files;
    struct include_file file = list[a];
    list[a] = list[b];
    list[b] = file;
}

size_t include_order(struct include_file *files, size_t count) {
    size_t kept_count = 0;
    sort_items(files, count, &(struct sort_of){compare, swap});
    for (size_t i = 0; i < count; i++) {
        if (kept_count == 0 || strcmp(files[kept_count - 1].name, files[i].name) != 0) {
            files[kept_count++] = files[i];
        }
    }
    return kept_count;
}
