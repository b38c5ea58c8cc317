/* What becomes of a handler that breaks the protocol, of its clients, and of what it says behind
 * that.
 */
#include "scene.h"

#include <string.h>

/* ---- Nothing more is obeyed ---- */

static const enum act breaches[] = {
    ACT_GARBAGE, ACT_TORN,        ACT_TOO_LONG,     ACT_BROKEN,       ACT_OFFER,
    ACT_HELLO,   ACT_ACK_UNKNOWN, ACT_NACK_UNKNOWN, ACT_DONE_UNKNOWN, ACT_DONE_OFFERED};
static const enum act ends[] = {ACT_STAY, ACT_EXIT, ACT_EXIT_3, ACT_CRASH, ACT_CLOSE_CHANNEL};

#define BREACH_COUNT (sizeof breaches / sizeof *breaches)
#define END_COUNT (sizeof ends / sizeof *ends)

/* All of it lies in the channel, and the end may be there as well, before the supervisor looks. */
static void test_an_answer_behind_a_breach_is_none(void **state) {
    (void)state;
    for (size_t i = 0; i < BREACH_COUNT * END_COUNT; i++) {
        const enum act acts[] = {
            ACT_HELLO,        ACT_AWAIT_OFFER, breaches[i / END_COUNT], ACT_ACK,
            ACT_DONE_OFFERED, ACT_RETIRE,      ends[i % END_COUNT],     ACT_STAY};
        const struct play play = {.acts = acts};
        struct scene scene;
        scene_stage(&scene, &play, NULL);
        scene_play(&scene, &play_good);
        scene_run(&scene);
        assert_record(1, "served", "2");
        assert_int_equal(lines_count("protocol_error"), 1);
        assert_string_equal(lines_value(lines_find("attempt_failed", 0), "reason"),
                            "handshake_invalid");
        assert_false(lines_has(lines_record(1), "reason"));
        scene_clear(&scene);
    }
}

/* The same in place of HELLO: so is a frame of a type that may be skipped. */
static void test_before_hello(void **state) {
    (void)state;
    static const enum act firsts[] = {ACT_OPTIONAL, ACT_RETIRE, ACT_ACK_UNKNOWN, ACT_GARBAGE};
    for (size_t i = 0; i < 4 * END_COUNT; i++) {
        const enum act acts[] = {firsts[i / END_COUNT], ACT_HELLO, ends[i % END_COUNT], ACT_STAY};
        const struct play play = {.acts = acts};
        struct scene scene;
        scene_stage(&scene, &play, NULL);
        scene_play(&scene, &play_good);
        scene_run(&scene);
        assert_record(1, "served", "2");
        assert_int_equal(lines_count("protocol_error"), 1);
        assert_string_equal(lines_value(lines_find("attempt_failed", 0), "reason"),
                            "handshake_invalid");
        scene_clear(&scene);
    }
}

static void test_two_hellos_of_one_that_has_ended(void **state) {
    (void)state;
    static const enum act firsts[] = {ACT_EXIT, ACT_CRASH};
    for (size_t i = 0; i < 2; i++) {
        const enum act acts[] = {ACT_HELLO, ACT_HELLO, firsts[i], ACT_STAY};
        const struct play play = {.acts = acts};
        struct scene scene;
        scene_stage(&scene, &play, NULL);
        scene.services[0].attempts_count = 1;
        scene_run(&scene);
        assert_record(1, "handshake_invalid", "1");
        assert_int_equal(lines_count("protocol_error"), 1);
        scene_clear(&scene);
    }
}

/* It is killed at a deadline; what it still says then counts up to the first breach. */
static void test_last_words_behind_a_breach(void **state) {
    (void)state;
    const struct play silent = {.acts = (const enum act[]){ACT_HELLO, ACT_AWAIT_OFFER, ACT_STAY},
                                .last_words = (const enum act[]){ACT_GARBAGE, ACT_ACK, ACT_STAY}};
    struct scene scene;
    scene_stage(&scene, &silent, NULL);
    scene_play(&scene, &play_good);
    scene_run(&scene);
    assert_record(1, "served", "2");
    assert_string_equal(lines_value(lines_find("attempt_failed", 0), "reason"),
                        "handshake_timeout");
    scene_clear(&scene);
}

