/* What libbaton does about SIGPIPE (POSIX; signal(7)). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "test_sdk_supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* Returns 0 if a program that this process starts has the system's own action for SIGPIPE. */
static int child_survives_sigpipe(void) {
    int status = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "kill -PIPE $$; exit 1", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return !(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

static void open_and_close(void) {
    struct supervisor supervisor;
    struct baton *baton = supervisor_start_open(&supervisor, NULL);
    baton_close(&baton);
    supervisor_end(&supervisor);
}

/* A log that nobody reads any more must not end a handler whose client is there; but `yes | head`
 * in a child ends as it ever did. */
static void sigpipe_ends_nothing_but_children(void **state) {
    int ends[2];
    (void)state;
    signal(SIGPIPE, SIG_DFL);
    open_and_close();
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "line\n", 5), -1);
    assert_int_equal(errno, EPIPE);
    close(ends[1]);
    assert_int_equal(child_survives_sigpipe(), 0);
}

static volatile sig_atomic_t own_count;

static void count_sigpipe(int number) {
    (void)number;
    own_count++;
}

static void an_action_of_the_programs_own_stays(void **state) {
    struct sigaction now;
    (void)state;
    signal(SIGPIPE, count_sigpipe);
    open_and_close();
    raise(SIGPIPE);
    assert_int_equal(own_count, 1);
    signal(SIGPIPE, SIG_IGN);
    open_and_close();
    assert_int_equal(sigaction(SIGPIPE, NULL, &now), 0);
    assert_true(now.sa_handler == SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sigpipe_ends_nothing_but_children),
        cmocka_unit_test(an_action_of_the_programs_own_stays),
    };
    return cmocka_run_group_tests_name("sdk_signals", tests, NULL, NULL);
}
