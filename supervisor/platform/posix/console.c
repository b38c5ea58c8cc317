/*
 * What the process is told by its arguments, and tells before there is a log.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <malloc.h>
#endif

char **platform_arguments(int argc, char **argv, int *out_argc) {
#ifdef __GLIBC__
    /* What is large is mapped on its own, and goes back to the system when it is freed; else glibc
     * would raise that limit with the first such block, and keep the later ones (mallopt(3)). */
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
#endif
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
