/*
 * A connected socket that the supervisor reads and writes for a while: WSAEventSelect and calls
 * that do not block, which work on overlapped and plain sockets alike and leave nothing behind that
 * could not be undone, unlike a completion port.
 * https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsaeventselect
 */
#include "stream.h"

#include <limits.h>

/* With it an urgent byte stays in its place, otherwise recv leaves it out. */
static void set_urgent_inline(SOCKET socket, BOOL value) {
    setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, (const char *)&value, sizeof value);
}

int win32_stream_socket_open(struct platform *platform, struct platform_socket socket,
                             uint64_t token, struct platform_stream **out,
                             struct baton_cause *cause) {
    struct platform_stream *stream = win32_stream_take(platform, STREAM_SOCKET, token, cause);
    if (stream == NULL) {
        return BATON_SHORTAGE;
    }
    int code = BATON_OK;
    stream->end.event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (stream->end.event == NULL) {
        code = win32_cause_last(cause, "CreateEventW");
    }
    if (code == BATON_OK) {
        code = win32_watch_start(&stream->end.watch, stream->end.event, cause);
    }
    /* From here on the socket does not block. */
    if (code == BATON_OK && WSAEventSelect((SOCKET)socket.value, stream->end.event,
                                           FD_READ | FD_WRITE | FD_CLOSE) != 0) {
        code = win32_cause_of(cause, "WSAEventSelect", (DWORD)WSAGetLastError());
    }
    if (code != BATON_OK) {
        win32_stream_release(stream);
        return code == BATON_SHORTAGE || code == BATON_NO_MEMORY ? BATON_SHORTAGE : BATON_SYSTEM;
    }
    stream->socket = (SOCKET)socket.value;
    set_urgent_inline(stream->socket, TRUE);
    *out = stream;
    return BATON_OK;
}

static int transfer_failed(const char *call, DWORD error, struct baton_cause *cause) {
    if (error == WSAEWOULDBLOCK) {
        return BATON_AGAIN;
    }
    (void)win32_cause_of(cause, call, error);
    return BATON_GONE;
}

/* What there is to be read, as WSAPoll says it; 0 = nothing yet. */
static SHORT look(SOCKET socket) {
    WSAPOLLFD poll = {.fd = socket, .events = POLLRDNORM};
    return WSAPoll(&poll, 1, 0) == 1 ? poll.revents : 0;
}

/* Wine 8 gives a reset to whoever looks first, and then nothing but an end to recv(). */
static bool was_reset(SOCKET socket) {
    return (look(socket) & POLLERR) != 0;
}

int win32_stream_socket_await(struct platform_stream *stream) {
    SHORT seen = look(stream->socket);
    if ((seen & POLLERR) != 0) {
        return BATON_GONE;
    }
    return seen != 0 ? BATON_OK : BATON_AGAIN;
}

static int within_int(size_t length) {
    return length > INT_MAX ? INT_MAX : (int)length;
}

int win32_stream_socket_read(struct platform_stream *stream, void *buffer, size_t capacity,
                             size_t *length, struct baton_cause *cause) {
    int got = recv(stream->socket, buffer, within_int(capacity), 0);
    if (got < 0) {
        return transfer_failed("recv", (DWORD)WSAGetLastError(), cause);
    }
    if (got == 0 && was_reset(stream->socket)) {
        return transfer_failed("recv", WSAECONNRESET, cause);
    }
    *length = (size_t)got;
    return got == 0 ? BATON_END : BATON_OK;
}

int win32_stream_socket_write(struct platform_stream *stream, const void *bytes, size_t length,
                              size_t *written, struct baton_cause *cause) {
    int sent = send(stream->socket, bytes, within_int(length), 0);
    if (sent < 0) {
        return transfer_failed("send", (DWORD)WSAGetLastError(), cause);
    }
    *written = (size_t)sent;
    return BATON_OK;
}

/* The record is emptied by this call, else Windows would not set the event for the same thing
 * again. What nobody waits for may be forgotten: a call that says AGAIN makes the system record it
 * anew as soon as it holds. An end or a reset is told once, but then no call says AGAIN any more.
 * https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-wsaenumnetworkevents */
bool win32_stream_socket_event(struct platform_stream *stream) {
    WSANETWORKEVENTS seen = {0};
    if (WSAEnumNetworkEvents(stream->socket, NULL, &seen) != 0) {
        seen.lNetworkEvents = FD_CLOSE; /* the next call tells why */
    }
    bool read = stream->wants_read && (seen.lNetworkEvents & (FD_READ | FD_CLOSE)) != 0;
    bool write = stream->wants_write && (seen.lNetworkEvents & (FD_WRITE | FD_CLOSE)) != 0;
    stream->wants_read = stream->wants_read && !read;
    stream->wants_write = stream->wants_write && !write;
    return read || write;
}

void win32_stream_socket_close(struct platform_stream *stream) {
    u_long blocking = 0;
    /* In this order: a registered socket cannot be made blocking. */
    WSAEventSelect(stream->socket, NULL, 0);
    ioctlsocket(stream->socket, FIONBIO, &blocking);
    set_urgent_inline(stream->socket, FALSE);
}
