/*
 * Listening sockets: socket(7), ip(7), ipv6(7), tcp(7), udp(7). What is peculiar to local sockets
 * is in local.c, and accept.c takes clients.
 */
#include "platform/posix/held.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static int bind_address(int descriptor, const struct platform_listener_spec *spec,
                        struct baton_cause *cause) {
    /* SO_REUSEADDR of a UDP socket would let others take its datagrams (socket(7)). */
    int result =
        posix_options_set(descriptor, &spec->options, spec->protocol == PLATFORM_TCP, cause);
    if (result != BATON_OK) {
        return result;
    }
    if (spec->address.family == ADDRESS_IPV6 &&
        posix_set_option(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, spec->v6only) != 0) {
        return posix_failed(cause, "setsockopt");
    }
    struct sockaddr_storage name;
    socklen_t length = posix_address_to_system(&spec->address, &name);
    if (bind(descriptor, (struct sockaddr *)&name, length) != 0) {
        return posix_failed(cause, "bind");
    }
    return BATON_OK;
}

static int make_socket(struct platform_listener *listener,
                       const struct platform_listener_spec *spec, struct baton_cause *cause) {
    if (posix_passed_take(listener, spec)) {
        return BATON_OK;
    }
    int family = AF_UNIX;
    if (spec->protocol != PLATFORM_UNIX) {
        family = spec->address.family == ADDRESS_IPV4 ? AF_INET : AF_INET6;
    }
    int type = spec->protocol == PLATFORM_UDP ? SOCK_DGRAM : SOCK_STREAM;
    /* One that is handed over is never asked by us, and its handlers may expect it to block. */
    int flags = SOCK_CLOEXEC | (listener->is_handed_over ? 0 : SOCK_NONBLOCK);
    int descriptor = socket(family, type | flags, 0);
    listener->watch.descriptor = descriptor;
    return descriptor < 0 ? posix_failed(cause, "socket") : BATON_OK;
}

/* Binds, listens and watches. */
static int open_socket(struct platform_listener *listener,
                       const struct platform_listener_spec *spec, struct baton_cause *cause) {
    int descriptor = listener->watch.descriptor;
    bool is_passed = listener->passed != NULL;
    int result = is_passed                         ? posix_options_set(descriptor, &spec->options,
                                                                       spec->protocol == PLATFORM_TCP, cause)
                 : spec->protocol == PLATFORM_UNIX ? posix_local_listen(listener, spec, cause)
                                                   : bind_address(descriptor, spec, cause);
    if (result != BATON_OK) {
        return result;
    }
    if (is_passed && listener->passed->is_kept && spec->protocol == PLATFORM_UNIX) {
        result = posix_local_renew(listener, spec, cause);
    }
    bool is_to_listen =
        spec->protocol == PLATFORM_TCP || (is_passed && spec->protocol == PLATFORM_UNIX);
    if (result == BATON_OK && is_to_listen && listen(descriptor, (int)spec->backlog_count) != 0) {
        return posix_failed(cause, "listen");
    }
    if (result != BATON_OK) {
        return result;
    }
    return posix_own_address(descriptor, &listener->bound)
               ? posix_watch_begin(listener->platform, &listener->watch, EPOLLIN, cause)
               : posix_failed(cause, "getsockname");
}

struct platform_listener *posix_listener_create(struct platform *platform,
                                                const struct platform_listener_spec *spec,
                                                uint64_t token) {
    struct platform_listener *listener = calloc(1, sizeof *listener);
    if (listener != NULL) {
        listener->platform = platform;
        listener->protocol = spec->protocol;
        listener->is_handed_over = spec->is_handed_over || spec->protocol == PLATFORM_UDP;
        listener->is_shared = spec->is_shared;
        listener->backlog_count = spec->backlog_count;
        listener->options = spec->options;
        posix_watch_init(&listener->watch, POSIX_WATCH_LISTENER, token);
    }
    return listener;
}

int platform_listener_open(struct platform *platform, const struct platform_listener_spec *spec,
                           uint64_t token, struct platform_listener **out,
                           struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    struct platform_listener *listener = *out = posix_listener_create(platform, spec, token);
    if (listener == NULL) {
        return BATON_NO_MEMORY;
    }
    int result = make_socket(listener, spec, cause);
    if (result == BATON_OK) {
        posix_own(platform, listener->watch.descriptor, 0);
        result = open_socket(listener, spec, cause);
    }
    if (result != BATON_OK) {
        platform_listener_close(out);
    }
    return result;
}

struct platform_socket platform_listener_socket(struct platform_listener *listener) {
    listener->was_lent = true;
    return (struct platform_socket){(uintptr_t)listener->watch.descriptor};
}

