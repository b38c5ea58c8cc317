/* Pipes whose lock somebody else has. Whoever reads, writes or closes one waits in a state that
 * nothing ends: a carrier, never us. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_US 20000000u
#define OWNER_LIMIT 16 /* of carriers.h */

/* ---- Which carriers there are ---- */

/* How many children of ours are carriers in that state (proc(5)); 0 = that live. `*last`: one of
 * them. */
static int count_carriers(char wanted, pid_t *last) {
    char text[4096] = "";
    int list = open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
    assert_true(list >= 0 && read(list, text, sizeof text - 1) >= 0);
    close(list);
    int count = 0;
    char *at = text;
    long pid;
    while ((pid = strtol(at, &at, 10)) > 0) {
        char path[64];
        char status[512] = "";
        snprintf(path, sizeof path, "/proc/%ld/stat", pid);
        int file = open(path, O_RDONLY | O_CLOEXEC);
        if (file < 0 || read(file, status, sizeof status - 1) < 0) {
            status[0] = '\0';
        }
        close(file);
        const char *name = strstr(status, "(batond-carrier) ");
        if (name != NULL && (wanted == 0 ? name[17] != 'Z' : name[17] == wanted)) {
            count++;
            *last = (pid_t)pid;
        }
    }
    return count;
}

static int held_count(void) {
    pid_t ignored;
    return count_carriers('D', &ignored);
}

static void await_held(struct bench *bench, int count) {
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    while (held_count() != count) { /* any may be in that state for a moment */
        struct platform_event events[8];
        uint64_t now_us = platform_now_us(bench->platform);
        assert_true(now_us < deadline_us);
        platform_wait(bench->platform, events, 8, now_us + 5000, &bench->cause);
    }
}

static void await_none(struct bench *bench) {
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    pid_t carrier;
    while (count_carriers(0, &carrier) > 0) {
        struct platform_event events[8];
        uint64_t now_us = platform_now_us(bench->platform);
        assert_true(now_us < deadline_us);
        platform_wait(bench->platform, events, 8, now_us + 100000, &bench->cause);
    }
}

/* ---- Output ---- */

static struct platform_output *open_output(struct bench *bench, uint64_t *token) {
    struct platform_output *output;
    *token = bench_token(bench);
    assert_int_equal(platform_output_open(bench->platform, *token, &output, &bench->cause),
                     BATON_OK);
    return output;
}

/* Tells to read what there is, of which a carrier cannot get hold. */
static struct platform_process *start_holder(struct bench *bench, struct platform_output *output,
                                             uint64_t output_token, uint64_t *token) {
    static const char *const actions[] = {"lock-output", "hold", NULL};
    struct platform_writer writer;
    char text[16];
    size_t length;
    struct platform_process *process = bench_launch_to(bench, output, actions, token);
    bench_await(bench, PLATFORM_EVENT_OUTPUT, output_token);
    assert_int_equal(
        platform_output_read(output, text, sizeof text, &length, &writer, &bench->cause),
        BATON_AGAIN);
    return process;
}

static void end_process(struct bench *bench, struct platform_process **process, uint64_t token) {
    platform_process_signal(*process, PLATFORM_KILL);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    platform_process_close(process);
}

static void expect_neighbour_is_read(struct bench *bench) {
    uint64_t token;
    struct platform_process *neighbour = LAUNCH(bench, &token, "print:here", "wait-for-end");
    bench_forget_text(bench);
    bench_await_text(bench, "here\n");
    platform_channel_close(neighbour);
    bench_finish(bench, &neighbour, token);
}

static void test_output(void **state) {
    struct bench *bench = *state;
    struct platform_writer writer;
    uint64_t output_token;
    uint64_t token;
    char text[16];
    size_t length = 0;
    struct platform_output *output = open_output(bench, &output_token);
    struct platform_process *holder = start_holder(bench, output, output_token, &token);
    uint32_t pid = platform_process_pid(holder);
    await_held(bench, 1);
    expect_neighbour_is_read(bench);
    end_process(bench, &holder, token);
    int result;
    while ((result = platform_output_read(output, text, sizeof text, &length, &writer,
                                          &bench->cause)) == BATON_AGAIN) {
        bench_await(bench, PLATFORM_EVENT_OUTPUT, output_token);
    }
    assert_int_equal(result, BATON_OK); /* what it had written before */
    assert_int_equal(length, 1);
    assert_int_equal(writer.pid, pid);
    platform_output_close(&output);
    bench_expect_silence(bench);
}

