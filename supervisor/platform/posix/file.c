/*
 * Files and paths.
 */
#include "core/base/path_facts.h"
#include "platform/posix/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

const char platform_own_program[] = "/proc/self/exe";
const char platform_formats_folder[] = "/proc/sys/fs/binfmt_misc";
const char platform_executable_suffix[] = "";
const bool platform_scripts_need_interpreter = false;
const bool platform_backslash_separates = false;
const bool platform_inherits_listeners = true;

const char platform_config_folders[] = "/usr/lib/baton\0/run/baton\0/etc/baton\0";

static int read_whole(int descriptor, void *buffer, size_t capacity, size_t *length,
                      struct baton_cause *cause) {
    ssize_t got = posix_read_all(descriptor, buffer, capacity);
    char beyond;
    ssize_t more = got == (ssize_t)capacity ? posix_read_all(descriptor, &beyond, 1) : 0;
    if (got < 0 || more < 0) {
        posix_failed(cause, "read");
        return BATON_SYSTEM;
    }
    *length = (size_t)got;
    return more > 0 ? BATON_TOO_LONG : BATON_OK;
}

static int read_regular(int descriptor, void *buffer, size_t capacity, size_t *length,
                        struct baton_cause *cause) {
    struct stat status;
    if (fstat(descriptor, &status) != 0) {
        return posix_failed(cause, "fstat");
    }
    return S_ISREG(status.st_mode) ? read_whole(descriptor, buffer, capacity, length, cause)
                                   : BATON_INVALID;
}

int platform_input_read(void *buffer, size_t capacity, size_t *length, struct baton_cause *cause) {
    *length = 0;
    *cause = (struct baton_cause){0};
    return read_whole(STDIN_FILENO, buffer, capacity, length, cause);
}

int platform_file_read(const char *path, void *buffer, size_t capacity, size_t *length,
                       struct baton_cause *cause) {
    *length = 0;
    *cause = (struct baton_cause){0};
    /* O_NONBLOCK: opening a FIFO would wait for a writer. */
    int descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (descriptor < 0) {
        int result = posix_failed(cause, "open");
        return result == BATON_NOT_FOUND || result == BATON_DENIED ? result : BATON_SYSTEM;
    }
    int result = read_regular(descriptor, buffer, capacity, length, cause);
    close(descriptor);
    return result;
}

static int probe(const char *path, mode_t type) {
    struct stat status;
    if (stat(path, &status) != 0) {
        return posix_failed(&posix_ignored, "stat");
    }
    if ((status.st_mode & S_IFMT) != type) {
        return BATON_INVALID;
    }
    if (access(path, X_OK) == 0) {
        return BATON_OK;
    }
    return type == S_IFREG && (status.st_mode & 0111) == 0 ? BATON_NOT_EXECUTABLE : BATON_DENIED;
}

int platform_probe_program(void *context, const char *path) {
    (void)context;
    return probe(path, S_IFREG);
}

int platform_probe_directory(void *context, const char *path) {
    (void)context;
    return probe(path, S_IFDIR);
}

static enum path_kind kind_of(mode_t mode) {
    return S_ISREG(mode)   ? PATH_KIND_FILE
           : S_ISDIR(mode) ? PATH_KIND_FOLDER
           : S_ISLNK(mode) ? PATH_KIND_LINK
                           : PATH_KIND_OTHER;
}

int platform_inspect(void *context, const char *path, struct path_facts *out) {
    (void)context;
    struct stat status;
    if (lstat(path, &status) != 0) {
        return posix_failed(&posix_ignored, "lstat");
    }
    out->kind = kind_of(status.st_mode);
    out->mode = status.st_mode & 07777;
    out->user = status.st_uid;
    out->group = status.st_gid;
    /* A list that says no more than the mode is not kept. */
    out->has_acl = lgetxattr(path, "system.posix_acl_access", NULL, 0) > 0;
    if (out->kind == PATH_KIND_LINK) {
        ssize_t length = readlink(path, out->target, sizeof out->target);
        if (length < 0 || (size_t)length >= sizeof out->target) {
            return length < 0 ? posix_failed(&posix_ignored, "readlink") : BATON_SYSTEM;
        }
        out->target[length] = '\0';
    }
    return BATON_OK;
}

bool platform_is_privileged(void) {
    return geteuid() == 0;
}

int platform_directory_list(const char *path, void (*visit)(void *context, const char *name),
                            void *context, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    DIR *folder = opendir(path);
    if (folder == NULL) {
        bool is_file = errno == ENOTDIR;
        int result = posix_failed(cause, "opendir");
        return is_file ? BATON_INVALID : result;
    }
    const struct dirent *entry = NULL;
    while (errno = 0, (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            visit(context, entry->d_name);
        }
    }
    int result = errno == 0 ? BATON_OK : posix_failed(cause, "readdir");
    closedir(folder);
    return result;
}

int platform_path_absolute(const char *path, char *out, size_t size_bytes) {
    size_t path_bytes = strlen(path) + 1;
    size_t base_length = 0;
    if (path[0] != '/') {
        if (getcwd(out, size_bytes) == NULL) {
            return errno == ERANGE ? BATON_TOO_LONG : BATON_SYSTEM;
        }
        base_length = strlen(out);
        if (path[0] != '\0' && base_length > 1) {
            out[base_length++] = '/'; /* in the place of its NUL */
        }
    }
    if (path_bytes > size_bytes - base_length) {
        return BATON_TOO_LONG;
    }
    memcpy(out + base_length, path, path_bytes);
    return BATON_OK;
}

int platform_own_directory(char *out, size_t size_bytes, struct baton_cause *cause) {
    *cause = (struct baton_cause){0};
    ssize_t length = readlink(platform_own_program, out, size_bytes);
    if (length < 0) {
        return posix_failed(cause, "readlink /proc/self/exe");
    }
    if ((size_t)length == size_bytes) {
        return BATON_TOO_LONG;
    }
    while (length > 0 && out[length - 1] != '/') {
        length--;
    }
    if (length == 0) {
        return BATON_SYSTEM;
    }
    /* "/" itself is the only folder that needs its separator. */
    out[length > 1 ? length - 1 : 1] = '\0';
    return BATON_OK;
}

int platform_system_config(char *out, size_t size_bytes) {
    static const char path[] = "/etc/baton/ports.ini";
    if (sizeof path > size_bytes) {
        return BATON_TOO_LONG;
    }
    memcpy(out, path, sizeof path);
    return BATON_OK;
}
