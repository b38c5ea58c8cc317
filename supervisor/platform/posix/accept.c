/*
 * Accepting: accept(2), SO_PEERCRED (unix(7)), SO_PEERGROUPS (socket(7)).
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59 /* asm-generic/socket.h, Linux 4.13 */
#endif

/* Most users are in no more groups than these; NGROUPS_MAX is 65536 (credentials(7)). */
#define USUAL_GROUP_COUNT 64

/* accept(2) lists what the network may have done to a connection that was still waiting. What it
 * calls a firewall's rule (EPERM) is not among it: a sandbox says the same, and takes nobody from
 * the backlog, so that trying again at once would go on for ever. */
static int accept_failed(struct platform *platform, struct baton_cause *cause) {
    (void)posix_failed(cause, "accept4");
    switch (cause->system_code) {
    case EAGAIN:
        return BATON_AGAIN;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return posix_short(platform);
    case ECONNABORTED:
    case EINTR:
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
        return BATON_SYSTEM;
    }
}

/* A client whose pid namespace ours does not contain has the pid 0, and its user id all the same
 * (unix(7)). */
static bool ask_for_peer(int descriptor, struct ucred *who) {
    socklen_t length = sizeof *who;
    return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, who, &length) == 0 &&
           who->uid != (uid_t)-1;
}

/* Unlike those of TCP, local sockets take nothing from their listener. */
static int finish_local(const struct platform_listener *listener, int descriptor,
                        struct address *peer, struct baton_cause *cause) {
    struct ucred who;
    *peer = (struct address){.family = ADDRESS_UNIX};
    if (ask_for_peer(descriptor, &who)) {
        peer->has_uid = true;
        peer->uid = who.uid;
        peer->pid = (uint32_t)who.pid;
    }
    return posix_options_set(descriptor, &listener->options, false, cause);
}

int platform_listener_accept(struct platform_listener *listener, struct platform_socket *out,
                             struct address *peer, struct baton_cause *cause) {
    *out = PLATFORM_SOCKET_NONE;
    *cause = (struct baton_cause){0};
    if (listener->is_handed_over) {
        return BATON_INVALID; /* it might block */
    }
    if (!reserve_fill(&listener->platform->reserve, listener->platform->epoll)) {
        return posix_failed(cause, "accept4");
    }
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    /* On Linux the new socket does not take O_NONBLOCK from the listener: it blocks. */
    int descriptor =
        accept4(listener->watch.descriptor, (struct sockaddr *)&name, &length, SOCK_CLOEXEC);
    if (descriptor < 0) {
        return accept_failed(listener->platform, cause);
    }
    if (listener->protocol != PLATFORM_UNIX) {
        posix_address_from_system(&name, peer);
    } else if (finish_local(listener, descriptor, peer, cause) != BATON_OK) {
        close(descriptor);
        return BATON_GONE;
    }
    posix_own(listener->platform, descriptor, (uint16_t)(token_index(listener->watch.token) + 1));
    out->value = (uintptr_t)descriptor;
    return BATON_OK;
}

static bool is_among(gid_t group, const uint32_t *gids, size_t count) {
    while (count > 0 && gids[count - 1] != group) {
        count--;
    }
    return count > 0;
}

bool platform_socket_in_groups(struct platform_socket socket, const uint32_t *gids, size_t count) {
    struct ucred who;
    gid_t usual[USUAL_GROUP_COUNT];
    gid_t *groups = usual;
    socklen_t length = sizeof usual;
    int descriptor = (int)socket.value;
    bool is_in = ask_for_peer(descriptor, &who) && is_among(who.gid, gids, count);
    int result;
    while ((result = getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, groups, &length)) != 0 &&
           errno == ERANGE && groups == usual && (groups = malloc(length)) != NULL) {
    }
    for (size_t i = 0; result == 0 && i < length / sizeof *groups; i++) {
        is_in = is_in || is_among(groups[i], gids, count);
    }
    if (groups != usual) {
        free(groups);
    }
    return is_in;
}
