#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

const char platform_own_program[] = "";
const char platform_formats_folder[] = "";
const char platform_executable_suffix[] = ".exe";
const bool platform_scripts_need_interpreter = true;
const bool platform_backslash_separates = true;
const bool platform_inherits_listeners = false;

const char platform_config_folders[] = "";

/* Opens an existing regular file. BATON_INVALID for a folder, a device or a pipe. */
static int open_file(const wchar_t *path, HANDLE *out, struct baton_cause *cause) {
    DWORD attributes = GetFileAttributesW(path);
    *out = INVALID_HANDLE_VALUE;
    if (attributes == INVALID_FILE_ATTRIBUTES) {
        return win32_cause_last(cause, "GetFileAttributesW");
    }
    if ((attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
        return BATON_INVALID;
    }
    HANDLE file =
        CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                    NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
    if (file == INVALID_HANDLE_VALUE) {
        return win32_cause_last(cause, "CreateFileW");
    }
    if (GetFileType(file) != FILE_TYPE_DISK) {
        CloseHandle(file);
        return BATON_INVALID;
    }
    *out = file;
    return BATON_OK;
}

/* Reads up to `capacity` bytes, fewer only at the end of the file. */
static int read_up_to(HANDLE file, char *buffer, size_t capacity, size_t *length,
                      struct baton_cause *cause) {
    *length = 0;
    while (*length < capacity) {
        size_t left = capacity - *length;
        DWORD moved = 0;
        if (!ReadFile(file, buffer + *length, left > 0x100000 ? 0x100000 : (DWORD)left, &moved,
                      NULL) &&
            GetLastError() != ERROR_BROKEN_PIPE) {
            return win32_cause_last(cause, "ReadFile");
        }
        if (moved == 0) {
            break; /* the end; a pipe tells it by that error */
        }
        *length += moved;
    }
    return BATON_OK;
}

static int read_whole(HANDLE file, void *buffer, size_t capacity, size_t *length,
                      struct baton_cause *cause) {
    int code = read_up_to(file, buffer, capacity, length, cause);
    if (code == BATON_OK) {
        char further;
        size_t further_bytes = 0;
        code = read_up_to(file, &further, 1, &further_bytes, cause);
        code = further_bytes > 0 ? BATON_TOO_LONG : code;
    }
    return code;
}

int platform_file_read(const char *path, void *buffer, size_t capacity, size_t *length,
                       struct baton_cause *cause) {
    *length = 0;
    *cause = (struct baton_cause){NULL, 0};
    wchar_t *wide;
    int code = win32_text_to_wide(path, &wide);
    if (code != BATON_OK) {
        return code == BATON_INVALID ? BATON_NOT_FOUND : code;
    }
    HANDLE file;
    code = open_file(wide, &file, cause);
    free(wide);
    if (code != BATON_OK) {
        return code;
    }
    code = read_whole(file, buffer, capacity, length, cause);
    CloseHandle(file);
    return code;
}

int platform_input_read(void *buffer, size_t capacity, size_t *length, struct baton_cause *cause) {
    HANDLE input = GetStdHandle(STD_INPUT_HANDLE);
    *length = 0;
    *cause = (struct baton_cause){NULL, 0};
    if (input == NULL || input == INVALID_HANDLE_VALUE) {
        *cause = (struct baton_cause){"GetStdHandle", ERROR_INVALID_HANDLE};
        return BATON_SYSTEM;
    }
    return read_whole(input, buffer, capacity, length, cause);
}

static bool has_suffix(const wchar_t *path, const wchar_t *suffix) {
    size_t length = wcslen(path), suffix_length = wcslen(suffix);
    return length >= suffix_length &&
           CompareStringOrdinal(path + length - suffix_length, (int)suffix_length, suffix,
                                (int)suffix_length, TRUE) == CSTR_EQUAL;
}

/* Programs start with "MZ"; a script only has to be readable. */
static int probe_content(HANDLE file, const wchar_t *path) {
    char start[2];
    size_t length;
    struct baton_cause ignored;
    int code = read_up_to(file, start, sizeof start, &length, &ignored);
    if (code == BATON_OK && has_suffix(path, L".exe") &&
        (length < 2 || start[0] != 'M' || start[1] != 'Z')) {
        return BATON_NOT_EXECUTABLE;
    }
    return code;
}

/* An app execution alias, such as the Store's python.exe, names a program without being one: it
 * cannot be opened, but CreateProcessW follows it.
 * https://learn.microsoft.com/openspecs/windows_protocols/ms-fscc/c8e77b37-3909-4fe6-a4ea-2b9d423b1ee4
 */
static bool is_execution_alias(const wchar_t *path, const struct baton_cause *cause) {
    DWORD attributes = GetFileAttributesW(path);
    return cause->system_code == ERROR_CANT_ACCESS_FILE && has_suffix(path, L".exe") &&
           attributes != INVALID_FILE_ATTRIBUTES &&
           (attributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

int platform_probe_program(void *context, const char *path) {
    (void)context;
    struct baton_cause cause = {NULL, 0};
    wchar_t *wide;
    HANDLE file;
    int code = win32_text_to_wide(path, &wide);
    if (code != BATON_OK) {
        return code == BATON_INVALID ? BATON_NOT_FOUND : code;
    }
    code = open_file(wide, &file, &cause);
    if (code == BATON_OK) {
        code = win32_path_is_batch(wide) ? BATON_NOT_EXECUTABLE : probe_content(file, wide);
        CloseHandle(file);
    } else if (is_execution_alias(wide, &cause)) {
        code = BATON_OK;
    }
    free(wide);
    return code == BATON_SYSTEM ? BATON_DENIED : code;
}

int platform_probe_directory(void *context, const char *path) {
    (void)context;
    wchar_t *wide;
    struct baton_cause ignored;
    int code = win32_text_to_wide(path, &wide);
    if (code != BATON_OK) {
        return code == BATON_INVALID ? BATON_NOT_FOUND : code;
    }
    DWORD attributes = GetFileAttributesW(wide);
    if (attributes == INVALID_FILE_ATTRIBUTES) {
        code = win32_cause_last(&ignored, "GetFileAttributesW");
    } else if ((attributes & FILE_ATTRIBUTE_DIRECTORY) == 0) {
        code = BATON_INVALID;
    }
    free(wide);
    return code;
}

int platform_inspect(void *context, const char *path, struct path_facts *out) {
    (void)context;
    (void)path;
    (void)out;
    return BATON_UNSUPPORTED; /* owners have no numbers here, and modes are lists */
}

bool platform_is_privileged(void) {
    return false;
}

int platform_directory_list(const char *path, void (*visit)(void *context, const char *name),
                            void *context, struct baton_cause *cause) {
    *cause = (struct baton_cause){NULL, 0};
    int code = platform_probe_directory(NULL, path);
    size_t length = strlen(path);
    char *pattern = malloc(length + 3);
    wchar_t *wide = NULL;
    WIN32_FIND_DATAW found;
    if (code == BATON_OK && pattern == NULL) {
        code = BATON_NO_MEMORY;
    }
    if (code == BATON_OK) {
        memcpy(pattern, path, length);
        memcpy(pattern + length, "\\*", 3);
        code = win32_text_to_wide(pattern, &wide);
    }
    free(pattern);
    if (code != BATON_OK) {
        return code;
    }
    HANDLE search = FindFirstFileW(wide, &found);
    free(wide);
    if (search == INVALID_HANDLE_VALUE) {
        return win32_cause_last(cause, "FindFirstFileW");
    }
    do {
        char name[3 * MAX_PATH + 1];
        int size =
            WideCharToMultiByte(CP_UTF8, 0, found.cFileName, -1, name, sizeof name, NULL, NULL);
        if (size > 0 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            visit(context, name);
        }
    } while (FindNextFileW(search, &found));
    code =
        GetLastError() == ERROR_NO_MORE_FILES ? BATON_OK : win32_cause_last(cause, "FindNextFileW");
    FindClose(search);
    return code;
}

int platform_path_absolute(const char *path, char *out, size_t size_bytes) {
    wchar_t *wide;
    if (win32_text_to_wide(path, &wide) != BATON_OK) {
        return BATON_TOO_LONG;
    }
    DWORD room = GetFullPathNameW(wide, 0, NULL, NULL);
    wchar_t *full = room > 0 ? malloc(room * sizeof *full) : NULL;
    int code = BATON_TOO_LONG;
    if (full != NULL && GetFullPathNameW(wide, room, full, NULL) < room) {
        code = win32_text_to_utf8(full, out, size_bytes);
    }
    free(full);
    free(wide);
    return code;
}

#define OWN_PATH_CHARACTERS 32768

int platform_own_directory(char *out, size_t size_bytes, struct baton_cause *cause) {
    *cause = (struct baton_cause){NULL, 0};
    wchar_t *path = malloc(OWN_PATH_CHARACTERS * sizeof *path);
    if (path == NULL) {
        return BATON_NO_MEMORY;
    }
    int code = BATON_OK;
    DWORD length = GetModuleFileNameW(NULL, path, OWN_PATH_CHARACTERS);
    if (length == 0) {
        code = win32_cause_last(cause, "GetModuleFileNameW");
    } else if (length >= OWN_PATH_CHARACTERS) {
        code = BATON_TOO_LONG;
    } else {
        wchar_t *separator = wcsrchr(path, L'\\');
        if (separator != NULL) {
            *separator = L'\0';
        }
        code = win32_text_to_utf8(path, out, size_bytes);
    }
    free(path);
    return code;
}

/* The variable is that of the folder FOLDERID_ProgramData, and there in services as well. */
int platform_system_config(char *out, size_t size_bytes) {
    static const wchar_t name[] = L"\\baton\\ports.ini";
    wchar_t path[MAX_PATH + sizeof name / sizeof name[0]];
    DWORD length = GetEnvironmentVariableW(L"ProgramData", path, MAX_PATH);
    if (length == 0 || length >= MAX_PATH) {
        return length == 0 ? BATON_NOT_FOUND : BATON_TOO_LONG;
    }
    memcpy(path + length, name, sizeof name);
    return win32_text_to_utf8(path, out, size_bytes);
}
