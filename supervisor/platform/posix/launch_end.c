/*
 * The end of a launch that a launcher has made: the child is there, or what was handed over comes
 * back. launchers.h tells what may have happened.
 */
#include "platform/posix/launcher.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

/* The child is, or will be, nobody's: the walk over the children reaps it, if it is not dead yet.
 */
static void forget_child(struct platform *platform, struct launcher *launcher) {
    struct platform_exit ignored;
    if (launcher->page->pid > 0 && !launcher->is_reaped) {
        (void)posix_child_reap(platform, launcher->page->pid, &ignored);
    }
}

static int failed_to_clone(const struct launch_page *page, struct baton_cause *cause) {
    int code = page->code != 0 ? page->code : EAGAIN; /* or the launcher was killed before */
    int result = posix_failed_with(cause, "clone", code);
    return code == EAGAIN ? BATON_SHORTAGE : result;
}

/* How it went. `*back`: the connection that was handed over and is ours again, or -1. `program`:
 * NULL = it may be gone, and why it failed is no matter. */
static int judge(struct platform *platform, struct launcher *launcher,
                 const struct platform_program *program, int *back, struct baton_cause *cause) {
    struct launch_page *page = launcher->page;
    bool has_failed = page->failure.step != NULL;
    *back = -1;
    if (page->pid == 0 || has_failed) {
        (void)posix_handover_take_back(launcher->handover, &page->handover, back);
        forget_child(platform, launcher);
        return !has_failed       ? failed_to_clone(page, cause)
               : program == NULL ? BATON_SYSTEM
                                 : posix_not_executed(&program->plan, &page->failure, cause);
    }
    if (page->handover.was_taken || page->handover.count == 0) {
        return BATON_OK;
    }
    if (!launcher->is_dead) { /* it was killed before it took what is its own */
        page->handover.returns_first = false;
        (void)posix_handover_take_back(launcher->handover, &page->handover, back);
        return BATON_OK;
    }
    /* The launcher was killed, and its child may be just about to take it: one of us has it. */
    if (posix_handover_take_back(launcher->handover, &page->handover, back) < 0) {
        return BATON_OK;
    }
    if (!launcher->is_reaped) {
        kill(page->pid, SIGKILL);
    }
    forget_child(platform, launcher);
    return failed_to_clone(page, cause);
}

static void watch_end(struct platform *platform, struct platform_process *process) {
#ifdef SYS_pidfd_open
    process->end.descriptor = (int)syscall(SYS_pidfd_open, process->pid, 0);
#endif
    if (process->end.descriptor < 0 || posix_watch_set(platform, &process->end, EPOLLIN) != 0) {
        posix_close_descriptor(&process->end.descriptor);
        platform->has_exit_watches = false; /* SIGCHLD will do */
        platform->children_due_us = 0;
    }
}

static void begin(struct platform *platform, struct platform_process *process) {
    struct posix_watch *channel = &process->channel;
    if (channel->descriptor >= 0 && posix_watch_set(platform, channel, EPOLLIN) != 0) {
        /* Without a place in the loop it says nothing, and its time passes. */
        posix_watch_forget(platform, channel);
    }
    if (process->ended) {
        posix_process_tell_end(process);
        return;
    }
    posix_process_add(platform, process);
    watch_end(platform, process);
    for (int how = PLATFORM_TERMINATE; how <= PLATFORM_KILL; how++) {
        if ((process->signals >> how & 1) != 0) {
            platform_process_signal(process, (enum platform_signal)how);
        }
    }
}

int platform_launch_end(struct platform_process **process, struct platform_launched *out,
                        struct baton_cause *cause) {
    struct platform_process *ending = *process;
    struct platform *platform = ending->platform;
    struct launcher *launcher = ending->launcher;
    struct preparation p = launcher->prepared;
    int back;
    *out = (struct platform_launched){.socket = PLATFORM_SOCKET_NONE};
    *cause = (struct baton_cause){0};
    int result = judge(platform, launcher, ending->program, &back, cause);
    int code = launcher->page->handover.return_code;
    ending->pid = launcher->page->pid;
    posix_launchers_end(platform, launcher);
    if (result == BATON_OK) {
        posix_launch_complete(ending, &p, out);
        out->has_taken_socket = p.handover.returns_first;
        begin(platform, ending);
        return BATON_OK;
    }
    posix_launch_give_up(platform, ending, &p);
    *process = NULL;
    if (back >= 0) {
        out->socket.value = (uintptr_t)back;
    }
    out->has_taken_socket = p.handover.returns_first && back < 0;
    if (out->has_taken_socket) { /* as in the loop: why there is no other attempt comes first */
        (void)posix_failed_with(cause, "sendmsg", code != 0 ? code : EMFILE);
        return BATON_SYSTEM;
    }
    return result == BATON_SHORTAGE ? posix_short(platform) : result;
}

/* ---- Nobody waits for it any more ---- */

void posix_launch_abandon(struct platform *platform, struct launcher *launcher) {
    struct preparation p = launcher->prepared;
    struct baton_cause ignored;
    int back;
    pid_t pid = launcher->page->pid;
    int result = judge(platform, launcher, NULL, &back, &ignored);
    posix_let_go(platform, back);
    if (result == BATON_OK && !launcher->is_reaped) {
        kill(pid, SIGKILL); /* it is reaped like a stray */
        kill(-pid, SIGKILL);
    }
    if (result == BATON_OK && p.log != NULL) {
        posix_pipe_begin(p.log, pid);
        posix_pipe_end(p.log);
        p.log = NULL;
    }
    posix_launchers_end(platform, launcher);
    posix_launch_give_up(platform, NULL, &p);
}

void posix_launch_leave(struct platform_process *process) {
    struct launcher *launcher = process->launcher;
    platform_process_signal(process, PLATFORM_KILL);
    process->launcher = NULL;
    launcher->process = NULL;
    if (launcher->is_answered) {
        posix_launch_abandon(process->platform, launcher);
    }
}

/* The rest is done when it is there. A launcher that is held may be stopped. */
void posix_launch_signal(struct platform_process *process, enum platform_signal how) {
    struct launcher *launcher = process->launcher;
    pid_t pid = launcher->page->pid;
    process->signals |= (uint8_t)(1u << how);
    if (how != PLATFORM_KILL || launcher->is_reaped) {
        return;
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
    } else if (launcher->is_held && !launcher->is_answered) {
        kill(launcher->pid, SIGKILL);
    }
}

/* The group, too, while the dead leader keeps its number. */
void posix_launch_take_end(struct platform *platform, struct launcher *launcher) {
    struct platform_process *process = launcher->process;
    struct platform_exit ignored;
    pid_t pid = launcher->page->pid;
    if (process == NULL || !process->leaves_children) {
        kill(-pid, SIGKILL);
    }
    if (posix_child_reap(platform, pid, process != NULL ? &process->exit : &ignored)) {
        launcher->is_reaped = true;
        if (process != NULL) {
            process->ended = true;
            posix_channel_measure(process);
        }
    }
}