static void test_second_done_is_a_breach(void **state) {
    (void)state;
    const struct play play =
        PLAY(ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_DONE, ACT_DONE_UNKNOWN, ACT_STAY);
    struct scene scene;
    scene_stage(&scene, &play, NULL);
    scene.services[0].reuse_count = 2;
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_int_equal(lines_count("protocol_error"), 1);
    assert_int_equal(fake_process(0)->kill_count, 1);
    scene_clear(&scene);
}

/* RETIRE twice, and when DRAIN has been sent; what may be skipped, and a LIMITS. */
static bool no_breach(struct scene *s) {
    static const uint8_t frame[WIRE_HEADER_BYTES] = {'B', 'A', 'T', 'N', WIRE_VERSION, WIRE_LIMITS};
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK, ACT_RETIRE, ACT_OPTIONAL, ACT_RETIRE);
    fake_handler_send(0, frame, sizeof frame, 0);
    scene_stop(s);
    LOOK(s);
    assert_true(scene_listen(s, 0)->drained);
    ACTS(s, 0, ACT_RETIRE, ACT_RETIRE, ACT_DONE);
    scene_act(s, 0, ACT_EXIT);
    SCENE_END(s);
}

static void test_what_is_no_breach(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, no_breach);
    scene.services[0].reuse_count = 5;
    scene_run(&scene);
    assert_record(1, "served", "1");
    assert_int_equal(lines_count("protocol_error"), 0);
    scene_clear(&scene);
}

/* ---- With connections that are held ---- */

/* Whatever it says of them behind the breach, they end with the process. */
static bool held(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    ACTS(s, 0, ACT_ACK);
    scene_act(s, 0, breaches[s->number / END_COUNT]);
    scene_act(s, 0, ACT_DONE);
    LOOK(s);
    assert_false(fake_process(0)->supervisor_end_open);
    assert_int_equal(lines_count("connection"), 0);
    /* It gets no more. */
    CONNECT(s);
    assert_int_equal(scene_actor(s, 0)->offer_count, 2);
    scene_act(s, 0, ends[s->number % END_COUNT]);
    if (ends[s->number % END_COUNT] == ACT_STAY ||
        ends[s->number % END_COUNT] == ACT_CLOSE_CHANNEL) {
        LOOK(s);
        assert_int_equal(fake_process(0)->kill_count + fake_process(0)->terminate_count, 0);
    }
    SCENE_END(s);
}

static void test_what_is_held_ends_with_the_process(void **state) {
    (void)state;
    for (uint32_t i = 0; i < BREACH_COUNT * END_COUNT; i++) {
        enum act end = ends[i % END_COUNT];
        bool crashes = end == ACT_CRASH;
        bool stays = end == ACT_STAY || end == ACT_CLOSE_CHANNEL;
        struct scene scene;
        scene_stage(&scene, &play_puppet, held);
        scene.services[0].reuse_count = 5;
        scene_play(&scene, &play_server);
        scene.number = i;
        scene_run(&scene);
        for (uint64_t id = 1; id <= 2; id++) {
            assert_record(id, stays ? "drained" : crashes ? "crashed" : "failed", "1");
            assert_string_equal(lines_value(lines_record(id), "reason"), stays ? "" : "breach");
            assert_false(lines_has(lines_record(id), "status"));
        }
        assert_record(3, "served", "1");
        assert_int_equal(lines_count("protocol_error"), 1);
        scene_clear(&scene);
    }
}

/* One is held and one offered: that goes to another when the process is gone, and not before, even
 * if it was acknowledged behind the breach. */
static bool held_and_offered(struct scene *s) {
    SCENE_BEGIN(s);
    ACTS(s, 0, ACT_HELLO_WIDE, ACT_ACK);
    CONNECT(s);
    assert_int_equal(scene_listen(s, 0)->offer_count, 2);
    scene_act(s, 0, ACT_GARBAGE);
    scene_act(s, 0, ACT_ACK);
    LOOK(s);
    assert_false(fake_process(0)->supervisor_end_open);
    assert_int_equal(fake_process_count(), 1);
    if (s->number < END_COUNT && ends[s->number] != ACT_STAY &&
        ends[s->number] != ACT_CLOSE_CHANNEL) {
        scene_act(s, 0, ends[s->number]);
        LOOK(s);
    } else {
        assert_int_equal(s->deadline_us - fake_now_us(), STOP_MS * 1000);
        JUMP(s);
        assert_int_equal(fake_process(0)->kill_count, 1);
    }
    SCENE_END(s);
}

