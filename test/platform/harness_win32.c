#include "harness.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include <stdio.h>
#include <wchar.h>

const bool system_channel_is_packets = false;

#define HANDLE_VALUE_MAX 65536
#define END_TIMEOUT_MS 20000

/* Wine 8 answers GetProcessHandleCount() with 0, so the handles are looked at one by one. */
size_t system_descriptor_count(void) {
    size_t count = 0;
    for (uintptr_t value = 4; value < HANDLE_VALUE_MAX; value += 4) {
        DWORD flags;
        count += GetHandleInformation((HANDLE)value, &flags) != FALSE;
    }
    return count;
}

uint64_t system_cpu_us(void) {
    FILETIME made;
    FILETIME ended;
    FILETIME kernel;
    FILETIME user;
    assert_true(GetProcessTimes(GetCurrentProcess(), &made, &ended, &kernel, &user));
    uint64_t kernel_ticks = (uint64_t)kernel.dwHighDateTime << 32 | kernel.dwLowDateTime;
    uint64_t user_ticks = (uint64_t)user.dwHighDateTime << 32 | user.dwLowDateTime;
    return (kernel_ticks + user_ticks) / 10;
}

uint32_t system_memory_peak_kib(void) {
    return 0;
}

size_t system_memory_bytes(void) {
    MEMORY_BASIC_INFORMATION region;
    size_t bytes = 0;
    for (const char *at = NULL; VirtualQuery(at, &region, sizeof region) == sizeof region;
         at = (const char *)region.BaseAddress + region.RegionSize) {
        bool counts = region.State == MEM_COMMIT && region.Type == MEM_PRIVATE;
        bytes += counts ? region.RegionSize : 0;
    }
    return bytes;
}

/* True if the process has ended `within_ms`, or was not there any more. */
static bool ends_within(uint32_t pid, DWORD within_ms) {
    HANDLE process = OpenProcess(SYNCHRONIZE, FALSE, pid);
    if (process == NULL) {
        return true;
    }
    DWORD result = WaitForSingleObject(process, within_ms);
    CloseHandle(process);
    return result == WAIT_OBJECT_0;
}

bool system_process_lives(uint32_t pid) {
    return !ends_within(pid, 0);
}

bool system_process_ends(uint32_t pid) {
    return ends_within(pid, END_TIMEOUT_MS);
}

void system_kill(uint32_t pid) {
    HANDLE process = OpenProcess(PROCESS_TERMINATE, FALSE, pid);
    if (process != NULL) {
        TerminateProcess(process, 1);
        CloseHandle(process);
    }
}

void system_go(uint32_t pid) {
    wchar_t name[64];
    (void)swprintf(name, sizeof name / sizeof name[0], L"baton-test-go-%lu", (unsigned long)pid);
    HANDLE go = OpenEventW(EVENT_MODIFY_STATE, FALSE, name);
    assert_non_null(go);
    SetEvent(go);
    CloseHandle(go);
}

static const wchar_t *to_wide(const char *text) {
    static wchar_t wide[2][4096];
    static size_t turn;
    turn = 1 - turn;
    assert_true(MultiByteToWideChar(CP_UTF8, 0, text, -1, wide[turn], 4096) > 0);
    return wide[turn];
}

void system_set_variable(const char *name, const char *value) {
    const wchar_t *wide_name = to_wide(name);
    assert_true(SetEnvironmentVariableW(wide_name, to_wide(value)));
}

/* For ourselves alone, as a linker does it: where batond looks at the file just then, once more. */
void system_write_file(const char *path, const char *text, bool executable) {
    (void)executable; /* the suffix decides */
    ULONGLONG deadline_ms = GetTickCount64() + 10000;
    HANDLE file;
    while ((file = CreateFileW(to_wide(path), GENERIC_WRITE, 0, NULL, CREATE_ALWAYS,
                               FILE_ATTRIBUTE_NORMAL, NULL)) == INVALID_HANDLE_VALUE &&
           GetLastError() == ERROR_SHARING_VIOLATION && GetTickCount64() < deadline_ms) {
        Sleep(1);
    }
    DWORD written = 0;
    assert_true(file != INVALID_HANDLE_VALUE);
    assert_true(WriteFile(file, text, (DWORD)strlen(text), &written, NULL));
    CloseHandle(file);
}