void platform_listener_address(const struct platform_listener *listener, struct address *out) {
    *out = listener->bound;
}

/* Cannot fail while the listener is registered: changing a registration needs no memory. So it
 * stays registered for nothing while it is paused, of which those who share the socket notice
 * nothing. (It is given up when a handler shuts the socket of all down, which cannot be masked.) */
void platform_listener_pause(struct platform_listener *listener) {
    posix_watch_set(listener->platform, &listener->watch, 0);
    listener->resumes = false;
    posix_due_forget(listener->platform, &listener->lost);
    if (listener->is_handed_over) {
        posix_listener_make_blocking(listener);
    }
}

/* O_NONBLOCK belongs to the open file (fcntl(2)), and event loops set it on what they get; one that
 * has it still would be stopped by its next accept(2). O_ASYNC is left as it is: to change it takes
 * the socket's lock, which somebody may have. */
void posix_listener_make_blocking(const struct platform_listener *listener) {
    if (listener->is_shared) {
        return; /* it was opened so */
    }
    int flags = fcntl(listener->watch.descriptor, F_GETFL);
    if ((flags & O_NONBLOCK) != 0) {
        fcntl(listener->watch.descriptor, F_SETFL, flags & ~O_NONBLOCK);
    }
}

static bool is_where_it_was(const struct platform_listener *listener) {
    struct address now;
    return posix_own_address(listener->watch.descriptor, &now) &&
           address_equal(&now, &listener->bound);
}

/* Servers that end may call shutdown(2) on what they listened on, which ends it for all who share
 * it, and then it can be connected or listen elsewhere. To listen again would not do: what was shut
 * down twice hands that on to all whom it accepts. The backlog holds for all who share it, and
 * listen(2) sets it anew. */
static bool listens_as_before(const struct platform_listener *listener) {
    int descriptor = listener->watch.descriptor;
    return posix_get_option(descriptor, SO_ACCEPTCONN) != 0 &&
           (listener->is_shared || listen(descriptor, (int)listener->backlog_count) == 0);
}

/* A server for one client may have connected the socket, which holds for all who share it: nobody
 * else would get through any more. AF_UNSPEC undoes that (connect(2)), and with it what was not
 * asked for at bind(2): a port that the system chose is to be had again only while it is free. */
static void disconnect_peer(const struct platform_listener *listener) {
    int descriptor = listener->watch.descriptor;
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (getpeername(descriptor, (struct sockaddr *)&name, &length) != 0) {
        return;
    }
    (void)connect(descriptor, &nobody, sizeof nobody);
    if (!is_where_it_was(listener)) {
        length = posix_address_to_system(&listener->bound, &name);
        (void)bind(descriptor, (struct sockaddr *)&name, length);
    }
}

/* Reading alone is enough: it would be reported for ever. */
static bool is_shut_down(int descriptor) {
    return (posix_look(descriptor, POLLRDHUP) & (POLLRDHUP | POLLHUP)) != 0;
}

/* What handlers may have done to a socket that is theirs as much as ours. What one has set that has
 * ended, those have set as well who have it still: it is as they want it. */
static bool make_good(const struct platform_listener *listener) {
    if (!listener->is_shared) {
        posix_options_put_back(listener->watch.descriptor, &listener->options,
                               listener->protocol == PLATFORM_UDP);
    }
    if (listener->protocol == PLATFORM_UDP) {
        disconnect_peer(listener);
    } else if (!listens_as_before(listener)) {
        return false;
    }
    if (listener->protocol == PLATFORM_UNIX) {
        return !is_shut_down(listener->watch.descriptor) && posix_local_has_file(listener);
    }
    return is_where_it_was(listener) &&
           (listener->protocol == PLATFORM_TCP || !is_shut_down(listener->watch.descriptor));
}

/* In a carrier: a handler that is left may be using it. `bytes` are a copy of the listener. */
static ssize_t make_good_work(int descriptor, uint8_t *bytes, size_t length) {
    struct platform_listener *listener = (struct platform_listener *)(void *)bytes;
    (void)length;
    listener->watch.descriptor = descriptor;
    return make_good(listener) ? 1 : 0;
}

static void begin_to_make_good(struct platform_listener *listener);

void posix_listener_lose(struct platform_listener *listener) {
    posix_due_add(listener->platform, &listener->lost, &listener->watch);
}

