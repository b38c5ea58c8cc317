/*
 * The platform itself: opening and closing, its clocks, and what is known without it.
 */
#include "breaker.h"
#include "event_log.h"
#include "platform/sized.h"
#include "program.h"
#include "restart.h"
#include "stream.h"

#include <bcrypt.h>
#include <stdlib.h>

/* Output pipes outlive their processes until they are read; so many for each may wait for that. */
#define PIPES_PER_PROCESS 4

static bool is_platform_open;

static int create_tables(struct platform *platform, size_t process_count) {
    int code = win32_slot_table_create(&platform->processes, process_count,
                                       sizeof(struct platform_process));
    return code != BATON_OK
               ? code
               : win32_slot_table_create(&platform->pipes, process_count * PIPES_PER_PROCESS,
                                         sizeof(struct output_pipe));
}

static int create_launch_space(struct platform *platform) {
    InitializeProcThreadAttributeList(NULL, 2, 0, &platform->attributes_bytes);
    platform->attributes = calloc(1, platform->attributes_bytes);
    platform->command_line = calloc(1, sizeof *platform->command_line);
    return platform->attributes == NULL || platform->command_line == NULL ? BATON_NO_MEMORY
                                                                          : BATON_OK;
}

static int start_sockets(struct platform *platform, struct baton_cause *cause) {
    WSADATA data;
    int error = WSAStartup(MAKEWORD(2, 2), &data);
    if (error != 0) {
        return win32_cause_of(cause, "WSAStartup", (DWORD)error);
    }
    platform->sockets_started = true;
    return BATON_OK;
}

static int create_handles(struct platform *platform, struct baton_cause *cause) {
    platform->port = CreateIoCompletionPort(INVALID_HANDLE_VALUE, NULL, 0, 1);
    if (platform->port == NULL) {
        return win32_cause_last(cause, "CreateIoCompletionPort");
    }
    int code = win32_watches_open(cause);
    if (code == BATON_OK) {
        code = win32_access_open(cause);
    }
    if (code != BATON_OK) {
        return code;
    }
    SECURITY_ATTRIBUTES inheritable = {sizeof inheritable, NULL, TRUE};
    platform->null_device =
        CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                    &inheritable, OPEN_EXISTING, 0, NULL);
    if (platform->null_device == INVALID_HANDLE_VALUE) {
        platform->null_device = NULL;
        return win32_cause_last(cause, "CreateFileW(NUL)");
    }
    return BATON_OK;
}

int platform_open(struct platform **out, struct baton_cause *cause) {
    const struct platform_sizes largest = {PLATFORM_PROCESS_COUNT_MAX, PLATFORM_STREAM_COUNT_MAX,
                                           false, 0};
    return platform_open_sized(&largest, out, cause);
}

