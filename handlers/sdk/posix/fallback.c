/*
 * Without a channel: what systemd and batond's listener mode give (LISTEN_FDS, sd_listen_fds(3)),
 * and what inetd, xinetd, tcpserver and batond's stdio mode give (a socket on standard input).
 */
#include "body.h"

#include <fcntl.h>
#include <stdio.h>
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

static void add(struct body_sources *sources, int descriptor, int kind, const char *name) {
    if (kind == BATON_KIND_CONNECTION)
        body_make_blocking(descriptor);
    sources_add(sources, descriptor, (enum baton_kind)kind, name);
}

static bool is_wanted(int kind, uint32_t kinds) {
    return ((uint32_t)kind & kinds) != 0 ||
           (kind == BATON_KIND_LISTENER && (kinds & BATON_KIND_CONNECTION) != 0);
}

/* Returns 1 if LISTEN_FDS is for us, 0 if it is not there or not for us, or a fault. */
static int take_listen_fds(int *count, char *names, size_t names_size) {
    char pid[24], number[24];
    uint64_t process = 0, value = 0;
    int has_pid = body_take_environment("LISTEN_PID", pid, sizeof pid);
    int has_count = body_take_environment("LISTEN_FDS", number, sizeof number);
    if (body_take_environment("LISTEN_FDNAMES", names, names_size) != 1)
        names[0] = '\0';
    if (has_pid == 0 || has_count == 0)
        return 0;
    if (has_pid < 0 || !body_number_parse(pid, INT32_MAX, &process) || process == 0)
        return body_wrong_environment("LISTEN_PID");
    if ((pid_t)process != getpid())
        return 0;
    if (has_count < 0 || !body_number_parse(number, BODY_SOURCES_MAX_COUNT, &value) || value == 0)
        return body_wrong_environment("LISTEN_FDS");
    *count = (int)value;
    return 1;
}

/* What was passed is open, and not closed by execve(2): otherwise it is something that this program
 * has opened since. */
static bool was_passed(int descriptor) {
    int flags = fcntl(descriptor, F_GETFD);
    return flags >= 0 && (flags & FD_CLOEXEC) == 0;
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

static int open_listen_fds(struct body_sources *sources, uint32_t kinds) {
    char names[4096];
    int count = 0, result = take_listen_fds(&count, names, sizeof names);
    if (result <= 0)
        return result;
    for (int i = 0; i < count; i++)
        if (!was_passed(LISTEN_FDS_START + i))
            return body_wrong_environment("LISTEN_FDS");
    const char *at = names;
    for (int i = 0; i < count; i++) {
        char name[BATON_SERVICE_BYTES];
        int descriptor = LISTEN_FDS_START + i;
        size_t length = strcspn(at, ":");
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        at += length + (at[length] == ':');
        int kind = kind_of(descriptor);
        fcntl(descriptor, F_SETFD, FD_CLOEXEC);
        if (!is_wanted(kind, kinds))
            continue;
        add(sources, descriptor, kind, name);
        /* batond gives the one where somebody waits as standard input too. */
        if ((result = free_standard_streams(descriptor)) < 0)
            return result;
    }
    return 0;
}

static int open_standard_input(struct body_sources *sources, uint32_t kinds) {
    int kind = kind_of(STDIN_FILENO);
    if (!is_wanted(kind, kinds))
        return 0;
    int moved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    if (moved < 0)
        return BATON_E_SYSTEM;
    add(sources, moved, kind, "");
    return free_standard_streams(moved);
}

int body_fallback_open(struct body_sources *sources, uint32_t kinds) {
    int result = open_listen_fds(sources, kinds);
    if (result >= 0 && sources_is_empty(sources))
        result = open_standard_input(sources, kinds);
    if (result >= 0 && sources_is_empty(sources))
        result = BATON_E_NO_SOURCE;
    return result < 0 ? result : 0;
}
