/* What the standard streams of a process are: a socket, or pipes. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#define MEBIBYTE ((size_t)1024 * 1024)

static const struct platform_program_spec plain = {.has_channel = false};

/* ---- A socket ---- */

/* As stdio mode gets it. */
static struct bench_connection connect_plain(struct bench *bench) {
    struct bench_connection made = {.address = bench_loopback()};
    struct platform_listener_spec spec = bench_tcp(&made.address);
    spec.is_plain = true;
    uint64_t token;
    made.listener = bench_listen_as(bench, &spec, &token);
    platform_listener_address(made.listener, &made.address);
    made.socket = bench_accept(bench, made.listener, token, &made.client);
    return made;
}

/* Launches with the socket and closes our copy, so that the client sees the program's end. */
static struct platform_process *serve(struct bench *bench, struct platform_program *program,
                                      struct bench_connection *connection,
                                      bool error_follows_output, uint64_t *token) {
    *token = bench_token(bench);
    struct platform_launch launch = {.program = program,
                                     .output = bench->output,
                                     .streams = PLATFORM_STREAMS_SOCKET,
                                     .error_follows_output = error_follows_output,
                                     .socket = connection->socket,
                                     .token = *token};
    struct platform_launched made = bench_start(bench, &launch);
    assert_null(made.input);
    assert_null(made.output);
    if (made.has_taken_socket) {
        connection->socket = PLATFORM_SOCKET_NONE;
    }
    bench_close_socket(bench, &connection->socket);
    platform_program_destroy(&program);
    return made.process;
}

static void test_a_socket(void **state) {
    struct bench *bench = *state;
    struct bench_connection connection = connect_plain(bench);
    struct platform_program *program =
        BENCH_RECIPE(bench, plain, "print:hello", "copy-input", "print:bye", "exit:7");
    uint64_t token;
    char text[128];
    client_send(connection.client, "before there was a program, ");
    struct platform_process *process = serve(bench, program, &connection, false, &token);
    client_send(connection.client, "and after\n");
    client_end_sending(connection.client);
    client_receive_all(connection.client, text, sizeof text);
    assert_string_equal(text, "hello\nbefore there was a program, and after\nbye\n");
    assert_int_equal(bench_await_exit(bench, &process, token).code, 7);
    bench_disconnect(bench, &connection);
}

/* What a stream has read is gone, all the rest is there for the program. */
static void test_a_socket_after_a_stream(void **state) {
    struct bench *bench = *state;
    struct bench_connection connection = connect_plain(bench);
    uint64_t token = bench_token(bench);
    struct platform_stream *stream;
    char text[128];
    assert_int_equal(
        platform_stream_open(bench->platform, connection.socket, token, &stream, &bench->cause),
        BATON_OK);
    client_send(connection.client, "PROXY!hello");
    assert_int_equal(bench_stream_read(bench, stream, token, text, 6), BATON_OK);
    platform_stream_close(&stream);
    struct platform_process *process =
        serve(bench, BENCH_RECIPE(bench, plain, "copy-input"), &connection, false, &token);
    client_send(connection.client, " again");
    client_end_sending(connection.client);
    client_receive_all(connection.client, text, sizeof text);
    assert_string_equal(text, "hello again");
    assert_int_equal(bench_await_exit(bench, &process, token).code, 0);
    bench_disconnect(bench, &connection);
}

static void test_where_errors_go(void **state) {
    struct bench *bench = *state;
    for (int follows = 0; follows < 2; follows++) {
        struct bench_connection connection = connect_plain(bench);
        struct platform_program *program =
            BENCH_RECIPE(bench, plain, "print:to output", "error:to error");
        uint64_t token;
        char text[64];
        bench_forget_text(bench);
        struct platform_process *process = serve(bench, program, &connection, follows, &token);
        client_receive_all(connection.client, text, sizeof text);
        assert_non_null(strstr(text, "to output"));
        assert_true((strstr(text, "to error") != NULL) == (follows != 0));
        if (!follows) {
            bench_await_text(bench, "to error");
        }
        bench_await_exit(bench, &process, token);
        assert_null(strstr(bench->text, "to output"));
        bench_disconnect(bench, &connection);
    }
}

static void test_no_channel(void **state) {
    struct bench *bench = *state;
    struct platform_program *program =
        BENCH_RECIPE(bench, plain, "variable:BATON_CHANNEL", "variable:BATON_PROTOCOL",
                     "variable:BATON_NONCE", "exit:3");
    uint64_t token = bench_token(bench);
    struct platform_launch launch = {.program = program,
                                     .output = bench->output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = token};
    struct platform_launched made = bench_start(bench, &launch);
    platform_program_destroy(&program);
    assert_int_equal(bench_finish(bench, &made.process, token).code, 3);
    assert_string_equal(bench->text, "BATON_CHANNEL=(unset)\n"
                                     "BATON_PROTOCOL=(unset)\n"
                                     "BATON_NONCE=(unset)\n");
}

/* ---- Pipes ---- */

