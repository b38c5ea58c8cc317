/* What only this system has, or what only here can be looked at: descriptors by number, signals,
 * limits, packets. */
#include "harness.h"

#include "platform/posix/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_descriptor_limit(rlim_t soft_count) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = soft_count;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static rlim_t descriptor_limit(void) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
}

static void test_child_starts_clean(void **state) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        skip();
    }
    /* The limit of whoever started us, an ignored signal and a descriptor that nobody closed. */
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t before = limit.rlim_cur;
    set_descriptor_limit(200);
    signal(SIGUSR2, SIG_IGN);
    signal(SIGRTMAX, SIG_IGN);
    int left_open = fcntl(STDIN_FILENO, F_DUPFD, 50);
    assert_true(left_open >= 50);
    assert_int_equal(bench_setup(state), 0);
    struct bench *bench = *state;
    assert_true(descriptor_limit() == limit.rlim_max);

    struct bench_connection connection = bench_connect(bench);
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "state", "descriptors");
    bench_finish(bench, &process, token);
    assert_string_equal(bench->text, "limit=200 blocked=0 ignored=0 leads=1\n"
                                     "descriptors 0 1 2 3 \n");
    bench_disconnect(bench, &connection);
    assert_int_equal(bench_teardown(state), 0);
    assert_true(descriptor_limit() == 200);
    close(left_open);
    signal(SIGUSR2, SIG_DFL);
    signal(SIGRTMAX, SIG_DFL);
    set_descriptor_limit(before);
}

static void test_all_descriptors_close_on_exec(void **state) {
    struct bench *bench = *state;
    struct bench_connection connection = bench_connect(bench);
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "wait-for-end");
    assert_int_equal(bench_log_open(bench, "/dev/null"), BATON_OK);

    size_t seen_count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        int descriptor = (int)strtol(entry->d_name, NULL, 10);
        if (descriptor > 2) {
            seen_count++;
            if ((fcntl(descriptor, F_GETFD) & FD_CLOEXEC) == 0) {
                fail_msg("descriptor %d would be inherited", descriptor);
            }
        }
    }
    closedir(folder);
    assert_true(seen_count >= 8);
    platform_channel_close(process);
    bench_finish(bench, &process, token);
    bench_disconnect(bench, &connection);
}

static void test_accepted_socket_blocks(void **state) {
    struct bench *bench = *state;
    struct bench_connection connection = bench_connect(bench);
    assert_int_equal(fcntl((int)connection.socket.value, F_GETFL) & O_NONBLOCK, 0);
    bench_disconnect(bench, &connection);
}

static void test_accept_out_of_descriptors(void **state) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        skip();
    }
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    uintptr_t client = client_connect(&address);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
    int lowest_free = dup(STDIN_FILENO);
    assert_true(lowest_free >= 0);
    close(lowest_free);
    rlim_t before = descriptor_limit();
    set_descriptor_limit((rlim_t)lowest_free);
    struct platform_descriptors limit;
    assert_true(platform_descriptors_short(bench->platform, 0, &limit) == 0);
    assert_true(platform_descriptors_short(bench->platform, 2, &limit) == 2);
    assert_true(limit.least_count >= limit.limit_count + 2);
    set_descriptor_limit((rlim_t)lowest_free + 1);
    assert_true(platform_descriptors_short(bench->platform, 1, &limit) == 0);
    assert_true(platform_descriptors_short(bench->platform, 2, &limit) == 1);
    set_descriptor_limit((rlim_t)lowest_free);

    struct platform_socket socket;
    struct address peer;
    assert_int_equal(platform_listener_accept(listener, &socket, &peer, &bench->cause),
                     BATON_SHORTAGE);
    assert_string_equal(bench->cause.call, "accept4");
    platform_listener_pause(listener);
    bench_forget_events(bench);
    bench_expect_silence(bench);
    /* A launch finds the same shortage, and leaves nothing behind. */
    const char *const actions[] = {"exit:0", NULL};
    struct platform_program *program = bench_program(bench, actions, NULL, NULL);
    struct platform_process *process;
    for (rlim_t spare = 0; spare < 2; spare++) {
        set_descriptor_limit((rlim_t)lowest_free + spare);
        assert_int_equal(bench_try_launch(bench, program, bench_token(bench), &process),
                         BATON_SHORTAGE);
    }
    /* Nothing was taken: the client is still there when one is free. */
    set_descriptor_limit(before);
    platform_listener_resume(listener);
    socket = bench_accept_next(bench, listener, token);
    platform_program_destroy(&program);
    bench_close_socket(bench, &socket);
    client_close(client);
    platform_listener_close(&listener);
}

