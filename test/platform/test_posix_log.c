/* The log on what can be full or broken: a pipe, a socket, a disk. On Windows a thread writes the
 * log, and nothing of this can be seen from outside. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

/* What was seen while standard error was a small buffer. Kept for later, because a failing
 * assertion would write its message into that very buffer. */
struct log_seen {
    size_t opened_count; /* descriptors */
    size_t taken_bytes;  /* of more than fits */
    size_t taken_when_full_bytes;
    size_t read_bytes;
    size_t taken_when_empty_bytes;
    size_t taken_when_broken_bytes;
    struct platform_event event;
    struct baton_cause cause_when_broken;
    int events_while_full_count;
    int events_when_empty_count;
    int events_after_count;
    int emptier_status;
    bool opened;
    bool taken_without_cause;
    bool all_without_reader;
    bool early; /* before the deadline */
    bool slept; /* until the deadline, instead of turning */
    bool all_with_reader;
    bool flags_kept;
};

static int wait_for_one(struct bench *bench, struct platform_event *event, uint64_t span_us) {
    uint64_t deadline_us = platform_now_us(bench->platform) + span_us;
    return platform_wait(bench->platform, event, 1, deadline_us, &bench->cause);
}

/* With a log that nobody reads, then with one that somebody does. */
static void write_all_in_time(struct bench *bench, int reader, struct log_seen *seen) {
    static const char block[1 << 20];
    uint64_t used_us = system_cpu_us();
    uint64_t deadline_us = platform_now_us(bench->platform) + 50000;
    seen->all_without_reader = bench_log_write_all(bench, block, sizeof block, deadline_us);
    seen->early = platform_now_us(bench->platform) < deadline_us;
    seen->slept = system_cpu_us() - used_us < 25000;
    pid_t emptier = fork();
    if (emptier == 0) {
        alarm(60);
        char taken[4096];
        ssize_t got;
        while ((got = read(reader, taken, sizeof taken)) > 0 && taken[got - 1] != '\n') {
        }
        _exit(got > 0 ? 0 : 1);
    }
    deadline_us = platform_now_us(bench->platform) + 20000000;
    seen->all_with_reader = bench_log_write_all(bench, block, sizeof block, deadline_us) &&
                            bench_log_write_all(bench, "\n", 1, deadline_us);
    waitpid(emptier, &seen->emptier_status, 0);
}

/* `shared`: not a single descriptor is to be had, so the log cannot open the pipe anew, as where
 * /proc is missing or the pipe belongs to another user. */
static bool open_log(struct bench *bench, bool shared) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    struct rlimit none = {.rlim_cur = 3, .rlim_max = limit.rlim_max};
    if (shared) {
        setrlimit(RLIMIT_NOFILE, &none);
    }
    int result = bench_log_open(bench, NULL);
    setrlimit(RLIMIT_NOFILE, &limit);
    return result == BATON_OK;
}

static void fill_and_empty_log(struct bench *bench, int reader, bool shared,
                               struct log_seen *seen) {
    static char block[1 << 20];
    struct platform_event none;
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    size_t before_count = system_descriptor_count();
    seen->opened = open_log(bench, shared);
    seen->opened_count = system_descriptor_count() - before_count;
    seen->taken_bytes = platform_log_write(bench->log, block, sizeof block, &bench->cause);
    seen->taken_without_cause = bench->cause.call == NULL;
    seen->taken_when_full_bytes = platform_log_write(bench->log, block, 1, &bench->cause);
    seen->events_while_full_count = wait_for_one(bench, &none, 50000);
    ssize_t got;
    while (seen->read_bytes < seen->taken_bytes && (got = read(reader, block, sizeof block)) > 0) {
        seen->read_bytes += (size_t)got;
    }
    seen->events_when_empty_count = wait_for_one(bench, &seen->event, 20000000);
    seen->events_after_count = wait_for_one(bench, &none, 50000);
    seen->taken_when_empty_bytes = platform_log_write(bench->log, "end", 3, &bench->cause);
    platform_log_flush(bench->log, PLATFORM_WAIT_FOREVER);
    write_all_in_time(bench, reader, seen);
    seen->flags_kept = fcntl(STDERR_FILENO, F_GETFL) == flags;
    close(reader);
    seen->taken_when_broken_bytes =
        platform_log_write(bench->log, "lost\n", 5, &seen->cause_when_broken);
    assert_true(bench_log_write_all(bench, "lost\n", 5, PLATFORM_WAIT_FOREVER));
}

