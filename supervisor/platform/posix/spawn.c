/*
 * A new process: vfork(2) and execve(2).
 *
 * vfork because a launch then costs the same whatever the supervisor's size, and because the child
 * can tell in shared memory why it failed. The parent stands still until the child has executed the
 * program or has ended, so the child may use the parent's memory as long as it calls only what
 * signal-safety(7) allows and never returns. posix_spawn(3) can neither set a resource limit nor
 * say which step failed.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHANNEL_IN_CHILD 3
#define EXIT_NOT_EXECUTED 127

/* Written by the child in the parent's memory. */
struct failure {
    const char *volatile call;
    volatile int code;
};

_Noreturn static void give_up(struct failure *failure, const char *call) {
    failure->code = errno;
    failure->call = call;
    _exit(EXIT_NOT_EXECUTED);
}

static void reset_signals(const struct platform *platform) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < platform->ignored_count; i++) {
        sigaction(platform->ignored[i], &standard, NULL);
    }
}

_Noreturn static void run_child(const struct spawn *spawn, struct failure *failure) {
    const struct platform *platform = spawn->platform;
    const struct platform_program *program = spawn->program;
    if (setpgid(0, 0) != 0) {
        give_up(failure, "setpgid");
    }
    /* All sources are above 2, since the platform keeps 0 to 2 occupied; the channel comes last,
     * because its number in the child may be one of the other sources. */
    if (dup2(platform->null_device, 0) < 0 || dup2(spawn->output, 1) < 0 ||
        dup2(spawn->output, 2) < 0) {
        give_up(failure, "dup2");
    }
    if (spawn->channel == CHANNEL_IN_CHILD) {
        if (fcntl(CHANNEL_IN_CHILD, F_SETFD, 0) != 0) {
            give_up(failure, "fcntl");
        }
    } else if (dup2(spawn->channel, CHANNEL_IN_CHILD) < 0) {
        give_up(failure, "dup2");
    }
    if (program->directory != NULL && chdir(program->directory) != 0) {
        give_up(failure, "chdir");
    }
    if (setrlimit(RLIMIT_NOFILE, &platform->original_descriptors) != 0) {
        give_up(failure, "setrlimit");
    }
    reset_signals(platform);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(program->path, program->argv, program->environment);
    give_up(failure, "execve");
}

/* execve(2) says EACCES for a file that nobody may execute and for one that others may. */
static int not_executed(const struct platform_program *program, struct baton_cause *cause,
                        const struct failure *failure) {
    int result = failed(cause, failure->call, failure->code);
    struct stat status;
    if (failure->code == EAGAIN) { /* the user's limit of processes, RLIMIT_NPROC */
        return BATON_SHORTAGE;
    }
    if (failure->code == EACCES && stat(program->path, &status) == 0 &&
        (!S_ISREG(status.st_mode) || (status.st_mode & 0111) == 0)) {
        return BATON_NOT_EXECUTABLE;
    }
    return result;
}

int spawn_process(const struct spawn *spawn, pid_t *pid, struct baton_cause *cause) {
    struct failure failure = {NULL, 0};
    /* The analyzer wants posix_spawn, and after vfork nothing but execve: the top of this file
     * tells why neither will do.
     * NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    pid_t child = vfork();
    if (child == 0) {
        run_child(spawn, &failure);
    }
    /* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    if (child < 0) {
        int code = errno;
        int result = failed(cause, "vfork", code);
        return code == EAGAIN ? BATON_SHORTAGE : result;
    }
    if (failure.call != NULL) {
        siginfo_t info;
        while (waitid(P_PID, (id_t)child, &info, WEXITED) != 0 && errno == EINTR) {
        }
        return not_executed(spawn->program, cause, &failure);
    }
    *pid = child;
    return BATON_OK;
}
