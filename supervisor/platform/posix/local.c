/*
 * Local sockets: unix(7). What makes them harder than others is that their names are files, which
 * outlive who listens, and which anybody may exchange who may write to the folder.
 *
 * The file has its mode from the moment it exists, by the mode of the socket itself (fchmod(2)
 * before bind(2)) and the umask, which one thread may change for a moment; the umask alone would
 * not do in a folder with a default ACL (acl(5)). Its owner is set before listen(2), so nobody has
 * been let in by the wrong one.
 *
 * A stale file is replaced under a lock, so that of several supervisors that find it one gets the
 * place. The lock is a file of its own, which is there for that moment: the folder itself any user
 * could lock who may open it. No temporary name that is renamed into place: the later one would
 * silently take the place of the earlier one, and ss(8) would show a name that is not there. And
 * nothing is put aside to be looked at: a third could take the place meanwhile. One that is bound
 * but does not listen yet looks as if nobody listened on it any more; it gets a moment to begin,
 * and looks itself, when it listens, whether it is still there.
 */
#include "core/base/text.h"
#include "platform/posix/held.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MODE_BITS 0777u
#define BIND_TO_LISTEN_MS 20
_Static_assert((uid_t)-1 == IDENTITY_SAME, "chown(2): leaves it alone");

/* ---- Who listens ---- */

static bool name_file(const char *path, struct sockaddr_un *out) {
    size_t path_bytes = strlen(path) + 1;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path_bytes > sizeof out->sun_path) {
        return false;
    }
    memcpy(out->sun_path, path, path_bytes);
    return true;
}

/* Somebody who listens sees us come and go. */
static int probe(const char *path, bool *is_listening, struct baton_cause *cause) {
    struct sockaddr_un name;
    if (!name_file(path, &name)) {
        return BATON_TOO_LONG;
    }
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client < 0) {
        return posix_failed(cause, "socket");
    }
    *is_listening =
        connect(client, (const struct sockaddr *)&name, sizeof name) == 0 || errno != ECONNREFUSED;
    close(client);
    return BATON_OK;
}

/* ---- Files ---- */

static struct file_identity identity_of(const struct stat *status) {
    /* Neither chown(2) nor rename(2) changes the time of modification. */
    return (struct file_identity){status->st_dev, status->st_ino, status->st_mtim};
}

static bool is_same_file(const struct stat *status, const struct file_identity *file) {
    return S_ISSOCK(status->st_mode) && status->st_dev == file->device &&
           status->st_ino == file->number && status->st_mtim.tv_sec == file->modified.tv_sec &&
           status->st_mtim.tv_nsec == file->modified.tv_nsec;
}

/* Removes `path` if it is `file`. BATON_OK, BATON_IN_USE if it is another, BATON_DENIED, ... */
static int remove_exactly(const char *path, const struct file_identity *file,
                          struct baton_cause *cause) {
    struct stat status;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? BATON_OK : posix_failed(cause, "lstat");
    }
    if (!is_same_file(&status, file)) {
        return BATON_IN_USE;
    }
    return unlink(path) == 0 || errno == ENOENT ? BATON_OK : posix_failed(cause, "unlink");
}

/* ---- The lock ---- */

struct lock {
    char path[PATH_MAX];
    int file;
};