static void check_log_on(struct bench *bench, int reader, int writer, bool shared) {
    struct log_seen seen = {0};
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_true(saved >= 0);
    dup2(writer, STDERR_FILENO);
    close(writer);
    fill_and_empty_log(bench, reader, shared, &seen);
    dup2(saved, STDERR_FILENO);
    close(saved);

    assert_true(seen.opened);
    assert_int_equal(seen.opened_count, shared ? 0 : 1);
    assert_in_range(seen.taken_bytes, 1, (1 << 20) - 1);
    assert_true(seen.taken_without_cause);
    assert_int_equal(seen.taken_when_full_bytes, 0);
    assert_int_equal(seen.events_while_full_count, 0);
    assert_int_equal(seen.read_bytes, seen.taken_bytes);
    assert_int_equal(seen.events_when_empty_count, 1);
    assert_int_equal(seen.event.kind, PLATFORM_EVENT_LOG_WRITABLE);
    assert_true(seen.event.token == 0);
    assert_int_equal(seen.events_after_count, 0);
    assert_int_equal(seen.taken_when_empty_bytes, 3);
    assert_false(seen.all_without_reader);
    assert_false(seen.early);
    assert_true(seen.slept);
    assert_true(seen.all_with_reader);
    assert_int_equal(seen.emptier_status, 0);
    assert_true(seen.flags_kept);
    /* The reader has gone: everything is taken and dropped, and the reason is told. */
    assert_int_equal(seen.taken_when_broken_bytes, 5);
    assert_non_null(seen.cause_when_broken.call);
    assert_int_equal(seen.cause_when_broken.system_code, EPIPE);
}

static void test_log_to_a_full_pipe_does_not_block(void **state) {
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    check_log_on(*state, ends[0], ends[1], false);
}

static void test_log_to_a_full_pipe_that_is_shared(void **state) {
    if (getenv(UNDER_VALGRIND) != NULL) {
        skip();
    }
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    check_log_on(*state, ends[0], ends[1], true);
}

static void test_log_to_a_full_socket_does_not_block(void **state) {
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    check_log_on(*state, ends[0], ends[1], true);
}

static void test_log_to_a_full_disk(void **state) {
    struct bench *bench = *state;
    assert_int_equal(bench_log_open(bench, "/dev/full"), BATON_OK);
    assert_int_equal(platform_log_write(bench->log, "lost\n", 5, &bench->cause), 5);
    assert_string_equal(bench->cause.call, "write");
    assert_int_not_equal(bench->cause.system_code, 0);
}

static void tear_line(struct bench *bench, rlim_t room) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const struct rlimit low = {room, limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    assert_int_equal(platform_log_write(bench->log, "whole\ntorn\n", 11, &bench->cause), 11);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(bench->cause.system_code, EFBIG);
}

static void expect_log(const char *path, const char *text) {
    char bytes[64];
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(bytes, text);
}

/* It is ended where it stands, also if that is opened again, and nowhere else. */
static void test_a_line_that_is_torn(void **state) {
    struct bench *bench = *state;
    char path[256], old[256];
    snprintf(path, sizeof path, "%s/torn", system_scratch());
    snprintf(old, sizeof old, "%s/old", system_scratch());
    assert_int_equal(bench_log_open(bench, path), BATON_OK);
    tear_line(bench, 8);
    assert_int_equal(bench_log_open(bench, path), BATON_OK);
    assert_int_equal(platform_log_write(bench->log, "next\n", 5, &bench->cause), 5);
    expect_log(path, "whole\nto\nnext\n");
    tear_line(bench, 14 + 9);
    assert_int_equal(rename(path, old), 0);
    assert_int_equal(bench_log_open(bench, path), BATON_OK);
    assert_int_equal(platform_log_write(bench->log, "next\n", 5, &bench->cause), 5);
    expect_log(path, "next\n");
    unlink(path);
    unlink(old);
}

static void test_log_file_mode(void **state) {
    struct bench *bench = *state;
    char path[256];
    struct stat status;
    mode_t mask = umask(0);
    snprintf(path, sizeof path, "%s/mode", system_scratch());
    assert_int_equal(bench_log_open(bench, path), BATON_OK);
    umask(mask);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0640);
    unlink(path);
    /* One that is asked for is that, whatever the umask; what is there keeps its own. */
    mask = umask(077);
    const struct platform_log_sink sinks[] = {{.path = path, .mode = 0664},
                                              {.path = path, .mode = 0600}};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(platform_log_open(bench->platform, &bench->log, &sinks[i], &bench->cause),
                         BATON_OK);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 07777, 0664);
    }
    umask(mask);
    unlink(path);
}

