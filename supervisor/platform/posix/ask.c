/* A program of ours that is asked something: posix_spawn(3), and a pipe for its answer. */
#include "platform/posix/internal.h"
#include "platform/posix/work.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define ANSWER_DESCRIPTOR 3
#define READ_BYTES 16384u
#define ANSWER_MAX_BYTES (512u * 1024u * 1024u)
/* How long a program may take to end when it has answered, where there is a bound of its time, or
 * was killed. */
#define END_US 1000000u
#define LOOK_MS 10

#define SIGNAL_CODE 128 /* and the signal's number, as of a shell */

/* Who was reaped last of those whom the loop does not know, in the upper half, and his exit code.
 */
static _Atomic uint64_t last_stray;
static _Atomic pid_t asked; /* 0 = none is, or we wait for it as long as it takes */

/* False when the time is over. */
static bool await_piece(int descriptor, uint64_t deadline_us) {
    int left_ms = -1;
    struct pollfd piece = {.fd = descriptor, .events = POLLIN};
    if (deadline_us != PLATFORM_WAIT_FOREVER) {
        uint64_t now_us = posix_clock_us(CLOCK_MONOTONIC);
        left_ms = now_us < deadline_us ? (int)((deadline_us - now_us) / 1000u) + 1 : 0;
    }
    return poll(&piece, 1, left_ms) != 0;
}

/* Everything that comes; *bytes grows. BATON_OK, BATON_NO_MEMORY, BATON_SYSTEM. */
static int read_answer(int descriptor, uint64_t deadline_us, char **bytes, size_t *length,
                       struct baton_cause *cause) {
    size_t capacity = 0;
    for (;;) {
        if (!await_piece(descriptor, deadline_us)) {
            return posix_failed_with(cause, "waiting for its answer", ETIMEDOUT);
        }
        if (*length > ANSWER_MAX_BYTES) {
            return posix_failed_with(cause, "reading its answer", EFBIG);
        }
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

/* Who is asked beside the loop is to be ended with all that it has begun: it leads a group. At the
 * start it is a part of ours, for the terminal's sake. */
static int start(const char *path, char *const *argv, int answer, bool is_quiet, pid_t *pid) {
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    describe_files(&files, answer, is_quiet);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                  (is_quiet ? POSIX_SPAWN_SETPGROUP : 0)));
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    int code = posix_spawn(pid, path, &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return code;
}

/* It was not reaped, so the number is its own. */
static bool is_alive(pid_t pid) {
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

/* The loop says so just behind reaping it; and who was reaped next may be in its place. */
static int code_of_reaped(pid_t pid) {
    uint64_t stray = 0;
    for (uint32_t i = 0; i < END_US / 1000 / LOOK_MS && (pid_t)(stray >> 32) != pid; i++) {
        (void)poll(NULL, 0, i == 0 ? 0 : LOOK_MS);
        stray = atomic_load(&last_stray);
    }
    return (pid_t)(stray >> 32) == pid ? (int)(uint32_t)stray : 0;
}

/* The loop may reap it, when this is another thread. */
static int await(pid_t pid) {
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return code_of_reaped(pid);
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_CODE + WTERMSIG(status);
}

void posix_ask_note_end(pid_t pid, const struct platform_exit *how) {
    uint64_t code = (how->by_signal ? SIGNAL_CODE : 0u) + how->code;
    atomic_store(&last_stray, (uint64_t)pid << 32 | code);
}

/* It has a moment to end. */
static void await_a_moment(pid_t pid) {
    uint64_t until_us = posix_clock_us(CLOCK_MONOTONIC) + END_US;
    while (is_alive(pid) && posix_clock_us(CLOCK_MONOTONIC) < until_us) {
        (void)poll(NULL, 0, LOOK_MS);
    }
}

static void end(pid_t pid) {
    if (is_alive(pid)) {
        kill(-pid, SIGKILL);
        kill(pid, SIGKILL);
    }
}

void posix_ask_cancel(void) {
    pid_t pid = atomic_load(&asked);
    if (pid != 0) {
        end(pid);
    }
}

int platform_ask_program(const char *path, char *const *argv, bool is_quiet, uint32_t patience_ms,
                         char **bytes, size_t *length, int *code, struct baton_cause *cause) {
    const uint64_t deadline_us =
        patience_ms == 0 ? PLATFORM_WAIT_FOREVER
                         : posix_clock_us(CLOCK_MONOTONIC) + (uint64_t)patience_ms * 1000u;
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
    atomic_store(&asked, is_quiet ? pid : 0);
    int result = read_answer(ends[0], deadline_us, bytes, length, cause);
    close(ends[0]);
    if (result == BATON_OK && patience_ms != 0) {
        await_a_moment(pid);
    }
    if (result != BATON_OK || patience_ms != 0) {
        end(pid);
        await_a_moment(pid);
    }
    /* Whom the system holds in a call, as of a file server that is silent, does not end by SIGKILL
     * either: then the loop reaps it some day. */
    *code = patience_ms != 0 && is_alive(pid) ? 0 : await(pid);
    atomic_store(&asked, 0);
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