static void test_port_of_a_connection_in_time_wait_is_free(void **state) {
    struct bench *bench = *state;
    struct bench_connection connection = bench_connect(bench);
    struct platform_listener *listener;
    /* Who ends first waits (TCP's TIME-WAIT), here on the listener's port. */
    bench_close_socket(bench, &connection.socket);
    char none[8];
    client_receive_all(connection.client, none, sizeof none);
    bench_disconnect(bench, &connection);
    assert_int_equal(bench_try_listen(bench, &connection.address, bench_token(bench), &listener),
                     BATON_OK);
    platform_listener_close(&listener);
}

/* Where both are wrong it is the directory that the launch has failed for. */
static void test_closed_directory_is_no_fault_of_the_file(void **state) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        skip();
    }
    struct bench *bench = *state;
    const char *const argv[] = {"program", NULL};
    char directory[256];
    char plain[256];
    snprintf(directory, sizeof directory, "%s/closed", system_scratch());
    snprintf(plain, sizeof plain, "%s/plain", system_scratch());
    chmod(system_scratch(), 0755);
    system_make_directory(directory);
    system_write_file(plain, "this is no program\n", false);
    struct platform_program_spec spec = {
        .path = plain, .argv = argv, .directory = directory, .has_channel = true};
    struct platform_program *program;
    struct platform_process *process;
    assert_int_equal(platform_program_create(bench->platform, &spec, &program, &bench->cause),
                     BATON_OK);
    chmod(directory, 0);
    setfsuid(65534); /* root may enter any; without privileges this changes nothing */
    int result = bench_try_launch(bench, program, bench_token(bench), &process);
    setfsuid(geteuid());
    assert_int_equal(result, BATON_DENIED);
    assert_string_equal(bench->cause.call, "chdir");
    chmod(directory, 0755);
    assert_int_equal(bench_try_launch(bench, program, bench_token(bench), &process),
                     BATON_NOT_EXECUTABLE);
    assert_string_equal(bench->cause.call, "execve");
    platform_program_destroy(&program);
    system_remove_file(plain);
    system_remove_directory(directory);
}

static void test_packet_of_no_bytes_is_not_the_end(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct platform_process *process =
        LAUNCH(bench, &token, "empty-packet", "hello", "wait-for-end");
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_INVALID);
    assert_true(bench_receive(bench, process, token, frame) > WIRE_HEADER_BYTES);
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

static void test_packet_cut_off_at_the_capacity_is_refused(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    size_t length;
    struct platform_process *process =
        LAUNCH(bench, &token, "long-packet", "hello", "wait-for-end");
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_TOO_LONG);
    bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
    assert_int_equal(
        platform_channel_receive(process, frame, WIRE_HEADER_BYTES, &length, &bench->cause),
        BATON_TOO_LONG);
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

/* Where the system can refuse them to the sender, nothing comes. */
static void test_descriptors_cannot_be_attached(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    if (!posix_rights_can_be_refused()) {
        skip();
    }
    struct platform_process *process = LAUNCH(bench, &token, "attach-two", "print:sent", "exit:0");
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_END);
    bench_finish(bench, &process, token);
}

static int setup_taking_rights(void **state) {
    bench_takes_rights = true;
    int result = bench_setup(state);
    bench_takes_rights = false;
    return result;
}

static void test_attached_descriptors_are_refused_and_closed(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    size_t before_count = system_descriptor_count();
    struct platform_process *process = LAUNCH(bench, &token, "attach-two", "print:sent", "exit:0");
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_DENIED);
    bench_finish(bench, &process, token);
    bench_expect_descriptors(bench, before_count);
}

static void test_speaker_is_named_by_the_kernel(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    /* It claims to be process 1, the kernel knows better. */
    struct platform_process *process = LAUNCH(bench, &token, "hello:1", "wait-for-end");
    bench_receive(bench, process, token, frame);
    assert_int_equal(platform_process_speaker(process, 1), 0);
    assert_false(platform_process_is_hidden(process));
    assert_int_equal(platform_process_speaker(process, platform_process_pid(process)),
                     platform_process_pid(process));
    platform_process_signal(process, PLATFORM_KILL);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_int_equal(platform_process_speaker(process, 1), 0);
    assert_int_equal(platform_process_speaker(process, UINT32_MAX), 0);
    assert_true(platform_process_is_hidden(process)); /* /proc has nothing of it any more */
    platform_process_close(&process);
}