/* Two at once, of which one is closed. */
static void test_several_logs(void **state) {
    struct bench *bench = *state;
    char path[256];
    struct platform_log *second = NULL;
    snprintf(path, sizeof path, "%s/second", system_scratch());
    const struct platform_log_sink sink = {.path = path};
    assert_int_equal(bench_log_open(bench, "/dev/full"), BATON_OK);
    assert_int_equal(platform_log_open(bench->platform, &second, &sink, &bench->cause), BATON_OK);
    assert_int_equal(platform_log_write(bench->log, "lost\n", 5, &bench->cause), 5);
    struct platform_log_loss loss;
    platform_log_take_loss(second, &loss);
    assert_int_equal(loss.lines_count, 0);
    assert_int_equal(platform_log_write(second, "kept\n", 5, &bench->cause), 5);
    assert_null(bench->cause.call);
    platform_log_take_loss(bench->log, &loss);
    assert_int_equal(loss.lines_count, 1);
    platform_log_close(&bench->log);
    assert_int_equal(platform_log_write(second, "too\n", 4, &bench->cause), 4);
    unlink(path);
}

static void test_the_journal_is_told_by_its_stream(void **state) {
    (void)state;
    struct stat status;
    char stream[64];
    unsetenv("JOURNAL_STREAM");
    assert_false(platform_error_is_journal());
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    const unsigned long long device = status.st_dev, number = status.st_ino;
    const struct {
        const char *format;
        unsigned long long more;
        bool is_journal;
    } cases[] = {{"%llu:%llu", 0, true},  {"%llu:%llu", 1, false},  {"%llu:%llux", 0, false},
                 {"%llu %llu", 0, false}, {"x%llu:%llu", 0, false}, {"%llu:", 0, false},
                 {"", 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        /* The formats are of this table. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(stream, sizeof stream, cases[i].format, device, number + cases[i].more);
#pragma GCC diagnostic pop
        setenv("JOURNAL_STREAM", stream, 1);
        assert_int_equal(platform_error_is_journal(), cases[i].is_journal);
    }
    unsetenv("JOURNAL_STREAM");
}

/* A session with a terminal that stops who writes from the background (stty tostop). Returns the
 * terminal, which has become standard error, or -1. */
static int open_terminal(void) {
    int ours = posix_openpt(O_RDWR | O_NOCTTY);
    if (setsid() < 0 || ours < 0 || grantpt(ours) != 0 || unlockpt(ours) != 0) {
        return -1;
    }
    int terminal = open(ptsname(ours), O_RDWR);
    struct termios settings;
    if (terminal < 0 || ioctl(terminal, TIOCSCTTY, 0) != 0 || tcgetattr(terminal, &settings) != 0) {
        return -1;
    }
    settings.c_lflag |= TOSTOP;
    return tcsetattr(terminal, TCSANOW, &settings) == 0 ? terminal : -1;
}

static void test_terminal_takes_it_from_the_background(void **state) {
    (void)state;
    pid_t session = fork();
    assert_true(session >= 0);
    if (session == 0) {
        int terminal = open_terminal();
        pid_t job = terminal < 0 ? -1 : fork();
        if (job == 0) {
            void *inner = NULL;
            setpgid(0, 0);
            dup2(terminal, STDERR_FILENO);
            bench_setup(&inner);
            struct bench *bench = inner;
            _exit(bench_log_open(bench, NULL) != BATON_OK ||
                  platform_log_write(bench->log, "x\n", 2, &bench->cause) != 2 ||
                  bench->cause.call != NULL);
        }
        int status = -1;
        _exit(job < 0 || waitpid(job, &status, WUNTRACED) != job || status != 0);
    }
    int status;
    assert_int_equal(waitpid(session, &status, 0), session);
    assert_int_equal(status, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_log_to_a_full_pipe_does_not_block),
        WITH_BENCH(test_log_to_a_full_pipe_that_is_shared),
        WITH_BENCH(test_log_to_a_full_socket_does_not_block),
        WITH_BENCH(test_log_to_a_full_disk),
        WITH_BENCH(test_a_line_that_is_torn),
        WITH_BENCH(test_log_file_mode),
        WITH_BENCH(test_several_logs),
        cmocka_unit_test(test_the_journal_is_told_by_its_stream),
        cmocka_unit_test(test_terminal_takes_it_from_the_background),
    };
    return cmocka_run_group_tests_name("posix_log", tests, NULL, bench_remove_scratch);
}
