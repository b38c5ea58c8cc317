/* The part of the independent handler that is for POSIX systems. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC, NSIG, O_ASYNC */
#endif

#include "independent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "independent_name.h"

enum { DESCRIPTORS_MAX = 16, COPY_LIMIT_MS = 2000, COPY_WAIT_MS = 50 };

static int channel = -1;

/* --- The process -------------------------------------------------------------------------------
 */

bool os_take_variable(const char *name, char *value, size_t size) {
    const char *found = getenv(name);
    if (found == NULL)
        return false;
    value[0] = '\0';
    if (strlen(found) < size)
        memcpy(value, found, strlen(found) + 1);
    unsetenv(name);
    return true;
}

uint32_t os_process_id(void) {
    return (uint32_t)getpid();
}

uint64_t os_wall_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

uint64_t os_steady_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A number above 2 that is neither the channel nor the folder that is being read. */
static bool is_foreign(const char *name, int folder) {
    char *end;
    const long number = strtol(name, &end, 10);
    return end != name && *end == '\0' && number > 2 && number != channel && number != folder;
}

static void check_descriptors(struct tap *tap) {
    static const char *const text = "no descriptor but the standard streams and the channel";
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL) {
        tap_skip(tap, text, "there is no /proc/self/fd");
        return;
    }
    bool clean = true;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        if (is_foreign(entry->d_name, dirfd(folder))) {
            clean = false;
            tap_note(tap, "descriptor %s is open", entry->d_name);
        }
    }
    closedir(folder);
    tap_check(tap, clean, text);
}

static void check_signals(struct tap *tap) {
    sigset_t blocked;
    bool none_blocked = sigprocmask(SIG_SETMASK, NULL, &blocked) == 0;
    bool none_ignored = true;
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigismember(&blocked, number) == 1) {
            none_blocked = false;
            tap_note(tap, "signal %d is blocked", number);
        }
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
            none_ignored = false;
            tap_note(tap, "signal %d is ignored", number);
        }
    }
    tap_check(tap, none_blocked, "no signal is blocked");
    tap_check(tap, none_ignored, "no signal is ignored");
}

static void check_channel(struct tap *tap) {
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof name;
    int type = -1;
    socklen_t type_size = sizeof type;
    const bool named = getsockname(channel, (struct sockaddr *)&name, &size) == 0;
    const bool typed = getsockopt(channel, SOL_SOCKET, SO_TYPE, &type, &type_size) == 0;
    tap_check(tap, named && name.ss_family == AF_UNIX, "the channel is of AF_UNIX");
    tap_check(tap, typed && type == SOCK_SEQPACKET, "the channel is of SOCK_SEQPACKET");
    const int status = fcntl(channel, F_GETFL);
    tap_check(tap, status >= 0 && (status & O_NONBLOCK) == 0, "the channel is blocking");
    const int flags = fcntl(channel, F_GETFD);
    tap_check(tap, flags >= 0 && (flags & FD_CLOEXEC) == 0, "the channel was inheritable");
}

void os_check_start(struct tap *tap) {
    check_descriptors(tap);
    check_signals(tap);
    tap_check(tap, getpgrp() == getpid(), "the process leads a process group of its own");
    tap_skip(tap, "the process is in a job of its own", "only Windows has jobs");
    tap_skip(tap, "there is no console window", "only Windows has them");
    check_channel(tap);
}

static bool is_null_device(int descriptor) {
    struct stat given;
    struct stat null;
    return fstat(descriptor, &given) == 0 && stat("/dev/null", &null) == 0 &&
           S_ISCHR(given.st_mode) && given.st_rdev == null.st_rdev;
}

static bool write_line(int descriptor, const char *line) {
    const size_t size = strlen(line);
    return write(descriptor, line, size) == (ssize_t)size;
}

void os_check_streams(struct tap *tap) {
    char byte;
    tap_check(tap, is_null_device(STDIN_FILENO), "standard input is the null device");
    tap_check(tap, is_null_device(STDIN_FILENO) && read(STDIN_FILENO, &byte, 1) == 0,
              "standard input is at its end");
    tap_check(tap,
              !is_null_device(STDOUT_FILENO) && !isatty(STDOUT_FILENO) &&
                  write_line(STDOUT_FILENO, "independent: a line to standard output\n"),
              "standard output takes a line, and is neither the null device nor a terminal");
    tap_check(tap,
              !is_null_device(STDERR_FILENO) && !isatty(STDERR_FILENO) &&
                  write_line(STDERR_FILENO, "independent: a line to standard error\n"),
              "standard error takes a line, and is neither the null device nor a terminal");
}