static void test_an_offer_beside_what_is_held(void **state) {
    (void)state;
    for (uint32_t i = 0; i < END_COUNT; i++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, held_and_offered);
        scene.services[0].reuse_count = 5;
        scene_play(&scene, &play_server);
        scene.number = i;
        scene_run(&scene);
        assert_record(1, ends[i] == ACT_CRASH ? "crashed" : "failed", "1");
        assert_string_equal(lines_value(lines_record(1), "reason"), "breach");
        assert_record(2, "served", "2");
        assert_string_equal(lines_value(lines_find("attempt_failed", 0), "reason"),
                            "handshake_invalid");
        scene_clear(&scene);
    }
}

/* ---- What is said of it ---- */

#define HEAD "\x42\x41\x54\x4e"
#define FRAME(bytes) bytes, sizeof(bytes) - 1

/* Sent in place of what would be next. */
static const struct {
    bool before_hello;
    const char *bytes;
    size_t length;
    const char *message, *reason;
} told[] = {
    {true, FRAME("GET / HTTP/1.0\r\n\r\n"), "?", "magic 0x47455420, not 0x4241544e"},
    {true, FRAME(HEAD "\x07\x01\0\0\0\0\0\0\0\0\0\0"), "HELLO", "version 7, not 1"},
    {true, FRAME(HEAD "\x01\x01\x80\x01\0\0\0\0\0\0\0\0"), "HELLO", "flags 0x8001, not 0"},
    {true, FRAME(HEAD "\x01\x33\0\0\0\0\0\0\0\0\0\0"), "?",
     "type 0x33: unknown message type, or not one for this direction"},
    {true, FRAME(HEAD "\x01\x11\0\0\0\0\0\x05\0\0\0\0"), "OFFER",
     "type 0x11: unknown message type, or not one for this direction"},
    {true, FRAME(HEAD "\x01\x00\0\0\0\0\0\0\0\0\0\0"), "?",
     "type 0x0: unknown message type, or not one for this direction"},
    {true, FRAME(HEAD "\x01\x01\0\0\0\0\0\0\0\0\x02\x58"), "HELLO", "length 600, at most 512"},
    {true, FRAME(HEAD "\x01\x01\0\0"), "HELLO", "8 bytes, which are no header"},
    {true, FRAME(""), "?", "0 bytes, which are no header"},
    {true, FRAME(HEAD "\x01\x01\0\0\0\0\0\0\0\0\0\x05"), "HELLO",
     "length 5, but 0 bytes follow the header"},
    {true, FRAME(HEAD "\x01\x05\0\0\0\0\0\0\0\0\0\0"), "RETIRE", "before HELLO"},
    {true, FRAME(HEAD "\x01\xf0\0\0\0\0\0\0\0\0\0\0"), "?", "before HELLO"},
    {true, FRAME(HEAD "\x01\x01\0\0\0\0\0\0\0\0\0\0"), "HELLO", "tag 0x1: required field missing"},
    {false, FRAME(HEAD "\x01\x02\0\0\0\0\0\0\0\0\0\0"), "ACK",
     "connection 0: connection number missing, or given where there is none"},
    {false, FRAME(HEAD "\x01\x05\0\0\0\0\0\x07\0\0\0\0"), "RETIRE",
     "connection 7: connection number missing, or given where there is none"},
    {false, FRAME(HEAD "\x01\x03\0\0\0\0\0\x07\0\0\0\x05\0\x05\0\x01\x04"), "NACK",
     "tag 0x5: field past the end, of wrong size, repeated, or out of range"},
    {false, FRAME(HEAD "\x01\x04\0\0\0\0\0\x07\0\0\0\x05\0\x05\0\x01\x04"), "DONE",
     "tag 0x5: field unknown, or not one of this message"},
    {false, FRAME(HEAD "\x01\x04\0\0\0\0\0\x07\0\0\0\x0a\0\x06\0\x01\x04\x80\x09\0\x01\xff"),
     "DONE", "tag 0x8009: text with NUL or not UTF-8"},
    {false, FRAME(HEAD "\x01\x02\0\0\0\0\x12\x34\0\0\0\0"), "ACK",
     "connection 4660, which is not offered"},
    {false, FRAME(HEAD "\x01\x03\0\0\0\0\x12\x34\0\0\0\x05\0\x05\0\x01\x02"), "NACK",
     "connection 4660, which is not offered"},
    {false, FRAME(HEAD "\x01\x04\0\0\0\0\x12\x34\0\0\0\x05\0\x06\0\x01\0"), "DONE",
     "connection 4660, which is not held"},
};

