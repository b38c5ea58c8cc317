/*
 * The end of strays: descendants of handlers that left their group and whose parents are gone. As
 * subreaper (prctl(2)) this process has become their parent, so they are among its children, which
 * the kernel lists in /proc/PID/task/TID/children (proc(5)).
 *
 * So are elders: `sidecar & exec batond`, a common entry point of containers, leaves us a child
 * that no handler has made. Only elders themselves can be told from strays; what an elder leaves to
 * us when it ends looks like any other stray.
 */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIDS_FIRST_COUNT 16

/* What one walk over the children has met, without elders, those in the table and those that are
 * left. */
struct walk {
    struct platform *platform;
    struct platform_strays *strays; /* NULL: all end */
    struct pid_list condemned;      /* were sent SIGKILL, and have not been reaped */
    size_t living_count;            /* sent SIGKILL */
    size_t reaped_count;            /* were dead already, and have been reaped */
    size_t killed_count;            /* of those in all walks, ended by SIGKILL */
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

static bool add_pid(void *context, pid_t pid) {
    struct pid_list *list = context;
    if (list->count == list->room_count) {
        size_t room_count = list->room_count == 0 ? PIDS_FIRST_COUNT : 2 * list->room_count;
        pid_t *pids = realloc(list->pids, room_count * sizeof *pids);
        if (pids == NULL) {
            list->failed = true;
            return false;
        }
        list->pids = pids;
        list->room_count = room_count;
    }
    list->pids[list->count++] = pid;
    return true;
}

/* Its index; `count` if it is not there. A walk asks in the order of the list, so that the one
 * behind the last is the likely one. */
static size_t find_pid(struct pid_list *list, pid_t pid) {
    for (size_t tries = 0; tries < list->count; tries++) {
        list->next = list->next < list->count ? list->next : 0;
        if (list->pids[list->next] == pid) {
            return list->next++;
        }
        list->next++;
    }
    return list->count;
}

static bool has_pid(struct pid_list *list, pid_t pid) {
    return find_pid(list, pid) < list->count;
}

static void forget_pid(struct pid_list *list, pid_t pid) {
    size_t i = find_pid(list, pid);
    if (i < list->count) {
        list->pids[i] = list->pids[--list->count];
        list->next = i;
    }
}

int posix_elders_open(struct platform *platform) {
    walk_children(add_pid, &platform->elders);
    return platform->elders.failed ? BATON_NO_MEMORY : BATON_OK;
}

void posix_elders_close(struct platform *platform) {
    free(platform->elders.pids);
    platform->elders = (struct pid_list){0};
}

bool posix_elders_add(struct platform *platform, pid_t pid) {
    return add_pid(&platform->elders, pid);
}

bool posix_elders_has(struct platform *platform, pid_t pid) {
    return has_pid(&platform->elders, pid);
}

void posix_elders_forget(struct platform *platform, pid_t pid) {
    forget_pid(&platform->elders, pid);
}

/* The value of BATON_SERVICE that the process was launched with; false if there is none to be read.
 */
static bool read_service(pid_t pid, char *out, size_t size_bytes) {
    static const char name[] = "BATON_SERVICE=";
    static char text[65536];
    ssize_t length =
        posix_read_text(posix_open_of_process(pid, "environ", O_RDONLY), text, sizeof text);
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(text + at) + 1) {
        if (strncmp(text + at, name, sizeof name - 1) == 0) {
            text_format(out, size_bytes, "%s", text + at + sizeof name - 1);
            return true;
        }
    }
    return false;
}

/* Decided once: who was sent SIGKILL has no environment any more while it ends. */
static bool is_to_end(struct walk *walk, pid_t pid) {
    char service[64];
    const struct platform_strays *strays = walk->strays;
    if (strays == NULL || strays->ends == NULL) {
        return strays == NULL;
    }
    if (has_pid(&walk->condemned, pid)) {
        return true;
    }
    bool is_known = read_service(pid, service, sizeof service);
    if (!strays->ends(strays->context, is_known ? service : NULL)) {
        return false;
    }
    (void)add_pid(&walk->condemned, pid); /* without memory it may be counted as left */
    return true;
}

static bool end_stray(void *context, pid_t pid) {
    struct walk *walk = context;
    struct platform *platform = walk->platform;
    bool is_elder = has_pid(&platform->elders, pid);
    struct platform_exit how;
    if (posix_process_find(platform, pid) != NULL) {
        return true;
    }
    if (!posix_child_reap(platform, pid, &how)) {
        if (!is_elder && is_to_end(walk, pid)) {
            kill(pid, SIGKILL);
            walk->living_count++;
        } else if (!is_elder) {
            walk->strays->left_count++;
        }
        return true;
    }
    forget_pid(&walk->condemned, pid);
    walk->reaped_count++;
    if (!is_elder && how.by_signal && how.code == SIGKILL) {
        walk->killed_count++;
    }
    return true;
}

/* One walk; false if nobody was met who is ending, or has ended. */
static bool end_children(struct walk *walk) {
    walk->living_count = walk->reaped_count = 0;
    if (walk->strays != NULL) {
        walk->strays->left_count = 0;
    }
    walk_children(end_stray, walk);
    return walk->living_count > 0 || walk->reaped_count > 0;
}

size_t platform_end_strays(struct platform *platform, struct platform_strays *strays,
                           uint64_t deadline_us) {
    struct walk walk = {.platform = platform, .strays = strays};
    /* A first walk reaps those who had ended by themselves, or were killed with their group. */
    bool goes_on = end_children(&walk);
    walk.killed_count = 0;
    while (goes_on && platform_now_us(platform) < deadline_us) {
        /* After a walk that reaped, others may just have become our children: look again at once.
         */
        if (walk.reaped_count == 0) {
            posix_await(platform, platform->children.descriptor, POLLIN, deadline_us);
            posix_children_take_signal(platform);
        }
        goes_on = end_children(&walk);
    }
    /* The signals of children in the table may have been taken here as well. */
    platform->children_due_us = 0;
    free(walk.condemned.pids);
    return walk.killed_count;
}
