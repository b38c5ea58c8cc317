/*
 * The log: a ring that the supervisor fills and a thread that empties it, because Windows cannot
 * write to an inherited synchronous handle without the risk of blocking.
 */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* How long a close lets the writer finish before it breaks off a write that hangs, and how often it
 * tries that: not every write can be broken off. */
#define CLOSE_BOUND_MS 1000
#define CANCEL_INTERVAL_MS 20
#define CANCEL_MAX_COUNT 50

/* Under the lock: moves up to a piece out of the ring. */
static size_t take_piece(struct platform_log *log) {
    size_t length = log->count_bytes < LOG_PIECE_BYTES ? log->count_bytes : LOG_PIECE_BYTES;
    size_t to_end = LOG_BUFFER_BYTES - log->start;
    size_t first = length < to_end ? length : to_end;
    memcpy(log->piece, log->ring + log->start, first);
    memcpy(log->piece + first, log->ring, length - first);
    size_t whole = win32_text_whole_utf8(log->piece, length);
    length = whole > 0 ? whole : length;
    log->start = (log->start + length) % LOG_BUFFER_BYTES;
    log->count_bytes -= length;
    return length;
}

static size_t count_lines(const char *bytes, size_t length) {
    size_t count = 0;
    for (size_t i = 0; i < length; i++) {
        count += bytes[i] == '\n' ? 1 : 0;
    }
    return count;
}

static DWORD WINAPI log_thread(void *context) {
    struct platform_log *log = context;
    EnterCriticalSection(&log->lock);
    while (!log->closing || log->count_bytes > 0) {
        if (log->count_bytes == 0) {
            SleepConditionVariableCS(&log->filled, &log->lock, INFINITE);
            continue;
        }
        size_t length = take_piece(log);
        HANDLE file = log->file;
        bool is_torn = log->is_torn;
        log->writing = true;
        LeaveCriticalSection(&log->lock);
        bool written = (!is_torn || win32_console_write(file, "\n", 1)) &&
                       win32_console_write(file, log->piece, length);
        DWORD failed_code = written ? 0 : GetLastError();
        EnterCriticalSection(&log->lock);
        log->writing = false;
        log->failed_code = failed_code != 0 ? failed_code : log->failed_code;
        log->lost_count += written ? 0 : count_lines(log->piece, length);
        log->is_torn = !written;
        if (log->wants_writable) {
            log->wants_writable = false;
            win32_packet_post(log->platform->port, PACKET_LOG, 0, 0);
        }
        WakeConditionVariable(&log->emptied);
    }
    LeaveCriticalSection(&log->lock);
    return 0;
}

/* Frees *log if the thread cannot be had. */
static int start(struct platform *platform, struct platform_log **out, struct baton_cause *cause) {
    struct platform_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        return BATON_NO_MEMORY;
    }
    InitializeCriticalSection(&log->lock);
    InitializeConditionVariable(&log->filled);
    InitializeConditionVariable(&log->emptied);
    log->platform = platform;
    log->file = GetStdHandle(STD_ERROR_HANDLE);
    log->thread =
        CreateThread(NULL, 65536, log_thread, log, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    if (log->thread == NULL) {
        win32_cause_last(cause, "CreateThread");
        DeleteCriticalSection(&log->lock);
        free(log);
        return BATON_SYSTEM;
    }
    log->next = platform->first_log;
    platform->first_log = *out = log;
    return BATON_OK;
}

/* False if the writer is still in a write, after all. */
static bool await_writer(struct platform_log *log) {
    DWORD result = WaitForSingleObject(log->thread, CLOSE_BOUND_MS);
    for (int i = 0; i < CANCEL_MAX_COUNT && result == WAIT_TIMEOUT; i++) {
        EnterCriticalSection(&log->lock);
        log->count_bytes = 0;
        LeaveCriticalSection(&log->lock);
        CancelSynchronousIo(log->thread);
        result = WaitForSingleObject(log->thread, CANCEL_INTERVAL_MS);
    }
    return result != WAIT_TIMEOUT;
}

/* One whose writer hangs is left to it: that comes back to its lock, until the process ends. */
static void stop(struct platform_log *log) {
    EnterCriticalSection(&log->lock);
    log->closing = true;
    log->wants_writable = false; /* the port may be closed soon */
    WakeConditionVariable(&log->filled);
    LeaveCriticalSection(&log->lock);
    bool ended = await_writer(log);
    CloseHandle(log->thread);
    if (ended) {
        if (log->owned) {
            CloseHandle(log->file);
        }
        DeleteCriticalSection(&log->lock);
        free(log);
    }
}

void platform_log_close(struct platform_log **address) {
    struct platform_log *log = *address;
    *address = NULL;
    if (log != NULL) {
        struct platform_log **link = &log->platform->first_log;
        while (*link != log) {
            link = &(*link)->next;
        }
        *link = log->next;
        stop(log);
    }
}

void win32_logs_close(struct platform *platform) {
    struct platform_log *next;
    for (struct platform_log *log = platform->first_log; log != NULL; log = next) {
        next = log->next;
        stop(log);
    }
    platform->first_log = NULL;
}

bool platform_error_is_journal(void) {
    return false;
}