static bool say_it(struct scene *s) {
    SCENE_BEGIN(s);
    if (!told[s->number].before_hello) {
        ACTS(s, 0, ACT_HELLO);
    }
    fake_handler_send(0, told[s->number].bytes, told[s->number].length, 0);
    LOOK(s);
    SCENE_END(s);
}

static void expect_told(const char *message, const char *reason) {
    const char *line = lines_find("protocol_error", 0);
    assert_int_equal(lines_count("protocol_error"), 1);
    assert_string_equal(lines_value(line, "level"), "warning");
    assert_string_equal(lines_value(line, "message"), message);
    assert_string_equal(lines_value(line, "reason"), reason);
}

static void test_each_breach_has_its_text(void **state) {
    (void)state;
    for (uint32_t i = 0; i < sizeof told / sizeof *told; i++) {
        struct scene scene;
        scene_stage(&scene, &play_puppet, say_it);
        scene.number = i;
        scene_play(&scene, &play_good);
        scene_run(&scene);
        expect_told(told[i].message, told[i].reason);
        assert_record(1, "served", "2");
        scene_clear(&scene);
    }
}

static bool hidden_stranger(struct scene *s) {
    SCENE_BEGIN(s);
    fake_handler_hide(0);
    ACTS(s, 0, ACT_HELLO_STRANGER);
    SCENE_END(s);
}

static void expect_a_hidden_stranger(void) {
    struct scene scene;
    scene_stage(&scene, &play_puppet, hidden_stranger);
    fake_offers_late(true); /* else it may have served its client: test_early */
    scene_play(&scene, &play_good);
    scene_run(&scene);
    expect_told("HELLO",
                "pid 77, which is not the handler's, and the system does not tell what it is "
                "called");
    scene_clear(&scene);
}

static void test_each_breach_that_a_world_knows_has_its_text(void **state) {
    (void)state;
    static const struct {
        enum act act;
        const char *message, *reason;
    } cases[] = {
        {ACT_TOO_LONG, "?", "more than 528 bytes"},
        {ACT_RIGHTS, "?", "a descriptor or other control data came with it"},
        {ACT_HELLO_WRONG_NONCE, "HELLO", "a wrong nonce"},
        {ACT_HELLO_STRANGER, "HELLO", "pid 77, which is not the handler's"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const enum act acts[] = {cases[i].act, ACT_HELLO, ACT_STAY};
        const struct play play = {.acts = acts};
        struct scene scene;
        scene_stage(&scene, &play, NULL);
        scene_play(&scene, &play_good);
        scene_run(&scene);
        expect_told(cases[i].message, cases[i].reason);
        scene_clear(&scene);
    }
    expect_a_hidden_stranger();
    const struct play twice = PLAY(ACT_HELLO, ACT_HELLO, ACT_STAY);
    struct scene scene;
    scene_stage(&scene, &twice, NULL);
    scene_play(&scene, &play_good);
    scene_run(&scene);
    expect_told("HELLO", "a second HELLO");
    scene_clear(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_behind_a_breach_is_none),
        cmocka_unit_test(test_before_hello),
        cmocka_unit_test(test_two_hellos_of_one_that_has_ended),
        cmocka_unit_test(test_last_words_behind_a_breach),
        cmocka_unit_test(test_second_done_is_a_breach),
        cmocka_unit_test(test_what_is_no_breach),
        cmocka_unit_test(test_what_is_held_ends_with_the_process),
        cmocka_unit_test(test_an_offer_beside_what_is_held),
        cmocka_unit_test(test_each_breach_has_its_text),
        cmocka_unit_test(test_each_breach_that_a_world_knows_has_its_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
