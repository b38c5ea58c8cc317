#include "body.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

int demo_prepare(void) {
    WSADATA data;
    return WSAStartup(MAKEWORD(2, 2), &data) == 0 ? 0 : -1;
}

int64_t demo_now_ms(void) {
    return (int64_t)GetTickCount64();
}

/* Winsock has no time limit of its own for connect(): it is started non-blocking and waited for.
 * Returns 0 or a Winsock error. */
static int connect_one(SOCKET socket, const struct addrinfo *address, uint32_t timeout_ms) {
    u_long on = 1, off = 0;
    DWORD limit_ms = timeout_ms;
    struct timeval limit = {(long)(timeout_ms / 1000), (long)(timeout_ms % 1000 * 1000)};
    fd_set connected, failed;
    int error = 0, length = sizeof error;
    FD_ZERO(&connected);
    FD_ZERO(&failed);
    FD_SET(socket, &connected);
    FD_SET(socket, &failed);
    ioctlsocket(socket, FIONBIO, &on);
    if (connect(socket, address->ai_addr, (int)address->ai_addrlen) != 0 &&
        WSAGetLastError() != WSAEWOULDBLOCK)
        return WSAGetLastError();
    if (select(0, NULL, &connected, &failed, &limit) <= 0)
        return WSAETIMEDOUT;
    if (getsockopt(socket, SOL_SOCKET, SO_ERROR, (char *)&error, &length) != 0 || error != 0)
        return error != 0 ? error : WSAGetLastError();
    ioctlsocket(socket, FIONBIO, &off);
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, (const char *)&limit_ms, sizeof limit_ms);
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, (const char *)&limit_ms, sizeof limit_ms);
    return 0;
}

/* The system's words for an error, as the console can show them. */
static void explain(int error, char *why, size_t why_bytes) {
    DWORD length = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                                  (DWORD)error, 0, why, (DWORD)why_bytes, NULL);
    while (length > 0 && (unsigned char)why[length - 1] <= ' ')
        why[--length] = '\0';
    if (length == 0)
        snprintf(why, why_bytes, "error %d", error);
}

baton_socket demo_connect(const char *host, const char *port, uint32_t timeout_ms, char *why,
                          size_t why_bytes) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    baton_socket result = BATON_SOCKET_NONE;
    int error = getaddrinfo(host, port, &hints, &found);
    for (struct addrinfo *at = found; at != NULL && result == BATON_SOCKET_NONE; at = at->ai_next) {
        SOCKET candidate = socket(at->ai_family, SOCK_STREAM, 0);
        error = candidate != INVALID_SOCKET ? connect_one(candidate, at, timeout_ms)
                                            : WSAGetLastError();
        if (error == 0)
            result = (baton_socket)candidate;
        else if (candidate != INVALID_SOCKET)
            closesocket(candidate);
    }
    if (found != NULL)
        freeaddrinfo(found);
    if (result == BATON_SOCKET_NONE)
        explain(error, why, why_bytes);
    return result;
}

void demo_close(baton_socket socket) {
    closesocket((SOCKET)socket);
}

struct start {
    void (*function)(void *item);
    void *item;
    HANDLE thread;
};

static DWORD WINAPI enter(void *argument) {
    struct start *start = argument;
    start->function(start->item);
    return 0;
}

int demo_run_threads(void (*function)(void *item), void *items, size_t item_bytes, size_t count) {
    struct start *starts = calloc(count, sizeof *starts);
    size_t started_count = 0;
    bool failed = starts == NULL;
    while (!failed && started_count < count) {
        struct start *start = &starts[started_count];
        *start = (struct start){.function = function,
                                .item = (char *)items + started_count * item_bytes};
        start->thread = CreateThread(NULL, 0, enter, start, 0, NULL);
        failed = start->thread == NULL;
        started_count += !failed;
    }
    for (size_t i = 0; i < started_count; i++) {
        WaitForSingleObject(starts[i].thread, INFINITE);
        CloseHandle(starts[i].thread);
    }
    free(starts);
    return failed ? -1 : 0;
}
