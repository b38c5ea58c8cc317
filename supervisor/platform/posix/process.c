/*
 * One handler process: signal, exit, close.
 */
#include "platform/posix/internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t platform_process_pid(const struct platform_process *process) {
    return (uint32_t)process->pid;
}

/* What getpid(2) tells a process in its own pid namespace: the last number of NSpid, behind those
 * of the outer ones. 0: not known. A line feed in its name, which stands before that, is escaped.
 */
static pid_t innermost_pid(pid_t pid) {
    static char text[16384];
    posix_read_text(posix_open_of_process(pid, "status", O_RDONLY), text, sizeof text);
    const char *line = strstr(text, "\nNSpid:");
    const char *end = line == NULL ? NULL : strchr(line + 1, '\n');
    if (end == NULL) {
        return 0;
    }
    while (end[-1] >= '0' && end[-1] <= '9') {
        end--;
    }
    return (pid_t)strtol(end, NULL, 10);
}

uint32_t platform_process_speaker(struct platform_process *process, uint32_t pid) {
    pid_t speaker = process->speaker;
    bool is_named =
        pid != 0 && speaker != 0 && ((pid_t)pid == speaker || (pid_t)pid == innermost_pid(speaker));
    return is_named ? (uint32_t)speaker : 0;
}

void platform_process_signal(struct platform_process *process, enum platform_signal how) {
    if (process->ended) {
        return;
    }
    int number = how == PLATFORM_KILL ? SIGKILL : SIGTERM;
    /* A leader may have moved to another group (setpgid(2)); its own would then not reach it. What
     * it leaves when it exits may go on, and so may what is to be left. */
    if (process->leaves_children || getpgid(process->pid) != process->pid) {
        kill(process->pid, number);
    }
    if (!process->leaves_children) {
        kill(-process->pid, number);
    }
}

bool platform_process_has_ended(const struct platform_process *process) {
    return process->ended || posix_child_look(P_PID, process->pid, WEXITED) == process->pid;
}

struct platform_exit platform_process_exit(const struct platform_process *process) {
    return process->exit;
}

void platform_process_close(struct platform_process **process) {
    struct platform_process *closing = *process;
    if (closing == NULL) {
        return;
    }
    if (!closing->ended) {
        platform_process_signal(closing, PLATFORM_KILL);
        /* The loop reaps it like a stray. */
        posix_process_remove(closing->platform, closing);
    }
    platform_channel_close(closing);
    bool was_late = closing->late_until_us != 0;
    posix_process_forget_late(closing);
    if (closing->output != NULL) {
        closing->output->process = NULL;
        if (!closing->ended || was_late) {
            posix_pipe_end(closing->output);
        }
    }
    posix_watch_close(closing->platform, &closing->end);
    posix_process_give(closing);
    *process = NULL;
}
