/* The log as a syslog's: the test is the syslog. */
#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *place(void) {
    static char path[108];
    snprintf(path, sizeof path, "%s/log", system_scratch());
    return path;
}

/* As syslogd does: what is there of that name is from before. */
static int listen_there(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int own = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", place());
    unlink(place());
    assert_int_equal(bind(own, (struct sockaddr *)&address, sizeof address), 0);
    return own;
}

static int open_syslog(struct bench *bench) {
    const struct platform_log_sink sink = {.path = place(), .is_syslog = true};
    return platform_log_open(bench->platform, &bench->log, &sink, &bench->cause);
}

static void clean(int syslog) {
    close(syslog);
    unlink(place());
}

static size_t write_text(struct bench *bench, const char *text) {
    return platform_log_write(bench->log, text, strlen(text), &bench->cause);
}

static void expect(int syslog, const char *text) {
    char bytes[256];
    ssize_t length = recv(syslog, bytes, sizeof bytes, 0);
    assert_int_equal(length, (ssize_t)strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static void test_a_line_is_a_datagram(void **state) {
    struct bench *bench = *state;
    char byte;
    int syslog = listen_there();
    assert_int_equal(open_syslog(bench), BATON_OK);
    assert_int_equal(write_text(bench, "<30>one\n<28>two\n\n"), 17);
    expect(syslog, "<30>one");
    expect(syslog, "<28>two");
    assert_true(recv(syslog, &byte, 1, 0) < 0 && errno == EAGAIN);
    assert_null(bench->cause.call);
    clean(syslog);
}

/* What it does not take is taken later; nothing waits. */
static void test_one_that_does_not_read(void **state) {
    struct bench *bench = *state;
    char line[1024], taken[1024];
    size_t written_count = 0, read_count = 0;
    int syslog = listen_there();
    memset(line, 'x', sizeof line);
    line[sizeof line - 1] = '\n';
    assert_int_equal(open_syslog(bench), BATON_OK);
    while (platform_log_write(bench->log, line, sizeof line, &bench->cause) == sizeof line) {
        written_count++;
        assert_in_range(written_count, 1, 100000);
    }
    assert_null(bench->cause.call);
    bench_expect_silence(bench);
    while (recv(syslog, taken, sizeof taken, 0) == sizeof line - 1) {
        read_count++;
    }
    assert_int_equal(read_count, written_count);
    bench_await(bench, PLATFORM_EVENT_LOG_WRITABLE, 0);
    assert_int_equal(write_text(bench, "again\n"), 6);
    expect(syslog, "again");
    clean(syslog);
}

static void test_one_that_is_started_again(void **state) {
    struct bench *bench = *state;
    int syslog = listen_there();
    assert_int_equal(open_syslog(bench), BATON_OK);
    assert_int_equal(write_text(bench, "one\n"), 4);
    expect(syslog, "one");
    close(syslog);
    /* Nobody is there for a while: nothing is taken, and nothing lost. */
    assert_int_equal(write_text(bench, "two\n"), 0);
    assert_null(bench->cause.call);
    bench_await(bench, PLATFORM_EVENT_LOG_WRITABLE, 0);
    unlink(place());
    assert_int_equal(write_text(bench, "two\n"), 0);
    syslog = listen_there();
    bench_await(bench, PLATFORM_EVENT_LOG_WRITABLE, 0);
    assert_int_equal(write_text(bench, "two\n"), 4);
    expect(syslog, "two");
    /* At once another is there. */
    close(syslog);
    syslog = listen_there();
    assert_int_equal(write_text(bench, "three\n"), 6);
    expect(syslog, "three");
    clean(syslog);
}

/* One that does not come back is as a disk that is full, until it does. */
static void test_one_that_stays_away(void **state) {
    struct bench *bench = *state;
    struct platform_log_loss loss;
    assert_int_equal(open_syslog(bench), BATON_OK);
    uint64_t begun_us = platform_now_us(bench->platform);
    while (write_text(bench, "lost\n") == 0) {
        assert_null(bench->cause.call);
        platform_log_wait(bench->log, begun_us + 20000000);
        assert_true(platform_now_us(bench->platform) < begun_us + 20000000);
    }
    assert_true(platform_now_us(bench->platform) - begun_us >= PLATFORM_SYSLOG_PATIENCE_US);
    assert_string_equal(bench->cause.call, "send");
    assert_int_equal(bench->cause.system_code, ENOENT);
    platform_log_take_loss(bench->log, &loss);
    assert_int_equal(loss.lines_count, 1);
    assert_int_equal(loss.bytes, 5);
    assert_int_equal(write_text(bench, "lost\n"), 5);
    int syslog = listen_there();
    assert_int_equal(write_text(bench, "there\n"), 6);
    assert_null(bench->cause.call);
    expect(syslog, "there");
    clean(syslog);
}

/* A socket that is none of datagrams, and a place that is no socket. */
static void test_what_is_none(void **state) {
    struct bench *bench = *state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int stream = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", place());
    assert_int_equal(bind(stream, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(open_syslog(bench), BATON_OK);
    assert_int_equal(write_text(bench, "lost\n"), 5);
    assert_int_equal(bench->cause.system_code, EPROTOTYPE);
    clean(stream);
}

static void test_from_a_file_and_back(void **state) {
    struct bench *bench = *state;
    char path[128];
    int syslog = listen_there();
    snprintf(path, sizeof path, "%s/file", system_scratch());
    assert_int_equal(bench_log_open(bench, path), BATON_OK);
    assert_int_equal(write_text(bench, "one\n"), 4);
    assert_int_equal(open_syslog(bench), BATON_OK);
    assert_int_equal(write_text(bench, "two\n"), 4);
    expect(syslog, "two");
    assert_int_equal(bench_log_open(bench, path), BATON_OK);
    assert_int_equal(write_text(bench, "three\n"), 6);
    char text[32] = "";
    size_t length;
    assert_int_equal(platform_file_read(path, text, sizeof text, &length, &bench->cause), BATON_OK);
    assert_string_equal(text, "one\nthree\n");
    platform_log_close(&bench->log);
    assert_null(bench->log);
    unlink(path);
    clean(syslog);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_line_is_a_datagram),
        WITH_BENCH(test_one_that_does_not_read),
        WITH_BENCH(test_one_that_is_started_again),
        WITH_BENCH(test_one_that_stays_away),
        WITH_BENCH(test_what_is_none),
        WITH_BENCH(test_from_a_file_and_back),
    };
    return cmocka_run_group_tests_name("posix_syslog", tests, NULL, bench_remove_scratch);
}