/* --- The channel -------------------------------------------------------------------------------
 */

bool os_channel_set(uint32_t in, uint32_t out) {
    if (in != out || in > INT32_MAX)
        return false;
    channel = (int)in;
    return true;
}

bool os_start(void) {
    signal(SIGPIPE, SIG_IGN);
    return fcntl(channel, F_SETFD, FD_CLOEXEC) == 0;
}

enum early os_channel_early(void) {
    uint8_t header[16];
    ssize_t got = recv(channel, header, sizeof header, MSG_PEEK | MSG_DONTWAIT);
    if (got < 0)
        return errno == EAGAIN ? EARLY_NOTHING : EARLY_WRONG;
    return got == sizeof header && header[5] == 0x11 ? EARLY_OFFER : EARLY_WRONG;
}

void os_channel_close(void) {
    close(channel);
}

bool os_frame_write(const uint8_t *bytes, size_t size) {
    ssize_t sent;
    do
        sent = send(channel, bytes, size, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size;
}

/* Receives a packet. ECONNRESET comes once, before what the supervisor had still written. */
static ssize_t receive_packet(struct msghdr *message) {
    const socklen_t room = (socklen_t)message->msg_controllen;
    bool again = true;
    for (;;) {
        message->msg_controllen = room;
        const ssize_t got = recvmsg(channel, message, MSG_CMSG_CLOEXEC);
        if (got >= 0)
            return got;
        if (errno == ECONNRESET && again)
            again = false;
        else if (errno != EINTR)
            return -1;
    }
}

/* Collects the descriptors that came; strange is set if there was control data of another kind. */
static size_t take_descriptors(struct msghdr *message, int *descriptors, bool *strange) {
    size_t count = 0;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL;
         part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) {
            *strange = true;
            continue;
        }
        const size_t more = ((size_t)part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < more && count < DESCRIPTORS_MAX; i++)
            memcpy(&descriptors[count++], CMSG_DATA(part) + i * sizeof(int), sizeof(int));
    }
    return count;
}

enum read_result os_frame_read(struct frame *frame) {
    union {
        struct cmsghdr align;
        uint8_t bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
    } control;
    int descriptors[DESCRIPTORS_MAX];
    bool strange = false;
    size_t body = 0;
    struct iovec part = {frame->bytes, sizeof frame->bytes};
    struct msghdr message;
    memset(&message, 0, sizeof message);
    memset(&control, 0, sizeof control);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    frame->descriptor = -1;
    const ssize_t got = receive_packet(&message);
    if (got < 0)
        return READ_BREACH;
    const size_t count = take_descriptors(&message, descriptors, &strange);
    if (got == 0 && count == 0)
        return READ_END;
    frame->size = (size_t)got;
    const bool cut = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    if (cut || strange || frame->size < HEADER_SIZE || !header_valid(frame->bytes, &body) ||
        frame->size != HEADER_SIZE + body || count != (frame->bytes[5] == TYPE_OFFER ? 1 : 0)) {
        for (size_t i = 0; i < count; i++)
            close(descriptors[i]);
        return READ_BREACH;
    }
    if (count == 1)
        frame->descriptor = descriptors[0];
    return READ_FRAME;
}

/* --- The socket --------------------------------------------------------------------------------
 */

bool os_socket_take(const struct offer *offer, os_socket *built) {
    if (offer->protocol_info != NULL) {
        close(offer->descriptor);
        return false;
    }
    *built = (os_socket)offer->descriptor;
    return true;
}

bool os_socket_name(os_socket sock, bool peer, struct address *name) {
    struct sockaddr_storage given;
    socklen_t size = sizeof given;
    memset(&given, 0, sizeof given);
    name->size = 0;
    const int result = peer ? getpeername((int)sock, (struct sockaddr *)&given, &size)
                            : getsockname((int)sock, (struct sockaddr *)&given, &size);
    if (result != 0)
        return false;
    write_name(&given, name);
    return true;
}

