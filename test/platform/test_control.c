/* The control endpoint and its clients. */
#include "asker.h"
#include "harness.h"

#define REPLY_BYTES 16384

/* An endpoint. */
struct desk {
    struct platform_control *control;
    uint64_t token;
};

/* Who has come to it. */
struct visit {
    uintptr_t asker;
    struct platform_control_client client;
    uint64_t token;
};

static int try_open(struct bench *bench, struct desk *desk) {
    const struct platform_control_spec spec = {.path = asker_place(), .mode = 0600};
    desk->token = bench_token(bench);
    return platform_control_open(bench->platform, &spec, desk->token, &desk->control,
                                 &bench->cause);
}

static struct desk open_desk(struct bench *bench) {
    struct desk desk;
    assert_int_equal(try_open(bench, &desk), BATON_OK);
    return desk;
}

static int try_accept(struct bench *bench, struct desk *desk, struct visit *visit) {
    struct address peer;
    visit->token = bench_token(bench);
    return platform_control_accept(desk->control, visit->token, &visit->client, &peer,
                                   &bench->cause);
}

static struct visit accept_next(struct bench *bench, struct desk *desk, uintptr_t asker) {
    struct visit visit = {.asker = asker};
    bench_await(bench, PLATFORM_EVENT_ACCEPT, desk->token);
    assert_int_equal(try_accept(bench, desk, &visit), BATON_OK);
    return visit;
}

static struct visit come(struct bench *bench, struct desk *desk) {
    uintptr_t asker;
    assert_true(asker_connect(asker_place(), &asker));
    return accept_next(bench, desk, asker);
}

static void leave(struct bench *bench, struct visit *visit) {
    platform_control_leave(bench->platform, &visit->client);
    assert_null(visit->client.reading);
    platform_control_leave(bench->platform, &visit->client);
    (void)bench_has(bench, PLATFORM_EVENT_STOP, 0); /* the loop goes on */
}

static void assert_received(uintptr_t asker, const char *wanted) {
    char text[64];
    size_t length = asker_receive(asker, text, sizeof text - 1);
    text[length] = '\0';
    assert_string_equal(text, wanted);
}

static void assert_read(struct bench *bench, struct visit *visit, const char *wanted) {
    char text[64] = "";
    assert_int_equal(
        bench_stream_read(bench, visit->client.reading, visit->token, text, strlen(wanted)),
        BATON_OK);
    assert_string_equal(text, wanted);
}

static void test_conversation(void **state) {
    struct bench *bench = *state;
    struct desk desk = open_desk(bench);
    struct visit first = come(bench, &desk), nobody;
    assert_int_equal(try_accept(bench, &desk, &nobody), BATON_AGAIN);
    struct visit second = come(bench, &desk);
    char byte;
    size_t length;
    assert_int_equal(platform_stream_read(first.client.reading, &byte, 1, &length, &bench->cause),
                     BATON_AGAIN);
    asker_send(second.asker, "two\n");
    asker_send(first.asker, "one\n");
    assert_read(bench, &first, "one\n");
    assert_read(bench, &second, "two\n");
    assert_int_equal(bench_stream_write(bench, second.client.writing, second.token, "second\n", 7),
                     BATON_OK);
    assert_int_equal(bench_stream_write(bench, first.client.writing, first.token, "first\n", 6),
                     BATON_OK);
    assert_received(first.asker, "first\n");
    assert_received(second.asker, "second\n");
    leave(bench, &first);
    assert_received(first.asker, "");
    /* Who is there has nothing of it. */
    asker_send(second.asker, "more\n");
    assert_read(bench, &second, "more\n");
    leave(bench, &second);
    assert_received(second.asker, "");
    asker_close(first.asker);
    asker_close(second.asker);
    platform_control_close(&desk.control);
    assert_null(desk.control);
    platform_control_close(&desk.control);
    assert_false(asker_connect(asker_place(), &first.asker));
}

/* What was written arrives although we have left. */
static void test_last_words(void **state) {
    struct bench *bench = *state;
    struct desk desk = open_desk(bench);
    struct visit visit = come(bench, &desk);
    static char reply[REPLY_BYTES], text[REPLY_BYTES];
    memset(reply, 'r', sizeof reply);
    assert_int_equal(
        bench_stream_write(bench, visit.client.writing, visit.token, reply, sizeof reply),
        BATON_OK);
    while (!platform_control_has_sent(&visit.client)) {
        bench_await(bench, PLATFORM_EVENT_STREAM, visit.token);
    }
    leave(bench, &visit);
    platform_control_close(&desk.control);
    size_t length = 0, got;
    while ((got = asker_receive(visit.asker, text + length, sizeof text - length)) > 0 &&
           length + got < sizeof text) {
        length += got;
    }
    assert_memory_equal(text, reply, sizeof reply);
    assert_received(visit.asker, "");
    asker_close(visit.asker);
}