/* An end is told when all that was written before can be read, even if a carrier was at it. */
static void test_an_end_waits_for_what_is_under_way(void **state) {
    struct bench *bench = *state;
    struct platform_writer writer;
    char text[16] = "";
    size_t length;
    pid_t carrier;
    uint64_t token;
    expect_neighbour_is_read(bench);
    assert_int_equal(count_carriers(0, &carrier), 1);
    kill(carrier, SIGSTOP);
    bench_forget_events(bench);
    struct platform_process *process =
        LAUNCH(bench, &token, "prepare-go", "print:one", "wait-for-go", "print:two");
    bench_await(bench, PLATFORM_EVENT_OUTPUT, bench->output_token);
    assert_int_equal(
        platform_output_read(bench->output, text, sizeof text, &length, &writer, &bench->cause),
        BATON_AGAIN);
    bench_expect_silence(bench); /* the carrier has it */
    system_go(platform_process_pid(process));
    assert_true(system_process_ends(platform_process_pid(process)));
    assert_false(bench_has(bench, PLATFORM_EVENT_EXIT, token));
    kill(carrier, SIGCONT);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    for (size_t done = 0; done < strlen("one\ntwo\n"); done += length) {
        assert_int_equal(platform_output_read(bench->output, text + done, sizeof text - 1 - done,
                                              &length, &writer, &bench->cause),
                         BATON_OK);
    }
    assert_string_equal(text, "one\ntwo\n");
    platform_process_close(&process);
}

/* Clients may have taken all descriptors before the first one is needed, and wait for just that. */
static void test_there_is_always_room_for_the_first(void **state) {
    struct bench *bench = *state;
    for (int round = 0; round < 2; round++) {
        struct rlimit limit;
        uint64_t token;
        struct platform_process *process = LAUNCH(bench, &token, "print:here", "wait-for-end");
        int lowest = dup(STDIN_FILENO);
        close(lowest);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
        rlim_t before = limit.rlim_cur;
        limit.rlim_cur = (rlim_t)lowest;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        bench_forget_text(bench);
        bench_await_text(bench, "here\n");
        limit.rlim_cur = before;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        platform_channel_close(process);
        bench_finish(bench, &process, token);
        await_none(bench); /* and then for the next first one */
    }
}

/* But not for ever: who was left behind may have the pipe. */
static void test_an_end_does_not_wait_for_who_is_left(void **state) {
    struct bench *bench = *state;
    struct platform_writer writer;
    char text[16];
    size_t length;
    uint64_t token;
    pid_t carrier;
    expect_neighbour_is_read(bench);
    assert_int_equal(count_carriers(0, &carrier), 1);
    kill(carrier, SIGSTOP);
    bench_forget_events(bench);
    struct platform_process *process = LAUNCH(bench, &token, "print:one", "hold");
    bench_await(bench, PLATFORM_EVENT_OUTPUT, bench->output_token);
    assert_int_equal(
        platform_output_read(bench->output, text, sizeof text, &length, &writer, &bench->cause),
        BATON_AGAIN);
    bench_expect_silence(bench);
    end_process(bench, &process, token);
    kill(carrier, SIGCONT);
}

/* A service whose handlers hold as many as one may is at fault alone. */
static void test_one_output_cannot_hold_all(void **state) {
    struct bench *bench = *state;
    struct platform_process *holders[OWNER_LIMIT + 3];
    uint64_t tokens[OWNER_LIMIT + 3];
    uint64_t output_token;
    size_t before_count = system_descriptor_count();
    struct platform_output *output = open_output(bench, &output_token);
    for (int i = 0; i < OWNER_LIMIT + 3; i++) {
        holders[i] = start_holder(bench, output, output_token, &tokens[i]);
    }
    await_held(bench, OWNER_LIMIT);
    expect_neighbour_is_read(bench);
    await_held(bench, OWNER_LIMIT);
    platform_output_close(&output); /* its pipes are to be closed, by those who read them or wait */
    expect_neighbour_is_read(bench);
    for (int i = 0; i < OWNER_LIMIT + 3; i++) {
        end_process(bench, &holders[i], tokens[i]);
    }
    await_none(bench);
    assert_int_equal(system_descriptor_count(), before_count);
}

