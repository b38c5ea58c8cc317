/*
 * One handler process: signal, exit, close.
 */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

uint32_t platform_process_pid(const struct platform_process *process) {
    return (uint32_t)process->pid;
}

/* A line feed in the name, which stands before that line, is escaped. */
pid_t posix_innermost_pid(int file) {
    static const char key[] = "\nNSpid:";
    char piece[1024];
    ssize_t length = -1;
    size_t matched_bytes = 0;
    pid_t number = 0;
    bool is_read = false;
    while (file >= 0 && (length = read(file, piece, sizeof piece)) > 0) {
        for (ssize_t i = 0; i < length; i++) {
            char c = piece[i];
            if (matched_bytes < sizeof key - 1) {
                matched_bytes = c == key[matched_bytes] ? matched_bytes + 1 : c == '\n';
            } else if (c == '\n') {
                posix_close_any(file);
                return number;
            } else if (c == '-') { /* it has ended */
                posix_close_any(file);
                return -1;
            } else {
                number = c >= '0' && c <= '9' ? number * 10 + (c - '0') : 0;
            }
        }
        is_read = true;
    }
    posix_close_any(file);
    return is_read ? 0 : -1;
}

/* What is told of a pidfd is made of the number alone. /proc/PID/status (Linux before 5.5) holds on
 * to the memory of the process for the moment, and to all that this can wait for if the process
 * ends just then: see memory.c. */
static pid_t called_by_itself(pid_t pid) {
    pid_t called = 0;
#ifdef SYS_pidfd_open
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0 && errno != ENOSYS) {
        return -1;
    }
    if (process >= 0) {
        char path[48];
        text_format(path, sizeof path, "/proc/self/fdinfo/%d", process);
        called = posix_innermost_pid(open(path, O_RDONLY | O_CLOEXEC));
        posix_close_any(process);
    }
#endif
    return called != 0 ? called
                       : posix_innermost_pid(posix_open_of_process(pid, "status", O_RDONLY));
}

uint32_t platform_process_speaker(struct platform_process *process, uint32_t pid) {
    pid_t speaker = process->speaker;
    pid_t called = speaker;
    if (pid == 0 || speaker == 0) {
        return 0;
    }
    if ((pid_t)pid != speaker) {
        called = called_by_itself(speaker);
        process->is_hidden = called < 0;
    }
    return called > 0 && (pid_t)pid == called ? (uint32_t)speaker : 0;
}

bool platform_process_is_hidden(const struct platform_process *process) {
    return process->is_hidden;
}

bool platform_process_was_deaf(const struct platform_process *process, struct baton_cause *cause) {
    (void)process;
    (void)cause;
    return false;
}

void platform_process_signal(struct platform_process *process, enum platform_signal how) {
    if (process->ended) {
        return;
    }
    if (process->launch != NULL) {
        posix_launch_signal(process, how);
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
    if (process->ended || process->launch != NULL) {
        return process->ended;
    }
    return posix_child_look(P_PID, process->pid, WEXITED) == process->pid;
}

struct platform_exit platform_process_exit(const struct platform_process *process) {
    return process->exit;
}

void platform_process_close(struct platform_process **process) {
    struct platform_process *closing = *process;
    if (closing == NULL) {
        return;
    }
    bool was_launching = closing->launch != NULL;
    if (was_launching) {
        posix_launch_leave(closing);
    } else if (!closing->ended) {
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
    posix_process_forget_measuring(closing);
    posix_watch_close(closing->platform, &closing->end);
    posix_process_give(closing);
    *process = NULL;
}
