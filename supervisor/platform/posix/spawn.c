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
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Out of the way of the places below `end`. */
static int move_away(int descriptor, int end, struct failure *failure) {
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, end);
    if (moved < 0) {
        errno = errno == EINVAL ? EMFILE : errno; /* `end` itself is above the limit */
        give_up(failure, "fcntl");
    }
    return moved;
}

static void place(int descriptor, int where, struct failure *failure) {
    if (descriptor != where) {
        if (dup2(descriptor, where) < 0) {
            give_up(failure, "dup2");
        }
    } else if (fcntl(where, F_SETFD, 0) != 0) { /* dup2 would leave close-on-exec set */
        give_up(failure, "fcntl");
    }
}

/* Listeners at 3, 4, ... and the channel after them. Their own numbers may be among these. */
static void place_passed(const struct spawn *spawn, struct failure *failure) {
    int *listeners = spawn->program->listeners;
    int count = (int)spawn->program->listener_count;
    int end = FIRST_PASSED_DESCRIPTOR + count;
    int channel = spawn->channel;
    for (int i = 0; i < count; i++) {
        if (listeners[i] < end && listeners[i] != FIRST_PASSED_DESCRIPTOR + i) {
            listeners[i] = move_away(listeners[i], end, failure);
        }
    }
    if (channel >= 0 && channel < end) {
        channel = move_away(channel, end, failure);
    }
    for (int i = 0; i < count; i++) {
        place(listeners[i], FIRST_PASSED_DESCRIPTOR + i, failure);
    }
    if (channel >= 0) {
        place(channel, end, failure);
    }
}

/* LISTEN_PID is the pid of who shall take the descriptors, which nobody knows but the child. */
static void write_own_pid(char *out) {
    char digits[16];
    size_t count = 0;
    for (pid_t rest = getpid(); rest > 0; rest /= 10) {
        digits[count++] = (char)('0' + rest % 10);
    }
    while (count > 0) {
        *out++ = digits[--count];
    }
    *out = '\0';
}

_Noreturn static void run_child(const struct spawn *spawn, struct failure *failure) {
    const struct platform *platform = spawn->platform;
    const struct platform_program *program = spawn->program;
    if (setpgid(0, 0) != 0) {
        give_up(failure, "setpgid");
    }
    /* All sources are above 2, since the platform keeps 0 to 2 occupied; what is passed at higher
     * numbers comes last, because these may be the numbers of the other sources. */
    if (dup2(spawn->input, 0) < 0 || dup2(spawn->output, 1) < 0 || dup2(spawn->error, 2) < 0) {
        give_up(failure, "dup2");
    }
    place_passed(spawn, failure);
    if (program->listen_pid != NULL) {
        write_own_pid(program->listen_pid);
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
    execve(program->path, spawn->argv, program->environment);
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
    if (failure->code == EACCES && strcmp(failure->call, "execve") == 0 &&
        stat(program->path, &status) == 0 &&
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
