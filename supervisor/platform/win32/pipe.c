#include "internal.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* The pipe is ours before anyone can know its name. Another program of our user's that wins the
 * moment between creating and opening makes our own open fail. */
static int make_name(wchar_t *out, size_t count, struct baton_cause *cause) {
    uint64_t random[2];
    int code = platform_random(random, sizeof random, cause);
    if (code == BATON_OK) {
        (void)swprintf(out, count, L"\\\\.\\pipe\\baton-%016llx%016llx",
                       (unsigned long long)random[0], (unsigned long long)random[1]);
    }
    return code;
}

/* ConnectNamedPipe on a pipe whose client is already there says so, and starts nothing. */
static int confirm_connected(struct pipe_end *end, struct baton_cause *cause) {
    if (ConnectNamedPipe(end->handle, &end->operation) || GetLastError() == ERROR_PIPE_CONNECTED) {
        return BATON_OK;
    }
    if (GetLastError() == ERROR_IO_PENDING) {
        end->started = true; /* win32_pipe_close() cancels it */
        SetLastError(ERROR_PIPE_LISTENING);
    }
    return win32_cause_last(cause, "ConnectNamedPipe");
}

int win32_pipe_open(struct pipe_end *end, enum pipe_direction direction, DWORD buffer_bytes,
                    HANDLE *theirs, struct baton_cause *cause) {
    bool to_us = direction == PIPE_TO_US;
    wchar_t name[64];
    *theirs = INVALID_HANDLE_VALUE;
    int code = make_name(name, sizeof name / sizeof name[0], cause);
    if (code != BATON_OK) {
        return code;
    }
    end->started = false;
    memset(&end->operation, 0, sizeof end->operation);
    end->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (end->event == NULL) {
        return win32_cause_last(cause, "CreateEventW");
    }
    end->operation.hEvent = end->event;
    SECURITY_ATTRIBUTES ours = win32_access_own();
    end->handle = CreateNamedPipeW(name,
                                   (to_us ? PIPE_ACCESS_INBOUND : PIPE_ACCESS_OUTBOUND) |
                                       FILE_FLAG_FIRST_PIPE_INSTANCE | FILE_FLAG_OVERLAPPED,
                                   PIPE_TYPE_BYTE | PIPE_READMODE_BYTE | PIPE_WAIT |
                                       PIPE_REJECT_REMOTE_CLIENTS,
                                   1, buffer_bytes, buffer_bytes, 0, &ours);
    if (end->handle == INVALID_HANDLE_VALUE) {
        end->handle = NULL;
        code = win32_cause_last(cause, "CreateNamedPipeW");
        goto failed;
    }
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    *theirs = CreateFileW(
        name, to_us ? GENERIC_WRITE | FILE_READ_ATTRIBUTES : GENERIC_READ | FILE_WRITE_ATTRIBUTES,
        0, &inheritable, OPEN_EXISTING, 0, NULL);
    if (*theirs == INVALID_HANDLE_VALUE) {
        code = win32_cause_last(cause, "CreateFileW");
        goto failed;
    }
    code = confirm_connected(end, cause);
    if (code == BATON_OK) {
        return BATON_OK;
    }
    CloseHandle(*theirs);
    *theirs = INVALID_HANDLE_VALUE;
failed:
    win32_pipe_close(end);
    return code;
}

/* ERROR_NO_DATA is what a write gets when the reader has closed its end. */
static int code_of_transfer(struct baton_cause *cause, const char *call, DWORD system_code) {
    int code = win32_cause_of(cause, call, system_code);
    switch (system_code) {
    case ERROR_BROKEN_PIPE:
    case ERROR_HANDLE_EOF:
    case ERROR_NO_DATA:
    case ERROR_PIPE_NOT_CONNECTED:
    case ERROR_OPERATION_ABORTED:
        return BATON_END;
    default:
        return code == BATON_SHORTAGE || code == BATON_NO_MEMORY ? BATON_SHORTAGE : BATON_SYSTEM;
    }
}

int win32_pipe_read(struct pipe_end *end, void *buffer, DWORD length, struct baton_cause *cause) {
    if (!ReadFile(end->handle, buffer, length, NULL, &end->operation) &&
        GetLastError() != ERROR_IO_PENDING) {
        return code_of_transfer(cause, "ReadFile", GetLastError());
    }
    end->started = true;
    return BATON_OK;
}

int win32_pipe_write(struct pipe_end *end, const void *bytes, DWORD length,
                     struct baton_cause *cause) {
    if (!WriteFile(end->handle, bytes, length, NULL, &end->operation) &&
        GetLastError() != ERROR_IO_PENDING) {
        return code_of_transfer(cause, "WriteFile", GetLastError());
    }
    end->started = true;
    return BATON_OK;
}

int win32_pipe_result(struct pipe_end *end, DWORD *moved, struct baton_cause *cause) {
    *moved = 0;
    if (GetOverlappedResult(end->handle, &end->operation, moved, FALSE)) {
        end->started = false;
        return BATON_OK;
    }
    if (GetLastError() == ERROR_IO_INCOMPLETE) {
        return BATON_AGAIN;
    }
    end->started = false;
    return code_of_transfer(cause, "GetOverlappedResult", GetLastError());
}

int win32_pipe_cancel(struct pipe_end *end, DWORD *moved, struct baton_cause *cause) {
    /* The watch goes first: it could take the event's one signal from under the wait below. */
    win32_watch_stop(&end->watch);
    CancelIoEx(end->handle, &end->operation);
    end->started = false;
    *moved = 0;
    if (GetOverlappedResult(end->handle, &end->operation, moved, TRUE)) {
        return BATON_OK;
    }
    return code_of_transfer(cause, "GetOverlappedResult", GetLastError());
}

void win32_pipe_close(struct pipe_end *end) {
    win32_watch_stop(&end->watch);
    if (end->handle != NULL) {
        if (end->started) {
            DWORD moved;
            struct baton_cause ignored;
            (void)win32_pipe_cancel(end, &moved, &ignored);
        }
        CloseHandle(end->handle);
        end->handle = NULL;
    }
    if (end->event != NULL) {
        CloseHandle(end->event);
        end->event = NULL;
    }
}
