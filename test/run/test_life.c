/* Whole lives of connections: every fault of a handler at every step, at first or always. */
#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step { BEFORE_HELLO, AFTER_HELLO, AFTER_OFFER, AFTER_ACK, AFTER_DONE, STEP_COUNT };

static const char *const step_names[] = {"before HELLO", "after HELLO", "after OFFER", "after ACK",
                                         "after DONE"};

/* What the record says if every process has the fault before it acknowledges, and if the one that
 * has acknowledged has it. NULL: makes no sense at that step. */
struct fault {
    const char *name;
    enum act acts[3];
    const char *before_hello, *after_hello, *after_offer, *after_ack;
};

static const struct fault faults[] = {
    {"silence",
     {ACT_STAY},
     "handshake_timeout",
     "handshake_timeout",
     "handshake_timeout",
     "drained"},
    {"closed channel",
     {ACT_CLOSE_CHANNEL, ACT_STAY},
     "launch_failed",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"closed channel, exit 0",
     {ACT_CLOSE_CHANNEL, ACT_TICK, ACT_EXIT},
     "launch_failed",
     "handshake_invalid",
     "handshake_invalid",
     "served"},
    {"exit 0", {ACT_EXIT}, "launch_failed", "handshake_invalid", "handshake_invalid", "served"},
    {"exit 3", {ACT_EXIT_3}, "launch_failed", "handshake_invalid", "handshake_invalid", "failed"},
    {"crash", {ACT_CRASH}, "crashed", "crashed", "crashed", "crashed"},
    {"crash after close",
     {ACT_CLOSE_CHANNEL, ACT_TICK, ACT_CRASH},
     "crashed",
     "crashed",
     "crashed",
     "crashed"},
    {"garbage",
     {ACT_GARBAGE, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"garbage, exit 0",
     {ACT_GARBAGE, ACT_EXIT},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "failed"},
    {"torn frame",
     {ACT_TORN, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"torn stream",
     {ACT_BROKEN, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"torn stream, exit 0",
     {ACT_BROKEN, ACT_EXIT},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "failed"},
    {"over-long frame",
     {ACT_TOO_LONG, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"supervisor's frame",
     {ACT_OFFER, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"ACK of a stranger",
     {ACT_ACK_UNKNOWN, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"NACK of a stranger",
     {ACT_NACK_UNKNOWN, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"DONE of a stranger",
     {ACT_DONE_UNKNOWN, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"DONE before ACK",
     {ACT_DONE_OFFERED, ACT_STAY},
     "handshake_invalid",
     "handshake_invalid",
     "handshake_invalid",
     NULL},
    {"second HELLO",
     {ACT_HELLO, ACT_STAY},
     NULL,
     "handshake_invalid",
     "handshake_invalid",
     "drained"},
    {"wrong nonce", {ACT_HELLO_WRONG_NONCE, ACT_STAY}, "handshake_invalid", NULL, NULL, NULL},
    {"stranger's pid", {ACT_HELLO_STRANGER, ACT_STAY}, "handshake_invalid", NULL, NULL, NULL},
    {"foreign sender", {ACT_HELLO_FOREIGN, ACT_STAY}, "handshake_invalid", NULL, NULL, NULL},
    {"RETIRE before HELLO", {ACT_RETIRE, ACT_STAY}, "handshake_invalid", NULL, NULL, NULL},
    {"RETIRE, exit 0",
     {ACT_RETIRE, ACT_EXIT},
     NULL,
     "handshake_invalid",
     "handshake_invalid",
     "served"},
    {"NACK retire", {ACT_NACK_RETIRE, ACT_AWAIT_DRAIN, ACT_EXIT}, NULL, NULL, "rejected", NULL},
    {"NACK busy", {ACT_NACK_BUSY, ACT_AWAIT_DRAIN, ACT_EXIT}, NULL, NULL, "rejected", NULL},
    {"NACK busy, exit 3", {ACT_NACK_BUSY, ACT_EXIT_3}, NULL, NULL, "rejected", NULL},
};

static const char *expected(const struct fault *fault, enum step step) {
    switch (step) {
    case BEFORE_HELLO:
        return fault->before_hello;
    case AFTER_HELLO:
        return fault->after_hello;
    case AFTER_OFFER:
        return fault->after_offer;
    case AFTER_ACK:
        return fault->after_ack;
    default:
        /* Its connection is over; how it behaves afterwards is no longer about the client. */
        return fault->after_hello != NULL ? "served" : NULL;
    }
}

/* The good handler's acts up to the step, then those of the fault. */
static void write_acts(enum act *acts, const struct fault *fault, enum step step, bool ticks) {
    static const enum act ways[][3] = {
        {ACT_HELLO, ACT_STAY}, {ACT_AWAIT_OFFER, ACT_STAY}, {ACT_ACK, ACT_STAY}, {ACT_DONE}};
    size_t count = 0;
    for (size_t i = 0; i < (size_t)step; i++) {
        acts[count++] = ways[i][0];
        if (ticks) {
            acts[count++] = ACT_TICK;
        }
    }
    for (size_t i = 0; i < 3 && fault->acts[i] != ACT_STAY; i++) {
        acts[count++] = fault->acts[i];
    }
    acts[count] = ACT_STAY;
}

struct variant {
    const struct fault *fault;
    enum step step;
    bool always, ticks, windows;
    uint64_t shuffle;
};

static void run_variant(const struct variant *v) {
    struct scene scene;
    enum act acts[16];
    struct play play = {.acts = acts};
    const char *outcome = expected(v->fault, v->step);
    if (outcome == NULL) {
        return;
    }
    write_acts(acts, v->fault, v->step, v->ticks);
    scene_stage(&scene, &play, NULL);
    if (!v->always) {
        scene_play(&scene, &play_good);
    }
    fake_as_on_windows(v->windows);
    fake_shuffle(v->shuffle);
    scene_run(&scene);
    bool retried = v->step <= AFTER_OFFER;
    assert_record(1, retried && !v->always ? "served" : outcome, retried ? "2" : "1");
    assert_false(lines_has(lines_record(1), "bytes_in"));
    assert_int_equal(fake_process_count(), retried ? 2 : 1);
    assert_int_equal(lines_count("attempt_failed"), !retried ? 0 : v->always ? 2 : 1);
    assert_true(fake_wait_count() < 100);
    scene_clear(&scene);
}

static void test_every_fault_at_every_step(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof faults / sizeof *faults; f++) {
        for (int step = 0; step < STEP_COUNT; step++) {
            for (unsigned bits = 0; bits < 16; bits++) {
                struct variant v = {.fault = &faults[f],
                                    .step = (enum step)step,
                                    .always = (bits & 1) != 0,
                                    .ticks = (bits & 2) != 0,
                                    .windows = (bits & 4) != 0,
                                    .shuffle = (bits & 8) != 0 ? 12345 : 0};
                if (getenv("BATON_TEST_TRACE") != NULL) {
                    print_message("%s %s bits %u\n", faults[f].name, step_names[step], bits);
                }
                run_variant(&v);
            }
        }
    }
}

static void test_good_life(void **state) {
    (void)state;
    struct scene scene;
    scene_init(&scene);
    scene.client_count = 3;
    scene_run(&scene);
    for (uint64_t id = 1; id <= 3; id++) {
        assert_record(id, "served", "1");
        assert_string_equal(lines_value(lines_record(id), "status"), "0");
    }
    assert_int_equal(fake_process_count(), 3);
    assert_int_equal(lines_count("hello"), 3);
    assert_string_equal(lines_value(lines_find("hello", 2), "level"), "debug");
    assert_string_equal(lines_value(lines_find("hello", 2), "sdk"), "an actor");
    assert_string_equal(lines_value(lines_find("hello", 2), "capacity"), "1");
    assert_int_equal(lines_count("ready"), 1);
    assert_int_equal(lines_count("listening"), 1);
    scene_clear(&scene);
}

/* A descendant holds the channel open, so that an offer could be sent; but nobody would take it. */
static bool exit_with_hello(struct scene *s) {
    SCENE_BEGIN(s);
    fake_handler_leave_channel(0);
    scene_act(s, 0, ACT_HELLO);
    scene_act(s, 0, ACT_EXIT);
    LOOK(s);
    assert_int_equal(fake_call_count(FAKE_SEND), 0);
    assert_int_equal(fake_process_count(), 2);
    scene_actor(s, 1)->play = &play_good;
    SCENE_END(s);
}

static void test_no_offer_after_the_exit(void **state) {
    (void)state;
    struct scene scene;
    scene_stage(&scene, &play_puppet, exit_with_hello);
    scene_run(&scene);
    assert_record(1, "served", "2");
    scene_clear(&scene);
}

/* A text belongs to the record of the frame that brought it, and to no other. */
static void test_text_of_a_frame(void **state) {
    (void)state;
    const struct play tell =
        PLAY(ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_TICK, ACT_DONE_TEXT, ACT_EXIT);
    const struct play decline = PLAY(ACT_HELLO, ACT_AWAIT_OFFER, ACT_NACK_TEXT, ACT_EXIT);
    const struct play crash = PLAY(ACT_HELLO, ACT_AWAIT_OFFER, ACT_ACK, ACT_TICK, ACT_CRASH);
    struct scene scene;
    scene_init(&scene);
    scene.services[0].max_connections_count = 1;
    scene.client_count = 4;
    scene_play(&scene, &tell);
    scene_play(&scene, &crash);
    scene_play(&scene, &decline);
    scene_play(&scene, &crash);
    scene_play(&scene, &decline);
    scene_run(&scene);
    assert_string_equal(lines_value(lines_record(1), "text"), "told");
    assert_record(2, "crashed", "1");
    assert_false(lines_has(lines_record(2), "text"));
    assert_record(3, "crashed", "2");
    assert_false(lines_has(lines_record(3), "text"));
    assert_record(4, "rejected", "2");
    assert_string_equal(lines_value(lines_record(4), "text"), "told");
    scene_clear(&scene);
}

/* A program that knows nothing of Baton, and a service without `handoff`. */
static void test_hint_at_a_forgotten_key(void **state) {
    (void)state;
    const struct play silent = PLAY(ACT_STAY);
    const struct play greets = PLAY(ACT_HELLO, ACT_EXIT);
    const struct play fails = PLAY(ACT_EXIT_3); /* as one does that cannot load its SDK */
    const struct play crashes = PLAY(ACT_CRASH);
    const struct play *const plays[] = {&play_exit, &silent, &greets, &fails, &crashes};
    for (size_t i = 0; i < 5; i++) {
        struct scene scene;
        scene_stage(&scene, plays[i], NULL);
        scene_run(&scene);
        const char *line = lines_find("attempt_failed", 0);
        assert_non_null(line);
        assert_int_equal(lines_has(line, "hint"), i < 2);
        scene_clear(&scene);
    }
}

/* ---- NACK and the breaker ---- */

static bool twelve_in_turn(struct scene *s) {
    SCENE_BEGIN(s);
    for (s->count = 0; s->count < 12; s->count++) {
        CONNECT(s);
    }
    SCENE_END(s);
}

/* To be refused is an answer; a process that declines the first offer of its life took nobody. */
static void test_who_always_declines(void **state) {
    (void)state;
    static const enum act answers[] = {ACT_NACK_RETIRE, ACT_NACK_BUSY, ACT_NACK_REFUSE};
    for (size_t i = 0; i < 3; i++) {
        const enum act acts[] = {ACT_HELLO,       ACT_AWAIT_OFFER, answers[i],
                                 ACT_AWAIT_DRAIN, ACT_EXIT,        ACT_STAY};
        const struct play play = {.acts = acts};
        bool is_refused = answers[i] == ACT_NACK_REFUSE;
        struct scene scene;
        scene_init(&scene);
        scene.script = twelve_in_turn;
        scene_play(&scene, &play);
        scene_run(&scene);
        assert_int_equal(fake_process_count(), is_refused ? 12 : 10);
        assert_int_equal(lines_count("breaker_opened"), is_refused ? 0 : 1);
        assert_record(1, "rejected", is_refused ? "1" : "2");
        assert_string_equal(lines_value(lines_record(12), "outcome"),
                            is_refused ? "rejected" : "refused_breaker");
        scene_clear(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_life),
        cmocka_unit_test(test_every_fault_at_every_step),
        cmocka_unit_test(test_no_offer_after_the_exit),
        cmocka_unit_test(test_text_of_a_frame),
        cmocka_unit_test(test_hint_at_a_forgotten_key),
        cmocka_unit_test(test_who_always_declines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
