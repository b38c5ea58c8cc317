#include "ctl/dial.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

#define PATH_MAX_COUNT 512
#define RETRY_AFTER_MS 20u

struct ctl_wire {
    HANDLE pipe;
    HANDLE event; /* of the one operation that is under way */
};

int64_t ctl_now_ms(void) {
    return (int64_t)GetTickCount64();
}

static int failed(struct baton_cause *cause, const char *call, DWORD error) {
    *cause = (struct baton_cause){call, (long)error};
    switch (error) {
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
        return BATON_NOT_FOUND;
    case ERROR_ACCESS_DENIED:
        return BATON_DENIED;
    case ERROR_SEM_TIMEOUT:
        return BATON_AGAIN;
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
    case ERROR_PIPE_NOT_CONNECTED:
        return BATON_GONE;
    default:
        return BATON_SYSTEM;
    }
}

/* 0 to INFINITE. */
static DWORD left_ms(int64_t deadline_ms) {
    int64_t left = deadline_ms == CTL_NO_DEADLINE ? INT64_MAX : deadline_ms - ctl_now_ms();
    return left < 0 ? 0 : left >= INFINITE ? INFINITE : (DWORD)left;
}

/* A pipe of this machine, so that nothing else is opened by the name of one: `\\.\pipe\NAME`. */
static bool is_pipe(const char *path) {
    static const char start[] = "\\\\.\\pipe\\";
    return _strnicmp(path, start, sizeof start - 1) == 0 && path[sizeof start - 1] != '\0';
}

/* A server sees who asks, and cannot act as them (SECURITY_IDENTIFICATION). All of a pipe's
 * instances may be taken, or none be there for a moment: then it is waited for. */
static int open_pipe(const wchar_t *name, int64_t deadline_ms, HANDLE *out,
                     struct baton_cause *cause) {
    for (;;) {
        *out = CreateFileW(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING,
                           FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION,
                           NULL);
        if (*out != INVALID_HANDLE_VALUE) {
            return BATON_OK;
        }
        DWORD error = GetLastError();
        if (error != ERROR_PIPE_BUSY) {
            return failed(cause, "CreateFileW", error);
        }
        DWORD wait_ms = left_ms(deadline_ms);
        /* 0 would be the server's own limit. */
        if (wait_ms == 0) {
            return failed(cause, "WaitNamedPipeW", ERROR_SEM_TIMEOUT);
        }
        /* Why it fails, as where the pipe goes away meanwhile, is told by the next attempt. */
        if (!WaitNamedPipeW(name, wait_ms) && GetLastError() != ERROR_SEM_TIMEOUT) {
            Sleep(wait_ms < RETRY_AFTER_MS ? wait_ms : RETRY_AFTER_MS);
        }
    }
}

int ctl_dial(const char *path, int64_t deadline_ms, struct ctl_wire **out,
             struct baton_cause *cause) {
    wchar_t name[PATH_MAX_COUNT];
    *cause = (struct baton_cause){NULL, 0};
    *out = NULL;
    if (!is_pipe(path)) {
        return BATON_INVALID;
    }
    if (MultiByteToWideChar(CP_UTF8, 0, path, -1, name, PATH_MAX_COUNT) == 0) {
        return BATON_TOO_LONG;
    }
    struct ctl_wire *wire = malloc(sizeof *wire);
    if (wire == NULL) {
        return BATON_NO_MEMORY;
    }
    wire->event = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (wire->event == NULL) {
        *cause = (struct baton_cause){"CreateEventW", (long)GetLastError()};
        free(wire);
        return BATON_SYSTEM;
    }
    int result = open_pipe(name, deadline_ms, &wire->pipe, cause);
    if (result != BATON_OK) {
        CloseHandle(wire->event);
        free(wire);
        return result;
    }
    *out = wire;
    return BATON_OK;
}

/* Waits for what has begun. What does not end in time is taken back, for its memory is the
 * caller's.
 */
static int finish(struct ctl_wire *wire, OVERLAPPED *operation, BOOL begun, const char *call,
                  int64_t deadline_ms, DWORD *count, struct baton_cause *cause) {
    DWORD error = begun ? ERROR_SUCCESS : GetLastError();
    if (!begun && error != ERROR_IO_PENDING) {
        return failed(cause, call, error);
    }
    bool is_late = WaitForSingleObject(wire->event, left_ms(deadline_ms)) == WAIT_TIMEOUT;
    if (is_late) {
        CancelIoEx(wire->pipe, operation);
    }
    if (GetOverlappedResult(wire->pipe, operation, count, TRUE)) {
        return BATON_OK; /* perhaps just before it was taken back */
    }
    error = GetLastError();
    return is_late && error == ERROR_OPERATION_ABORTED ? BATON_AGAIN : failed(cause, call, error);
}

int ctl_wire_send(struct ctl_wire *wire, const char *bytes, size_t length, int64_t deadline_ms,
                  struct baton_cause *cause) {
    while (length > 0) {
        OVERLAPPED operation = {.hEvent = wire->event};
        DWORD sent = 0;
        BOOL begun = WriteFile(wire->pipe, bytes, (DWORD)length, NULL, &operation);
        int result = finish(wire, &operation, begun, "WriteFile", deadline_ms, &sent, cause);
        if (result != BATON_OK) {
            return result;
        }
        bytes += sent;
        length -= sent;
    }
    return BATON_OK;
}

int ctl_wire_read(struct ctl_wire *wire, char *out, size_t size_bytes, int64_t deadline_ms,
                  size_t *length, struct baton_cause *cause) {
    OVERLAPPED operation = {.hEvent = wire->event};
    DWORD got = 0;
    BOOL begun = ReadFile(wire->pipe, out, (DWORD)size_bytes, NULL, &operation);
    int result = finish(wire, &operation, begun, "ReadFile", deadline_ms, &got, cause);
    *length = got;
    return result == BATON_GONE || (result == BATON_OK && got == 0) ? BATON_END : result;
}

void ctl_wire_close(struct ctl_wire **wire) {
    if (*wire != NULL) {
        CloseHandle((*wire)->pipe);
        CloseHandle((*wire)->event);
        free(*wire);
        *wire = NULL;
    }
}

bool ctl_output_is_coloured(void) {
    DWORD mode;
    wchar_t text[2];
    HANDLE console = GetStdHandle(STD_OUTPUT_HANDLE);
    /* A variable's length, or what room it would need. */
    return GetConsoleMode(console, &mode) && GetEnvironmentVariableW(L"NO_COLOR", text, 2) == 0 &&
           SetConsoleMode(console,
                          mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING | ENABLE_PROCESSED_OUTPUT);
}
