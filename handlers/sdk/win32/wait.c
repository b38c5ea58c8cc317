/*
 * Waiting for clients and for the supervisor at the same time. A synchronous pipe can only be
 * looked at, and an event registration of a listener would be shared with the supervisor, who has
 * the same socket: so this looks some times a second, for as long as the handler has a listener.
 */
#include "body.h"

#include <winsock2.h>

#include <windows.h>

enum { LOOK_EVERY_MS = 100 };

_Static_assert(BODY_SOURCES_MAX_COUNT <= FD_SETSIZE, "select takes them all");

/* There is no SIGTERM, and what another thread finishes is seen at the next look. */
int body_wait_prepare(bool watches_sigterm) {
    (void)watches_sigterm;
    return 0;
}

void body_wait_release(void) {
}

void body_wake(void) {
}

/* True also at the end of the pipe. */
static bool has_more(const struct body_channel *channel) {
    DWORD waiting = 0;
    return channel != NULL &&
           (!PeekNamedPipe((HANDLE)channel->in, NULL, 0, NULL, &waiting, NULL) || waiting > 0);
}

/* Waits up to `timeout_ms` for the sources that are here. Returns 1 and *index, 0, or
 * BATON_E_SYSTEM. */
static int look(const struct body_wait *what, DWORD timeout_ms, size_t *index) {
    struct timeval timeout = {.tv_usec = (long)timeout_ms * 1000};
    size_t count = what->sources->used_mark;
    fd_set ready;
    FD_ZERO(&ready);
    for (size_t i = 0; i < count && !what->is_full; i++) {
        const struct body_source *source = &what->sources->items[i];
        *index = i;
        if (source->state != BODY_SOURCE_HERE)
            continue;
        if (sources_is_whole(what->sources, source))
            return 1;
        FD_SET((SOCKET)source->socket, &ready);
    }
    if (ready.fd_count == 0) {
        Sleep(timeout_ms);
        return 0;
    }
    if (select(0, &ready, NULL, NULL, &timeout) == SOCKET_ERROR)
        return BATON_E_SYSTEM;
    for (size_t i = 0; i < count; i++) {
        *index = (what->sources->turn + i) % count;
        if (what->sources->items[*index].state == BODY_SOURCE_HERE &&
            FD_ISSET((SOCKET)what->sources->items[*index].socket, &ready))
            return 1;
    }
    return 0;
}

int body_wait(const struct body_wait *what, size_t *index) {
    ULONGLONG deadline_ms = GetTickCount64() + what->idle_ms;
    for (;;) {
        ULONGLONG now_ms = GetTickCount64();
        DWORD timeout_ms = LOOK_EVERY_MS;
        if (has_more(what->channel))
            return BODY_READY_CHANNEL;
        if (what->idle_ms != UINT32_MAX && deadline_ms < now_ms + LOOK_EVERY_MS)
            timeout_ms = deadline_ms > now_ms ? (DWORD)(deadline_ms - now_ms) : 0;
        int result = look(what, timeout_ms, index);
        if (result < 0)
            return result;
        if (result > 0)
            return BODY_READY_SOURCE;
        if (what->idle_ms != UINT32_MAX && GetTickCount64() >= deadline_ms)
            return BODY_READY_IDLE;
        if (what->is_full || what->idle_ms == UINT32_MAX)
            return BODY_READY_WOKEN;
    }
}

/* Errors of accept that concern one client only, or say that another process took it. */
static bool is_passing(int error) {
    return error == WSAECONNRESET || error == WSAECONNABORTED || error == WSAEINTR ||
           error == WSAEWOULDBLOCK;
}

/* Who waits there may be taken by another process that shares the listener, and then accept must
 * not wait for the next one: nobody would see DRAIN. The mode belongs to all copies, and a
 * supervisor sets it back before each hand-over, so it is set for each. */
int body_accept(baton_socket listener, baton_socket *out) {
    u_long is_nonblocking = 1;
    *out = BATON_SOCKET_NONE;
    if (ioctlsocket((SOCKET)listener, (long)FIONBIO, &is_nonblocking) != 0)
        return BATON_E_SYSTEM;
    SOCKET accepted = accept((SOCKET)listener, NULL, NULL);
    *out = (baton_socket)accepted;
    if (accepted == INVALID_SOCKET)
        return is_passing(WSAGetLastError()) ? 0 : BATON_E_SYSTEM;
    /* Accepted sockets are inheritable again even when the listener is not. */
    SetHandleInformation((HANDLE)accepted, HANDLE_FLAG_INHERIT, 0);
    is_nonblocking = 0; /* it has the mode of the listener */
    if (ioctlsocket(accepted, (long)FIONBIO, &is_nonblocking) != 0) {
        body_socket_close(out);
        return BATON_E_SYSTEM;
    }
    return 1;
}
