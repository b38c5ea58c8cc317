#include "successor.h"

#include "core/base/text.h"
#include "program.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

/* The numbers of the handles that it inherits for that, decimal, ',' between them. */
#define VARIABLE L"BATON_RESTARTED"
#define VARIABLE_CHARACTERS 64
#define STANDARD_COUNT 3
#define HANDLES_MAX (STANDARD_COUNT + PASSED_COUNT + MANAGER_HANDLES_COUNT)

/* All inheritable: the list of the launch says who gets them. */
static int make_passed(struct successor *successor, struct baton_cause *cause) {
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    for (int i = PASSED_LEFT; i <= PASSED_TOLD; i++) {
        successor->passed[i] = CreateEventW(&inheritable, TRUE, FALSE, NULL);
        if (successor->passed[i] == NULL) {
            return win32_cause_last(cause, "CreateEventW");
        }
    }
    successor->passed[PASSED_PAGE] = CreateFileMappingW(
        INVALID_HANDLE_VALUE, &inheritable, PAGE_READWRITE, 0, sizeof *successor->page, NULL);
    if (successor->passed[PASSED_PAGE] == NULL) {
        return win32_cause_last(cause, "CreateFileMappingW");
    }
    successor->page = MapViewOfFile(successor->passed[PASSED_PAGE], FILE_MAP_WRITE, 0, 0,
                                    sizeof *successor->page);
    if (successor->page == NULL) {
        return win32_cause_last(cause, "MapViewOfFile");
    }
    successor->page->pid = GetCurrentProcessId();
    if (!DuplicateHandle(GetCurrentProcess(), GetCurrentProcess(), GetCurrentProcess(),
                         &successor->passed[PASSED_OLD], SYNCHRONIZE, TRUE, 0)) {
        return win32_cause_last(cause, "DuplicateHandle");
    }
    return BATON_OK;
}

static void tell_passed(const struct successor *successor, bool is_there) {
    char text[VARIABLE_CHARACTERS];
    wchar_t wide[VARIABLE_CHARACTERS];
    size_t length = 0;
    for (size_t i = 0; i < PASSED_COUNT; i++) {
        length +=
            (size_t)text_format(text + length, sizeof text - length, "%s%lu", i > 0 ? "," : "",
                                (unsigned long)(uintptr_t)successor->passed[i]);
    }
    if (win32_text_to_room(text, wide, VARIABLE_CHARACTERS) == BATON_OK) {
        SetEnvironmentVariableW(VARIABLE, is_there ? wide : NULL);
    }
}

/* Its standard handles are ours, and its console. */
static int create(struct successor *successor, const wchar_t *path, wchar_t *command_line,
                  const HANDLE *handles, DWORD handle_count, struct baton_cause *cause) {
    union {
        BYTE room[256];
        void *aligned;
    } space;
    LPPROC_THREAD_ATTRIBUTE_LIST attributes = (LPPROC_THREAD_ATTRIBUTE_LIST)(void *)&space;
    SIZE_T space_bytes = sizeof space;
    STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof startup,
                                              .dwFlags = STARTF_USESTDHANDLES,
                                              .hStdInput = handles[0],
                                              .hStdOutput = handles[1],
                                              .hStdError = handles[2]},
                              .lpAttributeList = attributes};
    PROCESS_INFORMATION made;
    if (!InitializeProcThreadAttributeList(attributes, 1, 0, &space_bytes)) {
        return win32_cause_last(cause, "InitializeProcThreadAttributeList");
    }
    int code = BATON_OK;
    if (!UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST,
                                   (void *)(uintptr_t)handles, handle_count * sizeof *handles, NULL,
                                   NULL)) {
        code = win32_cause_last(cause, "UpdateProcThreadAttribute");
    } else if (!CreateProcessW(path, command_line, NULL, NULL, TRUE, EXTENDED_STARTUPINFO_PRESENT,
                               NULL, NULL, &startup.StartupInfo, &made)) {
        code = win32_cause_last(cause, "CreateProcessW");
    } else {
        CloseHandle(made.hThread);
        successor->process = made.hProcess;
        successor->pid = made.dwProcessId;
    }
    DeleteProcThreadAttributeList(attributes);
    return code;
}

