/*
 * Who has a place that is in use: a likely culprit, for a message. The kernel lists sockets by
 * their inode (proc(5): /proc/net), and processes name theirs in /proc/PID/fd. All of it is
 * bounded, for the loop waits for it: what is not found soon is not found.
 */
#include "platform/posix/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS_MAX_COUNT 2048 /* TCP lists those that listen first */
#define DESCRIPTORS_MAX_COUNT 64
#define LOOK_MAX_US 10000u /* at processes */
#define STATE_LISTENING 0x0a

/* The inode in the line of a socket that has the place; 0 if it has not. */
static unsigned long match(const char *line, const struct platform_listener_spec *spec) {
    unsigned port = 0;
    unsigned state = 0;
    unsigned long inode = 0;
    if (spec->protocol == PLATFORM_UNIX) {
        const char *path = strchr(line, '/');
        return path != NULL && strcmp(path, spec->path) == 0 &&
                       sscanf(line, "%*s %*s %*s %*s %*s %*s %lu", &inode) == 1
                   ? inode
                   : 0;
    }
    if (sscanf(line, "%*s %*[0-9A-F]:%x %*s %x %*s %*s %*s %*s %*s %lu", &port, &state, &inode) !=
            3 ||
        port != spec->address.port) {
        return 0;
    }
    return spec->protocol == PLATFORM_UDP || state == STATE_LISTENING ? inode : 0;
}

static unsigned long find_in(const char *list, const struct platform_listener_spec *spec) {
    char line[512];
    unsigned long inode = 0;
    FILE *file = fopen(list, "re");
    for (int i = 0; file != NULL && inode == 0 && i < SOCKETS_MAX_COUNT; i++) {
        if (fgets(line, sizeof line, file) == NULL) {
            break;
        }
        line[strcspn(line, "\n")] = '\0';
        inode = match(line, spec);
    }
    if (file != NULL) {
        fclose(file);
    }
    return inode;
}

static unsigned long find_inode(const struct platform_listener_spec *spec) {
    static const char *const lists[][2] = {[PLATFORM_TCP] = {"/proc/net/tcp", "/proc/net/tcp6"},
                                           [PLATFORM_UDP] = {"/proc/net/udp", "/proc/net/udp6"},
                                           [PLATFORM_UNIX] = {"/proc/net/unix", NULL}};
    const char *const *of = lists[spec->protocol];
    unsigned long inode = find_in(of[0], spec);
    return inode == 0 && of[1] != NULL ? find_in(of[1], spec) : inode;
}

/* True if /proc/PID/fd of the process has `wanted`. */
static bool has_descriptor(const char *pid, const char *wanted) {
    char path[64];
    char target[64];
    bool has = false;
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    for (int i = 0; folder != NULL && !has && i < DESCRIPTORS_MAX_COUNT; i++) {
        entry = readdir(folder);
        if (entry == NULL) {
            break;
        }
        ssize_t length = readlinkat(dirfd(folder), entry->d_name, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = '\0';
        has = strcmp(target, wanted) == 0;
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return has;
}

/* Most servers lead a session; and handlers are of one whose leader, their batond, has gone. */
static bool is_likely(pid_t pid) {
    pid_t session = getsid(pid);
    return session == pid || (session > 0 && kill(session, 0) != 0 && errno == ESRCH);
}

static bool find_among(DIR *folder, bool likely, const char *wanted, uint64_t deadline_us,
                       pid_t *pid) {
    const struct dirent *entry;
    while (platform_now_us(NULL) < deadline_us && (entry = readdir(folder)) != NULL) {
        *pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (*pid > 0 && is_likely(*pid) == likely && has_descriptor(entry->d_name, wanted)) {
            return true;
        }
    }
    return false;
}

static bool find_process(unsigned long inode, pid_t *pid) {
    char wanted[40];
    uint64_t deadline_us = platform_now_us(NULL) + LOOK_MAX_US;
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *folder = opendir("/proc");
    if (folder == NULL) {
        return false;
    }
    bool found = find_among(folder, true, wanted, deadline_us, pid);
    if (!found) {
        rewinddir(folder);
        found = find_among(folder, false, wanted, deadline_us, pid);
    }
    closedir(folder);
    return found;
}

static void read_name(pid_t pid, char *out, size_t size_bytes) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%ld/comm", (long)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, out, size_bytes - 1);
    posix_close_descriptor(&file);
    out[length < 0 ? 0 : length] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

bool platform_listener_holder(const struct platform_listener_spec *spec,
                              struct platform_holder *out) {
    pid_t pid;
    *out = (struct platform_holder){0};
    unsigned long inode = find_inode(spec);
    if (inode == 0 || !find_process(inode, &pid)) {
        return false;
    }
    out->pid = (uint32_t)pid;
    read_name(pid, out->name, sizeof out->name);
    return true;
}
