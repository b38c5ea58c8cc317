/*
 * Listening sockets: socket(7), ip(7), ipv6(7), accept(2).
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Options, bind and listen on listener->source.descriptor. */
static int bind_and_listen(struct platform_listener *listener, const struct address *address,
                           uint32_t backlog_count, struct baton_cause *cause) {
    int descriptor = listener->source.descriptor;
    const int on = 1;
    if (setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
        return failed(cause, "setsockopt", errno);
    }
    if (address->family == ADDRESS_IPV6 &&
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
        return failed(cause, "setsockopt", errno);
    }
    struct sockaddr_storage name;
    socklen_t length = address_to_system(address, &name);
    if (bind(descriptor, (struct sockaddr *)&name, length) != 0) {
        return failed(cause, "bind", errno);
    }
    if (listen(descriptor, (int)backlog_count) != 0) {
        return failed(cause, "listen", errno);
    }
    length = sizeof name;
    if (getsockname(descriptor, (struct sockaddr *)&name, &length) != 0) {
        return failed(cause, "getsockname", errno);
    }
    address_from_system(&name, &listener->bound);
    return BATON_OK;
}

int platform_listener_open(struct platform *platform, const struct address *address,
                           uint32_t backlog_count, uint64_t token, struct platform_listener **out,
                           struct baton_cause *cause) {
    *out = NULL;
    *cause = (struct baton_cause){0};
    struct platform_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL) {
        return BATON_NO_MEMORY;
    }
    listener->platform = platform;
    source_init(&listener->source, SOURCE_LISTENER, token);

    int result = BATON_OK;
    int family = address->family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
    listener->source.descriptor = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener->source.descriptor < 0) {
        result = failed(cause, "socket", errno);
    }
    if (result == BATON_OK) {
        result = bind_and_listen(listener, address, backlog_count, cause);
    }
    if (result == BATON_OK) {
        int code = source_watch(platform, &listener->source, EPOLLIN);
        result = code == 0 ? BATON_OK : failed(cause, "epoll_ctl", code);
    }
    if (result != BATON_OK) {
        platform_listener_close(&listener);
        return result;
    }
    *out = listener;
    return BATON_OK;
}

void platform_listener_address(const struct platform_listener *listener, struct address *out) {
    *out = listener->bound;
}

/* accept(2) lists what the network may have done to a connection that was still waiting. */
static int accept_failed(struct baton_cause *cause, int code) {
    int result = failed(cause, "accept4", code);
    switch (code) {
    case EAGAIN:
        return BATON_AGAIN;
    case ECONNABORTED:
    case EINTR:
    case EPERM: /* a firewall's rule */
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        return BATON_GONE;
    default:
        return result == BATON_SHORTAGE ? BATON_SHORTAGE : BATON_SYSTEM;
    }
}

int platform_listener_accept(struct platform_listener *listener, struct platform_socket *out,
                             struct address *peer, struct address *local,
                             struct baton_cause *cause) {
    *out = PLATFORM_SOCKET_NONE;
    *cause = (struct baton_cause){0};
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    /* On Linux the new socket does not take O_NONBLOCK from the listener: it blocks. */
    int descriptor =
        accept4(listener->source.descriptor, (struct sockaddr *)&name, &length, SOCK_CLOEXEC);
    if (descriptor < 0) {
        return accept_failed(cause, errno);
    }
    address_from_system(&name, peer);
    length = sizeof name;
    if (getsockname(descriptor, (struct sockaddr *)&name, &length) != 0) {
        failed(cause, "getsockname", errno);
        close(descriptor);
        return BATON_GONE;
    }
    address_from_system(&name, local);
    out->value = (uintptr_t)descriptor;
    return BATON_OK;
}

/* Neither can fail while the listener is registered, which it is from open to close: changing a
 * registration needs no memory, and a listening socket never hangs up. */
void platform_listener_pause(struct platform_listener *listener) {
    source_watch(listener->platform, &listener->source, 0);
}

void platform_listener_resume(struct platform_listener *listener) {
    source_watch(listener->platform, &listener->source, EPOLLIN);
}

void platform_listener_close(struct platform_listener **listener) {
    if (*listener != NULL) {
        source_close((*listener)->platform, &(*listener)->source);
        free(*listener);
        *listener = NULL;
    }
}