static void test_who_ends_at_once_needs_none(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    pid_t carrier;
    struct platform_process *process = LAUNCH(bench, &token, "print:hello", "exit:0");
    assert_true(system_process_ends(platform_process_pid(process)));
    bench_finish(bench, &process, token);
    assert_string_equal(bench->text, "hello\n");
    assert_int_equal(count_carriers(0, &carrier), 0);
}

static void test_none_stays_without_need(void **state) {
    struct bench *bench = *state;
    pid_t carrier;
    size_t before_count = system_descriptor_count();
    expect_neighbour_is_read(bench);
    assert_int_equal(count_carriers(0, &carrier), 1);
    await_none(bench);
    assert_int_equal(system_descriptor_count(), before_count);
}

static void test_a_killed_one_is_replaced(void **state) {
    struct bench *bench = *state;
    pid_t carrier;
    pid_t next;
    expect_neighbour_is_read(bench);
    assert_int_equal(count_carriers(0, &carrier), 1);
    kill(carrier, SIGKILL);
    assert_true(system_process_ends((uint32_t)carrier));
    expect_neighbour_is_read(bench);
    assert_int_equal(count_carriers(0, &next), 1);
    assert_true(next != carrier);
    /* Nor is one taken for a stray. */
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    assert_int_equal(platform_end_strays(bench->platform, NULL, deadline_us), 0);
    expect_neighbour_is_read(bench);
}

#define LAUNCH_COUNT 50

/* We have no end for writing, to close behind a program that may hold the lock by then. On one
 * processor the program often comes first. */
static void test_a_launch_does_not_wait(void **state) {
    struct bench *bench = *state;
    cpu_set_t all;
    cpu_set_t one;
    CPU_ZERO(&one);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &all)) {
            CPU_SET(cpu, &one);
        }
    }
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    uint64_t begun_us = platform_now_us(bench->platform);
    for (int i = 0; i < LAUNCH_COUNT; i++) {
        uint64_t token;
        struct platform_process *process = LAUNCH(bench, &token, "lock-reopened", "hold");
        platform_process_signal(process, PLATFORM_KILL);
        bench_finish(bench, &process, token);
    }
    assert_true(platform_now_us(bench->platform) - begun_us < DEADLINE_US);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
}

/* ---- Pumps ---- */

static struct platform_launched start_pump(struct bench *bench, const char *action,
                                           uint64_t tokens[3]) {
    struct platform_program_spec spec = {.has_channel = false};
    struct platform_program *program = BENCH_RECIPE(bench, spec, action);
    for (int i = 0; i < 3; i++) {
        tokens[i] = bench_token(bench);
    }
    struct platform_launch launch = {.program = program,
                                     .output = bench->output,
                                     .streams = PLATFORM_STREAMS_PIPES,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = tokens[0],
                                     .input_token = tokens[1],
                                     .output_token = tokens[2]};
    struct platform_launched made = bench_start(bench, &launch);
    platform_program_destroy(&program);
    return made;
}

static void expect_pump_works(struct bench *bench) {
    uint64_t tokens[3];
    char text[16] = "";
    struct platform_launched pump = start_pump(bench, "copy-input", tokens);
    assert_int_equal(bench_stream_write(bench, pump.input, tokens[1], "hello", 5), BATON_OK);
    assert_int_equal(bench_stream_read(bench, pump.output, tokens[2], text, 5), BATON_OK);
    assert_string_equal(text, "hello");
    platform_stream_finish(pump.input); /* a program that ends at that has seen it closed */
    assert_int_equal(bench_stream_read(bench, pump.output, tokens[2], text, 1), BATON_END);
    platform_stream_close(&pump.input);
    platform_stream_close(&pump.output);
    bench_await_exit(bench, &pump.process, tokens[0]);
}

/* The system may have none left when a pump needs its first, and then nothing would end the pump.
 */
