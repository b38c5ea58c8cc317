/* A process of its own that tests what cannot be undone. */
#ifndef BATON_TEST_PLATFORM_TESTER_POSIX_H
#define BATON_TEST_PLATFORM_TESTER_POSIX_H

#include "harness.h"

#include <errno.h>
#include <sys/types.h>
#include <sys/wait.h>

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

#endif
