/*
 * Listeners: one AcceptEx under way on an event. Neither the listening socket nor an accepted one
 * is ever bound to a completion port or registered for events, because both properties belong to
 * the kernel's object and would travel to whoever gets a duplicate.
 * https://learn.microsoft.com/windows/win32/api/mswsock/nf-mswsock-acceptex
 */
#include "internal.h"

#include <mswsock.h>
#include <stdlib.h>
#include <string.h>

/* AcceptEx wants 16 bytes more than the longest address, for each of the two. */
#define ACCEPT_ADDRESS_BYTES (sizeof(struct sockaddr_storage) + 16)

struct platform_listener {
    struct platform *platform;
    uint64_t token;
    uint32_t index;
    uint32_t generation;
    bool in_table;
    bool paused;
    bool armed; /* an AcceptEx was started and its result not yet taken */
    SOCKET socket;
    SOCKET accepted; /* what the AcceptEx under way fills */
    LPFN_ACCEPTEX accept_ex;
    HANDLE event;
    OVERLAPPED operation;
    struct watch watch;
    struct address address;
    uint8_t addresses[2 * ACCEPT_ADDRESS_BYTES];
};

/* The mode decides about the overlapped attribute; every mode so far is the channel. */
static SOCKET new_socket(int family) {
    SOCKET made = WSASocketW(family, SOCK_STREAM, IPPROTO_TCP, NULL, 0,
                             WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
    if (made != INVALID_SOCKET) {
        /* Some layered providers do not honour the flag. */
        SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT, 0);
    }
    return made;
}

static int socket_failed(struct baton_cause *cause, const char *call) {
    return cause_of(cause, call, (DWORD)WSAGetLastError());
}

static bool client_has_left(DWORD error) {
    switch (error) {
    case WSAECONNRESET:
    case WSAECONNABORTED:
    case WSAENOTCONN:
    case WSAENETRESET:
    case WSAETIMEDOUT:
    case ERROR_NETNAME_DELETED:
    case ERROR_CONNECTION_ABORTED:
        return true;
    default:
        return false;
    }
}

/* BATON_GONE, BATON_SHORTAGE or BATON_SYSTEM for a failed step of accepting. */
static int accept_failed(struct baton_cause *cause, const char *call) {
    DWORD error = (DWORD)WSAGetLastError();
    int code = cause_of(cause, call, error);
    if (client_has_left(error)) {
        return BATON_GONE;
    }
    return code == BATON_SHORTAGE || code == BATON_NO_MEMORY ? BATON_SHORTAGE : BATON_SYSTEM;
}

static int family_of(const struct platform_listener *listener) {
    return listener->address.family == ADDRESS_IPV6 ? AF_INET6 : AF_INET;
}

/* Starts an AcceptEx unless one is under way. BATON_OK: one is, and its end will be a packet. */
static int arm(struct platform_listener *listener, struct baton_cause *cause) {
    if (listener->armed) {
        return BATON_OK;
    }
    listener->accepted = new_socket(family_of(listener));
    if (listener->accepted == INVALID_SOCKET) {
        return accept_failed(cause, "WSASocketW");
    }
    DWORD received = 0;
    if (!listener->accept_ex(listener->socket, listener->accepted, listener->addresses, 0,
                             ACCEPT_ADDRESS_BYTES, ACCEPT_ADDRESS_BYTES, &received,
                             &listener->operation) &&
        WSAGetLastError() != ERROR_IO_PENDING) {
        int code = accept_failed(cause, "AcceptEx");
        closesocket(listener->accepted);
        listener->accepted = INVALID_SOCKET;
        return code;
    }
    listener->armed = true;
    return BATON_OK;
}

static void report_again(const struct platform_listener *listener) {
    packet_post(listener->platform->port, PACKET_ACCEPT, listener->index, listener->generation);
}

