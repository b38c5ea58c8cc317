/* What handlers write to standard output and error. */
#include "harness.h"

/* Reads one piece, waiting for it. */
static void read_piece(struct bench *bench, char *buffer, size_t capacity, size_t *length,
                       uint32_t *pid) {
    struct platform_writer writer;
    int result;
    while ((result = platform_output_read(bench->output, buffer, capacity, length, &writer,
                                          &bench->cause)) != BATON_OK) {
        assert_true(result == BATON_AGAIN || result == BATON_END);
        bench_await(bench, PLATFORM_EVENT_OUTPUT, bench->output_token);
    }
    assert_in_range(*length, 1, capacity);
    *pid = writer.pid;
}

static void test_two_writers_are_never_mixed(void **state) {
    struct bench *bench = *state;
    uint64_t tokens[2];
    struct platform_process *processes[2];
    processes[0] = LAUNCH(bench, &tokens[0], "lines:a");
    processes[1] = LAUNCH(bench, &tokens[1], "lines:b");
    size_t seen_bytes[2] = {0, 0};
    while (seen_bytes[0] < 20000 || seen_bytes[1] < 20000) {
        char piece[1024];
        size_t length;
        uint32_t pid;
        read_piece(bench, piece, sizeof piece, &length, &pid);
        int who = pid == platform_process_pid(processes[0]) ? 0 : 1;
        assert_int_equal(pid, platform_process_pid(processes[who]));
        for (size_t i = 0; i < length; i++) {
            assert_true(piece[i] == (who == 0 ? 'a' : 'b') || piece[i] == '\n' || piece[i] == '\r');
        }
        seen_bytes[who] += length;
    }
    for (int i = 0; i < 2; i++) {
        bench_await(bench, PLATFORM_EVENT_EXIT, tokens[i]);
        platform_process_close(&processes[i]);
    }
}

/* While it is paused nothing is told of it, and nothing is lost. */
static void test_one_that_is_paused(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    platform_output_pause(bench->output);
    struct platform_process *process = LAUNCH(bench, &token, "print:later", "exit:0");
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_false(bench_has(bench, PLATFORM_EVENT_OUTPUT, bench->output_token));
    platform_output_pause(bench->output);
    platform_output_resume(bench->output);
    platform_output_resume(bench->output);
    char text[64] = "";
    size_t length;
    uint32_t pid;
    read_piece(bench, text, sizeof text, &length, &pid);
    assert_memory_equal(text, "later", 5);
    platform_process_close(&process);
}

static void test_small_reads_lose_nothing(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "print:0123456789");
    char text[16] = "";
    for (int i = 0; i < 10; i++) {
        size_t length;
        uint32_t pid;
        bench_forget_events(bench);
        bench_await(bench, PLATFORM_EVENT_OUTPUT, bench->output_token);
        read_piece(bench, text + i, 1, &length, &pid);
        assert_int_equal(pid, platform_process_pid(process));
    }
    assert_string_equal(text, "0123456789");
    bench_finish(bench, &process, token);
}

static void test_output_outlives_its_process(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "print:last words", "exit:0");
    uint32_t pid = platform_process_pid(process);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    platform_process_close(&process);
    char text[64] = "";
    size_t done = 0;
    while (strchr(text, '\n') == NULL) {
        size_t length;
        uint32_t writer;
        read_piece(bench, text + done, sizeof text - 1 - done, &length, &writer);
        assert_int_equal(writer, pid);
        done += length;
        text[done] = '\0';
    }
    assert_string_equal(text, "last words\n");
}

static void test_pause_holds_writers_back(void **state) {
    struct bench *bench = *state;
    platform_outputs_pause(bench->platform);
    platform_outputs_pause(bench->platform);
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "print:held", "hello", "wait-for-end");
    bench_await(bench, PLATFORM_EVENT_CHANNEL, token); /* it has printed */
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    bench_receive(bench, process, token, frame);
    bench_forget_events(bench);
    bench_expect_silence(bench);
    platform_outputs_resume(bench->platform);
    platform_outputs_resume(bench->platform);
    bench_await_text(bench, "held\n");
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

static void test_two_outputs_are_told_apart(void **state) {
    struct bench *bench = *state;
    struct platform_output *second;
    uint64_t second_token = bench_token(bench);
    assert_int_equal(platform_output_open(bench->platform, second_token, &second, &bench->cause),
                     BATON_OK);
    const char *const actions[] = {"print:to the second", NULL};
    uint64_t token;
    struct platform_process *process = bench_launch_to(bench, second, actions, &token);
    bench_await(bench, PLATFORM_EVENT_OUTPUT, second_token);
    assert_false(bench_has(bench, PLATFORM_EVENT_OUTPUT, bench->output_token));
    char text[64];
    size_t length;
    struct platform_writer writer;
    assert_int_equal(
        platform_output_read(bench->output, text, sizeof text, &length, &writer, &bench->cause),
        BATON_AGAIN);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    platform_process_close(&process);
    platform_output_close(&second);
    assert_null(second);
    platform_output_close(&second);
    bench_forget_events(bench);
    bench_expect_silence(bench);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_two_writers_are_never_mixed), WITH_BENCH(test_one_that_is_paused),
        WITH_BENCH(test_small_reads_lose_nothing),    WITH_BENCH(test_output_outlives_its_process),
        WITH_BENCH(test_pause_holds_writers_back),    WITH_BENCH(test_two_outputs_are_told_apart),
    };
    return cmocka_run_group_tests_name("output", tests, NULL, NULL);
}
