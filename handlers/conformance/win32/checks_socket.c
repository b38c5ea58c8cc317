#include "../checks.h"

#include <winsock2.h>

#include <windows.h>

/* What a client may say before it is not waited for any more. */
enum { READS_MAX_COUNT = 64 };

void check_socket_inheritance(const struct subject *subject, struct verdict *verdict) {
    DWORD flags = HANDLE_FLAG_INHERIT;
    judge(verdict,
          GetHandleInformation((HANDLE)subject->connection->socket, &flags) &&
              (flags & HANDLE_FLAG_INHERIT) == 0,
          "HANDLE_FLAG_INHERIT is set");
}

/* Winsock refuses to make a socket blocking (10022) while WSAEventSelect has a registration. */
void check_event_registration(const struct subject *subject, struct verdict *verdict) {
    u_long off = 0;
    int result = ioctlsocket(subject->connection->socket, FIONBIO, &off);
    judge(verdict, result == 0, "FIONBIO 0 fails with %d", WSAGetLastError());
}

/* FIONBIO cannot be read, so the socket is made to show it: a blocking one waits for the client
 * until its own deadline (10060), a non-blocking one says at once that it would have (10035). */
void check_blocking(const struct subject *subject, struct verdict *verdict) {
    DWORD patience_ms = 100, for_ever = 0;
    SOCKET socket = subject->connection->socket;
    char bytes[1024];
    int length = 1;
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, (const char *)&patience_ms, sizeof patience_ms);
    for (int i = 0; i < READS_MAX_COUNT && length > 0; i++)
        length = recv(socket, bytes, sizeof bytes, 0);
    int error = WSAGetLastError();
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, (const char *)&for_ever, sizeof for_ever);
    if (length >= 0)
        skip(verdict, length > 0 ? "the client talks on and on" : "the client has ended");
    else
        judge(verdict, error == WSAETIMEDOUT, "recv fails with %d", error);
}

void check_shutdown(const struct subject *subject, struct verdict *verdict) {
    int result = shutdown(subject->connection->socket, SD_RECEIVE);
    judge(verdict, result == 0, "it fails with %d", WSAGetLastError());
}

void check_completion_port(const struct subject *subject, struct verdict *verdict) {
    if (subject->mode == MODE_STDIO) {
        skip(verdict, "a socket that is standard input is not overlapped");
        return;
    }
    HANDLE port = CreateIoCompletionPort((HANDLE)subject->connection->socket, NULL, 1, 1);
    judge(verdict, port != NULL, "CreateIoCompletionPort fails with %lu", GetLastError());
    if (port != NULL)
        CloseHandle(port);
}
