/* The channel between the supervisor and one handler process. */
#include "harness.h"

static void expect_message(const uint8_t *frame, size_t length, uint8_t type,
                           struct wire_message *message) {
    assert_int_equal(wire_decode(frame, length, WIRE_FROM_HANDLER, message), WIRE_OK);
    assert_int_equal(message->type, type);
}

/* Lets the process run to its end and takes nothing from its channel. */
static void await_exit(struct bench *bench, uint64_t token) {
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    bench_forget_events(bench);
}

static int receive_now(struct bench *bench, struct platform_process *process,
                       uint8_t frame[FRAME_TO_SUPERVISOR_MAX], size_t *length) {
    return platform_channel_receive(process, frame, FRAME_TO_SUPERVISOR_MAX, length, &bench->cause);
}

static void test_hello_and_who_speaks(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct wire_message message;
    uint8_t nonce[WIRE_NONCE_BYTES];
    assert_true(wire_nonce_parse(BENCH_NONCE, nonce));
    struct platform_process *process = LAUNCH(bench, &token, "hello", "wait-for-end");
    size_t length = bench_receive(bench, process, token, frame);
    expect_message(frame, length, WIRE_HELLO, &message);
    assert_memory_equal(message.nonce, nonce, sizeof nonce);
    assert_int_equal(message.pid, platform_process_pid(process));
    assert_int_equal(platform_process_speaker(process, message.pid), message.pid);
    assert_int_equal(platform_process_speaker(process, platform_own_pid()), 0);
    assert_int_equal(platform_process_speaker(process, 0), 0);

    size_t none;
    assert_int_equal(receive_now(bench, process, frame, &none), BATON_AGAIN);
    assert_int_equal(none, 0);
    bench_forget_events(bench);
    bench_expect_silence(bench);
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

static void test_frames_stay_apart(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct wire_message message;
    struct platform_process *process =
        LAUNCH(bench, &token, "hello", "done:one", "done:", "done:three", "wait-for-end");
    expect_message(frame, bench_receive(bench, process, token, frame), WIRE_HELLO, &message);
    const char *const texts[] = {"one", "", "three"};
    for (int i = 0; i < 3; i++) {
        size_t length = bench_receive(bench, process, token, frame);
        expect_message(frame, length, WIRE_DONE, &message);
        assert_int_equal(message.text.length, strlen(texts[i]));
        assert_memory_equal(message.text.bytes == NULL ? "" : message.text.bytes, texts[i],
                            strlen(texts[i]));
    }
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

static void test_event_comes_again_for_frames_left(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct platform_process *process =
        LAUNCH(bench, &token, "done:1", "done:2", "done:3", "print:sent", "wait-for-end");
    bench_await_text(bench, "sent\n");
    for (int i = 0; i < 3; i++) {
        if (i > 0) { /* told before, and it need not be told twice, was that there is a first one */
            bench_forget_events(bench);
        }
        bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
        bench_receive(bench, process, token, frame);
    }
    platform_channel_close(process);
    bench_finish(bench, &process, token);
}

static void test_end_is_told_from_nothing_yet(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "close-channel", "print:shut", "hold");
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_END);
    /* The process lives on; its end is told, and its channel does not make the loop turn. */
    bench_await_text(bench, "shut\n");
    bench_forget_events(bench);
    bench_expect_silence(bench);
    assert_int_equal(bench_receive_fault(bench, process, token), BATON_END);
    platform_process_signal(process, PLATFORM_KILL);
    bench_finish(bench, &process, token);
}

static void test_frames_are_read_to_the_end_after_exit(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct wire_message message;
    struct platform_process *process =
        LAUNCH(bench, &token, "hello", "done:first", "done:second", "exit:0");
    await_exit(bench, token);
    const uint8_t types[] = {WIRE_HELLO, WIRE_DONE, WIRE_DONE};
    for (int i = 0; i < 3; i++) {
        size_t length;
        assert_int_equal(receive_now(bench, process, frame, &length), BATON_OK);
        expect_message(frame, length, types[i], &message);
        if (types[i] == WIRE_HELLO) {
            assert_int_equal(platform_process_speaker(process, message.pid), message.pid);
        }
    }
    size_t length;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(receive_now(bench, process, frame, &length), BATON_END);
    }
    platform_process_close(&process);
}

