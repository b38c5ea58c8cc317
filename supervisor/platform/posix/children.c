/*
 * The table of processes, and reaping.
 *
 * The end of a process is told by its pidfd (pidfd_open(2)), so that it costs the same whatever the
 * number of the others: waitid(2) for any child goes through all of them. What is not in the table,
 * and processes without a pidfd (Linux before 5.3), are found by such a walk when SIGCHLD says that
 * there may be something, but not more often than every SWEEP_US.
 *
 * Every child is looked at before it is reaped (WNOWAIT of waitid(2)): while the dead leader keeps
 * its pid, no stranger can have the group's number, so the group can be killed safely. (A group
 * that is left keeps that number from strangers as well, for as long as it has members.)
 */
#include "core/base/table.h"
#include "platform/posix/internal.h"
#include "platform/posix/work.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Pids go round, so in time every bucket is touched: one page of them, whatever the table's size.
 */
#define BUCKET_COUNT 512

/* Strays that one look reaps at most. They are no events, so nothing else bounds how long a handler
 * that keeps making them could hold the loop. */
#define STRAYS_PER_LOOK 64

/* How long a child that is nobody's may wait to be reaped. */
#define SWEEP_US 100000u

int posix_processes_open(struct platform *platform, size_t process_count) {
    platform->bucket_count = BUCKET_COUNT;
    platform->processes = table_create(process_count, sizeof *platform->processes);
    platform->buckets = table_create(platform->bucket_count, sizeof(struct platform_process *));
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
    posix_watch_init(&process->end, POSIX_WATCH_EXIT, 0);
    return process;
}

void posix_process_give(struct platform_process *process) {
    struct platform *platform = process->platform;
    slots_give(&platform->process_slots, (uint32_t)(process - platform->processes));
}

void posix_processes_close(struct platform *platform) {
    SLOTS_EACH(i, &platform->process_slots) {
        posix_process_forget_measuring(&platform->processes[i]);
        posix_watch_close(platform, &platform->processes[i].channel);
        posix_watch_close(platform, &platform->processes[i].end);
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

void posix_child_await(pid_t pid) {
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED) != 0 && errno == EINTR) {
    }
}

