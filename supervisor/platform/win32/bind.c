#include "listener.h"

/* For a socket that is bound. Not in a plain number: over 200 it would be cut to 200 without a
 * word, but for a negative one (SOMAXCONN_HINT). */
static int backlog_argument(uint32_t backlog_count) {
    int count = backlog_count > 65535 ? 65535 : (int)backlog_count;
    return count > 200 ? -count : count;
}

int win32_listener_failed(struct baton_cause *cause, const char *call) {
    return win32_cause_of(cause, call, (DWORD)WSAGetLastError());
}

int win32_listener_family(const struct platform_listener *listener) {
    switch (listener->address.family) {
    case ADDRESS_UNIX:
        return AF_UNIX;
    case ADDRESS_IPV6:
        return AF_INET6;
    default:
        return AF_INET;
    }
}

SOCKET win32_listener_new_socket(int family, int type, bool is_plain) {
    SOCKET made =
        WSASocketW(family, type, 0, NULL, 0,
                   (is_plain ? 0u : (DWORD)WSA_FLAG_OVERLAPPED) | WSA_FLAG_NO_HANDLE_INHERIT);
    if (made != INVALID_SOCKET) {
        /* Some layered providers do not honour the flag. */
        SetHandleInformation((HANDLE)made, HANDLE_FLAG_INHERIT, 0);
    }
    return made;
}

bool win32_listener_name_of(SOCKET socket, int(WSAAPI *ask)(SOCKET, struct sockaddr *, int *),
                            struct address *out) {
    struct sockaddr_storage name;
    int length = (int)sizeof name;
    return ask(socket, (struct sockaddr *)&name, &length) == 0 &&
           win32_address_from_system(&name, out);
}

static int set_flag(SOCKET socket, int level, int name, DWORD value, const char *call,
                    struct baton_cause *cause) {
    return setsockopt(socket, level, name, (const char *)&value, (int)sizeof value) == 0
               ? BATON_OK
               : win32_listener_failed(cause, call);
}

/* When an answer could not be delivered, Windows lets the socket's next receive fail with 10054
 * because somebody's port was closed. A program that was not written for that takes it for the end.
 * https://learn.microsoft.com/windows/win32/winsock/winsock-ioctls (SIO_UDP_CONNRESET) */
static int ignore_unreachable(SOCKET socket, struct baton_cause *cause) {
    BOOL no = FALSE;
    DWORD bytes;
    return WSAIoctl(socket, SIO_UDP_CONNRESET, &no, sizeof no, NULL, 0, &bytes, NULL, NULL) == 0
               ? BATON_OK
               : win32_listener_failed(cause, "WSAIoctl(SIO_UDP_CONNRESET)");
}

static int bind_to_address(struct platform_listener *listener,
                           const struct platform_listener_spec *spec, struct baton_cause *cause) {
    struct sockaddr_storage name;
    socklen_t length = win32_address_to_system(&spec->address, &name);
    int code = set_flag(listener->socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1,
                        "setsockopt(SO_EXCLUSIVEADDRUSE)", cause);
    if (code == BATON_OK && spec->address.family == ADDRESS_IPV6) {
        code = set_flag(listener->socket, IPPROTO_IPV6, IPV6_V6ONLY, spec->v6only,
                        "setsockopt(IPV6_V6ONLY)", cause);
    }
    if (code == BATON_OK && spec->protocol == PLATFORM_UDP) {
        code = ignore_unreachable(listener->socket, cause);
    }
    if (code == BATON_OK && bind(listener->socket, (struct sockaddr *)&name, length) != 0) {
        code = win32_listener_failed(cause, "bind");
    }
    if (code == BATON_OK &&
        !win32_listener_name_of(listener->socket, getsockname, &listener->address)) {
        code = win32_listener_failed(cause, "getsockname");
    }
    return code;
}

/* Before listen(): the window that a client is told depends on the buffers. The rest is for those
 * who accept from it themselves and get what the listener has; ours are set one by one (accept.c).
 */
static int set_options(SOCKET socket, const struct platform_listener_spec *spec,
                       struct baton_cause *cause) {
    struct socket_options options = {.receive_buffer_bytes = spec->options.receive_buffer_bytes,
                                     .send_buffer_bytes = spec->options.send_buffer_bytes};
    if (spec->is_handed_over) {
        options = spec->options;
    }
    return win32_listener_set_options(socket, &options, spec->protocol, cause);
}

int win32_listener_bind(struct platform_listener *listener,
                        const struct platform_listener_spec *spec, struct baton_cause *cause) {
    bool is_unix = spec->protocol == PLATFORM_UNIX;
    listener->address = is_unix ? (struct address){.family = ADDRESS_UNIX} : spec->address;
    /* What accept() gives has the listener's attribute; AcceptEx needs an overlapped listener. */
    listener->socket = win32_listener_new_socket(
        win32_listener_family(listener), spec->protocol == PLATFORM_UDP ? SOCK_DGRAM : SOCK_STREAM,
        listener->by_accept && listener->is_plain);
    if (listener->socket == INVALID_SOCKET) {
        return win32_listener_failed(cause, "WSASocketW");
    }
    int code = set_options(listener->socket, spec, cause);
    if (code == BATON_OK) {
        code = is_unix ? win32_local_bind(listener->socket, spec->path, &listener->file, cause)
                       : bind_to_address(listener, spec, cause);
    }
    if (code == BATON_OK && spec->protocol != PLATFORM_UDP &&
        listen(listener->socket, backlog_argument(spec->backlog_count)) != 0) {
        code = win32_listener_failed(cause, "listen");
    }
    return code;
}
