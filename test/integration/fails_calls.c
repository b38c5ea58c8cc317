/* A library for LD_PRELOAD: calls that a launch makes fail, for as long as the file that
 * FAILS_CALLS names is there. It has the name of the call and the number of the error. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static char path[4096];

typedef long syscall_function(long, ...);
static syscall_function *real_syscall;

/* Not when it is needed, which may be in a child that shares our memory. */
__attribute__((constructor)) static void prepare(void) {
    real_syscall = (syscall_function *)dlsym(RTLD_NEXT, "syscall");
    const char *named = getenv("FAILS_CALLS");
    snprintf(path, sizeof path, "%s", named == NULL ? "" : named);
}

/* True with errno set. */
static bool fails(const char *call) {
    char text[64] = "";
    char name[32];
    int code = 0;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    ssize_t length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0 || sscanf(text, "%31s %d", name, &code) != 2 || strcmp(name, call) != 0) {
        return false;
    }
    errno = code;
    return true;
}

int clone(int (*function)(void *), void *stack, int flags, void *argument, ...) {
    typedef int clone_function(int (*)(void *), void *, int, void *, ...);
    va_list more;
    va_start(more, argument);
    void *parent = va_arg(more, void *);
    void *storage = va_arg(more, void *);
    void *child = va_arg(more, void *);
    va_end(more);
    if (fails("clone")) {
        return -1;
    }
    clone_function *real = (clone_function *)dlsym(RTLD_NEXT, "clone");
    return real(function, stack, flags, argument, parent, storage, child);
}

/* Some that the C library has no other function for. */
long syscall(long number, ...) {
    long arguments[6];
    va_list more;
    va_start(more, number);
    for (int i = 0; i < 6; i++) {
        arguments[i] = va_arg(more, long);
    }
    va_end(more);
    if (number == SYS_pidfd_open && fails("pidfd_open")) {
        return -1;
    }
    return real_syscall(number, arguments[0], arguments[1], arguments[2], arguments[3],
                        arguments[4], arguments[5]);
}

int socketpair(int domain, int type, int protocol, int descriptors[2]) {
    return fails("socketpair") ? -1
                               : (int)syscall(SYS_socketpair, domain, type, protocol, descriptors);
}

int pipe2(int descriptors[2], int flags) {
    return fails("pipe2") ? -1 : (int)syscall(SYS_pipe2, descriptors, flags);
}

int execve(const char *program, char *const argv[], char *const environment[]) {
    return fails("execve") ? -1 : (int)syscall(SYS_execve, program, argv, environment);
}
