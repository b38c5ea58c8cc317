/*
 * The end of strays: descendants of handlers that left their group and whose parents are gone. As
 * subreaper (prctl(2)) this process has become their parent, so they are among its children, which
 * the kernel lists in /proc/PID/task/TID/children (proc(5)).
 *
 * So are elders: `sidecar & exec batond`, a common entry point of containers, leaves us a child
 * that no handler has made. Only elders themselves can be told from strays; what an elder leaves to
 * us when it ends looks like any other stray.
 */
#include "platform/posix/internal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ELDERS_FIRST_COUNT 16

/* What one walk over the children has met, without elders, those in the table and those that are
 * left. */
struct walk {
    struct platform *platform;
    struct platform_strays *strays; /* NULL: all end */
    size_t living_count;            /* sent SIGKILL */
    size_t reaped_count;            /* were dead already, and have been reaped */
    size_t killed_count;            /* of these, ended by SIGKILL */
};

/* Returns false to end the walk. */
typedef bool visitor(void *context, pid_t pid);

/* The list is decimal numbers, each followed by a blank. Opened anew for each walk: it is only true
 * of the moment, and changes while it is read. */
static void walk_children(visitor *visit, void *context) {
    int list = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (list < 0) {
        return;
    }
    char text[1024];
    ssize_t got;
    pid_t pid = 0;
    bool more = true;
    while (more && (got = read(list, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < got && more; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid != 0) {
                more = visit(context, pid);
                pid = 0;
            }
        }
    }
    close(list);
}

struct elders {
    pid_t *pids; /* room_count; owned */
    size_t count;
    size_t room_count;
    bool failed;
};

static bool remember_elder(void *context, pid_t pid) {
    struct elders *elders = context;
    if (elders->count == elders->room_count) {
        size_t room_count = elders->room_count == 0 ? ELDERS_FIRST_COUNT : 2 * elders->room_count;
        pid_t *pids = realloc(elders->pids, room_count * sizeof *pids);
        if (pids == NULL) {
            elders->failed = true;
            return false;
        }
        elders->pids = pids;
        elders->room_count = room_count;
    }
    elders->pids[elders->count++] = pid;
    return true;
}

int posix_elders_open(struct platform *platform) {
    struct elders elders = {0};
    walk_children(remember_elder, &elders);
    platform->elders = elders.pids;
    platform->elder_count = elders.count;
    return elders.failed ? BATON_NO_MEMORY : BATON_OK;
}

void posix_elders_close(struct platform *platform) {
    free(platform->elders);
    platform->elders = NULL;
    platform->elder_count = 0;
}

/* The index of that elder; elder_count if it is none. */
static size_t find_elder(const struct platform *platform, pid_t pid) {
    size_t i = 0;
    while (i < platform->elder_count && platform->elders[i] != pid) {
        i++;
    }
    return i;
}

void posix_elders_forget(struct platform *platform, pid_t pid) {
    size_t i = find_elder(platform, pid);
    if (i < platform->elder_count) {
        platform->elders[i] = platform->elders[--platform->elder_count];
    }
}

/* The value of BATON_SERVICE that the process was launched with; false if there is none to be read.
 */
static bool read_service(pid_t pid, char *out, size_t size_bytes) {
    static const char name[] = "BATON_SERVICE=";
    char path[48];
    static char text[65536];
    snprintf(path, sizeof path, "/proc/%ld/environ", (long)pid);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
    posix_close_descriptor(&file);
    text[length < 0 ? 0 : length] = '\0';
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(text + at) + 1) {
        if (strncmp(text + at, name, sizeof name - 1) == 0) {
            snprintf(out, size_bytes, "%s", text + at + sizeof name - 1);
            return true;
        }
    }
    return false;
}

static bool is_to_end(const struct walk *walk, pid_t pid) {
    char service[64];
    const struct platform_strays *strays = walk->strays;
    if (strays == NULL || strays->ends == NULL) {
        return strays == NULL;
    }
    bool is_known = read_service(pid, service, sizeof service);
    return strays->ends(strays->context, is_known ? service : NULL);
}

static bool end_stray(void *context, pid_t pid) {
    struct walk *walk = context;
    struct platform *platform = walk->platform;
    bool is_elder = find_elder(platform, pid) < platform->elder_count;
    siginfo_t info;
    if (posix_process_find(platform, pid) != NULL) {
        return true;
    }
    if (!posix_child_reap(platform, pid, &info)) {
        if (!is_elder && is_to_end(walk, pid)) {
            kill(pid, SIGKILL);
            walk->living_count++;
        } else if (!is_elder) {
            walk->strays->left_count++;
        }
        return true;
    }
    walk->reaped_count++;
    if (!is_elder && info.si_code == CLD_KILLED && info.si_status == SIGKILL) {
        walk->killed_count++;
    }
    return true;
}

static struct walk end_children(struct platform *platform, struct platform_strays *strays) {
    struct walk walk = {.platform = platform, .strays = strays};
    if (strays != NULL) {
        strays->left_count = 0;
    }
    walk_children(end_stray, &walk);
    return walk;
}

/* Waits for the next SIGCHLD, which is blocked and so cannot be missed, or for the deadline. */
static void wait_for_child(struct platform *platform, uint64_t deadline_us) {
    uint64_t now_us = platform_now_us(platform);
    uint64_t left_us = deadline_us > now_us ? deadline_us - now_us : 0;
    const uint64_t longest_us = 3600u * UINT64_C(1000000);
    if (left_us > longest_us) {
        left_us = longest_us;
    }
    struct timespec left = {.tv_sec = (time_t)(left_us / 1000000u),
                            .tv_nsec = (long)(left_us % 1000000u) * 1000};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigtimedwait(&set, NULL, &left);
}

size_t platform_end_strays(struct platform *platform, struct platform_strays *strays,
                           uint64_t deadline_us) {
    /* A first walk reaps those who had ended by themselves, or were killed with their group. */
    struct walk walk = end_children(platform, strays);
    size_t ended_count = 0;
    while ((walk.living_count > 0 || walk.reaped_count > 0) &&
           platform_now_us(platform) < deadline_us) {
        /* After a walk that reaped, others may just have become our children: look again at once.
         */
        if (walk.reaped_count == 0) {
            wait_for_child(platform, deadline_us);
        }
        walk = end_children(platform, strays);
        ended_count += walk.killed_count;
    }
    /* The signals of children in the table may have been taken here as well. */
    platform->children_due_us = 0;
    return ended_count;
}
