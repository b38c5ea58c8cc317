#include "system.h"

#include <winsock2.h>

#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_WAITS_COUNT 2

static HANDLE channel_in = INVALID_HANDLE_VALUE;
static HANDLE channel_out = INVALID_HANDLE_VALUE;

static void fail(const char *what) {
    fprintf(stderr, "misbehave: %s: error %lu\n", what, (unsigned long)GetLastError());
    exit(90);
}

void system_open(uint8_t nonce[WIRE_NONCE_BYTES]) {
    const char *channel_text = getenv("BATON_CHANNEL");
    const char *nonce_text = getenv("BATON_NONCE");
    if (channel_text == NULL || nonce_text == NULL || !wire_nonce_parse(nonce_text, nonce)) {
        fail("no channel in the environment");
    }
    char *rest = NULL;
    channel_in = (HANDLE)(uintptr_t)strtoul(channel_text, &rest, 10);
    if (*rest != ',') {
        fail("BATON_CHANNEL");
    }
    channel_out = (HANDLE)(uintptr_t)strtoul(rest + 1, NULL, 10);
    WSADATA data;
    if (WSAStartup(MAKEWORD(2, 2), &data) != 0) {
        fail("WSAStartup");
    }
}

uint32_t system_own_pid(void) {
    return GetCurrentProcessId();
}

static void write_handle(HANDLE handle, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        DWORD written = 0;
        if (!WriteFile(handle, next, (DWORD)length, &written, NULL)) {
            return;
        }
        next += written;
        length -= written;
    }
}

void system_send(const void *bytes, size_t length) {
    write_handle(channel_out, bytes, length);
}

bool system_send_with_descriptor(const void *bytes, size_t length) {
    (void)bytes;
    (void)length;
    return false;
}

static bool read_exactly(void *buffer, size_t length) {
    char *next = buffer;
    while (length > 0) {
        DWORD count = 0;
        if (!ReadFile(channel_in, next, (DWORD)length, &count, NULL) || count == 0) {
            return false;
        }
        next += count;
        length -= count;
    }
    return true;
}

static uintptr_t rebuild_socket(const uint8_t *bytes) {
    WSAPROTOCOL_INFOW info;
    memcpy(&info, bytes, sizeof info);
    SOCKET socket = WSASocketW(FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, FROM_PROTOCOL_INFO, &info, 0,
                               WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (socket == INVALID_SOCKET) {
        fail("WSASocketW");
    }
    return (uintptr_t)socket;
}

bool system_receive(struct wire_message *message, uintptr_t *socket) {
    static uint8_t frame[WIRE_HEADER_BYTES + WIRE_BODY_MAX_BYTES];
    size_t body_bytes = 0;
    if (!read_exactly(frame, WIRE_HEADER_BYTES)) {
        return false;
    }
    enum wire_result result =
        wire_check_header(frame, WIRE_HEADER_BYTES, WIRE_FROM_SUPERVISOR, &body_bytes);
    if (result != WIRE_OK || !read_exactly(frame + WIRE_HEADER_BYTES, body_bytes)) {
        return false;
    }
    result = wire_decode(frame, WIRE_HEADER_BYTES + body_bytes, WIRE_FROM_SUPERVISOR, message);
    if (result != WIRE_OK) {
        fail(wire_result_text(result));
    }
    *socket = message->protocol_info == NULL ? SYSTEM_SOCKET_NONE
                                             : rebuild_socket(message->protocol_info);
    return true;
}

void system_channel_close(void) {
    CloseHandle(channel_in);
    CloseHandle(channel_out);
    channel_in = INVALID_HANDLE_VALUE;
    channel_out = INVALID_HANDLE_VALUE;
}

size_t system_socket_read(uintptr_t socket, void *buffer, size_t size_bytes) {
    int length = recv((SOCKET)socket, buffer, (int)size_bytes, 0);
    return length < 0 ? 0 : (size_t)length;
}

void system_socket_write(uintptr_t socket, const void *bytes, size_t length) {
    const char *next = bytes;
    while (length > 0) {
        int written = send((SOCKET)socket, next, (int)length, 0);
        if (written < 0) {
            return;
        }
        next += written;
        length -= (size_t)written;
    }
}

void system_socket_close(uintptr_t socket) {
    closesocket((SOCKET)socket);
}

static DWORD WINAPI await_channel(void *unused) {
    uint8_t byte;
    DWORD count = 0;
    (void)unused;
    /* DRAIN or the end: nothing else comes while a connection is held. */
    (void)ReadFile(channel_in, &byte, 1, &count, NULL);
    return 0;
}

/* A synchronous pipe can only be awaited by a read, and a blocked read only by a thread of its own.
 * The thread takes a byte from the channel, so this serves for the last connection alone. */
bool system_wait_for_drain(uintptr_t socket) {
    char byte;
    DWORD flags = 0;
    WSABUF buffer = {.len = 1, .buf = &byte};
    WSAOVERLAPPED overlapped = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    HANDLE waits[DRAIN_WAITS_COUNT] = {CreateThread(NULL, 0, await_channel, NULL, 0, NULL),
                                       overlapped.hEvent};
    if (waits[0] == NULL || waits[1] == NULL) {
        fail("CreateThread");
    }
    if (WSARecv((SOCKET)socket, &buffer, 1, NULL, &flags, &overlapped, NULL) != 0 &&
        WSAGetLastError() != WSA_IO_PENDING) {
        return false;
    }
    return WaitForMultipleObjects(DRAIN_WAITS_COUNT, waits, FALSE, INFINITE) == WAIT_OBJECT_0;
}

void system_write(bool to_error, const void *bytes, size_t length) {
    write_handle(GetStdHandle(to_error ? STD_ERROR_HANDLE : STD_OUTPUT_HANDLE), bytes, length);
}

uint32_t system_count_launch(const char *path) {
    HANDLE file = CreateFileA(path, FILE_APPEND_DATA | FILE_READ_ATTRIBUTES,
                              FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
    LARGE_INTEGER size;
    if (file == INVALID_HANDLE_VALUE) {
        fail(path);
    }
    write_handle(file, "#", 1);
    if (!GetFileSizeEx(file, &size)) {
        fail(path);
    }
    CloseHandle(file);
    return (uint32_t)size.QuadPart;
}

void system_pause_ms(uint32_t duration_ms) {
    Sleep(duration_ms);
}

void system_crash(void) {
    RaiseException(EXCEPTION_ACCESS_VIOLATION, EXCEPTION_NONCONTINUABLE, 0, NULL);
}

void system_hang(void) {
    Sleep(SYSTEM_LIFE_MAX_S * 1000);
    exit(91);
}

/* Windows has no signal that asks a process to end; there is nothing to ignore. */
void system_ignore_terminate(void) {
}

void system_wait_for_input_end(void) {
    char bytes[64];
    DWORD count = 0;
    while (ReadFile(GetStdHandle(STD_INPUT_HANDLE), bytes, sizeof bytes, &count, NULL) &&
           count > 0) {
    }
}
