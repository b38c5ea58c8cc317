/*
 * Accepting: one AcceptEx under way on an event. Neither the listening socket nor an accepted one
 * is ever bound to a completion port or registered for events, because both properties belong to
 * the kernel's object and would travel to whoever gets a duplicate. The socket to be filled is
 * ours, so its overlapped attribute is what the mode needs, whatever the listener has.
 * https://learn.microsoft.com/windows/win32/api/mswsock/nf-mswsock-acceptex
 *
 * Other software (layered service providers of firewalls, virus scanners, VPNs) breaks AcceptEx and
 * leaves accept() whole. After a few faults in a row a listener goes over to accept(), on the same
 * event: its socket is registered then, which is taken off again from each socket that it gives.
 * https://learn.microsoft.com/windows/win32/api/winsock2/nf-winsock2-accept
 */
#include "listener.h"

#include <string.h>

/* Of faults that no client and no shortage explains. A number that passes now and then is none. */
#define FAULTS_MAX_COUNT 3

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

/* What a call says that is not there any more, or was taken over by somebody who does not know it.
 */
static bool is_broken(int code, const struct baton_cause *cause) {
    switch (cause->system_code) {
    case WSAENOTSOCK:
    case WSAEOPNOTSUPP:
    case WSAEINVAL:
    case WSAEFAULT:
    case WSAEPROVIDERFAILEDINIT:
    case WSASYSCALLFAILURE:
    case ERROR_INVALID_FUNCTION:
    case ERROR_INVALID_HANDLE:
    case ERROR_INVALID_PARAMETER:
    case ERROR_NOT_SUPPORTED:
    case ERROR_CALL_NOT_IMPLEMENTED:
        return code == BATON_SYSTEM;
    default:
        return false;
    }
}

/* ---- By accept() ---- */

/* A plain listener's socket has to be another one: who waits at the old one is reset. */
static void fall_back(struct platform_listener *listener, const struct baton_cause *cause) {
    static const char *const calls[FAULTS_MAX_COUNT + 1] = {
        "AcceptEx (accept() is used from now on)",
        "AcceptEx (1 client was lost, accept() is used from now on)",
        "AcceptEx (2 clients were lost, accept() is used from now on)",
        "AcceptEx (3 clients were lost, accept() is used from now on)",
    };
    listener->by_accept = true;
    listener->untold = true;
    listener->broken = (struct baton_cause){calls[listener->lost_count], cause->system_code};
    if (listener->is_plain) {
        closesocket(listener->socket);
        listener->socket = INVALID_SOCKET;
    }
    win32_listener_report(listener);
}

/* BATON_OK: accept() does not wait, and who comes sets the event. */
static int watch(struct platform_listener *listener, struct baton_cause *cause) {
    int code = BATON_OK;
    if (listener->socket == INVALID_SOCKET) {
        win32_local_remove(&listener->file);
        code = win32_listener_bind(listener, &listener->spec, cause);
        if (code != BATON_OK && listener->socket != INVALID_SOCKET) {
            closesocket(listener->socket);
            listener->socket = INVALID_SOCKET;
        }
    }
    if (code == BATON_OK && !listener->watched) {
        code = win32_listener_watch(listener, cause);
        listener->watched = code == BATON_OK;
    }
    return code;
}

/* Puts a client into listener->accepted, from whom the listener's registration is taken. */
static int take_by_accept(struct platform_listener *listener, struct baton_cause *cause) {
    int code = watch(listener, cause);
    if (code != BATON_OK || listener->accepted != INVALID_SOCKET) {
        return code;
    }
    u_long blocking = 0;
    listener->accepted = accept(listener->socket, NULL, NULL);
    if (listener->accepted == INVALID_SOCKET) {
        return WSAGetLastError() == WSAEWOULDBLOCK ? BATON_AGAIN : accept_failed(cause, "accept");
    }
    WSAEventSelect(listener->accepted, NULL, 0);
    ioctlsocket(listener->accepted, FIONBIO, &blocking);
    return BATON_OK;
}

/* ---- By AcceptEx ---- */

static int start_accept_ex(struct platform_listener *listener, struct baton_cause *cause) {
    DWORD received = 0;
    listener->accepted =
        win32_listener_new_socket(win32_listener_family(listener), SOCK_STREAM, listener->is_plain);
    if (listener->accepted == INVALID_SOCKET) {
        return accept_failed(cause, "WSASocketW");
    }
    if (!listener->accept_ex(listener->socket, listener->accepted, listener->addresses, 0,
                             ACCEPT_ADDRESS_BYTES, ACCEPT_ADDRESS_BYTES, &received,
                             &listener->operation) &&
        WSAGetLastError() != ERROR_IO_PENDING) {
        int code = accept_failed(cause, "AcceptEx");
        closesocket(listener->accepted);
        listener->accepted = INVALID_SOCKET;
        if (is_broken(code, cause) && ++listener->fault_count >= FAULTS_MAX_COUNT) {
            fall_back(listener, cause);
        }
        return code;
    }
    listener->armed = true;
    return BATON_OK;
}

/* BATON_OK: an AcceptEx is under way, and its end will be a packet; or the socket is watched. */
static int arm(struct platform_listener *listener, struct baton_cause *cause) {
    while (!listener->armed && !listener->by_accept && !listener->has_client) {
        uint32_t before_count = listener->fault_count;
        int code = start_accept_ex(listener, cause);
        if (code != BATON_OK && listener->fault_count == before_count) {
            return code;
        }
    }
    return listener->by_accept ? watch(listener, cause) : BATON_OK;
}

void win32_listener_accept_on(struct platform_listener *listener) {
    struct baton_cause ignored;
    if (!listener->paused && arm(listener, &ignored) != BATON_OK) {
        win32_listener_report(listener);
    }
}

