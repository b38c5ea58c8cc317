/*
 * Accepting: one AcceptEx under way on an event. Neither the listening socket nor an accepted one
 * is ever bound to a completion port or registered for events, because both properties belong to
 * the kernel's object and would travel to whoever gets a duplicate. The socket to be filled is
 * ours, so its overlapped attribute is what the mode needs, whatever the listener has.
 * https://learn.microsoft.com/windows/win32/api/mswsock/nf-mswsock-acceptex
 */
#include "listener.h"

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
    int code = win32_cause_of(cause, call, error);
    if (client_has_left(error)) {
        return BATON_GONE;
    }
    return code == BATON_SHORTAGE || code == BATON_NO_MEMORY ? BATON_SHORTAGE : BATON_SYSTEM;
}

/* BATON_OK: an AcceptEx is under way, and its end will be a packet. */
static int arm(struct platform_listener *listener, struct baton_cause *cause) {
    if (listener->armed) {
        return BATON_OK;
    }
    listener->accepted =
        win32_listener_new_socket(win32_listener_family(listener), SOCK_STREAM, listener->is_plain);
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

void win32_listener_accept_on(struct platform_listener *listener) {
    struct baton_cause ignored;
    if (!listener->paused && arm(listener, &ignored) != BATON_OK) {
        win32_listener_report(listener);
    }
}

int win32_listener_start_accepting(struct platform_listener *listener, struct baton_cause *cause) {
    GUID guid = WSAID_ACCEPTEX;
    DWORD bytes = 0;
    if (WSAIoctl(listener->socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof guid,
                 &listener->accept_ex, sizeof listener->accept_ex, &bytes, NULL, NULL) != 0) {
        return win32_listener_failed(cause, "WSAIoctl(AcceptEx)");
    }
    listener->operation.hEvent = listener->event;
    return arm(listener, cause);
}

void win32_listener_stop_accepting(struct platform_listener *listener) {
    if (listener->armed) {
        DWORD received, flags;
        CancelIoEx((HANDLE)listener->socket, &listener->operation);
        WSAGetOverlappedResult(listener->socket, &listener->operation, &received, TRUE, &flags);
        closesocket(listener->accepted);
        listener->armed = false;
    }
}

/* Windows tells nothing of who connects to a local socket but the process id, and an address with
 * that alone would look like user 0's. */
static int name_peer(const struct platform_listener *listener, SOCKET accepted,
                     struct address *peer, struct baton_cause *cause) {
    if (listener->protocol == PLATFORM_UNIX) {
        *peer = (struct address){.family = ADDRESS_UNIX};
        return BATON_OK;
    }
    return win32_listener_name_of(accepted, getpeername, peer)
               ? BATON_OK
               : accept_failed(cause, "getpeername");
}

/* Makes an accepted socket an ordinary one, as accept() would have given it. What the listener's
 * options are, and which of them a system hands on, is not relied on: they are set again. One that
 * cannot be set is no reason to send the client away. */
static int finish_accept(const struct platform_listener *listener, SOCKET accepted,
                         struct address *peer, struct baton_cause *cause) {
    if (setsockopt(accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT, (const char *)&listener->socket,
                   (int)sizeof listener->socket) != 0) {
        return accept_failed(cause, "setsockopt(SO_UPDATE_ACCEPT_CONTEXT)");
    }
    int code = name_peer(listener, accepted, peer, cause);
    if (code == BATON_OK) {
        struct baton_cause ignored;
        (void)win32_listener_set_options(accepted, &listener->options, listener->protocol,
                                         &ignored);
        SetHandleInformation((HANDLE)accepted, HANDLE_FLAG_INHERIT, 0);
    }
    return code;
}

int platform_listener_accept(struct platform_listener *listener, struct platform_socket *out,
                             struct address *peer, struct baton_cause *cause) {
    *out = PLATFORM_SOCKET_NONE;
    *cause = (struct baton_cause){NULL, 0};
    if (listener->is_handed_over) {
        return BATON_UNSUPPORTED;
    }
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
        code = finish_accept(listener, listener->accepted, peer, cause);
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
        win32_listener_accept_on(listener); /* so that a caller who does not come back is told */
    }
    return code;
}

bool platform_socket_in_groups(struct platform_socket socket, const uint32_t *gids, size_t count) {
    (void)socket;
    (void)gids;
    (void)count;
    return false;
}
