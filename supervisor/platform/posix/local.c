/*
 * Local sockets: unix(7). What makes them harder than others is that their names are files, which
 * outlive who listens, and which anybody may exchange who may write to the folder.
 *
 * The file has its mode from the moment it exists, by the mode of the socket itself (fchmod(2)
 * before bind(2)) and the umask, which one thread may change for a moment; the umask alone would
 * not do in a folder with a default ACL (acl(5)). Its owner is set before listen(2), so nobody has
 * been let in by the wrong one.
 *
 * No lock: any user who may open the folder could hold it. No temporary name that is renamed into
 * place: of two supervisors at once the later one would silently take the place of the earlier one,
 * and ss(8) would show a name that is not there. Instead bind(2) itself says who was first, and a
 * file is removed by renaming it aside, looking whether it is the one that was meant, and putting
 * it back if not. One that is bound but does not listen yet looks as if nobody listened on it any
 * more; it gets a moment to begin.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define MODE_BITS 0777u
#define BIND_TO_LISTEN_MS 20
#define NOBODY_GIVEN ((id_t)-1) /* chown(2): leaves it alone */

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

static void put_back(const char *aside, const char *path) {
    /* link(2) does not replace what may stand there by now. It may not be allowed for a file of
     * another user (proc(5), protected_hardlinks). */
    if (link(aside, path) == 0 || errno == EEXIST) {
        unlink(aside);
    } else {
        rename(aside, path);
    }
}

/* Removes `path` if it is `file`. BATON_OK, BATON_IN_USE if it is another one, or what renaming
 * failed with. */
static int remove_exactly(const char *path, const struct file_identity *file,
                          struct baton_cause *cause) {
    char aside[PATH_MAX];
    struct stat status;
    if (lstat(path, &status) != 0) {
        return errno == ENOENT ? BATON_OK : failed(cause, "lstat", errno);
    }
    if (!is_same_file(&status, file)) {
        return BATON_IN_USE;
    }
    int length = snprintf(aside, sizeof aside, "%s.%ld~", path, (long)getpid());
    if (length < 0 || (size_t)length >= sizeof aside) {
        return BATON_TOO_LONG;
    }
    if (rename(path, aside) != 0) {
        return errno == ENOENT ? BATON_OK : failed(cause, "rename", errno);
    }
    if (lstat(aside, &status) != 0 || !is_same_file(&status, file)) {
        put_back(aside, path);
        return BATON_IN_USE;
    }
    return unlink(aside) == 0 ? BATON_OK : failed(cause, "unlink", errno);
}

/* ---- Owners ---- */

static bool parse_number(const char *text, id_t *out) {
    uint64_t number = 0;
    for (const char *at = text; *at != '\0'; at++) {
        if (*at < '0' || *at > '9' || number > UINT32_MAX) {
            return false;
        }
        number = number * 10 + (uint64_t)(*at - '0');
    }
    *out = (id_t)number;
    return text[0] != '\0' && number < UINT32_MAX; /* chown(2) takes that one for none */
}

static int find_user(const char *text, id_t *out, struct baton_cause *cause) {
    *out = NOBODY_GIVEN;
    if (text == NULL || parse_number(text, out)) {
        return BATON_OK;
    }
    const struct passwd *user = getpwnam(text);
    if (user == NULL) {
        *cause = (struct baton_cause){"getpwnam", 0};
        return BATON_NOT_FOUND;
    }
    *out = user->pw_uid;
    return BATON_OK;
}

static int find_group(const char *text, id_t *out, struct baton_cause *cause) {
    *out = NOBODY_GIVEN;
    if (text == NULL || parse_number(text, out)) {
        return BATON_OK;
    }
    const struct group *group = getgrnam(text);
    if (group == NULL) {
        *cause = (struct baton_cause){"getgrnam", 0};
        return BATON_NOT_FOUND;
    }
    *out = group->gr_gid;
    return BATON_OK;
}