/* After something was taken, or a pause: the next one is started at once, so that a caller who does
 * not come back for more is told. Where that fails, the caller is told by a packet and learns why
 * when it accepts; it pauses then. */
static void arm_next(struct platform_listener *listener) {
    struct baton_cause ignored;
    if (!listener->paused && arm(listener, &ignored) != BATON_OK) {
        report_again(listener);
    }
}

static bool name_of(SOCKET socket, int(WSAAPI *ask)(SOCKET, struct sockaddr *, int *),
                    struct address *out) {
    struct sockaddr_storage name;
    int length = (int)sizeof name;
    return ask(socket, (struct sockaddr *)&name, &length) == 0 && address_from_system(&name, out);
}

/* Makes an accepted socket an ordinary one, as accept() would have given it. */
static int finish_accept(const struct platform_listener *listener, SOCKET accepted,
                         struct address *peer, struct address *local, struct baton_cause *cause) {
    if (setsockopt(accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener->socket,
                   (int)sizeof listener->socket) != 0) {
        return accept_failed(cause, "setsockopt(SO_UPDATE_ACCEPT_CONTEXT)");
    }
    if (!name_of(accepted, getpeername, peer)) {
        return accept_failed(cause, "getpeername");
    }
    if (!name_of(accepted, getsockname, local)) {
        return accept_failed(cause, "getsockname");
    }
    SetHandleInformation((HANDLE)accepted, HANDLE_FLAG_INHERIT, 0);
    return BATON_OK;
}

int platform_listener_accept(struct platform_listener *listener, struct platform_socket *out,
                             struct address *peer, struct address *local,
                             struct baton_cause *cause) {
    *out = PLATFORM_SOCKET_NONE;
    int code = arm(listener, cause);
    if (code != BATON_OK) {
        return code;
    }
    DWORD received, flags;
    if (!WSAGetOverlappedResult(listener->socket, &listener->operation, &received, FALSE, &flags)) {
        if (WSAGetLastError() == WSA_IO_INCOMPLETE) {
            return BATON_AGAIN;
        }
        code = accept_failed(cause, "AcceptEx");
    }
    if (code == BATON_OK) {
        code = finish_accept(listener, listener->accepted, peer, local, cause);
        if (code == BATON_SHORTAGE) {
            return code; /* the client is kept for the next call */
        }
    }
    if (code == BATON_OK) {
        out->value = listener->accepted;
    } else {
        closesocket(listener->accepted);
    }
    listener->accepted = INVALID_SOCKET;
    listener->armed = false;
    if (code == BATON_OK || code == BATON_GONE) {
        arm_next(listener);
    }
    return code;
}

bool listener_event(struct platform_listener *listener, struct platform_event *event) {
    /* Nothing to report while the one under way has not ended; its end will be another packet. */
    if (listener->paused || (listener->armed && !HasOverlappedIoCompleted(&listener->operation))) {
        return false;
    }
    *event = (struct platform_event){PLATFORM_EVENT_ACCEPT, listener->token};
    return true;
}

void platform_listener_pause(struct platform_listener *listener) {
    listener->paused = true;
}

void platform_listener_resume(struct platform_listener *listener) {
    bool was_paused = listener->paused;
    listener->paused = false;
    arm_next(listener); /* also where a shortage has left nothing under way */
    if (was_paused && listener->armed && HasOverlappedIoCompleted(&listener->operation)) {
        report_again(listener); /* its own packet may have come and gone during the pause */
    }
}

void platform_listener_address(const struct platform_listener *listener, struct address *out) {
    *out = listener->address;
}

/* SOMAXCONN_HINT: a plain number over 200 would be cut to 200 without a word. */
static int backlog_argument(uint32_t backlog_count) {
    int count = backlog_count > 65535 ? 65535 : (int)backlog_count;
    return count > 200 ? -count : count;
}

