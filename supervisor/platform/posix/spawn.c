/*
 * A new process: clone(2), in the supervisor's memory, and in the child the steps of its plan up to
 * execve(2), until which the supervisor stands still. handover.c tells what becomes of the
 * descriptors.
 *
 * In that manner because a launch then costs the same whatever the supervisor's size, and because
 * the child can tell in shared memory why it failed; plan.h says what that asks of the steps.
 * vfork(2) would copy the table, and wait whatever happened to the child; posix_spawn(3) can
 * neither set a resource limit nor say which step failed.
 */
#include "platform/posix/internal.h"
#include "platform/posix/quiet.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXIT_NOT_EXECUTED 127

/* On 32 bits the older number takes a time of 32 bits, whatever libc's has. */
#if defined SYS_futex_time64 && !defined __LP64__
#define CALL_FUTEX (sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex)
#else
#define CALL_FUTEX SYS_futex
#endif

/* execve(2) says EACCES for a file that nobody may execute and for one that others may. */
static bool nobody_may_execute(const char *path) {
    int result = platform_probe_program(NULL, path);
    return result == BATON_INVALID || result == BATON_NOT_EXECUTABLE;
}

int posix_not_executed(const struct plan *plan, const struct plan_failure *failure,
                       struct baton_cause *cause) {
    const struct step *step = failure->step;
    int result = posix_failed_with(cause, posix_plan_step_name(step), failure->code);
    /* RLIMIT_NPROC of the user that the program runs as; and its file, which is being written. */
    if (failure->code == EAGAIN || failure->code == ETXTBSY ||
        (plan->is_limited && result == BATON_SHORTAGE)) {
        return BATON_LIMIT;
    }
    if (step->kind == STEP_EXECUTE && failure->code == EACCES &&
        nobody_may_execute(step->execute.path)) {
        return BATON_NOT_EXECUTABLE;
    }
    return result;
}

/* Runs in the supervisor's memory, on a stack of its own. */
struct child {
    const struct plan *plan;
    const struct spawn *spawn;
    struct plan_failure *failure;
};

static int walk(void *argument) {
    const struct child *child = argument;
    posix_plan_walk(child->plan, child->spawn, child->failure);
    return EXIT_NOT_EXECUTED;
}

/* One child at a time, for who has made it stands still meanwhile. */
static _Alignas(64) char stack[64 * 1024];

/* How soon it is looked whether a child that does not come on was stopped, and how often one may
 * be. */
#define PATIENCE_NS 2000000
#define STOPS_MAX_COUNT 4u

/* Waits for a change of `*tid` or PATIENCE_NS, and leaves errno to the child. */
static void wait_for_change(volatile uint32_t *tid) {
#if POSIX_CALLS_QUIETLY
    const struct timespec patience = {.tv_nsec = PATIENCE_NS};
    posix_call_quietly(CALL_FUTEX, (long)(uintptr_t)tid, FUTEX_WAIT, 1, (long)(uintptr_t)&patience);
#else
    const struct timespec moment = {.tv_nsec = PATIENCE_NS / 20};
    (void)tid;                                                /* there is nothing to be woken by */
    (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &moment, NULL); /* returns what it has to say */
#endif
}

/* Until the child has a memory of its own, or has ended: the kernel clears `*tid` then and wakes
 * who waits for it (CLONE_CHILD_CLEARTID, set_tid_address(2)). This is what CLONE_VFORK is for, but
 * that waits whatever happens; and where the child has another user's rights a moment before its
 * execve(2), any process of that user could stop it there, and the supervisor with it. Who can stop
 * a child of our own user can stop us, whatever he is confined to: until its execve(2) it has our
 * ids, our namespaces and our label, and changing its group's id, its root or its capabilities
 * alone changes nothing of that. But for the terminal: a Ctrl-Z that was for us as well may stop
 * the child when it has left our group, and what makes us go on then does not reach it.
 *
 * The child has our errno as well, and may have failed and not read it yet: until `*tid` is 0 we do
 * not write to it. (waitid(2) and kill(2) of a child that is there do not.) */
