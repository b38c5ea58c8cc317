/*
 * The end of strays: descendants of handlers that left their group and whose parents are gone. As
 * subreaper (prctl(2)) this process has become their parent, so they are among its children, which
 * the kernel lists in /proc/PID/task/TID/children (proc(5)).
 */
#include "platform/posix/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What one walk over the children has met, without those in the table. */
struct walk {
    size_t living_count; /* sent SIGKILL */
    size_t reaped_count; /* were dead already, and have been reaped */
    size_t killed_count; /* of these, ended by SIGKILL */
};

static void visit(struct platform *platform, pid_t pid, struct walk *walk) {
    if (process_find(platform, pid) != NULL) {
        return;
    }
    siginfo_t info;
    if (!child_reap(pid, &info)) {
        kill(pid, SIGKILL);
        walk->living_count++;
        return;
    }
    walk->reaped_count++;
    if (info.si_code == CLD_KILLED && info.si_status == SIGKILL) {
        walk->killed_count++;
    }
}

/* The list is decimal numbers, each followed by a blank. Opened anew for each walk: it is only true
 * of the moment, and changes while it is read, which is why a walk that met anybody is repeated. */
static struct walk walk_children(struct platform *platform) {
    struct walk walk = {0};
    int list = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    if (list < 0) {
        return walk;
    }
    char text[1024];
    ssize_t got;
    pid_t pid = 0;
    while ((got = read(list, text, sizeof text)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (text[i] >= '0' && text[i] <= '9') {
                pid = pid * 10 + (text[i] - '0');
            } else if (pid != 0) {
                visit(platform, pid, &walk);
                pid = 0;
            }
        }
    }
    close(list);
    return walk;
}

/* Waits for the next SIGCHLD, which is blocked and so cannot be missed; false at the deadline. */
static bool wait_for_child(struct platform *platform, uint64_t deadline_us) {
    uint64_t now_us = platform_now_us(platform);
    if (now_us >= deadline_us) {
        return false;
    }
    uint64_t left_us = deadline_us - now_us;
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
    return true;
}

size_t platform_end_strays(struct platform *platform, uint64_t deadline_us) {
    /* A first walk reaps those who had ended by themselves, or were killed with their group. */
    struct walk walk = walk_children(platform);
    size_t ended_count = 0;
    while (walk.living_count > 0 || walk.reaped_count > 0) {
        /* After a walk that reaped, others may just have become our children: look again at once.
         */
        if (walk.reaped_count == 0 && !wait_for_child(platform, deadline_us)) {
            break;
        }
        walk = walk_children(platform);
        ended_count += walk.killed_count;
    }
    /* The signals of children in the table may have been taken here as well. */
    platform->children_pending = true;
    return ended_count;
}