static void test_a_pump_has_one_from_its_launch_on(void **state) {
    struct bench *bench = *state;
    uint64_t tokens[3];
    pid_t first;
    pid_t later;
    struct platform_launched pump = start_pump(bench, "copy-input", tokens);
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    while (count_carriers(0, &first) == 0) { /* it has its name a moment later */
        assert_true(platform_now_us(bench->platform) < deadline_us);
    }
    uint64_t until_us = platform_now_us(bench->platform) + 1500000;
    struct platform_event event;
    assert_int_equal(platform_wait(bench->platform, &event, 1, until_us, &bench->cause), 0);
    assert_int_equal(count_carriers(0, &later), 1);
    assert_int_equal(first, later);
    platform_stream_finish(pump.input);
    platform_stream_close(&pump.input);
    platform_stream_close(&pump.output);
    bench_await_exit(bench, &pump.process, tokens[0]);
    await_none(bench);
}

#define FULL_ROUNDS 100

/* Writes until a carrier is held by the one who splices it on; or until the pipe has been full for
 * long, if it has become so before: then it is the one that closes it. */
static void fill(struct bench *bench, const struct platform_launched *pump) {
    static const char piece[16384];
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    int full_rounds = 0;
    while (held_count() == 0 && full_rounds < FULL_ROUNDS) {
        struct platform_event events[8];
        size_t written;
        uint64_t now_us = platform_now_us(bench->platform);
        assert_true(now_us < deadline_us);
        if (platform_stream_write(pump->input, piece, sizeof piece, &written, &bench->cause) ==
            BATON_AGAIN) {
            full_rounds = platform_stream_is_busy(pump->input) ? 0 : full_rounds + 1;
            platform_wait(bench->platform, events, 8, now_us + 5000, &bench->cause);
        }
    }
}

static void test_input_of_a_pump(void **state) {
    struct bench *bench = *state;
    uint64_t tokens[3];
    struct platform_launched pump = start_pump(bench, "lock-input", tokens);
    fill(bench, &pump);
    expect_pump_works(bench);
    platform_stream_close(&pump.input);
    platform_stream_close(&pump.output);
    await_held(bench, 1);
    expect_pump_works(bench);
    end_process(bench, &pump.process, tokens[0]);
}

/* Starts a program that has the lock of its output when a carrier comes to read the first byte.
 * There is a moment in which that can be too early: then once more. */
static struct platform_launched start_output_holder(struct bench *bench, uint64_t tokens[3]) {
    uint64_t deadline_us = platform_now_us(bench->platform) + DEADLINE_US;
    for (;;) {
        char text[16];
        size_t length;
        struct platform_launched pump = start_pump(bench, "lock-output", tokens);
        while (platform_stream_read(pump.output, text, sizeof text, &length, &bench->cause) ==
               BATON_AGAIN) {
            struct platform_event events[8];
            uint64_t now_us = platform_now_us(bench->platform);
            assert_true(now_us < deadline_us);
            platform_wait(bench->platform, events, 8, now_us + 5000, &bench->cause);
            if (platform_stream_is_busy(pump.output) && held_count() == 1) {
                return pump;
            }
        }
        platform_stream_close(&pump.input);
        platform_stream_close(&pump.output);
        end_process(bench, &pump.process, tokens[0]);
    }
}

static void test_output_of_a_pump(void **state) {
    struct bench *bench = *state;
    uint64_t tokens[3];
    char text[16];
    struct platform_launched pump = start_output_holder(bench, tokens);
    expect_pump_works(bench);
    platform_process_signal(pump.process, PLATFORM_KILL);
    assert_int_equal(bench_stream_read(bench, pump.output, tokens[2], text, 1), BATON_OK);
    assert_int_equal(bench_stream_read(bench, pump.output, tokens[2], text, 1), BATON_END);
    platform_stream_close(&pump.input);
    platform_stream_close(&pump.output);
    bench_await_exit(bench, &pump.process, tokens[0]);
}

/* ---- The end ---- */

/* What a process of its own does that ends then; 0 = all is well. It tells what it likes. */
typedef int last_act(struct bench *bench, int told);

