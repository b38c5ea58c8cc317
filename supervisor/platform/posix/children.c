/*
 * The table of processes, and reaping.
 *
 * Every child is looked at before it is reaped (WNOWAIT of waitid(2)): while the dead leader keeps
 * its pid, no stranger can have the group's number, so the group can be killed safely.
 */
#include "core/base/table.h"
#include "platform/posix/internal.h"

#include <stdlib.h>
#include <sys/wait.h>

/* Pids go round, so in time every bucket is touched: one page of them, whatever the table's size.
 */
#define BUCKET_COUNT 512

/* Strays that one look reaps at most. They are no events, so nothing else bounds how long a handler
 * that keeps making them could hold the loop. */
#define STRAYS_PER_LOOK 64

int posix_processes_open(struct platform *platform, size_t process_count) {
    platform->bucket_count = BUCKET_COUNT;
    platform->processes = table_create(process_count, sizeof *platform->processes);
    platform->buckets = calloc(platform->bucket_count, sizeof(struct platform_process *));
    if (platform->processes == NULL || platform->buckets == NULL) {
        return BATON_NO_MEMORY;
    }
    return slots_init(&platform->process_slots, (uint32_t)process_count);
}

struct platform_process *posix_process_take(struct platform *platform) {
    uint32_t slot = slots_take(&platform->process_slots);
    if (slot == SLOT_NONE) {
        return NULL;
    }
    struct platform_process *process = &platform->processes[slot];
    *process = (struct platform_process){.platform = platform};
    posix_watch_init(&process->channel, POSIX_WATCH_CHANNEL, 0);
    return process;
}

void posix_process_give(struct platform_process *process) {
    struct platform *platform = process->platform;
    slots_give(&platform->process_slots, (uint32_t)(process - platform->processes));
}

void posix_processes_close(struct platform *platform) {
    SLOTS_EACH(i, &platform->process_slots) {
        posix_watch_close(platform, &platform->processes[i].channel);
    }
    slots_clear(&platform->process_slots);
    free(platform->processes);
    free(platform->buckets);
    platform->processes = NULL;
    platform->buckets = NULL;
}

static struct platform_process **bucket_of(struct platform *platform, pid_t pid) {
    return &platform->buckets[(size_t)pid & (platform->bucket_count - 1)];
}

struct platform_process *posix_process_find(struct platform *platform, pid_t pid) {
    struct platform_process *process = *bucket_of(platform, pid);
    while (process != NULL && process->pid != pid) {
        process = process->next;
    }
    return process;
}

void posix_process_add(struct platform *platform, struct platform_process *process) {
    struct platform_process **bucket = bucket_of(platform, process->pid);
    process->next = *bucket;
    *bucket = process;
}

void posix_process_remove(struct platform *platform, struct platform_process *process) {
    struct platform_process **link = bucket_of(platform, process->pid);
    while (*link != NULL && *link != process) {
        link = &(*link)->next;
    }
    if (*link == process) {
        *link = process->next;
    }
}

bool posix_child_reap(struct platform *platform, pid_t pid, siginfo_t *info) {
    info->si_pid = 0;
    if (waitid(P_PID, (id_t)pid, info, WEXITED | WNOHANG) != 0 || info->si_pid != pid) {
        return false;
    }
    posix_elders_forget(platform, pid);
    return true;
}

static void record_exit(struct platform_process *process, const siginfo_t *info) {
    process->ended = true;
    process->exit.by_signal = info->si_code != CLD_EXITED;
    process->exit.code = (uint32_t)info->si_status;
}

size_t posix_processes_reap(struct platform *platform, struct platform_event *events,
                            size_t capacity) {
    size_t count = 0;
    size_t stray_count = 0;
    while (platform->children_pending && count < capacity && stray_count < STRAYS_PER_LOOK) {
        siginfo_t info = {0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) {
            platform->children_pending = false;
            break;
        }
        pid_t pid = info.si_pid;
        struct platform_process *process = posix_process_find(platform, pid);
        if (process != NULL) {
            kill(-pid, SIGKILL);
        }
        posix_child_reap(platform, pid, &info);
        if (process == NULL) {
            /* What closed or escaped processes have left to us as their subreaper. */
            stray_count++;
            continue;
        }
        record_exit(process, &info);
        posix_process_remove(platform, process);
        events[count++] = (struct platform_event){PLATFORM_EVENT_EXIT, process->channel.token};
    }
    return count;
}
