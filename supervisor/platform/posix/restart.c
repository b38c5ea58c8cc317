/*
 * Restart in place: execve(2). Two files in memory (memfd_create(2)) have the snapshot and what
 * goes with it. The old program is kept open as well, for the case that the new one cannot go on.
 */
#include "core/base/text.h"
#include "platform/posix/held.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

/* In the environment of the new program: the descriptors of snapshot, extra and old program, its
 * file, and where this is the old one once more, why; each but the numbers on a line. */
#define VARIABLE "BATON_RESTARTED"
#define REASON_BYTES 512u
#define VALUE_BYTES (PATH_MAX + REASON_BYTES + 64u)

const bool platform_restarts = true;

/* ---- In the old program ---- */

static char started_file[PATH_MAX];

/* What execve(2) was called with, getauxval(3). Of the old one that was started by its descriptor
 * that is another, but then it is known. */
const char *platform_started_file(void) {
    const char *started = (const char *)getauxval(AT_EXECFN);
    if (platform_restarted() == NULL && started_file[0] == '\0' && started != NULL &&
        (platform_path_absolute(started, started_file, sizeof started_file) != BATON_OK ||
         strchr(started_file, '\n') != NULL || access(started_file, X_OK) != 0)) {
        started_file[0] = '\0';
    }
    return started_file[0] == '\0' ? NULL : started_file;
}

/* What was read, and not told yet, would be lost: a signal, a file that has changed. A thread that
 * is in a call which no signal ends could not be ended, and execve(2) would wait for it. */
bool platform_restart_is_quiet(struct platform *platform) {
    const bool *due = platform->is_due;
    if (platform->files.notify.descriptor >= 0) {
        posix_files_take_reports(platform);
    }
    return !due[DUE_STOP] && !due[DUE_HANGUP] && !due[DUE_RESTART] && platform->first_due == NULL &&
           platform->first_late == NULL && platform->work == NULL &&
           !closer_await(platform->closer, true) && !closer_await(platform->ender, true) &&
           posix_launchers_are_idle(platform) && posix_carriers_are_idle(platform);
}

static int make_file(const char *name, struct baton_cause *cause) {
    int file = memfd_create(name, MFD_CLOEXEC);
    if (file < 0) {
        (void)posix_failed(cause, "memfd_create");
    }
    return file;
}

/* The files come first, whose place what was ended gets if it has to begin again. */
static struct { int snapshot, extra, old; /* -1 = it is not there */ } going = {-1, -1, -1};

int platform_restart_summon(const char *path, char *const *argv, uint32_t patience_ms, int *code,
                            struct baton_cause *cause) {
    (void)path;
    (void)argv;
    (void)patience_ms;
    *code = 0;
    *cause = (struct baton_cause){NULL, 0};
    return BATON_UNSUPPORTED;
}

int platform_restart_begin(struct platform *platform, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    going.snapshot = make_file("baton-snapshot", cause);
    going.extra = going.snapshot < 0 ? -1 : make_file("baton-config", cause);
    if (going.extra < 0) {
        return BATON_SHORTAGE;
    }
    going.old = open(platform_own_program, O_PATH | O_CLOEXEC);
    if (going.old < 0) {
        return posix_failed(cause, "open /proc/self/exe");
    }
    posix_launchers_close(platform);
    return posix_threads_end(platform, cause);
}

void platform_restart_cancel(struct platform *platform) {
    posix_protect_descriptors();
    posix_close_descriptor(&going.snapshot);
    posix_close_descriptor(&going.extra);
    posix_close_descriptor(&going.old);
    posix_threads_resume(platform);
}

/* ---- Becoming another program ---- */

int platform_restart_go(struct platform *platform, struct platform_successor *successor,
                        struct baton_cause *cause) {
    char value[VALUE_BYTES];
    const struct snapshot *snapshot = successor->snapshot;
    (void)platform;
    if (!posix_write_all(going.snapshot, snapshot->bytes, snapshot->used_bytes) ||
        !posix_write_all(going.extra, successor->extra, successor->extra_bytes)) {
        return posix_failed(cause, "write");
    }
    if (!posix_capabilities_make_ambient()) {
        return posix_failed(cause, "capset");
    }
    posix_keep_open(going.snapshot);
    posix_keep_open(going.extra);
    posix_keep_open(going.old);
    text_format(value, sizeof value, "%d %d %d %s\n", going.snapshot, going.extra, going.old,
                successor->path);
    if (setenv(VARIABLE, value, 1) == 0) {
        execve(successor->path, successor->argv, environ);
    }
    (void)posix_failed(cause, "execve");
    posix_capabilities_end_ambient();
    unsetenv(VARIABLE);
    return BATON_SYSTEM;
}

/* ---- In the new program ---- */