/* BATON_IN_USE: somebody else is at it. */
static int lock_take(const char *path, struct lock *lock, struct baton_cause *cause) {
    struct stat status;
    int length = text_format(lock->path, sizeof lock->path, "%s.baton-lock", path);
    if (length < 0 || (size_t)length >= sizeof lock->path) {
        return BATON_TOO_LONG;
    }
    lock->file =
        open(lock->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (lock->file < 0) {
        return posix_failed(cause, "open");
    }
    /* Only who holds the lock removes its file. Without a name it is the lock of the one before. */
    if (flock(lock->file, LOCK_EX | LOCK_NB) == 0 && fstat(lock->file, &status) == 0 &&
        status.st_nlink > 0) {
        return BATON_OK;
    }
    close(lock->file);
    return BATON_IN_USE;
}

static void lock_give(struct lock *lock) {
    unlink(lock->path);
    close(lock->file);
}

/* ---- Owners ---- */

/* The file that was made, and that of no other who has its name by now; below 0: why not. */
static int open_own_file(const struct platform_listener *listener, struct baton_cause *cause) {
    struct stat status;
    int file = open(listener->plan.name.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) {
        return posix_failed(cause, "open");
    }
    if (fstat(file, &status) != 0 || !is_same_file(&status, &listener->file)) {
        close(file);
        return BATON_IN_USE;
    }
    return file;
}

static int change_owner(const struct platform_listener *listener, struct baton_cause *cause) {
    const uint32_t *owner = listener->plan.owner;
    if (owner == NULL) {
        return BATON_OK;
    }
    int file = open_own_file(listener, cause);
    if (file < 0) {
        return file;
    }
    int result = BATON_OK;
    if (fchownat(file, "", owner[0], owner[1], AT_EMPTY_PATH) != 0) {
        result = posix_failed(cause, "fchownat");
    }
    close(file);
    return result;
}

/* By what /proc calls the descriptor, as fchmod(2) takes none of O_PATH. */
static int change_mode(const struct platform_listener *listener, struct baton_cause *cause) {
    char path[32];
    int file = open_own_file(listener, cause);
    if (file < 0) {
        return file;
    }
    text_format(path, sizeof path, "/proc/self/fd/%u", (unsigned)file);
    int result =
        chmod(path, listener->plan.mode & MODE_BITS) == 0 ? BATON_OK : posix_failed(cause, "chmod");
    close(file);
    return result;
}

/* ---- Binding ---- */

/* bind(2), and umask(2) always succeeds. */
static int bind_with_mode(int descriptor, const struct sockaddr_un *name, uint32_t mode) {
    fchmod(descriptor, mode & MODE_BITS);
    mode_t before = umask(MODE_BITS & ~(mode_t)mode);
    int result = bind(descriptor, (const struct sockaddr *)name, sizeof *name);
    umask(before);
    return result;
}

/* BATON_IN_USE if the file is no socket, or one that answers. `was` gets who it is. */
static int look_at_file(const char *path, struct stat *was, struct baton_cause *cause) {
    bool listening = true;
    int result = BATON_OK;
    if (lstat(path, was) != 0) {
        return posix_failed(cause, "lstat");
    }
    if (S_ISSOCK(was->st_mode)) {
        result = probe(path, &listening, cause);
    }
    return result == BATON_OK && listening ? BATON_IN_USE : result;
}

/* So old that who bound it would have listened by now. */
static bool is_old(const struct stat *status) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_ms = ((int64_t)now.tv_sec - status->st_mtim.tv_sec) * 1000 +
                     (now.tv_nsec - status->st_mtim.tv_nsec) / 1000000;
    return age_ms > BIND_TO_LISTEN_MS;
}

/* The name is taken. BATON_OK when it has been made free. */
static int remove_stale(const char *path, struct baton_cause *cause) {
    struct stat first;
    struct stat status;
    int result = look_at_file(path, &first, cause);
    if (result == BATON_OK && !is_old(&first)) {
        poll(NULL, 0, BIND_TO_LISTEN_MS);
        result = look_at_file(path, &status, cause);
    }
    if (result == BATON_NOT_FOUND) {
        return BATON_OK;
    }
    struct file_identity stale = identity_of(&first);
    return result == BATON_OK ? remove_exactly(path, &stale, cause) : result;
}

/* What is to be done with a socket that is bound. */
static int settle(struct platform_listener *listener, struct baton_cause *cause) {
    int result = change_owner(listener, cause);
    if (result == BATON_OK &&
        listen(listener->watch.descriptor, (int)listener->backlog_count) != 0) {
        result = posix_failed(cause, "listen");
    }
    if (result == BATON_OK && !posix_local_has_file(listener)) {
        result = BATON_IN_USE;
    }
    return result;
}