int win32_listener_prepare_accepting(struct platform_listener *listener,
                                     struct baton_cause *cause) {
    GUID guid = WSAID_ACCEPTEX;
    DWORD bytes = 0;
    if (WSAIoctl(listener->socket, SIO_GET_EXTENSION_FUNCTION_POINTER, &guid, sizeof guid,
                 &listener->accept_ex, sizeof listener->accept_ex, &bytes, NULL, NULL) != 0) {
        int code = accept_failed(cause, "WSAIoctl(AcceptEx)");
        if (code == BATON_SHORTAGE) {
            return code;
        }
        fall_back(listener, cause);
    }
    listener->operation.hEvent = listener->event;
    return BATON_OK;
}

int win32_listener_start_accepting(struct platform_listener *listener, struct baton_cause *cause) {
    int code = win32_listener_prepare_accepting(listener, cause);
    return code == BATON_OK ? arm(listener, cause) : code;
}

void win32_listener_stop_accepting(struct platform_listener *listener) {
    if (listener->armed) {
        DWORD received, flags;
        CancelIoEx((HANDLE)listener->socket, &listener->operation);
        WSAGetOverlappedResult(listener->socket, &listener->operation, &received, TRUE, &flags);
        listener->armed = false;
    }
    if (listener->accepted != INVALID_SOCKET) {
        closesocket(listener->accepted);
        listener->accepted = INVALID_SOCKET;
    }
}

/* Makes it a socket that getpeername() and shutdown() work on. */
static bool update_context(const struct platform_listener *listener) {
    return setsockopt(listener->accepted, SOL_SOCKET, SO_UPDATE_ACCEPT_CONTEXT,
                      (const char *)&listener->socket, (int)sizeof listener->socket) == 0;
}

void win32_listener_stand_still(struct platform_listener *listener) {
    DWORD received, flags;
    if (!listener->armed) {
        return;
    }
    CancelIoEx((HANDLE)listener->socket, &listener->operation);
    listener->has_client =
        WSAGetOverlappedResult(listener->socket, &listener->operation, &received, TRUE, &flags) &&
        update_context(listener);
    listener->armed = false;
    if (!listener->has_client) {
        closesocket(listener->accepted);
        listener->accepted = INVALID_SOCKET;
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

/* Puts a client into listener->accepted. */
static int take_by_accept_ex(struct platform_listener *listener, struct baton_cause *cause) {
    DWORD received, flags;
    if (listener->has_client) {
        return BATON_OK;
    }
    if (!WSAGetOverlappedResult(listener->socket, &listener->operation, &received, FALSE, &flags)) {
        return WSAGetLastError() == WSA_IO_INCOMPLETE ? BATON_AGAIN
                                                      : accept_failed(cause, "AcceptEx");
    }
    return update_context(listener) ? BATON_OK
                                    : accept_failed(cause, "setsockopt(SO_UPDATE_ACCEPT_CONTEXT)");
}

/* Makes an accepted socket an ordinary one, as accept() would have given it. What the listener's
 * options are, and which of them a system hands on, is not relied on: they are set again. One that
 * cannot be set is no reason to send the client away. */
static int finish_accept(const struct platform_listener *listener, struct address *peer,
                         struct baton_cause *cause) {
    int code = name_peer(listener, listener->accepted, peer, cause);
    if (code == BATON_OK) {
        struct baton_cause ignored;
        (void)win32_listener_set_options(listener->accepted, &listener->options, listener->protocol,
                                         &ignored);
        SetHandleInformation((HANDLE)listener->accepted, HANDLE_FLAG_INHERIT, 0);
    }
    return code;
}

/* The client there is given out, or is none. What AcceptEx alone has failed at is not told until it
 * is given up: it is tried again, and its next end will be a packet. */
static int end_accept(struct platform_listener *listener, int code, struct platform_socket *out,
                      struct baton_cause *cause) {
    bool is_fault = !listener->by_accept && is_broken(code, cause);
    /* Of what failed behind AcceptEx there was a client. */
    listener->lost_count += is_fault && strcmp(cause->call, "AcceptEx") != 0;
    if (code == BATON_OK) {
        out->value = listener->accepted;
        listener->fault_count = listener->lost_count = 0;
    } else if (listener->accepted != INVALID_SOCKET) {
        closesocket(listener->accepted);
    }
    listener->accepted = INVALID_SOCKET;
    listener->armed = listener->has_client = false;
    if (is_fault) {
        if (++listener->fault_count >= FAULTS_MAX_COUNT) {
            fall_back(listener, cause);
        }
        code = arm(listener, cause);
        return code == BATON_OK ? BATON_AGAIN : code;
    }
    if (code == BATON_OK || code == BATON_GONE) {
        win32_listener_accept_on(listener); /* so that a caller who does not come back is told */
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
    int code = listener->untold ? BATON_OK : arm(listener, cause);
    if (code != BATON_OK) {
        return code;
    }
    if (listener->untold) {
        listener->untold = false;
        *cause = listener->broken;
        return BATON_SYSTEM;
    }
    code =
        listener->by_accept ? take_by_accept(listener, cause) : take_by_accept_ex(listener, cause);
    if (code == BATON_OK) {
        code = finish_accept(listener, peer, cause);
    }
    /* With a shortage the client is kept for the next call. */
    return code == BATON_AGAIN || code == BATON_SHORTAGE ? code
                                                         : end_accept(listener, code, out, cause);
}

bool platform_socket_in_groups(struct platform_socket socket, const uint32_t *gids, size_t count) {
    (void)socket;
    (void)gids;
    (void)count;
    return false;
}