static struct {
    bool was_asked, is_there;
    int files[3]; /* snapshot, extra, old program; -1 = there is none */
    struct platform_restarted what;
    char reason[REASON_BYTES];
    int *inherited; /* what was open then; owned */
    size_t inherited_count;
} restarted = {.files = {-1, -1, -1}};

static void note_inherited(void *context, const char *name) {
    (void)context;
    int descriptor = (int)strtoul(name, NULL, 10);
    int *grown =
        realloc(restarted.inherited, (restarted.inherited_count + 1) * sizeof *restarted.inherited);
    if (grown != NULL && descriptor > STDERR_FILENO && fcntl(descriptor, F_GETFD) == 0) {
        grown[restarted.inherited_count++] = descriptor;
    }
    restarted.inherited = grown != NULL ? grown : restarted.inherited;
}

/* Maps it, since it may be large and is read once. */
static const char *map_file(int file, size_t *length) {
    struct stat status;
    *length = 0;
    if (file < 0 || fstat(file, &status) != 0 || status.st_size == 0) {
        return NULL;
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (bytes == MAP_FAILED) {
        return NULL;
    }
    *length = (size_t)status.st_size;
    return bytes;
}

static void find_left(void) {
    const char *value = getenv(VARIABLE);
    char *at;
    if (value == NULL) {
        return;
    }
    for (size_t i = 0; i < 3; i++) {
        restarted.files[i] = (int)strtol(value, &at, 10);
        value = at;
    }
    size_t path_bytes = strcspn(value + (*value == ' '), "\n");
    text_format(started_file, sizeof started_file, "%.*s", (int)path_bytes,
                value + (*value == ' '));
    value += strcspn(value, "\n");
    text_format(restarted.reason, sizeof restarted.reason, "%s", value + (*value == '\n'));
    unsetenv(VARIABLE);
    (void)platform_directory_list("/proc/self/fd", note_inherited, NULL, &posix_ignored);
    struct platform_restarted *what = &restarted.what;
    what->snapshot = map_file(restarted.files[0], &what->snapshot_bytes);
    what->extra = map_file(restarted.files[1], &what->extra_bytes);
    what->pid = platform_own_pid();
    what->failure = restarted.reason[0] == '\0' ? NULL : restarted.reason;
    restarted.is_there = what->snapshot != NULL || what->extra != NULL;
    if (!restarted.is_there) { /* somebody else has set it */
        started_file[0] = '\0';
    }
}

const struct platform_restarted *platform_restarted(void) {
    if (!restarted.was_asked) {
        restarted.was_asked = true;
        find_left();
    }
    return restarted.is_there ? &restarted.what : NULL;
}

static void unmap(const char **bytes, size_t *length) {
    if (*bytes != NULL) {
        munmap((void *)(uintptr_t)*bytes, *length);
        *bytes = NULL;
        *length = 0;
    }
}

void platform_restart_forget(void) {
    struct platform_restarted *what = &restarted.what;
    restarted.is_there = false;
    unmap(&what->snapshot, &what->snapshot_bytes);
    unmap(&what->extra, &what->extra_bytes);
    for (size_t i = 0; i < 3; i++) {
        posix_close_descriptor(&restarted.files[i]);
    }
    for (size_t i = 0; i < restarted.inherited_count; i++) {
        /* What is adopted is close-on-exec, and what is not wanted any more is left as it was. */
        if (fcntl(restarted.inherited[i], F_GETFD) == 0) {
            close(restarted.inherited[i]);
        }
    }
    free(restarted.inherited);
    restarted.inherited = NULL;
    restarted.inherited_count = 0;
}

/* As after a crash: what handlers have is theirs, and the rest is closed. */
static void start_anew(char *const *argv) {
    const char *keeper = getenv("BATON_KEEPER");
    unsetenv(VARIABLE);
    posix_protect_descriptors();
    if (keeper != NULL) {
        posix_keep_open((int)strtol(keeper, NULL, 10));
    }
    execve(platform_own_program, argv, environ);
}

void platform_restart_fall_back(char *const *argv, const char *reason) {
    char value[VALUE_BYTES];
    if (!restarted.is_there) {
        return;
    }
    if (restarted.files[2] >= 0 && restarted.what.failure == NULL &&
        posix_capabilities_make_ambient()) {
        posix_protect_descriptors(); /* what was opened since is not for it */
        for (size_t i = 0; i < restarted.inherited_count; i++) {
            posix_keep_open(restarted.inherited[i]);
        }
        fcntl(restarted.files[1], F_SETFD, FD_CLOEXEC);
        fcntl(restarted.files[2], F_SETFD, FD_CLOEXEC);
        text_format(value, sizeof value, "%d -1 -1 %s\n%s", restarted.files[0], started_file,
                    reason);
        if (setenv(VARIABLE, value, 1) == 0) {
            (void)syscall(SYS_execveat, restarted.files[2], "", argv, environ, AT_EMPTY_PATH);
        }
    }
    start_anew(argv);
}