void system_remove_file(const char *path) {
    DeleteFileW(to_wide(path));
}

void system_make_directory(const char *path) {
    if (!CreateDirectoryW(to_wide(path), NULL)) {
        assert_int_equal(GetLastError(), ERROR_ALREADY_EXISTS);
    }
}

void system_remove_directory(const char *path) {
    RemoveDirectoryW(to_wide(path));
}

const char *system_scratch(void) {
    static char path[4096];
    if (path[0] == '\0') {
        wchar_t base[MAX_PATH + 1];
        wchar_t wide[MAX_PATH + 64];
        assert_true(GetTempPathW(MAX_PATH + 1, base) > 0);
        (void)swprintf(wide, sizeof wide / sizeof wide[0], L"%lsbaton-platform-%lu", base,
                       GetCurrentProcessId());
        assert_true(CreateDirectoryW(wide, NULL) || GetLastError() == ERROR_ALREADY_EXISTS);
        WideCharToMultiByte(CP_UTF8, 0, wide, -1, path, (int)sizeof path, NULL, NULL);
    }
    return path;
}

static int to_system(const struct address *address, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (address->family == ADDRESS_IPV4) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)out;
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(address->port);
        memcpy(&ipv4->sin_addr, address->bytes, 4);
        return (int)sizeof *ipv4;
    }
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)out;
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(address->port);
    memcpy(&ipv6->sin6_addr, address->bytes, 16);
    return (int)sizeof *ipv6;
}

/* The tests connect only while a platform is open, which has started Winsock. */
uintptr_t client_connect(const struct address *address) {
    struct sockaddr_storage name;
    int length = to_system(address, &name);
    SOCKET client = WSASocketW(name.ss_family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                               WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    assert_true(client != INVALID_SOCKET);
    assert_int_equal(connect(client, (struct sockaddr *)&name, length), 0);
    return (uintptr_t)client;
}

void client_send(uintptr_t client, const char *text) {
    assert_int_equal(send((SOCKET)client, text, (int)strlen(text), 0), (int)strlen(text));
}

void client_send_urgent(uintptr_t client, const char *text) {
    assert_int_equal(send((SOCKET)client, text, (int)strlen(text), MSG_OOB), (int)strlen(text));
}

bool server_urgent_arrives(uintptr_t server) {
    struct timeval limit = {.tv_sec = 20};
    fd_set urgent;
    char byte;
    FD_ZERO(&urgent);
    FD_SET((SOCKET)server, &urgent);
    return select(0, NULL, NULL, &urgent, &limit) == 1 &&
           recv((SOCKET)server, &byte, 1, MSG_OOB) == 1;
}

void client_receive_all(uintptr_t client, char *text, size_t size) {
    size_t done = 0;
    int got;
    while (done + 1 < size &&
           (got = recv((SOCKET)client, text + done, (int)(size - 1 - done), 0)) > 0) {
        done += (size_t)got;
    }
    text[done] = '\0';
}

void client_end_sending(uintptr_t client) {
    shutdown((SOCKET)client, SD_SEND);
}

void client_close(uintptr_t client) {
    closesocket((SOCKET)client);
}

void client_reset(uintptr_t client) {
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt((SOCKET)client, SOL_SOCKET, SO_LINGER, (const char *)&reset, (int)sizeof reset);
    closesocket((SOCKET)client);
}

void client_send_datagram(const struct address *address, const char *text) {
    struct sockaddr_storage name;
    int length = to_system(address, &name);
    SOCKET client = WSASocketW(name.ss_family, SOCK_DGRAM, IPPROTO_UDP, NULL, 0,
                               WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    assert_true(client != INVALID_SOCKET);
    assert_int_equal(sendto(client, text, (int)strlen(text), 0, (struct sockaddr *)&name, length),
                     (int)strlen(text));
    closesocket(client);
}

bool client_can_listen_ipv6(void) {
    struct sockaddr_in6 name = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    SOCKET probe = WSASocketW(AF_INET6, SOCK_STREAM, IPPROTO_TCP, NULL, 0, 0);
    bool can =
        probe != INVALID_SOCKET && bind(probe, (struct sockaddr *)&name, (int)sizeof name) == 0;
    if (probe != INVALID_SOCKET) {
        closesocket(probe);
    }
    return can;
}
