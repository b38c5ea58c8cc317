/*
 * Who has a place that is in use: a likely culprit, for a message. The kernel lists sockets by
 * their inode (proc(5): /proc/net), and processes name theirs in /proc/PID/fd. All of it is
 * bounded, for the loop waits for it: what is not found soon is not found.
 */
#include "platform/posix/internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOCKETS_MAX_COUNT 4096 /* TCP lists those that listen first */
#define PROCESSES_MAX_COUNT 1024
#define DESCRIPTORS_MAX_COUNT 8192 /* of all processes together */
#define DESCRIPTORS_OF_ONE_MAX_COUNT 64
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
static bool has_descriptor(const char *pid, const char *wanted, int *left_count) {
    char path[64];
    char target[64];
    bool has = false;
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *folder = opendir(path);
    const struct dirent *entry;
    for (int i = 0; folder != NULL && !has && i<DESCRIPTORS_OF_ONE_MAX_COUNT && * left_count> 0;
         i++, --*left_count) {
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

static bool find_process(unsigned long inode, char *pid, size_t size_bytes) {
    char wanted[40];
    int left_count = DESCRIPTORS_MAX_COUNT;
    bool found = false;
    snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    DIR *folder = opendir("/proc");
    const struct dirent *entry;
    for (int i = 0; folder != NULL && !found && i < PROCESSES_MAX_COUNT && left_count > 0;) {
        entry = readdir(folder);
        if (entry == NULL) {
            break;
        }
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
            i++;
            found = has_descriptor(entry->d_name, wanted, &left_count);
            snprintf(pid, size_bytes, "%s", entry->d_name);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    return found;
}

static void read_name(const char *pid, char *out, size_t size_bytes) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, out, size_bytes - 1);
    posix_close_descriptor(&file);
    out[length < 0 ? 0 : length] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

bool platform_listener_holder(const struct platform_listener_spec *spec,
                              struct platform_holder *out) {
    char pid[24];
    *out = (struct platform_holder){0};
    unsigned long inode = find_inode(spec);
    if (inode == 0 || !find_process(inode, pid, sizeof pid)) {
        return false;
    }
    out->pid = (uint32_t)strtoul(pid, NULL, 10);
    read_name(pid, out->name, sizeof out->name);
    return true;
}