static bool made_good(struct platform *platform, struct carrier_job *job, const uint8_t *bytes,
                      ssize_t result, int code) {
    size_t offset = offsetof(struct platform_listener, job);
    struct platform_listener *listener = (struct platform_listener *)(void *)((char *)job - offset);
    (void)bytes;
    (void)code;
    (void)platform;
    listener->was_lent = listener->was_lent || result != 1;
    if ((listener->resumes || listener->is_checked) && (listener->was_asked_again || result < 0)) {
        begin_to_make_good(listener);
    } else if (listener->is_checked) {
        listener->is_checked = false;
        if (result == 0) {
            posix_listener_lose(listener);
        }
    } else if (listener->resumes &&
               (result == 0 || posix_watch_set(platform, &listener->watch, EPOLLIN) != 0)) {
        posix_listener_lose(listener);
    }
    return true;
}

static void begin_to_make_good(struct platform_listener *listener) {
    listener->was_asked_again = false;
    listener->was_lent = false;
    listener->job = (struct carrier_job){.work = make_good_work,
                                         .done = made_good,
                                         .owner = listener,
                                         .is_socket = true,
                                         .descriptor = listener->watch.descriptor,
                                         .bytes = (const uint8_t *)listener,
                                         .length = sizeof *listener};
    if (posix_carriers_give(listener->platform, &listener->job)) {
        return;
    }
    if (listener->is_checked) {
        listener->is_checked =
            false; /* others have it, and the next of them that ends asks again */
    } else {
        posix_listener_lose(listener); /* to make it anew is another try */
    }
}

static void make_good_soon(struct platform_listener *listener) {
    if (listener->job.state == CARRIER_JOB_NONE) {
        begin_to_make_good(listener);
    } else {
        listener->was_asked_again = true; /* what is under way may have seen what was before */
    }
}

/* Who was not lent since is as it was, and needs no carrier: it would come too late for a turn that
 * others take at once. */
void platform_listener_resume(struct platform_listener *listener) {
    bool is_as_it_was = !listener->was_lent && listener->watch.registered &&
                        listener->job.state == CARRIER_JOB_NONE;
    if (!listener->is_handed_over || is_as_it_was) {
        posix_watch_set(listener->platform, &listener->watch, EPOLLIN);
        return;
    }
    listener->resumes = true;
    make_good_soon(listener);
}

void platform_listener_check(struct platform_listener *listener) {
    listener->is_checked = true;
    make_good_soon(listener);
}

/* Nobody has had it, or who has it knows it as one that is handed over. Its options and its backlog
 * are made good when it is resumed, if it was lent. */
int platform_listener_change(struct platform_listener *listener,
                             const struct platform_listener_spec *spec, struct baton_cause *cause) {
    int descriptor = listener->watch.descriptor;
    bool was_handed_over = listener->is_handed_over;
    *cause = (struct baton_cause){0};
    if (spec->protocol != listener->protocol ||
        (was_handed_over && !spec->is_handed_over && spec->protocol != PLATFORM_UDP)) {
        return BATON_UNSUPPORTED;
    }
    if (!was_handed_over && spec->is_handed_over && spec->protocol != PLATFORM_UDP) {
        posix_passed_lend(listener);
    }
    listener->is_handed_over = spec->is_handed_over || spec->protocol == PLATFORM_UDP;
    listener->is_shared = spec->is_shared;
    listener->backlog_count = spec->backlog_count;
    listener->options = spec->options;
    listener->was_lent = was_handed_over;
    if (was_handed_over) {
        posix_listener_make_blocking(listener);
    } else {
        posix_options_put_back(descriptor, &spec->options, false);
        fcntl(descriptor, F_SETFL, listener->is_handed_over ? 0 : O_NONBLOCK);
        if (listen(descriptor, (int)spec->backlog_count) != 0) {
            return posix_failed(cause, "listen");
        }
    }
    return spec->protocol == PLATFORM_UNIX ? posix_local_change(listener, spec, cause) : BATON_OK;
}

/* A handler that had it may have made a connection of it, and let that linger; and who waits at a
 * local one may have sent what takes long to close. A UDP socket waits for nobody, and its port
 * shall be free at once. */
void platform_listener_close(struct platform_listener **listener) {
    struct platform_listener *closing = *listener;
    if (closing == NULL) {
        return;
    }
    posix_local_remove(closing);
    posix_passed_give(closing);
    posix_watch_forget(closing->platform, &closing->watch);
    posix_due_forget(closing->platform, &closing->lost);
    if (closing->job.state != CARRIER_JOB_NONE) {
        posix_carriers_drop(closing->platform, &closing->job);
    } else if (closing->is_handed_over && closing->protocol != PLATFORM_UDP) {
        posix_let_go(closing->platform, closing->watch.descriptor);
    } else {
        posix_close_any(closing->watch.descriptor);
    }
    free(closing);
    *listener = NULL;
}
