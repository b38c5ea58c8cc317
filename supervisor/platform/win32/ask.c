/*
 * A program of ours that is asked something: a batond that is to take our place. It ends with us,
 * by its job, and its answer comes by a pipe that is its standard output.
 * https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-jobobject_basic_limit_information
 */
#include "program.h"

#include <stdlib.h>
#include <string.h>

#define PIPE_BYTES 65536u
#define GRAIN_BYTES 4096u
#define END_WAIT_MS 5000u

struct question {
    struct pipe_end end;
    HANDLE theirs, null_device, job, process;
    struct command_line *line;
    wchar_t *path;
};

static int prepare(struct question *q, const char *path, char *const *argv,
                   struct baton_cause *cause) {
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION limits = {.BasicLimitInformation.LimitFlags =
                                                       JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE};
    q->line = malloc(sizeof *q->line);
    int code = q->line == NULL ? BATON_NO_MEMORY
                               : win32_command_line_write((const char *const *)argv, q->line);
    if (code == BATON_OK) {
        code = win32_text_to_wide(path, &q->path);
    }
    if (code != BATON_OK) {
        return code;
    }
    q->null_device =
        CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                    &inheritable, OPEN_EXISTING, 0, NULL);
    if (q->null_device == INVALID_HANDLE_VALUE) {
        return win32_cause_last(cause, "CreateFileW(NUL)");
    }
    q->job = CreateJobObjectW(NULL, NULL);
    if (q->job == NULL || !SetInformationJobObject(q->job, JobObjectExtendedLimitInformation,
                                                   &limits, sizeof limits)) {
        return win32_cause_last(cause, "CreateJobObjectW");
    }
    return win32_pipe_open(&q->end, PIPE_TO_US, PIPE_BYTES, &q->theirs, cause);
}

static int start(struct question *q, struct baton_cause *cause) {
    union {
        BYTE room[256];
        void *aligned;
    } space;
    LPPROC_THREAD_ATTRIBUTE_LIST attributes = (LPPROC_THREAD_ATTRIBUTE_LIST)(void *)&space;
    SIZE_T space_bytes = sizeof space;
    HANDLE handles[] = {q->null_device, q->theirs};
    STARTUPINFOEXW startup = {.StartupInfo = {.cb = sizeof startup,
                                              .dwFlags = STARTF_USESTDHANDLES,
                                              .hStdInput = q->null_device,
                                              .hStdOutput = q->theirs,
                                              .hStdError = q->null_device},
                              .lpAttributeList = attributes};
    PROCESS_INFORMATION made;
    if (!InitializeProcThreadAttributeList(attributes, 2, 0, &space_bytes)) {
        return win32_cause_last(cause, "InitializeProcThreadAttributeList");
    }
    int code = BATON_OK;
    if (!UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, handles,
                                   sizeof handles, NULL, NULL) ||
        !UpdateProcThreadAttribute(attributes, 0, PROC_THREAD_ATTRIBUTE_JOB_LIST, &q->job,
                                   sizeof q->job, NULL, NULL)) {
        code = win32_cause_last(cause, "UpdateProcThreadAttribute");
    } else if (!CreateProcessW(q->path, q->line->text, NULL, NULL, TRUE,
                               CREATE_NO_WINDOW | EXTENDED_STARTUPINFO_PRESENT, NULL, NULL,
                               &startup.StartupInfo, &made)) {
        code = win32_cause_last(cause, "CreateProcessW");
    } else {
        CloseHandle(made.hThread);
        q->process = made.hProcess;
    }
    DeleteProcThreadAttributeList(attributes);
    return code;
}

static DWORD left_ms(ULONGLONG deadline_ms) {
    ULONGLONG now_ms = GetTickCount64();
    return deadline_ms == 0 ? INFINITE : now_ms < deadline_ms ? (DWORD)(deadline_ms - now_ms) : 0;
}

/* Up to the end: so no handle of it may be left here. */
static int read_answer(struct question *q, ULONGLONG deadline_ms, char **bytes, size_t *length,
                       struct baton_cause *cause) {
    size_t room_bytes = 0;
    int code = BATON_OK;
    while (code == BATON_OK) {
        DWORD moved = 0;
        if (room_bytes - *length < GRAIN_BYTES) {
            room_bytes = 2 * room_bytes + GRAIN_BYTES;
            char *grown = realloc(*bytes, room_bytes);
            if (grown == NULL) {
                return BATON_NO_MEMORY;
            }
            *bytes = grown;
        }
        code = win32_pipe_read(&q->end, *bytes + *length, GRAIN_BYTES, cause);
        if (code == BATON_OK &&
            WaitForSingleObject(q->end.event, left_ms(deadline_ms)) != WAIT_OBJECT_0) {
            *cause = (struct baton_cause){"waiting for its answer", ERROR_TIMEOUT};
            return BATON_SYSTEM;
        }
        if (code == BATON_OK) {
            code = win32_pipe_result(&q->end, &moved, cause);
        }
        *length += moved;
    }
    return code == BATON_END ? BATON_OK : code;
}

static int await_end(struct question *q, int *code, struct baton_cause *cause) {
    DWORD exit_code = 0;
    if (WaitForSingleObject(q->process, END_WAIT_MS) != WAIT_OBJECT_0) {
        *cause = (struct baton_cause){"waiting for its end", ERROR_TIMEOUT};
        return BATON_SYSTEM;
    }
    GetExitCodeProcess(q->process, &exit_code);
    *code = (int)exit_code;
    *cause = (struct baton_cause){NULL, 0};
    return BATON_OK;
}

static void close_any(HANDLE *handle) {
    if (*handle != NULL && *handle != INVALID_HANDLE_VALUE) {
        CloseHandle(*handle);
    }
    *handle = NULL;
}

int platform_ask_program(const char *path, char *const *argv, bool is_quiet, uint32_t patience_ms,
                         char **bytes, size_t *length, int *code, struct baton_cause *cause) {
    struct question q = {.path = NULL};
    ULONGLONG deadline_ms = patience_ms == 0 ? 0 : GetTickCount64() + patience_ms;
    *bytes = NULL;
    *length = 0;
    *code = 0;
    *cause = (struct baton_cause){NULL, 0};
    int result = is_quiet ? prepare(&q, path, argv, cause) : BATON_UNSUPPORTED;
    if (result == BATON_OK) {
        result = start(&q, cause);
    }
    close_any(&q.theirs);
    if (result == BATON_OK) {
        result = read_answer(&q, deadline_ms, bytes, length, cause);
    }
    if (result == BATON_OK) {
        result = await_end(&q, code, cause);
    }
    win32_pipe_close(&q.end);
    close_any(&q.job); /* whoever is still there is ended by that */
    close_any(&q.process);
    close_any(&q.null_device);
    free(q.path);
    free(q.line);
    return result;
}

/* The job that it is in sees to that. */
bool platform_answer_begin(void) {
    return true;
}

bool platform_answer(const char *bytes, size_t length) {
    HANDLE file = GetStdHandle(STD_OUTPUT_HANDLE);
    while (length > 0) {
        DWORD piece = length > 0x10000 ? 0x10000 : (DWORD)length;
        DWORD written = 0;
        if (!WriteFile(file, bytes, piece, &written, NULL)) {
            return false;
        }
        bytes += written;
        length -= written;
    }
    return true;
}