pid_t posix_child_look(idtype_t type, pid_t pid, int state) {
    siginfo_t info = {.si_pid = 0};
    return waitid(type, (id_t)pid, &info, state | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

/* The kernel's struct rusage, whose numbers are longs whatever libc makes of its own. */
struct kernel_usage {
    long user_s, user_us, system_s, system_us, peak_kib;
    long others[13];
};

uint32_t posix_peak_kib(void) {
    struct kernel_usage ours;
    return syscall(SYS_getrusage, RUSAGE_SELF, &ours) == 0 ? (uint32_t)ours.peak_kib : UINT32_MAX;
}

/* What was its parent's before its execve(2) counts as the child's as well (getrusage(2)), so that
 * is the least that can be told: a launcher's, as it was when it had launched; or ours, which does
 * not fall, so who stays below what it was is not asked about. */
static void judge_peak(struct platform_process *process) {
    struct platform *platform = process->platform;
    uint32_t *peak_kib = &process->exit.memory_peak_kib;
    uint32_t least_kib = process->launcher_peak_kib;
    if (least_kib == 0 && *peak_kib > platform->peak_kib) {
        platform->peak_kib = posix_peak_kib();
    }
    least_kib = least_kib > 0 ? least_kib : platform->peak_kib;
    *peak_kib = *peak_kib > least_kib ? *peak_kib : 0;
}

/* By the system call, which has a fifth argument that libc's waitid() does not. */
bool posix_child_reap(struct platform *platform, pid_t pid, struct platform_exit *how) {
    siginfo_t info = {.si_pid = 0};
    struct kernel_usage usage;
    if (syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG, &usage) != 0 ||
        info.si_pid != pid) {
        return false;
    }
    how->cpu_us = (uint64_t)(usage.user_s + usage.system_s) * 1000000u +
                  (uint64_t)(usage.user_us + usage.system_us);
    how->memory_peak_kib = (uint32_t)usage.peak_kib;
    posix_elders_forget(platform, pid);
    how->by_signal = info.si_code != CLD_EXITED;
    how->code = (uint32_t)info.si_status;
    how->by_broken_pipe = how->by_signal && info.si_status == SIGPIPE;
    return true;
}

/* ---- Ends ---- */

/* What a process has written before its end is to be read before that is told. If a carrier has it
 * under way, or is held by whoever was left with the pipe, the end waits for so long. */
#define LATE_US 200000u

static void tell_exit(struct platform_process *process, struct told *told) {
    if (process->output != NULL) {
        posix_pipe_end(process->output);
    }
    judge_peak(process);
    posix_tell(told, PLATFORM_EVENT_EXIT, process->channel.token);
}

static void wait_for_output(struct platform_process *process) {
    struct platform *platform = process->platform;
    process->late_until_us = platform_now_us(platform) + LATE_US;
    process->next_late = platform->first_late;
    platform->first_late = process;
}

void posix_process_note_end(struct platform_process *process) {
    process->ended = true;
    posix_channel_measure(process);
}

void posix_process_tell_end(struct platform_process *process) {
    wait_for_output(process);
}

bool posix_process_ends_early(struct platform_process *process) {
    if (!process->leaves_children) {
        if (posix_child_look(P_PID, process->pid, WEXITED) != process->pid) {
            return false;
        }
        kill(-process->pid, SIGKILL);
    }
    if (!posix_child_reap(process->platform, process->pid, &process->exit)) {
        return false;
    }
    posix_process_note_end(process);
    wait_for_output(process);
    return true;
}

void posix_process_forget_late(struct platform_process *process) {
    struct platform_process **link = &process->platform->first_late;
    while (*link != NULL && *link != process) {
        link = &(*link)->next_late;
    }
    if (*link != NULL) {
        *link = process->next_late;
        process->late_until_us = 0;
    }
}

void posix_processes_tell_late(struct platform *platform, struct told *told) {
    struct platform_process *next = platform->first_late;
    while (next != NULL && told->count < told->capacity) {
        struct platform_process *process = next;
        next = process->next_late;
        bool is_over = platform_now_us(platform) >= process->late_until_us;
        if (process->output != NULL && is_over) {
            posix_pipe_look_again(process->output); /* we may have stood still since it came */
        }
        if (process->output == NULL || is_over || posix_pipe_settles(process->output)) {
            posix_process_forget_late(process);
            tell_exit(process, told);
        }
    }
}

uint64_t posix_processes_late_us(const struct platform *platform) {
    uint64_t first_us = PLATFORM_WAIT_FOREVER;
    for (const struct platform_process *at = platform->first_late; at != NULL; at = at->next_late) {
        first_us = at->late_until_us < first_us ? at->late_until_us : first_us;
    }
    return first_us;
}

/* It is dead and not reaped yet. Its end may not be told now: who traces it is told first
 * (ptrace(2)), and SIGCHLD comes once more; or its output is to be read before. */
static void end_process(struct platform_process *process, struct told *told) {
    struct platform *platform = process->platform;
    if (!process->leaves_children) {
        kill(-process->pid, SIGKILL);
    }
    posix_watch_close(platform, &process->end);
    if (!posix_child_reap(platform, process->pid, &process->exit)) {
        return;
    }
    posix_process_note_end(process);
    posix_process_remove(platform, process);
    if (process->output != NULL && !posix_pipe_settles(process->output)) {
        wait_for_output(process);
    } else {
        tell_exit(process, told);
    }
}

void posix_process_take_end(struct posix_watch *end, struct told *told) {
    size_t offset = offsetof(struct platform_process, end);
    end_process((struct platform_process *)(void *)((char *)end - offset), told);
}

/* ---- Children that nothing else tells of ---- */

/* One report, and then none before the walk that it asks for. */
#define CHILDREN_WANTED (EPOLLIN | (uint32_t)EPOLLONESHOT)

/* Of the process and of the thread: no more than one of each waits. */
#define SIGNALS_MAX_COUNT 2

/* A child that ended before we looked has left no signal behind: children_due_us is 0. */
int posix_children_open(struct platform *platform, struct baton_cause *cause) {
    return posix_signals_watch(platform, &platform->children, SIGNAL_BIT(SIGCHLD), CHILDREN_WANTED,
                               cause);
}

void posix_children_on_signal(struct platform *platform) {
    platform->children.wanted = 0; /* EPOLLONESHOT */
    platform->children_due_us =
        platform->has_exit_watches ? platform->children_seen_us + SWEEP_US : 0;
}

void posix_children_take_signal(struct platform *platform) {
    struct signalfd_siginfo signals[SIGNALS_MAX_COUNT];
    (void)!read(platform->children.descriptor, signals, sizeof signals);
}

void posix_processes_reap(struct platform *platform, struct told *told) {
    size_t stray_count = 0;
    uint64_t now_us = platform_now_us(platform);
    if (told->count == told->capacity || now_us < platform->children_due_us) {
        return;
    }
    posix_children_take_signal(platform); /* before the walk: what ends during it says so again */
    while (told->count < told->capacity && stray_count < STRAYS_PER_LOOK) {
        pid_t pid = posix_child_look(P_ALL, 0, WEXITED);
        if (pid == 0) {
            bool is_watched = posix_watch_set(platform, &platform->children, CHILDREN_WANTED) == 0;
            platform->children_due_us = is_watched ? PLATFORM_WAIT_FOREVER : now_us + SWEEP_US;
            platform->children_seen_us = now_us;
            return;
        }
        struct platform_process *process = posix_process_find(platform, pid);
        struct launch *launch = process == NULL ? posix_launchers_find(platform, pid) : NULL;
        if (launch != NULL) {
            posix_launch_take_end(platform, launch);
        } else if (process == NULL) {
            /* What closed or escaped processes have left to us as their subreaper. */
            struct platform_exit how = {0};
            posix_child_reap(platform, pid, &how);
            posix_ask_note_end(pid, &how);
            stray_count++;
        } else {
            end_process(process, told);
        }
    }
    platform->children_due_us = 0; /* there may be more */
}