static void expect_end_after(void **state, last_act *act, int told) {
    int status;
    pid_t supervisor = fork();
    assert_true(supervisor >= 0);
    if (supervisor == 0) {
        alarm(30);
        if (bench_setup(state) != 0) {
            _exit(1);
        }
        struct bench *bench = *state;
        int result = act(bench, told);
        platform_output_close(&bench->output);
        platform_close(&bench->platform);
        _exit(result);
    }
    assert_int_equal(waitpid(supervisor, &status, 0), supervisor);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int hold_two(struct bench *bench, int told) {
    static const char *const unread[] = {"lock-error", "hold", NULL};
    uint64_t output_token;
    uint64_t tokens[2];
    struct platform_output *output = open_output(bench, &output_token);
    struct platform_process *process = start_holder(bench, output, output_token, &tokens[0]);
    await_held(bench, 1);
    struct platform_process *other = bench_launch_to(bench, output, unread, &tokens[1]);
    bench_await(bench, PLATFORM_EVENT_OUTPUT, output_token);
    uint32_t pids[2] = {platform_process_pid(process), platform_process_pid(other)};
    platform_output_close(&output);
    return write(told, pids, sizeof pids) == sizeof pids ? 0 : 1;
}

/* Neither closing nor the end of the process waits: what is held is then for others to close. */
static void test_the_end_does_not_wait(void **state) {
    int told[2];
    uint32_t pids[2];
    assert_int_equal(pipe(told), 0);
    expect_end_after(state, hold_two, told[1]);
    assert_int_equal(read(told[0], pids, sizeof pids), sizeof pids);
    for (int i = 0; i < 2; i++) {
        assert_true(system_process_lives(pids[i]));
        system_kill(pids[i]);
    }
    close(told[0]);
    close(told[1]);
}

static int stop_one(struct bench *bench, int told) {
    pid_t carrier;
    expect_neighbour_is_read(bench);
    if (count_carriers(0, &carrier) != 1 || kill(carrier, SIGSTOP) != 0) {
        return 1;
    }
    return write(told, &carrier, sizeof carrier) == sizeof carrier ? 0 : 1;
}

static void test_the_end_of_one_that_was_stopped(void **state) {
    int told[2];
    pid_t carrier;
    assert_int_equal(pipe(told), 0);
    expect_end_after(state, stop_one, told[1]);
    assert_int_equal(read(told[0], &carrier, sizeof carrier), sizeof carrier);
    assert_true(system_process_ends((uint32_t)carrier));
    close(told[0]);
    close(told[1]);
}

/* A listener that has just come back is looked at: that is done at once, so it is waited for. */
static int end_one_at_work(struct bench *bench, int told) {
    pid_t carrier;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    expect_neighbour_is_read(bench);
    if (told < 0 || count_carriers(0, &carrier) != 1 || kill(carrier, SIGSTOP) != 0) {
        return 1;
    }
    platform_listener_check(listener);
    platform_listener_close(&listener);
    platform_output_close(&bench->output);
    platform_close(&bench->platform);
    return kill(carrier, 0) != 0 && errno == ESRCH ? 0 : 1; /* reaped */
}

static void test_the_end_of_one_at_work(void **state) {
    expect_end_after(state, end_one_at_work, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_output),
        WITH_BENCH(test_an_end_waits_for_what_is_under_way),
        WITH_BENCH(test_there_is_always_room_for_the_first),
        WITH_BENCH(test_an_end_does_not_wait_for_who_is_left),
        WITH_BENCH(test_who_ends_at_once_needs_none),
        WITH_BENCH(test_a_launch_does_not_wait),
        WITH_BENCH(test_none_stays_without_need),
        WITH_BENCH(test_a_killed_one_is_replaced),
        WITH_BENCH(test_a_pump_has_one_from_its_launch_on),
        WITH_BENCH(test_input_of_a_pump),
        WITH_BENCH(test_output_of_a_pump),
        cmocka_unit_test(test_the_end_does_not_wait),
        cmocka_unit_test(test_the_end_of_one_that_was_stopped),
        cmocka_unit_test(test_the_end_of_one_at_work),
    };
    const struct CMUnitTest crowd[] = {
        WITH_BENCH(test_one_output_cannot_hold_all),
    };
    int failed_count = cmocka_run_group_tests_name("posix_carriers", tests, NULL, NULL);
    bench_process_count = OWNER_LIMIT + 8;
    return failed_count + cmocka_run_group_tests_name("posix_carriers_crowd", crowd, NULL, NULL);
}
