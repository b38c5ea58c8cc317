/*
 * What the process is told by its arguments, and tells before there is a log.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

char **platform_arguments(int argc, char **argv, int *out_argc) {
    *out_argc = argc;
    return argv;
}

bool platform_print(bool error, const char *text) {
    int descriptor = error ? STDERR_FILENO : STDOUT_FILENO;
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t written = write(descriptor, text, left);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        if (written > 0) {
            text += written;
            left -= (size_t)written;
        }
    }
    return true;
}