static int bind_and_settle(struct platform_listener *listener, struct baton_cause *cause) {
    const struct local_plan *plan = &listener->plan;
    struct stat status;
    if (bind_with_mode(listener->watch.descriptor, &plan->name, plan->mode) != 0) {
        return posix_failed(cause, "bind");
    }
    if (lstat(plan->name.sun_path, &status) != 0) {
        return posix_failed(cause, "lstat");
    }
    listener->file = identity_of(&status);
    listener->has_file = true;
    return settle(listener, cause);
}

static int replace_and_settle(struct platform_listener *listener, struct baton_cause *cause) {
    const char *path = listener->plan.name.sun_path;
    struct lock lock;
    struct stat status;
    /* Most often it is a server that runs, and there is nothing to lock. */
    int result = look_at_file(path, &status, cause);
    if (result == BATON_OK || result == BATON_NOT_FOUND) {
        result = lock_take(path, &lock, cause);
    }
    if (result != BATON_OK) {
        return result;
    }
    result = remove_stale(path, cause);
    if (result == BATON_OK) {
        result = bind_and_settle(listener, cause);
    }
    lock_give(&lock);
    return result;
}

static int listen_as_planned(struct platform_listener *listener, struct baton_cause *cause) {
    int result = bind_and_settle(listener, cause);
    if (result == BATON_IN_USE && !listener->has_file) {
        result = replace_and_settle(listener, cause);
    }
    if (result == BATON_IN_USE) {
        *cause = (struct baton_cause){"bind", EADDRINUSE};
    }
    return result;
}

bool posix_local_plan(struct platform_listener *listener,
                      const struct platform_listener_spec *spec) {
    listener->plan.mode = spec->mode;
    listener->plan.owner = spec->owner;
    return name_file(spec->path, &listener->plan.name);
}

int posix_local_listen(struct platform_listener *listener,
                       const struct platform_listener_spec *spec, struct baton_cause *cause) {
    return posix_local_plan(listener, spec) ? listen_as_planned(listener, cause) : BATON_TOO_LONG;
}

/* Gives the file what differs: the owner of the config (NULL = none is asked for any more, so that
 * it is ours), and the mode. */
static int renew_file(struct platform_listener *listener, const struct platform_listener_spec *spec,
                      bool has_owner, bool has_mode, struct baton_cause *cause) {
    const uint32_t own[2] = {geteuid(), getegid()};
    struct local_plan *plan = &listener->plan;
    plan->owner = has_owner && spec->owner == NULL ? own : spec->owner;
    plan->mode = spec->mode;
    int result = change_owner(listener, cause);
    plan->owner = spec->owner;
    return result == BATON_OK && has_mode ? change_mode(listener, cause) : result;
}

int posix_local_change(struct platform_listener *listener,
                       const struct platform_listener_spec *spec, struct baton_cause *cause) {
    const struct local_plan *plan = &listener->plan;
    return renew_file(listener, spec, plan->owner != NULL, plan->mode != spec->mode, cause);
}

int posix_local_renew(struct platform_listener *listener, const struct platform_listener_spec *spec,
                      struct baton_cause *cause) {
    return renew_file(listener, spec, true, true, cause);
}

void posix_local_adopt(struct platform_listener *listener, const struct sockaddr_un *name) {
    struct stat status;
    listener->plan.name = *name;
    if (lstat(name->sun_path, &status) == 0) {
        listener->file = identity_of(&status);
    }
}

bool posix_local_has_file(const struct platform_listener *listener) {
    struct stat status;
    return lstat(listener->plan.name.sun_path, &status) == 0 &&
           is_same_file(&status, &listener->file);
}

void posix_local_remove(struct platform_listener *listener) {
    if (listener->has_file) {
        remove_exactly(listener->plan.name.sun_path, &listener->file, &posix_ignored);
        listener->has_file = false;
    }
}