struct pump {
    struct platform_launched made;
    uint64_t token, input_token, output_token;
};

static struct pump pump_start(struct bench *bench, struct platform_program *program,
                              bool error_follows_output) {
    struct pump pump = {.token = bench_token(bench),
                        .input_token = bench_token(bench),
                        .output_token = bench_token(bench)};
    struct platform_launch launch = {.program = program,
                                     .output = bench->output,
                                     .streams = PLATFORM_STREAMS_PIPES,
                                     .error_follows_output = error_follows_output,
                                     .socket = PLATFORM_SOCKET_NONE,
                                     .token = pump.token,
                                     .input_token = pump.input_token,
                                     .output_token = pump.output_token};
    pump.made = bench_start(bench, &launch);
    assert_non_null(pump.made.input);
    assert_non_null(pump.made.output);
    platform_program_destroy(&program);
    return pump;
}

static uint32_t pump_end(struct bench *bench, struct pump *pump) {
    platform_stream_close(&pump->made.input);
    platform_stream_close(&pump->made.output);
    return bench_await_exit(bench, &pump->made.process, pump->token).code;
}

/* Reads until the end, at most `size` - 1 bytes, and ends with NUL. */
static void pump_read_all(struct bench *bench, struct pump *pump, char *text, size_t size) {
    memset(text, 0, size);
    assert_int_equal(
        bench_stream_read(bench, pump->made.output, pump->output_token, text, size - 1), BATON_END);
}

static char byte_at(size_t place) {
    return (char)(place * 2654435761u >> 24);
}

/* A piece of what is still to be written of `all`. True if anything was taken. */
static bool push(struct bench *bench, struct pump *pump, const char *all, size_t *sent) {
    size_t length = MEBIBYTE - *sent < 5000 ? MEBIBYTE - *sent : 5000;
    size_t written = 0;
    if (length == 0) {
        return false;
    }
    int result =
        platform_stream_write(pump->made.input, all + *sent, length, &written, &bench->cause);
    assert_true(result == BATON_OK || result == BATON_AGAIN);
    *sent += written;
    if (*sent == MEBIBYTE) {
        platform_stream_finish(pump->made.input);
        platform_stream_finish(pump->made.input);
    }
    return result == BATON_OK;
}

/* A piece of what comes back. True if there was one. */
static bool pull(struct bench *bench, struct pump *pump, size_t *received, bool *ended) {
    char piece[7000];
    size_t length = 0;
    if (*ended) {
        return false;
    }
    int result =
        platform_stream_read(pump->made.output, piece, sizeof piece, &length, &bench->cause);
    assert_true(result == BATON_OK || result == BATON_AGAIN || result == BATON_END);
    *ended = result == BATON_END;
    for (size_t i = 0; i < length; i++) {
        assert_int_equal(piece[i], byte_at(*received + i));
    }
    *received += length;
    return result == BATON_OK;
}

static void test_a_mebibyte_each_way(void **state) {
    struct bench *bench = *state;
    struct pump pump = pump_start(bench, BENCH_RECIPE(bench, plain, "copy-input", "exit:7"), false);
    size_t sent = 0;
    size_t received = 0;
    bool ended = false;
    char *all = malloc(MEBIBYTE);
    assert_non_null(all);
    for (size_t i = 0; i < MEBIBYTE; i++) {
        all[i] = byte_at(i);
    }
    while (!ended) {
        bool moved = push(bench, &pump, all, &sent);
        moved = pull(bench, &pump, &received, &ended) || moved;
        if (!moved && !ended) { /* the program gives before it takes more */
            bool gives = sent == MEBIBYTE || !platform_stream_is_busy(pump.made.input);
            bench_await(bench, PLATFORM_EVENT_STREAM, gives ? pump.output_token : pump.input_token);
        }
    }
    free(all);
    assert_int_equal(sent, MEBIBYTE);
    assert_int_equal(received, MEBIBYTE);
    assert_int_equal(pump_end(bench, &pump), 7);
}

static void test_pipes_and_errors(void **state) {
    struct bench *bench = *state;
    char text[64];
    for (int follows = 0; follows < 2; follows++) {
        struct pump pump = pump_start(
            bench, BENCH_RECIPE(bench, plain, "print:to output", "error:to error"), follows);
        bench_forget_text(bench);
        pump_read_all(bench, &pump, text, sizeof text);
        assert_non_null(strstr(text, "to output"));
        assert_true((strstr(text, "to error") != NULL) == (follows != 0));
        if (!follows) {
            bench_await_text(bench, "to error");
        }
        pump_end(bench, &pump);
        assert_null(strstr(bench->text, "to output"));
    }
}