static void test_frames_survive_a_death_with_an_unread_offer(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    struct platform_process *process = LAUNCH(bench, &token, "done:said", "print:ready", "hold");
    bench_await_text(bench, "ready\n");
    assert_int_equal(bench_offer(bench, process, PLATFORM_SOCKET_NONE), BATON_OK);
    platform_process_signal(process, PLATFORM_KILL);
    await_exit(bench, token);
    /* What the handler said before counts, although something was left unread in its direction. */
    size_t length;
    struct wire_message message;
    assert_int_equal(receive_now(bench, process, frame, &length), BATON_OK);
    expect_message(frame, length, WIRE_DONE, &message);
    assert_int_equal(receive_now(bench, process, frame, &length), BATON_END);
    platform_process_close(&process);
}

static void test_after_exit_never_again(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    size_t length;
    /* An escaped grandchild still holds the handler's end (POSIX). */
    struct platform_process *process = LAUNCH(bench, &token, "escaped-grandchild", "exit:0");
    bench_await_text(bench, "grandchild");
    await_exit(bench, token);
    assert_int_equal(receive_now(bench, process, frame, &length), BATON_END);
    /* There may be something of its output; of the channel, nothing. */
    assert_false(bench_has(bench, PLATFORM_EVENT_CHANNEL, token));
    platform_process_close(&process);
    platform_end_strays(bench->platform, NULL, platform_now_us(bench->platform) + 20000000u);
}

/* The escaped grandchild goes on writing for as long as somebody reads: what lay there when the
 * process ended is all. (On Windows it does not inherit the handler's end.) */
static void test_after_exit_what_lay_there(void **state) {
    struct bench *bench = *state;
    if (!system_channel_is_packets) {
        return;
    }
    uint64_t token;
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    size_t length;
    struct platform_process *process = LAUNCH(bench, &token, "escaped-writer", "hold");
    bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
    platform_process_signal(process, PLATFORM_KILL);
    await_exit(bench, token);
    int result, count = 0;
    while ((result = receive_now(bench, process, frame, &length)) == BATON_OK && count < 5000) {
        uint64_t time_to_write_us = platform_now_us(bench->platform) + 200;
        while (platform_now_us(bench->platform) < time_to_write_us) {
        }
        count++;
    }
    assert_int_equal(result, BATON_END);
    assert_true(count > 0);
    assert_int_equal(receive_now(bench, process, frame, &length), BATON_END);
    platform_process_close(&process);
    platform_end_strays(bench->platform, NULL, platform_now_us(bench->platform) + 20000000u);
}

static void test_crooked_frames(void **state) {
    struct bench *bench = *state;
    const struct {
        const char *action;
        int wanted;
    } cases[] = {{"garbage", BATON_INVALID},
                 {"torn-header", BATON_INVALID},
                 {"torn-body", BATON_INVALID},
                 {"long-body", BATON_TOO_LONG}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t token;
        struct platform_process *process =
            LAUNCH(bench, &token, cases[i].action, "close-channel", "print:sent", "exit:0");
        int result = bench_receive_fault(bench, process, token);
        if (strcmp(cases[i].action, "long-body") == 0 && result == BATON_INVALID) {
            result = BATON_TOO_LONG; /* the contract allows both names for it */
        }
        if (result != cases[i].wanted) {
            fail_msg("%s: %s", cases[i].action, baton_error_text(result));
        }
        assert_int_equal(bench_receive_fault(bench, process, token), BATON_END);
        bench_finish(bench, &process, token);
    }
}

