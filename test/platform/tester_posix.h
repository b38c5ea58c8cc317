/* A process of its own that tests what cannot be undone. */
#ifndef BATON_TEST_PLATFORM_TESTER_POSIX_H
#define BATON_TEST_PLATFORM_TESTER_POSIX_H

#include "harness.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define EXIT_SKIPPED 77

/* It says by its exit code what it found: 0 = all was well. */
static inline void expect_success(pid_t tester) {
    int status;
    assert_int_equal(waitpid(tester, &status, 0), tester);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == EXIT_SKIPPED) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static inline void expect_no_child(void) {
    siginfo_t info;
    assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT), -1);
    assert_int_equal(errno, ECHILD);
}

/* It ends when `parent`, which has made it, does, however that ends: nothing would end who waits
 * for ever, and it has our output, whose end ctest waits for. To be said again after a change of
 * user. */
static inline void end_with(pid_t parent) {
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(1);
    }
}

static inline pid_t fork_bound(void) {
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        end_with(parent);
    }
    return child;
}

#endif