int platform_open_sized(const struct platform_sizes *sizes, struct platform **out,
                        struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    if (is_platform_open || sizes->process_count < 1 ||
        sizes->process_count > PLATFORM_PROCESS_COUNT_MAX || sizes->stream_count < 1 ||
        sizes->stream_count > PLATFORM_STREAM_COUNT_MAX) {
        return BATON_INVALID;
    }
    struct platform *platform = calloc(1, sizeof *platform);
    if (platform == NULL) {
        return BATON_NO_MEMORY;
    }
    is_platform_open = true;
    QueryPerformanceFrequency(&platform->clock_frequency);
    win32_console_complete_handles();
    /* Inherited: a handler that crashes ends, instead of waiting in a dialog that nobody sees. */
    SetErrorMode(GetErrorMode() | SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
    int code = create_tables(platform, sizes->process_count);
    if (code == BATON_OK) {
        code = win32_streams_create(platform, sizes->stream_count, sizes->process_count);
    }
    if (code == BATON_OK) {
        code = create_launch_space(platform);
    }
    if (code == BATON_OK) {
        code = start_sockets(platform, cause);
    }
    if (code == BATON_OK) {
        code = create_handles(platform, cause);
    }
    if (code == BATON_OK) {
        code = win32_manager_open(platform, cause);
    }
    if (code == BATON_OK) {
        code = win32_restart_open(platform, cause);
    }
    if (code != BATON_OK) {
        platform_close(&platform);
        return code;
    }
    if (platform_restarted() == NULL) { /* else it is the old one's until that has ended */
        win32_console_hold();
    }
    win32_console_attach(platform->port);
    *out = platform;
    return BATON_OK;
}

static void close_sources(struct platform *platform) {
    for (size_t i = 0; i < platform->source_count; i++) {
        struct platform_listener *listener = platform->sources[i].object;
        struct platform_output *output = platform->sources[i].object;
        if (platform->sources[i].kind == SOURCE_LISTENER) {
            platform_listener_close(&listener);
        } else if (platform->sources[i].kind == SOURCE_OUTPUT) {
            platform_output_close(&output);
        }
        /* Files: win32_file_watches_close(). */
    }
}

void platform_close(struct platform **address) {
    struct platform *platform = *address;
    *address = NULL;
    if (platform == NULL) {
        return;
    }
    win32_console_attach(NULL);
    win32_console_release();
    struct platform_process *process;
    for (uint32_t at = 0; (process = win32_slot_table_next(&platform->processes, &at)) != NULL;) {
        win32_process_release(process);
    }
    win32_streams_clear(platform);
    close_sources(platform);
    win32_file_watches_close(platform);
    win32_breaker_close(platform);
    win32_manager_close(platform);
    win32_event_log_close(&platform->event_log, EVENT_LOG_CLOSE_BOUND_MS);
    win32_logs_close(platform);
    if (platform->null_device != NULL) {
        CloseHandle(platform->null_device);
    }
    win32_watches_close();
    if (platform->port != NULL) {
        CloseHandle(platform->port);
    }
    if (platform->sockets_started) {
        WSACleanup();
    }
    free(platform->attributes);
    free(platform->command_line);
    win32_slot_table_clear(&platform->processes);
    win32_slot_table_clear(&platform->pipes);
    free(platform->sources);
    free(platform);
    is_platform_open = false;
}

uint64_t platform_now_us(struct platform *platform) {
    LARGE_INTEGER now;
    QueryPerformanceCounter(&now);
    uint64_t frequency = (uint64_t)platform->clock_frequency.QuadPart;
    uint64_t ticks = (uint64_t)now.QuadPart;
    return ticks / frequency * 1000000u + ticks % frequency * 1000000u / frequency;
}

int64_t platform_wall_us(struct platform *platform) {
    FILETIME time;
    (void)platform;
    GetSystemTimePreciseAsFileTime(&time);
    int64_t ticks = (int64_t)(((uint64_t)time.dwHighDateTime << 32) | time.dwLowDateTime);
    return ticks / 10 - 11644473600000000; /* 100 ns since 1601 to microseconds since 1970 */
}

unsigned platform_local_minute(int64_t wall_us) {
    uint64_t ticks = (uint64_t)(wall_us + 11644473600000000) * 10;
    FILETIME time = {(DWORD)ticks, (DWORD)(ticks >> 32)};
    SYSTEMTIME universal, local;
    return FileTimeToSystemTime(&time, &universal) &&
                   SystemTimeToTzSpecificLocalTime(NULL, &universal, &local)
               ? (unsigned)(local.wHour * 60 + local.wMinute)
               : 0;
}

/* Only a syslog asks for that. */
int64_t platform_local_us(int64_t wall_us) {
    return wall_us;
}

int platform_random(void *out, size_t length, struct baton_cause *cause) {
    NTSTATUS status = BCryptGenRandom(NULL, out, (ULONG)length, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    if (status < 0) {
        cause->call = "BCryptGenRandom";
        cause->system_code = status;
        return BATON_SYSTEM;
    }
    return BATON_OK;
}

uint32_t platform_own_pid(void) {
    return GetCurrentProcessId();
}
