/* A program of ours that is asked something: posix_spawn(3), and a pipe for its answer. */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ANSWER_DESCRIPTOR 3
#define READ_BYTES 16384u

/* Everything that comes; *bytes grows. BATON_OK, BATON_NO_MEMORY, BATON_SYSTEM. */
static int read_answer(int descriptor, char **bytes, size_t *length, struct baton_cause *cause) {
    size_t capacity = 0;
    for (;;) {
        if (capacity - *length < READ_BYTES) {
            capacity = 2 * capacity + READ_BYTES;
            char *grown = realloc(*bytes, capacity);
            if (grown == NULL) {
                return BATON_NO_MEMORY;
            }
            *bytes = grown;
        }
        ssize_t got = read(descriptor, *bytes + *length, capacity - *length);
        if (got == 0) {
            return BATON_OK;
        }
        if (got < 0 && errno != EINTR) {
            return posix_failed(cause, "read");
        }
        *length += got < 0 ? 0 : (size_t)got;
    }
}

static void describe_files(posix_spawn_file_actions_t *files, int answer, bool is_quiet) {
    posix_spawn_file_actions_init(files);
    for (int stream = 0; stream <= 2 && is_quiet; stream++) {
        posix_spawn_file_actions_addopen(files, stream, "/dev/null", O_RDWR, 0);
    }
    /* To itself, too, that takes FD_CLOEXEC off. */
    posix_spawn_file_actions_adddup2(files, answer, ANSWER_DESCRIPTOR);
}

static int start(const char *path, char *const *argv, int answer, bool is_quiet, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    describe_files(&files, answer, is_quiet);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int code = posix_spawn(pid, path, &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return code;
}

/* The loop may have reaped it, when this is another thread. */
static int await(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return 0;
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int platform_ask_program(const char *path, char *const *argv, bool is_quiet, char **bytes,
                         size_t *length, int *code, struct baton_cause *cause) {
    int ends[2];
    pid_t pid;
    *cause = (struct baton_cause){0};
    *bytes = NULL;
    *length = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return posix_failed(cause, "pipe2");
    }
    int failed = start(path, argv, ends[1], is_quiet, &pid);
    close(ends[1]);
    if (failed != 0) {
        close(ends[0]);
        return posix_failed_with(cause, "posix_spawn", failed);
    }
    int result = read_answer(ends[0], bytes, length, cause);
    close(ends[0]);
    *code = await(pid);
    return result;
}

bool platform_answer_begin(void) {
    struct pollfd asker = {.fd = ANSWER_DESCRIPTOR, .events = POLLOUT};
    /* Who has ended before is seen by the pipe. */
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&asker, 1, 0) >= 0 &&
           (asker.revents & (POLLERR | POLLNVAL)) == 0;
}

bool platform_answer(const char *bytes, size_t length) {
    ssize_t written = 0;
    while (length > 0 && (written >= 0 || errno == EINTR)) {
        written = write(ANSWER_DESCRIPTOR, bytes, length);
        bytes += written < 0 ? 0 : written;
        length -= written < 0 ? 0 : (size_t)written;
    }
    return length == 0;
}