static void test_handler_gets_a_socket_as_promised(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct bench_connection connection = bench_connect(bench);
    struct platform_process *process = LAUNCH(bench, &token, "serve", "exit:0");
    assert_int_equal(bench_offer(bench, process, connection.socket), BATON_OK);
    /* Ours is closed only when the handler has taken its own (Windows needs that; a copy in flight
     * lives by itself on POSIX). It waits for the client's first byte: it must not get "try again".
     */
    bench_await_text(bench, "OFFER");
    client_send(connection.client, "question");
    client_end_sending(connection.client);
    char answer[64];
    if (system_channel_is_packets) {
        bench_close_socket(bench, &connection.socket);
    }
    bench_await_text(bench, "blocking=1 inheritable=0 peer=1 shutdown=1");
    bench_close_socket(bench, &connection.socket);
    client_receive_all(connection.client, answer, sizeof answer);
    assert_string_equal(answer, "question");
    client_close(connection.client);
    assert_int_equal(bench_finish(bench, &process, token).code, 0);
    platform_listener_close(&connection.listener);
}

/* It has HELLO to say before it reads, and nothing to wait for. */
static void test_an_offer_may_be_there_from_the_launch_on(void **state) {
    struct bench *bench = *state;
    static const char *const serves[] = {"hello", "serve", "exit:0", NULL};
    static const char *const ends[] = {"hello", "exit:0", NULL};
    if (!platform_offers_at_launch(bench->platform)) {
        skip();
    }
    for (int i = 0; i < 2; i++) {
        uint64_t token;
        uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
        char answer[64];
        struct bench_connection connection = bench_connect(bench);
        struct platform_process *process =
            bench_launch_with_offer(bench, i == 0 ? serves : ends, connection.socket, &token);
        bench_receive(bench, process, token, frame);
        client_send(connection.client, "question");
        client_end_sending(connection.client);
        if (i == 0) {
            bench_await_text(bench, "blocking=1 inheritable=0 peer=1 shutdown=1");
        }
        assert_int_equal(bench_finish(bench, &process, token).code, 0);
        bench_close_socket(bench, &connection.socket);
        if (i == 0) {
            client_receive_all(connection.client, answer, sizeof answer);
            assert_string_equal(answer, "question");
        }
        client_close(connection.client);
        platform_listener_close(&connection.listener);
    }
}

static void test_send_to_nobody_is_gone(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process = LAUNCH(bench, &token, "close-channel", "print:shut", "hold");
    bench_await_text(bench, "shut\n");
    uint8_t drain[WIRE_HEADER_BYTES];
    struct wire_message message = {.type = WIRE_DRAIN};
    assert_int_equal(wire_encode(&message, drain, sizeof drain), WIRE_HEADER_BYTES);
    /* Windows tells of the broken pipe at the completion of the write, so perhaps one call later.
     */
    int result = BATON_OK;
    for (int i = 0; i < 100 && (result == BATON_OK || result == BATON_AGAIN); i++) {
        result = platform_channel_send(process, drain, sizeof drain, PLATFORM_SOCKET_NONE,
                                       &bench->cause);
        if (result == BATON_AGAIN) {
            bench_await(bench, PLATFORM_EVENT_WRITABLE, token);
        }
    }
    assert_int_equal(result, BATON_GONE);
    platform_channel_close(process);
    platform_channel_close(process);
    assert_int_equal(
        platform_channel_send(process, drain, sizeof drain, PLATFORM_SOCKET_NONE, &bench->cause),
        BATON_GONE);
    platform_process_signal(process, PLATFORM_KILL);
    bench_finish(bench, &process, token);
}

/* Sends frames of the largest size until the other side's buffer is full. */
static int fill_channel(struct bench *bench, struct platform_process *process, uint8_t *frame) {
    int sent_count = 0;
    int result;
    while ((result = platform_channel_send(process, frame, PLATFORM_SEND_MAX_BYTES,
                                           PLATFORM_SOCKET_NONE, &bench->cause)) == BATON_OK) {
        sent_count++;
        assert_true(sent_count < 10000);
    }
    assert_int_equal(result, BATON_AGAIN);
    return sent_count;
}