static void await_execution(volatile uint32_t *tid, pid_t pid) {
    unsigned stops_count = 0;
    while (*tid != 0) {
        wait_for_change(tid);
        if (*tid != 0 && posix_child_look(P_PID, pid, WSTOPPED) != 0) { /* stopped by SIGSTOP */
            kill(pid, ++stops_count < STOPS_MAX_COUNT ? SIGCONT : SIGKILL);
        }
    }
}

static pid_t begin_clone(struct child *child, int *pidfd) {
    static volatile uint32_t tid;
    const struct step *oom = posix_plan_find(child->plan, STEP_OOM);
    int score = oom != NULL ? posix_plan_open_oom(oom) : -1;
    if (oom != NULL && score < 0) {
        child->failure->step = oom;
        return -1;
    }
    bool is_as_free = posix_plan_find(child->plan, STEP_UID) == NULL &&
                      posix_plan_find(child->plan, STEP_TERMINAL) == NULL;
    tid = is_as_free ? 0 : 1;
    pid_t pid =
        clone(walk, stack + sizeof stack,
              CLONE_VM | CLONE_PIDFD | SIGCHLD | (child->spawn->table_end > 0 ? CLONE_FILES : 0) |
                  (is_as_free ? CLONE_VFORK : CLONE_CHILD_CLEARTID),
              child, pidfd, NULL, &tid);
    if (pid > 0) {
        await_execution(&tid, pid); /* not at all where clone(2) has waited */
    }
    int code = errno;
    if (oom != NULL) {
        posix_identity_end_sharing(oom, score, pid);
    }
    errno = code;
    return pid;
}

/* In a launcher, whose table is small: who stops the child stops that alone. No oom_score_adj of
 * ours is changed by who was made by CLONE_VFORK. That the child is through is also told by the
 * kernel, for somebody may keep the launcher from saying so. */
void posix_spawn_for_parent(const struct plan *plan, const struct spawn *spawn,
                            struct plan_failure *failure, volatile pid_t *pid,
                            _Atomic uint32_t *is_walking, volatile int *code) {
    struct child child = {plan, spawn, failure};
    if (clone(walk, stack + sizeof stack,
              CLONE_VM | CLONE_VFORK | CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID |
                  SIGCHLD,
              &child, pid, NULL, is_walking) < 0) {
        *code = errno;
    }
}

/* Linux before 5.9, and valgrind, which knows no other way: whoever stops the child there stops the
 * supervisor. */
static pid_t begin_vfork(struct child *child, int *pidfd) {
    /* The analyzer wants posix_spawn, and after vfork nothing but execve: the top of this file
     * tells why neither will do.
     * NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    pid_t pid = vfork();
    if (pid == 0) {
        posix_plan_walk(child->plan, child->spawn, child->failure);
        _exit(EXIT_NOT_EXECUTED);
    }
    /* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
#ifdef SYS_pidfd_open
    if (pid > 0 && child->failure->step == NULL) {
        *pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    }
#endif
    return pid;
}

int posix_spawn_process(const struct plan *plan, const struct spawn *spawn, pid_t *pid, int *pidfd,
                        struct baton_cause *cause) {
    struct plan_failure failure = {NULL, 0};
    struct child what = {plan, spawn, &failure};
    *pidfd = -1;
    bool is_cloned = spawn->table_end > 0 || spawn->copies_by_clone;
    pid_t child = is_cloned ? begin_clone(&what, pidfd) : begin_vfork(&what, pidfd);
    if (child < 0) {
        int code = errno;
        const char *call = failure.step != NULL ? posix_plan_step_name(failure.step)
                           : is_cloned          ? "clone"
                                                : "vfork";
        int result = posix_failed_with(cause, call, code);
        return code == EAGAIN ? BATON_SHORTAGE : result;
    }
    if (failure.step != NULL) {
        posix_child_await(child);
        posix_close_descriptor(pidfd);
        return posix_not_executed(plan, &failure, cause);
    }
    *pid = child;
    return BATON_OK;
}
