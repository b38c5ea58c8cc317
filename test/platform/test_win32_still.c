/* What a restart breaks off, and what goes on with it in the process that had it: nothing is lost
 * by that, and nothing comes twice. And a program that is asked something. */
#include "asker.h"
#include "harness.h"

#include "platform/win32/restart.h"
#include "platform/win32/stream.h"

#include <stdio.h>
#include <string.h>

#include <winsock2.h>

#include <windows.h>

#define ROUNDS 50
#define PIECE_BYTES 65536

static void stand_still_and_go_on(struct bench *bench) {
    assert_true(win32_can_stand_still(bench->platform));
    assert_int_equal(win32_stand_still(bench->platform, &bench->cause), BATON_OK);
    assert_int_equal(win32_go_on(bench->platform, &bench->cause), BATON_OK);
}

static void test_frames(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct wire_message message;
    struct platform_process *process =
        LAUNCH(bench, &token, "hello", "done:one", "done:", "done:three", "wait-for-end");
    static const uint8_t types[] = {WIRE_HELLO, WIRE_DONE, WIRE_DONE, WIRE_DONE};
    for (size_t i = 0; i < sizeof types; i++) {
        for (int round = 0; round < ROUNDS; round++) {
            stand_still_and_go_on(bench);
        }
        size_t length = bench_receive(bench, process, token, frame);
        assert_int_equal(wire_decode(frame, length, WIRE_FROM_HANDLER, &message), WIRE_OK);
        assert_int_equal(message.type, types[i]);
    }
    platform_channel_close(process);
    stand_still_and_go_on(bench);
    bench_finish(bench, &process, token);
}

/* A read of the header has ended, and that of the body has not begun. */
static void test_a_header_alone(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "torn-body", "wait-for-end");
    bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
    stand_still_and_go_on(bench);
    stand_still_and_go_on(bench);
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    size_t length;
    assert_int_equal(platform_channel_receive(process, frame, sizeof frame, &length, &bench->cause),
                     BATON_AGAIN);
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

static void test_output(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "print:one", "print:two", "print:three", "wait-for-end");
    for (int round = 0; round < ROUNDS; round++) {
        stand_still_and_go_on(bench);
    }
    bench_await_text(bench, "one\ntwo\nthree\n");
    stand_still_and_go_on(bench);
    platform_channel_close(process);
    bench_finish(bench, &process, token);
    assert_string_equal(bench->text, "one\ntwo\nthree\nend\n");
}

/* By then AcceptEx may have had the client, or not: he is there in either case. */
static void test_clients_who_come_meanwhile(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct address address;
    struct platform_listener *listener = bench_listen(bench, &token, &address);
    for (int round = 0; round < ROUNDS; round++) {
        platform_listener_pause(listener);
        if (round % 2 == 0) {
            assert_int_equal(win32_stand_still(bench->platform, &bench->cause), BATON_OK);
        }
        uintptr_t client = client_connect(&address);
        if (round % 2 == 1) {
            assert_int_equal(win32_stand_still(bench->platform, &bench->cause), BATON_OK);
        }
        assert_int_equal(win32_go_on(bench->platform, &bench->cause), BATON_OK);
        platform_listener_resume(listener);
        struct platform_socket socket = bench_accept_next(bench, listener, token);
        bench_close_socket(bench, &socket);
        client_close(client);
    }
    platform_listener_close(&listener);
}

/* Who has not come is nobody, and who comes to what was taken for him would be sent away. */
static void test_control_clients_who_come_meanwhile(void **state) {
    struct bench *bench = *state;
    const struct platform_control_spec spec = {.path = asker_place()};
    struct platform_control *control;
    struct platform_control_client client;
    struct address peer;
    uintptr_t asker = 0;
    uint64_t token = bench_token(bench);
    assert_int_equal(platform_control_open(bench->platform, &spec, token, &control, &bench->cause),
                     BATON_OK);
    for (int round = 0; round < ROUNDS; round++) {
        stand_still_and_go_on(bench);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        assert_int_equal(
            platform_control_accept(control, bench_token(bench), &client, &peer, &bench->cause),
            BATON_AGAIN);
        if (round % 2 == 0) {
            assert_int_equal(win32_stand_still(bench->platform, &bench->cause), BATON_OK);
        }
        assert_true(asker_connect(asker_place(), &asker));
        if (round % 2 == 1) {
            assert_int_equal(win32_stand_still(bench->platform, &bench->cause), BATON_OK);
        }
        if (round % 3 == 0) { /* and has left by then */
            asker_close(asker);
        }
        assert_int_equal(win32_go_on(bench->platform, &bench->cause), BATON_OK);
        bench_await(bench, PLATFORM_EVENT_ACCEPT, token);
        assert_int_equal(
            platform_control_accept(control, bench_token(bench), &client, &peer, &bench->cause),
            BATON_OK);
        platform_control_leave(bench->platform, &client);
        if (round % 3 != 0) {
            asker_close(asker);
        }
    }
    platform_control_close(&control);
}

