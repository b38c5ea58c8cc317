/* Streams over sockets: what the supervisor itself reads and writes. */
#include "harness.h"

#include <stdio.h>

#define CHUNK 4096
#define MOST_CHUNKS 20000 /* more than all buffers hold */

/* A connection and a stream over its socket. */
struct line {
    struct bench_connection connection;
    struct platform_stream *stream;
    uint64_t token;
};

static struct line open_line(struct bench *bench) {
    struct line line = {.connection = bench_connect(bench), .token = bench_token(bench)};
    assert_int_equal(platform_stream_open(bench->platform, line.connection.socket, line.token,
                                          &line.stream, &bench->cause),
                     BATON_OK);
    bench_forget_events(bench);
    return line;
}

static void close_line(struct bench *bench, struct line *line) {
    platform_stream_close(&line->stream);
    assert_null(line->stream);
    platform_stream_close(&line->stream);
    bench_disconnect(bench, &line->connection);
}

/* Whoever gets the socket has it as a listener gave it, and finds `left` there. */
static void hand_over(struct bench *bench, struct line *line, const char *left) {
    platform_stream_close(&line->stream);
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "serve");
    assert_int_equal(bench_offer(bench, process, line->connection.socket), BATON_OK);
    bench_close_socket(bench, &line->connection.socket);
    client_end_sending(line->connection.client);
    char answer[64];
    client_receive_all(line->connection.client, answer, sizeof answer);
    assert_string_equal(answer, left);
    bench_finish(bench, &process, token);
    assert_non_null(strstr(bench->text, "blocking=1 inheritable=0 peer=1 shutdown=1"));
    close_line(bench, line);
}

static int read_now(struct bench *bench, struct line *line, char *bytes, size_t capacity,
                    size_t *length) {
    return platform_stream_read(line->stream, bytes, capacity, length, &bench->cause);
}

/* Fails the test unless a read says AGAIN, so that an event must follow. */
static void ask_in_vain(struct bench *bench, struct line *line) {
    char byte;
    size_t length = 7;
    assert_int_equal(read_now(bench, line, &byte, 1, &length), BATON_AGAIN);
    assert_int_equal(length, 0);
}

static void await_line(struct bench *bench, struct line *line) {
    bench_await(bench, PLATFORM_EVENT_STREAM, line->token);
}

/* Until something else than bytes comes; returns that. */
static int read_to_the_end(struct bench *bench, struct line *line) {
    char byte;
    int result;
    do {
        result = bench_stream_read(bench, line->stream, line->token, &byte, 1);
    } while (result == BATON_OK);
    return result;
}

static void test_again_is_followed_by_an_event(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    char text[8] = "";
    size_t length;
    for (int i = 0; i < 3; i++) {
        ask_in_vain(bench, &line);
        bench_expect_rest(bench);
        client_send(line.connection.client, "abc");
        await_line(bench, &line);
        assert_int_equal(read_now(bench, &line, text, sizeof text, &length), BATON_OK);
        assert_int_equal(length, 3);
        assert_memory_equal(text, "abc", 3);
    }
    ask_in_vain(bench, &line);
    bench_forget_events(bench);
    bench_expect_rest(bench);
    close_line(bench, &line);
}

/* A byte that is sent as urgent is one of the stream, in its place (RFC 6093, 5); for whoever gets
 * the socket after us it is what the system makes of it. */
static void test_an_urgent_byte_is_in_its_place(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    char text[8] = "";
    client_send(line.connection.client, "ab");
    client_send_urgent(line.connection.client, "cD");
    client_send(line.connection.client, "ef");
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(bench_stream_read(bench, line.stream, line.token, &text[i], 1), BATON_OK);
    }
    assert_string_equal(text, "abcDef");
    platform_stream_close(&line.stream);
    client_send_urgent(line.connection.client, "G");
    assert_true(server_urgent_arrives((uintptr_t)line.connection.socket.value));
    bench_disconnect(bench, &line.connection);
}

/* Nothing is asked: nothing is told, neither bytes nor the end, and the loop does not turn. */
static void test_nobody_asks(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    char text[8] = "";
    client_send(line.connection.client, "abc");
    bench_expect_rest(bench);
    client_end_sending(line.connection.client);
    bench_expect_rest(bench);
    assert_int_equal(bench_stream_read(bench, line.stream, line.token, text, 3), BATON_OK);
    assert_string_equal(text, "abc");
    assert_int_equal(read_to_the_end(bench, &line), BATON_END);
    assert_int_equal(read_to_the_end(bench, &line), BATON_END);
    bench_expect_rest(bench);
    close_line(bench, &line);
}

