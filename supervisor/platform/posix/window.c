/*
 * The window: how a launch gets its descriptors without a copy of all the others.
 *
 * A child of vfork(2) has a copy of the whole table. That costs more the more connections there
 * are; and until its execve(2) it holds whatever was open, so that it may be the last to close what
 * another handler has set SO_LINGER on. So the child shares the table (CLONE_FILES), and its first
 * step leaves that by close_range(2), which copies only what is below a number. What the program is
 * to have is lent a number below it for as long as that takes. While nothing is lent these numbers
 * are of the null device, so that nothing else gets them.
 */
#include "platform/posix/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

#define FIRST_NUMBER 3 /* behind the standard streams */

/* Valgrind does not know this kind of child, and ends the program that asks for one. */
static bool can_share_table(void) {
    return !RUNNING_ON_VALGRIND && syscall(SYS_close_range, INT_MAX, ~0u, CLOSE_RANGE_UNSHARE) == 0;
}

static int open_null(struct platform *platform) {
    int first = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (first < 0) {
        return -1;
    }
    /* Behind the window, so that its numbers are those that programs get passed things at. */
    platform->null_device = fcntl(first, F_DUPFD_CLOEXEC, FIRST_NUMBER + WINDOW_COUNT);
    close(first);
    return platform->null_device;
}

int posix_window_open(struct platform *platform, struct baton_cause *cause) {
    if (open_null(platform) < 0) {
        return posix_failed(cause, "open /dev/null");
    }
    platform->window_end = platform->null_device + 1;
    for (int i = 0; i < WINDOW_COUNT; i++) {
        int number = fcntl(platform->null_device, F_DUPFD_CLOEXEC, FIRST_NUMBER);
        if (number < 0) {
            return posix_failed(cause, "fcntl");
        }
        platform->window[i] = number;
        platform->window_end = number < platform->window_end ? platform->window_end : number + 1;
    }
    platform->shares_table = can_share_table();
    return BATON_OK;
}

void posix_window_close(struct platform *platform) {
    for (int i = 0; i < WINDOW_COUNT; i++) {
        posix_close_descriptor(&platform->window[i]);
    }
    posix_close_descriptor(&platform->null_device);
}

int posix_window_lend(struct platform *platform, int *descriptor) {
    if (*descriptor < platform->window_end) {
        return 0; /* the null device, or none */
    }
    int *lent_count = &platform->lent_count;
    for (int i = 0; i < *lent_count; i++) {
        if (platform->lent[i] == *descriptor) {
            *descriptor = platform->window[i];
            return 0;
        }
    }
    if (*lent_count == WINDOW_COUNT) {
        return EMFILE;
    }
    int number = platform->window[*lent_count];
    if (dup3(*descriptor, number, O_CLOEXEC) < 0) {
        return errno;
    }
    platform->lent[(*lent_count)++] = *descriptor;
    *descriptor = number;
    return 0;
}

/* Never the last copy of anything: the lender has its own, which it closes later. */
void posix_window_take_back(struct platform *platform) {
    while (platform->lent_count > 0) {
        dup3(platform->null_device, platform->window[--platform->lent_count], O_CLOEXEC);
    }
}