/* As /proc/PID/status has it, with as many groups as an account may have. */
static pid_t innermost_pid_of(const char *before, size_t groups_count, const char *behind) {
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs(before, file);
    for (size_t i = 0; i < groups_count; i++) {
        fputs("4294967294 ", file);
    }
    fputs(behind, file);
    fflush(file);
    rewind(file);
    pid_t pid = posix_innermost_pid(dup(fileno(file)));
    fclose(file);
    return pid;
}

static void test_innermost_pid(void **state) {
    (void)state;
    static const char name[] = "Name:\tNSpid:\t7\\nNSpid:\t8\nPid:\t6\nGroups:\t";
    static const char *const behind[] = {"\nNStgid:\t1\t2\nNSpid:\t4711\nNSpgid:\t9\n",
                                         "\nNStgid:\t1\t2\nNSpid:\t4711\t12\t31\nNSpgid:\t9\n"};
    for (size_t count = 0; count < 200; count++) { /* the line is cut at each of its places */
        assert_int_equal(innermost_pid_of(name, count, behind[0]), 4711);
        assert_int_equal(innermost_pid_of(name, count, behind[1]), 31);
    }
    assert_int_equal(innermost_pid_of(name, 65536, behind[1]), 31);
    assert_int_equal(innermost_pid_of(name, 3000, "\nNSpgid:\t9\n"), 0);
    assert_int_equal(innermost_pid_of(name, 3, "\nNSpid:\t4711\t1"), 0);
    assert_int_equal(innermost_pid_of("NSpid:\t5\n", 0, ""), 0); /* the name comes first */
    assert_int_equal(innermost_pid_of("pos:\t0\nPid:\t-1", 0, "\nNSpid:\t-1\n"),
                     -1); /* it has ended */
    assert_int_equal(posix_innermost_pid(-1), -1);
}

static void test_half_closed_channel_still_takes_frames(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "half-close-channel", "read", "wait-for-end");
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_END);
    bench_expect_silence(bench);
    assert_int_equal(bench_offer(bench, process, PLATFORM_SOCKET_NONE), BATON_OK);
    bench_await_text(bench, "OFFER");
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

static void test_input_is_at_its_end_and_output_cannot_be_read(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "streams");
    bench_await_text(bench, "input=0 output=-1\n");
    bench_finish(bench, &process, token);
}

/* Whatever a handler does with its output, the others' is as it was: those that run already, and
 * those that come. */
static void test_output_is_nobody_elses(void **state) {
    struct bench *bench = *state;
    uint64_t before_token, token, after_token;
    struct platform_process *before =
        LAUNCH(bench, &before_token, "hello", "read", "output-blocks", "print:before");
    struct platform_process *process =
        LAUNCH(bench, &token, "unblock-output", "shut-output", "output-blocks");
    bench_finish(bench, &process, token);
    assert_non_null(strstr(bench->text, "does not block\n"));
    bench_forget_text(bench);
    struct platform_process *after = LAUNCH(bench, &after_token, "output-blocks", "print:after");
    bench_finish(bench, &after, after_token);
    assert_string_equal(bench->text, "blocks\nafter\n");
    bench_forget_text(bench);
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    bench_receive(bench, before, before_token, frame);
    assert_int_equal(bench_offer(bench, before, PLATFORM_SOCKET_NONE), BATON_OK);
    bench_finish(bench, &before, before_token);
    assert_non_null(strstr(bench->text, "\nblocks\nbefore\n"));
}

/* Programs that log to /dev/stderr open it anew, as whom they have become by then. */
static void test_output_can_be_opened_by_its_name(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    if (geteuid() != 0) {
        skip();
    }
    struct platform_process *process =
        LAUNCH(bench, &token, "become:65534", "print-to:/dev/stderr", "read-from:/dev/stderr");
    bench_finish(bench, &process, token);
    assert_string_equal(bench->text, "to /dev/stderr\nEACCES\n");
}

/* Who lives long is read while it lives, and who writes much does not wait for that. */
static void test_output_of_the_living_is_read(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "print:here", "wait-for-end");
    bench_await_text(bench, "here\n");
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

