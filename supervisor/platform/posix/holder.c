/*
 * Who has a place that is in use: a likely culprit, for a message. The kernel lists sockets by
 * their inode (proc(5): /proc/net), and processes name theirs in /proc/PID/fd. All of it is
 * bounded, for the loop waits for it: what is not found soon is not found.
 */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READS_MAX_COUNT 64 /* of a page; TCP lists those that listen first */
#define DESCRIPTORS_MAX_COUNT 32
#define OWN_MAX_COUNT 1024 /* of this process: it may have many listeners */
#define LOOK_MAX_US 10000u /* at processes */
#define STATE_LISTENING 0x0a

static const char *field(const char *line, int number) {
    line += strspn(line, " ");
    for (; number > 0; number--) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    return line;
}

/* The inode in the line of a socket that has the place; 0 if it has not. */
static unsigned long match(const char *line, const struct platform_listener_spec *spec) {
    if (spec->protocol == PLATFORM_UNIX) {
        const char *path = strchr(line, '/');
        return path != NULL && strcmp(path, spec->path) == 0 ? strtoul(field(line, 6), NULL, 10)
                                                             : 0;
    }
    const char *port = strchr(field(line, 1), ':');
    bool listens =
        spec->protocol == PLATFORM_UDP || strtoul(field(line, 3), NULL, 16) == STATE_LISTENING;
    return port != NULL && listens && strtoul(port + 1, NULL, 16) == spec->address.port
               ? strtoul(field(line, 9), NULL, 10)
               : 0;
}

/* True if the process has the socket among its first `count` descriptors. */
static bool has_descriptor(const char *pid, int count, unsigned long inode) {
    char path[64];
    char target[64];
    char wanted[40];
    text_format(wanted, sizeof wanted, "socket:[%lu]", inode);
    for (int number = 0; number < count; number++) {
        text_format(path, sizeof path, "/proc/%.20s/fd/%d", pid, number);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = '\0';
        if (strcmp(target, wanted) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned long find_in(const char *list, const struct platform_listener_spec *spec) {
    char text[4096];
    size_t held = 0;
    unsigned long inode = 0;
    ssize_t got = 1;
    int file = open(list, O_RDONLY | O_CLOEXEC);
    for (int i = 0; file >= 0 && inode == 0 && got > 0 && i < READS_MAX_COUNT; i++) {
        got = read(file, text + held, sizeof text - 1 - held);
        held += got > 0 ? (size_t)got : 0;
        text[held] = '\0';
        char *line = text;
        for (char *end = strchr(line, '\n'); end != NULL && inode == 0; end = strchr(line, '\n')) {
            *end = '\0';
            inode = match(line, spec);
            if (inode != 0 && has_descriptor("self", OWN_MAX_COUNT, inode)) {
                inode = 0; /* at this port, but not what is in the way of ourselves */
            }
            line = end + 1;
        }
        held = strlen(line);
        memmove(text, line, held);
    }
    posix_close_any(file);
    return inode;
}

static unsigned long find_inode(const struct platform_listener_spec *spec) {
    static const char lists[][2][16] = {[PLATFORM_TCP] = {"/proc/net/tcp", "/proc/net/tcp6"},
                                        [PLATFORM_UDP] = {"/proc/net/udp", "/proc/net/udp6"},
                                        [PLATFORM_UNIX] = {"/proc/net/unix", ""}};
    const char(*of)[16] = lists[spec->protocol];
    unsigned long inode = find_in(of[0], spec);
    return inode == 0 && of[1][0] != '\0' ? find_in(of[1], spec) : inode;
}

/* Most servers lead a session; and handlers are of one whose leader, their batond, has gone. */
static bool is_likely(pid_t pid) {
    pid_t session = getsid(pid);
    return session == pid || (session > 0 && kill(session, 0) != 0 && errno == ESRCH);
}

/* Where the last look stopped for want of time; the next one for the same socket goes on there. */
static struct {
    unsigned long inode;
    int pass;
    pid_t reached; /* /proc has them in their order */
} interrupted;

/* One pass over /proc from the process behind `*reached` on. True when the holder was found; false
 * with `*reached` 0 at the end of all, else when the time is up. */
static bool walk_processes(unsigned long inode, int pass, uint64_t deadline_us, pid_t *reached) {
    DIR *folder = opendir("/proc");
    const struct dirent *entry = NULL;
    bool found = false;
    while (folder != NULL && !found && platform_now_us(NULL) < deadline_us &&
           (entry = readdir(folder)) != NULL) {
        pid_t pid = (pid_t)strtoul(entry->d_name, NULL, 10);
        if (pid > *reached) {
            *reached = pid;
            found = pid != getpid() && is_likely(pid) == (pass == 0) &&
                    has_descriptor(entry->d_name, DESCRIPTORS_MAX_COUNT, inode);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    if (!found && entry == NULL && platform_now_us(NULL) < deadline_us) {
        *reached = 0;
    }
    return found;
}

static bool find_process(unsigned long inode, pid_t *pid) {
    uint64_t deadline_us = platform_now_us(NULL) + LOOK_MAX_US;
    bool goes_on = interrupted.inode == inode;
    int pass = goes_on ? interrupted.pass : 0;
    pid_t reached = goes_on ? interrupted.reached : 0;
    interrupted.inode = 0;
    for (; pass < 2; pass++, reached = 0) {
        if (walk_processes(inode, pass, deadline_us, &reached)) {
            *pid = reached;
            return true;
        }
        if (reached != 0) {
            interrupted.inode = inode;
            interrupted.pass = pass;
            interrupted.reached = reached;
            return false;
        }
    }
    return false;
}

static void read_name(pid_t pid, char *out, size_t size_bytes) {
    posix_read_text(posix_open_of_process(pid, "comm", O_RDONLY), out, size_bytes);
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

#define PRIVILEGED_PORTS_END 1024 /* capabilities(7), CAP_NET_BIND_SERVICE */

bool platform_listener_hint(const struct platform_listener_spec *spec, int result,
                            char out[PLATFORM_HINT_MAX_BYTES]) {
    out[0] = '\0';
    if (spec->protocol == PLATFORM_UNIX) {
        return false;
    }
    if (result == BATON_IN_USE) {
        text_format(out, PLATFORM_HINT_MAX_BYTES,
                    "`ss -l%cnp 'sport = :%u'`, as root, tells who has it",
                    spec->protocol == PLATFORM_UDP ? 'u' : 't', (unsigned)spec->address.port);
    } else if (result == BATON_UNAVAILABLE) {
        text_format(out, PLATFORM_HINT_MAX_BYTES,
                    "no interface has this address; `ip -br address` lists those that there are");
    } else if (result == BATON_DENIED && spec->address.port < PRIVILEGED_PORTS_END) {
        text_format(
            out, PLATFORM_HINT_MAX_BYTES,
            "ports below 1024 take root (then `[supervisor] default_user` says as whom "
            "handlers run), or `setcap cap_net_bind_service+ep` on batond, in a systemd unit "
            "`AmbientCapabilities=CAP_NET_BIND_SERVICE`");
    }
    return out[0] != '\0';
}