/* It ends in this process, by a thread; and is told when it has. */
static void test_a_write_that_nobody_takes(void **state) {
    struct bench *bench = *state;
    static char piece[PIECE_BYTES];
    struct platform_program *program =
        BENCH_RECIPE(bench, (struct platform_program_spec){0}, "hold");
    const struct platform_launch launch = {.program = program,
                                           .streams = PLATFORM_STREAMS_PIPES,
                                           .token = bench_token(bench),
                                           .input_token = bench_token(bench),
                                           .output_token = bench_token(bench)};
    struct platform_launched made = bench_start(bench, &launch);
    int code = BATON_OK;
    while (code == BATON_OK) {
        size_t written;
        code = platform_stream_write(made.input, piece, sizeof piece, &written, &bench->cause);
    }
    assert_int_equal(code, BATON_AGAIN);
    for (int round = 0; round < 3; round++) {
        size_t written;
        stand_still_and_go_on(bench);
        assert_true(win32_has_writes(bench->platform));
        assert_non_null(made.input->elsewhere);
        assert_int_equal(
            platform_stream_write(made.input, piece, sizeof piece, &written, &bench->cause),
            BATON_AGAIN);
    }
    platform_process_signal(made.process, PLATFORM_KILL);
    bench_await(bench, PLATFORM_EVENT_STREAM, launch.input_token);
    size_t written;
    assert_int_equal(
        platform_stream_write(made.input, piece, sizeof piece, &written, &bench->cause),
        BATON_GONE);
    assert_false(win32_has_writes(bench->platform));
    platform_stream_close(&made.input);
    platform_stream_close(&made.output);
    bench_await_exit(bench, &made.process, launch.token);
    platform_program_destroy(&program);
}

static int ask(uint32_t patience_ms, char *action, char **bytes, size_t *length, int *code,
               struct baton_cause *cause) {
    char path[4096];
    snprintf(path, sizeof path, "%s", bench_child_path());
    char *const argv[] = {path, action, NULL};
    return platform_ask_program(path, argv, true, patience_ms, bytes, length, code, cause);
}

static void test_a_program_that_is_asked(void **state) {
    char *bytes;
    size_t length;
    int code;
    struct baton_cause cause;
    char print[] = "print:an answer", crash[] = "crash", hold[] = "hold";
    (void)state;
    assert_int_equal(ask(0, print, &bytes, &length, &code, &cause), BATON_OK);
    assert_int_equal(code, 0);
    assert_int_equal(length, strlen("an answer\n"));
    assert_memory_equal(bytes, "an answer\n", length);
    free(bytes);
    assert_int_equal(ask(60000, crash, &bytes, &length, &code, &cause), BATON_OK);
    assert_int_not_equal(code, 0);
    assert_int_equal(length, 0);
    free(bytes);
    assert_int_equal(ask(100, hold, &bytes, &length, &code, &cause), BATON_SYSTEM);
    assert_int_equal(cause.system_code, ERROR_TIMEOUT);
    free(bytes);
    char nothing[] = "C:\\none\\such.exe";
    char *const argv[] = {nothing, NULL};
    assert_int_equal(platform_ask_program(nothing, argv, true, 0, &bytes, &length, &code, &cause),
                     BATON_NOT_FOUND);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_frames),
        WITH_BENCH(test_a_header_alone),
        WITH_BENCH(test_output),
        WITH_BENCH(test_clients_who_come_meanwhile),
        WITH_BENCH(test_control_clients_who_come_meanwhile),
        WITH_BENCH(test_a_write_that_nobody_takes),
        cmocka_unit_test(test_a_program_that_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
