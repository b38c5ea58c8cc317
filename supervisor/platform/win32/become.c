#include "program.h"

#include <stdlib.h>

/* What a console or a redirection gave to us goes on to the child. */
static HANDLE standard_handle(DWORD which) {
    HANDLE handle = GetStdHandle(which);
    if (handle != NULL && handle != INVALID_HANDLE_VALUE) {
        SetHandleInformation(handle, HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT);
    }
    return handle;
}

/* Returns only on failure. */
static int run_and_end(const wchar_t *path, wchar_t *command_line, struct baton_cause *cause) {
    STARTUPINFOW startup = {
        .cb = sizeof startup,
        .dwFlags = STARTF_USESTDHANDLES,
        .hStdInput = standard_handle(STD_INPUT_HANDLE),
        .hStdOutput = standard_handle(STD_OUTPUT_HANDLE),
        .hStdError = standard_handle(STD_ERROR_HANDLE),
    };
    PROCESS_INFORMATION child;
    DWORD exit_code = 0;
    if (!CreateProcessW(path, command_line, NULL, NULL, TRUE, 0, NULL, NULL, &startup, &child)) {
        return cause_last(cause, "CreateProcessW");
    }
    CloseHandle(child.hThread);
    if (WaitForSingleObject(child.hProcess, INFINITE) != WAIT_OBJECT_0) {
        return cause_last(cause, "WaitForSingleObject");
    }
    if (!GetExitCodeProcess(child.hProcess, &exit_code)) {
        return cause_last(cause, "GetExitCodeProcess");
    }
    ExitProcess(exit_code);
}

int platform_become(const char *path, const char *const *argv, struct baton_cause *cause) {
    *cause = (struct baton_cause){NULL, 0};
    struct command_line *line = malloc(sizeof *line);
    wchar_t *wide = NULL;
    int code = line == NULL ? BATON_NO_MEMORY : text_to_wide(path, &wide);
    if (code == BATON_OK) {
        code = command_line_write(argv, line);
    }
    if (code == BATON_OK) {
        code = run_and_end(wide, line->text, cause);
    }
    free(wide);
    free(line);
    return code;
}
