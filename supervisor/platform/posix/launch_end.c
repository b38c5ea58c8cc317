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
static void forget_child(struct platform *platform, struct launch *launch) {
    struct platform_exit ignored;
    if (launch->request->pid > 0 && !launch->is_reaped) {
        (void)posix_child_reap(platform, launch->request->pid, &ignored);
    }
}

/* Where there is no process or memory for a child, its launcher makes room for one. */
static int failed_to_clone(struct platform *platform, struct launch *launch,
                           struct baton_cause *cause) {
    int code = launch->request->code;
    int result = posix_failed_with(cause, "clone", code);
    if (code == EAGAIN || code == ENOMEM) {
        launch->launcher->is_tired = true;
        posix_launchers_note_short(platform);
    }
    return code == EAGAIN ? BATON_SHORTAGE : result;
}

/* A step has. Its launcher has found out why, if it was not killed before. */
static int failed(const struct launch_request *request, struct baton_cause *cause) {
    *cause = request->cause;
    return request->result != BATON_OK
               ? request->result
               : posix_failed_with(cause, posix_plan_step_name(request->failure.step),
                                   request->failure.code);
}

/* Of a dead launcher, what nobody has taken is known, and is no more where it was. */
static void take_back(const struct launch *launch, int *back) {
    const struct handover *handover = &launch->request->handover;
    if (!launch->launcher->is_dead || handover->was_taken) {
        (void)posix_handover_take_back(launch->launcher->handover, handover, back);
    }
}

/* How it went; BATON_AGAIN: it has not been, for no fault of its own. `*back`: the connection that
 * was handed over and is ours again, or -1. */
static int judge(struct platform *platform, struct launch *launch, int *back,
                 struct baton_cause *cause) {
    struct launch_request *request = launch->request;
    bool has_failed = request->failure.step != NULL;
    *back = -1;
    if (launch->launcher->is_dead && launch->came_back) {
        /* Its child, if there is one, finds nothing to take. */
        if (request->pid > 0 && !launch->is_reaped) {
            kill(request->pid, SIGKILL);
        }
        forget_child(platform, launch);
        *back = launch->back;
        return BATON_AGAIN;
    }
    if (request->pid == 0 || has_failed) {
        take_back(launch, back);
        forget_child(platform, launch);
        return request->code != 0 ? failed_to_clone(platform, launch, cause)
               : has_failed       ? failed(request, cause)
                                  : BATON_AGAIN;
    }
    if (request->handover.was_taken || request->handover.count == 0) {
        return BATON_OK;
    }
    if (launch->launcher->is_dead) {
        return BATON_OK; /* it is just taking it, and has not said so yet */
    }
    request->handover.returns_first = false; /* it was killed before it took what is its own */
    take_back(launch, back);
    return BATON_OK;
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
    if (process->ended) {
        posix_process_tell_end(process);
        return;
    }
    if (posix_process_ends_early(process)) {
        return; /* no descriptor was made for its end, and what it has said is read then */
    }
    if (channel->descriptor >= 0 && posix_watch_set(platform, channel, EPOLLIN) != 0) {
        /* Without a place in the loop it says nothing, and its time passes. */
        posix_watch_forget(platform, channel);
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
    struct launch *launch = ending->launch;
    struct preparation p = launch->prepared;
    int back;
    *out = (struct platform_launched){.socket = PLATFORM_SOCKET_NONE};
    *cause = (struct baton_cause){0};
    int result = judge(platform, launch, &back, cause);
    int code = launch->request->handover.return_code;
    ending->pid = launch->request->pid;
    ending->launcher_peak_kib = launch->request->peak_kib;
    posix_launchers_end(platform, launch);
    if (result == BATON_OK) {
        posix_launch_complete(ending, &p, out);
        out->has_taken_socket = p.handover.returns_first;
        begin(platform, ending);
        return BATON_OK;
    }
    posix_launch_give_up(platform, ending, &p);
    *process = NULL;
    out->explained = launch->request->explained;
    out->explanation = launch->request->explanation;
    if (back >= 0) {
        posix_own(platform, back, 0); /* no program has had it */
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

void posix_launch_abandon(struct platform *platform, struct launch *launch) {
    struct preparation p = launch->prepared;
    struct baton_cause ignored;
    int back;
    pid_t pid = launch->request->pid;
    int result = judge(platform, launch, &back, &ignored);
    posix_let_go(platform, back);
    if (result == BATON_OK && !launch->is_reaped) {
        kill(pid, SIGKILL); /* it is reaped like a stray */
        kill(-pid, SIGKILL);
    }
    if (result == BATON_OK && p.log != NULL) {
        posix_pipe_begin(p.log, pid);
        posix_pipe_end(p.log);
        p.log = NULL;
    }
    posix_launchers_end(platform, launch);
    posix_launch_give_up(platform, NULL, &p);
}

void posix_launch_leave(struct platform_process *process) {
    struct launch *launch = process->launch;
    platform_process_signal(process, PLATFORM_KILL);
    process->launch = NULL;
    launch->process = NULL;
    if (launch->is_over) {
        posix_launch_abandon(process->platform, launch);
    }
}

/* The rest is done when it is there. A launcher that is held may be stopped. */
void posix_launch_signal(struct platform_process *process, enum platform_signal how) {
    struct launch *launch = process->launch;
    pid_t pid = launch->request->pid;
    process->signals |= (uint8_t)(1u << how);
    if (how == PLATFORM_KILL && pid > 0 && !launch->is_reaped) {
        kill(pid, SIGKILL);
    }
}

/* The group, too, while the dead leader keeps its number. */
void posix_launch_take_end(struct platform *platform, struct launch *launch) {
    struct platform_process *process = launch->process;
    struct platform_exit ignored;
    pid_t pid = launch->request->pid;
    if (process == NULL || !process->leaves_children) {
        kill(-pid, SIGKILL);
    }
    if (posix_child_reap(platform, pid, process != NULL ? &process->exit : &ignored)) {
        launch->is_reaped = true;
        if (process != NULL) {
            posix_process_note_end(process);
        }
    }
}