static void test_a_program_that_does_not_read_holds_us_back(void **state) {
    static const char piece[4096];
    struct bench *bench = *state;
    struct pump pump = pump_start(bench, BENCH_RECIPE(bench, plain, "print:ready", "hold"), false);
    char text[8];
    int result;
    int rounds = 0;
    assert_int_equal(bench_stream_read(bench, pump.made.output, pump.output_token, text, 5),
                     BATON_OK);
    do {
        size_t written;
        result =
            platform_stream_write(pump.made.input, piece, sizeof piece, &written, &bench->cause);
        if (result == BATON_AGAIN && platform_stream_is_busy(pump.made.input)) {
            bench_await(bench, PLATFORM_EVENT_STREAM, pump.input_token);
            result = BATON_OK;
        }
    } while (result == BATON_OK && ++rounds < 10000);
    assert_int_equal(result, BATON_AGAIN);
    bench_forget_events(bench);
    bench_expect_rest(bench);
    /* Its end is told to who waits for room, and to who waits for bytes. */
    platform_process_signal(pump.made.process, PLATFORM_KILL);
    assert_int_equal(bench_stream_write(bench, pump.made.input, pump.input_token, piece, 1),
                     BATON_GONE);
    while ((result = bench_stream_read(bench, pump.made.output, pump.output_token, text, 1)) ==
           BATON_OK) {
    }
    assert_int_equal(result, BATON_END);
    pump_end(bench, &pump);
}

static void test_a_program_that_is_gone(void **state) {
    struct bench *bench = *state;
    struct pump pump = pump_start(bench, BENCH_RECIPE(bench, plain, "print:last words"), false);
    platform_outputs_pause(
        bench->platform); /* on Windows its end would be reported until it is read */
    /* The streams outlive the process, and nobody asks. */
    assert_int_equal(bench_await_exit(bench, &pump.made.process, pump.token).code, 0);
    bench_expect_rest(bench);
    int result;
    do { /* Windows may still take what nobody will read */
        result = bench_stream_write(bench, pump.made.input, pump.input_token, "x", 1);
    } while (result == BATON_OK);
    assert_int_equal(result, BATON_GONE);
    char text[64];
    pump_read_all(bench, &pump, text, sizeof text);
    assert_non_null(strstr(text, "last words"));
    bench_expect_rest(bench);
    platform_stream_close(&pump.made.input);
    platform_stream_close(&pump.made.output);
}

/* The program finds the end of its input, whichever way we say it. */
static void test_closing_is_the_end_too(void **state) {
    struct bench *bench = *state;
    struct pump pump =
        pump_start(bench, BENCH_RECIPE(bench, plain, "copy-input", "print:end"), false);
    char text[64];
    assert_int_equal(bench_stream_write(bench, pump.made.input, pump.input_token, "abc", 3),
                     BATON_OK);
    platform_stream_close(&pump.made.input);
    pump_read_all(bench, &pump, text, sizeof text);
    assert_memory_equal(text, "abcend", 6);
    assert_int_equal(pump_end(bench, &pump), 0);
}

static void test_a_table_without_room_for_pipes(void **state) {
    struct bench *bench = *state;
    struct platform_stream *streams[BENCH_STREAM_COUNT - 1];
    struct bench_connection connections[BENCH_STREAM_COUNT - 1];
    for (int i = 0; i < BENCH_STREAM_COUNT - 1; i++) {
        connections[i] = bench_connect(bench);
        assert_int_equal(platform_stream_open(bench->platform, connections[i].socket,
                                              bench_token(bench), &streams[i], &bench->cause),
                         BATON_OK);
    }
    struct platform_program *program = BENCH_RECIPE(bench, plain, "copy-input");
    struct platform_launch launch = {
        .program = program, .streams = PLATFORM_STREAMS_PIPES, .socket = PLATFORM_SOCKET_NONE};
    size_t before_count = system_descriptor_count();
    for (int i = 0; i < BENCH_PROCESS_COUNT + 1; i++) {
        struct platform_launched made;
        launch.token = bench_token(bench);
        assert_int_equal(bench_launch_as(bench, &launch, &made), BATON_SHORTAGE);
        assert_null(made.process);
        assert_null(made.input);
        assert_null(made.output);
    }
    if (!platform_backslash_separates) {
        bench_expect_descriptors(bench, before_count);
    }
    platform_stream_close(&streams[0]);
    struct pump pump = pump_start(bench, program, false);
    pump_end(bench, &pump);
    for (int i = 0; i < BENCH_STREAM_COUNT - 1; i++) {
        platform_stream_close(&streams[i]);
        bench_disconnect(bench, &connections[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_a_socket),
        WITH_BENCH(test_a_socket_after_a_stream),
        WITH_BENCH(test_where_errors_go),
        WITH_BENCH(test_no_channel),
        WITH_BENCH(test_a_mebibyte_each_way),
        WITH_BENCH(test_pipes_and_errors),
        WITH_BENCH(test_a_program_that_does_not_read_holds_us_back),
        WITH_BENCH(test_a_program_that_is_gone),
        WITH_BENCH(test_closing_is_the_end_too),
        WITH_BENCH(test_a_table_without_room_for_pipes),
    };
    return cmocka_run_group_tests_name("standard_streams", tests, NULL, NULL);
}
