/* Asserts that a call ends in must() (core/base/must.h), which says so on standard error. */
#ifndef BATON_TEST_MUST_FAIL_H
#define BATON_TEST_MUST_FAIL_H

#include <setjmp.h>
#include <signal.h>

/* With the mask of signals where there is one: musl's abort(3) ends what has SIGABRT blocked. */
#ifdef _WIN32
#define must_fail_mark(back) setjmp(back)
#define must_fail_return(back) longjmp(back, 1)
static jmp_buf must_fail_back;
#else
#define must_fail_mark(back) sigsetjmp(back, 1)
#define must_fail_return(back) siglongjmp(back, 1)
static sigjmp_buf must_fail_back;
#endif

static void must_fail_caught(int number) {
    (void)number;
    must_fail_return(must_fail_back);
}

/* What the call has changed before is as it left it. */
#define assert_must_fails(call)                                                                    \
    do {                                                                                           \
        (void)signal(SIGABRT, must_fail_caught);                                                   \
        if (must_fail_mark(must_fail_back) == 0) {                                                 \
            (void)(call);                                                                          \
            fail_msg("%s went on", #call);                                                         \
        }                                                                                          \
        (void)signal(SIGABRT, SIG_DFL);                                                            \
    } while (0)

#endif
