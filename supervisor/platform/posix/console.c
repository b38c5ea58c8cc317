/*
 * What the process is told by its arguments, and tells before there is a log.
 */
#include "platform/posix/internal.h"

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
    return posix_write_all(error ? STDERR_FILENO : STDOUT_FILENO, text, strlen(text));
}
