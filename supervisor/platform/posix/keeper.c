/* Becoming the child of baton-keeper: execve(2) of that, which starts us once more. */
#include "core/base/text.h"
#include "platform/posix/internal.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int platform_run_under(const char *program, char *const *argv, struct baton_cause *cause) {
    char own[PATH_MAX], path[PATH_MAX + 64];
    size_t count = 0;
    if (getenv("NOTIFY_SOCKET") != NULL || getenv("BATON_KEEPER") != NULL) {
        return BATON_OK;
    }
    ssize_t length = readlink(platform_own_program, own, sizeof own);
    if (length < 0 || (size_t)length >= sizeof own) {
        return posix_failed(cause, "readlink /proc/self/exe");
    }
    own[length] = '\0';
    int folder_bytes = (int)(strrchr(own, '/') - own);
    text_format(path, sizeof path, "%.*s/%s", folder_bytes, own, program);
    while (argv[count] != NULL) {
        count++;
    }
    char **arguments = calloc(count + 2, sizeof *arguments);
    if (arguments == NULL) {
        return BATON_NO_MEMORY;
    }
    arguments[0] = path;
    arguments[1] = own;
    memcpy(arguments + 2, argv + 1, (count - 1) * sizeof *argv);
    execv(path, arguments);
    free(arguments);
    return posix_failed(cause, "execv");
}