/* By a descriptor of the file that was made, since its name may mean another one by now. */
static int change_owner(const struct platform_listener *listener, id_t user, id_t group,
                        struct baton_cause *cause) {
    struct stat status;
    if (user == NOBODY_GIVEN && group == NOBODY_GIVEN) {
        return BATON_OK;
    }
    int file = open(listener->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (file < 0) {
        return failed(cause, "open", errno);
    }
    int result = BATON_OK;
    if (fstat(file, &status) != 0 || !is_same_file(&status, &listener->file)) {
        result = BATON_IN_USE;
    } else if (fchownat(file, "", user, group, AT_EMPTY_PATH) != 0) {
        result = failed(cause, "fchownat", errno);
    }
    close(file);
    return result;
}

/* ---- Binding ---- */

/* Returns 0 or an errno. */
static int bind_with_mode(int descriptor, const struct sockaddr_un *name, uint32_t mode) {
    fchmod(descriptor, mode & MODE_BITS);
    mode_t before = umask(MODE_BITS & ~(mode_t)mode);
    int code = bind(descriptor, (const struct sockaddr *)name, sizeof *name) == 0 ? 0 : errno;
    umask(before);
    return code;
}

/* Somebody who listens sees us come and go. */
static int probe(const struct sockaddr_un *name, bool *is_listening, struct baton_cause *cause) {
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (client < 0) {
        return failed(cause, "socket", errno);
    }
    *is_listening =
        connect(client, (const struct sockaddr *)name, sizeof *name) == 0 || errno != ECONNREFUSED;
    close(client);
    return BATON_OK;
}

static int is_anybody_listening(const struct sockaddr_un *name, bool *out,
                                struct baton_cause *cause) {
    int result = probe(name, out, cause);
    if (result == BATON_OK && !*out) {
        poll(NULL, 0, BIND_TO_LISTEN_MS);
        result = probe(name, out, cause);
    }
    return result;
}

/* The name is taken. BATON_OK when it has been made free. */
static int remove_stale(const struct sockaddr_un *name, struct baton_cause *cause) {
    struct stat status;
    if (lstat(name->sun_path, &status) != 0) {
        return errno == ENOENT ? BATON_OK : failed(cause, "lstat", errno);
    }
    if (!S_ISSOCK(status.st_mode)) {
        return BATON_IN_USE;
    }
    bool listening = true;
    int result = is_anybody_listening(name, &listening, cause);
    if (result != BATON_OK || listening) {
        return result != BATON_OK ? result : BATON_IN_USE;
    }
    struct file_identity stale = identity_of(&status);
    return remove_exactly(name->sun_path, &stale, cause);
}

static int bind_or_replace(int descriptor, const struct sockaddr_un *name, uint32_t mode,
                           struct baton_cause *cause) {
    int code = bind_with_mode(descriptor, name, mode);
    if (code == EADDRINUSE) {
        int result = remove_stale(name, cause);
        if (result == BATON_IN_USE) {
            *cause = (struct baton_cause){"bind", EADDRINUSE};
        }
        if (result != BATON_OK) {
            return result;
        }
        code = bind_with_mode(descriptor, name, mode);
    }
    return code == 0 ? BATON_OK : failed(cause, "bind", code);
}

int local_bind(struct platform_listener *listener, const struct platform_listener_spec *spec,
               struct baton_cause *cause) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    size_t path_bytes = strlen(spec->path) + 1;
    if (path_bytes > sizeof name.sun_path) {
        return BATON_TOO_LONG;
    }
    memcpy(name.sun_path, spec->path, path_bytes);
    id_t user;
    id_t group;
    int result = find_user(spec->user, &user, cause);
    if (result == BATON_OK) {
        result = find_group(spec->group, &group, cause);
    }
    char *path = result == BATON_OK ? strdup(spec->path) : NULL;
    if (path == NULL) {
        return result == BATON_OK ? BATON_NO_MEMORY : result;
    }
    result = bind_or_replace(listener->source.descriptor, &name, spec->mode, cause);
    struct stat status;
    if (result == BATON_OK && lstat(path, &status) != 0) {
        result = failed(cause, "lstat", errno);
    }
    if (result != BATON_OK) {
        free(path);
        return result;
    }
    listener->path = path;
    listener->file = identity_of(&status);
    return change_owner(listener, user, group, cause);
}

void local_remove(struct platform_listener *listener) {
    struct baton_cause ignored;
    if (listener->path != NULL) {
        remove_exactly(listener->path, &listener->file, &ignored);
        free(listener->path);
        listener->path = NULL;
    }
}