static void test_reads_exactly_what_was_asked_for(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    char text[8] = "";
    client_send(line.connection.client, "header");
    client_send(line.connection.client, "the rest");
    assert_int_equal(bench_stream_read(bench, line.stream, line.token, text, 6), BATON_OK);
    assert_memory_equal(text, "header", 6);
    hand_over(bench, &line, "the rest");
}

static void test_the_client_ends_first(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    char text[16];
    ask_in_vain(bench, &line);
    client_end_sending(line.connection.client);
    await_line(bench, &line);
    assert_int_equal(read_to_the_end(bench, &line), BATON_END);
    bench_expect_rest(bench);
    assert_int_equal(bench_stream_write(bench, line.stream, line.token, "still here", 10),
                     BATON_OK);
    platform_stream_finish(line.stream);
    platform_stream_finish(line.stream);
    client_receive_all(line.connection.client, text, sizeof text);
    assert_string_equal(text, "still here");
    close_line(bench, &line);
}

static void test_we_end_first(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    char text[16] = "";
    ask_in_vain(bench, &line);
    assert_int_equal(bench_stream_write(bench, line.stream, line.token, "last words", 10),
                     BATON_OK);
    platform_stream_finish(line.stream);
    client_receive_all(line.connection.client, text, sizeof text);
    assert_string_equal(text, "last words");
    bench_forget_events(bench);
    ask_in_vain(bench, &line);
    client_send(line.connection.client, "an answer");
    await_line(bench, &line);
    memset(text, 0, sizeof text);
    assert_int_equal(bench_stream_read(bench, line.stream, line.token, text, 9), BATON_OK);
    assert_string_equal(text, "an answer");
    client_end_sending(line.connection.client);
    assert_int_equal(read_to_the_end(bench, &line), BATON_END);
    close_line(bench, &line);
}

static void fill(char *bytes, size_t start, size_t length) {
    for (size_t i = 0; i < length; i++) {
        bytes[i] = (char)((start + i) * 2654435761u >> 24 | 1);
    }
}

/* Writes until it says AGAIN. Returns how many bytes were taken beyond `start`. */
static size_t write_until_full(struct bench *bench, struct line *line, size_t start) {
    static char chunk[CHUNK];
    size_t done = 0;
    for (int i = 0; i < MOST_CHUNKS; i++) {
        size_t written;
        fill(chunk, start + done, sizeof chunk);
        int result =
            platform_stream_write(line->stream, chunk, sizeof chunk, &written, &bench->cause);
        if (result == BATON_AGAIN) {
            assert_int_equal(written, 0);
            return done;
        }
        assert_int_equal(result, BATON_OK);
        done += written;
    }
    fail_msg("nothing holds back who writes");
    return done;
}

static void expect_received(struct line *line, size_t start, size_t length) {
    static char got[CHUNK + 1];
    static char wanted[CHUNK];
    while (length > 0) {
        size_t part = length < CHUNK ? length : CHUNK;
        client_receive_all(line->connection.client, got, part + 1);
        fill(wanted, start, part);
        assert_memory_equal(got, wanted, part);
        start += part;
        length -= part;
    }
}

static void test_a_client_that_does_not_read_holds_us_back(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    size_t sent = 0;
    size_t received = 0;
    for (int i = 0; i < 3; i++) {
        sent += write_until_full(bench, &line, sent);
        bench_forget_events(bench);
        /* Room may still come a little later, as the systems move bytes along. */
        while (bench_has(bench, PLATFORM_EVENT_STREAM, line.token)) {
            sent += write_until_full(bench, &line, sent);
        }
        expect_received(&line, received, sent - received);
        received = sent;
        await_line(bench, &line);
    }
    assert_true(sent > CHUNK);
    /* Who waits for room hears of bytes, too. */
    sent += write_until_full(bench, &line, sent);
    ask_in_vain(bench, &line);
    client_send(line.connection.client, "x");
    char byte = 0;
    assert_int_equal(bench_stream_read(bench, line.stream, line.token, &byte, 1), BATON_OK);
    assert_int_equal(byte, 'x');
    platform_stream_finish(line.stream);
    expect_received(&line, received, sent - received);
    char none[8];
    client_receive_all(line.connection.client, none, sizeof none);
    assert_string_equal(none, "");
    close_line(bench, &line);
}