/* Who takes nothing holds nobody up; and goes on when he does. */
static void test_slow_asker(void **state) {
    struct bench *bench = *state;
    struct desk desk = open_desk(bench);
    struct visit visit = come(bench, &desk);
    static char piece[REPLY_BYTES];
    size_t sent = 0, written = 0, taken = 0, got;
    int result;
    while ((result = platform_stream_write(visit.client.writing, piece, sizeof piece, &written,
                                           &bench->cause)) == BATON_OK) {
        sent += written;
        assert_true(sent < 64u * 1024 * 1024);
    }
    assert_int_equal(result, BATON_AGAIN);
    bench_forget_events(bench);
    bench_expect_rest(bench);
    static char text[REPLY_BYTES];
    while (taken < sent && (got = asker_receive(visit.asker, text, sizeof text)) > 0) {
        taken += got;
    }
    assert_int_equal(taken, sent);
    bench_await(bench, PLATFORM_EVENT_STREAM, visit.token);
    assert_int_equal(bench_stream_write(bench, visit.client.writing, visit.token, "end\n", 4),
                     BATON_OK);
    assert_received(visit.asker, "end\n");
    /* Full once more, we leave, and nothing is left behind. */
    while (platform_stream_write(visit.client.writing, piece, sizeof piece, &written,
                                 &bench->cause) == BATON_OK) {
    }
    leave(bench, &visit);
    asker_close(visit.asker);
    platform_control_close(&desk.control);
}

/* Their leaving is seen, before and behind the accept, and while something is under way. */
static void test_asker_leaves(void **state) {
    struct bench *bench = *state;
    struct desk desk = open_desk(bench);
    for (int reads = 0; reads < 2; reads++) {
        struct visit visit = come(bench, &desk);
        char byte;
        size_t length;
        if (reads == 1) {
            assert_int_equal(
                platform_stream_read(visit.client.reading, &byte, 1, &length, &bench->cause),
                BATON_AGAIN);
        }
        asker_close(visit.asker);
        int result = bench_stream_read(bench, visit.client.reading, visit.token, &byte, 1);
        assert_true(result == BATON_END || result == BATON_GONE);
        leave(bench, &visit);
    }
    struct visit early = {0};
    assert_true(asker_connect(asker_place(), &early.asker));
    asker_close(early.asker);
    bench_await(bench, PLATFORM_EVENT_ACCEPT, desk.token);
    int result = try_accept(bench, &desk, &early);
    assert_true(result == BATON_OK || result == BATON_GONE);
    leave(bench, &early);
    struct visit next = come(bench, &desk);
    asker_send(next.asker, "x");
    assert_read(bench, &next, "x");
    leave(bench, &next);
    asker_close(next.asker);
    platform_control_close(&desk.control);
}

static void test_pause(void **state) {
    struct bench *bench = *state;
    struct desk desk = open_desk(bench);
    uintptr_t asker;
    platform_control_pause(desk.control);
    assert_true(asker_connect(asker_place(), &asker));
    bench_forget_events(bench);
    bench_expect_rest(bench);
    platform_control_resume(desk.control);
    struct visit visit = accept_next(bench, &desk, asker);
    leave(bench, &visit);
    asker_close(asker);
    platform_control_close(&desk.control);
}

static void test_in_use(void **state) {
    struct bench *bench = *state;
    struct desk desk = open_desk(bench), other;
    assert_int_equal(try_open(bench, &other), BATON_IN_USE);
    assert_null(other.control);
    struct visit visit = come(bench, &desk);
    leave(bench, &visit);
    asker_close(visit.asker);
    platform_control_close(&desk.control);
    assert_int_equal(try_open(bench, &desk), BATON_OK);
    platform_control_close(&desk.control);
}

/* Where nobody has said so. */
static void test_default(void **state) {
    (void)state;
    char place[256];
    system_set_variable("BATON_CONTROL", "none");
    assert_int_equal(platform_control_default(false, place, sizeof place), BATON_NOT_FOUND);
    system_set_variable("BATON_CONTROL", asker_place());
    assert_int_equal(platform_control_default(false, place, sizeof place), BATON_OK);
    assert_string_equal(place, asker_place());
    assert_int_equal(platform_control_default(false, place, strlen(asker_place())), BATON_TOO_LONG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_BENCH(test_conversation),  WITH_BENCH(test_last_words), WITH_BENCH(test_slow_asker),
        WITH_BENCH(test_asker_leaves),  WITH_BENCH(test_pause),      WITH_BENCH(test_in_use),
        cmocka_unit_test(test_default),
    };
    return cmocka_run_group_tests(tests, NULL, bench_remove_scratch);
}