static int open_file(const char *path, HANDLE *file, struct baton_cause *cause) {
    wchar_t *wide;
    int code = win32_text_to_wide(path, &wide);
    if (code != BATON_OK) {
        return code;
    }
    /* A new file gets its access rights from its folder; Windows has no mode for it. */
    *file = CreateFileW(wide, FILE_APPEND_DATA | SYNCHRONIZE,
                        FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, OPEN_ALWAYS,
                        FILE_ATTRIBUTE_NORMAL, NULL);
    DWORD error = GetLastError();
    free(wide);
    return *file == INVALID_HANDLE_VALUE ? win32_cause_of(cause, "CreateFileW", error) : BATON_OK;
}

int platform_log_open(struct platform *platform, struct platform_log **address,
                      const struct platform_log_sink *sink, struct baton_cause *cause) {
    HANDLE file = GetStdHandle(STD_ERROR_HANDLE);
    *cause = (struct baton_cause){NULL, 0};
    int code = sink->is_syslog      ? BATON_UNSUPPORTED
               : sink->path == NULL ? BATON_OK
                                    : open_file(sink->path, &file, cause);
    if (code != BATON_OK) {
        return code;
    }
    code = *address == NULL ? start(platform, address, cause) : BATON_OK;
    if (code != BATON_OK) {
        if (sink->path != NULL) {
            CloseHandle(file);
        }
        return code;
    }
    struct platform_log *log = *address;
    platform_log_flush(log, PLATFORM_WAIT_FOREVER);
    EnterCriticalSection(&log->lock);
    HANDLE before = log->owned ? log->file : NULL;
    log->file = file;
    log->owned = sink->path != NULL;
    LeaveCriticalSection(&log->lock);
    if (before != NULL) {
        CloseHandle(before);
    }
    return BATON_OK;
}

size_t platform_log_write(struct platform_log *log, const char *bytes, size_t length,
                          struct baton_cause *cause) {
    *cause = (struct baton_cause){NULL, 0};
    EnterCriticalSection(&log->lock);
    size_t room = LOG_BUFFER_BYTES - log->count_bytes;
    size_t taken = length < room ? length : room;
    size_t end = (log->start + log->count_bytes) % LOG_BUFFER_BYTES;
    size_t first = taken < LOG_BUFFER_BYTES - end ? taken : LOG_BUFFER_BYTES - end;
    memcpy(log->ring + end, bytes, first);
    memcpy(log->ring, bytes + first, taken - first);
    log->count_bytes += taken;
    log->wants_writable = log->wants_writable || taken < length;
    if (log->failed_code != 0) {
        win32_cause_of(cause, "WriteFile", log->failed_code);
        log->failed_code = 0;
    }
    WakeConditionVariable(&log->filled);
    LeaveCriticalSection(&log->lock);
    return taken;
}

/* Milliseconds for SleepConditionVariableCS, rounded up; 0 when the deadline has passed. */
static DWORD left_ms(struct platform *platform, uint64_t deadline_us) {
    uint64_t now_us = platform_now_us(platform);
    if (deadline_us == PLATFORM_WAIT_FOREVER) {
        return INFINITE;
    }
    uint64_t ms = deadline_us <= now_us ? 0 : (deadline_us - now_us + 999) / 1000;
    return ms < INFINITE ? (DWORD)ms : INFINITE - 1;
}

/* True when all is with the system, false at the deadline. */
static bool flush(struct platform_log *log, uint64_t deadline_us) {
    bool waiting = true;
    EnterCriticalSection(&log->lock);
    while (waiting && (log->count_bytes > 0 || log->writing)) {
        waiting = SleepConditionVariableCS(&log->emptied, &log->lock,
                                           left_ms(log->platform, deadline_us)) != 0;
    }
    bool done = log->count_bytes == 0 && !log->writing;
    LeaveCriticalSection(&log->lock);
    return done;
}

void platform_log_take_loss(struct platform_log *log, struct platform_log_loss *loss) {
    EnterCriticalSection(&log->lock);
    *loss = (struct platform_log_loss){.lines_count = log->lost_count};
    log->lost_count = 0;
    LeaveCriticalSection(&log->lock);
}

void platform_log_wait(struct platform_log *log, uint64_t deadline_us) {
    flush(log, deadline_us);
}

size_t platform_log_flush(struct platform_log *log, uint64_t deadline_us) {
    size_t left_count = 0;
    if (!flush(log, deadline_us)) {
        EnterCriticalSection(&log->lock);
        for (size_t i = 0; i < log->count_bytes; i++) {
            left_count += log->ring[(log->start + i) % LOG_BUFFER_BYTES] == '\n' ? 1 : 0;
        }
        left_count += log->writing ? 1 : 0;
        LeaveCriticalSection(&log->lock);
    }
    return left_count;
}

static DWORD WINAPI warn(void *text) {
    win32_console_write(GetStdHandle(STD_ERROR_HANDLE), text, strlen(text));
    free(text);
    return 0;
}

/* Only a thread of the system's pool may wait for who reads standard error. */
void platform_log_warn(const char *text) {
    char *copy = _strdup(text);
    if (copy != NULL && !QueueUserWorkItem(warn, copy, WT_EXECUTELONGFUNCTION)) {
        free(copy);
    }
}
