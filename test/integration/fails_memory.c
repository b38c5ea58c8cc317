/* A library for LD_PRELOAD: in a batond that has taken the place of another one, the call for
 * memory whose number the file that FAILS_MEMORY names has, fails, and the file is gone. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The C library's own, which can be called before anything is resolved. */
extern void *true_malloc(size_t length) __asm__("__libc_malloc");
extern void *true_calloc(size_t count, size_t length) __asm__("__libc_calloc");
extern void *true_realloc(void *bytes, size_t length) __asm__("__libc_realloc");

static atomic_long left_count = -1; /* until it fails; below 0 = it does not */

/* The old one that is back has no config of the new one, and its number is -1. */
__attribute__((constructor)) static void prepare(void) {
    const char *restarted = getenv("BATON_RESTARTED");
    const char *path = getenv("FAILS_MEMORY");
    char text[32] = "";
    int snapshot = -1;
    int config = -1;
    if (restarted == NULL || path == NULL || sscanf(restarted, "%d %d", &snapshot, &config) != 2 ||
        config < 0) {
        return;
    }
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0 && read(file, text, sizeof text - 1) > 0) {
        atomic_store(&left_count, strtol(text, NULL, 10));
    }
    close(file);
}

static bool fails(void) {
    if (atomic_load(&left_count) < 0 || atomic_fetch_sub(&left_count, 1) != 0) {
        return false;
    }
    unlink(getenv("FAILS_MEMORY"));
    errno = ENOMEM;
    return true;
}

void *malloc(size_t length) {
    return fails() ? NULL : true_malloc(length);
}

void *calloc(size_t count, size_t length) {
    return fails() ? NULL : true_calloc(count, length);
}

void *realloc(void *bytes, size_t length) {
    return fails() ? NULL : true_realloc(bytes, length);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset) {
    long made = fails() ? -1 : syscall(SYS_mmap, address, length, protection, flags, file, offset);
    return (void *)made; /* MAP_FAILED is -1 */
}