static int load_accept_ex(struct platform_listener *listener, struct baton_cause *cause) {
    GUID guid = WSAID_ACCEPTEX;
    DWORD bytes = 0;
    if (WSAIoctl(listener->socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof guid,
                 &listener->accept_ex, sizeof listener->accept_ex, &bytes, NULL, NULL) != 0) {
        return socket_failed(cause, "WSAIoctl(AcceptEx)");
    }
    return BATON_OK;
}

static int bind_and_listen(struct platform_listener *listener, const struct address *address,
                           uint32_t backlog_count, struct baton_cause *cause) {
    struct sockaddr_storage name;
    socklen_t length = address_to_system(address, &name);
    DWORD yes = 1;
    listener->socket = new_socket(name.ss_family);
    if (listener->socket == INVALID_SOCKET) {
        return socket_failed(cause, "WSASocketW");
    }
    if (setsockopt(listener->socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&yes,
                   (int)sizeof yes) != 0) {
        return socket_failed(cause, "setsockopt(SO_EXCLUSIVEADDRUSE)");
    }
    if (address->family == ADDRESS_IPV6 && setsockopt(listener->socket, IPPROTO_IPV6, IPV6_V6ONLY,
                                                      (const char *)&yes, (int)sizeof yes) != 0) {
        return socket_failed(cause, "setsockopt(IPV6_V6ONLY)");
    }
    if (bind(listener->socket, (struct sockaddr *)&name, length) != 0) {
        return socket_failed(cause, "bind");
    }
    if (listen(listener->socket, backlog_argument(backlog_count)) != 0) {
        return socket_failed(cause, "listen");
    }
    if (!name_of(listener->socket, getsockname, &listener->address)) {
        return socket_failed(cause, "getsockname");
    }
    return load_accept_ex(listener, cause);
}

static int start(struct platform_listener *listener, struct baton_cause *cause) {
    listener->event = CreateEventW(NULL, FALSE, FALSE, NULL);
    if (listener->event == NULL) {
        return cause_last(cause, "CreateEventW");
    }
    listener->operation.hEvent = listener->event;
    int code = source_take(listener->platform, SOURCE_LISTENER, listener, &listener->index,
                           &listener->generation);
    if (code != BATON_OK) {
        return code;
    }
    listener->in_table = true;
    listener->watch.port = listener->platform->port;
    listener->watch.kind = PACKET_ACCEPT;
    listener->watch.index = listener->index;
    listener->watch.generation = listener->generation;
    code = watch_start(&listener->watch, listener->event, cause);
    return code == BATON_OK ? arm(listener, cause) : code;
}

int platform_listener_open(struct platform *platform, const struct address *address,
                           uint32_t backlog_count, uint64_t token, struct platform_listener **out,
                           struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){NULL, 0};
    struct platform_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return BATON_NO_MEMORY;
    }
    listener->platform = platform;
    listener->token = token;
    listener->socket = INVALID_SOCKET;
    listener->accepted = INVALID_SOCKET;
    int code = bind_and_listen(listener, address, backlog_count, cause);
    if (code == BATON_OK) {
        code = start(listener, cause);
    }
    if (code != BATON_OK) {
        platform_listener_close(&listener);
    }
    *out = listener;
    return code;
}

void platform_listener_close(struct platform_listener **address) {
    struct platform_listener *listener = *address;
    *address = NULL;
    if (listener == NULL) {
        return;
    }
    /* The watch goes first: it could take the event's one signal from under the wait below. */
    watch_stop(&listener->watch);
    if (listener->armed) {
        DWORD received, flags;
        CancelIoEx((HANDLE)listener->socket, &listener->operation);
        WSAGetOverlappedResult(listener->socket, &listener->operation, &received, TRUE, &flags);
        closesocket(listener->accepted);
    }
    if (listener->socket != INVALID_SOCKET) {
        closesocket(listener->socket);
    }
    if (listener->event != NULL) {
        CloseHandle(listener->event);
    }
    if (listener->in_table) {
        source_release(listener->platform, listener->index);
    }
    free(listener);
}