static void test_terminate_that_is_ignored_then_kill(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "grandchild", "ignore-terminate",
                                              "print:ready", "wait-for-end", "exit:3");
    bench_await_text(bench, "ready\n");
    platform_process_signal(process, PLATFORM_TERMINATE);
    /* The group hears of it although its leader does not listen. */
    const char *number = strstr(bench->text, "grandchild ");
    assert_non_null(number);
    assert_true(system_process_ends((uint32_t)strtoul(number + strlen("grandchild "), NULL, 10)));
    bench_expect_silence(bench);
    platform_process_signal(process, PLATFORM_KILL);
    struct platform_exit how = bench_finish(bench, &process, token);
    assert_true(how.by_signal);
    assert_int_equal(how.code, SIGKILL);
}

static void test_broken_pipe_is_told_from_a_crash(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "broken-pipe");
    struct platform_exit how = bench_finish(bench, &process, token);
    assert_true(how.by_signal && how.by_broken_pipe);
    process = LAUNCH(bench, &token, "crash");
    how = bench_finish(bench, &process, token);
    assert_true(how.by_signal && !how.by_broken_pipe);
    process = LAUNCH(bench, &token, "exit:13");
    assert_false(bench_finish(bench, &process, token).by_broken_pipe);
}

static void test_leader_in_another_group_is_reached(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "leave-group", "print:ready", "hold");
    bench_await_text(bench, "ready\n");
    platform_process_signal(process, PLATFORM_TERMINATE);
    /* Who it has left behind has its output still. */
    struct platform_exit how = bench_await_exit(bench, &process, token);
    assert_true(how.by_signal);
    assert_int_equal(how.code, SIGTERM);
    uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
    assert_int_equal(platform_end_strays(bench->platform, NULL, deadline_us), 1);
}

static void test_stop_signals_are_events(void **state) {
    struct bench *bench = *state;
    const struct {
        int number;
        const char *name;
    } stops[] = {{SIGTERM, "SIGTERM"},
                 {SIGINT, "SIGINT"},
                 {SIGQUIT, "SIGQUIT"},
                 {SIGPWR, "SIGPWR"},
                 {SIGXCPU, "SIGXCPU"}};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        kill(getpid(), stops[i].number);
        bench_await(bench, PLATFORM_EVENT_STOP, 0);
        assert_string_equal(platform_stop_reason(bench->platform), stops[i].name);
        bench_expect_silence(bench);
    }
}

/* Of which nobody here knows what it would mean: it ends nothing, and the loop rests. */
static void test_other_signals_do_nothing(void **state) {
    struct bench *bench = *state;
    const int numbers[] = {SIGUSR1, SIGALRM, SIGVTALRM, SIGPROF,      SIGIO,   SIGXFSZ,
                           SIGURG,  SIGPIPE, SIGSTKFLT, SIGWINCH,     SIGTTIN, SIGTTOU,
                           32,      33,      SIGRTMIN,  SIGRTMIN + 1, SIGRTMAX};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        syscall(SYS_kill, getpid(), numbers[i]);
    }
    for (int i = 0; i < 1000; i++) {
        kill(getpid(), SIGRTMIN + 7);
    }
    bench_expect_rest(bench);
}

/* As if the machine had none, whatever it has; with one: test/integration/test_signals.py. */
static void test_hangup_is_an_event(void **state) {
    (void)state;
    pid_t tester = fork();
    assert_true(tester >= 0);
    if (tester == 0) {
        void *inner = NULL;
        setsid();
        signal(SIGHUP, SIG_IGN); /* as nohup(1) does */
        bench_setup(&inner);
        struct bench *bench = inner;
        kill(getpid(), SIGHUP);
        bench_await(bench, PLATFORM_EVENT_HANGUP, 0);
        bench_expect_silence(bench);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(tester, &status, 0), tester);
    assert_int_equal(status, 0);
}

static void test_sigpipe_ends_nobody(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
}

static void test_missing_standard_streams_are_filled(void **state) {
    assert_int_equal(bench_teardown(state), 0);
    int saved = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 10);
    close(STDIN_FILENO);
    assert_int_equal(bench_setup(state), 0);
    struct stat stream;
    struct stat null_device;
    assert_int_equal(fstat(STDIN_FILENO, &stream), 0);
    assert_int_equal(stat("/dev/null", &null_device), 0);
    assert_true(stream.st_rdev == null_device.st_rdev);
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void test_file_read_does_not_wait_for_a_fifo(void **state) {
    (void)state;
    char path[256];
    char text[8];
    size_t length;
    struct baton_cause cause;
    snprintf(path, sizeof path, "%s/fifo", system_scratch());
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(platform_file_read(path, text, sizeof text, &length, &cause), BATON_INVALID);
    assert_int_equal(platform_probe_program(NULL, path), BATON_INVALID);
    unlink(path);
}

