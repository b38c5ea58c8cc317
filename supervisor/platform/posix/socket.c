/*
 * Connected sockets, and addresses in the system's form.
 */
#include "platform/posix/internal.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool platform_socket_is_open(struct platform_socket socket) {
    return socket.value != UINTPTR_MAX;
}

bool platform_socket_local(struct platform_socket socket, struct address *out) {
    return posix_own_address((int)socket.value, out);
}

void platform_socket_close(struct platform *platform, struct platform_socket *socket) {
    int descriptor = platform_socket_is_open(*socket) ? (int)socket->value : -1;
    if (!posix_socket_drop_put_back(platform, descriptor)) {
        posix_let_go_connection(platform, descriptor);
    }
    *socket = PLATFORM_SOCKET_NONE;
}

void platform_socket_end(struct platform *platform, struct platform_socket *socket) {
    int descriptor = platform_socket_is_open(*socket) ? (int)socket->value : -1;
    if (descriptor >= 0 && !posix_socket_drop_put_back(platform, descriptor)) {
        posix_let_go_connection(platform, descriptor | CLOSER_ENDS);
    }
    *socket = PLATFORM_SOCKET_NONE;
}

void platform_socket_drop(struct platform_socket *socket) {
    if (platform_socket_is_open(*socket)) {
        close((int)socket->value);
    }
    *socket = PLATFORM_SOCKET_NONE;
}

bool platform_socket_was_reset(struct platform_socket socket) {
    /* After a reset poll(2) reports both; after an orderly end of sending neither, as long as our
     * own direction is open. Unlike SO_ERROR it leaves the error for the handler to see. */
    return (posix_look((int)socket.value, 0) & (POLLERR | POLLHUP)) != 0;
}

/* ---- Putting options back ---- */

/* Between platform_socket_put_back() that begins it and the one that finds it done. */
struct put_back {
    struct put_back *next;
    struct carrier_job job;
    struct socket_options options;
    bool is_done;
};

static struct put_back *put_back_of(struct carrier_job *job) {
    return (struct put_back *)(void *)((char *)job - offsetof(struct put_back, job));
}

static ssize_t put_back_work(int descriptor, uint8_t *bytes, size_t length) {
    (void)length;
    posix_options_put_back(descriptor, (const struct socket_options *)(const void *)bytes, false);
    return 0;
}

static bool put_back_done(struct platform *platform, struct carrier_job *job, const uint8_t *bytes,
                          ssize_t result, int code) {
    struct put_back *back = put_back_of(job);
    (void)bytes;
    (void)code;
    back->is_done = result == 0;
    platform->is_due[DUE_RELIEF] = true; /* if it was not done, it is begun again then */
    return true;
}

static struct put_back **find_put_back(struct platform *platform, int descriptor) {
    struct put_back **link = &platform->put_backs;
    while (*link != NULL && (*link)->job.descriptor != descriptor) {
        link = &(*link)->next;
    }
    return link;
}

static void forget_put_back(struct put_back **link) {
    struct put_back *back = *link;
    *link = back->next;
    free(back);
}

int platform_socket_put_back(struct platform *platform, struct platform_socket socket,
                             const struct socket_options *options) {
    int descriptor = (int)socket.value;
    struct put_back **link = find_put_back(platform, descriptor);
    struct put_back *back = *link;
    if (back != NULL && back->is_done) {
        forget_put_back(link);
        return BATON_OK;
    }
    if (back != NULL) {
        bool is_begun =
            back->job.state != CARRIER_JOB_NONE || posix_carriers_give(platform, &back->job);
        return is_begun ? BATON_AGAIN : BATON_SHORTAGE;
    }
    back = calloc(1, sizeof *back);
    if (back == NULL) {
        return BATON_SHORTAGE;
    }
    back->options = *options;
    back->options.defer_accept_s = 0; /* which a listener does not hand on */
    back->job = (struct carrier_job){.work = put_back_work,
                                     .done = put_back_done,
                                     .owner = options,
                                     .is_socket = true,
                                     .descriptor = descriptor,
                                     .bytes = (const uint8_t *)&back->options,
                                     .length = sizeof back->options};
    *link = back;
    return posix_carriers_give(platform, &back->job) ? BATON_AGAIN : BATON_SHORTAGE;
}

bool posix_socket_drop_put_back(struct platform *platform, int descriptor) {
    struct put_back **link = find_put_back(platform, descriptor);
    if (*link == NULL) {
        return false;
    }
    posix_carriers_drop(platform, &(*link)->job);
    forget_put_back(link);
    return true;
}

void posix_sockets_close(struct platform *platform) {
    while (platform->put_backs != NULL) {
        struct put_back **link = &platform->put_backs;
        posix_carriers_drop(platform, &(*link)->job);
        forget_put_back(link);
    }
}

/* ---- Handing over, and addresses ---- */

int platform_socket_export(struct platform_process *process, uint32_t pid,
                           struct platform_socket socket, uint8_t info[PLATFORM_SOCKET_INFO_BYTES],
                           size_t *length, struct baton_cause *cause) {
    (void)pid;
    (void)socket;
    (void)info;
    *cause = (struct baton_cause){0};
    *length = 0;
    return process->ended ? BATON_GONE : BATON_OK;
}

socklen_t posix_address_to_system(const struct address *address, struct sockaddr_storage *out) {
    memset(out, 0, sizeof *out);
    if (address->family == ADDRESS_IPV4) {
        struct sockaddr_in *ipv4 = (struct sockaddr_in *)out;
        ipv4->sin_family = AF_INET;
        ipv4->sin_port = htons(address->port);
        memcpy(&ipv4->sin_addr, address->bytes, 4);
        return sizeof *ipv4;
    }
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)out;
    ipv6->sin6_family = AF_INET6;
    ipv6->sin6_port = htons(address->port);
    ipv6->sin6_scope_id = address->scope_id;
    memcpy(&ipv6->sin6_addr, address->bytes, 16);
    return sizeof *ipv6;
}

bool posix_address_from_system(const struct sockaddr_storage *storage, struct address *out) {
    *out = (struct address){0};
    if (storage->ss_family == AF_INET) {
        const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)storage;
        out->family = ADDRESS_IPV4;
        out->port = ntohs(ipv4->sin_port);
        memcpy(out->bytes, &ipv4->sin_addr, 4);
        return true;
    }
    if (storage->ss_family == AF_INET6) {
        const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)storage;
        out->family = ADDRESS_IPV6;
        out->port = ntohs(ipv6->sin6_port);
        out->scope_id = ipv6->sin6_scope_id;
        memcpy(out->bytes, &ipv6->sin6_addr, 16);
        /* What a socket for both families calls an IPv4 client. */
        address_unmap(out);
        return true;
    }
    if (storage->ss_family == AF_UNIX) {
        out->family = ADDRESS_UNIX;
        return true;
    }
    return false;
}

bool posix_own_address(int descriptor, struct address *out) {
    struct sockaddr_storage name = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof name;
    (void)getsockname(descriptor, (struct sockaddr *)&name,
                      &length); /* else it is AF_UNSPEC still */
    return posix_address_from_system(&name, out);
}
