/* Asserts that a call ends in must() (core/base/must.h), which says so on standard error. */
#ifndef BATON_TEST_MUST_FAIL_H
#define BATON_TEST_MUST_FAIL_H

#include <setjmp.h>
#include <signal.h>

static jmp_buf must_fail_back;

static void must_fail_caught(int number) {
    (void)number;
    longjmp(must_fail_back, 1);
}

/* What the call has changed before is as it left it. */
#define assert_must_fails(call)                                                                    \
    do {                                                                                           \
        (void)signal(SIGABRT, must_fail_caught);                                                   \
        if (setjmp(must_fail_back) == 0) {                                                         \
            (void)(call);                                                                          \
            fail_msg("%s went on", #call);                                                         \
        }                                                                                          \
        (void)signal(SIGABRT, SIG_DFL);                                                            \
    } while (0)

#endif