/* Also when the clocks go back, and when the zone has changed. */
static void test_minute_by_the_zone(void **state) {
    static const struct {
        const char *zone;
        int64_t time_s;
        unsigned minute;
    } rows[] = {{"UTC0", 1735689599, 1439},
                {"UTC0", 1735689600, 0},
                {"IST-5:30", 1735689660, 331},
                {"CET-1CEST,M3.5.0,M10.5.0/3", 1743296399, 119}, /* 2025-03-30 01:59:59 */
                {"CET-1CEST,M3.5.0,M10.5.0/3", 1743296400, 180},
                {"CET-1CEST,M3.5.0,M10.5.0/3", 1761440399, 179}, /* 2025-10-26 02:59:59 */
                {"CET-1CEST,M3.5.0,M10.5.0/3", 1761440400, 120},
                {"AAA11:59", 1735689600, 721}};
    const char *before = getenv("TZ");
    char *kept = before != NULL ? strdup(before) : NULL;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        setenv("TZ", rows[i].zone, 1);
        assert_int_equal(platform_local_minute(rows[i].time_s * 1000000), rows[i].minute);
    }
    if (kept != NULL) {
        setenv("TZ", kept, 1);
    } else {
        unsetenv("TZ");
    }
    free(kept);
}

/* A copy of the connection lies unread in a channel, or with a process that went out of sight. What
 * nobody has read resets it, as always. */
static void test_a_connection_ends_whoever_holds_it(void **state) {
    struct bench *bench = *state;
    for (int has_sent = 0; has_sent < 2; has_sent++) {
        struct bench_connection connection = bench_connect(bench);
        int socket = (int)connection.socket.value;
        int held = dup(socket);
        char bytes[8];
        assert_true(held >= 0);
        if (has_sent) {
            client_send(connection.client, "hello");
            assert_int_equal(recv(socket, bytes, 5, MSG_PEEK | MSG_WAITALL), 5);
        }
        platform_socket_end(bench->platform, &connection.socket);
        assert_false(platform_socket_is_open(connection.socket));
        (void)bench_has(bench, PLATFORM_EVENT_RELIEF,
                        0); /* the closing thread begins with the next wait */
        ssize_t got = recv((int)connection.client, bytes, sizeof bytes, 0);
        assert_int_equal(got, has_sent ? -1 : 0);
        assert_true(!has_sent || errno == ECONNRESET);
        close(held);
        bench_disconnect(bench, &connection);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_child_starts_clean),
        WITH_BENCH(test_all_descriptors_close_on_exec),
        WITH_BENCH(test_accepted_socket_blocks),
        WITH_BENCH(test_accept_out_of_descriptors),
        WITH_BENCH(test_port_of_a_connection_in_time_wait_is_free),
        WITH_BENCH(test_closed_directory_is_no_fault_of_the_file),
        WITH_BENCH(test_packet_of_no_bytes_is_not_the_end),
        WITH_BENCH(test_packet_cut_off_at_the_capacity_is_refused),
        WITH_BENCH(test_descriptors_cannot_be_attached),
        cmocka_unit_test_setup_teardown(test_attached_descriptors_are_refused_and_closed,
                                        setup_taking_rights, bench_teardown),
        WITH_BENCH(test_speaker_is_named_by_the_kernel),
        cmocka_unit_test(test_innermost_pid),
        WITH_BENCH(test_half_closed_channel_still_takes_frames),
        WITH_BENCH(test_input_is_at_its_end_and_output_cannot_be_read),
        WITH_BENCH(test_output_is_nobody_elses),
        WITH_BENCH(test_output_can_be_opened_by_its_name),
        WITH_BENCH(test_output_of_the_living_is_read),
        WITH_BENCH(test_terminate_that_is_ignored_then_kill),
        WITH_BENCH(test_broken_pipe_is_told_from_a_crash),
        WITH_BENCH(test_leader_in_another_group_is_reached),
        WITH_BENCH(test_stop_signals_are_events),
        WITH_BENCH(test_other_signals_do_nothing),
        cmocka_unit_test(test_hangup_is_an_event),
        WITH_BENCH(test_sigpipe_ends_nobody),
        WITH_BENCH(test_a_connection_ends_whoever_holds_it),
        WITH_BENCH(test_missing_standard_streams_are_filled),
        cmocka_unit_test(test_file_read_does_not_wait_for_a_fifo),
        cmocka_unit_test(test_minute_by_the_zone),
    };
    return cmocka_run_group_tests_name("posix", tests, NULL, bench_remove_scratch);
}