static void test_a_reset_is_told(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    ask_in_vain(bench, &line);
    client_reset(line.connection.client);
    await_line(bench, &line);
    assert_int_equal(read_to_the_end(bench, &line), BATON_GONE);
    assert_non_null(bench->cause.call);
    assert_int_not_equal(bench->cause.system_code, 0);
    bench_expect_rest(bench);
    platform_stream_close(&line.stream);
    bench_close_socket(bench, &line.connection.socket);
    platform_listener_close(&line.connection.listener);
}

static void test_a_reset_that_nobody_asks_about(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    platform_listener_close(&line.connection.listener);
    client_reset(line.connection.client);
    bench_expect_rest(bench);
    /* On the way there may be one that the system still takes. */
    size_t written;
    int result = BATON_OK;
    for (int i = 0; i < MOST_CHUNKS && (result == BATON_OK || result == BATON_AGAIN); i++) {
        result = platform_stream_write(line.stream, "x", 1, &written, &bench->cause);
        if (result == BATON_AGAIN) {
            await_line(bench, &line);
        }
    }
    assert_int_equal(result, BATON_GONE);
    platform_stream_close(&line.stream);
    bench_close_socket(bench, &line.connection.socket);
}

static void test_a_closed_stream_tells_nothing(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    ask_in_vain(bench, &line);
    client_send(line.connection.client, "abc");
    platform_stream_close(&line.stream);
    bench_forget_events(bench);
    bench_expect_rest(bench);
    /* The same socket again, as another stream. */
    line.token = bench_token(bench);
    assert_int_equal(platform_stream_open(bench->platform, line.connection.socket, line.token,
                                          &line.stream, &bench->cause),
                     BATON_OK);
    char text[4] = "";
    assert_int_equal(bench_stream_read(bench, line.stream, line.token, text, 3), BATON_OK);
    assert_string_equal(text, "abc");
    ask_in_vain(bench, &line);
    client_send(line.connection.client, "d");
    await_line(bench, &line);
    close_line(bench, &line);
}

static void test_a_full_table_is_a_shortage(void **state) {
    struct bench *bench = *state;
    struct line lines[BENCH_STREAM_COUNT];
    for (int i = 0; i < BENCH_STREAM_COUNT; i++) {
        lines[i] = open_line(bench);
    }
    struct bench_connection extra = bench_connect(bench);
    struct platform_stream *stream = lines[0].stream;
    assert_int_equal(platform_stream_open(bench->platform, extra.socket, bench_token(bench),
                                          &stream, &bench->cause),
                     BATON_SHORTAGE);
    assert_null(stream);
    bench_forget_events(bench);
    for (int i = 0; i < BENCH_STREAM_COUNT; i++) {
        close_line(bench, &lines[i]);
    }
    uint64_t token = bench_token(bench);
    assert_int_equal(
        platform_stream_open(bench->platform, extra.socket, token, &stream, &bench->cause),
        BATON_OK);
    char text[4] = "";
    client_send(extra.client, "abc");
    assert_int_equal(bench_stream_read(bench, stream, token, text, 3), BATON_OK);
    assert_string_equal(text, "abc");
    platform_stream_close(&stream);
    bench_disconnect(bench, &extra);
}

/* More events than are asked for at once: none is lost. */
static void test_many_at_once(void **state) {
    struct bench *bench = *state;
    struct line lines[BENCH_STREAM_COUNT];
    for (int i = 0; i < BENCH_STREAM_COUNT; i++) {
        lines[i] = open_line(bench);
        ask_in_vain(bench, &lines[i]);
    }
    for (int i = 0; i < BENCH_STREAM_COUNT; i++) {
        client_send(lines[i].connection.client, "x");
    }
    for (int i = 0; i < BENCH_STREAM_COUNT; i++) {
        await_line(bench, &lines[i]);
    }
    for (int i = 0; i < BENCH_STREAM_COUNT; i++) {
        close_line(bench, &lines[i]);
    }
}

