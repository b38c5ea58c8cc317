#include "../facts.h"

#include <stdlib.h>
#include <wchar.h>

#include <windows.h>

/* The C runtime's, which owns what it gives: argv in UTF-16, here without its wildcards. */
struct start_info {
    int new_mode;
};
int __wgetmainargs(int *argc, wchar_t ***argv, wchar_t ***environment, int expand,
                   struct start_info *info);

static char *to_utf8(const wchar_t *wide) {
    int size = WideCharToMultiByte(CP_UTF8, 0, wide, -1, NULL, 0, NULL, NULL);
    char *text = size > 0 ? malloc((size_t)size) : NULL;
    if (text != NULL)
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, size, NULL, NULL);
    return text;
}

char **facts_arguments(int argc, char **argv) {
    int count = 0;
    wchar_t **wide = NULL, **unused = NULL;
    struct start_info info = {0};
    (void)argc, (void)argv;
    if (__wgetmainargs(&count, &wide, &unused, 0, &info) < 0)
        return NULL;
    char **copy = wide != NULL ? calloc((size_t)count + 1, sizeof copy[0]) : NULL;
    for (int i = 0; copy != NULL && i < count; i++)
        copy[i] = to_utf8(wide[i]);
    return copy;
}

char **facts_environment(void) {
    size_t count = 0;
    wchar_t *block = GetEnvironmentStringsW();
    if (block == NULL)
        return NULL;
    for (const wchar_t *at = block; *at != L'\0'; at += wcslen(at) + 1)
        count++;
    char **copy = calloc(count + 1, sizeof copy[0]);
    const wchar_t *at = block;
    for (size_t i = 0; copy != NULL && i < count; i++, at += wcslen(at) + 1)
        copy[i] = to_utf8(at);
    return copy;
}

char *facts_directory(void) {
    wchar_t wide[32768];
    DWORD length = GetCurrentDirectoryW(32768, wide);
    return length > 0 && length < 32768 ? to_utf8(wide) : NULL;
}