void os_socket_limit(os_socket sock, unsigned receive_ms) {
    const struct timeval limit = {receive_ms / 1000, (suseconds_t)(receive_ms % 1000) * 1000};
    setsockopt((int)sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

long os_socket_receive(os_socket sock, uint8_t *bytes, size_t size) {
    ssize_t got;
    do
        got = recv((int)sock, bytes, size, 0);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        return (long)got;
    return errno == EAGAIN || errno == EWOULDBLOCK ? RECEIVE_NOTHING : RECEIVE_ERROR;
}

bool os_socket_send(os_socket sock, const uint8_t *bytes, size_t size) {
    while (size > 0) {
        const ssize_t sent = send((int)sock, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool os_socket_shutdown(os_socket sock) {
    return shutdown((int)sock, SHUT_WR) == 0;
}

void os_socket_close(os_socket sock) {
    close((int)sock);
}

static int socket_option(os_socket sock, int option) {
    int value = -1;
    socklen_t size = sizeof value;
    return getsockopt((int)sock, SOL_SOCKET, option, &value, &size) == 0 ? value : -1;
}

static bool has_no_limit(os_socket sock, int option) {
    struct timeval limit = {1, 1};
    socklen_t size = sizeof limit;
    return getsockopt((int)sock, SOL_SOCKET, option, &limit, &size) == 0 && limit.tv_sec == 0 &&
           limit.tv_usec == 0;
}

void os_check_socket(struct tap *tap, os_socket sock) {
    const int status = fcntl((int)sock, F_GETFL);
    const int flags = fcntl((int)sock, F_GETFD);
    tap_check(tap, socket_option(sock, SO_TYPE) == SOCK_STREAM, "the socket is a stream");
    tap_check(tap, socket_option(sock, SO_ACCEPTCONN) == 0, "the socket does not listen");
    tap_check(tap, socket_option(sock, SO_ERROR) == 0, "the socket has no pending error");
    tap_check(tap, status >= 0 && (status & O_NONBLOCK) == 0, "O_NONBLOCK is off");
    tap_check(tap, has_no_limit(sock, SO_RCVTIMEO) && has_no_limit(sock, SO_SNDTIMEO),
              "the socket has no time limits");
    tap_check(tap, flags >= 0 && (flags & FD_CLOEXEC) != 0, "the socket is not inheritable");
    tap_check(tap, status >= 0 && (status & O_ASYNC) == 0, "no signal is registered (O_ASYNC)");
}

/* True if the process holds what the link of a descriptor says; unreadable is set if it hides it.
 */
static bool process_holds(const char *process, const char *wanted, bool *unreadable) {
    char path[300];
    char link[64];
    bool found = false;
    snprintf(path, sizeof path, "/proc/%s/fd", process);
    DIR *folder = opendir(path);
    *unreadable = folder == NULL;
    if (folder == NULL)
        return false;
    const struct dirent *entry;
    while (!found && (entry = readdir(folder)) != NULL) {
        const ssize_t size = readlinkat(dirfd(folder), entry->d_name, link, sizeof link - 1);
        if (size > 0) {
            link[size] = '\0';
            found = strcmp(link, wanted) == 0;
        }
    }
    closedir(folder);
    return found;
}

/* True if another process holds a copy; hidden is set if the parent lets nobody look. */
static bool copy_exists(const char *wanted, bool *hidden) {
    bool found = false;
    DIR *processes = opendir("/proc");
    *hidden = true;
    if (processes == NULL)
        return false;
    const struct dirent *entry;
    while (!found && (entry = readdir(processes)) != NULL) {
        char *end;
        const long number = strtol(entry->d_name, &end, 10);
        bool unreadable;
        if (end == entry->d_name || *end != '\0' || number == getpid())
            continue;
        found = process_holds(entry->d_name, wanted, &unreadable);
        if (number == getppid())
            *hidden = unreadable;
    }
    closedir(processes);
    return found;
}

static void check_only_copy(struct tap *tap, os_socket sock) {
    static const char *const text = "soon after the ACK the socket is the only copy";
    const struct timespec pause = {0, COPY_WAIT_MS * 1000000L};
    char path[64];
    char wanted[64];
    bool hidden = true;
    snprintf(path, sizeof path, "/proc/self/fd/%d", (int)sock);
    const ssize_t size = readlink(path, wanted, sizeof wanted - 1);
    if (size <= 0) {
        tap_skip(tap, text, "there is no /proc/self/fd");
        return;
    }
    wanted[size] = '\0';
    const uint64_t start = os_steady_ms();
    bool found = copy_exists(wanted, &hidden);
    while (found && os_steady_ms() - start < COPY_LIMIT_MS) {
        nanosleep(&pause, NULL);
        found = copy_exists(wanted, &hidden);
    }
    if (!found && hidden)
        tap_skip(tap, text, "the descriptors of the parent cannot be seen");
    else
        tap_check(tap, !found, text);
}

void os_check_socket_late(struct tap *tap, os_socket sock) {
    check_only_copy(tap, sock);
    tap_skip(tap, "no event is registered", "only Windows has WSAEventSelect");
    tap_skip(tap, "overlapped, and no completion port", "only Windows has them");
}
