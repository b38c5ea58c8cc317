/* The platform itself and its wait. */
#include "harness.h"

#include <time.h>

/* All tables together have 10 MiB on POSIX and 400 on Windows, where the numbers of the slots alone
 * (core/base/slots.h) are committed at once. */
#define OPEN_MAX_BYTES (8u << 20)

static void test_clock_does_not_go_back(void **state) {
    struct bench *bench = *state;
    uint64_t last_us = platform_now_us(bench->platform);
    for (int i = 0; i < 1000; i++) {
        uint64_t now_us = platform_now_us(bench->platform);
        assert_true(now_us >= last_us);
        last_us = now_us;
    }
    /* Between 2020 and 2200: microseconds, not another unit. */
    int64_t wall_us = platform_wall_us(bench->platform);
    assert_true(wall_us > INT64_C(1577836800) * 1000000);
    assert_true(wall_us < INT64_C(7258118400) * 1000000);
}

/* As the C library has it, summer and winter, and before 1970. */
static void test_minute_of_the_local_day(void **state) {
    static const int64_t times_s[] = {1751371199, 1735689600, 1735689660, 951782340, 59, 0, 60};
    (void)state;
    for (size_t i = 0; i < sizeof times_s / sizeof *times_s; i++) {
        time_t seconds = (time_t)times_s[i];
        const struct tm *local = localtime(&seconds);
        assert_non_null(local);
        int expected = local->tm_hour * 60 + local->tm_min;
        assert_int_equal(platform_local_minute(times_s[i] * 1000000), expected);
        assert_int_equal(platform_local_minute(times_s[i] * 1000000 + 999999), expected);
    }
}

static void test_random_fills_exactly(void **state) {
    struct bench *bench = *state;
    uint8_t first[66] = {0};
    uint8_t second[66] = {0};
    assert_int_equal(platform_random(first + 1, 64, &bench->cause), BATON_OK);
    assert_int_equal(platform_random(second + 1, 64, &bench->cause), BATON_OK);
    assert_memory_not_equal(first, second, 66);
    assert_int_equal(first[0], 0);
    assert_int_equal(first[65], 0);
    assert_int_equal(platform_random(first, 0, &bench->cause), BATON_OK);
    /* Small pieces, more of them than are drawn ahead: none comes twice. */
    uint64_t pieces[600];
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        assert_int_equal(platform_random(&pieces[i], sizeof pieces[i], &bench->cause), BATON_OK);
        for (size_t before = 0; before < i; before++) {
            assert_true(pieces[before] != pieces[i]);
        }
    }
}

static void test_own_pid(void **state) {
    (void)state;
    assert_true(system_process_lives(platform_own_pid()));
}

static void test_processors(void **state) {
    (void)state;
    assert_in_range(platform_processors_count(), 1, 100000);
}

static void test_error_text(void **state) {
    (void)state;
    char text[256] = "untouched";
    /* 2 is "no such file" to both systems. */
    assert_ptr_equal(platform_error_text(2, text, sizeof text), text);
    assert_string_not_equal(text, "untouched");
    assert_true(strlen(text) > 0);
    assert_null(strpbrk(text, "\r\n"));
    assert_true(text[strlen(text) - 1] != '.');
    char narrow[4];
    platform_error_text(2, narrow, sizeof narrow);
    assert_true(strlen(narrow) < sizeof narrow);
}

static void test_sizes_are_checked(void **state) {
    (void)state;
    const struct platform_sizes wrong[] = {{0, 1, false, 0},
                                           {1, 0, false, 0},
                                           {PLATFORM_PROCESS_COUNT_MAX + 1, 1, false, 0},
                                           {1, PLATFORM_STREAM_COUNT_MAX + 1, false, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct baton_cause cause;
        struct platform *platform = NULL;
        assert_int_equal(platform_open_sized(&wrong[i], &platform, &cause), BATON_INVALID);
        assert_null(platform);
    }
    struct platform *none = NULL;
    platform_close(&none);
}

static void test_tables_cost_nothing_until_used(void **state) {
    (void)state;
    struct platform *platform;
    struct baton_cause cause;
    if (getenv(UNDER_VALGRIND) != NULL) {
        skip(); /* its calloc(3) writes */
    }
    assert_int_equal(platform_open(&platform, &cause), BATON_OK); /* what is made once, is now */
    platform_close(&platform);
    size_t before_bytes = system_memory_bytes();
    assert_int_equal(platform_open(&platform, &cause), BATON_OK);
    size_t after_bytes = system_memory_bytes();
    platform_close(&platform);
    if (after_bytes > before_bytes + OPEN_MAX_BYTES) {
        fail_msg("%lu bytes before, %lu after", (unsigned long)before_bytes,
                 (unsigned long)after_bytes);
    }
}

static void test_wait_ends_at_deadline(void **state) {
    bench_expect_silence(*state);
}

static void test_past_deadline_only_looks(void **state) {
    struct bench *bench = *state;
    struct platform_event event;
    assert_int_equal(platform_wait(bench->platform, &event, 1, 0, &bench->cause), 0);
    uint64_t now_us = platform_now_us(bench->platform);
    assert_int_equal(platform_wait(bench->platform, &event, 1, now_us, &bench->cause), 0);
}

static void test_wait_forever_ends_with_an_event(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "exit:0");
    struct platform_event event = {0};
    while (event.kind != PLATFORM_EVENT_EXIT) {
        /* The channel's end may be told first, and again until it is closed. */
        if (event.kind == PLATFORM_EVENT_CHANNEL) {
            platform_channel_close(process);
        }
        int count = platform_wait(bench->platform, &event, 1, PLATFORM_WAIT_FOREVER, &bench->cause);
        assert_int_equal(count, 1);
    }
    assert_true(event.token == token);
    platform_process_close(&process);
}

static void test_two_ready_things_come_one_at_a_time(void **state) {
    struct bench *bench = *state;
    uint64_t tokens[2];
    struct platform_listener *listeners[2];
    uintptr_t clients[2];
    for (int i = 0; i < 2; i++) {
        struct address address;
        listeners[i] = bench_listen(bench, &tokens[i], &address);
        clients[i] = client_connect(&address);
    }
    /* With room for one event, neither listener starves the other. */
    bool seen[2] = {false, false};
    for (int turn = 0; turn < 1000 && !(seen[0] && seen[1]); turn++) {
        struct platform_event event;
        uint64_t deadline_us = platform_now_us(bench->platform) + 20000000u;
        assert_int_equal(platform_wait(bench->platform, &event, 1, deadline_us, &bench->cause), 1);
        assert_int_equal(event.kind, PLATFORM_EVENT_ACCEPT);
        int which = event.token == tokens[0] ? 0 : 1;
        assert_true(event.token == tokens[which]);
        seen[which] = true;
    }
    assert_true(seen[0] && seen[1]);
    for (int i = 0; i < 2; i++) {
        platform_listener_close(&listeners[i]);
        client_close(clients[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_clock_does_not_go_back),
        cmocka_unit_test(test_minute_of_the_local_day),
        WITH_BENCH(test_random_fills_exactly),
        WITH_BENCH(test_own_pid),
        cmocka_unit_test(test_processors),
        WITH_BENCH(test_error_text),
        cmocka_unit_test(test_sizes_are_checked),
        cmocka_unit_test(test_tables_cost_nothing_until_used),
        WITH_BENCH(test_wait_ends_at_deadline),
        WITH_BENCH(test_past_deadline_only_looks),
        WITH_BENCH(test_wait_forever_ends_with_an_event),
        WITH_BENCH(test_two_ready_things_come_one_at_a_time),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