static void await(struct bench *bench, struct line *line) {
    assert_int_equal(platform_stream_await(line->stream), BATON_AGAIN);
    bench_forget_events(bench);
    bench_expect_rest(bench); /* nothing is there: the loop does not turn */
}

/* A byte is told and left where it is; what is awaited then is there at once. */
static void test_a_byte_that_is_awaited(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    await(bench, &line);
    await(bench, &line);
    client_send(line.connection.client, "abc");
    await_line(bench, &line);
    assert_int_equal(platform_stream_await(line.stream), BATON_OK);
    assert_int_equal(platform_stream_await(line.stream), BATON_OK);
    bench_expect_rest(bench);       /* it was told, and nobody asks */
    hand_over(bench, &line, "abc"); /* all of what was sent */
}

/* In the piece that was read in part, or in one that comes behind that; and urgent ones, too. */
static void test_a_byte_is_awaited_behind_a_read(void **state) {
    struct bench *bench = *state;
    for (int way = 0; way < 4; way++) {
        struct line line = open_line(bench);
        char text[8] = "";
        client_send(line.connection.client, way == 0 ? "headerx" : "header");
        assert_int_equal(bench_stream_read(bench, line.stream, line.token, text, 6), BATON_OK);
        assert_memory_equal(text, "header", 6);
        if (way > 0) {
            await(bench, &line);
            if (way == 1) {
                client_send(line.connection.client, "x");
            } else if (way == 2) {
                client_send_urgent(line.connection.client, "x");
            } else {
                client_end_sending(line.connection.client);
            }
            await_line(bench, &line);
        }
        assert_int_equal(platform_stream_await(line.stream), BATON_OK);
        assert_int_equal(bench_stream_read(bench, line.stream, line.token, text, 1),
                         way == 3 ? BATON_END : BATON_OK);
        close_line(bench, &line);
    }
}

static void test_an_end_that_is_awaited(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    await(bench, &line);
    client_end_sending(line.connection.client);
    await_line(bench, &line);
    assert_int_equal(platform_stream_await(line.stream), BATON_OK);
    assert_int_equal(read_to_the_end(bench, &line), BATON_END);
    close_line(bench, &line);
}

static void test_a_reset_that_is_awaited(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    await(bench, &line);
    client_reset(line.connection.client);
    await_line(bench, &line);
    assert_int_equal(platform_stream_await(line.stream), BATON_GONE);
    platform_stream_close(&line.stream);
    bench_close_socket(bench, &line.connection.socket);
    platform_listener_close(&line.connection.listener);
}

/* What came before the stream was opened, or while nobody asked. */
static void test_a_byte_that_was_there_before(void **state) {
    struct bench *bench = *state;
    struct line line = open_line(bench);
    client_send(line.connection.client, "abc");
    bench_expect_rest(bench);
    while (platform_stream_await(line.stream) == BATON_AGAIN) {
        await_line(bench, &line); /* it is still on its way */
    }
    platform_stream_close(&line.stream);
    line.token = bench_token(bench);
    assert_int_equal(platform_stream_open(bench->platform, line.connection.socket, line.token,
                                          &line.stream, &bench->cause),
                     BATON_OK);
    assert_int_equal(platform_stream_await(line.stream), BATON_OK);
    close_line(bench, &line);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_again_is_followed_by_an_event),
        WITH_BENCH(test_an_urgent_byte_is_in_its_place),
        WITH_BENCH(test_nobody_asks),
        WITH_BENCH(test_reads_exactly_what_was_asked_for),
        WITH_BENCH(test_the_client_ends_first),
        WITH_BENCH(test_we_end_first),
        WITH_BENCH(test_a_client_that_does_not_read_holds_us_back),
        WITH_BENCH(test_a_reset_is_told),
        WITH_BENCH(test_a_reset_that_nobody_asks_about),
        WITH_BENCH(test_a_closed_stream_tells_nothing),
        WITH_BENCH(test_a_full_table_is_a_shortage),
        WITH_BENCH(test_many_at_once),
        WITH_BENCH(test_a_byte_that_is_awaited),
        WITH_BENCH(test_a_byte_is_awaited_behind_a_read),
        WITH_BENCH(test_an_end_that_is_awaited),
        WITH_BENCH(test_a_reset_that_is_awaited),
        WITH_BENCH(test_a_byte_that_was_there_before),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