static void test_full_channel_tells_when_writable(void **state) {
    struct bench *bench = *state;
    static uint8_t frame[PLATFORM_SEND_MAX_BYTES + 1];
    const size_t body_bytes = PLATFORM_SEND_MAX_BYTES - WIRE_HEADER_BYTES;
    struct wire_message message = {.type = WIRE_DRAIN};
    wire_encode(&message, frame, sizeof frame);
    frame[12 + 2] = (uint8_t)(body_bytes >> 8); /* the whole body is there; it means nothing */
    frame[12 + 3] = (uint8_t)body_bytes;
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "prepare-go", "done:ready", "wait-for-go", "wait-for-end", "exit:0");
    uint8_t answer[FRAME_TO_SUPERVISOR_MAX];
    bench_receive(bench, process, token, answer);
    assert_int_equal(
        platform_channel_send(process, frame, sizeof frame, PLATFORM_SOCKET_NONE, &bench->cause),
        BATON_TOO_LONG);
    int sent_count = fill_channel(bench, process, frame);
    assert_true(sent_count > 0);
    bench_forget_events(bench);
    bench_expect_silence(bench); /* nobody reads, so nothing becomes writable */

    system_go(platform_process_pid(process));
    bench_await(bench, PLATFORM_EVENT_WRITABLE, token);
    assert_int_equal(platform_channel_send(process, frame, PLATFORM_SEND_MAX_BYTES,
                                           PLATFORM_SOCKET_NONE, &bench->cause),
                     BATON_OK);
    platform_channel_close(process);
    bench_await_text(bench, "end\n");
    assert_int_equal(bench_finish(bench, &process, token).code, 0);
}

static void test_close_means_drain(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct platform_process *process =
        LAUNCH(bench, &token, "hello", "wait-for-end", "done:too-late", "exit:6");
    bench_await(bench, PLATFORM_EVENT_CHANNEL, token);
    platform_channel_close(process);
    bench_forget_events(bench);
    uint8_t frame[FRAME_TO_SUPERVISOR_MAX];
    size_t length;
    assert_int_equal(receive_now(bench, process, frame, &length), BATON_END);
    bench_await(bench, PLATFORM_EVENT_EXIT, token);
    assert_int_equal(platform_process_exit(process).code, 6);
    assert_false(bench_has(bench, PLATFORM_EVENT_CHANNEL, token));
    bench_await_text(bench, "end\n");
    platform_process_close(&process);
}

static void test_export_to_a_dead_process(void **state) {
    struct bench *bench = *state;
    uint64_t token;
    struct bench_connection connection = bench_connect(bench);
    struct platform_process *process = LAUNCH(bench, &token, "exit:0");
    await_exit(bench, token);
    uint8_t info[PLATFORM_SOCKET_INFO_BYTES];
    size_t length;
    int result = platform_socket_export(process, platform_process_pid(process), connection.socket,
                                        info, &length, &bench->cause);
    /* Windows itself would still duplicate for it, because its handle is held. */
    assert_int_equal(result, BATON_GONE);
    platform_process_close(&process);
    bench_disconnect(bench, &connection);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_hello_and_who_speaks),
        WITH_BENCH(test_frames_stay_apart),
        WITH_BENCH(test_event_comes_again_for_frames_left),
        WITH_BENCH(test_end_is_told_from_nothing_yet),
        WITH_BENCH(test_frames_are_read_to_the_end_after_exit),
        WITH_BENCH(test_frames_survive_a_death_with_an_unread_offer),
        WITH_BENCH(test_after_exit_never_again),
        WITH_BENCH(test_after_exit_what_lay_there),
        WITH_BENCH(test_crooked_frames),
        WITH_BENCH(test_handler_gets_a_socket_as_promised),
        WITH_BENCH(test_an_offer_may_be_there_from_the_launch_on),
        WITH_BENCH(test_send_to_nobody_is_gone),
        WITH_BENCH(test_full_channel_tells_when_writable),
        WITH_BENCH(test_close_means_drain),
        WITH_BENCH(test_export_to_a_dead_process),
    };
    return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
