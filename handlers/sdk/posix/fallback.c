/*
 * Without a channel: what systemd gives (LISTEN_FDS, sd_listen_fds(3)), and what inetd, xinetd and
 * s6-tcpserver give (a socket on standard input).
 */
#include "body.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LISTEN_FDS_START = 3 };

/* What kind of socket it is; 0 if it is none that can be served. */
static int kind_of(int descriptor) {
    int type = 0, accepts = 0;
    socklen_t length = sizeof type;
    if (getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
        return 0;
    if (type == SOCK_DGRAM)
        return BATON_KIND_DATAGRAM;
    length = sizeof accepts;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &length) == 0 && accepts != 0)
        return BATON_KIND_LISTENER;
    return type == SOCK_STREAM ? BATON_KIND_CONNECTION : 0;
}

static bool is_wanted(int kind, uint32_t kinds) {
    return kind == BATON_KIND_LISTENER ? (kinds & BATON_KIND_CONNECTION) != 0
                                       : ((uint32_t)kind & kinds) != 0;
}

static void add_source(struct body_fallback *fallback, int descriptor, int kind, const char *name,
                       size_t name_length) {
    size_t at = fallback->count++;
    if (name_length >= sizeof fallback->sources[at].name)
        name_length = sizeof fallback->sources[at].name - 1;
    fallback->sources[at].socket = descriptor;
    fallback->sources[at].kind = (enum baton_kind)kind;
    if (name_length > 0)
        memcpy(fallback->sources[at].name, name, name_length);
}

/* A positive number that fills the whole text; 0 otherwise. */
static long whole_number(const char *text) {
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && value > 0 ? value : 0;
}

/* Returns 1 if LISTEN_FDS is for us, 0 if it is not there or not for us, or a fault. */
static int take_listen_fds(long *count, char *names, size_t names_size) {
    char pid[24], number[24];
    int has_pid = body_take_environment("LISTEN_PID", pid, sizeof pid);
    int has_count = body_take_environment("LISTEN_FDS", number, sizeof number);
    if (body_take_environment("LISTEN_FDNAMES", names, names_size) != 1)
        names[0] = '\0';
    if (has_pid == 0 || has_count == 0)
        return 0;
    if (has_pid < 0 || has_count < 0 || (*count = whole_number(number)) == 0)
        return BATON_E_ENVIRONMENT;
    return whole_number(pid) == (long)getpid();
}

static int open_listen_fds(struct body_fallback *fallback, uint32_t kinds) {
    char names[1024];
    long count = 0;
    int result = take_listen_fds(&count, names, sizeof names);
    if (result <= 0)
        return result;
    if (count > BODY_LISTENERS_MAX_COUNT)
        return BATON_E_ENVIRONMENT;
    const char *name = names;
    for (int i = 0; i < (int)count; i++) {
        size_t name_length = strcspn(name, ":");
        int kind = kind_of(LISTEN_FDS_START + i);
        fcntl(LISTEN_FDS_START + i, F_SETFD, FD_CLOEXEC);
        if (is_wanted(kind, kinds))
            add_source(fallback, LISTEN_FDS_START + i, kind, name, name_length);
        name += name_length + (name[name_length] == ':');
    }
    return 0;
}

/* Makes descriptors 0 to 2 that are the same socket as `socket` the null device. */
static int free_standard_streams(int socket) {
    struct stat ours, stream;
    if (fstat(socket, &ours) != 0)
        return BATON_E_SYSTEM;
    int null_device = open("/dev/null", O_RDWR | O_CLOEXEC);
    int result = null_device < 0 ? BATON_E_SYSTEM : 0;
    for (int i = 0; i <= 2 && result == 0; i++)
        if (fstat(i, &stream) == 0 && stream.st_dev == ours.st_dev &&
            stream.st_ino == ours.st_ino && dup2(null_device, i) < 0)
            result = BATON_E_SYSTEM;
    if (null_device > 2)
        close(null_device);
    return result;
}

static int open_standard_input(struct body_fallback *fallback, uint32_t kinds) {
    int kind = kind_of(STDIN_FILENO);
    if (!is_wanted(kind, kinds))
        return 0;
    int moved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (moved < 0)
        return BATON_E_SYSTEM;
    add_source(fallback, moved, kind, "", 0);
    return free_standard_streams(moved);
}

int body_fallback_open(struct body_fallback *fallback, uint32_t kinds) {
    int result = open_listen_fds(fallback, kinds);
    if (result == 0 && fallback->count == 0)
        result = open_standard_input(fallback, kinds);
    if (result == 0 && fallback->count == 0)
        result = BATON_E_NO_SOURCE;
    return result;
}

/* Errors of accept(2) that concern one client, or pass by themselves. */
static bool is_passing(int error) {
    switch (error) {
    case EINTR:
    case EAGAIN:
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
        return true;
    default:
        return false;
    }
}

static void fill(struct baton_connection *connection, baton_socket socket, enum baton_kind kind,
                 const char *name) {
    /* The others may have accepted it non-blocking; handlers rely on the opposite. */
    int flags = fcntl(socket, F_GETFL);
    if (flags >= 0 && (flags & O_NONBLOCK) != 0)
        fcntl(socket, F_SETFL, flags & ~O_NONBLOCK);
    *connection = (struct baton_connection){.socket = socket, .kind = kind};
    memcpy(connection->service, name, strlen(name) + 1);
    body_socket_addresses(connection);
}

/* Waits for a client of any listener. Returns its index, or -1. */
static int wait_for_client(const struct body_fallback *fallback) {
    struct pollfd waits[BODY_LISTENERS_MAX_COUNT];
    for (size_t i = 0; i < fallback->count; i++)
        waits[i] = (struct pollfd){.fd = fallback->sources[i].socket, .events = POLLIN};
    for (;;) {
        if (poll(waits, fallback->count, -1) < 0 && errno != EINTR)
            return -1;
        for (size_t i = 0; i < fallback->count; i++)
            if (waits[i].revents != 0)
                return (int)i;
    }
}

int body_fallback_next(struct body_fallback *fallback, struct baton_connection *connection) {
    for (size_t i = 0; i < fallback->count; i++)
        if (fallback->sources[i].kind != BATON_KIND_LISTENER) {
            fill(connection, fallback->sources[i].socket, fallback->sources[i].kind,
                 fallback->sources[i].name);
            fallback->sources[i] = fallback->sources[--fallback->count];
            return 1;
        }
    while (fallback->count > 0) {
        int index = wait_for_client(fallback);
        if (index < 0)
            return BATON_E_SYSTEM;
        int accepted = accept4(fallback->sources[index].socket, NULL, NULL, SOCK_CLOEXEC);
        if (accepted >= 0) {
            fill(connection, accepted, BATON_KIND_CONNECTION, fallback->sources[index].name);
            return 1;
        }
        if (!is_passing(errno))
            return BATON_E_SYSTEM;
    }
    return 0;
}

void body_fallback_close(struct body_fallback *fallback) {
    while (fallback->count > 0)
        body_socket_close(&fallback->sources[--fallback->count].socket);
}
