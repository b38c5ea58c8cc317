/* What the tests of launchers share. */
#ifndef BATON_TEST_PLATFORM_LAUNCHERS_POSIX_H
#define BATON_TEST_PLATFORM_LAUNCHERS_POSIX_H

#include "harness.h"
#include "platform/posix/launcher.h"

static inline int setup_with_launchers(void **state) {
    setenv(BENCH_LAUNCHERS, "2", 1);
    return bench_setup(state);
}

#define WITH_LAUNCHERS(test)                                                                       \
    cmocka_unit_test_setup_teardown(test, setup_with_launchers, bench_teardown)

static inline struct launcher *first_launcher(struct bench *bench) {
    struct launcher *launcher = bench->platform->launchers.first;
    assert_non_null(launcher);
    return launcher;
}

static inline struct platform_launch launch_of(struct bench *bench,
                                               struct platform_program *program) {
    return (struct platform_launch){
        .program = program, .socket = PLATFORM_SOCKET_NONE, .token = bench_token(bench)};
}

/* A launch that is under way. */
static inline struct platform_process *
begin(struct bench *bench, const struct platform_launch *launch, bool takes_socket) {
    struct platform_launched made;
    assert_int_equal(platform_launch(bench->platform, launch, &made, &bench->cause), BATON_AGAIN);
    assert_non_null(made.process);
    assert_non_null(made.process->launch);
    assert_int_equal(made.has_taken_socket, takes_socket);
    return made.process;
}

/* And its end. */
static inline int end(struct bench *bench, struct platform_process **process, uint64_t token,
                      struct platform_launched *out) {
    bench_await(bench, PLATFORM_EVENT_LAUNCHED, token);
    return platform_launch_end(process, out, &bench->cause);
}

static inline void run(struct bench *bench, struct platform_program *program) {
    struct platform_launch launch = launch_of(bench, program);
    struct platform_process *process = bench_start(bench, &launch).process;
    bench_await_exit(bench, &process, launch.token);
}

#endif
