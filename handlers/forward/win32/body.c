#include "../body.h"

#include <winsock2.h>
#include <ws2tcpip.h>

#include <limits.h>
#include <stdio.h>
#include <windows.h>

static void tell(int error, char *why, size_t why_bytes) {
    char text[160] = "";
    DWORD length = FormatMessageA(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL,
                                  (DWORD)error, 0, text, sizeof text, NULL);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\r'))
        text[--length] = '\0';
    snprintf(why, why_bytes, length > 0 ? "%s (%d)" : "%serror %d", text, error);
}

/* Waits until the socket is connected. Returns 0 or an error. select, because WSAPoll did not tell
 * of failures before Windows 10 version 2004. */
static int finish_connecting(SOCKET connecting, ULONGLONG left_ms) {
    struct timeval timeout = {(long)(left_ms / 1000), (long)(left_ms % 1000 * 1000)};
    fd_set connected, failed;
    int error = 0, length = sizeof error;
    FD_ZERO(&connected);
    FD_SET(connecting, &connected);
    failed = connected;
    int count = select(0, NULL, &connected, &failed, &timeout);
    if (count <= 0)
        return count == 0 ? WSAETIMEDOUT : WSAGetLastError();
    if (getsockopt(connecting, SOL_SOCKET, SO_ERROR, (char *)&error, &length) != 0)
        return WSAGetLastError();
    return error == 0 && FD_ISSET(connecting, &failed) ? WSAECONNREFUSED : error;
}

/* Returns 0 and the socket, or an error. */
static int connect_one(const struct addrinfo *address, ULONGLONG left_ms, SOCKET *out) {
    BOOL on = TRUE;
    SOCKET candidate = WSASocketW(address->ai_family, SOCK_STREAM, 0, NULL, 0,
                                  WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (candidate == INVALID_SOCKET)
        return WSAGetLastError();
    setsockopt(candidate, SOL_SOCKET, SO_KEEPALIVE, (const char *)&on, sizeof on);
    int error = forward_prepare((baton_socket)candidate) == 0 ? 0 : WSAGetLastError();
    if (error == 0 && connect(candidate, address->ai_addr, (int)address->ai_addrlen) != 0)
        error = WSAGetLastError();
    if (error == WSAEWOULDBLOCK)
        error = finish_connecting(candidate, left_ms);
    if (error == 0)
        *out = candidate;
    else
        closesocket(candidate);
    return error;
}

static unsigned count_of(const struct addrinfo *at) {
    unsigned count = 0;
    for (; at != NULL; at = at->ai_next)
        count++;
    return count;
}

baton_socket forward_connect(const char *host, const char *port, uint32_t timeout_ms, char *why,
                             size_t why_bytes) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    SOCKET result = INVALID_SOCKET;
    int error = getaddrinfo(host, port, &hints, &found);
    ULONGLONG deadline_ms = GetTickCount64() + timeout_ms;
    for (struct addrinfo *at = found; at != NULL && result == INVALID_SOCKET; at = at->ai_next) {
        /* One that does not answer leaves the others their share of the time. */
        ULONGLONG now_ms = GetTickCount64();
        ULONGLONG left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
        error = connect_one(at, left_ms / count_of(at), &result);
    }
    if (found != NULL)
        freeaddrinfo(found);
    if (result == INVALID_SOCKET)
        tell(error, why, why_bytes);
    return (baton_socket)result;
}

int forward_prepare(baton_socket socket) {
    u_long on = 1;
    BOOL is_inline = TRUE;
    setsockopt((SOCKET)socket, SOL_SOCKET, SO_OOBINLINE, (const char *)&is_inline,
               sizeof is_inline);
    return ioctlsocket((SOCKET)socket, FIONBIO, &on) == 0 ? 0 : -1;
}

int forward_wait(struct forward_wish wishes[2]) {
    fd_set readable, writable;
    FD_ZERO(&readable);
    FD_ZERO(&writable);
    for (int i = 0; i < 2; i++) {
        if (wishes[i].receive)
            FD_SET((SOCKET)wishes[i].socket, &readable);
        if (wishes[i].send)
            FD_SET((SOCKET)wishes[i].socket, &writable);
    }
    if (select(0, &readable, &writable, NULL, NULL) == SOCKET_ERROR)
        return -1;
    for (int i = 0; i < 2; i++) {
        wishes[i].receive = FD_ISSET((SOCKET)wishes[i].socket, &readable) != 0;
        wishes[i].send = FD_ISSET((SOCKET)wishes[i].socket, &writable) != 0;
    }
    return 0;
}

static long result_of(int length) {
    if (length != SOCKET_ERROR)
        return length;
    return WSAGetLastError() == WSAEWOULDBLOCK ? FORWARD_AGAIN : FORWARD_BROKEN;
}

long forward_receive(baton_socket socket, void *bytes, size_t size) {
    return result_of(recv((SOCKET)socket, bytes, size > INT_MAX ? INT_MAX : (int)size, 0));
}

long forward_send(baton_socket socket, const void *bytes, size_t size) {
    return result_of(send((SOCKET)socket, bytes, size > INT_MAX ? INT_MAX : (int)size, 0));
}

void forward_end_sending(baton_socket socket) {
    shutdown((SOCKET)socket, SD_SEND);
}

void forward_reset_at_close(baton_socket socket) {
    struct linger at_once = {.l_onoff = 1};
    setsockopt((SOCKET)socket, SOL_SOCKET, SO_LINGER, (const char *)&at_once, sizeof at_once);
}

void forward_close(baton_socket socket) {
    closesocket((SOCKET)socket);
}