/* A list of handles may name none twice, so each standard one is a copy. */
static int launch(struct successor *successor, const struct platform *platform, const wchar_t *path,
                  wchar_t *command_line, struct baton_cause *cause) {
    static const DWORD standard[] = {STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE};
    HANDLE handles[HANDLES_MAX] = {NULL};
    int code = BATON_OK;
    for (size_t i = 0; i < STANDARD_COUNT && code == BATON_OK; i++) {
        if (!DuplicateHandle(GetCurrentProcess(), GetStdHandle(standard[i]), GetCurrentProcess(),
                             &handles[i], 0, TRUE, DUPLICATE_SAME_ACCESS)) {
            code = win32_cause_last(cause, "DuplicateHandle");
        }
    }
    if (code == BATON_OK) {
        memcpy(handles + STANDARD_COUNT, successor->passed, sizeof successor->passed);
        DWORD lent_count =
            win32_manager_lend(platform, true, handles + STANDARD_COUNT + PASSED_COUNT);
        tell_passed(successor, true);
        code = create(successor, path, command_line, handles,
                      STANDARD_COUNT + PASSED_COUNT + lent_count, cause);
        tell_passed(successor, false);
        (void)win32_manager_lend(platform, false, handles + STANDARD_COUNT + PASSED_COUNT);
    }
    for (size_t i = 0; i < STANDARD_COUNT; i++) {
        if (handles[i] != NULL) {
            CloseHandle(handles[i]);
        }
    }
    return code;
}

static int start(struct successor *successor, const struct platform *platform, const char *path,
                 char *const *argv, struct baton_cause *cause) {
    wchar_t *wide = NULL;
    struct command_line *line = malloc(sizeof *line);
    int code = line == NULL ? BATON_NO_MEMORY : make_passed(successor, cause);
    if (code == BATON_OK) {
        code = win32_command_line_write((const char *const *)argv, line);
    }
    if (code == BATON_OK) {
        code = win32_text_to_wide(path, &wide);
    }
    if (code == BATON_OK) {
        code = launch(successor, platform, wide, line->text, cause);
    }
    free(wide);
    free(line);
    return code;
}

void win32_successor_end(struct successor *successor) {
    if (successor->process != NULL) {
        TerminateProcess(successor->process, EXIT_NOT_NEEDED);
        WaitForSingleObject(successor->process, END_WAIT_MS);
        CloseHandle(successor->process);
    }
    if (successor->page != NULL) {
        UnmapViewOfFile(successor->page);
    }
    for (size_t i = 0; i < PASSED_COUNT; i++) {
        if (successor->passed[i] != NULL) {
            CloseHandle(successor->passed[i]);
        }
    }
    memset(successor, 0, sizeof *successor);
}

/* It has its config, or has ended. */
static int await(struct successor *successor, uint32_t patience_ms, int *code,
                 struct baton_cause *cause) {
    const HANDLE sources[] = {successor->passed[PASSED_TOLD], successor->process};
    DWORD exit_code = 0;
    DWORD what = WaitForMultipleObjects(2, sources, FALSE, patience_ms);
    if (what == WAIT_OBJECT_0 && successor->page->is_waiting) {
        ResetEvent(successor->passed[PASSED_TOLD]);
        return BATON_OK;
    }
    if (what == WAIT_TIMEOUT) {
        *cause = (struct baton_cause){"waiting for the new batond", ERROR_TIMEOUT};
        return BATON_SYSTEM;
    }
    GetExitCodeProcess(successor->process, &exit_code);
    *code = (int)exit_code;
    return BATON_INVALID;
}

int win32_successor_summon(struct successor *successor, const struct platform *platform,
                           const char *path, char *const *argv, uint32_t patience_ms, int *code,
                           struct baton_cause *cause) {
    int result = start(successor, platform, path, argv, cause);
    if (result == BATON_OK) {
        result = await(successor, patience_ms, code, cause);
    }
    if (result != BATON_OK) {
        win32_successor_end(successor);
    }
    return result;
}

/* ---- In the new one ---- */

/* The numbers in the variable, which is taken out of the environment. */
static bool take_passed(HANDLE passed[PASSED_COUNT]) {
    wchar_t text[VARIABLE_CHARACTERS];
    DWORD length = GetEnvironmentVariableW(VARIABLE, text, VARIABLE_CHARACTERS);
    SetEnvironmentVariableW(VARIABLE, NULL);
    wchar_t *at = text;
    bool is_whole = length > 0 && length < VARIABLE_CHARACTERS;
    for (size_t i = 0; is_whole && i < PASSED_COUNT; i++) {
        wchar_t *end = at;
        passed[i] = (HANDLE)(uintptr_t)wcstoull(at, &end, 10);
        is_whole = end != at && *end == (i + 1 < PASSED_COUNT ? L',' : L'\0') &&
                   SetHandleInformation(passed[i], HANDLE_FLAG_INHERIT, 0);
        at = end + 1;
    }
    return is_whole;
}

struct passed_page *win32_successor_arrive(HANDLE passed[PASSED_COUNT]) {
    return take_passed(passed) ? MapViewOfFile(passed[PASSED_PAGE], FILE_MAP_WRITE, 0, 0,
                                               sizeof(struct passed_page))
                               : NULL;
}
